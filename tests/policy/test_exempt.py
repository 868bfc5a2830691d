import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.errors import RequestError
from banish.model.address import Subject, name_subject, parse_address, parse_subject
from banish.model.decision import Counted, Exempt, StartBan
from banish.model.failure import Failure
from banish.model.instant import Instant
from banish.policy.addresslist import AddressList
from banish.policy.addressset import AddressSet, range_of
from banish.policy.exempt import ANSWER_SPAN, BY_ANSWER, TOO_WIDE, ExemptList
from tests.policy.script import ATTACKER, BYSTANDER, INSIDE, NETWORK, SIX, judge, policy_of

LOGIN = "guard (ssh login of alice)"


@pytest.mark.parametrize(
    ("entry", "subject"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.77/24", "192.0.2.1"),
        ("192.0.2.0/255.255.255.0", "192.0.2.1"),
        ("2001:DB8::/32", "2001:db8::1"),
        ("0.0.0.0/0", "203.0.113.9"),
        ("::/0", "2001:db8::1"),
        ("root", "root"),
        ("dom\\user name", "dom\\user name"),
    ],
)
def test_an_entry_exempts_in_every_spelling(entry: str, subject: str) -> None:
    assert ExemptList([entry]).exempts(parse_subject(subject)) == f"ignoreip {entry}"


@pytest.mark.parametrize(
    ("entry", "subject"),
    [
        ("192.0.2.1", "192.0.2.2"),
        ("192.0.2.0/25", "192.0.2.128"),
        ("0.0.0.0/0", "2001:db8::1"),
        ("root", "toor"),
        ("host.example", "192.0.2.1"),
    ],
)
def test_an_entry_exempts_nothing_else(entry: str, subject: str) -> None:
    assert ExemptList([entry]).exempts(parse_subject(subject)) is None


def test_the_smallest_network_answers() -> None:
    exempt = ExemptList(["198.51.0.0/16", "198.51.100.0/24", "198.0.0.0/8"])
    assert exempt.exempts(INSIDE) == "ignoreip 198.51.100.0/24"


def test_names_are_listed_and_stand_for_what_they_were_resolved_to() -> None:
    exempt = ExemptList(
        ["Host.Example.", "192.0.2.9", "not a name", "-x", "host.example", "10.0.0", "a" * 300]
    )
    assert exempt.names == ("host.example",)
    assert exempt.exempts(ATTACKER) is None
    assert exempt.resolve("host.example", [ATTACKER, SIX])
    assert exempt.exempts(ATTACKER) == "ignoreip host.example"
    assert exempt.exempts(SIX) == "ignoreip host.example"
    assert not exempt.resolve("host.example", [SIX, ATTACKER])
    assert exempt.resolve("host.example", [INSIDE])
    assert exempt.exempts(ATTACKER) is None
    assert not exempt.resolve("other.example", [ATTACKER])
    assert exempt.exempts(ATTACKER) is None


def test_a_name_exempts_itself_before_it_is_resolved() -> None:
    exempt = ExemptList(["Host.Example"])
    assert exempt.exempts(name_subject("host.example")) == "ignoreip host.example"


def test_own_addresses_are_exempt_and_may_change() -> None:
    exempt = ExemptList(own=[ATTACKER, name_subject("own.example")])
    assert exempt.exempts(ATTACKER) == "ignoreself"
    assert not exempt.set_own([ATTACKER, name_subject("own.example")])
    assert exempt.set_own([SIX])
    assert exempt.exempts(ATTACKER) is None
    assert exempt.exempts(SIX) == "ignoreself"


def test_a_network_with_an_exempt_address_in_it_is_exempt() -> None:
    assert ExemptList(["198.51.100.9"]).exempts(NETWORK) == "ignoreip 198.51.100.9"
    assert ExemptList(["198.51.0.0/16"]).overlap(NETWORK) == "ignoreip 198.51.0.0/16"
    assert ExemptList(["198.51.100.128/25"]).overlap(NETWORK) == "ignoreip 198.51.100.128/25"
    assert ExemptList(["198.51.101.0/24"]).overlap(NETWORK) is None
    assert ExemptList(own=[INSIDE]).overlap(NETWORK) == "ignoreself"
    assert ExemptList(["root"]).overlap(parse_subject("root")) is None


