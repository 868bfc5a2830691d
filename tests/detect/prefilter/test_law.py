"""The law: with and without the prefilter the same failures come out, in all fields.

The regular expressions are drawn from a grammar that has all of `re` in it that
a filter may use; the lines are drawn from the very expressions, with times,
carriage returns, foreign letters and broken bytes put in anywhere.
"""

import contextlib
import re
import signal
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from types import FrameType

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from banish.detect import tags
from banish.detect.detector import Detector
from banish.detect.matcher import Matcher
from banish.detect.pattern import scope_flags
from banish.detect.prefilter import plan as plans
from banish.detect.prefilter.block import BlockPrefilter, engine
from banish.detect.prefilter.plan import make_plan
from banish.errors import ConfigError
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, JournalPosition
from banish.model.settings import FilterSettings, Regex

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(engine() is None, reason="hyperscan is not installed"),
]

NOW = Instant(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())
STAMPS = (
    "Nov 22 12:00:00",
    "[22/Nov/2026:11:59:58 +0000]",
    "2026-11-22T11:59:57.123",
    " 2/Nov/2026:11:59:58",
    "@400000006923a1b52c8d9f44",
    "1795348790",
    "+0100 Nov 22 12:00:00",
    "",
)

LONG_S = "\u017f"
ATOMS = (
    *(
        "a",
        "b",
        "k",
        "s",
        "I",
        " ",
        ":",
        r"\[",
        r"\]",
        '"',
        "=",
        "ab",
        "fail",
        "user ",
        "\u00e9",
        LONG_S,
    ),
    *(r"\d", r"\w", r"\s", r"\S", r"\W", r"\D", r"\t", ".", "(?s:.)"),
    *("[^a]", "[a-f]", "[^]:]", r"[\w.-]", "[\u00e9-\u00fc]", r"(?a:\w)", r"(?a:[^\d])"),
    *("(?i:k)", "(?i:Ser)", f"(?i:[^{LONG_S}])", "(?i:[h-l])"),
)
SUBJECTS = (
    "<HOST>",
    "<ADDR>",
    r"<F-ID>\w+</F-ID>",
    r"(?P<q>[ab]) <F-ID>\S+</F-ID>(?P=q)",
    "(?P<c>x)? <F-ID>.+?</F-ID>(?(c)y|z)",
)
EDGES = ("^", "$", r"\b", r"\B", r"\Z", r"\A", "(?=a)", "(?!b)", "(?<=:)", "(?<! )", "(?m:^)", "")


@st.composite
def rules(draw: st.DrawFn, depth: int = 2) -> str:
    pieces = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.integers(0, 9 if depth else 5))
        if kind <= 4:
            piece = draw(st.sampled_from(ATOMS))
        elif kind == 5:
            piece = draw(st.sampled_from(EDGES))
        elif kind <= 7:
            piece = f"(?:{draw(rules(depth - 1))}|{draw(rules(depth - 1))})"
        elif kind == 8:
            piece = f"(?:{draw(rules(depth - 1))})"
        else:
            piece = f"(?>{draw(rules(depth - 1))})"
        if kind != 5 and draw(st.integers(0, 3)) == 0:
            # A loop around a loop may take longer than anybody waits.
            loops: tuple[str, ...] = ("?", "{2}", "{0,2}", "?+")
            if not set("*+,") & set(piece):
                loops += ("*", "+", "{1,3}", "*?", "+?")
            piece = f"(?:{piece})" + draw(st.sampled_from(loops))
        pieces.append(piece)
    return "".join(pieces)


@st.composite
def failregexes(draw: st.DrawFn) -> str:
    middle = draw(st.sampled_from(SUBJECTS))
    begin = draw(st.sampled_from(("^", "", "^ ", "(?i)", "(?s)")))
    end = draw(st.sampled_from(("$", "", r"\s*$", r"\n", "(?:\\s|$)", r"\Z")))
    return f"{begin}{draw(rules())}{middle}{draw(rules())}{end}"


