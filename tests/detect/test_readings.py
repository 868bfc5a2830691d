"""Of two addresses in a line the one that only the service can have written is trusted."""

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from banish.detect.matcher import Matcher
from banish.detect.pattern import compile_pattern
from banish.detect.readings import ADDRESSES_LIMIT, Settled
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, Regex

NOW = Instant(1_800_000_000)
TRUE = "192.0.2.1"
VICTIM = "203.0.113.66"
NOBODY = ""


def matcher_of(*regexes: str, prefregex: str = "", maxlines: int = 1) -> Matcher:
    first = Regex(prefregex) if prefregex else None
    rules = tuple(map(Regex, regexes))
    settings = FilterSettings("test", rules, prefregex=first, maxlines=maxlines)
    return Matcher("j", settings, Seconds(600))


def named(matcher: Matcher, *lines: str) -> list[str]:
    failures = [matcher.match(line, NOW, at=NOW) for line in lines]
    return [failure.subject.text for failure in failures if failure]


CASES = [
    # The name stands before the address, and fixed text behind it: the last address.
    (r"^failed for .* from <HOST>$", "failed for x from {V} from {A}", TRUE),
    (r"^failed for .*? from <HOST>(?: port \d+)?$", "failed for x from {V} port 1 from {A}", TRUE),
    (r"^failed for '[^']*' from <HOST>", "failed for 'x from {V}' from {A}", TRUE),
    (r"^failed for .* from <HOST>$", "failed for x from [2001:db8::66] from [{A}]", TRUE),
    (r"^failed for .* from <HOST>$", "failed for x from {V} from ::ffff:{A}", TRUE),
    (r"^failed for .*? from <HOST>(?: port \d+)?$", "failed for x from a.example from {A}", TRUE),
    # An optional word of the tail takes the true address only if that were a word of a client.
    (
        r"^by user <F-USER>\S+|.*?</F-USER> <HOST>(?: (?:port \d+|on \S+)){0,3}$",
        "by user x {V} on {A} port 5",
        TRUE,
    ),
    (
        r"^by user (?:\S+|.*?) <HOST>(?: (?:port \d+|on \S+)){0,3}$",
        "by user x {V} port 1 on {A}",
        TRUE,
    ),
    # The name stands behind the address: the first one.
    (r"^client=<HOST> user=.*$", "client={A} user=x client={V} user=y", TRUE),
    (r"^\[\S+:error\] \[client <HOST>\] no .*$", "[a:error] [client {A}] no [client {V}] x", TRUE),
    (r"^rip=<ADDR>[^>]*$", "rip={A}, lip={V}, session", TRUE),
    # The server's own address stands in a field of another name, which no rule reads.
    (
        r"^from(?: [A-Za-z]{1,3})* (?:H=)?[\w.]* ?\[<ADDR>\](?::\d+)?(?: \w+=\S+)* refused$",
        "from H=a.example [{A}]:25 I=[{V}]:25 refused",
        TRUE,
    ),
    (r"^bad: \S* ?\[<ADDR>\] \S+ refused$", "bad: x [{V}] y ip=[{A}] z refused", NOBODY),
    # An address before a colon is one, too.
    (r"failed from <HOST>: ", "x failed from {V}: failed from 2001:db8::1: no", NOBODY),
    (r"failed from <HOST>: ", "x failed from {V}: failed from ::ffff:{A}: no", NOBODY),
    (r"failed from <HOST>: ", "x failed from {V}: failed from 2001:db8:1:1:1:1:1:1: no", NOBODY),
    # The regex matches at two places: the text before the first may be a client's, too.
    (r"login failed from <HOST>", "app: user x login failed from {V} y login failed from {A}", ""),
    (r"login failed from <HOST>", "app: login failed from {A} for x login failed from {V}", NOBODY),
    (r"^.*login failed from <HOST>", "app: x login failed from {V} y login failed from {A}", ""),
    (r"login failed from <HOST>.*$", "app: x login failed from {V} login failed from {A}: z", ""),
    (r"login failed from <HOST>$", "app: user x login failed from {V} login failed from {A}", TRUE),
    (r"login failed from <HOST>", "app: user {V} login failed from {A}", TRUE),
    (r"login failed from <HOST>", "app: login failed from {A} for {V}", TRUE),
    (
        r"^.*?Password is incorrect\. IP: <ADDR>\. Username:.*$",
        "[1] Password is incorrect. IP: {A}. Username: Password is incorrect. IP: {V}. Username: x",
        NOBODY,
    ),
    # Nothing tells who wrote which: nobody.
    (r"^login of .*? from <ADDR>(?: .*)?$", "login of x from {V} from {A}", NOBODY),
    (r"^login of .*? from <ADDR>", "login of x from {V} from {A}", NOBODY),
    (r"^login of .* from <ADDR>", "login of x from {A} said x from {V}", NOBODY),
    (r"^.* from <HOST>", "login of x from {V} from {A}", NOBODY),
    (r"^user \S+ from <HOST>", "user x from {V} from {A}", NOBODY),
    (r"^user <F-USER>[^\s:]+</F-USER> at <HOST>", "user x at {A}: x at {V}", TRUE),
    (r"^user <F-USER>\S+</F-USER> at <HOST>", "user x at {V} at {A}", NOBODY),
    (r"^user <F-USER>\w+</F-USER> at <HOST>", "user x at {V} at {A}", NOBODY),
    (
        r"^failed for \S+ from <HOST> p",
        "failed for x from 2001:db8::66 p from ::ffff:{A} p",
        NOBODY,
    ),
    (r"^pam\(\S*,<HOST>\): unknown user", "pam(x,{V}): unknown user y,{A}): unknown user", NOBODY),
    (r"^for (?:(?! from ).)* from <HOST>", "for x from {V} port 1: y from {A} port 2", NOBODY),
    (r"^for .*? from <HOST>(?: port \d+)?", "for x from victim.example from {A} port 3", NOBODY),
    (r"rhost=<HOST>(?:\s+user=.*)?$", "ruser= rhost={A} user=y rhost={V}", NOBODY),
    (r'^e,from="<HOST>"(?:,(?!from)\w+="[^"]*")*$', 'e,from="{A}",user="x"', TRUE),
    (
        r'^e(?:,(?!from)\w+="[^"]*"|.*?),from="<HOST>"(?:,(?!from)\w+="[^"]*")*$',
        'e,from="{A}",user="x",from="{V}"',
        NOBODY,
    ),
    (r"^from <ADDR> or .*$", "from {A} or x from {V} y", TRUE),
]


