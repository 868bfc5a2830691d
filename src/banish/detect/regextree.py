"""Reads a regular expression as a tree, the way Python's own parser sees it.

The parser is that of `re` itself, which is no public interface of Python; this
file is the only one that knows how it puts things. It has been the same from
Python 3.11, which added possessive quantifiers and atomic groups, to 3.14.

Which characters a place takes is a mask: one bit for each ASCII character and
one for all the others together, so that two places can be compared by ``&``.
"""

import re
import re._constants as op  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import warnings
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

OTHER = 1 << 128
"""The bit for every character that is not ASCII."""

ANY = (OTHER << 1) - 1
UNBOUNDED = int(parser.MAXREPEAT)


class Chars(NamedTuple):
    """One character out of a set."""

    mask: int
    text: str
    """One of them, as a program would write it."""


class Sequence(NamedTuple):
    """One after the other."""

    items: "tuple[Node, ...]"


class Choice(NamedTuple):
    """One of several."""

    number: int
    branches: "tuple[Node, ...]"


class Repeat(NamedTuple):
    """The same, *least* to *most* times."""

    number: int
    least: int
    most: int
    kind: Literal["greedy", "lazy", "possessive"]
    body: "Node"


class Group(NamedTuple):
    """A group that captures."""

    number: int
    name: str
    body: "Node"


class Atomic(NamedTuple):
    """A group that is never tried a second way."""

    body: "Node"


class Look(NamedTuple):
    """A condition on what is ahead or behind; takes no text."""

    is_ahead: bool
    is_negative: bool
    body: "Node"


class Mark(NamedTuple):
    """A place between characters: a beginning, an end, a boundary of words."""

    is_end: bool
    is_begin: bool


class Again(NamedTuple):
    """The text of a group once more."""

    group: int


class When(NamedTuple):
    """One thing if a group took part, else another."""

    group: int
    yes: "Node"
    no: "Node"


Node = Chars | Sequence | Choice | Repeat | Group | Atomic | Look | Mark | Again | When


