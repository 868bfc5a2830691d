"""Bans: ``banned``, ``unban``, ``get JAIL banip`` and ``banned``, ``set JAIL banip`` and so on.

A list of a million bans is made a part at a time, so that everybody else has their turn.
Fail2Ban compares texts, we compare addresses: ``2001:db8:0::30`` names the ban of
``2001:db8::30`` too.
"""

import asyncio
import contextlib
import functools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from banish.control.fail2ban.answers import CommandError, Value
from banish.control.fail2ban.known import KnownJails
from banish.control.fail2ban.words import require_words
from banish.errors import RequestError, ResolveError
from banish.model.address import Subject, is_host_name, parse_subject
from banish.model.ban import Ban

AT_ONCE = 2_000
"""Bans that are written between two turns of everybody else: some 10 ms at most."""

ALL = "--all"
_WITH_TIME = "--with-time"
_REPORT_ABSENT = "--report-absent"
_NEVER = "9999-12-31 23:59:59"

T = TypeVar("T")
U = TypeVar("U")


async def _each(items: Sequence[T], write: Callable[[T], U]) -> list[U]:
    found: list[U] = []
    for start in range(0, len(items), AT_ONCE):
        found += map(write, items[start : start + AT_ONCE])
        if len(items) > AT_ONCE:
            await asyncio.sleep(0)
    return found


async def subjects_of(jails: KnownJails, name: str) -> list[str]:
    """Return who is banned by the jail *name*, which exists, oldest ban first."""
    if not jails.runs(name):
        return []
    return await _each(list(jails.port.bans(name)), str)


def _subjects(texts: Iterable[str]) -> list[Subject]:
    return [parse_subject(text) for text in texts]


async def _meant(jails: KnownJails, texts: Iterable[str]) -> list[Subject]:
    """Return whose bans *texts* end: a DNS name stands for its addresses."""
    found: list[Subject] = []
    for subject in _subjects(texts):
        if not subject.is_enforceable and is_host_name(subject.text):
            with contextlib.suppress(ResolveError):
                found += await jails.port.addresses(subject.text)
        else:
            found.append(subject)
    return found


def _is_banned(jails: KnownJails, name: str, subject: Subject) -> bool:
    return jails.runs(name) and subject in jails.port.bans(name)


async def banned(jails: KnownJails, args: list[str]) -> Value:
    """Return who is banned by each jail, or which jails ban each of the subjects given."""
    names = list(jails.all())
    if not args:
        return [{name: await subjects_of(jails, name)} for name in names]
    return [
        [name for name in names if _is_banned(jails, name, subject)] for subject in _subjects(args)
    ]


async def unban(jails: KnownJails, args: list[str]) -> Value:
    """End bans in all jails; return how many."""
    if not args:
        raise CommandError("Exception", "Invalid command")
    subjects = None if ALL in args else await _meant(jails, args)
    return len(await jails.port.unban(subjects, None))


async def get_banned(jails: KnownJails, name: str, args: list[str]) -> Value:
    """Return who is banned by the jail, or 1 or 0 for each subject given."""
    if not args:
        return await subjects_of(jails, name)
    found = [int(_is_banned(jails, name, subject)) for subject in _subjects(args)]
    return found[0] if len(found) == 1 else found


async def get_banip(jails: KnownJails, name: str, args: list[str]) -> Value:
    """Return who is banned by the jail, by the end of the bans; with their times if asked so."""
    bans = list(jails.port.bans(name).values()) if jails.runs(name) else []
    ends = await _each(bans, lambda ban: math.inf if ban.until is None else ban.until)
    order = sorted(range(len(bans)), key=ends.__getitem__)  # mostly they stand so already
    is_timed = bool(args) and args[0] == _WITH_TIME
    write = _with_time if is_timed else lambda ban: ban.subject.text
    return await _each(order, lambda at: write(bans[at]))


def _with_time(ban: Ban) -> str:
    since = int(ban.since)
    if ban.until is None:
        return f"{ban.subject} \t{_local(since)} + -1 = {_NEVER}"
    lasts = round(ban.until - ban.since)
    return f"{ban.subject} \t{_local(since)} + {lasts} = {_local(since + lasts)}"


@functools.lru_cache(maxsize=1_024)
def _local(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


async def ban(jails: KnownJails, name: str, args: list[str]) -> Value:
    """Ban by hand; return how many are new.

    One that cannot be banned keeps none of the others from it.
    """
    _require_running(jails, name)
    subjects = _subjects(args)
    with contextlib.suppress(RequestError):
        return await jails.port.ban(name, subjects)
    new, refused = 0, []
    for subject in subjects:
        try:
            new += await jails.port.ban(name, [subject])
        except RequestError as error:
            refused.append(error.what)
    if refused:
        others = f"; banned: {new}" if len(args) > 1 else ""
        raise CommandError("ValueError", "; ".join(refused) + others)
    return new


async def unban_in(jails: KnownJails, name: str, args: list[str]) -> Value:
    """End bans of the jail by hand; return how many."""
    require_words(args)
    texts = [text for text in args if text != _REPORT_ABSENT]
    ended: Sequence[Ban] = ()
    if jails.runs(name):
        ended = await jails.port.unban(await _meant(jails, texts), name)
    if len(texts) < len(args):
        done = {ban.subject for ban in ended}
        absent = [text for text in texts if not _covers(parse_subject(text), done)]
        if absent:
            raise CommandError("ValueError", f"not banned: {absent!r}")
    return len(ended)


def _covers(subject: Subject, ended: set[Subject]) -> bool:
    if subject in ended:
        return True
    if not subject.is_network:
        return False
    network = subject.network()
    inside = (each.network() for each in ended if each.family == subject.family)
    return any(network.supernet_of(each) for each in inside)  # type: ignore[arg-type]


async def attempt(jails: KnownJails, name: str, args: list[str]) -> Value:
    """Count failures of one subject; return 0 if it is exempt, else 1."""
    if not args:
        raise CommandError("TypeError", "attempt needs an address: set JAIL attempt IP [LINE ...]")
    _require_running(jails, name)
    subject = parse_subject(args[0])
    return int(await jails.port.attempt(name, subject, args[1:] or [""]))


def _require_running(jails: KnownJails, name: str) -> None:
    if not jails.runs(name):
        what = f"the jail {name} was not started: 'start {name}' starts it"
        raise CommandError("Exception", what)
