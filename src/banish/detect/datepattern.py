r"""Turns ``datepattern`` into templates: regular expressions that find a time.

A date pattern is a regular expression with strptime-like directives in it.
This file knows the directives, the default list, and the little language
around them (``{^LN-BEG}``, ``{DEFAULT}``, ``{DATE}``, ``{NONE}``, ``{UNB}``,
``**``, ``EPOCH``, ``LEPOCH``, ``TAI64N``), as fail2ban/server/datetemplate.py
and datedetector.py of 1.1.1 have them.

We differ in three points. ``%ExY`` is any year of this century, where Fail2Ban
narrows it to the decades around the present. ``{DATE}`` also stands for the
epoch and TAI64N formats. Names of months and days are English whatever the
locale, since a daemon has none.
"""

import functools
import re
from collections.abc import Callable, Iterable

from banish.detect import timestamp
from banish.detect.template import Template
from banish.detect.zone import ABBREVIATION
from banish.errors import ConfigError
from banish.model.settings import Regex

DEFAULT_PATTERNS = (
    r"%ExY(?P<_sep>[-/.])%m(?P=_sep)%d(?:T|  ?)%H:%M:%S(?:[.,]%f)?(?:\s*%z)?",
    r"(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?",
    r"(?:%a )?%b %d %ExY %k:%M:%S(?:\.%f)?",
    r"%d(?P<_sep>[-/])%m(?P=_sep)(?:%ExY|%Exy) %k:%M:%S",
    r"%d(?P<_sep>[-/])%b(?P=_sep)%ExY[ :]?%H:%M:%S(?:\.%f)?(?: %z)?",
    r"%m/%d/%ExY:%H:%M:%S",
    r"%m-%d-%ExY %k:%M:%S(?:\.%f)?",
    r"EPOCH",
    r"{^LN-BEG}%H:%M:%S",
    r"^<%m/%d/%Exy@%H:%M:%S>",
    r"%Exy%Exm%Exd  ?%H:%M:%S",
    r"%b %d, %ExY %I:%M:%S %p",
    r"^%b-%d-%Exy %k:%M:%S",
    r"%ExY%Exm%Exd(?:-|T|  ?)%ExH:?%ExM:?%ExS(?:[.,]%f)?(?:\s*%z)?",
    r"(?:%Z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?",
    r"(?:%z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?",
    r"TAI64N",
)
"""The formats that are looked for where a filter names none, in Fail2Ban's order."""

ANCHORED_TWIN_WEIGHT = 100.0
"""How much more a format at the line's beginning weighs than the same elsewhere."""


def _one_of(name: str, words: Iterable[str]) -> str:
    return f"(?P<{name}>{'|'.join(words)})"


_DIRECTIVES = {
    "a": (_one_of("a", (day[:3] for day in timestamp.WEEKDAYS)), "DAY"),
    "A": (_one_of("A", timestamp.WEEKDAYS), "DAYNAME"),
    "b": (_one_of("b", (month[:3] for month in timestamp.MONTHS)), "MON"),
    "B": (_one_of("B", timestamp.MONTHS), "MONTH"),
    "d": (r"(?P<d>[1-2]\d|[0 ]?[1-9]|3[0-1])", "Day"),
    "f": (r"(?P<f>\d{1,6})", "Microseconds"),
    "G": (r"(?P<G>\d{4})", "ISOyear"),
    "H": (r"(?P<H>[0-1]?\d|2[0-3])", "24hour"),
    "I": (r"(?P<I>1[0-2]|0?[1-9])", "12hour"),
    "j": (r"(?P<j>36[0-6]|3[0-5]\d|[1-2]\d\d|0\d[1-9]|0[1-9]0|[1-9]\d|0?[1-9])", "Yearday"),
    "k": (r" ?(?P<H>[0-2]?\d)", "%k"),
    "l": (r" ?(?P<I>1?\d)", "%l"),
    "m": (r"(?P<m>0?[1-9]|1[0-2])", "Month"),
    "M": (r"(?P<M>[0-5]?\d)", "Minute"),
    "p": (r"(?P<p>am|pm)", "AMPM"),
    "S": (r"(?P<S>[0-5]?\d|6[0-1])", "Second"),
    "u": (r"(?P<u>[1-7])", "ISOweekday"),
    "U": (r"(?P<U>5[0-3]|[0-4]\d|\d)", "Yearweek"),
    "V": (r"(?P<V>5[0-3]|0[1-9]|[1-4]\d|\d)", "ISOweek"),
    "w": (r"(?P<w>[0-6])", "Weekday"),
    "W": (r"(?P<W>5[0-3]|[0-4]\d|\d)", "Yearweek"),
    "y": (r"(?P<y>\d\d)", "Year2"),
    "Y": (r"(?P<Y>\d{4})", "Year"),
    "z": (r"(?P<z>Z|UTC|GMT|[+-][01]\d(?::?\d{2})?)", "Zone offset"),
    "Z": (r"(?P<Z>Z|[A-Z]{3,5})", "Zone name"),
    "Exd": (r"(?P<d>[1-2]\d|0[1-9]|3[0-1])", "ExDay"),
    "ExH": (r"(?P<H>[0-1]\d|2[0-3])", "Ex24hour"),
    "Exk": (r" ?(?P<H>[0-1]?\d|2[0-3])", "%Exk"),
    "Exl": (r" ?(?P<I>1[0-2]|\d)", "%Exl"),
    "Exm": (r"(?P<m>0[1-9]|1[0-2])", "ExMonth"),
    "ExM": (r"(?P<M>[0-5]\d)", "ExMinute"),
    "ExS": (r"(?P<S>[0-5]\d|6[0-1])", "ExSecond"),
    "Exy": (r"(?P<y>\d{2})", "ExYear2"),
    "ExY": (r"(?P<Y>20\d\d)", "ExYear"),
    "Exz": (rf"(?P<z>(?:{ABBREVIATION})?[+-][01]\d(?::?\d{{2}})?|{ABBREVIATION})", "ExZone offset"),
    "ExZ": (rf"(?P<Z>{ABBREVIATION})", "ExZone name"),
    "%": ("%", "%"),
}
"""Each directive's expression, its group named as strptime(3) has it, and its name in reports."""

