"""What a window keeps of one subject, in little memory, and how a tally is made of it.

Most subjects fail once and never again, so one time and one line of evidence are one
string of bytes; lists come with the second.

The lists grow at their end, and what counts no more stays at their beginning for a while:
then shorter lists take their place. So what was kept at some moment is a part of each list,
and nothing that comes later changes it. `Changes` names such parts, which costs the same
for a subject with a thousand lines as for one with two; a tally is made of a part only when
it is looked at. The database does that a few times a second, however often lines are read.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping
from struct import Struct

import msgspec

from banish.model.address import Subject
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Tally

PATHS = 1_000
"""Paths that are kept once; of more logs each line of evidence keeps its own."""

_MORE_BYTES, _TIME_BYTES, _LINE_BYTES = 350, 32, 41
"""What lists cost, each time in one, and each line beside its text."""

_TIME = Struct("<d")
_LINE = Struct("<dqH")
"""Time, offset and number of path; the text follows."""

_UNNUMBERED = 0xFFFF
"""Stands for a path that has no number: it is in front of the text, with a NUL after it."""


class Part(msgspec.Struct, frozen=True, gc=False):
    """What was kept at some moment: a part of each list, from the first to before the last."""

    times: list[Instant]
    times_first: int
    times_last: int
    lines: list[bytes]
    lines_first: int
    lines_last: int


class Several(msgspec.Struct, gc=False):
    """What is kept of a subject with several times or lines; only its own methods change it."""

    times: list[Instant]
    """Oldest first; the first `times_past` count no more."""
    lines: list[bytes]
    """Oldest first, packed; the first `lines_past` count no more."""
    times_past: int = 0
    lines_past: int = 0
    lines_bytes: int = 0
    """About how much memory the lines take."""

    @property
    def part(self) -> Part:
        """What is kept now."""
        times, lines = self.times, self.lines
        return Part(times, self.times_past, len(times), lines, self.lines_past, len(lines))

    def insert(self, at: Instant, attempts: int, limit: int, span: Seconds) -> int:
        """Keep the newest *limit* times; return how many lie within *span* of the newest."""
        more = min(attempts, limit)
        if self.times and at < self.times[-1]:
            self._shorten_times()
            for _ in range(more):
                insort(self.times, at)
        else:
            self.times += [at] * more
        times = self.times
        count = len(times) - bisect_right(times, times[-1] - span, self.times_past)
        self.times_past = max(self.times_past, len(times) - limit)
        if self.times_past > (len(times) - self.times_past) // 4:
            self._shorten_times()
        return count

    def append(self, packed: list[bytes], limit: int) -> None:
        """Keep the newest *limit* lines."""
        lines = self.lines
        lines += packed
        self.lines_bytes += _bytes_of(packed)
        self.lines_past = max(self.lines_past, len(lines) - limit)
        if self.lines_past > (len(lines) - self.lines_past) // 4:
            self.lines_bytes -= _bytes_of(lines[: self.lines_past])
            self.lines, self.lines_past = lines[self.lines_past :], 0

    def shift(self, by: Seconds) -> None:
        """Move all times by *by*."""
        self.times = [Instant(at + by) for at in self.times[self.times_past :]]
        self.times_past = 0

    def _shorten_times(self) -> None:
        self.times, self.times_past = self.times[self.times_past :], 0


Value = bytes | Several
"""What is kept of one subject; bytes: one time, and the line of evidence if there is one."""


class Packer:
    """Packs lines of evidence, and makes tallies of what is packed.

    Tallies may be made in any thread: what is packed never changes, and paths are only added.
    """

    def __init__(self) -> None:
        self._paths: list[str] = []
        """Paths of logs that lines of evidence name by their number here."""
        self._numbers: dict[str, int] = {}

    def pack(self, line: Evidence) -> bytes:
        """Return *line* as bytes."""
        # An encoder's bytes are cut to size where they were made, and leave holes.
        number, text = self._numbers.get(line.path), line.text
        if number is None:
            if len(self._paths) < PATHS:
                number = self._numbers[line.path] = len(self._paths)
                self._paths.append(line.path.encode("utf-8", "replace").decode())
            else:
                number, text = _UNNUMBERED, f"{line.path}\0{text}"
        # Half of a surrogate pair becomes a question mark: no text can hold it.
        return _LINE.pack(line.at, line.offset, number) + text.encode("utf-8", "replace")

    def tally(self, kept: bytes | Part) -> Tally:
        """Return what *kept* says."""
        if isinstance(kept, bytes):
            lines = (self._unpack(kept, _TIME.size),) if len(kept) > _TIME.size else ()
            return Tally((newest(kept),), lines)
        times = tuple(kept.times[kept.times_first : kept.times_last])
        lines_kept = kept.lines[kept.lines_first : kept.lines_last]
        return Tally(times, tuple([self._unpack(line, 0) for line in lines_kept]))

    def _unpack(self, packed: bytes, start: int) -> Evidence:
        at, offset, number = _LINE.unpack_from(packed, start)
        text = packed[start + _LINE.size :].decode()
        if number == _UNNUMBERED:
            path, _, text = text.partition("\0")
        else:
            path = self._paths[number]
        return Evidence(text, path, offset, Instant(at))


class Changes(Mapping[Subject, Tally | None]):
    """The subjects that changed, each with its state when it was asked for; None: forgotten.

    A tally is made each time it is looked at.
    """

    def __init__(self, packer: Packer) -> None:
        self._packer = packer
        self._values: dict[Subject, bytes | Part | Tally | None] = {}

    def put(self, subject: Subject, value: bytes | Part | Tally | None) -> None:
        """Note that the state of *subject* is now *value*."""
        self._values[subject] = value

    def __getitem__(self, subject: Subject) -> Tally | None:
        value = self._values[subject]
        return value if value is None or isinstance(value, Tally) else self._packer.tally(value)

    def __iter__(self) -> Iterator[Subject]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def single(at: Instant, line: bytes = b"") -> bytes:
    """Return what is kept of a subject that failed once, with *line*, packed, if there is one."""
    return _TIME.pack(at) + line


def part_of(value: Value) -> bytes | Part:
    """Return what *value* is at this moment."""
    return value if isinstance(value, bytes) else value.part


def widened(value: Value) -> Several:
    """Return *value* as lists, to which more can be added."""
    if isinstance(value, Several):
        return value
    several = Several([newest(value)], [])
    if len(value) > _TIME.size:
        several.append([value[_TIME.size :]], 1)
    return several


def shifted(value: Value, by: Seconds) -> Value:
    """Return *value* with all times moved by *by*; lists are changed in place."""
    if isinstance(value, bytes):
        return single(Instant(newest(value) + by), value[_TIME.size :])
    value.shift(by)
    return value


def newest(value: Value) -> Instant:
    """Return the newest time in *value*."""
    if isinstance(value, bytes):
        return Instant(_TIME.unpack_from(value)[0])
    return value.times[-1]


def size_of(value: Value) -> int:
    """Return about how many bytes of memory *value* takes."""
    if isinstance(value, bytes):
        return len(value)
    return _MORE_BYTES + _TIME_BYTES * len(value.times) + value.lines_bytes


def _bytes_of(lines: list[bytes]) -> int:
    return sum(map(len, lines)) + _LINE_BYTES * len(lines)
