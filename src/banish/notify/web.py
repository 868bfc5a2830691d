"""Asks services of the web, by HTTP: a time limit, bounded answers, no redirects.

A redirect could send a secret elsewhere, so it counts as a mistake in the
address. Of an address only the host is ever shown: the rest may be a secret.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import msgspec

from banish import __version__
from banish.addon.options import FilePath, Url
from banish.errors import ActionError
from banish.model.instant import Seconds
from banish.notify.notifier import LaterError
from banish.notify.tls import tls_context
from banish.notify.wording import line

if TYPE_CHECKING:
    import aiohttp

CaFile = Annotated[FilePath, "Whom to trust; empty: whom this host trusts."]
Proxy = Annotated[Url, "The proxy on the way; empty: none."]

ANSWER_BYTES = 1_048_576
"""How much of an answer is read; a page of the largest list that we ask for has some 200 kB."""

SHOWN_CHARACTERS = 200
"""How much of what a service says is shown."""

LONGEST_WAIT = Seconds(3_600)
"""The longest that we wait because a service asks for it."""

_FINAL = frozenset({400, 404, 405, 406, 410, 411, 413, 414, 415, 422})
"""Answers that the same request will get again."""


class HttpResponse(msgspec.Struct, frozen=True):
    """What a service answered."""

    status: int
    body: bytes = b""
    retry_after: str = ""
    hidden: tuple[str, ...] = ()
    """Secrets of the request, in case the service repeats them."""

    @property
    def is_good(self) -> bool:
        """Whether it says that it did what was asked."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return the body as JSON; None if it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def said(self) -> str:
        """Return what the body says, harmless and cut."""
        text = self.body[:4_096].decode("utf-8", "replace")
        for secret in self.hidden:
            text = text.replace(secret, "***")
        return line(" ".join(text.split()), SHOWN_CHARACTERS)


class Web:
    """One service, and the connection to it, which is opened at the first request."""

    def __init__(self, name: str, *, timeout: Seconds, ca_file: str = "", proxy: str = "") -> None:
        """Call the service *name* in messages."""
        self._name = name
        self._timeout = timeout
        self._ca_file = ca_file
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """Send a request and return the answer, whatever it says.

        Raises:
            ActionError: There was none, in time and in bounds.

        """
        import aiohttp  # noqa: PLC0415 - an extra, slow to import

        host = _host(url)
        try:
            async with asyncio.timeout(self._timeout):
                session = self._open()
                async with session.request(
                    method,
                    url,
                    headers=headers,
                    data=form if body is None else body,
                    params=query,
                    proxy=self._proxy or None,
                    allow_redirects=False,
                ) as reply:
                    content = await _read(reply)
                    wait = reply.headers.get("Retry-After", "")
                    return HttpResponse(reply.status, content, wait, _hidden(url, headers or {}))
        except TimeoutError as error:
            raise ActionError(
                f"{self._name} ({host}) did not answer within {self._timeout:g} s",
                cure="see that this host reaches it, or give the action a longer timeout",
            ) from error
        except aiohttp.InvalidURL as error:
            what = f"the address of {self._name} is not an http:// or https:// URL"
            raise ActionError(what, cure="correct url=", retry=False) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise ActionError(
                f"{self._name} ({host}) has a certificate that is not trusted",
                cure="name the authority that signed it with ca_file=, or correct url=",
            ) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            said = line(" ".join(reason.split()), SHOWN_CHARACTERS)
            # aiohttp repeats the address in some of its messages.
            shown = said.replace(url, host) if url in said else said
            raise ActionError(
                f"{self._name} ({host}) cannot be reached: {shown or type(error).__name__}",
                cure="see that this host reaches it, and that url= is right",
            ) from error

    def failed(self, answer: HttpResponse, *, cure: str = "") -> ActionError:
        """Return the error that *answer* amounts to, with a *cure* if there is a special one."""
        if 300 <= answer.status < 400:
            what = f"{self._name} answered with a redirect ({answer.status}), which is not followed"
            return ActionError(what, cure="write the final address into url=", retry=False)
        what = f"{self._name} answered {answer.status}: {answer.said() or 'nothing more'}"
        if answer.status in (429, 503):
            return LaterError(what, wait=_wait(answer), cure=cure or "it is tried again later")
        if answer.status in (401, 403):
            return ActionError(what, cure=cure or "correct the secret, and what it may do")
        return ActionError(
            what, cure=cure or "see the service's status page", retry=answer.status not in _FINAL
        )

    def _open(self) -> "aiohttp.ClientSession":
        import aiohttp  # noqa: PLC0415 - an extra, slow to import

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=tls_context(self._ca_file), limit=2),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                headers={"User-Agent": f"banish/{__version__}", "Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                max_line_size=8_190,
            )
        return self._session

    async def close(self) -> None:
        """Hang up."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


async def _read(reply: "aiohttp.ClientResponse") -> bytes:
    content = bytearray()
    async for block in reply.content.iter_chunked(65_536):
        content += block
        if len(content) > ANSWER_BYTES:
            reply.close()
            raise ValueError(f"its answer is longer than {ANSWER_BYTES:,} bytes")
    return bytes(content)


def _hidden(url: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what of a request nobody should read: secrets, and the path, which may be one."""
    found = [headers.get(name, "").rpartition(" ")[2] for name in ("Authorization", "Key")]
    parts = urlsplit(url)
    found += [parts.path, parts.query]
    return tuple(each for each in found if len(each) > 4)


def _host(url: str) -> str:
    try:
        return line(urlsplit(url).hostname or "", 100)
    except ValueError:
        return ""


def _wait(answer: HttpResponse) -> Seconds:
    """Return how long a service asks us to wait; a minute if it does not say it in seconds."""
    text = answer.retry_after.strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return Seconds(min(max(float(text), 1.0), LONGEST_WAIT))
    return Seconds(60)
