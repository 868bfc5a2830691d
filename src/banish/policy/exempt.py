"""Decides who is exempt, which means: never banned.

There are three ways to be exempt in a jail:

- For good: by ``ignoreip`` and what its names and files stand for, by ``ignoreself``,
  or as an address that no peer has (`banish.policy.reserved`). This ends bans in force.
- For now: by ``guard``, such as while logged in. This prevents new bans only.
- By an answer: ``ignorecommand`` was asked about one failure. The networks around
  its address are then exempt for a week (`ANSWER_SPAN`).

A ban may never cover an exempt address, so a *network* is exempt as soon as it
shares one address with the list. A lookup costs a dict probe, one more for each
prefix length in use, and one bisection for each list in a file, however long
they are.

Fail2Ban walks through its networks one by one (``Filter._inIgnoreIPList`` in
fail2ban/server/filter.py, 1.1.1) and lets a ban by hand override the list; here
it never does.
"""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from banish.model.address import Subject, parse_address
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.policy.addresslist import AddressList, as_name
from banish.policy.networks import WIDTH, NetworkTable, first_and_length
from banish.policy.prefix import is_too_wide
from banish.policy.reserved import reserved

OWN = "ignoreself"
"""The reason given for this host's own addresses."""

FILE = "file:"
"""What an entry begins with that names a list in a file."""

TOO_WIDE = "too wide a network"
"""The reason given for a network past the cap (`banish.policy.prefix.WIDEST`)."""

BY_ANSWER = "an address in it is exempt by ignorecommand"
"""The reason given for a network around an address that an answer exempted."""

ANSWER_SPAN = Seconds(7 * 86_400)
"""How long the networks around such an address are exempt."""

ANSWERS_LIMIT = 20_000
"""Networks that are remembered to hold such an address, the newest."""

VERDICTS = 8_192
"""Subjects whose verdict is remembered until the list changes: attackers come again and again."""


