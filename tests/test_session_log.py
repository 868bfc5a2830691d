"""The benchmark's log of sshd sessions: whole, the same every time, and counted rightly."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from banish.config import builtin_tree, filter_settings
from banish.detect.detector import Detector
from banish.detect.matcher import Matcher
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, JournalPosition
from bench.sessions import SessionLog

BEGIN = datetime(2026, 11, 30, 12, tzinfo=UTC)


def attacked(*, is_iso: bool = False, begin: datetime = BEGIN, seed: int = 1) -> SessionLog:
    return SessionLog(seed, begin, sshd=1.0, attacks=0.95, is_iso=is_iso)


def test_a_seed_gives_the_same_log_every_time() -> None:
    first = list(attacked().lines(2_000))
    assert first == list(attacked().lines(2_000))
    assert first != list(attacked(seed=2).lines(2_000))


def test_every_session_is_written_whole() -> None:
    log = attacked()
    written = Counter(line.split("sshd", 1)[1].split("]: ", 1)[1] for line in log.lines(2_000))
    assert written == Counter(text for _, _, texts in log.sessions for text in texts)


def test_pids_are_used_again() -> None:
    log = attacked()
    list(log.lines(100_000))
    used = Counter((host, pid) for host, pid, _ in log.sessions)
    assert max(used.values()) > 1


def test_a_third_of_an_attacked_server_s_lines_are_failures() -> None:
    log = attacked()
    lines = list(log.lines(20_000))
    assert 0.27 < log.failures / len(lines) < 0.37


@pytest.mark.parametrize("is_iso", [False, True])
def test_our_filter_counts_as_many_failures_as_the_log_says(is_iso: bool) -> None:
    log = attacked(is_iso=is_iso, begin=datetime.now().astimezone() - timedelta(hours=1))
    block = "".join(line + "\n" for line in log.lines(4_000)).encode()
    now = Instant(time.time())
    matcher = Matcher("sshd", filter_settings("sshd", None, builtin_tree()), Seconds(1e9))
    batch = Batch("s", "/p", block, JournalPosition("", now), live=False)
    assert len(Detector([matcher], None).feed(batch, now)) == log.failures
