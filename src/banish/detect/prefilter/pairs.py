r"""Writes out an expression for two bytes as all the texts that it stands for.

``\]`` beside part of a word is 191 texts. The engine looks for texts like these in the
pass that it makes for all texts anyway, and needs an automaton of its own for classes
of bytes: a third of the time for an access log.
"""

from itertools import product

from banish.detect.prefilter.expression import write_byte
from banish.detect.prefilter.outline import Alt, Outline, Repeated, Seq, Set

MOST_PAIRS = 512
"""Pairs of bytes that are written out; of more the texts would be slower."""


def write_pairs(outline: Outline) -> str | None:
    """Return what finds *outline*, which is over bytes, wherever it stands, by pairs of bytes.

    None: it is no two characters, one beside the other, or there are too many pairs.
    """
    if not isinstance(outline, Seq) or len(outline.parts) != 2:
        return None
    first, second = (_bytes(part) for part in outline.parts)
    if not 0 < len(first) * len(second) <= MOST_PAIRS:
        return None
    return "|".join(write_byte(one) + write_byte(two) for one, two in product(first, second))


def _bytes(part: Outline) -> list[int]:
    """Return what may stand at the edge of *part*; nothing if it is no one character.

    Of a character of several bytes one is enough: all of them are beyond ASCII.
    """
    match part:
        case Set(members, beyond):
            found = [code for code in range(128) if members >> code & 1]
            return [*found, *range(128, 256)] if beyond else found
        case Repeated(1, _, Set(0, _) as each):
            return _bytes(each)
        case Alt(parts):
            each_one = [_bytes(one) for one in parts]
            return sorted({code for codes in each_one for code in codes}) if all(each_one) else []
        case _:
            return []
