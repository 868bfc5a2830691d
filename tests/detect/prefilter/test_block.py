"""A block is scanned once for all jails, and what the engine refuses is looked at exactly."""

from typing import Any

import pytest

from banish.detect.matcher import Matcher
from banish.detect.prefilter import block as module
from banish.detect.prefilter import plan as plans
from banish.detect.prefilter.block import (
    BlockPrefilter,
    PrefilterRefusedError,
    Wanted,
    engine,
)
from banish.detect.prefilter.plan import Plan, PlanTarget, make_plan
from banish.model.instant import Seconds
from banish.model.settings import FilterSettings, Regex

needs_engine = pytest.mark.skipif(engine() is None, reason="hyperscan is not installed")


def jail(
    *failregex: str, maxlines: int = 1, encoding: str = "auto", dates: str = "", before: str = ""
) -> Matcher:
    settings = FilterSettings(
        "f",
        failregex=tuple(map(Regex, failregex)),
        maxlines=maxlines,
        logencoding=encoding,
        datepattern=Regex(dates) if dates else None,
        prefregex=Regex(before) if before else None,
    )
    return Matcher("j", settings, Seconds(600))


def why_unfit(matcher: Matcher) -> str:
    ((_, why),) = make_plan([matcher]).unfit
    return why


@needs_engine
def test_lines_are_told_with_who_wants_them_and_for_which_rules() -> None:
    plan = make_plan([jail("Failed for <HOST>", "Failed again <HOST>"), jail("Failed for <HOST>")])
    block = b"x\nFailed for a\ny\nFailed for a, Failed again b, Failed for c\nFailed again\n"
    one, both = Wanted(0, (1,)), Wanted(1, (1,))
    found = BlockPrefilter(plan).scan(block)
    second, end = block.index(b"Failed for a,"), block.index(b"\nFailed again\n")
    assert found == [(2, 14, (one, both)), (second, end, (Wanted(0, (1, 2)), both))]
    assert BlockPrefilter(plan).scan(b"nothing\n") == []
    assert sum(0 not in {each.rule for each in targets} for targets in plan.targets) == 2


@needs_engine
def test_last_line_needs_no_end() -> None:
    found = BlockPrefilter(make_plan([jail("Failed for <HOST>")])).scan(b"x\nFailed for a")
    assert found == [(2, 14, (Wanted(0, (1,)),))]


@needs_engine
def test_line_that_concerns_all_rules_is_told_so() -> None:
    kelvin = "attac\u212a x".encode()
    found = BlockPrefilter(make_plan([jail("(?i)attack <HOST>")])).scan(kelvin)
    assert found == [(0, len(kelvin), (Wanted(0, None),))]


@needs_engine
def test_block_that_matches_everywhere_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVENTS_OF_ANY_BLOCK", 10)
    prefilter = BlockPrefilter(Plan(("ab",), ((PlanTarget(0, 1),),)))
    assert prefilter.scan(b"ab" * 100) is None
    assert prefilter.scan(b"ab\n") == [(0, 2, (Wanted(0, (1,)),))]


@needs_engine
def test_memory_of_combinations_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMBINATIONS", 1)
    prefilter = BlockPrefilter(Plan(("ab", "cd"), ((PlanTarget(0, 1),), (PlanTarget(0, 2),))))
    both = (Wanted(0, (1, 2)),)
    assert [wanted for _, _, wanted in prefilter.scan(b"ab cd\ncd ab\nab\n") or ()] == [
        both,
        both,
        (Wanted(0, (1,)),),
    ]
    assert len(prefilter._together) == 1


@needs_engine
def test_line_that_two_expressions_match_by_turns_is_told_once() -> None:
    prefilter = BlockPrefilter(Plan(("ab", "cd"), ((PlanTarget(0, 1),), (PlanTarget(0, 2),))))
    assert prefilter.scan(b"abcd" * 400) == [(0, 1600, (Wanted(0, (1, 2)),))]
    assert list(prefilter._together) == [(0, 1)]


@needs_engine
def test_first_and_empty_lines_are_told_from_their_neighbours() -> None:
    prefilter = BlockPrefilter(Plan(("ab", "cd"), ((PlanTarget(0, 1),), (PlanTarget(0, 2),))))
    first, second = (Wanted(0, (1,)),), (Wanted(0, (2,)),)
    assert prefilter.scan(b"ab\n\n\ncd\nab") == [(0, 2, first), (5, 7, second), (8, 10, first)]


