"""One file of the INI dialect, line by line."""

import configparser
import io

from hypothesis import example, given
from hypothesis import strategies as st

from banish.config.ini import FILE_LIMIT_BYTES, PROBLEM_LIMIT, IniFile, parse
from banish.config.problem import Problems
from banish.model.settings import Place, Problem


def read(content: str | bytes) -> tuple[IniFile, tuple[Problem, ...]]:
    problems = Problems()
    data = content.encode() if isinstance(content, str) else content
    return parse("jail.local", data, problems), problems.all()


def values(content: str) -> dict[str, dict[str, str]]:
    file, problems = read(content)
    assert [str(problem) for problem in problems] == []
    return {
        section: {option: text.text for option, text in options.items()}
        for section, options in file.sections.items()
    }


def python_values(content: str) -> dict[str, dict[str, str]] | None:
    """Return what Python's own parser makes of it, set up as Fail2Ban has it; None if refused."""
    parser = configparser.ConfigParser(inline_comment_prefixes=";", interpolation=None)
    try:
        parser.read_file(io.TextIOWrapper(io.BytesIO(content.encode()), "utf-8"))
    except configparser.Error:
        return None
    found = {name: dict(parser._sections[name]) for name in parser.sections()}  # type: ignore[attr-defined]
    defaults = dict(parser.defaults())
    return {**({"DEFAULT": defaults} if defaults else {}), **found}


def test_options_have_their_text_and_their_line() -> None:
    file, _ = read("# hello\n[sshd]\nEnabled = true\nport: ssh\n")
    assert file.sections["sshd"]["enabled"].text == "true"
    assert file.sections["sshd"]["enabled"].place == Place("jail.local", 3)
    assert file.sections["sshd"]["port"].place == Place("jail.local", 4)
    assert file.places["sshd"] == Place("jail.local", 2)


def test_every_line_of_a_long_value_keeps_its_own_place() -> None:
    file, _ = read("[a]\nfailregex = one\n    # not this\n    two\n\n    three\nx = 1\n")
    assert [(line, place.line) for line, place in file.sections["a"]["failregex"].lines()] == [
        ("one", 2),
        ("two", 4),
        ("", 5),
        ("three", 6),
    ]


def test_a_semicolon_after_a_blank_begins_a_comment_and_a_hash_does_not() -> None:
    assert values("[a]\nx = 1 ; one\ny = 1;2 # three\n;z = 1\n") == {
        "a": {"x": "1", "y": "1;2 # three"}
    }


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm() -> None:
    file, problems = read(b"\xef\xbb\xbf[a]\r\nx = 1\r\n  2\r\n")
    assert not problems
    assert file.sections["a"]["x"].text == "1\n2"


def test_an_option_twice_in_a_file_is_told_with_both_lines() -> None:
    file, (problem,) = read("[a]\nx = 1\nX = 2\n")
    assert problem.place == Place("jail.local", 3)
    assert problem.option == "x"
    assert "line 2" in problem.what
    assert file.sections["a"]["x"].text == "2"


def test_a_section_twice_in_a_file_is_told_once() -> None:
    file, problems = read("[a]\nx = 1\n[b]\n[a]\nx = 2\ny = 3\n")
    assert [problem.place for problem in problems] == [Place("jail.local", 4)]
    assert {k: v.text for k, v in file.sections["a"].items()} == {"x": "2", "y": "3"}


def test_default_may_come_twice() -> None:
    assert values("[DEFAULT]\nx = 1\n[a]\n[DEFAULT]\ny = 2\n")["DEFAULT"] == {"x": "1", "y": "2"}


def test_a_line_that_is_nothing_is_told_and_the_rest_stays_good() -> None:
    file, (problem,) = read("[a]\nx = 1\nthis is nothing\n   nor is this\ny = 2\n")
    assert problem.place == Place("jail.local", 3)
    assert "#" in problem.cure
    assert {k: v.text for k, v in file.sections["a"].items()} == {"x": "1", "y": "2"}


def test_an_option_needs_a_name() -> None:
    _, (problem,) = read("[a]\n= 1\n")
    assert problem.place == Place("jail.local", 2)


def test_lines_before_the_first_section_are_told_once() -> None:
    file, (problem,) = read("x = 1\ny = 2\n[a]\nz = 3\n")
    assert problem.place == Place("jail.local", 1)
    assert "[DEFAULT]" in problem.cure
    assert list(file.sections) == ["a"]


def test_bytes_that_are_no_utf8_are_told_with_their_line() -> None:
    file, (problem,) = read(b"[a]\n# caf\xe9\nx = 1\n")
    assert problem.place == Place("jail.local", 2)
    assert "0xe9" in problem.what
    assert file.sections["a"]["x"].text == "1"


def test_a_huge_file_is_refused() -> None:
    file, (problem,) = read(b"[a]\n" + b"#" * FILE_LIMIT_BYTES)
    assert "longer" in problem.what
    assert not file.sections


def test_a_file_that_is_all_wrong_does_not_tell_everything() -> None:
    _, problems = read("[a]\n" + "".join(f"nothing {n}\n" for n in range(500)))
    assert len(problems) == PROBLEM_LIMIT


LINES = st.lists(
    st.sampled_from(
        [
            "[a]", "[b]", "[DEFAULT]", "[a] x", "[]", "[", "x = 1", "y: 2", " y = 3", "x", "  deep",
            "\tdeep = 4", "", "   ", "# no", "  ; no", "z = 1 ; no", "z=1;yes", "Z == :", "= 5",
            "= ; 5", "w =", "w = [v]", "    ;", "q\x0b= 1", "\x85p = 1\x85", "k = a\rl = b",
        ]
    ),
    max_size=12,
)  # fmt: skip


@given(LINES)
@example(["[a]", "x", "  deep"])
@example(["[a]", "x = 1", "", "", "y = 2", ""])
def test_what_python_accepts_reads_the_same_and_what_it_refuses_is_told(lines: list[str]) -> None:
    content = "\n".join(lines)
    expected = python_values(content)
    file, problems = read(content)
    if expected is None:
        assert problems
        return
    assert not problems
    found = {
        section: {option: text.text for option, text in options.items()}
        for section, options in file.sections.items()
    }
    assert {k: v for k, v in found.items() if v or k != "DEFAULT"} == expected


@given(st.binary(max_size=400))
def test_any_bytes_give_sections_and_problems(content: bytes) -> None:
    file, _ = read(content)
    for options in file.sections.values():
        for text in options.values():
            assert len(text.places) == text.text.count("\n") + 1


NAMES = st.text(alphabet="abcdefghij._-?", min_size=1, max_size=8)
WORDS = st.text(alphabet="abc %()<>#=:[]'\"\\", max_size=20).map(str.strip)


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, WORDS, max_size=4), max_size=4))
def test_what_is_written_out_reads_back_the_same(written: dict[str, dict[str, str]]) -> None:
    content = "".join(
        f"[{section}]\n" + "".join(f"{option} = {value}\n" for option, value in options.items())
        for section, options in written.items()
    )
    assert values(content) == written
