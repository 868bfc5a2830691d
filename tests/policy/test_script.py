"""The language of the stories says no to a story that is not so."""

import pytest

from tests.policy.script import (
    ATTACKER,
    BYSTANDER,
    Step,
    at,
    counts,
    ends,
    fails,
    play,
    policy_of,
    starts,
    tick,
)


@pytest.mark.parametrize(
    "last",
    [
        at(120, fails(ATTACKER)),
        at(120, fails(ATTACKER), counts(3)),
        at(120, fails(ATTACKER), starts(BYSTANDER)),
        at(120, fails(ATTACKER), starts(ATTACKER, until=181)),
        at(120, fails(ATTACKER), starts(ATTACKER, failures=4)),
        at(120, fails(ATTACKER), starts(ATTACKER), ends(ATTACKER)),
        at(115, fails(BYSTANDER), starts(BYSTANDER)),
        at(115, tick, ends(ATTACKER)),
    ],
)
def test_a_wrong_story_fails_at_its_step(last: Step) -> None:
    with pytest.raises(AssertionError, match="step 2 at 1"):
        play(policy_of(), at([100, 110], fails(ATTACKER), counts(2)), last)


def test_a_ban_that_comes_too_early_is_no_story() -> None:
    with pytest.raises(AssertionError, match="step 1 at 120"):
        play(policy_of(), at([100, 110, 120, 130], fails(ATTACKER)))