def matcher(
    failregex: tuple[str, ...], prefregex: str, datepattern: str, encoding: str = "auto"
) -> Matcher:
    filter_settings = FilterSettings(
        "f",
        failregex=tuple(map(Regex, failregex)),
        prefregex=Regex(prefregex) if prefregex else None,
        datepattern=Regex(datepattern) if datepattern else None,
        logencoding=encoding,
    )
    it = Matcher("j", filter_settings, Seconds(600))
    it.dates._left_to_learn = 0
    return it


@st.composite
def lines_for(draw: st.DrawFn, expressions: tuple[str, ...]) -> bytes:
    """Draw a line that one of *expressions* may match, with things put in and taken away."""
    base = st.sampled_from(expressions).flatmap(st.from_regex)
    line = draw(st.one_of(base, st.text(max_size=20)))[:80]
    for _ in range(draw(st.integers(0, 2))):
        stamp = draw(st.sampled_from(STAMPS))
        at = draw(st.one_of(st.just(0), st.integers(0, len(line))))
        line = line[:at] + stamp + line[at:]
    raw = bytearray(line.encode("utf-8", "replace"))
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(raw)))
        raw[at:at] = draw(
            st.sampled_from(
                (b"\xff", b"\xc3", b"\0", b"\r", b"\xe2\x84", b"\xc5\xbf", b"\xe2\x84\xaa")
            )
        )
    return bytes(raw)


def run(
    make: Sequence[tuple[tuple[str, ...], str, str, str]],
    blocks: list[bytes],
    *,
    on: bool,
    lives: tuple[bool, ...] = (True, False),
) -> tuple[list[Failure], list[int]]:
    matchers = [matcher(*each) for each in make]
    prefilter = BlockPrefilter(make_plan(matchers)) if on else None
    detector = Detector(matchers, prefilter)
    found: list[Failure] = []
    for block in blocks:
        for live in lives:
            found += detector.feed(Batch("s", "/p", block, JournalPosition("", NOW), live), NOW)
    return found, [each.counters.matched for each in matchers]


SECONDS_AN_EXAMPLE = 5.0
"""A rule that runs away is no counter-example; `re` can be interrupted by a signal."""


class _TooSlowError(Exception):
    pass


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise _TooSlowError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def _weak_rules_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "LEAST_STRENGTH", 1)


DATEPATTERNS = (
    "",
    "{^LN-BEG}",
    r"^[^\[]*\[({DATE})",
    "{UNB}%b %d %H:%M:%S",
    r"{DATE}:?\s*",
)


@settings(
    deadline=None,
    max_examples=60,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
    ],
)
@given(st.data())
def test_same_failures_with_and_without(data: st.DataObject) -> None:
    failregex = tuple(data.draw(st.lists(failregexes(), min_size=1, max_size=3)))
    prefix = data.draw(st.sampled_from(("", "", "^ ?", "app: ", ".*", r"\S*:")))
    prefregex = (
        f"{prefix}<F-CONTENT>{data.draw(st.sampled_from(('.+', '.*', '[^x]+')))}</F-CONTENT>$"
        if prefix
        else ""
    )
    datepattern = data.draw(st.sampled_from(DATEPATTERNS))
    encoding = data.draw(st.sampled_from(("auto", "auto", "latin-1", "ascii", "cp1254")))
    make = [(failregex, prefregex, datepattern, encoding), (failregex[:1], "", "", "auto")]
    try:
        expanded = tuple(
            re.compile(scope_flags(tags.expand(each))[0]).pattern for each in failregex
        )
        [matcher(*each) for each in make]
    except (ConfigError, re.error):
        assume(False)
    lead = "app: " if prefix == "app: " else ""
    lines = [
        lead.encode() + line
        for line in data.draw(st.lists(lines_for(expanded), min_size=1, max_size=6))
    ]
    blocks = [b"\n".join(lines) + b"\n", lines[-1] + b"\n"]
    try:
        with at_most(SECONDS_AN_EXAMPLE):
            with_it, without = run(make, blocks, on=True), run(make, blocks, on=False)
    except _TooSlowError:
        assume(False)
    assert with_it == without