@needs_engine
def test_what_is_refused_plainly_is_taken_loosely() -> None:
    prefilter = BlockPrefilter(Plan(("ab(?=c)", "cd"), ((PlanTarget(0, 1),), (PlanTarget(1, 1),))))
    assert not prefilter.every_line
    assert [wanted for _, _, wanted in prefilter.scan(b"abc\nxy\ncd\n") or ()] == [
        (Wanted(0, (1,)),),
        (Wanted(1, (1,)),),
    ]


@needs_engine
def test_whom_a_refused_expression_concerns_looks_at_every_line() -> None:
    targets = ((PlanTarget(0, 1), PlanTarget(1, 2)), (PlanTarget(1, 1),), (PlanTarget(2, 1),))
    prefilter = BlockPrefilter(Plan(("ab(", "cd", "ef"), targets))
    assert prefilter.every_line == {0, 1}
    assert prefilter.plan.expressions == ("ef",)
    assert prefilter.scan(b"cd\n") == []
    alone = BlockPrefilter(Plan(("ab(",), ((PlanTarget(0, 1),),)))
    assert alone.every_line == {0}
    assert alone.scan(b"ab\n") == []
    assert BlockPrefilter(alone.plan, alone.serialised()).scan(b"ab\n") == []


@needs_engine
def test_expressions_that_are_too_many_together_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = Plan(("ab", "cd"), ((PlanTarget(0, 1),), (PlanTarget(0, 2),)))
    compile_them = BlockPrefilter._compile

    def few(self: BlockPrefilter, expressions: Any, flags: Any) -> Any:
        return compile_them(
            self, [*expressions, "("] if len(expressions) > 1 else expressions, [*flags, 0]
        )

    monkeypatch.setattr(BlockPrefilter, "_compile", few)
    with pytest.raises(PrefilterRefusedError, match="hyperscan"):
        BlockPrefilter(plan)


@needs_engine
def test_database_that_is_none_is_refused() -> None:
    with pytest.raises(PrefilterRefusedError):
        BlockPrefilter(Plan(("ab",), ((PlanTarget(0, 1),),)), b"none")


def test_without_the_package_there_is_no_prefilter(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    assert engine() is None
    with pytest.raises(PrefilterRefusedError, match="not installed"):
        BlockPrefilter(Plan((), ()))


@pytest.mark.parametrize(
    ("matcher", "why"),
    [
        (jail(r"a\nb <HOST>", maxlines=2), "span lines"),
        (jail("failed for <HOST>", encoding="gbk"), "gbk"),
        (jail("^<HOST>"), "too little"),
        (jail("failed for <HOST>", dates="x(%H)"), "cut anything"),
    ],
)
def test_jail_that_nothing_can_be_said_of_looks_at_every_line(matcher: Matcher, why: str) -> None:
    assert why in why_unfit(matcher)


def test_rule_with_too_long_an_expression_looks_at_every_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plans, "EXPRESSION_LIMIT_CHARACTERS", 5)
    assert "too long" in why_unfit(jail("failed for <HOST>"))


def test_rule_is_looked_for_behind_its_prefregex() -> None:
    inside = "<F-CONTENT>.+</F-CONTENT>$"
    assert make_plan(
        [jail("^bad <ADDR>", before=f"^app: {inside}", dates="{NONE}")]
    ).expressions == (r"app\x3a bad ",)
    assert make_plan(
        [jail("bad <ADDR>", before=f"^app: {inside}", dates="{NONE}")]
    ).expressions == (r"app\x3a [^\n]*bad ",)
    assert make_plan([jail("bad <ADDR>", before="^app: ", dates="{NONE}")]).expressions == ("bad ",)


@needs_engine
def test_what_was_serialised_scans_as_before() -> None:
    made = BlockPrefilter(make_plan([jail("Failed for <HOST>")]))
    again = BlockPrefilter(made.plan, made.serialised())
    block = b"x\nFailed for a\n"
    assert again.scan(block) == made.scan(block) != []


def test_plan_depends_on_what_a_jail_looks_for_only() -> None:
    assert plans.ingredients(jail("a <HOST>")) == plans.ingredients(jail("a <HOST>"))
    for other in (
        jail("b <HOST>"),
        jail("a <HOST>", dates="EPOCH"),
        jail("a <HOST>", encoding="latin-1"),
    ):
        assert plans.ingredients(jail("a <HOST>")) != plans.ingredients(other)
    assert plans.ingredients(jail("a <HOST>", before="^x"))[0] == "^x"
