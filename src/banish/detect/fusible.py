r"""Tells of regexes searched one after the other whether one search may do for all.

A *body* is what stands behind the ``^`` that a regex begins with. Searched by
itself, a body begins where a text begins; in one search it begins somewhere in
the line, with the rest of the line behind it. For that to be the same it must
not look at what is before its own beginning. The date is searched in the line
without its end, so for that it must make no difference whether a ``\n`` follows.

Every claim is proved on the tree that Python's own parser makes; what cannot be
proved is said to be false.
"""

import functools
import operator
import re
from typing import NamedTuple

from banish.detect.regextree import (
    ANY,
    Again,
    Atomic,
    Chars,
    Choice,
    Group,
    Look,
    Mark,
    Node,
    Repeat,
    Sequence,
    When,
    inside,
    mask_of,
    read,
    walk,
)

_JUNK = r"(?:\W{0,2})?"
_DATE_END = r"(?=\b|\W|$)"
"""What stands before and behind a date that is bound to the line's beginning; see `datepattern`."""

_CONTENT = "(?P<content>"
_FLAGS = re.compile(r"\(\?([iu]+)\)")
_NUMBERED = re.compile(r"\\[1-9]|\(\?\(\d")
_NEWLINE = mask_of("\n")
_NAME = re.compile(r"\(\?P<\w+>")
_CLOCK_ITEMS = 4
_COLON = mask_of(":")
_DIGITS = mask_of("0123456789")


class Body(NamedTuple):
    """A regex without the ``^`` it begins with."""

    text: str
    flags: str
    """Those that hold for all of it, as they are written in a group: ``i`` or nothing."""
    items: tuple[Node, ...]
    """What it takes one after the other."""

    @property
    def scoped(self) -> str:
        """The text as a group that takes its flags along."""
        return f"(?{self.flags}:{self.text})"


def body_of(regex: str, junk: str = "") -> Body | None:
    """Return the body of *regex*, or None where it does not begin with ``^`` as a whole.

    *junk* is left out if the body begins with it.

    Raises:
        re.error: It is no regular expression.
        RecursionError: It is nested deeper than Python can follow.

    """
    flags = _FLAGS.match(regex)
    rest = regex[flags.end() :] if flags else regex
    if not rest.startswith("^"):
        return None
    text = rest[1:].removeprefix(junk)
    opening = f"{flags[0] if flags else ''}^"
    tree = read(opening + text)
    # Not the same where the "^" is one of several branches' only.
    if tree != read(f"{opening}(?:{text})"):
        return None
    return Body(text, "i" if flags and "i" in flags[1] else "", _items(tree)[1:])


@functools.lru_cache(maxsize=64)
def date_body(regex: str) -> Body | None:
    r"""Return the body of a date's *regex* that takes its group 1 and nothing else, or None.

    Signs that may stand before it are left out: in a line that begins with a ``\w``
    none do. Finds the same in a line with and without its ``\n``.
    """
    # At the end of a line the date ends, too, be that a "$" or a "\W".
    inner = regex.removesuffix(_DATE_END)
    body = body_of(inner, _JUNK)
    if body is None or r"\Z" in _unescaped(regex):
        return None
    first, *others = body.items or (None,)
    if not isinstance(first, Group) or not least_width(first) or any(map(_takes_text, others)):
        return None
    if not all(_is_blind(each, 0) for each in body.items):
        return None
    return body._replace(text=body.text + regex[len(inner) :])


@functools.lru_cache(maxsize=64)
def leads(regex: str) -> bool:
    """Whether a date's *regex* finds it where the line begins, as `date_body` can tell."""
    try:
        return date_body(regex) is not None
    except (re.error, RecursionError):
        return False


class Clock(NamedTuple):
    """How dates end of which many end with minutes and seconds."""

    after: str
    """The regex of what else may follow these; begins with no digit, and may be nothing."""
    flags: str
    """Those that hold for it, as they are written in a group: ``i`` or nothing."""
    end: str
    """The regex of what must be true behind the date."""


@functools.lru_cache(maxsize=64)
def clock_of(regex: str) -> Clock | None:
    r"""Return how the dates end for which *regex* is the format, or None.

    If not None: of a line that begins with a date which ends with ``:``, two digits, ``:`` and
    two digits, these are groups ``M`` and ``S``; and where others stand there instead, each
    two up to 59, what is before them is found the same way.
    """
    try:
        return _clock_of(regex)
    except (re.error, RecursionError):
        return None


def _clock_of(regex: str) -> Clock | None:
    body = date_body(regex)
    if body is None or len(body.items) > 1:
        return None
    items = _items(inside(body.items[0])[0])
    at = next((at for at, item in enumerate(items) if _is_named(item, "S")), 0)
    before, clock, after = items[: max(0, at - 3)], items[max(0, at - 3) : at + 1], items[at + 1 :]
    if len(clock) < _CLOCK_ITEMS:
        return None
    first, minutes, second, seconds = clock
    is_clock = (
        first == second
        and isinstance(first, Chars)
        and first.mask == _COLON
        and _is_named(minutes, "M")
        and not any(_may_take(each, ANY & ~_DIGITS) for each in (minutes, seconds))
    )
    # So that it is always the same ":" of a line before which the clock stands.
    are_colons_counted = not any(
        _may_take(each, _COLON) and each != first for each in before
    ) and not any(isinstance(below, Look) for each in before for below in walk(each))
    ends_there = not any(_asks_back(each) or _may_take(each, _COLON) for each in after)
    if not (is_clock and are_colons_counted and ends_there) or _begins(Sequence(after)) & _DIGITS:
        return None
    rest = body.text.partition("(?P<S>")[2].partition(")")[2]
    end = _DATE_END if rest.endswith(_DATE_END) else ""
    text = _NAME.sub("(?:", rest.removesuffix(end)[:-1])
    read(text)  # its groups are closed, so that it is what *after* is made of
    return Clock(text, body.flags, end)


