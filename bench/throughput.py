"""CPU for the same log, side by side: what detection costs per line.

Each server is started on empty logs, idles, and then a whole log is appended in
one go. CPU is user and system time of its whole process tree, from the append
until it is idle again. Nothing is banned for real: banish runs dry, Fail2Ban
without actions; both log what they find, and those counts are compared. The
logs are written by the benchmark from a fixed seed.

What takes seconds only is measured three times, before and after the server that
takes long, and the median counts: so a neighbour's load weighs on both alike.

SSHGuard's parser is fed the auth.logs from a pipe: it reads, matches and prints
addresses, and that is all that is counted of it; ours counts, judges and logs
as well. The last column tells whether the first lines of the log give the very
same failures without the scanner, each line being looked at.
"""

import argparse
import contextlib
import functools
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from banish.config import builtin_tree, filter_settings
from banish.detect.detector import Detector
from banish.detect.matcher import Matcher
from banish.detect.prefilter.block import BlockPrefilter, engine
from banish.detect.prefilter.plan import make_plan
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, JournalPosition
from bench import loggen, peers, sessions
from bench.measure import cpu_seconds, peak_megabytes, resident_megabytes
from bench.results import write_section

WEB = (
    "apache-badbots",
    "nginx-botsearch",
    "nginx-bad-request",
    "php-url-fopen",
    "apache-fakegooglebot",
)
TWENTY = (
    "sshd", "pam-generic", "dropbear", "selinux-ssh", "proftpd", "pure-ftpd", "gssftpd", "wuftpd", "vsftpd", "dovecot",
    "courier-auth", "sieve", "solid-pop3d", "uwimap-auth", "cyrus-imap", "perdition", "xinetd-fail", "postfix",
    "webmin-auth", "sendmail-auth",
)  # fmt: skip
COMPARED_LINES = 20_000
IDLE_SECONDS = 2.0
IDLE_CPU_SECONDS = 0.04
"""A server that uses less in this time is idle: with all jails it looks at some hundred files."""
LIMIT_SECONDS = 900.0
SHORT_SECONDS = 10.0
"""A run that takes less CPU is measured `ROUNDS` times."""
ROUNDS = 3


@dataclass
class Cost:
    """What one run took."""

    cpu: float
    wall: float
    peak: float
    start_cpu: float
    idle_memory: float
    found: int


@dataclass
class Case:
    """One log, and the jails that watch it."""

    name: str
    log: Path
    jails: Sequence[str]
    stock: bool = True
    """Whether the filters are Fail2Ban's own; else ours, on our side."""
    target: float = 0.0
    """How much less CPU than Fail2Ban we are to take, at least."""
    parser_target: float = 0.0
    """The same for SSHGuard's parser, where it can read the log; 0: it cannot."""
    costs: dict[str, Cost] = field(default_factory=dict)


def jail_file(case: Case, log: Path) -> str:
    """Return a jail.local that both servers read."""
    text = "[DEFAULT]\nfindtime = 2w\naction =\nbackend = pyinotify\nignoreself = false\nignorecommand =\nsystemd_if_nologs = false\n"
    for name in case.jails:
        text += f"[{name}]\nenabled = true\nfilter = {name}\nlogpath = {log}\nmaxretry = 5\n"
    return text


def stock_tree(folder: Path) -> Path:
    """Return a copy of Fail2Ban's own configuration, nothing enabled."""
    config = folder / "etc"
    shutil.copytree(peers.fail2ban() / "etc/fail2ban", config)
    shutil.rmtree(config / "jail.d", ignore_errors=True)
    return config


