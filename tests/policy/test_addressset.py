import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import parse_subject
from banish.policy.addressset import AddressSet, range_of


def test_it_holds_both_families_and_no_names() -> None:
    held = AddressSet([range_of(parse_subject("192.0.2.1"))], [range_of(parse_subject("::/0"))])
    assert held.overlaps(parse_subject("192.0.2.1"))
    assert held.overlaps(parse_subject("192.0.2.0/24"))
    assert not held.overlaps(parse_subject("192.0.2.2"))
    assert not held.overlaps(parse_subject("192.0.2.0"))
    assert held.overlaps(parse_subject("2001:db8::1"))
    assert not held.overlaps(parse_subject("bob"))
    assert not AddressSet().overlaps(parse_subject("192.0.2.1"))


def test_ranges_that_touch_are_one() -> None:
    four = [range_of(parse_subject(f"192.0.2.{n}")) for n in (3, 1, 2, 9, 2)]
    assert len(AddressSet(four)) == 2
    ends = [range_of(parse_subject(text)) for text in ("0.0.0.0/1", "128.0.0.0/1")]
    assert len(AddressSet(ends)) == 1


def test_the_same_addresses_are_the_same_set() -> None:
    halves = [range_of(parse_subject(text)) for text in ("192.0.2.0/25", "192.0.2.128/25")]
    whole = AddressSet([range_of(parse_subject("192.0.2.0/24"))])
    assert AddressSet(halves) == whole
    assert hash(AddressSet(halves)) == hash(whole)
    assert whole != AddressSet()
    assert whole != "192.0.2.0/24"


networks = st.builds(
    lambda address, length: ipaddress.ip_network((address, length), strict=False),
    st.one_of(st.integers(0, 600), st.integers(2**32 - 600, 2**32 - 1)),
    st.integers(22, 32),
)


@given(st.lists(networks, max_size=12), networks)
def test_it_agrees_with_looking_at_every_network(
    members: list[ipaddress.IPv4Network], asked: ipaddress.IPv4Network
) -> None:
    held = AddressSet([range_of(parse_subject(str(member))) for member in members])
    expected = any(member.overlaps(asked) for member in members)
    assert held.overlaps(parse_subject(str(asked))) is expected