def check(
    failregex: str,
    *lines: bytes,
    prefregex: str = "",
    datepattern: str = "",
    finds: int,
    encoding: str = "auto",
) -> None:
    """Both ways find *finds* failures in *lines*, and the prefilter does take part."""
    make = [((failregex,), prefregex, datepattern, encoding)]
    assert not BlockPrefilter(make_plan([matcher(*each) for each in make])).every_line
    blocks = [b"".join(line + b"\n" for line in lines)]
    on, off = (run(make, blocks, on=each, lives=(True,)) for each in (True, False))
    assert on == off
    assert len(on[0]) == finds


def test_time_cut_from_between_brackets_is_bridged() -> None:
    check(
        r"^\[\] \[error\] bad <ADDR>", b"[Sun Nov 22 12:00:00 2026] [error] bad 192.0.2.1", finds=1
    )


def test_time_between_foreign_punctuation_is_bridged() -> None:
    line = "bad \u00bbNov 22 12:00:00\u00ab 192.0.2.1".encode()
    check("^bad \u00bb\u00ab <ADDR>", line, finds=1)
    check("^\u00bb\u00ab <ADDR> failed", line[4:] + b" failed", finds=1)
    check("^bad\u00bb\u00abbad <ADDR>", line.replace(b" ", b"", 1) + b"", finds=0)


def test_time_that_begins_with_a_space_after_a_word_is_bridged() -> None:
    check(
        "^fail: <ADDR>",
        b"fa 2/Nov/2026:11:59:58il: 192.0.2.1",
        b"fa 2/Nov/2026:11:59:58: x",
        finds=0,
    )
    check("^fail: <ADDR>", b"fail 2/Nov/2026:11:59:58: 192.0.2.1", finds=1)


def test_time_in_brackets_that_touch_words_is_bridged() -> None:
    dates = r"^[^\[]*(\[{DATE}\s*\])"
    check(
        "^failed by <ADDR>",
        b"fai[22/Nov/2026:11:59:58]led by 192.0.2.1",
        datepattern=dates,
        finds=1,
    )


def test_kelvin_is_a_k_where_case_is_ignored() -> None:
    check("(?i)attack from <ADDR>", "attac\u212a from 192.0.2.1".encode(), finds=1)
    check(
        "(?i)attack is <ADDR>",
        b"attack \xfds 192.0.2.1",
        b"attac\xdd is 192.0.2.1",
        finds=1,
        encoding="cp1254",
    )


def test_digits_and_spaces_of_all_scripts_count() -> None:
    check(r"error \d\s+from <ADDR>", "error \u0663\u00a0from 192.0.2.1".encode(), finds=1)


def test_posix_classes_are_no_classes_to_re() -> None:
    check("failed [[:alpha:]] <ADDR>", b"failed l] 192.0.2.1", b"failed x 192.0.2.1", finds=1)


def test_line_end_that_a_rule_asks_for_is_not_missed() -> None:
    check(r"failed <ADDR>\n$", b"failed 192.0.2.1", b"failed 192.0.2.1\r", finds=2)
    check(
        r"^failed\s+<ADDR>\s\s$",
        b"x failed 192.0.2.1",
        prefregex=r"^x (?s:<F-CONTENT>.+</F-CONTENT>)",
        finds=1,
    )


def test_rule_behind_a_prefregex_that_may_leave_nothing_searches_the_whole_line() -> None:
    check(
        "failed <ADDR>",
        b"failed 192.0.2.1",
        prefregex="^(?:app: <F-CONTENT>.*</F-CONTENT>)?",
        finds=1,
    )


def test_match_in_one_line_is_not_taken_for_one_in_the_next() -> None:
    check(r"failed\s+<ADDR>", b"failed", b"192.0.2.1", b"failed 192.0.2.1", finds=1)


def test_line_without_time_takes_that_of_a_line_left_out() -> None:
    check("^failed <ADDR>", b"Nov 22 11:59:50 x", b"no time", b"failed 192.0.2.1", finds=1)


def test_text_that_matches_everywhere_is_searched_line_by_line() -> None:
    line = b"failed for " + b"from a " * 2_000 + b"192.0.2.1"
    check("failed for .* from <ADDR>", line, line[:3000], finds=0)
    check("failed for .*a <ADDR>$", line, finds=1)
