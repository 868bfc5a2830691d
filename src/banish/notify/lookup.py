"""Finds out about addresses: their DNS names, and what ``whois`` says. All of it in bounds.

Both are asked of machines that an attacker may own: answers may never come, be
huge, or hold anything. So each question has a time limit, few are asked at once,
answers are cut, and what cannot be known is left out of the message.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import TypeVar

from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Seconds
from banish.notify import program
from banish.notify.wording import line, word
from banish.ports import BanFacts

T = TypeVar("T")

NAMES_LIMIT = 20
"""Names looked up for one message."""

WHOIS_LIMIT = 3
"""Addresses that whois is asked about for one message."""

NAMES_AT_ONCE = 2
"""Each takes a thread of the few that all parts of the server share."""

NAME_SPAN = Seconds(5)
WHOIS_SPAN = Seconds(10)
"""How long the answers may take for one message."""

SLACK = Seconds(NAME_SPAN + WHOIS_SPAN)
"""The most that all questions for one message take."""

WHOIS_BYTES = 32_768
WHOIS_LINES = 60
"""How much of an answer is read, and how much of that is shown."""

CACHE_LIMIT = 256
"""Answers of whois that are kept."""


class Lookup:
    """Asks about the addresses of one action's bans."""

    def __init__(
        self, facts: BanFacts, *, names: bool, whois: bool, whois_program: str = "whois"
    ) -> None:
        """Look up *names*, and ask the program whois where *whois* says so."""
        self._facts = facts
        self._names = names
        self._whois = whois
        self._program = whois_program
        self._kept: OrderedDict[Subject, tuple[str, ...]] = OrderedDict()

    async def host(self) -> str:
        """Return the name of this host."""
        whole, short = await self._facts.names()
        return word(whole or short or "localhost")

    async def names(self, bans: Sequence[Ban]) -> dict[Subject, str]:
        """Return the DNS name of each address that has one, in time."""
        chosen = _addresses(bans)[:NAMES_LIMIT] if self._names else []
        room = asyncio.Semaphore(NAMES_AT_ONCE)

        async def ask(address: Subject) -> str:
            async with room:
                return await self._facts.host_of(address)

        tasks = {each: asyncio.create_task(ask(each)) for each in chosen}
        if tasks:
            await _wait(tasks.values(), NAME_SPAN)
        return {
            each: word(task.result())
            for each, task in tasks.items()
            if task.done() and not task.cancelled() and task.result()
        }

    async def whois(self, bans: Sequence[Ban]) -> dict[Subject, tuple[str, ...]]:
        """Return what whois says of each address, line by line; no more than a few."""
        if not self._whois:
            return {}
        wanted = _addresses(bans)[:WHOIS_LIMIT]
        asked = [each for each in wanted if each not in self._kept]
        tasks = {each: asyncio.create_task(self._ask(each)) for each in asked}
        if tasks:
            await _wait(tasks.values(), WHOIS_SPAN)
        for each, task in tasks.items():
            if task.done() and not task.cancelled() and task.result():
                self._kept[each] = task.result()
        while len(self._kept) > CACHE_LIMIT:
            self._kept.popitem(last=False)
        return {each: self._kept[each] for each in wanted if each in self._kept}

    async def _ask(self, address: Subject) -> tuple[str, ...]:
        try:
            ended = await program.run([self._program, address.text], most_bytes=WHOIS_BYTES)
        except OSError:
            return (f"(the program {self._program} is not installed)",)
        return useful_lines(ended.output)


async def _wait(tasks: Collection[asyncio.Task[T]], span: Seconds) -> None:
    """Wait for *tasks* for a while, and end those that take longer."""
    try:
        await asyncio.wait(tasks, timeout=span)
    finally:
        late = [task for task in tasks if not task.done()]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def _addresses(bans: Sequence[Ban]) -> list[Subject]:
    found = (ban.address or ban.seen or ban.subject for ban in bans)
    return list(dict.fromkeys(each for each in found if each.is_address))


def useful_lines(answer: bytes) -> tuple[str, ...]:
    """Return the lines of an answer of whois that tell something, bounded."""
    found: list[str] = []
    for text in answer.decode("utf-8", "replace").splitlines():
        kept = text.strip()
        if not kept or kept.startswith(("%", "#", ">>>")):
            continue
        if len(found) == WHOIS_LINES:
            found.append("…")
            break
        found.append(line(kept, 200))
    return tuple(found)
