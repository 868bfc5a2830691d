"""The verbs that ask a running server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.cli import main
from banish.errors import EnforceError
from banish.model.actionresult import ActionResult
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.failure import Evidence
from banish.model.instant import Instant
from banish.model.settings import Place, Problem
from banish.model.status import EnforcementStatus, JailStatus, ServerStatus, SourceHealth
from banish.testing.operations import NOON, MemoryOperations, serving

Captured = pytest.CaptureFixture[str]
ATTACKER = parse_subject("192.0.2.1")


@pytest.fixture
def operations() -> MemoryOperations:
    return MemoryOperations(("sshd", "web"))


@pytest.fixture
def state(tmp_path: Path, operations: MemoryOperations) -> Iterator[str]:
    with serving(tmp_path / "banish.sock", operations):
        yield str(tmp_path)


def ask(capsys: Captured, *words: str) -> tuple[int, str]:
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_a_server_that_is_not_running_is_told_with_the_cure(
    tmp_path: Path, capsys: Captured
) -> None:
    code, text = ask(capsys, "status", "--state", str(tmp_path))
    assert code == 1
    assert text == (
        f"banish: no server answers at {tmp_path}/banish.sock\n"
        f"    start it: banish run --state {tmp_path}\n"
    )


def test_the_socket_can_be_named(state: str, capsys: Captured) -> None:
    assert main(["-s", f"{state}/banish.sock", "status"]) == 0


def test_a_ban_that_is_in_force_already_says_that_it_is_kept(state: str, capsys: Captured) -> None:
    main(["ban", "sshd", "192.0.2.1", "--for", "-1", "--state", state, "-q"])
    code, text = ask(capsys, "ban", "sshd", "192.0.2.1", "--for", "1m", "--state", state)
    kept = "192.0.2.1 was already banned in sshd without end: that ban is kept"
    assert (code, text) == (0, f"{kept}, --for 1m does not change it\n")


def test_bans_by_hand_and_their_end(state: str, capsys: Captured) -> None:
    assert (
        main(["--state", state, "ban", "sshd", "192.0.2.1", "198.51.100.0/24", "--for", "1m"]) == 0
    )
    out = capsys.readouterr().out
    assert out.startswith("192.0.2.1 banned in sshd until 20")
    assert out.endswith("2 new bans\n")
    assert ask(capsys, "ban", "sshd", "192.0.2.1", "--state", state) == (
        0,
        "192.0.2.1 was already banned in sshd\n",
    )
    assert ask(capsys, "unban", "192.0.2.1", "203.0.113.9", "--state", state) == (
        1,
        "192.0.2.1 unbanned in sshd\n203.0.113.9 was not banned\n",
    )
    assert ask(capsys, "unban", "--all", "--state", state) == (0, "1 ban ended\n")
    assert ask(capsys, "unban", "--all", "--jail", "web", "--state", state) == (0, "0 bans ended\n")


def test_unban_of_an_address_says_which_network_holds_it(state: str, capsys: Captured) -> None:
    for subject in ("198.51.100.0/24", "198.51.100.7"):
        main(["ban", "sshd", subject, "--for", "-1", "--state", state, "-q"])
    held = (
        "198.51.100.7 is still banned: sshd bans 198.51.100.0/24, which contains it\n"
        f"    banish unban 198.51.100.0/24 --jail sshd --state {state}\n"
    )
    unban = ("unban", "198.51.100.7", "--state", state)
    assert ask(capsys, *unban) == (0, "198.51.100.7 unbanned in sshd\n" + held)
    assert ask(capsys, *unban) == (1, "198.51.100.7 was not banned\n" + held)


def test_an_address_that_counts_as_its_network_is_unbanned_with_it(
    state: str, operations: MemoryOperations, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    ban = Ban("sshd", parse_subject("2001:db8::/64"), NOON, None)

    async def unban(_subjects: object, _jail: object) -> list[Ban]:
        return [ban]

    monkeypatch.setattr(operations, "unban", unban)
    assert ask(capsys, "unban", "2001:db8::5", "--state", state) == (
        0,
        "2001:db8::/64 unbanned in sshd\n",
    )


def test_why_shows_the_network_that_holds_an_address(state: str, capsys: Captured) -> None:
    main(["ban", "sshd", "198.51.100.0/24", "--for", "-1", "--state", state, "-q"])
    code, text = ask(capsys, "why", "198.51.100.7", "--state", state)
    assert code == 0
    assert text.startswith("198.51.100.0/24 is banned by sshd without end")
    assert "holds     198.51.100.7, which lies in it" in text
    assert "banish unban 198.51.100.0/24 --jail sshd" in text


def test_why_tells_that_members_got_their_network_banned(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    network = parse_subject("198.51.100.0/24")
    ban = Ban("sshd", network, NOON, None, failures=5, cause="network")
    operations.in_force["sshd", network] = ban
    assert "5 members of it were banned" in ask(capsys, "why", str(network), "--state", state)[1]
    assert ask(capsys, "bans", "--state", state)[1].splitlines()[1].endswith("network")


def test_bans_as_json_have_the_promised_shape(state: str, capsys: Captured) -> None:
    main(["ban", "web", "2001:DB8::1", "--for", "-1", "--state", state, "--json"])
    ban = {
        "subject": "2001:db8::1",
        "jail": "web",
        "since": "2023-11-14T22:13:20+00:00",
        "until": None,
        "failures": 0,
        "count": 1,
        "cause": "operator",
    }
    assert json.loads(capsys.readouterr().out) == [ban]
    main(["ban", "sshd", "192.0.2.1", "--for", "60", "--state", state, "-q"])
    assert capsys.readouterr().out == ""
    assert main(["bans", "--state", state, "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["until"] == "2023-11-14T22:14:20+00:00"
    assert second == ban
    main(["unban", "2001:db8::1", "--state", state, "--json"])
    assert json.loads(capsys.readouterr().out) == [ban]


def test_bans_are_listed_for_people(state: str, capsys: Captured) -> None:
    assert ask(capsys, "bans", "--state", state) == (0, "  Nobody is banned.\n")
    main(["ban", "web", "2001:db8::1", "--for", "-1", "--state", state, "-q"])
    code, text = ask(capsys, "bans", "--state", state)
    assert code == 0
    head, row = text.splitlines()
    assert head.split() == ["subject", "jail", "since", "until", "left", "failures", "ban", "by"]
    assert row.split()[:2] == ["2001:db8::1", "web"]
    assert "no end" in row


@pytest.mark.parametrize(
    "words",
    [
        ("bans", "--jail", "nosuch"),
        ("status", "nosuch"),
        ("ban", "nosuch", "192.0.2.1"),
        ("unban", "192.0.2.1", "--jail", "nosuch"),
        ("ban", "sshd", "not-an-address"),
        ("ban", "sshd", "192.0.2.1", "--for", "5 lightyears"),
        ("unban",),
        ("unban", "--all", "192.0.2.1"),
    ],
)
def test_what_cannot_be_asked_is_wrong_usage(
    words: tuple[str, ...], state: str, capsys: Captured
) -> None:
    code, text = ask(capsys, *words, "--state", state)
    assert code == 2
    assert text.startswith("banish: ")


def test_a_firewall_that_fails_is_1_with_its_words(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    operations.trouble = EnforceError("no nftables", cure="apt install nftables")
    assert ask(capsys, "ban", "sshd", "192.0.2.1", "--state", state) == (
        1,
        "banish: no nftables\n    apt install nftables\n",
    )


def test_why_tells_what_actions_did(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    operations.in_force["sshd", ATTACKER] = Ban("sshd", ATTACKER, since=NOON, until=None)
    operations.done = [
        ActionResult(NOON, "sshd", "mail", "ban", ATTACKER, "no \x1b[2Jserver"),
        ActionResult(NOON, "sshd", "hostsdeny", "ban", ATTACKER),
        ActionResult(NOON, "sshd", "hostsdeny", "ban", parse_subject("192.0.2.99")),
    ]
    _, text = ask(capsys, "why", "192.0.2.1", "--state", state)
    assert "sshd: mail ban failed: no \\x1b[2Jserver" in text
    assert text.count("sshd: hostsdeny ban done") == 1
    assert main(["why", "192.0.2.1", "--state", state, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(result["action"], result["trouble"]) for result in document["actions"]] == [
        ("mail", "no \x1b[2Jserver"),
        ("hostsdeny", ""),
    ]


def test_why_tells_the_evidence_and_the_way_back(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    line = "Failed password for \x1b[2Jroot from 192.0.2.1"
    operations.past.append(Ban("web", ATTACKER, since=Instant(0), until=Instant(600), failures=3))
    operations.in_force["sshd", ATTACKER] = Ban(
        "sshd",
        ATTACKER,
        since=NOON,
        until=None,
        failures=5,
        count=2,
        evidence=(Evidence(line, "/var/log/auth.log", 4_711, NOON),),
        rule=7,
    )
    code, text = ask(capsys, "why", "192.0.2.1", "--state", state)
    assert code == 0
    assert "192.0.2.1 is banned by sshd without end" in text
    assert "the 2nd ban of this subject by this jail" in text
    assert "5 failures within findtime, the last by failregex 7" in text
    assert "/var/log/auth.log, byte 4711" in text
    assert "Failed password for \\x1b[2Jroot from 192.0.2.1" in text
    assert "banish unban 192.0.2.1 --jail sshd" in text
    assert text.index("sshd") < text.index("was banned by web until 1970-01-01")
    assert main(["why", "192.0.2.1", "--state", state, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["banned"] is True
    assert document["undo"] == [f"banish unban 192.0.2.1 --jail sshd --state {state}"]
    assert document["bans"][0]["rule"] == 7
    assert document["bans"][0]["evidence"][0]["text"] == line
    assert document["bans"][0]["evidence"][0]["offset"] == 4_711


def test_a_ban_that_was_ended_early_is_not_called_in_force(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    ended = Ban("sshd", ATTACKER, NOON, None, ended_at=Instant(NOON + 60), end_reason="operator")
    operations.past.append(ended)
    _, text = ask(capsys, "why", "192.0.2.1", "--state", state)
    assert "192.0.2.1 was banned by sshd until 2023-11-1" in text
    assert "ended by an operator" in text
    assert "undo" not in text
    assert main(["why", "192.0.2.1", "--state", state, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["banned"], document["undo"]) == (False, [])
    assert document["bans"][0]["ended"] == "2023-11-14T22:14:20+00:00"


def test_why_nobody_is_1(state: str, capsys: Captured) -> None:
    code, text = ask(capsys, "why", "203.0.113.9", "--state", state)
    assert (code, "no ban on record" in text) == (1, True)
    assert main(["why", "203.0.113.9", "--state", state, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["bans"] == []


def test_an_undo_command_is_fit_for_a_shell(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    subject = parse_subject("$(reboot)")
    operations.in_force["sshd", subject] = Ban("sshd", subject, since=NOON, until=None)
    _, text = ask(capsys, "why", "$(reboot)", "--state", state)
    assert f"banish unban '$(reboot)' --jail sshd --state {state}\n" in text


WELL = ServerStatus(
    version="1.0",
    pid=4_711,
    started_at=Instant(NOON - 11_520),
    now=NOON,
    root="/etc/banish",
    dry_run=False,
    jails=(
        JailStatus(
            "sshd",
            "sshd[mode=normal]",
            failing_subjects=3,
            failures_total=1_204,
            banned_now=1,
            bans_total=98,
            sources=("/var/log/auth.log",),
        ),
    ),
    sources=(
        SourceHealth(
            "/var/log/auth.log",
            "reading",
            lines=120_331,
            last_line_at=Instant(NOON - 2),
            lag_bytes=1_500,
        ),
    ),
    enforcement=EnforcementStatus("nftables", 1, 1, Instant(NOON - 4)),
    store="/var/lib/banish/banish.sqlite3",
)


def change(**changes: object) -> ServerStatus:
    import msgspec

    return msgspec.structs.replace(WELL, **changes)


def test_a_status_where_all_is_well(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    operations.answer = WELL
    code, text = ask(capsys, "status", "--state", state)
    assert code == 0
    assert text == (
        "banish 1.0, pid 4711, up 3 h 12 min\n"
        "configuration /etc/banish, memory /var/lib/banish/banish.sqlite3\n"
        "\n"
        "Jails\n"
        "  jail  failing  failures  banned  bans  filter             state\n"
        "  sshd        3     1,204       1    98  sshd[mode=normal]  watching\n"
        "\n"
        "Logs\n"
        "  log                state      lines  behind  last line\n"
        "  /var/log/auth.log  reading  120,331  1.5 kB  2 s ago\n"
        "\n"
        "Firewall\n"
        "  nftables: 1 wanted, 1 in the kernel, checked 4 s ago\n"
        "\n"
        "All is well.\n"
    )
    assert ask(capsys, "status", "-q", "--state", state) == (0, "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"enforcement": EnforcementStatus("nftables", 12, 10, NOON)},
            ["firewall: 2 of 12 bans are not in the kernel"],
        ),
        (
            {"enforcement": EnforcementStatus("nftables", 1, trouble="gone\n    apt install x")},
            ["firewall: gone", "apt install x"],
        ),
        (
            {"jails": (JailStatus("web", "web", trouble="filter too slow"),)},
            ["jail web: filter too slow", "in trouble"],
        ),
        (
            {"sources": (SourceHealth("/x", "failing", detail="denied\n    chmod +r /x"),)},
            ["/x: denied", "chmod +r /x"],
        ),
        (
            {
                "problems": (
                    Problem("error", "is not a number", Place("a", 7), "maxretry", "write 5"),
                )
            },
            ["a:7: maxretry: is not a number", "write 5"],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_cure_and_exit_code_1(
    changes: dict[str, object],
    words: list[str],
    state: str,
    operations: MemoryOperations,
    capsys: Captured,
) -> None:
    operations.answer = change(**changes)
    for flags in ([], ["-q"]):
        code, text = ask(capsys, "status", "--state", state, *flags)
        assert code == 1
        assert "All is well" not in text
        if flags:
            words = [word for word in words if word != "in trouble"]
        for word in words:
            assert word in text
    assert main(["status", "--json", "--state", state]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["well"] is False
    assert len(document["troubles"]) == 1


def test_waiting_dry_runs_and_warnings_are_told_but_are_not_wrong(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    operations.answer = change(
        dry_run=True,
        sources=(SourceHealth("/y", "waiting", detail="is not there yet"),),
        enforcement=EnforcementStatus("memory", 3, 3, repairs=2),
        problems=(Problem("warning", "odd"),),
    )
    code, text = ask(capsys, "status", "--state", state)
    assert code == 0
    for words in (
        "dry run: nothing is banned",
        "waiting for /y: is not there yet",
        "memory: 3 wanted, none in the kernel: a dry run",
        "repaired 2 times",
        "1 warning: see",
    ):
        assert words in text


def test_a_log_that_cannot_be_read_is_told_once(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    trouble = "/var/log/auth.log: Permission denied\n    let the server's user read it"
    operations.answer = change(
        sources=(SourceHealth("/var/log/auth.log", "failing", detail=trouble),)
    )
    _, text = ask(capsys, "status", "-q", "--state", state)
    assert text.count("/var/log/auth.log") == 1
    jail = JailStatus("sshd", "sshd", trouble=trouble, sources=("/var/log/auth.log",))
    operations.answer = change(
        jails=(jail,),
        sources=(SourceHealth("/var/log/auth.log", "failing", detail=trouble),),
    )
    _, text = ask(capsys, "status", "-q", "--state", state)
    assert text.count("Permission denied") == 1


def test_a_server_without_any_jail_is_not_well(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    operations.answer = change(jails=(), sources=())
    code, text = ask(capsys, "status", "--state", state)
    assert code == 1
    assert "none is running" in text
    assert "no jail runs, so nothing is watched" in text
    assert "All is well" not in text


def test_a_jail_whose_log_is_not_there_yet_waits(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    operations.answer = change(
        sources=(SourceHealth("/var/log/auth.log", "waiting", detail="not there yet"),)
    )
    code, text = ask(capsys, "status", "--state", state)
    assert code == 0
    assert "sshd[mode=normal]  waiting for its log\n" in text


def test_a_firewall_not_read_back_yet_is_not_wrong(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    operations.answer = change(enforcement=EnforcementStatus("nftables", 3))
    code, text = ask(capsys, "status", "--state", state)
    assert code == 0
    assert "3 wanted, not read back yet" in text
    assert "All is well" not in text
    assert "the firewall has not been read back yet" in text


def test_status_as_json_has_the_promised_shape(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    operations.answer = WELL
    operations.in_force["sshd", ATTACKER] = Ban("sshd", ATTACKER, NOON, None)
    assert main(["status", "--json", "--state", state]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["uptime"] == 11_520
    assert document["jails"][0]["banned"] == ["192.0.2.1"]
    assert document["sources"][0]["last_line"] == "2023-11-14T22:13:18+00:00"
    assert document["enforcement"]["enforced"] == 1


def test_one_jail_in_full(state: str, operations: MemoryOperations, capsys: Captured) -> None:
    operations.answer = WELL
    operations.in_force["sshd", ATTACKER] = Ban("sshd", ATTACKER, NOON, Instant(NOON + 540), 5)
    code, text = ask(capsys, "status", "sshd", "--state", state)
    assert code == 0
    assert "9 min left" in text
    assert "failures so far                   1,204" in text
    assert main(["status", "sshd", "--json", "--state", state]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["bans_in_force"][0]["subject"] == "192.0.2.1"
    assert document["logs"][0]["lines"] == 120_331


def test_a_jail_that_holds_bans_back_is_told_with_the_cure(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    trouble = "the ban budget is spent\n    raise banbudget"
    jail = JailStatus(
        "web", "web", trouble=trouble, held_total=1_234, held_until=Instant(NOON + 600)
    )
    operations.answer = change(jails=(jail,))
    code, text = ask(capsys, "status", "--state", state)
    assert code == 1
    assert "holding bans back" in text
    assert "raise banbudget" in text
    code, text = ask(capsys, "status", "web", "--state", state)
    assert code == 1
    assert "bans held back by the ban budget  1,234" in text
    assert main(["status", "web", "--json", "--state", state]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["held_back"] == 1_234
    assert document["held_back_until"] == "2023-11-14T22:23:20+00:00"


def test_who_is_allowed_is_unbanned_and_it_is_said_how_to_keep_it(
    state: str, capsys: Captured, operations: MemoryOperations
) -> None:
    main(["--state", state, "ban", "sshd", "192.0.2.1", "-q"])
    code, text = ask(capsys, "allow", "192.0.2.1", "--jail", "sshd", "--state", state)
    assert code == 0
    assert text.splitlines() == [
        "192.0.2.1 unbanned in sshd",
        "192.0.2.1 is exempt in sshd, until the next reload or start",
        "to keep it, add to ignoreip of [sshd] in jail.local: 192.0.2.1",
    ]
    assert operations.allowed == [("sshd", ATTACKER)]
    _, text = ask(capsys, "allow", "192.0.2.0/24", "--state", state)
    assert "is exempt in every jail" in text
    assert "[DEFAULT]" in text
    assert main(["allow", "192.0.2.1", "--jail", "nosuch", "--state", state]) == 2


def test_a_jail_resumes_and_one_that_need_not_is_wrong_usage(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    code, text = ask(capsys, "resume", "sshd", "--state", state)
    assert code == 0
    assert "sshd starts bans again" in text
    assert operations.resumed == ["sshd"]
    assert main(["resume", "sshd", "--state", state]) == 2
    assert "holds no bans back" in capsys.readouterr().err
    assert main(["resume", "nosuch", "--state", state]) == 2


def test_one_jail_in_trouble_is_1(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    operations.answer = change(
        jails=(
            JailStatus("web", "web", trouble="slow\n    mend it", undated_total=7, sources=("/x",)),
        ),
        sources=(SourceHealth("/x", "failing", detail="denied\n    chmod +r /x"),),
    )
    code, text = ask(capsys, "status", "web", "--state", state)
    assert code == 1
    for words in ("slow", "mend it", "denied", "chmod +r /x", "lines without a usable time"):
        assert words in text
