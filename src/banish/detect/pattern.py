"""Compiles failregex, ignoreregex and prefregex, and reads what they captured.

Two things Fail2Ban does not do: a flag in the middle such as ``a(?i)b`` means
the rest of its group (Python 3.11 refuses it), and a pattern that begins with
``^`` is tried at the line's start only. Python's engine tries even those at
every character, which for twenty rules costs more than all the rest together.
"""

import re
import warnings
from collections.abc import Callable

from banish.detect import tags
from banish.detect.possessive import searchable
from banish.detect.pruning import pruned
from banish.errors import ConfigError
from banish.model.settings import Regex, UseDns

Captured = str | tuple[str, ...]
"""What one group holds; a tuple comes from ``<F-TUPLE_...>``."""

TEXT_CHARACTERS = 1_024
"""Longest text kept of one capture: a user name, an identifier, a key."""

TUPLE_PARTS = 16
"""Most parts kept of an ``<F-TUPLE_...>``."""

Search = Callable[[str], "re.Match[str] | None"]

SUBJECT_GROUPS = ("fid", "ip4", "ip6", "dns", "mlfid")
"""Groups that say whom a failure counts against; a rule must have one."""

_FLAGS = re.compile(r"\(\?([aiLmsux]+)\)")
_COMPOUND = re.compile(r"(alt|tuple)_(.*?)(?:_\d+)?")


def scope_flags(regex: str) -> tuple[str, bool]:
    """Return *regex* with flags in the middle scoped, and whether it is anchored.

    Anchored means: without ``re.MULTILINE`` it can match at the very beginning only.
    """
    leading = _FLAGS.match(regex)
    at = leading.end() if leading else 0
    out = [regex[:at]]
    scopes: list[list[str]] = [[]]
    branches = False
    anchored = regex[at : at + 1] == "^" and regex[at + 1 : at + 2] not in {"?", "*", "+", "{"}
    if not anchored and _FLAGS.search(regex, at) is None:
        return regex, False  # as most are: nothing to scope
    in_class = False
    while at < len(regex):
        piece = regex[at]
        if piece == "\\":
            piece = regex[at : at + 2]
        elif in_class:
            in_class = piece != "]"
        elif piece == "[":
            # A "]" right after the opening, or after its "^", is a member.
            opening = re.compile(r"\[\^?\]?").match(regex, at)
            piece = opening[0] if opening else piece
            in_class = True
        elif (flags := _FLAGS.match(regex, at)) is not None:
            out.append(f"(?{flags[1]}:")
            scopes[-1].append(flags[1])
            at = flags.end()
            continue
        elif piece == "(":
            scopes.append([])
        elif piece == ")" and len(scopes) > 1:
            piece = ")" * len(scopes.pop()) + piece
            out.append(piece)
            at += 1
            continue
        elif piece == "|":
            branches = branches or len(scopes) == 1
            here = scopes[-1]
            out.append(")" * len(here) + "|" + "".join(f"(?{flag}:" for flag in here))
            at += 1
            continue
        out.append(piece)
        at += len(piece)
    out.append(")" * len(scopes[0]))
    many_lines = leading is not None and "m" in leading[1]
    return "".join(out), anchored and not branches and not many_lines


