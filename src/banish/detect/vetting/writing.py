"""Writes lines that a regular expression matches, in pieces.

A *shape* is one way through a regex: which branch of every choice, which of its
options present. Its pieces are fixed text, the address, and gaps: the parts wide
enough to hold an address that somebody else wrote. Looking ahead and behind is
not understood here; whoever uses a line first asks the regex whether it matches.
"""

from collections.abc import Iterator
from typing import NamedTuple

from banish.detect.regextree import (
    UNBOUNDED,
    Again,
    Atomic,
    Chars,
    Choice,
    Group,
    Node,
    Repeat,
    Sequence,
    When,
    characters,
    likely,
    mask_of,
    walk,
)

GAP_LEAST = 12
"""A part that takes fewer characters than this holds no address with text around it."""

PIECES_LIMIT = 2_000
"""Longest line, in pieces; a regex that asks for more is cut and then fails its own test."""

SHAPES_LIMIT = 16
"""Most shapes of one regex, plain or full."""

_ADDRESS4 = mask_of("0123456789.")
_ADDRESS6 = mask_of("0123456789:")
_WORD = mask_of("".join(map(chr, range(33, 127))))
"""What ``\\S`` takes: a gap that takes all of it says nothing of what a name can hold."""

ADDRESS_GROUPS = frozenset({"ip4", "ip6", "dns", "fid"})
USER_GROUPS = ("user", "alt_user")
"""Groups of ``<F-USER>`` and its alternatives: what a client says it is called."""


class LinePiece(NamedTuple):
    """A part of a line."""

    text: str
    kind: str = "text"
    """``text``, ``address``; ``gap``, ``name`` (inside ``<F-USER>``, any word); ``start`` and
    ``end``, which are empty: a regex leaves open what stands there."""


Shape = tuple[LinePiece, ...]

OPEN_START = Group(-1, "<start>", Sequence(()))
"""Put before a tree that may match in the middle of a text."""

OPEN_END = Group(-2, "<end>", Sequence(()))
"""Put behind a tree that more text may follow."""

_OPENINGS = {OPEN_START.name: "start", OPEN_END.name: "end"}


def is_gap(node: Node) -> bool:
    """Whether *node* is wide enough to hold an address and text around it."""
    if not isinstance(node, Repeat) or node.most < 2:
        return False
    mask = characters(node.body)
    wide = node.most >= UNBOUNDED or node.most * _width(node.body) >= GAP_LEAST
    return wide and (mask & _ADDRESS4 == _ADDRESS4 or mask & _ADDRESS6 == _ADDRESS6)


def _width(node: Node) -> int:
    """Return how many characters *node* takes at most, up to a thousand."""
    match node:
        case Chars():
            return 1
        case Sequence(items):
            return min(1_000, sum(map(_width, items)))
        case Choice(_, branches):
            return max(map(_width, branches), default=0)
        case Repeat(most=most, body=body):
            return min(1_000, min(most, 1_000) * _width(body))
        case Group(body=body) | Atomic(body):
            return _width(body)
        case When(_, yes, no):
            return max(_width(yes), _width(no))
        case Again():
            return 1_000
        case _:
            return 0


def _freedom(node: Node) -> int:
    """Return how many kinds of characters the widest gap in *node* takes."""
    gaps = (characters(each).bit_count() for each in walk(node) if is_gap(each))
    return max(gaps, default=0)


def shapes(node: Node, *, is_full: bool, limit: int = SHAPES_LIMIT) -> list[Shape]:
    """Return up to *limit* shapes of *node*, no two alike.

    The first is the plainest, or the one with all options present and the widest
    gaps (*is_full*); the others differ from it in one choice, lowest numbers first,
    then in more.
    """
    found: dict[Shape, None] = {}
    tried: set[tuple[int, int]] = set()
    plans: list[dict[int, int]] = [{}]
    while plans and len(found) < limit:
        chosen = plans.pop(0)
        writer = _Writer(chosen, is_full=is_full)
        writer.write(node)
        found.setdefault(writer.shape())
        for number, options in sorted(writer.met.items()):
            for option in range(options):
                if option != writer.taken[number] and (number, option) not in tried:
                    tried.add((number, option))
                    plans.append({**chosen, number: option})
    return list(found)


