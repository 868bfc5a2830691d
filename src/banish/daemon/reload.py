"""Reloads the configuration: all or nothing for each jail, and said so.

A configuration that is broken as a whole (a file that cannot be read, no jail left)
changes nothing. With a time to confirm, the server goes back by itself to what it
ran before, unless somebody confirms: who has locked themselves out need only wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from banish.daemon.changes import ChangePlan, JailChange, OptionChange, plan, shown
from banish.daemon.protection import Protection
from banish.errors import ConfigError, RequestError
from banish.model.duration import format_duration
from banish.model.instant import Instant, Seconds
from banish.model.reload import (
    JailDifference,
    JailOutcome,
    OptionDifference,
    ReloadReport,
    ReloadWish,
)
from banish.model.settings import JailSettings, ServerSettings, Settings
from banish.ports import Clock
from banish.telemetry.events import Emit, Reloaded, WarningGiven

CONFIRM_LIMIT = Seconds(86_400)
"""Longest time that a reload may wait to be confirmed."""

PROBLEMS_NAMED = 3
"""Problems that are named where a reload is refused; `banish check` has them all."""


class Reloader:
    """Changes what the server runs; one change at a time."""

    def __init__(
        self,
        protection: Protection,
        *,
        load: Callable[[], Settings],
        emit: Emit,
        clock: Clock,
        when_ready: Callable[[], Awaitable[object]],
        unban: Callable[[str], Awaitable[object]],
        on_server: Callable[[Settings, Sequence[OptionChange]], None] = lambda _new, _changes: None,
    ) -> None:
        """Change *protection* by what *load* reads from files, in a thread.

        Every change waits for *when_ready*. *unban* ends the bans of a jail; *on_server* gets
        the settings when options of the server have changed.
        """
        self._protection = protection
        self._load = load
        self._emit = emit
        self._clock = clock
        self._when_ready = when_ready
        self._unban = unban
        self._on_server = on_server
        self._busy = asyncio.Lock()
        self._going_back: asyncio.Task[None] | None = None
        self.confirm_until: Instant | None = None
        """When the server goes back to its old configuration; None: it does not."""
        self.returned_at: Instant | None = None
        """When it went back; None once a reload has succeeded since."""

    async def reload(self, wish: ReloadWish) -> ReloadReport:
        """Read the configuration and follow it.

        Raises:
            RequestError: The jail does not exist, or another reload waits to be confirmed.
            ConfigError: The configuration is broken as a whole; nothing has changed.

        """
        await self._when_ready()
        async with self._busy:
            self._require_room(wish)
            new = await asyncio.to_thread(self._load)
            old = self._protection.settings
            self._require_whole(old, new)
            if not self._exists(wish, old, new):
                return ReloadReport(problems=new.problems)
            chosen = [wish.jail] if wish.jail else [jail.name for jail in old.jails]
            anew = [name for name in chosen if wish.restart]
            what = plan(old, new, only=wish.jail, also=anew)
            report = _report(what, new, anew)
            if wish.dry_run:
                return report
            if wish.unban:
                for name in chosen:
                    if name in self._protection.jails:
                        await self._unban(name)
            await self._follow(what)
            self.returned_at = None
            self._tell(what, new)
            if wish.confirm is None:
                return report
            self._go_back_after(old, wish.confirm)
            return msgspec.structs.replace(report, confirm_until=self.confirm_until)

    async def _follow(self, what: ChangePlan) -> None:
        await self._protection.follow(what)
        if what.server:
            self._on_server(what.settings, what.server)

    def _require_room(self, wish: ReloadWish) -> None:
        if self._going_back is not None and not wish.dry_run:
            raise RequestError(
                "an earlier reload is waiting to be confirmed",
                cure="'banish confirm' keeps it; or wait until the server has gone back",
            )
        if wish.confirm is not None and not 0 < wish.confirm <= CONFIRM_LIMIT:
            raise RequestError(
                f"a reload cannot wait {format_duration(wish.confirm)} to be confirmed",
                where="--confirm",
                cure=f"write more than 0, and at most {format_duration(CONFIRM_LIMIT)}",
            )

    @staticmethod
    def _require_whole(old: Settings, new: Settings) -> None:
        known = {(each.what, each.option) for each in old.errors}
        broken = [
            each for each in new.errors if not each.jail and (each.what, each.option) not in known
        ]
        if broken:
            named = "\n".join(f"    {each}" for each in broken[:PROBLEMS_NAMED])
            raise ConfigError(
                f"nothing was reloaded, and the server goes on unchanged:\n{named}",
                where=new.root,
                cure="fix the problems named above; 'banish check' shows them all",
            )
        if not new.jails and old.jails and new.errors:
            named = "\n".join(f"    {each}" for each in new.errors[:PROBLEMS_NAMED])
            raise ConfigError(
                f"nothing was reloaded, for no jail could run:\n{named}",
                where=new.root,
                cure="fix the problems named above; 'banish check' shows them all",
            )

    @staticmethod
    def _exists(wish: ReloadWish, old: Settings, new: Settings) -> bool:
        """Whether the jail of *wish* is there, before or after; True without one.

        Raises:
            RequestError: It is not, and that is an error.

        """
        spoilt = {each.jail for each in new.errors if each.stops}
        known = {jail.name for jail in (*old.jails, *new.jails)}
        if wish.jail is None or wish.jail in known:
            return True
        if wish.jail in spoilt:
            first = next(each for each in new.errors if each.stops and each.jail == wish.jail)
            raise RequestError(
                f"the jail '{wish.jail}' cannot start: {first}",
                cure=f"'banish check' shows all that is wrong with {wish.jail}",
            )
        if wish.if_exists:
            return False
        raise RequestError(
            f"the jail '{wish.jail}' does not exist",
            cure=f"enabled jails: {', '.join(jail.name for jail in new.jails) or 'none'}",
        )

    def _tell(self, what: ChangePlan, new: Settings) -> None:
        changed = len(what.jails)
        self._emit(Reloaded(changed, len(what.unchanged), what.kept))
        for problem in new.problems:
            self._emit(WarningGiven(part="configuration", what=str(problem)))

    # -- commit-confirm ---------------------------------------------------------------

    def _go_back_after(self, old: Settings, span: Seconds) -> None:
        self.confirm_until = Instant(self._clock() + span)
        self._going_back = asyncio.create_task(self._go_back(old, span), name="going back")

    async def _go_back(self, old: Settings, span: Seconds) -> None:
        await asyncio.sleep(span)
        async with self._busy:
            self._going_back = self.confirm_until = None
            self.returned_at = self._clock()
            what = plan(self._protection.settings, old)
            self._emit(
                WarningGiven(
                    part="configuration",
                    what=(
                        f"nobody confirmed the reload within {format_duration(span)}: the server "
                        "returns to the configuration before it; the files still hold the new one"
                    ),
                )
            )
            await self._follow(what)
            self._tell(what, old)

    async def confirm(self) -> None:
        """Keep the configuration that waits to be confirmed.

        Raises:
            RequestError: None does.

        """
        if self._going_back is None:
            raise RequestError(
                "no reload is waiting to be confirmed",
                cure="the server has gone back already, or 'banish reload' had no --confirm",
            )
        self._going_back.cancel()
        self._going_back = self.confirm_until = None

    def close(self) -> None:
        """Wait no more."""
        if self._going_back is not None:
            self._going_back.cancel()

    # -- changes at run time ----------------------------------------------------------

    async def change_jails(self, *settings: JailSettings) -> None:
        """Have the jails that *settings* name run by them; a jail that is not there starts.

        The files stay as they are: the next reload or start follows these again.

        Raises:
            ConfigError: A filter or a formula makes no sense; nothing has changed.

        """
        await self._when_ready()
        async with self._busy:
            old = self._protection.settings
            jails = {jail.name: jail for jail in (*old.jails, *settings)}
            await self._settle(msgspec.structs.replace(old, jails=tuple(jails.values())))

    async def change_server(self, settings: ServerSettings) -> None:
        """Have the server go by *settings*, as far as it can without a restart."""
        await self._when_ready()
        async with self._busy:
            await self._settle(msgspec.structs.replace(self._protection.settings, server=settings))

    async def _settle(self, new: Settings) -> None:
        """Follow *new*, which no file says; what was wrong in the files still is."""
        old = self._protection.settings
        what = plan(old, msgspec.structs.replace(new, problems=()))
        settled = msgspec.structs.replace(what.settings, problems=old.problems)
        await self._follow(msgspec.structs.replace(what, settings=settled))

    async def remove_jail(self, name: str) -> None:
        """End the jail called *name*; its bans come back with it.

        Raises:
            RequestError: There is none.

        """
        await self._when_ready()
        async with self._busy:
            old = self._protection.settings
            rest = tuple(jail for jail in old.jails if jail.name != name)
            if len(rest) == len(old.jails):
                raise RequestError(f"the jail '{name}' does not exist")
            await self._settle(msgspec.structs.replace(old, jails=rest))


def _report(what: ChangePlan, new: Settings, anew: Sequence[str]) -> ReloadReport:
    jails = [
        *(
            JailDifference(each.jail, _outcome(each, anew), _shown(each.options))
            for each in what.jails
        ),
        *(JailDifference(name, "kept") for name in what.kept),
        *(JailDifference(name, "unchanged") for name in what.unchanged),
    ]
    return ReloadReport(tuple(jails), _shown(what.server), _shown(what.later), new.problems)


def _outcome(change: JailChange, anew: Sequence[str]) -> JailOutcome:
    if change.before is None:
        return "started"
    if change.after is None:
        return "stopped"
    return "restarted" if change.jail in anew else "changed"


def _shown(changes: Sequence[OptionChange]) -> tuple[OptionDifference, ...]:
    return tuple(
        OptionDifference(each.option, shown(each.before), shown(each.after)) for each in changes
    )
