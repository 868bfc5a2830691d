"""The options of a jail that clients read and set: THE table of them.

A row binds the name in commands to the field of `JailSettings`, to how its value is read from
words, and to how it is shown. So ``get`` and ``set`` are one verb each for all of them. What
Fail2Ban shows as not set (None) is what no file and no command has set.
"""

import codecs
import locale
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from banish.config.exempt import to_ignorecache
from banish.config.jailvalues import to_bantime, to_maxtime, to_rndtime
from banish.config.options import JAIL_OPTIONS as CONFIGURED
from banish.config.problem import FaultError
from banish.config.text import Text
from banish.config.values import to_multipliers, to_number, to_regex, to_span
from banish.control.fail2ban.answers import CommandError, Value
from banish.control.fail2ban.words import shown_span, to_bool
from banish.detect.datepattern import parse_datepattern
from banish.detect.encoding import encoding_named
from banish.detect.zone import zone_named
from banish.errors import ConfigError
from banish.model.instant import Seconds
from banish.model.settings import CacheRule, JailSettings, Place, Regex, UseDns
from banish.policy.escalation import BanTime

AT_RUN_TIME = Place("set at run time")
"""Where options stand that a command has set."""

_DEFAULT_DATES = (None, "Default Detectors")
_STAMPS = {"EPOCH", "LEPOCH", "TAI64N"}


class JailOption(msgspec.Struct, frozen=True):
    """One option: where its value stands, and how it is read and shown."""

    field: str
    """The field of `JailSettings`; with a dot, of the value in that field."""
    read: Callable[[Text], object]
    """As a file's option is read: what a file may not say, a command may not either."""
    show: Callable[[Any], Value] = lambda value: value
    is_optional: bool = False
    """Whether it is shown as *unset* while nobody has set it."""
    unset: Value = None


def written(text: str) -> Text:
    """Return *text* as a file's value would be: it knows where it stands."""
    return Text(text, (AT_RUN_TIME,) * (text.count("\n") + 1))


def value_of(settings: JailSettings, field: str) -> Any:
    """Return the value of *field*, which may lead into another value by a dot."""
    value: Any = settings
    for name in field.split("."):
        value = getattr(value, name)
    return value


def with_value(settings: JailSettings, field: str, value: object) -> JailSettings:
    """Return *settings* with *value* in *field*."""
    outer, _, inner = field.partition(".")
    if inner:
        value = msgspec.structs.replace(getattr(settings, outer), **{inner: value})
    return msgspec.structs.replace(settings, **{outer: value})


def shown(settings: JailSettings, name: str) -> Value:
    """Return what ``get`` answers for the option called *name*, one of `JAIL_OPTIONS`."""
    option = JAIL_OPTIONS[name]
    if option.is_optional and name not in settings.places:
        return option.unset
    return option.show(value_of(settings, option.field))


def changed(settings: JailSettings, name: str, text: str) -> JailSettings:
    """Return *settings* with what *text* writes as the option called *name*.

    Raises:
        CommandError: The option does not take that.

    """
    option = JAIL_OPTIONS[name]
    try:
        value = option.read(written(text))
    except (FaultError, ConfigError) as error:
        raise CommandError("ValueError", f"{error.what}: {error.cure}") from error
    settings = with_value(settings, option.field, value)
    try:
        BanTime(settings.bantime, settings.escalation, lambda: 0.0)
    except ValueError as error:
        raise CommandError("ValueError", str(error)) from error
    return msgspec.structs.replace(settings, places={**settings.places, name: AT_RUN_TIME})


def _words(text: Text) -> str:
    return text.text.strip()


def _number(name: str) -> Callable[[Text], int]:
    return lambda text: to_number(text, CONFIGURED[name])


def _is_yes(text: Text) -> bool:
    return to_bool(text.text)


def _show_bantime(span: Seconds | None) -> Value:
    return -1 if span is None else shown_span(span)


def _show_span(span: Seconds | None) -> Value:
    return None if span is None else shown_span(span)


_USE_DNS: Mapping[str, UseDns] = {"warn": "warn", "raw": "raw"}


def _to_usedns(text: Text) -> UseDns:
    word = text.text.strip().lower()
    return "yes" if to_bool(word) else _USE_DNS.get(word, "no")


def _to_encoding(text: Text) -> str:
    name = text.text.strip()
    if name.lower() != "auto":
        codecs.lookup(name)  # its LookupError is what Fail2Ban answers
    encoding_named(name)
    return name


def _to_zone(text: Text) -> str:
    zone_named(text.text)
    return text.text.strip()


def _show_encoding(name: str) -> Value:
    return locale.getpreferredencoding() if name.lower() == "auto" else name


def _to_datepattern(text: Text) -> Regex | None:
    pattern = to_regex(text)
    parse_datepattern(pattern)
    return pattern


def _show_regex(regex: Regex | None) -> Value:
    return regex.text if regex is not None else ""


def _show_dates(pattern: Regex | None) -> Value:
    """Return the pattern and what it means, in the words that Fail2Ban has for it."""
    if pattern is None:
        return _DEFAULT_DATES
    lines = [line.strip() for line in pattern.text.splitlines() if line.strip()]
    templates = parse_datepattern(Regex(lines[0]))
    if len(templates) != 1:
        return _DEFAULT_DATES
    is_stamp = lines[0].lstrip("^").upper() in _STAMPS
    return (None if is_stamp else lines[0], templates[0].name)


def _show_cache(rule: CacheRule | None) -> Value:
    return None if rule is None else [rule.key, rule.most, shown_span(rule.span)]


JAIL_OPTIONS: Mapping[str, JailOption] = {
    "findtime": JailOption("findtime", to_span, shown_span),
    "bantime": JailOption("bantime", to_bantime, _show_bantime),
    "maxretry": JailOption("maxretry", _number("maxretry")),
    "maxmatches": JailOption("maxmatches", _number("maxmatches")),
    "maxlines": JailOption("filter.maxlines", _number("maxlines")),
    "usedns": JailOption("filter.usedns", _to_usedns),
    "logencoding": JailOption("filter.logencoding", _to_encoding, _show_encoding),
    "logtimezone": JailOption("filter.logtimezone", _to_zone, is_optional=True),
    "datepattern": JailOption("filter.datepattern", _to_datepattern, _show_dates),
    "prefregex": JailOption("filter.prefregex", to_regex, _show_regex),
    "ignoreself": JailOption("ignoreself", _is_yes),
    "ignorecommand": JailOption("ignorecommand", _words, is_optional=True, unset=False),
    "ignorecache": JailOption("ignorecache", to_ignorecache, _show_cache),
    "bantime.increment": JailOption("escalation.increment", _is_yes, is_optional=True),
    "bantime.factor": JailOption("escalation.factor", _words, is_optional=True),
    "bantime.formula": JailOption("escalation.formula", _words, is_optional=True),
    "bantime.multipliers": JailOption(
        "escalation.multipliers",
        to_multipliers,
        lambda numbers: " ".join(f"{number:g}" for number in numbers),
        is_optional=True,
    ),
    "bantime.maxtime": JailOption("escalation.maxtime", to_maxtime, _show_span, is_optional=True),
    "bantime.rndtime": JailOption("escalation.rndtime", to_rndtime, _show_span, is_optional=True),
    "bantime.overalljails": JailOption(
        "escalation.overalljails",
        _is_yes,
        lambda value: "true" if value else "false",
        is_optional=True,
    ),
}
"""Every option of one value, by the word that ``get`` and ``set`` name it by."""
