"""What is written a part at a time reads as what is written at once."""

import asyncio
import pickle

import pytest

from banish.control.fail2ban.answers import Value
from banish.control.fail2ban.pickling import AT_ONCE, pickled_in_turns, pickled_reply

MANY = [f"192.0.2.{n}" for n in range(2 * AT_ONCE + 1)]


@pytest.mark.parametrize(
    "value",
    [
        [], (), {}, "", None, 7, MANY, tuple(MANY),
        [{"sshd": MANY}, {"nginx": []}], [MANY[:AT_ONCE]],
        [("Filter", [("Currently failed", 0), ("File list", [])]), ("Banned IP list", MANY)],
        {"sshd": ["polling", (0, 1), (2, 300)]}, [1, "a", None, True, 2.5, -7, 2**40, ["a", 1]],
    ],
)  # fmt: skip
def test_a_reply_in_parts_reads_as_the_whole(value: Value) -> None:
    written = asyncio.run(pickled_in_turns(0, value))
    assert pickle.loads(written) == (0, value) == pickle.loads(pickled_reply(0, value))


def test_others_have_their_turn_while_a_large_reply_is_written() -> None:
    async def scene() -> int:
        turns = 0
        writing = asyncio.ensure_future(pickled_in_turns(0, MANY * 10))
        while not writing.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(scene()) > len(MANY) * 10 // AT_ONCE
