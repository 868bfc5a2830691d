"""What the REGEX of ``fail2ban-regex`` means: a jail, a filter, a filter's file, or a regex.

A plain name is looked up as a jail first, since a jail says more than its filter
(Fail2Ban since 1.1.1); with options in brackets, or as ``NAME.conf``, it is the
filter. A path into a ``filter.d`` stands in the configuration around it, any
other path is a file by itself. What is none of these is a regular expression.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from banish import __version__
from banish.cli.trial import trial_jail
from banish.config import builtin_tree
from banish.config.arguments import parse_spec
from banish.config.filters import check_tags, define_filter, find_filter, read_filter
from banish.config.load import NOT_JAILS
from banish.config.merge import Library
from banish.config.problem import FaultError, Problems
from banish.config.reading import OptionReader
from banish.config.search import open_tree
from banish.config.text import Text, single
from banish.errors import ConfigError
from banish.model.settings import FilterSettings, Place, Regex

HERE = Place("command line")

_NAME_OR_PATH = re.compile(r"/{0,3}[\w/_\-.]+(?:\[.*\])?", re.DOTALL)
_SHORT_CHARACTERS = 53


class FilterChoice(msgspec.Struct, frozen=True):
    """What is to be tried."""

    settings: FilterSettings
    said: tuple[str, ...]
    """The lines of the report that say what is used."""
    sets: frozenset[str] = frozenset()
    """The options that a file sets."""
    real: dict[str, str] | None = None
    """The filter's options as they come to, for those who want to see them."""


def choose(value: str, root: Path | None, *, from_journal: bool) -> FilterChoice:
    """Return what *value* means with the configuration in *root*; None is the built-in one.

    Raises:
        ConfigError: It is a jail or a filter, and that is wrong.

    """
    if root is not None and root.name == "filter.d":
        root = root.parent
    if _NAME_OR_PATH.fullmatch(value):
        try:
            name, arguments = parse_spec(single(value, HERE))
        except FaultError:
            return _plain(value)  # such as "[a-z][0-9]"
        library = Library(open_tree(root, builtin_tree()), Problems())
        path = None
        if "/" in name:
            library, name, path = _along(Path(name), library)
        elif not arguments and not name.endswith((".conf", ".local")) and _has_jail(library, name):
            return _jail(name, root, from_journal=from_journal)
        if path is not None or _has_filter(library, name):
            return _filter(library, name, arguments, value, from_journal=from_journal, path=path)
    return _plain(value)


def shorten(text: str) -> str:
    """Return *text*, cut to what has room in a line of the report."""
    return text if len(text) <= _SHORT_CHARACTERS else f"{text[: _SHORT_CHARACTERS - 3]}..."


def _plain(value: str) -> FilterChoice:
    settings = FilterSettings("", (Regex(value, HERE),))
    return FilterChoice(settings, (f"Use   failregex line : {shorten(value)}",))


def _along(path: Path, library: Library) -> tuple[Library, str, Path | None]:
    """Return where the filter file *path* stands, its name there, and its path if it is alone."""
    # Unlike Path.is_file this takes any text: a regex may be longer than paths can be.
    found = next((file for file in _files(path) if os.path.isfile(file)), None)  # noqa: PTH113
    if found is None:
        return library, "", None
    if found.parent.name == "filter.d":
        root = found.resolve().parent.parent
        return Library(open_tree(root, builtin_tree()), Problems()), found.stem, None
    return library, str(found.resolve()), found


def _files(path: Path) -> Sequence[Path]:
    if "." in path.name[-6:]:
        return (path,)
    return (path, path.with_name(f"{path.name}.conf"), path.with_name(f"{path.name}.local"))


def _has_jail(library: Library, name: str) -> bool:
    merged = library.read("jail")
    return merged is not None and name in merged.sections and name not in NOT_JAILS


def _has_filter(library: Library, name: str) -> bool:
    stem = name.removesuffix(".conf").removesuffix(".local")
    return bool(stem) and library.read(f"filter.d/{stem}") is not None


def _jail(name: str, root: Path | None, *, from_journal: bool) -> FilterChoice:
    backend = "systemd" if from_journal else "polling"
    jail = trial_jail(name, root, __version__, backend=backend)
    return FilterChoice(jail.filter, (f"Use             jail : {name}",), frozenset(jail.places))


def _filter(
    library: Library,
    name: str,
    arguments: dict[str, Text],
    spec: str,
    *,
    from_journal: bool,
    path: Path | None,
) -> FilterChoice:
    try:
        merged = find_filter(library, name, None)
    except FaultError as fault:
        raise ConfigError(f"failed to load filter {spec}: {fault.what}", cure=fault.cure) from fault
    definition = define_filter(merged, arguments, _nothing, from_journal=from_journal)
    reading = OptionReader(definition.get, library.problems)
    settings = read_filter(reading, spec)
    check_tags(reading, definition, settings)
    for problem in library.problems.all():
        if problem.severity == "error":
            what = f"{problem.option}: {problem.what}" if problem.option else problem.what
            raise ConfigError(what, where=str(problem.place or ""), cure=problem.cure)
    if not settings.failregex:
        raise ConfigError("the filter has no failregex", where=merged.files[-1])
    if path is None:
        stem = name.removesuffix(".conf").removesuffix(".local")
        said = [f"Use   failregex filter file : {stem}, basedir: {library.tree.top}"]
    else:
        said = [f"Use   failregex file : {path}"]
    given = {option: text.text for option, text in arguments.items()}
    if given:
        said.append(f"Use   filter options : {given!r}")
    real = {
        option: text.text
        for option in ("logtype", "datepattern", *given)
        if (text := definition.get(option)) is not None
    }
    return FilterChoice(settings, tuple(said), frozenset(reading.places), real)


def _nothing(_option: str) -> Text | None:
    return None
