"""Writes real journal files: entries in journald's export format, turned by systemd's own tool."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

TOOL = "/lib/systemd/systemd-journal-remote"
BOOT = "0123456789abcdef0123456789abcdef"

Entry = Mapping[str, str | bytes | Sequence[str]]


def is_available() -> bool:
    return shutil.which(TOOL) is not None


def export(entry: Entry, at: float, monotonic: float = 5.0) -> bytes:
    """Return one entry as journalctl's ``--output=export`` writes it."""
    out = [
        b"__REALTIME_TIMESTAMP=%d\n" % round(at * 1_000_000),
        b"__MONOTONIC_TIMESTAMP=%d\n" % round(monotonic * 1_000_000),
        b"_BOOT_ID=%s\n" % BOOT.encode(),
    ]
    for name, values in entry.items():
        for value in [values] if isinstance(values, str | bytes) else values:
            raw = value.encode() if isinstance(value, str) else value
            if b"\n" in raw or not raw.isascii():
                # Binary: the length as 64 bits, little endian, on a line of its own.
                size = len(raw).to_bytes(8, "little")
                out.append(name.encode() + b"\n" + size + raw + b"\n")
            else:
                out.append(b"%s=%s\n" % (name.encode(), raw))
    return b"".join(out) + b"\n"


class JournalWriter:
    """Appends to one journal file for as long as it is open, as journald does."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [TOOL, "--output", str(path), "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )

    def write(self, entry: Entry, at: float, monotonic: float = 5.0) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(export(entry, at, monotonic))

    def close(self) -> None:
        """Finish; the file is whole when this returns."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


def write_journal(path: Path, *entries: tuple[Entry, float]) -> None:
    writer = JournalWriter(path)
    for entry, at in entries:
        writer.write(entry, at)
    writer.close()
