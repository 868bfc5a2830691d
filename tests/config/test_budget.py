"""How many bans a jail may start is read, and is unbounded in a tree that is not ours."""

import pytest

from banish.config import builtin_tree
from banish.model.instant import Seconds
from banish.model.settings import BudgetSettings
from tests.config.tree import WriteTree, read_web


def test_in_a_tree_of_its_own_bans_have_no_budget(write_tree: WriteTree) -> None:
    (jail,) = read_web(write_tree, "").jails
    assert jail.budget == BudgetSettings()
    assert jail.budget.most == 0


def test_in_our_tree_ten_thousand_bans_a_minute_are_enough(write_tree: WriteTree) -> None:
    found = read_web(write_tree, "", builtin=builtin_tree())
    (jail,) = (jail for jail in found.jails if jail.name == "web")
    assert jail.budget == BudgetSettings(10_000, Seconds(60), Seconds(600))


@pytest.mark.parametrize(
    ("text", "most", "span"),
    [("1000/1m", 1_000, 60), ("5 / 2h", 5, 7_200), ("7/10", 7, 10), ("0", 0, 60), ("off", 0, 60)],
)
def test_a_budget_is_a_number_and_a_time(
    write_tree: WriteTree, text: str, most: int, span: float
) -> None:
    (jail,) = read_web(write_tree, f"banbudget = {text}\nbanbudget.pause = 5m\n").jails
    assert jail.budget == BudgetSettings(most, Seconds(span), Seconds(300))


@pytest.mark.parametrize(
    "text", ["1000", "many/1m", "0/1m", "-1/1m", "200000/1m", "5/0", "5/", "5/2d", "5/soon"]
)
def test_what_is_no_budget_is_told_with_its_cure(write_tree: WriteTree, text: str) -> None:
    settings = read_web(write_tree, f"banbudget = {text}\n")
    assert len(settings.jails) == 1
    (problem,) = settings.problems
    assert problem.option == "banbudget"
    assert "counts instead" in problem.what
    assert problem.cure
