"""A jail's filter finds its failures line by line."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.detect.matcher import Matcher
from banish.detect.report import LineReport
from banish.detect.timing import KNOWN_LINES, Behind
from banish.errors import ConfigError
from banish.model.address import Subject, SubjectKind
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, Place, Regex, UseDns

NOW = Instant(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())
ATTACKER = Subject("192.0.2.1", SubjectKind.IPV4)
FINDTIME = Seconds(600)

Regexes = str | list[str]


def regexes(texts: Regexes) -> tuple[Regex, ...]:
    return tuple(Regex(text) for text in ([texts] if isinstance(texts, str) else texts))


def matcher(
    failregex: Regexes, ignoreregex: Sequence[str] = (), *, check_all: bool = False, **options: Any
) -> Matcher:
    for name in ("prefregex", "datepattern"):
        if name in options:
            options[name] = Regex(options[name])
    settings = FilterSettings(
        "test",
        failregex=regexes(failregex),
        ignoreregex=tuple(Regex(text) for text in ignoreregex),
        **options,
    )
    return Matcher("test", settings, FINDTIME, check_all=check_all)


def stamped(text: str, before_now: float = 0) -> str:
    at = datetime.fromtimestamp(NOW - before_now, UTC)
    return f"{at:%b %d %H:%M:%S} {text}"


def subjects(it: Matcher, *lines: str) -> list[str | None]:
    found = [it.match(stamped(line), NOW) for line in lines]
    return [failure.subject.text if failure else None for failure in found]


# -- one line ------------------------------------------------------------------------------


def test_failure_says_who_when_where_and_by_which_rule() -> None:
    it = matcher(["^ nothing <HOST>", r"^ bad <F-USER>\w+</F-USER> from <HOST> port <F-PORT/>$"])
    line = stamped("bad alice from 192.0.2.1 port 22", 5)
    failure = it.match(line, NOW, path="/var/log/x", offset=77)
    assert failure is not None
    (evidence,) = failure.evidence
    assert (evidence.text, evidence.path, evidence.offset) == (line, "/var/log/x", 77)
    assert evidence.at == failure.at == NOW - 5
    assert failure.jail == "test"
    assert failure.rule == 2
    assert failure.subject == ATTACKER
    assert failure.tags == {"user": "alice", "ip4": "192.0.2.1", "port": "22"}
    assert failure.address is None


def test_time_is_cut_out_so_that_anchors_hold_and_the_end_is_the_newline() -> None:
    it = matcher("^ from <ADDR>$")
    assert subjects(it, "from 192.0.2.1", "from 192.0.2.1 ", "x from 192.0.2.1") == [
        "192.0.2.1", None, None,
    ]  # fmt: skip
    assert matcher(r"^ from <ADDR>\n$").match(stamped("from 192.0.2.1"), NOW) is not None


def test_first_failregex_that_matches_wins() -> None:
    it = matcher(["^ b <HOST>", "^ [ab] <HOST>", "^ . <HOST>", "^ d <HOST>"], check_all=True)
    reports = [it.trace(stamped(line), NOW) for line in ("a 192.0.2.1", "b 192.0.2.1", "c x y")]
    assert [(each.rule, each.rules) for each in reports] == [(2, (2, 3)), (1, (1, 2, 3)), (3, (3,))]
    it = matcher(["^ [ab] <HOST>", "^ . <HOST>"])
    assert it.trace(stamped("a 192.0.2.1"), NOW).rules == (1,)


def test_rules_may_be_narrowed_to_those_that_could_match() -> None:
    it = matcher(["^ a <HOST>", "^ b <HOST>", "^ . <HOST>"])
    for rules, rule in (((1, 3), 3), ((2,), 2), ((), 0), (None, 2)):
        failure = it.match(stamped("b 192.0.2.1"), NOW, rules=rules)
        assert (failure.rule if failure else 0) == rule


def test_choices_of_rules_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("banish.detect.matcher.CHOICES", 2)
    it = matcher(["^ a <HOST>", "^ b <HOST>"])
    for rules, found in (((1,), False), ((2,), True), ((1, 2), True)):
        assert (it.match(stamped("b 192.0.2.1"), NOW, rules=rules) is not None) is found


# -- ignoreregex ---------------------------------------------------------------------------


def test_few_ignoreregexes_look_first() -> None:
    it = matcher([f"^ {letter} <HOST>" for letter in "abcd"], ["skip"])
    assert subjects(it, "a 192.0.2.1", "a 192.0.2.1 skip", "x skip") == ["192.0.2.1", None, None]
    assert it.counters.ignored == 2
    report = it.trace(stamped("a 192.0.2.1 skip"), NOW)
    assert (report.state, report.ignored, report.ignore_rule) == ("ignored", True, 1)
    assert not report.matched


def test_many_ignoreregexes_look_at_matches_only() -> None:
    it = matcher("^ a <HOST>", ["nothing", "skip"])
    assert subjects(it, "a 192.0.2.1", "a 192.0.2.1 skip", "x skip") == ["192.0.2.1", None, None]
    assert it.counters.ignored == 1
    report = it.trace(stamped("a 192.0.2.1 skip"), NOW)
    assert (report.state, report.ignore_rule, report.rule) == ("ignored", 2, 1)
    assert not report.matched


# -- prefregex -----------------------------------------------------------------------------


def test_prefregex_narrows_what_failregexes_see() -> None:
    it = matcher("^bad <HOST>$", prefregex=r"^ app\[\d+\]: <F-CONTENT>.+</F-CONTENT> \(end\)$")
    lines = (
        "app[1]: bad 192.0.2.1 (end)",
        "app[1]: bad 192.0.2.1",
        "app[1]: x bad 192.0.2.1 (end)",
    )
    assert subjects(it, *lines) == ["192.0.2.1", None, None]
    assert [it.trace(stamped(line), NOW).prefregex for line in lines] == [True, False, True]
    assert matcher("<HOST>").trace("x", NOW).prefregex is None
    assert it.prefregex is not None
    assert it.prefregex.source.text.startswith("^ app")


def test_prefregex_lends_what_it_captured() -> None:
    it = matcher(
        "^(?:<F-USER>\\w+</F-USER>)? failed",
        prefregex="^ <F-USER>\\w+</F-USER> from <ADDR>: <F-CONTENT>.+</F-CONTENT>",
    )
    first = it.match(stamped("a from 192.0.2.1: b failed"), NOW)
    second = it.match(stamped("a from 192.0.2.1:  failed"), NOW)
    assert first is not None
    assert second is not None
    assert (first.subject, first.tags["user"]) == (ATTACKER, "b")
    assert (second.subject, second.tags["user"]) == (ATTACKER, "a")


def test_prefregex_without_content_leaves_the_text_whole() -> None:
    it = matcher("^ app bad <HOST>", prefregex="^ app")
    assert subjects(it, "app bad 192.0.2.1", "bad 192.0.2.1") == ["192.0.2.1", None]
    it = matcher("^ app bad <HOST>", prefregex="^ app<F-CONTENT>(?:x.*)?</F-CONTENT>")
    assert subjects(it, "app bad 192.0.2.1") == ["192.0.2.1"]


# -- who -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regex", "line", "expected"),
    [
        ("^ from <HOST>$", "from ::ffff:192.0.2.1", ("192.0.2.1", "ipv4")),
        ("^ from <ADDR>$", "from [2001:DB8:0::1]", ("2001:db8::1", "ipv6")),
        ("^ from <IP6>$", "from ::ffff:c000:201", ("192.0.2.1", "ipv4")),
        ("^ from <SUBNET>$", "from 192.0.2.77/24", ("192.0.2.0/24", "network4")),
        ("^ from <ADDR>/<CIDR>$", "from 2001:db8::1/32", ("2001:db8::/32", "network6")),
        ("^ from <HOST>$", "from Host.Example.COM", ("host.example.com", "name")),
        ("^ id <F-ID/>$", "id a,b", ("a,b", "id")),
        ("^ id <F-ID/>$", "id 192.0.2.1", ("192.0.2.1", "ipv4")),
        ("^ from <F-ID><ADDR></F-ID>$", "from 192.0.2.1", ("192.0.2.1", "ipv4")),
        (r"^ <F-ID>\w+</F-ID> <F-TUPLE_ID>\w+</F-TUPLE_ID>", "a b", ("('a', 'b')", "id")),
        ("^ from <F-ID>x <DNS></F-ID>$", "from x example.com", ("example.com", "name")),
    ],
)
def test_subject(regex: str, line: str, expected: tuple[str, str]) -> None:
    failure = matcher(regex).match(stamped(line), NOW)
    assert failure is not None
    assert (failure.subject.text, failure.subject.kind.value) == expected
    assert failure.address is None


def test_identifier_counts_and_the_address_goes_with_it() -> None:
    it = matcher(r"^ <F-ID>\w+@<ADDR></F-ID>")
    failure = it.match(stamped("alice@192.0.2.1"), NOW)
    assert failure is not None
    assert failure.subject == Subject("alice@192.0.2.1", SubjectKind.ID)
    assert failure.address == ATTACKER


@pytest.mark.parametrize(
    ("regex", "line"),
    [
        ("^ from <ADDR>", "from 999.0.0.1"),
        ("^ from <SUBNET>", "from 192.0.2.1/0"),
        ("^ from <SUBNET>", "from 192.0.2.1/77"),
        ("^ from(?: <ADDR>)?$", "from"),
    ],
)
def test_what_nobody_can_be_banned_by_is_counted_as_unusable(regex: str, line: str) -> None:
    it = matcher(regex)
    assert it.trace(stamped(line), NOW).state == "unusable"
    assert it.counters.unusable == 1
    assert it.counters.failures == 0


@pytest.mark.parametrize("regex", ["^ from <ADDR>$", "^ from <HOST>$", "^ from <SUBNET>$"])
@pytest.mark.parametrize("octets", ["192.0.2.01", "192.000.002.001", "192.0.02.1"])
def test_octets_with_leading_zeros_are_decimal(regex: str, octets: str) -> None:
    failure = matcher(regex).match(stamped(f"from {octets}"), NOW)
    assert failure is not None
    assert failure.subject == ATTACKER


@pytest.mark.parametrize("usedns", ["yes", "warn"])
@pytest.mark.parametrize("regex", ["^ Remote IP: .*<HOST>$", "^ Remote IP: <DNS>$"])
@pytest.mark.parametrize("number", ["4", "127.1", "3232235777", "0x7f000001"])
def test_a_number_is_no_name_to_be_looked_up(number: str, regex: str, usedns: UseDns) -> None:
    it = matcher(regex, usedns=usedns)
    report = it.trace(stamped(f"Remote IP: {number}"), NOW)
    assert (report.state, report.failures) == ("unusable", ())


def test_names_are_left_out_without_dns_but_addresses_count() -> None:
    it = matcher("^ from <HOST>$", usedns="no")
    assert subjects(it, "from example.com", "from 192.0.2.1") == [None, "192.0.2.1"]
    it = matcher("^ from <DNS>$", usedns="no")
    assert subjects(it, "from example.com", "from 192.0.2.1") == [None, "192.0.2.1"]
    assert it.counters.unusable == 1


def test_raw_names_are_identifiers() -> None:
    it = matcher("^ from <HOST>(?: id <F-ID>.*</F-ID>)?$", usedns="raw")
    for line, subject in (
        ("from Example.com", Subject("Example.com", SubjectKind.ID)),
        ("from example.com id 192.0.2.9", Subject("192.0.2.9", SubjectKind.ID)),
        ("from 192.0.2.1", ATTACKER),
    ):
        failure = it.match(stamped(line), NOW)
        assert failure is not None
        assert failure.subject == subject


def test_line_that_only_informs_is_no_failure_without_a_session_either() -> None:
    it = matcher("^ <F-NOFAIL>hello</F-NOFAIL> from <ADDR>")
    assert it.trace(stamped("hello from 192.0.2.1"), NOW).state == "informing"


# -- sessions ------------------------------------------------------------------------------

SESSION = [
    r"^<F-NOFAIL>hello</F-NOFAIL> from <ADDR>",
    r"^bad password for <F-USER>\w+</F-USER>",
    r"^<F-MLFGAINED>welcome</F-MLFGAINED> <F-USER>\w+</F-USER>",
    r"^<F-MLFFORGET>closed</F-MLFFORGET>",
]
SESSION_PREFIX = r"^ app\[<F-MLFID>\d+</F-MLFID>\]: <F-CONTENT>.+</F-CONTENT>$"


def states(it: Matcher, *lines: str) -> list[str]:
    return [it.trace(stamped(line), NOW).state for line in lines]


def test_lines_of_one_session_make_one_failure_together() -> None:
    it = matcher(SESSION, prefregex=SESSION_PREFIX)
    for line in ("app[1]: bad password for a", "app[2]: bad password for b"):
        assert it.match(stamped(line), NOW) is None
    failure = it.match(stamped("app[1]: hello from 192.0.2.1"), NOW)
    assert failure is not None
    assert failure.subject == ATTACKER
    assert failure.attempts == 1
    assert [each.text[16:] for each in failure.evidence] == [
        "app[1]: bad password for a",
        "app[1]: hello from 192.0.2.1",
    ]
    assert failure.tags == {"mlfid": "1", "user": "a", "users": ("a",), "ip4": "192.0.2.1"}


def test_trace_tells_what_each_line_of_a_session_came_to() -> None:
    it = matcher(SESSION, prefregex=SESSION_PREFIX)
    assert states(
        it,
        "app[1]: hello from 192.0.2.1",
        "app[1]: bad password for a",
        "app[1]: welcome a",
        "app[1]: closed",
        "app[1]: bad password for a",
    ) == ["informing", "failure", "informing", "failure", "pending"]


def test_attempts_are_the_lines_that_speak_for_a_failure() -> None:
    it = matcher(SESSION, prefregex=SESSION_PREFIX)
    reports = [
        it.trace(stamped(line), NOW)
        for line in ("app[1]: hello from 192.0.2.1", "app[1]: bad password for a")
    ]
    assert [each.attempts for each in reports] == [0, 2]
    assert reports[1].host == "192.0.2.1"
    assert reports[1].matched


LOGIN = (
    r"^<F-MLFFORGET><F-MLFGAINED>welcome</F-MLFGAINED></F-MLFFORGET>"
    r" <F-USER>\w+</F-USER> from <ADDR>"
)


@pytest.mark.parametrize("prefix", [SESSION_PREFIX, ""])
def test_login_ends_its_own_session_and_no_other(prefix: str) -> None:
    rules = [*SESSION[:2], LOGIN]
    if not prefix:
        rules = [rule.replace("^", r"^ app\[<F-MLFID>\d+</F-MLFID>\]: ") for rule in rules]
    it = matcher(rules, prefregex=prefix) if prefix else matcher(rules)
    assert subjects(
        it,
        "app[1]: hello from 192.0.2.1",
        "app[2]: bad password for a",
        "app[3]: welcome a from 192.0.2.9",
        "app[1]: bad password for a",
        "app[2]: welcome a from 192.0.2.1",
        "app[2]: bad password for a",
        "app[1]: welcome a from 192.0.2.1",
    ) == [None, None, None, "192.0.2.1", None, None, None]
    assert it.counters.matched == 6  # one login ended nothing
    assert len(it.sessions) == 1


def test_login_after_two_users_were_tried_is_a_failure_still() -> None:
    it = matcher([*SESSION[:2], LOGIN], prefregex=SESSION_PREFIX)
    assert subjects(
        it,
        "app[1]: hello from 192.0.2.1",
        "app[1]: bad password for a",
        "app[1]: welcome b from 192.0.2.1",
    ) == [None, "192.0.2.1", "192.0.2.1"]


def test_rule_that_may_gain_or_not_is_looked_at_closely() -> None:
    rule = (
        r"^ app\[<F-MLFID>\d+</F-MLFID>\]: (?:<F-MLFFORGET><F-MLFGAINED>welcome</F-MLFGAINED>"
        r"</F-MLFFORGET>|bad) from <ADDR>"
    )
    it = matcher(rule)
    assert subjects(it, "app[1]: welcome from 192.0.2.1", "app[1]: bad from 192.0.2.1") == [
        None,
        "192.0.2.1",
    ]


def test_key_of_a_session_may_be_put_together_by_the_prefregex() -> None:
    key = r"(?:<F-MLFID>\d+</F-MLFID>|<F-ALT_MLFID>\w+</F-ALT_MLFID>)"
    it = matcher([*SESSION[:2], LOGIN], prefregex=rf"^ app\[{key}\]: <F-CONTENT>.+</F-CONTENT>$")
    assert subjects(
        it,
        "app[x]: hello from 192.0.2.1",
        "app[x]: welcome a from 192.0.2.1",
        "app[x]: bad password for a",
    ) == [None, None, None]


# -- several lines -------------------------------------------------------------------------


def test_regex_may_span_lines() -> None:
    it = matcher(r"^ begin <F-ID>\w+</F-ID><SKIPLINES>^ end from <ADDR>$", maxlines=4)
    assert [it.trace(stamped(line), NOW).state for line in ("begin a", "x", "y")] == ["missed"] * 3
    report = it.trace(stamped("end from 192.0.2.1"), NOW)
    assert report.state == "failure"
    assert report.attempts == 2
    assert [each.text[16:] for each in report.failures[0].evidence] == [
        "begin a",
        "end from 192.0.2.1",
    ]
    assert report.tags == {"fid": "a", "ip4": "192.0.2.1"}
    assert it.needs_every_line


def test_matched_lines_are_used_up() -> None:
    it = matcher(r"^ a\n b <ADDR>$", maxlines=3)
    assert subjects(it, "a", "b 192.0.2.1", "b 192.0.2.1") == [None, "192.0.2.1", None]


@pytest.mark.parametrize(("maxlines", "found"), [(3, "192.0.2.1"), (2, None)])
def test_a_changed_filter_goes_on_with_the_lines_before_if_it_looks_at_as_many(
    maxlines: int, found: str | None
) -> None:
    rule = r"^ a\n b <ADDR>$"
    before = matcher(rule, maxlines=3)
    assert subjects(before, "a") == [None]
    changed = FilterSettings("test", failregex=regexes([rule, "other <ADDR>"]), maxlines=maxlines)
    after = Matcher("test", changed, FINDTIME, before=before)
    assert subjects(after, "b 192.0.2.1") == [found]


def test_ignored_lines_are_used_up_too() -> None:
    it = matcher(r"^ a\n b <ADDR>(?: skip)?$", ["skip"], maxlines=5)
    assert subjects(it, "skip", "a", "b 192.0.2.1 skip", "a", "b 192.0.2.1") == [
        None, None, None, None, "192.0.2.1",
    ]  # fmt: skip


def test_prefregex_finds_its_place_among_several_lines() -> None:
    it = matcher(r"^bad <ADDR>$", prefregex=r"^ app: <F-CONTENT>.+</F-CONTENT>$", maxlines=3)
    report = [it.trace(stamped(line), NOW) for line in ("x", "app: bad 192.0.2.1")][1]
    assert [each.text[16:] for each in report.failures[0].evidence] == ["app: bad 192.0.2.1"]


def lines_behind(*lines: str) -> Behind:
    return lambda count: lines[::-1][:count]


def test_line_left_out_lends_its_time_to_an_undated_one() -> None:
    it = matcher("bad <HOST>")
    behind = lines_behind(stamped("x", 700), stamped("x", 9), stamped("x", 7), "no time")
    failure = it.match("bad 192.0.2.1", NOW, skipped=4, behind=behind)
    assert failure is not None
    assert failure.at == NOW - 7
    assert it.counters.lines == 5


def test_last_lines_passed_over_lend_their_time_to_the_next_undated_one() -> None:
    it = matcher("bad <HOST>")
    it.pass_over(2, lines_behind(stamped("x", 7), "no time"), NOW)
    failure = it.match("bad 192.0.2.1", NOW)
    assert failure is not None
    assert failure.at == NOW - 7


def test_time_is_lent_to_lines_nearby_only() -> None:
    for skipped, at in ((KNOWN_LINES - 1, NOW - 7), (KNOWN_LINES, NOW)):
        it = matcher("bad <HOST>")
        it.match(stamped("x", 7), NOW)
        failure = it.match("bad 192.0.2.1", NOW, skipped=skipped, behind=lines_behind())
        assert failure is not None
        assert failure.at == at


# -- when ----------------------------------------------------------------------------------


def find(it: Matcher, line: str, **options: Any) -> Failure | None:
    return it.match(line, NOW, **options)


BAD = "bad 192.0.2.1"
RULE = "^ bad <HOST>"


@pytest.mark.parametrize(
    ("before_now", "at", "retimed"),
    [(0, 0, 0), (5, 5, 0), (60, 60, 0), (61, 0, 1), (3600, 0, 1), (-60, 0, 0), (-61, 0, 1)],
)
def test_live_line_more_than_a_minute_off_counts_as_now(
    before_now: float, at: float, retimed: int
) -> None:
    it = matcher(RULE)
    failure = find(it, stamped(BAD, before_now))
    assert failure is not None
    assert failure.at == NOW - at
    assert it.counters.retimed == retimed


def test_line_from_before_findtime_is_dropped_while_catching_up() -> None:
    it = matcher(RULE)
    assert find(it, stamped(BAD, 601), live=False) is None
    failure = find(it, stamped(BAD, 600), live=False)
    assert failure is not None
    assert failure.at == NOW - 600
    assert (it.counters.too_old, it.counters.lines, it.counters.matched) == (1, 2, 1)


def test_a_backlog_of_another_zone_is_as_old_as_it_is_without_the_difference() -> None:
    it = matcher(RULE)
    it.set_ahead(3_600.0)
    assert find(it, stamped(BAD, -2_999), live=False) is None
    failure = find(it, stamped(BAD, -3_600 + 500), live=False)
    assert failure is not None
    assert failure.at == NOW - 500
    assert it.counters.steps == 4


def test_future_is_now() -> None:
    failure = find(matcher(RULE), stamped(BAD, -3600), live=False)
    assert failure is not None
    assert failure.at == NOW


def test_undated_line_counts_as_the_last_dated_one_if_that_is_fresh() -> None:
    it = matcher("bad <HOST>")
    find(it, stamped("x", 30))
    first = find(it, "bad 192.0.2.1")
    find(it, stamped("x", 59))
    later = it.match("bad 192.0.2.1", Instant(NOW + 2))
    assert first is not None
    assert first.at == NOW - 30
    assert later is not None
    assert later.at == NOW + 2
    assert it.counters.undated == 2


def test_undated_line_counts_for_nothing_while_catching_up() -> None:
    it = matcher("bad <HOST>")
    assert find(it, "bad 192.0.2.1", live=False) is None
    report = it.trace("bad 192.0.2.1", NOW, live=False)
    assert (report.state, report.undated, report.at) == ("missed", True, None)
    find(it, stamped("x", 30), live=False)
    assert find(it, "bad 192.0.2.1", live=False) is not None


def test_line_of_a_filter_without_dates_counts_as_now() -> None:
    it = matcher("^bad <HOST>", datepattern="{NONE}")
    for live in (True, False):
        failure = find(it, "bad 192.0.2.1", live=live)
        assert failure is not None
        assert failure.at == NOW
    assert it.counters.undated == 0
    assert not it.trace("bad 192.0.2.1", NOW).undated


def test_journal_brings_its_own_time() -> None:
    it = matcher("^Nov 22 bad <HOST>")
    failure = find(it, "Nov 22 bad 192.0.2.1", at=Instant(NOW - 7))
    assert failure is not None
    assert failure.at == NOW - 7
    undated = matcher("bad <HOST>")
    find(undated, "x", at=Instant(NOW - 7))
    failure = find(undated, "bad 192.0.2.1")
    assert failure is not None
    assert failure.at == NOW - 7


def test_zone_of_the_log_counts_where_lines_name_none() -> None:
    line = "2026-11-22 13:00:00 bad 192.0.2.1"
    report = matcher(RULE, logtimezone="UTC+0100").trace(line, NOW)
    assert report.at == NOW
    assert report.date == "2026-11-22 13:00:00"
    assert report.template.startswith("{^LN-BEG}ExYear")
    assert report.text == " bad 192.0.2.1\n"


def test_tool_sees_old_lines_as_they_are() -> None:
    it = matcher(RULE)
    report = it.trace(stamped(BAD, 86_400), NOW)
    assert (report.state, report.at) == ("failure", NOW - 86_400)
    assert it.trace(stamped(BAD, 86_400), NOW, live=False).state == "missed"
    assert it.trace(BAD, NOW, Instant(NOW - 5)).at == NOW - 5


def test_line_that_misses_says_so() -> None:
    assert matcher(RULE).trace("nothing", NOW) == LineReport(
        line="nothing", state="missed", text="nothing\n", at=NOW, undated=True
    )


# -- wrong settings, hostile lines ---------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"failregex": "no subject"},
        {"failregex": "<HOST>", "ignoreregex": ["("]},
        {"failregex": "<HOST>", "prefregex": "("},
        {"failregex": "<HOST>", "datepattern": "%Q"},
        {"failregex": "<HOST>", "logtimezone": "Nowhere"},
    ],
)
def test_wrong_filter_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        matcher(**options)


def test_place_of_a_wrong_regex_is_told() -> None:
    settings = FilterSettings("x", failregex=(Regex("(", Place("/etc/f.conf", 9)),))
    with pytest.raises(ConfigError) as refused:
        Matcher("x", settings, FINDTIME)
    assert refused.value.where == "/etc/f.conf:9"


HOSTILE = matcher(
    [
        r"^ bad <F-USER>.*</F-USER> from <HOST>(?: port <F-PORT/>)?",
        r"<F-ID>\S*</F-ID>x",
        *SESSION,
    ],
    prefregex=r"^ ?(?:app\[<F-MLFID>.*</F-MLFID>\])?<F-CONTENT>.*</F-CONTENT>",
)
MANY_LINES = matcher(r"a<SKIPLINES>(?:b|<HOST>|<F-ID/>)", maxlines=5)


@given(
    st.lists(
        st.one_of(
            st.text(max_size=40),
            st.sampled_from(
                ["Nov 22 12:00:00", " bad ", "from ", "192.0.2.1", "::ffff:", "a", "\0"]
            ),
            st.sampled_from(["app[1]", "Feb 30 99:99:99", "hello", "closed", "@" + "f" * 24, "x"]),
        ),
        max_size=6,
    ).map("".join),
    st.sampled_from([True, False]),
)
def test_hostile_lines_never_raise(line: str, live: bool) -> None:
    for it in (HOSTILE, MANY_LINES):
        it.match(line, NOW, live=live)
        it.trace(line, NOW)


def test_huge_line_is_only_a_line() -> None:
    it = matcher(r"^ bad <F-USER>.*</F-USER> from <HOST>$")
    failure = it.match(stamped("bad " + "x" * 65_000 + " from 192.0.2.1"), NOW)
    assert failure is not None
    assert len(str(failure.tags["user"])) == 1024
    assert len(failure.evidence[0].text) == 2048
