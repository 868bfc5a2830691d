"""``fail2ban-regex systemd-journal``, on real journal files."""

from pathlib import Path

import pytest

from banish.cli import main
from tests.cli.fail2ban.trying import Captured, run
from tests.sources.exported import is_available, write_journal

pytest.importorskip("cysystemd")
pytestmark = pytest.mark.skipif(
    not is_available(), reason="needs systemd-journal-remote, Debian package of that name"
)

AT = 1_795_377_600.0


@pytest.fixture
def journal(tmp_path: Path) -> str:
    path = tmp_path / "system.journal"
    entry = {"_HOSTNAME": "host", "SYSLOG_IDENTIFIER": "app", "_PID": "7", "_COMM": "app"}
    write_journal(
        path,
        ({**entry, "MESSAGE": "login failed for root from 192.0.2.1"}, AT),
        ({**entry, "MESSAGE": "all is quiet"}, AT + 1),
        ({**entry, "_COMM": "other", "MESSAGE": "login failed for eve from 192.0.2.2"}, AT + 2),
    )
    return str(path)


def test_every_entry_is_tried_with_its_own_time(journal: str, capsys: Captured) -> None:
    words = (f"systemd-journal[journalpath={journal}]", "from <HOST>$")
    out = run(capsys, *words)
    assert "Use         systemd journal\n" in out
    assert "Lines: 3 lines, 0 ignored, 2 matched, 1 missed" in out
    assert run(capsys, "-o", "<ip> <time>", *words) == (f"192.0.2.1 {AT}\n192.0.2.2 {AT + 2}\n")
    assert run(capsys, "-o", "msg", *words).startswith("host app[7]: login failed")


def test_the_match_of_the_filter_or_of_the_command_line_counts(
    journal: str, tree: Path, capsys: Captured
) -> None:
    (tree / "filter.d/own.conf").write_text(
        "[Definition]\nfailregex = <<logtype>>\njournal = from <HOST>$\nfile = no <HOST>\n"
        "journalmatch = _COMM=app\n"
    )
    (tree / "jail.local").write_text("[own]\n")
    words = ("-c", str(tree), f"systemd-journal[journalpath={journal}]", "own")
    for suffix in ("", ".conf"):
        out = run(capsys, *words[:-1], f"own{suffix}")
        assert "Use    journal match : _COMM=app\n" in out
        assert "Lines: 2 lines, 0 ignored, 1 matched, 1 missed" in out
    out = run(capsys, "-m", "_COMM=app + _COMM=other", "-o", "ip", *words)
    assert out == "192.0.2.1\n192.0.2.2\n"


@pytest.mark.parametrize("arguments", ["[journalpath=/none]", "[journalflags=x]", "[a"])
def test_a_journal_that_is_not_there_is_an_error(arguments: str, capsys: Captured) -> None:
    assert main(["fail2ban-regex", f"systemd-journal{arguments}", "<HOST>"]) == 255
    assert "\nERROR: " in capsys.readouterr().out
