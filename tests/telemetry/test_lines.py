"""How log lines read."""

import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.errors import ConfigError
from banish.telemetry.happenings import NOTICE
from banish.telemetry.lines import (
    LogLine,
    classic_format,
    custom_format,
    harmless,
    parse_level,
    short_format,
)

BAN = LogLine(1_700_000_000.1239, "banish.actions", NOTICE, "[sshd] Ban 192.0.2.1")


def test_classic_format_has_fail2bans_columns() -> None:
    line = classic_format(4711)(BAN)
    assert re.fullmatch(
        r"2023-11-1[45] \d\d:\d\d:20,123 banish\.actions          \[4711\]: "
        r"NOTICE  \[sshd\] Ban 192\.0\.2\.1",
        line,
    )


def test_classic_format_can_leave_out_time_and_padding() -> None:
    line = classic_format(7, timed=False, padded=False)(BAN)
    assert line == "banish.actions[7]: NOTICE [sshd] Ban 192.0.2.1"


def test_seconds_and_milliseconds_move_on() -> None:
    form = classic_format(1)
    first, second = form(BAN), form(BAN._replace(at=1_700_000_001.5))
    assert first[17:23] == "20,123"
    assert second[17:23] == "21,500"


def test_custom_format_speaks_pythons_words() -> None:
    assert custom_format("%(levelname)s/%(process)d %(message)s", 7)(BAN) == (
        "NOTICE/7 [sshd] Ban 192.0.2.1"
    )


@pytest.mark.parametrize("pattern", ["%(nosuch)s", "%(asctime)d", "%(asctime", "%q"])
def test_broken_custom_format_names_what_can_be_used(pattern: str) -> None:
    with pytest.raises(ConfigError, match="message"):
        custom_format(pattern, 1)


@given(st.text())
def test_no_text_ends_a_line_or_steers_the_terminal(text: str) -> None:
    for form in (classic_format(1), short_format(coloured=False)):
        assert form(LogLine(0.0, "banish", logging.INFO, text)).isprintable()


def test_escapes_show_what_was_there() -> None:
    assert harmless("a\x1b[2Jb\nc\udc80") == "a\\x1b[2Jb\\nc\\udc80"


def test_short_format_leaves_out_what_a_watcher_knows() -> None:
    assert re.fullmatch(
        r"\d\d:\d\d:20 \[sshd\] Ban 192\.0\.2\.1", short_format(coloured=False)(BAN)
    )
    assert "\x1b[1m[sshd] Ban" in short_format(coloured=True)(BAN)


def test_short_format_says_how_bad_it_is() -> None:
    trouble = BAN._replace(level=logging.ERROR, text="no")
    assert short_format(coloured=False)(trouble).endswith(" error: no")


@pytest.mark.parametrize(
    ("text", "level"), [("notice", 25), ("HEAVYDEBUG", 5), (" 18 ", 18), ("INFO", 20)]
)
def test_levels_are_names_or_numbers(text: str, level: int) -> None:
    assert parse_level(text) == level


@pytest.mark.parametrize("text", ["", "LOUD", "-1", "9999"])
def test_unknown_levels_are_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(ConfigError, match="NOTICE"):
        parse_level(text)
