"""Old lines are skipped by searching: what counts is the same as if all had been read."""

import asyncio
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from banish.detect.detector import Detector
from banish.detect.matcher import Matcher
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, FilePosition, Fingerprint, JournalPosition
from banish.model.settings import FilterSettings, LogPath, Regex
from banish.sources import seek
from banish.sources.files import FileSource
from banish.sources.fingerprint import digest
from banish.sources.seek import LEAST_BYTES, SLACK, Reach, Seeker
from banish.telemetry.events import Event, SourceChanged

NOW = Instant(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())
FINDTIME = Seconds(600)
DAY = 86_400.0


def rules(datepattern: str = "", maxlines: int = 1) -> FilterSettings:
    return FilterSettings(
        "app",
        (Regex(r"bad <HOST>$"),) if maxlines == 1 else (Regex(r"begin\n.*bad <HOST>$"),),
        datepattern=Regex(datepattern) if datepattern else None,
        maxlines=maxlines,
    )


def stamp(ago: float) -> str:
    return datetime.fromtimestamp(NOW - ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seeker(*filters: FilterSettings, small: bool = True, findtime: Seconds = FINDTIME) -> Seeker:
    reaches = [Reach(each, findtime) for each in filters or (rules(),)]
    if not small:
        return Seeker(reaches, clock=lambda: NOW)
    return Seeker(reaches, clock=lambda: NOW, least_bytes=1, block_bytes=400)


@contextmanager
def opened(content: bytes) -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.fileno()


def place(found: Seeker, content: bytes, begin: int = 0) -> int:
    with opened(content) as descriptor:
        return found.place(descriptor, begin)


def log(*agos: float, text: str = "quiet") -> bytes:
    return "".join(f"{stamp(ago)} {text}\n" for ago in agos).encode()


def falling(days: float, lines: int) -> list[float]:
    """Return ages of lines that follow each other evenly, down to now."""
    return [days * DAY * (lines - n) / lines for n in range(lines)]


OLD = [9 * DAY] * 5_000


def failures(filters: Sequence[FilterSettings], content: bytes, begin: int) -> list[Failure]:
    detector = Detector([Matcher(f"j{n}", each, FINDTIME) for n, each in enumerate(filters)])
    batch = Batch("s", "/p", content[begin:], JournalPosition("", NOW), live=False, start=begin)
    return detector.feed(batch, NOW)


def test_most_of_a_long_log_is_skipped_and_all_that_counts_is_not() -> None:
    content = log(*falling(10, 20_000))
    begin = place(seeker(), content)
    first_young = content.index(stamp(SLACK + FINDTIME).encode()[:13])
    assert len(content) * 0.9 < begin < first_young
    assert content[begin - 1 : begin] == b"\n"


@pytest.mark.parametrize("ahead", [-5 * 3_600.0, 2 * 3_600.0, 14 * 3_600.0])
def test_of_a_log_in_another_zone_all_that_counts_is_read_and_not_much_more(ahead: float) -> None:
    content = log(*(ago - ahead for ago in falling(10, 20_000)))
    with opened(content) as descriptor:
        begin = seeker().place(descriptor, 0, ahead)
    first_young = content.index(stamp(SLACK + FINDTIME - ahead).encode()[:13])
    assert len(content) * 0.9 < begin < first_young


def test_what_counts_would_be_skipped_if_another_zone_were_not_known(tmp_path: Path) -> None:
    ahead = -5 * 3_600.0
    content = log(*(ago - ahead for ago in falling(0.2, 20_000)))
    first_counted = content.index(b"\n", content.index(stamp(FINDTIME - ahead).encode()[:16])) + 1
    assert place(seeker(), content) > first_counted
    path = tmp_path / "app.log"
    path.write_bytes(content)
    status = path.stat()
    begun = Fingerprint(status.st_dev, status.st_ino, 0, digest(b""))
    known = {str(path): FilePosition(str(path), begun, 0, ahead)}
    source = FileSource(
        "app", (LogPath(str(path)),), emit=lambda _: None, clock=lambda: NOW, seeker=seeker()
    )

    async def first() -> Batch:
        async with asyncio.timeout(20):
            async for batch in source.batches(known):
                return batch
        raise AssertionError

    assert 0 < asyncio.run(first()).start < first_counted


def test_few_places_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    content = log(*falling(10, 20_000))
    read = 0

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        nonlocal read
        read += size
        return pread(descriptor, size, offset)

    pread = os.pread
    monkeypatch.setattr(os, "pread", counted)
    place(seeker(), content)
    assert read < len(content) / 10


def test_a_log_that_is_not_large_is_read_whole() -> None:
    content = log(*falling(10, 20_000))
    assert len(content) < LEAST_BYTES
    assert place(seeker(small=False), content) == 0


def test_a_log_of_young_lines_is_read_whole() -> None:
    assert place(seeker(), log(*falling(0.05, 5_000))) == 0


def test_of_a_log_of_old_lines_only_its_end_is_read() -> None:
    content = log(*(10 * DAY + ago for ago in falling(1, 5_000)))
    assert place(seeker(), content) > len(content) * 0.9


def test_it_goes_on_from_where_an_earlier_run_left_off() -> None:
    content = log(*falling(10, 20_000))
    line = content.index(b"\n") + 1
    found = place(seeker(), content)
    assert place(seeker(), content, 10_000 * line) == pytest.approx(found, rel=0.01)
    assert place(seeker(), content, 19_990 * line) == 19_990 * line


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no time here\n" * 5_000, "no line has a time"),
        (log(*falling(10, 5_000)[::-1]), "times go back"),
        (log(*falling(10, 5_000)) + log(*falling(20, 5_000)), "one log follows another"),
        (b"x" * 100_000 + b"\n" + log(*falling(10, 5_000)), "one line is longer than a block"),
        (log(*OLD) + log(0.0) * 1_000 + log(*OLD, *falling(2, 5_000)), "young amid old"),
        (log(9 * DAY) + f"{NOW:.0f} quiet\n".encode() + log(*falling(9, 5_000)), "two formats"),
    ],
)
def test_a_log_that_is_not_plain_is_read_whole(content: bytes, why: str) -> None:
    assert place(seeker(), content) == 0, why


