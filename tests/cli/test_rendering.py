"""Lines and tables."""

import builtins
import io
import re
import sys

import pytest

from banish.cli.rendering import Cell, Column, Page, bad, dim, print_json, strong

COLUMNS = (Column("jail"), Column("bans", is_number=True), Column("state"))
ROWS: list[tuple[Cell, ...]] = [
    (strong("sshd"), "1,204", "watching"),
    ("a-longer-name", dim("0"), bad("in trouble")),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(stream: io.StringIO) -> str:
    page = Page(stream)
    page.line(strong("banish"), " is up")
    page.table(COLUMNS, ROWS)
    return stream.getvalue()


PLAIN = """banish is up
  jail            bans  state
  sshd           1,204  watching
  a-longer-name      0  in trouble
"""


def test_piped_output_is_plain_and_aligned() -> None:
    assert drawn(io.StringIO()) == PLAIN


def test_a_terminal_shows_the_same_words_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    text = drawn(Terminal())
    assert "\x1b[" in text
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert [line.split() for line in bare.splitlines()] == [
        line.split() for line in PLAIN.splitlines()
    ]


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert drawn(Terminal()) == PLAIN


def test_a_terminal_that_can_do_nothing_gets_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "dumb")
    assert drawn(Terminal()) == PLAIN


def test_without_rich_a_terminal_gets_the_same_table(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: object, **others: object) -> object:
        if name.startswith("rich"):
            raise ImportError(name)
        return real(name, *args, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    text = drawn(Terminal())
    assert "\x1b[31min trouble\x1b[0m" in text
    assert re.sub(r"\x1b\[[0-9;]*m", "", text) == PLAIN


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_what_attackers_wrote_never_steers_the_terminal(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    page = Page(stream)
    page.line("\x1b]0;owned\x07 [red]x[/red]\n")
    page.table((Column("a"),), [("\x1b[2J\r\u202e[bold]y[/bold]",)])
    text = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert text.replace("\n", "").isprintable()
    assert "\\x1b]0;owned\\x07 [red]x[/red]\\n\n" in text
    assert "\\x1b[2J\\r\\u202e[bold]y[/bold]" in text


def test_a_table_without_titles_has_no_head() -> None:
    stream = io.StringIO()
    Page(stream).table((Column(""), Column("")), [("a", "b")], indent=0)
    assert stream.getvalue() == "a  b\n"


def test_json_is_one_line_of_readable_letters(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": "ä\n"})
    assert capsys.readouterr().out == '{"text": "ä\\n"}\n'
    assert sys.stdout is not None
