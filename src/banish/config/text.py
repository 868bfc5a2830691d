"""A text that knows where each of its lines stands.

Values are put together from many files: a failregex from a jail may hold lines
of the filter, and those hold pieces of ``common.conf``. To tell a problem's true
place, every line keeps one: that of the outermost piece which wrote anything
but blanks on it.
"""

from collections.abc import Iterable

import msgspec

from banish.model.settings import Place

TEXT_LIMIT_CHARACTERS = 1_048_576
"""Longest value after everything is put in. Nesting doubles lengths, so it must end somewhere;
the longest value of Fail2Ban's own filters has some 20,000 characters."""


class Text(msgspec.Struct, frozen=True):
    """Characters, and one place for each line of them."""

    text: str
    places: tuple[Place, ...]
    """As many as ``text`` has lines: one more than it has line ends."""

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.places[0]

    def lines(self) -> Iterable[tuple[str, Place]]:
        """Return each line with its place."""
        return zip(self.text.split("\n"), self.places, strict=True)

    def words(self, separators: str = ", \t\n") -> Iterable[tuple[str, Place]]:
        """Return each word with its place; any run of *separators* parts two words."""
        for line, place in self.lines():
            for mark in separators:
                line = line.replace(mark, " ")  # noqa: PLW2901
            for word in line.split(" "):
                if word:
                    yield word, place


class Cutter:
    """Takes a text apart from its beginning to its end, each piece with its places.

    It counts lines as it goes, so that a text of many pieces costs no more than
    one of few.
    """

    def __init__(self, text: Text) -> None:
        self._text = text
        self._at = 0
        self._line = 0

    def cut(self, end: int) -> Text:
        """Return the characters from here up to the offset *end*, and go there."""
        piece = self._text.text[self._at : end]
        first = self._line
        self._at = end
        self._line += piece.count("\n")
        return Text(piece, self._text.places[first : self._line + 1])

    def place(self, offset: int) -> Place:
        """Go to *offset*, which is not behind us, and return the place of its line."""
        self.cut(offset)
        return self._text.places[self._line]

    def rest(self) -> Text:
        """Return what is left."""
        return self.cut(len(self._text.text))


def single(text: str, place: Place) -> Text:
    """Return *text* with every line of it at *place*."""
    return Text(text, (place,) * (text.count("\n") + 1))


def weave(pieces: Iterable[tuple[Text, bool]]) -> Text:
    """Return the pieces joined; each comes with whether it is the outer text itself.

    Where outer text and put-in text share a line, the line stands where the
    outer text does.
    """
    texts: list[str] = []
    places: list[Place] = []
    here: Place | None = None
    rank = 3
    for piece, is_outer in pieces:
        texts.append(piece.text)
        for number, (line, place) in enumerate(piece.lines()):
            if number:
                assert here is not None
                places.append(here)
                rank = 3
            mine = 2 if not line.strip() else 0 if is_outer else 1
            if mine < rank:
                here, rank = place, mine
    assert here is not None
    return Text("".join(texts), (*places, here))
