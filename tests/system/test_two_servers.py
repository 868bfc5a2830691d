"""Two servers in one network: the second refuses, and nothing of the first is touched."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from banish.testing.netns import NetworkNamespace

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces"),
    pytest.mark.skipif(shutil.which("nft") is None, reason="needs the nft program"),
]

ACTION = "[Definition]\nactionban = true\nactionunban = true\n"


class Servers:
    """Servers in one network namespace, each in a folder of its own."""

    def __init__(self, namespace: NetworkNamespace, folder: Path) -> None:
        self.namespace = namespace
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []

    def argv(self, name: str, *words: str) -> list[str]:
        folder = self.folder / name
        return [
            sys.executable, "-m", "banish", "-c", str(folder / "etc"),
            "--state", str(folder / "state"), *words,
        ]  # fmt: skip

    def configure(self, name: str, jail: str = "", server: str = "") -> None:
        folder = self.folder / name
        (folder / "etc" / "action.d").mkdir(parents=True)
        (folder / "log").touch()
        (folder / "etc" / "action.d" / "own.conf").write_text(ACTION)
        (folder / "etc" / "banish.local").write_text(f"[Definition]\n{server}")
        (folder / "etc" / "jail.local").write_text(
            "[DEFAULT]\nsystemd_if_nologs = false\nbackend = auto\n"
            f"[sshd]\nenabled = true\nlogpath = {folder}/log\nbantime = 1d\n{jail}"
        )

    def start(self, name: str, *words: str) -> subprocess.Popen[str]:
        with self.namespace.inside(), (self.folder / name / "out").open("a") as out:
            process = subprocess.Popen(
                self.argv(name, "run", *words), stdout=out, stderr=subprocess.STDOUT, text=True
            )
        self.running.append(process)
        return process

    def up(self, name: str, *words: str) -> subprocess.Popen[str]:
        process = self.start(name, *words)
        end = time.monotonic() + 20
        while (status := self.ask(name, "status")) is None or status["starting"]:
            assert process.poll() is None, self.said(name)
            assert time.monotonic() < end
            time.sleep(0.02)
        return process

    def ask(self, name: str, *words: str) -> Any:
        with self.namespace.inside():
            done = subprocess.run(  # noqa: PLW1510
                self.argv(name, *words, "--json"), capture_output=True, text=True, timeout=30
            )
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else None

    def said(self, name: str) -> str:
        return (self.folder / name / "out").read_text()

    def table(self) -> str:
        return self.namespace.run("nft", "list", "table", "inet", "banish")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with NetworkNamespace() as namespace:
        one = Servers(namespace, tmp_path)
        try:
            yield one
        finally:
            for process in one.running:
                if process.poll() is None:
                    process.kill()
                process.wait()


def test_the_second_server_names_the_first_and_leaves_its_bans(servers: Servers) -> None:
    """Both deleted each other's table, 370 times a second, and said that all is well."""
    for name in ("one", "two"):
        servers.configure(name)
    first = servers.up("one")
    servers.ask("one", "ban", "sshd", "192.0.2.1")
    before = servers.table()
    second = servers.start("two")
    assert second.wait(20) == 2, servers.said("two")
    said = servers.said("two")
    assert f"pid {first.pid}" in said
    assert "Jail 'sshd' stopped" not in said
    assert f"configuration {servers.folder}/one/etc" in said
    assert f"socket {servers.folder}/one/state/banish.sock" in said
    assert "192.0.2.1" in before
    assert without_times(servers.table()) == without_times(before)
    status = servers.ask("one", "status")
    assert status["enforcement"]["repairs"] == 0

    # One that dies lets the next one in at once, with the bans that it remembers.
    first.send_signal(signal.SIGKILL)
    first.wait()
    servers.up("one")
    assert servers.ask("one", "status")["enforcement"]["enforced"] == 1


def test_a_trial_run_and_a_server_of_actions_alone_run_beside_it(servers: Servers) -> None:
    servers.configure("one")
    servers.configure("trial")
    servers.configure("actions", jail="action = own[]\n")
    servers.up("one")
    servers.ask("one", "ban", "sshd", "192.0.2.1")
    servers.up("trial", "--dry-run")
    servers.up("actions")
    status = servers.ask("one", "status")["enforcement"]
    assert (status["enforced"], status["repairs"]) == (1, 0)
    assert "192.0.2.1" in servers.table()
    assert servers.ask("actions", "status")["enforcement"]["enforcer"] == "actions alone"


def without_times(text: str) -> list[str]:
    return [line.partition(" expires")[0] for line in text.splitlines()]


@pytest.mark.skipif(shutil.which("iptables") is None, reason="needs iptables")
def test_rules_of_a_killed_server_go_when_the_next_one_bans_by_another_firewall(
    servers: Servers,
) -> None:
    servers.configure("one", server="firewall = iptables\nallowipv6 = no\n")
    first = servers.up("one")
    servers.ask("one", "ban", "sshd", "192.0.2.1")
    first.kill()
    first.wait()
    assert "banish" in servers.namespace.run("iptables-save")
    (servers.folder / "one" / "etc" / "banish.local").write_text("[Definition]\n")
    servers.up("one")
    assert "192.0.2.1" in servers.table()
    assert "banish" not in servers.namespace.run("iptables-save")
