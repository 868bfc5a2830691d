"""How far the start is, for `status` and for systemd.

Until it is ready systemd is asked for more time again and again (``EXTEND_TIMEOUT_USEC``,
sd_notify(3)), by the event loop itself: a start that hangs gets none.
"""

import asyncio

from banish.daemon.host import notify_systemd
from banish.model.instant import Seconds

ASK_PAUSE = Seconds(5)
MORE_TIME = Seconds(30)
"""What is asked for each time; a start that hangs for longer is ended by systemd."""


class Startup:
    """What the start is doing at the moment."""

    def __init__(self) -> None:
        self.what = "beginning"
        """In words; empty once the start is over."""
        self._is_ready = False

    def begin(self, what: str) -> None:
        """Say that *what* begins, or how far it is."""
        self.what = what

    def ready(self) -> None:
        """Tell systemd that bans are in force and logs are open."""
        self._is_ready = True
        notify_systemd(f"READY=1\nSTATUS=Starting: {self.what}")

    def end(self) -> None:
        """Tell that everything is as it should be."""
        self.what = ""
        notify_systemd("STATUS=Watching")

    async def run(self) -> None:
        """Tell systemd how far the start is, until it is over."""
        while self.what:
            message = f"STATUS=Starting: {self.what}"
            if not self._is_ready:
                message += f"\nEXTEND_TIMEOUT_USEC={MORE_TIME * 1_000_000:.0f}"
            notify_systemd(message)
            await asyncio.sleep(ASK_PAUSE)
