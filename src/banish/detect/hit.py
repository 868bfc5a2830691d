"""A line that matched, as long as nobody asks what it says.

Of most lines of an attack only the address matters, as it is banned already; the
rest is read from the line when a window, a session's next line, a mail or an
``ignorecommand`` asks for it.
"""

from typing import NamedTuple

import msgspec

from banish.detect.identity import tags_of
from banish.detect.pattern import Captured, Pattern, Search
from banish.detect.session import FLAGS, Session
from banish.model.failure import EVIDENCE_LIMIT_CHARACTERS, Evidence, Tags
from banish.model.instant import Instant


class Shape(NamedTuple):
    """What a fused search tells of one rule's lines."""

    rule: int
    """The failregex, counted from 1."""
    match: Search
    """Finds all in a line with its end."""
    wanted: tuple[int, ...]
    """The groups of date, ``ip4``, ``ip6``, ``dns``, ``mlfid``, ``nofail``, ``mlfgained``
    and ``mlfforget``; one that holds nothing for what the rule does not have."""
    directives: tuple[int, ...]
    """The groups of the parts of the date, in the order of `Template.directives`."""
    front: int
    """The group that ends where the failregex begins; 0: that is where the text begins."""
    names: tuple[tuple[str, int], ...]
    """All that is captured, and in which group."""
    alone: Pattern | None = None
    """The failregex, where nothing else is searched for; None: date or prefregex are, too."""
    is_loose: bool = False
    """Whether what it finds may be a piece of an address."""


class Hit(msgspec.Struct, gc=False, eq=False):
    """One match of a fused search. Implements `Details` and, in `Sessions`, `Sleeping`."""

    shape: Shape
    text: str
    r"""What was searched, with its ``\n``. Searched again by who asks: a match takes four times
    the room."""
    line: str
    """The line as it stands in the log, with its end; mostly that is `text`."""
    path: str
    offset: int
    newest: Instant
    """The time that counts for the line."""
    owner: str
    """Whom its session is put down to."""
    is_joined: bool
    """Whether it belongs to a session, as whose first line it stands."""
    is_failure: bool

    def captured(self) -> dict[str, Captured]:
        """Return what the named groups captured; those that took no part are left out."""
        found = self.shape.match(self.text)
        assert found is not None
        return {
            name: text for name, group in self.shape.names if (text := found[group]) is not None
        }

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The line."""
        text = self.line[:-1][:EVIDENCE_LIMIT_CHARACTERS]
        return (Evidence(text, self.path, self.offset, self.newest),)

    @property
    def tags(self) -> Tags:
        """What the filter captured."""
        captured = self.captured()
        user = captured.get("user")
        is_tried = self.is_joined and isinstance(user, str) and user
        return tags_of(captured, (str(user),) if is_tried else ())

    def wake(self) -> Session:
        """Return the session as it is after this line, its first."""
        captured = self.captured()
        for name in FLAGS:
            captured.pop(name, None)
        session = Session(captured)
        session.newest = self.newest
        session.owner = self.owner
        session.is_failure = self.is_failure
        if self.is_failure:
            session.lines = 1
        else:
            session.informing = self.evidence
            session.informed = 1
        return session
