"""Our lines among others' in a text: one marked block for each jail, at the top.

``hosts.deny`` with one jail::

    # banish: begin 2 "sshd"
    sshd: 192.0.2.1
    sshd: [2001:db8::1]
    # banish: end "sshd"
    # what was there before

At the top, since the first line that fits decides, and since a line above that
ends in a backslash would swallow our first one. A line inside a block that does
not look like one of ours is not ours: it is kept, below the blocks. Bytes of
others are never changed.
"""

import json
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Protocol

from banish.model.address import Subject

_MARK = re.compile(rb'# banish: (?:begin (\d{1,9})|end) (".*")\s*')


class Form(Protocol):
    """How a ban reads as a line."""

    def write(self, subject: Subject, who: str) -> str:
        """Return the line that bans *subject* from what *who* names."""
        ...

    def read(self, line: str) -> Subject | None:
        """Return whom *line* bans, or None if it is not one of ours."""
        ...


class _Mark(NamedTuple):
    label: str
    is_end: bool
    size: int = 0
    """How many lines the block had when it was written."""


class Blocks(NamedTuple):
    """A text, parted into ours and others'."""

    bans: Mapping[str, frozenset[Subject]]
    """Whom each block bans, by its label."""
    rest: bytes
    """What others wrote."""
    is_orderly: bool
    """Whether each block has its end, comes once, and holds nothing else."""


def parse(text: bytes, form: Form) -> Blocks:
    """Part *text* into our blocks and the rest."""
    lines = text.splitlines(keepends=True)
    marks = {at: mark for at, line in enumerate(lines) if (mark := _mark(line)) is not None}
    bans: dict[str, frozenset[Subject]] = {}
    rest: list[bytes] = []
    is_orderly = True
    at = 0
    while at < len(lines):
        mark = marks.get(at)
        if mark is None:
            rest.append(lines[at])
        elif mark.is_end:
            is_orderly = False  # of a block that has no beginning
        else:
            end, has_end = _end(lines, marks, at, form)
            read = [(line, _read(line, form)) for line in lines[at + 1 : end]]
            rest += [line for line, subject in read if subject is None]
            found = {subject for _, subject in read if subject is not None}
            is_orderly &= has_end and len(found) == len(read) and mark.label not in bans
            bans[mark.label] = bans.get(mark.label, frozenset()) | found
            at = end if has_end else end - 1
        at += 1
    return Blocks(bans, b"".join(rest), is_orderly)


def _end(
    lines: Sequence[bytes], marks: Mapping[int, _Mark], begin: int, form: Form
) -> tuple[int, bool]:
    """Return the line that ends the block begun at *begin*, and whether that is its mark.

    Without a mark it ends where as many lines as it had have passed, or the first that
    is not like ours: what follows may be others'.
    """
    after = next((at for at in marks if at > begin), len(lines))
    if after in marks and marks[after] == _Mark(marks[begin].label, True):
        return after, True
    at = begin + 1
    last = min(after, at + marks[begin].size)
    while at < last and _read(lines[at], form) is not None:
        at += 1
    return at, False


def render(
    bans: Mapping[str, AbstractSet[Subject]], who: Mapping[str, str], rest: bytes, form: Form
) -> bytes:
    """Return the text with a block for each label that bans anybody, above *rest*."""
    lines: list[str] = []
    for label, subjects in bans.items():
        if subjects:
            name = json.dumps(label)
            lines.append(f"# banish: begin {len(subjects)} {name}")
            lines += [form.write(subject, who.get(label, "ALL")) for subject in sorted(subjects)]
            lines.append(f"# banish: end {name}")
    return "".join(f"{line}\n" for line in lines).encode("ascii") + rest


def _read(line: bytes, form: Form) -> Subject | None:
    return form.read(line.decode("ascii", "replace").strip())


def _mark(line: bytes) -> _Mark | None:
    match = _MARK.fullmatch(line)
    if match is None:
        return None
    try:
        label = json.loads(match[2])
    except ValueError:
        return None
    if not isinstance(label, str):
        return None
    return _Mark(label, match[1] is None, int(match[1] or 0))
