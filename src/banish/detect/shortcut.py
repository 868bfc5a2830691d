"""The short way of a line that fails as most lines of an attack do.

The matcher's way is exact for every filter and every line. Of the lines of an
attack nearly all are alike, though: the time at their beginning in the format
found last, one or two rules that could match, an address. For those one search
finds all at once (`fused`), and what the line says beside the address is left
unread (`Hit`). Whatever is unlike goes the long way: the same failures come out.
"""

import enum
import re
from collections.abc import Callable, Sequence
from typing import Final, Literal

from banish.detect.ambiguity import holds_one_address
from banish.detect.datepattern import Template
from banish.detect.fused import fuse
from banish.detect.hit import Hit, Shape
from banish.detect.pattern import TEXT_CHARACTERS, Captured, Pattern
from banish.detect.quarantine import OverBudgetError, interruptible
from banish.detect.report import Counters
from banish.detect.session import Sessions, block_of
from banish.detect.timing import OFF_SECONDS, Timing
from banish.model.address import Subject, parse_address
from banish.model.failure import Evidence, Failure
from banish.model.instant import Instant, Seconds

AFTER_LINES = 32
"""Lines that want the same rules go the long way before these are fused: compiling takes as
long as a thousand lines."""

RULES_AT_ONCE = 4
"""With more rules that could match, each tried on the whole line, the long way is shorter."""

CHOICES = 256
"""Choices of rules that are fused for one jail."""


class Way(enum.Enum):
    """What is to be done with a line."""

    LONG = 0


LONG: Final = Way.LONG
"""The line is to go the long way; nothing has been done with it."""

Conclude = Callable[
    [int, dict[str, Captured], tuple[Evidence, ...], Instant, Instant], Failure | None
]
"""Takes a rule, what it captured, the line, when that was and what time it is; returns the
failure that it makes."""


