"""Lines whose times stand in the middle, as in a web server's log: both ways make the same."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banish.detect.detector import Detector
from banish.detect.prefilter.block import engine
from banish.model.failure import Failure
from banish.model.instant import Instant
from banish.model.settings import FilterSettings, Regex
from tests.detect import ways
from tests.detect.ways import NOW, read, state

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(engine() is None, reason="hyperscan is not installed"),
    pytest.mark.usefixtures("at_once"),
]

DATES = Regex("^[^\\[]*\\[({DATE})\n{^LN-BEG}")
PROBES = FilterSettings(
    "probes",
    failregex=(
        Regex(r'^<HOST> \S+ \S+ \[\] "GET /admin\S* [^"]*" 404 '),
        Regex(r'^<HOST> \S+ <F-USER>\S+</F-USER> \[\] "POST /admin'),
    ),
    datepattern=DATES,
)
AGENTS = FilterSettings(
    "agents", failregex=(Regex(r'^<HOST> -.*"BadBot/\d(?:\.\d+)*"$'),), datepattern=DATES
)
REFUSED = FilterSettings(
    "refused", failregex=(Regex(r"^\S+ denied <HOST>(?: for <F-ID>\S+</F-ID>)?$"),)
)

STAMP = "22/Nov/2026:12:00:00 +0000"
HARMLESS = f'192.0.2.9 - - [{STAMP}] "GET / HTTP/1.1" 200 7 "-"'
STAMPS = (
    STAMP, "22/Nov/2026:12:00:09 +0000", "22/Nov/2026:13:30:00 +0100", "22/Nov/2026:11:30:00 +0000",
    "22/Nov/2026:11:00:00 +0000", "31/Nov/2026:12:00:00 +0000", "-", "2026-11-22 12:00:01", "",
)  # fmt: skip
PEERS = ("192.0.2.1", "2001:db8::1", "gate.example.org", "999.0.0.1", "::ffff:192.0.2.7", "x")
AGENT = ("-", "BadBot/1", "BadBot/126.0.0.0", "Chrome/126.0.0.0", "at 198.51.100.7", "u" * 1_100)

lines = st.builds(
    lambda peer, user, stamp, request, status, agent: (
        f'{peer} - {user} [{stamp}] "{request} HTTP/1.1" {status} 7 "{agent}"'
    ),
    st.sampled_from(PEERS),
    st.sampled_from(["-", "-", "ann", "198.51.100.8", "[x]"]),
    st.sampled_from(STAMPS[:1] * 6 + STAMPS),
    st.sampled_from(["GET /admin", "GET /admin?a=192.0.2.3", "GET /", "POST /admin"]),
    st.sampled_from([404, 200]),
    st.sampled_from(AGENT),
) | st.builds(
    lambda stamp, peer: f"{stamp}denied {peer}",
    st.sampled_from(["Nov 22 12:00:00 h ", "[22/Nov/2026:12:00:00] ", ""]),
    st.sampled_from(PEERS),
)


def detector(filters: tuple[FilterSettings, ...], *, short: bool) -> Detector:
    found = ways.jails(filters, short=short, stamp="Nov 22 12:00:00", learnt=0)
    read(found, f"{HARMLESS}\n".encode() * 101)
    return found


@settings(max_examples=200, deadline=None)
@given(
    st.lists(lines, max_size=30),
    st.booleans(),
    st.integers(1, 30),
    st.sampled_from([(PROBES,), (PROBES, AGENTS), (AGENTS, REFUSED, PROBES)]),
)
def test_both_ways_make_the_same_failures(
    written: list[str], live: bool, size: int, filters: tuple[FilterSettings, ...]
) -> None:
    short, long = detector(filters, short=True), detector(filters, short=False)
    for begin in range(0, len(written), size):
        raw = "".join(f"{line}\n" for line in written[begin : begin + size]).encode()
        assert details(read(short, raw, live=live)) == details(read(long, raw, live=live))
        assert state(short) == state(long)


def details(failures: list[Failure]) -> list[object]:
    return [(each, each.evidence, each.tags) for each in failures]


PROBE = f'192.0.2.1 - - [{STAMP}] "GET /admin HTTP/1.1" 404 7 "-"\n'
BOT = f'192.0.2.2 - - [{STAMP}] "GET / HTTP/1.1" 200 7 "BadBot/1"\n'


def long_ones(found: Detector, raw: str, *, now: Instant = NOW) -> int:
    """Return how many lines of *raw* went the long way in any jail."""
    long = 0
    for it in found.matchers:
        match = it.match

        def counted(
            *args: object, _match: Callable[..., Failure | None] = match, **options: object
        ) -> Failure | None:
            nonlocal long
            long += 1
            return _match(*args, **options)

        it.match = counted  # type: ignore[method-assign]
    read(found, raw.encode(), now)
    return long


def test_lines_of_several_jails_go_the_short_way_together() -> None:
    found = detector((PROBES, AGENTS), short=True)
    assert not long_ones(found, PROBE + BOT + PROBE + PROBE.replace('"-"', '"BadBot/1"'))
    assert [it.counters.failures for it in found.matchers] == [3, 2]


@pytest.mark.parametrize(
    "line",
    [
        PROBE.replace("/admin", "/index"),  # no rule matches
        PROBE.replace('"-"', '"Chrome/126.0.0.0"'),  # no second address where one is wanted
    ],
)
def test_what_looks_odd_and_is_not_goes_the_short_way(line: str) -> None:
    assert not long_ones(detector((PROBES,), short=True), line)


@pytest.mark.parametrize(
    "line",
    [
        PROBE.replace(STAMP, "31/Nov/2026:12:00:00 +0000"),
        PROBE.replace(STAMP, "-"),
        PROBE.replace("192.0.2.1", "999.0.0.1"),
    ],
)
def test_what_is_unlike_goes_the_long_way(line: str) -> None:
    assert long_ones(detector((PROBES,), short=True), line) == 1


def test_a_format_that_changes_is_heard_of_by_all_jails() -> None:
    found = detector((PROBES, AGENTS), short=True)
    other = PROBE.replace(f"[{STAMP}]", "[]")
    mixed = f"2026-11-22 12:00:00 {other}".replace('"-"', '"BadBot/1"')
    both = PROBE.replace('"-"', '"BadBot/1"')
    plain = detector((PROBES, AGENTS), short=False)
    raw = (both + mixed + both + mixed).encode()
    assert details(read(found, raw)) == details(read(plain, raw))
    assert state(found) == state(plain)


def test_evidence_is_the_line_as_it_stands() -> None:
    (failure,) = read(detector((PROBES,), short=True), PROBE.encode())
    (line,) = failure.evidence
    assert line.text == PROBE[:-1]
    assert failure.at == NOW


def test_a_line_that_several_jails_want_teaches_its_format_once() -> None:
    found = detector((PROBES, AGENTS), short=True)
    dates = found.matchers[0].dates
    ((before, _),) = dates.hits()
    read(found, (PROBE.replace('"-"', '"BadBot/1"') + PROBE + BOT).encode())
    ((after, _),) = dates.hits()
    assert after == before + 3
