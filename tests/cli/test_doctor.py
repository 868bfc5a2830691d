"""What a host has and lacks."""

import importlib.util
import json
import os
import re
import shutil
from pathlib import Path

import msgspec
import pytest

from banish.cli import diagnosis, main
from banish.cli.diagnosis import HostFinding, folder, jail_logs, others, process_names
from banish.model.instant import Instant
from banish.model.settings import (
    ActionSettings,
    FilterSettings,
    JailSettings,
    LogPath,
    Settings,
)
from banish.model.status import EnforcementStatus, JailStatus, ServerStatus
from banish.testing.operations import MemoryOperations, serving

Captured = pytest.CaptureFixture[str]


def jail(name: str = "sshd", **changes: object) -> JailSettings:
    settings: dict[str, object] = {"filter": FilterSettings(name)} | changes
    return JailSettings(name, **settings)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def firewall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend a firewall: what the kernel of this host says is not under test."""
    from banish.enforce.firewalls import nftables

    addon = msgspec.structs.replace(nftables.ADDON, probe=lambda: None)
    monkeypatch.setattr(nftables, "ADDON", addon)


def test_logs_that_can_be_read_are_good(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("")
    [found] = jail_logs(
        jail(logpaths=(LogPath(f"{tmp_path}/*.log"),), actions=(ActionSettings("x"),))
    )
    assert found == HostFinding("jail sshd", "good", f"reads {tmp_path}/a.log")


def test_a_jail_without_its_logs_is_bad_and_has_a_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "has_journal", lambda: False)
    [found] = jail_logs(jail(logpaths=(LogPath(f"{tmp_path}/*.log"),)))
    assert found.state == "bad"
    assert "watches nothing" in found.what
    assert "apt install rsyslog" in found.cure


def test_logs_that_may_not_be_read_are_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.log").write_text("")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    [found, _] = jail_logs(jail(logpaths=(LogPath(f"{tmp_path}/a.log"),)))
    assert found == HostFinding(
        "jail sshd", "bad", f"{tmp_path}/a.log cannot be read", "run banish as root"
    )
    assert folder("database", tmp_path / "a.log").state == "bad"
    assert folder("database", tmp_path / "new").cure == f"sudo mkdir -p {tmp_path}"


def test_a_jail_without_action_is_noted(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("")
    found = list(jail_logs(jail(logpaths=(LogPath(f"{tmp_path}/a.log"),))))
    assert "bans nobody" in found[1].what


def test_a_file_that_can_be_made_is_good_and_one_below_a_file_is_bad(tmp_path: Path) -> None:
    assert folder("database", tmp_path / "new" / "deep" / "x").state == "good"
    (tmp_path / "file").write_text("")
    assert folder("database", tmp_path / "file").state == "good"
    assert folder("database", tmp_path / "file" / "x").state == "bad"


def process(proc: Path, pid: int, comm: str, *words: str) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "comm").write_text(f"{comm}\n")
    (proc / str(pid) / "cmdline").write_bytes(b"\0".join(word.encode() for word in words) + b"\0")


def test_programs_and_scripts_are_known_by_name(tmp_path: Path) -> None:
    process(tmp_path, 7, "sshd", "sshd: /usr/sbin/sshd -D")
    process(tmp_path, 8, "python3", "/usr/bin/python3", "/usr/bin/fail2ban-server", "-xf")
    (tmp_path / "9").mkdir()
    (tmp_path / "self").mkdir()
    assert {"sshd", "fail2ban-server"} <= process_names(tmp_path)


def test_fail2ban_beside_us_and_an_unwatched_sshd_are_noted(tmp_path: Path) -> None:
    process(tmp_path, 7, "sshd", "sshd")
    process(tmp_path, 8, "fail2ban-server", "python3", "/usr/bin/fail2ban-server")
    found = list(others(Settings("/etc/banish"), tmp_path))
    assert [(each.area, each.state) for each in found] == [("fail2ban", "note"), ("ssh", "note")]
    assert "systemctl disable --now fail2ban" in found[0].cure
    assert "/etc/banish/jail.local" in found[1].cure
    [found_ssh] = [
        each for each in others(Settings("x", jails=(jail(),)), tmp_path) if each.area == "ssh"
    ]
    assert found_ssh.state == "good"


def test_mail_is_looked_for_where_an_action_sends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings("x", jails=(jail(actions=(ActionSettings("sendmail-whois"),)),))
    monkeypatch.setattr(shutil, "which", lambda program, path: None)
    assert [each.state for each in diagnosis._mail(settings)] == ["note"]
    monkeypatch.setattr(shutil, "which", lambda program, path: f"/bin/{program}")
    assert [each.what for each in diagnosis._mail(settings)] == ["sendmail is here"]
    assert list(diagnosis._mail(Settings("x"))) == []


@pytest.mark.parametrize(
    ("package", "journal", "state"),
    [(None, True, "bad"), (object(), False, "bad"), (object(), True, "good")],
)
def test_a_journal_needs_its_package_and_itself(
    package: object, journal: bool, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package)
    monkeypatch.setattr(diagnosis, "has_journal", lambda: journal)
    assert [each.state for each in diagnosis._journal()] == [state]
    reads = "reads the systemd journal" if journal else "watches nothing: this host has no"
    assert [reads in each.what for each in jail_logs(jail(uses_journal=True))] == [True]


def test_a_host_that_lacks_nothing_is_0(tree: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "app.log").write_text("")
    with serving(tmp_path / "banish.sock", MemoryOperations()):
        assert main(["doctor", "-c", str(tree), "--state", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "runs as pid 1" in out
    assert re.search(r"bans +\d+ wanted, \d+ enforced\n", out)
    assert out.endswith("Ready.\n")


class Slow(MemoryOperations):
    """A server with a rule in quarantine."""

    async def status(self) -> ServerStatus:
        jails = (
            JailStatus("web", "web", quarantined=("failregex 2 is suspended: it takes too long",)),
        )
        return msgspec.structs.replace(await super().status(), jails=jails)


def test_rules_in_quarantine_are_told_with_the_cure(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "app.log").write_text("")
    with serving(tmp_path / "banish.sock", Slow()):
        assert main(["doctor", "-c", str(tree), "--state", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "failregex 2 is suspended: it takes too long" in out
    assert "banish check" in out


class Holding(MemoryOperations):
    """A server with a jail over its ban budget."""

    async def status(self) -> ServerStatus:
        jails = (JailStatus("web", "web", held_until=Instant(1_700_000_600)),)
        return msgspec.structs.replace(await super().status(), jails=jails)


def test_a_spent_ban_budget_is_told_with_its_end(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "app.log").write_text("")
    with serving(tmp_path / "banish.sock", Holding()):
        assert main(["doctor", "-c", str(tree), "--state", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "no ban starts until 2023-11-14T22:23:20+00:00" in out
    assert f"-> banish bans --jail web -c {tree} --state {tmp_path}\n" in out


class Lacking(MemoryOperations):
    """A server whose firewall lacks a ban, after three repairs."""

    async def status(self) -> ServerStatus:
        truth = EnforcementStatus("memory", wanted=2, enforced=1, repairs=3)
        return msgspec.structs.replace(await super().status(), enforcement=truth)


class Failing(MemoryOperations):
    """A server with a jail whose action fails, and one whose log is not there."""

    async def status(self) -> ServerStatus:
        jails = (
            JailStatus("web", "web", trouble="action x of web: actionban failed\ninstall it"),
            JailStatus("db", "db", trouble="watches nothing: no file matches /x"),
        )
        changes = {"jails": jails, "store_trouble": "the disk is full"}
        return msgspec.structs.replace(await super().status(), **changes)


def test_what_the_server_says_of_itself_is_told(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "app.log").write_text("")
    with serving(tmp_path / "banish.sock", Failing()):
        assert main(["doctor", "-c", str(tree), "--state", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert re.search(r"jail web +action x of web: actionban failed\n +-> install it\n", out)
    assert re.search(
        rf"database +the disk is full\n +-> banish status -c {tree} --state {tmp_path}\n", out
    )
    assert "watches nothing" not in out
    assert "2 things to fix" in out


def test_bans_that_the_firewall_lacks_are_told(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "app.log").write_text("")
    with serving(tmp_path / "banish.sock", Lacking()):
        assert main(["doctor", "-c", str(tree), "--state", str(tmp_path)]) == 1
    assert "1 of 2 bans are not in the kernel" in capsys.readouterr().out


def test_what_keeps_banish_from_working_is_1_with_its_cure(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    from banish.enforce.firewalls import nftables

    trouble = "no nf_tables\n    modprobe nf_tables"
    addon = msgspec.structs.replace(nftables.ADDON, probe=lambda: trouble)
    monkeypatch.setattr(nftables, "ADDON", addon)
    (tmp_path / "app.log").touch()
    words = ["doctor", "-c", str(tree), "--state", str(tmp_path)]
    assert main(words) == 1
    out = capsys.readouterr().out
    assert "lacks  firewall" in out
    assert "-> modprobe nf_tables" in out
    assert main([*words, "-q"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main([*words, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["well"] is False
    assert {
        "area": "firewall",
        "state": "bad",
        "what": "no nf_tables",
        "cure": "modprobe nf_tables",
    } in (document["findings"])


def test_a_configuration_without_jails_or_with_errors_is_told(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tree / "jail.local").write_text("[app]\nprefregex = (\n")
    assert main(["doctor", "-c", str(tree), "--state", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "2 errors, 0 warnings in" in out
    assert "no jail is enabled" in out


def test_a_filter_that_can_be_turned_against_others_is_noted(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "app.log").write_text("")
    rule = "failregex = ^login of .* failed from <HOST> .*$"
    (tree / "filter.d" / "app.local").write_text(f"[Definition]\n{rule}\n")
    main(["doctor", "-c", str(tree), "--state", str(tmp_path)])
    out = capsys.readouterr().out
    assert re.search(r"note +configuration +[01] errors?, [1-9] warnings? in ", out)
    assert "banish check" in out
