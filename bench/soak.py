"""A server under load while its host misbehaves: bans exact, memory flat, all healed.

1,000 lines a second are written to two logs that three jails watch: one bans for a day,
one for a minute, one by a command. One fault after the other is thrown at the server, in an
order drawn from the seed: see the table. After each fault, and at the end, who is banned by
the kernel, the database and the command, and the counters, must be exactly who was written
about. What is due is worked out by counting the lines, with nothing of the server's own.
SIGKILL comes in the first half only, so that memory is seen over the second half of one life.
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
GROWTH_MEGABYTES_AN_HOUR = 20.0
"""Of memory, over at least `JUDGED_SECONDS`; the bans that came meanwhile are a part of it."""

JUDGED_SECONDS = 600.0
SAMPLE_SECONDS = 2.0


@dataclasses.dataclass
class Outcome:
    """What came of one kind of fault."""

    times: int = 0
    seen: int = 0
    healed: list[float] = dataclasses.field(default_factory=list)
    """Seconds until all was as it must be, each time."""
    wrong: list[str] = dataclasses.field(default_factory=list)


class Memory:
    """Samples the server's resident memory until it is closed."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._samples: list[tuple[int, float, float]] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(SAMPLE_SECONDS):
            try:
                pid = self._server.pid
                megabytes = resident_megabytes(pid)
            except OSError:
                continue
            if megabytes:
                self._samples.append((pid, time.monotonic(), megabytes))

    def close(self) -> None:
        """Sample no more."""
        self._end.set()
        self._thread.join()

    def peak(self) -> float:
        """Return the most that was seen, in megabytes."""
        return max((megabytes for _, _, megabytes in self._samples), default=0.0)

    def last_life(self) -> list[tuple[float, float]]:
        """Return time and megabytes of the last process, its first third left off."""
        if not self._samples:
            return []
        newest = self._samples[-1][0]
        life = [(at, megabytes) for pid, at, megabytes in self._samples if pid == newest]
        return life[len(life) // 3 :]


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Return by how many megabytes an hour memory grew, by least squares."""
    if len(samples) < 2:
        return 0.0
    times, values = zip(*samples, strict=True)
    return statistics.linear_regression(times, values).slope * 3600


def named(found: set[str], due: set[str]) -> str:
    """Say how *found* differs from *due*; empty if it does not."""
    parts = []
    for what, who in (("lacks", due - found), ("holds beyond it", found - due)):
        if who:
            parts.append(f"{what} {len(who)}, such as {', '.join(sorted(who)[:3])}")
    return "; ".join(parts)


def differences(server: Server, world: World, *, quick: bool = False) -> list[str]:
    """Compare all that is with all that must be; the writer must pause. Empty: all is right."""
    sets = server.sets()
    auth, act = world.due("auth"), world.due("act")
    must, may = world.short_bans(early=EARLY_SECONDS, late=LATE_SECONDS)
    short = sets.get("short", set())
    compared = [
        ("kernel, auth", named(sets.get("auth", set()), auth)),
        ("kernel, short", named(short, (short & may) | must)),
        ("command, act", named(server.in_files(), act)),
    ]
    if not quick:
        counted, written = server.failures(), world.failures()
        compared += [
            ("ledger, auth", named(server.in_ledger("auth"), auth)),
            ("ledger, act", named(server.in_ledger("act"), act)),
            (
                "ledger, short ever",
                named(server.in_ledger("short", ever=True), world.short_ever()),
            ),
            ("failures counted", "" if counted == written else f"{counted}, written {written}"),
        ]
    return [f"{where} {what}" for where, what in compared if what]


def settle(server: Server, world: World, limit_seconds: float) -> list[str]:
    """Pause the writer until all is as it must be; return what is still wrong at the limit."""
    left: list[str] = []

    def is_right() -> bool:
        left[:] = differences(server, world)
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
            self.memory = Memory(self.server)
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
        grew = slope(life)
        if life and life[-1][0] - life[0][0] > JUDGED_SECONDS and grew > GROWTH_MEGABYTES_AN_HOUR:
            wrong.append(f"memory grew by {grew:.1f} MB an hour")
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
    note = (
        f"{soak.world.lines:,} lines in {soak.world.age / 60:.1f} minutes, bans due at the end:"
        f" {len(soak.world.due('auth')):,} by nftables, {len(soak.world.due('act')):,} by a"
        f" command, {len(soak.world.short_ever()):,} that had ended; memory at most"
        f" {memory.peak() if memory else 0:.0f} MB, {slope(life):+.1f} MB an hour over the last"
        f" {(life[-1][0] - life[0][0]) / 60 if life else 0:.1f} minutes; seed {seed};"
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
