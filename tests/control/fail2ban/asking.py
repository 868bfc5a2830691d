"""Asks a server in memory the commands of Fail2Ban."""

import asyncio
import shlex
from collections.abc import Sequence

import msgspec

from banish.control.fail2ban.answers import Value
from banish.control.fail2ban.commands import Fail2BanCommands
from banish.control.listener import Peer
from banish.model.instant import Seconds
from banish.model.settings import (
    ActionSettings,
    Escalation,
    FilterSettings,
    JailSettings,
    LogPath,
    Place,
    Regex,
)
from banish.testing.fail2banport import MemoryPort

ROOT = Peer(1, 0, 0)

SSHD = JailSettings(
    "sshd",
    FilterSettings("sshd", failregex=(Regex("^bad <HOST>$"),)),
    logpaths=(LogPath("/var/log/auth.log"),),
    ignoreip=("127.0.0.1/8", "192.0.2.99"),
    actions=(
        ActionSettings(
            "script",
            way="commands",
            actname="script",
            properties={"actionban": "ban <ip>", "name": "sshd"},
        ),
        ActionSettings("iptables", {"port": "ssh"}, way="native", actname="iptables"),
    ),
)

NGINX = JailSettings(
    "nginx",
    FilterSettings("nginx", journalmatch=(("_SYSTEMD_UNIT=nginx.service", "+", "_COMM=nginx"),)),
    backend="systemd",
    uses_journal=True,
    bantime=None,
    escalation=Escalation(increment=True, maxtime=Seconds(86_400)),
    places={"bantime.increment": Place("jail.local", 3), "bantime.maxtime": Place("jail.local")},
)


class Asked:
    """A server in memory and what answers for it."""

    def __init__(self, *jails: JailSettings) -> None:
        self.port = MemoryPort(*(jails or (SSHD, NGINX)))
        self.commands = Fail2BanCommands(self.port)

    def __call__(self, command: str | Sequence[Value]) -> Value:
        """Return the answer to *command*."""
        words = shlex.split(command) if isinstance(command, str) else list(command)
        return asyncio.run(self.commands.answer(words, ROOT))

    @property
    def sshd(self) -> JailSettings:
        """The settings of the jail sshd as the server has them."""
        return msgspec.structs.replace(self.port.settings["sshd"], places={})
