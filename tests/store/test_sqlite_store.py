import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from banish.errors import StoreError
from banish.model.instant import Instant
from banish.model.snapshot import Commit
from banish.ports import Store
from banish.store import sqlite_store
from banish.store.sqlite_store import SqliteStore
from banish.telemetry.events import Event
from tests.store.contract import OpenStore, StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture(params=["file", ":memory:", "None"])
    def open_store(
        self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> OpenStore:
        monkeypatch.setattr(sqlite_store, "SLICE_ROWS", 4)
        where = str(tmp_path / "a.sqlite3") if request.param == "file" else str(request.param)
        told: list[Event] = []

        @asynccontextmanager
        async def open_store() -> AsyncIterator[Store]:
            store = await SqliteStore.open(where, told.append)
            yield store
            await store.close()
            assert told == []

        return open_store


ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


def test_a_read_that_is_to_end_before_its_first_statement_ends_all_the_same(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        store = await SqliteStore.open(tmp_path / "a.sqlite3", print)
        database = store._database

        def read(connection: sqlite3.Connection) -> None:
            database.interrupt()
            connection.execute(ENDLESS).fetchall()

        async with asyncio.timeout(20):
            with pytest.raises(StoreError, match="interrupted"):
                await store._reading(lambda: database._read(read))
            await store.commit([Commit(Instant(1))])
            await store.close()

    asyncio.run(play())


def test_a_read_that_nobody_waits_for_is_ended_and_writing_goes_on(tmp_path: Path) -> None:
    async def play() -> None:
        store = await SqliteStore.open(tmp_path / "a.sqlite3", print)
        database = store._database
        read = asyncio.create_task(
            store._reading(lambda: database._read(lambda each: each.execute(ENDLESS).fetchall()))
        )
        while not database._is_reading:  # noqa: ASYNC110 - it is another thread's
            await asyncio.sleep(0)
        read.cancel()
        async with asyncio.timeout(20):
            await asyncio.wait({read})
            await store.commit([Commit(Instant(1))])
            database.interrupt()
            await store.close()

    asyncio.run(play())
