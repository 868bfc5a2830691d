"""Knows which patterns name a log, which named one before, and which never did.

A log whose name is gone looks like a quiet one: its old file stays open and yields nothing.
So each pattern that named a log and no longer does is reported, after a pause that rotation
(rename, then create) never takes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from banish.model.instant import Seconds
from banish.model.status import Absent

GONE_CURE = "restart or reload the service that writes it, or correct logpath"

JOURNAL_CURE = "correct logpath, or set backend = systemd if the log is in the journal"

GRACE = Seconds(1.0)
"""How long a name may be gone before that is reported; logrotate needs milliseconds."""


class Fate(NamedTuple):
    """What became of a log that is no longer at its path."""

    what: str
    """For people: "was deleted", and whether reading goes on."""
    is_read_on: bool = False
    """Whether its file is still open and read."""


class Presence:
    """What each pattern names, as of the last look.

    Args:
        patterns: Paths and globs, as configured.

    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._paths: dict[str, Sequence[str]] = dict.fromkeys(patterns, ())
        self._present: dict[str, str] = {}
        """For each pattern that ever named a log, the last one that it named."""
        self._gone_at: dict[str, Seconds] = {}
        """Since when patterns that named a log name none."""

    def set_paths(self, paths: Mapping[str, Sequence[str]]) -> None:
        """Take the paths that each pattern stands for now; `look` is to follow."""
        self._paths = dict(paths)

    def look(
        self, now: Seconds, is_present: Callable[[str], bool], is_open: Callable[[str], bool]
    ) -> None:
        """See which patterns name a log at *now*, on any steady clock.

        *is_open* tells whether a log that was at a path, perhaps before the server's start,
        is still read.
        """
        for pattern, paths in self._paths.items():
            present = next(filter(is_present, paths), None)
            if present is not None:
                self._present[pattern] = present
                self._gone_at.pop(pattern, None)
                continue
            before = self._present.get(pattern) or next(filter(is_open, paths), None)
            if before is not None:
                self._present[pattern] = before
                self._gone_at.setdefault(pattern, now)

    @property
    def is_whole(self) -> bool:
        """Whether every pattern that ever named a log still does."""
        return not self._gone_at

    def absent(
        self, now: Seconds, fate: Callable[[str], Fate], grace: Seconds = GRACE
    ) -> tuple[Absent, ...]:
        """Return the patterns that name no log at *now*.

        One that named a log until then is left out for *grace*. *fate* says what became of
        the log at a path.
        """
        found: list[Absent] = []
        for pattern in self._paths:
            path = self._present.get(pattern)
            if path is None:
                found.append(Absent(pattern, f"no file matches {pattern}"))
            elif pattern in self._gone_at and now - self._gone_at[pattern] >= grace:
                became, is_read_on = fate(path)
                what = f"the log {path} {became}"
                if path != pattern:
                    what = f"no file matches {pattern} any more: {what}"
                found.append(Absent(pattern, what, was_there=True, is_read_on=is_read_on))
        return tuple(found)


def reason(absent: Sequence[Absent]) -> str:
    """Return why nothing is read where all of a jail's patterns are *absent*, and the cure.

    The cure stands after ``; ``.
    """
    gone = [each.what for each in absent if each.was_there]
    if gone:
        return f"{gone[0]}{_more(gone)}; {GONE_CURE}"
    return f"no file matches {', '.join(each.pattern for each in absent)}; {JOURNAL_CURE}"


def gone_trouble(absent: Sequence[Absent]) -> str:
    """Return which logs are gone although others are read, the cure on a second line."""
    gone = [each.what for each in absent if each.was_there]
    return f"{gone[0]}{_more(gone)}\n    {GONE_CURE}" if gone else ""


def _more(gone: Sequence[str]) -> str:
    return f" (and {len(gone) - 1} more)" if len(gone) > 1 else ""
