from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import parse_subject
from banish.model.instant import Instant
from banish.policy.expiry import Expiry
from tests.policy.script import ATTACKER, BYSTANDER

SUBJECTS = [parse_subject(f"192.0.2.{number}") for number in range(200)]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["set", "set", "cancel", "pop"]),
            st.integers(0, 5),
            st.integers(0, 50),
        )
    )
)
def test_it_agrees_with_a_plain_dict(steps: list[tuple[str, int, int]]) -> None:
    expiry, plain = Expiry(), dict[object, Instant]()
    for what, who, at in steps:
        subject = SUBJECTS[who]
        if what == "set":
            expiry.set(subject, Instant(at))
            plain[subject] = Instant(at)
        elif what == "cancel":
            expiry.cancel(subject)
            plain.pop(subject, None)
        else:
            due = expiry.pop_due(Instant(at))
            assert set(due) == {one for one, until in plain.items() if until <= at}
            times = [plain.pop(one) for one in due]
            assert times == sorted(times)
        assert expiry.due() == min(plain.values(), default=None)
        assert len(expiry) == len(plain)


def test_the_earliest_comes_first() -> None:
    expiry = Expiry()
    expiry.set(ATTACKER, Instant(20))
    expiry.set(BYSTANDER, Instant(10))
    assert expiry.due() == Instant(10)
    assert expiry.pop_due(Instant(9)) == []
    assert expiry.pop_due(Instant(20)) == [BYSTANDER, ATTACKER]


def test_dead_entries_do_not_pile_up() -> None:
    expiry = Expiry()
    for subject in SUBJECTS:
        expiry.set(subject, Instant(1))
    for at in range(1000):
        expiry.set(SUBJECTS[0], Instant(at))
    assert len(expiry._heap) <= 2 * len(SUBJECTS)
    for subject in SUBJECTS[1:]:
        expiry.cancel(subject)
    assert len(expiry._heap) <= 64
    assert expiry.pop_due(Instant(2000)) == [SUBJECTS[0]]