_COMPOSED = {"%c": "%a %b %d %H:%M:%S %Y", "%x": "%m/%d/%y", "%X": "%H:%M:%S"}

_DIRECTIVE = re.compile(r"%(Ex[A-Za-z]|.|$)", re.DOTALL)
_CASELESS = re.compile(r"(?<!%)%[aAbBpc]")
_EPOCH_TAG = re.compile(r"(?<!\\)\{(L?)EPOCH\}", re.IGNORECASE)
_DATE_TAG = re.compile(r"(?<!\\)\{DATE\}", re.IGNORECASE)
_LINE_TAG = "{^LN-BEG}"
_UNBOUND_TAG = "{UNB}"

_EPOCH = r"(?P<epoch>\d{10,11}\b(?:\.\d{3,6})?)"
_LONG_EPOCH = r"(?P<lepoch>\d{10,11}(?:\d{3}(?:\.\d{1,6}|\d{3})?)?)"
_TAI = r"(?P<tai>@[0-9a-f]{24})"

_ANY_FLAGS = re.compile(r"\(\?[a-z]+\)")
_PLAIN_GROUP = re.compile(r"(?<!\\)\((?!\?)")
_BEGINS_BOUND = re.compile(r"(?:\((?:\?:)?)*(?:\^|\*\*)")
_ENDS_BOUND = re.compile(r"(?<!\\)(?:\$|\\b|\\s|\*\*)\)*$")
_BEGINS_LINE = re.compile(r"\^|\((?:\?:)?\^(?!\|)")
_ENDS_LINE = re.compile(r"(?<![\\|])\$\)?$")


def parse_datepattern(regex: Regex | None) -> tuple[Template, ...]:
    """Return the templates that ``datepattern`` lists, one pattern a line; None: the default list.

    Raises:
        ConfigError: A line is no date pattern.

    """
    if regex is None or not regex.text.strip():
        return default_templates()
    where = str(regex.place) if regex.place else ""
    templates: dict[str, Template] = {}
    for line in regex.text.splitlines():
        if pattern := line.strip():
            for template in _read_pattern(pattern, where):
                templates.setdefault(template.regex, template)
    return tuple(templates.values())


def default_templates(*, only_at_line_begin: bool = False) -> tuple[Template, ...]:
    """Return the default list: first the twins that are bound to a line's beginning."""
    plain = [_template(pattern) for pattern in DEFAULT_PATTERNS]
    twins = [
        _template(_LINE_TAG + pattern, weight=ANCHORED_TWIN_WEIGHT)
        for pattern in DEFAULT_PATTERNS
        if not pattern.startswith(("^", _LINE_TAG))
    ]
    if only_at_line_begin:
        plain = [template for template in plain if template.is_fixed]
    return (*twins, *plain)


def _read_pattern(pattern: str, where: str) -> Iterable[Template]:
    keyword = pattern if "%" in pattern else pattern.upper()
    if keyword == "{DEFAULT}":
        return default_templates()
    if keyword == _LINE_TAG:
        return default_templates(only_at_line_begin=True)
    if keyword == "{NONE}":
        return [Template(pattern, "{NONE}", "^()", is_fixed=True)]
    if _DATE_TAG.search(pattern):
        written = [_DATE_TAG.sub(_literally(_unbound(each)), pattern) for each in DEFAULT_PATTERNS]
    else:
        written = [pattern]
    templates = []
    for text in written:
        try:
            template = _template(text)
            template.compile()
        except (re.error, RecursionError, OverflowError, ValueError) as error:
            raise ConfigError(
                f'datepattern: "{pattern}" is not a date pattern: {error}',
                where=where,
                cure="fix it; a percent sign that starts no directive is written %%",
            ) from error
        templates.append(template)
    return templates


def _literally(text: str) -> Callable[["re.Match[str]"], str]:
    return lambda _: text


