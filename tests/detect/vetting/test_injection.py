"""A filter that an attacker can turn is found out, with a line that turns it."""

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings

from banish.detect.matcher import Matcher
from banish.detect.vetting.forgery import FORGED, IN_V6, TRUE
from banish.detect.vetting.frame import frame
from banish.detect.vetting.injection import InjectionFinding, examine_injection, vet_injection
from banish.detect.vetting.reading import Reader
from banish.detect.vetting.runaway import vet_runtime
from banish.errors import ConfigError
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, Place
from tests.detect.vetting.rules import filter_of, regexes

NOW = Instant(1_800_000_000)


def only(filters: FilterSettings) -> InjectionFinding:
    (finding,) = vet_injection(filters)
    return finding


def named(filters: FilterSettings, line: str) -> str:
    """Return whom *line* counts against where the jail takes what the regex takes."""
    filters = msgspec.structs.replace(filters, ambiguous="report")
    failure = Matcher("test", filters, Seconds(600)).match(line, NOW, at=NOW)
    return failure.subject.text if failure else ""


SAFE = [
    r"^login of \S+ from <HOST>$",
    r"^login of .* from <HOST>$",
    r"^login of .* from <ADDR> port \d+$",
    r'^user "[^"]*" from <HOST>: .*$',
    r"^user '<F-USER>[^']*</F-USER>' from <HOST>: .*$",
    r"^user '<F-USER>\S+</F-USER>' from <HOST>$",
    r"^client <HOST>: .*$",
    r"^<HOST> - .* \"GET .*\" 401$",
    r"^failed \w+ for (?!.* from .* from ).* from <HOST>(?: .*)?$",
    r"^no address here, <F-ID>\d+</F-ID>$",
    r"^id <F-ID>[^:]+</F-ID>: .*$",
    r"^all there is: .*$<F-MLFID></F-MLFID>",
    r"^banned <SUBNET>$",
    r"client=<HOST>$",
]


@pytest.mark.parametrize("regex", SAFE)
def test_a_regex_with_one_reading_is_let_be(regex: str) -> None:
    assert vet_injection(filter_of(regex)) == []


UNSAFE = [
    (r"^login of .*? from <HOST>", "before"),
    (r"^login of .*? from <HOST>(?:: .*)?$", "before"),
    (r"^login of .* from <HOST> failed: .*$", "after"),
    (r"^login of .* from <HOST>:.*$", "after"),
    (r"^.*client=<ADDR>,.*$", "after"),
    (r"client=<HOST>, ", "start"),
    (r"^login of .* from <HOST>", "end"),
    (r"^login of <F-USER>\S+</F-USER> from <HOST>(?: .*)?$", "name"),
    (r"^bad user (?:<F-USER>\S+|\w+ \w+</F-USER>) from <HOST>", "name"),
    (r"^(?:\[x\] )?(?:login|try)(?: of .*?)? from <ADDR>(?:, .*)?$", "before"),
    (r"^peer .*?\[<IP4>\].*$", "before"),
    (r"^peer .*? \(<F-IP4/>\).*$", "before"),
    (r"^named .*? by <DNS>: .*$", "before"),
    (r"^id .*? is <F-ID>[^ ]+</F-ID> .*$", "before"),
    (r"^id .*? is <F-ID/> .*$", "before"),
]


@pytest.mark.parametrize(("regex", "gap"), UNSAFE)
def test_a_regex_with_two_readings_is_found_out(regex: str, gap: str) -> None:
    filters = filter_of(regex)
    finding = only(filters)
    assert finding.gap == gap
    assert finding.rule == finding.written_by == 1
    assert finding.place == Place("t.conf", 10)
    assert finding.true in finding.line
    assert finding.attack in finding.line
    assert FORGED in finding.captured
    assert FORGED in named(filters, finding.line)
    assert finding.what.startswith("an attacker who writes ")
    assert finding.cure


def test_addresses_of_the_newer_kind_are_forged_too() -> None:
    finding = only(filter_of(r"^login of .*? from <IP6>(?: .*)?$"))
    assert finding.true == IN_V6[TRUE]
    assert finding.captured == IN_V6[FORGED]


def test_the_cure_cures() -> None:
    bad = r"^login of <F-USER>.*?</F-USER> from <HOST>(?:, .*)?$"
    assert vet_injection(filter_of(bad))
    assert not vet_injection(filter_of(bad.replace(".*?", ".*").replace("(?:, .*)?", "")))


def test_an_earlier_rule_that_steals_the_line_is_the_one_to_blame() -> None:
    thief, robbed = r"^auth .* dropped <HOST>$", r"^auth \S+ <HOST> .*$"
    assert vet_injection(filter_of(thief)) == vet_injection(filter_of(robbed)) == []
    finding = only(filter_of(thief, robbed))
    assert (finding.rule, finding.written_by) == (1, 2)
    assert "the lines of the others" in finding.cure
    assert only(filter_of(robbed, thief)).rule == 1


