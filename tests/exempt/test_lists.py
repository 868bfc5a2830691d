import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import pytest

from banish.errors import ResolveError
from banish.exempt import lists
from banish.exempt.file import AddressFile
from banish.exempt.lists import ListExemptions
from banish.model.address import Subject, parse_subject
from banish.model.instant import Seconds
from banish.model.settings import FilterSettings, JailSettings, Settings
from banish.telemetry.events import Event, WarningGiven

FRIEND = parse_subject("198.51.100.7")


class Zone:
    """A resolver that answers, fails, or hangs, as its table says; None hangs."""

    def __init__(self, table: Mapping[str, Sequence[str] | None]) -> None:
        self.table = dict(table)
        self.asked: list[str] = []

    async def addresses(self, name: str) -> list[Subject]:
        self.asked.append(name)
        if name not in self.table:
            raise ResolveError(f"cannot resolve {name}")
        answer = self.table[name]
        if answer is None:
            await asyncio.Event().wait()
        return [parse_subject(text) for text in answer or ()]


class Stand:
    """The exemptions of a few jails, and how often somebody was told that they changed."""

    def __init__(
        self,
        zone: Zone,
        own_names: Callable[[], Sequence[str]] = lambda: (),
        ignoreself: bool = False,
        **ignoreip: str,
    ) -> None:
        self.told: list[Event] = []
        self.changes = 0
        self.changed = asyncio.Event()
        jails = tuple(
            JailSettings(
                name,
                FilterSettings("f"),
                ignoreip=tuple(entries.split()),
                ignoreself=ignoreself and name == "own",
            )
            for name, entries in ignoreip.items()
        )
        self.exempt = ListExemptions(
            Settings("/", jails=jails), resolver=zone, emit=self.told.append, own_names=own_names
        )

    async def on_change(self) -> None:
        self.changes += 1
        self.changed.set()

    def exempts(self, jail: str, subject: Subject = FRIEND) -> bool:
        return self.exempt.lists[jail].exempts(subject) is not None

    def warnings(self) -> list[str]:
        return [told.what for told in self.told if isinstance(told, WarningGiven)]


