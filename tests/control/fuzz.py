"""Throws damaged and made-up frames at both protocols of a running server.

``python -m tests.control.fuzz --frames 1000000 --seed 7`` makes the long run; a test makes a
short one. Each frame is a good one with some bytes changed, cut, doubled or put in, or opcodes
of pickles in any order. What counts: the server answers a good request after every batch, and
no exception reaches the event loop.
"""

import argparse
import asyncio
import pickle
import pickletools
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from banish.control import messages
from banish.control.fail2ban.answers import Value
from banish.control.fail2ban.bridge import END, Fail2BanBridge
from banish.control.listener import Peer
from banish.control.server import ControlServer
from banish.testing.operations import MemoryOperations

BATCH = 500
"""Frames of one connection, where none of them ends it."""

OPCODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]

COMMANDS: list[list[object]] = [
    ["ping"],
    ["status", "sshd"],
    ["set", "sshd", "banip", "192.0.2.1", "2001:db8::1"],
    ["multi-set", "sshd", "action", "a", [["actionban", "x"], ["timeout", 60]]],
    ["get", "sshd", "banip", "--with-time"],
    ["echo", {"a": (1, 2.5, None, True)}, "ä", b"x"],
]


class Report(msgspec.Struct):
    """What a run came to."""

    frames: int = 0
    answered: int = 0
    """Good requests that were answered between the batches."""
    hung_up: int = 0
    """Connections that the server ended."""
    faults: list[str] = []
    """What reached the event loop, or was not answered."""


class Echo:
    """Answers every command with itself."""

    async def answer(self, command: list[Value], peer: Peer) -> Value:
        return command


def damaged(dice: random.Random, good: bytes) -> bytes:
    """Return *good* with some bytes changed, cut, doubled or put in."""
    data = bytearray(good)
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(5):
            case 0 if data:
                data[at % len(data)] = dice.randrange(256)
            case 1:
                data[at:at] = dice.choice(OPCODES)
            case 2:
                del data[at : at + dice.randrange(8)]
            case 3:
                data[at:at] = data[at : at + dice.randrange(16)]
            case _:
                data[at:at] = dice.randbytes(dice.randrange(8))
    return bytes(data)


def pickle_frame(dice: random.Random) -> bytes:
    """Return a frame for Fail2Ban's protocol."""
    if dice.random() < 0.2:
        pieces = [dice.choice(OPCODES) + dice.randbytes(dice.randrange(6)) for _ in range(20)]
        return b"\x80\x04" + b"".join(pieces) + b"." + END
    return damaged(dice, pickle.dumps(dice.choice(COMMANDS), dice.randrange(6))) + END


def json_frame(dice: random.Random) -> bytes:
    """Return a line for our own protocol."""
    requests: list[messages.Request] = [
        messages.StatusRequest(),
        messages.BansRequest("sshd"),
        messages.BanRequest("sshd", ("192.0.2.1",)),
        messages.WhyRequest("192.0.2.1"),
    ]
    line = messages.encode_request(dice.choice(requests)).rstrip(b"\n")
    frame = damaged(dice, line).replace(b"\n", b" ")
    # A line that begins otherwise ends the connection, and the rest of the batch is not read.
    is_other = dice.random() < 0.0005
    return (frame if is_other or frame.startswith(b"{") else b"{" + frame) + b"\n"


async def throw(
    path: Path,
    frames: int,
    make: Callable[[], bytes],
    good: bytes,
    expected: bytes,
    report: Report,
) -> None:
    """Send *frames* frames, a batch a connection, and a good request after each batch."""
    while report.frames < frames:
        count = min(BATCH, frames - report.frames)
        batch = b"".join(make() for _ in range(count))
        report.frames += count
        if not await _send(path, batch):
            report.hung_up += 1
        if expected in await _ask(path, good):
            report.answered += 1
        else:
            report.faults.append(f"no answer after frame {report.frames}")
            return


async def _send(path: Path, data: bytes) -> bool:
    """Send *data* and read all answers; whether the server read it to its end."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        async with asyncio.timeout(60):
            reading = asyncio.create_task(reader.read(-1))
            writer.write(data)
            writer.write_eof()
            await reading
            return True
    except OSError:
        return False
    finally:
        writer.close()


async def _ask(path: Path, good: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        async with asyncio.timeout(60):
            writer.write(good)
            writer.write_eof()
            return await reader.read(-1)
    finally:
        writer.close()


def run(protocol: str, frames: int, seed: int) -> Report:
    """Throw *frames* frames of *protocol*, ``fail2ban`` or ``json``."""
    dice, report = random.Random(seed), Report()

    async def play(folder: Path) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: report.faults.append(str(context)))
        path = folder / "s.sock"
        server: Fail2BanBridge | ControlServer
        if protocol == "fail2ban":
            server = Fail2BanBridge(path, Echo(), lambda _: None)
            good = pickle.dumps(["ping"], 2) + END
            make, expected = (lambda: pickle_frame(dice)), b"ping"
        else:
            server = ControlServer(path, MemoryOperations(), lambda _: None)
            good = messages.encode_request(messages.StatusRequest())
            make, expected = (lambda: json_frame(dice)), b'"say":"status"'
        await server.start()
        try:
            await throw(path, frames, make, good, expected, report)
        finally:
            await server.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))
    return report


def main() -> int:
    """Make the run that the command line asks for, and print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    code = 0
    for protocol in ("fail2ban", "json"):
        began = time.monotonic()
        report = run(protocol, options.frames, options.seed)
        sys.stdout.write(
            f"{protocol}: {report.frames:,} frames in {time.monotonic() - began:.0f} s, "
            f"{report.answered:,} good requests answered between them, {report.hung_up:,} "
            f"connections ended by the server, {len(report.faults)} faults\n"
        )
        for fault in report.faults[:5]:
            sys.stdout.write(f"    {fault}\n")
        code = code or bool(report.faults)
    return code


if __name__ == "__main__":
    sys.exit(main())
