"""Finds who answers for an address: the abuse contact of its network.

First from DNS, where a zone is named that holds contacts by reversed address as
TXT records (in the manner of the Abuse Contact DB); else from what ``whois`` says.
Answers come from strangers, so only what is plainly a mail address counts, and no
more than two of them.
"""

import asyncio
import ipaddress
import re
from collections import OrderedDict

from banish.errors import ActionError
from banish.extras import how_to_install
from banish.model.address import Subject
from banish.model.instant import Seconds
from banish.notify import program

DNS_SPAN = Seconds(5)
WHOIS_SPAN = Seconds(10)
WHOIS_BYTES = 32_768
CONTACTS_LIMIT = 2
CACHE_LIMIT = 1_000

_MAIL = re.compile(r"[A-Za-z0-9][\w.+-]{0,62}@(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.)+[A-Za-z]{2,24}")
_FIELDS = re.compile(
    r"^(?:%\s*Abuse contact for .{1,100} is|abuse-mailbox:|OrgAbuseEmail:|e-?mail-abuse:)\s*"
    r"['\"]?(\S{3,200}?)['\"]?\s*$",
    re.IGNORECASE | re.MULTILINE,
)
"""How registries mark the contact: RIPE, APNIC and AFRINIC; ARIN; LACNIC has none."""


class Contacts:
    """Looks contacts up, and remembers them."""

    def __init__(
        self, *, zone: str, whois: bool, dns_server: str = "", whois_program: str = "whois"
    ) -> None:
        """Ask the DNS *zone* unless it is empty, by the host's resolvers or *dns_server*."""
        self._zone = zone.strip(".")
        self._whois = whois
        self._dns_server = dns_server
        self._program = whois_program
        self._kept: OrderedDict[Subject, tuple[str, ...]] = OrderedDict()

    async def of(self, address: Subject) -> tuple[str, ...]:
        """Return the mail addresses of who answers for *address*; none if nobody is known.

        Raises:
            ActionError: It cannot be asked: a library or a program is missing.

        """
        if address in self._kept:
            return self._kept[address]
        found = await self._by_dns(address) if self._zone else ()
        if not found and self._whois:
            found = await self._by_whois(address)
        self._kept[address] = found
        if len(self._kept) > CACHE_LIMIT:
            self._kept.popitem(last=False)
        return found

    async def _by_dns(self, address: Subject) -> tuple[str, ...]:
        try:
            import dns.asyncresolver  # noqa: PLC0415 - an extra
            import dns.exception  # noqa: PLC0415
        except ImportError as error:
            raise ActionError(
                "looking up contacts in DNS needs the Python package dnspython",
                cure=f"{how_to_install('abuse')}, or leave contacts= empty",
            ) from error
        resolver = dns.asyncresolver.Resolver(configure=not self._dns_server)
        if self._dns_server:
            host, _, port = self._dns_server.rpartition(":")
            resolver.nameservers = [host]
            resolver.port = int(port)
        pointer = ipaddress.ip_address(address.text).reverse_pointer
        name = pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
        try:
            async with asyncio.timeout(DNS_SPAN + 1):
                answer = await resolver.resolve(
                    f"{name}.{self._zone}.", "TXT", lifetime=DNS_SPAN, search=False
                )
        except (dns.exception.DNSException, OSError, TimeoutError):
            return ()
        texts = [part.decode("ascii", "replace") for record in answer for part in record.strings]
        return addresses(" ".join(texts))

    async def _by_whois(self, address: Subject) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(WHOIS_SPAN):
                ended = await program.run([self._program, address.text], most_bytes=WHOIS_BYTES)
        except OSError as error:
            if isinstance(error, TimeoutError):
                return ()
            raise ActionError(
                f"the program {self._program} cannot be started: {error.strerror}",
                cure="install whois, or name the contact with to=",
            ) from error
        text = ended.output.decode("utf-8", "replace")
        return addresses(" ".join(match[1] for match in _FIELDS.finditer(text)))


def addresses(text: str) -> tuple[str, ...]:
    """Return the first few words of *text* that are mail addresses and nothing else."""
    words = re.split(r"[\s,;]+", text)
    found = dict.fromkeys(word for word in words if len(word) < 255 and _MAIL.fullmatch(word))
    return tuple(found)[:CONTACTS_LIMIT]
