"""Turns the text of an option into its type; each function raises `FaultError` with a cure."""

import re
import shlex
from pathlib import Path

from banish.config.problem import FaultError, Problems, did_you_mean, shown
from banish.config.text import Text
from banish.config.tidy import tidied
from banish.model.duration import LONGEST, DurationError, parse_duration
from banish.model.instant import Seconds
from banish.model.option import Option
from banish.model.settings import LogPath, Regex

TRUE_WORDS = ("1", "on", "true", "yes")
FALSE_WORDS = ("0", "off", "false", "no", "")

DIGITS_LIMIT = 15
"""Most digits of a number that is read as it is."""

_BEYOND = 10**DIGITS_LIMIT
"""Stands for a number that has more digits."""

_WHOLE_NUMBER = re.compile(r"([-+]?[0-9]+(?:_[0-9]+)*)(?:\.0*(?![0-9]))?", re.ASCII)
"""A whole number at the beginning of a value, such as of ``5 tries``."""


def to_bool(text: Text, option: str, problems: Problems) -> bool:
    """Return whether *text* is one of the words for yes; anything else is no, as in Fail2Ban.

    A comment behind the word, and quotes around it, are reported and left out.
    """
    word = text.text.strip().lower()
    plain = tidied(text)
    if not _is_word(text) and plain is not None and _is_word(plain):
        what = f"{shown(text.text)} is read as {shown(plain.text)}"
        cure = f"write {plain.text}, and a comment on a line of its own"
        problems.warn(what, text.place, option=option, cure=cure)
        return plain.text.lower() in TRUE_WORDS
    if not _is_word(text):
        what = f"{shown(text.text)} counts as false"
        cure = did_you_mean(word, (*TRUE_WORDS, "false")) or "write true or false"
        problems.warn(what, text.place, option=option, cure=cure)
    return word in TRUE_WORDS


def to_enabled(text: Text, problems: Problems) -> bool:
    """Return whether *text* turns a jail on.

    Raises:
        FaultError: It is none of the words for yes and no.

    """
    if not _is_word(text) and not _is_word(tidied(text)):
        word = text.text.strip()
        cure = did_you_mean(word, (*TRUE_WORDS, "false")) or "write true or false"
        raise FaultError(f"{shown(word)} is neither true nor false", text.place, cure)
    return to_bool(text, "enabled", problems)


def _is_word(text: Text | None) -> bool:
    return text is not None and text.text.strip().lower() in (*TRUE_WORDS, *FALSE_WORDS)


def to_number(text: Text, option: Option) -> int:
    """Return *text* as a whole number within the bounds of *option*."""
    content = text.text.strip()
    cure = f"write a number from {option.least} to {option.most}"
    found = _WHOLE_NUMBER.match(content)
    if found is None:
        raise FaultError(f"{shown(content)} is not a whole number", text.place, cure)
    number = (
        int(found[1]) if len(found[1]) <= DIGITS_LIMIT else _BEYOND * (-1 if "-" in found[1] else 1)
    )
    nearest = min(max(number, option.least), option.most)
    instead = (nearest, str(nearest))
    if found[0] != content:
        what = f"{shown(content)} is not a whole number"
        raise FaultError(what, text.place, cure, instead=instead)
    if nearest != number:
        raise FaultError(f"{shown(content)} is out of bounds", text.place, cure, instead=instead)
    return number


def to_duration(text: Text) -> Seconds:
    """Return *text* as a length of time in seconds; it may be below zero."""
    try:
        return parse_duration(text.text)
    except DurationError as error:
        longest = (Seconds(LONGEST), "the longest time") if error.is_too_long else None
        raise FaultError(error.what, text.place, error.cure, instead=longest) from error


def to_span(text: Text) -> Seconds:
    """Return *text* as a length of time above zero."""
    span = to_duration(text)
    if span <= 0:
        what = f"{shown(text.text)} is not longer than 0 seconds"
        raise FaultError(what, text.place, "write a length of time, such as 10m")
    return span


def to_choice(text: Text, option: Option) -> str:
    """Return the choice of *option* that *text* names, in the choice's own letter case."""
    word = text.text.strip()
    for choice in option.choices:
        if choice.lower() == word.lower():
            return choice
    near = did_you_mean(word, [choice.lower() for choice in option.choices])
    cure = near or f"write one of: {', '.join(option.choices)}"
    raise FaultError(f"{shown(word)} is not one of its values", text.place, cure)


def to_regexes(text: Text) -> tuple[Regex, ...]:
    """Return each line of *text* as a regex; blank lines are no regex."""
    return tuple(Regex(line, place) for line, place in text.lines() if line.strip())


def to_regex(text: Text) -> Regex | None:
    """Return *text* as one regex or pattern, or None if it is blank."""
    return Regex(text.text, text.place) if text.text.strip() else None


def to_matches(text: Text) -> tuple[tuple[str, ...], ...]:
    """Return each line of *text* as the words of one journal match."""
    found: list[tuple[str, ...]] = []
    for line, place in text.lines():
        try:
            words = tuple(shlex.split(line))
        except ValueError as error:
            cure = "close every quote"
            raise FaultError(f"{shown(line)} is no journal match: {error}", place, cure) from error
        for word in words:
            if word != "+" and "=" not in word[1:]:
                cure = "write FIELD=value, such as _SYSTEMD_UNIT=ssh.service, and + between two"
                raise FaultError(f"{shown(word)} is no journal match", place, cure)
        if words:
            found.append(words)
    return tuple(found)


def to_multipliers(text: Text) -> tuple[float, ...]:
    """Return *text* as numbers."""
    found: list[float] = []
    for word, place in text.words():
        try:
            number = float(word)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1e9:
            cure = "write numbers separated by blanks, such as 1 5 30 60"
            kept = " ".join(f"{each:g}" for each in found)
            instead = (tuple(found), kept) if found else None
            raise FaultError(f"{shown(word)} is not a number", place, cure, instead=instead)
        found.append(number)
    return tuple(found)


def _unquoted(path: str) -> str:
    """Return *path* without quotes around it; a file whose name begins with one is rarer."""
    inner = path.strip().strip("\"'\u201c\u201d\u2018\u2019").strip()
    return inner if inner.startswith("/") and not path.strip().startswith("/") else path


def to_logpaths(text: Text, problems: Problems) -> tuple[LogPath, ...]:
    """Return the entries of a ``logpath``, one a line, each with where to begin."""
    found: dict[str, LogPath] = {}
    for line, place in text.lines():
        path, blank, last = line.strip().rpartition(" ")
        if not blank or last not in ("head", "tail"):
            path, last = line.strip(), "head"
        if (plain := _unquoted(path)) != path:
            what = f"{shown(path)} is read as {shown(plain)}"
            problems.warn(what, place, option="logpath", cure="write the path without quotes")
            path = plain
        if not path:
            continue
        paths = [path.strip()]
        if re.search(r"[,\s]\s*/", path) and not Path(path).exists():
            paths = [one for one in re.split(r"[,\s]+(?=/)", path) if one]
            what = f"{shown(path)} is read as {len(paths)} paths"
            problems.warn(what, place, option="logpath", cure="write one path a line")
        for one in paths:
            if not one.startswith("/"):
                what = f"{shown(one)} does not begin with /, so it is not watched"
                cure = "write the whole path, such as /var/log/auth.log"
                problems.error(what, place, option="logpath", cure=cure)
                continue
            found.setdefault(one, LogPath(one, last == "tail", place))
    return tuple(found.values())
