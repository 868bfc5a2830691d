r"""Finds every address that a regex could take out of a line, and the one to be trusted.

A client that writes an address into its name makes a line with two addresses, and a regex may
take the wrong one. Here such a line is read in all ways that its rule allows: each address of
the line in turn becomes one character that nothing but the place of ``<HOST>`` takes. Where
the rule matches then, that address is a *reading*.

Of two readings one is to be trusted if only it can be the service's own. A service writes its
address between text of its own; all other addresses must then stand where a client writes: in
a *gap* that takes blanks. So the others are replaced by words: a reading that still matches is
plausible, and one that needs another address in a place for a single word is not:
``(?:by|from) user .*? <HOST>(?: on \S+)?$`` takes ``1.1.1.1`` of ``by user x 1.1.1.1 on
6.6.6.1``, but then a client would have written the word behind ``on``.

A rule may refuse to read the true address at all (``(?! from )``). So an address behind the
same fixed text as the one that was taken is a reading, too, if the rule matches with all that
stands between the two left out, and if a client's text can stand there.

Where two readings are plausible nobody can say which is true, and none is trusted. So it is
where a rule matches at two places of a line, as one without ``^`` may: the text before its
first match can be a client's as well as the text behind it.
"""

import re
from typing import Final, NamedTuple

from banish.detect import tags
from banish.detect.pattern import Pattern
from banish.detect.quarantine import interruptible
from banish.model.address import parse_logged

ADDRESSES_LIMIT: Final = 16
"""So many addresses at the begin of a line are looked at, and as many at its end. With more
between them no reading is trusted."""

_ADDRESS = re.compile(
    r"(?<!\d)(?<!\d\.)\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)"
    r"|(?<![\w:.])(?:[0-9a-fA-F]{1,4}:|:){2,8}"
    r"(?:\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)|[0-9a-fA-F]{0,4}(?!\w))"
)
_COLON_BEHIND = re.compile(r"(?<!:):$")
"""A colon that stands behind an address, as in ``2001:db8::1: no``."""
_IN_SIX = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}$")
_FIXED_CHARACTERS = 24
"""Longest fixed text before an address that is distinguished from free text."""
_FREE = ("q", "7", "-")
"""A character is free if one of these can stand for it."""
_DRESS = re.compile(r"\[?(?:::[fF]{4,6}:)?$")
"""What may stand right before an address and belongs to it."""
_FIELD = re.compile(r"\b\w{1,24}=\w{0,24}$")
"""A field right before an address: ``I=``, ``F=x``."""
_WORD_END = re.compile(r"(?<=\w)(?!\w)|(?<=[\"'(<=\[])")
_NAMED = re.compile(
    r"\b(?:user(?:name)?|login|account|name|for|of|as)\b\W{0,3}\S+$|[(<\"'`=]\S+$",
    re.IGNORECASE,
)
"""The front of a line in which one word is somebody's name: ``failed for x``, ``pam(x``."""

_GROUPS = ("ip4", "ip6", "dns")
SIGNS = {"ip4": "\ua4d0", "ip6": "\ua4d1", "dns": "\ua4d2"}
"""Letters, as an address begins and ends with letters or digits for ``\\b``; hardly ever logged."""
_SIGN = re.compile("[\ua4d0-\ua4d2]")
_WORDS = "zq zq"
"""What a client would write: words, and no sign of any kind."""
_MARKS = "!#$%&()*+,;:<=>?[]{}|~'\"/\\@"
_INSERTS_LIMIT = 24


class Candidate(NamedTuple):
    """An address in a text."""

    begin: int
    end: int
    group: str
    """``ip4``, ``ip6`` or ``dns``."""


class Readings(NamedTuple):
    """What a rule could take out of one line."""

    taken: Candidate
    """What it takes."""
    others: tuple[Candidate, ...]
    """Further readings with other addresses, in the order of the line."""
    trusted: Candidate | None
    """The reading that is to be trusted, or None if nobody can say which."""


