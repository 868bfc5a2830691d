"""Reloads under attack: no line lost or counted twice, no ban dropped, no session forgotten.

One jail counts single lines. Another counts sessions: their first line names the address, and
a later one is the failure. A writer appends lines without a pause between its turns, while the
server reloads again and again. Each reload changes an option of both jails; every fifth also
the regexes, and every second starts or ends a third jail. The lines of an address are spread
over reloads. At the end every line must have been counted once, and every address banned once.
The delay of a ban is from the write of the deciding line to its line in the log.
"""

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from banish.control.client import Client
from banish.errors import BanishError
from banish.model.reload import ReloadWish
from bench.results import write_section

MAXRETRY = 3
TURN_ADDRESSES = 5
TURN_SECONDS = 0.1
LIMIT_SECONDS = 60.0

FILTERS = {
    "single": r"^fail <HOST>$",
    "session": r"^<F-MLFID>\d+</F-MLFID> <F-NOFAIL>from</F-NOFAIL> <HOST>$"
    "\n    "
    r"^<F-MLFID>\d+</F-MLFID> denied$",
}

JAIL = """[{name}]
enabled = true
filter = {filter}
logpath = {folder}/{name}.log
backend = polling
maxretry = {maxretry}
bantime = 1d
findtime = {findtime}
banaction = nftables
"""


class Count(msgspec.Struct):
    """What was written, and when."""

    lines: int = 0
    """Lines that are failures."""
    bans: dict[str, float] = msgspec.field(default_factory=dict)
    """When the deciding line of each address was written."""