def play(script: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(20):
            await script()

    asyncio.run(run())


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_ROUND", "REFRESH_PAUSE", "RETRY_PAUSE", "LIST_PAUSE", "OWN_NAMES_LIMIT"):
        monkeypatch.setattr(lists, name, Seconds(0.02))


def test_nobody_waits_for_names_who_has_none() -> None:
    async def script() -> None:
        stand = Stand(Zone({}), plain="192.0.2.1")
        await stand.exempt.wait_for_names(["plain"])

    play(script)


def test_logs_wait_until_the_first_answers_came() -> None:
    async def script() -> None:
        stand = Stand(Zone({"friend.example": [FRIEND.text]}), web="friend.example", ssh="")
        waiting = asyncio.ensure_future(stand.exempt.wait_for_names(["ssh", "web"]))
        await stand.exempt.wait_for_names(["ssh"])
        assert not waiting.done()
        assert not stand.exempts("web")
        keeping = asyncio.ensure_future(stand.exempt.keep_names(stand.on_change))
        await waiting
        assert stand.exempts("web")
        assert not stand.exempts("ssh")
        await stand.changed.wait()
        keeping.cancel()

    play(script)


def test_a_dead_resolver_is_waited_for_no_longer_than_the_first_round_and_asked_again() -> None:
    async def script() -> None:
        zone = Zone({"friend.example": None, "quick.example": ["192.0.2.1"]})
        stand = Stand(zone, web="friend.example quick.example")
        keeping = asyncio.ensure_future(stand.exempt.keep_names(stand.on_change))
        await stand.exempt.wait_for_names(["web"])
        assert stand.exempts("web", parse_subject("192.0.2.1"))
        assert not stand.exempts("web")
        assert stand.warnings() == ["exempts nobody new: no answer within 0.02 s; still asking"]
        keeping.cancel()

    play(script)


def test_a_name_that_failed_is_asked_again_and_whoever_it_is_let_in() -> None:
    async def script() -> None:
        zone = Zone({})
        stand = Stand(zone, web="friend.example")
        keeping = asyncio.ensure_future(stand.exempt.keep_names(stand.on_change))
        await stand.exempt.wait_for_names(["web"])
        assert stand.changes == 0
        zone.table["friend.example"] = [FRIEND.text]
        await stand.changed.wait()
        assert stand.exempts("web")
        keeping.cancel()
        assert stand.warnings() == ["exempts nobody new: cannot resolve friend.example"]

    play(script)


def test_a_name_that_fails_later_or_has_no_address_keeps_what_it_stood_for() -> None:
    async def script() -> None:
        zone = Zone({"friend.example": [FRIEND.text]})
        stand = Stand(zone, web="friend.example")
        await stand.exempt.refresh()
        del zone.table["friend.example"]
        await stand.exempt.refresh()
        assert stand.exempts("web")
        zone.table["friend.example"] = []
        await stand.exempt.refresh()
        assert stand.exempts("web")
        zone.table["friend.example"] = ["192.0.2.1"]
        await stand.exempt.refresh()
        assert not stand.exempts("web")
        zone.table["friend.example"] = []
        await stand.exempt.refresh()
        assert len(stand.warnings()) == 2

    play(script)


def test_the_host_s_own_names_exempt_where_ignoreself_is_on() -> None:
    async def script() -> None:
        zone = Zone({"gate.example": [FRIEND.text]})
        names = ["gate.example", "unknown.example"]
        stand = Stand(zone, lambda: names, ignoreself=True, own="", other="")
        await stand.exempt.start()
        assert stand.exempts("own", parse_subject("127.0.0.1"))
        assert not stand.exempts("own")
        await stand.exempt.refresh()
        assert stand.exempts("own")
        assert not stand.exempts("other")
        assert not stand.warnings()
        del zone.table["gate.example"]
        await stand.exempt.refresh()
        assert stand.exempts("own")
        names.remove("gate.example")
        await stand.exempt.refresh()
        assert not stand.exempts("own")

    play(script)


def test_a_host_whose_name_nobody_can_tell_starts_all_the_same() -> None:
    release = threading.Event()

    def hang() -> Sequence[str]:
        release.wait()
        return ()

    async def script() -> None:
        stand = Stand(Zone({}), hang, ignoreself=True, own="")
        await stand.exempt.start()
        keeping = asyncio.ensure_future(stand.exempt.keep_names(stand.on_change))
        await stand.exempt.wait_for_names(["own"])
        assert stand.exempts("own", parse_subject("::1"))
        keeping.cancel()

    play(script)
    release.set()


def test_a_bug_in_asking_does_not_stop_the_logs() -> None:
    class Broken(Zone):
        async def addresses(self, name: str) -> list[Subject]:
            raise ZeroDivisionError

    async def script() -> None:
        stand = Stand(Broken({}), web="friend.example")
        with pytest.raises(ZeroDivisionError):
            await stand.exempt.keep_names(stand.on_change)
        await stand.exempt.wait_for_names(["web"])

    play(script)


def test_a_list_in_a_file_counts_from_the_start_and_as_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("192.0.2.1\n")

    async def script() -> None:
        stand = Stand(Zone({}), web=f"file:{path}", ssh=f"file:{path}", other="")
        await stand.exempt.start()
        assert stand.exempts("web", parse_subject("192.0.2.1"))
        keeping = asyncio.ensure_future(stand.exempt.keep_lists(stand.on_change))
        await stand.changed.wait()
        stand.changed.clear()
        path.write_text(f"{FRIEND} 192.0.2.999\n")
        await stand.changed.wait()
        assert stand.exempts("web")
        assert stand.exempts("ssh")
        assert not stand.exempts("other")
        assert not stand.exempts("web", parse_subject("192.0.2.1"))
        keeping.cancel()
        assert "192.0.2.999 (line 1)" in stand.warnings()[0]

    play(script)


def test_names_in_a_list_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("friend.example\n")

    async def script() -> None:
        stand = Stand(Zone({"friend.example": [FRIEND.text]}), web=f"file:{tmp_path}/list")
        await stand.exempt.start()
        await stand.exempt.refresh()
        assert stand.exempts("web")

    play(script)


def test_a_disk_that_hangs_does_not_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    release = threading.Event()
    monkeypatch.setattr(lists, "LIST_LIMIT", Seconds(0.02))
    monkeypatch.setattr(AddressFile, "check", lambda _: release.wait() and None)

    async def script() -> None:
        stand = Stand(Zone({}), web=f"file:{tmp_path}/list")
        await stand.exempt.start()
        assert "not read within" in stand.warnings()[0]

    play(script)
    release.set()
