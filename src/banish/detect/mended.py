r"""Rules of Fail2Ban's own filters that a client's text gets round, and what reads them rightly.

Nothing in a line tells which reading is true where a name stands without quotes beside an
address, or why a rule does not match since a name has a blank. For rules that are widely used
it is known what the service writes, though. They are known here by a digest of their own text,
so in whatever file they stand, and a rule of our own is searched in their place, as long as
``ambiguous`` is ``safe``. Each was checked with what the service really writes, by running it
(OpenSSH, vsftpd, MariaDB, Dovecot, nginx) or by its source; docs/compatibility.md lists them.

What all have in common: a name may be any text, quotes and brackets included; the address is
the last one if the name stands before it, the first one if it stands behind. OpenSSH cuts its
messages to 500 characters, so that messages of 300 and more say nothing where the address is
known by the end. A line that two texts of a client's could make alike counts against nobody.

Where a rule differs from a right one by a few characters only, these are replaced (`Edits`).
So what an operator may set in such a rule stays as it is.
"""

import hashlib
from typing import Final

from banish.detect import mendedrules
from banish.detect.mendedrules import Edits
from banish.model.settings import Regex

MENDED: Final = mendedrules.FAILREGEXES

DIGEST_CHARACTERS: Final = 16

_PREFIX_ENDS: Final = (
    r"(?:\[ID \d+ \S+\]\s+)?",
    r"(?:kernel:\s?\[ *\d+\.\d+\]:?\s+)?",
    r"""(?:[^\[\]\s]+|(?:\[(?:[^\]"]*|"[^"]*")*\])+)\s+""",
)
"""What ends a prefix of syslog, of ``common.conf``'s, with each ``logtype``. The digest is of
the rest, since the front depends on ``logtype`` and on the daemon's name."""


def mended(regex: Regex) -> Regex:
    """Return what is searched for *regex*: itself, unless it is known.

    What is returned instead takes the right address, whatever else a line holds.
    """
    known = MENDED.get(digest(regex.text))
    if known is None:
        heads = mendedrules.BY_HEAD.items()
        tried = (edits for (size, head), edits in heads if head_digest(regex.text, size) == head)
        known = next(tried, None)
    return regex if known is None else _replaced(regex, known)


def mended_prefix(regex: Regex) -> Regex:
    """Return what is searched for a prefregex: itself, unless it takes too much for the front."""
    known = mendedrules.PREFREGEXES.get(digest(regex.text))
    return regex if known is None else _replaced(regex, known)


def mended_ignore(regex: Regex) -> Regex:
    """Return what is searched for an ignoreregex: itself, unless a client can trip it."""
    known = mendedrules.IGNOREREGEXES.get(digest(regex.text))
    return regex if known is None else _replaced(regex, known)


def digest(text: str) -> str:
    """Return what the rule *text* is known by in `MENDED`."""
    return _digest(text[_front(text) :])


def head_digest(text: str, characters: int) -> str:
    """Return what a rule is known by of which only so many *characters* are always the same."""
    return _digest(text[_front(text) :][:characters])


def _replaced(regex: Regex, right: "str | Edits") -> Regex:
    front, own = regex.text[: _front(regex.text)], regex.text[_front(regex.text) :]
    if isinstance(right, str):
        return Regex(front + right, regex.place)
    for old, new in right:
        if old not in own:
            return regex
        own = own.replace(old, new)
    return Regex(front + own, regex.place)


def _front(text: str) -> int:
    """Return where the prefix of syslog ends in *text*; 0: there is none."""
    return max((text.rfind(end) + len(end) for end in _PREFIX_ENDS if end in text), default=0)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]
