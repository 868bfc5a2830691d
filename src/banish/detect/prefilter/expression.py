r"""Writes an outline as an expression over the bytes of a log.

What the outline says of a text, the expression says of bytes inside one line:

- It holds no line end, so no match reaches into another line. Only the end of
  the text that a rule searches is one; what could have matched it may be
  missing.
- A character beyond ASCII is one to four bytes of 0x80 and above, whatever they
  decode to.
- The rule searched the line without its time, and the block still has it. It
  may have stood between any two characters that are no parts of words; there,
  anything may stand between. (Where it may touch a word: see `cut`.)

Then what costs much and says little is left out at both ends: an expression
is searched for anywhere in a line, so whatever stands before or behind may go.
"""

import re
from collections.abc import Sequence

from banish.detect.prefilter.outline import (
    ASCII,
    EMPTY,
    NEWLINE,
    OTHERS,
    WORDS,
    Alt,
    NamedGroup,
    Outline,
    Repeated,
    Seq,
    Set,
    alt,
    firsts,
    is_nullable,
    lasts,
    seq,
    shortest,
)

WORD = sum(1 << code for code in range(128) if re.match(r"\w", chr(code)))

LONGEST_CHARACTER_BYTES = 4

HIGH = WORDS | OTHERS
"""In an outline over bytes: 0x80 and above."""

ANY_BYTE = Set(ASCII & ~NEWLINE, HIGH)
GAP = Repeated(0, None, ANY_BYTE)

TELLING = 4
TELLING_BESIDE = 3
"""Something of the first strength makes up for leaving out what has not even the second."""

TELLING_ALONE = 6
"""So many letters and digits together need nothing else beside them."""

LEAST_OF_WORDS = 3
"""So many letters and digits make a word that says something."""

COMMON_WORDS = frozenset({"for", "from", "user", "with", "not", "and", "the", "method", "client"})
"""Words that say little, for they stand in lines of all kinds."""

IN_EVERY_REQUEST = r"HTTP\x2f"
"""What stands, as it is written, in each line of a web server's log and tells none from others."""

GAPPED_BRANCHES = 4
"""More alternatives with gaps in them than this make the automaton large and slow."""

NARROW_MEMBERS = 4
"""A set of at most so many characters says something."""


def within_line(
    outline: Outline, *, gaps: bool, before: bool = False, ends: bool = True
) -> Outline:
    """Return *outline* over bytes.

    Args:
        outline: Over characters.
        gaps: Whether a time may have been cut out of what it covers.
        before: Whether a character that is no part of a word may stand before.
        ends: Whether the text may end behind it.

    """
    match outline:
        case Set():
            return _byte(outline, gaps=gaps, before=before, ends=ends)
        case NamedGroup(_, part):
            return within_line(part, gaps=gaps, before=before, ends=ends)
        case Alt(parts):
            return alt([within_line(each, gaps=gaps, before=before, ends=ends) for each in parts])
        case Seq(()):
            return EMPTY
        case Seq(parts):
            # From behind: whether what follows can be the text's last line end, or nothing.
            ended = [ends]
            for part in parts[:0:-1]:
                ended.append(ended[-1] and _is_end(part))
            written = []
            for part, ends_here in zip(parts, reversed(ended), strict=True):
                written.append(within_line(part, gaps=gaps, before=before, ends=ends_here))
                before = (before and is_nullable(part)) or _is_loose(lasts(part))
            return seq(written)
        case _:
            least, most, part = outline
            if gaps and most != 1 and _is_loose(lasts(part)) and _is_loose(firsts(part)):
                if isinstance(part, Set):
                    first = _byte(part, gaps=True, before=before, ends=ends)
                    loop = seq([first, GAP])
                    return loop if least else alt([loop, EMPTY])
                before = True
            if isinstance(part, Set) and part.beyond and not gaps:
                members = Set(part.ascii & ~NEWLINE, HIGH)
                if ends and part.ascii & NEWLINE:
                    least = 0
                return Repeated(least, None if most is None else most * 4, members)
            body = within_line(part, gaps=gaps, before=before, ends=ends)
            return Repeated(least, most, body) if body != EMPTY else EMPTY


