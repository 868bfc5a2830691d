from hypothesis import given
from hypothesis import strategies as st

from banish.enforce.fold import fold, fold_bans
from banish.model.address import parse_subject
from banish.model.decision import Decision
from banish.model.instant import Instant
from tests.enforce.contract import ATTACKER, ATTACKER6, BYSTANDER, NOW, ban, end, prolong, start

JAILS = {"sshd", "web"}
DECISIONS = st.builds(
    lambda make, subject, jail: make(subject, jail),
    st.sampled_from(
        [
            end,
            lambda subject, jail: start(subject, 60, jail),
            lambda subject, jail: start(subject, 0, jail),
            lambda subject, jail: prolong(subject, None, jail),
        ]
    ),
    st.sampled_from([ATTACKER, ATTACKER6, BYSTANDER, parse_subject("alice")]),
    st.sampled_from(["sshd", "web", "gone"]),
)


def test_the_last_word_on_a_subject_counts() -> None:
    batch: list[Decision] = [
        start(ATTACKER),
        end(ATTACKER),
        start(BYSTANDER),
        prolong(BYSTANDER, 900),
    ]
    folded = fold(batch, JAILS, NOW)
    assert folded["sshd"].banned == {BYSTANDER: NOW + 900}
    assert folded["sshd"].free == [ATTACKER]


def test_nothing_to_do_is_an_empty_mapping() -> None:
    assert fold([start(ATTACKER, jail="gone"), start(parse_subject("alice"))], JAILS, NOW) == {}


@given(st.lists(DECISIONS, max_size=8), st.lists(DECISIONS, max_size=8))
def test_folding_in_two_halves_ends_where_folding_the_whole_ends(
    first: list[Decision], second: list[Decision]
) -> None:
    def outcome(*batches: list[Decision]) -> dict[tuple[str, str], Instant | str | None]:
        states: dict[tuple[str, str], Instant | str | None] = {}
        for batch in batches:
            for jail, state in fold(batch, JAILS, NOW).items():
                assert not set(state.banned) & set(state.free)
                states.update({(jail, str(subject)): "free" for subject in state.free})
                states.update({(jail, str(s)): until for s, until in state.banned.items()})
        return states

    assert outcome(first, second) == outcome(first + second)


def test_of_two_bans_of_one_subject_the_last_counts_even_if_it_is_over() -> None:
    bans = [ban(ATTACKER, 60), ban(ATTACKER, 90), ban(BYSTANDER, 60), ban(BYSTANDER, 0)]
    assert fold_bans(bans, JAILS, NOW) == {"sshd": {ATTACKER: NOW + 90}}
