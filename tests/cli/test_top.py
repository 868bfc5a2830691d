"""``banish top``: what somebody sees on the screen, and what the keys do."""

import asyncio
import os
import pty
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from banish.control.client import Client
from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.failure import Evidence
from banish.model.instant import Instant
from banish.telemetry.events import BanEnded, BanStarted, Event, WarningGiven
from banish.testing.operations import NOON, MemoryOperations, serving

pytest.importorskip("textual")

from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from banish.cli.topview import TopView

ONE, OTHER = parse_subject("192.0.2.1"), parse_subject("192.0.2.2")

MARKUP = "Failed password for [red]root[/red] from 192.0.2.1"


def ban_of(subject: Subject) -> Ban:
    evidence = (Evidence(MARKUP, "/var/log/auth.log", 0, NOON),)
    return Ban("sshd", subject, since=NOON, until=Instant(NOON + 600), evidence=evidence)


@pytest.fixture
def operations() -> MemoryOperations:
    made = MemoryOperations(("sshd", "web"))
    made.in_force["sshd", ONE] = ban_of(ONE)
    return made


def text_of(view: TopView, name: str) -> str:
    return str(view.query_one(name, Static).render())


def rows_of(view: TopView, name: str) -> list[list[str]]:
    table: DataTable[object] = view.query_one(name, DataTable)
    return [[str(cell) for cell in table.get_row_at(at)] for at in range(table.row_count)]


async def until(pilot: Pilot[None], is_so: Callable[[], bool]) -> None:
    for _ in range(500):
        if is_so():
            return
        await pilot.pause(0.02)
    raise AssertionError(f"never so: {pilot.app.screen}")


def watch(
    path: Path,
    operations: MemoryOperations,
    look: Callable[[TopView, Pilot[None]], Awaitable[None]],
) -> None:
    """Show the view of a server with *operations*, and *look* at it."""

    async def run() -> None:
        view = TopView(Client(path / "banish.sock"))
        async with view.run_test(size=(140, 40)) as pilot:
            await until(pilot, lambda: bool(rows_of(view, "#jails") and rows_of(view, "#bans")))
            await look(view, pilot)

    with serving(path / "banish.sock", operations):
        asyncio.run(run())


def emit(operations: MemoryOperations, *events: Event) -> None:
    assert operations.loop is not None
    for event in events:
        operations.loop.call_soon_threadsafe(operations.emitter, event)


def test_jails_and_bans_are_shown(tmp_path: Path, operations: MemoryOperations) -> None:
    async def look(view: TopView, _pilot: Pilot[None]) -> None:
        assert "1 banned. All is well." in text_of(view, "#head")
        assert [row[0] for row in rows_of(view, "#jails")] == ["sshd", "web"]
        assert rows_of(view, "#bans")[0][:2] == ["192.0.2.1", "sshd"]

    watch(tmp_path, operations, look)


def test_bans_come_and_go_as_the_server_decides(
    tmp_path: Path, operations: MemoryOperations
) -> None:
    async def look(view: TopView, pilot: Pilot[None]) -> None:
        operations.in_force["sshd", OTHER] = ban_of(OTHER)
        emit(operations, BanStarted("sshd", OTHER))
        await until(pilot, lambda: len(rows_of(view, "#bans")) == 2)
        del operations.in_force["sshd", ONE]
        emit(operations, BanEnded("sshd", ONE))
        await until(pilot, lambda: [row[0] for row in rows_of(view, "#bans")] == ["192.0.2.2"])
        emit(operations, WarningGiven("sshd", "[red]a warning"))
        await until(pilot, lambda: "[red]a warning" in text_of(view, "#news"))

    watch(tmp_path, operations, look)


def test_enter_shows_the_lines_that_led_to_a_ban_as_they_are(
    tmp_path: Path, operations: MemoryOperations
) -> None:
    async def look(view: TopView, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: MARKUP in text_of(view, "#why"))
        assert "192.0.2.1 in sshd" in text_of(view, "#why")

    watch(tmp_path, operations, look)


