"""A server under load while its host misbehaves: bans exact, memory flat, all healed.

1,000 lines a second are written to two logs that three jails watch: one bans for a day,
one for a minute, one for three by a command. One fault after the other is thrown at the server, in an
order drawn from the seed: see the table. After each fault, and at the end, who is banned by
the kernel, the database and the command, and the counters, must be exactly who was written
about. What is due is worked out by counting the lines, with nothing of the server's own.
SIGKILL comes in the first half only, so that memory is seen over the second half of one life.
After a quarter of the time as many bans end as begin, and past ones are forgotten; memory is
judged over the last two thirds of the last life, and only if the bans in force stay the same.
"""

import argparse
import dataclasses
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bench.measure import resident_megabytes
from bench.results import write_section
from bench.soakfaults import FaultError, Faults
from bench.soakserver import STATE_MEGABYTES, Server
from bench.soakworld import World, wait_until

LIMIT_SECONDS = 60.0
SHORT_SECONDS = 60.0
EARLY_SECONDS, LATE_SECONDS = 2.0, 10.0
ACT_LATE_SECONDS = 45.0
"""So much later may a command be done: one that hangs is tried again after half a minute."""

GROWTH_MEGABYTES_AN_HOUR = 20.0
"""Of memory, over at least `JUDGED_SECONDS`; the bans in force must stay the same meanwhile."""

STEADY_PART = 0.05
"""By so much may the bans in force grow where memory is judged."""

JUDGED_SECONDS = 600.0
SLOW_SECONDS = 10.0
"""What is still wrong is printed each time this long has passed after a fault."""

SAMPLE_SECONDS = 2.0


@dataclasses.dataclass
class Outcome:
    """What came of one kind of fault."""

    times: int = 0
    seen: int = 0
    healed: list[float] = dataclasses.field(default_factory=list)
    """Seconds until all was as it must be, each time."""
    wrong: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Sample:
    """The server's memory at one moment, and what it must remember then."""

    pid: int
    at: float
    """Seconds of the monotonic clock."""
    megabytes: float
    in_force: int
    past: int
    """Bans that are over and count still."""

    def __str__(self) -> str:
        return f"{self.megabytes:.1f} MB with {self.in_force:,} bans and {self.past:,} past ones"


