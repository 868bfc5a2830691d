"""How a log line reads: Fail2Ban's classic format, and a short one for people.

The classic format is what logwatch, munin and the recidive filter parse
(server/server.py and helpers.py of Fail2Ban 1.1.1)::

    2026-11-22 20:00:00,123 banish.actions          [4711]: NOTICE  [sshd] Ban 192.0.2.1

Characters that steer a terminal or end a line never get through: a log line
holds text that attackers choose.
"""

import codecs
import functools
import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from banish.errors import ConfigError
from banish.telemetry.events import NOTICE, Event

codecs.lookup("unicode_escape")
"""Python loads a codec when it is first used, and then there may be no descriptor left."""

LEVELS = {
    "CRITICAL": logging.CRITICAL,
    "ERROR": logging.ERROR,
    "WARNING": logging.WARNING,
    "NOTICE": NOTICE,
    "INFO": logging.INFO,
    "MSG": 18,
    "DEBUG": logging.DEBUG,
    "TRACEDEBUG": 7,
    "HEAVYDEBUG": 5,
}
"""Fail2Ban's levels by name, loudest first."""

_SEVERITIES = ((50, 2), (40, 3), (30, 4), (NOTICE, 5), (18, 6), (0, 7))
"""From our levels to RFC 5424's severities."""

NAMES = {number: name for name, number in LEVELS.items()}


class LogLine(NamedTuple):
    """One thing to be written."""

    at: float
    """UNIX time."""
    origin: str
    """The logger that speaks, such as ``banish.actions``."""
    level: int
    text: str


class LogRun(NamedTuple):
    """Lines of one logger, time and level: written together at little cost for each."""

    at: float
    """UNIX time."""
    origin: str
    level: int
    texts: Sequence[str]
    events: Sequence[Event | None] = ()
    """What each of the first lines tells; None, or nothing: a line without an event."""


LogFormat = Callable[[LogRun], str]
r"""Turns a run into text, each line with its ``\n``."""


def run_of(line: LogLine) -> LogRun:
    """Return the run that is just *line*."""
    return LogRun(line.at, line.origin, line.level, (line.text,))


def parse_level(text: str) -> int:
    """Return the level that *text* names or numbers.

    Raises:
        ConfigError: It is neither.

    """
    word = text.strip().upper()
    if word in LEVELS:
        return LEVELS[word]
    if word.isdecimal() and len(word) <= 3:
        return int(word)
    raise ConfigError(
        f'"{text}" is not a log level', where="loglevel", cure="one of " + ", ".join(LEVELS)
    )


def level_name(level: int) -> str:
    """Return the name of *level*, as Python's logging would write it."""
    return NAMES.get(level, f"Level {level}")


def severity_of(level: int) -> int:
    """Return RFC 5424's severity for *level*, which syslog and the journal know."""
    return next((number for least, number in _SEVERITIES if level >= least), 7)


def harmless(text: str) -> str:
    r"""Return *text* with everything that is not printable written as an escape (``\x1b``)."""
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable()
        else letter.encode("unicode_escape", "surrogatepass").decode("ascii")
        for letter in text
    )


def _harmless_lines(texts: Sequence[str]) -> Sequence[str]:
    """Return *texts* as `harmless` does each; asked once for all of them, as most are."""
    if "".join(texts).isprintable():
        return texts
    return [harmless(text) for text in texts]


class _Stamp:
    """Writes times as ``2026-11-22 20:00:00,123``; remembers the second it wrote last."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""
        self._last = (-1.0, "")

    def __call__(self, at: float) -> str:
        if at == self._last[0]:
            return self._last[1]
        second = int(at)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        text = f"{self._text},{int((at - second) * 1000):03d}"
        self._last = (at, text)
        return text


def classic_format(pid: int, *, timed: bool = True, padded: bool = True) -> LogFormat:
    """Return Fail2Ban's format; without time for ``SYSOUT``, unpadded where asked."""
    stamp = _Stamp()

    @functools.lru_cache(maxsize=256)
    def front(origin: str, number: int) -> str:
        level = level_name(number)
        return f"{origin:<24}[{pid}]: {level:<7}" if padded else f"{origin}[{pid}]: {level}"

    def write(run: LogRun) -> str:
        at, origin, level, texts, _ = run
        begin = f"{front(origin, level)} "
        if timed:
            begin = f"{stamp(at)} {begin}"
        return begin + f"\n{begin}".join(_harmless_lines(texts)) + "\n"

    return write


def custom_format(pattern: str, pid: int) -> LogFormat:
    """Return the format of a ``format="..."`` option, in the words of Python's logging.

    Raises:
        ConfigError: *pattern* is broken or asks for what a line does not have.

    """
    stamp = _Stamp()

    def write(run: LogRun) -> str:
        words: dict[str, object] = {
            "asctime": stamp(run.at),
            "created": run.at,
            "name": run.origin,
            "process": pid,
            "levelno": run.level,
            "levelname": level_name(run.level),
        }
        return "".join(
            f"{pattern % (words | {'message': text})}\n" for text in _harmless_lines(run.texts)
        )

    try:
        write(LogRun(0.0, "banish", logging.INFO, ("",)))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f'format "{pattern}" cannot be used: {error}',
            where="logtarget",
            cure="use %(asctime)s, %(name)s, %(process)d, %(levelname)s and %(message)s",
        ) from error
    return write


_COLOURS = ((logging.ERROR, "31"), (logging.WARNING, "33"), (NOTICE, "1"), (logging.INFO, ""))


def short_format(*, coloured: bool) -> LogFormat:
    """Return the format for somebody who watches: time of day, text, colour by level."""

    def write(run: LogRun) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(int(run.at)))
        loud = f"{level_name(run.level).lower()}: " if run.level >= logging.WARNING else ""
        texts = _harmless_lines(run.texts)
        if not coloured:
            return "".join(f"{clock} {loud}{text}\n" for text in texts)
        colour = next((code for level, code in _COLOURS if run.level >= level), "2")
        begin, end = (f"\x1b[{colour}m", "\x1b[0m") if colour else ("", "")
        return "".join(f"\x1b[2m{clock}\x1b[0m {begin}{loud}{text}{end}\n" for text in texts)

    return write