def _byte(one: Set, *, gaps: bool, before: bool, ends: bool) -> Outline:
    ascii_members = one.ascii & ~NEWLINE
    written: list[Outline] = []
    if ascii_members:
        written.append(Set(ascii_members))
    if one.beyond:
        written.append(Repeated(1, LONGEST_CHARACTER_BYTES, Set(0, HIGH)))
    if not written:
        return EMPTY
    outline = alt(written)
    if gaps and before and _is_loose(one):
        outline = seq([GAP, outline])
    if ends and one.ascii & NEWLINE:
        outline = alt([outline, EMPTY])
    return outline


def nearest(outline: Outline, side: int, characters: int) -> Outline:
    """Return *outline* cut off behind its first (*side* 0) or last (-1) parts.

    They hold at least so many characters; whatever *outline* covers begins or
    ends with what the result covers.
    """
    if not isinstance(outline, Seq):
        return outline
    kept: list[Outline] = []
    for part in outline.parts if side == 0 else outline.parts[::-1]:
        kept.append(part)
        if shortest(seq(kept)) >= characters:
            break
    return seq(kept if side == 0 else kept[::-1])


def _is_loose(one: Set) -> bool:
    """Whether it may be no part of a word."""
    return bool(one.beyond & OTHERS or one.ascii & ~WORD & ~NEWLINE)


def _is_end(outline: Outline) -> bool:
    """Whether it covers the empty text or one of line ends only."""
    match outline:
        case Set(members, _):
            return bool(members & NEWLINE)
        case Seq(parts):
            return all(map(_is_end, parts))
        case Alt(parts):
            return any(map(_is_end, parts))
        case Repeated(least, _, part):
            return least == 0 or _is_end(part)
        case _:
            return _is_end(outline.part)


# -- leaving out ------------------------------------------------------------------


def essential(outline: Outline) -> Outline:
    """Return *outline*, over bytes, without what says little.

    Whatever it covers has a part that the result covers.
    """
    return _without_tail(_without_head(_without_common_head(_lean(outline))))


def _lean(outline: Outline) -> Outline:
    """Return *outline* with anything in place of what says nothing.

    Words with anything between are what the automaton is quickest with, and
    what tells lines apart.
    """
    match outline:
        case Set():
            return outline
        case NamedGroup(_, part):
            return _lean(part)
        case Alt(parts):
            branches = [_lean(part) for part in parts]
            if sum(map(_has_gap, branches)) > GAPPED_BRANCHES:
                branches = [_strongest(branch) for branch in branches]
            return alt(branches)
        case Repeated(least, most, part):
            body = _lean(part)
            if least and _has_gap(body):
                return seq([*[body] * least, GAP])
            return Repeated(least, most, body)
        case _:
            kept: list[Outline] = []
            flat = seq([_lean(part) for part in outline.parts])
            for whole in flat.parts if isinstance(flat, Seq) else (flat,):
                says = strength(whole)
                part = whole if says or isinstance(whole, Set) else GAP
                if not says and kept and kept[-1] == GAP:
                    continue
                while part == GAP and kept and not strength(kept[-1]):
                    del kept[-1]
                kept.append(part)
            return seq(_tellings(kept))


