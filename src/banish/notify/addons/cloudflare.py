"""The kind ``cloudflare``: keeps subjects out at Cloudflare, for sites that are behind it.

By its API in version 4, either as *IP access rules* of a zone or an account, one
request each, or as items of an IP *list* of an account, hundreds in one request.
What is ours carries our mark as its note, and nothing else is touched.

All jails of a server that use the same place share one `CloudflarePlace`, so that a subject
stays banned until the last of them unbans it. After a restart, after an error, or
because somebody was banned is all the same to it, and nothing is ever there twice.
"""

import asyncio
import ipaddress
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal
from urllib.parse import quote

import msgspec

from banish.addon.declare import ActionAddon, ActionContext
from banish.addon.options import SecretFile, Url
from banish.errors import ActionError
from banish.model.address import Subject
from banish.model.instant import Seconds
from banish.notify.jsontext import to_json
from banish.notify.notifier import LaterError
from banish.notify.remote import RemoteAction
from banish.notify.secret import read_secret
from banish.notify.web import CaFile, HttpResponse, Proxy, Web
from banish.notify.wording import line

SETTLE = Seconds(10)
"""How long after the start what nobody wants any more stays: bans are put back first."""

BUSY_WAIT = Seconds(5)
"""How long until a list that Cloudflare is at work on is asked for again."""

ROUND_REQUESTS = 20
"""Rules made or taken away before other orders have their turn."""

LIST_ITEMS = 1_000
"""Items in one request."""

PAGES_LIMIT = 200
PAGE = 500

_RULE_PREFIXES = {4: (16, 24, 32), 6: (32, 48, 64, 128)}
"""The networks that a rule can be about; a wider one is cut into such parts."""

PARTS_LIMIT = 256
"""The most rules that one network is cut into."""


class Cloudflare(msgspec.Struct, frozen=True):
    """The options of its own."""

    url: Annotated[Url, "The root of the API, version 4."] = ""
    token_file: Annotated[SecretFile, "The file with the API token."] = ""
    zone: Annotated[str, "The zone that the rules are for, by its number."] = ""
    account: Annotated[str, "The account, by its number."] = ""
    list: Annotated[str, "The IP list of the account, by its number; empty: rules."] = ""
    mode: Annotated[
        Literal["block", "challenge", "js_challenge", "managed_challenge"], "What a rule does."
    ] = "block"
    mark: Annotated[str, "The note by which ours are known; one a server."] = "banish"
    ca_file: CaFile = ""
    proxy: Proxy = ""
    timeout: Seconds = Seconds(30)

    @property
    def place(self) -> tuple[str, ...]:
        """What tells one place from another."""
        return (self.url.rstrip("/"), self.zone, self.account, self.list, self.mark)


def values(subject: Subject, *, in_list: bool) -> tuple[str, ...]:
    """Return what Cloudflare calls *subject*; nothing where it cannot hold it.

    A list takes no IPv6 network narrower than /64, so there an address is its /64.
    """
    if not subject.is_enforceable:
        return ()
    network = subject.network()
    if in_list:
        if network.version == 6 and network.prefixlen > 64:
            network = network.supernet(new_prefix=64)
        return (_text(network),)
    prefix = next(each for each in _RULE_PREFIXES[network.version] if each >= network.prefixlen)
    if 2 ** (prefix - network.prefixlen) > PARTS_LIMIT:
        return ()
    return tuple(map(_text, network.subnets(new_prefix=prefix)))