def spawn_banish(case: Case, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start our server, dry."""
    config = stock_tree(folder) if case.stock else folder / "etc"
    config.mkdir(exist_ok=True)
    (config / "jail.local").write_text(jail_file(case, log).replace("action =\n", ""))
    (config / "fail2ban.local").write_text("[Definition]\nlogtarget = STDERR\n")
    argv: list[str | Path] = [
        sys.executable, "-m", "banish", "run", "--dry-run", "-c", config, "--state", folder.parent / "state",
    ]  # fmt: skip
    if profile := os.environ.get("BENCH_PROFILE"):
        argv[1:1] = ["-m", "cProfile", "-o", profile]
    return subprocess.Popen(argv, stdout=(folder / "out").open("wb"), stderr=subprocess.STDOUT)


def spawn_fail2ban(case: Case, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start Debian's fail2ban without actions."""
    root = peers.fail2ban()
    config = stock_tree(folder)
    (config / "jail.local").write_text(jail_file(case, log))
    (config / "fail2ban.local").write_text(
        f"[Definition]\ndbfile = {folder}/db.sqlite3\nsocket = {folder}/sock\n"
    )
    argv: list[str | Path] = [
        "/usr/bin/python3", root / "usr/bin/fail2ban-server", "-f", "-c", config,
        "-s", folder / "sock", "-p", folder / "pid", "--logtarget", folder / "out", "start",
    ]  # fmt: skip
    return subprocess.Popen(
        argv,
        env=peers.fail2ban_environment(root),
        stdout=(folder / "stdout").open("wb"),
        stderr=subprocess.STDOUT,
    )


Spawn = Callable[[Case, Path, Path], "subprocess.Popen[bytes]"]


@contextlib.contextmanager
def running(
    spawn: Spawn, case: Case, folder: Path
) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """Run a server on an empty log; yields the log."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # What was compiled is kept, as on a host that has run before; nothing else is.
    for kept in (folder.parent / "state").glob("banish*"):
        kept.unlink()
    log = folder / "watched.log"
    log.touch()
    process = spawn(case, folder, log)
    try:
        yield log, process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_idle(process: "subprocess.Popen[bytes]") -> tuple[float, float]:
    """Wait; return CPU used so far and the monotonic time of the last that was used."""
    used, at, end = -1.0, time.monotonic(), time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end and process.poll() is None:
        now = cpu_seconds(process.pid)
        if now > used + IDLE_CPU_SECONDS:
            used, at = now, time.monotonic()
        elif time.monotonic() - at > IDLE_SECONDS:
            break
        time.sleep(0.05)
    return cpu_seconds(process.pid), at


def run(spawn: Spawn, case: Case, folder: Path) -> Cost:
    """Measure one server on one case."""
    with running(spawn, case, folder) as (log, process):
        before, _ = wait_until_idle(process)
        if process.poll() is not None:
            sys.stderr.write((folder / "out").read_text("utf-8", "replace")[-2000:])
            raise SystemExit(f"the server ended with {process.returncode}")
        idle_memory = resident_megabytes(process.pid)
        began = time.monotonic()
        with case.log.open("rb") as source, log.open("ab", buffering=0) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        after, ended = wait_until_idle(process)
        peak = peak_megabytes(process.pid)
    found = (folder / "out").read_bytes().count(b"Found ")
    return Cost(after - before, ended - began, peak, before, idle_memory, found)


def measure(runs: Mapping[str, Callable[[], Cost]], known: Mapping[str, Cost]) -> dict[str, Cost]:
    """Return what each of *runs* costs, the median for short ones; those *known* are not run."""
    taken: dict[str, list[Cost]] = {name: [known[name]] * ROUNDS for name in runs if name in known}
    for _ in range(ROUNDS):
        for name, once in runs.items():
            costs = taken.setdefault(name, [])
            if len(costs) < ROUNDS:
                cost = once()
                costs += [cost] * (1 if cost.cpu < SHORT_SECONDS else ROUNDS)
    return {
        name: sorted(costs, key=lambda cost: cost.cpu)[ROUNDS // 2] for name, costs in taken.items()
    }


def cases(folder: Path, auth: int, access: int) -> list[Case]:
    """Return all cases, their logs written into *folder*."""
    many, few, web = folder / "auth-32.log", folder / "auth-3.log", folder / "access.log"
    loggen.write(many, loggen.auth_lines, auth, 0.32)
    loggen.write(few, loggen.auth_lines, auth, 0.03)
    loggen.write(web, loggen.access_lines, access, 0.005)
    heavy, mixed = folder / "sessions.log", folder / "sessions-mixed.log"
    sessions.write(heavy, auth, sshd=1, attacks=0.95)
    sessions.write(mixed, auth, sshd=0.1, attacks=0.95)
    return [
        Case(f"auth.log, {auth:,} lines, 32 % failures", many, ["sshd"], target=15),
        Case("the same, our own sshd filter", many, ["sshd"], False, 25, 0.5),
        Case(f"auth.log, {auth:,} lines, 3 % failures", few, ["sshd"], target=60),
        Case("the same, our own sshd filter", few, ["sshd"], False, 0, 1),
        Case(f"access log, {access:,} lines, 0.5 % hits, 5 jails", web, WEB, target=150),
        Case("whole sshd sessions, PAM, attack-heavy", heavy, ["sshd"]),
        Case("the same, our own sshd filter", heavy, ["sshd"], False),
        Case("whole sshd sessions, PAM, a tenth sshd", mixed, ["sshd"]),
        Case("auth.log, 32 % failures, 20 jails", many, TWENTY),
    ]


def run_parser(parser: Path, log: Path, folder: Path) -> Cost:
    """Measure SSHGuard's parser on a whole log."""
    folder.mkdir(exist_ok=True)
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    out = folder / "parsed"
    with log.open("rb") as source, out.open("wb") as target:
        subprocess.run([parser], stdin=source, stdout=target, check=True)
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, took, 0.0, 0.0, 0.0, out.read_bytes().count(b"\n"))


