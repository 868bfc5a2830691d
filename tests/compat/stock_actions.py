"""Has a stock action do the same with Fail2Ban's own code and with ours, step by step.

Fail2Ban's runs in a process of its own, from its unpacked package. Neither side
runs anything here: both hand over the scripts that they would run.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from banish.config import commands
from banish.config.definition import Definition
from banish.config.merge import Library, constants
from banish.config.problem import Problems
from banish.config.search import Tree
from banish.config.text import Text, single
from banish.enforce.command.action import ShellAction
from banish.enforce.command.shell import Outcome
from banish.errors import ActionError
from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.settings import ActionSettings, Place
from banish.shell.script import Filled
from tests.compat.original import ask

NOW = 1_790_000_000
HOST = "gate.example"

JAIL = "sshd"


class Step(NamedTuple):
    """One thing asked of an action; *fails* of the scripts that follow from it fail, by number."""

    verb: str
    address: str = ""
    restored: bool = False
    fails: tuple[int, ...] = ()


class Matched(NamedTuple):
    """What a ban is about."""

    lines: tuple[str, ...]
    user: str


class Ran(NamedTuple):
    """A script that would be run, its ``$0 $1 ...``, and what its environment gives it."""

    text: str
    words: tuple[str, ...] = ()
    values: Mapping[str, str] = {}


Scripts = list[list[Ran]]
"""For each step the scripts."""

_ORIGINAL = """
import json, logging, sys
logging.disable(logging.CRITICAL)
from fail2ban.client.actionreader import ActionReader
from fail2ban.server import action as module
from fail2ban.server.actions import Actions
from fail2ban.server.ipdns import DNSUtils, IPAddr
from fail2ban.server.ticket import BanTicket

question = json.load(sys.stdin)
NOW, HOST, JAIL = question["now"], question["host"], question["jail"]
module.allowed_ipv6 = lambda: True
DNSUtils.getHostname = staticmethod(lambda fqdn=True: HOST)
IPAddr.getHost = lambda self: HOST
module.MyTime.time = staticmethod(lambda: NOW)

class Jail:
    name = JAIL
    database = None
    class filter:
        class failManager:
            size = staticmethod(lambda: 0)
            getFailTotal = staticmethod(lambda: 0)
    class actions:
        banEpoch = 0
        class banManager:
            size = staticmethod(lambda: 0)
            getBanTotal = staticmethod(lambda: 0)
        getBanTime = staticmethod(lambda: 600)
        @staticmethod
        def _getActionInfo(ticket):
            return Actions.ActionInfo(ticket or BanTicket("", NOW), Jail)

def play(name, given, steps):
    reader = ActionReader(
        name, JAIL, dict(given), share_config={}, basedir=question["root"])
    reader.read()
    reader.getOptions({})
    action = module.CommandAction(Jail, reader.getName())
    for command in reader.convert():
        if command[0] == "multi-set":
            for option, value in command[4]:
                setattr(action, option, value)
        elif command[2] == "action":
            setattr(action, command[4], command[5])
    done = []
    for verb, address, restored, fails in steps:
        run = []
        def execute(command, timeout=60):
            if command:
                words = list(command) if isinstance(command, list) else [command]
                if not words[0].strip():
                    return True
                run.append(words)
                return len(run) - 1 not in fails
            return True
        module.CommandAction.executeCmd = staticmethod(execute)
        ticket = BanTicket(address, NOW, question["lines"], {"user": question["user"]})
        ticket.setBanTime(600)
        ticket.setBanCount(1)
        ticket.setAttempt(3)
        ticket.restored = restored
        about = Actions.ActionInfo(ticket, Jail)
        try:
            if verb in ("ban", "reban", "unban", "prolong"):
                if verb != "prolong" or action._prolongable:
                    getattr(action, verb)(about)
            elif verb == "flush":
                if action.actionflush:
                    action.flush()
            elif verb == "check":
                action.consistencyCheck()
            else:
                getattr(action, verb)()
        except RuntimeError:
            pass
        done.append(run)
    return done

