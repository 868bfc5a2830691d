import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from banish.errors import StoreError
from banish.model.decision import StartBan
from banish.model.instant import Instant
from banish.ports import Store
from banish.testing.memory_store import MemoryStore
from tests.store.contract import OpenStore, StoreContract, ban_of, commit


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        @asynccontextmanager
        async def open_store() -> AsyncIterator[Store]:
            yield MemoryStore()

        return open_store

    def test_it_fails_when_told_to_and_works_again(self) -> None:
        async def script() -> None:
            store = MemoryStore()
            store.trouble = StoreError("no room")
            with pytest.raises(StoreError, match="no room"):
                await store.commit([commit(StartBan(ban_of()))])
            store.trouble = None
            assert (await store.load(Instant(0))).jails == {}
            assert store.commits == []

        asyncio.run(script())
