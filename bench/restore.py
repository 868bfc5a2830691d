"""Many bans at once: put back at a start, given up at a stop, decided in a burst.

Each server starts on a database that holds the bans, two thirds of them IPv4, in
a private network namespace; the clock runs from the start of its process until the
kernel holds every one of them. The witness is the kernel: its generation tells
when the ruleset changed last, its sets are read and counted. Then the server is
killed (SIGKILL) and started again, and then stopped in order. In a burst, 10,000
addresses fail twice, and then once more within one write; the clock runs from the
end of that write. In a crowd a million addresses fail once each, and the peak is what
they add to the memory of the idle server. CPU is user and system time of all processes of the server.
"""

import argparse
import asyncio
import contextlib
import errno
import json
import os
import platform
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from banish.enforce import elements, wire
from banish.enforce.netattributes import attributes
from banish.enforce.netlink import KernelError, Message, NetlinkSocket
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.decision import StartBan
from banish.model.failure import Evidence
from banish.model.instant import Instant
from banish.model.snapshot import Commit, JailChanges
from banish.store.sqlite_store import SqliteStore
from bench import latency, peers
from bench.measure import cpu_seconds, peak_megabytes, resident_megabytes
from bench.results import write_section

LASTS = 86_400
LIMIT_SECONDS = 900.0
LOOK_SECONDS = 0.002
QUIET_SECONDS = 0.1
"""How long the ruleset is at rest before it is counted."""

INTERVAL = 0x4
"""NFT_SET_INTERVAL (linux/netfilter/nf_tables.h)."""
IPV4_KEY = (4).to_bytes(4, "big")
"""Bytes of a set's key, as NFTA_SET_KEY_LEN tells."""

CROWD = 1_000_000
CROWD_QUIET_SECONDS = 3.0

PEER_BANS = 2_000
BURST = 10_000
BATCH = 20_000

Spawn = Callable[[Path, Path], "subprocess.Popen[bytes]"]


class Cost(msgspec.Struct, frozen=True):
    """What one server's way to all of its bans, or away from them, has cost."""

    wall: float
    cpu: float
    peak: float
    """Megabytes of the highest resident memory."""


class Witness:
    """The kernel of the present network namespace."""

    def __init__(self) -> None:
        self._socket = NetlinkSocket()

    def generation(self) -> int:
        """Return how often the ruleset was changed."""
        answer = self._socket.ask(Message(wire.GETGEN, 0, b"", 0))
        return int.from_bytes(dict(attributes(answer))[1], "big")

    def count(self) -> int:
        """Return how many addresses and networks all named sets of all tables hold."""
        total = 0
        try:
            for body in self._socket.dump(Message(wire.GETSET, 0, b"", 0)):
                parts = dict(attributes(body))
                table, name = (parts[kind].rstrip(b"\0").decode() for kind in (1, 2))
                if not name.startswith("__"):
                    listed = self._socket.dump(elements.list_elements(table, name))
                    is_interval = int.from_bytes(parts.get(3, b""), "big") & INTERVAL
                    family = 4 if parts.get(5) == IPV4_KEY else 6
                    found = (
                        elements.unpack_timed_ranges(listed, family)
                        if is_interval
                        else elements.unpack_timed(listed, family)
                    )
                    total += sum(1 for _ in found)
        except KernelError as error:
            if error.errno not in (errno.ENOENT, errno.EAGAIN):
                raise
            return 0
        return total

    def wait_for(
        self, wanted: int, before: int, process: "subprocess.Popen[bytes]"
    ) -> tuple[float, float]:
        """Return when a change, later than *before*, made it *wanted*, and the CPU until then."""
        seen, at, used, counted = before, 0.0, 0.0, -1
        end = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < end:
            if process.poll() is not None:
                raise SystemExit(f"the server ended with {process.returncode}")
            now = self.generation()
            if now != seen:
                seen, at, used = now, time.monotonic(), cpu_seconds(process.pid)
            elif seen not in (before, counted) and time.monotonic() - at > QUIET_SECONDS:
                counted = seen
                if self.count() == wanted:
                    return at, used
            time.sleep(LOOK_SECONDS)
        raise SystemExit(f"{self.count()} of {wanted} bans are in the kernel; given up")


def addresses(count: int, seed: int) -> list[str]:
    """Return *count* different addresses, two thirds of them IPv4, of ranges for benchmarks."""
    dice = random.Random(seed)
    count4 = count * 2 // 3
    # 198.18.0.0/15 (RFC 2544) has no room for a million; 10.0.0.0/8 has.
    ipv4 = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in dice.sample(range(1 << 24), count4)]
    ipv6 = [
        f"2001:db8:{n >> 16:x}:{n & 65535:x}::{n & 255:x}" for n in range(1, count - count4 + 1)
    ]
    both = ipv4 + ipv6
    dice.shuffle(both)
    return [str(parse_subject(text)) for text in both]


