"""A server whose jails ban by actions alone needs no right to change a firewall."""

import subprocess
from pathlib import Path

import pytest

from banish.lab.world import Lab
from tests.system.guard import Guard, sshd_jail, wait_until

pytestmark = pytest.mark.system


def test_without_the_right_to_a_firewall_actions_keep_out_all_the_same(lab: Lab) -> None:
    told = lab.directory / "told"
    guard = Guard(lab, sshd_jail(lab.log_path, action=f"keep[file={told}]"))
    (guard.config / "action.d").mkdir()
    (guard.config / "action.d" / "keep.conf").write_text(
        '[Definition]\nactionban = echo ban "<ip>" >> <file>\n'
        'actionunban = echo unban "<ip>" >> <file>\n'
    )
    lacking = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", "--"]
    with guard.output.open("ab") as output:
        guard.process = lab.server.popen(
            [*lacking, *guard.argv("run")], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_until(guard.is_reading, "the server reads the log")
        address = lab.attacker.ipv4
        for _ in range(3):
            lab.attacker.fail_login("root")
        wait_until(lambda: address in read(told), guard.said())
        (jail,) = guard.ask("status")["jails"]
        assert jail["enforced"]
        assert guard.ask("status")["enforcement"]["enforcer"] == "actions alone"
        assert guard.stop() == 0
        assert "CAP_NET_ADMIN" not in guard.said()
    finally:
        if guard.process.poll() is None:
            guard.kill()


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
