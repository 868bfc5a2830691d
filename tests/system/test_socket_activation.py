"""A real server takes over the sockets at which systemd's own tool listens for it."""

import shutil
import socket
import stat
import sys
from pathlib import Path

import pytest

from tests.system.box import IS_ROOT, boxed

ACTIVATE = shutil.which("systemd-socket-activate")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not IS_ROOT, reason="needs root to make namespaces"),
    pytest.mark.skipif(ACTIVATE is None, reason="needs systemd-socket-activate"),
]


def test_the_first_client_starts_the_server_and_both_sockets_outlive_it(tmp_path: Path) -> None:
    theirs = tmp_path / "run" / "fail2ban.sock"
    with boxed(tmp_path, f"fail2bansocket = {theirs}") as box:
        ours = box.run_folder / "banish.sock"
        server = f"{sys.executable} -m banish -c {box.config} run"
        box.start(before=f"exec {ACTIVATE} -l {ours} -l {theirs} {server}")
        box.wait_until(lambda: theirs.exists() and ours.exists(), "both sockets are there")
        inodes = [path.stat().st_ino for path in (ours, theirs)]
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(theirs))  # which starts the server
            box.wait_for(" ready: 1 jail")
        box.wait_until(box.status, "it answers")
        box.fail("192.0.2.1")
        box.wait_for_ban("192.0.2.1")
        client_answer = box.inside(
            sys.executable, "-m", "banish", "fail2ban-client", "-s", str(theirs), "ping"
        )
        assert client_answer.stdout == "Server replied: pong\n"
        assert box.stop() == 0
    assert [path.stat().st_ino for path in (ours, theirs)] == inodes
    assert all(stat.S_ISSOCK(path.stat().st_mode) for path in (ours, theirs))
