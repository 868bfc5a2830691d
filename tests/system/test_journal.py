"""A host that logs to the systemd journal alone: real journal files, real bans."""

import time
from pathlib import Path

import pytest

from banish.lab.world import Lab
from tests.sources.exported import Entry, JournalWriter, is_available
from tests.system.guard import Guard, wait_until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not is_available(), reason="needs systemd-journal-remote"),
]


def by_sshd(address: str) -> Entry:
    """Return what journald keeps of sshd's line."""
    return {
        "MESSAGE": f"Failed password for root from {address} port 40022 ssh2",
        "SYSLOG_IDENTIFIER": "sshd",
        "_HOSTNAME": "gate",
        "_PID": "4711",
        "_UID": "0",
        "_COMM": "sshd",
        "_SYSTEMD_UNIT": "ssh.service",
    }


def by_logger(address: str) -> Entry:
    """Return what journald keeps when a user writes the same with logger(1)."""
    return {**by_sshd(address), "_UID": "1000", "_COMM": "logger", "_SYSTEMD_UNIT": "user.slice"}


def test_the_journal_bans_resumes_by_cursor_and_trusts_only_trusted_fields(lab: Lab) -> None:
    folder: Path = lab.directory / "journal"
    folder.mkdir()
    journal = JournalWriter(folder / "system.journal")
    journal.write(by_logger("192.0.2.1"), time.time())
    jail = (
        f"[sshd]\nenabled = true\nbackend = systemd[journalpath={folder}]\n"
        "maxretry = 3\nbantime = 10m\n"
    )
    guard = Guard(lab, jail)
    guard.start()
    for _ in range(3):
        journal.write(by_logger(lab.bystander.ipv4), time.time())
        journal.write(by_sshd(lab.attacker.ipv4), time.time())
    guard.wait_for_ban(lab.attacker.ipv4)
    assert not lab.attacker.connects()
    assert lab.bystander.connects()
    assert guard.failures() == 3
    journal.write(by_sshd("192.0.2.77"), time.time())
    wait_until(lambda: guard.failures() == 4, "one more failure")
    guard.kill()
    journal.write(by_sshd("192.0.2.77"), time.time())
    guard.start()
    wait_until(lambda: guard.failures() == 5, "what came meanwhile is read, and nothing twice")
    journal.write(by_sshd("192.0.2.77"), time.time())
    guard.wait_for_ban("192.0.2.77")
    assert guard.failures() == 6
    assert guard.banned() == {lab.attacker.ipv4, "192.0.2.77"}
    assert guard.stop() == 0
    journal.close()
