"""Draws lines and tables: calm and coloured on a terminal, plain and aligned elsewhere.

On a terminal `rich` draws where it is installed (extra ``terminal``); without
it, with ``NO_COLOR`` and whenever the output is piped, the same rows come as
aligned text. What
attackers wrote (names, log lines) never steers the terminal.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TextIO

from banish.telemetry.lines import harmless

if TYPE_CHECKING:
    from rich.console import Console

Style = Literal["", "good", "bad", "warn", "dim", "strong"]

_CODES: dict[Style, str] = {"good": "32", "bad": "31", "warn": "33", "dim": "2", "strong": "1"}
_RICH: dict[Style, str] = {
    "": "",
    "good": "green",
    "bad": "red",
    "warn": "yellow",
    "dim": "dim",
    "strong": "bold",
}


class Styled(NamedTuple):
    """Text and how it looks."""

    text: str
    style: Style = ""


Cell = str | Styled


class Column(NamedTuple):
    """One column: its title, and whether it holds numbers."""

    title: str
    is_number: bool = False


def good(text: str) -> Styled:
    """Return *text* as something that is as it should be."""
    return Styled(text, "good")


def bad(text: str) -> Styled:
    """Return *text* as something that needs the operator."""
    return Styled(text, "bad")


def warn(text: str) -> Styled:
    """Return *text* as something to keep an eye on."""
    return Styled(text, "warn")


def dim(text: str) -> Styled:
    """Return *text* as something of less weight."""
    return Styled(text, "dim")


def strong(text: str) -> Styled:
    """Return *text* as something of weight."""
    return Styled(text, "strong")


def _parts(cell: Cell) -> tuple[str, Style]:
    if isinstance(cell, Styled):
        return harmless(cell.text), cell.style
    return harmless(cell), ""


def _console(stream: TextIO) -> "Console | None":
    try:
        from rich.console import Console  # noqa: PLC0415
    except ImportError:
        return None
    return Console(file=stream, highlight=False, markup=False, emoji=False)


class Page:
    """What is shown to a person, on one stream, top to bottom."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self.is_terminal = self._stream.isatty()
        self.is_coloured = (
            self.is_terminal
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM", "dumb") != "dumb"
        )
        self._rich = _console(self._stream) if self.is_coloured else None

    def line(self, *cells: Cell, indent: int = 0) -> None:
        """Write the cells after each other, separated by nothing."""
        self._stream.write(" " * indent + "".join(map(self._paint, cells)).rstrip(" ") + "\n")

    def title(self, text: str) -> None:
        """Begin a section, after an empty line."""
        self.line()
        self.line(strong(text))

    def table(
        self, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, indent: int = 2
    ) -> None:
        """Write rows below their titles; titles that are all empty are left out."""
        kept = [list(row) for row in rows]
        if self._rich is not None:
            self._rich_table(self._rich, columns, kept, indent)
        else:
            self._plain_table(columns, kept, indent)

    def _paint(self, cell: Cell) -> str:
        text, style = _parts(cell)
        if not self.is_coloured or not style or not text:
            return text
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m"

    def _plain_table(
        self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], indent: int
    ) -> None:
        titles = [[dim(column.title) for column in columns]]
        shown = titles if any(column.title for column in columns) else []
        every: list[Sequence[Cell]] = [*shown, *rows]
        widths = [
            max((len(_parts(row[at])[0]) for row in every), default=0) for at in range(len(columns))
        ]
        for row in every:
            cells: list[str] = []
            for column, width, cell in zip(columns, widths, row, strict=True):
                space = " " * (width - len(_parts(cell)[0]))
                painted = self._paint(cell)
                cells.append(space + painted if column.is_number else painted + space)
            self._stream.write(" " * indent + "  ".join(cells).rstrip(" ") + "\n")

    def _rich_table(
        self,
        console: "Console",
        columns: Sequence[Column],
        rows: Sequence[Sequence[Cell]],
        indent: int,
    ) -> None:
        from rich.padding import Padding  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table(
            box=None,
            pad_edge=False,
            padding=(0, 2, 0, 0),
            show_header=any(column.title for column in columns),
            header_style="dim",
        )
        for column in columns:
            table.add_column(
                Text(column.title),
                justify="right" if column.is_number else "left",
                no_wrap=column.is_number,
                overflow="fold",
            )
        for row in rows:
            table.add_row(*(Text(text, style=_RICH[style]) for text, style in map(_parts, row)))
        console.print(Padding(table, (0, 0, 0, indent)))


def print_json(document: object, stream: TextIO | None = None) -> None:
    """Write one JSON document as one line on *stream*, or on standard output."""
    (sys.stdout if stream is None else stream).write(
        json.dumps(document, ensure_ascii=False) + "\n"
    )
