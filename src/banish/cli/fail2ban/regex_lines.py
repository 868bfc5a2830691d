"""What the LOG of ``fail2ban-regex`` means: a file, the journal, the input, or lines as such."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import NamedTuple

from banish.cli.fail2ban.regex_choice import HERE, shorten
from banish.cli.trial import log_or_input
from banish.config.arguments import parse_spec
from banish.config.problem import FaultError
from banish.config.text import single
from banish.detect.detector import encoding_named
from banish.errors import ConfigError, SourceError
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch
from banish.sources.replay import read_log
from banish.telemetry.events import Event
from banish.telemetry.lines import harmless

JOURNAL = "systemd-journal"

_SHOWN_LINES = 5

QUIET_SECONDS = 0.5
"""The journal is read to its end when nothing more comes for this long."""


class InputLine(NamedTuple):
    """One line without its end, and its time where the source knows it."""

    text: str
    at: Instant | None = None


def open_lines(
    log: str, encoding: str, *, maxlines: int, matches: tuple[tuple[str, ...], ...]
) -> tuple[list[str], Iterable[InputLine]]:
    """Return what the report says of *log*, and its lines.

    Raises:
        ConfigError: There is no such encoding, or *log* is written wrong.
        SourceError: While the lines are taken: the log cannot be read.

    """
    if log.startswith(JOURNAL):
        said = ["Use         systemd journal", f"Use         encoding : {encoding}"]
        said += [f"Use    journal match : {' '.join(words)}" for words in matches]
        return said, _journal(log, matches)
    # Unlike Path.is_file this takes any text: a long line, one with a NUL in it.
    if log == "-" or os.path.isfile(log):  # noqa: PTH113
        name = "standard input" if log == "-" else log
        codec = encoding_named(encoding)
        said = [f"Use         log file : {name}", f"Use         encoding : {encoding}"]
        return said, _file(log, codec)
    if maxlines <= 1 and "\n" not in log:
        return [f"Use      single line : {shorten(log)}"], [InputLine(log)]
    lines = log.split("\n")
    said = [f"Use      multi line : {len(lines)} line(s)"]
    said += [f"| {n:2}: {shorten(line)}" for n, line in enumerate(lines[:_SHOWN_LINES], 1)]
    said += ["| ..."] * (len(lines) > _SHOWN_LINES)
    return [*said, "`-"], [InputLine(line) for line in lines]


def _file(log: str, codec: str) -> Iterator[InputLine]:
    for batch in read_log(log_or_input(log)):
        for raw in batch.block.removesuffix(b"\n").split(b"\n"):
            yield InputLine(raw.rstrip(b"\r").decode(codec, "replace"))


def _journal(log: str, matches: tuple[tuple[str, ...], ...]) -> Iterator[InputLine]:
    """Yield the entries of the journal from its beginning to its end."""
    from banish.sources.journal import JournalSource  # noqa: PLC0415
    from banish.sources.journalfiles import SYSTEM_ONLY  # noqa: PLC0415

    try:
        _, arguments = parse_spec(single(log, HERE))
        given = {option: text.text for option, text in arguments.items()}
        flags = int(given.pop("journalflags", SYSTEM_ONLY))
        path = given.pop("journalpath", None) or given.pop("journalfiles", None)
    except (FaultError, ValueError) as error:
        raise ConfigError(f"{log} is not understood: {error}", where="LOG") from error

    def tell(event: Event) -> None:
        print(f"WARNING {harmless(event.text())}", file=sys.stderr)

    source = JournalSource(
        "fail2ban-regex", matches, emit=tell, clock=_now, journal_path=path, flags=flags,
        since=Seconds(time.time()),
    )  # fmt: skip
    with asyncio.Runner() as runner:
        batches = source.batches({})
        try:
            while (batch := runner.run(_next(batches))) is not None:
                texts = batch.block.decode("utf-8", "replace").removesuffix("\n").split("\n")
                times = batch.times or (None,) * len(texts)
                yield from map(InputLine, texts, times)
        finally:
            runner.run(_close(batches))
    health = source.health()
    if health.state in ("waiting", "failing"):
        raise SourceError(health.detail, retry=False)


def _now() -> Instant:
    return Instant(time.time())


async def _next(batches: AsyncGenerator[Batch]) -> Batch | None:
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            return await anext(batches)
    except TimeoutError:
        return None


async def _close(batches: AsyncGenerator[Batch]) -> None:
    if isinstance(batches, AsyncGenerator):
        await batches.aclose()