def _tellings(parts: list[Outline]) -> list[Outline]:
    """Leave out what tells little of all that gaps set apart, where something tells enough."""
    runs = _runs(parts)
    strengths = [strength(seq(run)) if _tells(run) else 0 for run in runs]
    if len(runs) == 1 or max(strengths) < TELLING:
        return parts
    best = max(range(len(runs)), key=strengths.__getitem__)
    if strength(seq(runs[best]), WORD) >= TELLING_ALONE:
        before: list[Outline] = [GAP] if best else []
        return [*before, *runs[best], *([GAP] if best < len(runs) - 1 else [])]
    # A gap at an end stays: what is behind or before may matter to whoever holds this.
    kept = [runs[0]] if not runs[0] or strengths[0] >= TELLING_BESIDE else [[]]
    kept += [
        run for run, says in zip(runs[1:-1], strengths[1:-1], strict=True) if says >= TELLING_BESIDE
    ]
    kept += [runs[-1]] if strengths[-1] >= TELLING_BESIDE else [[]]
    telling: list[Outline] = []
    for run in kept:
        telling += [*([GAP] if telling or run is not kept[0] else []), *run]
    return telling


def _tells(run: Sequence[Outline]) -> bool:
    """Whether *run* is more than punctuation, and what stands in every line."""
    return bool(strength(seq(run), WORD)) and write(seq(run)).strip() != IN_EVERY_REQUEST


def _without_common_head(outline: Outline) -> Outline:
    """Leave out what comes before the first gap, where something behind tells no less.

    It is a service's name or a method's, which most lines of a log have: the
    automaton would walk through the rest of each of them.
    """
    runs = _runs(outline.parts) if isinstance(outline, Seq) else [[outline]]
    head = next((index for index, run in enumerate(runs) if run), 0)
    rest = head + 1
    said = max((strength(seq(run)) for run in runs[rest:] if _is_rare(run)), default=0)
    if said < max(TELLING, strength(seq(runs[head]))):
        return outline
    kept: list[Outline] = []
    for run in runs[rest:]:
        kept += [GAP, *run]
    return seq(kept[1:])


def _is_rare(run: Sequence[Outline]) -> bool:
    """Whether *run* holds so much of words, and not a common one alone."""
    if strength(seq(run), WORD) < LEAST_OF_WORDS:
        return False
    text = write(seq(run)).strip()
    return text not in COMMON_WORDS


def _runs(parts: Sequence[Outline]) -> list[list[Outline]]:
    """Return what gaps set apart in *parts*."""
    runs: list[list[Outline]] = [[]]
    for part in parts:
        if part == GAP:
            runs.append([])
        else:
            runs[-1].append(part)
    return runs


def _strongest(branch: Outline) -> Outline:
    """Return the most telling of what gaps set apart in *branch*, with a gap for the rest."""
    if not isinstance(branch, Seq) or GAP not in branch.parts:
        return branch
    runs = _runs(branch.parts)
    best = max(range(len(runs)), key=lambda index: strength(seq(runs[index])))
    before = [GAP] if best else []
    after = [GAP] if best < len(runs) - 1 else []
    return seq([*before, *runs[best], *after])


def _has_gap(outline: Outline) -> bool:
    match outline:
        case Seq(parts) | Alt(parts):
            return any(map(_has_gap, parts))
        case Repeated(_, _, part):
            return outline == GAP or _has_gap(part)
        case _:
            return False


def _without_head(outline: Outline) -> Outline:
    parts: list[Outline] = list(outline.parts) if isinstance(outline, Seq) else [outline]
    while len(parts) > 1:
        first = parts[0]
        if is_nullable(first) or (_is_wide(first) and strength(seq(parts[1:])) > 2):
            del parts[0]
        elif isinstance(first, Repeated):
            parts[:1] = [first.part] * first.least
            if first.least > 1:
                break
            parts[:1] = list(first.part.parts) if isinstance(first.part, Seq) else [first.part]
        elif isinstance(first, Alt):
            parts[0] = alt([_without_head(each) for each in first.parts])
            break
        else:
            break
    return seq(parts)