class Attack:
    """Writes lines of ever new addresses to both logs, until told to stop."""

    def __init__(self, folder: Path) -> None:
        self.count = Count()
        self._fails: Counter[str] = Counter()
        self._folder = folder
        self._turns = 0
        self._new_until = 0
        """Turns before this one had addresses of their own."""
        self._stops = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self) -> None:
        """Write what the last addresses still lack, and return."""
        self._stops.set()
        self._thread.join()
        for _ in range(MAXRETRY):
            self._turn(has_new=False)

    def _run(self) -> None:
        while not self._stops.wait(TURN_SECONDS):
            self._turn()

    def _addresses(self, turn: int, net: int) -> list[str]:
        first = turn * TURN_ADDRESSES
        numbers = range(first, first + TURN_ADDRESSES)
        return [f"{net}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in numbers]

    def _turn(self, *, has_new: bool = True) -> None:
        """Write a line of each address of the last turns; sessions get one of their two."""
        turn, self._turns = self._turns, self._turns + 1
        single, session = [], []
        for earlier in range(MAXRETRY + 1):
            then = turn - earlier
            if then < 0 or (not has_new and then >= self._new_until):
                continue
            if earlier < MAXRETRY:
                single += [f"fail {each}" for each in self._addresses(then, 10)]
                self._fail(self._addresses(then, 10))
                for place, each in enumerate(self._addresses(then, 11)):
                    session.append(f"{self._id(then, earlier, place)} from {each}")
            if earlier:
                places = range(TURN_ADDRESSES)
                session += [f"{self._id(then, earlier - 1, place)} denied" for place in places]
                self._fail(self._addresses(then, 11))
        if has_new:
            self._new_until = turn + 1
        for name, lines in (("single", single), ("session", session)):
            if lines:
                with (self._folder / f"{name}.log").open("a") as log:
                    log.write("\n".join(lines) + "\n")

    def _id(self, turn: int, attempt: int, place: int) -> int:
        return (turn * MAXRETRY + attempt) * TURN_ADDRESSES + place + 1

    def _fail(self, addresses: Sequence[str]) -> None:
        now = time.time()
        self._fails.update(addresses)
        self.count.lines += len(addresses)
        self.count.bans |= {each: now for each in addresses if self._fails[each] == MAXRETRY}


def write_tree(folder: Path, number: int) -> None:
    """Write the configuration of reload *number*."""
    jails = ""
    for name in ("single", "session", *(["other"] if number % 2 else [])):
        (folder / f"{name}.log").touch()
        jails += JAIL.format(
            name=name,
            folder=folder,
            filter="single" if name == "other" else name,
            maxretry=MAXRETRY,
            findtime=3600 + number,
        )
    tree = folder / "etc"
    (tree / "filter.d").mkdir(parents=True, exist_ok=True)
    for name, regexes in FILTERS.items():
        more = f"\n    ^never {number} <HOST>$" if number % 5 == 0 else ""
        text = f"[Definition]\nfailregex = {regexes}{more}\ndatepattern = {{NONE}}\n"
        (tree / "filter.d" / f"{name}.conf").write_text(text)
    (tree / "jail.conf").write_text(jails)
    (tree / "fail2ban.conf").write_text(
        f"[Definition]\nlogtarget = {folder}/server.log\nloglevel = INFO\n"
    )
    (tree / "banish.conf").write_text(
        f"[Definition]\nsocket = {folder}/s\npidfile = {folder}/p\ndbfile = {folder}/d\n"
        "fail2bansocket = none\n"
    )


class Result(msgspec.Struct):
    """What came of it."""

    lines: int
    bans: int
    delays: list[float]
    """Of each ban, seconds."""
    reloads: list[float]
    """Of each reload, seconds."""


def trial(folder: Path, reloads: int) -> Result:
    """Attack a server in *folder* and have it reload so often.

    Raises:
        SystemExit: Something was lost, or done twice.

    """
    write_tree(folder, 0)
    argv = [sys.executable, "-m", "banish", "-c", str(folder / "etc"), "run"]
    with (folder / "out").open("wb") as out:
        server = subprocess.Popen(argv, stdout=out, stderr=out)
    said = folder / "server.log"
    try:
        _wait(lambda: said.exists() and " ready: " in said.read_text(), "the server's start")
        client, attack, took = Client(folder / "s"), Attack(folder), []
        attack.start()
        try:
            for number in range(1, reloads + 1):
                write_tree(folder, number)
                began = time.monotonic()
                report = client.reload(ReloadWish())
                took.append(time.monotonic() - began)
                if not report.jails or report.problems:
                    raise SystemExit(f"reload {number}: {report}")
                if number % 100 == 0:
                    print(f"{number} reloads, {attack.count.lines:,} lines", flush=True)
        finally:
            attack.finish()
        count = attack.count
        _wait(lambda: said.read_text().count(" Found ") >= count.lines, "every line counted")
        _wait(lambda: said.read_text().count("] Ban ") >= len(count.bans), "every ban")
        return _checked(said.read_text(), count, took)
    except BanishError as error:
        raise SystemExit(f"bench reload: {error}") from error
    finally:
        server.terminate()
        server.wait()


def _wait(is_so: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"bench reload: not in {LIMIT_SECONDS:.0f} s: {what}")
        time.sleep(0.5)


def _checked(text: str, count: Count, took: list[float]) -> Result:
    found = len(re.findall(r" Found \S+", text))
    if found != count.lines:
        raise SystemExit(f"{count.lines} lines are failures; {found} were counted")
    bans = re.findall(r"^(\S+ \S+) .*\] Ban (\S+)", text, re.MULTILINE)
    if sorted(address for _, address in bans) != sorted(count.bans):
        twice = len(bans) - len({address for _, address in bans})
        raise SystemExit(f"{len(count.bans)} bans were due, {len(bans)} came, {twice} twice")
    if unbans := text.count("] Unban "):
        raise SystemExit(f"{unbans} bans ended")
    delays = [
        datetime.strptime(when, "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp()
        - count.bans[address]
        for when, address in bans
    ]
    return Result(count.lines, len(bans), sorted(delays), sorted(took))


def main(arguments: Sequence[str]) -> int:
    """Reload under attack, print what came of it, and write it to bench/RESULTS.md."""
    parser = argparse.ArgumentParser(prog="./dev bench reload", description=__doc__)
    parser.add_argument("--reloads", type=int, default=1_000, help="how often (1,000)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if os.geteuid() != 0:
        sys.stderr.write("bench reload: needs root for a private network namespace\n")
        return 2
    if not chosen.inside:
        again = [sys.executable, "-m", "bench", "reload", "--inside", *arguments]
        return subprocess.run(["unshare", "--net", *again], check=False).returncode
    with tempfile.TemporaryDirectory(prefix="banish-bench-") as name:
        result = trial(Path(name), chosen.reloads)
    header = [
        "reloads", "lines", "bans", "lost", "twice", "reload, median", "longest", "ban, median",
        "95 of 100", "longest",
    ]  # fmt: skip
    row = [
        f"{chosen.reloads:,}",
        f"{result.lines:,}",
        f"{result.bans:,}",
        "0",
        "0",
        *(
            f"{1000 * seconds:.0f} ms"
            for seconds in (
                statistics.median(result.reloads),
                result.reloads[-1],
                statistics.median(result.delays),
                result.delays[len(result.delays) * 95 // 100],
                result.delays[-1],
            )
        ),
    ]
    note = f"Python {platform.python_version()}, Linux {platform.release()}"
    write_section("Reloads", __doc__ or "", header, [row], note)
    return 0
