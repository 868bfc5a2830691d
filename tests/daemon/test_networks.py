"""Networks on their way through a running server: decisions, events, the ledger."""

import asyncio

from banish.daemon.jails import Jails
from banish.model.address import parse_subject
from banish.model.decision import Decision, EndBan, StartBan
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, JailSettings, Networks
from banish.model.snapshot import Commit
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy
from banish.telemetry.events import BanEnded, Event, NetworkExempted
from banish.testing.memory_store import MemoryStore
from tests.daemon.stage import NOW, Stage

NETWORKS = Networks(after=2, levels4=(24,), levels6=(48,), prefix6=64)
SETTINGS = JailSettings(
    "j", FilterSettings("f"), maxretry=1, bantime=Seconds(60), networks=NETWORKS
)
NET = parse_subject("198.51.100.0/24")


class Court:
    """The jails alone, and what they tell."""

    def __init__(self, *ignoreip: str) -> None:
        self.told: list[Event] = []
        self.policy = JailPolicy(SETTINGS, ExemptList(ignoreip))
        self.due: list[Instant | None] = []
        """When the next ban ends, at each time that it may have come closer."""
        self.jails = Jails(
            {"j": self.policy},
            emit_every=self.told.extend,
            on_due=lambda: self.due.append(self.policy.due),
        )

    def judge(self, *addresses: str) -> Commit:
        failures = [Failure("j", parse_subject(address), NOW) for address in addresses]
        return self.jails.judge(failures, NOW, {})


def said(decision: Decision) -> tuple[str, str]:
    kind = "start" if isinstance(decision, StartBan) else "end"
    return kind, decision.ban.subject.text


def test_the_ban_of_a_network_is_in_one_commit_with_the_failure_that_led_to_it() -> None:
    court = Court()
    court.judge("198.51.100.1")
    commit = court.judge("198.51.100.2", "198.51.100.3")
    assert [said(decision) for decision in commit.decisions] == [
        ("start", "198.51.100.2"),
        ("start", "198.51.100.0/24"),
        ("end", "198.51.100.1"),
        ("end", "198.51.100.2"),
    ]
    (changes,) = commit.changes
    assert changes.tallies[NET] is None


def test_whoever_changes_addresses_inside_a_banned_network_is_told_of_once() -> None:
    court = Court()
    court.judge("2001:db8::1")
    again = court.judge("2001:db8::2").while_banned
    assert [(each.subject.text, each.holder) for each in again] == [
        ("2001:db8::2", parse_subject("2001:db8::/64"))
    ]


def test_a_network_that_is_exempt_is_reported_with_the_reason() -> None:
    court = Court("198.51.100.77")
    court.judge("198.51.100.1", "198.51.100.2")
    (exempted,) = (each for each in court.told if isinstance(each, NetworkExempted))
    assert exempted.text() == (
        "[j] 198.51.100.0/24 is not banned though 2 of its members were: ignoreip 198.51.100.77"
    )


def test_bans_that_come_back_are_known_to_whoever_waits_for_the_next_end() -> None:
    court = Court()
    court.judge("198.51.100.1", "198.51.100.2")
    court.due.clear()
    assert list(court.jails.review(NOW)) == [None]
    assert court.due == []
    court.policy.exempt.set_own([parse_subject("198.51.100.200")])
    (commit,) = court.jails.review(NOW)
    assert commit is not None
    assert [said(decision) for decision in commit.decisions] == [
        ("end", "198.51.100.0/24"),
        ("start", "198.51.100.1"),
        ("start", "198.51.100.2"),
    ]
    assert court.due == [Instant(NOW + 60)]


def test_a_crash_between_members_and_their_network_loses_neither() -> None:
    store = MemoryStore()

    def networked(text: bytes) -> Stage:
        stage = Stage(store, text)
        policy = JailPolicy(SETTINGS, ExemptList())
        stage.policy = stage.jails.policies["j"] = policy
        return stage

    async def first(stage: Stage) -> None:
        await stage.open()
        await stage.until(lambda: bool(stage.policy.bans) and bool(store.commits))
        await stage.crash()

    async def second(stage: Stage) -> None:
        await stage.open()
        await stage.until(lambda: NET in stage.policy.bans and stage.heard(BanEnded) == 2)
        held = await stage.enforcer.read()
        assert held.subjects["j"] == {NET}
        await stage.close()

    text = b"fail 198.51.100.1\n"
    asyncio.run(first(networked(text)))
    stage = networked(text + b"fail 198.51.100.2\n")
    asyncio.run(second(stage))
    told = [each.text() for each in stage.told if isinstance(each, BanEnded)]
    assert told[0] == "[j] 198.51.100.1 is now covered by the ban of a network"


def test_the_ledger_knows_how_a_folded_ban_ended_and_gives_it_back() -> None:
    court, store = Court(), MemoryStore()

    async def part() -> None:
        await store.commit([court.judge("198.51.100.1", "198.51.100.2")])
        memory = await store.load(NOW)
        (ban,) = memory.jails["j"].bans
        assert ban.subject == NET
        assert all(past.folded for past in memory.jails["j"].past.values())
        heir = JailPolicy(SETTINGS, ExemptList(["198.51.100.200"]))
        assert heir.restore(memory.jails["j"], Instant(NOW + 1)) == []
        await store.commit([Commit(NOW, tuple(heir.tick(Instant(NOW + 1))))])
        after = await store.load(Instant(NOW + 1))
        assert {each.subject.text for each in after.jails["j"].bans} == {
            "198.51.100.1",
            "198.51.100.2",
        }

    asyncio.run(part())


def test_an_end_that_is_no_fold_is_told_as_an_unban() -> None:
    ban = JailPolicy(SETTINGS, ExemptList()).ban(NET, NOW, Seconds(5))
    assert isinstance(ban, StartBan)
    end = EndBan(ban.ban, "expired")
    assert BanEnded("j", end.ban.subject).text() == "[j] Unban 198.51.100.0/24"
