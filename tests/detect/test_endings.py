"""Lines that end no session are left out, and nothing comes out otherwise than with them."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banish.detect import detector as detector_module
from banish.detect import endings
from banish.detect.detector import Detector
from banish.detect.endings import Endings, ending_rules
from banish.detect.matcher import Matcher
from banish.detect.prefilter.block import Found, engine
from banish.detect.session import KEY_CHARACTERS, MARKS_EACH, Sessions
from banish.model.instant import Seconds
from banish.model.settings import FilterSettings, Regex
from tests.detect import ways
from tests.detect.ways import NOW

pytestmark = pytest.mark.slow

STAMP = "Nov 22 12:00:00"
PREFIX = r"^<F-MLFID>\s*\S+ doord\[\d+\]: </F-MLFID><F-CONTENT>.+</F-CONTENT>$"
WRONG = Regex(r"^Wrong key of <F-USER>\S+</F-USER>(?: at <HOST>)?$")
KNOCK = Regex(r"^<F-NOFAIL>Knock</F-NOFAIL> of <HOST>$")
LEFT = Regex(r"^<F-MLFFORGET><F-NOFAIL>Left</F-NOFAIL></F-MLFFORGET> by <HOST>$")
OPENED = Regex(
    r"^<F-MLFFORGET><F-MLFGAINED>Opened</F-MLFGAINED></F-MLFFORGET>"
    r" to <F-USER>\S+</F-USER> at <HOST>$"
)


def door(*rules: Regex, prefregex: str = PREFIX, **options: object) -> FilterSettings:
    return FilterSettings("door", prefregex=Regex(prefregex), failregex=rules, **options)  # type: ignore[arg-type]


DOOR = door(WRONG, KNOCK, LEFT, OPENED)
UNMARKED = door(WRONG, OPENED, prefregex=PREFIX.replace(r"doord\[\d+\]", r"doord\S*"))


def matcher(settings: FilterSettings) -> Matcher:
    return Matcher(settings.name, settings, Seconds(600))


@pytest.mark.parametrize(
    ("rule", "is_one"),
    [
        (OPENED.text, True),
        (f"(?i){OPENED.text}", True),
        (OPENED.text.replace("Opened", "(?:Opened|Entered)"), True),
        (OPENED.text.replace("Opened", "(?:Opened)?"), False),
        (OPENED.text.replace("</F-MLFFORGET>", "</F-MLFFORGET>|^Wrong"), False),
        (OPENED.text.replace("<F-MLFGAINED>Opened</F-MLFGAINED>", "Opened"), False),
        (OPENED.text.replace("</F-MLFFORGET>", "</F-MLFFORGET>?"), False),
        (r"^(?=<F-MLFFORGET><F-MLFGAINED>O</F-MLFGAINED></F-MLFFORGET>)\S+ at <HOST>$", False),
        (f"{OPENED.text[:-1]}<F-ALT_USER>x</F-ALT_USER>$", False),
    ],
)
def test_a_rule_only_ends_sessions_if_it_always_captures_both_flags(
    rule: str, *, is_one: bool
) -> None:
    it = matcher(door(WRONG, Regex(rule)))
    assert ending_rules(it) == ({2} if is_one else set())


def test_filters_that_ignore_lines_or_span_them_have_no_such_rules() -> None:
    assert not ending_rules(matcher(door(OPENED, ignoreregex=(Regex("x"),))))
    assert not ending_rules(matcher(door(OPENED, maxlines=2)))


@pytest.mark.parametrize(
    ("rules", "ends"),
    [
        ([], []),
        ([(1,), None, (1, 4)], []),
        ([(4,), None, (1, 4), (4,)], [True, False, False, True]),
    ],
)
def test_a_line_only_ends_sessions_if_no_other_rule_could_match(
    rules: list[tuple[int, ...] | None], ends: list[bool]
) -> None:
    endings = Endings(matcher(DOOR))
    assert endings.among(rules) == ends
    assert endings.among(rules) == ends


def test_choices_of_rules_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Endings(matcher(DOOR))
    monkeypatch.setattr(endings, "CHOICES", 2)
    assert it.among([(4,)]) == [True]
    assert it.among([(3, 4), (4,)]) == []


OPENED_7 = f"{STAMP} h doord[7]: Opened to ann at 192.0.2.1\n"


def is_idle(it: Matcher, *lines: str) -> bool:
    return Endings(it).marks_of_idle(lines) is not None


def test_an_end_is_idle_if_its_session_is_surely_not_open() -> None:
    it = matcher(DOOR)
    assert is_idle(it, OPENED_7)
    it.match(f"{STAMP} h doord[7]: Wrong key of ann at 192.0.2.1", NOW)
    assert not is_idle(it, OPENED_7)
    other = OPENED_7.replace("[7]", "[77]")
    assert is_idle(it, other)
    assert not is_idle(it, other, OPENED_7)
    it.match(OPENED_7.strip(), NOW)
    it.match(f"{STAMP} h doord[8]: Wrong key of ann at 192.0.2.1", NOW)
    assert is_idle(it, OPENED_7)


@pytest.mark.parametrize(
    ("keys", "is_begun"),
    [
        ([], False),
        ([" h doord[8]: ", None], False),
        ([" h doord[8]: ", " h doord[7]: "], True),
        ([" h doord: "], True),
        ([" h[1] doord[8]: "], True),
        ([" h doord[8]: \n"], True),
        ([f" {'h' * KEY_CHARACTERS} doord[8]: "], True),
    ],
)
def test_an_end_is_not_idle_if_its_session_may_be_begun_beside_it(
    keys: list[str | None], *, is_begun: bool
) -> None:
    marks = Endings(matcher(DOOR)).marks_of_idle([OPENED_7])
    assert marks == {"7"}
    assert endings.is_any_begun(marks, keys) == is_begun


def test_no_end_is_idle_while_a_session_has_no_mark() -> None:
    it = matcher(UNMARKED)
    assert is_idle(it, OPENED_7)
    it.match(f"{STAMP} h doord: Wrong key of ann at 192.0.2.1", NOW)
    assert not is_idle(it, OPENED_7)
    it.match(f"{STAMP} h doord[8]: Wrong key of ann at 192.0.2.1", NOW)
    assert not is_idle(it, OPENED_7)
    it.match(f"{STAMP} h doord: Opened to ann at 192.0.2.1", NOW)
    it.match(f"{STAMP} h doord[8]: Opened to ann at 192.0.2.1", NOW)
    it.match(f"{STAMP} h doord[9]: Wrong key of ann at 192.0.2.1", NOW)
    assert is_idle(it, OPENED_7)


def test_marks_are_as_many_as_there_is_room_for_sessions() -> None:
    sessions = Sessions(capacity=8)
    for number in range(100):
        sessions.join(f"h[{number}]", {}, (), NOW)
        marks = sessions.marks()
        assert marks is not None
        assert str(number) in marks
        assert len(marks) <= 8 * MARKS_EACH + 8


TEXTS = (
    "Wrong key of {user} at {peer}", "Wrong key of {user}", "Knock of {peer}", "Left by {peer}",
    "Opened to {user} at {peer}", "Opened to {user} at {peer}", "Opened [1]",
)  # fmt: skip

lines = st.builds(
    lambda stamp, host, process, text, user, peer: (
        f"{stamp} {host} doord{process}: {text.format(user=user, peer=peer)}"
    ),
    st.sampled_from([STAMP] * 6 + ["", "Nov 22 11:59:00", "Nov 31 12:00:00", "Nov 21 12:00:00"]),
    st.sampled_from(["h", "h", "h[1]", "[2]", "x]"]),
    st.sampled_from(["[1]", "[2]", "[3]", "[12]", "", "", "[1][2]", "[]", "[1]]", "[٣]"]),
    st.sampled_from(TEXTS),
    st.sampled_from(["ann", "bob", "[1]", "x[2]"]),
    st.sampled_from(["192.0.2.1", "2001:db8::1", "gate.example.org"]),
)


def left(detector: Detector) -> list[object]:
    """Return what *detector* remembers, but for what it counted of lines that were too old."""
    found = ways.state(detector)
    for each in found:
        if isinstance(each, dict):
            del each["too_old"], each["newest_old"]
    return [*found, [list(it.sessions.keys) for it in detector.matchers]]


@pytest.mark.skipif(engine() is None, reason="hyperscan is not installed")
@pytest.mark.usefixtures("at_once")
@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(lines, max_size=8), max_size=6),
    st.booleans(),
    st.sampled_from([(DOOR,), (UNMARKED,), (DOOR, UNMARKED)]),
)
def test_leaving_idle_ends_out_changes_nothing(
    blocks: list[list[str]], live: bool, filters: tuple[FilterSettings, ...]
) -> None:
    with_all = ways.jails(filters, short=True, stamp=STAMP)
    without_rules = matcher(door(WRONG))
    with_all.endings = tuple(Endings(without_rules) for _ in filters)
    without = ways.jails(filters, short=True, stamp=STAMP)
    for block in blocks:
        raw = "".join(f"{line}\n" for line in block).encode()
        assert ways.read(without, raw, live=live) == ways.read(with_all, raw, live=live)
        assert left(without) == left(with_all)


@pytest.mark.skipif(engine() is None, reason="hyperscan is not installed")
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("searched", "most"), [(1, 2), (3, 5), (2, 50), (128, 512)])
@pytest.mark.parametrize("share", [2, 5, 40])
def test_stretches_end_anywhere_among_idle_ends(
    searched: int, most: int, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detector_module, "LINES_AT_ONCE", searched)
    monkeypatch.setattr(detector_module, "STRETCH_LINES", most)
    raw = "".join(
        f"{STAMP} h doord[{number if number % 7 else number - share}]: "
        + ("Wrong key of ann at 192.0.2.1" if number % share == 0 else "Opened to bob at 192.0.2.2")
        + "\n"
        for number in range(1_000, 2_500)
    ).encode()
    short = ways.jails((DOOR,), short=True, stamp=STAMP)
    long = ways.jails((DOOR,), short=False, stamp=STAMP)
    found = ways.read(long, raw)
    assert len(found) >= 1_500 // share
    assert ways.read(short, raw) == found
    assert [*short.matchers[0].sessions.keys] == [*long.matchers[0].sessions.keys]


def test_few_ends_among_many_lines_are_searched_like_them() -> None:
    it = Endings(matcher(DOOR))
    assert it.among([(4,), (1,), (1,)]) == [True, False, False]
    assert it.among([(4,), (1,), (1,), (1,)]) == []
    assert it.others([(4,), (1,), (1,)]) == [1, 2]
    assert [*it.others([(4,), (1,), (1,), (1,)])] == [0, 1, 2, 3]


@pytest.mark.skipif(engine() is None, reason="hyperscan is not installed")
@pytest.mark.usefixtures("at_once")
def test_stretches_that_are_left_off_are_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = "".join(
        f"{STAMP} h doord[{number}]: "
        + ("Wrong key of ann at 192.0.2.1\n" if number % 2 else "Opened to bob at 192.0.2.2\n")
        for number in range(12)
    ).encode()
    whole = ways.read(ways.jails((DOOR,), short=True, stamp=STAMP), raw)
    turns = ways.jails((DOOR,), short=True, stamp=STAMP)
    monkeypatch.setattr(detector_module, "LINES_AT_ONCE", 2)
    take = detector_module._Feeding._take_stretch

    def stop(feeding: detector_module._Feeding, lines: Sequence[Found]) -> int:
        turns.stops = True
        return take(feeding, lines)

    monkeypatch.setattr(detector_module._Feeding, "_take_stretch", stop)
    found = ways.read(turns, raw)
    count = 1
    while turns.rest is not None:
        found += turns.feed(turns.rest, NOW)
        count += 1
    assert found == whole
    assert len(found) == 6
    assert count >= 3