@pytest.mark.parametrize(("regex", "line", "expected"), CASES)
def test_the_service_s_own_address_counts_or_nobody_s(regex: str, line: str, expected: str) -> None:
    matcher = matcher_of(regex)
    found = named(matcher, line.format(V=VICTIM, A=TRUE))
    assert found == ([expected] if expected else [])
    assert named(matcher_of(regex), line.format(V=TRUE, A=TRUE)) in ([TRUE], [])


def test_the_last_of_many_addresses_is_looked_at() -> None:
    name = " ".join([f"x from {VICTIM}"] * (2 * ADDRESSES_LIMIT + 3))
    regex = r"^failed for .*? from <HOST>(?: on \S+| x)*$"
    assert named(matcher_of(regex), f"failed for {name[:300]} on from {TRUE}") == [TRUE]
    assert named(matcher_of(regex), f"failed for {name} on from {TRUE}") == [TRUE]
    assert named(matcher_of(regex.rstrip("$")), f"failed for {name} from {TRUE}") == []


def test_an_address_of_the_prefregex_has_two_readings_too() -> None:
    first = r"^<\d+:[^>]+> rejected from <HOST>: <F-CONTENT>.+</F-CONTENT>$"
    matcher = matcher_of("^wrong password", prefregex=first)
    honest = f"<1:x> rejected from {TRUE}: wrong password"
    hostile = f"<1:x> rejected from {VICTIM}: wrong password> rejected from {TRUE}: wrong password"
    assert named(matcher, honest, hostile) == [TRUE]
    assert matcher.counters.unusable == 1


SESSION = (
    r"^<F-MLFID>\[\d+\]</F-MLFID> bad name .* from <HOST>$",
    r"^<F-MLFID>\[\d+\]</F-MLFID> bad password for .*? from <HOST>(?: .*)?$",
    r"^<F-MLFID>\[\d+\]</F-MLFID> <F-NOFAIL>bye</F-NOFAIL> .*? <HOST>(?: .*)?$",
)


def test_in_a_session_the_line_that_is_sure_says_who_it_was() -> None:
    matcher = matcher_of(*SESSION)
    lines = [
        f"[1] bad name x from {VICTIM} from {TRUE}",
        f"[1] bad password for x from {VICTIM} from {TRUE}",
        f"[1] bye x {VICTIM} {TRUE}",
        f"[1] bad password for y from {TRUE}",
    ]
    assert named(matcher, *lines) == [TRUE] * 3


def test_a_failure_that_could_be_anybodys_waits_for_a_line_of_its_session() -> None:
    matcher = matcher_of(*SESSION)
    hostile = f"[1] bad password for x from {VICTIM} from {TRUE}"
    assert named(matcher, hostile) == []
    assert named(matcher, "[2] bad name z from 192.0.2.9") == ["192.0.2.9"]
    assert named(matcher, f"[1] bye x {TRUE}") == [TRUE]


