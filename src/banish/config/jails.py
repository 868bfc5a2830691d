"""Turns one section of the jails' configuration into a jail, complete and checked."""

import glob
import re
from pathlib import Path

import msgspec

from banish.config import unknown
from banish.config.actions import Actions, read_actions
from banish.config.arguments import parse_spec
from banish.config.budget import read_budget
from banish.config.checks import check_escalation, check_filter
from banish.config.definition import EARLY_OPTIONS, Definition
from banish.config.exempt import read_guard, to_ignorecache, to_ignorecommand, to_ignoreip
from banish.config.filters import check_tags, define_filter, find_filter, read_filter
from banish.config.interpolate import Merged, Scope
from banish.config.jailvalues import to_backend, to_bantime, to_matches, to_maxtime, to_rndtime
from banish.config.journal import to_journal
from banish.config.meantfilter import set_meant_filter
from banish.config.merge import Library
from banish.config.networks import read_networks
from banish.config.options import FILTER_OPTIONS, JAIL_OPTIONS
from banish.config.problem import FaultError, did_you_mean, shown
from banish.config.reading import OptionReader
from banish.config.text import Text
from banish.config.values import (
    to_bool,
    to_enabled,
    to_logpaths,
    to_multipliers,
    to_number,
    to_span,
)
from banish.model.instant import Seconds
from banish.model.settings import (
    Escalation,
    FilterSettings,
    JailSettings,
    JournalPlace,
    LogPath,
    Place,
)

JOURNAL_FOLDERS = (Path("/var/log/journal"), Path("/run/log/journal"))
"""Where systemd-journald keeps its files (systemd-journald.service(8))."""


def has_journal() -> bool:
    """Whether this host keeps a systemd journal."""
    return any(next(folder.glob("*/*.journal"), None) for folder in JOURNAL_FOLDERS)


class JailSection:
    """One jail while it is worked out: its section, and the filter it names."""

    def __init__(self, library: Library, merged: Merged, name: str) -> None:
        self.library = library
        self.name = name
        self.place = merged.places.get(name, Place(merged.files[0]))
        self._own = merged.sections.get(name, {}).keys()
        self._definition: Definition | None = None
        self._known: Definition | None = None
        self._first = Scope(merged, name)
        self.scope = Scope(merged, name, known=self._known_option)
        self.reading = OptionReader(self.get, library.problems, jail=name)

    @property
    def is_enabled(self) -> bool:
        """Whether the jail is to run; a value in error counts as yes, so that it is reported."""
        try:
            text = self._first.get("enabled")
            return text is not None and to_enabled(text, self.library.problems)
        except FaultError as fault:
            self.reading.refuse("enabled", fault)
            return True

    @property
    def written_filter(self) -> Text | None:
        """Its ``filter`` as it is written; None where nobody sets it, or it cannot be read."""
        try:
            return self._first.get("filter")
        except FaultError:
            return None

    def sets(self, option: str) -> bool:
        """Whether its own section sets *option*."""
        return option in self._own

    @property
    def definition(self) -> Definition | None:
        """The options of the filter as they are in effect; None without one."""
        return self._definition

    def get(self, option: str) -> Text | None:
        """Return *option* as the jail has it, or for a filter's option as its filter has it.

        Raises:
            FaultError: A value refers to what is not there, or to itself.

        """
        text = self.scope.get(option)
        if text is None and option in FILTER_OPTIONS and self._definition is not None:
            return self._definition.get(option)
        return text

    def _known_option(self, option: str) -> Text | None:
        filters = self._known
        if filters is None or not (option in FILTER_OPTIONS or option in filters.names()):
            return None
        return filters.get(option)

    def _early_option(self, option: str) -> Text | None:
        return self._first.get(option) if option in EARLY_OPTIONS else None

    def check_tags(self, settings: FilterSettings) -> None:
        """Tell of tags that the filter left in its regexes."""
        if self._definition is not None:
            check_tags(self.reading, self._definition, settings)

    def option(self, option: str) -> Text | None:
        """Return *option* as filters and actions see it: the jail's, no free variables."""
        return self.scope.get(option) if option in JAIL_OPTIONS else None

    def drop_filter(self) -> None:
        """Let the jail's own options count alone."""
        self._definition = self._known = None

    def set_filter(self, *, from_journal: bool, text: Text | None = None) -> str:
        """Find the jail's filter and return it as it is written; empty if it names none.

        With *text* that counts in place of the jail's ``filter``.

        Raises:
            FaultError: The filter is not there, or its name is not written as filters are.

        """
        text = text or self._first.get("filter")
        if text is None or not text.text.strip():
            return ""
        name, arguments = parse_spec(text)
        merged = find_filter(self.library, name, text.place)
        self._define(merged, arguments, from_journal=from_journal)
        if self._lacks_mode(name, arguments):
            del arguments["mode"]
            self._define(merged, arguments, from_journal=from_journal)
        unknown.check_filter(self.library.problems, merged)
        return text.text.strip()

    def _define(self, merged: Merged, arguments: dict[str, Text], *, from_journal: bool) -> None:
        self._known = define_filter(
            merged,
            arguments,
            self._early_option,
            from_journal=from_journal,
            read_for="known",
        )
        self._definition = define_filter(merged, arguments, self.option, from_journal=from_journal)

    def _lacks_mode(self, name: str, arguments: dict[str, Text]) -> bool:
        """Tell of a mode that the filter does not have: its regexes are left as a tag then."""
        mode = arguments.get("mode")
        definition = self._definition
        if mode is None or definition is None:
            return False
        regexes = definition.get("failregex")
        tag = re.compile(rf"<[\w/]+-{re.escape(mode.text)}>")
        if regexes is None or tag.search(regexes.text) is None:
            return False
        modes = [each.rpartition("-")[2] for each in definition.names() if each.startswith("mdre-")]
        what = f"filter {name} has no mode {shown(mode.text)}; its usual mode counts instead"
        cure = did_you_mean(mode.text, modes) or f"write one of: {', '.join(sorted(modes))}"
        self.reading.leave_out("mode", FaultError(what, mode.place, cure))
        return True