def fill(path: Path, count: int) -> None:
    """Write a database of ours with *count* bans in force, each with three lines of evidence."""
    now = Instant(time.time())
    lines = tuple(
        Evidence(latency.line("192.0.2.1").strip(), "/var/log/auth.log", n, Instant(now - n))
        for n in range(3)
    )
    tags = (("user", "root"),)

    async def write() -> None:
        store = await SqliteStore.open(path, print)
        every = addresses(count, seed=1)
        for begin in range(0, count, BATCH):
            decisions = tuple(
                StartBan(
                    Ban(
                        "sshd", parse_subject(text), Instant(now - 60), Instant(now + LASTS),
                        failures=3, evidence=lines, rule=1, tags=tags,
                    )
                )
                for text in every[begin : begin + BATCH]
            )  # fmt: skip
            await store.commit([Commit(now, decisions, (JailChanges("sshd", {}, 1, 1),))])
        await store.close()

    asyncio.run(write())


def fill_fail2ban(path: Path, count: int) -> None:
    """Write *count* bans into the database that Fail2Ban has made at *path*."""
    now = int(time.time())
    data = json.dumps({"matches": [latency.line("192.0.2.1").strip()] * 3, "failures": 3})
    rows = [("sshd", text, now - 60, LASTS, 1, data) for text in addresses(count, seed=1)]
    connection = sqlite3.connect(path)
    with connection:
        for table in ("bips", "bans"):
            columns = "jail, ip, timeofban, bantime, bancount, data"
            connection.executemany(
                f"INSERT INTO {table} ({columns}) VALUES (?, ?, ?, ?, ?, ?)", rows
            )
    connection.close()


