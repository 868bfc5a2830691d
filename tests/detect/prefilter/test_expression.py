"""What the automaton is given covers every line that the regular expression matches.

Here the expressions are run by `re` over bytes, before anything is left out of
them: so it shows when a single character is not covered.
"""

import re
import warnings
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.detect.encoding import bytes_of
from banish.detect.prefilter import outline as outlines
from banish.detect.prefilter.expression import essential, nearest, strength, within_line, write
from banish.detect.prefilter.outline import (
    ANYTHING,
    EMPTY,
    FIRST_GROUP,
    FOLDED,
    Alt,
    NamedGroup,
    Repeated,
    Seq,
    Set,
    Unsupported,
    alt,
    firsts,
    is_nullable,
    lasts,
    repeat,
    restricted,
    seq,
    shortest,
    sketch,
    split,
)

FOLDS = tuple(other.encode() for others in FOLDED.values() for other in others)
SINGLES = (
    r"\d",
    r"\D",
    r"\w",
    r"\W",
    r"\s",
    r"\S",
    ".",
    "(?s:.)",
    "a",
    "[a-f]",
    "[^a-f]",
    r"[\d.]",
    r"[^\w]",
    r"[^\W_]",
    r"[^\S ]",
    "\u00e9",
    "[^\u00e9]",
    "[\u00e9-\u0131]",
    "(?i:k)",
    "(?i:[^k])",
    "(?i:\u212a)",
    "(?i:[^\u212a])",
    "(?i:\u017f)",
    "(?i:[^\u017f])",
    "(?i:[h-l])",
    "(?i:[^h-l])",
    "(?i:\u0130)",
    "(?i:[\u0100-\u0200])",
    "(?ai:k)",
    r"(?a:\w)",
    r"(?a:[^\w])",
    r"(?a:\D)",
    "(?ai:[^\u017f])",
    "(?ai:[^\u212a])",
    "(?i:\u00c9)",
    r"(?a:[^\W])",
)
EVERY = "".join(map(chr, range(0x250))) + "\u0663\u00a0\u2003\u212a\ufffd\ufb05\U0001f600"


def covers(expression: str, text: str) -> bool:
    raw = text.encode().replace(b"\n", b"")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.search(expression.encode("latin-1"), raw, re.DOTALL) is not None


@pytest.mark.parametrize("single", SINGLES)
def test_every_character_that_a_class_matches_is_covered(single: str) -> None:
    drawn = sketch(single)
    expression = f"^(?:{write(within_line(drawn.outline, gaps=False))})$"
    is_member = re.compile(single).fullmatch
    for character in EVERY:
        if is_member(character):
            folds = drawn.folds and character.encode() in FOLDS
            assert folds or covers(expression, character), (single, hex(ord(character)))


@pytest.mark.parametrize("single", [r"\d", "[a-f]", "k", "(?i:[h-j])", r"[^\W_]"])
def test_little_more_than_a_class_matches_is_covered(single: str) -> None:
    expression = f"^(?:{write(within_line(sketch(single).outline, gaps=False))})$"
    for character in map(chr, range(128)):
        if character != "\n":
            assert covers(expression, character) == (re.fullmatch(single, character) is not None)


def test_letters_that_fold_beyond_ascii_are_the_known_ones() -> None:
    folded: dict[str, str] = {}
    beyond = "".join(chr(code) for code in range(128, 0x110000) if not 0xD800 <= code < 0xE000)
    for letter in "abcdefghijklmnopqrstuvwxyz":
        if others := "".join(re.findall(f"(?i){letter}", beyond)):
            folded[letter] = others
    assert folded == FOLDED


WORDS_OF_TEXT = st.text(st.sampled_from(list('ab: []"k1\u00e9\u017f')), max_size=12)
TEXTS = (
    r"^a+ \[b*\]$",
    r"(a|b: )+\[\]",
    r"[^ ]+ b",
    r"\S+:\S+",
    "a: b",
    r"(?:\[a\])?b+\]",
    r"\W\W",
    r"(\W)a\1",
    r"(?:a ){2,3}b",
    r'"[^"]*" ',
    r"[]:\[]{2}",
    r"\w+:(?: \S+)? b",
    "(?i:k) 1",
    r"(?P<x>a)?(?(x)b|\[)",
    ".*a.*: ",
)


