"""Tags become regular expressions that find addresses as loosely as logs write them."""

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.detect.tags import expand, group_name
from banish.model.address import parse_address


def captured(regex: str, text: str, usedns: str = "warn") -> dict[str, str] | None:
    found = re.search(expand(regex, usedns), text)
    return (
        None
        if found is None
        else {name: it for name, it in found.groupdict().items() if it is not None}
    )


@pytest.mark.parametrize(
    ("regex", "text", "expected"),
    [
        ("from <HOST>$", "from 192.0.2.1", {"ip4": "192.0.2.1"}),
        ("from <HOST>$", "from ::ffff:192.0.2.1", {"ip4": "192.0.2.1"}),
        ("from <HOST>$", "from [2001:db8::1]", {"ip6": "2001:db8::1"}),
        ("from <HOST>$", "from 2001:db8::", {"ip6": "2001:db8::"}),
        ("from <HOST>$", "from host-1.example.com", {"dns": "host-1.example.com"}),
        ("from <ADDR>$", "from [192.0.2.1]", {"ip4": "192.0.2.1"}),
        ("from <F-ADDR/>$", "from ::1", {"ip6": "::1"}),
        ("from <ADDR>$", "from host.example.com", None),
        ("from <ADDR>$", "from ::", None),
        ("<IP4>", "192.0.2.1", {"ip4": "192.0.2.1"}),
        ("<F-IP4/>", "192.0.2.1", {"ip4": "192.0.2.1"}),
        ("<IP6>", "2001:db8::1", {"ip6": "2001:db8::1"}),
        ("<F-IP6/>", "2001:db8::1", {"ip6": "2001:db8::1"}),
        ("<DNS>", "example.com", {"dns": "example.com"}),
        ("<F-DNS/>", "example.com", {"dns": "example.com"}),
        ("<ADDR>/<CIDR>", "192.0.2.0/24", {"ip4": "192.0.2.0", "cidr": "24"}),
        ("<IP4>/<F-CIDR/>", "192.0.2.0/24", {"ip4": "192.0.2.0", "cidr": "24"}),
        ("<SUBNET>$", "2001:db8::/32", {"ip6": "2001:db8::", "cidr": "32"}),
        ("<F-SUBNET/>$", "192.0.2.1", {"ip4": "192.0.2.1"}),
        ("id=<F-ID/>", "id=a,b c", {"fid": "a,b"}),
        ("id=<F-ID>[a-z]+</F-ID>", "id=abc1", {"fid": "abc"}),
        ("port <F-PORT/>", "port ssh", {"fport": "ssh"}),
        ("port <F-PORT>\\d+</F-PORT>", "port 22", {"fport": "22"}),
        ("<F-USER>\\w+</F-USER>", "alice", {"user": "alice"}),
        ("<F-TUPLE_ID_2>x</F-TUPLE_ID_2>", "x", {"tuple_id_2": "x"}),
        ("<F-RHOST-NAME>x</F-RHOST-NAME>", "x", {"rhost_name": "x"}),
    ],
)
def test_tag_captures(regex: str, text: str, expected: dict[str, str] | None) -> None:
    assert captured(regex, text) == expected


def test_host_is_an_address_only_without_dns() -> None:
    assert captured("from <HOST>$", "from example.com", "no") is None
    assert captured("from <HOST>$", "from 192.0.2.1", "no") == {"ip4": "192.0.2.1"}


def test_tags_of_others_and_closing_tags_without_an_opening_one_stay() -> None:
    regex = r"<user>(?P<name>a)(?<=a)</F-USER><F-lower>"
    assert expand(regex) == regex


def test_each_skiplines_has_a_group_of_its_own() -> None:
    found = re.search(expand("^a<SKIPLINES>b<SKIPLINES>c"), "a\nx\nb\ny\nz\nc\n", re.MULTILINE)
    assert found is not None
    assert (found["skiplines0"], found["skiplines1"]) == ("x\n", "y\nz\n")


def test_group_names_are_the_tags_in_lower_case() -> None:
    assert [group_name(tag) for tag in ("USER", "ID", "PORT")] == ["user", "fid", "fport"]


@given(st.ip_addresses())
def test_every_address_is_found_as_it_is_written(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if int(address) == 0:
        return
    texts = [str(address)]
    if address.version == 6:
        texts += [address.exploded, f"[{address}]", str(address).upper()]
    if address.version == 6 and address.ipv4_mapped is not None:
        texts.remove(
            address.exploded
        )  # Python 3.13 writes one that nobody logs: 0000:...:192.0.2.1
    for text in texts:
        found = captured("^from <HOST>$", f"from {text}")
        assert found is not None
        (name,) = found
        assert parse_address(found[name]) == parse_address(str(address))