json.dump([play(*each) for each in question["actions"]], sys.stdout)
"""


def original(
    package: Path,
    root: Path,
    actions: Sequence[tuple[str, Mapping[str, str]]],
    steps: Sequence[Step],
    matched: Matched,
) -> list[Scripts]:
    """Return what Fail2Ban itself would run for each of *actions*."""
    question = {
        "root": str(root),
        "now": NOW,
        "host": HOST,
        "jail": JAIL,
        "lines": matched.lines,
        "user": matched.user,
        "actions": [(name, dict(given), list(steps)) for name, given in actions],
    }
    answer: list[list[list[list[str]]]] = ask(package, _ORIGINAL, question)
    return [
        [[Ran(text, tuple(words)) for text, *words in step] for step in steps] for steps in answer
    ]


def settings_of(root: Path, name: str, given: Mapping[str, str]) -> ActionSettings:
    """Return a stock action as our configuration gives it, as commands."""
    library = Library(Tree((root,)), Problems())
    merged = library.read(f"action.d/{name}")
    assert merged is not None
    merged.defaults.update(constants("1", str(root)))
    place = Place("jail.local", 1)
    texts: dict[str, Text] = {option: single(value, place) for option, value in given.items()}
    full = commands.named(name, JAIL, texts, place)
    definition = Definition(merged, full, lambda _option: None, read_for="action")
    found = dict(commands.properties(definition))
    return ActionSettings(
        name,
        given,
        place,
        "commands",
        full["actname"].text,
        {option: text.text for option, text in found.items()},
        commands.time_limit(found, Problems()),
    )


class Nothing:
    """Knows of nothing but names."""

    def __init__(self, host: str = HOST) -> None:
        self.host = host

    async def host_of(self, address: Subject) -> str:
        """Return a name."""
        return self.host

    async def past(self, subject: Subject, jail: str | None) -> tuple[Ban, ...]:
        """Return no bans."""
        return ()

    def counts(self, jail: str) -> tuple[int, int, int, int]:
        """Return zeros."""
        return (0, 0, 0, 0)

    async def names(self) -> tuple[str, str]:
        """Return names."""
        return (HOST, HOST)


def ban_of(address: str, matched: Matched) -> Ban:
    """Return the ban that both sides are told of."""
    return Ban(
        JAIL,
        parse_subject(address),
        Instant(NOW),
        Instant(NOW + 600),
        failures=3,
        evidence=tuple(Evidence(line) for line in matched.lines),
        tags=(("user", matched.user),),
    )


def ours(
    settings: ActionSettings, steps: Sequence[Step], matched: Matched, host: str = HOST
) -> Scripts:
    """Return what we would run."""
    return asyncio.run(_ours(settings, steps, matched, host))


async def _ours(
    settings: ActionSettings, steps: Sequence[Step], matched: Matched, host: str
) -> Scripts:
    done: Scripts = []
    fails: tuple[int, ...] = ()

    async def run(filled: Filled, _limit: Seconds) -> Outcome:
        done[-1].append(Ran(filled.text, (), filled.environment))
        return Outcome(int(len(done[-1]) - 1 in fails))

    action = ShellAction(
        JAIL, settings, run=run, facts=Nothing(host), clock=lambda: Instant(NOW), has_ipv6=True
    )
    for step in steps:
        fails = step.fails
        done.append([])
        ban = ban_of(step.address or "192.0.2.0", matched)
        try:
            match step.verb:
                case "ban":
                    await action.ban(ban, restored=step.restored)
                case "reban":
                    await action.reban(ban)
                case "unban":
                    await action.unban(ban)
                case "prolong":
                    await action.prolong(ban, restored=step.restored)
                case verb:
                    await getattr(action, verb)()
        except ActionError:
            pass
    return done
