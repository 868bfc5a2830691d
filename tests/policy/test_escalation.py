import pytest

from banish.model.instant import Seconds
from banish.model.settings import Escalation
from banish.policy.escalation import LONGEST, BanTime

TEN_MINUTES = Seconds(600)


def lasting(
    escalation: Escalation, counts: range, base: Seconds | None = TEN_MINUTES, draw: float = 0.0
) -> list[float | None]:
    ban_time = BanTime(base, escalation, lambda: draw)
    return [ban_time.lasts(count) for count in counts]


def test_bans_double_by_default() -> None:
    grown = lasting(Escalation(increment=True), range(8))
    assert grown == [600, 1200, 2400, 4800, 9600, 19200, 38400, 76800]


def test_doubling_stops_at_twenty() -> None:
    grown = lasting(Escalation(increment=True), range(20, 23), Seconds(1))
    assert grown == [2.0**20] * 3


def test_nothing_grows_without_increment() -> None:
    assert lasting(Escalation(formula="1", multipliers=(9,)), range(3)) == [600] * 3


def test_a_ban_without_end_stays_without_end() -> None:
    assert lasting(Escalation(increment=True), range(3), None) == [None] * 3


def test_multipliers_go_by_count_and_the_last_repeats() -> None:
    escalation = Escalation(increment=True, multipliers=(1, 5, 30, 60), formula="1", factor="2")
    assert lasting(escalation, range(6)) == [600, 6000, 36000, 72000, 72000, 72000]


def test_a_formula_decides() -> None:
    escalation = Escalation(
        increment=True, formula="ban.Time * ban.Count * banFactor", factor="1/2"
    )
    assert lasting(escalation, range(4)) == [600, 300, 600, 900]


@pytest.mark.parametrize("formula", ["1 / (ban.Count - 1)", "-5", "0"])
def test_a_formula_without_a_usable_result_leaves_the_bantime(formula: str) -> None:
    assert lasting(Escalation(increment=True, formula=formula), range(1, 2)) == [600]


def test_a_small_factor_does_not_shorten_doubling() -> None:
    assert lasting(Escalation(increment=True, factor="0.1"), range(1, 5)) == [600, 600, 600, 960]


def test_maxtime_caps_and_rndtime_comes_on_top() -> None:
    escalation = Escalation(increment=True, maxtime=Seconds(2000), rndtime=Seconds(100))
    assert lasting(escalation, range(4), draw=0.5) == [600, 1250, 2050, 2050]


def test_a_result_beyond_all_time_is_a_hundred_years() -> None:
    assert lasting(Escalation(increment=True, formula="1e999"), range(1, 2)) == [LONGEST]


@pytest.mark.parametrize(
    "escalation", [Escalation(factor="x"), Escalation(formula="x"), Escalation(factor="1/0")]
)
def test_what_is_no_formula_is_refused(escalation: Escalation) -> None:
    with pytest.raises(ValueError, match=r".+"):
        BanTime(TEN_MINUTES, escalation, float)