@given(regex=st.sampled_from(TEXTS), front=WORDS_OF_TEXT, back=WORDS_OF_TEXT)
def test_cut_between_characters_that_are_no_words_is_bridged(
    regex: str, front: str, back: str
) -> None:
    touches_word = re.search(r"\w$", front) or re.search(r"^\w", back)
    if touches_word or re.search(regex, front + back + "\n") is None:
        return
    outline = within_line(sketch(regex).outline, gaps=True)
    for form in (outline, essential(outline)):
        line = front + "22/Nov/2026" + back
        assert covers(write(form), line) or any(each in line.encode() for each in FOLDS)


def test_what_says_little_is_left_out() -> None:
    def said(regex: str) -> str:
        return write(essential(within_line(sketch(regex).outline, gaps=False)))

    assert said(r"^\s*(?:\S+ )?Fail \w+ for .* from \S+(?: port \d+)?$") == (
        r"Fail [^\n]* for [^\n]* from "
    )
    assert said(r"^\s*(?:\S+ )?Failed \w+ for .* from \S+(?: port \d+)?$") == "Failed "
    assert said(r"abc\S\w*def") == r"abc[^\n]*def"
    assert said(r"abc[a-z]\w*def") == r"abc[^\n]*def"
    assert said(r"\[error\] (?:bad|worse) \S") == r"\x5berror\x5d (?:bad|worse) "
    assert said("fail [a-z]") == "fail "
    assert said(r'"GET .*=http:.* HTTP/\d') == r"\x3dhttp\x3a"
    assert said("a{3}b+") == "aaab"
    assert said(r"(?:ab+|cd) *x*") in {"(?:ab|cd)", "(?:cd|ab)", "ab|cd"}
    assert strength(sketch(r"\d+ abc").outline) == 4


@pytest.mark.parametrize(
    ("regex", "said"),
    [
        (r'"(?:GET|PUT) [^"]*=http: HT/', r"\x3dhttp\x3a HT\x2f"),
        (r"sshd\[\d+\]: .*PAM: .* for .* from ", r"PAM\x3a [^\n]* for [^\n]* from "),
        # What tells less than the head, what is common, and what is no word leaves it there.
        (r"app \(.*bad", r"app \x28[^\n]*bad"),
        (r"lock .* from \S+", r"lock [^\n]* from "),
        (r"lock.*\(\[\{\<", r"lock"),
    ],
)
def test_head_is_left_out_where_the_rest_tells_no_less(regex: str, said: str) -> None:
    assert write(essential(within_line(sketch(regex).outline, gaps=False))) == said


def test_groups_are_found_and_what_stands_around_them() -> None:
    around = split(sketch("a(?P<x>b)c").outline, "x")
    assert around is not None
    assert (around.before, around.after, around.is_certain) == (Set(1 << 97), Set(1 << 99), True)
    optional = split(sketch("a(?P<x>b)?").outline, "x")
    assert optional is not None
    assert not optional.is_certain
    either = split(sketch("(?:a|(?P<x>b))").outline, "x")
    assert either is not None
    assert not either.is_certain
    assert split(sketch("(?:a)(b)").outline, FIRST_GROUP) is not None
    assert split(sketch("ab+(?:c|d)").outline, "x") is None


def test_what_begins_or_ends_otherwise_is_taken_out() -> None:
    outline = sketch("(?:a|b)?c*(?P<x>d)").outline
    assert restricted(outline, Set(1 << 120), 0) is None
    begins_with_c = restricted(outline, Set(1 << 99), 0)
    assert begins_with_c is not None
    assert firsts(begins_with_c) == Set(1 << 99)
    ends_with_d = restricted(outline, Set(1 << 100), -1)
    assert ends_with_d is not None
    assert lasts(ends_with_d) == Set(1 << 100)
    assert shortest(ends_with_d) == 1
    assert restricted(sketch("a?").outline, Set(1 << 97), 0) == Set(1 << 97)


def test_plain_forms() -> None:
    a, b = Set(1 << 97), Set(1 << 98)
    assert seq([a]) == a
    assert alt([a, b]) == Set(3 << 97)
    assert alt([Seq((a, b)), Seq((a, b))]) == Seq((a, b))
    assert isinstance(alt([a, Seq((a, b))]), Alt)
    assert repeat(a, 1, 1) == a
    assert repeat(a, 3, 1000) == Repeated(3, None, a)
    assert repeat(EMPTY, 3, 9) == EMPTY
    assert is_nullable(ANYTHING)
    assert write(within_line(sketch(r"\n").outline, gaps=False)) == ""


def test_reference_under_other_flags_may_be_anything() -> None:
    assert ANYTHING in getattr(sketch(r"(a)(?i:\1)").outline, "parts", ())


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(Unsupported):
        sketch("(?:" * 4000 + ")" * 4000)


