"""Remembers for a while whom ``ignorecommand`` exempts, at most so many."""

from collections import OrderedDict

from banish.model.instant import Seconds

Key = tuple[str, ...]
"""The values of the tags in a rule's key; distinct, whatever an attacker writes into them."""


class AnswerCache:
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
