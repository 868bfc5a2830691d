"""What stands in ipsets for whom."""

from hypothesis import given
from hypothesis import strategies as st

from banish.enforce.xtables.sets import (
    CAPACITY,
    LONGEST_TIMEOUT,
    SavedSet,
    additions,
    count_elements,
    elements,
    is_ours,
    parse_save,
    parse_sizes,
    plan_sets,
    removals,
    render_replacement,
    to_subjects,
)
from banish.model.address import Subject, parse_subject
from banish.model.instant import Instant

NOW = Instant(1_000)
ALL, HALF, ONE = map(parse_subject, ("0.0.0.0/0", "128.0.0.0/1", "192.0.2.1"))
ALL6 = parse_subject("::/0")


def test_a_set_is_filled_beside_and_swapped_in() -> None:
    plan = plan_sets(["sshd"])["sshd"][0]
    assert render_replacement(plan, {ONE: None}, NOW).splitlines() == [
        f"create banish.new hash:net family inet maxelem {CAPACITY} timeout 0",
        "add banish.new 192.0.2.1 timeout 0",
        f"create banish-sshd-4 hash:net family inet maxelem {CAPACITY} timeout 0",
        "swap banish.new banish-sshd-4",
        "destroy banish.new",
    ]


def test_the_kernel_keeps_a_ban_a_minute_longer_than_wanted_and_a_long_one_for_ever() -> None:
    def timeout(left: float) -> str:
        return next(additions("x", {ONE: Instant(NOW + left)}, NOW)).split()[-1]

    assert timeout(600) == "660"
    assert timeout(0.5) == "60"
    assert timeout(LONGEST_TIMEOUT - 60) == str(int(LONGEST_TIMEOUT))
    assert timeout(LONGEST_TIMEOUT - 59) == "0"
    assert timeout(1e17) == "0"


def test_everybody_stands_there_as_two_halves() -> None:
    assert list(additions("x", {ALL: None}, NOW)) == [
        "add x 0.0.0.0/1 timeout 0",
        "add x 128.0.0.0/1 timeout 0",
    ]
    assert list(removals("x", [ALL], [])) == ["del x 0.0.0.0/1", "del x 128.0.0.0/1"]
    assert list(removals("x", [ALL], [HALF])) == ["del x 0.0.0.0/1"]
    assert list(removals("x", [HALF], [ALL])) == []
    assert list(removals("x", [ONE], [ALL])) == ["del x 192.0.2.1"]


def test_halves_without_an_account_are_everybody() -> None:
    assert to_subjects(["::/1", "8000::/1"], []) == {ALL6}
    assert to_subjects(["128.0.0.0/1"], []) == {HALF}
    assert to_subjects(["128.0.0.0/1"], [ALL]) == {HALF}


SUBJECTS = st.sets(
    st.sampled_from([ALL, HALF, parse_subject("0.0.0.0/1"), ONE, parse_subject("192.0.2.0/24")])
)


@given(SUBJECTS)
def test_what_was_put_in_is_read_back(banned: set[Subject]) -> None:
    found = {element for subject in banned for element in elements(subject)}
    assert to_subjects(found, banned) == banned


@given(SUBJECTS, SUBJECTS)
def test_what_remains_stands_after_others_have_ended(
    ended: set[Subject], kept: set[Subject]
) -> None:
    held = {element for subject in ended | kept for element in elements(subject)}
    for order in removals("x", ended - kept, kept):
        held.remove(order.split()[-1])
    assert held == {element for subject in kept for element in elements(subject)}


def test_a_set_of_another_kind_is_told() -> None:
    text = (
        f"create banish-a-4 hash:net family inet hashsize 1024 maxelem {CAPACITY} timeout 0 "
        "bucketsize 12 initval 0x1\n"
        "add banish-a-4 192.0.2.1 timeout 3\nadd banish-a-4 192.0.2.0/24 timeout 0\n"
        "create banish-b-4 hash:ip family inet hashsize 1024 maxelem 65536\n"
        "add nobody 192.0.2.1\n"
    )
    found = parse_save(text)
    assert found["banish-a-4"] == SavedSet(True, {"192.0.2.1": 3.0, "192.0.2.0/24": None})
    assert found["banish-b-4"] == SavedSet(False, {})
    assert list(found) == ["banish-a-4", "banish-b-4"]
    assert [is_ours(name) for name in ("banish-a-4", "banish.new", "banished", "f2b-a")] == [
        True, True, False, False,
    ]  # fmt: skip


@given(SUBJECTS)
def test_elements_are_counted_as_they_stand_there(banned: set[Subject]) -> None:
    assert count_elements(banned) == len({part for one in banned for part in elements(one)})


def test_sizes_are_read_from_the_headers() -> None:
    text = (
        "Name: banish-a-4\nType: hash:net\nHeader: family inet\nReferences: 1\n"
        "Number of entries: 12\n\nName: theirs\nType: bitmap:port\nNumber of entries: many\n"
    )
    assert parse_sizes(text) == {"banish-a-4": 12}