@pytest.mark.parametrize("codec", ["shift_jis", "gbk", "big5", "utf-7", "hz", "iso2022_jp"])
def test_encodings_whose_bytes_lie_are_not_scanned(codec: str) -> None:
    assert bytes_of("\u017f", codec) is None


def test_encodings_whose_bytes_are_plain_are_scanned() -> None:
    assert bytes_of("\u0131\u0130", "cp1254") == (b"\xdd", b"\xfd")
    assert bytes_of("\u0131", "latin-1") == ()
    assert bytes_of("\u0131", "U8") == (b"\xc4\xb1",)


def test_groups_change_nothing() -> None:
    inner = sketch("abcd+").outline
    group = NamedGroup("x", inner)
    assert strength(group) == strength(inner)
    assert shortest(group) == shortest(inner)
    assert write(group) == write(inner)
    assert essential(group) == essential(inner)


def test_many_alternatives_with_gaps_are_cut_to_their_most_telling_part() -> None:
    regex = "|".join(f"(?:be{n}fore .* longer{n} .* x{n})" for n in range(6)) + "|plain"
    said = write(essential(within_line(sketch(f"(?:{regex}) y.* {{6}}z").outline, gaps=False)))
    assert "longer3 " in said
    assert "fore" not in said
    for line in ("be3fore - longer3 - x3 y      z", "plain y       z"):
        assert re.search(said.encode(), line.encode())


def test_only_so_much_is_kept_as_is_wanted() -> None:
    one = Set(1 << 97)
    assert nearest(one, 0, 3) == one
    assert nearest(Seq((one, one, one)), 0, 2) == Seq((one, one))
    assert nearest(Seq((one, Repeated(0, None, one))), -1, 9) == Seq((one, Repeated(0, None, one)))


def test_parts_of_a_regex_that_python_may_yet_invent_are_refused() -> None:
    reader = outlines._Reader(SimpleNamespace(groupdict={}))
    for tree in (
        [(SimpleNamespace(name="NEW"), None)],
        [(SimpleNamespace(name="IN"), [(SimpleNamespace(name="NEW"), None)])],
    ):
        with pytest.raises(Unsupported):
            reader.read(tree, 0)
    with pytest.raises(Unsupported):
        outlines._category("CATEGORY_NEW")


def test_every_reach_of_a_group_is_followed() -> None:
    looped = split(sketch("(?:a(?P<x>b)c)+").outline, "x")
    assert looped is not None
    assert looped.is_certain
    assert is_nullable(seq([looped.before])) is False
    assert split(sketch("(?:a|b+)*").outline, "x") is None
    assert split(Alt((Seq((Set(1 << 97), Set(1 << 98))), EMPTY)), "x") is None
    assert restricted(Repeated(1, 1, Set(1 << 97)), Set(1 << 97), 0) == Set(1 << 97)
    assert restricted(Repeated(2, 3, Set(1 << 97)), Set(1 << 98), 0) is None
    assert restricted(Seq((Set(1 << 97),) * 2), Set(1 << 98), -1) is None


def test_loops_are_bounded_in_what_they_ask_for() -> None:
    assert write(within_line(sketch(r"x[^a]{2,3}").outline, gaps=False)).startswith("x[")
    assert write(essential(within_line(sketch("x(?:ab){2,}").outline, gaps=False))) == "xabab"


@pytest.mark.parametrize(
    ("regex", "said"),
    [
        ("(?:ab)+ failed", "ab failed"),
        ("a+bcd", "abcd"),
        ("(?:ab|cd)+xyz", "(?:ab|cd)xyz"),
        ("(?:ab){2,}cd", "ababcd"),
        ("(?:ab)*cd", "cd"),
    ],
)
def test_a_loop_at_the_beginning_is_asked_for_as_often_as_it_must_be(regex: str, said: str) -> None:
    assert write(essential(within_line(sketch(regex).outline, gaps=False))) == said
    assert firsts(Seq((Repeated(0, None, Set(1 << 97)), Repeated(0, 1, Set(1 << 98))))) == Set(
        3 << 97
    )
    assert restricted(Seq((Repeated(0, 1, Set(1 << 97)),)), Set(1 << 98), 0) is None


def test_cut_between_foreign_punctuation_is_bridged() -> None:
    expression = write(within_line(sketch("a\u00bb\u00abb").outline, gaps=True))
    assert covers(expression, "a\u00bb22/Nov/2026\u00abb")
    assert not covers(expression, "a22/Nov/2026\u00bb\u00abb")
