"""Texts that an attacker would try: the rest of a regex, around an address of his choice."""

import re
from collections.abc import Iterable
from itertools import islice

from banish.detect.vetting.writing import Shape

TRUE = "192.0.2.1"
"""Stands for the address that a service writes (RFC 5737)."""

FORGED = "203.0.113.66"
"""Stands for the address that an attacker writes (RFC 5737)."""

IN_V6 = {TRUE: "2001:db8::1", FORGED: "2001:db8:66::66"}
"""The same for regexes that take nothing but IPv6 (RFC 3849)."""

KNOWN = (
    f" from {FORGED}",
    f" from {FORGED} port 22 ssh2",
    f" from {FORGED} port 22 ssh2: x",
    f" {FORGED} port 22 [preauth]",
    f": rhost={FORGED}",
    f" rhost={FORGED} user=x",
    f"[{FORGED}]",
    f"[{FORGED}]: ",
    f" ({FORGED})",
    f", client: {FORGED}, ",
    f"] [client {FORGED}] ",
)
"""What has been used against such programs before (CVE-2006-6302, CVE-2007-4321,
CVE-2013-2178, CVE-2013-7176), and its like."""

TEXT_LIMIT_CHARACTERS = 400

TAIL_WORDS = 4
"""After so many words of a rule's tail a name may end."""

_WORD = re.compile(r"\s*\S+")


def texts(shape: Shape, true: str, forged: str) -> list[str]:
    """Return what an attacker would write into a line of this *shape*, which has an address.

    The shortest first. Each holds *forged* for *true*, with what stands between the address and the
    gaps next to it, further gaps and their surroundings taken in one by one, and with the first
    words of what follows the address. No
    text spans lines: whatever writes a log ends its lines itself.
    """
    kinds = [piece.kind for piece in shape]
    place = kinds.index("address")
    written = [
        piece.text.replace(true, forged) if piece.kind == "address" else piece.text
        for piece in shape
    ]
    begins = [0, *(at + 1 for at in range(place) if kinds[at] not in ("text", "address"))]
    ends = [
        *(at for at in range(place + 1, len(shape)) if kinds[at] != "text"),
        len(shape),
        place + 1,
    ]
    forgeries = ["".join(written[begin:end]) for begin in reversed(begins) for end in ends]
    # A name may end within the tail: what a service writes next is read as the tail's rest.
    tail = "".join(written[place + 1 :])
    words = [word.end() for word in islice(_WORD.finditer(tail), TAIL_WORDS)]
    forgeries += [
        f"{''.join(written[begin : place + 1])}{tail[:end]}"
        for begin in reversed(begins)
        for end in words
    ]
    found = {
        text: None for text in forgeries if len(text) <= TEXT_LIMIT_CHARACTERS and "\n" not in text
    }
    return sorted(found, key=len)


def known(forged: str) -> list[str]:
    """Return the texts of `KNOWN` with *forged* as the address."""
    return [text.replace(FORGED, forged) for text in KNOWN]


def dressed(cores: Iterable[str]) -> list[str]:
    """Return *cores* as they would be written: after a word, and before one."""
    found: dict[str, None] = {}
    for core in cores:
        for text in (f"x{core}", f"x {core}", core, f"x{core} x"):
            found.setdefault(text)
    return list(found)