def listed(*entries: str, texts: tuple[str, ...] = ()) -> AddressList:
    four = [range_of(parse_subject(entry)) for entry in entries if ":" not in entry]
    six = [range_of(parse_subject(entry)) for entry in entries if ":" in entry]
    return AddressList(AddressSet(four, six), frozenset(texts))


def test_a_list_in_a_file_exempts_what_it_holds_at_the_time() -> None:
    exempt = ExemptList(["file:/a", "192.0.2.9", "file:/b"])
    assert exempt.files == ("/a", "/b")
    assert exempt.exempts(ATTACKER) is None
    assert exempt.set_file("/b", listed("192.0.2.0/30", "2001:db8::/64", texts=("root",)))
    assert not exempt.set_file("/b", listed("192.0.2.0/30", "2001:db8::/64", texts=("root",)))
    for subject in (ATTACKER, SIX, parse_subject("root"), parse_subject("192.0.0.0/16")):
        assert exempt.exempts(subject) in ("ignoreip file:/b", "ignoreip 192.0.2.9")
    assert exempt.overlap(parse_subject("2001:db8::/32")) == "ignoreip file:/b"
    assert exempt.exempts(parse_subject("192.0.2.4")) is None
    assert exempt.exempts(parse_subject("toor")) is None
    assert exempt.set_file("/b", listed())
    assert exempt.exempts(ATTACKER) is None
    assert not exempt.set_file("/other", listed("192.0.2.1"))
    assert exempt.exempts(ATTACKER) is None


def test_names_of_a_file_are_resolved_while_they_stand_in_it() -> None:
    exempt = ExemptList(["file:/a", "here.example"])
    assert exempt.set_file("/a", listed(texts=("Host.Example.", "here.example", "no name")))
    assert exempt.names == ("here.example", "host.example")
    assert exempt.resolve("host.example", [ATTACKER])
    assert exempt.resolve("here.example", [SIX])
    assert exempt.exempts(ATTACKER) == "ignoreip file:/a"
    assert exempt.exempts(SIX) == "ignoreip here.example"
    assert exempt.set_file("/a", listed("198.51.100.9"))
    assert exempt.exempts(ATTACKER) is None
    assert exempt.exempts(SIX) == "ignoreip here.example"
    assert not exempt.resolve("host.example", [ATTACKER])


networks = st.builds(
    lambda address, length: f"{ipaddress.IPv4Address(0xC0000200 | address)}/{length}",
    st.integers(0, 255),
    st.integers(20, 32),
)


@given(st.lists(networks, max_size=8), networks, st.integers(0, 255))
def test_it_agrees_with_looking_at_every_network(
    entries: list[str], banned: str, last: int
) -> None:
    exempt = ExemptList(entries)
    listed = [ipaddress.ip_network(entry, strict=False) for entry in entries]
    wanted = ipaddress.ip_network(banned, strict=False)
    subject = parse_address(banned)
    assert subject is not None
    overlaps = any(one.overlaps(wanted) for one in listed)
    assert (exempt.exempts(subject) is not None) is overlaps
    assert (exempt.overlap(subject) is not None) is overlaps
    address = ipaddress.ip_address(f"192.0.2.{last}")
    is_listed = any(address in one for one in listed)
    assert (exempt.exempts(parse_subject(str(address))) is not None) is is_listed


def test_verdicts_are_forgotten_when_the_list_changes_and_when_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("banish.policy.exempt.VERDICTS", 2)
    exempt = ExemptList(["host.example"])
    subjects = [parse_subject(f"192.0.2.{n}") for n in range(1, 5)]
    for _ in range(2):
        assert [exempt.exempts(subject) for subject in subjects] == [None] * 4
    assert exempt.resolve("host.example", subjects[:1])
    for _ in range(2):
        assert exempt.exempts(subjects[0]) == "ignoreip host.example"
        assert exempt.exempts(subjects[1]) is None
    assert len(exempt._verdicts) <= 2


# Exempt for now


def test_an_address_that_is_exempt_for_now_is_not_banned_anew_and_others_are() -> None:
    policy = policy_of()
    policy.exempt.set_temporary({ATTACKER: LOGIN})
    assert judge(policy, ATTACKER, 1, 2, 3, 4) == Exempt(LOGIN)
    assert isinstance(judge(policy, BYSTANDER, 1, 2, 3), StartBan)
    policy.exempt.set_temporary({})
    assert judge(policy, ATTACKER, 5) == Counted(1)


