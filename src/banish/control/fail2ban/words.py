"""Reads the words of a command, and says what is wrong with one.

Fail2Ban's clients send text; the commands of a configuration also hold numbers and lists.
What is wrong goes back as the exception that Fail2Ban would have raised: its name is what
clients look at, its text is ours.
"""

from collections.abc import Sequence

from banish.control.fail2ban.answers import CommandError, Value
from banish.model.duration import DurationError, parse_duration
from banish.model.instant import Seconds

TRUE_WORDS = frozenset({"1", "on", "true", "yes"})


def word(value: Value) -> str:
    """Return one word of a command as text."""
    match value:
        case str():
            return value
        case bytes():
            return value.decode("utf-8", "replace")
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            raise CommandError("TypeError", "a word of the command is not text")


def words(values: Sequence[Value]) -> list[str]:
    """Return the words of *values*; a list among them stands for its words."""
    found: list[str] = []
    for value in values:
        if isinstance(value, list | tuple):
            found += [word(each) for each in value]
        else:
            found.append(word(value))
    return found


def require_words(args: Sequence[str]) -> None:
    """Refuse a command that lacks its last words.

    Raises:
        CommandError: There is none.

    """
    if not args:
        raise CommandError("IndexError", "list index out of range")


def to_bool(text: str) -> bool:
    """Return whether *text* is a word for yes; any other word is no, as in Fail2Ban."""
    return text.strip().lower() in TRUE_WORDS


def to_number(text: str, least: int, name: str) -> int:
    """Return *text* as a whole number, at least *least*."""
    number = int(text)
    if number < least:
        raise CommandError("ValueError", f"{name} must be a whole number from {least} up")
    return number


def to_span(text: str) -> Seconds:
    """Return *text* as a length of time, which may be below zero."""
    try:
        return parse_duration(text)
    except DurationError as error:
        raise CommandError("ValueError", f"{error.what}: {error.cure}") from error


def shown_span(span: Seconds) -> int | float:
    """Return *span* as Fail2Ban's clients want it: a whole number where it is one."""
    return int(span) if float(span).is_integer() else span
