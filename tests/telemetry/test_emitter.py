"""Telling everybody what happened."""

import itertools
import re
from collections.abc import Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import parse_subject
from banish.model.failure import Failure
from banish.model.instant import Instant
from banish.telemetry import events
from banish.telemetry.emitter import UNSPEAKABLE, Emitter
from banish.telemetry.events import (
    BanEnded,
    BannedSubjectFailed,
    BanStarted,
    Event,
    FailureExempted,
    FailureFound,
    FailuresFound,
    FirewallRepaired,
    JailStarted,
    JailStopped,
    PartFailed,
    PartRecovered,
    RequestRefused,
    ServerStarted,
    ServerStopped,
    SourceChanged,
    WarningGiven,
)
from banish.telemetry.lines import LogLine, LogRun
from banish.telemetry.logs import Log

ATTACKER = parse_subject("192.0.2.1")
FAILURE = Failure("sshd", ATTACKER, Instant(1_700_000_000.0))


class Kept:
    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    def write(self, runs: Sequence[LogRun]) -> None:
        self.lines += [
            LogLine(run.at, run.origin, run.level, text) for run in runs for text in run.texts
        ]

    def reopen(self) -> None: ...

    def close(self) -> None: ...


def clock() -> Instant:
    return Instant(1_700_000_000.0)


def told(*what: Event, program: str = "banish", level: int = 20) -> list[LogLine]:
    kept = Kept()
    log = Log(kept, level)
    emit = Emitter(log, clock=clock, program=program)
    for event in what:
        emit(event)
    log.close()
    return kept.lines


def test_a_ban_is_logged_and_counted_for_its_jail() -> None:
    emit = Emitter(clock=clock)
    emit(BanStarted("sshd", ATTACKER))
    emit(BanStarted("web", ATTACKER))
    assert emit.counters.snapshot()["banish_bans_started_total", (("jail", "sshd"),)] == 1
    [line] = told(BanStarted("sshd", ATTACKER))
    assert line == LogLine(1_700_000_000.0, "banish.actions", 25, "[sshd] Ban 192.0.2.1")


def test_loggers_can_bear_fail2bans_name() -> None:
    [line] = told(BanStarted("sshd", ATTACKER, restored=True), program="fail2ban")
    assert line.origin == "fail2ban.actions"
    assert line.text == "[sshd] Restore Ban 192.0.2.1"


def test_quiet_events_are_counted_but_not_written() -> None:
    assert told(FailureFound("sshd", ATTACKER, clock()), level=25) == []


def test_listeners_hear_everything_from_then_on() -> None:
    emit, heard = Emitter(clock=clock), list[Event]()
    emit(ServerStopped())
    emit.listen(heard.append)
    emit(ServerStopped())
    assert heard == [ServerStopped()]


def test_listeners_may_hear_of_some_kinds_only() -> None:
    emit, heard = Emitter(clock=clock), list[Event]()
    emit.listen(heard.append, ServerStopped)
    emit.every([FailuresFound("sshd", [FAILURE]), JailStarted("sshd"), ServerStopped()])
    assert heard == [ServerStopped()]


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (BanEnded("sshd", ATTACKER), "[sshd] Unban 192.0.2.1"),
        (BannedSubjectFailed("sshd", ATTACKER), "[sshd] 192.0.2.1 already banned"),
        (FailureExempted("sshd", ATTACKER, "ignoreself"), "[sshd] Ignore 192.0.2.1 by ignoreself"),
        (JailStarted("sshd"), "Jail 'sshd' started"),
        (JailStopped("sshd"), "Jail 'sshd' stopped"),
        (ServerStarted("1", jails=1, bans=2), "banish 1 ready: 1 jail, 2 bans restored"),
        (ServerStarted("1", jails=0, bans=1), "banish 1 ready: 0 jails, 1 ban restored"),
        (PartFailed("firewall", "gone"), "firewall: gone"),
        (PartRecovered("firewall"), "firewall: works again"),
        (WarningGiven("jail web", "odd"), "jail web: odd"),
        (
            FirewallRepaired(missing=2, foreign=1, rebuilt=False),
            "firewall repaired: 2 bans added back, 1 removed",
        ),
        (
            FirewallRepaired(missing=0, foreign=0, rebuilt=False, mistimed=3),
            "firewall repaired: 0 bans added back, 0 removed, 3 with their time corrected",
        ),
        (
            FirewallRepaired(missing=0, foreign=0, rebuilt=True),
            (
                "firewall repaired: tables or rules were missing or changed; 0 bans added back, 0 "
                "removed"
            ),
        ),
        (SourceChanged("/var/log/auth.log", "was rotated"), "/var/log/auth.log: was rotated"),
        (
            RequestRefused("only root may ask", uid=7, pid=9),
            "request refused (uid 7, pid 9): only root may ask",
        ),
    ],
)
def test_what_scripts_look_for_reads_as_they_expect(event: Event, text: str) -> None:
    assert [line.text for line in told(event)] == [text]