def test_a_login_lifts_no_ban_that_is_in_force() -> None:
    policy = policy_of()
    judge(policy, ATTACKER, 1, 2, 3)
    policy.exempt.set_temporary({ATTACKER: LOGIN})
    assert policy.review(Instant(4)) == []
    assert ATTACKER in policy.bans


def test_an_operator_is_kept_from_banning_a_login_and_told_which() -> None:
    policy = policy_of()
    policy.exempt.set_temporary({ATTACKER: LOGIN})
    with pytest.raises(RequestError, match="ssh login of alice") as raised:
        policy.ban(ATTACKER, Instant(1), None)
    assert "guard = none" in str(raised.value)


def test_who_is_exempt_for_now_is_forgotten_when_that_changes_and_when_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("banish.policy.exempt.VERDICTS", 2)
    exempt = ExemptList()
    subjects = [parse_subject(f"192.0.2.{n}") for n in range(1, 5)]
    exempt.set_temporary({subjects[3]: LOGIN})
    for _ in range(2):
        assert [exempt.exempts_for_now(subject) for subject in subjects] == [
            None,
            None,
            None,
            LOGIN,
        ]
    exempt.set_temporary({subjects[0]: LOGIN})
    for _ in range(2):
        assert exempt.exempts_for_now(subjects[0]) == LOGIN
        assert exempt.exempts_for_now(subjects[3]) is None
    assert len(exempt._temporary_verdicts) <= 2


def test_a_network_that_holds_an_address_exempt_for_now_is_exempt_and_a_text_is_not() -> None:
    exempt = ExemptList()
    assert exempt.exempts_for_now(NETWORK) is None
    exempt.set_temporary({parse_subject("198.51.100.9"): LOGIN})
    exempt.set_temporary({parse_subject("198.51.100.9"): LOGIN})
    assert exempt.exempts_for_now(NETWORK) == LOGIN
    assert exempt.exempts_for_now(parse_subject("root")) is None
    assert exempt.exempts(NETWORK) is None


# Exempt by an answer


def parsed(*texts: str) -> list[Subject]:
    return [parse_subject(text) for text in texts]


def test_an_answer_exempts_networks_for_a_week_and_an_older_one_does_not_shorten_it() -> None:
    exempt = ExemptList()
    (network, other) = parsed("198.51.100.0/24", "198.51.101.0/24")
    assert exempt.exempts_network(network, Instant(100)) is None
    exempt.add_answer([network], Instant(100))
    exempt.add_answer([network], Instant(50))
    assert exempt.exempts_network(network, Instant(100 + ANSWER_SPAN - 1)) == BY_ANSWER
    assert exempt.exempts_network(network, Instant(100 + ANSWER_SPAN)) is None
    assert exempt.exempts_network(other, Instant(100)) is None
    assert exempt.exempts(network) is None


def test_the_answers_of_longest_ago_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("banish.policy.exempt.ANSWERS_LIMIT", 2)
    exempt = ExemptList()
    found = parsed(*(f"10.0.{third}.0/24" for third in range(4)))
    for third in (1, 2, 1, 3):
        exempt.add_answer([found[third]], Instant(100))
    exempted = [exempt.exempts_network(each, Instant(100)) is not None for each in found]
    assert exempted == [False, True, False, True]


# The decision on a failure


def test_a_failure_is_exempt_by_list_then_login_then_width_then_answer() -> None:
    exempt = ExemptList(["root", "192.0.2.9"])
    exempt.set_temporary({ATTACKER: LOGIN})
    root, wide = parse_subject("root"), parse_subject("10.0.0.0/8")

    def why(subject: Subject, address: Subject | None = None, answer: str = "") -> str | None:
        failure = Failure("j", subject, Instant(0), address=address, exempt_by=answer)
        return exempt.exempts_failure(failure)

    assert why(root, ATTACKER, "x") == "ignoreip root"
    assert why(parse_subject("bob"), parse_subject("192.0.2.9"), "x") == "ignoreip 192.0.2.9"
    assert why(parse_subject("bob"), ATTACKER, "x") == LOGIN
    assert why(ATTACKER, answer="x") == LOGIN
    assert why(wide, answer="x") == TOO_WIDE
    assert why(BYSTANDER, answer="x") == "x"
    assert why(BYSTANDER) is None
