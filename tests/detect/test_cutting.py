"""A piece of an address counts as the whole address, or against nobody."""

import pytest

from banish.detect.cutting import is_loose, whole_address
from banish.detect.matcher import Matcher
from banish.detect.pattern import compile_pattern
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, OnAmbiguous, Regex, UseDns

NOW = Instant(1_800_000_000)


def named(
    regex: str, line: str, usedns: UseDns = "warn", ambiguous: OnAmbiguous = "safe"
) -> list[str]:
    settings = FilterSettings("test", (Regex(regex),), usedns=usedns, ambiguous=ambiguous)
    failure = Matcher("j", settings, Seconds(600)).match(line, NOW, at=NOW)
    return [failure.subject.text] if failure else []


@pytest.mark.parametrize(
    ("regex", "line", "expected"),
    [
        (r"^ Remote IP: .*<ADDR>$", " Remote IP: 192.0.2.4", ["192.0.2.4"]),
        (r"^ Remote IP: .*<HOST>$", " Remote IP: 192.0.2.4", ["192.0.2.4"]),
        (r"^ Remote IP: .*<HOST>$", " Remote IP: host.example.org", []),
        (r"^ Remote IP: .*<ADDR>$", " Remote IP: 2001:db8::1:4", ["2001:db8::1:4"]),
        (r"^ Remote IP: .*<ADDR>$", " Remote IP: data:2001:db8::4", ["2001:db8::4"]),
        (r"^ Remote IP: .*<ADDR>$", " Remote IP: 7192.0.2.4", []),
        (r"^ Remote IP: .*<ADDR>\.?$", " Remote IP: 192.0.2.4.", ["192.0.2.4"]),
        (r"^from <ADDR>", "from 192.0.2.4", ["192.0.2.4"]),
        (r"^from <ADDR>", "from 192.0.2.4.", ["192.0.2.4"]),
        (r"^from <ADDR>", "from 192.0.2.1234", []),
        (r"^from <ADDR>", "from 192.0.2.4.5", []),
        (r"^from <ADDR>\.\d+$", "from 192.0.2.4.51234", ["192.0.2.4"]),
        (r"<ADDR> failed", "x 192.0.2.4 failed", ["192.0.2.4"]),
        (r"^\d+<ADDR> failed$", "1192.0.2.4 failed", []),
        (r"^from <F-ID>\S+</F-ID>", "from 192.0.2.4.5", ["192.0.2.4.5"]),
        (r"^from .*(?:<IP4>|x)$", "from x", []),
    ],
)
def test_the_whole_word_counts_or_nobody(regex: str, line: str, expected: list[str]) -> None:
    assert named(regex, line) == expected


def test_it_is_taken_as_the_regex_has_it_where_the_jail_says_so() -> None:
    line = " Remote IP: 192.0.2.4"
    assert named(r"^ Remote IP: .*<ADDR>$", line, ambiguous="report") == ["2.0.2.4"]
    assert named(r"^ Remote IP: .*<HOST>$", line, usedns="no") == ["192.0.2.4"]


@pytest.mark.parametrize(
    ("regex", "expected"),
    [
        (r"^failed from <HOST> port \d+$", False),
        (r"^failed from \[<ADDR>\]:\d+$", False),
        (r"^client=<HOST>,", False),
        (r"^addr <HOST>\.\d+$", False),
        (r"^failed from .*<HOST>$", True),
        (r"^failed from <HOST>", True),
        (r"<HOST> failed$", True),
        (r"^x <F-ID>\S+</F-ID>", False),
    ],
)
def test_only_where_digits_may_stand_beside_it_is_an_address_looked_at(
    regex: str, expected: bool
) -> None:
    assert is_loose(compile_pattern(Regex(regex))) is expected


def test_what_stands_alone_is_no_piece() -> None:
    assert whole_address("from 192.0.2.4, x", 5, 14, "ip4") is None
    assert whole_address("192.0.2.4", 0, 9, "ip4") is None
    assert whole_address("192.0.2.4", 2, 9, "ip4") == "192.0.2.4"
