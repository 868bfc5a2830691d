"""A server's heart on a stage: real detector and policies, scripted log, memory at the edges."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

from banish.daemon.enforcing import EnforcementTask
from banish.daemon.jails import Jails
from banish.daemon.pipeline import JailWatch, Pipeline
from banish.detect.matcher import Matcher
from banish.errors import ResolveError
from banish.model.address import Subject, parse_subject
from banish.model.instant import Instant, Seconds
from banish.model.settings import Enforcement, FilterSettings, JailSettings, Regex
from banish.model.snapshot import Memory
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy
from banish.ports import Store
from banish.telemetry.events import Event, FailuresFound
from banish.testing.memory_enforcer import ScriptedEnforcer
from banish.testing.memory_store import MemoryStore
from banish.testing.script_source import ScriptSource

NOW = Instant(1_790_000_000)
ATTACKER = "198.51.100.7"


class Names:
    """A resolver with a table."""

    def __init__(self, table: Mapping[str, list[str]]) -> None:
        self.table = table

    async def addresses(self, name: str) -> list[Subject]:
        """Return what the table says; a name that is not in it fails."""
        if name not in self.table:
            raise ResolveError(f"cannot resolve {name}")
        return [parse_subject(text) for text in self.table[name]]


def singly(events: Iterable[Event]) -> Iterator[Event]:
    """Yield *events*, failures that are told together one by one, as listeners hear them."""
    for event in events:
        if isinstance(event, FailuresFound):
            yield from event.each()
        else:
            yield event


class Stage:
    """One jail, one scripted log, and everything between."""

    def __init__(
        self,
        store: MemoryStore | None = None,
        text: bytes = b"",
        ignoreip: tuple[str, ...] = (),
        names: Mapping[str, list[str]] | None = None,
    ) -> None:
        self.now = NOW
        self.told: list[Event] = []
        self._news = asyncio.Event()
        self.store = store or MemoryStore()
        self.enforcer = ScriptedEnforcer()
        self.source = ScriptSource("log", text)
        self.settings = JailSettings(
            name="j",
            filter=FilterSettings(
                name="f",
                failregex=(Regex("^fail <HOST>$"),),
                datepattern=Regex("{NONE}"),
                usedns="yes",
            ),
            maxretry=3,
            findtime=Seconds(600),
            bantime=Seconds(60),
            enforcement=Enforcement("j"),
        )
        self.policy = JailPolicy(self.settings, ExemptList(ignoreip))
        self.jails = Jails({"j": self.policy}, emit_every=self.tell_every, on_due=lambda: None)

        async def open_store() -> Store:
            if self.store.trouble:
                raise self.store.trouble
            return self.store

        self.enforcing = EnforcementTask(
            self.enforcer,
            open_store,
            emit=self.tell,
            clock=lambda: self.now,
            on_memory=lambda memory: self.jails.restore_bans(memory, self.now),
        )
        self.pipeline = Pipeline(
            self.source,
            [JailWatch(Matcher("j", self.settings.filter, self.settings.findtime))],
            jails=self.jails,
            enforcing=self.enforcing,
            resolver=Names(names or {}),
            emit=self.tell,
            clock=lambda: self.now,
        )
        self._tasks: list[asyncio.Task[None]] = []

    def tell(self, event: Event) -> None:
        """Keep *event* and wake whoever waits for news."""
        self.told.append(event)
        self._news.set()

    def tell_every(self, events: Sequence[Event]) -> None:
        """Keep all of *events*."""
        for event in singly(events):
            self.tell(event)

    async def open(self, *, with_store: bool = True) -> None:
        """Begin as a server does, or as one whose database cannot be opened yet."""
        memory = await self.store.load(self.now) if with_store else Memory()
        bans = self.jails.restore(memory, self.now)
        if with_store:
            self.enforcing.use_store(self.store)
        await self.enforcing.begin([Enforcement("j")], bans)
        self.pipeline.resume(memory.positions)
        parts: list[Callable[[], Awaitable[None]]] = [
            self.enforcing.run,
            self.enforcing.watch,
            self.pipeline.run,
            self.pipeline.prepare,
        ]
        self._tasks = [asyncio.ensure_future(part()) for part in parts]

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Return once *is_so*, looked at whenever something is told."""
        async with asyncio.timeout(10):
            while not is_so():
                for task in self._tasks:
                    if task.done():
                        task.result()
                self._news.clear()
                # What is written into the store is not told.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.02)

    def heard(self, kind: type[Event]) -> int:
        """Return how many events of *kind* were told."""
        return sum(isinstance(event, kind) for event in self.told)

    async def crash(self) -> None:
        """End without finishing anything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """End in order; the store can be looked at still."""
        await self.crash()
        await self.enforcing.finish(keep=False)
        assert self.store.is_closed
        self.store.is_closed = False

    def banned(self) -> set[str]:
        """Return what the firewall holds."""
        return {subject.text for subject in self.enforcer.bans.get("j", {})}


def fails(*addresses: str) -> bytes:
    """Return a log line for each failure."""
    return b"".join(f"fail {address}\n".encode() for address in addresses)


Step = Callable[[Stage], Awaitable[None]]
"""Something that happens on a stage that is open."""


def logs(*addresses: str) -> Step:
    """The log gets a line of failure for each of *addresses*."""

    async def step(stage: Stage) -> None:
        stage.source.write(fails(*addresses))

    return step


def hears(kind: type[Event], times: int = 1) -> Step:
    """The story goes on once *kind* was emitted so many times in all."""
    return lambda stage: stage.until(lambda: stage.heard(kind) == times)


def play(stage: Stage, *steps: Step) -> Stage:
    """Open *stage*, let *steps* happen in order, and close it; it can be looked at still."""

    async def story() -> None:
        await stage.open()
        for step in steps:
            await step(stage)
        await stage.close()

    asyncio.run(story())
    return stage