@functools.lru_cache(maxsize=256)
def later_body(regex: str) -> Body | None:
    """Return the body of *regex* that takes the same wherever it begins, or None."""
    body = body_of(regex)
    if body is None or _NUMBERED.search(_unescaped(regex)):
        return None
    return body if _sees_no_past(Sequence(body.items), 0) else None


@functools.lru_cache(maxsize=64)
def front_and_content(body: Body) -> tuple[str, str] | None:
    """Return what a prefregex takes before its group ``content``, and what in it.

    None where the content does not run up to the line's end.
    """
    front, _, tail = body.text.partition(_CONTENT)
    content = tail.removesuffix(")$")
    *others, group, end = (None, None, *body.items)
    if content == tail or not isinstance(group, Group) or end != Mark(is_end=True, is_begin=False):
        return None
    try:
        read(content)
        before = read(f"(?:{front})", re.IGNORECASE if body.flags else 0)
    except re.error:  # one of them is only a part, or asks for a group of the other
        return None
    last = _items(group.body)[-1:]
    if _items(before) != tuple(others[2:]) or group.name != "content" or not last:
        return None
    (final,) = last
    if not isinstance(final, Repeat) or final.least < 1 or not isinstance(final.body, Chars):
        return None
    # A text ends with its only newline at last, and "$" stands before that then.
    return None if final.body.mask & _NEWLINE else (front, content)


def _unescaped(regex: str) -> str:
    return regex.replace("\\\\", "")


def _items(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sequence) else (node,)


def least_width(node: Node) -> int:
    """Return how many characters *node* takes at least."""
    match node:
        case Chars():
            return 1
        case Sequence(items):
            return sum(map(least_width, items))
        case Choice(_, branches):
            return min(map(least_width, branches))
        case Repeat(least=least, body=body):
            return least * least_width(body)
        case Group(body=body) | Atomic(body):
            return least_width(body)
        case When(_, yes, no):
            return min(least_width(yes), least_width(no))
        case _:
            return 0


def _is_named(node: Node, name: str) -> bool:
    return isinstance(node, Group) and node.name == name


def _may_take(node: Node, mask: int) -> bool:
    return any(isinstance(each, Chars) and each.mask & mask for each in walk(node))


def _asks_back(node: Node) -> bool:
    """Whether *node* may ask what was found before it, or for conditions of any kind."""
    return any(isinstance(each, (Again, When, Look, Mark)) for each in walk(node))


def _begins(node: Node) -> int:
    """Return the mask of characters that the text of *node* may begin with."""
    match node:
        case Chars(mask):
            return mask
        case Sequence(items):
            mask = 0
            for item in items:
                mask |= _begins(item)
                if least_width(item):
                    break
            return mask
        case _:
            return functools.reduce(operator.or_, map(_begins, inside(node)), 0)


def _takes_text(node: Node) -> bool:
    return any(isinstance(each, (Chars, Again)) for each in walk(node))


def _sees_no_past(node: Node, before: int) -> bool:
    """Whether *node* looks no further back than *before* characters, which its regex has taken.

    What never lets go is doubted: with groups in it, Python 3.11.7 may mistake the spans of
    groups, and which, or whether it tells (`SystemError`), depends on the groups before it.
    """
    match node:
        case Mark(is_end, is_begin):
            return is_end or (not is_begin and before > 0)
        case Sequence(items):
            for item in items:
                if not _sees_no_past(item, before):
                    return False
                before += least_width(item)
            return True
        case Choice(_, branches):
            return all(_sees_no_past(branch, before) for branch in branches)
        case When(_, yes, no):
            return _sees_no_past(yes, before) and _sees_no_past(no, before)
        case Atomic() | Repeat(kind="possessive"):
            return False
        case Repeat(body=body) | Group(body=body):
            return _sees_no_past(body, before)
        case Look(is_ahead=True, body=body):
            return _sees_no_past(body, before)
        case Look(body=body):
            # What is behind has one width only, but that of a group's text is not known here.
            if any(isinstance(each, (Again, When)) for each in walk(body)):
                return False
            start = before - least_width(body)
            return start >= 0 and _sees_no_past(body, start)
        case _:
            return True


def _is_blind(node: Node, after: int) -> bool:
    r"""Whether a ``\n`` at the very end makes no difference to *node*.

    *after*: how many characters must follow what it takes, in the same regex. What
    takes the last character and needs one more leads nowhere.
    """
    match node:
        case Chars(mask):
            return after > 0 or not mask & _NEWLINE
        case Sequence(items):
            for item in reversed(items):
                if not _is_blind(item, after):
                    return False
                after += least_width(item)
            return True
        case Choice(_, branches):
            return all(_is_blind(branch, after) for branch in branches)
        case When(_, yes, no):
            return _is_blind(yes, after) and _is_blind(no, after)
        case Group(body=body):
            return _is_blind(body, after)
        case Repeat(kind=kind, body=body):
            return kind != "possessive" and _is_blind(body, after)
        case Look(is_ahead=True, body=body):
            return _is_blind(body, 0)
        case Look(body=body):
            return not any(isinstance(each, Look) for each in walk(body))
        case Atomic():
            return False
        case _:
            return True
