"""Reduces a regular expression to an outline: what a text must hold to match it.

An outline is made of sets of characters, sequences, alternatives and
repetitions, and nothing else, so it says plainly which texts it covers. It
covers every text that the regular expression matches, and some more: what only
narrows (anchors, look-around, word boundaries) is left out, a back reference
becomes what its group may hold, a condition becomes both of its branches.

It is made from the parse tree of Python's own `re`, so syntax is read exactly
as the matcher reads it. That tree is no public interface; where it holds
anything unknown, `Unsupported` is raised and the caller does without.
"""

import functools
import importlib
import re
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

_parser: Any = importlib.import_module("re._parser")

ASCII = (1 << 128) - 1
"""All characters below U+0080, one bit each."""

NEWLINE = 1 << 10

WORDS = 1
OTHERS = 2
"""Characters beyond ASCII: those that are parts of words, and the rest."""

CLOSE_COUNT = 16
"""Repetitions are counted up to here; more count as any number."""

FIRST_GROUP = "1"
"""The name here of the first group, whatever its own; no group can be called that."""

FOLDED = {"i": "\u0130\u0131", "s": "\u017f", "k": "\u212a"}
"""Letters that match characters beyond ASCII, and the other way round, where case is ignored."""


class Unsupported(Exception):  # noqa: N818
    """The regular expression holds something that this file does not know."""


class Set(NamedTuple):
    """One character."""

    ascii: int
    """Which of the characters below U+0080, one bit each."""
    beyond: int = 0
    """Whether it may be one beyond ASCII: any of `WORDS`, or `OTHERS`, or both."""


class Seq(NamedTuple):
    """One after the other; none: the empty text."""

    parts: "tuple[Outline, ...]"


class Alt(NamedTuple):
    """One of several."""

    parts: "tuple[Outline, ...]"


class Repeated(NamedTuple):
    """The same *least* to *most* times; None: without limit."""

    least: int
    most: int | None
    part: "Outline"


class NamedGroup(NamedTuple):
    """A group that somebody asks for by name."""

    name: str
    part: "Outline"


Outline = Set | Seq | Alt | Repeated | NamedGroup

EMPTY = Seq(())
ANY = Set(ASCII, WORDS | OTHERS)
DOT = Set(ASCII & ~NEWLINE, WORDS | OTHERS)
ANYTHING = Repeated(0, None, ANY)


class Sketch(NamedTuple):
    """The outline of a whole regular expression."""

    outline: Outline
    is_anchored: bool
    """Whether it matches at the beginning of the text only."""
    folds: bool
    """Whether a character of `FOLDED` may stand for a letter that the outline wants."""


