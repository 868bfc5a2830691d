"""How log lines read."""

import logging
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.errors import ConfigError, OperatorError
from banish.telemetry.events import NOTICE, PartFailed
from banish.telemetry.lines import (
    LogLine,
    LogRun,
    classic_format,
    custom_format,
    harmless,
    parse_level,
    run_of,
    short_format,
)

BAN = LogLine(1_700_000_000.1239, "banish.actions", NOTICE, "[sshd] Ban 192.0.2.1")


def test_classic_format_has_fail2bans_columns() -> None:
    line = classic_format(4711)(run_of(BAN))
    assert re.fullmatch(
        r"2023-11-1[45] \d\d:\d\d:20,123 banish\.actions          \[4711\]: "
        r"NOTICE  \[sshd\] Ban 192\.0\.2\.1\n",
        line,
    )


def test_classic_format_can_leave_out_time_and_padding() -> None:
    line = classic_format(7, timed=False, padded=False)(run_of(BAN))
    assert line == "banish.actions[7]: NOTICE [sshd] Ban 192.0.2.1\n"


def test_seconds_and_milliseconds_move_on() -> None:
    form = classic_format(1)
    first, second = form(run_of(BAN)), form(run_of(BAN._replace(at=1_700_000_001.5)))
    assert first[17:23] == "20,123"
    assert second[17:23] == "21,500"


def test_custom_format_speaks_pythons_words() -> None:
    assert custom_format("%(levelname)s/%(process)d %(message)s", 7)(run_of(BAN)) == (
        "NOTICE/7 [sshd] Ban 192.0.2.1\n"
    )


@pytest.mark.parametrize("pattern", ["%(nosuch)s", "%(asctime)d", "%(asctime", "%q"])
def test_broken_custom_format_names_what_can_be_used(pattern: str) -> None:
    with pytest.raises(ConfigError, match="message"):
        custom_format(pattern, 1)


@given(st.text())
def test_no_text_ends_a_line_or_steers_the_terminal(text: str) -> None:
    for form in (classic_format(1), short_format(coloured=False), custom_format("%(message)s", 1)):
        line = form(LogRun(0.0, "banish", logging.INFO, (text,)))
        assert line.endswith("\n")
        assert line[:-1].isprintable()


@given(st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_a_run_reads_as_its_lines_one_by_one(texts: list[str]) -> None:
    for form in (
        classic_format(1),
        classic_format(1, timed=False),
        custom_format("%(asctime)s %(levelname)s %(message)s", 1),
        short_format(coloured=True),
        short_format(coloured=False),
    ):
        for level in (logging.INFO, logging.ERROR, logging.DEBUG):
            lines = [LogLine(1_700_000_000.5, "banish.x", level, text) for text in texts]
            run = LogRun(1_700_000_000.5, "banish.x", level, texts)
            assert form(run) == "".join(form(run_of(line)) for line in lines)


def test_escapes_show_what_was_there() -> None:
    assert harmless("a\x1b[2Jb\nc\udc80") == "a\\x1b[2Jb\\nc\\udc80"


def test_short_format_leaves_out_what_a_watcher_knows() -> None:
    assert re.fullmatch(
        r"\d\d:\d\d:20 \[sshd\] Ban 192\.0\.2\.1\n", short_format(coloured=False)(run_of(BAN))
    )
    assert "\x1b[1m[sshd] Ban" in short_format(coloured=True)(run_of(BAN))


def test_short_format_says_how_bad_it_is() -> None:
    trouble = BAN._replace(level=logging.ERROR, text="no")
    assert short_format(coloured=False)(run_of(trouble)).endswith(" error: no\n")


@pytest.mark.parametrize(
    ("text", "level"), [("notice", 25), ("HEAVYDEBUG", 5), (" 18 ", 18), ("INFO", 20)]
)
def test_levels_are_names_or_numbers(text: str, level: int) -> None:
    assert parse_level(text) == level


@pytest.mark.parametrize("text", ["", "LOUD", "-1", "9999"])
def test_unknown_levels_are_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(ConfigError, match="NOTICE"):
        parse_level(text)


def test_an_escape_is_written_where_no_descriptor_is_left() -> None:
    script = (
        "import os, resource\n"
        "from banish.telemetry.lines import harmless\n"
        "free = os.dup(0)\n"
        "os.close(free)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (free, free))\n"
        "print(harmless(chr(27)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.stdout, done.returncode) == (b"\\x1b\n", 0), done.stderr


def test_a_cure_stands_behind_what_is_wrong_not_below() -> None:
    error = OperatorError("cannot be read", where="/var/log/x.log", cure="give it the right")
    text = PartFailed("log", str(error)).text()
    assert text == "log: /var/log/x.log: cannot be read; give it the right"
