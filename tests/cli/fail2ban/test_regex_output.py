"""``fail2ban-regex -o TOKEN``."""

from pathlib import Path

import pytest

from tests.cli.fail2ban.trying import LINES, Captured, run

GROUPS = {"user": "root", "ip4": "192.0.2.1", "ip6": None, "dns": None}


@pytest.mark.parametrize(
    ("token", "printed"),
    [
        ("id", "192.0.2.1"),
        ("fid", "192.0.2.1"),
        ("ip", "192.0.2.1"),
        ("host", "192.0.2.1"),
        ("msg", LINES[0]),
        ("matches", str([LINES[0]])),
        ("user", "root"),
        ("ip6", "None"),
        ("row", f"['192.0.2.1',\t1795377600,\t{GROUPS}],"),
        ("<ip>, <F-USER>, <F-NONE>, <time>", "192.0.2.1, root, , 1795377600"),
        ("<family> <ip-rev><fid> <id> <host>", "inet4 1.2.0.192.192.0.2.1 192.0.2.1 192.0.2.1"),
        ("<msg>", LINES[0]),
        ("<matches>", LINES[0]),
        ("<failures><bancount><restored><sp><br><nope>", "100 \n<nope>"),
    ],
)
def test_a_token_prints_that_of_each_failure(
    token: str, printed: str, tree: Path, log: str, capsys: Captured
) -> None:
    out = run(capsys, "-c", str(tree), "-o", token, log, "app", "eve")
    assert out == f"{printed}\n"


def test_octets_with_leading_zeros_are_printed_as_they_stand(capsys: Captured) -> None:
    words = ("Dec  1 02:00:37 at 192.030.0.6", "at <HOST>$")
    assert run(capsys, "-o", "<ip> <fid>", *words) == "192.030.0.6 192.030.0.6\n"


@pytest.mark.parametrize(
    ("stamp", "is_whole"),
    [
        ("2026-12-01T02:00:37+00:00", True),
        ("2026-12-01T02:00:37.25Z", True),
        ("2026-12-01T02:00:37", False),
        ("Dec  1 02:00:37", False),
        ("1796090437", False),
        ("[01/Dec/2026:02:00:37 +0100]", True),
        ("@400000006b0e0f0500000000", True),
    ],
)
def test_a_time_with_a_zone_is_an_integer(stamp: str, is_whole: bool, capsys: Captured) -> None:
    words = ("-o", "<time>", f"{stamp} at 192.0.2.1", "at <HOST>$")
    assert run(capsys, *words).endswith(".0\n") is not is_whole
    zoned = run(capsys, "--timezone", "UTC+0200", *words)
    assert zoned.endswith(".0\n") is stamp.isdigit()


def test_an_identifier_and_its_address_are_told_apart(capsys: Captured) -> None:
    words = ("at 2001:DB8::1 key", r"at <HOST> <F-ID>\w+</F-ID>")
    assert run(capsys, "-o", "id", *words) == "key\n"
    assert run(capsys, "-o", "ip", *words) == "2001:db8::1\n"
    assert run(capsys, "-o", "<fid> <family>", *words) == "key inet6\n"
    assert run(capsys, "-o", "<ip-rev>", *words).startswith("1.0.0.0.")
    assert "'ip': '2001:db8::1'" in run(capsys, "-o", "row", *words)
    assert run(capsys, "-o", "<ip-rev>|", "key", r"<F-ID>\w+</F-ID>") == "|\n"


def test_each_line_of_a_failure_is_printed_by_itself(capsys: Captured) -> None:
    words = ("-L", "2", "a 192.0.2.1\nb", r"a <HOST>\nb")
    assert run(capsys, "-o", "<ip>: <msg>", *words) == "192.0.2.1: a 192.0.2.1\n192.0.2.1: b\n"
    assert run(capsys, "-o", "msg", *words) == "a 192.0.2.1\nb\n"


def test_a_tag_in_a_log_stays_text(capsys: Captured) -> None:
    out = run(capsys, "-o", "<F-USER>|<msg>", "<ip>\0 192.0.2.1", "<F-USER>.*</F-USER> <HOST>")
    assert out == "<ip>\\x00|<ip>\\x00 192.0.2.1\n"


def test_inverted_output_is_what_does_not_match(tree: Path, log: str, capsys: Captured) -> None:
    out = run(capsys, "-c", str(tree), "-i", "-o", "msg", log, "app")
    assert out.splitlines() == [LINES[1], LINES[4], LINES[6]]
