"""An add-on is found by its file alone, and costs nothing until it is asked for."""

import subprocess
import sys

import pytest

from banish.addon.declare import ActionAddon, FirewallAddon
from banish.addon.folder import Folder
from banish.config.addons import ACTIONS, FIREWALLS


def test_the_names_are_those_of_the_files() -> None:
    assert {"mail", "hosts-deny", "cloudflare"} <= set(ACTIONS)
    assert set(FIREWALLS) == {"nftables", "iptables", "ipset"}
    assert len(FIREWALLS) == 3
    assert "hosts_deny" not in ACTIONS
    with pytest.raises(KeyError):
        ACTIONS["pigeon"]


def test_a_file_that_declares_something_of_another_sort_is_refused() -> None:
    assert isinstance(ACTIONS["mail"], ActionAddon)
    with pytest.raises(AssertionError):
        Folder(FirewallAddon, "banish.notify.addons")["mail"]


def test_reading_the_names_imports_no_add_on() -> None:
    script = (
        "import sys; from banish.config.addons import ACTIONS, FIREWALLS;"
        "assert 'mail' in ACTIONS and list(FIREWALLS);"
        "print([name for name in sys.modules if 'addons.' in name or 'firewalls.' in name])"
    )
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
