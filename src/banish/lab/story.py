"""An attack on a protected host, step by step, each step checked for what it claims.

The story only acts, measures and tells; how it looks is up to whoever listens.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Literal

from banish.lab.accounts import Account
from banish.lab.authlog import AuthLogLine
from banish.lab.guard import Guard, guarded
from banish.lab.namespaces import LabError
from banish.lab.ssh import LoginAttempt
from banish.lab.world import Lab

MAXRETRY = 5
BANTIME_SECONDS = 8

GUESSES = ("root", "admin", "ubuntu", "root", "oracle")
"""Users that the attacker tries: as many as maxretry allows, and not one more."""

assert len(GUESSES) == MAXRETRY

GUESSED = sorted({*GUESSES} - {"root"})
"""Those who must exist: a guess at a user who does not counts as two, name and password."""

BAN_LIMIT_SECONDS = 5.0
"""A ban that takes longer than this from the last failure is a failed demo."""

UNBAN_LIMIT_SECONDS = 5.0
"""So much later than bantime may a ban end."""

Key = Literal["world", "sshd", "guard", "guess", "ban", "shut", "bystander", "unban", "open", "end"]

STEPS: dict[Key, str] = {
    "world": "Private network of three hosts",
    "sshd": "Real OpenSSH server, real auth.log",
    "guard": "banish watches that log",
    "guess": "Attacker guesses passwords",
    "ban": "Attacker banned in the kernel's firewall",
    "shut": "Attacker's next connection fails",
    "bystander": "Somebody else logs in as ever",
    "unban": "Ban ends by itself",
    "open": "Attacker may try again",
    "end": "All ends in order, nothing is left",
}
"""The steps in their order, and what each shows."""

Speaker = Literal["attacker", "bystander", "sshd", "banish", "kernel"]


@dataclasses.dataclass(frozen=True)
class StepBegun:
    """A step begins."""

    step: Key


@dataclasses.dataclass(frozen=True)
class StepDone:
    """A step's claim held; *result* says how well."""

    step: Key
    result: str


@dataclasses.dataclass(frozen=True)
class StepBroken:
    """A step's claim did not hold."""

    step: Key
    why: str


@dataclasses.dataclass(frozen=True)
class Spoken:
    """Somebody in the story wrote or did something, word for word."""

    at: float
    who: Speaker
    text: str


@dataclasses.dataclass(frozen=True)
class Waited:
    """The ban goes on; *left_seconds* of *whole_seconds* are to come."""

    left_seconds: float
    whole_seconds: float


StoryEvent = StepBegun | StepDone | StepBroken | Spoken | Waited


@dataclasses.dataclass
class StoryReport:
    """What came of it."""

    steps: dict[str, str] = dataclasses.field(default_factory=dict)
    """The result of each step that held."""
    broken: str = ""
    """The step that did not hold and why; empty where all did."""
    failures: int = 0
    """What banish counted against the attacker until the ban."""
    ban_milliseconds: float | None = None
    """From just before the deciding line is written to the kernel's word that the set has it."""
    banned_seconds: float | None = None
    """How long the kernel held it."""

    @property
    def is_ok(self) -> bool:
        """Whether every step held."""
        return not self.broken and len(self.steps) == len(STEPS)


class StepFailedError(Exception):
    """A step's claim did not hold."""


