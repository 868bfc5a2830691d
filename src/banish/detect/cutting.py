r"""Notices that a regex has taken a piece of an address for an address.

``Remote IP: .*<ADDR>$`` leaves as little to the address as it can: of ``192.0.2.4`` it takes
``2.0.2.4``, which is somebody else. So where a regex lets digits stand right beside an address,
the whole word around what it took is looked at. Most regexes have fixed text there, and for
these nothing is to be done.
"""

import functools
import re
from typing import Final

from banish.detect.pattern import Pattern
from banish.detect.positions import START, Places
from banish.detect.readings import SIGNS, with_signs
from banish.detect.regextree import OTHER, Chars, Sequence, is_anchored, mask_of, read
from banish.model.address import parse_logged

_DIGITS = mask_of("0123456789")
_WORDS: Final = {
    "ip4": re.compile(r"[0-9.]*"),
    "ip6": re.compile(r"[0-9a-fA-F:.]*"),
    "dns": re.compile(r"[\w.-]*"),
}
_NUMBERS = re.compile(r"[0-9.]+")

LONGEST_CHARACTERS: Final = 255
"""So much is looked at on each side; no address and no name is longer."""


@functools.lru_cache(maxsize=2048)
def is_loose(pattern: Pattern) -> bool:
    """Whether *pattern* lets a digit that it reads otherwise stand beside its address."""
    expanded = with_signs(pattern)
    if expanded is None:
        return False
    tree = read(expanded, pattern.flags)
    opened = Sequence((tree, Chars(OTHER, "end")))
    places = Places(opened)
    signs = {place for place, text in enumerate(places.texts) if text in SIGNS.values()}
    ends = {place for place, text in enumerate(places.texts) if text == "end"}
    before = {place for place, after in enumerate(places.after) if after & signs}
    after = {other for place in signs for other in places.after[place]}
    if START in before and not is_anchored(tree, at_end=False):
        return True
    if after & ends and not is_anchored(tree, at_end=True):
        return True
    masks = [places.masks[place] for place in (before | after) - ends]
    return any(mask & _DIGITS and mask.bit_count() > 1 for mask in masks)


def whole_address(text: str, begin: int, end: int, group: str) -> str | None:
    """Return the address of which *text* from *begin* to *end* is a piece; empty if there is none.

    None: it is no piece of anything. *group* is ``ip4``, ``ip6`` or ``dns``.
    """
    if group == "dns" and _NUMBERS.fullmatch(text, begin, end):
        group = "ip4"
    word = _WORDS[group]
    front = text[max(0, begin - LONGEST_CHARACTERS) : begin][::-1]
    before, behind = word.match(front), word.match(text, end, end + LONGEST_CHARACTERS)
    assert before is not None
    assert behind is not None
    left = before[0][::-1]
    if group == "ip6" and front[len(left) : len(left) + 1].isalnum():
        left = left.partition(":")[2]  # "data:" ends in a word, of which "a" is no digit
    left, right = left.lstrip(".:-"), behind[0].rstrip(".:-")
    if not left and not right:
        return None
    subject = parse_logged(text[begin - len(left) : end + len(right)])
    return subject.text if subject is not None and subject.is_address else ""