def _text(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    is_one = network.prefixlen == network.max_prefixlen
    return str(network.network_address if is_one else network)


class CloudflarePlace:
    """One place at Cloudflare: what should be there, and what is."""

    def __init__(self, options: Cloudflare) -> None:
        self._options = options
        self._wanted: dict[str, set[tuple[str, Subject]]] = {}
        """Who wants each value there: jails with their subjects."""
        self._there: dict[str, str] | None = None
        """The number of what is ours, by value; None until it was read."""
        self._dirty: dict[str, None] = {}
        self._lock = asyncio.Lock()
        self._settles_at: float | None = None
        self._web = Web(
            "Cloudflare", timeout=options.timeout, ca_file=options.ca_file, proxy=options.proxy
        )
        scope = f"accounts/{quote(options.account, safe='')}"
        if options.list:
            path = f"{scope}/rules/lists/{quote(options.list, safe='')}/items"
        else:
            if options.zone:
                scope = f"zones/{quote(options.zone, safe='')}"
            path = f"{scope}/firewall/access_rules/rules"
        self._path = f"{options.url.rstrip('/')}/{path}"

    @property
    def due(self) -> float | None:
        """When there is something to do, in the event loop's time; None: never."""
        if self._dirty or self._there is None:
            return 0.0
        return self._settles_at

    @property
    def is_behind(self) -> bool:
        """Whether it is known that what is there is not what should be."""
        return bool(self._dirty)

    def hold(self, jail: str, subject: Subject) -> bool:
        """Want *subject* there; tell whether Cloudflare can hold it."""
        found = values(subject, in_list=bool(self._options.list))
        for value in found:
            self._wanted.setdefault(value, set()).add((jail, subject))
            self._dirty[value] = None
        return bool(found)

    def release(self, jail: str, subjects: Iterable[Subject]) -> None:
        """Want *subjects* there no more, as far as *jail* goes."""
        for subject in subjects:
            for value in values(subject, in_list=bool(self._options.list)):
                holders = self._wanted.get(value, set())
                holders.discard((jail, subject))
                if not holders:
                    self._wanted.pop(value, None)
                self._dirty[value] = None

    async def bring(self) -> None:
        """Do the next part of what is to be done.

        Raises:
            ActionError: Something was not done; what was done is taken note of.

        """
        async with self._lock:
            is_over = True
            try:
                await self._bring()
                is_over = not self._dirty
            finally:
                if is_over:
                    # The server may stop at any time, and leave things as they are there.
                    await self._web.close()

    async def _bring(self) -> None:
        if self._there is None:
            self._there = await self._read()
            self._settles_at = asyncio.get_running_loop().time() + SETTLE
            self._dirty.update(dict.fromkeys(self._wanted))
        self._settle()
        there = self._there
        adds = [each for each in self._dirty if each in self._wanted and each not in there]
        ends = [each for each in self._dirty if each not in self._wanted and each in there]
        busy = {*adds, *ends}
        for value in [each for each in self._dirty if each not in busy]:
            del self._dirty[value]
        if self._options.list:
            await self._bring_items(adds[:LIST_ITEMS], ends[:LIST_ITEMS], there)
        else:
            await self._bring_rules(adds, ends, there)

    def _settle(self) -> None:
        """Once all bans had the time to be restored, unban those that no jail bans."""
        at = self._settles_at
        if at is not None and at <= asyncio.get_running_loop().time():
            self._settles_at = None
            assert self._there is not None
            self._dirty.update((each, None) for each in self._there if each not in self._wanted)

    # -- rules ---------------------------------------------------------------------

    async def _bring_rules(
        self, adds: Sequence[str], ends: Sequence[str], there: dict[str, str]
    ) -> None:
        for value in adds[:ROUND_REQUESTS]:
            body = to_json({
                "mode": self._options.mode,
                "configuration": {"target": _target(value), "value": value},
                "notes": self._options.mark,
            })  # fmt: skip
            answer = await self._ask("POST", self._path, body=body)
            if answer.is_good:
                there[value] = _id(answer)
            elif not _says(answer, "duplicate"):
                raise self._failed(answer)
            # Somebody else's rule for the same address is left alone.
            self._dirty.pop(value, None)
        for value in ends[:ROUND_REQUESTS]:
            number = there[value]
            if number:
                answer = await self._ask("DELETE", f"{self._path}/{quote(number, safe='')}")
                if not answer.is_good and answer.status != 404:
                    raise self._failed(answer)
            there.pop(value, None)
            self._dirty.pop(value, None)

    # -- lists ---------------------------------------------------------------------

    async def _bring_items(
        self, adds: Sequence[str], ends: Sequence[str], there: dict[str, str]
    ) -> None:
        if ends and any(not there[value] for value in ends):
            # An item gets its number some time after it was asked for.
            there.update(await self._read())
            known = [value for value in ends if there[value]]
            if not known:
                raise LaterError("Cloudflare is still at work on the list", wait=BUSY_WAIT)
            ends = known
        if adds:
            items = [{"ip": value, "comment": self._options.mark} for value in adds]
            answer = await self._ask("POST", self._path, body=to_json(items))
            if not answer.is_good:
                raise self._failed(answer)
            there.update(dict.fromkeys(adds, ""))
            self._forget(adds)
        elif ends:
            body = to_json({"items": [{"id": there[value]} for value in ends]})
            answer = await self._ask("DELETE", self._path, body=body)
            if not answer.is_good:
                raise self._failed(answer)
            for value in ends:
                del there[value]
            self._forget(ends)

    def _forget(self, done: Iterable[str]) -> None:
        for value in done:
            self._dirty.pop(value, None)

    # -- reading -------------------------------------------------------------------

    async def _read(self) -> dict[str, str]:
        """Return the number of all that is ours, by value."""
        found: dict[str, str] = {}
        query = {"per_page": str(PAGE)}
        if not self._options.list:
            query |= {"notes": self._options.mark, "page": "1"}
        for number in range(1, PAGES_LIMIT + 1):
            answer = await self._ask("GET", self._path, query=query)
            content = answer.json()
            if not answer.is_good or not isinstance(content, dict):
                raise self._failed(answer)
            rows = content.get("result")
            rows = rows if isinstance(rows, list) else []
            found.update(pair for row in rows if (pair := self._ours(row)) is not None)
            after = _after(content)
            if self._options.list:
                if not after:
                    break
                query["cursor"] = after
            else:
                if len(rows) < PAGE:
                    break
                query["page"] = str(number + 1)
        return found

    def _ours(self, row: object) -> tuple[str, str] | None:
        if not isinstance(row, dict):
            return None
        is_item = bool(self._options.list)
        if row.get("comment" if is_item else "notes") != self._options.mark:
            return None
        shape = row.get("configuration")
        value = row.get("ip") if is_item else isinstance(shape, dict) and shape.get("value")
        number = row.get("id")
        if not isinstance(value, str) or not isinstance(number, str):
            return None
        try:
            return _text(ipaddress.ip_network(value)), number
        except ValueError:
            return None

    # -- requests ------------------------------------------------------------------

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        query: dict[str, str] | None = None,
    ) -> HttpResponse:
        token = read_secret(self._options.token_file)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return await self._web.ask(method, url, headers=headers, body=body, query=query)

    def _failed(self, answer: HttpResponse) -> ActionError:
        if answer.status in (401, 403):
            what = "an API token that may edit " + (
                "account filter lists" if self._options.list else "firewall access rules"
            )
            return self._web.failed(answer, cure=f"write {what} into {self._options.token_file}")
        if answer.status == 404:
            return self._web.failed(answer, cure="correct url=, zone=, account= or list=")
        error = self._web.failed(answer)
        # What keeps subjects out is never given up.
        error.retry = True
        return error


