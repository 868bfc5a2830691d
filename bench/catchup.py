"""A backlog of a gigabyte: how long it takes, and who waits meanwhile.

The server is started beside an access log that was written while it was down,
with five web jails on it and a findtime that makes every line count. While it
reads, a client asks for its status over the control socket again and again, and
failures are written to another log, each to be banned at once. Then the same
with the usual findtime of ten minutes. The server runs dry.
"""

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from banish.control.client import Client
from banish.errors import ControlError
from bench import loggen, peers
from bench.measure import cpu_seconds, peak_megabytes, resident_megabytes
from bench.results import write_section
from bench.throughput import WEB, stock_tree

LIMIT_SECONDS = 600.0
PAUSE_SECONDS = 0.05


def write_backlog(path: Path, megabytes: int, folder: Path) -> None:
    """Write an access log of that size: the same seven hours of each of the last days."""
    part = folder / "part.log"
    loggen.write(part, loggen.access_lines, 500_000, 0.005)
    content = part.read_bytes()
    part.unlink()
    dates = sorted(
        datetime.strptime(text.decode(), "%d/%b/%Y").replace(tzinfo=UTC)
        for text in set(re.findall(rb"\[(\d\d/\w{3}/\d{4}):", content))
    )
    days = -(-megabytes * 1_000_000 // len(content))
    with path.open("wb") as log:
        for day in reversed(range(days)):
            shifted = content
            for date in dates:
                earlier = date - timedelta(days=day)
                shifted = shifted.replace(
                    f"[{date:%d/%b/%Y}:".encode(), f"[{earlier:%d/%b/%Y}:".encode()
                )
            log.write(shifted)


@contextmanager
def running(folder: Path, backlog: Path, findtime: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server on the backlog and on a log that is still empty."""
    config = stock_tree(folder)
    live = folder / "live.log"
    live.touch()
    text = (
        "[DEFAULT]\naction =\nbackend = auto\nignoreself = false\nsystemd_if_nologs = false\n"
        f"[sshd]\nenabled = true\nlogpath = {live}\nmaxretry = 1\n"
    )
    for name in WEB:
        text += (
            f"[{name}]\nenabled = true\nfilter = {name}\nlogpath = {backlog}\n"
            f"findtime = {findtime}\nignorecommand =\n"
        )
    (config / "jail.local").write_text(text)
    (config / "fail2ban.local").write_text("[Definition]\nlogtarget = STDERR\n")
    argv: list[str | Path] = [
        sys.executable, "-m", "banish", "run", "--dry-run", "-c", config, "--state", folder / "state",
    ]  # fmt: skip
    process = subprocess.Popen(argv, stdout=(folder / "out").open("wb"), stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ban_seconds(folder: Path, address: str) -> float:
    """Write a failure to the quiet log; return how long its ban takes."""
    stamp = datetime.now().astimezone().strftime("%b %d %H:%M:%S")
    text = f"{stamp} host sshd[77]: Failed password for root from {address} port 40022 ssh2\n"
    began = time.monotonic()
    with (folder / "live.log").open("a") as log:
        log.write(text)
    wanted = f"[sshd] Ban {address}".encode()
    with (folder / "out").open("rb") as out:
        tail = b""
        while time.monotonic() - began < LIMIT_SECONDS:
            fresh = out.read(1 << 20)
            tail = tail[-200:] + fresh
            if wanted in tail:
                break
            if not fresh:
                time.sleep(0.0005)
    return time.monotonic() - began


def measure(folder: Path, backlog: Path, findtime: str) -> list[str]:
    """Return the row of one run."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    began = time.monotonic()
    with running(folder, backlog, findtime) as process:
        client = Client(folder / "state/banish.sock", answer_seconds=60)
        idle = 0.0
        replies: list[float] = []
        bans: list[float] = []
        read = 0
        while time.monotonic() - began < LIMIT_SECONDS and process.poll() is None:
            asked = time.monotonic()
            try:
                status = client.status()
            except ControlError:
                time.sleep(0.02)
                continue
            replies.append(time.monotonic() - asked)
            idle = idle or resident_megabytes(process.pid)
            (source,) = [each for each in status.sources if str(backlog) in each.name]
            read = source.bytes
            if source.state == "reading" and source.bytes and not source.lag_bytes:
                break
            number = len(bans)
            bans.append(ban_seconds(folder, f"198.51.{100 + number // 250}.{number % 250 + 1}"))
            time.sleep(PAUSE_SECONDS)
        took = time.monotonic() - began
        cpu, peak = cpu_seconds(process.pid), peak_megabytes(process.pid)
    return [
        findtime,
        f"{backlog.stat().st_size / 1e6:.0f}",
        f"{read / 1e6:.0f}",
        f"{took:.1f}",
        f"{cpu:.1f}",
        f"{read / 1e6 / took:.0f}",
        *(f"{value * 1000:.1f}" for value in _spread(replies)),
        *(f"{value * 1000:.1f}" for value in _spread(bans)),
        f"{idle:.0f}",
        f"{peak:.0f}",
    ]


def _spread(values: Sequence[float]) -> tuple[float, float]:
    return (statistics.median(values), max(values)) if values else (0.0, 0.0)


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, write it to bench/RESULTS.md."""
    parser = argparse.ArgumentParser(prog="./dev bench catchup", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1_000, help="size of the backlog (1000)")
    chosen = parser.parse_args(arguments)
    header = [
        "findtime", "log MB", "read MB", "wall s", "CPU s", "MB/s", "reply ms, median", "most",
        "ban ms, median", "most", "MB at first", "peak MB",
    ]  # fmt: skip
    try:
        peers.fail2ban()
    except peers.PeerMissing as missing:
        sys.stderr.write(f"bench catchup: {missing}\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="banish-bench-") as base:
        folder = Path(base)
        backlog = folder / "access.log"
        write_backlog(backlog, chosen.megabytes, folder)
        rows = []
        for findtime in ("10w", "10m"):
            rows.append(measure(folder / "run", backlog, findtime))
            print(*rows[-1], sep="  ", flush=True)
    note = (
        f"five web jails; Python {platform.python_version()}, Linux {platform.release()}, "
        f"{os.cpu_count()} cores"
    )
    write_section("Catching up", __doc__ or "", header, rows, note)
    return 0
