"""One server for each network's firewall, whoever else is there."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from banish.enforce import claim as claims
from banish.enforce.claim import Claim, ClaimedEnforcer
from banish.enforce.unused import UnusedEnforcer
from banish.errors import EnforceError, OperatorError
from banish.model.instant import Instant, Seconds
from banish.model.settings import Enforcement
from banish.telemetry.events import Event, WarningGiven
from banish.testing.memory_enforcer import ScriptedEnforcer
from banish.testing.netns import NetworkNamespace

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces"),
]

NOW = Instant(1_790_000_000)
TABLE = "table inet banish"
SYSTEM_PYTHON = "/usr/bin/python3"
needs_system_python = pytest.mark.skipif(
    not os.access(SYSTEM_PYTHON, os.X_OK), reason="needs a Python that every user may run"
)
JAILS = [Enforcement("j")]


@pytest.fixture(autouse=True)
def namespace(monkeypatch: pytest.MonkeyPatch) -> Iterator[NetworkNamespace]:
    monkeypatch.setattr(claims, "WAIT", Seconds(0.2))
    monkeypatch.setattr(claims, "ANSWER_WAIT", Seconds(0.1))
    with NetworkNamespace() as one, one.inside():
        yield one


def claim(what: str = TABLE, config: str = "/etc/banish") -> Claim:
    return Claim(what, config=config, control="/run/banish.sock")


def enforcer(
    told: list[Event] | None = None, *, what: str = TABLE, config: str = "/etc/banish"
) -> ClaimedEnforcer:
    heard: list[Event] = [] if told is None else told
    return ClaimedEnforcer(ScriptedEnforcer("fw"), claim(what, config), emit=heard.append)


async def start_and_stop(one: ClaimedEnforcer) -> None:
    await one.start(JAILS, [], NOW)
    await one.stop(keep=True)


@contextmanager
def another(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Run Python code as another process of this network, once it has said that it is ready."""
    # What is under /root, other users may not run.
    python = SYSTEM_PYTHON if words[:-1] else sys.executable
    argv = [*words[:-1], python, "-c", words[-1]]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


HOLD = f"""
import socket, time
names = ["\\0banish/{TABLE}"] + ["\\0banish/{TABLE}/%d" % n for n in range(2, NUMBER + 1)]
held = [socket.socket(socket.AF_UNIX) for _ in names]
for one, name in zip(held, names):
    one.bind(name)
    one.listen(BACKLOG)
print("ready", flush=True)
time.sleep(60)
"""
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def hold(number: int = 1, backlog: int = 16) -> str:
    return HOLD.replace("NUMBER", str(number)).replace("BACKLOG", str(backlog))


def test_the_second_server_is_refused_and_told_who_the_first_is() -> None:
    async def play() -> None:
        first, second = enforcer(), enforcer(config="/elsewhere")
        await first.start(JAILS, [], NOW)
        await first.start(JAILS, [], NOW)  # as when it mends
        # The one who asks waits for an answer, so it asks from a thread.
        with pytest.raises(OperatorError) as caught:
            await second.start(JAILS, [], NOW)
        assert f"pid {os.getpid()}" in caught.value.what
        await first.stop(keep=True)
        await second.start(JAILS, [], NOW)
        await second.stop(keep=False)

    asyncio.run(play())