class Settled:
    """A rule that takes signs in the place of addresses."""

    def __init__(self, pattern: Pattern) -> None:
        signed = with_signs(pattern)
        self._search = re.compile(signed, pattern.flags) if signed is not None else None

    def readings(self, found: re.Match[str]) -> Readings | None:
        """Return the readings of what the rule has found, or None if there is just one."""
        taken = _taken(found)
        if taken is None or self._search is None:
            return None
        text = found.string
        if "\n" in text[:-1]:
            return self._readings_of_lines(found)
        return self._read(found, text, taken)

    def _readings_of_lines(self, found: re.Match[str]) -> Readings | None:
        """Return the same where *found* may span lines, of which others are left out."""
        text = found.string
        begin = text.rfind("\n", 0, found.start()) + 1
        end = text.find("\n", max(found.end() - 1, found.start()))
        taken = _taken(found)
        assert taken is not None
        lines = text[begin : end + 1 if end >= 0 else len(text)]
        moved = taken._replace(begin=taken.begin - begin, end=taken.end - begin)
        readings = self._read(found, lines, moved)
        if readings is None:
            return None

        def back(each: Candidate) -> Candidate:
            return each._replace(begin=each.begin + begin, end=each.end + begin)

        trusted = back(readings.trusted) if readings.trusted is not None else None
        return Readings(taken, tuple(map(back, readings.others)), trusted)

    def _read(self, found: re.Match[str], text: str, taken: Candidate) -> Readings | None:
        assert self._search is not None
        candidates, is_whole = _candidates(text, taken)
        address = _address(text, taken)
        if all(_address(text, each) == address for each in candidates):
            return None
        line = _Line(self._search, text)
        read = [each for each in candidates if each == taken or line.reads(each)]
        left = [each for each in candidates if each not in read]
        cut = line.cut_readings(found, taken, left) if left else []
        others = tuple(each for each in sorted(read + cut) if _address(text, each) != address)
        if not others:
            return None
        return Readings(taken, others, line.trusted(read, cut) if is_whole else None)


class _Line:
    """One text under one rule."""

    def __init__(self, search: "re.Pattern[str]", text: str) -> None:
        self._search = search
        self._text = _SIGN.sub("~", text)

    def reads(self, each: Candidate, words: "tuple[Candidate, ...]" = ()) -> bool:
        """Whether *each* is a reading, with *words* in the place of other candidates."""
        text = self._text
        pieces, at = [], 0
        for one in sorted((each, *words)):
            pieces += [text[at : one.begin], SIGNS[one.group] if one == each else _WORDS]
            at = one.end
        return self._takes("".join(pieces) + text[at:])

    def cut_readings(
        self, found: re.Match[str], taken: Candidate, left: list[Candidate]
    ) -> list[Candidate]:
        """Return which of *left* are readings with all left out between them and *taken*."""
        fixed = self._fixed_before(taken)
        readings = []
        for each in left:
            if self._front(each).endswith(fixed):
                before, after = self._cut(taken, each)
                if (
                    self._takes(before + SIGNS[each.group] + after)
                    and self._takes_field(taken, each)
                    and self._is_clients(found, taken, each)
                ):
                    readings.append(each)
        return readings

    def _takes_field(self, taken: Candidate, each: Candidate) -> bool:
        """Whether the rule can read *each*, further right than *taken*, with its field's name.

        Exim writes ``H=[198.51.100.7]:25 I=[192.0.2.1]:25``: both stand in brackets, but no rule
        for ``H=`` reads ``I=``, the server's own address.
        """
        front = self._front(each)
        field = _FIELD.search(front)
        if each < taken or field is None:
            return True
        before = _FIELD.sub("", self._front(taken))
        dress = self._text[len(front) : each.begin]
        after = self._text[each.end :]
        return self._takes(before + field[0] + dress + SIGNS[each.group] + after)

    def _fixed_before(self, taken: Candidate) -> str:
        """Return the text right before *taken* of which the rule takes no character else."""
        front = self._front(taken)
        rest = self._text[len(front) : taken.begin] + SIGNS[taken.group]
        rest += self._text[taken.end :]
        at = len(front)
        while at and len(front) - at < _FIXED_CHARACTERS:
            before, after = front[: at - 1], front[at:]
            if any(self._takes(before + one + after + rest) for one in _FREE):
                break
            at -= 1
        return front[at:]

    def _front(self, each: Candidate) -> str:
        """Return what stands before *each*, without what belongs to it."""
        return _DRESS.sub("", self._text[: each.begin])

    def trusted(self, read: list[Candidate], cut: list[Candidate]) -> Candidate | None:
        """Return the one reading of the best kind; None if there are two of it."""
        best = [each for each in read if self._is_plausible(each, read, cut)]
        addresses = {_address(self._text, each) for each in best + cut}
        return (best + cut)[0] if len(addresses) == 1 else None

    def _is_plausible(self, each: Candidate, read: list[Candidate], cut: list[Candidate]) -> bool:
        address = _address(self._text, each)
        return self.reads(
            each, tuple(one for one in read + cut if _address(self._text, one) != address)
        )

    def _is_clients(self, found: "re.Match[str]", taken: Candidate, each: Candidate) -> bool:
        """Whether what stands between *taken* and *each* can be a client's, *each* the service's.

        Before an address a client's text stands in a gap, or in what holds a name.
        """
        before, after = self._cut(taken, each)
        sign = SIGNS[each.group]
        if each < taken:
            ends = [*word_ends(after, 0, len(after))[:_INSERTS_LIMIT], len(after.rstrip("\n"))]
            return any(
                self._takes(f"{before}{sign}{after[:at]} {_WORDS}{after[at:]}") for at in ends
            ) or self._is_within_a_field(taken, each)
        shift = found.start(taken.group) - taken.begin
        names = [name for name in found.re.groupindex if name.startswith(("user", "alt_user"))]
        spans = [(found.start(name) - shift, found.end(name) - shift) for name in names]
        own = [end for begin, end in spans if 0 <= begin <= end <= len(before)]
        if not all(self._leaves_out(before, end, sign + after) for end in own):
            return True
        ends = word_ends(before, 0, len(before))[-_INSERTS_LIMIT:]
        front = self._front(taken)
        free = front[: len(front) - len(self._fixed_before(taken))]
        return (not own and _NAMED.search(free) is not None) or any(
            self._takes(f"{before[:at]} {_WORDS}{before[at:]}{sign}{after}") for at in ends
        )

    def _is_within_a_field(self, taken: Candidate, each: Candidate) -> bool:
        """Whether words can stand for *taken* and some text around it, *each* being the one read.

        So it is where a client's text holds the quote that ends its own field.
        """
        text = self._text
        front = text[: each.begin] + SIGNS[each.group]
        begins = word_ends(text, each.end, taken.begin)[-_INSERTS_LIMIT:]
        last = min(len(text.rstrip("\n")), taken.end + _INSERTS_LIMIT)
        return any(
            self._takes(f"{front}{text[each.end : begin]}{_WORDS}{text[end:]}")
            for begin in begins
            for end in range(taken.end, last + 1)
        )

    def _leaves_out(self, before: str, end: int, rest: str) -> bool:
        r"""Whether the rule says which signs the name that ends at *end* cannot have.

        It is believed, as by vetting: ``[^\s:]+`` takes no blank, ``\S+`` may be any text.
        """
        takes = sum(self._takes(f"{before[:end]}{one}{before[end:]}{rest}") for one in _MARKS)
        return len(_MARKS) <= 2 * takes < 2 * len(_MARKS)

    def _cut(self, taken: Candidate, each: Candidate) -> tuple[str, str]:
        """Return what stands on the sides of *each*, with all between it and *taken* left out."""
        text = self._text
        if each > taken:
            return text[: taken.begin], text[each.end :]
        return text[: each.begin], text[taken.end :]

    @interruptible("failregex")
    def _takes(self, text: str) -> bool:
        found = self._search.search(text)
        return found is not None and _taken(found) is not None


