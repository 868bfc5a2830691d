"""Ban latency, side by side: from the write of the deciding line to the kernel.

Both servers watch an empty auth.log in one private network namespace each, with
their own sshd filter, maxretry 3 and nftables. For each of N addresses two
failures are written, then, after a pause, the third; the clock runs from just
before that write(2) until the kernel itself tells (netlink) that the address
entered a set. Pauses are drawn from a fixed seed, so no poll is favoured.
"""

import argparse
import contextlib
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from bench import peers
from bench.kernel import SetEvents
from bench.results import write_section

Spawn = Callable[[Path, Path], subprocess.Popen[bytes]]


def line(address: str, user: str = "root") -> str:
    """Return what sshd of Debian 12 logs of a wrong password."""
    stamp = datetime.now().astimezone().strftime("%b %d %H:%M:%S")
    return f"{stamp} host sshd[{random.randint(1000, 60000)}]: Failed password for {user} from {address} port 40022 ssh2\n"


def spawn_banish(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start our server on *log*."""
    config = folder / "etc"
    config.mkdir()
    (config / "jail.local").write_text(
        f"[DEFAULT]\nmaxretry = 3\n[sshd]\nenabled = true\nlogpath = {log}\nbackend = auto\n"
        "systemd_if_nologs = false\n"
    )
    argv: list[str | Path] = [
        sys.executable,
        "-m",
        "banish",
        "run",
        "-c",
        config,
        "--state",
        folder / "state",
    ]
    return subprocess.Popen(argv, stdout=(folder / "out").open("wb"), stderr=subprocess.STDOUT)


def spawn_fail2ban(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start Debian's fail2ban on *log*, its stock tree, its fastest backend."""
    root = peers.fail2ban()
    config = folder / "etc"
    shutil.copytree(root / "etc/fail2ban", config)
    shutil.rmtree(config / "jail.d", ignore_errors=True)
    (config / "jail.local").write_text(
        "[DEFAULT]\nmaxretry = 3\nbanaction = nftables-multiport\nignoreself = false\n"
        f"[sshd]\nenabled = true\nlogpath = {log}\nbackend = pyinotify\n"
    )
    argv: list[str | Path] = [
        "/usr/bin/python3", root / "usr/bin/fail2ban-server", "-f", "-c", config,
        "-s", folder / "sock", "-p", folder / "pid", "--logtarget", folder / "out", "start",
    ]  # fmt: skip
    (config / "fail2ban.local").write_text(
        f"[Definition]\ndbfile = {folder}/db.sqlite3\nsocket = {folder}/sock\n"
    )
    return subprocess.Popen(
        argv,
        env=peers.fail2ban_environment(root),
        stdout=(folder / "stdout").open("wb"),
        stderr=subprocess.STDOUT,
    )


@contextlib.contextmanager
def running(spawn: Spawn) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """Run a server on an empty log in a folder of its own; yields the log."""
    with tempfile.TemporaryDirectory(prefix="banish-bench-") as name:
        folder = Path(name)
        log = folder / "auth.log"
        log.touch()
        process = spawn(folder, log)
        try:
            yield log, process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def measure(spawn: Spawn, bans: int, seed: int) -> list[float]:
    """Return the latencies of *bans* bans in milliseconds; a missed one is infinite."""
    dice = random.Random(seed)
    taken = []
    with running(spawn) as (log, process), log.open("ab", buffering=0) as writer:
        events = SetEvents()
        warm = "203.0.113.250"
        for _ in range(60):
            # Until the server is up: its first ban shows that it watches.
            writer.write(line(warm).encode() * 3)
            if events.wait_for(warm, 0.5) is not None or process.poll() is not None:
                break
        if process.poll() is not None:
            folder = log.parent
            sys.stderr.write((folder / "out").read_text("utf-8", "replace")[-2000:])
            raise SystemExit(f"the server ended with {process.returncode}")
        time.sleep(2)
        for number in range(bans):
            address = f"198.51.{100 + number // 250}.{number % 250 + 1}"
            writer.write((line(address) * 2).encode())
            time.sleep(dice.uniform(0.05, 0.25))
            events.drain()
            text = line(address).encode()
            began = time.monotonic()
            writer.write(text)
            seen = events.wait_for(address, 10)
            taken.append((seen - began) * 1000 if seen is not None else float("inf"))
        events.close()
    return taken


def row(name: str, taken: Sequence[float]) -> list[str]:
    """Return a table row of *taken* milliseconds."""
    ordered = sorted(taken)
    p90, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * p))] for p in (0.90, 0.99))
    cells = (ordered[0], statistics.median(ordered), p90, p99, ordered[-1])
    return [name, str(len(taken)), *(f"{cell:.2f}" for cell in cells)]


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, write it to bench/RESULTS.md."""
    parser = argparse.ArgumentParser(prog="./dev bench latency", description=__doc__)
    parser.add_argument("--bans", type=int, default=200, help="bans of each server (200)")
    parser.add_argument("--ours", action="store_true", help="measure banish alone")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if os.geteuid() != 0:
        sys.stderr.write("bench latency: needs root for a private network namespace\n")
        return 2
    if not chosen.inside:
        # The private namespace has no way out, so the peer is fetched before.
        with contextlib.suppress(peers.PeerMissing):
            peers.fail2ban()
        again = [sys.executable, "-m", "bench", "latency", "--inside", *arguments]
        return subprocess.run(["unshare", "--net", *again], check=False).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    header = ["ms", "bans", "min", "median", "p90", "p99", "max"]
    ours = measure(spawn_banish, chosen.bans, seed=1)
    rows = [row("banish", ours)]
    note = ""
    if not chosen.ours:
        try:
            name = f"fail2ban {peers.fail2ban_version(peers.fail2ban())}"
        except peers.PeerMissing as missing:
            note = f"no peer: {missing}"
        else:
            theirs = measure(spawn_fail2ban, chosen.bans, seed=1)
            rows.append(row(name, theirs))
            ratio = statistics.median(theirs) / statistics.median(ours)
            note = f"median ratio: {ratio:.0f}x sooner than {name}"
    note += (
        f"; Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores"
    )
    write_section("Ban latency", __doc__ or "", header, rows, note.lstrip("; "))
    return 0
