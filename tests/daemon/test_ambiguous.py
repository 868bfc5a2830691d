"""A line that names two is told of, once, with what it says made harmless."""

import asyncio

from banish.daemon.pipeline import JailWatch, Pipeline
from banish.detect.matcher import Matcher
from banish.model.instant import Seconds
from banish.model.settings import FilterSettings, Regex
from banish.telemetry.events import AmbiguousMatch, FailureFound
from tests.daemon.stage import Stage

LAZY = FilterSettings(
    "app",
    (Regex(r"^fail of .*? from <ADDR>(?: .*)?$"),),
    datepattern=Regex("{NONE}"),
    ambiguous="report",
)


def test_a_line_that_names_two_is_told_of_once() -> None:
    async def play() -> Stage:
        stage = Stage()
        stage.pipeline = Pipeline(
            stage.source,
            [JailWatch(Matcher("j", LAZY, Seconds(600)))],
            jails=stage.jails,
            enforcing=stage.enforcing,
            resolver=stage.pipeline._resolver,
            emit=stage.tell,
            clock=lambda: stage.now,
        )
        await stage.open()
        stage.source.write(b"fail of \x1b[31mx from 203.0.113.66 from 192.0.2.1\n" * 2)
        await stage.until(lambda: stage.heard(FailureFound) == 2)
        await stage.close()
        return stage

    stage = asyncio.run(play())
    (told,) = [each for each in stage.told if isinstance(each, AmbiguousMatch)]
    assert (told.jail, told.rule) == ("j", 1)
    assert told.text() == (
        "[j] failregex 1 took 203.0.113.66 where it could have taken 192.0.2.1: "
        r'"fail of \x1b[31mx from 203.0.113.66 from 192.0.2.1"'
    )


def test_it_is_said_whom_such_a_line_counts_against() -> None:
    said = AmbiguousMatch("j", 1, "203.0.113.66", "192.0.2.1", "x", "192.0.2.1").text()
    assert said == (
        "[j] failregex 1 took 203.0.113.66 where it could have taken 192.0.2.1, and the line "
        'counts against 192.0.2.1: "x"'
    )