class Memory:
    """Samples the server's resident memory until it is closed."""

    def __init__(self, server: Server, world: World) -> None:
        self._server = server
        self._world = world
        self._samples: list[Sample] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(SAMPLE_SECONDS):
            state = self._world.state()
            try:
                pid = self._server.pid
                megabytes = resident_megabytes(pid)
            except OSError:
                continue
            if megabytes:
                self._samples.append(Sample(pid, time.monotonic(), megabytes, *state))

    def close(self) -> None:
        """Sample no more."""
        self._end.set()
        self._thread.join()

    def peak(self) -> float:
        """Return the most that was seen, in megabytes."""
        return max((sample.megabytes for sample in self._samples), default=0.0)

    def last_life(self) -> list[Sample]:
        """Return the samples of the last process, its first third left off."""
        if not self._samples:
            return []
        newest = self._samples[-1].pid
        life = [sample for sample in self._samples if sample.pid == newest]
        return life[len(life) // 3 :]

    def some(self) -> list[Sample]:
        """Return the first sample of all, and begin, middle and end of what is judged."""
        life = self.last_life()
        return [self._samples[0], life[0], life[len(life) // 2], life[-1]] if life else []


def slope(samples: Sequence[Sample]) -> float:
    """Return by how many megabytes an hour memory grew, by least squares."""
    if len(samples) < 2:
        return 0.0
    times = [sample.at for sample in samples]
    megabytes = [sample.megabytes for sample in samples]
    return statistics.linear_regression(times, megabytes).slope * 3600


def unsteady(samples: Sequence[Sample]) -> str:
    """Say by how much more bans are in force in the last than in the first tenth of *samples*.

    Empty if that is within `STEADY_PART`.
    """
    tenth = -(-len(samples) // 10)
    first = statistics.fmean(sample.in_force for sample in samples[:tenth])
    last = statistics.fmean(sample.in_force for sample in samples[-tenth:])
    if last <= first * (1 + STEADY_PART):
        return ""
    return f"bans in force grew from {first:,.0f} to {last:,.0f} while memory was judged"


def named(found: set[str], due: set[str]) -> str:
    """Say how *found* differs from *due*; empty if it does not."""
    parts = []
    for what, who in (("lacks", due - found), ("holds beyond it", found - due)):
        if who:
            parts.append(f"{what} {len(who)}, such as {', '.join(sorted(who)[:3])}")
    return "; ".join(parts)


def named_between(found: set[str], must: set[str], may: set[str]) -> str:
    """Say whom *found* lacks of *must*, and whom it holds beyond *may*."""
    return named(found, (found & may) | must)


def differences(server: Server, world: World, *, quick: bool = False) -> list[str]:
    """Compare all that is with all that must be; the writer must pause. Empty: all is right."""
    sets, auth = server.sets(), world.due()
    short = world.bans("short", early=EARLY_SECONDS, late=LATE_SECONDS)
    act = world.bans("act", early=EARLY_SECONDS, late=ACT_LATE_SECONDS)
    compared = [
        ("kernel, auth", named(sets.get("auth", set()), auth)),
        ("kernel, short", named_between(sets.get("short", set()), *short)),
        ("command, act", named_between(server.in_files(), *act)),
    ]
    if not quick:
        counted, written = server.failures(), world.failures()
        ever = server.in_ledger("short", ever=True)
        known = world.remembered_bans("short", early=LATE_SECONDS)
        compared += [
            ("ledger, auth", named(server.in_ledger("auth"), auth)),
            ("ledger, act", named_between(server.in_ledger("act"), *act)),
            ("ledger, short, past too", named_between(ever, known, world.ever("short"))),
            ("failures counted", "" if counted == written else f"{counted}, written {written}"),
        ]
    return [f"{where} {what}" for where, what in compared if what]


def settle(server: Server, world: World, limit_seconds: float) -> list[str]:
    """Pause the writer until all is as it must be; return what is still wrong at the limit."""
    left: list[str] = []
    began = time.monotonic()
    told_at = began + SLOW_SECONDS

    def is_right() -> bool:
        nonlocal told_at
        left[:] = differences(server, world)
        if left and time.monotonic() > told_at:
            told_at += SLOW_SECONDS
            print(f"  after {time.monotonic() - began:.0f} s: {'; '.join(left)}", flush=True)
        return not left or not server.lives

    with world.lock:
        wait_until(is_right, limit_seconds)
    if not server.lives:
        left.append("the server ended")
    return left


class Soak:
    """One soak in *folder*; `run` does it all."""

    def __init__(
        self, folder: Path, seconds: float, rate: int, seed: int, limit_seconds: float
    ) -> None:
        self._limit_seconds = limit_seconds
        self._seconds = seconds
        self._dice = random.Random(seed)
        # A ban that would be over when its lines are read is none: longer than any pause.
        short_span = max(12.0, min(SHORT_SECONDS, seconds / 20))
        self.world = World(folder, rate, seconds, short_span, seed)
        self.server = Server(folder, self.world)
        self.faults = Faults(self.server, self.world, self._dice)
        self.outcomes = {name: Outcome() for name in self.faults.all}
        self.wrong: list[str] = []
        self.memory: Memory | None = None

    def leave_out(self, word: str) -> None:
        """Throw no fault whose name holds *word*."""
        for name in [name for name in self.outcomes if word in name]:
            del self.outcomes[name]

    def run(self) -> None:
        """Write, throw faults, compare; what is wrong is in `wrong` and `outcomes`."""
        try:
            self.server.start()
            if not wait_until(self.server.answers, LIMIT_SECONDS, 0.2):
                self.wrong.append("start: the server does not answer")
                return
            self.memory = Memory(self.server, self.world)
            self.world.start()
            self._throw()
            self.world.stop()
            self._end()
        finally:
            if self.memory is not None:
                self.memory.close()
            self.server.kill()
            self.world.stop()
            self.world.close()

    def _throw(self) -> None:
        begin = time.monotonic()
        pause = min(15.0, self._seconds / 120)
        is_first = True
        while is_first or time.monotonic() < begin + self._seconds:
            names = [*self.outcomes]
            self._dice.shuffle(names)
            if is_first:  # Later in a short soak it would have to wait for the clocks.
                names.sort(key="kill -9".__ne__)
            for name in names:
                if name == "kill -9" and not is_first and self.world.age > self._seconds / 2:
                    continue
                time.sleep(self._dice.uniform(0.5, 1.5) * pause)
                if not self.server.lives:
                    self.wrong.append(f"the server ended before '{name}'")
                    return
                self._throw_one(name)
                if not is_first and time.monotonic() > begin + self._seconds:
                    return
            is_first = False

    def _throw_one(self, name: str) -> None:
        outcome = self.outcomes[name]
        outcome.times += 1
        try:
            outcome.seen += self.faults.all[name]()
        except FaultError as error:
            outcome.wrong.append(str(error))
        began = time.monotonic()
        wrong = settle(self.server, self.world, self._limit_seconds)
        took = time.monotonic() - began
        outcome.healed.append(took)
        outcome.wrong += wrong
        print(
            f"{self.world.age:7.1f} s  {self.world.lines:9,} lines  {name}:"
            f" {'; '.join(wrong) if wrong else f'right after {took:.2f} s'}",
            flush=True,
        )

    def _end(self) -> None:
        self.wrong += [
            f"at the end: {what}" for what in settle(self.server, self.world, self._limit_seconds)
        ]
        wait_until(
            lambda: not self.server.in_kernel("short"),
            self.world.short_span + LATE_SECONDS + LIMIT_SECONDS,
        )
        if left := self.server.in_kernel("short"):
            self.wrong.append(f"bans of short did not end: {sorted(left)[:3]}")
        status = self.server.ask("status")
        if status.returncode:
            self.wrong.append(f"at the end status exits with {status.returncode}: {status.stdout}")
        if not self.server.lives:
            return
        self.server.send(signal.SIGTERM)
        assert self.server.process is not None
        try:
            code = self.server.process.wait(90)
        except subprocess.TimeoutExpired:
            self.wrong.append("the server does not end within 90 s")
            return
        if code:
            self.wrong.append(f"the server ended with {code}")
        if left := {who for found in self.server.sets().values() for who in found}:
            self.wrong.append(f"after the end the kernel holds {sorted(left)[:3]}")
        if left := self.server.in_files():
            self.wrong.append(
                f"after the end the command keeps {len(left)} out: {sorted(left)[:3]}"
            )


def judge(soak: Soak) -> list[str]:
    """Return all that went wrong."""
    wrong = list(soak.wrong)
    for name, outcome in soak.outcomes.items():
        wrong += [f"{name}: {what}" for what in outcome.wrong]
        if outcome.seen < outcome.times:
            wrong.append(f"{name}: its effect was seen {outcome.seen} of {outcome.times} times")
    if soak.memory is not None:
        life = soak.memory.last_life()
        if life and life[-1].at - life[0].at > JUDGED_SECONDS:
            if slope(life) > GROWTH_MEGABYTES_AN_HOUR:
                wrong.append(f"memory grew by {slope(life):.1f} MB an hour")
            if what := unsteady(life):
                wrong.append(what)
    return wrong


def main(arguments: Sequence[str]) -> int:
    """Soak, print what was found; an hour or more is written to bench/RESULTS.md."""
    parser = argparse.ArgumentParser(prog="./dev bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--rate", type=int, default=1000, help="lines a second (1000)")
    parser.add_argument("--seed", type=int, default=1, help="what all is drawn from (1)")
    parser.add_argument(
        "--limit", type=float, default=60.0, help="seconds to get over a fault (60)"
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="WORD", help="leave out faults so named"
    )
    parser.add_argument("--keep", action="store_true", help="keep the server's files")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if os.geteuid() != 0:
        sys.stderr.write("bench soak: needs root for private namespaces\n")
        return 2
    if not chosen.inside:
        again = [sys.executable, "-m", "bench", "soak", "--inside", *arguments]
        inside = ["unshare", "--net", "--mount", "--propagation", "private"]
        return subprocess.run([*inside, *again], check=False).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    folder = Path(tempfile.mkdtemp(prefix="banish-bench-"))
    try:
        (folder / "state").mkdir()
        size = f"size={STATE_MEGABYTES}m,mode=700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder / "state"], check=True)
        soak = Soak(folder, chosen.minutes * 60, chosen.rate, chosen.seed, chosen.limit)
        for word in chosen.without:
            soak.leave_out(word)
        soak.run()
        return report(soak, chosen.minutes, chosen.seed)
    finally:
        if chosen.keep:
            print(f"the server's files are in {folder}", flush=True)
        else:
            subprocess.run(["umount", folder / "state"], check=False)
            shutil.rmtree(folder, ignore_errors=True)


def report(soak: Soak, minutes: float, seed: int) -> int:
    """Print the table and what is wrong; return the exit code."""
    wrong = judge(soak)
    header = ["fault", "times", "effect seen", "right after, median s", "longest s", "wrong"]
    rows = []
    for name, outcome in soak.outcomes.items():
        healed = outcome.healed or [0.0]
        seconds = (f"{statistics.median(healed):.2f}", f"{max(healed):.2f}")
        rows.append(
            [name, str(outcome.times), str(outcome.seen), *seconds, str(len(outcome.wrong))]
        )
    memory = soak.memory
    life = memory.last_life() if memory is not None else []
    some = memory.some() if memory is not None else []
    moments = zip(("first", "begin", "middle", "end"), some, strict=False)
    note = (
        f"{soak.world.lines:,} lines in {soak.world.age / 60:.1f} minutes, bans at the end:"
        f" {len(soak.world.due()):,} for a day by nftables, {len(soak.world.ever('short')):,} for"
        f" {soak.world.spans['short']:g} s and, by a command, {len(soak.world.ever('act')):,} for"
        f" {soak.world.spans['act']:g} s that had come and gone; memory at most"
        f" {memory.peak() if memory else 0:.0f} MB, {slope(life):+.1f} MB an hour over the last"
        f" {(life[-1].at - life[0].at) / 60 if life else 0:.1f} minutes"
        f" ({'; '.join(f'{when}: {sample}' for when, sample in moments)}); seed {seed};"
        f" Python {platform.python_version()}, Linux {platform.release()}"
    )
    write_section("Soak", __doc__ or "", header, rows, note, is_kept=minutes >= 60)
    for what in wrong:
        print(f"WRONG: {what}")
    if wrong:
        print("\n".join(_telling(soak.server.output.read_text("utf-8", "replace"))[-40:]))
    print("all right" if not wrong else f"{len(wrong)} things wrong")
    return 1 if wrong else 0


def _telling(text: str) -> list[str]:
    """Return the lines of the server's log that are not about single bans."""
    single = (" Ban ", " Unban ", " already banned", " Restore Ban ")
    return [line for line in text.splitlines() if not any(word in line for word in single)]
