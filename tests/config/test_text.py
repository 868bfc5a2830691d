"""Texts that know where each line stands."""

from hypothesis import given
from hypothesis import strategies as st

from banish.config.text import Cutter, Text, single, weave
from banish.model.settings import Place


def at(line: int) -> Place:
    return Place("f", line)


def test_words_are_parted_by_blanks_commas_and_lines() -> None:
    text = Text("a, b\nc\n\n d,", (at(1), at(2), at(3), at(4)))
    assert list(text.words()) == [("a", at(1)), ("b", at(1)), ("c", at(2)), ("d", at(4))]


def test_a_place_is_found_by_offset() -> None:
    text = Text("ab\ncd", (at(1), at(2)))
    assert text.place == at(1)
    assert [Cutter(text).place(offset).line for offset in range(6)] == [1, 1, 1, 2, 2, 2]


def test_a_line_stands_where_its_outer_text_stands() -> None:
    outer = single("^", at(9))
    inner = Text("one\ntwo", (at(1), at(2)))
    tail = single("", at(9))
    assert weave([(outer, True), (inner, False), (tail, True)]).places == (at(9), at(2))
    assert weave([(tail, True), (inner, False), (tail, True)]).places == (at(1), at(2))


TEXTS = st.text(alphabet="ab \n", max_size=8).map(
    lambda text: Text(text, tuple(at(n) for n in range(1, text.count("\n") + 2)))
)


@given(st.lists(st.tuples(TEXTS, st.booleans()), min_size=1, max_size=5))
def test_joined_texts_keep_one_place_a_line(pieces: list[tuple[Text, bool]]) -> None:
    joined = weave(pieces)
    assert joined.text == "".join(piece.text for piece, _ in pieces)
    assert len(joined.places) == joined.text.count("\n") + 1


@given(TEXTS, st.integers(0, 8), st.integers(0, 8))
def test_a_text_cut_in_pieces_joins_to_itself(text: Text, first: int, second: int) -> None:
    start, end = sorted((min(first, len(text.text)), min(second, len(text.text))))
    cutter = Cutter(text)
    parts = [cutter.cut(start), cutter.cut(end), cutter.rest()]
    joined = weave((part, True) for part in parts)
    assert joined.text == text.text
    assert len(joined.places) == len(text.places)
    for part, offset in zip(parts, (0, start, end), strict=True):
        assert part.places[0] == Cutter(text).place(offset)
