"""All jails of one source see each line once, in order, however it is encoded."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.detect.detector import Detector, encoding_named
from banish.detect.matcher import Matcher
from banish.errors import ConfigError
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, JournalPosition
from banish.model.settings import FilterSettings, Regex

NOW = Instant(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())
STAMP = "Nov 22 12:00:00 "


def jail(name: str, *failregex: str, encoding: str = "auto", maxlines: int = 1) -> Matcher:
    rules = tuple(Regex(text) for text in failregex)
    settings = FilterSettings(name, failregex=rules, logencoding=encoding, maxlines=maxlines)
    return Matcher(name, settings, Seconds(600))


def batch(block: bytes, *, start: int = 0, times: tuple[Instant, ...] | None = None) -> Batch:
    after = JournalPosition("", NOW)
    return Batch("log", "/var/log/x", block, after, start=start, times=times)


def feed(*matchers: Matcher, block: bytes) -> list[Failure]:
    return Detector(matchers).feed(batch(block), NOW)


def test_failures_come_in_the_order_of_lines_and_then_jails() -> None:
    a, b = jail("a", "bad <HOST>"), jail("b", "bad <HOST>", "worse <HOST>")
    lines = ("bad 192.0.2.1", "nothing", "worse 192.0.2.2")
    found = feed(a, b, block="".join(f"{STAMP}{line}\n" for line in lines).encode())
    assert [(each.jail, each.subject.text) for each in found] == [
        ("a", "192.0.2.1"),
        ("b", "192.0.2.1"),
        ("b", "192.0.2.2"),
    ]
    assert (a.counters.lines, b.counters.lines) == (3, 3)


def test_evidence_says_where_the_line_begins() -> None:
    block = f"{STAMP}é\n{STAMP}bad 192.0.2.1\n".encode()
    (failure,) = Detector([jail("a", "bad <HOST>")]).feed(batch(block, start=1000), NOW)
    (evidence,) = failure.evidence
    assert evidence.offset == 1000 + len(f"{STAMP}é\n".encode())
    assert evidence.path == "/var/log/x"


def test_journal_lines_carry_their_times() -> None:
    block = b"x\nbad 192.0.2.1\n"
    times = (Instant(NOW - 9), Instant(NOW - 3))
    (failure,) = Detector([jail("a", "^bad <HOST>")]).feed(batch(block, times=times), NOW)
    assert failure.at == NOW - 3


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\r\n", b""])
def test_line_ends_are_no_part_of_the_line(end: bytes) -> None:
    (failure,) = feed(jail("a", "bad <HOST>$"), block=STAMP.encode() + b"bad 192.0.2.1" + end)
    assert failure.evidence[0].text == STAMP + "bad 192.0.2.1"


def test_hole_that_copytruncate_leaves_hides_nothing() -> None:
    block = b"\0" * 5000 + STAMP.encode() + b"bad 192.0.2.1\n"
    (failure,) = feed(jail("a", "^ bad <HOST>$"), block=block)
    assert failure.evidence[0].offset == 0


def test_bytes_that_are_no_text_hide_nothing() -> None:
    detector = Detector([jail("a", "bad <F-USER>.*</F-USER> from <HOST>$")])
    block = STAMP.encode() + b"bad \xff\xfe\xc3 from 192.0.2.1\n"
    (failure,) = detector.feed(batch(block), NOW)
    assert failure.tags["user"] == "���"
    assert detector.undecodable == 1


def test_each_jail_reads_its_own_encoding() -> None:
    rule = "bad <F-USER>.*</F-USER> from <HOST>$"
    found = feed(
        jail("a", rule, encoding="latin-1"),
        jail("b", rule),
        block=STAMP.encode() + "bad é from 192.0.2.1\n".encode(),
    )
    assert [each.tags["user"] for each in found] == ["Ã©", "é"]


def test_auto_is_utf_8() -> None:
    assert encoding_named("AUTO") == "utf-8"
    assert encoding_named("latin1") == "latin1"


@pytest.mark.parametrize("name", ["no-such", "utf-16", "utf-32-le", "rot13"])
def test_encoding_that_cannot_be_read_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="logencoding"):
        Detector([jail("a", "<HOST>", encoding=name)])


def test_jails_with_the_same_dates_find_them_once() -> None:
    a, b = jail("a", "<HOST>"), jail("b", "<HOST>")
    Detector([a, b])
    assert a.dates is b.dates


def jails() -> list[Matcher]:
    return [
        jail("a", "^ bad <HOST>", "^ x <HOST>"),
        jail("b", "bad <HOST>$", r"^ <F-MLFID>\d</F-MLFID> <F-NOFAIL>from</F-NOFAIL> <ADDR>"),
        jail("c", r"^ x\n bad <HOST>", maxlines=2),
    ]


@given(st.binary(max_size=300))
def test_any_bytes_are_only_a_log(block: bytes) -> None:
    Detector([*jails(), jail("d", "<F-ID/>", encoding="latin-1")]).feed(batch(block), NOW)
