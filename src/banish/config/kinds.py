"""Reads the options of an action that an add-on carries out.

A file of ``action.d`` that says ``kind = mail`` has no commands; its other options
are settings, of the types that the add-on declares. They come from the action's
arguments, its file and the jail, as with every action.
"""

import re
import stat
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import msgspec

from banish.addon.declare import EVERY_ACTION, ActionAddon
from banish.config.addons import ACTIONS
from banish.config.definition import Definition
from banish.config.problem import FaultError, Problems, did_you_mean, shown
from banish.config.text import Text
from banish.config.values import TRUE_WORDS, to_bool, to_choice, to_duration, to_number
from banish.extras import how_to_install
from banish.model.instant import Seconds
from banish.model.option import Option
from banish.model.settings import OptionValue, Place

HANDED_ON = frozenset({
    "kind", "name", "actname", "port", "protocol", "chain", "logpath", "bantime", "dest",
})  # fmt: skip
"""Options that jails hand to every action; a kind that does not have them passes them over."""

_MAIL_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}(@[A-Za-z0-9_]([A-Za-z0-9._-]{0,250}))?")
_URL = re.compile(r"https?://[^\s\x00-\x20<>\"\\^`{|}]+")


class KindOptions(msgspec.Struct, frozen=True):
    """What an action of some kind comes to."""

    kind: str
    options: Mapping[str, OptionValue]
    keeps_out: bool
    timeout: Seconds


def exists(named: Text) -> bool:
    """Whether there is a kind called as *named*."""
    return named.text.strip() in ACTIONS


def keeps_out(named: Text) -> bool:
    """Whether actions of the kind *named* keep subjects out; also where there is no such kind."""
    kind = ACTIONS.get(named.text.strip())
    return kind is None or kind.keeps_out


def read_kind(definition: Definition, named: Text, problems: Problems) -> KindOptions:
    """Return the options of an action of the kind *named*; warn of options that it does not have.

    Raises:
        FaultError: There is no such kind, it cannot run here, or a value is wrong.

    """
    word = named.text.strip()
    kind = ACTIONS.get(word)
    if kind is None:
        cure = did_you_mean(word, ACTIONS) or f"write one of: {', '.join(ACTIONS)}"
        raise FaultError(f"there is no kind {shown(word)} of action", named.place, cure)
    if kind.needs and find_spec(kind.needs) is None:
        what = f"an action of the kind {word} needs the Python package {kind.needs}"
        raise FaultError(what, named.place, how_to_install(kind.extra))
    table = {option.name: option for option in (*kind.options, *EVERY_ACTION)}
    _warn_unknown(definition, word, table, problems)
    values = {name: _value(definition, option, kind, problems) for name, option in table.items()}
    for names in kind.required:
        wanted = names.split("|")
        if not any(values[name] for name in wanted):
            what = f"{' or '.join(wanted)} is not set, and an action of the kind {word} needs it"
            cure = f"write {wanted[0]} = ... ({table[wanted[0]].meaning})"
            raise FaultError(what, named.place, cure)
    timeout = values["timeout"]
    assert isinstance(timeout, float)
    return KindOptions(word, values, kind.keeps_out, Seconds(timeout))


def _warn_unknown(
    definition: Definition, kind: str, table: Mapping[str, Option], problems: Problems
) -> None:
    for name in definition.names():
        option = name.partition("?")[0]
        if option in table or option in HANDED_ON or option.startswith(("known/", "action")):
            continue
        text = definition.raw(name)
        cure = did_you_mean(option, table) or f"it has: {', '.join(table)}"
        what = f"an action of the kind {kind} has no option {shown(option)}"
        problems.warn(what, text.place if text else None, option="action", cure=cure)


def _value(
    definition: Definition, option: Option, kind: ActionAddon, problems: Problems
) -> OptionValue:
    text = definition.get(option.name)
    place = Place("built-in")
    if text is None:
        default = option.default
        if option.name == "norestored" and kind.keeps_out:
            default = "false"
        text = Text(default, (place,) * (default.count("\n") + 1))
    try:
        return _typed(text, option, problems)
    except FaultError as fault:
        raise FaultError(f"{option.name}: {fault.what}", fault.place, fault.cure) from fault


def _typed(text: Text, option: Option, problems: Problems) -> OptionValue:
    content = text.text.strip()
    match option.kind:
        case "boolean":
            return to_bool(text, option.name, problems) and content.lower() in TRUE_WORDS
        case "number":
            return to_number(text, option)
        case "duration":
            span = to_duration(text)
            if span < 0:
                raise FaultError(f"{shown(content)} is below zero", text.place, "write 5m, or 0")
            return float(span)
        case "choice":
            return to_choice(text, option)
        case "list":
            return _chosen(text, option)
        case "mail addresses":
            return _mail_addresses(text)
        case "path" | "secret file":
            return _path(text, option, problems)
        case "url":
            return _url(text)
        case _:
            return text.text.strip()


def _chosen(text: Text, option: Option) -> tuple[str, ...]:
    """Return the words of a list, each one of the option's choices if it has any."""
    found: dict[str, None] = {}
    for word, place in text.words():
        if option.choices and word not in option.choices:
            cure = did_you_mean(word, option.choices)
            raise FaultError(
                f"{shown(word)} is not one of its values",
                place,
                cure or f"write some of: {', '.join(option.choices)}",
            )
        found[word] = None
    return tuple(found)


def _mail_addresses(text: Text) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for word, place in text.words():
        if len(word) > 254 or not _MAIL_ADDRESS.fullmatch(word) or word.startswith("-"):
            cure = "write root, or admin@example.org, parted by blanks or commas"
            raise FaultError(f"{shown(word)} is not a mail address", place, cure)
        found[word] = None
    return tuple(found)


def _url(text: Text) -> str:
    url = text.text.strip()
    if url and (len(url) > 2_000 or not _URL.fullmatch(url)):
        cure = "write it whole, as in https://hooks.example.org/banish"
        raise FaultError(f"{shown(url)} is not an http:// or https:// URL", text.place, cure)
    return url


def _path(text: Text, option: Option, problems: Problems) -> str:
    path = text.text.strip()
    if not path:
        return ""
    if not path.startswith("/") or "\0" in path:
        cure = f"write the whole path, such as /etc/banish/{option.name.replace('_', '-')}"
        raise FaultError(f"{shown(path)} does not begin with /", text.place, cure)
    if option.kind == "secret file":
        _check_secret(path, text.place, option, problems)
    return path


def _check_secret(path: str, place: Place, option: Option, problems: Problems) -> None:
    """Tell of a secret that everybody may read, or that is not there yet."""
    try:
        mode = Path(path).stat().st_mode
    except PermissionError:
        return  # whoever checks is not whoever runs
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}"
        cure = f"write the secret into it, then: chmod 600 {path}"
        problems.warn(what, place, option=option.name, cure=cure)
        return
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        what = f"everybody on this host may read {path}, which holds a secret"
        problems.warn(what, place, option=option.name, cure=f"chmod 600 {path}")
