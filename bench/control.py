"""What clients of Fail2Ban cost: answers with a million bans, many clients at once, one ping.

A server of ours runs in this process, with one jail that has a million bans in force and bans
by commands. Clients are another process and speak Fail2Ban's protocol. The delay of a ban is
from the write of the deciding line to the ban, first alone, then while 200 clients ask for
``status`` as fast as they are answered and one for all bans. A ping is a whole run of the
client program, beside Debian's own, whose answer comes from the same server.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from banish.daemon.app import wall_clock
from banish.daemon.openlog import open_log
from banish.daemon.server import Server
from banish.daemon.settle import RunOptions, settle
from banish.model.address import Subject, SubjectKind, parse_subject
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.model.snapshot import JailMemory
from bench import peers
from bench.results import write_section

CLIENTS = 200
CROWD_SECONDS = 8
FILES = {
    "fail2ban.conf": "[Definition]\nlogtarget = STDERR\nloglevel = CRITICAL\n",
    "jail.conf": """
[web]
enabled = true
filter = web
logpath = {folder}/web.log
backend = auto
maxretry = 1
bantime = 1d
ignoreself = false
action = quiet
""",
    "filter.d/web.conf": "[Definition]\nfailregex = ^bad login from <ADDR>$\ndatepattern = {NONE}\n",
    "action.d/quiet.conf": "[Definition]\nactionban = true\nactionunban = true\n",
}

CROWD = r"""
import pickle, socket, sys, threading, time
path, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
END = b"<F2B_END_COMMAND>"
until, answered = time.monotonic() + seconds, [0] * count
def ask(number):
    command = pickle.dumps(["banned"] if number < int(sys.argv[4]) else ["status"], 2) + END
    while time.monotonic() < until:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(path)
                while time.monotonic() < until:
                    connection.sendall(command)
                    answer = b""
                    while not answer.endswith(END):
                        part = connection.recv(1 << 20)
                        if not part:
                            raise OSError
                        answer = answer[-64:] + part
                    answered[number] += 1
        except OSError:
            time.sleep(0.01)
threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sum(answered))
"""

ASK = r"""
import json, pickle, socket, sys, time
END = b"<F2B_END_COMMAND>"
command = pickle.dumps(json.loads(sys.argv[2]), 2) + END
best = None
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    for _ in range(5):
        begin, answer = time.perf_counter(), bytearray()
        connection.sendall(command)
        while not answer.endswith(END):
            answer += connection.recv(1 << 20)
        took = time.perf_counter() - begin
        best = took if best is None else min(best, took)