def _without_tail(outline: Outline) -> Outline:
    """End behind what matches once, so that few matches are reported for one line."""
    parts: list[Outline] = list(outline.parts) if isinstance(outline, Seq) else [outline]
    while parts:
        last = parts[-1]
        if is_nullable(last):
            del parts[-1]
        elif isinstance(last, Repeated):
            inner = last.part
            parts[-1:] = [inner] * last.least
            if isinstance(inner, Seq):
                parts[-1:] = inner.parts
        elif isinstance(last, Alt):
            branches = [_without_tail(each) for each in last.parts]
            if any(isinstance(each, Set) and _is_wide(each) for each in branches):
                parts[-1] = firsts(last)
                continue
            parts[-1] = alt(branches)
            break
        elif isinstance(last, Set) and len(parts) > 1 and _overlaps(parts[-2], last):
            loop = parts[-2]
            assert isinstance(loop, Repeated)
            one = loop.part
            assert isinstance(one, Set)
            if one.ascii & ~last.ascii and len(parts) > 2 and _size(last) <= NARROW_MEMBERS:
                break  # A closing bracket or a word: it comes once.
            either = Set(one.ascii | last.ascii, one.beyond | last.beyond)
            parts[-2:] = [one] * loop.least or [either]
        elif _is_wide(last) and strength(seq(parts[:-1])) > 2:
            del parts[-1]
        else:
            break
    return seq(parts)


def _overlaps(loop: Outline, last: Set) -> bool:
    return (
        isinstance(loop, Repeated)
        and loop.most is None
        and isinstance(loop.part, Set)
        and (bool(loop.part.ascii & last.ascii) or bool(loop.part.beyond and last.beyond))
    )


def _size(one: Set) -> int:
    return one.ascii.bit_count() + 128 * bool(one.beyond)


def _is_wide(outline: Outline) -> bool:
    match outline:
        case Set():
            return _size(outline) > NARROW_MEMBERS
        case Repeated(_, _, part):
            return _is_wide(part)
        case _:
            return False


def strength(outline: Outline, among: int = ASCII) -> int:
    """Return how many characters, each one of a few and *among* these, every match has at least."""
    match outline:
        case Set(members, _):
            return int(_size(outline) <= NARROW_MEMBERS and bool(members & among))
        case Seq(parts):
            return sum(strength(part, among) for part in parts)
        case Alt(parts):
            return min(strength(part, among) for part in parts)
        case Repeated(least, _, part):
            return least * strength(part, among)
        case _:
            return strength(outline.part, among)


# -- the text ---------------------------------------------------------------------


def write(outline: Outline) -> str:
    """Return *outline*, which is over bytes, as Hyperscan reads it."""
    match outline:
        case Set():
            return _write_set(outline)
        case Seq(parts):
            return "".join(f"(?:{write(p)})" if isinstance(p, Alt) else write(p) for p in parts)
        case Alt(parts):
            return "|".join(map(write, sorted(parts, key=lambda part: part == EMPTY)))
        case NamedGroup(_, part):
            return write(part)
        case _:
            least, most, part = outline
            inner = write(part)
            if not isinstance(part, Set):
                inner = f"(?:{inner})"
            times = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get(
                (least, most), f"{{{least},{'' if most is None else most}}}"
            )
            return inner + times


def _write_set(one: Set) -> str:
    if not one.beyond and one.ascii.bit_count() == 1:
        return write_byte(one.ascii.bit_length() - 1)
    if one == ANY_BYTE:
        return r"[^\n]"
    pieces = []
    code = 0
    while code < 128:
        if one.ascii >> code & 1:
            end = code
            while end < 127 and one.ascii >> (end + 1) & 1:
                end += 1
            pieces.append(write_byte(code) + (f"-{write_byte(end)}" if end > code else ""))
            code = end
        code += 1
    if one.beyond:
        pieces.append(r"\x80-\xff")
    return f"[{''.join(pieces)}]"


def write_byte(code: int) -> str:
    """Return an expression for the byte *code*."""
    character = chr(code)
    is_plain = character in " _" or (character.isascii() and character.isalnum())
    return character if is_plain else f"\\x{code:02x}"
