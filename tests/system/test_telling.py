"""Who is told of a real attack, and that a service that hangs delays nobody."""

import sys
import time

import pytest

from banish.lab.world import Lab
from tests.system.guard import Guard, sshd_jail, wait_until

pytestmark = pytest.mark.system

HANGS = """
import socket
import sys
listener = socket.create_server(("127.0.0.1", 8080))
open(sys.argv[1], "w").close()
kept = []
while True:
    kept.append(listener.accept())
"""


def test_a_ban_is_in_force_and_mailed_while_a_webhook_hangs(lab: Lab) -> None:
    box = lab.directory / "mail"
    listening = lab.directory / "listening"
    sendmail = lab.directory / "sendmail"
    sendmail.write_text(f"#!/bin/sh\ncat > {box}.part && mv {box}.part {box}\n")
    sendmail.chmod(0o755)
    action = (
        "%(action_)s\n  webhook[url=http://127.0.0.1:8080/, timeout=2s]\n"
        f"  mail[sendmail={sendmail}, to=admin@example.org, lookup=no]"
    )
    guard = Guard(lab, sshd_jail(lab.log_path, action=action))
    hanging = lab.server.popen([sys.executable, "-c", HANGS, str(listening)])
    wait_until(listening.exists, "the webhook's other side listens")
    guard.start()
    try:
        for _ in range(3):
            lab.attacker.fail_login("root")
        address = lab.attacker.ipv4
        guard.wait_for_ban(address)
        assert not lab.attacker.connects()
        wait_until(box.exists, "the mail is there")
        mail = box.read_text()
        assert "To: admin@example.org" in mail
        assert f"Subject: [banish] {address} banned on " in mail
        assert "Failed password for root from" in mail
        wait_until(
            lambda: "did not answer within 2 s" in guard.ask("status")["jails"][0]["trouble"],
            "status says that the webhook hangs",
        )
        trouble = guard.ask("status")["jails"][0]["trouble"]
        assert "action webhook of sshd" in trouble
        assert "longer timeout" in trouble
        began = time.monotonic()
        assert guard.stop() == 0
        assert time.monotonic() - began < 15
    finally:
        for process in (hanging, guard.process):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
    assert "webhook: 1 notifications dropped" in guard.said()
