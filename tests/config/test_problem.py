"""How problems are told."""

from banish.config.problem import (
    SHOWN_LIMIT_CHARACTERS,
    FaultError,
    Problems,
    did_you_mean,
    nearest,
    shown,
)
from banish.model.settings import Place, Problem


def test_a_problem_is_told_once() -> None:
    problems = Problems()
    for _ in range(2):
        problems.error("wrong", Place("f", 1), option="x", jail="a")
        problems.warn("odd", Place("f", 2))
    assert [str(problem) for problem in problems.all()] == ["f:1: x: wrong", "f:2: odd"]


def test_a_fault_becomes_a_problem_of_its_jail() -> None:
    fault = FaultError("wrong", Place("f", 1), "mend it")
    assert fault.to_problem(option="x", jail="a") == Problem(
        "error", "wrong", Place("f", 1), "x", "mend it", "a"
    )


def test_the_nearest_name_is_found_if_it_is_near_enough() -> None:
    assert nearest("BANTIMES", ["bantime", "findtime"]) == "bantime"
    assert did_you_mean("findtme", ["bantime", "findtime"]) == 'did you mean "findtime"?'
    assert did_you_mean("zzz", ["bantime"]) == ""


def test_values_are_shown_on_one_line_and_not_too_long() -> None:
    assert shown("a\nb") == '"a b"'
    assert len(shown("x" * 1_000)) == SHOWN_LIMIT_CHARACTERS + 2
