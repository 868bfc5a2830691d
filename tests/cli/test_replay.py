"""Running past logs through jails."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.cli import main
from banish.cli.replay import Totals, decide
from banish.model.address import parse_subject
from banish.model.decision import EndBan, StartBan
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, JailSettings
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy

Captured = pytest.CaptureFixture[str]
START = datetime(2026, 11, 22, 20, tzinfo=UTC)


def stamp(second: int) -> str:
    return (START + timedelta(seconds=second)).isoformat()


def failed(second: int, host: str) -> str:
    return f"{stamp(second)[:19]}+0000 login failed for root from {host}\n"


def denied(second: int, host: str) -> str:
    return f"{stamp(second)[:19]}+0000 denied {host}\n"


def write(path: Path, *lines: str) -> str:
    path.write_text("".join(lines))
    return str(path)


def replayed(capsys: Captured, *words: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    assert main(["replay", "--json", *words]) == 0
    *decisions, last = map(json.loads, capsys.readouterr().out.splitlines())
    return decisions, last["summary"]


def test_decisions_and_summary_have_the_promised_shape(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    log = write(tmp_path / "x", *(failed(second, "192.0.2.1") for second in (0, 10, 20, 30)))
    decisions, summary = replayed(capsys, "-c", str(tree), f"--jail=app={log}")
    assert decisions == [
        {
            "time": stamp(20),
            "decision": "ban",
            "jail": "app",
            "subject": "192.0.2.1",
            "until": stamp(620),
            "failures": 3,
        },
        {
            "time": stamp(620),
            "decision": "unban",
            "jail": "app",
            "subject": "192.0.2.1",
            "until": stamp(620),
            "failures": 3,
        },
    ]
    assert summary.pop("seconds") >= 0
    assert summary == {"lines": 4, "failures": 4, "bans": 1, "held_back": 0, "ambiguous": 0}


@pytest.mark.parametrize("words", [["--jail", "app", "--json", "LOG"], ["LOG", "--jail", "app"]])
def test_a_log_may_stand_apart_from_its_jail(
    tree: Path, tmp_path: Path, capsys: Captured, words: list[str]
) -> None:
    log = tmp_path / "log"
    log.write_text("")
    said = [str(log) if word == "LOG" else word for word in words]
    assert main(["replay", "-c", str(tree), *said]) == 0
    assert main(["replay", "-c", str(tree), "--jail", "app", "--bogus"]) == 2


def test_unbans_come_in_the_order_of_time(tree: Path, tmp_path: Path, capsys: Captured) -> None:
    log = write(
        tmp_path / "x",
        *(failed(second, "192.0.2.1") for second in (0, 1, 2)),
        *(failed(second, "192.0.2.2") for second in (700, 701, 702)),
        *(failed(second, "192.0.2.1") for second in (710, 711, 712)),
    )
    decisions, _ = replayed(capsys, "-c", str(tree), "--jail", "app", log)
    assert [(each["decision"], each["subject"][-1], each["time"]) for each in decisions] == [
        ("ban", "1", stamp(2)),
        ("unban", "1", stamp(602)),
        ("ban", "2", stamp(702)),
        ("ban", "1", stamp(712)),
        ("unban", "2", stamp(1302)),
        ("unban", "1", stamp(1312)),
    ]


def test_networks_are_banned_and_what_is_dangerous_is_told(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tree / "jail.local").write_text("[app]\nnetban.after = 2\nmaxretry = 1\n")
    log = write(
        tmp_path / "x", *(failed(second, f"203.0.113.{second + 1}") for second in (0, 1, 2))
    )
    code = main(["replay", "-c", str(tree), "--jail", "app", log, "--json"])
    out, told = capsys.readouterr()
    assert code == 0
    decisions = [json.loads(line) for line in out.splitlines()]
    assert [(each.get("decision"), each.get("subject")) for each in decisions] == [
        ("ban", "203.0.113.1"),
        ("ban", "203.0.113.2"),
        ("ban", "203.0.113.0/24"),
        ("unban", "203.0.113.0/24"),
        (None, None),
    ]
    assert decisions[-1]["summary"]["bans"] == 3
    assert "netban.after: 2 banned members are few" in told


def test_several_jails_are_merged_in_time_and_a_ban_without_end_does_not_end(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    app = write(tmp_path / "x", *(failed(second, "192.0.2.1") for second in (0, 20, 40)))
    web = write(tmp_path / "y", *(denied(second, "2001:db8::1") for second in (10, 30)))
    decisions, summary = replayed(
        capsys, "-c", str(tree), f"--jail=web={web}", "--jail", "app", app
    )
    assert [(each["decision"], each["jail"], each["time"]) for each in decisions] == [
        ("ban", "web", stamp(30)),
        ("ban", "app", stamp(40)),
        ("unban", "app", stamp(640)),
    ]
    assert decisions[0]["until"] is None
    assert summary["lines"] == 5


def test_a_log_of_two_jails_is_read_once(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    text = "".join(
        [*(failed(second, "192.0.2.1") for second in (0, 1, 2)), denied(3, "192.0.2.2")] * 1
    )
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode() * 2)))
    decisions, summary = replayed(capsys, "-c", str(tree), "--jail", "app", "-", "--jail=web=-")
    assert {each["jail"] for each in decisions} == {"app", "web"}
    assert summary["lines"] == 8


def test_exempt_subjects_and_loopback_are_not_counted(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    log = write(
        tmp_path / "x",
        *(failed(second, "198.51.100.7") for second in (0, 1, 2)),
        *(failed(second, "127.0.0.1") for second in (3, 4, 5)),
    )
    decisions, summary = replayed(capsys, "-c", str(tree), "--jail", "app", log)
    assert decisions == []
    assert summary["failures"] == 6


def test_the_jails_own_logs_are_read_where_none_is_named(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    write(tmp_path / "web1.log", denied(0, "192.0.2.1"))
    write(tmp_path / "web2.log", denied(1, "192.0.2.1"))
    decisions, _ = replayed(capsys, "-c", str(tree), "--jail", "web")
    assert [each["time"] for each in decisions] == [stamp(1)]


def test_bans_that_the_budget_would_hold_back_are_counted_and_told(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tree / "jail.local").write_text("[app]\nbanbudget = 2/1m\nmaxretry = 1\n")
    lines = [failed(second, f"203.0.113.{second}") for second in (1, 2, 3, 4, 4)]
    log = write(tmp_path / "x", *lines)
    decisions, summary = replayed(capsys, "-c", str(tree), "--jail", "app", log)
    assert [each["subject"] for each in decisions if each["decision"] == "ban"] == [
        "203.0.113.1",
        "203.0.113.2",
    ]
    assert (summary["bans"], summary["held_back"]) == (2, 2)
    assert main(["replay", "-c", str(tree), "--jail", "app", log]) == 0
    assert "2 bans held back by the ban budget" in capsys.readouterr().out


def test_people_see_one_line_a_decision(tree: Path, tmp_path: Path, capsys: Captured) -> None:
    log = write(tmp_path / "x", *(failed(second, "192.0.2.1") for second in (0, 10, 20)))
    assert main(["replay", "-c", str(tree), "--jail", "app", log]) == 0
    first, second, _, last = capsys.readouterr().out.splitlines()
    assert "  ban    app  192.0.2.1  until 20" in first
    assert first.endswith("(3 failures)")
    assert "  unban  app  192.0.2.1" in second
    assert last.startswith("3 lines, 3 failures, 1 ban in ")
    assert main(["replay", "-q", "-c", str(tree), "--jail", "app", log]) == 0
    assert capsys.readouterr().out.startswith("3 lines")


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        ((), 2, "required: --jail"),
        (("--jail", "app"), 2, "none of the logs it watches exists"),
        (("--jail", "nosuch", "x"), 2, "the jail 'nosuch' does not exist"),
        (("--jail", "app", "/no/such"), 1, "no such file"),
        (("--jail", "app", "x", "--speed", "2"), 2, "invalid choice"),
    ],
)
def test_what_cannot_be_replayed_is_told(
    words: tuple[str, ...], code: int, what: str, tree: Path, capsys: Captured
) -> None:
    assert main(["replay", "-c", str(tree), *words]) == code
    assert what in capsys.readouterr().err


@given(
    st.lists(
        st.tuples(st.integers(0, 3_000), st.integers(1, 3), st.sampled_from(["a", "b"])),
        max_size=40,
    )
)
def test_every_ban_ends_once_in_time_and_never_overlaps_itself(
    raw: list[tuple[int, int, str]],
) -> None:
    policies = {
        name: JailPolicy(
            JailSettings(name, FilterSettings(name), maxretry=2, bantime=Seconds(100)), ExemptList()
        )
        for name in ("a", "b")
    }
    failures = [
        Failure(jail, parse_subject(f"192.0.2.{low}"), Instant(float(at)))
        for at, low, jail in sorted(raw)
    ]
    totals = Totals()
    in_force: set[tuple[str, str]] = set()
    latest = float("-inf")
    for decision in decide(policies, failures, totals):
        ban = decision.ban
        key = (ban.jail, ban.subject.text)
        at = ban.since if isinstance(decision, StartBan) else ban.until
        assert at is not None
        assert at >= latest
        latest = at
        if isinstance(decision, EndBan):
            in_force.remove(key)
        else:
            assert key not in in_force
            in_force.add(key)
    assert in_force == set()


def test_lines_that_keep_a_regex_busy_for_ever_are_skipped_and_told(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tree / "filter.d" / "app.conf").write_text(
        "[Definition]\nfailregex = ^ (?:x+)+ from <HOST>$\n"
        "    ^ login failed for root from <HOST>$\n"
    )
    hostile = f"{stamp(1)[:19]}+0000 {'x' * 2000}\n"
    log = write(tmp_path / "x", failed(0, "192.0.2.1"), hostile * 50, failed(2, "192.0.2.1"))
    assert main(["replay", "-c", str(tree), "--json", f"--jail=app={log}"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out.splitlines()[-1])["summary"]["failures"] == 2
    assert said.err == "banish: 50 lines skipped: a regex took too long: failregex 1\n"
