"""A service of the web on loopback that answers as a test says, and keeps what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web


class Asked(msgspec.Struct, frozen=True):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


Reply = Callable[[Asked], Awaitable[web.StreamResponse]]


class Service:
    """Answers 200 with an empty object, unless a test puts answers into `next` or sets `play`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.next: list[web.Response | None] = []
        """What is answered to the next requests; None: nothing, ever."""
        self.play: Callable[[Asked], web.Response] | None = None
        self.url = ""
        self._news = asyncio.Event()
        self._over = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(
            request.method,
            request.path,
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
            dict(request.query),
        )
        self.asked.append(asked)
        try:
            return await self._answer(asked)
        finally:
            self._news.set()

    async def _answer(self, asked: Asked) -> web.StreamResponse:
        self._news.set()
        if self.next:
            answer = self.next.pop(0)
            if answer is None:
                await self._over.wait()
                return web.Response()
            return answer
        return self.play(asked) if self.play is not None else web.json_response({})

    async def take(self, count: int = 1) -> Asked:
        """Wait for *count* requests; return the last."""
        async with asyncio.timeout(20):
            while len(self.asked) < count:
                self._news.clear()
                await self._news.wait()
        return self.asked[-1]

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until *is_so* after some request."""
        async with asyncio.timeout(20):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    def end(self) -> None:
        self._over.set()


@asynccontextmanager
async def service() -> AsyncIterator[Service]:
    """Give a service on loopback."""
    made = Service()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}"
    try:
        yield made
    finally:
        made.end()
        await runner.cleanup()
