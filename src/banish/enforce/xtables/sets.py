"""Plans our ipsets, and reads them back; pure text in, text out.

A jail has two sets, ``banish-sshd-4`` and ``banish-sshd-6``, of the type
``hash:net``, which takes addresses and networks alike, overlapping or not. It takes
no network without length, so everybody (``0.0.0.0/0``) stands there as two halves.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from banish.enforce.xtables.chains import ENTRY, short_names
from banish.model.address import Subject, parse_address, parse_subject
from banish.model.instant import Instant, Seconds

SCRATCH = f"{ENTRY}.new"
"""The set that is filled before it takes another's place."""

CAPACITY = 4_194_304
"""Most bans of a jail and family; the kernel gives room only as it is needed."""

LONGEST_TIMEOUT = Seconds(2_147_483)
"""ipset takes no longer one; such a ban stands there without end and is ended by us."""

GRACE = Seconds(60)
"""How much longer than wanted the kernel keeps a ban."""

_HALVES = {
    "0.0.0.0/0": ("0.0.0.0/1", "128.0.0.0/1"),
    "::/0": ("::/1", "8000::/1"),
}
EVERYBODY = tuple(parse_subject(text) for text in _HALVES)
"""Both families' networks of all addresses."""

_WHOLE = {half: whole for whole, halves in _HALVES.items() for half in halves}


class IpsetPlan(NamedTuple):
    """One set: its name and the family of what it holds."""

    name: str
    version: int

    @property
    def kind(self) -> str:
        """What follows the name where it is created."""
        family = "inet" if self.version == 4 else "inet6"
        return f"hash:net family {family} maxelem {CAPACITY} timeout 0"

    @property
    def rule(self) -> str:
        """What matches packets of those that it holds, as the beginning of a rule."""
        return f"-m set --match-set {self.name} src"


class SavedSet(NamedTuple):
    """One set as ``ipset save`` shows it."""

    is_as_planned: bool
    """Whether it has the type and the size that ours have."""
    elements: Mapping[str, float | None]
    """Each with the seconds that are left of it; None: no end."""


def plan_sets(jails: Iterable[str]) -> dict[str, tuple[IpsetPlan, IpsetPlan]]:
    """Return the sets of each jail, IPv4's and IPv6's."""
    return {
        jail: (IpsetPlan(f"{ENTRY}-{name}-4", 4), IpsetPlan(f"{ENTRY}-{name}-6", 6))
        for jail, name in short_names(jails).items()
    }


def is_ours(name: str) -> bool:
    """Whether a set of this name is one of ours."""
    return name.startswith((f"{ENTRY}-", f"{ENTRY}."))


def elements(subject: Subject) -> tuple[str, ...]:
    """Return what stands in a set for *subject*."""
    return _HALVES.get(subject.text, (subject.text,))


def count_elements(bans: Collection[Subject]) -> int:
    """Return how many elements stand in a set for *bans*."""
    if not any(everybody in bans for everybody in EVERYBODY):
        return len(bans)
    return len({element for subject in bans for element in elements(subject)})


def to_subjects(found: Iterable[str], account: Iterable[Subject]) -> frozenset[Subject]:
    """Return whom the elements *found* ban; *account* tells halves of everybody from networks."""
    held = set(found)
    subjects: set[Subject] = set()
    explained: set[str] = set()
    for subject in account:
        parts = elements(subject)
        if held.issuperset(parts):
            subjects.add(subject)
            explained.update(parts)
    for element in held - explained:
        whole = _WHOLE.get(element)
        is_all = whole is not None and held.issuperset(_HALVES[whole])
        subject_found = parse_address(whole if is_all and whole is not None else element)
        if subject_found is not None:
            subjects.add(subject_found)
    return frozenset(subjects)


def times_left(
    found: Mapping[str, float | None], subjects: Iterable[Subject]
) -> dict[Subject, float | None]:
    """Return how many seconds each of *subjects*, all of which are in *found*, stays.

    Left out are those without end: so stands, too, whoever is banned for longer than
    `LONGEST_TIMEOUT`.
    """
    left: dict[Subject, float | None] = {}
    for subject in subjects:
        for element in elements(subject):
            time = found.get(element)
            if time is not None:
                left[subject] = min(time, left.get(subject) or time)
    return left


def render_replacement(
    plan: IpsetPlan, bans: Mapping[Subject, Instant | None], now: Instant
) -> str:
    """Return orders that make the set hold exactly *bans*, in one instant."""
    lines = [f"create {SCRATCH} {plan.kind}"]
    lines += additions(SCRATCH, bans, now)
    lines += [f"create {plan.name} {plan.kind}", f"swap {SCRATCH} {plan.name}"]
    return "\n".join((*lines, f"destroy {SCRATCH}", ""))


def additions(name: str, bans: Mapping[Subject, Instant | None], now: Instant) -> Iterator[str]:
    """Yield orders that put *bans* into the set *name*, each with the time that is left of it.

    The kernel keeps each ban `GRACE` longer than wanted: our own expiry comes first.
    """
    for subject, until in bans.items():
        left = 0 if until is None else max(int(until - now + GRACE), 1)
        timeout = left if left <= LONGEST_TIMEOUT else 0
        for element in elements(subject):
            yield f"add {name} {element} timeout {timeout}"


def removals(name: str, ended: Iterable[Subject], remaining: Iterable[Subject]) -> Iterator[str]:
    """Yield orders that take *ended* out of the set *name*, but what *remaining* stand for."""
    gone = dict.fromkeys(element for subject in ended for element in elements(subject))
    kept: set[str] = set()
    if any(element in _WHOLE for element in gone):
        kept = {element for subject in remaining for element in elements(subject)}
    return (f"del {name} {element}" for element in gone if element not in kept)


def parse_save(text: str) -> dict[str, SavedSet]:
    """Return the sets in the output of ``ipset save``, by name."""
    wanted = {version: set(IpsetPlan("", version).kind.split()) for version in (4, 6)}
    kinds: dict[str, bool] = {}
    found: dict[str, dict[str, float | None]] = {}
    for line in text.splitlines():
        order, _, rest = line.partition(" ")
        name, _, what = rest.partition(" ")
        if order == "create":
            kinds[name] = any(kind <= set(what.split()) for kind in wanted.values())
            found[name] = {}
        elif order == "add" and name in found:
            element, *options = what.split(" ")
            # Where the set has timeouts, 0 stands for one that never comes.
            found[name][element] = None
            if options[:1] == ["timeout"] and options[1] != "0":
                found[name][element] = float(options[1])
    return {name: SavedSet(kinds[name], held) for name, held in found.items()}


def parse_sizes(text: str) -> dict[str, int]:
    """Return how many elements each set has, from the output of ``ipset list -t``."""
    sizes: dict[str, int] = {}
    name = ""
    for line in text.splitlines():
        key, _, value = line.partition(": ")
        if key == "Name":
            name = value
        elif key == "Number of entries" and value.isdecimal():
            sizes[name] = int(value)
    return sizes