def _unbound(pattern: str) -> str:
    """Return a default pattern fit to stand inside another."""
    inner = {"EPOCH": _EPOCH, "TAI64N": _TAI}.get(pattern, pattern)
    return inner.removeprefix(_LINE_TAG).removeprefix("^")


def _template(pattern: str, *, weight: float = 1.0) -> Template:
    """Return the template of one pattern, not yet compiled.

    Raises:
        ValueError: A percent sign starts no directive.

    """
    name, regex, is_fixed = _written(pattern)
    return Template(pattern, name, regex, is_fixed=is_fixed, weight=weight)


@functools.lru_cache(maxsize=512)
def _written(pattern: str) -> tuple[str, str, bool]:
    """Return *pattern* in words, as a regular expression, and whether that is fixed.

    The same few stand in the lists of all jails.
    """
    text, begin, end = pattern, "word", True
    if text.startswith(_UNBOUND_TAG):
        text, begin, end = text.removeprefix(_UNBOUND_TAG), "", False
    elif text.startswith(_LINE_TAG):
        text, begin = text.removeprefix(_LINE_TAG), "line"
    keyword = text if "%" in text else text.upper()
    at_line = begin == "line" or keyword.startswith("^")
    if (
        stamp := {"EPOCH": _EPOCH, "LEPOCH": _LONG_EPOCH}.get(keyword.removeprefix("^"))
    ) is not None:
        name = "Epoch" if stamp is _EPOCH else "LongEpoch"
        if at_line:
            # nsd(8) puts the seconds into brackets at the beginning of the line.
            inner = rf"((?P<square>(?<=^\[))?{stamp})(?(square)(?=\]))"
            regex, is_fixed = _bound(inner, "line", end=True)
            return _LINE_TAG + name, regex, is_fixed
        inner = (
            rf"((?:^|(?P<square>(?<=^\[))|(?P<audit>(?<=\baudit\()))(?:{stamp}))"
            r"(?(square)(?=\]))(?(audit)(?=:\d+\)))"
        )
        regex, is_fixed = _bound(inner, "", end=True)
        return name, regex, is_fixed
    if keyword.removeprefix("^") == "TAI64N":
        regex, is_fixed = _bound(f"({_TAI})", "line" if at_line else "", end=True)
        name = _LINE_TAG + "TAI64N" if at_line else "TAI64N"
        return name, regex, is_fixed
    name, regex = _substitute(text)
    if _EPOCH_TAG.search(regex):
        regex = "(" + _EPOCH_TAG.sub(_epoch_of, regex) + ")"
    regex, is_fixed = _bound(regex, begin, end=end)
    if begin == "line":
        name = _LINE_TAG + name
    return name, regex, is_fixed


def _epoch_of(found: "re.Match[str]") -> str:
    return _LONG_EPOCH if found[1] else _EPOCH


def _substitute(text: str) -> tuple[str, str]:
    """Return *text* in words, and as a regular expression, each directive replaced."""
    for short, long in _COMPOSED.items():
        text = re.sub(rf"(?<!%){short}", long, text)

    def replace(which: int) -> Callable[["re.Match[str]"], str]:
        def directive(found: "re.Match[str]") -> str:
            if found[1] not in _DIRECTIVES:
                raise ValueError(f"there is no directive %{found[1]}")
            return _DIRECTIVES[found[1]][which]

        return directive

    regex = _DIRECTIVE.sub(replace(0), text)
    if _CASELESS.search(text):
        regex = "(?iu)" + regex
    return _DIRECTIVE.sub(replace(1), text), regex


def _bound(regex: str, begin: str, *, end: bool) -> tuple[str, bool]:
    """Return *regex* bound to a word or line, and whether it is fixed to a line's begin or end.

    Group 1 is what will be cut out of the line: the pattern's own first group,
    or else all of the pattern but the bounds.
    """
    regex = regex.strip()
    flags = _ANY_FLAGS.search(regex)
    if flags:
        regex = regex.replace(flags[0], "", 1)
    bind_begin = begin and not _BEGINS_BOUND.match(regex)
    bind_end = end and not _ENDS_BOUND.search(regex)
    if not _PLAIN_GROUP.search(regex):
        head = "^" if regex.startswith("^") else ""
        tail = "$" if regex.endswith("$") and not regex.endswith(r"\$") else ""
        regex = f"{head}({regex[len(head) : len(regex) - len(tail)]}){tail}"
    is_fixed = bool(_BEGINS_LINE.match(regex) or _ENDS_LINE.search(regex))
    if bind_begin:
        regex = (r"^(?:\W{0,2})?" if begin == "line" else r"(?=^|\b|\W)") + regex
        is_fixed = is_fixed or begin == "line"
    if bind_end:
        regex += r"(?=\b|\W|$)"
    regex = re.sub(r"^(\(*)\*\*", r"\1", regex)
    regex = re.sub(r"(?<!\\)\*\*(\)*)$", r"\1", regex)
    return (flags[0] if flags else "") + regex, is_fixed
