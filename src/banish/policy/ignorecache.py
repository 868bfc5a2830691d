"""Remembers for a while whom ``ignorecommand`` exempts, at most so many.

Written as Fail2Ban does: ``key="<ip>", max-count=100, max-time=5m``. The key
says what answers are told apart by; all three parts may be left out.
"""

import re
from collections import OrderedDict

import msgspec

from banish.model.duration import parse_duration
from banish.model.instant import Seconds

_PART = re.compile(r"\s*([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^,\"'][^,]*|))\s*(?:,|$)")

Key = tuple[str, ...]
"""The values of the tags in a rule's key; told apart, whatever an attacker writes into them."""

MOST = 1_000_000
"""Most answers that may be asked for: some 200 MB."""


class CacheRule(msgspec.Struct, frozen=True):
    """What to remember."""

    key: str = "<ip>"
    most: int = 100
    span: Seconds = Seconds(300)


def parse_ignorecache(text: str) -> CacheRule | None:
    """Return the rule that *text* writes; None where it is blank: nothing is remembered.

    Raises:
        ValueError: It is written otherwise; says what and the cure.

    """
    if not text.strip():
        return None
    found: dict[str, str] = {}
    at = 0
    text = text.strip().removeprefix("[").removesuffix("]")
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or part[1] not in ("key", "max-count", "max-time"):
            raise ValueError(
                f'"{text[at:].strip()[:40]}" is not understood;'
                ' write key="<ip>", max-count=100, max-time=5m'
            )
        found[part[1]] = next(value for value in part.groups()[1:] if value is not None).strip()
        at = part.end()
    most = found.get("max-count", "100")
    if not re.fullmatch("[0-9]{1,7}", most) or not 1 <= int(most) <= MOST:
        raise ValueError(f'max-count: "{most}" is no number from 1 to {MOST}; write max-count=100')
    span = parse_duration(found.get("max-time", "5m"))
    if span <= 0:
        raise ValueError("max-time must be longer than nothing; write max-time=5m")
    return CacheRule(found.get("key", "<ip>"), int(most), span)


class IgnoreCache:
    """Answers by key, the oldest forgotten first."""

    def __init__(self, most: int, span: Seconds) -> None:
        self._most = most
        self._span = span
        self._answers: OrderedDict[Key, tuple[float, bool]] = OrderedDict()

    def get(self, key: Key, now: float) -> bool | None:
        """Return the answer for *key*, or None if there is none that still counts.

        *now* comes from any clock that is never set back, in seconds.
        """
        kept = self._answers.get(key)
        return kept[1] if kept is not None and now < kept[0] else None

    def put(self, key: Key, answer: bool, now: float) -> None:
        """Remember *answer* from *now* on."""
        self._answers[key] = (now + self._span, answer)
        self._answers.move_to_end(key)
        if len(self._answers) > self._most:
            self._answers.popitem(last=False)
