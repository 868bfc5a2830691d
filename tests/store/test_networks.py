"""What is remembered of networks: their members, and the bans that theirs took in."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from banish.model.address import parse_subject
from banish.model.decision import EndBan, StartBan
from banish.model.instant import Instant
from banish.model.snapshot import Member, PastBan, Tally
from banish.ports import Store
from banish.store.sqlite_store import SqliteStore
from banish.telemetry.events import Event
from banish.testing.memory_store import MemoryStore
from tests.store.contract import ATTACKER, NETWORK, ban_of, commit

Play = Callable[[Callable[[Store], Coroutine[Any, Any, None]]], None]

MEMBERS = (Member(ATTACKER, Instant(10)), Member(parse_subject("2001:db8::/64"), Instant(20.5)))


@pytest.fixture(params=["sqlite", "memory"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    def play_it(script: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
        async def run() -> None:
            if request.param == "memory":
                await script(MemoryStore())
                return
            told: list[Event] = []
            store = await SqliteStore.open(str(tmp_path / "a.sqlite3"), told.append)
            await script(store)
            await store.close()

        asyncio.run(run())

    return play_it


def test_members_are_kept_with_or_without_failures_of_the_network_itself(play: Play) -> None:
    alone = Tally((), (), MEMBERS)
    both = Tally((Instant(5),), (), MEMBERS)

    async def script(store: Store) -> None:
        for tally in (alone, both):
            await store.commit([commit(tallies={NETWORK: tally})])
            assert (await store.load(Instant(30))).jails["sshd"].tallies == {NETWORK: tally}
        await store.commit([commit(tallies={NETWORK: None})])
        assert (await store.load(Instant(30))).jails["sshd"].tallies == {}

    play(script)


def test_a_ban_that_was_taken_in_is_known_as_such(play: Play) -> None:
    wide = msgspec.structs.replace(ban_of(NETWORK), cause="network")

    async def script(store: Store) -> None:
        folded = EndBan(ban_of(), "folded")
        await store.commit([commit(StartBan(ban_of())), commit(StartBan(wide), folded, at=1100)])
        memory = (await store.load(Instant(1200))).jails["sshd"]
        assert [ban.cause for ban in memory.bans] == ["network"]
        assert memory.past == {ATTACKER: PastBan(1, Instant(1000), Instant(1600), folded=True)}
        (ban,) = await store.history(limit=5, subject=ATTACKER)
        assert (ban.end_reason, ban.ended_at) == ("folded", Instant(1100))

    play(script)