print(best * 1000, len(answer))
"""


def write_tree(folder: Path) -> Path:
    """Write the configuration, and return where it is."""
    for name, text in FILES.items():
        path = folder / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{folder}", str(folder)))
    (folder / "web.log").touch()
    return folder / "conf"


def bans(count: int) -> tuple[Ban, ...]:
    """Return so many bans of the jail, which all end tomorrow."""
    now = time.time()
    texts = (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(count))
    subjects = (Subject(text, SubjectKind.IPV4) for text in texts)
    return tuple(Ban("web", each, Instant(now), Instant(now + 86_400)) for each in subjects)


async def delays(server: Server, log: Path, count: int, third: int) -> list[float]:
    """Return how long bans took from their line, in milliseconds."""
    found: list[float] = []
    policy = server.fail2ban.port.bans("web")
    for number in range(count):
        text = f"198.51.{100 + third}.{number}"
        subject = parse_subject(text)
        begin = time.perf_counter()
        with log.open("a") as file:
            file.write(f"bad login from {text}\n")
        while subject not in policy:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.0005)
        found.append((time.perf_counter() - begin) * 1000)
        await asyncio.sleep(0.02)
    return found


async def output(*argv: str | Path, env: dict[str, str] | None = None) -> str:
    """Return what a program prints."""
    process = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE, env=env)
    out, _ = await process.communicate()
    assert process.returncode == 0, argv
    return out.decode()


async def ping(argv: Sequence[str | Path], env: dict[str, str], times: int) -> tuple[float, float]:
    """Return CPU and time of one run of a client, in milliseconds; the median of several."""
    script = (
        "import json, os, resource, subprocess, sys, time\n"
        "argv, used = json.loads(sys.argv[1]), []\n"
        f"for _ in range({times}):\n"
        "    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()\n"
        "    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)\n"
        "    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()\n"
        "    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime\n"
        "    used.append((cpu * 1000, (end - begin) * 1000))\n"
        f"print(*sorted(used)[{times} // 2])\n"
    )
    words = [str(word) for word in argv]

    cpu, wall = (await output(sys.executable, "-c", script, json.dumps(words), env=env)).split()
    return float(cpu), float(wall)


async def measure(folder: Path, count: int) -> list[list[str]]:
    """Run the server and its clients; return the rows of the table."""
    tree = write_tree(folder)
    options = RunOptions(config=tree, state=folder / "state")
    (folder / "state").mkdir()
    settings = settle(options)
    log = open_log(settings.server, 0)
    server = Server(settings, options, log, clock=wall_clock)
    rows: list[list[str]] = []

    def note(what: str, took: str, more: str = "") -> None:
        rows.append([what, took, more])
        print(what, took, more, sep="  ", flush=True)

    await server.claim()
    await server.start()
    socket = settings.server.fail2bansocket
    server._jails.restore_part(  # noqa: SLF001 - as a start would
        {"web": JailMemory(bans=bans(count))}, wall_clock()
    )
    for line in (
        "ping", "status", "status web short", "status web", "banned", "get web banip --with-time",
    ):  # fmt: skip
        words = "[" + ", ".join(f'"{word}"' for word in line.split()) + "]"
        took, size = (await output(sys.executable, "-c", ASK, socket, words)).split()
        note(f"{line}, {count:,} bans", f"{float(took):.1f} ms", f"{int(size):,} bytes")
    alone = await delays(server, folder / "web.log", 100, 0)
    note(
        "a ban from its line, alone",
        f"{statistics.median(alone):.1f} ms",
        f"at most {max(alone):.1f} ms",
    )
    for lists, what in ((0, "asking for status"), (1, "one of them for all bans")):
        argv = (CROWD, socket, str(CLIENTS), str(CROWD_SECONDS), str(lists))
        crowd = asyncio.ensure_future(output(sys.executable, "-c", *argv))
        await asyncio.sleep(1)
        among = sorted(await delays(server, folder / "web.log", 100, 1 + lists))
        note(
            f"a ban from its line, {CLIENTS} clients, {what}",
            f"{statistics.median(among):.1f} ms",
            f"95 of 100 within {among[94]:.1f} ms, at most {among[-1]:.1f} ms",
        )
        note(f"answers in {CROWD_SECONDS} s", (await crowd).strip())
    theirs = peers.fail2ban()
    env = {**os.environ, "PYTHONPATH": str(theirs / "usr/lib/python3/dist-packages")}
    debian: list[str | Path] = [sys.executable, "-W", "ignore", theirs / "usr/bin/fail2ban-client"]
    cpu, wall = await ping([*debian, "-c", tree, "-s", socket, "ping"], env, 20)
    note("ping by Debian's fail2ban-client", f"{cpu:.0f} ms CPU", f"{wall:.0f} ms")
    own = Path(sys.executable).with_name("fail2ban-client")
    ours: list[str | Path] = (
        [own] if own.exists() else [sys.executable, "-m", "banish", "fail2ban-client"]
    )
    try:
        cpu, wall = await ping([*ours, "-c", tree, "-s", socket, "ping"], dict(os.environ), 20)
        note("ping by ours", f"{cpu:.0f} ms CPU", f"{wall:.0f} ms")
    except AssertionError:
        note("ping by ours", "does not run")
    os.chdir("/")
    return rows


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, write it to bench/RESULTS.md."""
    parser = argparse.ArgumentParser(prog="./dev bench control", description=__doc__)
    parser.add_argument("--bans", type=int, default=1_000_000, help="how many (1000000)")
    parser.add_argument("--trial", action="store_true", help="write no results")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="banish-bench-") as base:
        rows = asyncio.run(measure(Path(base), chosen.bans))
    write_section(
        "control", __doc__ or "", ["what", "took", "beside it"], rows,
        f"Python {platform.python_version()}, {os.cpu_count()} cores",
        is_kept=not chosen.trial,
    )  # fmt: skip
    return 0
