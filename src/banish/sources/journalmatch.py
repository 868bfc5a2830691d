"""Decides which journal entries a ``journalmatch`` means.

Words on one line are ANDed, but two words of one field are alternatives, as in
journalctl(1); ``+`` ORs what stands before and after it; lines are ORed.

libsystemd's index can hold an AND of ORs only (cysystemd makes each call of
``add_filter`` one such OR). So the index gets every alternative that must hold
in any case, which may let more through, and the entry itself is then asked.
Fields that begin with ``_`` are set by journald and cannot be forged by the
sender; only those are good for gating.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping

from banish.errors import ConfigError

Fields = Mapping[str, str | list[str]]
"""An entry's fields; a list where one occurs more than once."""

CLAUSE_LIMIT = 32
"""How many ORs the index gets at most; leaving some out only lets more entries through."""

_FIELD = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")

Group = dict[str, frozenset[str]]


class JournalMatch:
    """Tells matching entries from others.

    Args:
        lines: One tuple of words a line; no lines match every entry.

    Raises:
        ConfigError: A word is not ``FIELD=value``.

    """

    def __init__(self, lines: Iterable[tuple[str, ...]]) -> None:
        self._groups: tuple[Group, ...] = tuple(
            group for line in lines for group in _groups(line) if group
        )

    def matches(self, fields: Fields) -> bool:
        """Tell whether an entry with these fields is meant."""
        return not self._groups or any(
            all(_has(fields, name, values) for name, values in group.items())
            for group in self._groups
        )

    def clauses(self) -> list[list[tuple[str, str]]]:
        """Return ORs of field and value, each of which holds for every entry that is meant."""
        if not self._groups:
            return []
        choices = itertools.product(*(group.items() for group in self._groups))
        found: dict[frozenset[tuple[str, str]], None] = {}
        for choice in itertools.islice(choices, CLAUSE_LIMIT):
            pairs = frozenset((name, value) for name, values in choice for value in values)
            found[pairs] = None
        return [sorted(pairs) for pairs in found]


def _groups(line: tuple[str, ...]) -> Iterator[Group]:
    group: Group = {}
    for word in line:
        if word == "+":
            yield group
            group = {}
            continue
        name, equals, value = word.partition("=")
        if not equals or not _FIELD.fullmatch(name) or "\0" in value:
            raise ConfigError(
                f'journalmatch: "{word}" is not FIELD=value',
                cure="write for example _SYSTEMD_UNIT=ssh.service, or + between alternatives",
            )
        group[name] = group.get(name, frozenset()) | {value}
    yield group


def _has(fields: Fields, name: str, values: frozenset[str]) -> bool:
    found = fields.get(name)
    if isinstance(found, str):
        return found in values
    return found is not None and not values.isdisjoint(found)
