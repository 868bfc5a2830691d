from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from banish.ports import Store
from banish.store.sqlite_store import SqliteStore
from banish.telemetry.happenings import Happening
from tests.store.contract import OpenStore, StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture(params=["file", ":memory:", "None"])
    def open_store(self, request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
        where = str(tmp_path / "a.sqlite3") if request.param == "file" else str(request.param)
        told: list[Happening] = []

        @asynccontextmanager
        async def open_store() -> AsyncIterator[Store]:
            store = await SqliteStore.open(where, told.append)
            yield store
            await store.close()
            assert told == []

        return open_store
