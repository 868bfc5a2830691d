"""How many requests begin in one round of the event loop."""

import asyncio
from collections import Counter

from banish.control.turns import Turns


async def rounds_of(turns: Turns, requests: int) -> tuple[list[int], list[int]]:
    """Return who began in which order, and how many began in each round."""
    order: list[int] = []
    begun: Counter[int] = Counter()
    number = 0

    async def ask(who: int) -> None:
        await turns.take()
        order.append(who)
        begun[number] += 1

    asking = [asyncio.ensure_future(ask(who)) for who in range(requests)]
    while not all(task.done() for task in asking):
        number += 1
        await asyncio.sleep(0)
    return order, list(begun.values())


def test_no_more_requests_than_the_limit_begin_in_a_round_and_all_in_order() -> None:
    order, begun = asyncio.run(rounds_of(Turns(4), 64))
    assert order == list(range(64))
    assert max(begun) <= 8  # those that were let in, and those that came first in the next round
    assert len(begun) >= 8


def test_one_request_waits_for_nobody() -> None:
    async def alone() -> None:
        turns = Turns(1)
        for _ in range(3):
            await asyncio.wait_for(turns.take(), 1)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    asyncio.run(alone())


def test_whoever_gives_up_waiting_takes_no_turn_from_others() -> None:
    async def scene() -> list[str]:
        turns, begun = Turns(1), []

        async def ask(who: str) -> None:
            await turns.take()
            begun.append(who)

        tasks = {who: asyncio.ensure_future(ask(who)) for who in "abc"}
        await asyncio.sleep(0)
        tasks["b"].cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        return begun

    assert asyncio.run(scene()) == ["a", "c"]
