"""The logs of the soak, and what must follow from them.

Three jails watch two logs. *auth* bans for a day whoever fails three times in the auth.log;
*short* bans for seconds whoever fails twice in the app.log; *act* runs a command against
whoever guesses four times there, and again some minutes later. What is due is worked out by
counting what was written, with nothing of the server's own.

After a quarter of the time the state is steady: all of the pool are banned by *auth*, and as
many bans of *short* and *act* end as begin. Past bans are forgotten a few minutes later.
"""

import ipaddress
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

LIMITS = {"auth": 3, "short": 2, "act": 4}
TICK_SECONDS = 0.05
CLOCK_SET_SECONDS = 1.0
"""By so much more than the time that passed must a clock go on to count as set."""

POOL = 6_000
FIRST_ACTIVE = 300
"""Of the pool, so many fail from the beginning; the others join in evenly in `JOINING`."""

JOINING = 0.25
"""Part of the time after which all of the pool have joined in."""

ACT_SPANS = 3
"""How much longer than those of *short* the bans of *act* are."""

REMEMBERED_SPANS = 5
"""How much longer than a ban of *short* lasts it is remembered, beside three times its length."""

_HARMLESS = (
    "CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
    "CRON[{pid}]: pam_unix(cron:session): session closed for user root",
    "sshd[{pid}]: Accepted publickey for anna from 192.0.2.{n} port {pid} ssh2: ED25519 SHA256:x",
    "sshd[{pid}]: pam_unix(sshd:session): session opened for user anna(uid=1004) by (uid=0)",
    "sshd[{pid}]: pam_unix(sshd:session): session closed for user anna",
    "systemd-logind[612]: New session {pid} of user anna.",
    "sudo: anna : TTY=pts/{n} ; PWD=/home/anna ; USER=root ; COMMAND=/usr/bin/id",
)


