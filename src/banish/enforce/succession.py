"""Clears away what another kind of firewall of ours left, when ``firewall`` was changed.

A server that was killed, or stopped with ``keepbans``, leaves its bans. The next one takes
them over where it bans by the same means. Where it does not, rules of iptables would stand
for ever. So a small file beside the database names the kinds that may have left something.
"""

import contextlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from banish.blocking import wait_within
from banish.enforce.wrapped import WrappedEnforcer
from banish.errors import AnotherServerError, EnforceError
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds
from banish.model.settings import Enforcement
from banish.ports import Enforcer
from banish.telemetry.events import Emit, WarningGiven

_LIMIT_BYTES = 1_000

FILE_LIMIT = Seconds(2)
"""How long the file is waited for; its disk may hang."""


class SucceedingEnforcer(WrappedEnforcer):
    """An enforcer that clears away what other kinds have left (`banish.ports.Enforcer`)."""

    def __init__(
        self,
        kind: str,
        make: Callable[[str], Enforcer],
        *,
        known: Collection[str],
        path: Path | None,
        emit: Emit,
    ) -> None:
        """Prepare the enforcer of *kind*; nothing is touched before `start`.

        *make* makes the enforcer of a kind that is *known*. *path* is the file; None: none is kept.
        """
        super().__init__(make(kind))
        self._kind = kind
        self._make = make
        self._known = frozenset(known)
        self._path = path
        self._emit = emit
        self._is_first = True

    async def start(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Hold exactly *bans* for exactly *jails*; then clear away what other kinds left."""
        others = await self._read() - {self._kind} if self._is_first else frozenset()
        if self._is_first:
            await self._write(others | {self._kind})
        await super().start(jails, bans, now)
        self._is_first = False
        if others:
            left = [kind for kind in sorted(others) if not await self._clear(kind, now)]
            await self._write({self._kind, *left})

    async def stop(self, *, keep: bool) -> None:
        """Take away all that is ours, or with *keep* leave the bans in force."""
        await super().stop(keep=keep)
        if not keep:
            await self._write(await self._read() - {self._kind})

    async def _clear(self, kind: str, now: Instant) -> bool:
        """Take away what *kind* left; tell whether nothing of it can be there any more."""
        other = self._make(kind)
        try:
            await other.start((), (), now)
            await other.stop(keep=False)
        except AnotherServerError:
            return False  # it is in use
        except EnforceError as error:
            what = f"bans that 'firewall = {kind}' left may still stand: {error}"
            self._emit(WarningGiven(part="firewall", what=what))
            return False
        return True

    async def _read(self) -> frozenset[str]:
        path = self._path
        if path is None:
            return frozenset()

        def read() -> bytes:
            with path.open("rb") as file:
                return file.read(_LIMIT_BYTES)

        try:
            content = await wait_within(FILE_LIMIT, read)
        except TimeoutError:
            self._path = None
            return frozenset()
        except OSError:
            return frozenset()
        return frozenset(content.decode("ascii", "replace").split()) & self._known

    async def _write(self, kinds: "frozenset[str] | set[str]") -> None:
        path = self._path
        if path is None:
            return

        def write() -> None:
            if kinds:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.write_text("".join(f"{kind}\n" for kind in sorted(kinds)), "ascii")
            else:
                path.unlink()

        # Without the file protection is the same; only what is left is not known.
        with contextlib.suppress(OSError):
            await wait_within(FILE_LIMIT, write)
