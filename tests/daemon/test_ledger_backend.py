"""A jail that counts the bans of the others, without a log."""

from collections.abc import Sequence

from banish.daemon.jails import Jails
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.decision import StartBan
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.settings import Escalation, FilterSettings, JailSettings
from banish.model.snapshot import Commit, JailMemory, Memory
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy
from banish.telemetry.events import Event, FailureFound
from tests.daemon.stage import singly

NOW = Instant(1_790_000_000)
WHO = parse_subject("192.0.2.7")
NO_FILTER = FilterSettings(name="")


class Host:
    """Jails ``ssh`` and ``web`` that ban at the first failure, ``again`` at their third ban."""

    def __init__(self, **changes: object) -> None:
        self.told: list[Event] = []
        short = Seconds(10)
        again = {"maxretry": 3, "findtime": Seconds(86_400), "bantime": Seconds(7 * 86_400)}
        settings = [
            JailSettings("ssh", NO_FILTER, maxretry=1, bantime=short),
            JailSettings("web", NO_FILTER, maxretry=1, bantime=short),
            JailSettings("again", NO_FILTER, backend="ledger", **{**again, **changes}),  # type: ignore[arg-type]
        ]
        self.jails = Jails(
            {one.name: JailPolicy(one, ExemptList()) for one in settings},
            emit_every=lambda told: self.told.extend(singly(told)),
            on_due=lambda: None,
        )

    def fail(self, jail: str, after: float) -> Commit:
        """Have WHO fail in *jail*, *after* seconds from the beginning."""
        now = Instant(NOW + after)
        self.jails.tick(now)
        return self.jails.judge([Failure(jail, WHO, now)], now, {})


def started(commit: Commit) -> list[str]:
    return [one.ban.jail for one in commit.decisions if isinstance(one, StartBan)]


def test_bans_of_all_other_jails_count_and_the_last_one_brings_the_long_ban() -> None:
    host = Host()
    assert started(host.fail("ssh", 0)) == ["ssh"]
    assert started(host.fail("web", 1)) == ["web"]
    commit = host.fail("ssh", 20)
    assert started(commit) == ["ssh", "again"]
    long = commit.decisions[-1].ban
    assert (long.since, long.until) == (NOW + 20, NOW + 20 + 7 * 86_400)
    assert [line.text for line in long.evidence] == [
        "[ssh] Ban 192.0.2.7", "[web] Ban 192.0.2.7", "[ssh] Ban 192.0.2.7",
    ]  # fmt: skip
    found = [one for one in host.told if isinstance(one, FailureFound) and one.jail == "again"]
    assert len(found) == 3


def test_bans_by_hand_count_and_ban_and_window_are_one_step() -> None:
    host = Host()
    commit = host.jails.ban("ssh", [WHO], NOW, None)
    assert started(commit) == ["ssh"]
    assert {change.jail: len(change.tallies) for change in commit.changes}["again"] == 1


def test_after_a_crash_nothing_is_counted_twice_and_nothing_is_lost() -> None:
    host = Host()
    host.fail("ssh", 0)
    told: Sequence[Commit] = [host.fail("web", 1)]
    second = Host()
    tally = {
        subject: tally
        for change in told[0].changes
        if change.jail == "again"
        for subject, tally in change.tallies.items()
        if tally is not None
    }
    bans = (Ban("web", WHO, Instant(NOW + 1), Instant(NOW + 11)),)
    memory = Memory({"web": JailMemory(bans), "again": JailMemory(tallies=tally)})
    second.jails.restore(memory, Instant(NOW + 5))
    second.jails.restore_bans(Memory({"web": JailMemory(bans)}), Instant(NOW + 5))
    assert started(second.fail("ssh", 20)) == ["ssh", "again"]


def test_what_is_older_than_findtime_does_not_count() -> None:
    host = Host(findtime=Seconds(60))
    host.fail("ssh", 0)
    host.fail("ssh", 50)
    assert started(host.fail("ssh", 70)) == ["ssh"]
    assert started(host.fail("ssh", 90)) == ["ssh", "again"]


def test_a_new_jail_counts_what_the_ledger_remembers() -> None:
    host = Host()
    past = [Ban("ssh", WHO, Instant(NOW - 100 * n), Instant(NOW - 100 * n + 10)) for n in (3, 2, 1)]
    assert started(host.jails.recount("again", past, NOW)) == ["again"]
    assert host.jails.counting == ["again"]


def test_overalljails_counts_a_long_ban_once() -> None:
    """The how-manieth ban it is: two of ssh, one of the jail that counts them."""
    made: dict[str, JailPolicy] = {}
    escalation = Escalation(increment=True, overalljails=True)

    def policy(settings: JailSettings) -> JailPolicy:
        return JailPolicy(
            settings,
            ExemptList(),
            count_of=lambda who, now: sum(one.count(who, now) for one in made.values()),
        )

    ssh = JailSettings("ssh", NO_FILTER, maxretry=1, bantime=Seconds(10), escalation=escalation)
    made["ssh"] = policy(ssh)
    made["again"] = policy(
        JailSettings("again", NO_FILTER, backend="ledger", maxretry=2, bantime=Seconds(100))
    )
    jails = Jails(made, emit_every=lambda _: None, on_due=lambda: None)
    lasted = []
    for after in (0, 50, 5_000):
        now = Instant(NOW + after)
        jails.tick(now)
        commit = jails.judge([Failure("ssh", WHO, now)], now, {})
        lasted += [(one.ban.jail, (one.ban.until or 0) - one.ban.since) for one in commit.decisions]
    assert lasted == [("ssh", 10), ("ssh", 20), ("again", 100), ("ssh", 80)]
