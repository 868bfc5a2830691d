"""The short way and the long way: the same failures, the same state, whatever is written."""

import functools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banish.detect import shortcut, stretch
from banish.detect.detector import Detector
from banish.detect.prefilter.block import engine
from banish.detect.quarantine import OverBudgetError
from banish.detect.session import CAPACITY
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

STAMP = "Nov 22 12:00:00"
jails = functools.partial(ways.jails, stamp=STAMP)

SESSIONS = FilterSettings(
    "door",
    prefregex=Regex(
        r"^<F-MLFID>\s*\S+ doord\[\d+\]: </F-MLFID>(?:error: )?<F-CONTENT>.+</F-CONTENT>$"
    ),
    failregex=(
        Regex(
            r"^Wrong key of <F-USER>(?P<one>\S+)|.*?</F-USER> at <HOST>"
            r"(?: port \d+)?(?(one):? |.*)$"
        ),
        Regex(r"^Nobody called <F-USER>.*?</F-USER> at <HOST>(?: port \d+)?\s*$"),
        Regex(r"^<F-NOFAIL>Knock</F-NOFAIL> of <HOST>"),
        Regex(
            r"^<F-MLFFORGET><F-MLFGAINED>Opened</F-MLFGAINED></F-MLFFORGET>"
            r" to <F-USER>\S+</F-USER> at <HOST>(?:\s|$)"
        ),
        Regex(r"^<F-MLFFORGET><F-NOFAIL>Left</F-NOFAIL></F-MLFFORGET> by <HOST>"),
        Regex(r"^Too many keys of <F-USER>\S+</F-USER>$"),
        Regex(r"^Broken <F-MLFGAINED>but mended</F-MLFGAINED> at <HOST>$"),
    ),
)
PLAIN = FilterSettings(
    "web",
    failregex=(
        Regex(r"^ \S+ doord\[\d+\]: Wrong key of .* at <HOST>(?: port (?P<fport>\d+))?$"),
        Regex(r"^ \S+ doord\[\d+\]: Nobody called <F-ID>\S+</F-ID> at <HOST>"),
    ),
)
IGNORING = FilterSettings(
    "mild",
    failregex=(Regex(r"^ \S+ doord\[\d+\]: Wrong key of .* at <HOST>"),),
    ignoreregex=(Regex(r"key of root"),),
)

PEERS = (
    "192.0.2.1", "192.0.2.2", "198.51.100.7", "2001:db8::1", "2001:DB8:0:0::1", "::ffff:192.0.2.9",
    "[2001:db8::2]", "999.0.0.1", "gate.example.org", "192.0.2.1:80",
    "gate.example.org (192.0.2.1)", "gate.example.org[2001:db8::1]", "gate.example.org (none)",
    "192.000.002.009",
)  # fmt: skip
USERS = (
    "root", "ann", "message repeated 9 times: [ x]", "x at 203.0.113.5", "a b", "v2.3.4.5.6",
    "::1 at", "", "u" * 1_100,
)  # fmt: skip
TEXTS = (
    "Wrong key of {user} at {peer}",
    "Wrong key of {user} at {peer} port 22",
    "error: Wrong key of {user} at {peer}: port",
    "Nobody called {user} at {peer} port 22 ",
    "Knock of {peer}",
    "Opened to {user} at {peer}",
    "Left by {peer}",
    "Too many keys of {user}",
    "Broken but mended at {peer}",
    "nothing to see",
    "message repeated 3 times: [ Wrong key of {user} at {peer}]",
    "message repeated 7 times: [ error: Wrong key of {user} at {peer} port 22] ",
    "message repeated 2 times: [ Opened to {user} at {peer}]",
    "message repeated 5 times: [ Nobody called {user} at {peer} port 22",
    "message repeated 2 times: [ nothing to see]",
)
STAMPS = (
    STAMP, "Nov 22 12:00:09", "Nov 22 11:59:59", "Nov 22 11:30:00", "Nov 21 09:00:00",
    "2026-11-22T12:00:01", "", "Nov 31 12:00:00", "  Nov 22 12:00:02",
)  # fmt: skip

lines = st.builds(
    lambda stamp, process, text, user, peer: (
        f"{stamp} h doord[{process}]: {text.format(user=user, peer=peer)}"
    ),
    st.sampled_from(STAMPS[:1] * 6 + STAMPS),
    st.integers(1, 3),
    st.sampled_from(TEXTS),
    st.sampled_from(USERS),
    st.sampled_from(PEERS),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(lines, max_size=30),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "é"]),
    st.integers(1, 30),
    st.sampled_from([(SESSIONS,), (PLAIN,), (SESSIONS, IGNORING, PLAIN)]),
    st.none() | st.lists(st.sampled_from([0.0, 0.5, 70.0, 700.0]), min_size=1, max_size=3),
)
def test_both_ways_make_the_same_failures_and_leave_the_same_behind(
    written: list[str],
    live: bool,
    end: str,
    foreign: str,
    size: int,
    filters: tuple[FilterSettings, ...],
    ages: list[float] | None,
) -> None:
    short, long = jails(filters, short=True), jails(filters, short=False)
    for begin in range(0, len(written), size):
        chosen = written[begin : begin + size]
        times = None
        if ages is not None:  # as from a journal
            chosen = [line.removeprefix(STAMP) for line in chosen]
            times = tuple(Instant(NOW - ages[at % len(ages)]) for at in range(len(chosen)))
        raw = "".join(f"{line}{foreign}{end}" for line in chosen).encode()
        assert read(short, raw, live=live, times=times) == read(long, raw, live=live, times=times)
        assert seen(short) == seen(long)
    # What is left of sessions says the same to lines that come later.
    for process in (1, 2, 3):
        raw = f"{STAMP} h doord[{process}]: Too many keys of zoe\n".encode()
        assert read(short, raw) == read(long, raw)
    assert seen(short) == seen(long)


