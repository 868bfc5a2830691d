"""The names that Python actions import: addresses, mappings, programs, loggers."""

import itertools
import logging
import os
import sys
from pathlib import Path

import pytest

from banish.enforce.python import names
from banish.enforce.python.addresses import DNSUtils, IPAddr
from banish.enforce.python.mapping import CallingMap, action_info
from banish.enforce.python.messages import Scalar, clean
from banish.enforce.python.running import Utils


@pytest.mark.parametrize(
    ("text", "family", "is_single", "length", "pointer"),
    [
        ("192.0.2.1", "inet4", True, 32, "1.2.0.192.in-addr.arpa."),
        ("192.0.2.0/24", "inet4", False, 24, "0.2.0.192.in-addr.arpa."),
        ("2001:db8::/32", "inet6", False, 32, None),
        ("mallory", None, False, 0, ""),
    ],
)
def test_an_address_is_its_text_and_knows_itself(
    text: str, family: str | None, is_single: bool, length: int, pointer: str | None
) -> None:
    address = IPAddr(text)
    assert address == text == str(address) == address.ntoa == address.raw
    assert (address.familyStr, address.isSingle, address.plen) == (family, is_single, length)
    assert address.isValid == (family is not None) == (address.family > 0)
    assert address.isIPv4 == (family == "inet4")
    assert address.isIPv6 == (family == "inet6")
    if pointer is not None:
        assert address.getPTR() == pointer
        assert address.getPTR("x").endswith("x") == bool(pointer)


def test_an_address_lies_in_networks_of_its_family() -> None:
    address = IPAddr("192.0.2.7")
    assert address.isInNet("192.0.2.0/24")
    assert not address.isInNet("198.51.100.0/24")
    assert not address.isInNet(IPAddr("2001:db8::/32"))
    assert not address.isInNet("mallory")


def test_names_that_no_resolver_takes_have_no_addresses() -> None:
    assert DNSUtils.dnsToIp("a..b\udc80") == set()
    assert DNSUtils.ipToName("a\udc80") is None
    assert DNSUtils.getHostname(fqdn=False)


def test_a_calling_map_calls_once_and_keeps_what_is_written() -> None:
    calls = itertools.count(1)
    found = CallingMap(a=lambda: next(calls), b=lambda self: self["a"] + 1, c=3)
    text = "%(a)s %(b)s %(c)s %(a)s"
    assert text % found == "1 2 3 1"
    found["c"] = 4
    del found["b"]
    assert dict(found) == {"a": 1, "c": 4}
    assert len(found) == 2
    with pytest.raises(KeyError):
        found["b"]
    copied = found.copy()
    found.reset()
    assert (found["c"], found["b"], copied["c"]) == (3, 3, 4)
    assert "function" not in repr(CallingMap(a=len, c=3))


def test_what_an_action_is_given_asks_only_for_what_is_looked_at() -> None:
    asked: list[str] = []

    def ask(tag: str) -> Scalar:
        asked.append(tag)
        return ""

    info = action_info({"ip": "192.0.2.1", "failures": 3}, {"user": "root"}, ask)
    assert (info["ip"].isIPv4, info["F-USER"], info["F-*"]) == (True, "root", {"user": "root"})
    assert asked == []
    assert info["ip-host"] is None
    assert info.get("ipmatches") == ""
    assert asked == ["ip-host", "ipmatches"]
    assert "nothing" not in info


def test_programs_run_with_a_limit_and_bounded_rights_to_their_text(tmp_path: Path) -> None:
    assert Utils.executeCmd("exit 0")
    assert not Utils.executeCmd("exit 3")
    assert Utils.executeCmd("exit 3", success_codes=(0, 3))
    assert Utils.executeCmd('echo "$v"', output=True, varsDict={"v": "$(x)"})[:2] == (
        True,
        b"$(x)\n",
    )
    assert Utils.executeCmd(["echo", "$0"], shell=False, output=True)[1] == b"$0\n"
    assert not Utils.executeCmd("sleep 60 & sleep 60", timeout=0.2)


def test_waiting_ends_with_the_condition_or_the_time() -> None:
    assert Utils.wait_for(lambda: 7, 10) == 7
    assert not Utils.wait_for(lambda: 0, 0.01, 0.001)
    assert Utils.pid_exists(os.getpid())
    assert not Utils.pid_exists(2**22 + 1)


def test_small_names_do_what_their_callers_expect() -> None:
    assert names.get_logger("x").name == "fail2ban.x"
    assert names.get_logger("fail2ban.y").name == "fail2ban.y"
    assert names.to_text(b"\xff") == "\ufffd"
    assert names.to_text(7) == "7"
    assert names.split_words("a, b\nc") == ["a", "b", "c"]
    assert names.split_words(None) == []
    assert names.level_of("warning") == logging.WARNING
    with pytest.raises(ValueError, match="no log level"):
        names.level_of("loud")
    try:
        raise KeyError("k")
    except KeyError:
        assert names.error_info() == ("KeyError", "'k'")
    jail = names.Jail("sshd", 600, len)
    assert (str(jail), jail.actions.getBanTime()) == ("sshd", 600)
    assert jail.actions.banManager.getBanTotal() == len("jail.banned_total")
    assert jail.filter.failManager.getFailTotal() == len("jail.found_total")
    assert clean("a\udc80") == "a?"
    assert "fail2ban" not in sys.modules
