"""The systemd journal, from real journal files."""

import asyncio
import builtins
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from banish.errors import SourceError
from banish.model.instant import Instant, Seconds
from banish.model.record import JournalPosition
from banish.sources.journal import JournalSource
from banish.sources.journalfiles import JournalFiles
from banish.sources.journalwatch import JournalWatch
from banish.telemetry.events import Event, SourceChanged, WarningGiven
from tests.sources.contract import (
    Rig,
    SourceContract,
    instances,
    lines_of,
    played,
    reading,
    saved,
    take,
    take_batches,
    within,
)
from tests.sources.exported import JournalWriter, is_available, write_journal

pytest.importorskip("cysystemd")
pytestmark = pytest.mark.skipif(
    not is_available(), reason="needs systemd-journal-remote, Debian package of that name"
)

NOW = Instant(1_700_000_000.0)


class JournalRig(Rig):
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW
        self.told: list[Event] = []
        self.path = folder / "system.journal"
        self._writer: JournalWriter | None = None

    @property
    def writer(self) -> JournalWriter:
        if self._writer is None:
            self._writer = JournalWriter(self.path)
        return self._writer

    def clock(self) -> Instant:
        return self.now

    def source(self, *matches: tuple[str, ...], since: float = 60.0) -> JournalSource:
        return JournalSource(
            "journal",
            matches,
            emit=self.told.append,
            clock=self.clock,
            journal_path=str(self.folder),
            since=Seconds(since),
        )

    def write(self, *messages: str) -> None:
        """Write entries; they stand in the file when this returns."""
        self.begin(*messages)
        self.finish()

    def begin(self, *messages: str) -> None:
        """Hand entries to a writer that keeps the file open, and do not wait for it."""
        for message in messages:
            self.now = Instant(self.now + 1)
            self.writer.write({"_HOSTNAME": "box", "_COMM": "app", "MESSAGE": message}, self.now)

    def line(self, message: str) -> bytes:
        return b"box app: " + message.encode()

    def finish(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[JournalRig]:
    made = JournalRig(tmp_path)
    yield made
    made.finish()


class TestJournalSource(SourceContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        made = JournalRig(tmp_path)
        made.write("before everything")
        made.finish()
        # What came before is not this test's: start after it.
        made.now = Instant(made.now + 1000)
        yield made
        made.finish()


def test_only_matching_entries_come_out_with_their_own_time(rig: JournalRig) -> None:
    sshd = {"_HOSTNAME": "box", "SYSLOG_IDENTIFIER": "sshd", "_PID": "12", "_COMM": "sshd"}
    write_journal(
        rig.path,
        ({**sshd, "_SYSTEMD_UNIT": "ssh.service", "MESSAGE": "unit and name"}, NOW - 4.5),
        ({**sshd, "_SYSTEMD_UNIT": "user.service", "MESSAGE": "name only"}, NOW - 3),
        ({"_SYSTEMD_UNIT": "nginx.service", "_HOSTNAME": "box", "MESSAGE": "other"}, NOW - 2),
        # Anybody can claim to be sshd in a field without underscore.
        ({"SYSLOG_IDENTIFIER": "sshd", "_COMM": "logger", "MESSAGE": "forged"}, NOW - 1),
    )

    async def work() -> None:
        matches = ("_SYSTEMD_UNIT=ssh.service", "_COMM=sshd", "+", "_SYSTEMD_UNIT=nginx.service")
        async with reading(rig.source(matches)) as batches:
            (batch,) = await take_batches(batches, 2)
        assert batch.block == b"box sshd[12]: unit and name\nbox other\n"
        assert batch.times == (NOW - 4.5, NOW - 2)
        assert batch.path == "journal"
        assert isinstance(batch.after, JournalPosition)

    played(work)


def test_without_a_position_reading_begins_a_span_ago(rig: JournalRig) -> None:
    write_journal(
        rig.path,
        ({"MESSAGE": "long ago"}, NOW - 100),
        ({"MESSAGE": "lately"}, NOW - 50),
    )

    async def work() -> None:
        async with reading(rig.source(since=60)) as batches:
            assert await take(batches, 1) == [b"lately"]

    played(work)


def test_new_entries_come_out_while_the_writer_writes(rig: JournalRig) -> None:
    async def work() -> None:
        rig.write("one")
        async with reading(rig.source()) as batches:
            assert await take(batches, 1) == rig.lines("one")
            for number in range(20):
                rig.begin(f"{number}")
                (batch,) = await take_batches(batches, 1)
                assert batch.block == rig.line(f"{number}") + b"\n"

    played(work)


def test_rotation_and_vacuum_lose_and_double_nothing(rig: JournalRig) -> None:
    async def work() -> None:
        rig.write("one")
        async with reading(rig.source()) as batches:
            assert await take(batches, 1) == rig.lines("one")
            rig.write("two")
            rig.finish()
            rig.path.rename(rig.folder / "system@archived.journal")
            rig.write("three")
            assert await take(batches, 2) == rig.lines("two", "three")
            rig.finish()
            (rig.folder / "system@archived.journal").unlink()
            rig.path.rename(rig.folder / "system@second.journal")
            rig.write("four")
            assert await take(batches, 1) == rig.lines("four")

    played(work)


def sharing(rig: JournalRig, count: int) -> list[JournalSource]:
    watch = JournalWatch(JournalFiles(str(rig.folder)), rig.told.append)
    return [
        JournalSource(
            f"journal {number}",
            (("_COMM=app",), (f"_PID={number}",)),
            emit=rig.told.append,
            clock=rig.clock,
            watch=watch,
        )
        for number in range(count)
    ]


def test_thirty_jails_of_one_journal_take_one_inotify_instance(rig: JournalRig) -> None:
    async def work() -> None:
        rig.write("one")
        before = instances()
        async with AsyncExitStack() as stack:
            followed = [
                await stack.enter_async_context(reading(source)) for source in sharing(rig, 30)
            ]

            async def all_take(*messages: str) -> None:
                wanted = rig.lines(*messages)
                found = await asyncio.gather(*(take(each, len(messages)) for each in followed))
                assert found == [wanted] * len(followed)

            await all_take("one")
            assert instances() == before + 1
            soon = asyncio.ensure_future(all_take("two"))
            await asyncio.sleep(0)
            rig.write("two")
            await soon
            rig.finish()
            rig.path.rename(rig.folder / "system@archived.journal")
            rig.write("three")
            await all_take("three")
            assert instances() == before + 1
        assert instances() == before

    played(work)


def test_a_source_that_ends_leaves_the_others_watching(rig: JournalRig) -> None:
    async def work() -> None:
        rig.write("one")
        first, second = sharing(rig, 2)
        async with reading(second) as staying:
            async with reading(first) as leaving:
                await take(leaving, 1)
                await take(staying, 1)
            rig.begin("two")
            assert await take(staying, 1) == rig.lines("two")

    played(work)


def test_without_inotify_a_rotated_journal_is_followed_all_the_same(
    rig: JournalRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cysystemd.reader import JournalReader

    def refused(_: JournalReader) -> int:
        raise SystemError("Too many open files")

    class Deaf(JournalReader):  # type: ignore[misc]
        fd = property(refused)

    monkeypatch.setattr("cysystemd.reader.JournalReader", Deaf)
    monkeypatch.setattr("banish.sources.journalwatch.POLL_SPAN", 0.005)
    monkeypatch.setattr("banish.sources.journalwatch.SAFETY_SPAN", 0.02)

    async def work() -> None:
        rig.write("one")
        before = instances()
        first, second = sharing(rig, 2)
        async with reading(first) as one, reading(second) as two:
            for each in (one, two):
                assert await take(each, 1) == rig.lines("one")
            rig.path.rename(rig.folder / "system@archived.journal")
            rig.write("two")
            for each in (one, two):
                assert await take(each, 1) == rig.lines("two")
            assert instances() == before
        (warning,) = [each for each in rig.told if isinstance(each, WarningGiven)]
        assert "fs.inotify.max_user_instances" in warning.what

    played(work)


def test_a_journal_whose_files_are_deleted_is_waited_for(
    rig: JournalRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("banish.sources.journal.SAFETY_SPAN", 0.01)
    monkeypatch.setattr("banish.sources.journalwatch.SAFETY_SPAN", 0.01)

    async def work() -> None:
        rig.write("one")
        source = rig.source()
        async with reading(source) as batches:
            assert await take(batches, 1) == rig.lines("one")
            rest = asyncio.ensure_future(take(batches, 1))
            rig.finish()
            rig.path.unlink()
            while source.health().state != "waiting":  # noqa: ASYNC110 - nobody is told of it
                await asyncio.sleep(0.01)
            rig.write("two")
            assert await within(rest) == rig.lines("two")

    played(work)


def test_a_cursor_that_is_gone_is_replaced_by_its_time(rig: JournalRig) -> None:
    async def work() -> None:
        rig.write("one", "two")
        async with reading(rig.source()) as batches:
            known = saved(await take_batches(batches, 2))
        rig.finish()
        rig.path.unlink()
        write_journal(
            rig.path,
            ({"MESSAGE": "older"}, rig.now - 0.5),
            ({"MESSAGE": "newer"}, rig.now + 0.5),
        )
        rig.now = Instant(rig.now + 10)
        async with reading(rig.source(), known) as batches:
            assert await take(batches, 1) == [b"newer"]
        assert any(isinstance(each, SourceChanged) for each in rig.told)

    played(work)


def test_a_saved_text_that_is_no_cursor_does_no_harm(rig: JournalRig) -> None:
    async def work() -> None:
        write_journal(rig.path, ({"MESSAGE": "one"}, NOW))
        known = {"journal": JournalPosition("nonsense", Instant(NOW - 1))}
        async with reading(rig.source(), known) as batches:
            assert await take(batches, 1) == [b"one"]

    played(work)


def test_a_clock_set_back_does_not_hide_what_comes_now(rig: JournalRig) -> None:
    async def work() -> None:
        write_journal(rig.path, ({"MESSAGE": "one"}, NOW))
        known = {"journal": JournalPosition("", Instant(NOW + 86_400))}
        async with reading(rig.source(), known) as batches:
            assert await take(batches, 1) == [b"one"]

    played(work)


def test_odd_entries_are_rendered_and_cannot_forge_a_line(rig: JournalRig) -> None:
    write_journal(
        rig.path,
        ({"_HOSTNAME": "box", "_COMM": "app", "MESSAGE": "a\nbox sshd[1]: b"}, NOW),
        ({"_HOSTNAME": "box", "_COMM": "app", "MESSAGE": b"\xff\xfe bytes"}, NOW + 1),
        ({"_HOSTNAME": "box", "_COMM": "app"}, NOW + 2),
        ({"_COMM": ["first", "second"], "MESSAGE": "twice"}, NOW + 3),
    )

    async def work() -> None:
        async with reading(rig.source(("_COMM=app", "_COMM=second"))) as batches:
            assert await take(batches, 4) == [
                b"box app: a\\nbox sshd[1]: b",
                "box app: \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} bytes".encode(),
                b"box app:",
                b"first: twice",
            ]

    played(work)


def test_a_journal_that_is_not_there_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("banish.sources.journal.SAFETY_SPAN", 0.005)
    folder = tmp_path / "later"
    source = JournalSource(
        "journal", (), emit=lambda _: None, clock=lambda: NOW, journal_path=str(folder)
    )

    async def work() -> None:
        async with reading(source) as batches:
            following = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(0)
            assert source.health().state == "waiting"
            assert str(folder) in source.health().detail
            write_journal(tmp_path / "made.journal", ({"MESSAGE": "one"}, NOW))
            folder.mkdir()
            (tmp_path / "made.journal").rename(folder / "system.journal")
            assert lines_of([await within(following)]) == [b"one"]
            assert source.health().state == "reading"

    played(work)


def test_a_file_that_is_no_journal_is_told_with_a_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("banish.sources.journal.SAFETY_SPAN", 0.005)
    path = tmp_path / "system.journal"
    path.write_bytes(b"x" * 1000)
    told: list[Event] = []
    source = JournalSource(
        "journal", (), emit=told.append, clock=lambda: NOW, journal_path=str(path)
    )

    async def work() -> None:
        async with reading(source) as batches:
            following = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(0)
            assert source.health().state == "failing"
            assert "journalctl --verify" in source.health().detail
            path.unlink()
            write_journal(path, ({"MESSAGE": "one"}, NOW))
            assert lines_of([await within(following)]) == [b"one"]
        assert [each.text().split(":")[1].strip() for each in told][-1] == "works again"

    played(work)


def test_a_missing_package_names_the_extra_to_install(
    rig: JournalRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_import = builtins.__import__

    def guarded(name: str, *rest: object, **named: object) -> object:
        if name.startswith("cysystemd"):
            raise ImportError(name)
        return really_import(name, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.delitem(sys.modules, "cysystemd.reader", raising=False)
    monkeypatch.setattr(builtins, "__import__", guarded)
    source = rig.source()

    async def work() -> None:
        async with reading(source) as batches:
            with pytest.raises(SourceError, match="cysystemd") as raised:
                await anext(batches)
            assert "-m pip install 'cysystemd" in raised.value.cure
        assert source.health().state == "failing"

    played(work)