class Shortcut:
    """The short way into one matcher; shares its state.

    Args:
        jail: The jail's name.
        prefregex: Of the filter, or None.
        rules: Its failregexes.
        sessions: Those of the matcher.
        timing: Of the matcher; it gives the finder of dates.
        findtime: How old a line may be while the log is read from behind.
        counters: Of the matcher.
        conclude: Does with a line of a known session what is to be done.

    """

    def __init__(
        self,
        jail: str,
        prefregex: Pattern | None,
        rules: Sequence[Pattern],
        *,
        sessions: Sessions,
        timing: Timing,
        findtime: Seconds,
        counters: Counters,
        conclude: Conclude,
    ) -> None:
        self._jail = jail
        self._prefregex = prefregex
        self._rules = rules
        self._sessions = sessions
        self._timing = timing
        self._findtime = findtime
        self._counters = counters
        self._conclude = conclude
        self._template: Template | None = None
        self._fused: dict[int, Shape | None] = {}
        self._lanes: dict[tuple[int, ...], tuple[Shape, ...]] = {}
        self._waiting: dict[tuple[int, ...], int] = {}
        """How many lines more go the long way, by the rules they want."""
        self._is_closed = False

    def close(self, *, is_closed: bool) -> None:
        """Let every line go the long way, since a regex is in quarantine; or no longer."""
        self._forget()
        self._is_closed = is_closed

    def _forget(self) -> None:
        self._fused.clear()
        self._lanes.clear()
        self._waiting.clear()

    def take(
        self,
        text: str,
        rules: tuple[int, ...],
        now: Instant,
        live: bool | None,
        path: str,
        offset: int,
    ) -> Failure | Literal[Way.LONG] | None:
        r"""Take the next line as `Matcher.match` does, *text* being the line with its ``\n``.

        Return the failure it makes or None; `LONG` if that cannot be done here.
        """
        dates = self._timing.dates
        lane = self._lanes.get(rules)
        if lane is None or dates.settled is not self._template:
            lane = self._lane(rules, dates.settled)
        if not lane or len(text) > TEXT_CHARACTERS:
            return LONG
        try:
            hit = _search(lane, text)
            if hit is None:
                return LONG
            found, shape = hit
            day, ip4, ip6, dns, key, nofail, gained, forget = found.group(*shape.wanted)
        except OverBudgetError:
            return LONG  # where it is found out who is to blame
        is_known = key is not None and key in self._sessions
        counters = self._counters
        ends_nothing = gained and forget and not is_known
        if ends_nothing and live is not False:
            counters.matched += 1  # a login, as most are
            return None
        at = dates.when(day, found, shape.directives, now)
        address = ip4 or ip6
        subject = _only_address(text, found.end(shape.front), address) if address else None
        if at is None or (address and subject is None):
            return LONG
        if live:
            if not -OFF_SECONDS < at - now < OFF_SECONDS:
                counters.retimed += 1
                at = now
        elif live is False and at < now - self._findtime:
            counters.too_old += 1
            return None
        counters.matched += 1
        if ends_nothing:
            return None
        dates.confirm_short(text, now)
        is_failure = not (nofail or gained)
        is_joined = key is not None
        line = Hit(shape, text, path, offset, at, "", is_joined, is_failure)
        if is_known or (is_failure and subject is None):
            return self._conclude(shape.rule, line.captured(), line.evidence, at, now)
        if is_joined and not forget:
            # The subject's own text is kept anyway.
            owner = subject.text if subject is not None else dns or ""
            line.owner = block_of(ip6) if ip6 and not ip4 else owner
            self._sessions.begin(key, line)
        if subject is None or not is_failure:
            return None
        counters.failures += 1
        return Failure(self._jail, subject, min(now, at), shape.rule, 1, line)

    def _lane(self, rules: tuple[int, ...], template: Template | None) -> tuple[Shape, ...] | None:
        """Return *rules*, or the first of them, fused; none while there are too few such lines."""
        if template is not self._template:
            self._forget()
            self._template = template
        if template is None or self._is_closed or len(self._waiting) >= CHOICES:
            return None
        left = self._waiting.get(rules, AFTER_LINES) - 1
        self._waiting[rules] = left
        if left > 0:
            return None
        lane: list[Shape] = []
        for number in rules if len(rules) <= RULES_AT_ONCE else ():
            if number not in self._fused:
                self._fused[number] = self._fuse(number, template)
            fused = self._fused[number]
            if fused is None:
                break
            lane.append(fused)
        self._lanes[rules] = tuple(lane)
        return self._lanes[rules]

    def _fuse(self, number: int, template: Template) -> Shape | None:
        rule = self._rules[number - 1]
        patterns = [rule] if self._prefregex is None else [rule, self._prefregex]
        if not all(pattern.is_plain for pattern in patterns):
            return None
        fused = fuse(template, self._prefregex, rule)
        if fused is None or not _LONG_GROUPS.isdisjoint(fused.groups):
            return None
        if fused.groups.keys() >= _ENDING and not rule.names >= _ENDING:
            return None  # the matcher does not spare itself such logins
        wanted = (fused.date, *(fused.groups.get(name, fused.never) for name in _WANTED))
        template.compile()
        directives = tuple(fused.dates[name] for name in template.directives)
        names = tuple(fused.groups.items())
        return Shape(number, fused.match, wanted, directives, fused.front, names)


_WANTED = ("ip4", "ip6", "dns", "mlfid", "nofail", "mlfgained", "mlfforget")

_ENDING = frozenset({"mlfgained", "mlfforget"})

_LONG_GROUPS = frozenset({"fid", "cidr"})
"""Groups that say more of whom a failure counts against than the address alone."""


@interruptible("failregex")
def _search(lane: Sequence[Shape], text: str) -> "tuple[re.Match[str], Shape] | None":
    """Return what the first failregex that matches has found."""
    for shape in lane:
        found = shape.match(text)
        if found is not None:
            return found, shape
    return None


def _only_address(text: str, begin: int, address: str) -> Subject | None:
    """Return *address*, or None if it is none or *text* from *begin* on may hold a second one."""
    subject = parse_address(address)
    if subject is None or not subject.is_address or not holds_one_address(text, address, begin):
        return None
    return subject
