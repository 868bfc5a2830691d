import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import (
    MAX_SUBJECT_CHARACTERS,
    Subject,
    SubjectKind,
    is_host_name,
    name_subject,
    parse_address,
    parse_logged,
    parse_subject,
)


@pytest.mark.parametrize(
    ("written", "text", "kind"),
    [
        ("192.0.2.1", "192.0.2.1", SubjectKind.IPV4),
        ("192.0.2.1/32", "192.0.2.1", SubjectKind.IPV4),
        ("192.0.2.77/24", "192.0.2.0/24", SubjectKind.NETWORK4),
        ("192.0.2.0/255.255.255.0", "192.0.2.0/24", SubjectKind.NETWORK4),
        ("::ffff:192.0.2.1", "192.0.2.1", SubjectKind.IPV4),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24", SubjectKind.NETWORK4),
        ("::ffff:192.0.2.1/128", "192.0.2.1", SubjectKind.IPV4),
        ("2001:DB8:0::1", "2001:db8::1", SubjectKind.IPV6),
        ("[2001:db8::1]", "2001:db8::1", SubjectKind.IPV6),
        ("2001:db8::1/128", "2001:db8::1", SubjectKind.IPV6),
        ("2001:db8::1/64", "2001:db8::/64", SubjectKind.NETWORK6),
        ("fe80::1%eth0", "fe80::1", SubjectKind.IPV6),
    ],
)
def test_one_subject_has_one_spelling(written: str, text: str, kind: SubjectKind) -> None:
    assert parse_address(written) == Subject(text, kind)


@pytest.mark.parametrize(
    "written",
    ["", "host.example", "192.0.2", "192.0.2.256", "010.0.0.1", "192.0.2.0/33", "1" * 300, "[::"],
)
def test_what_writes_no_address_is_none(written: str) -> None:
    assert parse_address(written) is None


def test_anything_else_is_an_identifier_and_a_name_is_lowered() -> None:
    assert parse_subject("bob") == Subject("bob", SubjectKind.ID)
    assert parse_subject("192.0.2.1").is_address
    assert name_subject("Host.Example.") == Subject("host.example", SubjectKind.NAME)
    assert len(parse_subject("x" * 1000).text) == MAX_SUBJECT_CHARACTERS


def test_a_subject_knows_its_family_and_whether_a_firewall_can_hold_it() -> None:
    address, network = parse_subject("192.0.2.1"), parse_subject("2001:db8::/64")
    assert (address.family, network.family, parse_subject("bob").family) == (4, 6, 0)
    assert address.is_enforceable
    assert network.is_enforceable
    assert network.is_network
    assert not name_subject("host.example").is_enforceable
    assert address.network() == ipaddress.ip_network("192.0.2.1/32")
    assert str(network) == "2001:db8::/64"


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused_without_an_exception(text: str) -> None:
    found = parse_address(text)
    assert found is None or parse_address(found.text) == found


_GROUPS = st.lists(
    st.sampled_from([0, 0, 0, 1, 0x10, 0xA0, 0xFFFF]) | st.integers(0, 0xFFFF),
    min_size=8,
    max_size=8,
)


@given(_GROUPS, st.integers(0, 8), st.integers(0, 8), st.sampled_from(["%x", "%X", "%04x"]))
def test_whatever_way_ipv6_is_written_it_becomes_the_one_spelling(
    groups: list[int], begin: int, end: int, form: str
) -> None:
    written = [form % group for group in groups]
    gapped = f"{':'.join(written[:begin])}::{':'.join(written[end:])}"
    for text in (":".join(written), gapped):
        try:
            address = ipaddress.IPv6Address(text)
        except ValueError:
            assert parse_address(text) is None
            continue
        plain = address.ipv4_mapped or address
        assert parse_address(text) == Subject(str(plain), SubjectKind(f"ipv{plain.version}"))
        assert parse_address(str(plain)) == parse_address(text)


@given(st.ip_addresses())
def test_parsing_the_canonical_text_changes_nothing(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    found = parse_address(str(address))
    assert found is not None
    assert parse_address(found.text) == found


@pytest.mark.parametrize(
    "text",
    [
        "4", "127.1", "127.0.1", "3232235777", "0x7f000001", "0X7F.1", "0300.0250.1.1", "1.0x",
        "example.com.5", "127.1.", "..", "", "-", "_", "127.0x1.", "\N{SUPERSCRIPT TWO}",
        "12\N{FULLWIDTH DIGIT SEVEN}.1", "1\N{IDEOGRAPHIC FULL STOP}2",
    ],
)  # fmt: skip
def test_a_number_is_no_host_name_however_it_is_written(text: str) -> None:
    assert not is_host_name(text)


@pytest.mark.parametrize(
    "text", ["localhost", "a", "1.2.3.4.example.com", "example.com.", "4.in-addr.arpa", "x-1.a1"]
)
def test_a_name_with_a_letter_in_its_last_label_is_a_host_name(text: str) -> None:
    assert is_host_name(text)


@given(
    st.text(
        alphabet="0123456789abcfxX.\N{FULLWIDTH DIGIT SEVEN}\N{IDEOGRAPHIC FULL STOP}", max_size=16
    )
)
def test_what_the_c_library_takes_for_an_address_is_no_host_name(text: str) -> None:
    try:
        socket.inet_aton(text.encode("idna").decode("ascii"))
    except (OSError, UnicodeError):
        return
    assert not is_host_name(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.030.0.6", "192.30.0.6"),
        ("192.0.2.09", "192.0.2.9"),
        ("192.000.002.001", "192.0.2.1"),
        ("010.0.0.08/29", "10.0.0.8/29"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
def test_octets_of_a_log_are_decimal_however_they_are_filled_up(text: str, address: str) -> None:
    assert str(parse_logged(text)) == address


@pytest.mark.parametrize(
    "text", ["192.0.2.0256", "0x10.0.0.1", "010.0.0", "192.0.2.099.1", "08", ""]
)
def test_other_numbers_of_a_log_are_no_address(text: str) -> None:
    assert parse_logged(text) is None
