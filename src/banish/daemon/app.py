"""``banish run``: one server from its settings to its end."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine

from banish.daemon.host import (
    notify_systemd,
    on_signals,
    raise_descriptor_limit,
    set_process_name,
)
from banish.daemon.openlog import open_log
from banish.daemon.server import Server
from banish.daemon.settle import RunOptions, settle
from banish.errors import ConfigError
from banish.model.instant import Instant
from banish.model.settings import Settings
from banish.telemetry.logs import Log, bridge_logging

__all__ = ["RunOptions", "run", "wall_clock"]


def wall_clock() -> Instant:
    """Return the time of day."""
    return Instant(time.time())


def run(options: RunOptions) -> int:
    """Run a server until it is asked to stop; return the exit code.

    Raises:
        ConfigError: No jail can start.
        AnotherServerError: Another server has the control socket.
        EnforceError: The firewall cannot be used.

    """
    settings = settle(options)
    if not settings.jails and settings.errors:
        raise ConfigError(
            f"no jail can start:\n{_listed(settings)}",
            where=settings.root,
            cure="fix the problems named above; 'banish check' shows it again",
        )
    raise_descriptor_limit()
    set_process_name("fail2ban-server" if settings.server.fail2bansocket else "banish")
    log = open_log(settings.server, options.verbosity)
    bridge_logging(log)
    try:
        return asyncio.run(_serve(settings, options, log))
    finally:
        log.close()


def _listed(settings: Settings) -> str:
    return "\n".join(f"    {problem}" for problem in settings.errors)


async def _serve(settings: Settings, options: RunOptions, log: Log) -> int:
    server = Server(settings, options, log, clock=wall_clock)
    handlers: dict[signal.Signals, Callable[[], object]] = {
        signal.SIGTERM: server.stopping.set,
        signal.SIGINT: server.stopping.set,
        signal.SIGUSR1: log.reopen,
        signal.SIGHUP: server.reload_soon,
    }
    with on_signals(handlers):
        try:
            # The socket first: a second server must end before it touches anything.
            await server.claim()
            await _until(server.stopping, server.start)
            notify_systemd("STOPPING=1")
        finally:
            await server.stop()
    return 0


async def _until(stopping: asyncio.Event, start: Callable[[], Awaitable[None]]) -> None:
    """Run *start*, and return once *stopping* is set, however far the start has come.

    What *start* raises comes through.
    """
    starting = asyncio.ensure_future(start())
    waiting = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await waiting
    finally:
        starting.cancel()
        waiting.cancel()
        await asyncio.gather(starting, waiting, return_exceptions=True)


async def _to_the_end(work: Coroutine[None, None, None]) -> None:
    """Await *work*, and if we are cancelled, still until it has ended."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
