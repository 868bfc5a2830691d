"""Says why a jail has nothing to read: the commonest reason that nobody is banned.

A log that is not there yet is waited for, which is right, and must not be silent: a mistyped
path, and a host whose logs are in the journal alone (Debian 12 without rsyslog), wait for ever.
"""

import glob
import os
from collections.abc import Callable
from pathlib import Path

from banish.config.problem import Problems, nearest
from banish.model.settings import JailSettings, LogPath

SHOWN_LIMIT = 3
"""Logs of one jail that a message names."""


def check_logs(problems: Problems, jail: JailSettings, *, has_journal: Callable[[], bool]) -> bool:
    """Tell if none of the logs of *jail* can be read now; return whether one can.

    A jail that reads the ledger, or a journal of its own choice, is not reported.
    """
    if jail.uses_journal and not jail.journal.path and not has_journal():
        what = f"[{jail.name}] watches nothing: this host has no systemd journal"
        cure = "start systemd-journald, or install rsyslog and set backend = auto"
        problems.error(what, jail.places.get("backend"), option="backend", cure=cure)
        return False
    if jail.uses_journal or jail.uses_ledger:
        return True
    reasons = [_why_absent(entry) for entry in jail.logpaths]
    place = jail.places.get("logpath")
    if any(reason is None for reason in reasons):
        for entry, reason in zip(jail.logpaths, reasons, strict=True):
            if reason is not None and not reason[0].startswith("no "):
                problems.warn(
                    f"{entry.pattern}: {reason[0]}", place, option="logpath", cure=reason[1]
                )
        return True
    named = "; ".join(
        f"{entry.pattern}: {reason[0]}"
        for entry, reason in zip(jail.logpaths[:SHOWN_LIMIT], reasons, strict=False)
        if reason is not None
    )
    more = f"; and {len(reasons) - SHOWN_LIMIT} more" if len(reasons) > SHOWN_LIMIT else ""
    what = f"[{jail.name}] watches nothing: none of its logs exists ({named}{more})"
    cures = [reason[1] for reason in reasons if reason is not None and reason[1]]
    problems.error(
        what, place, option="logpath", cure=cures[0] if cures else _cure(jail, has_journal)
    )
    return False


def _cure(jail: JailSettings, has_journal: Callable[[], bool]) -> str:
    if has_journal():
        if jail.filter.journalmatch:
            return f"set backend = systemd in [{jail.name}]: this host has a journal"
        return (
            "correct the path; or, if the service writes to the journal,"
            " set backend = systemd and journalmatch = _SYSTEMD_UNIT=NAME.service"
        )
    return "correct the path, or install what writes the log (sudo apt install rsyslog)"


def _why_absent(entry: LogPath) -> tuple[str, str] | None:
    """Return why nothing can be read at *entry*, and the cure where one fits; None: it can."""
    pattern = entry.pattern
    if glob.has_magic(pattern):
        found = glob.glob(pattern)  # noqa: PTH207 - an absolute pattern
        if any(Path(path).is_file() for path in found):
            return None
        if found:
            return (
                "matches no file, only folders or links that lead nowhere",
                "name the files in it",
            )
        return "no file matches", _near_folder(pattern)
    path = Path(pattern)
    if path.is_symlink() and not path.exists():
        goal = path.readlink()
        return f"a link to {goal}, which does not exist", f"create {goal}, or correct the link"
    if path.is_dir():
        return "a folder, not a file", f"name the files in it, such as {pattern.rstrip('/')}/*.log"
    if path.exists():
        return None
    try:
        names = os.listdir(path.parent)  # noqa: PTH208 - names alone
    except OSError:
        return "no such file", _near_folder(pattern)
    near = nearest(path.name, names, closeness=0.8)
    found_near = next((name for name in names if name.lower() == near.lower()), "") if near else ""
    return "no such file", f"did you mean {path.parent / found_near}?" if found_near else ""


def _near_folder(pattern: str) -> str:
    """Return a cure for a folder that is not there, if one with nearly its name is."""
    folder = Path(pattern).parent
    if glob.has_magic(str(folder)) or folder.is_dir() or not folder.parent.is_dir():
        return ""
    near = nearest(folder.name, [each.name for each in folder.parent.iterdir()], closeness=0.8)
    return f"did you mean {folder.parent / near}?" if near else ""
