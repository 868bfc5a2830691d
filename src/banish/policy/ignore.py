"""Who must never be banned: ``ignoreip``, what its names stand for, and this host itself.

A ban may never cover an ignored address, so a *network* is exempt as soon as
it shares one address with the list. Asking costs a dict probe, one more for
each prefix length in use, and one bisection for each list in a file, however
long they are. Addresses that no peer has (`banish.policy.reserved`) are exempt
whatever the list says.

Fail2Ban walks through its networks one by one (``Filter._inIgnoreIPList`` in
fail2ban/server/filter.py, 1.1.1) and lets a ban by hand override the list; here
it never does.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping

from banish.model.address import Subject, parse_address
from banish.policy.addresslist import AddressList, as_name
from banish.policy.networks import WIDTH, NetworkTable, first_and_length
from banish.policy.reserved import reserved

OWN = "ignoreself"
"""The reason given for this host's own addresses."""

FILE = "file:"
"""What an entry begins with that names a list in a file."""


VERDICTS = 8_192
"""Subjects whose verdict is remembered until the list changes: attackers come again and again."""


class IgnoreList:
    """The subjects that one jail spares, and why.

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
        self._answers: dict[str, frozenset[Subject]] = {}
        self._own = frozenset(own)
        self._guards: dict[Subject, str] = {}
        self._guarded = _Covered()
        self._guard_verdicts: dict[Subject, str | None] = {}
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
        """How often the list has changed, whoever it spares."""
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
        self._answers = {name: found for name, found in self._answers.items() if self._knows(name)}
        self._gather()
        return True

    def resolve(self, name: str, subjects: Iterable[Subject]) -> bool:
        """Set what *name* stands for, in place of an older answer; tell whether that is new.

        A name that is not in `names` changes nothing.
        """
        answer = frozenset(subjects)
        if not self._knows(name) or self._answers.get(name, frozenset()) == answer:
            return False
        self._answers[name] = answer
        self._gather()
        return True

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

    def set_guarded(self, reasons: Mapping[Subject, str]) -> None:
        """Set whom the lock-out guard spares, and why, in place of those before."""
        if self._guards != reasons:
            self.changes += 1
            self._guards = dict(reasons)
            self._guarded = _Covered()
            self._guard_verdicts.clear()
            for subject, reason in reasons.items():
                self._guarded.add(subject, reason)

    def guards(self, subject: Subject) -> str | None:
        """Return why *subject* must not be banned anew though it is not exempt, or None.

        A ban in force stays: a login must not lift what somebody has deserved.
        """
        if not self._guards:
            return None
        return _remembered(self._guard_verdicts, subject, self._guard)

    def _guard(self, subject: Subject) -> str | None:
        if not subject.is_enforceable:
            return None
        return self._guarded.around(subject) or self._guarded.inside(subject)

    def exempts(self, subject: Subject) -> str | None:
        """Return why *subject* must not be banned, or None if it may be.

        For a network that is `overlap`.
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
        for name, subjects in self._answers.items():
            for subject in subjects:
                self._found.add(subject, self._names.get(name) or self._listed_names[name])


def _remembered(
    verdicts: dict[Subject, str | None], subject: Subject, judge: Callable[[Subject], str | None]
) -> str | None:
    """Return what *judge* says of *subject*, which it is asked once as long as there is room."""
    if subject not in verdicts:
        if len(verdicts) >= VERDICTS:
            verdicts.clear()
        verdicts[subject] = judge(subject)
    return verdicts[subject]


def _reason(path: str) -> str:
    return f"ignoreip {FILE}{path}"


class _Covered:
    """Addresses and networks, each with the reason for sparing it."""

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
