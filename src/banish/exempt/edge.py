"""The exempt lists of all jails, and the tasks that keep them fresh."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from banish.exempt.command import ExemptCommands, WouldCount
from banish.exempt.host import HostExemptions
from banish.exempt.lists import NAMES_KEEP_FAILURE, ListExemptions
from banish.model.failure import Failure
from banish.model.instant import Instant
from banish.model.settings import Settings
from banish.policy.exempt import ExemptList
from banish.resolve.dns import DnsResolver
from banish.telemetry.events import Emit

OnChange = Callable[[], Awaitable[None]]


class ExemptEdge:
    """Knows who is exempt in each jail."""

    def __init__(
        self,
        settings: Settings,
        *,
        emit: Emit,
        clock: Callable[[], Instant],
        would_count: WouldCount,
    ) -> None:
        """Serve the jails of *settings*; *would_count* says which failures are worth a command."""
        # A resolver of its own: no attacker's names push the operator's out of its cache.
        names = DnsResolver(keep_failure=NAMES_KEEP_FAILURE)
        self._named = ListExemptions(settings, resolver=names, emit=emit)
        self._host = HostExemptions(settings, self._named.lists, emit=emit, clock=clock)
        self._commands = ExemptCommands(settings, would_count, emit=emit)
        self._jails = [jail.name for jail in settings.jails]

    async def prepare(self, settings: Settings) -> Mapping[str, ExemptList]:
        """Return new lists for the jails of *settings* whose own lists will not do, filled."""
        return await self._named.prepare(settings)

    def follow(self, settings: Settings, fresh: Mapping[str, ExemptList]) -> None:
        """Serve the jails of *settings* from now on; *fresh* are what `prepare` returned."""
        self._named.follow(settings, fresh)
        self._host.follow(settings)
        self._commands.follow(settings)
        self._jails = [jail.name for jail in settings.jails]

    async def refresh_host(self) -> None:
        """See at once who is exempt for now in the jails that want it."""
        await self._host.refresh(self._jails)

    @property
    def lists(self) -> Mapping[str, ExemptList]:
        """One list for each jail; they change as time goes on."""
        return self._named.lists

    def first_steps(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Return what must be awaited before anything is decided, by the option concerned."""
        return {"ignoreip": self._named.start, "guard": lambda: self._host.refresh(self._jails)}

    def tasks(self, on_change: OnChange) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Return the tasks that run for ever, by name.

        They await *on_change* whenever other subjects are exempt for good than before.
        """
        return {
            "exempt names": lambda: self._named.keep_names(on_change),
            "exempt lists": lambda: self._named.keep_lists(on_change),
            "guard": self._host.run,
        }

    async def wait_for_names(self, jails: Iterable[str]) -> None:
        """Return once failures in *jails* may be judged: names in ``ignoreip`` have answers."""
        await self._named.wait_for_names(jails)

    async def mark(self, failures: Sequence[Failure], now: Instant) -> Sequence[Failure]:
        """Return *failures* in their order, those marked (`Failure.exempt_by`) that do not count.

        Before that, who is logged in is looked up for the jails that want it.
        """
        return await self._commands.ask(await self._host.fresh(failures, now), now)
