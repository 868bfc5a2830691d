"""A rule that is known to be wrong is known by its own text, wherever it stands."""

import pytest

from banish.detect import mendedrules
from banish.detect.matcher import Matcher
from banish.detect.mended import (
    DIGEST_CHARACTERS,
    digest,
    head_digest,
    mended,
    mended_ignore,
    mended_prefix,
)
from banish.detect.pattern import compile_pattern
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, OnAmbiguous, Regex

NOW = Instant(1_800_000_000)
TRUE = "192.0.2.1"
VICTIM = "203.0.113.66"
FRONTS = (
    "",
    r"^x (?:\[ID \d+ \S+\]\s+)?",
    r"^\s*(?:kernel:\s?\[ *\d+\.\d+\]:?\s+)?",
    r"^(?:kernel:\s?\[ *\d+\.\d+\]:?\s+)?(?:x\s+)?(?:\[ID \d+ \S+\]\s+)?",
    r"""^\s*x \d+ \S+ (?:[^\[\]\s]+|(?:\[(?:[^\]"]*|"[^"]*")*\])+)\s+""",
)
"""What ``common.conf`` puts before a message: in files, in the journal, in RFC 5424."""


def counted(settings: FilterSettings, line: str) -> list[str]:
    failure = Matcher("j", settings, Seconds(600)).match(line, NOW, at=NOW)
    return [failure.subject.text] if failure else []


@pytest.mark.parametrize("front", FRONTS)
def test_a_rule_is_known_behind_any_prefix(monkeypatch: pytest.MonkeyPatch, front: str) -> None:
    regex = r"bad (?:\S+|.*?) by <HOST>(?: for .*)?$"
    monkeypatch.setitem(mendedrules.FAILREGEXES, digest(regex), r"bad .* by <HOST>$")
    assert mended(Regex(front + regex)).text == front + r"bad .* by <HOST>$"
    assert digest(front + regex) == digest(regex)
    assert len(digest(regex)) == DIGEST_CHARACTERS


def test_a_rule_that_is_not_known_is_searched_as_it_is() -> None:
    plain = Regex("^x <HOST>")
    assert mended(plain) is plain
    assert mended_ignore(plain) is plain
    assert mended_prefix(plain) is plain
    assert digest("x") == "2d711642b726b044"


@pytest.mark.parametrize(
    ("ambiguous", "expected"), [("safe", TRUE), ("report", VICTIM), ("last", TRUE)]
)
def test_a_mended_rule_is_believed_and_used_by_default_only(
    monkeypatch: pytest.MonkeyPatch, ambiguous: OnAmbiguous, expected: str
) -> None:
    regex = r"^bad (?:\S+|.*?) by <HOST>(?: for .*)?$"
    monkeypatch.setitem(mendedrules.FAILREGEXES, digest(regex), r"^bad .* by <HOST>$")
    settings = FilterSettings("test", (Regex(regex),), ambiguous=ambiguous)
    assert counted(settings, f"bad x by {VICTIM} for y by {TRUE}") == [expected]


def test_what_an_operator_sets_in_a_rule_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    head = "^no '[^']*' at <HOST>, "
    edits = (("'[^']*'", "'.*'"), ("$", r"\s*$"))
    monkeypatch.setitem(mendedrules.BY_HEAD, (len(head), head_digest(head, len(head))), edits)
    for page in ("login", "admin"):
        settings = FilterSettings("test", (Regex(f"{head}{page}$"),))
        assert counted(settings, f"no 'it's' at {TRUE}, {page} ") == [TRUE]
        assert counted(settings, f"no 'it's' at {TRUE}, x") == []


def test_a_rule_that_lacks_a_piece_to_be_replaced_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head = "^no '[^']*' at <HOST>, "
    monkeypatch.setitem(
        mendedrules.BY_HEAD, (len(head), head_digest(head, len(head))), (("login", "x"),)
    )
    regex = Regex(f"{head}admin")
    assert mended(regex) is regex


def test_a_prefregex_and_an_ignoreregex_are_mended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    front, ignored = "^(?:[^:]+: )?<F-CONTENT>.+</F-CONTENT>$", "harmless"
    monkeypatch.setitem(mendedrules.PREFREGEXES, digest(front), (("[^:]", "[^:']"),))
    monkeypatch.setitem(mendedrules.IGNOREREGEXES, digest(ignored), "harmless$")
    settings = FilterSettings(
        "test",
        (Regex("^no '.*' at <HOST>"),),
        prefregex=Regex(front),
        ignoreregex=(Regex(ignored),),
    )
    assert counted(settings, f"x: no 'a: b' at {TRUE}") == [TRUE]
    assert counted(settings, f"no 'a: harmless' at {TRUE}") == [TRUE]
    assert counted(settings, f"no 'a' at {TRUE}, harmless") == []


def test_every_mended_rule_compiles() -> None:
    for right in mendedrules.FAILREGEXES.values():
        assert not isinstance(right, str) or compile_pattern(Regex(right)).names_subject
    for right in mendedrules.IGNOREREGEXES.values():
        assert isinstance(right, str)
        compile_pattern(Regex(right), option="ignoreregex")


def test_a_line_that_two_clients_could_cause_counts_against_none_and_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    regex = r"^bad (?:\S+|.*?) by <HOST>(?: for .*)?$"
    right = r"^bad (?P<mended_either>(?=.* by .* by ))?.* by <HOST>(?: for .*)?$"
    monkeypatch.setitem(mendedrules.FAILREGEXES, digest(regex), right)
    matcher = Matcher("j", FilterSettings("test", (Regex(regex),)), Seconds(600))
    report = matcher.trace(f"bad x by {VICTIM} by {TRUE}", NOW, NOW)
    assert (report.state, set(report.readings)) == ("unusable", {TRUE, VICTIM})
    report = matcher.trace(f"bad x by {TRUE}", NOW, NOW)
    assert (report.state, report.host, report.readings) == ("failure", TRUE, ())
    assert "mended_either" not in report.tags
