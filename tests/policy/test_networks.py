import pytest

from banish.model.address import parse_subject
from banish.policy.networks import NetworkTable, first_and_length
from tests.policy.script import ATTACKER, INSIDE, NETWORK, SIX

SIX_NETWORK = parse_subject("2001:db8::/32")


def test_a_table_finds_what_is_around_a_subject() -> None:
    table: NetworkTable[str] = NetworkTable()
    assert not table
    table.put(NETWORK, "four")
    table.put(SIX_NETWORK, "six")
    assert table
    assert table.around(INSIDE) == "four"
    assert table.around(NETWORK) == "four"
    assert table.around(SIX) == "six"
    assert table.around(ATTACKER) is None
    assert table.around(parse_subject("198.51.0.0/16")) is None
    assert table.around(parse_subject("root")) is None


def test_what_was_removed_is_not_found() -> None:
    table: NetworkTable[str] = NetworkTable()
    other = parse_subject("203.0.113.0/24")
    table.put(NETWORK, "one")
    table.put(other, "two")
    table.remove(NETWORK)
    assert table.around(INSIDE) is None
    assert table.around(other) == "two"
    table.remove(other)
    table.remove(other)
    assert not table


def test_text_has_no_place_among_addresses() -> None:
    with pytest.raises(ValueError, match="not an address"):
        first_and_length(parse_subject("root"))
