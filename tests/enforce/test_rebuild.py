"""Many bans go in by slices: at each moment everybody is out who is to be, and it can be ended."""

import asyncio
import json
import os
import shutil
from collections.abc import Iterator, Sequence

import pytest

from banish.enforce import elements, rebuild, table
from banish.enforce.halt import Halt, Halting
from banish.enforce.netlink import Message, NetlinkSocket
from banish.enforce.ruleset import plan_ruleset
from banish.enforce.table import KernelTable
from banish.enforce.threaded import ThreadedEnforcer
from banish.enforce.xtables.tool import run_program
from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds
from banish.testing.netns import NetworkNamespace
from tests.enforce.contract import (
    EVERYTHING,
    NOW,
    SSHD,
    WEB,
    ChangingJails,
    EnforcerContract,
    Firewall,
    ban,
)
from tests.enforce.test_nftables import KernelFirewall

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces"),
    pytest.mark.skipif(shutil.which("nft") is None, reason="needs the nft program to look on"),
]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make slices of two or three bans, and tables that are exchanged in slices always."""
    monkeypatch.setattr(rebuild, "SLICE_BYTES", 300)
    monkeypatch.setattr(rebuild, "WHOLE_LIMIT", 0)
    monkeypatch.setattr(table, "APPLY_BYTES", 300)
    monkeypatch.setattr(elements, "_ELEMENTS_LIMIT_BYTES", 50)
    monkeypatch.setattr("banish.enforce.halt.THINGS_AT_ONCE", 2)


@pytest.fixture
def firewall() -> Iterator[KernelFirewall]:
    with NetworkNamespace() as namespace, namespace.inside():
        yield KernelFirewall(namespace)


@pytest.mark.usefixtures("tiny")
class TestSlicedNftablesEnforcer(ChangingJails, EnforcerContract):
    @pytest.fixture
    def firewall(self, firewall: KernelFirewall) -> Firewall:
        return firewall


def refused(firewall: KernelFirewall) -> set[str]:
    """Return whom the rules of the jail sshd look for, by what nft shows."""
    parts = json.loads(
        firewall.nft("list ruleset") and firewall.namespace.run("nft", "-j", "list", "ruleset")
    )["nftables"]
    used = {
        expression["match"]["right"].removeprefix("@")
        for part in parts
        if "rule" in part and part["rule"]["chain"] == "jail-sshd"
        for expression in part["rule"]["expr"]
        if "match" in expression
    }
    jumps = [part for part in parts if "jail-sshd" in json.dumps(part.get("rule", {}).get("expr"))]
    if not jumps:
        return set()
    found = set()
    for part in parts:
        if "set" in part and part["set"]["name"] in used:
            for element in part["set"].get("elem", []):
                inner = element["elem"]["val"] if "elem" in element else element
                if "prefix" in inner:
                    inner = f"{inner['prefix']['addr']}/{inner['prefix']['len']}"
                found.add(inner)
    return found


KEPT = [parse_subject(f"192.0.2.{number}") for number in range(1, 8)]
OLD = [*KEPT, parse_subject("198.51.100.1"), parse_subject("2001:db8::1")]
NEW = [*KEPT, *(parse_subject(f"203.0.113.{number}") for number in range(1, 8))]
NETS = [parse_subject("198.51.100.128/25"), parse_subject("2001:db8:7::/48")]


def bans_of(subjects: list[Subject]) -> list[Ban]:
    return [ban(subject) for subject in subjects]


def texts(subjects: list[Subject]) -> set[str]:
    return {subject.text for subject in subjects}


class Ending:
    """A check that ends the work when it is called the *after*-th time."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self) -> None:
        if not self.left:
            raise Halt
        self.left -= 1


