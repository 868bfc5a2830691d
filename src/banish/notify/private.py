"""What is reported to strangers, how often, and what is left out: users, hosts, addresses.

Reports go to services that publish them, and to providers of attackers. What they
need is the attacker's address, the time and the kind of failure.
"""

import ipaddress
import re
from collections import OrderedDict
from collections.abc import Sequence

from banish.model.address import Subject, parse_address
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds
from banish.notify.wording import line

REMEMBERED_LIMIT = 20_000
"""Reported addresses that are remembered."""

_MAIL = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,253}")
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]{2,})(?![\w:])"
)
_OURS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10",
        "ff00::/8",
    )
)  # fmt: skip
"""Networks that mean something else on every network, so that no stranger can act on them."""


class Reported:
    """Which addresses were reported when; all jails of a server share one."""

    def __init__(self) -> None:
        self._times: OrderedDict[Subject, Instant] = OrderedDict()

    def is_recent(self, address: Subject, now: Instant, pause: Seconds) -> bool:
        """Whether *address* was reported less than *pause* ago."""
        at = self._times.get(address)
        return at is not None and abs(now - at) < pause

    def note(self, address: Subject, now: Instant) -> None:
        """Take note that *address* was reported."""
        self._times[address] = now
        self._times.move_to_end(address)
        if len(self._times) > REMEMBERED_LIMIT:
            self._times.popitem(last=False)


def is_public(subject: Subject) -> bool:
    """Whether others know whom this address means."""
    if not subject.is_address:
        return False
    network = subject.network()
    return not any(
        network.version == ours.version and network.subnet_of(ours)  # type: ignore[arg-type]
        for ours in _OURS
    )


def attacker(ban: Ban) -> Subject | None:
    """Return the address to report of *ban*, or None: it was banned by hand, or has none."""
    address = ban.address or ban.seen or ban.subject
    return address if ban.cause == "failures" and is_public(address) else None


def redacted(ban: Ban, *, hosts: Sequence[str], most: int) -> tuple[str, ...]:
    """Return the newest *most* lines of evidence without what is private, harmless.

    *hosts* are this host's own names. Longer names go first, so that no part of one stays.
    """
    if not most:
        return ()
    address = ban.address or ban.seen or ban.subject
    secrets = {value for _, value in ban.tags if value and parse_address(value) != address}
    names = sorted({*secrets, *hosts} - {""}, key=len, reverse=True)
    return tuple(_clean(each.text, names, address) for each in ban.evidence[-most:])


def _clean(text: str, names: Sequence[str], address: Subject) -> str:
    for name in names:
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "***", text, flags=re.IGNORECASE)
    text = _MAIL.sub("***", text)

    def keep(match: re.Match[str]) -> str:
        found = parse_address(match[0])
        return match[0] if found is None or found == address else "***"

    return line(_ADDRESS.sub(keep, text))