def seen(detector: Detector) -> list[object]:
    """Return what `state` does, but for logins that may be left out unread, old or not."""
    found = state(detector)
    for each in found:
        if isinstance(each, dict):
            del each["too_old"], each["newest_old"]
    return found


def goes_short(detector: Detector, line: str, times: tuple[Instant, ...] | None = None) -> bool:
    """Whether *line*, in a block of its own, goes the short way in the first jail."""
    matcher = detector.matchers[0]
    before = matcher.counters.lines
    long = 0
    match = matcher.match

    def counted(*args: object, **options: object) -> Failure | None:
        nonlocal long
        long += 1
        return match(*args, **options)  # type: ignore[arg-type]

    matcher.match = counted  # type: ignore[method-assign]
    read(detector, line.encode(), times=times)
    matcher.match = match  # type: ignore[method-assign]
    assert matcher.counters.lines == before + (line.count("\n") or 1)
    return not long


WRONG = f"{STAMP} h doord[7]: Wrong key of ann at 192.0.2.1: \n"


def test_lines_of_an_attack_go_the_short_way() -> None:
    detector = jails((SESSIONS,), short=True)
    for peer in ("192.0.2.1", "2001:db8::1"):
        for text in (
            f"Wrong key of ann at {peer}: ",
            f"Nobody called ann at {peer}",
            f"Knock of {peer}",
        ):
            line = f"{STAMP} h doord[7]: {text}\n"
            assert goes_short(detector, line), line
    assert goes_short(detector, WRONG.removesuffix("\n"))


@pytest.mark.parametrize(
    "line",
    [
        WRONG.replace("Nov 22", " Nov 22"),
        WRONG.replace(STAMP, "2026-11-22T12:00:00"),
        WRONG.replace("192.0.2.1", "999.0.0.1"),
        WRONG.replace("ann", "x at 203.0.113.5 or"),
        WRONG.replace("ann", "1:2:3:4:5:6:7:8"),
        WRONG.replace("ann", "u" * 1_100),
        WRONG.replace("Nov 22", "Nov 31"),
    ],
)
def test_lines_that_are_unlike_go_the_long_way(line: str) -> None:
    assert not goes_short(jails((SESSIONS,), short=True), line)


def test_a_login_of_a_known_session_ends_it() -> None:
    detector = jails((SESSIONS,), short=True)
    sessions = detector.matchers[0].sessions
    assert goes_short(detector, WRONG)
    assert len(sessions) == 1
    opened = f"{STAMP} h doord[7]: Opened to ann at 192.0.2.1\n"
    assert goes_short(detector, opened)
    assert not len(sessions)
    # Though both are searched at once, in one block.
    detector = jails((SESSIONS,), short=True)
    assert goes_short(detector, f"{WRONG}{opened}")
    assert not len(detector.matchers[0].sessions)


def test_lines_of_a_journal_go_the_short_way() -> None:
    detector = jails((SESSIONS,), short=True)
    line = WRONG.removeprefix(STAMP)
    assert goes_short(detector, line, (Instant(NOW - 5),))
    (failure,) = read(detector, line.encode(), times=(Instant(NOW - 5),))
    assert failure.at == NOW - 5
    assert failure.tags["user"] == "ann"
    # And lines of a file between them do, too.
    assert goes_short(detector, WRONG)
    assert goes_short(detector, line, (NOW,))


def test_filters_that_say_more_than_an_address_go_the_long_way() -> None:
    detector = jails((PLAIN,), short=True)
    assert goes_short(detector, f"{STAMP} h doord[7]: Wrong key of ann at 192.0.2.1\n")
    assert not goes_short(detector, f"{STAMP} h doord[7]: Nobody called ann at 192.0.2.1\n")
    assert jails((IGNORING,), short=True).matchers[0].shortcut is None


def test_old_lines_are_dropped_on_the_short_way_too() -> None:
    detector = jails((SESSIONS,), short=True)
    assert goes_short(detector, WRONG)
    old = WRONG.replace("12:00:00", "11:30:00").encode()
    assert not read(detector, old, live=False)
    assert read(detector, old)[0].at == NOW
    assert read(detector, WRONG.encode(), live=False)[0].at == NOW
    counters = detector.matchers[0].counters
    assert (counters.too_old, counters.retimed, counters.failures) == (1, 1, 3)