def test_evidence_on_the_screen_says_when_its_ban_has_ended(
    tmp_path: Path, operations: MemoryOperations
) -> None:
    async def look(view: TopView, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: "until" in text_of(view, "#why"))
        del operations.in_force["sshd", ONE]
        emit(operations, BanEnded("sshd", ONE))
        await until(pilot, lambda: "until" not in text_of(view, "#why"))

    watch(tmp_path, operations, look)


def test_u_asks_before_it_ends_a_ban(tmp_path: Path, operations: MemoryOperations) -> None:
    operations.in_force["sshd", OTHER] = ban_of(OTHER)

    async def look(view: TopView, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(rows_of(view, "#bans")) == 2)
        await pilot.press("u")
        await until(pilot, lambda: "Press U again to unban" in text_of(view, "#news"))
        await pilot.press("down")
        await until(pilot, lambda: not text_of(view, "#news"))
        await pilot.press("u")
        await until(pilot, lambda: "Press U again to unban" in text_of(view, "#news"))
        assert len(operations.in_force) == 2

    watch(tmp_path, operations, look)


def test_u_twice_ends_the_chosen_ban(tmp_path: Path, operations: MemoryOperations) -> None:
    async def look(view: TopView, pilot: Pilot[None]) -> None:
        await pilot.press("u", "u")
        await until(pilot, lambda: "192.0.2.1 unbanned in sshd" in text_of(view, "#news"))
        assert not operations.in_force
        await until(pilot, lambda: not rows_of(view, "#bans"))

    watch(tmp_path, operations, look)


def test_a_twice_lets_the_chosen_subject_in_for_good(
    tmp_path: Path, operations: MemoryOperations
) -> None:
    async def look(view: TopView, pilot: Pilot[None]) -> None:
        await pilot.press("u", "a")
        await until(pilot, lambda: "Press A again" in text_of(view, "#news"))
        assert operations.in_force
        await pilot.press("a")
        await until(pilot, lambda: "192.0.2.1 is exempt" in text_of(view, "#news"))
        assert operations.allowed == [(None, ONE)]
        assert not operations.in_force

    watch(tmp_path, operations, look)


@pytest.mark.parametrize(("width", "is_beside"), [(40, False), (140, True)])
def test_on_a_narrow_terminal_the_evidence_stands_below(
    tmp_path: Path, operations: MemoryOperations, width: int, is_beside: bool
) -> None:
    async def run() -> None:
        view = TopView(Client(tmp_path / "banish.sock"))
        async with view.run_test(size=(width, 24)) as pilot:
            await until(pilot, lambda: bool(rows_of(view, "#bans")))
            bans, evidence = view.query_one("#bans").region, view.query_one("#evidence").region
            assert (evidence.x > bans.x) is is_beside
            assert (evidence.y > bans.y) is not is_beside
            assert evidence.width >= 30

    with serving(tmp_path / "banish.sock", operations):
        asyncio.run(run())


def test_what_is_wrong_stands_at_the_head(tmp_path: Path, operations: MemoryOperations) -> None:
    status = asyncio.run(operations.status())
    operations.answer = msgspec.structs.replace(status, jails=())

    async def run() -> None:
        view = TopView(Client(tmp_path / "banish.sock"))
        async with view.run_test(size=(140, 40)) as pilot:
            await until(pilot, lambda: "no jail runs" in text_of(view, "#head"))
            assert "All is well" not in text_of(view, "#head")

    with serving(tmp_path / "banish.sock", operations):
        asyncio.run(run())


def test_nothing_is_well_where_the_server_does_not_answer(
    tmp_path: Path, operations: MemoryOperations
) -> None:
    async def look(view: TopView, pilot: Pilot[None]) -> None:
        (tmp_path / "banish.sock").unlink()
        await until(pilot, lambda: "does not answer" in text_of(view, "#head"))
        assert "All is well" not in text_of(view, "#head")

    watch(tmp_path, operations, look)


def test_no_terminal_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "banish", "top", "--state", str(tmp_path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr


def test_no_server_is_said_before_the_screen_changes(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "banish", "top", "--state", str(tmp_path)],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
    )
    _, errors = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode != 0
    assert "banish.sock" in errors
