"""Trying filters on lines."""

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from banish.cli import main
from banish.config import builtin_tree

Captured = pytest.CaptureFixture[str]

LINES = (
    "2026-11-22T20:00:00+0000 login failed for root from 192.0.2.1",
    "2026-11-22T20:00:01+0000 all is quiet",
    "2026-11-22T21:00:02+0100 login failed for tester from 192.0.2.2",
    "2026-11-22T20:00:03+0000 login failed for eve from host.example.org",
    "2026-11-22T20:00:04+0000 denied 2001:DB8::1",
    "2026-11-22T20:00:05+0000 odd knock from 192.0.2.3",
)


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "some.log"
    path.write_text("\n".join(LINES) + "\n")
    return str(path)


def matched(capsys: Captured, *words: str) -> list[dict[str, Any]]:
    assert main(["match", "--json", *words]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_json_has_the_promised_shape_for_each_line_in_order(
    tree: Path, log: str, capsys: Captured
) -> None:
    found = matched(capsys, "-c", str(tree), "--filter", "app", log)
    assert found[0] == {
        "line": 1,
        "text": LINES[0],
        "matched": True,
        "filter": "app",
        "rule": 1,
        "subject": "192.0.2.1",
        "host": "192.0.2.1",
        "user": "root",
        "time": "2026-11-22T20:00:00+00:00",
        "ignored": False,
        "tags": {"user": "root"},
        "ambiguous": [],
        "failures": 1,
    }
    assert [each["line"] for each in found] == [1, 2, 3, 4, 5, 6]
    assert [each["text"] for each in found] == list(LINES)
    assert [each["matched"] for each in found] == [True, False, False, True, False, False]
    assert [each["ignored"] for each in found] == [False, False, True, False, False, False]
    assert found[1]["subject"] is None
    assert found[2]["subject"] is None
    assert found[2]["time"] == "2026-11-22T20:00:02+00:00"
    assert found[3]["subject"] == "host.example.org"


def test_a_filter_takes_arguments(tree: Path, log: str, capsys: Captured) -> None:
    found = matched(capsys, "-c", str(tree), "--filter", "app[mode=extra]", log)
    assert (found[5]["matched"], found[5]["filter"], found[5]["rule"]) == (True, "app", 2)


def test_a_jail_is_tried_though_it_is_not_enabled(tree: Path, log: str, capsys: Captured) -> None:
    found = matched(capsys, "-c", str(tree), "--jail", "web", log)
    assert [each["line"] for each in found if each["matched"]] == [5]
    assert found[4]["subject"] == "2001:db8::1"
    assert found[4]["host"] == "2001:DB8::1"


def test_all_tries_every_filter_and_lists_those_that_fired(
    tree: Path, log: str, capsys: Captured
) -> None:
    (tree / "filter.d" / "again.conf").write_text((tree / "filter.d" / "app.conf").read_text())
    (tree / "filter.d" / "common.conf").write_text("[DEFAULT]\nx = 1\n")
    found = matched(capsys, "-c", str(tree), "--all", log)
    assert found[0]["filters"] == [
        {"filter": "again", "rule": 1, "subject": "192.0.2.1"},
        {"filter": "app", "rule": 1, "subject": "192.0.2.1"},
    ]
    assert found[0]["matched"] is True
    assert found[1] == {
        "line": 2,
        "text": LINES[1],
        "matched": False,
        "subject": None,
        "filters": [],
    }
    assert found[4]["filters"] == [{"filter": "web", "rule": 1, "subject": "2001:db8::1"}]


def test_all_leaves_out_a_broken_filter_and_says_so(tree: Path, log: str, capsys: Captured) -> None:
    (tree / "filter.d" / "bad.conf").write_text("[Definition]\nfailregex = <HOST> (\n")
    assert main(["match", "-c", str(tree), "--all", "--json", log]) == 0
    captured = capsys.readouterr()
    assert "skipped: filter bad:" in captured.err
    assert json.loads(captured.out.splitlines()[0])["matched"] is True


def test_regexes_of_ones_own_count_from_1(log: str, capsys: Captured) -> None:
    found = matched(capsys, "--regex", "nothing <HOST>", "--regex", "denied <HOST>$", log)
    assert (found[4]["rule"], found[4]["subject"]) == (2, "2001:db8::1")


def test_the_input_is_read_where_no_log_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    for words in ([], ["-"]):
        text = io.TextIOWrapper(io.BytesIO(b"denied 192.0.2.9\r\n\xff denied 192.0.2.9"))
        monkeypatch.setattr(sys, "stdin", text)
        found = matched(capsys, "--regex", "denied <HOST>$", *words)
        assert [each["text"] for each in found] == ["denied 192.0.2.9", "\ufffd denied 192.0.2.9"]
        assert [each["matched"] for each in found] == [True, True]


def test_a_line_of_a_pipe_is_answered_before_the_next_one_comes() -> None:
    words = ["match", "--json", "--regex", "denied <HOST>"]
    with subprocess.Popen(
        [sys.executable, "-m", "banish", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for low in (1, 2):
            running.stdin.write(f"denied 192.0.2.{low}\n".encode())
            running.stdin.flush()
            assert json.loads(running.stdout.readline())["subject"] == f"192.0.2.{low}"
        running.stdin.close()
        assert running.stdout.read() == b""
    assert running.returncode == 0


def test_a_packed_log_is_read(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "old.gz"
    path.write_bytes(gzip.compress(b"denied 192.0.2.9\n"))
    assert matched(capsys, "--regex", "denied <HOST>", str(path))[0]["matched"] is True


@pytest.mark.parametrize("now", ["2005-08-14T10:00:00+00:00", "1124013600"])
def test_another_now_gives_the_year_that_a_line_lacks(
    now: str, tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "old.log"
    path.write_text("Aug 13 10:00:00 x denied 192.0.2.9\nAug 20 10:00:00 x denied 192.0.2.9\n")
    found = matched(capsys, "--regex", "denied <HOST>", "--now", now, str(path))
    assert [each["time"][:4] for each in found] == ["2005", "2004"]


def test_people_see_a_verdict_for_each_line_and_a_summary(
    tree: Path, log: str, capsys: Captured
) -> None:
    assert main(["match", "-c", str(tree), "--filter", "app", log]) == 0
    out = capsys.readouterr().out
    assert f"     1  match    {LINES[0]}\n" in out
    assert "192.0.2.1 by app, failregex 1, user root, at 2026-11-2" in out
    assert f"     2  -        {LINES[1]}\n" in out
    assert f"     3  ignored  {LINES[2]}\n" in out
    assert "6 lines: 2 matched, 1 ignored, 3 missed\n" in out
    assert f"  filter app is that of {tree}/filter.d/app.conf\n" in out
    assert "     2  app             1  ^login failed" in out
    assert main(["match", "-c", str(tree), "--filter", "app", "-q", log]) == 0
    assert capsys.readouterr().out.startswith("6 lines: ")
    assert main(["match", "-c", str(tree), "--filter", "app", "-v", log]) == 0
    assert "user=root" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((), "no filter was given"),
        (("--filter", "app", "--all"), "no filter was given"),
        (("--filter", "nosuch"), "there is no filter"),
        (("--jail", "ap"), 'did you mean "app"'),
        (("--regex", "("), "not a regular expression"),
        (("--regex", "no host"), "failregex"),
        (("--all", "--now", "yesterday"), "is not a time"),
    ],
)
def test_what_cannot_be_tried_is_wrong_usage(
    words: tuple[str, ...], what: str, tree: Path, log: str, capsys: Captured
) -> None:
    assert main(["match", "-c", str(tree), *words, log]) == 2
    assert what in capsys.readouterr().err


def test_a_filter_that_is_missing_is_to_be_written_where_no_update_replaces_it(
    log: str, capsys: Captured
) -> None:
    builtin = str(builtin_tree())
    assert main(["match", "-c", builtin, "--filter", "myown", log]) == 2
    said = capsys.readouterr().err
    assert "create /etc/banish/filter.d/myown.conf" in said
    assert builtin not in said


def test_a_jail_that_is_wrong_is_told_with_its_place(
    tree: Path, log: str, capsys: Captured
) -> None:
    (tree / "jail.local").write_text("[web]\nprefregex = (\n")
    assert main(["match", "-c", str(tree), "--jail", "web", log]) == 2
    assert f"banish: {tree}/jail.local:2: prefregex: " in capsys.readouterr().err


def test_a_jail_without_a_log_of_its_own_can_be_tried(
    tree: Path, log: str, capsys: Captured
) -> None:
    (tree / "jail.local").write_text("[knock]\nfilter = app[mode=extra]\n")
    found = matched(capsys, "-c", str(tree), "--jail", "knock", log)
    assert [each["line"] for each in found if each["matched"]] == [1, 4, 6]


def test_a_log_that_is_not_there_is_told(tmp_path: Path, capsys: Captured) -> None:
    assert main(["match", "--regex", "<HOST>", str(tmp_path / "no.log")]) == 1
    assert "no such file" in capsys.readouterr().err


def test_a_line_that_keeps_a_regex_busy_for_ever_is_skipped_and_told(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "hostile.log"
    path.write_text(f"{'x' * 2000}\nxx from 192.0.2.1\n")
    assert (
        main(["match", "-c", str(tree), "--json", "--regex", "^(?:x+)+ from <HOST>$", str(path)])
        == 0
    )
    said = capsys.readouterr()
    assert [json.loads(line)["matched"] for line in said.out.splitlines()] == [False, True]
    assert said.err == "banish: 1 line skipped: a regex took too long: failregex 1\n"
