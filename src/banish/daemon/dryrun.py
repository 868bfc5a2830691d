"""What stands in for an action in a dry run."""

from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.settings import ActionSettings
from banish.telemetry.events import ActionPlanned, Emit


class DryRunAction:
    """Stands in for an action in a dry run: tells what it would do, and does nothing."""

    def __init__(self, jail: str, settings: ActionSettings, *, emit: Emit) -> None:
        self.jail = jail
        self.settings = settings
        self.held: dict[Subject, Ban] = {}
        self.needs_rebans = False
        self.was_repaired = False
        self._emit = emit

    @property
    def due(self) -> None:
        """Nothing is put off."""
        return

    def _report(self, what: str) -> None:
        name = self.settings.actname
        self._emit(ActionPlanned(jail=self.jail, action=name, what=what))

    async def start(self) -> None:
        """Skip the start."""

    async def ban(self, ban: Ban, *, restored: bool = False) -> None:
        """Report a ban."""
        self._report(f"ban {ban.subject}{' again' if restored else ''}")

    async def reban(self, ban: Ban) -> None:
        """Report a ban that is put back."""
        self._report(f"ban {ban.subject} again")

    async def prolong(self, ban: Ban, *, restored: bool = False) -> None:
        """Report a ban that gets longer."""
        self._report(f"prolong the ban of {ban.subject}{' again' if restored else ''}")

    def adopt(self, ban: Ban) -> None:
        """Hold nobody."""

    async def unban(self, ban: Ban) -> None:
        """Report the end of a ban."""
        self._report(f"unban {ban.subject}")

    async def check(self) -> None:
        """Skip a check."""

    async def flush(self) -> bool:
        """Have nothing to unban."""
        return True

    async def stop(self) -> None:
        """Skip the end."""

    async def tick(self) -> None:
        """Have nothing put off."""
