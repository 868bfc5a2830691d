"""Works out which expressions the automaton is to look for, and whom each concerns.

The prefregex and a rule that searches what it leaves become one expression, so
that a rule which is vague by itself fires only where the prefregex can match.
"""

import functools
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import msgspec

from banish.detect.datepattern import parse_datepattern
from banish.detect.encoding import bytes_of, encoding_named
from banish.detect.matcher import Matcher
from banish.detect.prefilter.cut import Cuts, cuts
from banish.detect.prefilter.expression import GAP, essential, strength, within_line, write
from banish.detect.prefilter.outline import (
    FOLDED,
    Outline,
    Sketch,
    Unsupported,
    is_nullable,
    seq,
    sketch,
    split,
)
from banish.detect.prefilter.pairs import write_pairs
from banish.model.settings import Regex

CONTENT = "content"

LEAST_STRENGTH = 3
"""An expression must ask for at least so many characters that are one of a few:
else it fires on nearly every line, and looking at every line is cheaper."""

EXPRESSION_LIMIT_CHARACTERS = 8_000
"""Longest expression; a rule with a longer one looks at every line."""


class PlanTarget(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Whom an expression concerns."""

    matcher: int
    """Which matcher, in the detector's order, from 0."""
    rule: int
    """Which of its failregexes, counted from 1; 0: all of them."""


class Plan(msgspec.Struct, frozen=True):
    """What the automaton looks for."""

    expressions: tuple[str, ...]
    targets: tuple[tuple[PlanTarget, ...], ...]
    """For each expression, whom it concerns."""
    unfit: tuple[tuple[int, str], ...] = ()
    """Matchers that must look at every line, and why."""

    @property
    def every_line(self) -> frozenset[int]:
        """The matchers that must look at every line."""
        return frozenset(matcher for matcher, _ in self.unfit)

    def without(self, refused: AbstractSet[int]) -> "Plan":
        """Return the plan without the expressions at the indexes *refused*.

        Whom they concern looks at every line.
        """
        unfit = dict(self.unfit)
        for index in sorted(refused):
            for target in self.targets[index]:
                unfit[target.matcher] = f"failregex {target.rule} is too much for the automaton"
        kept = {
            expression: tuple(each for each in targets if each.matcher not in unfit)
            for expression, targets in zip(self.expressions, self.targets, strict=True)
        }
        kept = {expression: targets for expression, targets in kept.items() if targets}
        return Plan(tuple(kept), tuple(kept.values()), tuple(sorted(unfit.items())))


class _Unfit(Exception):  # noqa: N818
    """The matcher must look at every line; the message says why."""


def ingredients(matcher: Matcher) -> tuple[object, ...]:
    """Return all of *matcher* that a plan depends on."""
    settings = matcher.settings
    before = matcher.prefregex
    return (
        before.expanded if before is not None else None,
        tuple(rule.expanded for rule in matcher.rules),
        settings.datepattern.text if settings.datepattern else None,
        settings.logencoding,
        matcher.needs_every_line,
    )


def make_plan(matchers: Sequence[Matcher]) -> Plan:
    """Return what to look for, for *matchers*."""
    wanted: dict[str, dict[PlanTarget, None]] = {}
    unfit: list[tuple[int, str]] = []
    for number, matcher in enumerate(matchers):
        try:
            found = _expressions(matcher, shared=len(matchers) > 1)
        except _Unfit as why:
            unfit.append((number, str(why)))
            continue
        except (Unsupported, RecursionError) as error:
            unfit.append((number, str(error)))
            continue
        for rule, expression in found:
            wanted.setdefault(expression, {})[PlanTarget(number, rule)] = None
    return Plan(tuple(wanted), tuple(tuple(sorted(each)) for each in wanted.values()), tuple(unfit))


def _expressions(matcher: Matcher, *, shared: bool) -> list[tuple[int, str]]:
    """Return each rule's number and expression; 0 for what concerns all rules.

    *shared*: several jails want the log, which is worth expressions that take longer to make.
    """
    settings = matcher.settings
    if matcher.needs_every_line:
        raise _Unfit("its rules span lines (maxlines)")
    folding = bytes_of("".join(FOLDED.values()), encoding_named(settings.logencoding))
    if folding is None:
        raise _Unfit(f"logencoding {settings.logencoding} cannot be scanned before it is decoded")
    cut = _cuts(settings.datepattern.text if settings.datepattern else None)
    guards = cut.guards
    written = [(0, (write_pairs(each) if shared else None) or write(each)) for each in guards]
    before = sketch(matcher.prefregex.expanded) if matcher.prefregex is not None else None
    folds = before is not None and before.folds
    for number, rule in enumerate(matcher.rules, 1):
        drawn = sketch(rule.expanded)
        folds = folds or drawn.folds
        outline = essential(_on_line(drawn, before, gaps=cut.inside))
        expression = write(outline)
        if is_nullable(outline) or strength(outline) < LEAST_STRENGTH:
            raise _Unfit(f"failregex {number} says too little of the lines it matches")
        if len(expression) > EXPRESSION_LIMIT_CHARACTERS:
            raise _Unfit(f"failregex {number} is too long")
        written.append((number, expression))
    if folds and folding:
        one_of = "|".join("".join(f"\\x{byte:02x}" for byte in each) for each in folding)
        written.append((0, one_of))
    return written


@functools.lru_cache(maxsize=64)
def _cuts(datepattern: str | None) -> Cuts:
    return cuts(parse_datepattern(None if datepattern is None else Regex(datepattern)))


def _on_line(rule: Sketch, before: Sketch | None, *, gaps: bool) -> Outline:
    """Return, over bytes, what a line must hold for *rule* to match behind the prefregex."""
    alone = within_line(rule.outline, gaps=gaps)
    if before is None:
        return alone
    around = split(before.outline, CONTENT)
    if around is None or is_nullable(around.inside) or not around.is_certain:
        # Where the prefregex leaves nothing, the rule searches the whole line.
        return alone
    head = within_line(around.before, gaps=gaps, ends=False)
    if not rule.is_anchored:
        return seq([head, GAP, within_line(rule.outline, gaps=gaps, before=True)])
    return seq([head, within_line(rule.outline, gaps=gaps, before=True)])
