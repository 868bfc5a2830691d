"""Finds programs that a command names by their path and that cannot be run.

An ``ignorecommand`` whose program is not there exempts nobody, and whom it should have
exempted is banned; Fail2Ban tells so in its log at the first failure only.
"""

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from banish.config.problem import FaultError, Problems
from banish.config.text import Text, single
from banish.model.settings import JailSettings, Place
from banish.shell.called import called_programs

SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where systemd has services look for programs (systemd.exec(5)), and the usual rest."""

COMMAND_LIMIT_CHARACTERS = 20_000
"""Longest command that is looked at."""


def check_ignorecommand(problems: Problems, jail: JailSettings) -> None:
    """Tell of programs of the ``ignorecommand`` of *jail* that cannot be run."""
    if not jail.ignorecommand:
        return
    place = jail.places.get("ignorecommand", Place("built-in"))
    for fault in absent_programs(single(jail.ignorecommand, place)):
        what = f"{fault.what}: nobody is exempt by it"
        problems.error(what, fault.place, option="ignorecommand", cure=fault.cure)


def check_actions(problems: Problems, jail: JailSettings) -> None:
    """Tell of programs of the actions of *jail* that cannot be run."""
    for action in jail.actions:
        if action.way != "commands":
            continue
        place = action.place or Place("built-in")
        for command in ("actionstart", "actionban", "actionunban"):
            for fault in absent_programs(single(action.command(command), place)):
                what = f"{action.name}: {command}: {fault.what}"
                problems.warn(what, fault.place, option="action", cure=fault.cure)


def absent_programs(text: Text) -> Iterator[FaultError]:
    """Yield what is wrong with each program that the command *text* runs.

    A path that the command names twice is skipped: the command itself looks whether it is there.
    """
    command = text.text
    if len(command) > COMMAND_LIMIT_CHARACTERS:
        return
    for name, is_read in dict.fromkeys(called_programs(command)):
        if command.count(name) > 1:
            continue
        why = _why_not(name, is_read=is_read)
        if why is not None:
            yield FaultError(f"{name} {why[0]}", text.place, why[1].format(name))


def _why_not(name: str, *, is_read: bool) -> tuple[str, str] | None:
    """Return why the program *name* cannot be run, and the cure; None: it can, or nobody knows."""
    if not name.startswith("/"):
        if shutil.which(name, path=SEARCHED) is None:
            return "is in none of the folders of programs", "install it, or write its whole path"
        return None
    try:
        mode = Path(name).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist", "correct the path, or create {}"
    except (OSError, ValueError):
        return None  # whoever checks is not whoever runs
    if stat.S_ISDIR(mode):
        return "is a folder", "name the program in it"
    if not is_read and not mode & 0o111:
        return "is not executable", "chmod +x {}"
    return None
