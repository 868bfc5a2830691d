import os
from collections.abc import Iterator

import pytest

from banish.lab.accounts import Account
from banish.lab.world import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A world of its own with a real OpenSSH server, an attacker and a bystander."""
    if os.geteuid() != 0:
        pytest.skip("needs root to make network namespaces")
    with Lab.open(accounts=[Account("alice", "correct horse")]) as world:
        world.sshd()
        yield world