def test_a_failure_is_told_with_its_own_time() -> None:
    [line] = told(FailureFound("sshd", ATTACKER, clock()))
    assert re.fullmatch(r"\[sshd\] Found 192\.0\.2\.1 - 2023-11-1[45] \d\d:\d\d:20", line.text)


@pytest.mark.parametrize("at", [1e300, -1e300, float("inf"), float("nan")])
def test_a_time_no_calendar_holds_stops_nobody(at: float) -> None:
    [line] = told(FailureFound("sshd", ATTACKER, Instant(at)))
    assert line.text.startswith("[sshd] Found 192.0.2.1 - @")


class Unspeakable(Event, frozen=True):
    def text(self) -> str:
        raise ValueError("no words")


def test_an_event_without_text_is_logged_as_an_error() -> None:
    kept = Kept()
    log = Log(kept)
    emit = Emitter(log, clock=clock)
    emit(Unspeakable())
    log.close()
    assert [line.text for line in kept.lines] == ["Unspeakable: no words"]
    assert emit.counters.total(UNSPEAKABLE) == 1


def test_troubles_are_counted_by_part() -> None:
    emit = Emitter(clock=clock)
    emit(PartFailed("firewall", "gone"))
    assert 'banish_troubles_met_total{part="firewall"} 1' in emit.counters.exposition()


def test_every_counter_follows_the_naming_rule_and_its_labels_are_fields() -> None:
    kinds = [
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
    ]
    assert len(kinds) > 10
    for kind in kinds:
        assert not get_args(kind)
        if kind.counter:
            assert re.fullmatch(r"banish_[a-z]+_[a-z]+_total", kind.counter)
        assert set(kind.labels) <= set(kind.__struct_fields__)


def test_telling_many_at_once_is_telling_each() -> None:
    found = [FailureFound("sshd", ATTACKER, clock()) for _ in range(3)]
    again = BannedSubjectFailed("sshd", ATTACKER, 5)
    kept = Kept()
    log = Log(kept, 20)
    emit = Emitter(log, clock=clock)
    heard: list[Event] = []
    emit.listen(heard.append)
    emit.every([*found, again])
    log.close()
    assert kept.lines == told(*found, again)
    assert heard == [*found, again]
    assert emit.counters.total("banish_failures_found_total") == 3
    assert emit.counters.total("banish_failures_banned_total") == 5


_TIMES = st.sampled_from([1_700_000_000.0, 1_700_000_000.5, 1_700_000_901.0, float("nan")])
_FAILURES = st.builds(
    Failure,
    st.sampled_from(["sshd", "web"]),
    st.sampled_from([ATTACKER, parse_subject("2001:db8::1"), parse_subject("a\nb")]),
    _TIMES.map(Instant),
)
_OTHERS = st.sampled_from(
    [
        BannedSubjectFailed("sshd", ATTACKER, 5),
        BanStarted("web", ATTACKER),
        ServerStopped(),
        PartFailed("firewall", "gone"),
        Unspeakable(),
    ]
)


@given(st.lists(st.lists(_FAILURES, min_size=1, max_size=4) | _OTHERS, max_size=8))
def test_runs_of_failures_are_told_as_if_each_were(what: list[list[Failure] | Event]) -> None:
    apart, together = list[Event](), list[Event]()
    for item in what:
        if isinstance(item, Event):
            apart.append(item)
            together.append(item)
            continue
        apart += [FailureFound(one.jail, one.subject, one.at) for one in item]
        for jail, found in itertools.groupby(item, lambda one: one.jail):
            together.append(FailuresFound(jail, list(found)))
    results = []
    for told_at_once in (False, True):
        kept, heard = Kept(), list[Event]()
        log = Log(kept, 20)
        emit = Emitter(log, clock=clock)
        emit.listen(heard.append)
        emit.listen(heard.append, FailureFound)
        if told_at_once:
            emit.every(together)
        else:
            for event in apart:
                emit(event)
        log.close()
        results.append((kept.lines, sorted(map(repr, heard)), emit.counters.snapshot()))
    assert results[0] == results[1]


def test_a_run_of_failures_reads_as_one_text_too() -> None:
    run = FailuresFound("sshd", [FAILURE, FAILURE])
    assert run.text() == ", ".join(run.texts())
    assert len(run.texts()) == run.count == 2
