"""One search finds what the date format, the prefregex and the failregex find step by step."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banish.config.load import filter_settings
from banish.config.search import builtin_tree
from banish.detect.datepattern import parse_datepattern
from banish.detect.fused import Fused, fuse
from banish.detect.matcher import Matcher
from banish.detect.pattern import Pattern, compile_pattern
from banish.detect.template import Template
from banish.model.instant import Seconds
from banish.model.settings import Regex

pytestmark = pytest.mark.slow

Found = tuple[str, dict[str, str | None], dict[str, str | None]]
"""The date's text, what its named groups hold, and what those of prefregex and failregex do."""


def step_by_step(
    template: Template, prefregex: Pattern | None, rule: Pattern, line: str
) -> Found | None:
    """Return what a matcher finds in *line*, if the law says anything of such a line."""
    date = template.search(line)
    if date is None or date.start(1) or not date[1] or not re.match(r"\w", line):
        return None
    text = line[date.end(1) :] + "\n"
    captured: dict[str, str | None] = {}
    if prefregex is not None:
        before = prefregex.search(text)
        if before is None:
            return None
        captured = before.groupdict()
        text = content + "\n" if (content := captured.pop("content", None)) else text
    found = rule.search(text)
    return found and (date[1], date.groupdict(), {**captured, **found.groupdict()})


def at_once(fused: Fused, line: str) -> Found | None:
    found = fused.match(line + "\n")
    if found is None:
        return None
    assert found[fused.never] is None
    dates, groups = (
        {name: found[group] for name, group in each.items()} for each in (fused.dates, fused.groups)
    )
    return found[fused.date], dates, groups


def template_of(datepattern: str) -> Template:
    return parse_datepattern(Regex(datepattern))[0]


def pattern_of(regex: str, **options: bool) -> Pattern:
    return compile_pattern(Regex(regex), **options)  # type: ignore[arg-type]


DAY = r"^%b %d %H:%M:%S"


def fused_of(rule: str, prefregex: str = "", datepattern: str = DAY) -> Fused | None:
    before = pattern_of(prefregex) if prefregex else None
    return fuse(template_of(datepattern), before, pattern_of(rule))


def matcher_of(spec: str, root: Path) -> Matcher:
    return Matcher("jail", filter_settings(spec, root, builtin_tree()), Seconds(600))


def fixed_templates(matcher: Matcher) -> list[Template]:
    return [each for _, _, each in matcher.dates.standing() if each.is_fixed]


SPECS = (
    "sshd[mode=aggressive, publickey=any]",
    "sshd[mode=extra, unknown=connection]",
    "pam-generic",
    "recidive",
)


