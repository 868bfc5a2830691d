"""Jails and filters taken out of the configuration to be tried on plain logs.

A jail is taken as it would read a file, whether or not it is enabled here and
wherever it reads on this host, so that a trial gives the same result anywhere.
"""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from banish.cli.wording import plural
from banish.config import builtin_tree, filter_settings
from banish.config.filters import filter_names
from banish.config.interpolate import RawValue
from banish.config.jails import read_jail
from banish.config.merge import Library, constants
from banish.config.problem import Problems, nearest
from banish.config.search import open_tree
from banish.config.text import single
from banish.daemon.watchdog import Watchdog
from banish.detect.matcher import Matcher
from banish.detect.quarantine import rule_name
from banish.errors import ConfigError, RequestError
from banish.model.instant import Instant
from banish.model.settings import FilterSettings, JailSettings, Place, Problem

_HERE = Place("command line")


@contextlib.contextmanager
def watched(matchers: Sequence[Matcher]) -> Iterator[None]:
    """Let no line keep *matchers* busy for long; say afterwards which regexes would have been."""
    with Watchdog().over(matchers):
        yield
    tell_slow(matchers)


def tell_slow(matchers: Sequence[Matcher]) -> None:
    """Say how many lines were skipped since a regex took too long."""
    for matcher in matchers:
        for quarantine in (matcher.quarantine, matcher.dates.quarantine):
            skipped = quarantine.overruns + quarantine.held
            if skipped:
                slow = {rule_name(each.option, each.rule): None for each in quarantine.newest}
                what = f"{plural(skipped, 'line')} skipped: a regex took too long"
                print(f"banish: {what}: {', '.join(slow)}", file=sys.stderr)


def trial_jail(
    name: str,
    root: Path | None,
    version: str,
    *,
    backend: str = "polling",
    found: list[Problem] | None = None,
) -> JailSettings:
    """Return the jail called *name* as it would read a file, or what *backend* reads.

    What is wrong with it but keeps nothing from working is added to *found*.

    Raises:
        ConfigError: There is no such jail, or it is wrong.

    """
    problems = Problems()
    library = Library(open_tree(root, builtin_tree()), problems)
    merged = library.read("jail")
    names = [] if merged is None else [each for each in merged.sections if each != "INCLUDES"]
    if merged is None or name not in names:
        near = nearest(name, names)
        raise ConfigError(
            f"the jail '{name}' does not exist",
            where=str(library.tree.top),
            cure=f'did you mean "{near}"?' if near else f"it has: {', '.join(names[:20])}",
        )
    merged.defaults.update(constants(version, str(library.tree.top)))
    section = merged.sections[name]
    for option, value in (("enabled", "true"), ("backend", backend), ("skip_if_nologs", "false")):
        section[option] = RawValue(single(value, _HERE))
    if "logpath" not in section and "logpath" not in merged.defaults:
        section["logpath"] = RawValue(single("/dev/null", _HERE))
    jail = read_jail(library, merged, name)
    if jail is None:
        raise _first_error(problems.all(), name)
    if found is not None:
        found.extend(problem for problem in problems.all() if problem.jail in ("", name))
    return jail


def _first_error(problems: tuple[Problem, ...], name: str) -> ConfigError:
    for problem in problems:
        if problem.severity == "error" and problem.jail in ("", name):
            what = f"{problem.option}: {problem.what}" if problem.option else problem.what
            return ConfigError(what, where=str(problem.place or f"jail {name}"), cure=problem.cure)
    return ConfigError("it cannot start", where=f"jail {name}", cure="see 'banish check'")


def trial_filter(spec: str, root: Path | None) -> FilterSettings:
    """Return the filter that *spec* names, such as ``sshd[mode=aggressive]``.

    Raises:
        ConfigError: There is no such filter, or it is wrong.

    """
    return filter_settings(spec, root, builtin_tree())


def every_filter(root: Path | None) -> Iterator[tuple[FilterSettings | None, str]]:
    """Yield each filter of the configuration, or None and what keeps it from being tried.

    Files that only others include (``common.conf``) are skipped.
    """
    library = Library(open_tree(root, builtin_tree()), Problems())
    for name in sorted(filter_names(library)):
        merged = library.read(f"filter.d/{name}")
        if merged is None or "failregex" not in merged.sections.get("Definition", {}):
            continue
        try:
            yield trial_filter(name, root), ""
        except ConfigError as error:
            yield None, f"filter {name}: {error}"


def parse_now(text: str) -> Instant:
    """Return the time that *text* writes: seconds since 1970, or ISO 8601; local without a zone.

    Raises:
        RequestError: It writes none.

    """
    try:
        return Instant(float(text))
    except ValueError:
        pass
    try:
        return Instant(datetime.fromisoformat(text).astimezone().timestamp())
    except (OverflowError, OSError, ValueError) as error:
        raise RequestError(
            f'"{text}" is not a time',
            where="--now",
            cure="write 2026-11-22T20:00:00+00:00, or seconds since 1970",
        ) from error


def log_or_input(log: str) -> str | BinaryIO:
    """Return the path *log*, or for ``-`` the input: unbuffered, so that lines come as written."""
    if log != "-":
        return log
    stream = sys.stdin.buffer
    raw = getattr(stream, "raw", stream)
    return cast("BinaryIO", raw)


def short_name(settings: FilterSettings) -> str:
    """Return a filter's name without its arguments."""
    return settings.name.partition("[")[0].strip()