@pytest.mark.usefixtures("tiny")
def test_at_each_moment_of_an_exchange_those_stay_out_who_were_and_are_to_be(
    firewall: KernelFirewall,
) -> None:
    old, new = plan_ruleset([SSHD, WEB]), plan_ruleset([SSHD])
    moment = 0
    seen: list[set[str]] = []
    kernel = KernelTable("banish", Seconds(60))
    while True:
        kernel.replace(old, bans_of([*OLD, *NETS]), NOW)
        assert refused(firewall) == texts([*OLD, *NETS])
        # Whoever comes next finds what an earlier one left, and so does whoever comes after.
        is_over = False
        for other in range(2):
            try:
                kernel.replace(new, bans_of([*NEW, *NETS]), NOW, Ending(moment + other))
                is_over = True
            except Halt:
                assert refused(firewall) >= texts([*KEPT, *NETS])
            seen.append(refused(firewall))
        if is_over:
            break
        moment += 1
    assert moment > 15
    assert texts([*OLD, *NETS]) in seen
    assert texts([*NEW, *NETS]) in seen
    kernel.replace(new, bans_of([*NEW, *NETS]), NOW)
    assert refused(firewall) == texts([*NEW, *NETS])
    assert kernel.read().is_whole
    shown = firewall.nft("list ruleset")
    assert not any(suffix in shown for suffix in (*rebuild.SUFFIXES, "jail-web"))
    kernel.remove()
    assert "banish" not in firewall.nft("list ruleset")
    kernel.close()


@pytest.mark.usefixtures("tiny")
def test_at_each_moment_of_a_change_of_jails_those_stay_out_who_were(
    firewall: KernelFirewall,
) -> None:
    before, after = plan_ruleset([SSHD, WEB]), plan_ruleset([EVERYTHING, SSHD])
    bans = [*bans_of([*OLD, *NETS]), *(ban(subject, jail="recidive") for subject in NEW)]
    held = {"sshd": frozenset([*OLD, *NETS]), "recidive": frozenset(NEW)}
    kernel, moment, is_over = KernelTable("banish", Seconds(60)), 0, False
    while not is_over:
        kernel.replace(before, bans_of([*OLD, *NETS]), NOW)
        try:
            assert not kernel.rearrange(after, bans, NOW, Ending(moment))
            is_over = True
        except Halt:
            assert refused(firewall) == texts([*OLD, *NETS])
            kernel.rearrange(after, bans, NOW)
        assert refused(firewall) == texts([*OLD, *NETS])
        found = kernel.read()
        assert found.is_whole
        assert found.subjects == held
        assert "web" not in firewall.nft("list ruleset")
        moment += 1
    assert moment > 3
    kernel.remove()
    kernel.close()