def _target(value: str) -> str:
    if "/" in value:
        return "ip_range"
    return "ip6" if ":" in value else "ip"


def _id(answer: HttpResponse) -> str:
    content = answer.json()
    result = content.get("result") if isinstance(content, dict) else None
    number = result.get("id") if isinstance(result, dict) else None
    return number if isinstance(number, str) else ""


def _says(answer: HttpResponse, text: str) -> bool:
    return text in line(answer.body[:4_096].decode("utf-8", "replace"), 4_096).lower()


def _after(content: dict[str, object]) -> str:
    """Return where the next page of a list begins; empty on the last."""
    info = content.get("result_info")
    cursors = info.get("cursors") if isinstance(info, dict) else None
    after = cursors.get("after") if isinstance(cursors, dict) else None
    return after if isinstance(after, str) else ""


def make(context: ActionContext) -> RemoteAction:
    """Return the action of one jail; jails with the same place share its `CloudflarePlace`."""
    options = msgspec.convert(context.settings.options, Cloudflare)
    edge = context.shared.setdefault(f"cloudflare {options.place}", CloudflarePlace(options))
    assert isinstance(edge, CloudflarePlace)
    return RemoteAction(context.jail, context.settings, edge)


ADDON = ActionAddon(
    "Access rules or list items at Cloudflare, for sites behind it.",
    (Cloudflare,),
    make,
    required=("url", "token_file", "zone|account", "mark"),
    keeps_out=True,
    needs="aiohttp",
    extra="web",
)