class Story:
    """One telling of it."""

    def __init__(self, tell: Callable[[StoryEvent], None], pause: Callable[[float], None]) -> None:
        """Tell what happens to *tell*; *pause* takes seconds that only serve the onlooker."""
        self._show = tell
        self._pause = pause
        self._report = StoryReport()
        self._step: Key = "world"
        self._lines_shown = 0
        self._said_shown = 0
        self._kernel_shown = 0

    def play(self) -> StoryReport:
        """Play all steps, or up to the first that does not hold; leave nothing behind."""
        alice = Account("alice")
        try:
            self._begin("world")
            begun = time.monotonic()
            with Lab.open(accounts=[alice, *map(Account, GUESSED)], log_style="iso") as lab:
                self._done(f"built in {_ms(time.monotonic() - begun)}")
                self._play_in(lab, alice)
            self._check(not lab.directory.exists(), f"{lab.directory} is left")
            self._done("no process, rule or file")
        except (StepFailedError, LabError) as error:
            why = str(error)
            if isinstance(error, LabError):
                why = error.what + (f" ({error.cure})" if error.cure else "")
            self._report.broken = f"{STEPS[self._step]}: {why}"
            self._show(StepBroken(self._step, why))
        return self._report

    def _play_in(self, lab: Lab, alice: Account) -> None:
        self._begin("sshd")
        lab.sshd(pam=True)
        self._done(f"listens on {lab.server.ipv4} port 22")
        self._begin("guard")
        begun = time.monotonic()
        with guarded(lab, jail_local(str(lab.log_path))) as guard:
            guard.wait_until_ready()
            took = time.monotonic() - begun
            self._follow(lab, guard)
            self._done(f"ready after {_ms(took)}")
            self._attack(lab, guard)
            self._bystand(lab, guard, alice)
            self._outlast(lab, guard)
            self._end(lab, guard)

    def _attack(self, lab: Lab, guard: Guard) -> None:
        address = lab.attacker.ipv4
        self._begin("guess")
        failed = 0
        for user in GUESSES:
            self._pause(0.35)
            login = lab.attacker.fail_login(user)
            if login.outcome != "denied":
                break
            failed += 1
            self._follow(lab, guard)
            self._say("attacker", f"ssh {user}@{lab.server.ipv4}: {_last(login)}")
        self._check(failed > 0, "not even one password could be tried")
        self._done(f"{failed} denied" + (", the last cut off" if failed < MAXRETRY else ""))

        self._begin("ban")
        taken = guard.ban_in_kernel(address, within=BAN_LIMIT_SECONDS)
        guard.log.find(lambda text: f"] Ban {address}" in text, within=1.0)
        self._follow(lab, guard)
        if taken is None:
            raise StepFailedError(f"{address} is not in the firewall after {failed} failures")
        causes = [
            line
            for line in lab.lines()
            if line.at <= taken.at and address in line.text and is_telling(line.text)
        ]
        if not causes:
            raise StepFailedError("the ban came before any failure was logged")
        self._report.failures = sum(f"Found {address}" in line.text for line in guard.said())
        took = taken.at - causes[-1].at
        self._report.ban_milliseconds = round(took * 1000, 2)
        self._done(f"{_ms(took)} from log line to kernel")
        self._pause(0.6)

        self._begin("shut")
        begun = time.perf_counter()
        is_open = lab.attacker.connects()
        took = time.perf_counter() - begun
        self._check(not is_open, "the attacker still gets through")
        login = lab.attacker.fail_login()
        self._say("attacker", f"ssh root@{lab.server.ipv4}: {_last(login)}")
        self._check(login.outcome in ("refused", "timeout"), f"ssh says: {login.text}")
        self._follow(lab, guard)
        self._done(f"{'refused' if login.outcome == 'refused' else 'no answer'}, {_ms(took)}")
        self._pause(0.6)

    def _bystand(self, lab: Lab, guard: Guard, alice: Account) -> None:
        self._begin("bystander")
        login = lab.bystander.ssh_login(alice.name, alice.password)
        self._follow(lab, guard)
        self._say("bystander", f"ssh alice@{lab.server.ipv4}: {_last(login)}")
        self._check(login.outcome == "accepted", f"the bystander is blocked: {login.text}")
        self._done(f"accepted, {_ms(login.took_seconds)}")

    def _outlast(self, lab: Lab, guard: Guard) -> None:
        address = lab.attacker.ipv4
        self._begin("unban")
        taken = guard.ban_in_kernel(address, within=0)
        assert taken is not None
        is_shown = False
        while held := guard.holding(address):
            now = time.time()
            if not is_shown:
                is_shown = True
                clock = "" if held.expires_seconds is None else f" expires {held.expires_seconds}s"
                self._say("kernel", f"set {held.set_name} {{ {address}{clock} }}")
            left = taken.at + BANTIME_SECONDS - now
            self._check(left > -UNBAN_LIMIT_SECONDS, "the ban does not end")
            self._show(Waited(max(left, 0.0), BANTIME_SECONDS))
            # Paces what is shown; the end itself is read from the kernel, not waited out.
            time.sleep(0.1)
        lasted = time.time() - taken.at
        guard.log.find(lambda text: f"] Unban {address}" in text, within=2.0)
        self._follow(lab, guard)
        self._report.banned_seconds = round(lasted, 2)
        self._check(lasted > BANTIME_SECONDS - 1, f"it lasted only {lasted:.1f} s")
        self._done(f"after {lasted:.1f} s (bantime {BANTIME_SECONDS} s)")

        self._begin("open")
        login = lab.attacker.fail_login()
        self._follow(lab, guard)
        self._say("attacker", f"ssh root@{lab.server.ipv4}: {_last(login)}")
        self._check(login.outcome == "denied", f"ssh says: {login.text}")
        self._done("asked for a password again")
        self._pause(0.4)

    def _end(self, lab: Lab, guard: Guard) -> None:
        self._begin("end")
        code = guard.stop()
        self._follow(lab, guard)
        self._check(code == 0, f"banish ended with code {code}")
        rules = lab.nft("list", "ruleset").strip()
        self._check(not rules, f"rules are left: {rules}")

    def _begin(self, step: Key) -> None:
        self._step = step
        self._show(StepBegun(step))

    def _done(self, result: str) -> None:
        self._report.steps[self._step] = result
        self._show(StepDone(self._step, result))

    def _check(self, holds: bool, why: str) -> None:
        if not holds:
            raise StepFailedError(why)

    def _say(self, who: Speaker, text: str) -> None:
        self._show(Spoken(time.time(), who, text))

    def _follow(self, lab: Lab, guard: Guard) -> None:
        """Tell what sshd, banish and the kernel have written since the last time."""
        news: list[Spoken] = []
        for line in lab.lines(self._lines_shown):
            self._lines_shown += 1
            if is_telling(line.text):
                news.append(Spoken(line.at, "sshd", "sshd" + line.text.partition(" sshd")[2]))
        for line in guard.said(self._said_shown):
            self._said_shown += 1
            news.append(Spoken(line.at, "banish", line.text))
        changes = guard.kernel.so_far(self._kernel_shown)
        self._kernel_shown += len(changes)
        news += [Spoken(line.at, "kernel", line.text) for line in _lasting(changes)]
        for spoken in sorted(news, key=lambda spoken: spoken.at):
            self._show(spoken)