class Log:
    """One log file, written to as a service would, and rotated in every way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turns = 0
        self._file = path.open("a", encoding="ascii")

    def write(self, text: str) -> None:
        """Append *text* in one write."""
        self._file.write(text)
        self._file.flush()

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def rename(self) -> None:
        """Move the file away; the writer goes on writing into it until `reopen`."""
        self.path.rename(self._next())

    def copy_truncate(self) -> None:
        """Copy the file and empty it in place."""
        shutil.copyfile(self.path, self._next())
        self._file.truncate(0)

    def remove(self) -> None:
        """Delete the file; `reopen` makes it again."""
        self._file.close()
        self.path.unlink()

    def reopen(self) -> None:
        """Make the file at its path, or open what is there."""
        self._file.close()
        self._file = self.path.open("a", encoding="ascii")

    def _next(self) -> Path:
        # As logrotate with "rotate 3": older ones go.
        self._turns += 1
        old = self.path.with_name(f"{self.path.name}.{self._turns - 3}")
        old.unlink(missing_ok=True)
        return self.path.with_name(f"{self.path.name}.{self._turns}")


class World:
    """Writes the logs at a rate, and knows who must be banned now.

    *rate* is in lines a second over both logs. Whoever takes `lock` stops the writer; it
    makes up for the pause afterwards. Times in the logs are those of a clock that is off
    by `step` seconds.
    """

    def __init__(self, folder: Path, rate: int, span: float, short_span: float, seed: int) -> None:
        self.auth = Log(folder / "auth.log")
        self.app = Log(folder / "app.log")
        self.lock = threading.RLock()
        self.step = 0.0
        self.lines = 0
        self.short_span = short_span
        self.spans = {"short": short_span, "act": ACT_SPANS * short_span}
        """How long bans last that end."""
        self.remembered = REMEMBERED_SPANS * short_span
        """The server's ``dbpurgeage``."""
        self._rate = rate
        self._span = span
        self._dice = random.Random(seed)
        self._fails: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()
        self._banned_at: dict[str, dict[str, float]] = {"short": {}, "act": {}}
        """When whoever is banned for a time was due, by jail."""
        self._clock_set = time.monotonic()
        """When the clock was set last."""
        self._down = (0.0, 0.0)
        """From when to when the server was down last."""
        self._wall_began = time.time() - time.monotonic()
        self._fresh = 0
        self._began = time.monotonic()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._began = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Write no more."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def close(self) -> None:
        """Close the logs."""
        self.auth.close()
        self.app.close()

    @property
    def age(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def due(self) -> set[str]:
        """Return whom *auth* must ban now: addresses, of IPv6 the /64."""
        return {_subject(who) for who, count in self._fails.items() if count >= LIMITS["auth"]}

    def failures(self) -> dict[str, int]:
        """Return how many failures were written for each jail."""
        return dict(self._totals)

    def bans(self, jail: str, *, early: float, late: float) -> tuple[set[str], set[str]]:
        """Return whom *jail* (short or act) must ban at this moment, and whom it may.

        A ban may begin up to *late* seconds after its line and end up to *early* seconds
        sooner and *late* seconds later than reckoned.
        """
        now, span = time.monotonic(), self.spans[jail]
        banned_at = self._banned_at[jail]
        may = {who for who, at in banned_at.items() if now < at + span + late}
        must = {who for who in may if banned_at[who] + span - early > now}
        return must, may

    def ever(self, jail: str) -> set[str]:
        """Return whom *jail* (short or act) must have banned at any time."""
        return set(self._banned_at[jail])

    def remembered_bans(self, jail: str, *, early: float) -> set[str]:
        """Return of whom the ledger must know a ban by *jail* (short or act), past or not.

        A ban is remembered for `remembered` and two times its length after its end, but
        for *early* seconds. Left out is who was due before the clock was set last: what that
        clock made old may be forgotten. Left out is also whose ban was over before the server,
        which was down, read the lines.
        """
        began = time.monotonic() + early - 3 * self.spans[jail] - self.remembered
        began = max(began, self._clock_set + early)
        away, back = self._down
        missed = back + early - self.spans[jail]
        return {
            who
            for who, at in self._banned_at[jail].items()
            if at > began and not away - early < at < missed
        }

    def state(self) -> tuple[int, int]:
        """Return how many bans must be in force about now, and how many past ones count."""
        with self.lock:
            now, in_force, past = time.monotonic(), len(self.due()), 0
            for jail, span in self.spans.items():
                ages = [now - at for at in self._banned_at[jail].values()]
                holding = sum(age < span for age in ages)
                in_force += holding
                past += sum(age < 3 * span + self.remembered for age in ages) - holding
            return in_force, past

    def note_down(self, since: float) -> None:
        """Note that the server was down from *since* until now."""
        self._down = (since, time.monotonic())

    def set_step(self, seconds: float) -> None:
        """Write times of a clock that is off by *seconds* from now on."""
        self.step = seconds
        self._clock_set = time.monotonic()

    def fail(self) -> str:
        """Have somebody new be due in *auth*; return who."""
        with self.lock:
            who = self._new(20)
            self._fails[who] += LIMITS["auth"]
            self._totals["auth"] += LIMITS["auth"]
            self._write(self.auth, [self._failed(who) for _ in range(LIMITS["auth"])])
            return who

    def fail_short(self) -> str:
        """Have somebody new be due in *short*; return who."""
        with self.lock:
            who = self._new(30)
            self._banned_at["short"][who] = time.monotonic()
            self._totals["short"] += LIMITS["short"]
            self._write(self.app, [self._app(f"fail {who}")] * LIMITS["short"])
            return who

    def guess(self) -> str:
        """Have somebody new be due in *act*; return who."""
        with self.lock:
            who = self._new(40)
            self._banned_at["act"][who] = time.monotonic()
            self._totals["act"] += LIMITS["act"]
            self._write(self.app, [self._app(f"guess {who}")] * LIMITS["act"])
            return who

    def _run(self) -> None:
        while not self._end.wait(TICK_SECONDS):
            with self.lock:
                self._watch_clock()
                lines_due = int(self.age * self._rate) - self.lines
                # After a pause not all at once: at most a second's worth in a tick.
                self._tick(min(lines_due, self._rate))

    def _watch_clock(self) -> None:
        """Notice that the host's own clock was set, as it is after a pause of its machine."""
        wall_began = time.time() - time.monotonic()
        if abs(wall_began - self._wall_began) > CLOCK_SET_SECONDS:
            self._clock_set = time.monotonic()
        self._wall_began = wall_began

    def _tick(self, count: int) -> None:
        dice, texts = self._dice, []
        active = min(POOL, FIRST_ACTIVE + int(POOL * self.age / (self._span * JOINING)))
        left = count
        while left > 0:
            draw = dice.random()
            if draw < 0.20:
                who = _member(dice.randrange(active))
                self._fails[who] += 1
                self._totals["auth"] += 1
                texts.append(self._failed(who))
                left -= 1
            elif draw < 0.21:
                self.fail_short()
                left -= LIMITS["short"]
            elif draw < 0.2102:
                self.guess()
                left -= LIMITS["act"]
            else:
                form = dice.choice(_HARMLESS)
                pid, number = dice.randrange(30_000, 60_000), dice.randrange(1, 60)
                texts.append(self._syslog(form.format(pid=pid, n=number)))
                left -= 1
        self._write(self.auth, texts)

    def _write(self, log: Log, lines: list[str]) -> None:
        log.write("".join(lines))
        self.lines += len(lines)

    def _new(self, first: int) -> str:
        self._fresh += 1
        number = self._fresh
        return f"10.{first + (number >> 16)}.{number >> 8 & 255}.{number & 255}"

    def _failed(self, who: str) -> str:
        pid = self._dice.randrange(1000, 30_000)
        return self._syslog(f"sshd[{pid}]: Failed password for root from {who} port 40022 ssh2")

    def _syslog(self, text: str) -> str:
        at = datetime.fromtimestamp(time.time() + self.step).astimezone()
        return f"{at:%b} {at.day:2d} {at:%H:%M:%S} host {text}\n"

    def _app(self, text: str) -> str:
        at = datetime.fromtimestamp(time.time() + self.step, UTC)
        return f"{at:%Y-%m-%dT%H:%M:%S+00:00} app: {text}\n"


def _member(number: int) -> str:
    if number % 3:
        return f"10.1.{number >> 8}.{number & 255}"
    return f"2001:db8:{number:x}:7::1"


def _subject(who: str) -> str:
    return who if ":" not in who else str(ipaddress.IPv6Network((who, 64), strict=False))


def wait_until(is_so: Callable[[], object], limit_seconds: float, pause: float = 0.02) -> bool:
    """Wait until *is_so*, at most so many seconds; return whether it became so."""
    end = time.monotonic() + limit_seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True