class _Writer:
    """Goes one way through a tree and writes down what stands on it."""

    def __init__(self, chosen: dict[int, int], *, is_full: bool) -> None:
        self._chosen = chosen
        self._is_full = is_full
        self._pieces: list[LinePiece] = []
        self._groups: dict[int, tuple[int, int]] = {}
        self._in_name = False
        self.met: dict[int, int] = {}
        """Choices on the way, and how many options each has."""
        self.taken: dict[int, int] = {}

    def shape(self) -> Shape:
        """Return what was written, fixed text joined."""
        return joined(self._pieces)

    def write(self, node: Node) -> None:
        """Write what *node* takes."""
        if len(self._pieces) > PIECES_LIMIT:
            return
        match node:
            case Chars(_, text):
                self._pieces.append(LinePiece(text))
            case Sequence(items):
                for item in items:
                    self.write(item)
            case Choice(number, branches):
                self.write(branches[self._choose(number, len(branches), self._branch(branches))])
            case Repeat():
                self._repeat(node)
            case Group(number, name, body):
                self._group(number, name, body)
            case Atomic(body):
                self.write(body)
            case Again(group):
                begin, end = self._groups.get(group, (0, 0))
                # No gap of its own: it holds what the first one holds.
                self._pieces += [LinePiece(piece.text) for piece in self._pieces[begin:end]]
            case When(group, yes, no):
                self.write(yes if group in self._groups else no)
            case _:
                pass

    def _choose(self, number: int, options: int, default: int) -> int:
        self.met[number] = options
        self.taken[number] = self._chosen.get(number, default)
        return self.taken[number]

    def _branch(self, branches: tuple[Node, ...]) -> int:
        if not self._is_full:
            return 0
        widths = [_freedom(branch) for branch in branches]
        return widths.index(max(widths))

    def _repeat(self, node: Repeat) -> None:
        if is_gap(node):
            mask = characters(node.body)
            times = min(max(1, node.least), PIECES_LIMIT)
            filler = likely(mask) * times if isinstance(node.body, Chars) else ""
            if not filler:
                before = len(self._pieces)
                for _ in range(max(node.least, int(self._is_full))):
                    self.write(node.body)
                filler = "".join(piece.text for piece in self._pieces[before:])
                del self._pieces[before:]
            elif self._in_name and node.most > 4 and mask & mask_of("rot") == mask_of("rot"):
                filler = "root"
            is_name = self._in_name and mask & _WORD == _WORD
            self._pieces.append(LinePiece(filler, "name" if is_name else "gap"))
            return
        least, most = node.least, node.most
        times = least
        if least < most:
            extra = self._choose(node.number, 2, int(self._is_full and least == 0))
            times = least + extra
        for _ in range(min(times, PIECES_LIMIT)):
            self.write(node.body)

    def _group(self, number: int, name: str, body: Node) -> None:
        begin = len(self._pieces)
        if name in _OPENINGS:
            self._pieces.append(LinePiece("", _OPENINGS[name]))
            return
        outer = self._in_name
        self._in_name = outer or name.startswith(USER_GROUPS)
        self.write(body)
        self._in_name = outer
        if name in ADDRESS_GROUPS:
            text = "".join(piece.text for piece in self._pieces[begin:])
            self._pieces[begin:] = [LinePiece(text, "address")]
        self._groups[number] = (begin, len(self._pieces))


def plain_text(shape: Shape) -> str:
    """Return *shape* as the line it is."""
    return "".join(piece.text for piece in shape)


def joined(pieces: "list[LinePiece] | Shape") -> Shape:
    """Return *pieces* with neighbouring fixed text in one."""
    return tuple(_joined(pieces))


def _joined(pieces: "list[LinePiece] | Shape") -> Iterator[LinePiece]:
    text = ""
    for piece in pieces:
        if piece.kind == "text":
            text += piece.text
            continue
        if text:
            yield LinePiece(text)
            text = ""
        yield piece
    if text:
        yield LinePiece(text)