def jail_local(log_path: str) -> str:
    """Return the whole configuration of the protected server."""
    return (
        "[sshd]\n"
        "enabled = true\n"
        f"logpath = {log_path}\n"
        f"maxretry = {MAXRETRY}\n"
        "findtime = 10m\n"
        f"bantime = {BANTIME_SECONDS}s\n"
    )


def _ms(seconds: float) -> str:
    milliseconds = seconds * 1000
    return f"{milliseconds:.0f} ms" if milliseconds >= 100 else f"{milliseconds:.1f} ms"


def is_telling(line: str) -> bool:
    """Whether a line of auth.log says how a login went; PAM's and others say it again."""
    return any(words in line for words in ("Failed password", "Invalid user", "Accepted"))


def _lasting(changes: list[AuthLogLine]) -> list[AuthLogLine]:
    """Leave out the steps inside a transaction that the same transaction takes back.

    banish writes a ban as add, delete, add with a timeout, and an unban as add,
    delete, so that each comes out the same whatever was there before.
    """
    kept: list[AuthLogLine] = []
    for number, change in enumerate(changes):
        later = changes[number + 1].text if number + 1 < len(changes) else ""
        is_add = change.text.startswith("add element")
        if is_add and " timeout " not in change.text:
            continue
        if not is_add and " timeout " in later:
            continue
        kept.append(change)
    return kept


def _last(login: LoginAttempt) -> str:
    """Return the last line of what ssh wrote, without the names before it."""
    if login.outcome == "accepted":
        return "logged in"
    line = login.text.splitlines()[-1] if login.text else "cut off"
    return line.rpartition(": ")[2]
