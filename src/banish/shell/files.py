"""Compares the names of files that a script writes with those that it runs; pure.

Only the last part of a path is compared, since a script may go to any folder, and a
folder may have several names. A name that only a shell can work out may be any.
"""

import itertools
import re
from collections.abc import Iterable, Iterator

import msgspec

from banish.shell.slot import FRESH, OPAQUE, VARIABLE, Slot, ValueRule

_VALUES_LIMIT = 32
"""How many names one word may stand for before it counts as any."""

_TOKENS = re.compile(r"[\w.+@%\0\3-]+")
_UNSURE = re.compile(r"[*?\[{$]")
_SPLITS = re.compile(r"[\s*?\[{]")

PROGRAM_RULES = frozenset(
    {ValueRule.PROGRAM, ValueRule.COMMAND, ValueRule.LINES, ValueRule.FIRST_WORD}
)
"""What a file obeys that only may be the one that is read."""

ANY = frozenset({OPAQUE})
"""The names of a file that may be called anything."""

Bases = frozenset[str]
"""Last parts of paths; `OPAQUE` in them stands for any text."""


class Variables:
    """What variables may hold that the author set."""

    def __init__(self) -> None:
        self._values: dict[str, set[str]] = {}
        self._unsure: set[str] = set()
        self.are_unsure = False
        """Whether something may set any variable."""

    def put(self, name: str, spelling: str) -> None:
        """Note that *name* is set to a word of this *spelling*."""
        if spelling == FRESH:
            spelling = f"{FRESH}{name}"
        if not spelling or _SPLITS.search(spelling) or OPAQUE in spelling or VARIABLE in spelling:
            self.lose(name)
        else:
            self._values.setdefault(name, set()).add(spelling)

    def lose(self, name: str) -> None:
        """Note that *name* may hold anything."""
        self._unsure.add(name)
        self.are_unsure = self.are_unsure or name == "IFS"

    def of(self, name: str) -> set[str]:
        """Return what *name* may hold."""
        if self.are_unsure or name in self._unsure or name not in self._values:
            return {OPAQUE}
        return {"", *self._values[name]}

    def texts(self, spelling: str) -> set[str]:
        """Return the texts that a word of this *spelling* may stand for."""
        parts = spelling.split(VARIABLE)
        choices = [self.of(part) if at % 2 else {part} for at, part in enumerate(parts)]
        found = {"".join(each) for each in itertools.islice(_product(choices), _VALUES_LIMIT + 1)}
        return found - {""} if len(found) <= _VALUES_LIMIT else {OPAQUE}

    def bases(self, spelling: str) -> Bases:
        """Return the names that a file of this *spelling* may have."""
        return frozenset(_base(text) for text in self.texts(spelling))

    def words(self, spelling: str) -> Bases:
        """Return the names that stand anywhere in a word of this *spelling*, and are known."""
        found = set[str]()
        for text in self.texts(spelling):
            for token in _TOKENS.findall(text):
                found |= {token, re.sub(r"^-\w", "", token)}
        return frozenset(name for name in found if OPAQUE not in name and name.strip("."))


class Written(msgspec.Struct, frozen=True):
    """A file that holds the values of some tags."""

    bases: Bases
    slots: tuple[Slot, ...]
    name: str = ""
    is_mention: bool = False
    """Whether these only are texts in the words of a program that may write files."""
    command: int = 0
    """Which command that is."""


class Run(msgspec.Struct, frozen=True):
    """A file that is read as a program."""

    bases: Bases
    reader: str
    rules: tuple[ValueRule, ...]
    is_known: bool = False
    """Whether it is a program that every host has, so that only its own name says it."""
    command: int = 0
    """Which command runs it."""


class Files:
    """The files of the scripts of one action."""

    def __init__(self) -> None:
        self.written: list[Written] = []
        self._run: list[Run] = []
        self._copied: list[tuple[Bases, ...]] = []
        self._seen: set[tuple[Bases, tuple[int, ...]]] = set()

    def write(self, written: Written) -> bool:
        """Note a file that is written; tell whether it is new."""
        key = written.bases, tuple(map(id, written.slots))
        if not written.slots or not written.bases or key in self._seen:
            return False
        self._seen.add(key)
        self.written.append(written)
        return True

    def run(self, run: Run) -> None:
        """Note a file that is run."""
        if run.bases:
            self._run.append(run)

    def copy(self, words: Iterable[Bases]) -> None:
        """Note that one of the files called *words* may become any other of them."""
        self._copied.append(tuple(words))

    def follow(self) -> None:
        """Find all files that may be a copy of one that holds values."""
        is_new = True
        while is_new:
            is_new = False
            for words in self._copied:
                for written in list(self.written):
                    if any(may_be(word, written.bases) for word in words):
                        for word in words:
                            is_new = self.write(Written(word, written.slots)) or is_new

    def dangers(self) -> Iterator[tuple[Written, Run]]:
        """Yield each file that holds values and may be one that is run."""
        for written, run in itertools.product(self.written, self._run):
            bases = written.bases
            if written.is_mention and (run.is_known or run.command == written.command):
                continue
            if run.is_known:
                bases = frozenset(base for base in bases if OPAQUE not in base)
            if may_be(bases, run.bases) or (not run.is_known and _is_packed(bases, run.bases)):
                yield written, run


def may_be(one: Bases, other: Bases) -> bool:
    """Whether two files may be the same."""
    return any(_is_like(a, b) for a in one for b in other)


def are_sure(one: Bases, other: Bases) -> bool:
    """Whether two files have a name in common that is known."""
    return any(OPAQUE not in name for name in one & other)


def _is_like(a: str, b: str) -> bool:
    if OPAQUE not in a and OPAQUE not in b:
        return a == b
    end_a, end_b = a.rpartition(OPAQUE)[2], b.rpartition(OPAQUE)[2]
    if OPAQUE in a and OPAQUE in b:
        return end_a.endswith(end_b) or end_b.endswith(end_a)
    return b.endswith(end_a) if OPAQUE in a else a.endswith(end_b)


def _is_packed(written: Bases, run: Bases) -> bool:
    """Whether a file that is run may come out of a packed one, as ``x`` out of ``x.gz``."""
    return any(a.startswith(f"{b}.") for a in written for b in run)


def _base(text: str) -> str:
    base = text.rpartition("/")[2]
    return OPAQUE if base in ("", ".", "..") or _UNSURE.search(base) else base


def _product(choices: list[set[str]]) -> Iterator[tuple[str, ...]]:
    return itertools.product(*(sorted(each) for each in choices))
