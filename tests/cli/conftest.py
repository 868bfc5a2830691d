"""A small configuration of its own for the verbs that need one."""

from pathlib import Path

import pytest

JAILS = """
[DEFAULT]
maxretry = 3
findtime = 10m
bantime = 10m
filter = %(__name__)s
backend = polling

[app]
enabled = true
logpath = LOGS/app.log
ignoreip = 198.51.100.0/24

[web]
logpath = LOGS/web*.log
maxretry = 2
bantime = -1
"""

APP = r"""
[Definition]
mode = normal
rx-normal = ^login failed for <F-USER>.*</F-USER> from <HOST>$
rx-extra = %(rx-normal)s
           ^odd knock from <HOST>$
failregex = <rx-<mode>>
ignoreregex = ^login failed for tester from
datepattern = ^%%Y-%%m-%%dT%%H:%%M:%%S%%z\s
"""

WEB = r"""
[Definition]
failregex = ^denied <HOST>$
datepattern = ^%%Y-%%m-%%dT%%H:%%M:%%S%%z\s
"""


@pytest.fixture(autouse=True)
def verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where ``check`` keeps what it found, in place of this host's caches."""
    folder = tmp_path / "cache" / "banish"
    monkeypatch.setattr("banish.config.verdicts.SYSTEM_FOLDER", folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent))
    return folder / "verdicts"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A configuration with the jails ``app`` (enabled) and ``web`` (not)."""
    root = tmp_path / "etc"
    (root / "filter.d").mkdir(parents=True)
    (root / "jail.conf").write_text(JAILS.replace("LOGS", str(tmp_path)))
    (root / "filter.d" / "app.conf").write_text(APP)
    (root / "filter.d" / "web.conf").write_text(WEB)
    return root