class Pattern:
    """One compiled regular expression of a filter.

    ``search`` finds its first match in a text; it is the compiled pattern's own
    method, so that a line that does not match costs no Python call.
    """

    __slots__ = (
        "_alternatives",
        "_lent",
        "_tuples",
        "address_groups",
        "expanded",
        "flags",
        "host_groups",
        "is_plain",
        "names",
        "search",
        "source",
    )

    def __init__(self, source: Regex, expanded: str, compiled: re.Pattern[str], *, anchored: bool):
        self.source = source
        self.expanded = expanded
        self.flags = compiled.flags & re.MULTILINE
        """With which `expanded` is compiled, beside those that it names itself."""
        self.search: Search = compiled.match if anchored else compiled.search
        self.names = frozenset(compiled.groupindex)
        self.address_groups = tuple(name for name in ("ip4", "ip6") if name in self.names)
        """Its groups that hold an address as it stands in the line."""
        self.host_groups = tuple(name for name in ("ip4", "ip6", "dns") if name in self.names)
        """The same, and the one that holds a host name."""
        compound = sorted(
            (found[1], name, tags.group_name(found[2]))
            for name in compiled.groupindex
            if (found := _COMPOUND.fullmatch(name))
        )
        self._alternatives = tuple((name, fills) for kind, name, fills in compound if kind == "alt")
        self._tuples = tuple((name, fills) for kind, name, fills in compound if kind == "tuple")
        self.is_plain = not compound
        """Whether each named group holds only what it captured itself."""
        self._lent = tuple(name for name in compiled.groupindex if name != "content")

    @property
    def names_subject(self) -> bool:
        """Whether a match says whom it counts against."""
        return not self.names.isdisjoint(SUBJECT_GROUPS) or any(
            fills in SUBJECT_GROUPS for _, fills in self._alternatives + self._tuples
        )

    def groups(self, found: re.Match[str]) -> dict[str, Captured]:
        """Return what the named groups captured, alternatives filled in and tuples joined.

        Groups that took no part are left out; long texts are cut.
        """
        captured: dict[str, Captured] = {
            name: text for name, text in found.groupdict().items() if text is not None
        }
        if self.is_plain and len(found.string) <= TEXT_CHARACTERS:
            return captured
        for name, fills in self._alternatives:
            if (text := captured.get(name)) and not captured.get(fills):
                captured[fills] = text
        for name, fills in self._tuples:
            part = found[name] or ""
            so_far = captured.get(fills, "")
            captured[fills] = (*so_far, part) if isinstance(so_far, tuple) else (so_far, part)
        if len(found.string) > TEXT_CHARACTERS:
            return {name: _cut(text) for name, text in captured.items()}
        return captured

    def lend(self, found: re.Match[str], captured: dict[str, Captured]) -> None:
        """Add what the named groups of a prefregex captured to *captured*, where that lacks it.

        What is left to the failregexes, ``<F-CONTENT>``, is not of interest.
        """
        if self.is_plain and len(found.string) <= TEXT_CHARACTERS:
            for name in self._lent:
                text = found[name]
                if text is not None:
                    captured.setdefault(name, text)
            return
        for name, held in self.groups(found).items():
            captured.setdefault(name, held)


def compile_pattern(
    regex: Regex,
    *,
    option: str = "failregex",
    usedns: UseDns = "warn",
    multiline: bool = False,
    elsewhere: frozenset[str] | None = None,
) -> Pattern:
    """Return *regex* compiled, its tags expanded.

    With *elsewhere*, the groups that a prefregex has already captured (an empty
    set where there is none), the pattern must be able to name a subject.

    Raises:
        ConfigError: It is empty, is no regular expression, or names no subject.

    """
    where = str(regex.place) if regex.place else ""
    if not regex.text.strip():
        raise ConfigError(
            f"{option}: the regular expression is empty",
            where=where,
            cure="write one, or leave the line out",
        )
    expanded, anchored = scope_flags(tags.expand(regex.text, usedns))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = re.compile(expanded, re.MULTILINE if multiline else 0)
            text = searchable(expanded if multiline else pruned(expanded))
            if text != expanded:
                compiled = re.compile(text, re.MULTILINE if multiline else 0)
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigError(
            f"{option}: {_short(regex.text)} is not a regular expression: {error}",
            where=where,
            cure="fix it; `banish match --regex` shows what a regular expression finds",
        ) from error
    pattern = Pattern(regex, expanded, compiled, anchored=anchored and not multiline)
    if elsewhere is not None and not pattern.names_subject and elsewhere.isdisjoint(SUBJECT_GROUPS):
        raise ConfigError(
            f"{option}: {_short(regex.text)} does not say whom a match counts against",
            where=where,
            cure="put <HOST>, <ADDR>, <F-ID>...</F-ID> or <F-MLFID>...</F-MLFID> into it",
        )
    return pattern


def groups_of(pattern: Pattern | None) -> frozenset[str]:
    """Return the names of the groups of *pattern*, none for no pattern."""
    return pattern.names if pattern else frozenset()


def _cut(text: Captured) -> Captured:
    if isinstance(text, str):
        return text[:TEXT_CHARACTERS]
    return tuple(part[:TEXT_CHARACTERS] for part in text[:TUPLE_PARTS])


def _short(text: str) -> str:
    return f'"{text}"' if len(text) <= 120 else f'"{text[:120]}..."'
