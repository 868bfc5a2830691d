"""What a message says of bans, before it is mail or anything else: a title, facts, lines.

Everything in a report is harmless text already (`banish.notify.wording`); whoever
renders it escapes for his own format only.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from banish.model.address import Subject
from banish.model.ban import Ban
from banish.notify import wording
from banish.notify.jailevent import JailEvent
from banish.notify.lookup import Lookup

_VERBS = {
    "ban": "banned",
    "unban": "unbanned",
    "prolong": "banned for longer",
    "start": "started",
    "stop": "stopped",
}


class Row(msgspec.Struct, frozen=True):
    """One event in a table of many."""

    what: str
    subject: str
    jail: str
    at: str
    until: str
    failures: str
    count: str
    name: str


class Report(msgspec.Struct, frozen=True):
    """What a message says."""

    title: str
    """One line: who was banned, where."""
    host: str
    facts: tuple[tuple[str, str], ...] = ()
    """Of a message about one event: what is known, by name."""
    lines: tuple[str, ...] = ()
    """The log lines that led to it."""
    whois: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """What whois says, by address."""
    rows: tuple[Row, ...] = ()
    """Of a message about several events: each of them, up to a limit."""
    left_out: int = 0
    """Events beyond that limit."""
    hints: tuple[tuple[str, str], ...] = ()
    """What to do next, and the command for it."""


async def make_report(
    events: Sequence[JailEvent],
    *,
    lookup: Lookup,
    most_lines: int,
    most_rows: int,
    in_haste: bool = False,
) -> Report:
    """Return what is to be said of *events*, of which there is at least one.

    *in_haste* asks nobody about addresses.
    """
    shown = events[:most_rows]
    bans = [event.ban for event in shown if event.ban is not None]
    asked = [] if in_haste else bans
    host = await lookup.host()
    names, whois = await asyncio.gather(lookup.names(asked), lookup.whois(asked))
    said = tuple((address.text, lines) for address, lines in whois.items())
    if len(events) == 1:
        return _single(events[0], host, names, said, most_lines)
    return Report(
        _digest_title(events, host),
        host,
        whois=said,
        rows=tuple(_row(event, names) for event in shown),
        left_out=len(events) - len(shown),
        hints=(("See who is banned", "banish bans"),),
    )


def _address(ban: Ban) -> Subject:
    return ban.address or ban.seen or ban.subject


_CAUSES = {"operator": "hand", "network": "the bans of several of its members"}
"""What is said of a ban that was not for the subject's own failures."""


def _single(
    event: JailEvent,
    host: str,
    names: dict[Subject, str],
    whois: tuple[tuple[str, tuple[str, ...]], ...],
    most_lines: int,
) -> Report:
    verb = _VERBS[event.kind]
    if event.ban is None:
        facts = (("host", host), ("at", wording.clock(event.at)))
        return Report(f"jail {wording.word(event.jail)} {verb} on {host}", host, facts)
    ban = event.ban
    subject = wording.word(ban.subject.text)
    facts_found = [
        ("address" if ban.subject.is_enforceable else "who", subject),
        ("from", wording.word(_address(ban).text) if _address(ban) != ban.subject else ""),
        ("name", names.get(_address(ban), "")),
        ("jail", wording.word(ban.jail)),
        ("host", host),
        ("at", wording.clock(ban.since if event.kind == "ban" else event.at)),
        ("until", wording.until(ban) if event.kind != "unban" else ""),
        ("failures", str(ban.failures) if ban.failures else ""),
        ("ban", f"number {ban.count} of this address" if ban.count > 1 else ""),
        ("user", wording.users([ban])),
        ("by", _CAUSES.get(ban.cause, "")),
    ]
    lines = ban.evidence[-most_lines:] if most_lines and event.kind != "unban" else ()
    hints = [("See all about it", f"banish why {subject}")]
    if event.kind != "unban":
        hints.append(("Let it in again", f"banish unban {subject}"))
    return Report(
        f"{subject} {verb} on {host} by {wording.word(ban.jail)}",
        host,
        tuple((name, value) for name, value in facts_found if value),
        tuple(wording.line(line.text) for line in lines),
        whois,
        # Free text of an attacker is no word to paste into a shell.
        hints=tuple(hints) if ban.subject.is_enforceable else (),
    )


def _digest_title(events: Sequence[JailEvent], host: str) -> str:
    counts = [
        wording.count(number, noun)
        for kind, noun in (("ban", "ban"), ("unban", "unban"), ("prolong", "longer ban"))
        if (number := sum(event.kind == kind for event in events))
    ]
    jails = list(dict.fromkeys(wording.word(event.jail) for event in events))
    return f"{', '.join(counts) or wording.count(len(events), 'event')} on {host} by " + (
        jails[0] if len(jails) == 1 else wording.count(len(jails), "jail")
    )


def _row(event: JailEvent, names: dict[Subject, str]) -> Row:
    ban = event.ban
    if ban is None:
        at = wording.clock(event.at)
        return Row(_VERBS[event.kind], "", wording.word(event.jail), at, "", "", "", "")
    return Row(
        _VERBS[event.kind],
        wording.word(ban.subject.text),
        wording.word(ban.jail),
        wording.clock(ban.since if event.kind == "ban" else event.at),
        wording.until(ban) if event.kind != "unban" else "",
        str(ban.failures),
        str(ban.count),
        names.get(_address(ban), ""),
    )
