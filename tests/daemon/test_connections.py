"""Whose connections are cut when, and what is told of it."""

import asyncio
from collections.abc import Mapping, Sequence

from banish.daemon import connections
from banish.daemon.connections import ConnectionKiller
from banish.enforce.connections import BannedPeer
from banish.errors import EnforceError
from banish.model.address import Subject, SubjectKind, parse_subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, ProlongBan, StartBan
from banish.model.instant import Instant
from banish.model.settings import Enforcement, FilterSettings, JailSettings, PortRange
from banish.telemetry.events import Event

SSH = (PortRange(22, 22),)
JAILS = (
    JailSettings(
        "sshd",
        FilterSettings("sshd"),
        cutconnections=True,
        enforcement=Enforcement("sshd", (), SSH),
    ),
    JailSettings("own", FilterSettings("own"), cutconnections=True),
    JailSettings("web", FilterSettings("web")),
)


def ban(address: str, jail: str = "sshd") -> Ban:
    return Ban(jail, parse_subject(address), Instant(0), Instant(600))


MARK = parse_subject("203.0.113.255")
"""Whose turn comes after all that was to be done before."""


def play(*batches: Sequence[Decision], fails: bool = False) -> tuple[list[BannedPeer], list[Event]]:
    seen: list[BannedPeer] = []
    told: list[Event] = []

    async def do() -> None:
        loop, turn = asyncio.get_running_loop(), asyncio.Event()

        def cut(targets: Sequence[BannedPeer]) -> Mapping[BannedPeer, int]:
            real = [target for target in targets if target.subject != MARK]
            seen.extend(real)
            loop.call_soon_threadsafe(turn.set)
            if fails and real:
                raise EnforceError("cannot", cure="can it")
            return dict.fromkeys(real, 2)

        found = ConnectionKiller(JAILS, emit=told.append, cut=cut)
        task = asyncio.create_task(found.run())
        async with asyncio.timeout(10):
            for batch in batches:
                # The second turn begins when what the first one led to has been told.
                for decisions in (batch, [StartBan(Ban("sshd", MARK, Instant(0), None))]):
                    turn.clear()
                    found.act(decisions)
                    await turn.wait()
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(do())
    return seen, told


def test_connections_end_where_a_ban_begins_in_a_jail_that_wants_it() -> None:
    someone = Ban("sshd", Subject("mallory", SubjectKind.ID), Instant(0), None)
    seen, told = play([
        StartBan(ban("192.0.2.1")),
        StartBan(ban("192.0.2.2", "own")),
        StartBan(ban("192.0.2.3", "web")),
        StartBan(ban("192.0.2.4"), restored=True),
        StartBan(someone),
        ProlongBan(ban("192.0.2.5")),
        EndBan(ban("192.0.2.6"), "expired"),
    ])  # fmt: skip
    assert seen == [
        BannedPeer("sshd", parse_subject("192.0.2.1"), SSH),
        BannedPeer("own", parse_subject("192.0.2.2"), ()),
    ]
    assert [each.text() for each in told] == [
        "[sshd] 2 connections of 192.0.2.1 cut",
        "[own] 2 connections of 192.0.2.2 cut",
    ]


def test_a_kernel_that_cannot_is_told_of_once() -> None:
    _, told = play([StartBan(ban("192.0.2.1"))], [StartBan(ban("192.0.2.2"))], fails=True)
    assert [each.text() for each in told] == ["connections: cannot; can it"]


def test_what_waits_is_bounded() -> None:
    found = ConnectionKiller(JAILS, emit=lambda _: None)
    for number in range(connections.WAITING_LIMIT + 3):
        found.act([StartBan(ban(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"))])
    assert found.left_total == 3


def test_nothing_waits_where_no_jail_wants_it_or_it_is_switched_off() -> None:
    for found in (
        ConnectionKiller(JAILS[2:], emit=lambda _: None),
        ConnectionKiller(JAILS, emit=lambda _: None, is_on=False),
    ):
        for number in range(connections.WAITING_LIMIT + 3):
            found.act([StartBan(ban(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"))])
        assert found.left_total == 0
