"""Reads the arguments of ``backend = systemd[...]``: which journal is meant.

The names are Fail2Ban's (``FilterSystemd._getJournalArgs`` in
fail2ban/server/filtersystemd.py, 1.1.1).
"""

from banish.config.arguments import parse_spec
from banish.config.problem import Problems, did_you_mean, shown
from banish.config.text import Text
from banish.model.settings import JournalPlace

ARGUMENTS = ("journalpath", "journalfiles", "journalflags", "namespace", "rotated")

FLAGS = {
    1: "this machine's journals", 2: "those since boot", 4: "the system's", 8: "the user's own",
}  # fmt: skip
"""The flags of sd_journal_open(3), one of which may be given."""


def to_journal(text: Text, problems: Problems) -> JournalPlace:
    """Return which journal *text*, a backend with its arguments, means.

    What is not supported is reported, with what to write instead, and ignored.
    ``rotated`` needs no telling: archived files are read as far as they matter.

    Raises:
        FaultError: The backend is not written as it should be.

    """
    name, arguments = parse_spec(text)
    if name.lower() != "systemd":
        return JournalPlace()

    def warn(what: str, cure: str) -> None:
        problems.warn(what, text.place, option="backend", cure=cure)

    path: str | None = None
    flags = JournalPlace().flags
    for argument, value in arguments.items():
        content = value.text.strip()
        match argument:
            case "journalpath":
                path = content or None
            case "journalfiles":
                if len(content.replace(",", " ").split()) == 1 and not set("*?[") & set(content):
                    path = content
                else:
                    what = f"journalfiles={shown(content)} is not one file, and is ignored"
                    warn(what, "give the folder they are in: systemd[journalpath=/the/folder]")
            case "journalflags":
                if content in map(str, FLAGS):
                    flags = int(content)
                else:
                    what = f"journalflags={shown(content)} is ignored"
                    choices = ", ".join(f"{flag} ({what})" for flag, what in FLAGS.items())
                    warn(what, f"write one of: {choices}")
            case "namespace":
                what = f"namespace={shown(content)} is ignored"
                folder = f"/var/log/journal/MACHINE.{content or 'NAME'}"
                cure = f"write systemd[journalpath={folder}], where MACHINE stands in"
                warn(what, f"{cure} /etc/machine-id")
            case "rotated":
                pass
            case _:
                what = f"systemd has no argument {shown(argument)}; it has no effect"
                warn(what, did_you_mean(argument, ARGUMENTS) or f"it has: {', '.join(ARGUMENTS)}")
    if path is not None and not path.startswith("/"):
        warn(f"{shown(path)} does not begin with /", "write the whole path")
        path = None
    return JournalPlace(path, flags)
