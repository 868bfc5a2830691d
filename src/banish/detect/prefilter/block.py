"""The automaton at work: which lines of a block are worth looking at.

One Hyperscan database holds the expressions of all jails that read a log. It
scans a block in one go and tells each match by a call; those calls, and what
is done for the lines they fall in, are all that Python does for a block.
"""

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from banish.detect.prefilter.plan import Plan

EVENT_BYTES = 16
"""At most one match for so many bytes of a block is taken note of. A block with more is
looked at line by line: text made to match everywhere must not cost more than the rules do."""

EVENTS_OF_ANY_BLOCK = 1_024

COMBINATIONS = 4_096
"""Combinations of expressions on one line for which it is remembered whom they concern."""


class Wanted(NamedTuple):
    """One matcher that is to look at a line."""

    matcher: int
    """Which, in the detector's order, from 0."""
    rules: tuple[int, ...] | None
    """The only failregexes that could match, counted from 1 and ascending; None: any."""


Found = tuple[int, int, Sequence[Wanted]]
"""A line that some rules could match: its first byte in the block, the byte of its
line end, and who is to look at it, by matcher, ascending."""


class PrefilterRefusedError(Exception):
    """The engine does not take the expressions, or not the serialised database."""


def engine() -> Any | None:
    """Return the package ``hyperscan``, or None where there is none that works here."""
    try:
        return importlib.import_module("hyperscan")
    except ImportError:
        return None


class BlockPrefilter:
    """Scans blocks for one set of matchers; `plan` says which of them it can speak for.

    Args:
        plan: What to look for.
        database: Its expressions as `serialised` gave them; None: compile them.

    Raises:
        PrefilterRefusedError: *database* is damaged or of another machine, or
            there is no engine.

    """

    def __init__(self, plan: Plan, database: bytes | None = None) -> None:
        hyperscan = engine()
        if hyperscan is None:
            raise PrefilterRefusedError("the package hyperscan is not installed")
        self._hyperscan = hyperscan
        self._failure: type[Exception] = hyperscan.error
        if database is None:
            plan, self._database = self._compiled(plan)
        else:
            self._database = self._restored(database)
        self.plan = plan
        self.every_line = plan.every_line
        """Matchers that must look at every line whatever `scan` says."""
        self._alone = [
            ((number,), self._concerned((number,))) for number in range(len(plan.expressions))
        ]
        """For each expression: itself, and whom it concerns if no other is found on a line."""
        self._together: dict[tuple[int, ...], tuple[Wanted, ...]] = {}
        """Whom several concern that were found on one line, in this order."""

    def serialised(self) -> bytes:
        """Return the database, to be given back where it need not be compiled again."""
        return bytes(self._hyperscan.dumpb(self._database)) if self._database else b""

    def scan(self, block: bytes) -> list[Found] | None:
        """Return the lines that could match, in their order; None: any line could."""
        if self._database is None:
            return []
        events: list[tuple[int, int]] = []
        append = events.append
        limit = len(block) // EVENT_BYTES + EVENTS_OF_ANY_BLOCK

        def note(number: int, _begin: int, end: int, _flags: int, _context: object) -> bool:
            append((end, number))
            return len(events) > limit

        try:
            self._database.scan(block, note)
        except self._failure:
            return None
        events.sort()
        return self._lines(block, events)

    def _lines(self, block: bytes, events: Sequence[tuple[int, int]]) -> list[Found]:
        found: list[Found] = []
        add, find, rfind = found.append, block.find, block.rfind
        alone, together = self._alone, self._together
        begin, end = 0, -1
        numbers: tuple[int, ...] = ()
        for at, number in events:
            if at > end:
                begin = rfind(b"\n", 0, at) + 1
                end = find(b"\n", at)
                if end < 0:
                    end = len(block)
                numbers, wanted = alone[number]
                add((begin, end, wanted))
            elif number not in numbers:
                numbers = (*numbers, number)
                found[-1] = (begin, end, together.get(numbers) or self._remember(numbers))
        return found

    def _remember(self, numbers: tuple[int, ...]) -> tuple[Wanted, ...]:
        concerned = self._concerned(numbers)
        if len(self._together) >= COMBINATIONS:
            self._together.clear()
        self._together[numbers] = concerned
        return concerned

    def _concerned(self, numbers: tuple[int, ...]) -> tuple[Wanted, ...]:
        """Return whom these expressions, found on one line, concern."""
        rules: dict[int, set[int]] = {}
        for number in numbers:
            for target in self.plan.targets[number]:
                rules.setdefault(target.matcher, set()).add(target.rule)
        return tuple(
            Wanted(matcher, None if 0 in found else tuple(sorted(found)))
            for matcher, found in sorted(rules.items())
        )

    def _compiled(self, plan: Plan) -> tuple[Plan, Any]:
        """Compile what the engine takes; whom the rest concerns looks at every line."""
        if not plan.expressions:
            return plan, None
        exact = [0] * len(plan.expressions)
        try:
            return plan, self._compile(plan.expressions, exact)
        except self._failure:
            flags = [self._flags_for(expression) for expression in plan.expressions]
        refused = {index for index, each in enumerate(flags) if each is None}
        if refused:
            return self._compiled(plan.without(refused))
        try:
            return plan, self._compile(plan.expressions, [each or 0 for each in flags])
        except self._failure as error:
            raise PrefilterRefusedError(f"hyperscan: {error}") from error

    def _flags_for(self, expression: str) -> int | None:
        """Return how the engine takes *expression*: as it is, or loosely; None: not at all."""
        for flags in (0, self._hyperscan.HS_FLAG_PREFILTER):
            try:
                self._compile([expression], [flags])
            except self._failure:
                continue
            return int(flags)
        return None

    def _compile(self, expressions: Sequence[str], flags: Sequence[int]) -> Any:
        database = self._hyperscan.Database(mode=self._hyperscan.HS_MODE_BLOCK)
        database.compile(
            expressions=[expression.encode("ascii") for expression in expressions],
            ids=list(range(len(expressions))),
            elements=len(expressions),
            flags=list(flags),
        )
        return database

    def _restored(self, serialised: bytes) -> Any:
        if not serialised:
            return None
        try:
            database = self._hyperscan.loadb(serialised, self._hyperscan.HS_MODE_BLOCK)
            database.scratch = self._hyperscan.Scratch(database)
        except self._failure as error:
            raise PrefilterRefusedError(f"hyperscan: {error}") from error
        return database
