"""Without root, in a user namespace of one's own, the lab is as real."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from banish.lab import LabError, privilege
from banish.lab.privilege import enter_user_namespace, has_one_user

SCRIPT = """
from banish.lab import Account, Lab
from banish.lab.privilege import has_one_user
alice = Account("alice", "correct-horse")
assert has_one_user()
with Lab.open(accounts=[alice]) as lab:
    lab.sshd(pam=True)
    print(lab.attacker.fail_login("root").outcome)
    print(lab.bystander.ssh_login("alice", "correct-horse").outcome)
    lab.nft("add table inet trial")
    print(lab.nft("list tables").strip())
"""


def test_this_process_knows_more_users_than_one() -> None:
    counts = Path("/proc/self/uid_map").read_text().split()
    assert has_one_user() == (len(counts) == 3 and counts[2] == "1")


@pytest.mark.system
def test_the_root_of_a_user_namespace_can_have_a_lab() -> None:
    trial = [*privilege._AS_ROOT, "true"]
    if subprocess.run(trial, check=False, capture_output=True).returncode != 0:
        pytest.skip("user namespaces are not allowed here")
    done = subprocess.run(
        [*privilege._AS_ROOT, sys.executable, "-c", SCRIPT],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split("\n")[:3] == ["denied", "accepted", "table inet trial"], done.stderr


def test_where_it_is_not_allowed_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privilege, "_AS_ROOT", ("false",))
    monkeypatch.setattr(os, "execvp", lambda *words: pytest.fail("it went on"))
    with pytest.raises(LabError, match="may not build private networks") as caught:
        enter_user_namespace(["true"])
    assert "sudo" in str(caught.value)
