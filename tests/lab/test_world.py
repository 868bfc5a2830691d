"""The lab is as real as it claims, and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.lab import Account, Lab, LabError

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

ALICE = Account("alice", "correct-horse")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.open(accounts=[ALICE]) as lab:
        lab.sshd()
        yield lab


def test_a_wrong_password_is_denied_and_logged_as_on_a_debian_host(lab: Lab) -> None:
    before = len(lab.lines())
    assert lab.attacker.fail_login("root").outcome == "denied"
    line = lab.wait_for_line("Failed password for root from 198.51.100.66", after=before)
    month, day, clock, host, program = line.text.split()[:5]
    assert len(month) == 3
    assert day.isdigit()
    assert clock.count(":") == 2
    assert host == "gate"
    assert program.startswith(("sshd[", "sshd-session["))  # the latter since OpenSSH 9.8
    assert line.text in lab.log_path.read_text()


def test_the_right_password_is_accepted(lab: Lab) -> None:
    before = len(lab.lines())
    assert lab.bystander.ssh_login("alice", ALICE.password).outcome == "accepted"
    lab.wait_for_line("Accepted password for alice from 203.0.113.7", after=before)


def test_ipv6_works_at_once(lab: Lab) -> None:
    assert lab.attacker.fail_login("alice", to=lab.server.ipv6).outcome == "denied"
    lab.wait_for_line(f"Failed password for alice from {lab.attacker.ipv6}")


def test_a_host_can_have_many_addresses(lab: Lab) -> None:
    lab.attacker.add_address("198.51.100.99")
    assert lab.attacker.connects(source="198.51.100.99")
    assert lab.attacker.fail_login("admin", source="198.51.100.99").outcome == "denied"
    lab.wait_for_line("invalid user admin from 198.51.100.99")


def test_a_rule_of_the_server_keeps_one_host_out_and_not_the_other(lab: Lab) -> None:
    lab.nft("add table inet trial")
    lab.nft("add chain inet trial in { type filter hook input priority 0; }")
    lab.nft("add rule inet trial in ip saddr 198.51.100.66 tcp dport 22 reject with tcp reset")
    try:
        assert not lab.attacker.connects()
        assert lab.attacker.fail_login().outcome == "refused"
        assert lab.bystander.connects()
    finally:
        lab.nft("delete table inet trial")
    assert lab.attacker.connects()


def test_a_program_s_process_id_is_its_own_so_that_signals_reach_it(lab: Lab) -> None:
    process = lab.popen("server", ["sleep", "60"])
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == -signal.SIGTERM


def test_a_renamed_log_is_followed_by_a_new_one(lab: Lab) -> None:
    old = lab.rotate_by_rename()
    size = old.stat().st_size
    before = len(lab.lines())
    lab.attacker.fail_login("root")
    lab.wait_for_line("Failed password for root", after=before)
    assert old.stat().st_size == size
    assert "Failed password for root" in lab.log_path.read_text()


def test_a_truncated_log_keeps_its_inode_and_starts_from_nothing() -> None:
    with Lab.open(hosts=()) as lab:
        lab.write_line("the last line before")
        inode = lab.log_path.stat().st_ino
        copy = lab.rotate_by_copytruncate()
        lab.write_line("the first line after")
        assert copy.read_text() == "the last line before\n"
        assert lab.log_path.read_text() == "the first line after\n"
        assert lab.log_path.stat().st_ino == inode


def test_what_other_programs_log_on_the_server_stands_in_the_log_too(lab: Lab) -> None:
    lab.server.run(["logger", "-p", "authpriv.notice", "-t", "door", "two\nlines"])
    lab.server.run(["logger", "-p", "user.notice", "-t", "door", "elsewhere"])
    lab.server.run(["logger", "-p", "auth.info", "-t", "door", "third"])
    lab.wait_for_line("door: third")
    assert not any("elsewhere" in line.text for line in lab.lines())


def test_the_accounts_and_the_host_s_are_strangers(lab: Lab) -> None:
    inside = lab.server.run(["cat", "/etc/passwd"]).stdout
    assert "alice" in inside
    assert "alice" not in Path("/etc/passwd").read_text()


def test_nothing_is_left_of_a_closed_lab() -> None:
    with Lab.open(hosts=()) as lab:
        sleeper = lab.popen("server", ["sh", "-c", "sleep 60 & wait"])
        directory = lab.directory
    assert sleeper.returncode is not None
    assert not directory.exists()
    with pytest.raises(LabError, match="cannot be started"):
        lab.popen("server", ["true"])


def test_nothing_is_left_of_a_lab_whose_opener_is_killed() -> None:
    script = (
        "import sys, time\n"
        "from banish.lab import Lab\n"
        "with Lab.open(hosts=()) as lab:\n"
        "    sleeper = lab.popen('server', ['sleep', '60'])\n"
        "    print(lab.directory, lab._holder.pid, sleeper.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    opener = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with opener:
        assert opener.stdout is not None
        directory, *pids = opener.stdout.readline().split()
        pidfds = [os.pidfd_open(int(pid)) for pid in pids]
        opener.kill()
    for pidfd in pidfds:
        # Readable once the process has ended (pidfd_open(2)).
        assert wait_readable(pidfd, 10)
        os.close(pidfd)
    assert not Path(directory).exists()


def wait_readable(descriptor: int, seconds: float) -> bool:
    import select

    return bool(select.select([descriptor], [], [], seconds)[0])


def test_a_missing_program_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(LabError, match="ip is not installed") as caught, Lab.open():
        pass
    assert "apt install iproute2" in str(caught.value)
