"""Loads a whole configuration directory; every problem is reported, none stops the rest."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

import banish
from banish.config.absent import check_logs
from banish.config.absentprograms import check_actions, check_ignorecommand
from banish.config.actions import read_actions
from banish.config.arguments import parse_spec
from banish.config.checks import check_filter
from banish.config.effect import (
    check_backend,
    check_bans,
    check_folder,
    check_jail_files,
)
from banish.config.exempt import check_ignoreip
from banish.config.filters import check_tags, define_filter, find_filter, read_filter
from banish.config.interpolate import Merged
from banish.config.jails import JailSection, has_journal, read_jail
from banish.config.merge import Library, constants
from banish.config.options import JAIL_OPTIONS, SERVER_OPTIONS, VARIABLES
from banish.config.problem import FaultError, Problems, nearest
from banish.config.reading import OptionReader
from banish.config.search import builtin_tree, find_root, open_tree
from banish.config.server import ServerSection, read_server
from banish.config.text import Text, single
from banish.config.unknown import check_jails
from banish.config.verdicts import Verdicts
from banish.config.vetting import Progress, vet_filters
from banish.errors import ConfigError
from banish.model.settings import FilterSettings, JailSettings, Place, Settings

__all__ = [
    "Explained",
    "builtin_tree",
    "explain",
    "filter_settings",
    "find_root",
    "load",
]

NOT_JAILS = frozenset({"INCLUDES", "DEFAULT"})


class Explained(msgspec.Struct, frozen=True):
    """One option in effect, and where it is set; no place: the program's own default."""

    option: str
    value: str
    place: Place | None = None


def load(
    root: Path | None,
    *,
    builtin: Path,
    host: bool = False,
    vet: bool = False,
    progress: Progress | None = None,
    verdicts: Verdicts | None = None,
) -> Settings:
    """Return the configuration in *root*; None: where this host has one, else the built-in one.

    Everything that is wrong inside files becomes a `Problem` of the result. With *host*
    it is an error too if no jail runs, or if one has no log to read on this host at the
    moment. *vet* does the same and has the filters of all jails vetted
    (`banish.detect.vetting`), which takes as long as everything else together, some times
    over, unless *verdicts* has them.

    Raises:
        ConfigError: *root* does not exist or cannot be read.

    """
    root = root or find_root()
    library = Library(open_tree(root, builtin), Problems())
    server = read_server(library)
    merged = _read_jails(library)
    jails: list[JailSettings] = []
    if merged is not None:
        check_jails(library.problems, merged)
        check_jail_files(library.problems, merged)
        for name in merged.sections:
            if name in NOT_JAILS:
                continue
            jail = read_jail(library, merged, name)
            if jail is not None:
                jails.append(jail)
    check_ignoreip(library.problems, jails)
    for jail in jails:
        check_backend(library.problems, jail)
        check_bans(library.problems, jail)
        check_ignorecommand(library.problems, jail)
    of_files = frozenset(library.problems.all())
    if vet or host:
        _check_host(library, merged, jails)
    of_host = tuple(each for each in library.problems.all() if each not in of_files)
    if vet:
        vet_filters(library.problems, [jail.filter for jail in jails], progress, verdicts)
    return Settings(
        str(root) if root else "built-in",
        server,
        tuple(jails),
        library.problems.all(),
        library.paths,
        of_host,
    )


def _check_host(library: Library, merged: Merged | None, jails: Sequence[JailSettings]) -> None:
    """Tell what keeps the jails from protecting this host as it is now."""
    check_folder(library.problems, library.tree)
    for jail in jails:
        check_logs(library.problems, jail, has_journal=has_journal)
        check_actions(library.problems, jail)
    if not jails and merged is not None:
        what = "no jail runs, so nothing is watched and nobody is banned"
        cure = f"write enabled = true into a section of {library.tree.top / 'jail.local'}"
        library.problems.error(what, None, cure=cure)


def _read_jails(library: Library) -> Merged | None:
    merged = library.read("jail")
    if merged is None:
        place = Place(str(library.tree.top / "jail.conf"))
        library.problems.error("there are no jails", place, cure="create a jail.local")
        return None
    merged.defaults.update(constants(banish.__version__, str(library.tree.top)))
    return merged


