"""Old history is forgotten soon after the start, and then now and then."""

import asyncio
from itertools import islice
from pathlib import Path

import pytest

from banish.daemon.housekeeping import keep_house, pauses
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.decision import EndBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Commit
from banish.store.sqlite_store import SqliteStore

DAY = Seconds(86_400)


@pytest.mark.parametrize(
    ("age", "due"), [(DAY, 3_600), (Seconds(300), 300), (Seconds(0), 60), (Seconds(3_600), 3_600)]
)
def test_history_is_looked_at_a_minute_after_the_start_and_then_at_most_an_hour_apart(
    age: Seconds, due: float
) -> None:
    assert list(islice(pauses(lambda: age), 4)) == [60, due, due, due]


def test_what_ended_long_ago_and_what_ran_out_unseen_is_settled_at_the_first_look(
    tmp_path: Path,
) -> None:
    """A server that never runs for an hour forgets, too."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 1:
            raise asyncio.CancelledError

    async def play() -> dict[str, str]:
        now = 10 * DAY
        store = await SqliteStore.open(tmp_path / "db", lambda _: None)
        old = Ban("sshd", parse_subject("192.0.2.1"), Instant(0), Instant(600))
        unseen = Ban("sshd", parse_subject("192.0.2.2"), Instant(now - 900), Instant(now - 300))
        decisions = (StartBan(old), EndBan(old, "expired"), StartBan(unseen))
        await store.commit([Commit(Instant(600), decisions)])
        with pytest.raises(asyncio.CancelledError):
            await keep_house(lambda: store, lambda: DAY, lambda: Instant(now), sleep)
        found = await store.history(limit=9)
        await store.close()
        return {ban.subject.text: ban.end_reason for ban in found}

    assert asyncio.run(play()) == {"192.0.2.2": "expired"}
    assert slept == [60, 3_600]


def test_without_a_database_it_waits_for_the_next_look() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 2:
            raise asyncio.CancelledError

    async def play() -> None:
        await keep_house(lambda: None, lambda: DAY, lambda: Instant(0), sleep)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(play())
    assert len(slept) == 3
