"""Names the places of a script where a value from a log cannot stand as it is."""

from collections.abc import Iterator

import msgspec

from banish.shell.programs import BUILT_IN_TEXTS
from banish.shell.script import Script
from banish.shell.slot import Context, Slot, ValueRule

FROM_LOGS = frozenset(
    {"fid", "matches", "ipmatches", "ipjailmatches", "ip-host", "raw-ticket"}
)  # fmt: skip
"""Tags whose values others write, besides ``<F-NAME>``."""


class Finding(msgspec.Struct, frozen=True):
    """One tag that works otherwise than it looks."""

    what: str
    cure: str
    line: int
    """Which line of the script it stands on, the first being 0."""


def has_log_tag(text: str) -> bool:
    """Whether *text* may hold a tag whose value others write."""
    return "<F-" in text or any(f"<{tag}>" in text for tag in FROM_LOGS)


def findings(script: Script) -> Iterator[Finding]:
    """Yield what an operator should know of *script*, in the order of its tags."""
    for slot in script.slots:
        if slot.tag in FROM_LOGS or slot.tag.startswith("F-"):
            found = _of(slot)
            if found is not None:
                yield Finding(*found, slot.line)


def _of(slot: Slot) -> tuple[str, str] | None:
    """Return what to say of *slot*, and the cure."""
    tag = f"<{slot.tag}>"
    program = slot.program or "/path/to/program"
    cure = f'hand it over as a word of its own, in double quotes: {program} -- "{tag}"'
    if slot.reader.startswith("whoever heeds"):
        what = f"{tag} is given to {slot.reader.removeprefix('whoever heeds ')}, which may say what"
        return f'{what} is run: all but letters, digits and "_.@-" becomes "_"', cure
    if ValueRule.PROGRAM in slot.rules or slot.context is Context.ARITHMETIC:
        if slot.reader in ("", "$((...))"):
            return f"{tag} is read as a number or a script: any other value loses its meaning", cure
        also = ', and "_" goes before it' if ValueRule.COMMAND in slot.rules else ""
        what = f'{tag} is read as a program by {slot.reader}: all but letters, digits and "_.@-"'
        return f'{what} becomes "_"{also}', _without(cure, slot)
    if slot.reader.startswith("whoever"):
        what = f"{tag} is read by {slot.reader}, and may mean something there"
        what += ': all that means something to a shell becomes "_"'
        return what, "capture letters and digits only, or write to a file under /var/log"
    if ValueRule.LINES in slot.rules:
        what = f"{tag} is read by {slot.reader}, which may run what it reads"
        return f'{what}: all that means something to a shell becomes "_"', _without(cure, slot)
    if slot.is_literal:
        what = f'{tag} stands in single quotes: all but letters, digits, blanks and ".,:@/+=-_"'
        return f'{what} becomes "_"', f'write it in double quotes: "{tag}"'
    if ValueRule.OPTION in slot.rules and slot.opens and program not in BUILT_IN_TEXTS:
        what = f'{tag} begins a word of {program}: "_" goes before a value that begins with "-"'
        return what, f'if {program} knows "--", write it before the tag: {program} -- "{tag}"'
    return None


def _without(cure: str, slot: Slot) -> str:
    """Return *cure* with the name of a program that reads no language."""
    return cure.replace(f"{slot.program} --", "/path/to/program --") if slot.program else cure
