"""Lists of exempt addresses in files (``ignoreip = file:/path``), read again as they change.

A change counts once the file has looked the same twice: whoever writes it in
place, line by line, leaves a list that is half there, and ``10.0.0.0/16`` cut
short is ``10.0.0.0/1``. A list that vanishes, or that nobody can read, keeps
what it held.
"""

import os
import stat
from collections import deque
from pathlib import Path

from banish.policy.addresslist import AddressList, Fault, parse_list
from banish.telemetry.events import Event, PartFailed, PartRecovered, WarningGiven

LIMIT_BYTES = 67_108_864
"""Longest list that is read: more than a million addresses of either family."""

MOST_CHECKS = 5
"""Checks after which a file that never comes to rest is read as it is."""

_Signature = tuple[int, int, int, int]
"""Device, inode, length, and time of the last change in nanoseconds."""


class AddressFile:
    """One list in a file; `check` it now and then, in a thread of its own if need be."""

    def __init__(self, path: str, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self.path = path
        self.news: deque[Event] = deque()
        """Events to be emitted; appended here, removed by the caller that emits them."""
        self._limit_bytes = limit_bytes
        self._part = f"ignoreip file:{path}"
        self._read: _Signature | None = None
        self._seen: _Signature | None = None
        self._checks = 0
        self._trouble = ""

    def check(self) -> AddressList | None:
        """Return what the list holds if that may be new, else None; waits for the disk only.

        The first check reads it as it is. Trouble is reported once.
        """
        try:
            signature = _signature(Path(self.path).stat())
            if signature != self._read and not self._is_at_rest(signature):
                return None
            text = None if signature == self._read else self._text()
        except (OSError, ValueError) as error:
            self._note_trouble(getattr(error, "strerror", None) or str(error))
            return None
        self._note_trouble("")
        if text is None:
            return None
        members, faults = parse_list(text)
        self._report(faults)
        return members

    def _is_at_rest(self, signature: _Signature) -> bool:
        self._checks += 1
        is_same, self._seen = signature == self._seen, signature
        if is_same or self._read is None or self._checks >= MOST_CHECKS:
            self._checks = 0
            return True
        return False

    def _text(self) -> str:
        # A pipe would make the opening wait for ever.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise ValueError("it is not a regular file")
            block = file.read(self._limit_bytes + 1)
        if len(block) > self._limit_bytes:
            raise ValueError(f"it is longer than {self._limit_bytes} bytes")
        self._read = _signature(found)
        return block.decode("utf-8", "replace")

    def _note_trouble(self, why: str) -> None:
        if why and why != self._trouble:
            kept = "exempts nobody" if self._read is None else "keeps what it held"
            self.news.append(PartFailed(part=self._part, what=f"{kept}: {why}"))
        elif self._trouble and not why:
            self.news.append(PartRecovered(part=self._part))
        self._trouble = why

    def _report(self, faults: list[Fault]) -> None:
        if faults:
            shown = ", ".join(f"{fault.entry[:60]} (line {fault.line})" for fault in faults[:3])
            more = f" and {len(faults) - 3} more or so" if len(faults) > 3 else ""
            what = f"not an address, a network or a name, and exempts nobody: {shown}{more}"
            self.news.append(WarningGiven(part=self._part, what=what))


def _signature(found: os.stat_result) -> _Signature:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
