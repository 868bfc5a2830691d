"""The scripted source keeps the contract of the real ones."""

import pytest

from banish.model.instant import Instant
from banish.testing.script_source import ScriptSource
from tests.sources.contract import Rig, SourceContract, lines_of, played, reading, take


class ScriptRig(Rig):
    def __init__(self) -> None:
        self._text = b""
        self._sources: list[ScriptSource] = []

    def source(self) -> ScriptSource:
        self._sources.append(ScriptSource(text=self._text))
        return self._sources[-1]

    def write(self, *messages: str) -> None:
        text = b"".join(self.line(message) + b"\n" for message in messages)
        self._text += text
        for source in self._sources:
            source.write(text, Instant(1.0))

    def line(self, message: str) -> bytes:
        return message.encode()


class TestScriptSource(SourceContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return ScriptRig()

    def test_health_counts_what_was_read(self, rig: Rig) -> None:
        source = rig.source()
        rig.write("one")

        async def work() -> None:
            async with reading(source) as batches:
                await take(batches, 1)

        played(work)
        assert source.health().lines == 1
        assert source.health().last_line_at == 1.0


def test_a_failing_script_yields_nothing_until_it_is_mended() -> None:
    source = ScriptSource(text=b"one\n")

    async def work() -> None:
        source.fail("the disk is gone")
        assert source.health().state == "failing"
        async with reading(source) as batches:
            source.mend()
            assert await take(batches, 1) == [b"one"]
        assert source.health().state == "reading"

    played(work)


def test_an_incomplete_line_is_held_until_its_end_is_written() -> None:
    source = ScriptSource(text=b"one\ntw")

    async def work() -> None:
        async with reading(source) as batches:
            assert await take(batches, 1) == [b"one"]
            source.write(b"o\n")
            batch = await anext(batches)
            assert lines_of([batch]) == [b"two"]
            assert batch.start == 4

    played(work)