def filter_settings(
    spec: str, root: Path | None, builtin: Path, *, backend: str = "auto"
) -> FilterSettings:
    """Return the filter that *spec* names, such as ``sshd[mode=aggressive]``, as jails see it.

    *root* is as for `load`. A *spec* that begins with ``/`` is the path of a filter
    file. With a *backend* ``systemd`` the filter is set up for lines of the journal.

    Raises:
        ConfigError: There is no such filter, or it is wrong.

    """
    library = Library(open_tree(root or find_root(), builtin), Problems())
    try:
        name, arguments = parse_spec(single(spec, Place("command line")))
        merged = find_filter(library, name, None)
    except FaultError as fault:
        raise ConfigError(fault.what, where=str(fault.place or ""), cure=fault.cure) from fault
    definition = define_filter(
        merged, arguments, _nothing, from_journal=backend.startswith("systemd")
    )
    reading = OptionReader(definition.get, library.problems)
    settings = read_filter(reading, spec.strip())
    check_tags(reading, definition, settings)
    if reading.is_whole():
        check_filter(reading, settings)
    errors = [problem for problem in library.problems.all() if problem.severity == "error"]
    if errors:
        first = errors[0]
        what = f"{first.option}: {first.what}" if first.option else first.what
        raise ConfigError(what, where=str(first.place or ""), cure=first.cure)
    if not settings.failregex:
        raise ConfigError("the filter has no failregex", where=merged.files[-1])
    return settings


def _nothing(_option: str) -> Text | None:
    return None


def explain(root: Path | None, *, builtin: Path, jail: str = "") -> list[Explained]:
    """Return every option in effect for *jail*, or for the server if it is empty.

    *root* is as for `load`. Also works for a jail that is not enabled, or cannot start.

    Raises:
        ConfigError: There is no such jail; or as for `load`.

    """
    library = Library(open_tree(root or find_root(), builtin), Problems())
    if not jail:
        server = ServerSection(library)
        return [_explained(server, name, SERVER_OPTIONS[name].default) for name in SERVER_OPTIONS]
    merged = _read_jails(library)
    if merged is None or jail not in merged.sections or jail in NOT_JAILS:
        names = [name for name in merged.sections if name not in NOT_JAILS] if merged else []
        near = nearest(jail, names)
        raise ConfigError(
            f"the jail '{jail}' does not exist", where=str(library.tree.top),
            cure=f'did you mean "{near}"?' if near else f"it has: {', '.join(names[:20])}",
        )  # fmt: skip
    found = JailSection(library, merged, jail)
    try:
        backend = found.get("backend")
        found.set_filter(from_journal=bool(backend and backend.text.startswith("systemd")))
    except FaultError:
        pass  # `load` tells it; here the rest is of use
    shown = dict.fromkeys([*JAIL_OPTIONS, *VARIABLES, *found.scope.names()])
    defaults = {name: option.default for name, option in (JAIL_OPTIONS | VARIABLES).items()}
    options = [_explained(found, name, defaults.get(name, "")) for name in shown]
    return options + _ways(found, read_server(library).firewall)


_WAYS = {
    "native": "natively by {firewall}",
    "commands": "as commands",
    "built-in": "by banish",
    "python": "as Python",
    "none": "not carried out",
}


def _ways(jail: JailSection, firewall: str) -> list[Explained]:
    """Return a line for each action of *jail*: which way it is carried out."""
    try:
        text = jail.scope.get("action")
        actions = read_actions(jail.library, jail.name, text, jail.option, jail.scope.get).settings
    except FaultError:
        return []  # shown with the option itself
    return [
        Explained(
            f"action {action.actname}", _WAYS[action.way].format(firewall=firewall), action.place
        )
        for action in actions
    ]


def _explained(of: JailSection | ServerSection, option: str, default: str) -> Explained:
    try:
        text = of.get(option)
    except FaultError as fault:
        return Explained(option, f"error: {fault.what}", fault.place)
    if text is None:
        return Explained(option, default)
    return Explained(option, text.text, text.place)
