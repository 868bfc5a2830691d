"""Every command of Fail2Ban's protocol, by its first word.

A client cannot tell our server from Fail2Ban's by the values of the answers: where ours
differ, docs/compatibility.md says so. Each row of `COMMANDS` says who answers, and which role
(`banish.control.roles`) the command takes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from banish import __version__
from banish.control.fail2ban import bans, jailverbs, reloading, serveroptions, status
from banish.control.fail2ban.answers import CommandError, Value
from banish.control.fail2ban.known import KnownJails
from banish.control.fail2ban.port import ServerPort
from banish.control.fail2ban.words import word, words
from banish.control.listener import Peer
from banish.control.roles import Role
from banish.errors import MachineError, OperatorError

SLEEP_LIMIT_SECONDS = 3_600.0

_OF_SERVER = frozenset({*serveroptions.SERVER_OPTIONS, "thread"})
_OPERATING = frozenset({"banip", "unbanip", "attempt"})
_SECRET = frozenset({"action"})

Answer = Callable[["Fail2BanCommands", list[Value]], Awaitable[Value]]


class ServerCommand(msgspec.Struct, frozen=True):
    """One command: who answers it, and which role it takes as a rule."""

    answer: Answer
    role: Role = "configure"


class Fail2BanCommands:
    """Answers the commands of Fail2Ban's protocol for the server behind *port*."""

    def __init__(self, port: ServerPort) -> None:
        self.port = port
        self.jails = KnownJails(port)
        self._changing = asyncio.Lock()
        """Taken while new settings are worked out from the old and followed: of two clients at
        once neither undoes what the other did."""

    async def answer(self, command: list[Value], peer: Peer) -> Value:  # noqa: ARG002
        """Return the value that *command* is answered with.

        Raises:
            CommandError: It cannot be carried out.

        """
        try:
            return await self._answer(command)
        except CommandError:
            raise
        except OperatorError as error:
            raise CommandError("ValueError", _in_short(error)) from error
        except MachineError as error:
            raise CommandError("Exception", _in_short(error)) from error
        except (LookupError, ValueError, OverflowError, RecursionError) as error:
            # A word that is missing, or that is no number: as Python says it, Fail2Ban answers.
            kind = "ValueError" if isinstance(error, ValueError) else type(error).__name__
            raise CommandError(kind, str(error)) from error

    async def _answer(self, command: list[Value]) -> Value:
        known = COMMANDS.get(word(command[0]))
        if known is None:
            raise CommandError("Exception", "Invalid command")
        ends_the_server = known.answer is _stop and len(command) == 1
        if role_for(command) == "configure" and not ends_the_server:
            async with self._changing:
                return await known.answer(self, command[1:])
        return await known.answer(self, command[1:])


def role_for(command: list[Value]) -> Role:
    """Return the role that *command* takes; the highest for what is no command.

    Who operates may ban by ``set``. Properties of actions may be passwords, so that who only
    reads does not get them.
    """
    try:
        texts = [word(each) for each in command[:3]]
    except CommandError:
        return "configure"
    known = COMMANDS.get(texts[0]) if texts else None
    if known is None:
        return "configure"
    option = texts[2] if len(texts) > 2 and texts[1] not in _OF_SERVER else ""
    if texts[0] == "get" and option in _SECRET:
        return "configure"
    if texts[0] in ("set", "multi-set") and option in _OPERATING:
        return "operate"
    return known.role


def _in_short(error: OperatorError | MachineError) -> str:
    return f"{error.what}: {error.cure}" if error.cure else error.what


async def _ping(_server: Fail2BanCommands, _args: list[Value]) -> Value:
    return "pong"


async def _echo(_server: Fail2BanCommands, args: list[Value]) -> Value:
    return args


async def _version(server: Fail2BanCommands, _args: list[Value]) -> Value:
    return server.port.server().fail2banversion


async def _server_status(_server: Fail2BanCommands, _args: list[Value]) -> Value:
    return "Server ready"


async def _sleep(_server: Fail2BanCommands, args: list[Value]) -> Value:
    seconds = float(word(args[0]))
    if not 0 <= seconds <= SLEEP_LIMIT_SECONDS:
        raise CommandError("ValueError", f"sleep takes 0 to {SLEEP_LIMIT_SECONDS:g} seconds")
    await asyncio.sleep(seconds)
    return None


