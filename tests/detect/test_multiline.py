"""Regexes that span lines use up what they matched, and step over the rest."""

import re

import pytest

from banish.detect import multiline
from banish.detect.multiline import LineBuffer
from banish.detect.tags import expand
from banish.model.failure import Evidence


def fed(maxlines: int, *lines: str) -> tuple[LineBuffer, str]:
    buffer = LineBuffer(maxlines)
    text = ""
    for line in lines:
        text = buffer.add(line + "\n", Evidence(line))
    return buffer, text


def covered(regex: str, text: str, buffer: LineBuffer) -> list[int]:
    found = re.search(expand(regex), text, re.MULTILINE)
    assert found is not None
    return buffer.covered(found)


def test_newest_lines_are_kept() -> None:
    buffer, text = fed(2, "a", "b", "c")
    assert text == "b\nc\n"
    assert len(buffer) == 2


def test_match_uses_up_its_lines_without_the_skipped_ones() -> None:
    buffer, text = fed(6, "x", "begin", "skip 1", "skip 2", "end", "y")
    indexes = covered(r"^begin<SKIPLINES>end$", text, buffer)
    assert indexes == [1, 4]
    assert buffer.text(indexes) == "begin\nend\n"
    assert [each.text for each in buffer.remove(indexes)] == ["begin", "end"]
    assert buffer.add("z\n", Evidence("z")) == "x\nskip 1\nskip 2\ny\nz\n"


@pytest.mark.parametrize(
    ("regex", "indexes"),
    [("b", [1]), (r"^b$", [1]), (r"a\nb", [0, 1]), (r"\nb", [1]), (r"b\n", [1]), (r"c\n", [2])],
)
def test_whole_lines_are_covered(regex: str, indexes: list[int]) -> None:
    buffer, text = fed(3, "a", "b", "c")
    assert covered(regex, text, buffer) == indexes


def test_search_in_a_part_is_shifted_to_its_place() -> None:
    buffer, _ = fed(3, "a", "b", "c")
    found = re.search("x", "yx")
    assert found is not None
    assert buffer.covered(found, shift=1) == [1]


def test_long_lines_push_each_other_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiline, "MAX_CHARACTERS", 10)
    _, text = fed(100, "12345", "6789", "abc")
    assert text == "6789\nabc\n"
    _, text = fed(100, "x", "far too long a line")
    assert text == "far too long a line\n"
