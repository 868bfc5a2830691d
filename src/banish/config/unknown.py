"""Finds options that nobody reads: most are mistyped, and then silently do nothing.

Fail2Ban ignores them silently. Every name is free to be a variable, so
one that some value refers to is never reported.
"""

import re
from collections.abc import Iterable

from banish.config.interpolate import Merged, Scope
from banish.config.options import FILTER_OPTIONS, JAIL_OPTIONS, SERVER_OPTIONS, VARIABLES
from banish.config.problem import Problems, nearest

UNKNOWN_LIMIT = 2_000
"""How many unknown options of one configuration are looked at; each costs some 0.1 ms."""

NAME_LIMIT_CHARACTERS = 64
"""Longest name that is compared with known ones."""

_REFERENCE = re.compile(r"%\(([^)\n]{1,100})\)s|<([^<>\s]{1,100})>")


def check_jails(problems: Problems, merged: Merged) -> None:
    """Warn of options of jails that nobody reads.

    ``[DEFAULT]`` is full of variables, such as ``action_mw``, that wait to be used:
    there only what looks mistyped is reported.
    """
    used = {*JAIL_OPTIONS, *VARIABLES, *_references(merged)}
    for option in _unknown(merged.defaults, used):
        near = nearest(option, JAIL_OPTIONS, closeness=0.75)
        if near and not option.startswith(f"{near}_") and not option.endswith(f"_{near}"):
            _warn(problems, merged, "DEFAULT", option, near)
    for section, options in merged.sections.items():
        right = section.strip().upper()
        if section != right and right in ("DEFAULT", "INCLUDES"):
            what = f"[{section}] is read as a jail of that name; its options have no effect"
            problems.warn(what, merged.places.get(section), cure=f"write [{right}]")
        elif section != "INCLUDES":
            for option in _unknown(options, used):
                near = nearest(option, JAIL_OPTIONS, closeness=0.7)
                _warn(problems, merged, section, option, near)


def check_filter(problems: Problems, merged: Merged) -> None:
    """Warn of options of a filter that nobody reads and that look mistyped."""
    used = {*FILTER_OPTIONS, *_references(merged)}
    for option in _unknown(merged.sections.get("Definition", {}), used):
        near = nearest(option, FILTER_OPTIONS, closeness=0.85)
        if near:
            _warn(problems, merged, "Definition", option, near)


def check_server(problems: Problems, merged: Merged) -> None:
    """Warn of options of the server that nobody reads; `effect` tells of those of jails."""
    used = {*SERVER_OPTIONS, *JAIL_OPTIONS, *_references(merged)}
    for option in _unknown(merged.sections.get("Definition", {}), used):
        _warn(problems, merged, "Definition", option, nearest(option, SERVER_OPTIONS))


def _references(merged: Merged) -> set[str]:
    """Return every name that some value puts in, without its section."""
    return {
        (percent or tag).lower().rpartition("/")[2]
        for options in (merged.defaults, *merged.sections.values())
        for value in options.values()
        for percent, tag in _REFERENCE.findall(value.text.text)
    }


def _unknown(options: Iterable[str], used: set[str]) -> list[str]:
    unknown = [
        option
        for option in options
        if option not in used
        and len(option) <= NAME_LIMIT_CHARACTERS
        and not option.startswith("fail2ban_")  # defined by the program itself
    ]
    return unknown[:UNKNOWN_LIMIT]


def _warn(problems: Problems, merged: Merged, section: str, option: str, near: str) -> None:
    value = Scope(merged, section).raw(option)
    cure = f'did you mean "{near}"?' if near else f"delete it, or use it as %({option})s"
    if re.search(r"[\[\](){},\s]", option):
        cure = "begin the line with a blank if it continues the option above"
    what = f"[{section}] has no such option; it has no effect"
    problems.warn(what, value.text.place if value else None, option=option, cure=cure)
