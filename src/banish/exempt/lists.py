"""Keeps what must never be banned up to date: own addresses, names and lists in ``ignoreip``.

The host's own addresses and the lists in files are known before anything is
decided. Names may take time: until the first round of asking is over, which is
after `FIRST_ROUND` at the latest, the logs of the jails concerned are not read,
so nobody who is exempt by name is banned for want of an answer. Bans that are
put back from an earlier run are looked at again after that round, and whenever
an answer changes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from banish.errors import ResolveError
from banish.exempt.file import AddressFile
from banish.exempt.own import own_addresses, own_names
from banish.model.address import Subject
from banish.model.instant import Seconds
from banish.model.settings import Settings
from banish.policy.exempt import ExemptList
from banish.ports import Resolver
from banish.resolve.workers import Workers
from banish.telemetry.events import Emit, WarningGiven

FIRST_ROUND = Seconds(5)
"""How long the logs wait for names at the start; a dead resolver is not waited for longer."""

REFRESH_PAUSE = Seconds(60)
"""Addresses of interfaces and names change; the resolver's cache bounds the asking."""

NAMES_KEEP_FAILURE = Seconds(4)
"""How long the resolver keeps that it got no answer: less than the pause before the next try."""

RETRY_PAUSE = Seconds(5)
"""After a name went without an answer; doubles up to `REFRESH_PAUSE`."""

LIST_PAUSE = Seconds(1)
LIST_LIMIT = Seconds(30)
"""How long the start waits for lists in files; a million entries take some seconds."""

NAMES_AT_ONCE = 8
OWN_NAMES_LIMIT = Seconds(5)