def test_configuration_and_socket_of_the_first_are_named() -> None:
    code = """
import asyncio
from banish.enforce.claim import Claim
async def main():
    one = Claim("table inet banish", config="/etc/fail2ban", control="/run/one.sock")
    assert one.acquire() is None
    one.answer()
    print("ready", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    with another(code) as process:
        with pytest.raises(OperatorError) as caught:
            asyncio.run(start_and_stop(enforcer()))
        assert f"pid {process.pid}, configuration /etc/fail2ban, socket /run/one.sock" in str(
            caught.value
        )
        process.send_signal(signal.SIGSTOP)  # one that hangs is a server all the same
        with pytest.raises(OperatorError, match=f"pid {process.pid}"):
            asyncio.run(start_and_stop(enforcer()))
        process.kill()
        process.wait()
        asyncio.run(start_and_stop(enforcer()))


def test_another_firewall_and_another_network_are_other_claims() -> None:
    async def play() -> None:
        first, other = enforcer(), enforcer(what="chain banish")
        await first.start(JAILS, [], NOW)
        await other.start(JAILS, [], NOW)
        with NetworkNamespace() as elsewhere, elsewhere.inside():
            third = enforcer()
            await third.start(JAILS, [], NOW)
            await third.stop(keep=False)
        await first.stop(keep=False)
        await other.stop(keep=False)

    asyncio.run(play())


@needs_system_python
@pytest.mark.parametrize(("number", "backlog"), [(1, 16), (claims.NAMES, 16), (1, 0)])
def test_no_other_user_can_keep_a_server_from_its_start(number: int, backlog: int) -> None:
    told: list[Event] = []
    with another(*NOBODY, hold(number, backlog)):

        async def play() -> None:
            one = enforcer(told)
            await one.start(JAILS, [], NOW)
            if number < claims.NAMES:
                with pytest.raises(OperatorError):
                    await enforcer().start(JAILS, [], NOW)
            await one.stop(keep=False)

        asyncio.run(play())
    assert [type(each) for each in told] == [WarningGiven] * (number == claims.NAMES)


@needs_system_python
def test_another_user_who_may_change_the_firewall_is_a_server() -> None:
    net_admin = ("--inh-caps=+net_admin", "--ambient-caps=+net_admin")
    with (
        another(*NOBODY, *net_admin, hold()) as process,
        pytest.raises(OperatorError, match=f"pid {process.pid}"),
    ):
        asyncio.run(start_and_stop(enforcer()))


@needs_system_python
def test_a_user_who_is_root_in_a_namespace_of_his_own_is_no_server() -> None:
    with another(*NOBODY, "unshare", "--user", "--map-root-user", hold()):
        asyncio.run(start_and_stop(enforcer()))


def test_a_server_that_is_about_to_end_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "WAIT", Seconds(10))
    monkeypatch.setattr(claims, "ANSWER_WAIT", Seconds(0.01))

    async def play() -> None:
        first, second = enforcer(), enforcer()
        await first.start(JAILS, [], NOW)
        starting = asyncio.create_task(second.start(JAILS, [], NOW))
        await asyncio.sleep(0)
        assert not starting.done()
        await first.stop(keep=True)
        await starting
        await second.stop(keep=True)

    asyncio.run(play())


def test_a_firewall_that_cannot_be_used_is_not_claimed() -> None:
    async def play() -> None:
        memory = ScriptedEnforcer()
        memory.fail_next()
        one = ClaimedEnforcer(memory, claim(), emit=lambda _: None)
        with pytest.raises(EnforceError):
            await one.start(JAILS, [], NOW)
        await start_and_stop(enforcer())

    asyncio.run(play())


def test_a_server_of_actions_alone_leaves_what_another_holds() -> None:
    async def play() -> None:
        shared = ScriptedEnforcer()
        first = ClaimedEnforcer(shared, claim(), emit=lambda _: None)
        await first.start(JAILS, [], NOW)
        second = UnusedEnforcer(ClaimedEnforcer(shared, claim(), emit=lambda _: None))
        await second.start((), (), NOW)
        assert list(shared.bans) == ["j"]
        await first.stop(keep=True)
        # What nobody holds is left over, and is cleared away; that claims nothing for long.
        third = UnusedEnforcer(ClaimedEnforcer(shared, claim(), emit=lambda _: None))
        await third.start((), (), NOW)
        assert shared.bans == {}
        await start_and_stop(first)

    asyncio.run(play())


def test_a_server_that_was_refused_takes_nothing_away_when_it_ends() -> None:
    async def play() -> None:
        shared = ScriptedEnforcer()
        first = ClaimedEnforcer(shared, claim(), emit=lambda _: None)
        await first.start(JAILS, [], NOW)
        second = ClaimedEnforcer(shared, claim(), emit=lambda _: None)
        with pytest.raises(OperatorError):
            await second.start(JAILS, [], NOW)
        await second.stop(keep=False)
        assert list(shared.bans) == ["j"]
        await first.stop(keep=False)
        assert list(shared.bans) == []

    asyncio.run(play())
