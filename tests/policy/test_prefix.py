"""Which network an address stands for, and which must stay unbanned."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import Subject, parse_subject
from banish.policy.prefix import WIDEST, network_of

ADDRESSES = st.ip_addresses().map(lambda address: parse_subject(str(address)))


def around(text: str, length: int) -> str | None:
    network = network_of(parse_subject(text), length)
    return None if network is None else network.text


@pytest.mark.parametrize(
    ("text", "length", "network"),
    [
        ("198.51.100.7", 24, "198.51.100.0/24"),
        ("198.51.100.0/28", 24, "198.51.100.0/24"),
        ("198.51.100.7", 16, "198.51.0.0/16"),
        ("2001:db8:1:2:3::9", 64, "2001:db8:1:2::/64"),
        ("2001:db8:1:2::/64", 48, "2001:db8:1::/48"),
    ],
)
def test_the_network_around_a_subject(text: str, length: int, network: str) -> None:
    assert around(text, length) == network


@pytest.mark.parametrize(
    ("text", "length"), [("198.51.100.7", 32), ("198.51.100.0/24", 24), ("2001:db8::/48", 64)]
)
def test_what_is_as_wide_already_has_no_network(text: str, length: int) -> None:
    assert around(text, length) is None


@pytest.mark.parametrize(("text", "length"), [("198.51.100.7", 15), ("2001:db8::1", 31)])
def test_nothing_past_the_cap_is_a_network(text: str, length: int) -> None:
    assert around(text, length) is None


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("127.0.0.9", 24),
        ("169.254.7.7", 24),
        ("fe80::1", 64),
        ("64:ff9b::c633:6407", 64),
        ("64:ff9b:1:2::1", 64),
        ("2001:0:c633:6407::1", 64),
        ("::1", 64),
    ],
)
def test_addresses_of_people_who_only_look_alike_stay_alone(text: str, length: int) -> None:
    assert around(text, length) is None


@given(ADDRESSES, st.integers(0, 128))
def test_a_network_holds_its_address_and_is_no_wider_than_the_cap(
    subject: Subject, length: int
) -> None:
    network = network_of(subject, length)
    if network is not None:
        assert parse_subject(network.text) == network
        assert ipaddress.ip_address(subject.text) in network.network()
        assert network.network().prefixlen == length >= WIDEST[subject.family]
