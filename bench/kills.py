"""The proof by kills: SIGKILL at random moments of bursts, and nothing is lost or done twice.

Two jails watch one log, with maxretry 3 and 5. Addresses fail at random, IPv4 and IPv6, in
bursts; somewhere in each burst, or while the server starts again, it is killed. After each
restart the kernel and the ledger must hold exactly the bans that follow from the log, and
the counters exactly its failures. What follows from the log is worked out here by counting
lines, with nothing of the server's own. Every draw is from a fixed seed.
"""

import argparse
import contextlib
import ipaddress
import os
import platform
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from banish.enforce import elements, wire
from banish.enforce.netlink import KernelError, Message, NetlinkSocket
from bench import actionkills
from bench.latency import line
from bench.results import write_section

JAILS = {"quick": 3, "slow": 5}
POOL = 30_000
BURST_LINES = 400
LIMIT_SECONDS = 90.0

Bans = set[tuple[str, str]]
"""Jail, and address or network as text."""


class World:
    """The log, and what must follow from it."""

    def __init__(self, log: Path, dice: random.Random) -> None:
        self.log = log
        self.dice = dice
        self.lines = 0
        self._fails: Counter[str] = Counter()
        self._pool = [
            f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" if n % 3 else f"2001:db8:{n:x}:7::1"
            for n in dice.sample(range(1, 60_000), POOL)
        ]

    def write(self, count: int) -> None:
        """Append *count* failures in one write, each of somebody out of a small crowd."""
        crowd = self.dice.sample(self._pool, max(1, count // 3))
        chosen = self.dice.choices(crowd, k=count)
        self._fails.update(chosen)
        self.lines += count
        with self.log.open("a") as log:
            log.write("".join(map(line, chosen)))

    def bans(self) -> Bans:
        """Return who must be banned, by which jail."""
        return {
            (jail, _counted(address))
            for jail, limit in JAILS.items()
            for address, count in self._fails.items()
            if count >= limit
        }

    def failures(self) -> dict[str, int]:
        """Return how many failures each jail must have counted: all of them."""
        return dict.fromkeys(JAILS, self._fails.total())


def _counted(address: str) -> str:
    if ":" not in address:
        return address
    return str(ipaddress.IPv6Network((address, 64), strict=False))


class Server:
    """A server in *folder* on the world's log, and how it is seen from outside."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.database = folder / "state" / "banish.sqlite3"
        self.output = folder / "out"
        self._kernel = NetlinkSocket()
        config = folder / "etc"
        config.mkdir()
        (config / "jail.local").write_text(
            "[DEFAULT]\nfindtime = 1d\nbantime = 1d\nfilter = sshd\n"
            f"systemd_if_nologs = false\nbackend = auto\nlogpath = {log}\n"
            + "".join(
                f"[{jail}]\nenabled = true\nmaxretry = {limit}\n" for jail, limit in JAILS.items()
            )
        )
        self._argv = [
            sys.executable, "-m", "banish", "run", "-c", str(config), "--state", str(folder / "state"),
        ]  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; does not wait."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(self._argv, stdout=output, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        """End it without warning."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        """Let go of the kernel."""
        self._kernel.close()

    def in_kernel(self) -> Bans:
        """Return what the kernel's sets hold, all at one point in time."""
        while True:
            before = self._kernel.ask(Message(wire.GETGEN, 0, b"", 0))
            found = self._read()
            if found is not None and self._kernel.ask(Message(wire.GETGEN, 0, b"", 0)) == before:
                return found

    def _read(self) -> Bans | None:
        """Return what the sets hold; None where one changed while it was read."""
        found: Bans = set()
        for jail in JAILS:
            for family in (4, 6):
                keys = self._elements(f"{jail}-{family}")
                found.update(
                    (jail, _written(key)) for key, _ in elements.unpack_timed(keys, family)
                )
                ranges = elements.unpack_timed_ranges(self._elements(f"{jail}-net{family}"), family)
                kind = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
                if any(last < first for first, last, _ in ranges):
                    return None
                for first, last, _ in ranges:
                    networks = ipaddress.summarize_address_range(kind(first), kind(last))
                    found.update((jail, str(network)) for network in networks)
        return found

    def _elements(self, name: str) -> list[bytes]:
        with contextlib.suppress(KernelError):
            return self._kernel.dump(elements.list_elements("banish", name))
        return []

    def in_ledger(self) -> list[tuple[Any, ...]]:
        """Return the bans in force as the database has them, all rows."""
        return self._ask("SELECT jail, subject FROM bans WHERE ended_at IS NULL")

    def failures(self) -> dict[str, int]:
        """Return the failures ever counted, as the database has them."""
        return dict(self._ask("SELECT jail, failures FROM totals"))

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        try:
            connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)
            try:
                return connection.execute(statement).fetchall()
            finally:
                connection.close()
        except sqlite3.Error:
            return []


def _written(key: bytes) -> str:
    return str(ipaddress.ip_address(key))


class Count(msgspec.Struct):
    """What was done and found."""

    kills: int = 0
    in_start: int = 0
    """Kills before the server was up."""
    unfinished: int = 0
    """Kills at which the ledger lacked bans that were due: lines were on their way."""
    ahead: int = 0
    """Kills at which the kernel held bans that the ledger did not: between the two."""
    bans: int = 0


def check(server: Server, world: World) -> None:
    """Wait until all is as it must be.

    Raises:
        SystemExit: It does not become so.

    """
    bans, failures = world.bans(), world.failures()
    end = time.monotonic() + LIMIT_SECONDS
    while True:
        kernel, ledger, counted = server.in_kernel(), server.in_ledger(), server.failures()
        if kernel == bans and sorted(ledger) == sorted(bans) and counted == failures:
            return
        assert server.process is not None
        if server.process.poll() is not None or time.monotonic() > end:
            sys.stderr.write(server.output.read_text("utf-8", "replace")[-2000:])
            raise SystemExit(
                f"after {world.lines} lines {len(bans)} bans are due: the kernel lacks"
                f" {sorted(bans - kernel)[:5]} and holds beyond them {sorted(kernel - bans)[:5]};"
                f" the ledger lacks {sorted(bans - set(ledger))[:5]}, holds beyond them"
                f" {sorted(set(ledger) - bans)[:5]}, {len(ledger)} rows; failures {counted},"
                f" due {failures}"
            )
        time.sleep(0.05)


def trial(folder: Path, kills: int, seed: int) -> Count:
    """Kill a server *kills* times and check it after each restart."""
    dice = random.Random(seed)
    world = World(folder / "auth.log", dice)
    world.log.touch()
    server, count = Server(folder, world.log), Count()
    try:
        server.start()
        while count.kills < kills:
            is_in_start = dice.random() < 0.3 and count.kills > 0
            world.write(dice.randrange(1, BURST_LINES))
            if not is_in_start:
                for _ in range(dice.randrange(4)):
                    time.sleep(dice.uniform(0, 0.02))
                    world.write(dice.randrange(1, BURST_LINES))
                time.sleep(dice.uniform(0, 0.08))
            else:
                server.kill()
                server.start()
                time.sleep(dice.uniform(0, 0.7))
            server.kill()
            count.kills += 1
            count.in_start += is_in_start
            kernel, ledger = server.in_kernel(), set(server.in_ledger())
            count.unfinished += ledger != world.bans()
            count.ahead += bool(kernel - ledger)
            if not is_in_start and ledger - kernel:
                raise SystemExit(f"the kernel lost {sorted(ledger - kernel)[:5]} by a kill")
            server.start()
            check(server, world)
            if count.kills % 20 == 0:
                print(f"{count.kills} kills, {world.lines} lines, {len(world.bans())} bans: right")
                sys.stdout.flush()
        count.bans = len(world.bans())
    finally:
        server.kill()
        server.close()
    return count


def main(arguments: Sequence[str]) -> int:
    """Kill, check, print what was found and write it to bench/RESULTS.md."""
    parser = argparse.ArgumentParser(prog="./dev bench kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how often (200)")
    parser.add_argument("--seed", type=int, default=1, help="what the moments are drawn from (1)")
    parser.add_argument(
        "--what", choices=["all", "kernel", "actions"], default="all",
        help="which proof: of bans in the kernel, of actions, or both (all)",
    )  # fmt: skip
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if os.geteuid() != 0:
        sys.stderr.write("bench kills: needs root for a private network namespace\n")
        return 2
    if not chosen.inside:
        again = [sys.executable, "-m", "bench", "kills", "--inside", *arguments]
        return subprocess.run(["unshare", "--net", *again], check=False).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    note = f"seed {chosen.seed}; Python {platform.python_version()}, Linux {platform.release()}"
    if chosen.what != "actions":
        with tempfile.TemporaryDirectory(prefix="banish-bench-") as name:
            count = trial(Path(name), chosen.kills, chosen.seed)
        header = [
            "kills", "while starting", "lines unread", "kernel ahead", "bans at the end", "wrong",
        ]  # fmt: skip
        row = [count.kills, count.in_start, count.unfinished, count.ahead, count.bans, 0]
        write_section("Kills", __doc__ or "", header, [list(map(str, row))], note)
    if chosen.what != "kernel":
        with tempfile.TemporaryDirectory(prefix="banish-bench-") as name:
            done = actionkills.trial(Path(name), chosen.kills, chosen.seed)
        header = [
            "kills", "in a row", "stops in order", "late", "waits", "run out while down", "bans told",
            "wrong",
        ]  # fmt: skip
        row = [
            done.kills, done.in_start, done.stops, done.late, done.waits, done.left, done.bans, 0,
        ]  # fmt: skip
        about = actionkills.__doc__ or ""
        write_section("Kills with actions", about, header, [list(map(str, row))], note)
    return 0
