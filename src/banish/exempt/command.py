"""Asks the operator's ``ignorecommand`` whether a subject is exempt.

The exit code answers: 0 is yes, 1 is no; anything else is trouble and exempts
nobody. Values get into it as into the commands of actions (`banish.shell`), with one
difference: where a value may not stand as it is, the command is not run, since its
answer would be about somebody else.

A command gets `TIME_LIMIT`, as in Fail2Ban. One that overran gets `SHORT_LIMIT`
until it is in time again: a hanging command may delay a log by so much, not
by a minute for each failure. At the limit its whole process group is killed.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Sequence

import msgspec

from banish.exempt.cache import AnswerCache, Key
from banish.model.address import Subject
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.settings import JailSettings, Settings
from banish.resolve.reverse import ReverseResolver
from banish.shell.fitting import FittedValue, bounded
from banish.shell.script import Filled, Values, ignore_script
from banish.telemetry.events import Emit, WarningGiven

TIME_LIMIT = Seconds(60)
SHORT_LIMIT = Seconds(5)
AT_ONCE = 8
"""Commands that run at the same time, of all jails together."""

OUTPUT_LIMIT_BYTES = 1_024
"""How much of a command's output is kept for the log; the rest is read and dropped."""

TELL_PAUSE = Seconds(60)
"""How long the same trouble is kept quiet about."""

REASON = "ignorecommand"

_NUMBERS = frozenset({"family", "ip-rev", "failures", "time", "bantime", "bancount", "restored"})
"""Tags whose values are of our own making."""


WouldCount = Callable[[Failure, Instant], bool]
"""Tells whether a failure would be counted at a given time, if no command exempts it."""


class IgnoreCommand:
    """One jail's command, its answers, and its trouble."""

    def __init__(
        self,
        jail: JailSettings,
        *,
        names: ReverseResolver,
        gate: asyncio.Semaphore,
        emit: Emit,
        limit: Seconds = TIME_LIMIT,
        short_limit: Seconds = SHORT_LIMIT,
    ) -> None:
        """Ask as *jail* has it; *gate* bounds how many commands run at once."""
        self._jail = jail
        self._script = ignore_script(jail.ignorecommand)
        rule = jail.ignorecache
        key = ignore_script(rule.key) if rule is not None else self._script
        self._key_tags = tuple(dict.fromkeys(slot.tag for slot in key.slots))
        self._cache = AnswerCache(rule.most, rule.span) if rule is not None else None
        self._names = names
        self._gate = gate
        self._emit = emit
        self._limit = limit
        self._short_limit = short_limit
        self._overran = False
        self._report_at = 0.0
        self._unreported = 0
        self._under_way: dict[Key, asyncio.Task[bool]] = {}

    def serves(self, jail: JailSettings) -> bool:
        """Whether this is the command of *jail*, with all that its tags depend on."""
        own = self._jail
        return (own.ignorecommand, own.ignorecache, own.bantime) == (
            jail.ignorecommand,
            jail.ignorecache,
            jail.bantime,
        )

    async def exempts(self, failure: Failure) -> bool:
        """Return whether the command exempts the subject of *failure*; no where it fails.

        Failures that the command, or ``ignorecache``, does not tell apart share
        one run of it.
        """
        values = await self._values(failure)
        key = tuple(values[tag].text for tag in self._key_tags)
        if self._cache is not None:
            kept = self._cache.get(key, self._now())
            if kept is not None:
                return kept
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._ask(key, values))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # Whoever stops waiting leaves it to the others; the end of the loop ends it.
        return await asyncio.shield(task)

    async def _ask(self, key: Key, values: Values) -> bool:
        filled = self._script.fill(values)
        if filled.changed:
            tags = ", ".join(f"<{tag}>" for tag in filled.changed)
            self._report(
                f"not run, so nobody is exempt by it: the value of {tags} could act as a program"
                " or an option there; `banish check` shows the place and the cure"
            )
            return False
        async with self._gate:
            try:
                code, output = await self._run(filled)
            except TimeoutError:
                self._overran = True
                self._report("no answer in time; it was killed, and nobody is exempt by it")
                return False
            except OSError as error:
                self._report(f"cannot be run: {error.strerror}")
                return False
        self._overran = False
        if code not in (0, 1):
            what = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
            said = f": {output}" if output else ""
            self._report(f"{what}, so nobody is exempt by it (0 is yes, 1 is no){said}")
            return False
        if self._cache is not None:
            self._cache.put(key, code == 0, self._now())
        return code == 0

    async def _run(self, filled: Filled) -> tuple[int, str]:
        """Return the command's exit code and the beginning of what it wrote.

        Raises:
            TimeoutError: It took too long.
            OSError: It could not be started.

        """
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        output = _Output(reader)
        try:
            os.set_blocking(writer, True)
            # By the environment: words of a process are seen by every user of the host.
            values = {
                os.fsencode(name): text.encode("utf-8", "surrogateescape")
                for name, text in filled.environment.items()
            }
            process = await asyncio.create_subprocess_exec(
                "/bin/sh", "-c", filled.text, "ignorecommand", env={**os.environb, **values},
                stdin=asyncio.subprocess.DEVNULL, stdout=writer, stderr=writer,
                start_new_session=True, cwd="/",
            )  # fmt: skip
        except BaseException:
            output.close()
            raise
        finally:
            os.close(writer)
        try:
            async with asyncio.timeout(self._short_limit if self._overran else self._limit):
                code = await process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            output.close()
        return code, output.text()

    async def _values(self, failure: Failure) -> dict[str, FittedValue]:
        """Return the value of every tag that is asked for."""
        wanted = self._script.tags | set(self._key_tags)
        address = failure.address or failure.subject
        bantime = self._jail.bantime
        values = {
            "ip": address.text,
            "fid": failure.subject.text,
            "family": {4: "inet4", 6: "inet6"}.get(address.family, ""),
            "ip-rev": reversed_address(address),
            "failures": str(failure.attempts),
            "time": f"{failure.at:.0f}",
            "bantime": "-1" if bantime is None else f"{bantime:.0f}",
            "bancount": "0",
            "restored": "0",
            "matches": "\n".join(line.text for line in failure.evidence),
            "jail.name": failure.jail,
            "sh-hostname": socket.gethostname(),
        }
        for tag in wanted:
            if tag.startswith("F-"):
                captured = failure.tags.get(tag[2:].lower().replace("-", "_"), "")
                values[tag] = captured if isinstance(captured, str) else " ".join(captured)
        if "ip-host" in wanted:
            values["ip-host"] = await self._names.name(address)
        if "fq-hostname" in wanted:
            values["fq-hostname"] = await self._names.own_name()
        ours = _NUMBERS | ({"ip"} if address.is_enforceable else frozenset())
        if failure.subject.is_enforceable:
            ours |= {"fid"}
        return {
            tag: FittedValue(bounded(values.get(tag, "")), is_ours=tag in ours) for tag in wanted
        }

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _report(self, what: str) -> None:
        if self._now() < self._report_at:
            self._unreported += 1
            return
        more = f" ({self._unreported} times more since)" if self._unreported else ""
        self._unreported = 0
        self._report_at = self._now() + TELL_PAUSE
        self._emit(WarningGiven(part=f"[{self._jail.name}] ignorecommand", what=what + more))


