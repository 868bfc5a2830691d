"""Finds what has no effect where it stands, and what undoes everything.

Fail2Ban says nothing about an ``ignoreip`` in ``fail2ban.local`` or a ``jail.d/ssh.cfg`` that
nobody reads.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from banish.config.interpolate import Merged, RawValue
from banish.config.options import FILTER_OPTIONS, JAIL_OPTIONS, SERVER_OPTIONS
from banish.config.problem import Problems
from banish.config.search import Tree
from banish.model.settings import JailSettings, Place

SERVER_SECTIONS = frozenset({"DEFAULT", "Definition", "INCLUDES", "Thread", "Init"})

_JAILS_ALONE = JAIL_OPTIONS.keys() - SERVER_OPTIONS.keys()
_SERVERS_ALONE = SERVER_OPTIONS.keys() - JAIL_OPTIONS.keys() - FILTER_OPTIONS.keys()

_PUT_ASIDE = re.compile(
    r".*(?:~|\.(?:bak|backup|old|orig|save|sav|swp|tmp|rej|dist|sample|example|disabled|off|inactive|md"
    r"|(?:dpkg|ucf)-\w+|rpm(?:new|save|orig)))\d*|\..*|README.*|.*\.conf\.\w+|.*\.local\.\w+",
    re.IGNORECASE,
)
"""File names that say by themselves that nobody is meant to read them."""

FILES_NAMED = 20
"""Files of one folder that are named at most."""


def check_server_files(problems: Problems, merged: Merged) -> None:
    """Tell of jails, and of options of jails, in the files of the server."""
    files = f"{merged.name}.conf and {merged.name}.local"
    for section, options in merged.sections.items():
        if section in SERVER_SECTIONS:
            _check_misplaced(problems, options)
        else:
            what = f"[{section}] has no effect: {files} hold options of the server"
            cure = f"move [{section}] to jail.local"
            problems.error(what, merged.places.get(section), cure=cure)
    _check_misplaced(problems, merged.defaults)


def _check_misplaced(problems: Problems, options: Mapping[str, RawValue]) -> None:
    for option, value in options.items():
        if option in _JAILS_ALONE:
            what = "has no effect here: it is an option of jails"
            cure = f"move the line to [DEFAULT] of jail.local, or to the jail that {option} is for"
            problems.error(what, value.text.place, option=option, cure=cure)


def check_jail_files(problems: Problems, merged: Merged) -> None:
    """Tell of options of the server in the files of the jails."""
    for options in (merged.defaults, *merged.sections.values()):
        for option, value in options.items():
            if option in _SERVERS_ALONE:
                what = "has no effect here: it is an option of the server"
                cure = "move the line to [Definition] of banish.local, or fail2ban.local"
                problems.warn(what, value.text.place, option=option, cure=cure)


def check_folder(problems: Problems, tree: Tree) -> None:
    """Tell of files that nobody reads though they look as if somebody should."""
    for folder in ("jail.d", "filter.d", "action.d"):
        _check_names(problems, tree.top / folder, {".conf", ".local", ".py"})
    for name in ("jail", "fail2ban", "banish"):
        for ending in (".cfg", ".ini", ".config", ".conf.local", ".local.conf", ".loc"):
            path = tree.top / f"{name}{ending}"
            if path.is_file():
                _report_unread(problems, path, f"{name}.local")


def _check_names(problems: Problems, folder: Path, read: Iterable[str]) -> None:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return
    unread = [
        name
        for name in names
        if os.path.splitext(name)[1] not in read and not _PUT_ASIDE.fullmatch(name)  # noqa: PTH122
    ]
    for name in unread[:FILES_NAMED]:
        stem = name.partition(".")[0] or name
        _report_unread(problems, folder / name, f"{folder.name}/{stem}.local")


def _report_unread(problems: Problems, path: Path, better: str) -> None:
    what = "is not read: only files that end with .conf or .local are"
    problems.warn(what, Place(str(path)), cure=f"rename it to {better}, or add .disabled")


def check_backend(problems: Problems, jail: JailSettings) -> None:
    """Tell of a ``logpath`` that nobody reads, since *jail* reads the journal.

    Debian 13's and Ubuntu's Fail2Ban set ``backend = systemd`` for jails whose filter has no
    ``journalmatch``. Such a jail reads the whole journal. That is an error only where an
    administrator set it.
    """
    place = jail.places.get("logpath")
    if not jail.uses_journal or not jail.backend.startswith("systemd") or not jail.logpaths:
        return
    backend = jail.places.get("backend")
    where = f" ({backend})" if backend is not None else ""
    what = f"has no effect: backend = systemd{where} reads the journal"
    cure = f"set backend = auto in [{jail.name}]"
    if not jail.filter.journalmatch:
        what += f", and no journalmatch says what of it is for [{jail.name}]"
        say = problems.warn if _is_stock(backend) else problems.error
        say(what, place, option="logpath", cure=f"{cure}, or set a journalmatch")
    elif not _is_stock(place):
        problems.warn(what, place, option="logpath", cure=f"{cure}, or delete the line")


STOCK = ("jail.conf", "defaults-debian.conf")
"""Files of the package beside ``paths-*.conf``. Ubuntu's second one sets a backend."""


def _is_stock(place: Place | None) -> bool:
    """Whether *place* is in a file of Fail2Ban's that administrators leave as it is."""
    if place is None:
        return True
    name = Path(place.path).name
    return name in STOCK or (name.startswith("paths-") and name.endswith(".conf"))


def check_bans(problems: Problems, jail: JailSettings) -> None:
    """Tell that *jail* bans nobody, though it has actions."""
    if jail.enforcement is not None or not jail.actions:
        return
    if any(action.is_enforcing for action in jail.actions):
        return
    what = f"[{jail.name}] bans nobody: none of its actions keeps anybody out"
    cure = "add %(action_)s, or an action that bans, such as nftables"
    problems.warn(what, jail.places.get("action"), option="action", cure=cure)