def finds_the_same(case: Case, folder: Path) -> str:
    """Say whether the first lines of a log give the same failures with and without the scanner."""
    with case.log.open("rb") as log:
        block = b"".join(log.readline() for _ in range(COMPARED_LINES))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    tree = stock_tree(folder) if case.stock else None
    now = Instant(time.time())
    found = []
    for scans in (True, False):
        matchers = [
            Matcher(name, filter_settings(name, tree, builtin_tree()), Seconds(1e9))
            for name in case.jails
        ]
        prefilter = BlockPrefilter(make_plan(matchers)) if scans and engine() else None
        batch = Batch("s", "/p", block, JournalPosition("", now), live=False)
        found.append(Detector(matchers, prefilter).feed(batch, now))
    return f"{'yes' if found[0] == found[1] else 'NO'} ({len(found[0])})"


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, write it to bench/RESULTS.md."""
    parser = argparse.ArgumentParser(prog="./dev bench throughput", description=__doc__)
    parser.add_argument("--auth", type=int, default=400_000, help="lines of auth.log (400000)")
    parser.add_argument(
        "--access", type=int, default=1_000_000, help="lines of access log (1000000)"
    )
    parser.add_argument("--ours", action="store_true", help="measure banish alone")
    parser.add_argument(
        "--only", type=int, action="append", help="only the case of this number, from 1"
    )
    chosen = parser.parse_args(arguments)
    header = [
        "log", "server", "CPU s", "us/line", "wall s", "peak MB", "found", "CPU ratio", "wanted",
        "same without scanner",
    ]  # fmt: skip
    rows: list[list[str]] = []
    servers: dict[str, Spawn] = {"banish": spawn_banish}
    note = ""
    try:
        name = f"fail2ban {peers.fail2ban_version(peers.fail2ban())}"
        parser_path = peers.sshguard_parser()
        parser_name = f"sshg-parser {peers.sshguard_version()}"
    except peers.PeerMissing as missing:
        sys.stderr.write(f"bench throughput: {missing}\n")
        return 2
    if not chosen.ours:
        servers[name] = spawn_fail2ban
    with tempfile.TemporaryDirectory(prefix="banish-bench-") as base:
        folder = Path(base)
        every = cases(folder, chosen.auth, chosen.access)
        theirs: dict[Path, Cost] = {}
        for number, case in enumerate(every, 1):
            if chosen.only and number not in chosen.only:
                continue
            lines = case.log.read_bytes().count(b"\n")
            runs = {
                server: functools.partial(run, spawn, case, folder / "run")
                for server, spawn in servers.items()
            }
            if case.parser_target and not chosen.ours:
                parse = functools.partial(run_parser, parser_path, case.log, folder / "run")
                runs[parser_name] = parse
            known = theirs.get(case.log) if not case.stock else None
            case.costs = measure(runs, {name: known} if known else {})
            if not chosen.ours and len(case.jails) == 1:
                theirs[case.log] = case.costs[name]
            ours = case.costs["banish"]
            same = finds_the_same(case, folder / "compared")
            for server, cost in case.costs.items():
                ratio = "" if server == "banish" else f"{cost.cpu / ours.cpu:.2g}x"
                wanted = case.parser_target if server == parser_name else case.target
                row = [
                    case.name, server, f"{cost.cpu:.2f}", f"{cost.cpu / lines * 1e6:.2f}",
                    f"{cost.wall:.1f}", f"{cost.peak:.0f}" if cost.peak else "", str(cost.found),
                    ratio, f"{wanted:g}x" if ratio and wanted else "",
                    same if server == "banish" else "",
                ]  # fmt: skip
                rows.append(row)
                print(
                    *row,
                    f"start {cost.start_cpu:.2f} s, idle {cost.idle_memory:.0f} MB",
                    sep="  ",
                    flush=True,
                )
    one, twenty = every[0].costs.get("banish"), every[-1].costs.get("banish")
    if one and twenty:
        note = f"20 jails cost {twenty.cpu / one.cpu:.2f} times what one does (wanted: 1.5); "
    note += (
        f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores"
    )
    write_section("Throughput", __doc__ or "", header, rows, note)
    return 0
