"""Ports and protocols as firewalls' command lines take them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.config import ports
from banish.config.ports import merge_ports, parse_ports, parse_protocols
from banish.config.problem import Problems
from banish.config.text import single
from banish.model.settings import Place, PortRange

HERE = Place("jail.local", 3)


def read(text: str) -> tuple[str, list[str]]:
    problems = Problems()
    found = parse_ports(single(text, HERE), problems)
    return ",".join(map(str, found)), [problem.what for problem in problems.all()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh", "22"),
        ("22", "22"),
        ("ssh,sftp", "22,115"),
        ("https, http", "80,443"),
        ("{ 80, 443 }", "80,443"),
        ("1000:2000", "1000-2000"),
        ("1000-2000", "1000-2000"),
        ("80:", "80-65535"),
        (":80", "0-80"),
        ("0:65535", ""),
        ("1-65535", ""),
        ("all", ""),
        ("80,81,82", "80-82"),
        ("80:90,85:95,22", "22,80-95"),
        ("ftp:ssh", "21-22"),
        ("ftp-data", "20"),
    ],
)
def test_ports_are_read(text: str, expected: str) -> None:
    assert read(text) == (expected, [])


def test_what_is_no_port_is_left_out_and_told() -> None:
    found, told = read("ssh, shh, 70000, 9:5, \uff11")
    assert found == "22"
    assert told == ['"shh", "70000", "9:5", "\uff11" are not ports, and are ignored']


def test_a_comment_behind_ports_is_told_once_and_left_out() -> None:
    assert read("22 # ssh") == ("22", ['"22 # ssh" is read as "22"'])
    assert read("'80,443'") == ("80,443", [""""'80,443'" is read as "80,443\""""])


def test_if_nothing_is_left_every_port_is_closed() -> None:
    found, told = read("nonsense-port")
    assert found == ""
    assert "every port" in told[-1]


def test_usual_names_are_known_without_etc_services(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError("not found")

    monkeypatch.setattr("socket.getservbyname", fail)
    ports._by_name.cache_clear()
    assert read("ssh,https") == ("22,443", [])
    ports._by_name.cache_clear()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp", ("tcp",)),
        ("tcp,udp", ("tcp", "udp")),
        ("UDP UDP", ("udp",)),
        ("{ tcp, udp }", ("tcp", "udp")),
        ("icmpv6", ("icmp",)),
        ("all", ()),
        ("tcp,all", ()),
        ("", ("tcp",)),
    ],
)
def test_protocols_are_read(text: str, expected: tuple[str, ...]) -> None:
    problems = Problems()
    assert parse_protocols(single(text, HERE), problems) == expected
    assert not problems.all()


def test_an_unknown_protocol_is_left_out_and_told() -> None:
    problems = Problems()
    assert parse_protocols(single("tpc", HERE), problems) == ("tcp",)
    assert "tcp" in problems.all()[0].cure


RANGES = st.tuples(st.integers(0, 300), st.integers(0, 300)).map(
    lambda pair: PortRange(min(pair), max(pair))
)


@given(st.lists(RANGES, max_size=8))
def test_joined_ports_cover_the_same_and_never_touch(given_ports: list[PortRange]) -> None:
    joined = merge_ports(given_ports)
    assert {n for p in joined for n in range(p.first, p.last + 1)} == {
        n for p in given_ports for n in range(p.first, p.last + 1)
    }
    assert all(a.last + 1 < b.first for a, b in itertools.pairwise(joined))