class ListExemptions:
    """The exempt lists of all jails; two tasks keep them fresh."""

    def __init__(
        self,
        settings: Settings,
        *,
        resolver: Resolver,
        emit: Emit,
        own_names: Callable[[], Sequence[str]] = own_names,
    ) -> None:
        self.lists: dict[str, ExemptList] = {
            jail.name: ExemptList(jail.ignoreip) for jail in settings.jails
        }
        self._with_own = {jail.name for jail in settings.jails if jail.ignoreself}
        self._written = {jail.name: jail.ignoreip for jail in settings.jails}
        self._files = {path: AddressFile(path) for path in self._paths(self.lists.values())}
        self._resolver = resolver
        self._emit = emit
        self._own_names = own_names
        self._workers = Workers(NAMES_AT_ONCE)
        self._named_own: dict[str, frozenset[Subject]] = {}
        self._waiting: set[str] = set()
        self._reported: set[str] = set()
        self._is_changed = False
        self._first_round = asyncio.Event()

    async def start(self) -> None:
        """Learn what can be known without asking anybody: own addresses, lists in files."""
        self._set_own()
        try:
            async with asyncio.timeout(LIST_LIMIT):
                await self._read_lists()
        except TimeoutError:
            self._report_late_lists()

    def _report_late_lists(self) -> None:
        what = (
            f"lists in files are not read within {LIST_LIMIT:g} s; the server "
            "continues without them"
        )
        self._emit(WarningGiven(part="ignoreip", what=what))

    async def prepare(self, settings: Settings) -> Mapping[str, ExemptList]:
        """Return the lists that the jails of *settings* need and do not have, filled.

        Names that have no answer within `FIRST_ROUND` are asked for again by `keep_names`, once
        the lists are in use (`follow`).
        """
        fresh = {
            jail.name: ExemptList(jail.ignoreip)
            for jail in settings.jails
            if self._written.get(jail.name) != jail.ignoreip
            or (jail.name in self._with_own) != jail.ignoreself
        }
        own = own_addresses().union(*self._named_own.values())
        for jail in settings.jails:
            if jail.name in fresh and jail.ignoreself:
                fresh[jail.name].set_own(own)
        files = {path: AddressFile(path) for path in self._paths(fresh.values())}
        try:
            async with asyncio.timeout(LIST_LIMIT):
                await asyncio.gather(
                    *(self._read_list(file, fresh.values()) for file in files.values())
                )
        except TimeoutError:
            self._report_late_lists()
        try:
            async with asyncio.timeout(FIRST_ROUND):
                await self._ask_names(fresh.values())
        except TimeoutError:
            for name in sorted({name for exempt in fresh.values() for name in exempt.names}):
                if not any(exempt.knows(name) for exempt in fresh.values()):
                    self._report_once(name, f"no answer within {FIRST_ROUND:g} s; still asking")
        return fresh

    def follow(self, settings: Settings, fresh: Mapping[str, ExemptList]) -> None:
        """Serve the jails of *settings* from now on; *fresh* are what `prepare` returned."""
        names = {jail.name for jail in settings.jails}
        for name in self.lists.keys() - names:
            del self.lists[name]
        for name, exempt in fresh.items():
            if name in self.lists:
                exempt.take_answers(self.lists[name])
        self.lists.update(fresh)
        self._with_own = {jail.name for jail in settings.jails if jail.ignoreself}
        self._written = {jail.name: jail.ignoreip for jail in settings.jails}
        known = self._files
        # A list of a new jail is read again: only who reads it notes what it held.
        again = self._paths(fresh.values())
        self._files = {
            path: AddressFile(path) if path in again else known[path]
            for path in self._paths(self.lists.values())
        }

    @staticmethod
    def _paths(lists: Iterable[ExemptList]) -> dict[str, None]:
        return dict.fromkeys(path for exempt in lists for path in exempt.files)

    async def wait_for_names(self, jails: Iterable[str]) -> None:
        """Return once the first round of asking is over, if it matters to one of *jails*."""
        lists = [(jail, self.lists[jail]) for jail in jails if jail in self.lists]
        if any(jail in self._with_own or exempt.names for jail, exempt in lists):
            await self._first_round.wait()

    async def keep_names(self, on_change: Callable[[], Awaitable[None]]) -> None:
        """Ask for ever; await *on_change* whenever somebody else is exempt than before."""
        pause = RETRY_PAUSE
        try:
            await self._ask_first()
        finally:  # whatever happened, the logs must not wait for ever
            self._first_round.set()
        while True:
            await self._report_changes(on_change)
            pause = min(Seconds(pause * 2), REFRESH_PAUSE) if self._waiting else RETRY_PAUSE
            await asyncio.sleep(pause if self._waiting else REFRESH_PAUSE)
            await self.refresh()

    async def keep_lists(self, on_change: Callable[[], Awaitable[None]]) -> None:
        """Look at the lists in files for ever; await *on_change* as `keep_names` does."""
        while True:
            await asyncio.sleep(LIST_PAUSE)
            if self._files:
                await self._read_lists()
                await self._report_changes(on_change)

    async def _report_changes(self, on_change: Callable[[], Awaitable[None]]) -> None:
        if self._is_changed:
            self._is_changed = False
            await on_change()

    async def _ask_first(self) -> None:
        try:
            async with asyncio.timeout(FIRST_ROUND):
                await self.refresh()
        except TimeoutError:
            for name in sorted(self._waiting):
                self._report_once(name, f"no answer within {FIRST_ROUND:g} s; still asking")

    async def refresh(self) -> None:
        """Look everything up again.

        A name that cannot be resolved keeps what it stood for.
        """
        names = {name for exempt in self.lists.values() for name in exempt.names}
        self._waiting = set(names)
        self._reported &= names
        await asyncio.gather(self._refresh_own(), self._ask_names(list(self.lists.values())))

    async def _ask_names(self, lists: Iterable[ExemptList]) -> None:
        gate = asyncio.Semaphore(NAMES_AT_ONCE)
        names = {name for exempt in lists for name in exempt.names}

        async def ask(name: str) -> None:
            async with gate:
                await self._refresh_name(name, lists)

        await asyncio.gather(*(ask(name) for name in sorted(names)))

    def _set_own(self) -> None:
        own = own_addresses().union(*self._named_own.values())
        for name in self._with_own:
            self._is_changed = self.lists[name].set_own(own) or self._is_changed

    async def _refresh_own(self) -> None:
        self._set_own()
        if not self._with_own:
            return
        try:
            async with asyncio.timeout(OWN_NAMES_LIMIT):
                names = await self._workers.run(self._own_names)
        except OSError:  # TimeoutError is one
            names = tuple(self._named_own)

        async def ask(name: str) -> None:
            try:
                found = await self._resolver.addresses(name)
            except ResolveError:
                return  # the host's own name need not be known to any resolver
            self._named_own[name] = frozenset(found)

        for name in self._named_own.keys() - set(names):
            del self._named_own[name]
        try:
            await asyncio.gather(*(ask(name) for name in names))
        finally:
            self._set_own()

    async def _refresh_name(self, name: str, lists: Iterable[ExemptList]) -> None:
        try:
            found = await self._resolver.addresses(name)
        except ResolveError as error:
            self._report_once(name, str(error))
            return
        self._waiting.discard(name)
        if not found:
            self._report_once(name, "it has no address")
            return
        self._reported.discard(name)
        for exempt in lists:
            self._is_changed = exempt.resolve(name, found) or self._is_changed

    def _report_once(self, name: str, why: str) -> None:
        if name not in self._reported:
            self._reported.add(name)
            what = f"exempts nobody new: {why}"
            self._emit(WarningGiven(part=f"ignoreip {name}", what=what))

    async def _read_lists(self) -> None:
        lists = list(self.lists.values())
        await asyncio.gather(*(self._read_list(file, lists) for file in self._files.values()))

    async def _read_list(self, file: AddressFile, lists: Iterable[ExemptList]) -> None:
        # In a thread: a long list takes seconds, and a dead network disk for ever.
        try:
            members = await self._workers.run(file.check)
        except OSError:
            return  # no thread to be had; the next look is a second away
        while file.news:
            self._emit(file.news.popleft())
        if members is not None:
            for exempt in lists:
                self._is_changed = exempt.set_file(file.path, members) or self._is_changed
