"""What was read so far."""

from banish.model.instant import Instant
from banish.sources.readsofar import ReadSoFar


def test_what_was_read_adds_up_and_the_newest_line_has_a_time() -> None:
    now = iter([Instant(5), Instant(7)])
    read = ReadSoFar(lambda: next(now))
    assert (read.lines, read.last_line_at) == (0, None)
    read.add(3, 60, 0)
    read.add(1, 20, 1)
    assert (read.lines, read.bytes, read.cut_lines) == (4, 80, 1)
    assert read.last_line_at == Instant(7)
