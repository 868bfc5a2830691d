"""Which bans an action holds, whatever its steps do."""

import asyncio

import msgspec
import pytest

from banish.enforce.lifecycle import EVIDENCE_BANS, ActionLifecycle, Step
from banish.errors import ActionError
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.failure import Evidence
from banish.model.instant import Instant
from banish.model.settings import ActionSettings
from tests.compat.stock_actions import Nothing

NOW = Instant(1_790_000_000)


class Recorder(ActionLifecycle):
    """Writes its steps down; *fails* fail, *hang* never end, *ignored* do nothing."""

    def __init__(self, *, fails: str = "", hangs: str = "", ignores: str = "") -> None:
        super().__init__(
            "web", ActionSettings("own", actname="own"), facts=Nothing(), clock=lambda: NOW
        )
        self.steps: list[tuple[str, Ban, bool]] = []
        self._fails, self._hangs, self._ignores = fails, hangs, ignores

    async def _step(self, step: Step, ban: Ban, *, restored: bool) -> bool:
        self.steps.append((step, ban, restored))
        if step == self._fails:
            raise ActionError("it failed")
        if step == self._hangs:
            await asyncio.Event().wait()
        return step != self._ignores


def ban(address: str) -> Ban:
    subject = parse_subject(address)
    assert subject is not None
    return Ban("web", subject, NOW, None, evidence=(Evidence("x"),), tags=(("user", "bob"),))


ONE = ban("192.0.2.1")
BARE = msgspec.structs.replace(ONE, evidence=(), tags=())


def test_a_ban_is_held_once_its_step_worked() -> None:
    action = Recorder()
    asyncio.run(action.ban(ONE, restored=True))
    assert action.held == {ONE.subject: ONE}
    assert action.steps == [("ban", ONE, True)]


def test_a_ban_whose_step_failed_is_not_held() -> None:
    action = Recorder(fails="ban")
    with pytest.raises(ActionError):
        asyncio.run(action.ban(ONE))
    assert not action.held


@pytest.mark.parametrize("step", ["ban", "reban"])
def test_a_ban_that_its_action_ignored_is_not_held(step: str) -> None:
    action = Recorder(ignores=step)
    asyncio.run(action.ban(ONE) if step == "ban" else action.reban(ONE))
    assert not action.held


def test_a_ban_put_back_counts_as_restored() -> None:
    action = Recorder()
    asyncio.run(action.reban(ONE))
    assert action.steps == [("reban", ONE, True)]
    assert action.held == {ONE.subject: ONE}


def test_only_a_ban_that_is_held_is_held_longer() -> None:
    action = Recorder()
    later = msgspec.structs.replace(ONE, until=Instant(NOW + 9))
    asyncio.run(action.prolong(ONE))
    assert not action.held
    action.adopt(ONE)
    asyncio.run(action.prolong(later))
    assert action.held == {ONE.subject: later}


@pytest.mark.parametrize("fails", ["", "unban"])
def test_the_end_of_a_ban_is_tried_once(fails: str) -> None:
    action = Recorder(fails=fails)
    action.adopt(ONE)

    async def unban() -> bool:
        try:
            await action.unban(BARE)
        except ActionError:
            return False
        return True

    assert asyncio.run(unban()) is not bool(fails)
    assert not action.held
    assert action.steps == [("unban", ONE, False)]


def test_a_cancelled_end_of_a_ban_can_be_tried_again_with_all_that_is_known() -> None:
    action = Recorder(hangs="unban")
    action.adopt(ONE)

    async def cancel() -> None:
        task = asyncio.create_task(action.unban(BARE))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(cancel())
    assert action.held == {ONE.subject: ONE}


def test_many_held_bans_keep_their_lines_for_the_first_only() -> None:
    action = Recorder()
    for n in range(EVIDENCE_BANS + 1):
        action.adopt(ban(f"198.51.{n // 256}.{n % 256}"))
    first, *_, last = action.held.values()
    assert (len(first.evidence), len(last.evidence), last.tags) == (1, 0, ())


def test_nothing_is_put_off() -> None:
    action = Recorder()
    asyncio.run(action.tick())
    assert action.due is None
    assert not action.steps