def test_a_jail_that_comes_or_goes_costs_nothing_for_the_bans_of_others(
    firewall: KernelFirewall, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [ban(parse_subject(f"10.0.{n >> 8}.{n & 255}")) for n in range(20_000)]
    kernel, sent = KernelTable("banish", Seconds(60)), [0]
    kernel.replace(plan_ruleset([SSHD]), many, NOW)
    transact = NetlinkSocket.transact

    def counted(self: NetlinkSocket, messages: Sequence[Message], *, check: bool = False) -> None:
        sent[0] += sum(len(message.body) for message in messages)
        transact(self, messages, check=check)

    monkeypatch.setattr(NetlinkSocket, "transact", counted)
    web = ban(parse_subject("192.0.2.1"), jail="web")
    assert not kernel.rearrange(plan_ruleset([SSHD, WEB]), [*many, web], NOW)
    assert not kernel.rearrange(plan_ruleset([SSHD]), many, NOW)
    assert 0 < sent[0] < 20_000
    assert kernel.read().subjects == {"sshd": frozenset(each.subject for each in many)}
    kernel.close()


@pytest.mark.usefixtures("tiny")
def test_what_others_put_into_our_table_does_not_keep_it_from_being_exchanged(
    firewall: KernelFirewall,
) -> None:
    kernel = KernelTable("banish", Seconds(60))
    kernel.replace(plan_ruleset([SSHD]), bans_of(OLD), NOW)
    firewall.nft(
        "add set inet banish sshd-4.next { type inet_service; }",
        "add chain inet banish theirs",
        "add rule inet banish input tcp dport @sshd-4.next jump theirs",
        "add set inet banish sshd-4.last { type inet_service; }",
        "add rule inet banish theirs tcp dport @sshd-4.last drop",
    )
    kernel.replace(plan_ruleset([SSHD]), bans_of(NEW), NOW)
    assert refused(firewall) == texts(NEW)
    assert "theirs" not in firewall.nft("list ruleset")
    kernel.close()


def test_a_start_that_is_cancelled_does_one_transaction_more_at_most(
    firewall: KernelFirewall, tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del tiny
    work = NetlinkSocket.transact
    done: list[int] = []

    async def script() -> None:
        loop = asyncio.get_running_loop()
        starting = asyncio.ensure_future(firewall.enforcer.start([SSHD], bans_of(NEW), NOW))

        def transact(one: NetlinkSocket, *given: object, **options: object) -> None:
            work(one, *given, **options)  # type: ignore[arg-type]
            done.append(len(done))
            if len(done) == 2:
                loop.call_soon_threadsafe(starting.cancel)
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(30)

        monkeypatch.setattr(NetlinkSocket, "transact", transact)
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert len(done) <= 3
        assert refused(firewall) < texts(NEW)
        await firewall.enforcer.stop(keep=False)
        assert "banish" not in firewall.nft("list ruleset")

    asyncio.run(script())


@pytest.mark.usefixtures("tiny")
def test_a_reading_that_is_ended_leaves_nothing_in_the_way(firewall: KernelFirewall) -> None:
    del firewall
    kernel = KernelTable("banish", Seconds(60))
    kernel.replace(plan_ruleset([SSHD]), bans_of(NEW), NOW)
    with pytest.raises(Halt):
        kernel.read(Ending(0))
    assert kernel.read().subjects["sshd"] == frozenset(NEW)
    kernel.close()


def test_a_hundred_thousand_bans_go_in_with_short_transactions(
    firewall: KernelFirewall, monkeypatch: pytest.MonkeyPatch
) -> None:
    del firewall
    sizes: list[int] = []
    send = NetlinkSocket._send

    def measured(one: NetlinkSocket, request: bytes) -> None:
        sizes.append(len(request))
        send(one, request)

    monkeypatch.setattr(NetlinkSocket, "_send", measured)
    many = [parse_subject(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(100_000)]
    kernel = KernelTable("banish", Seconds(60))
    kernel.replace(plan_ruleset([SSHD]), bans_of(many), NOW)
    assert max(sizes) < rebuild.SLICE_BYTES + 70_000
    assert kernel.read().subjects["sshd"] == frozenset(many)
    kernel.close()


class Sleeper:
    """An enforcer that waits for a program that never ends."""

    name = "sleeper"

    def __init__(self, halting: Halting, is_asleep: asyncio.Event) -> None:
        self._halting = halting
        self._loop = asyncio.get_running_loop()
        self._is_asleep = is_asleep

    def replace(self, *_: object) -> None:
        """Never return by itself."""
        self._loop.call_soon_threadsafe(self._is_asleep.set)
        run_program(["sleep", "1000"], halting=self._halting)

    apply = read = has_foreign_change = remove = replace


def test_a_program_that_a_start_waits_for_is_ended_with_it() -> None:
    async def script() -> None:
        halting, is_asleep = Halting(), asyncio.Event()
        enforcer = ThreadedEnforcer(Sleeper(halting, is_asleep), halting=halting)  # type: ignore[arg-type]
        starting = asyncio.ensure_future(enforcer.start((), (), Instant(0)))
        await is_asleep.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert run_program(["echo", "on"], halting=halting) == "on\n"

    asyncio.run(asyncio.wait_for(script(), 60))
