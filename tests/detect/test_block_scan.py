"""Whole blocks scanned for all jails at once: the same failures, most lines never looked at."""

from datetime import UTC, datetime

import pytest

from banish.detect.detector import Detector
from banish.detect.encoding import bytes_of
from banish.detect.matcher import Matcher
from banish.detect.prefilter.block import BlockPrefilter, engine
from banish.detect.prefilter.plan import make_plan
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, JournalPosition
from banish.model.settings import FilterSettings, Regex

NOW = Instant(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())

needs_engine = pytest.mark.skipif(engine() is None, reason="hyperscan is not installed")


def jail(name: str, *failregex: str, encoding: str = "auto", maxlines: int = 1) -> Matcher:
    rules = tuple(Regex(text) for text in failregex)
    settings = FilterSettings(name, failregex=rules, logencoding=encoding, maxlines=maxlines)
    return Matcher(name, settings, Seconds(600))


def jails() -> list[Matcher]:
    return [
        jail("ssh", r"sshd\[\d+\]: Failed password for \S+ from <HOST> port \d+"),
        jail("mail", r"postfix/smtpd\[\d+\]: reject from <HOST>$", encoding="latin-1"),
        jail("web", r"httpd: \d+ denied <HOST>"),
    ]


def lines(count: int) -> list[bytes]:
    made = []
    for n in range(count):
        stamp = f"Nov 22 11:{n // 60 % 60:02}:{n % 60:02} h "
        text = {
            3: f"sshd[{n}]: Failed password for root from 192.0.2.{n % 250} port 22 ssh2",
            7: f"postfix/smtpd[{n}]: reject from 198.51.100.{n % 250}",
            11: f"httpd: {n} denied 203.0.113.{n % 250}",
        }.get(n % 13, f"cron[{n}]: nothing to see, Failed or not")
        made.append((stamp + text).encode())
    return made


def read(
    matchers: list[Matcher], block: bytes, *, on: bool, times: tuple[Instant, ...] | None = None
) -> list[Failure]:
    detector = Detector(matchers, BlockPrefilter(make_plan(matchers)) if on else None)
    found: list[Failure] = []
    for _ in range(2):
        found += detector.feed(
            Batch("s", "/p", block, JournalPosition("", NOW), times=times, start=7), NOW
        )
    return found


@needs_engine
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_block_of_a_thousand_lines_makes_the_same_failures(end: bytes) -> None:
    block = b"".join(line + end for line in lines(1000))
    plain, scanned = jails(), jails()
    wanted = read(plain, block, on=False)
    assert len(wanted) == 2 * sum(n % 13 in (3, 7, 11) for n in range(1000))
    assert read(scanned, block, on=True) == wanted
    assert [each.counters.lines for each in scanned] == [2000] * 3


@needs_engine
def test_lines_of_a_journal_keep_their_times_when_most_are_skipped() -> None:
    made = [line.partition(b" h ")[2] for line in lines(100)]
    times = tuple(Instant(NOW - 100 + n) for n in range(100))
    block = b"".join(line + b"\n" for line in made)
    assert read(jails(), block, on=True, times=times) == read(jails(), block, on=False, times=times)


@needs_engine
@pytest.mark.parametrize(
    "odd",
    [
        jail("kanji", "denied <HOST>", encoding="shift_jis"),
        jail("two", r"cron\[\d+\]: .*<SKIPLINES>httpd: \d+ denied <HOST>", maxlines=3),
    ],
)
def test_a_jail_that_cannot_be_scanned_for_sees_every_line(odd: Matcher) -> None:
    block = b"".join(line + b"\n" for line in lines(200))
    again = Matcher(odd.jail, odd.settings, Seconds(600))
    assert read([*jails(), odd], block, on=True) == read([*jails(), again], block, on=False)


@pytest.mark.parametrize(
    ("codec", "wanted"),
    [
        ("utf-8", (b"\xc3\xa9",)),
        ("latin-1", (b"\xe9",)),
        ("shift_jis", None),
        ("utf-7", None),
        ("punycode", None),
        ("cp037", None),
    ],
)
def test_bytes_of_a_letter_are_known_only_where_bytes_speak_for_themselves(
    codec: str, wanted: tuple[bytes, ...] | None
) -> None:
    assert bytes_of("\u00e9", codec) == wanted


@needs_engine
def test_an_undated_match_after_many_undated_lines_is_read_as_without_the_scan() -> None:
    undated = b"httpd: nothing at all\n" * 300
    block = b"".join(line + b"\n" for line in lines(60)) + undated + b"httpd: 7 denied 192.0.2.7\n"
    assert read(jails(), block, on=True) == read(jails(), block, on=False)
    assert read(jails(), undated * 2, on=True) == []


def test_skipped_lines_that_nobody_shows_tell_no_time() -> None:
    matcher = jail("web", "denied <HOST>")
    failure = matcher.match("denied 192.0.2.7", NOW, skipped=3)
    assert failure is not None
    assert failure.at == NOW
    assert matcher.counters.undated == 1
