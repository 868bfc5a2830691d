"""Subjects as the kernel keys them."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from banish.enforce.addresskeys import sort_subjects, to_subject
from banish.model.address import parse_subject

ADDRESSES = st.ip_addresses() | st.builds(ipaddress.IPv6Address, st.integers(0, 2**48))


@given(ADDRESSES)
def test_an_address_comes_back_as_the_subject_it_was(address: ipaddress.IPv4Address) -> None:
    subject = parse_subject(str(address))
    hosts, blocks = sort_subjects([(subject, None)])
    assert blocks == {4: {}, 6: {}}
    ((family, key),) = [(family, key) for family, keys in hosts.items() for key in keys]
    assert to_subject(key, family) == subject
