from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.decision import EndBan, StartBan
from banish.model.instant import Instant
from banish.policy.reconcile import reconcile
from tests.policy.script import ATTACKER, BYSTANDER, NETWORK, SIX

ROOT = parse_subject("root")


def wanted(subject: Subject, jail: str = "sshd") -> Ban:
    return Ban(jail, subject, Instant(1), Instant(9))


def test_what_is_missing_is_put_back_and_what_is_foreign_taken_out() -> None:
    decisions = reconcile(
        [wanted(ATTACKER), wanted(SIX), wanted(NETWORK, "web")],
        {"sshd": frozenset({SIX, BYSTANDER}), "old": frozenset({ATTACKER})},
    )
    nobody = Instant(0)
    assert decisions == [
        EndBan(Ban("old", ATTACKER, nobody, nobody), "foreign"),
        EndBan(Ban("sshd", BYSTANDER, nobody, nobody), "foreign"),
        StartBan(wanted(ATTACKER), restored=True),
        StartBan(wanted(NETWORK, "web"), restored=True),
    ]


def test_what_no_firewall_can_hold_is_passed_over() -> None:
    assert reconcile([wanted(ROOT)], {}) == []


def test_a_ban_wanted_twice_is_started_once() -> None:
    assert len(reconcile([wanted(ATTACKER), wanted(ATTACKER)], {})) == 1


places = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([ATTACKER, BYSTANDER, SIX]))


@given(st.sets(places), st.sets(places))
def test_applying_the_decisions_makes_the_firewall_hold_the_wanted(
    want: set[tuple[str, Subject]], hold: set[tuple[str, Subject]]
) -> None:
    def enforced(pairs: set[tuple[str, Subject]]) -> dict[str, frozenset[Subject]]:
        return {
            jail: frozenset(subject for name, subject in pairs if name == jail) for jail, _ in pairs
        }

    bans = [wanted(subject, jail) for jail, subject in want]
    for decision in reconcile(bans, enforced(hold)):
        place = (decision.ban.jail, decision.ban.subject)
        if isinstance(decision, EndBan):
            hold.remove(place)
        else:
            assert place not in hold
            hold.add(place)
    assert hold == want
    assert reconcile(bans, enforced(hold)) == []
