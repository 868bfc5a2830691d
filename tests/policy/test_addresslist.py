import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import parse_subject
from banish.policy import addresslist
from banish.policy.addresslist import Fault, as_name, parse_list

TEXT = """
# our own
192.0.2.1, 192.0.2.7 ; the gate
198.51.100.0/24\t2001:db8::/32
198.51.101.0/255.255.255.0
::ffff:203.0.113.9 host.example.org bob
[2001:db9::1]
192.0.2.300 10.0.0 1.2.3.4/40 2001::zz 010.0.0.1
"""


@pytest.mark.parametrize(
    ("subject", "listed"),
    [
        ("192.0.2.1", True),
        ("192.0.2.7", True),
        ("192.0.2.2", False),
        ("198.51.100.200", True),
        ("198.51.101.1", True),
        ("2001:db8:1::1", True),
        ("2001:db9::1", True),
        ("2001:db9::2", False),
        ("203.0.113.9", True),
        ("10.0.0.1", False),
        ("1.2.3.4", False),
    ],
)
def test_every_spelling_of_an_address_counts(subject: str, listed: bool) -> None:
    assert parse_list(TEXT)[0].addresses.overlaps(parse_subject(subject)) is listed


def test_names_and_identifiers_are_kept_as_written_and_the_rest_is_told() -> None:
    members, faults = parse_list(TEXT)
    assert members.texts == {"host.example.org", "bob"}
    assert [(fault.line, fault.entry) for fault in faults] == [
        (8, "192.0.2.300"), (8, "10.0.0"), (8, "1.2.3.4/40"), (8, "2001::zz"), (8, "010.0.0.1"),
    ]  # fmt: skip


def test_faults_and_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(parse_list("999.0.0.1\n" * 50)[1]) == addresslist.FAULT_LIMIT
    monkeypatch.setattr(addresslist, "TEXT_LIMIT", 2)
    members, faults = parse_list("a\nb\nc")
    assert (len(members.texts), faults) == (2, [Fault(3, "c")])


def test_an_empty_list_holds_nobody() -> None:
    assert parse_list("") == (addresslist.AddressList(), [])


def test_what_ends_in_a_number_is_no_name() -> None:
    assert as_name("Host.Example.") == "host.example"
    assert as_name("10.0.0") is None
    assert as_name("-x") is None
    assert as_name("a" * 300) is None


@given(st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    parse_list(text)


@given(st.lists(st.ip_addresses(), max_size=10))
def test_all_that_is_listed_is_exempt(addresses: list[object]) -> None:
    members, faults = parse_list("\n".join(map(str, addresses)))
    assert not faults
    assert all(members.addresses.overlaps(parse_subject(str(one))) for one in addresses)
