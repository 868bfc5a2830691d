"""Runs banish with a clock that can be stepped from outside.

The first argument is a file that holds one float of 8 bytes: the seconds by which the
server's wall clock is off. What is written there counts from the next look at the clock on.
The monotonic clock and the kernel's are the real ones, as on a host whose time is set.
"""

import mmap
import struct
import sys
import time
from pathlib import Path

FORMAT = struct.Struct("d")


def write_step(path: Path, seconds: float) -> None:
    """Set the clock of who runs on *path* off by *seconds*, in place."""
    if not path.exists():
        path.write_bytes(bytes(FORMAT.size))
    with path.open("r+b") as file:
        file.write(FORMAT.pack(seconds))


def main() -> int:
    """Replace ``time.time`` and run banish with the other arguments."""
    with Path(sys.argv[1]).open("r+b") as file:
        step = mmap.mmap(file.fileno(), FORMAT.size)
    real = time.time

    def stepped() -> float:
        offset: float = FORMAT.unpack_from(step)[0]
        return real() + offset

    time.time = stepped
    from banish.cli import main as banish  # noqa: PLC0415 (it must see the stepped clock)

    sys.argv = ["banish", *sys.argv[2:]]
    return banish()


if __name__ == "__main__":
    sys.exit(main())