def test_other_lines_of_a_buffer_are_no_other_readings() -> None:
    matcher = matcher_of(r"^bad .*? from <HOST>$", r"^no .*? by <HOST>(?: .*)?$", maxlines=3)
    lines = [f"bad x from {VICTIM}", "quiet", f"bad y from {TRUE}", f"bad {VICTIM} from {TRUE}"]
    assert named(matcher, *lines) == [VICTIM, TRUE, TRUE]
    assert named(matcher, f"no x by {VICTIM} by {TRUE}", "quiet", f"no y by {TRUE}") == [TRUE]
    crossing = matcher_of(r"^begin .*<SKIPLINES>end .*? by <HOST>(?: on \S+)?$", maxlines=3)
    assert named(crossing, f"begin {VICTIM}", f"end x by {VICTIM} on by {TRUE}") == [TRUE]
    assert named(crossing, "begin x", f"end x {VICTIM} by {TRUE} on by") == [TRUE]


def test_the_address_of_an_unusual_group_is_let_be() -> None:
    pattern = compile_pattern(Regex(r"^from (?P<ip4>[\d.]+) .*$"))
    found = pattern.search(f"from {TRUE} x from {VICTIM}")
    assert found is not None
    assert Settled(pattern).readings(found) is None
    pattern = compile_pattern(Regex(r"^(?:from <ADDR> )?x$"), elsewhere=frozenset({"fid"}))
    found = pattern.search("x")
    assert found is not None
    assert Settled(pattern).readings(found) is None


@given(st.text(max_size=60), st.text(max_size=60))
@example("\ua4d0", "")
@settings(max_examples=50, deadline=None)
def test_no_text_around_two_addresses_makes_it_fail(before: str, after: str) -> None:
    for regex, _, _ in CASES[::4]:
        line = f"failed for {before} from {VICTIM} {after} from {TRUE}".replace("\n", " ")
        assert set(named(matcher_of(regex), line)) <= {TRUE, VICTIM}


def test_a_report_says_which_addresses_a_line_could_name() -> None:
    matcher = matcher_of(r"^failed for .*? from <HOST>(?: port \d+| on \S+)*$")
    report = matcher.trace(f"failed for x from {VICTIM} on from {TRUE}", NOW, NOW)
    assert report.readings == ()
    matcher = matcher_of(r"^by user .*? <HOST>(?: on \S+)?$")
    report = matcher.trace(f"by user x {VICTIM} on {TRUE}", NOW, NOW)
    assert report.readings == (VICTIM, TRUE)
    assert report.host == TRUE
    assert matcher.trace(f"by user x {TRUE}", NOW, NOW).readings == ()


def test_what_a_jail_says_is_done_about_two_readings() -> None:
    line = f"login of x from {VICTIM} from {TRUE}"
    regex = (Regex(r"^login of .*? from <ADDR>(?: .*)?$"),)
    usual = FilterSettings("test", regex)
    assert usual.ambiguous == "safe"
    for choice, expected in (("report", [VICTIM]), ("last", [TRUE]), ("none", []), ("safe", [])):
        settings = msgspec.structs.replace(usual, ambiguous=choice)
        assert named(Matcher("j", settings, Seconds(600)), line) == expected


UNANCHORED = (
    r"login failed from <HOST>",
    r"login failed from <ADDR>",
    r"login failed from \[?<HOST>\]?",
    r"login failed.* from <HOST>",
    r"failed from <HOST>.*$",
    r"^.*login failed from <HOST>",
    r"^app: .*?login failed from <HOST>\b",
)
FORMS = (
    "{V}",
    "::ffff:{V}",
    "[{V}]",
    "2001:db8:66::66",
    "2001:db8:66:1:2:3:4:5",
    "victim.example.org",
)
TRUE_FORMS = (TRUE, f"::ffff:{TRUE}", "2001:db8::1", "2001:db8:0:1:2:3:4:5")
hostile = st.builds(
    "{}login failed from {}{}".format,
    st.sampled_from(["", "x ", "'x' ", "x: ", "] ", "192.0.2.1 "]) | st.text(max_size=8),
    st.sampled_from(FORMS),
    st.sampled_from(["", " ", " y", ": y", ", ", "'", "] ", " login failed"]) | st.text(max_size=8),
)


@given(
    regex=st.sampled_from(UNANCHORED),
    before=hostile | st.just("x"),
    after=hostile | st.just("x"),
    true=st.sampled_from(TRUE_FORMS),
    end=st.sampled_from([" ", ": ", " port 22 ", ", user "]),
)
@example(UNANCHORED[0], f"x login failed from {VICTIM} y", "", TRUE, " ")
@example(UNANCHORED[5], f"x login failed from {VICTIM} y", "", TRUE, " ")
@example(UNANCHORED[0], f"x login failed from {VICTIM}", f"z {VICTIM}", "2001:db8::1", ": ")
@settings(max_examples=150, deadline=None)
def test_no_text_beside_a_regex_without_anchors_bans_somebody_else(
    regex: str, before: str, after: str, true: str, end: str
) -> None:
    line = " ".join(f"app: user {before} login failed from {true}{end}{after}".splitlines())
    found = named(matcher_of(regex), line)
    assert set(found) <= {true.removeprefix("::ffff:")}
