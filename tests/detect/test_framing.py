"""Bytes become whole lines, however they arrive."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from banish.detect.framing import Chunk, LineFramer

streams = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"defghijkl", b"\0\xff"])).map(
    b"".join
)


def lines_of(chunks: list[Chunk]) -> list[tuple[bytes, int, int]]:
    """Return each line with its offset and whether it was cut."""
    found = []
    for chunk in chunks:
        offset = chunk.start
        for part in chunk.block.split(b"\n")[:-1]:
            line = part + b"\n"
            found.append((line, offset, chunk.cut))
            offset += len(line)
    return found


def obvious(stream: bytes, start: int, limit: int) -> list[tuple[bytes, int, int]]:
    found = []
    offset = start
    for line in stream.split(b"\n")[:-1]:
        found.append((line[:limit] + b"\n", offset, int(len(line) > limit)))
        offset += len(line) + 1
    return found


@given(streams, st.integers(1, 6), st.lists(st.integers(1, 7), max_size=60), st.integers(0, 99))
def test_chopping_the_stream_changes_nothing(
    stream: bytes, limit: int, steps: list[int], start: int
) -> None:
    framer = LineFramer(start, limit_bytes=limit)
    chunks: list[Chunk] = []
    at = 0
    for step in [*steps, len(stream)]:
        chunks += framer.feed(stream[at : at + step])
        at += step
        assert framer.end == start + min(at, len(stream))
        assert len(framer._held) <= limit
    assert lines_of(chunks) == obvious(stream, start, limit)
    for before, after in itertools.pairwise(chunks):
        assert before.end == after.start
    assert framer.start == (chunks[-1].end if chunks else start)
    assert framer.pending_bytes == len(stream) - (stream.rfind(b"\n") + 1)


def test_whole_lines_of_one_read_stay_one_block() -> None:
    framer = LineFramer(100)
    assert framer.feed(b"one\ntwo\nthr") == [Chunk(b"one\ntwo\n", 100, 108)]
    assert (framer.start, framer.end, framer.pending_bytes) == (108, 111, 3)
    assert framer.feed(b"ee\n") == [Chunk(b"three\n", 108, 114)]


def test_long_line_comes_alone_and_cut_once_it_has_ended() -> None:
    framer = LineFramer(limit_bytes=4)
    assert framer.feed(b"ok\ntoolong") == [Chunk(b"ok\n", 0, 3)]
    assert framer.feed(b" and longer") == []
    assert framer.start == 3
    assert framer.feed(b"er\nfine\n") == [Chunk(b"tool\n", 3, 24, 1), Chunk(b"fine\n", 24, 29)]


def test_flush_gives_the_incomplete_line_back_once() -> None:
    framer = LineFramer()
    framer.feed(b"one\ntwo")
    assert framer.flush() == Chunk(b"two\n", 4, 7)
    assert framer.flush() is None
    assert framer.feed(b"three\n") == [Chunk(b"three\n", 7, 13)]


def test_flush_of_a_long_line_says_it_was_cut() -> None:
    framer = LineFramer(limit_bytes=2)
    framer.feed(b"long")
    assert framer.flush() == Chunk(b"lo\n", 0, 4, 1)


def test_endless_line_costs_one_limit_of_memory() -> None:
    framer = LineFramer(limit_bytes=10)
    for _ in range(1000):
        assert framer.feed(b"x" * 100) == []
    assert len(framer._held) == 10
    assert framer.pending_bytes == 100_000


def test_long_line_among_others_parts_the_block() -> None:
    framer = LineFramer(limit_bytes=4)
    assert framer.feed(b"ok\nfine\nlonger\nlongest\nend\n") == [
        Chunk(b"ok\nfine\n", 0, 8),
        Chunk(b"long\n", 8, 15, 1),
        Chunk(b"long\n", 15, 23, 1),
        Chunk(b"end\n", 23, 27),
    ]


@given(st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"a", b"\n")), max_size=8))
def test_what_is_cut_off_the_beginning_was_not_fed(pieces: list[bytes]) -> None:
    whole, cut = LineFramer(limit_bytes=5), LineFramer(limit_bytes=5)
    for piece in pieces:
        assert cut.feed(b"x\ny" + piece, 3) == whole.feed(piece)
        assert (cut.start, cut.end) == (whole.start, whole.end)
