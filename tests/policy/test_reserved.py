import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.errors import RequestError
from banish.model.address import Subject, SubjectKind, parse_subject
from banish.model.ban import Ban
from banish.model.decision import EndBan, Exempt
from banish.model.instant import Instant
from banish.model.snapshot import JailMemory
from banish.policy import reserved as reserved_module
from banish.policy.reserved import reserved
from tests.policy.script import judge, policy_of, settings

NO_PEERS = [
    "0.0.0.0", "0.0.0.4", "127.0.0.1", "127.255.255.255", "::ffff:127.0.0.1", "224.0.0.1",
    "239.255.255.250", "255.255.255.255", "::", "::1", "ff02::1", "127.0.0.0/8", "126.0.0.0/7",
    "255.255.255.254/31", "::/64", "fe00::/7",
]  # fmt: skip
PEERS = [
    "1.0.0.0", "126.255.255.255", "128.0.0.1", "223.255.255.255", "240.0.0.1", "169.254.0.1",
    "10.0.0.1", "fe80::1", "2001:db8::1", "::2", "64:ff9b::1", "192.0.2.0/24", "2001:db8::/32",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_PEERS)
def test_nobody_is_banned_by_what_no_peer_has(text: str) -> None:
    policy = policy_of(settings(maxretry=1))
    subject = parse_subject(text)
    assert isinstance(judge(policy, subject, 100), Exempt)
    assert policy.bans == {}
    with pytest.raises(RequestError, match="cannot be banned") as refusal:
        policy.ban(subject, Instant(100), None)
    assert "from which the attacker connects" in str(refusal.value)


@pytest.mark.parametrize("text", PEERS)
def test_what_a_peer_may_have_can_be_banned(text: str) -> None:
    assert reserved(parse_subject(text)) is None
    assert policy_of().ban(parse_subject(text), Instant(100), None) is not None


def test_a_ban_of_an_earlier_version_is_lifted() -> None:
    policy = policy_of()
    ban = Ban("sshd", parse_subject("0.0.0.4"), Instant(50), None)
    assert policy.restore(JailMemory((ban,)), Instant(100)) == []
    assert policy.tick(Instant(100)) == [EndBan(ban, "exempt")]


def test_an_identifier_that_reads_as_such_an_address_is_refused_too() -> None:
    assert reserved(Subject("127.0.0.1", SubjectKind.ID)) == "127.0.0.0/8 is loopback"
    assert reserved(Subject("0.0.0.4:22", SubjectKind.ID)) is None
    assert reserved(Subject("root", SubjectKind.ID)) is None


@given(st.ip_addresses())
def test_the_quick_look_passes_over_nothing(address: object) -> None:
    subject = parse_subject(str(address))
    network = subject.network()
    slow = any(
        each.version == network.version and each.overlaps(network)
        for each in reserved_module._RANGES
    )
    assert (reserved(subject) is not None) is slow
