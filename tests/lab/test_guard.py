"""The real server in the lab, and under the rights that its systemd unit leaves it."""

import configparser
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.lab import Lab, LabError
from banish.lab.guard import guarded
from banish.lab.story import jail_local

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

UNIT = Path(__file__).parents[2] / "share" / "systemd" / "banish.service"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab.open() as lab:
        lab.sshd()
        yield lab


def fail_often(lab: Lab, times: int = 5) -> None:
    for _ in range(times):
        lab.attacker.fail_login()


def test_a_ban_is_seen_in_the_kernel_and_gone_once_the_server_stops(lab: Lab) -> None:
    with guarded(lab, jail_local(str(lab.log_path))) as guard:
        guard.wait_until_ready()
        assert guard.holding(lab.attacker.ipv4) is None
        fail_often(lab)
        assert guard.ban_in_kernel(lab.attacker.ipv4, within=10.0) is not None
        held = guard.holding(lab.attacker.ipv4)
        assert held is not None
        assert held.table == "banish"
        assert held.expires_seconds is not None
        assert guard.ban_in_kernel(lab.bystander.ipv4, within=0) is None
        assert guard.stop() == 0
        assert guard.elements() == []


def test_the_rights_that_the_unit_leaves_are_enough(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(UNIT)
    rights = unit["Service"]["CapabilityBoundingSet"].lower().replace("cap_", "").split()
    assert "sys_admin" not in rights
    bounds = "--bounding-set=-all," + ",".join(f"+{right}" for right in rights)
    # setpriv(1) stands in for systemd: it drops the rights, then becomes the server.
    wrapped = Path(lab.directory, "python")
    real = sys.executable
    wrapped.write_text(f'#!/bin/sh\nexec setpriv {bounds} --no-new-privs "{real}" "$@"\n')
    wrapped.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(wrapped))
    with guarded(lab, jail_local(str(lab.log_path))) as guard:
        guard.wait_until_ready()
        status = Path(f"/proc/{guard.process.pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        fail_often(lab)
        assert guard.ban_in_kernel(lab.attacker.ipv4, within=10.0) is not None
        assert guard.stop() == 0


def test_a_server_that_cannot_start_is_told_with_its_own_words(lab: Lab) -> None:
    with (
        guarded(lab, "[sshd]\nenabled = true\nprefregex = (\n") as guard,
        pytest.raises(LabError, match=r"does not become ready: (?s:.*)prefregex"),
    ):
        guard.wait_until_ready()


def test_without_nft_nothing_is_started(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(LabError, match="nft is not installed"), guarded(lab, ""):
        pass
