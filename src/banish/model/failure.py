"""A failure: one thing in a log that counts against a subject."""

from collections.abc import Mapping

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


class Failure(msgspec.Struct, frozen=True):
    """One failure as a filter found it."""

    jail: str
    subject: Subject
    """A name (`SubjectKind.NAME`) until it is resolved."""
    at: Instant
    """The time that counts: the line's own, or now where that is unusable."""
    rule: int = 0
    """Which failregex matched, counted from 1."""
    attempts: int = 1
    evidence: tuple[Evidence, ...] = ()
    tags: Tags = {}
    address: Subject | None = None
    """The address the line also gave, where the subject is an ``<F-ID>``."""
    spared: str = ""
    """What exempts the subject though no list does: ``ignorecommand``; empty: nothing."""
