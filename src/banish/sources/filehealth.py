"""Says how the reading of files is doing, and the cure where something is not read."""

from collections.abc import Mapping, Sequence

from banish.model.status import Absent, SourceState
from banish.sources.lognames import TOO_MANY_CURE
from banish.sources.presence import gone_trouble
from banish.sources.tail import Tail


def state_of(tails: Mapping[str, Tail]) -> tuple[SourceState, str] | None:
    """Return the state of what is followed, and why; None where no file is there to be read."""
    troubles = [tail.trouble for tail in tails.values() if tail.trouble]
    if troubles:
        more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
        return "failing", troubles[0] + more
    if not any(tail.is_open for tail in tails.values()):
        return None
    missing = [path for path, tail in tails.items() if tail.is_missing]
    return "reading", f"waiting for {missing[0]} to appear again" if missing else ""


def partial_trouble(absent: Sequence[Absent], *, unread: int, lost: int) -> str:
    """Return what is not read although the rest is, the cure on a second line.

    *unread* paths are too many to be followed, *lost* files were rotated away unread.
    """
    if gone := gone_trouble(absent):
        return gone
    if unread:
        return f"{unread:,} files are not read\n    {TOO_MANY_CURE}"
    if lost:
        cure = "rotate it less often, and keep more rotated files uncompressed"
        return f"{lost:,} or more rotated files were removed unread since the start\n    {cure}"
    return ""
