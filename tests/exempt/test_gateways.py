"""What a host cannot do without, read from the files of a made-up one."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from banish.exempt.gateways import gateways, resolvers

HEAD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"


def test_gateways_of_default_routes_alone_are_found(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(
        HEAD
        + "eth0 00000000 FE0200C0 0003 0 0 0 00000000 0 0 0\n"
        + "eth0 006433C6 FD0200C0 0003 0 0 0 00FFFFFF 0 0 0\n"
        + "tun0 00000000 00000000 0001 0 0 0 00000000 0 0 0\n"
    )
    everywhere, nobody = "0" * 32, "0" * 32
    gateway = "20010db8" + "0" * 23 + "1"
    rest = "00000064 00000001 00000000 00000003 eth0"
    (tmp_path / "ipv6_route").write_text(
        f"{everywhere} 00 {nobody} 00 {gateway} {rest}\n"
        f"{everywhere} 00 {nobody} 00 {nobody} {rest}\n"
        f"20010db8{'0' * 24} 20 {nobody} 00 {gateway[:-1]}2 {rest}\n"
    )
    assert {each.text for each in gateways(tmp_path)} == {"192.0.2.254", "2001:db8::1"}


def test_resolvers_are_those_that_resolv_conf_names(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# nameserver 192.0.2.1\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\n"
        "nameserver\nnameserver 192.0.2.0/24\nsearch example.org\n"
    )
    assert {each.text for each in resolvers(path)} == {"192.0.2.53", "fe80::1"}


def test_what_is_not_there_names_nobody(tmp_path: Path) -> None:
    assert gateways(tmp_path / "no") == resolvers(tmp_path / "no") == frozenset()


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_no_bytes_are_too_strange(tmp_path_factory: object, lines: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("net")  # type: ignore[attr-defined]
    for name in ("route", "ipv6_route"):
        (folder / name).write_bytes(b"\n".join(lines))
    gateways(folder)
    resolvers(folder / "route")
