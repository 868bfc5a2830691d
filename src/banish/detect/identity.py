"""Whom a match counts against, and what it captured beside.

An identifier counts before an address, that before a name; a name to be
resolved counts before the identifier it stands beside (``findFailure`` in
fail2ban/server/filter.py, 1.1.1).
"""

from collections.abc import Mapping

from banish.detect.pattern import Captured
from banish.model.address import (
    MAX_SUBJECT_CHARACTERS,
    Subject,
    SubjectKind,
    is_host_name,
    name_subject,
    parse_logged,
    parse_subject,
)
from banish.model.failure import Tags
from banish.model.settings import UseDns

_HIDDEN = frozenset({"nofail", "mlfforget", "mlfgained", "content"})


def identify(
    captured: Mapping[str, Captured], usedns: UseDns
) -> tuple[Subject | None, Subject | None, str]:
    """Return the subject, the address beside an identifier, and the text that names them.

    No subject means that nobody can be banned by it: an address that is none
    (``999.0.0.1``), the whole internet (``/0``), a name that must not be
    resolved, a number that a resolver would take for an address (``4``,
    ``127.1``); without any text, that the match names nobody.
    """
    identifier = captured.get("fid")
    for group in ("ip4", "ip6"):
        text = captured.get(group)
        if isinstance(text, str):
            mask = captured.get("cidr")
            address = _address(text, mask) if mask or "/" in text else parse_logged(text)
            if identifier is None or identifier == text:
                return address, None, text
            return _identifier(identifier, usedns), address, str(identifier)
    name = captured.get("dns")
    if isinstance(name, str):
        if usedns == "raw":
            return _identifier(name if identifier is None else identifier, usedns), None, name
        subject = name_subject(name)
        is_name = subject.kind is SubjectKind.NAME
        if is_name and (usedns == "no" or not is_host_name(subject.text)):
            return None, None, name
        return subject, None, name
    if not identifier:
        return None, None, ""
    return _identifier(identifier, usedns), None, str(identifier)


def tags_of(captured: Mapping[str, Captured], users: tuple[str, ...]) -> Tags:
    """Return what a failure keeps of its captures, and of the *users* its session tried."""
    tags = {
        name: text
        for name, text in captured.items()
        if name not in _HIDDEN and name[:9] != "skiplines" and name[:7] != "mended_"
    }
    if "fport" in tags:
        tags["port"] = tags.pop("fport")
    if users:
        tags["users"] = users
    return tags


def _identifier(text: Captured, usedns: UseDns) -> Subject:
    if usedns == "raw":
        return Subject(str(text)[:MAX_SUBJECT_CHARACTERS], SubjectKind.ID)
    return parse_subject(str(text))


def _address(text: str, mask: Captured | None) -> Subject | None:
    subject = parse_logged(f"{text}/{mask}" if mask else text)
    if subject is not None and subject.text.endswith("/0"):
        return None
    return subject
