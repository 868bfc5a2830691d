"""A source whose log is a script in memory: the test writes, the source yields.

It keeps every promise of `banish.ports.Source`, held to the same contract
suite as the sources that read real logs.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping

from banish.detect.framing import LineFramer
from banish.model.instant import Instant
from banish.model.record import Batch, FilePosition, Fingerprint, Position
from banish.model.status import SourceHealth

_FINGERPRINT = Fingerprint(device=0, inode=1, head_bytes=0, head="")


class ScriptSource:
    r"""Yields what `write` was given, in blocks of whole lines.

    Args:
        name: The source's name; positions are kept under it.
        text: What stands in the log before anybody reads: not live.
        path: The path that batches give.
        block_bytes: Most that one batch holds, rounded up to a whole line.

    """

    def __init__(
        self,
        name: str = "script",
        text: bytes = b"",
        *,
        path: str = "/var/log/script.log",
        block_bytes: int = 65_536,
    ) -> None:
        self._name = name
        self._path = path
        self._block_bytes = block_bytes
        self._text = bytearray(text)
        self._trouble = ""
        self._changed = asyncio.Event()
        self._placed = asyncio.Event()
        self._read_to = 0
        self._lines = 0
        self._bytes = 0
        self._cut_lines = 0
        self._now: Instant | None = None

    @property
    def name(self) -> str:
        """What positions and health are kept by."""
        return self._name

    def write(self, text: bytes, at: Instant | None = None) -> None:
        """Append to the log; a line comes out once it has its end."""
        self._text += text
        self._now = at if at is not None else self._now
        self._changed.set()

    def fail(self, detail: str) -> None:
        """Let the log be unreadable until `repair`."""
        self._trouble = detail or "unreadable"

    def mend(self) -> None:
        """Let the log be readable again."""
        self._trouble = ""
        self._changed.set()

    async def batches(self, after: Mapping[str, Position]) -> AsyncGenerator[Batch]:
        """Yield blocks of whole lines, from just after the given position, for ever."""
        position = after.get(self._name)
        framer = LineFramer(position.offset if isinstance(position, FilePosition) else 0)
        live = framer.end >= len(self._text)
        self._placed.set()
        while True:
            self._changed.clear()
            while not self._trouble and framer.end < len(self._text):
                block = bytes(self._text[framer.end : framer.end + self._block_bytes])
                for chunk in framer.feed(block):
                    self._read_to = chunk.end
                    self._lines += chunk.block.count(b"\n")
                    self._bytes += chunk.end - chunk.start
                    self._cut_lines += chunk.cut
                    yield Batch(
                        source=self._name,
                        path=self._path,
                        block=chunk.block,
                        after=FilePosition(self._path, _FINGERPRINT, chunk.end),
                        live=live,
                        start=chunk.start,
                        cut=chunk.cut,
                    )
            live = live or not self._trouble
            await self._changed.wait()

    async def placed(self) -> None:
        """Return once `batches` has begun."""
        await self._placed.wait()

    def health(self) -> SourceHealth:
        """Return how the source is doing; never waits."""
        return SourceHealth(
            name=self._name,
            state="failing" if self._trouble else "reading",
            detail=self._trouble,
            paths=(self._path,),
            lines=self._lines,
            bytes=self._bytes,
            lag_bytes=len(self._text) - self._read_to,
            cut_lines=self._cut_lines,
            last_line_at=self._now,
        )