@contextlib.contextmanager
def running(spawn: Spawn, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server while inside; whatever happens, it is gone afterwards."""
    for name in ("etc", "sock", "pid"):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    process = spawn(folder, folder / "auth.log")
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def start(
    spawn: Spawn, folder: Path, witness: Witness, wanted: int, *, stop: bool
) -> tuple[Cost, Cost | None]:
    """Start a server that finds *wanted* bans, then kill it, or *stop* it in order."""
    before, began = witness.generation(), time.monotonic()
    with running(spawn, folder) as process:
        at, used = witness.wait_for(wanted, before, process)
        cost = Cost(at - began, used, peak_megabytes(process.pid))
        if not stop:
            return cost, None
        time.sleep(1)  # what follows a start is not what a stop costs
        used, began = cpu_seconds(process.pid), time.monotonic()
        process.send_signal(signal.SIGTERM)
        peak = peak_megabytes(process.pid)
        cpu = used
        while process.poll() is None:
            with contextlib.suppress(OSError):
                cpu = max(cpu, cpu_seconds(process.pid))
            time.sleep(LOOK_SECONDS)
        if witness.count():
            raise SystemExit("the server stopped, and the kernel still holds bans")
        return cost, Cost(time.monotonic() - began, cpu - used, peak)


def restore(folder: Path, witness: Witness, count: int) -> list[tuple[str, Cost]]:
    """Measure our start from a database of *count* bans, again after a kill, and the stop."""
    folder.mkdir()
    (folder / "auth.log").touch()
    (folder / "state").mkdir()
    fill(folder / "state" / "banish.sqlite3", count)
    first, _ = start(latency.spawn_banish, folder, witness, count, stop=False)
    again, stopped = start(latency.spawn_banish, folder, witness, count, stop=True)
    assert stopped is not None
    return [("start", first), ("start after SIGKILL", again), ("stop", stopped)]


def restore_fail2ban(folder: Path, witness: Witness, count: int) -> list[tuple[str, Cost]]:
    """Measure the same of Debian's Fail2Ban."""
    folder.mkdir()
    (folder / "auth.log").touch()
    database = folder / "db.sqlite3"
    with running(latency.spawn_fail2ban, folder) as process:
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None and not _has_jail(database):
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    fill_fail2ban(database, count)
    cost, stopped = start(latency.spawn_fail2ban, folder, witness, count, stop=True)
    assert stopped is not None
    return [("start", cost), ("stop", stopped)]


def _has_jail(database: Path) -> bool:
    with contextlib.suppress(sqlite3.Error):
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT 1 FROM jails").fetchone() is not None
        finally:
            connection.close()
    return False


def burst(folder: Path, witness: Witness, count: int) -> Cost:
    """Measure how long after the last line of a burst all *count* of its bans stand."""
    folder.mkdir()
    log = folder / "auth.log"
    log.touch()
    with running(latency.spawn_banish, folder) as process, log.open("ab", buffering=0) as writer:
        first = "203.0.113.250"
        before = witness.generation()
        writer.write(latency.line(first).encode() * 3)
        while witness.count() != 1 and process.poll() is None:
            writer.write(latency.line(first).encode() * 3)
            time.sleep(0.5)
        # The first one is of them: no more start in a minute by our own tree's budget.
        every = addresses(count - 1, seed=2)
        writer.write("".join(map(latency.line, every * 2)).encode())
        time.sleep(5)
        last = "".join(map(latency.line, every)).encode()
        before, used = witness.generation(), cpu_seconds(process.pid)
        writer.write(last)
        began = time.monotonic()
        at, last_used = witness.wait_for(count, before, process)
        return Cost(at - began, last_used - used, peak_megabytes(process.pid))


def crowd(folder: Path, count: int) -> Cost:
    """Measure what *count* addresses that fail once each cost; the peak is what they add."""
    folder.mkdir()
    log = folder / "auth.log"
    log.touch()
    with running(latency.spawn_banish, folder) as process, log.open("ab", buffering=0) as writer:
        time.sleep(3)
        idle, used = resident_megabytes(process.pid), cpu_seconds(process.pid)
        every = addresses(count, seed=3)
        began = time.monotonic()
        for begin in range(0, count, BATCH):
            writer.write("".join(map(latency.line, every[begin : begin + BATCH])).encode())
        last, moved = cpu_seconds(process.pid), time.monotonic()
        while time.monotonic() - moved < CROWD_QUIET_SECONDS:
            time.sleep(0.1)
            now = cpu_seconds(process.pid)
            if now > last + 0.03:
                last, moved = now, time.monotonic()
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}")
        return Cost(moved - began, last - used, peak_megabytes(process.pid) - idle)


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, write it to bench/RESULTS.md."""
    parser = argparse.ArgumentParser(prog="./dev bench restore", description=__doc__)
    parser.add_argument(
        "--bans", type=int, nargs="*", default=[100_000, 1_000_000], help="100000 1000000"
    )
    parser.add_argument("--ours", action="store_true", help="measure banish alone")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if os.geteuid() != 0:
        sys.stderr.write("bench restore: needs root for a private network namespace\n")
        return 2
    if not chosen.inside:
        with contextlib.suppress(peers.PeerMissing):
            peers.fail2ban()
        again = [sys.executable, "-m", "bench", "restore", "--inside", *arguments]
        return subprocess.run(["unshare", "--net", *again], check=False).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    header = ["server", "work", "bans", "wall s", "CPU s", "CPU us/ban", "peak MB", "ratio"]
    measured: list[tuple[str, str, int, Cost]] = []

    def take(server: str, bans: int, costs: Sequence[tuple[str, Cost]]) -> None:
        for work, cost in costs:
            measured.append((server, work, bans, cost))
            print(server, work, bans, cost, flush=True)

    note = ""
    with tempfile.TemporaryDirectory(prefix="banish-bench-") as name:
        folder, witness = Path(name), Witness()
        for count in chosen.bans:
            take("banish", count, restore(folder / f"ours-{count}", witness, count))
        take("banish", BURST, [("burst", burst(folder / "burst", witness, BURST))])
        take("banish", CROWD, [("crowd", crowd(folder / "crowd", CROWD))])
        if not chosen.ours:
            try:
                peer = f"fail2ban {peers.fail2ban_version(peers.fail2ban())}"
            except peers.PeerMissing as missing:
                note = f"no peer: {missing}; "
            else:
                take(peer, PEER_BANS, restore_fail2ban(folder / "theirs", witness, PEER_BANS))
    theirs = {work: cost.cpu / bans for server, work, bans, cost in measured if server != "banish"}
    rows = []
    for server, work, bans, cost in measured:
        each = cost.cpu / bans
        other = theirs.get(work.split(" after")[0]) if server == "banish" else None
        ratio = f"{other / each:.0f}x" if other and each else ""
        cells = [f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{each * 1e6:.1f}", f"{cost.peak:.0f}"]
        rows.append([server, work, f"{bans:,}", *cells, ratio])
    load = os.getloadavg()[0]
    note += (
        f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores,"
        f" load {load:.1f}; the ratio is of CPU a ban"
    )
    write_section("Restore", __doc__ or "", header, rows, note)
    return 0