def test_a_pattern_that_may_find_nothing_makes_every_line_count() -> None:
    assert place(seeker(rules("{NONE}")), log(*falling(10, 5_000))) == 0


def test_the_jail_that_looks_back_furthest_decides() -> None:
    content = log(*falling(10, 5_000))
    reaches = [Reach(rules(), FINDTIME), Reach(rules(), Seconds(5 * DAY))]
    found = Seeker(reaches, clock=lambda: NOW, least_bytes=1, block_bytes=400).place
    with opened(content) as descriptor:
        assert 0.3 < found(descriptor, 0) / len(content) < 0.5


def test_the_jail_whose_format_is_not_found_decides() -> None:
    content = log(*falling(10, 5_000))
    assert place(seeker(rules(), rules("^EPOCH")), content) == 0
    assert place(seeker(rules(), rules("%Y-%m-%dT%H:%M:%SZ")), content) > 0


def test_where_nothing_is_plain_reading_begins_before_it() -> None:
    ages = falling(10, 5_000)
    content = log(*ages[:2_000]) + b"trace of something\n" * 2_000 + log(*ages[2_000:])
    assert 0 < place(seeker(), content) < len(content)


def test_before_the_young_lines_it_goes_back_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seek, "BEFORE_BYTES", 3_000)
    ages = falling(10, 5_000)
    content = log(*ages[:4_000], text="x" * 100) + log(*ages[4_000:], text="y" * 100)
    far = place(seeker(), content)
    monkeypatch.setattr(seek, "BEFORE_BYTES", 1 << 20)
    assert place(seeker(), content) < far < len(content)
    assert content[far - 1 : far] == b"\n"


FAILING = st.sampled_from(["bad 192.0.2.1", "begin", "bad 198.51.100.7", "quiet"])


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 900), FAILING, st.integers(0, int(SLACK / 2)), st.booleans()),
        min_size=1,
        max_size=400,
    ),
    st.floats(0, 3 * DAY),
    st.sampled_from([1, 3]),
)
def test_the_same_failures_are_found_as_in_the_whole_log(
    lines: list[tuple[int, str, int, bool]], last: float, maxlines: int
) -> None:
    ages, age = [], 0.0
    for gap, *_ in lines:
        ages.append(age)
        age += gap
    # Times go back now and then, by up to half of what is let pass.
    content = "".join(
        (f"{stamp(ago + jitter + (last if last > DAY else 0))} " if dated else "") + text + "\n"
        for ago, (_, text, jitter, dated) in zip(ages[::-1], lines, strict=True)
    ).encode()
    filters = [rules(maxlines=maxlines)]
    begin = place(seeker(*filters), content)
    event(f"skips: {begin > 0}")
    assert failures(filters, content, begin) == failures(filters, content, 0)


def test_a_source_begins_at_the_young_lines_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    content = log(*falling(10, 20_000))
    path.write_bytes(content)
    told: list[Event] = []
    source = FileSource(
        "app", (LogPath(str(path)),), emit=told.append, clock=lambda: NOW, seeker=seeker()
    )

    async def first() -> Batch:
        async for batch in source.batches({}):
            return batch
        raise AssertionError

    async def play() -> Batch:
        async with asyncio.timeout(20):
            return await first()

    batch = asyncio.run(play())
    assert batch.start == place(seeker(), content)
    assert content[batch.start :].startswith(batch.block[:100])
    assert not batch.live
    (skipped,) = [each.text() for each in told if isinstance(each, SourceChanged)]
    assert skipped == f"{path}: 1 MB of lines are older than findtime and not read"
