"""The server under the soak, and how it is seen from outside: by nft, sqlite3 and /proc."""

import ipaddress
import json
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.soakworld import LIMITS, World, wait_until
from bench.steppedclock import write_step

STATE_MEGABYTES = 128
ACTION_LIMIT_SECONDS = 3

_FILTERS = {
    "app-fail": "^\\s*app: fail <ADDR>$",
    "app-guess": "^\\s*app: guess <ADDR>$",
}

_SCRIPT = """#!/bin/sh
# act.sh add|del ADDRESS: a ban is a file. While act.sh.slow is there, a ban waits for its end.
case $1 in
add)
    if [ -e "$0.slow" ]; then
        echo $$ >"$0.part" && mv "$0.part" "$0.pid"
        while [ -e "$0.slow" ]; do sleep 0.1; done
    fi
    : >"${0%/*}/banned/$2"
    ;;
del) rm -f "${0%/*}/banned/$2" ;;
esac
"""


class Server:
    """A server in *folder* that bans for *world*; needs namespaces of its own."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.socket = folder / "run" / "banish.sock"
        self.output = folder / "out"
        self.script = folder / "act.sh"
        self.banned = folder / "banned"
        self._step = folder / "clock"
        self._config = folder / "etc"
        self._write_config(world)
        self.set_clock(0.0)
        self._before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.process: subprocess.Popen[bytes] | None = None

    def _write_config(self, world: World) -> None:
        for place in (self.state, self.socket.parent, self.banned, self._config / "filter.d"):
            place.mkdir(parents=True, exist_ok=True)
        (self._config / "action.d").mkdir()
        self.script.write_text(_SCRIPT)
        self.script.chmod(0o755)
        for name, regex in _FILTERS.items():
            path = self._config / "filter.d" / f"{name}.conf"
            path.write_text(f"[Definition]\nfailregex = {regex}\n")
        (self._config / "action.d" / "act.conf").write_text(
            f"[Definition]\nactionban = {self.script} add <ip>\nactionunban = {self.script} del <ip>\n"
            f"[Init]\ntimeout = {ACTION_LIMIT_SECONDS}\n"
        )
        app = world.app.path
        jails = {
            "auth": f"filter = sshd\nlogpath = {world.auth.path}\nbantime = 1d\n",
            "short": f"filter = app-fail\nlogpath = {app}\nbantime = {world.spans['short']:g}\n",
            "act": f"filter = app-guess\nlogpath = {app}\nbantime = {world.spans['act']:g}\n"
            "action = act\n",
        }
        (self._config / "jail.local").write_text(
            "[DEFAULT]\nfindtime = 1d\nbackend = auto\nsystemd_if_nologs = false\n"
            "[sshd]\nenabled = false\n"
            + "".join(
                f"[{name}]\nenabled = true\nmaxretry = {LIMITS[name]}\n{lines}"
                for name, lines in jails.items()
            )
        )
        (self._config / "banish.local").write_text(
            f"[Definition]\nloglevel = NOTICE\nlogtarget = STDERR\nsocket = {self.socket}\n"
            f"pidfile = {self.socket.with_name('banish.pid')}\n"
            f"dbfile = {self.state}/banish.sqlite3\ndbpurgeage = {world.remembered:g}\n"
        )

    # --- Its life ---

    def start(self) -> None:
        """Start it; does not wait."""
        argv = [
            sys.executable, "-m", "bench.steppedclock", str(self._step),
            "-c", str(self._config), "run",
        ]  # fmt: skip
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it without warning."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None
        return self.process.pid

    @property
    def lives(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def set_clock(self, seconds: float) -> None:
        """Set its wall clock off by *seconds*."""
        write_step(self._step, seconds)

    def leave_no_descriptor(self) -> None:
        """Allow it no descriptor beside those that are open."""
        numbers = self._numbers()
        free = next(number for number in range(len(numbers) + 1) if number not in numbers)
        self._before = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (free, self._before[1]))

    def has_no_descriptor(self) -> bool:
        """Whether all numbers that it may have are in use."""
        limit, _ = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        return self._numbers() >= set(range(limit))

    def allow_descriptors(self) -> None:
        """Allow it as many as before."""
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, self._before)

    # --- What it does ---

    def descriptors(self) -> int:
        """Return how many it has open."""
        return len(self._numbers())

    def _numbers(self) -> set[int]:
        return {int(each.name) for each in Path(f"/proc/{self.pid}/fd").iterdir()}

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a verb of banish against it."""
        argv = [sys.executable, "-m", "banish", "-c", str(self._config), *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)

    def answers(self) -> bool:
        """Whether it answers at its socket."""
        try:
            return self.ask("status", "--json").stdout.startswith("{")
        except subprocess.TimeoutExpired:
            return False

    def in_kernel(self, jail: str) -> set[str]:
        """Return whom the kernel keeps out for *jail*, as nft lists it."""
        return self.sets().get(jail, set())

    def sets(self) -> dict[str, set[str]]:
        """Return the elements of all sets of its table, by jail."""
        argv = ["nft", "-j", "list", "table", "inet", "banish"]
        listed = subprocess.run(argv, capture_output=True, text=True, check=False)
        if listed.returncode:
            return {}
        found: dict[str, set[str]] = {}
        for entry in json.loads(listed.stdout)["nftables"]:
            for kind in ("set", "map"):
                if kind in entry:
                    jail = entry[kind]["name"].rpartition("-")[0]
                    for element in entry[kind].get("elem", []):
                        found.setdefault(jail, set()).update(_written(element))
        return found

    def in_files(self) -> set[str]:
        """Return whom the action of *act* keeps out."""
        return {each.name for each in self.banned.iterdir()}

    def in_ledger(self, jail: str, *, ever: bool = False) -> set[str]:
        """Return the subjects of the bans of *jail* in force, or *ever*, as the database has them.

        A ban that ran out while the server was down is over, though its end is written later.
        """
        is_in_force = " AND ended_at IS NULL AND (until IS NULL OR until > unixepoch())"
        rows = self._select(
            "SELECT subject FROM bans WHERE jail = ?" + ("" if ever else is_in_force), jail
        )
        return {subject for (subject,) in rows}

    def ban_began(self, jail: str, who: str) -> float | None:
        """Return when the newest ban of *who* began by the server's clock."""
        rows = self._select("SELECT max(since) FROM bans WHERE jail = ? AND subject = ?", jail, who)
        return rows[0][0] if rows else None

    def failures(self) -> dict[str, int]:
        """Return the failures counted, as the database has them."""
        return dict(self._select("SELECT jail, failures FROM totals"))

    def _select(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        where = f"file:{self.state}/banish.sqlite3?mode=ro"
        try:
            connection = sqlite3.connect(where, uri=True, timeout=5)
            try:
                return connection.execute(statement, values).fetchall()
            finally:
                connection.close()
        except sqlite3.Error:
            return []

    def wait_for_ban(self, jail: str, who: str, limit_seconds: float) -> bool:
        """Wait until the kernel keeps *who* out; return whether it does."""
        return wait_until(lambda: who in self.in_kernel(jail), limit_seconds)


def _written(element: Any) -> set[str]:
    match element:
        case {"elem": {"val": value}}:
            return _written(value)
        case {"prefix": {"addr": address, "len": length}}:
            return {f"{address}/{length}"}
        case {"range": [first, last]}:
            ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
            if int(ends[1]) < int(ends[0]):  # read in the midst of a change; the caller looks again
                return {f"{first}-{last}"}
            return set(map(str, ipaddress.summarize_address_range(*ends)))
        case _:
            return {str(element)}
