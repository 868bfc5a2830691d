"""What a server costs that has nothing to do, and one that meets a million attackers.

All jails of Fail2Ban's stock tree are enabled, each on an empty log of its own.
CPU of the start counts until the server is idle, once with nothing compiled before
and once more; memory is what is resident then. The million attackers fail once each
within one findtime, in one jail; a quarter of a million show whether the cost grows
faster than their number. The server runs dry.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from bench import peers
from bench.results import write_section
from bench.throughput import Case, Cost, run, spawn_banish, stock_tree

LINES_A_SECOND = 2_000


def stock_jails() -> list[str]:
    """Return the names of all jails of the stock tree."""
    text = (peers.fail2ban() / "etc/fail2ban/jail.conf").read_text("utf-8")
    names = re.findall(r"(?m)^\[([\w-]+)\]", text)
    return [name for name in names if name not in ("INCLUDES", "DEFAULT")]


def spawn_all(_case: Case, folder: Path, _log: Path) -> "subprocess.Popen[bytes]":
    """Start our server with every stock jail on a log of its own."""
    config = stock_tree(folder)
    text = "[DEFAULT]\nbackend = auto\nignoreself = false\nsystemd_if_nologs = false\n"
    for name in stock_jails():
        log = folder / f"{name}.log"
        log.touch()
        text += f"[{name}]\nenabled = true\nlogpath = {log}\nbackend = auto\n"
    (config / "jail.local").write_text(text)
    (config / "fail2ban.local").write_text("[Definition]\nlogtarget = STDERR\n")
    argv: list[str | Path] = [
        sys.executable, "-m", "banish", "run", "--dry-run", "-c", config, "--state", folder.parent / "state",
    ]  # fmt: skip
    return subprocess.Popen(argv, stdout=(folder / "out").open("wb"), stderr=subprocess.STDOUT)


def write_attackers(path: Path, count: int) -> None:
    """Write a log in which each of so many addresses fails once, half of them of IPv6."""
    begin = datetime.now().astimezone() - timedelta(seconds=count // LINES_A_SECOND)
    with path.open("w", encoding="ascii") as log:
        for number in range(count):
            at = begin + timedelta(seconds=number // LINES_A_SECOND)
            address = f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1"
            if number % 2:
                address = f"100.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
            log.write(
                f"{at:%b} {at.day:2d} {at:%H:%M:%S} bastion sshd[{400 + number}]: "
                f"Failed password for root from {address} port 40022 ssh2\n"
            )


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, write it to bench/RESULTS.md."""
    parser = argparse.ArgumentParser(prog="./dev bench standing", description=__doc__)
    parser.add_argument("--attackers", type=int, default=1_000_000, help="how many (1000000)")
    chosen = parser.parse_args(arguments)
    header = ["what", "CPU s", "wall s", "MB", "found", "wanted"]
    rows: list[list[str]] = []

    def note(*cells: str) -> None:
        rows.append(list(cells))
        print(*cells, sep="  ", flush=True)

    with tempfile.TemporaryDirectory(prefix="banish-bench-") as base:
        folder = Path(base)
        empty = folder / "empty.log"
        empty.touch()
        try:
            jails = stock_jails()
        except peers.PeerMissing as missing:
            sys.stderr.write(f"bench standing: {missing}\n")
            return 2
        for what, wanted in (("first", ""), ("compiled before", "0.7 s, 90 MB")):
            cost = run(spawn_all, Case("", empty, jails), folder / "run")
            name = f"start, {len(jails)} stock jails, {what}"
            note(name, f"{cost.start_cpu:.2f}", "", f"{cost.idle_memory:.0f}", "", wanted)
        for count in (chosen.attackers // 4, chosen.attackers):
            log = folder / "attackers.log"
            write_attackers(log, count)
            cost = run(spawn_banish, Case("", log, ["sshd"]), folder / "run")
            wanted = "500 MB more" if count == chosen.attackers else ""
            note(f"{count:,} attackers, once each", *_cost_cells(cost), wanted)
    machine = f"Python {platform.python_version()}, Linux {platform.release()}"
    text = (
        f"MB of the attackers: what came to the memory at rest; {machine}, {os.cpu_count()} cores"
    )
    write_section("Start and memory", __doc__ or "", header, rows, text)
    return 0


def _cost_cells(cost: Cost) -> list[str]:
    more = cost.peak - cost.idle_memory
    return [f"{cost.cpu:.1f}", f"{cost.wall:.1f}", f"{more:.0f}", str(cost.found)]
