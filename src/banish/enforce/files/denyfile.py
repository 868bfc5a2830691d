"""Whom a file that other programs read is to shut out, and whom it does.

One `DenyFile` owns our part of one file, for all jails that ban in it, whatever
thread they come from. Every edit writes all of it from the account, so what
other programs did to our lines is repaired on the way.
"""

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from banish.enforce.files.blocks import Form, parse, render
from banish.enforce.files.rewrite import Stamp, TextFile
from banish.model.address import Subject

EVERY_SERVICE = "ALL"
"""How hosts_access(5) calls all of them."""


class DenyFile:
    """Our blocks of one file, by their labels."""

    def __init__(self, path: Path, form: Form) -> None:
        """Prepare; the file is not touched before the first `write`."""
        self._file = TextFile(path)
        self._form = form
        self._wanted: dict[str, frozenset[Subject]] = {}
        self._who: dict[str, str] = {}
        self._written: Stamp | None = None
        self._lock = threading.Lock()

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._file.path

    def expect(self, label: str, who: str = EVERY_SERVICE) -> frozenset[Subject]:
        """Leave the block *label* of an earlier run in place until `write`; return whom it bans.

        A block that nobody expects is taken out when the file is written next.

        Raises:
            EnforceError: The file cannot be read.

        """
        with self._lock:
            found = parse(self._file.read(), self._form).bans.get(label, frozenset())
            self._wanted[label] = found
            self._who[label] = who
            return found

    def write(self, bans: Mapping[str, Iterable[Subject]], *, alone: bool = False) -> bool:
        """Let each block hold whom *bans* names; with *alone*, and let there be no other.

        Returns whether the file changed.

        Raises:
            EnforceError: It cannot be written; what is wanted stays as it was.

        """
        with self._lock:
            wanted = {} if alone else dict(self._wanted)
            wanted.update((label, frozenset(subjects)) for label, subjects in bans.items())
            changed = False

            def edit(text: bytes) -> bytes:
                nonlocal changed
                after = render(wanted, self._who, parse(text, self._form).rest, self._form)
                changed = after != text
                return after

            self._file.edit(edit)
            self._wanted = wanted
            self._written = self._file.stamp()
            return changed

    def name(self, label: str, who: str) -> None:
        """Let the block *label* shut out from *who* names, from the next `write` on."""
        with self._lock:
            self._who[label] = who

    def read(self) -> tuple[Mapping[str, frozenset[Subject]], bool]:
        """Return whom each block bans, and whether our part is as it was written.

        Raises:
            EnforceError: The file cannot be read.

        """
        with self._lock:
            blocks = parse(self._file.read(), self._form)
            wanted = {label for label, subjects in self._wanted.items() if subjects}
            is_whole = blocks.is_orderly and wanted <= blocks.bans.keys() <= self._wanted.keys()
            return blocks.bans, is_whole

    def is_touched(self) -> bool:
        """Whether somebody else has written the file since we did."""
        return self._file.stamp() != self._written
