import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import name_subject, parse_address, parse_subject
from banish.policy.addresslist import AddressList
from banish.policy.addressset import AddressSet, range_of
from banish.policy.ignore import IgnoreList
from tests.policy.script import ATTACKER, INSIDE, NETWORK, SIX


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
    assert IgnoreList([entry]).exempts(parse_subject(subject)) == f"ignoreip {entry}"


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
    assert IgnoreList([entry]).exempts(parse_subject(subject)) is None


def test_the_smallest_network_answers() -> None:
    ignored = IgnoreList(["198.51.0.0/16", "198.51.100.0/24", "198.0.0.0/8"])
    assert ignored.exempts(INSIDE) == "ignoreip 198.51.100.0/24"


def test_names_are_listed_and_stand_for_what_they_were_resolved_to() -> None:
    ignored = IgnoreList(
        ["Host.Example.", "192.0.2.9", "not a name", "-x", "host.example", "10.0.0", "a" * 300]
    )
    assert ignored.names == ("host.example",)
    assert ignored.exempts(ATTACKER) is None
    assert ignored.resolve("host.example", [ATTACKER, SIX])
    assert ignored.exempts(ATTACKER) == "ignoreip host.example"
    assert ignored.exempts(SIX) == "ignoreip host.example"
    assert not ignored.resolve("host.example", [SIX, ATTACKER])
    assert ignored.resolve("host.example", [INSIDE])
    assert ignored.exempts(ATTACKER) is None
    assert not ignored.resolve("other.example", [ATTACKER])
    assert ignored.exempts(ATTACKER) is None


def test_a_name_exempts_itself_before_it_is_resolved() -> None:
    ignored = IgnoreList(["Host.Example"])
    assert ignored.exempts(name_subject("host.example")) == "ignoreip host.example"


def test_own_addresses_are_exempt_and_may_change() -> None:
    ignored = IgnoreList(own=[ATTACKER, name_subject("own.example")])
    assert ignored.exempts(ATTACKER) == "ignoreself"
    assert not ignored.set_own([ATTACKER, name_subject("own.example")])
    assert ignored.set_own([SIX])
    assert ignored.exempts(ATTACKER) is None
    assert ignored.exempts(SIX) == "ignoreself"


def test_a_network_with_an_exempt_address_in_it_is_exempt() -> None:
    assert IgnoreList(["198.51.100.9"]).exempts(NETWORK) == "ignoreip 198.51.100.9"
    assert IgnoreList(["198.51.0.0/16"]).overlap(NETWORK) == "ignoreip 198.51.0.0/16"
    assert IgnoreList(["198.51.100.128/25"]).overlap(NETWORK) == "ignoreip 198.51.100.128/25"
    assert IgnoreList(["198.51.101.0/24"]).overlap(NETWORK) is None
    assert IgnoreList(own=[INSIDE]).overlap(NETWORK) == "ignoreself"
    assert IgnoreList(["root"]).overlap(parse_subject("root")) is None


def listed(*entries: str, texts: tuple[str, ...] = ()) -> AddressList:
    four = [range_of(parse_subject(entry)) for entry in entries if ":" not in entry]
    six = [range_of(parse_subject(entry)) for entry in entries if ":" in entry]
    return AddressList(AddressSet(four, six), frozenset(texts))


def test_a_list_in_a_file_exempts_what_it_holds_at_the_time() -> None:
    ignored = IgnoreList(["file:/a", "192.0.2.9", "file:/b"])
    assert ignored.files == ("/a", "/b")
    assert ignored.exempts(ATTACKER) is None
    assert ignored.set_file("/b", listed("192.0.2.0/30", "2001:db8::/64", texts=("root",)))
    assert not ignored.set_file("/b", listed("192.0.2.0/30", "2001:db8::/64", texts=("root",)))
    for subject in (ATTACKER, SIX, parse_subject("root"), parse_subject("192.0.0.0/16")):
        assert ignored.exempts(subject) in ("ignoreip file:/b", "ignoreip 192.0.2.9")
    assert ignored.overlap(parse_subject("2001:db8::/32")) == "ignoreip file:/b"
    assert ignored.exempts(parse_subject("192.0.2.4")) is None
    assert ignored.exempts(parse_subject("toor")) is None
    assert ignored.set_file("/b", listed())
    assert ignored.exempts(ATTACKER) is None
    assert not ignored.set_file("/other", listed("192.0.2.1"))
    assert ignored.exempts(ATTACKER) is None


def test_names_of_a_file_are_resolved_while_they_stand_in_it() -> None:
    ignored = IgnoreList(["file:/a", "here.example"])
    assert ignored.set_file("/a", listed(texts=("Host.Example.", "here.example", "no name")))
    assert ignored.names == ("here.example", "host.example")
    assert ignored.resolve("host.example", [ATTACKER])
    assert ignored.resolve("here.example", [SIX])
    assert ignored.exempts(ATTACKER) == "ignoreip file:/a"
    assert ignored.exempts(SIX) == "ignoreip here.example"
    assert ignored.set_file("/a", listed("198.51.100.9"))
    assert ignored.exempts(ATTACKER) is None
    assert ignored.exempts(SIX) == "ignoreip here.example"
    assert not ignored.resolve("host.example", [ATTACKER])


networks = st.builds(
    lambda address, length: f"{ipaddress.IPv4Address(0xC0000200 | address)}/{length}",
    st.integers(0, 255),
    st.integers(20, 32),
)


@given(st.lists(networks, max_size=8), networks, st.integers(0, 255))
def test_it_agrees_with_looking_at_every_network(
    entries: list[str], banned: str, last: int
) -> None:
    ignored = IgnoreList(entries)
    listed = [ipaddress.ip_network(entry, strict=False) for entry in entries]
    wanted = ipaddress.ip_network(banned, strict=False)
    subject = parse_address(banned)
    assert subject is not None
    overlaps = any(one.overlaps(wanted) for one in listed)
    assert (ignored.exempts(subject) is not None) is overlaps
    assert (ignored.overlap(subject) is not None) is overlaps
    address = ipaddress.ip_address(f"192.0.2.{last}")
    is_listed = any(address in one for one in listed)
    assert (ignored.exempts(parse_subject(str(address))) is not None) is is_listed


def test_verdicts_are_forgotten_when_the_list_changes_and_when_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("banish.policy.ignore.VERDICTS", 2)
    ignored = IgnoreList(["host.example"])
    subjects = [parse_subject(f"192.0.2.{n}") for n in range(1, 5)]
    for _ in range(2):
        assert [ignored.exempts(subject) for subject in subjects] == [None] * 4
    assert ignored.resolve("host.example", subjects[:1])
    for _ in range(2):
        assert ignored.exempts(subjects[0]) == "ignoreip host.example"
        assert ignored.exempts(subjects[1]) is None
    assert len(ignored._verdicts) <= 2
