"""The server runs without the packages that only some actions need."""

import subprocess
import sys

WITHOUT = """
import sys
for name in ("aiohttp", "apprise", "dns"):
    sys.modules[name] = None
import banish.cli
import banish.config.load
import banish.daemon.app
from banish.config.addons import ACTIONS, FIREWALLS
for addon in (*ACTIONS.values(), *FIREWALLS.values()):
    assert addon.make
"""


def test_the_server_needs_no_package_of_an_extra() -> None:
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
