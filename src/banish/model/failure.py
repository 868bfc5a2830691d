"""A failure: one thing in a log that counts against a subject."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from banish.model.address import Subject
from banish.model.instant import Instant

EVIDENCE_LIMIT_CHARACTERS = 2_048
"""Longest text kept of one evidence line."""

Tags = Mapping[str, str | tuple[str, ...]]
"""What the filter captured: ``user``, ``port`` and every ``<F-NAME>``, in lower case."""


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One log line that speaks against a subject, and where it stands."""

    text: str
    """The line as decoded, without its end, cut to `EVIDENCE_LIMIT_CHARACTERS`."""
    path: str = ""
    offset: int = 0
    """The line's first byte in *path*; 0 in a journal."""
    at: Instant = Instant(0)


class Details(Protocol):
    """What a line says beside whom it counts against; may be made when somebody asks."""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The lines that speak for the failure, oldest first."""

    @property
    def tags(self) -> Tags:
        """What the filter captured."""


class KnownDetails(msgspec.Struct, frozen=True):
    """Details whose values are known."""

    evidence: tuple[Evidence, ...] = ()
    tags: Tags = {}


class Failure(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One failure as a filter found it."""

    jail: str
    subject: Subject
    """A name (`SubjectKind.NAME`) until it is resolved."""
    at: Instant
    """The time that counts: the line's own, or now where that is unusable."""
    rule: int = 0
    """Which failregex matched, counted from 1."""
    attempts: int = 1
    details: Details = KnownDetails()
    """Most failures are of somebody who is banned already, and nobody asks for theirs."""
    address: Subject | None = None
    """The address the line also gave, where the subject is an ``<F-ID>``."""
    exempt_by: str = ""
    """What exempts the subject though no list does: ``ignorecommand``; empty: nothing."""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The lines that speak for it, oldest first."""
        return self.details.evidence

    @property
    def tags(self) -> Tags:
        """What the filter captured."""
        return self.details.tags

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, however their details are kept."""
        return isinstance(other, Failure) and self._whole() == other._whole()

    def __ne__(self, other: object) -> bool:
        """Whether they do not."""
        return not self == other  # the structs' own compares by identity

    __hash__ = None  # type: ignore[assignment]  # tags have none

    def _whole(self) -> tuple[object, ...]:
        return (
            self.jail, self.subject, self.at, self.rule, self.attempts,
            self.evidence, self.tags, self.address, self.exempt_by,
        )  # fmt: skip


def joined_tags(tags: Tags) -> tuple[tuple[str, str], ...]:
    """Return *tags* as a ban keeps them: of several values one text, cut as evidence is."""
    return tuple(
        (name, (value if isinstance(value, str) else ", ".join(value))[:EVIDENCE_LIMIT_CHARACTERS])
        for name, value in tags.items()
    )