def test_a_rule_behind_a_prefregex_is_vetted_in_whole_lines() -> None:
    filters = filter_of(
        r"^login of .*? from <HOST>(?: .*)?$",
        prefregex=r"^(?:\S+ )?app\[\d+\]: <F-CONTENT>.+</F-CONTENT>$",
    )
    finding = only(filters)
    assert finding.line.startswith("app[1]: login of ")
    assert FORGED in named(filters, finding.line)


def test_a_prefregex_with_the_address_is_vetted() -> None:
    filters = filter_of(
        r"^denied$",
        prefregex=r"^.*?client <HOST>.*?: <F-CONTENT>.+</F-CONTENT>$",
    )
    assert only(filters).gap in ("before", "after", "start")
    safe = filter_of(r"^denied$", prefregex=r"^client <HOST>: <F-CONTENT>.+</F-CONTENT>$")
    assert vet_injection(safe) == []


def test_a_prefregex_that_only_lets_through_is_vetted_with() -> None:
    assert only(filter_of(r"of .*? from <HOST> x", prefregex="^login ")).rule == 1


def test_a_word_that_the_prefregex_prescribes_is_written() -> None:
    examined = examine_injection(
        filter_of(
            r"^\S+ failed: .* from <ADDR>$",
            prefregex=r"^<F-CONTENT>auth\(\w+\) failed: .{1,200}</F-CONTENT>$",
        )
    )
    assert examined == ([], ())


def test_what_begins_a_word_after_a_gap_is_written() -> None:
    examined = examine_injection(filter_of(r'^<HOST> "[^"]*\bBot/[^"]*"$'))
    assert examined == ([], ())


def test_a_rule_for_which_no_line_can_be_written_is_told_of() -> None:
    examined = examine_injection(filter_of(r"^(?=login 7).*<HOST>$", r"^x <HOST>$"))
    assert examined.unvetted == (1,)
    named_again = examine_injection(filter_of(r"^<HOST>(?: is (?P=dns))?$"))
    assert named_again == ([], (1,))
    assert frame(Reader(filter_of("^<F-MLFID>x</F-MLFID> <F-USER>.*</F-USER>$")), 1) is None


def test_lines_without_the_address_are_left_aside() -> None:
    assert only(filter_of(r"^login(?: of .*? from <HOST>)?(?:, .*)?$")).gap == "before"


def test_a_line_that_the_prefregex_stops_harms_nobody() -> None:
    turned = r"^login of <F-USER>\S+</F-USER> from <HOST>(?: .*)?$"
    stopped = filter_of(turned, prefregex=r"^<F-CONTENT>\w+ of \w+ from \S+</F-CONTENT>$")
    assert vet_injection(filter_of(turned))
    assert vet_injection(stopped) == []


def test_lines_of_several_lines_are_proven_line_by_line() -> None:
    filters = filter_of(
        r"^start of .*? from <HOST>(?: .*)?<SKIPLINES>^end$",
        maxlines=3,
    )
    finding = only(filters)
    assert "\n" in finding.line
    assert "\n" not in finding.attack
    assert vet_injection(filter_of(r"^of <HOST>$<SKIPLINES>^end$", maxlines=3)) == []


def test_a_line_that_only_forgets_a_session_harms_nobody() -> None:
    session = "^<F-MLFID>x\\d+</F-MLFID>: "
    gain = f"{session}<F-MLFFORGET><F-NOFAIL>in</F-NOFAIL></F-MLFFORGET> .*? from <HOST> .*$"
    tell = f"{session}<F-NOFAIL>hello</F-NOFAIL> .*? from <HOST> .*$"
    fail = f"{session}failed$"
    assert vet_injection(filter_of(gain, fail)) == []
    assert only(filter_of(tell, fail)).rule == 1


def test_an_ignored_line_harms_nobody() -> None:
    filters = filter_of(r"^login of .*? from <HOST> .*$")
    ignoring = FilterSettings(
        "test", filters.failregex, ignoreregex=filter_of(r"203\.0\.113\.66").failregex
    )
    assert vet_injection(filters)
    assert vet_injection(ignoring) == []


def test_names_are_bounded_only_by_what_closes_them() -> None:
    quoted = r"^user '<F-USER>\S+</F-USER>' at <HOST>(?: .*)?$"
    spaced = r"^user <F-USER>\S+</F-USER> at <HOST>(?: .*)?$"
    assert vet_injection(filter_of(quoted)) == []
    assert only(filter_of(spaced)).gap == "name"


def test_a_filter_that_is_wrong_is_refused() -> None:
    with pytest.raises(ConfigError):
        vet_injection(filter_of(r"^(<HOST>"))


@given(regexes, regexes)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_compiles_is_vetted_and_every_finding_holds(before: str, after: str) -> None:
    filters = filter_of(f"{before}<HOST>{after}")
    try:
        # Time doubles with each character there: `banish.config.vetting` has a limit for it.
        assume(all(pump.ways for pump in vet_runtime(filters)))
        found = vet_injection(filters)
    except ConfigError:
        assume(False)
        return
    for finding in found:
        assert FORGED in named(filters, finding.line)
        assert TRUE in finding.line
