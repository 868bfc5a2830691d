"""The log's queue and thread."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from banish.telemetry.lines import LogLine, LogRun
from banish.telemetry.logs import Log, bridge_logging


def line(text: str, level: int = logging.INFO) -> LogLine:
    return LogLine(0.0, "banish", level, text)


class Kept:
    """A target that keeps what it gets, and can be held or broken."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.is_broken = False
        self.reopened = 0
        self.tried_again = threading.Event()
        self.closed = 0

    def write(self, runs: Sequence[LogRun]) -> None:
        self.entered.set()
        assert self.gate.wait(10)
        if self.is_broken:
            raise OSError(28, "No space left on device")
        self.texts += [text for run in runs for text in run.texts]

    def reopen(self) -> None:
        self.reopened += 1
        self.tried_again.set()
        if self.is_broken:
            raise OSError(2, "No such file or directory")

    def close(self) -> None:
        self.closed += 1


def test_closing_writes_everything_in_order() -> None:
    target = Kept()
    log = Log(target)
    for number in range(5_000):
        log.write(line(str(number)))
    log.close()
    assert target.texts == [str(number) for number in range(5_000)]
    assert target.closed == 1


def test_quieter_lines_than_asked_for_are_not_written() -> None:
    target = Kept()
    log = Log(target, logging.WARNING)
    assert not log.wants(logging.INFO)
    log.write(line("quiet"))
    log.write(line("loud", logging.ERROR))
    log.close()
    assert target.texts == ["loud"]


def test_a_full_queue_drops_counts_and_says_so() -> None:
    target = Kept()
    target.gate.clear()
    log = Log(target, limit=3)
    log.write(line("first"))
    assert target.entered.wait(10)
    for number in range(10):
        log.write(line(str(number)))
    assert log.dropped == 7
    target.gate.set()
    log.close()
    assert target.texts[:4] == ["first", "0", "1", "2"]
    assert target.texts[4].startswith("7 log lines dropped")


def test_of_many_lines_at_once_those_are_kept_for_which_there_is_room() -> None:
    target = Kept()
    target.gate.clear()
    log = Log(target, limit=3)
    log.write(line("first"))
    assert target.entered.wait(10)
    log.write(*(line(str(number)) for number in range(10)))
    assert log.dropped == 7
    target.gate.set()
    log.close()
    assert target.texts[:4] == ["first", "0", "1", "2"]


def test_of_a_run_those_lines_are_kept_for_which_there_is_room() -> None:
    target = Kept()
    target.gate.clear()
    log = Log(target, limit=3)
    log.write(line("first"))
    assert target.entered.wait(10)
    runs = [LogRun(0.0, "banish", logging.INFO, texts) for texts in ("ab", "cde", "f")]
    log.write_runs([LogRun(0.0, "banish", logging.DEBUG, "quiet"), *runs])
    assert log.dropped == 3
    target.gate.set()
    log.close()
    assert target.texts[:4] == ["first", "a", "b", "c"]
    assert target.texts[4].startswith("3 log lines dropped")


def test_a_broken_target_loses_its_lines_and_is_tried_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = Kept()
    target.is_broken = True
    target.gate.clear()
    log = Log(target)
    log.write(line("lost"))
    assert target.entered.wait(10)
    log.reopen()
    target.gate.set()
    assert target.tried_again.wait(10)
    target.is_broken = False
    log.write(line("kept"))
    log.close()
    assert target.texts == ["kept"]
    assert log.lost == 1
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_reopening_happens_between_lines() -> None:
    target = Kept()
    log = Log(target)
    log.write(line("a"))
    log.reopen()
    log.write(line("b"))
    log.close()
    assert target.texts == ["a", "b"]
    assert target.reopened == 1


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_libraries_that_log_are_heard(root: logging.Logger) -> None:
    target = Kept()
    log = Log(target)
    bridge_logging(log)
    logging.getLogger("asyncio").warning("slow %s", "callback")
    try:
        raise ValueError("seven")
    except ValueError:
        logging.getLogger("asyncio").exception("task")
    log.close()
    assert target.texts[0] == "slow callback"
    assert target.texts[1].startswith("task | Traceback")
    assert "ValueError: seven" in target.texts[1]


def test_lines_that_the_target_does_not_take_go_to_the_fallback() -> None:
    target, fallback = Kept(), Kept()
    target.is_broken = True
    log = Log(target, fallback=fallback)
    log.write(line("elsewhere"))
    assert wait_for(lambda: fallback.texts == ["elsewhere"])
    assert "No space left" in log.trouble
    target.is_broken = False
    log.write(line("here"))
    log.close()
    assert target.texts == ["here"]
    assert log.trouble == ""
    assert log.lost == 0


def test_lines_that_nobody_takes_are_lost_and_counted() -> None:
    target = Kept()
    target.is_broken = True
    log = Log(target, fallback=target)
    log.write(line("lost"))
    log.close()
    assert log.lost == 1


def wait_for(is_so: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)
    return is_so()