def read(regex: str, flags: int = 0, *, first: int = 0) -> Node:
    """Return the tree of *regex*, which is one that `re.compile` takes.

    Choices, repeats and groups are numbered from *first* on, so that trees can be joined.

    Raises:
        re.error: It is no regular expression.
        RecursionError: It is nested deeper than Python can follow.

    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = parser.parse(regex, flags)
    names = {index: name for name, index in parsed.state.groupdict.items()}
    return _Reading(names, first).sequence(parsed, parsed.state.flags)


def inside(node: Node) -> tuple[Node, ...]:
    """Return the nodes right below *node*; conditions have none, since they take no text."""
    match node:
        case Sequence(items):
            return items
        case Choice(_, branches):
            return branches
        case Repeat(body=body) | Group(body=body) | Atomic(body):
            return (body,)
        case When(_, yes, no):
            return yes, no
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """Give *node* and all below it, conditions left out."""
    yield node
    for child in inside(node):
        yield from walk(child)


def replace_group(node: Node, name: str, body: Node) -> Node:
    """Return *node* with *body* as what the group *name* takes."""

    def again(below: Node) -> Node:
        return replace_group(below, name, body)

    match node:
        case Group(number, found, inner):
            return Group(number, found, body if found == name else again(inner))
        case Sequence(items):
            return Sequence(tuple(map(again, items)))
        case Choice(number, branches):
            return Choice(number, tuple(map(again, branches)))
        case Repeat():
            return node._replace(body=again(node.body))
        case Atomic(inner):
            return Atomic(again(inner))
        case When(group, yes, no):
            return When(group, again(yes), again(no))
        case _:
            return node


def is_anchored(node: Node, *, at_end: bool) -> bool:
    """Whether *node* can only begin where a text begins; *at_end*: only end where one ends."""
    match node:
        case Mark(is_end, is_begin):
            return is_end if at_end else is_begin
        case Sequence(items):
            for item in reversed(items) if at_end else items:
                if is_anchored(item, at_end=at_end):
                    return True
                if not isinstance(item, (Look, Mark)):
                    return False
            return False
        case Choice(_, branches):
            return all(is_anchored(branch, at_end=at_end) for branch in branches)
        case Repeat(least=least, body=body):
            return least > 0 and is_anchored(body, at_end=at_end)
        case Group(body=body) | Atomic(body):
            return is_anchored(body, at_end=at_end)
        case When(_, yes, no):
            return is_anchored(yes, at_end=at_end) and is_anchored(no, at_end=at_end)
        case _:
            return False


def characters(node: Node) -> int:
    """Return the mask of all characters that *node* may take anywhere."""
    return _union(each.mask if isinstance(each, Chars) else _again(each) for each in walk(node))


def _again(node: Node) -> int:
    return ANY if isinstance(node, Again) else 0


def _union(masks: Iterator[int]) -> int:
    total = 0
    for mask in masks:
        total |= mask
    return total


def mask_of(text: str) -> int:
    """Return the mask of the characters of *text*."""
    return _union(_bit(ord(character)) for character in text)


def _bit(code: int) -> int:
    return 1 << code if code < 128 else OTHER


_CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}
_WITH_LETTERS = (op.CATEGORY_WORD, op.CATEGORY_NOT_DIGIT, op.CATEGORY_NOT_SPACE)
_ASCII = "".join(map(chr, range(128)))


def _category(name: Any) -> int:
    # Outside ASCII there are blanks and digits too; letters stand for all of it here.
    mask = mask_of("".join(re.findall(_CATEGORIES[name], _ASCII)))
    return mask | OTHER if name in _WITH_LETTERS else mask


_LIKELY = "x1 -/.:=,_@[](){}<>'\"abcdefghijklmnopqrstuvwyzABCDEFGHIJKLMNOPQRSTUVWXYZ023456789"


def likely(mask: int) -> str:
    """Return the character of *mask* that a log line would most likely have."""
    for character in _LIKELY + _ASCII[32:127] + "\t\n" + _ASCII:
        if mask & _bit(ord(character)):
            return character
    return "\u00e4"


class _Reading:
    """Turns what the parser gives into nodes."""

    def __init__(self, names: dict[int, str], first: int) -> None:
        self._names = names
        self._first = first
        self._count = first

    def _number(self) -> int:
        self._count += 1
        return self._count

    def sequence(self, items: Any, flags: int) -> Node:
        nodes = tuple(self._node(kind, value, flags) for kind, value in items)
        return nodes[0] if len(nodes) == 1 else Sequence(nodes)

    def _node(self, kind: Any, value: Any, flags: int) -> Node:
        if kind is op.LITERAL:
            return Chars(_cases(_bit(value), flags), chr(value))
        if kind in (op.NOT_LITERAL, op.ANY, op.IN):
            return _set(kind, value, flags)
        if kind is op.BRANCH:
            branches = tuple(self.sequence(branch, flags) for branch in value[1])
            return Choice(self._number(), branches)
        if kind in _KINDS:
            least, most, body = value
            number = self._number()
            return Repeat(number, least, int(most), _KINDS[kind], self.sequence(body, flags))
        if kind is op.SUBPATTERN:
            group, more, fewer, body = value
            node = self.sequence(body, (flags | more) & ~fewer)
            if group is None:
                return node
            return Group(self._first + group, self._names.get(group, ""), node)
        if kind is op.ATOMIC_GROUP:
            return Atomic(self.sequence(value, flags))
        if kind is op.AT:
            begins = value in (op.AT_BEGINNING, op.AT_BEGINNING_STRING)
            return Mark(value in (op.AT_END, op.AT_END_STRING), begins)
        if kind is op.GROUPREF:
            return Again(self._first + value)
        if kind is op.GROUPREF_EXISTS:
            group, yes, no = value
            otherwise = self.sequence(no, flags) if no is not None else Sequence(())
            return When(self._first + group, self.sequence(yes, flags), otherwise)
        # What is left is a condition; some parsers have a kind without value for "(?!)".
        direction, body = value or (1, ())
        return Look(direction > 0, kind is not op.ASSERT, self.sequence(body, flags))


_KINDS: dict[Any, Literal["greedy", "lazy", "possessive"]] = {
    op.MAX_REPEAT: "greedy",
    op.MIN_REPEAT: "lazy",
    op.POSSESSIVE_REPEAT: "possessive",
}


def _set(kind: Any, value: Any, flags: int) -> Chars:
    if kind is op.ANY:
        mask = ANY if flags & re.DOTALL else ANY & ~_bit(10)
    elif kind is op.NOT_LITERAL:
        mask = ANY & ~(_cases(_bit(value), flags) & ~OTHER)
    else:
        mask = 0
        negated = False
        for member, what in value:
            if member is op.NEGATE:
                negated = True
            elif member is op.LITERAL:
                mask |= _bit(what)
            elif member is op.RANGE:
                low, high = what
                mask |= mask_of(_ASCII[low : high + 1]) | (OTHER if high > 127 else 0)
            else:
                mask |= _category(what)
        mask = _cases(mask, flags)
        if negated:
            mask = ANY & ~mask | OTHER
    return Chars(mask, likely(mask))


def _cases(mask: int, flags: int) -> int:
    if not flags & re.IGNORECASE:
        return mask
    for lower, upper in zip(range(97, 123), range(65, 91), strict=True):
        if mask & (1 << lower | 1 << upper):
            mask |= 1 << lower | 1 << upper
    return mask