def read_jail(library: Library, merged: Merged, name: str) -> JailSettings | None:
    """Return the jail *name*, or None if it is not enabled or cannot start.

    The reason goes to the library's problems.
    """
    jail = JailSection(library, merged, name)
    if not jail.is_enabled:
        return None
    reading = jail.reading
    settings = _settings(jail)
    if not reading.is_whole():
        if not reading.is_refused("filter", "failregex", "ignoreregex", "prefregex"):
            # The jail cannot run, and yet all its faults are named at once.
            check_filter(reading, settings.filter)
            check_escalation(reading, settings.escalation)
        return None
    needs_logs = not settings.uses_journal and not settings.uses_ledger
    if settings.skip_if_nologs and needs_logs and not _has_logs(settings.logpaths):
        what = f"[{name}] is left out: none of its logs exists"
        place = reading.places.get("logpath", jail.place)
        library.problems.warn(what, place, option="logpath")
        return None
    can_watch = not needs_logs or bool(settings.logpaths)
    can_find = settings.uses_ledger or bool(settings.filter.failregex)
    if not can_watch:
        cure = "set logpath, or backend = systemd and a journalmatch"
        reading.refuse("logpath", FaultError(f"[{name}] has no log to watch", jail.place, cure))
    if not can_find:
        cure = "set failregex" if settings.filter.name else "set filter = NAME, or failregex"
        reading.refuse("failregex", FaultError(f"[{name}] has nothing to find", jail.place, cure))
    jail.check_tags(settings.filter)
    if reading.is_whole():
        settings = msgspec.structs.replace(
            settings,
            filter=check_filter(reading, settings.filter),
            escalation=check_escalation(reading, settings.escalation),
        )
    return settings if can_watch and can_find and reading.is_whole() else None


