"""What ``guard`` needs reaches the jails that want it, and no flood of failures is felt."""

import asyncio
import threading
from collections.abc import Sequence

from banish.exempt.host import Facts, HostExemptions, members
from banish.exempt.logins import Login
from banish.model.address import parse_subject
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, GuardSettings, JailSettings, Settings
from banish.policy.exempt import ExemptList
from banish.telemetry.events import Event, WarningGiven

HOME, GATEWAY = parse_subject("198.51.100.7"), parse_subject("192.0.2.254")
ALL = ("gateways", "resolvers", "logins")


class Desk:
    """Jails ``j`` (with this guard) and ``k`` (with none), and made-up facts."""

    def __init__(self, guard: GuardSettings, *, broken: bool = False) -> None:
        self.looks = 0
        self.told: list[Event] = []
        self.live = [Login(HOME, "alice")]
        self.broken = broken
        self.slow = 0.0
        self.is_blind = False
        filters = FilterSettings("f")
        jails = (JailSettings("j", filters, guard=guard), JailSettings("k", filters))
        self.lists = {jail.name: ExemptList() for jail in jails}
        self.host = HostExemptions(
            Settings("r", jails=jails),
            self.lists,
            emit=self.told.append,
            clock=lambda: Instant(5),
            facts=Facts(
                self.logins,
                lambda: [GATEWAY],
                list,
                lambda _group: frozenset({"root"}),
                lambda: not self.is_blind,
            ),
        )

    def logins(self) -> Sequence[Login]:
        self.looks += 1
        threading.Event().wait(self.slow)
        if self.broken:
            raise OSError("no")
        return self.live

    async def fails(self, jail: str, times: int = 1) -> None:
        failure = Failure(jail, HOME, Instant(5))
        for _ in range(times):
            assert await self.host.fresh([failure], Instant(5)) == [failure]


def test_facts_are_there_before_a_failure_is_judged_and_only_where_wanted() -> None:
    async def story() -> None:
        desk = Desk(GuardSettings(ALL))
        await desk.fails("k")
        assert desk.looks == 0
        await desk.fails("j")
        assert desk.lists["j"].exempts_for_now(HOME) == "guard (ssh login of alice)"
        assert desk.lists["j"].exempts_for_now(GATEWAY) == "guard (gateway)"
        assert desk.lists["k"].exempts_for_now(HOME) is None

    asyncio.run(story())


def test_a_flood_of_failures_waits_for_one_look_not_for_one_each() -> None:
    async def story() -> None:
        desk = Desk(GuardSettings(ALL))
        desk.slow = 0.01
        await asyncio.gather(*(desk.fails("j") for _ in range(200)))
        assert desk.looks < 20

    asyncio.run(story())


def test_only_accounts_of_the_groups_named_count() -> None:
    async def story() -> None:
        desk = Desk(GuardSettings(("logins",), Seconds(60), ("sudo",)))
        desk.live.append(Login(GATEWAY, "root"))
        await desk.fails("j")
        assert desk.lists["j"].exempts_for_now(HOME) is None
        assert desk.lists["j"].exempts_for_now(GATEWAY) == "guard (ssh login of root)"

    asyncio.run(story())


def test_without_logins_nobody_looks_for_them() -> None:
    async def story() -> None:
        desk = Desk(GuardSettings(("gateways",)))
        await desk.fails("j")
        assert desk.looks == 0
        assert desk.lists["j"].exempts_for_now(HOME) is None
        assert desk.lists["j"].exempts_for_now(GATEWAY) is not None

    asyncio.run(story())


def test_a_host_that_cannot_tell_is_judged_all_the_same_and_it_is_told() -> None:
    async def story() -> None:
        desk = Desk(GuardSettings(ALL), broken=True)
        await desk.fails("j", 3)
        assert [type(each) for each in desk.told] == [WarningGiven]

    asyncio.run(story())


def test_without_a_guard_nobody_looks() -> None:
    async def story() -> None:
        desk = Desk(GuardSettings(), broken=True)
        await desk.fails("j", 3)
        assert desk.told == []

    asyncio.run(story())


def test_a_group_has_those_whose_first_group_it_is() -> None:
    assert "root" in members("root")
    assert members("no-such-group-here") == frozenset()


def test_a_host_that_does_not_show_logins_is_reported_once_with_the_cure() -> None:
    async def story(exempts: tuple[str, ...]) -> list[Event]:
        desk = Desk(GuardSettings(exempts))
        desk.is_blind = True
        for _ in range(2):
            desk.host._look_again_at = 0.0
            await desk.fails("j")
        return desk.told

    (warning,) = asyncio.run(story(ALL))
    assert isinstance(warning, WarningGiven)
    assert warning.part == "guard"
    assert "CapabilityBoundingSet=CAP_SYS_PTRACE" in warning.what
    assert asyncio.run(story(("gateways",))) == []
