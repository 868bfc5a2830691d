"""Which processes of a made-up host count as somebody logged in."""

from pathlib import Path

import pytest

from banish.exempt.logins import can_look, live_logins

PEER = "076433C6"  # 198.51.100.7


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A host whose sshd listens on port 22 (16 in base 16); a user listens on 8022 (1F56)."""
    (tmp_path / "net").mkdir()
    connect(tmp_path, "00000000:0016", "00000000:0000", "0A", "0", "1")
    connect(tmp_path, "00000000:1F56", "00000000:0000", "0A", "1000", "2")
    start(tmp_path, 10, "sshd: /usr/sbin/sshd -D [listener]", uid=0, parent=1)
    start(tmp_path, 11, "sshd: alice [priv]", uid=0, parent=10)
    return tmp_path


def connect(proc: Path, local: str, peer: str, state: str, uid: str, inode: str) -> None:
    with (proc / "net" / "tcp").open("a") as file:
        if not file.tell():
            file.write("sl local_address rem_address st\n")
        file.write(f"0: {local} {peer} {state} 0:0 00:0 0 {uid} 0 {inode} 1\n")


def start(
    proc: Path,
    number: int,
    title: str,
    *,
    uid: int,
    parent: int,
    inode: str = "",
    program: str = "/usr/sbin/sshd",
) -> None:
    folder = proc / str(number)
    (folder / "fd").mkdir(parents=True)
    (folder / "cmdline").write_text(title + "\0\0")
    (folder / "status").write_text(f"Name:\tsshd\nPPid:\t{parent}\nUid:\t{uid}\t{uid}\n")
    (folder / "exe").symlink_to(program)
    (folder / "fd" / "0").symlink_to("/dev/null")
    if inode:
        (folder / "fd" / "4").symlink_to(f"socket:[{inode}]")


def found(proc: Path) -> set[tuple[str, str]]:
    return {(login.subject.text, login.account) for login in live_logins(proc)}


@pytest.mark.parametrize("title", ["sshd: alice@pts/0", "sshd-session: alice@notty"])
@pytest.mark.parametrize("program", ["/usr/sbin/sshd", "/usr/lib/openssh/sshd-session (deleted)"])
def test_a_session_past_authentication_counts(proc: Path, title: str, program: str) -> None:
    connect(proc, "090200C0:0016", f"{PEER}:D431", "01", "1000", "77")
    start(proc, 12, title, uid=1000, parent=11, inode="77", program=program)
    assert found(proc) == {("198.51.100.7", "alice")}


def test_a_session_of_root_counts_by_itself_and_over_ipv6_too(proc: Path) -> None:
    peer = "B80D0120" + "0" * 16 + "01000000"
    connect(proc, f"{'0' * 32}:0016", f"{peer}:D431", "01", "0", "78")
    start(proc, 13, "sshd: root@pts/1", uid=0, parent=10, inode="78")
    assert found(proc) == {("2001:db8::1", "root")}


@pytest.mark.parametrize("title", ["sshd: root [priv]", "sshd: root [net]", "sshd: root@x [net]"])
def test_who_is_still_to_authenticate_does_not_count(proc: Path, title: str) -> None:
    connect(proc, "090200C0:0016", f"{PEER}:D431", "01", "0", "77")
    start(proc, 12, title, uid=0, parent=10, inode="77")
    assert found(proc) == set()


def test_a_program_that_a_user_calls_sshd_does_not_count(proc: Path) -> None:
    connect(proc, "090200C0:0016", f"{PEER}:D431", "01", "1000", "77")
    start(proc, 12, "sshd: alice@pts/0", uid=1000, parent=99, inode="77")
    start(proc, 14, "sshd: alice@pts/0", uid=1000, parent=11, inode="77", program="/bin/perl")
    assert found(proc) == set()


def test_forwarded_connections_and_ports_of_users_spare_nobody(proc: Path) -> None:
    connect(proc, "090200C0:C001", f"{PEER}:0050", "01", "1000", "77")
    connect(proc, "090200C0:1F56", f"{PEER}:0051", "01", "1000", "78")
    start(proc, 12, "sshd: alice@pts/0", uid=1000, parent=11, inode="77")
    start(proc, 15, "sshd: alice@pts/0", uid=1000, parent=11, inode="78")
    assert found(proc) == set()


def test_a_host_that_shows_nothing_spares_nobody(tmp_path: Path) -> None:
    (tmp_path / "5").mkdir()
    assert live_logins(tmp_path) == []


@pytest.mark.parametrize(
    ("rights", "can"),
    [("000001ffffffffff", True), ("0000000000001004", False), ("0000000000081004", True)],
)
def test_who_may_not_see_other_processes_says_so(tmp_path: Path, rights: str, can: bool) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/status").write_text(f"Name:\tx\nCapPrm:\t1\nCapEff:\t{rights}\n")
    assert can_look(tmp_path) is can
    assert not can_look(tmp_path / "nowhere")