def samples(spec: str) -> list[str]:
    log = builtin_tree() / "filter.d" / "samples" / f"{spec.partition('[')[0]}.log"
    return [line for line in log.read_text("utf-8").splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("spec", SPECS)
def test_every_rule_of_our_own_filters_is_fused_and_finds_the_same(
    spec: str, tmp_path: Path
) -> None:
    matcher = matcher_of(spec, tmp_path)
    lines = samples(spec)
    matches = 0
    for template in fixed_templates(matcher):
        if not any(map(template.search, lines)):
            continue
        for rule in matcher.rules:
            fused = fuse(template, matcher.prefregex, rule)
            undated = fuse(None, matcher.prefregex, rule)
            assert fused is not None, rule.expanded
            assert undated is not None, rule.expanded
            for line in lines:
                found = at_once(fused, line)
                steps = step_by_step(template, matcher.prefregex, rule, line)
                assert found == steps
                matches += found is not None
                date = template.search(line) if re.match(r"\w", line) else None
                if date is not None and not date.start(1):
                    # As it comes from a source that knows the time.
                    rest = at_once(undated, line[date.end(1) :])
                    assert (rest and rest[2]) == (steps and steps[2])
    assert matches > 5


# Rules that choose between two readings of a name, and ask at the end which it was.
PREFREGEX = (
    r"^ (?:\S+ )?<F-MLFID>sshd(?:-session)?\[\d+\]</F-MLFID>:\s+"
    r"(?P<is_error>(?i:error|fatal): )?<F-CONTENT>.+</F-CONTENT>$"
)
RULES = (
    (
        r"^Failed \w+\b for (?P<strange>invalid user )?"
        r"<F-USER>(?P<plain>\w+)|(?(strange).*?|[^:]*)</F-USER> from <HOST>(?(plain) port \d+|.*$)"
    ),
    r"^(?i:invalid user )<F-USER>.*?</F-USER> from <HOST>(?: port \d+)?\s*$",
    (
        r"^<F-NOFAIL><F-MLFFORGET>(Closed|Ended)</F-MLFFORGET></F-NOFAIL> by"
        r"(?: user <F-USER>\S+|.*?</F-USER>)? <HOST>(?:(?: (?:port \d+|\[preauth\])){0,2}\s*|\W*)$"
    ),
)
LINES = (
    "Nov 22 21:00:01 gate sshd[2107]: Failed password for alice from 198.51.100.7 port 49189 ssh2",
    "Nov  2 1:00:01 gate sshd[2107]: Failed none for invalid user a b from 2001:db8::7 port 1 ssh2",
    "Nov 22 21:00:01 sshd[1]: error: Failed x for root from ::ffff:192.0.2.1 port 3: RSA",
    "Nov 22 21:00:01 gate sshd-session[1]: Invalid user from from 192.0.2.9 from db8:: port 22 ",
    "Nov 22 21:00:01 sshd[9]: Closed by user \u00e9 192.0.2.1 [preauth]",
    "NOV 22 21:00:01.5 gate sshd[9]: FATAL: Ended by user x y h.example port 3",
)
ODD = (
    "",
    " ",
    "\t",
    "\x85",
    "\u2028",
    "\xa0",
    "::",
    "é",
    "İ",
    " from ",
    "Nov 22 21:00:01",
    "<",
    "_",
)
PIECES = sorted({piece for line in LINES for piece in re.findall(r"\w+|\W+", line)})


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """Give a line made of pieces of real ones."""
    parts = re.findall(r"\w+|\W+", draw(st.sampled_from(LINES)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(parts) - 1))
        match draw(st.sampled_from(("cut", "drop", "double", "case", "put"))):
            case "cut":
                parts = parts[: place + 1]
            case "drop":
                parts[place] = ""
            case "double":
                parts[place] *= 2
            case "case":
                parts[place] = parts[place].swapcase()
            case _:
                parts.insert(place, draw(st.sampled_from((*ODD, *PIECES))))
    return "".join(parts)


DEFAULT_DATES = tuple(each for each in parse_datepattern(None) if each.is_fixed)

Both = tuple[Template, Pattern | None, Pattern, Fused]
"""One way, and the other."""


def both(template: Template, prefregex: Pattern | None, rule: Pattern) -> Both:
    fused = fuse(template, prefregex, rule)
    assert fused is not None
    return template, prefregex, rule, fused


@pytest.fixture(scope="module")
def conditional() -> list[Both]:
    prefregex, rules = pattern_of(PREFREGEX), [pattern_of(regex) for regex in RULES]
    templates = DEFAULT_DATES[1], template_of(DAY + r"(?:\.%f)?")
    return [both(template, prefregex, rule) for template in templates for rule in rules]


@settings(max_examples=500, deadline=None)
@given(line=mangled())
def test_a_mangled_line_is_read_by_conditional_rules_as_step_by_step(
    conditional: list[Both], line: str
) -> None:
    for template, prefregex, rule, fused in conditional:
        assert at_once(fused, line) == step_by_step(template, prefregex, rule, line)


def test_conditional_rules_find_what_they_are_for(conditional: list[Both]) -> None:
    rules = [fused for *_, fused in conditional[: len(RULES)]]
    found = [[at_once(fused, line) for fused in rules] for line in LINES]
    assert [sum(map(bool, each)) for each in found] == [1] * len(LINES)
    first = found[0][0]
    assert first
    assert first[0] == "Nov 22 21:00:01"
    assert first[2]["mlfid"] == "sshd[2107]"
    assert (first[2]["user"], first[2]["ip4"], first[2]["ip6"]) == ("alice", "198.51.100.7", None)
    assert (first[2]["plain"], first[2]["strange"], first[2]["is_error"]) == ("alice", None, None)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> list[Both]:
    matcher = matcher_of("sshd[mode=aggressive]", tmp_path_factory.mktemp("root"))
    template = fixed_templates(matcher)[0]
    return [both(template, matcher.prefregex, rule) for rule in matcher.rules]


@settings(max_examples=300, deadline=None)
@given(line=mangled())
def test_a_mangled_line_is_read_by_our_own_rules_as_step_by_step(
    own: list[Both], line: str
) -> None:
    for template, prefregex, rule, fused in own:
        assert at_once(fused, line) == step_by_step(template, prefregex, rule, line)


ATOMS = (
    "a", "b", "ab", ".", r"\s", r"\S", r"\w", r"\W", "[^a]", "(a)", "(b|ab)", "(?i:A)", "(?:a|ab)",
    "", "", "", "",
)  # fmt: skip
CONDITIONS = (
    r"\b", r"\B", "$", "^", r"\Z", "(?=b)", "(?!a)", "(?<=a)", "(?<!b)", r"(?<=\ba)", r"(?!\s)",
    "(?<=6)", "(?<=.b)", "(?<!6a)",
)  # fmt: skip
SUFFIXES = ("", "", "", "*", "+", "?", "*?", "{1,2}", "++")
TEXTS = [
    *("".join(each) for size in range(5) for each in itertools.product("ab ", repeat=size)),
    *("A", " a\x85", "\u2028", "aB a", "ababab", "a" * 9, " \u00e9b"),
]


@st.composite
def regexes(draw: st.DrawFn, name: str, *, depth: int = 1) -> str:
    """Give a small regex, with a group *name* that another may ask for."""
    names = (f"{name}{number}" for number in range(9))

    def piece() -> str:
        atom = draw(st.sampled_from(ATOMS))
        if depth and draw(st.integers(0, 5)) == 0:
            atom = draw(regexes(next(names), depth=depth - 1))
        if draw(st.integers(0, 3)) == 0:
            atom = f"{draw(st.sampled_from(CONDITIONS))}{atom}"
        return f"(?:{atom}){draw(st.sampled_from(SUFFIXES))}"

    text = piece() if draw(st.booleans()) else ""
    match draw(st.integers(0, 5)):
        case 0:
            return f"{text}(?P<{name}>{piece()})?{piece()}(?({name}){piece()}|{piece()})"
        case 1:
            return f"{text}(?P<{name}>{piece()}){piece()}(?P={name})"
        case 2:
            return f"{text}|{piece()}"
        case _:
            return f"{text}(?P<{name}>{piece()})"


@st.composite
def prefixes(draw: st.DrawFn) -> str:
    match draw(st.integers(0, 3)):
        case 0:
            return ""
        case 1:
            return "^" + draw(regexes("p"))
        case _:
            end = draw(st.sampled_from((".+", ".+?", ".*", ".{1,3}", r"\S+", ".", "[^a]+")))
            begin = draw(st.sampled_from(("", "", "a?", "b")))
            front = draw(st.sampled_from(("", "a?", "b*", draw(regexes("p")))))
            return f"^{front}(?P<content>{begin}{end})$"


DATES = (
    *("{UNB}^%Y", "{UNB}^%Y", "{UNB}^%Y", "{^LN-BEG}%Y", r"^%Y\s*", r"{UNB}^%Y\s*"),
    *(r"{UNB}^%Y(?:\s*b)?", r"^(%Y\s?(?:\s*a)?)", "^(%Y)(?= )", "^(%Y)$", r"{UNB}^(%Y)(?!\s)"),
    *(r"{UNB}^%Y(?>\s*)(?:b|)", r"{UNB}^%Y(?:\s++b|a|)", r"{UNB}^%Y(?:\s|a)"),
    "{UNB}^(%Y)(?P<o>)(?(o)(?=.)|a)",
)


@settings(max_examples=800, deadline=None)
@given(st.sampled_from(DATES), prefixes(), st.sampled_from(("", "", "(?i)")), regexes("r"))
def test_small_regexes_find_at_once_what_they_find_step_by_step(
    datepattern: str, prefregex: str, flags: str, rule: str
) -> None:
    template = template_of(datepattern)
    before = pattern_of(flags + prefregex) if prefregex else None
    last = pattern_of(f"{flags}^{rule}")
    fused = fuse(template, before, last)
    if fused is None:
        return
    for text in TEXTS:
        line = "2026" + text
        assert at_once(fused, line) == step_by_step(template, before, last, line)


NOT_FUSED = {
    "the rule may begin anywhere": ("x from <HOST>$", "", DAY),
    "only one branch is bound": ("^x|y", "", DAY),
    "each branch is bound by itself": ("^x|^y", "", DAY),
    "a second beginning": ("^x(?:^y)?", "", DAY),
    "the text's beginning": (r"^(?!\A)x", "", DAY),
    "a flag for each line": ("(?m)^x", "", DAY),
    "a flag for all characters": ("(?s)^x.", "", DAY),
    "looks behind its beginning": ("^(?<! )x", "", DAY),
    "may look behind its beginning": ("^(?:ab)?(?<=.b)x", "", DAY),
    "looks behind in a condition": ("^(?!.(?<=.a))x", "", DAY),
    "looks behind at an end of a word": (r"^a(?<=\ba)x", "", DAY),
    "looks behind at a choice of a group": (r"^(?P<a>a)?aa(?<=(?(a)a|a))x", "", DAY),
    "looks behind in a branch": ("^(?:a|(?<=b)|c)x", "", DAY),
    "looks behind if so": ("^(?P<a>)(?(a)x|(?<=b))", "", DAY),
    "looks behind if not": ("^(?P<a>)(?(a)(?<=b)|x)", "", DAY),
    "an end of a word first": (r"^\bx", "", DAY),
    "an address first": ("^<HOST> x", "", DAY),
    "never lets go": ("^(?:(a)|b)++x", "", DAY),
    "never lets go of a group": ("^(?>(a)?)x", "", DAY),
    "asks for a group by its number": (r"^(a)\1", "", DAY),
    "chooses by a group's number": (r"^(a)?(?(1)b|c)", "", DAY),
    "the prefregex may begin anywhere": ("^x", "y<F-CONTENT>.+</F-CONTENT>$", DAY),
    "the prefregex looks behind": ("^x", r"^\b<F-CONTENT>.+</F-CONTENT>$", DAY),
    "the content does not reach the end": ("^x", "^<F-CONTENT>.+</F-CONTENT>z$", DAY),
    "the content may reach beyond the end": ("^x", r"^<F-CONTENT>(?s:.+)</F-CONTENT>$", DAY),
    "the content may end with a newline": ("^x", r"^<F-CONTENT>.+\s?</F-CONTENT>$", DAY),
    "the content may end with no repeat": ("^x", "^<F-CONTENT>x</F-CONTENT>$", DAY),
    "the content may end with many": ("^x", "^<F-CONTENT>(?:xy)+</F-CONTENT>$", DAY),
    "the content may be empty": ("^x", "^<F-CONTENT>.*</F-CONTENT>$", DAY),
    "the content is empty": ("^x", "^<F-CONTENT></F-CONTENT>$", DAY),
    "the content is followed by others": ("^x", "^<F-CONTENT>.+</F-CONTENT>(a)$", DAY),
    "the content is no end": ("^x", "^<F-CONTENT>.+</F-CONTENT>", DAY),
    "the content is optional": ("^x", "^(?:<F-CONTENT>.+</F-CONTENT>|)$", DAY),
    "the content has the front's group": (
        "^x",
        "^(?P<a>a)<F-CONTENT>(?P=a).+</F-CONTENT>$",
        DAY,
    ),
    "two parts have a group of one name": ("^<F-USER>x</F-USER>", "^<F-USER>y</F-USER>", DAY),
    "the rule has a group of the date's": ("^(?P<H>x)", "", DAY),
    "the rule has a group of ours": ("^(?P<_never>x)", "", DAY),
    "the rule has a content, too": ("^(?P<content>x)", "^<F-CONTENT>.+</F-CONTENT>$", DAY),
    "the date may stand anywhere": ("^x", "", "%b %d"),
    "the date is one of two": ("^x", "", "^(%b)|%d"),
    "the date stands at the end": ("^x", "", "%b %d$"),
    "the date is not all that it takes": ("^x", "", r"^\[(%b %d)\]"),
    "the date is followed by what it takes": ("^x", "", r"^(%b) %d"),
    "the date is followed by its text again": ("^x", "", r"^(%b)(?P<a>)(?P=a)"),
    "the date is none": ("^x", "", "{NONE}"),
    "the date may be empty": ("^x", "", "^(%b)?"),
    "the date may take the newline": ("^x", "", r"^%b\s*"),
    "the date asks for no blank": ("^x", "", r"^(%b)(?!\s)"),
    "the date asks for the very end": ("^x", "", r"^(%b)\Z"),
    "the date never lets go": ("^x", "", r"^%b(?>\s*)%d"),
    "the date keeps its blanks": ("^x", "", r"^%b\s*+%d"),
    "the date looks ahead from behind": ("^x", "", r"^%b(?<=(?=n\s).)"),
    "the date may end with a blank in a branch": ("^x", "", r"^%b(?:\s|%d)"),
    "the date may end with a blank if so": ("^x", "", r"^((?P<a>a)?%b(?(a)\s|%d))"),
    "the date may end with a blank if not": ("^x", "", r"^((?P<a>a)?%b(?(a)%d|\s))"),
}


@pytest.mark.parametrize("why", NOT_FUSED)
def test_what_might_find_something_else_is_not_fused(why: str) -> None:
    rule, prefregex, datepattern = NOT_FUSED[why]
    assert fused_of(rule, prefregex, datepattern) is None


FUSED = {
    "a flag of the rule": ("(?i)^ X a", "", DAY, "Nov 22 21:00:01 x A"),
    "a flag of the prefregex": ("^x", "(?iu)^ ?Y <F-CONTENT>.+</F-CONTENT>$", DAY,
                                "Nov 22 21:00:01 y x"),
    "no prefregex": ("^ x", "", DAY, "NOV 22 21:00:01 x"),
    "a prefregex without content": ("^ <F-USER>.</F-USER>", "^ (?P<a>x)", DAY,
                                    "Nov 22 21:00:01 x"),
    "a prefregex with an empty front": ("^ x", "^<F-CONTENT>.+</F-CONTENT>$", DAY,
                                        "Nov 22 21:00:01 x"),
    "a content with branches": ("^x", "^ <F-CONTENT>(?:y|x).+</F-CONTENT>$", DAY,
                                "Nov 22 21:00:01 xx"),
    "an address behind a sign": ("^ <HOST>$", "", DAY, "Nov 22 21:00:01 2001:db8::"),
    "a look behind at what was taken": (r"^ (?P<a>a)(?:b)c(?<=bc)\b", "", DAY,
                                        "Nov 22 21:00:01 abc"),
    "what takes the newline": (r"^ x(?:\s|$)", "", DAY, "Nov 22 21:00:01 x"),
    "an end of the text": (r"^ x\s\Z", "", DAY, "Nov 22 21:00:01 x"),
    "nothing behind the date": ("^$", "", DAY, "Nov 22 21:00:01"),
    "a rule that asks for nothing": ("^", "", DAY, "Nov 22 21:00:01"),
    "a date and signs": ("^ x", "", "{^LN-BEG}%b %d", "Nov 22 x"),
    "a date with a separator": ("^ x", "", r"^%Y(?P<_sep>[-/])%m(?P=_sep)%d", "2026-11-22 x"),
    "a date that looks about": ("^ x", "", r"^%b(?: |\s%H)?(?<!  )%d(?= x|(?<!3))", "Nov 22 x"),
    "a date with a blank in a condition": ("^ x", "", r"^%b(?= \d)(?:\s+%d)", "Nov 2 x"),
    "a date that chooses": ("^ x", "", r"^((?:(?P<a>Z)|%b)(?(a)y| ?2))", "Nov2 x"),
    "a date in seconds": ("^ x", "", "^EPOCH", "1795381201 x"),
    "a long date in seconds": ("^ x", "", "{^LN-BEG}LEPOCH", "1795381201 x"),
    "a date in a group of its own": ("^ x", "", "{^LN-BEG}(%Y)", "2026 x"),
}  # fmt: skip


@pytest.mark.parametrize("what", FUSED)
def test_what_surely_finds_the_same_is_fused(what: str) -> None:
    rule, prefregex, datepattern, line = FUSED[what]
    fused = fused_of(rule, prefregex, datepattern)
    assert fused is not None
    before = pattern_of(prefregex) if prefregex else None
    found = at_once(fused, line)
    assert found is not None
    assert found == step_by_step(template_of(datepattern), before, pattern_of(rule), line)


def test_a_line_without_a_date_at_its_very_beginning_is_not_found() -> None:
    fused = fused_of("^ x", "", "{^LN-BEG}%b %d")
    assert fused is not None
    assert fused.match("Nov 22 x\n")
    for line in ("[Nov 22 x\n", " Nov 22 x\n", " x\n", "x Nov 22 x\n", "\n", ""):
        assert fused.match(line) is None
    signed = fused_of("^ x", "", r"^(?:<\d+>)?%b %d")
    assert signed is not None
    assert signed.match("<34>Nov 22 x\n") is None


def test_the_front_ends_where_the_rule_begins() -> None:
    for prefregex, rest in (
        ("^ gate <F-CONTENT>.+</F-CONTENT>$", "x\n"),
        ("^ gate", " gate x\n"),
        ("", " gate x\n"),
    ):
        fused = fused_of(f"^{rest.strip()}" if rest[0] == "x" else "^ gate x", prefregex)
        assert fused is not None
        found = fused.match("Nov 22 21:00:01 gate x\n")
        assert found is not None
        assert found.string[found.end(fused.front) :] == rest


def test_groups_of_the_date_are_told_apart_from_the_others() -> None:
    fused = fused_of("^ <F-USER>.*</F-USER>$", "", "^(?P<_sep>)%H:%M")
    assert fused is not None
    assert fused.dates.keys() == {"_sep", "H", "M"}
    assert fused.groups.keys() == {"user"}


def test_a_group_that_took_no_part_is_none_and_an_empty_one_is_empty() -> None:
    fused = fused_of("^ (?P<one>)(?P<two>x)?y")
    assert fused is not None
    found = fused.match("Nov 22 21:00:01 y\n")
    assert found is not None
    assert [found[fused.groups[name]] for name in ("one", "two")] == ["", None]


def test_a_rule_over_several_lines_is_not_fused() -> None:
    many = pattern_of("^x$", multiline=True)
    assert fuse(template_of(DAY), None, many) is None
    assert fuse(template_of(DAY), pattern_of("^x"), many) is None


def test_a_rule_that_searches_in_another_way_is_not_fused() -> None:
    rule, template = pattern_of("^ x"), template_of(DAY)
    assert fuse(template, None, rule) is not None
    as_compiled = rule.search
    rule.search = lambda text: as_compiled(text) if len(text) < 100 else None
    assert fuse(template, None, rule) is None
    assert fuse(template, rule, pattern_of("^ x")) is None


def test_a_regex_that_is_nested_too_deep_is_not_fused() -> None:
    template = template_of(DAY)
    deep = Template("", "", "^(" + "(?:" * 5_000 + "a" + ")" * 5_001, is_fixed=True)
    assert fuse(deep, None, pattern_of("^x")) is None
    assert fuse(template, None, pattern_of("^x")) is not None
    assert fuse(Template("", "", "^(", is_fixed=True), None, pattern_of("^x")) is None