def reversed_address(subject: Subject) -> str:
    """Return an address as DNS block lists want it: ``1.2.0.192.``; else an empty text."""
    if not subject.is_address:
        return ""
    return subject.network().network_address.reverse_pointer.removesuffix(
        "in-addr.arpa" if subject.family == 4 else "ip6.arpa"
    )


class ExemptCommands:
    """The ``ignorecommand`` of every jail that has one."""

    def __init__(self, settings: Settings, would_count: WouldCount, *, emit: Emit) -> None:
        self._gate, self._names = asyncio.Semaphore(AT_ONCE), ReverseResolver()
        self._would_count = would_count
        self._emit = emit
        self._commands: dict[str, IgnoreCommand] = {}
        self.follow(settings)

    def follow(self, settings: Settings) -> None:
        """Serve the jails of *settings* from now on; answers stay where nothing changed."""
        before = self._commands
        self._commands = {
            jail.name: before[jail.name]
            if jail.name in before and before[jail.name].serves(jail)
            else IgnoreCommand(jail, names=self._names, gate=self._gate, emit=self._emit)
            for jail in settings.jails
            if jail.ignorecommand
        }

    async def ask(self, failures: Sequence[Failure], now: Instant) -> Sequence[Failure]:
        """Return *failures* in their order, those marked that a command exempts.

        A command is asked only about what would be counted otherwise.
        """
        asking = self._commands
        if not asking or not any(failure.jail in asking for failure in failures):
            return failures
        return await asyncio.gather(*(self._asked(failure, now) for failure in failures))

    async def _asked(self, failure: Failure, now: Instant) -> Failure:
        command = self._commands.get(failure.jail)
        if command is None or not self._would_count(failure, now):
            return failure
        if not await command.exempts(failure):
            return failure
        return msgspec.structs.replace(failure, exempt_by=REASON)


class _Output:
    """Takes what a command writes off its hands and keeps the beginning.

    Not `Process.communicate`: that waits for the last holder of the pipe, which
    may be something that the command left running.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._kept = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            block = os.read(self._descriptor, 65_536)
        except BlockingIOError:
            return
        self._kept += block[: OUTPUT_LIMIT_BYTES - len(self._kept)]
        if not block:
            self._loop.remove_reader(self._descriptor)

    def close(self) -> None:
        """Read what is left and close the pipe."""
        self._read()
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def text(self) -> str:
        """Return what was kept, on one line."""
        return " ".join(self._kept.decode("utf-8", "replace").split())