def _settings(jail: JailSection) -> JailSettings:
    """Return the jail's settings; what is wrong is reported and left at its default."""
    reading = jail.reading
    problems = reading.problems

    def flag(option: str) -> bool:
        default = JAIL_OPTIONS[option].default == "true"
        return reading.get(option, lambda text: to_bool(text, option, problems), default)

    def text(option: str) -> str:
        return reading.get(option, lambda text: text.text.strip(), JAIL_OPTIONS[option].default)

    backend = reading.get("backend", to_backend, "auto")
    no_paths: tuple[LogPath, ...] = ()
    logpaths = reading.get("logpath", lambda text: to_logpaths(text, problems), no_paths)
    systemd_if_nologs = flag("systemd_if_nologs")
    filter_name, uses_journal = _choose_source(
        jail, backend, logpaths, may_switch=systemd_if_nologs
    )
    ten_minutes: Seconds | None = Seconds(600)
    maxmatches = JAIL_OPTIONS["maxmatches"]
    nobody: tuple[str, ...] = ()
    actions = _actions(jail)
    return JailSettings(
        jail.name,
        read_filter(
            reading, filter_name, logtimezone=text("logtimezone"), logencoding=text("logencoding")
        ),
        logpaths,
        backend,
        uses_journal,
        reading.get("maxretry", lambda text: to_number(text, JAIL_OPTIONS["maxretry"]), 3),
        reading.get("findtime", to_span, Seconds(600)),
        reading.get("bantime", to_bantime, ten_minutes),
        reading.get("maxmatches", lambda text: to_matches(text, maxmatches), 5),
        reading.get("ignoreip", lambda text: to_ignoreip(text, problems), nobody),
        flag("ignoreself"),
        reading.get("ignorecommand", lambda text: to_ignorecommand(text, problems), ""),
        reading.get("ignorecache", to_ignorecache, None),
        Escalation(
            flag("bantime.increment"),
            text("bantime.factor"),
            text("bantime.formula"),
            reading.get("bantime.multipliers", to_multipliers, ()),
            reading.get("bantime.maxtime", to_maxtime, None),
            reading.get("bantime.rndtime", to_rndtime, Seconds(0)),
            flag("bantime.overalljails"),
        ),
        actions.settings,
        actions.enforcement,
        flag("skip_if_nologs"),
        systemd_if_nologs,
        reading.places,
        reading.get("backend", lambda text: to_journal(text, problems), JournalPlace()),
        networks=read_networks(reading, actions.settings),
        cutconnections=flag("cutconnections"),
        guard=read_guard(reading),
        budget=read_budget(reading),
    )


def _choose_source(
    jail: JailSection, backend: str, logpaths: tuple[LogPath, ...], *, may_switch: bool
) -> tuple[str, bool]:
    """Set the jail's filter up; return it as written, and whether lines come from the journal.

    The journal is chosen by ``backend = systemd``, or by itself where no log is
    there and the filter says what to read in it.
    """
    reading = jail.reading
    if backend == "ledger":
        return "", False  # neither a filter nor a log counts
    from_journal = backend.startswith("systemd")
    try:
        name = set_meant_filter(jail, from_journal=from_journal)
        if from_journal or not may_switch or not backend.startswith("auto"):
            return name, from_journal
        match = jail.get("journalmatch")
        if match is None or not match.text.strip() or _has_logs(logpaths) or not has_journal():
            return name, False
        return set_meant_filter(jail, from_journal=True), True
    except FaultError as fault:
        reading.refuse("filter", fault)
        return "", from_journal


def _actions(jail: JailSection) -> Actions:
    """Return the actions of *jail*; where they cannot be read, nftables closes its ports."""
    try:
        text = jail.get("action")
        if text is not None:
            jail.reading.places["action"] = text.place
        return read_actions(jail.library, jail.name, text, jail.option, jail.scope.get)
    except FaultError as fault:
        what = f"{fault.what}: nftables bans in place of all its actions"
        jail.reading.leave_out("action", FaultError(what, fault.place, fault.cure))
    try:
        return read_actions(jail.library, jail.name, None, jail.option, jail.scope.get)
    except FaultError as fault:
        jail.reading.refuse("action", fault)
        return Actions((), None)


def _has_logs(logpaths: tuple[LogPath, ...]) -> bool:
    return any(glob.glob(entry.pattern) for entry in logpaths)  # noqa: PTH207 - absolute patterns
