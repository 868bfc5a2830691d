"""The jails that clients of Fail2Ban can name: those that run, and those still being made.

Fail2Ban makes a jail in three steps: ``add``, a ``set`` for each of its options, ``start``.
Here a jail that was added and not started is a value that nobody else knows of, and `start`
has the server run it. So a jail half made protects nothing and breaks nothing.
"""

import re
from collections.abc import Mapping

from banish.control.fail2ban.answers import CommandError
from banish.control.fail2ban.port import JailCounts, ServerPort
from banish.model.settings import FilterSettings, JailSettings

BACKENDS = ("pyinotify", "polling", "systemd")
"""What ``add`` takes beside ``auto``."""

_NAME = re.compile(r"\w[\w .@+-]{0,126}")
"""What a jail may be called: the name stands in log lines, commands of actions and file names."""

UNSTARTED_LIMIT = 1_000
"""Jails that may be added and not started; clients do not make the server grow without end."""


def unknown_jail(name: str) -> CommandError:
    """Return the answer to a command that names a jail which does not exist."""
    return CommandError("UnknownJailException", name)


class KnownJails:
    """The jails by name, and the one way to change one."""

    def __init__(self, port: ServerPort) -> None:
        self.port = port
        self._unstarted: dict[str, JailSettings] = {}

    def all(self) -> Mapping[str, JailSettings]:
        """Return all jails, those that run first."""
        running = self.port.jails()
        for name in [each for each in self._unstarted if each in running]:
            del self._unstarted[name]  # a reload started it
        return {**running, **self._unstarted}

    def get(self, name: str) -> JailSettings:
        """Return the settings of the jail called *name*.

        Raises:
            CommandError: There is none.

        """
        found = self.all().get(name)
        if found is None:
            raise unknown_jail(name)
        return found

    def runs(self, name: str) -> bool:
        """Whether the jail *name*, which exists, was started."""
        return name in self.port.jails()

    def counts(self, name: str) -> JailCounts:
        """Return the counts of the jail *name*, which exists."""
        return self.port.counts(name) if self.runs(name) else JailCounts()

    def files(self, name: str) -> list[str]:
        """Return the files that the jail *name* reads."""
        if self.runs(name):
            return list(self.port.files(name))
        return [path.pattern for path in self.get(name).logpaths]

    async def change(self, settings: JailSettings) -> None:
        """Have the jail that *settings* names go by them from now on."""
        if self.runs(settings.name):
            await self.port.change_jail(settings)
        else:
            self._unstarted[settings.name] = settings

    def add(self, name: str, backend: str) -> None:
        """Make a jail without filter, logs and actions.

        Raises:
            CommandError: There is one of that name, or the backend does not exist.

        """
        if name in self.all():
            raise CommandError("DuplicateJailException", name)
        if not _NAME.fullmatch(name):
            what = f"{name!r} is no name of a jail: write letters, digits, and _ . - in it"
            raise CommandError("ValueError", what)
        kind = backend.partition("[")[0]
        if kind not in ("auto", *BACKENDS):
            known = ", ".join(BACKENDS)
            raise CommandError(
                "ValueError", f"Unknown backend {backend}: it is none of auto, {known}"
            )
        if len(self._unstarted) >= UNSTARTED_LIMIT:
            raise CommandError("Exception", "too many jails were added and not started")
        self._unstarted[name] = JailSettings(
            name,
            FilterSettings(name),
            backend=backend,
            uses_journal=kind == "systemd",
            maxretry=3,
        )

    async def start(self, name: str) -> None:
        """Have the jail *name* run; nothing happens if it does.

        Raises:
            CommandError: There is none.

        """
        settings = self.get(name)
        if not self.runs(name):
            await self.port.change_jail(settings)
            self._unstarted.pop(name, None)

    async def stop(self, name: str) -> None:
        """End the jail *name*.

        Raises:
            CommandError: There is none.

        """
        self.get(name)
        if self.runs(name):
            await self.port.remove_jail(name)
        self._unstarted.pop(name, None)