class ExemptList:
    """The subjects that are exempt in one jail, and why.

    *entries* are ``ignoreip`` as written: addresses, networks with a length or
    a mask, DNS names, free identifiers, and ``file:/path``, whose list somebody
    must read (`set_file`). What reads as a name counts as both name and
    identifier, since nothing in it tells which is meant.
    """

    def __init__(self, entries: Iterable[str] = (), own: Iterable[Subject] = ()) -> None:
        self._texts: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._listed_names: dict[str, str] = {}
        self._files: dict[str, AddressList] = {}
        self.answers: dict[str, frozenset[Subject]] = {}
        self._own = frozenset(own)
        self.temporary_reasons: dict[Subject, str] = {}
        self._temporary = _Covered()
        self._temporary_verdicts: dict[Subject, str | None] = {}
        self.by_answer: OrderedDict[Subject, Instant] = OrderedDict()
        self._written = _Covered()
        self._verdicts: dict[Subject, str | None] = {}
        for entry in entries:
            if entry.startswith(FILE):
                self._files[entry.removeprefix(FILE)] = AddressList()
                continue
            subject = parse_address(entry)
            if subject is not None:
                self._written.add(subject, f"ignoreip {entry}")
                continue
            self._texts[entry] = f"ignoreip {entry}"
            name = as_name(entry)
            if name is not None:
                self._names[name] = f"ignoreip {name}"
                self._texts.setdefault(name, f"ignoreip {name}")
        self._found = _Covered()
        self.changes = 0
        """How often the list has changed."""
        self._gather()

    @property
    def names(self) -> tuple[str, ...]:
        """The DNS names that somebody must resolve, now and then again; of files too."""
        return (*self._names, *(name for name in self._listed_names if name not in self._names))

    @property
    def files(self) -> tuple[str, ...]:
        """The files whose lists somebody must read, now and then again."""
        return tuple(self._files)

    def set_file(self, path: str, members: AddressList) -> bool:
        """Set what the list in *path* holds, in place of an older one; tell whether that is new.

        A path that is not in `files` changes nothing.
        """
        if self._files.get(path, members) == members:
            return False
        self._files[path] = members
        self._listed_names = {
            name: _reason(path)
            for path, members in self._files.items()
            for name in map(as_name, members.texts)
            if name is not None
        }
        self.answers = {name: found for name, found in self.answers.items() if self._knows(name)}
        self._gather()
        return True

    def resolve(self, name: str, subjects: Iterable[Subject]) -> bool:
        """Set what *name* stands for, in place of an older answer; tell whether that is new.

        A name that is not in `names` changes nothing.
        """
        answer = frozenset(subjects)
        if not self._knows(name) or self.answers.get(name, frozenset()) == answer:
            return False
        self.answers[name] = answer
        self._gather()
        return True

    def knows(self, name: str) -> bool:
        """Whether somebody has said what *name* stands for."""
        return name in self.answers

    def take_answers(self, older: "ExemptList") -> None:
        """Take over from *older* who is exempt for now or by an answer, and what names stood for.

        Names that both lists hold keep their addresses until there is a newer answer.
        """
        for name, found in older.answers.items():
            if name not in self.answers:
                self.resolve(name, found)
        self.by_answer.update(older.by_answer)
        self.set_temporary(older.temporary_reasons)

    def _knows(self, name: str) -> bool:
        return name in self._names or name in self._listed_names

    def set_own(self, subjects: Iterable[Subject]) -> bool:
        """Set this host's own addresses (``ignoreself``); tell whether that is new."""
        found = frozenset(subjects)
        if found == self._own:
            return False
        self._own = found
        self._gather()
        return True

    def set_temporary(self, reasons: Mapping[Subject, str]) -> None:
        """Set who is exempt for now (``guard``), and why, in place of those before."""
        if self.temporary_reasons != reasons:
            self.changes += 1
            self.temporary_reasons = dict(reasons)
            self._temporary = _Covered()
            self._temporary_verdicts.clear()
            for subject, reason in reasons.items():
                self._temporary.add(subject, reason)

    def add_answer(self, networks: Iterable[Subject], at: Instant) -> None:
        """Exempt *networks*: an address in them was exempt by an answer at *at*."""
        for network in networks:
            self.by_answer[network] = max(at, self.by_answer.get(network, at))
            self.by_answer.move_to_end(network)
            if len(self.by_answer) > ANSWERS_LIMIT:
                self.by_answer.popitem(last=False)

    def exempts_failure(self, failure: Failure) -> str | None:
        """Return why *failure* must not be counted, or None if it may be.

        The subject may be exempt, or the address that the line also gave.
        """
        subject, address = failure.subject, failure.address
        return (
            self.exempts(subject)
            or (None if address is None else self.exempts(address))
            or self.exempts_for_now(address or subject)
            or (TOO_WIDE if is_too_wide(subject) else None)
            or failure.exempt_by
            or None
        )

    def exempts_network(self, network: Subject, now: Instant) -> str | None:
        """Return why *network* must not be banned for its members, or None if it may be."""
        return (
            self.exempts(network)
            or self.exempts_for_now(network)
            or (BY_ANSWER if self._has_answer(network, now) else None)
        )

    def _has_answer(self, network: Subject, now: Instant) -> bool:
        at = self.by_answer.get(network)
        return at is not None and now - at < ANSWER_SPAN

    def exempts_for_now(self, subject: Subject) -> str | None:
        """Return why *subject* must not be banned anew though it is not exempt for good, or None.

        A ban in force stays: a login must not lift what somebody has deserved.
        """
        if not self.temporary_reasons:
            return None
        return _remembered(self._temporary_verdicts, subject, self._judge_for_now)

    def _judge_for_now(self, subject: Subject) -> str | None:
        if not subject.is_enforceable:
            return None
        return self._temporary.around(subject) or self._temporary.inside(subject)

    def exempts(self, subject: Subject) -> str | None:
        """Return why *subject* is exempt for good, or None if it is not.

        A network is exempt if it shares an address with the list (`overlap`).
        """
        return _remembered(self._verdicts, subject, self._judge)

    def _judge(self, subject: Subject) -> str | None:
        if subject.is_address:
            return (
                self._written.around(subject)
                or self._found.around(subject)
                or self._in_file(subject)
                or reserved(subject)
            )
        if subject.is_network:
            return self.overlap(subject) or reserved(subject)
        listed = (path for path, members in self._files.items() if subject.text in members.texts)
        found = self._texts.get(subject.text) or next((_reason(path) for path in listed), None)
        return found or reserved(subject)

    def overlap(self, subject: Subject) -> str | None:
        """Return what of the list shares an address with *subject*, or None.

        For an identifier or a name: always None.
        """
        if not subject.is_enforceable:
            return None
        return (
            self._written.around(subject)
            or self._found.around(subject)
            or self._written.inside(subject)
            or self._found.inside(subject)
            or self._in_file(subject)
        )

    def _in_file(self, subject: Subject) -> str | None:
        for path, members in self._files.items():
            if members.addresses.overlaps(subject):
                return _reason(path)
        return None

    def _gather(self) -> None:
        self.changes += 1
        self._verdicts.clear()
        self._found = _Covered()
        for subject in self._own:
            self._found.add(subject, OWN)
        for name, subjects in self.answers.items():
            for subject in subjects:
                self._found.add(subject, self._names.get(name) or self._listed_names[name])


def _remembered(
    verdicts: dict[Subject, str | None], subject: Subject, judge: Callable[[Subject], str | None]
) -> str | None:
    """Return what *judge* says of *subject*, from memory if it was asked before."""
    if subject not in verdicts:
        if len(verdicts) >= VERDICTS:
            verdicts.clear()
        verdicts[subject] = judge(subject)
    return verdicts[subject]


def _reason(path: str) -> str:
    return f"ignoreip {FILE}{path}"


class _Covered:
    """Addresses and networks, each with the reason why it is exempt."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}
        self._networks: NetworkTable[str] = NetworkTable()
        self._members: list[tuple[Subject, str]] = []
        self._starts: dict[int, list[tuple[int, str]]] | None = None

    def add(self, subject: Subject, reason: str) -> None:
        if not subject.is_enforceable:
            return
        if subject.is_address:
            self._addresses.setdefault(subject.text, reason)
        else:
            self._networks.put(subject, reason)
        self._members.append((subject, reason))

    def around(self, subject: Subject) -> str | None:
        return self._addresses.get(subject.text) or self._networks.around(subject)

    def inside(self, subject: Subject) -> str | None:
        """Return the reason of a member that begins inside *subject*."""
        if self._starts is None:  # sorted late: most lists are never asked about a network
            self._starts = {4: [], 6: []}
            for member, reason in self._members:
                self._starts[member.family].append((first_and_length(member)[0], reason))
            for starts in self._starts.values():
                starts.sort()
        starts = self._starts[subject.family]
        first, length = first_and_length(subject)
        index = bisect_left(starts, (first, ""))
        if index < len(starts) and starts[index][0] < first + (
            1 << (WIDTH[subject.family] - length)
        ):
            return starts[index][1]
        return None