def with_signs(pattern: Pattern) -> str | None:
    """Return *pattern* with a sign for each kind of address, or None if it has none."""
    expanded = pattern.expanded
    for group, body in tags.ADDRESS_GROUPS.items():
        expanded = expanded.replace(body, f"(?P<{group}>{SIGNS[group]})")
    return expanded if expanded != pattern.expanded else None


def _taken(found: "re.Match[str]") -> Candidate | None:
    groups = found.groupdict()
    for group in _GROUPS:
        if groups.get(group):
            return Candidate(*found.span(group), group)
    return None


def _candidates(text: str, taken: Candidate) -> tuple[list[Candidate], bool]:
    """Return *taken* and the other addresses of its line in *text*, and whether these are all."""
    begin = text.rfind("\n", 0, taken.begin) + 1
    end = text.find("\n", taken.end)
    found = [
        made
        for each in _ADDRESS.finditer(text, begin, end if end >= 0 else len(text))
        if (each.end() <= taken.begin or each.start() >= taken.end)
        and (made := _candidate(each)) is not None
    ]
    is_whole = len(found) <= 2 * ADDRESSES_LIMIT
    if not is_whole:
        found = found[:ADDRESSES_LIMIT] + found[-ADDRESSES_LIMIT:]
    return sorted([taken, *found]), is_whole


def addresses_in(text: str, end: int) -> list[tuple[int, int, str]]:
    """Return the addresses in *text* before *end*: where each begins and ends, and in one form."""
    made = [_candidate(found) for found in _ADDRESS.finditer(text, 0, end)]
    found = [each for each in made if each is not None][:ADDRESSES_LIMIT]
    return [(each.begin, each.end, _address(text, each)) for each in found]


def _candidate(found: "re.Match[str]") -> Candidate | None:
    written = _COLON_BEHIND.sub("", found[0])
    begin, end = found.start(), found.start() + len(written)
    if parse_logged(written) is None:
        return None
    if ":" not in written:
        return Candidate(begin, end, "ip4")
    four = _IN_SIX.search(written)
    if four is not None:
        return Candidate(begin + four.start(), end, "ip4")
    return Candidate(begin, end, "ip6")


def _address(text: str, each: Candidate) -> str:
    """Return the address in one form, so that two that are the same are one."""
    written = text[each.begin : each.end]
    subject = parse_logged(written) if each.group != "dns" else None
    return subject.text if subject is not None else written


def word_ends(text: str, begin: int, end: int) -> list[int]:
    """Return where a client's words could go on in *text*: behind words, and opening quotes."""
    return [each.start() for each in _WORD_END.finditer(text, begin, end)]