def sketch(regex: str) -> Sketch:
    """Return the outline of *regex*, which `re` has accepted.

    Raises:
        Unsupported: It holds something unknown, or is nested too deeply.

    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _parser.parse(regex)
        reader = _Reader(tree.state)
        outline = reader.read(tree, tree.state.flags)
    except RecursionError as error:
        raise Unsupported("a regular expression is nested too deeply") from error
    first = list(tree)[:1]
    is_anchored = bool(
        first
        and first[0][0].name == "AT"
        and (
            first[0][1].name == "AT_BEGINNING_STRING"
            or (first[0][1].name == "AT_BEGINNING" and not tree.state.flags & re.MULTILINE)
        )
    )
    return Sketch(outline, is_anchored, reader.folds)


class _Reader:
    """Walks one parse tree."""

    def __init__(self, state: Any) -> None:
        self.folds = False
        self._names = {index: name for name, index in state.groupdict.items()}
        self._groups: dict[int, tuple[Outline, int]] = {}

    def read(self, tree: Any, flags: int) -> Outline:
        """Return the outline of a subpattern under *flags*."""
        return seq([self._item(operation.name, value, flags) for operation, value in tree])

    def _item(self, name: str, value: Any, flags: int) -> Outline:
        match name:
            case "LITERAL":
                return self._literal(value, flags)
            case "NOT_LITERAL":
                return _negated([("LITERAL", value)], flags)
            case "ANY":
                return ANY if flags & re.DOTALL else DOT
            case "IN":
                return self._in(value, flags)
            case "BRANCH":
                return alt([self.read(branch, flags) for branch in value[1]])
            case "SUBPATTERN":
                return self._subpattern(value, flags)
            case "ATOMIC_GROUP":
                return self.read(value, flags)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, tree = value
                return repeat(self.read(tree, flags), int(least), int(most))
            case "AT" | "ASSERT" | "ASSERT_NOT" | "FAILURE":
                return EMPTY
            case "GROUPREF":
                return self._reference(value, flags)
            case "GROUPREF_EXISTS":
                _, yes, no = value
                return alt([self.read(yes, flags), EMPTY if no is None else self.read(no, flags)])
            case _:
                raise Unsupported(f"a regular expression holds {name}")

    def _literal(self, code: int, flags: int) -> Outline:
        return self._one(_members([("LITERAL", code)], flags), chr(code), flags)

    def _one(self, members: Set, character: str, flags: int) -> Set:
        if flags & re.IGNORECASE and character.lower() in FOLDED:
            # A class of bytes would hide the word from the automaton.
            self.folds = True
            return Set(members.ascii)
        return members

    def _in(self, items: Any, flags: int) -> Outline:
        plain = [(operation.name, value) for operation, value in items]
        if plain[0][0] == "NEGATE":
            return _negated(plain[1:], flags)
        return _members(plain, flags)

    def _subpattern(self, value: Any, flags: int) -> Outline:
        index, added, removed, tree = value
        outline = self.read(tree, (flags | added) & ~removed)
        if index is None:
            return outline
        self._groups[index] = (outline, flags)
        if (name := self._names.get(index)) is not None:
            outline = NamedGroup(name, outline)
        return NamedGroup(FIRST_GROUP, outline) if index == 1 else outline

    def _reference(self, index: int, flags: int) -> Outline:
        outline, defined_under = self._groups.get(index, (None, 0))
        if outline is None or (flags ^ defined_under) & re.IGNORECASE:
            return ANYTHING
        return outline


def _members(items: Sequence[tuple[str, Any]], flags: int, *, surely: bool = False) -> Set:
    """Return the characters that one of *items* may be, or *surely* is below U+0080."""
    bits = beyond = 0
    for name, value in items:
        if name == "CATEGORY":
            members, certain, possible = _category(value.name)
            bits |= members
            beyond |= certain if surely else possible
            continue
        if name not in {"LITERAL", "RANGE"}:
            raise Unsupported(f"a regular expression holds {name}")
        low, high = (value, value) if name == "LITERAL" else value
        if high > 127 and not surely:
            beyond |= _kind(chr(value)) if name == "LITERAL" else WORDS | OTHERS
        if low < 128:
            bits |= (1 << (min(high, 127) + 1)) - (1 << low)
        if flags & re.IGNORECASE and high > 127 and not surely:
            for letter, others in FOLDED.items():
                if any(low <= ord(other) <= high for other in others):
                    bits |= 1 << ord(letter)
    if flags & re.IGNORECASE:
        for lower in range(ord("a"), ord("z") + 1):
            pair = 1 << lower | 1 << (lower - 32)
            if bits & pair:
                bits |= pair
                if chr(lower) in FOLDED and not surely:
                    beyond |= WORDS
    return Set(bits, beyond)


def _negated(items: Sequence[tuple[str, Any]], flags: int) -> Set:
    members = _members(items, flags, surely=True)
    return Set(ASCII & ~members.ascii, (WORDS | OTHERS) & ~members.beyond)


def _kind(character: str) -> int:
    return WORDS if _IS_WORD(character) else OTHERS


_IS_WORD = re.compile(r"\w").match

_CATEGORIES = {
    "CATEGORY_DIGIT": (r"\d", 0, WORDS),
    "CATEGORY_NOT_DIGIT": (r"\D", OTHERS, WORDS | OTHERS),
    "CATEGORY_SPACE": (r"\s", 0, OTHERS),
    "CATEGORY_NOT_SPACE": (r"\S", WORDS, WORDS | OTHERS),
    "CATEGORY_WORD": (r"\w", 0, WORDS),
    "CATEGORY_NOT_WORD": (r"\W", OTHERS, WORDS | OTHERS),
}
"""Each as written; which characters beyond ASCII it surely and possibly has, with ``(?a)`` too."""


@functools.cache
def _category(name: str) -> tuple[int, int, int]:
    """Return the members below U+0080, and the kinds of others, sure and possible."""
    if name not in _CATEGORIES:
        raise Unsupported(f"a regular expression holds {name}")
    written, certain, possible = _CATEGORIES[name]
    is_member = re.compile(written).match
    return sum(1 << code for code in range(128) if is_member(chr(code))), certain, possible


def seq(parts: Sequence[Outline]) -> Outline:
    """Return *parts* one after the other, in the plainest form."""
    flat: list[Outline] = []
    for part in parts:
        if isinstance(part, Seq):
            flat.extend(part.parts)
        else:
            flat.append(part)
    return flat[0] if len(flat) == 1 else Seq(tuple(flat))


def alt(parts: Sequence[Outline]) -> Outline:
    """Return one of *parts*, in the plainest form."""
    flat: dict[Outline, None] = {}
    one: Set | None = None
    for part in parts:
        for each in part.parts if isinstance(part, Alt) else (part,):
            if isinstance(each, Set):
                one = each if one is None else Set(one.ascii | each.ascii, one.beyond | each.beyond)
            else:
                flat[each] = None
    if one is not None:
        flat[one] = None
    return next(iter(flat)) if len(flat) == 1 else Alt(tuple(flat))


def repeat(part: Outline, least: int, most: int) -> Outline:
    """Return *part* repeated, counted closely for few repetitions only."""
    if most == 0 or part == EMPTY:
        return EMPTY
    if least == most == 1:
        return part
    return Repeated(min(least, CLOSE_COUNT), most if most <= CLOSE_COUNT else None, part)


def is_nullable(outline: Outline) -> bool:
    """Whether it covers the empty text."""
    match outline:
        case Set():
            return False
        case Seq(parts):
            return all(map(is_nullable, parts))
        case Alt(parts):
            return any(map(is_nullable, parts))
        case Repeated(least, _, part):
            return least == 0 or is_nullable(part)
        case _:
            return is_nullable(outline.part)


def shortest(outline: Outline) -> int:
    """Return how many characters, or bytes, it covers at least."""
    match outline:
        case Set():
            return 1
        case Seq(parts):
            return sum(map(shortest, parts))
        case Alt(parts):
            return min(map(shortest, parts))
        case Repeated(least, _, part):
            return least * shortest(part)
        case _:
            return shortest(outline.part)


def firsts(outline: Outline) -> Set:
    """Return the characters it may begin with."""
    return _edge(outline, 0)


def lasts(outline: Outline) -> Set:
    """Return the characters it may end with."""
    return _edge(outline, -1)


def _edge(outline: Outline, side: int) -> Set:
    chosen: list[Outline]
    match outline:
        case Set():
            return outline
        case Repeated(_, _, part) | NamedGroup(_, part):
            return _edge(part, side)
        case Alt(parts):
            chosen = list(parts)
        case _:
            chosen = []
            ordered = outline.parts if side == 0 else outline.parts[::-1]
            for part in ordered:
                chosen.append(part)
                if not is_nullable(part):
                    break
    bits = beyond = 0
    for part in chosen:
        edge = _edge(part, side)
        bits |= edge.ascii
        beyond |= edge.beyond
    return Set(bits, beyond)


class Split(NamedTuple):
    """An outline around one of its groups."""

    before: Outline
    inside: Outline
    after: Outline
    is_certain: bool
    """Whether the group takes part in every match."""


def split(outline: Outline, name: str) -> Split | None:
    """Return *outline* around the group called *name*, None if it has none."""
    match outline:
        case Set():
            return None
        case NamedGroup(own, part):
            if own == name:
                return Split(EMPTY, part, EMPTY, is_certain=True)
            return split(part, name)
        case Seq(parts):
            for index, part in enumerate(parts):
                found = split(part, name)
                if found is not None:
                    before = seq([*parts[:index], found.before])
                    after = seq([found.after, *parts[index + 1 :]])
                    return Split(before, found.inside, after, found.is_certain)
            return None
        case Alt(parts):
            for part in parts:
                found = split(part, name)
                if found is not None:
                    return found._replace(is_certain=False)
            return None
        case _:
            least, _, part = outline
            found = split(part, name)
            if found is None:
                return None
            # Only the last time counts.
            others = Repeated(0, None, part)
            before = seq([others, found.before])
            return Split(before, found.inside, found.after, found.is_certain and least > 0)


def restricted(outline: Outline, allowed: Set, side: int) -> Outline | None:
    """Return what of *outline* begins (*side* 0) or ends (-1) with one of *allowed*."""
    match outline:
        case Set(members, beyond):
            both = Set(members & allowed.ascii, beyond & allowed.beyond)
            return both if both.ascii or both.beyond else None
        case NamedGroup(_, part):
            return restricted(part, allowed, side)
        case Alt(parts):
            kept = [each for part in parts if (each := restricted(part, allowed, side)) is not None]
            return alt(kept) if kept else None
        case Repeated(least, most, part):
            edge = restricted(part, allowed, side)
            if edge is None:
                return None
            rest: Outline = Repeated(max(least - 1, 0), None if most is None else most - 1, part)
            if most == 1:
                rest = EMPTY
            return seq([edge, rest] if side == 0 else [rest, edge])
        case _:
            choices = []
            left = list(outline.parts)
            while left:
                part = left.pop(side)
                edge = restricted(part, allowed, side)
                if edge is not None:
                    choices.append(seq([edge, *left] if side == 0 else [*left, edge]))
                if not is_nullable(part):
                    break
            return alt(choices) if choices else None