async def _config_error(_server: Fail2BanCommands, _args: list[Value]) -> Value:
    return None


async def _flush_logs(server: Fail2BanCommands, _args: list[Value]) -> Value:
    return await server.port.flush_logs()


async def _status(server: Fail2BanCommands, args: list[Value]) -> Value:
    return await status.status(server.jails, words(args))


async def _stats(server: Fail2BanCommands, args: list[Value]) -> Value:
    return await status.stats(server.jails, words(args))


async def _banned(server: Fail2BanCommands, args: list[Value]) -> Value:
    return await bans.banned(server.jails, words(args))


async def _unban(server: Fail2BanCommands, args: list[Value]) -> Value:
    return await bans.unban(server.jails, words(args))


async def _add(server: Fail2BanCommands, args: list[Value]) -> Value:
    texts = words(args)
    server.jails.add(texts[0], texts[1] if len(texts) > 1 else "auto")
    return texts[0]


async def _banish(_server: Fail2BanCommands, _args: list[Value]) -> Value:
    """Say our own version, which tells a client that this is no server of Fail2Ban's."""
    return __version__


async def _start(server: Fail2BanCommands, args: list[Value]) -> Value:
    await server.jails.start(word(args[0]))
    return None


async def _stop(server: Fail2BanCommands, args: list[Value]) -> Value:
    texts = words(args)
    if not texts:
        await server.port.stop()
    elif texts == ["--all"]:
        for name in list(server.jails.all()):
            await server.jails.stop(name)
    else:
        await server.jails.stop(texts[0])
    return None


async def _reload(server: Fail2BanCommands, args: list[Value]) -> Value:
    return await reloading.reload(server.jails, args)


async def _restart(server: Fail2BanCommands, args: list[Value]) -> Value:
    if not args:
        raise CommandError("Exception", "Invalid command")
    return await reloading.reload(server.jails, args, restart=True)


async def _get(server: Fail2BanCommands, args: list[Value]) -> Value:
    texts = words(args)
    if len(texts) == 1 or texts[0] in serveroptions.SERVER_OPTIONS:
        return serveroptions.get(server.port, texts[0])
    return await jailverbs.get(server.jails, texts[0], texts[1:])


async def _set(server: Fail2BanCommands, args: list[Value]) -> Value:
    name = word(args[0])
    if name == "thread":
        return serveroptions.set_thread(args[1])
    texts = words(args)
    if name in serveroptions.SERVER_OPTIONS:
        return await serveroptions.set_(server.port, name, texts[1])
    if name not in server.jails.all():
        # Fail2Ban looks for the option first, and names that.
        option = texts[1]
        if not jailverbs.is_set(option):
            what = f"Invalid command '{option}' (no set action or not yet implemented)"
            raise CommandError("Exception", what)
    return await jailverbs.set_(server.jails, name, texts[1:])


COMMANDS: Mapping[str, ServerCommand] = {
    "banish": ServerCommand(_banish, "read"),
    "ping": ServerCommand(_ping, "read"),
    "echo": ServerCommand(_echo, "read"),
    "version": ServerCommand(_version, "read"),
    "server-status": ServerCommand(_server_status, "read"),
    "status": ServerCommand(_status, "read"),
    "stats": ServerCommand(_stats, "read"),
    "statistic": ServerCommand(_stats, "read"),
    "statistics": ServerCommand(_stats, "read"),
    "banned": ServerCommand(_banned, "read"),
    "get": ServerCommand(_get, "read"),
    "sleep": ServerCommand(_sleep, "operate"),
    "config-error": ServerCommand(_config_error),
    "flushlogs": ServerCommand(_flush_logs, "operate"),
    "unban": ServerCommand(_unban, "operate"),
    "add": ServerCommand(_add),
    "start": ServerCommand(_start),
    "stop": ServerCommand(_stop),
    "reload": ServerCommand(_reload),
    "restart": ServerCommand(_restart),
    "set": ServerCommand(_set),
    "multi-set": ServerCommand(_set),
}
"""Every command; `server-stream`, which only a starting Fail2Ban knows, is none."""
