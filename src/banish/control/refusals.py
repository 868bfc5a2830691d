"""Logs what was refused to whom: each refusal of a user once an hour, the rest counted."""

import time

from banish.control.listener import Peer
from banish.telemetry.events import Emit, RequestRefused, RequestRefusedAgain

TELL_PAUSE_SECONDS = 3_600.0
"""How long the same refusal of the same user is not logged again."""

REPORTED_LIMIT = 256
"""Refusals that are remembered; past it all may be logged once more."""


class Refusals:
    """What one socket refused."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._reported_until: dict[tuple[str, int], float] = {}

    def report(self, what: str, peer: Peer) -> None:
        """Log that *what* was wrong with a request of *peer*; the same is only counted."""
        now, name = time.monotonic(), (what, peer.uid)
        if now < self._reported_until.get(name, 0.0):
            self._emit(RequestRefusedAgain(what, uid=peer.uid, pid=peer.pid))
            return
        if len(self._reported_until) >= REPORTED_LIMIT:
            self._reported_until.clear()
        self._reported_until[name] = now + TELL_PAUSE_SECONDS
        self._emit(RequestRefused(what, uid=peer.uid, pid=peer.pid))
