"""Lines for the filter ``app``, and how ``fail2ban-regex`` is run on them."""

import pytest

from banish.cli import main

Captured = pytest.CaptureFixture[str]

LINES = (
    "2026-11-22T20:00:00+0000 login failed for root from 192.0.2.1",
    "2026-11-22T20:00:01+0000 all is quiet",
    "# a comment",
    "",
    "2026-11-22T21:00:02+0100 login failed for tester from 192.0.2.2",
    "2026-11-22T20:00:03+0000 login failed for eve from 2001:DB8::3",
    "2026-11-22T20:00:05+0000 odd knock from 192.0.2.3",
)


def run(capsys: Captured, *words: str) -> str:
    """Return what ``fail2ban-regex`` prints where it succeeds."""
    assert main(["fail2ban-regex", *words]) == 0
    return capsys.readouterr().out