def test_sessions_of_several_lines_join_on_the_short_way_too() -> None:
    detector = jails((SESSIONS,), short=True)
    for text in (
        "Knock of 192.0.2.1",
        "Nobody called ann at gate.example.org",
        "Left by 192.0.2.1",
    ):
        assert goes_short(detector, f"{STAMP} h doord[8]: {text}\n"), text
    (failure,) = read(detector, WRONG.replace("ann", "bob").encode())
    assert failure.tags["users"] == ("bob",)
    detector = jails((SESSIONS,), short=True)
    assert read(detector, WRONG.encode())
    (failure,) = read(detector, WRONG.replace("ann", "bob").encode())
    assert failure.tags["users"] == ("ann", "bob")


def test_a_login_that_ends_nothing_is_left_alone() -> None:
    detector = jails((SESSIONS,), short=True)
    opened = f"{STAMP} h doord[9]: Opened to ann at 192.0.2.1\n"
    assert goes_short(detector, opened)
    assert not read(detector, opened.encode(), live=False)
    matcher = detector.matchers[0]
    assert (matcher.counters.matched, matcher.counters.failures, len(matcher.sessions)) == (0, 0, 0)


@pytest.mark.parametrize("short", [True, False])
def test_a_line_teaches_its_format_once_however_many_jails_it_is_for(*, short: bool) -> None:
    other = msgspec.structs.replace(SESSIONS, name="other")
    detector = jails((SESSIONS, other), short=short)
    dates = detector.matchers[0].dates
    ((before, _),) = dates.hits()
    assert len(read(detector, WRONG.encode())) == 2
    ((after, _),) = dates.hits()
    assert after == before + 1


def test_a_rule_is_fused_once_for_all_lines_that_want_it() -> None:
    detector = jails((SESSIONS,), short=True)
    assert goes_short(detector, WRONG)
    assert goes_short(detector, WRONG.replace("ann", "Nobody called ann"))


def test_rules_that_put_captures_together_go_the_long_way() -> None:
    rule = r"^ h doord\[\d+\]: Wrong key of (?P<alt_user>\S+) at <HOST>"
    detector = jails((FilterSettings("alt", failregex=(Regex(rule),)),), short=True)
    assert not goes_short(detector, WRONG)


def test_a_flood_of_sessions_has_bounds_on_the_short_way_too() -> None:
    detector = jails((SESSIONS,), short=True)
    for number in range(CAPACITY + 1):
        assert read(detector, WRONG.replace("[7]", f"[{number}]").encode())
    sessions = detector.matchers[0].sessions
    assert (len(sessions), sessions.evicted) == (CAPACITY - CAPACITY // 4 + 1, CAPACITY // 4)


def test_the_first_lines_go_the_long_way_as_compiling_is_dear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shortcut, "AFTER_LINES", 3)
    detector = jails((SESSIONS,), short=True)
    assert [goes_short(detector, WRONG) for _ in range(4)] == [False, False, True, True]


def test_many_rules_at_once_and_many_choices_go_the_long_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shortcut, "RULES_AT_ONCE", 0)
    assert not goes_short(jails((SESSIONS,), short=True), WRONG)
    monkeypatch.undo()
    monkeypatch.setattr(shortcut, "AFTER_LINES", 1)
    monkeypatch.setattr(shortcut, "CHOICES", 0)
    assert not goes_short(jails((SESSIONS,), short=True), WRONG)


def test_a_quarantine_closes_the_short_way_until_it_is_over() -> None:
    detector = jails((SESSIONS,), short=True)
    matcher = detector.matchers[0]
    assert goes_short(detector, WRONG)
    for quarantine, option in (
        (matcher.quarantine, "failregex"),
        (matcher.dates.quarantine, "datepattern"),
    ):
        quarantine.begin(NOW)
        for _ in range(3):
            number = int(option == "failregex")
            quarantine.offend(OverBudgetError(option, number, 2_000), "x")
        assert quarantine.in_force
        assert not goes_short(detector, WRONG)
        quarantine.begin(Instant(NOW + 3_600))
        assert not quarantine.in_force
        assert goes_short(detector, WRONG)


def test_a_search_that_takes_too_long_is_made_again_the_long_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    detector = jails((SESSIONS,), short=True)

    def search(*_: object) -> None:
        raise OverBudgetError("failregex", 0, 9)

    monkeypatch.setattr(stretch, "_search", search)
    assert not goes_short(detector, WRONG)
    assert detector.matchers[0].counters.failures == 1
    assert not detector.matchers[0].quarantine.overruns


def test_details_are_those_of_the_line() -> None:
    detector = jails((SESSIONS,), short=True)
    (failure,) = read(detector, WRONG.encode())
    assert failure.tags["user"] == "ann"
    assert failure.tags["users"] == ("ann",)
    (evidence,) = failure.evidence
    assert evidence.text == WRONG[:-1]
    assert (evidence.path, evidence.offset, evidence.at) == ("/p", 7, NOW)
    assert failure != 1
    assert not failure != msgspec.structs.replace(failure)  # noqa: SIM202
