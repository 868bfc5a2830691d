"""The proof by kills, for actions: what a command or a Python action did is undone.

Three jails watch one log; each has an action of commands and one in Python, which write down
what they do. Bans last a day, 20 seconds or two, so that many run out while the server is
down. It is killed in bursts and while it starts, also twice in a row, or stopped in order with
``keepbans``, or without. After each start every action must keep out exactly who is banned
then, as the log and the ledger say; after a stop without ``keepbans``, nobody, unless the
server says that there was no time (a late stop).
"""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec

from bench.latency import line

JAILS = {"long": "1d", "middle": "20s", "short": "2s"}
ACTIONS = ("command", "python")
MAXRETRY = 3
LIMIT_SECONDS = 60.0
NO_TIME = "there was no time to end them"

COMMAND = """[Definition]
actionban = echo "ban <ip>" >> <file>
actionunban = echo "unban <ip>" >> <file>
"""

PYTHON = """
from fail2ban.server.action import ActionBase

class Action(ActionBase):
    def __init__(self, jail, name, file):
        super().__init__(jail, name)
        self.file = file

    def note(self, word, aInfo):
        with open(self.file, "a") as log:
            log.write(f"{word} {aInfo['ip']}\\n")

    def ban(self, aInfo):
        self.note("ban", aInfo)

    def unban(self, aInfo):
        self.note("unban", aInfo)
"""


class Count(msgspec.Struct):
    """What was done and found."""

    kills: int = 0
    in_start: int = 0
    stops: int = 0
    """Stops in order, with or without ``keepbans``."""
    late: int = 0
    """Stops without ``keepbans`` that had no time for all ends, and said so."""
    waits: int = 0
    """How often the server was down until the short bans had run out."""
    left: int = 0
    """Bans that had run out while the server was down and that an action still kept."""
    bans: int = 0
    """Bans that actions carried out, told twice or not."""


class Trial:
    """A server in *folder*, its log, and what its actions wrote."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.dice = random.Random(seed)
        self.log = folder / "auth.log"
        self.log.touch()
        self.config = folder / "etc"
        (self.config / "action.d").mkdir(parents=True)
        (self.config / "action.d" / "keep.conf").write_text(COMMAND)
        (self.config / "action.d" / "own.py").write_text(PYTHON)
        jails = "".join(
            f"[{jail}]\nenabled = true\nbantime = {bantime}\n"
            f"action = keep[file={folder}/{jail}-command]\n"
            f"    own.py[file={folder}/{jail}-python]\n"
            for jail, bantime in JAILS.items()
        )
        (self.config / "jail.local").write_text(
            f"[DEFAULT]\nfindtime = 1d\nmaxretry = {MAXRETRY}\nfilter = sshd\n"
            f"systemd_if_nologs = false\nbackend = auto\nlogpath = {self.log}\n{jails}"
        )
        self.fails: Counter[str] = Counter()
        self.count = Count()
        self.process: subprocess.Popen[bytes] | None = None
        self.is_keeping = True
        self.began = 0
        """Where the output of this run begins."""

    def write(self) -> None:
        """Append some failures of a small crowd."""
        # Few: what takes longer than `banish.daemon.worker.END_SPAN` to end stays at a stop.
        crowd = [f"192.0.2.{self.dice.randrange(1, 61)}" for _ in range(6)]
        chosen = self.dice.choices(crowd, k=self.dice.randrange(1, 24))
        self.fails.update(chosen)
        with self.log.open("a") as log:
            log.write("".join(map(line, chosen)))

    def start(self) -> None:
        """Start the server; does not wait."""
        self.is_keeping = self.dice.random() < 0.6
        keep = "true" if self.is_keeping else "false"
        (self.config / "banish.local").write_text(f"[Definition]\nkeepbans = {keep}\n")
        with (self.folder / "out").open("ab") as output:
            self.began = output.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "banish", "run", "-c", str(self.config),
                 "--state", str(self.folder / "state")],
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def end(self, number: signal.Signals) -> None:
        """End the server by a signal."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(60)

    def kept(self, jail: str, action: str) -> set[str]:
        """Return whom an action keeps out by what it wrote last about each."""
        last: dict[str, str] = {}
        path = self.folder / f"{jail}-{action}"
        for event in path.read_text().splitlines() if path.exists() else ():
            word, _, address = event.partition(" ")
            last[address] = word
        return {address for address, word in last.items() if word == "ban"}

    def in_force(self, jail: str) -> set[str]:
        """Return who is banned now, as the ledger says."""
        statement = (
            "SELECT subject FROM bans WHERE jail = ? AND ended_at IS NULL"
            " AND (until IS NULL OR until > ?)"
        )
        database = self.folder / "state" / "banish.sqlite3"
        try:
            connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)
            try:
                return {row[0] for row in connection.execute(statement, (jail, time.time()))}
            finally:
                connection.close()
        except sqlite3.Error:
            return set()

    def due(self) -> set[str]:
        """Return whom the jail of long bans must have banned, by the lines alone."""
        return {address for address, count in self.fails.items() if count >= MAXRETRY}

    def check(self) -> None:
        """Wait until every action keeps out whom it should.

        Raises:
            SystemExit: It does not become so.

        """
        end = time.monotonic() + LIMIT_SECONDS
        while True:
            wrong = self._wrong()
            if not wrong:
                return
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > end:
                sys.stderr.write((self.folder / "out").read_text("utf-8", "replace")[-3000:])
                raise SystemExit(f"after {self.count.kills} kills: {wrong}")
            time.sleep(0.05)

    def _wrong(self) -> str:
        due = self.due()
        if self.in_force("long") != due:
            return f"the ledger lacks {sorted(due - self.in_force('long'))[:5]}"
        for jail in JAILS:
            for action in ACTIONS:
                kept, wanted = self.kept(jail, action), self.in_force(jail)
                if kept != wanted:
                    lacks, beyond = sorted(wanted - kept)[:5], sorted(kept - wanted)[:5]
                    return f"{action} action of {jail}: lacks {lacks}, keeps beyond {beyond}"
        return ""

    def round(self) -> None:
        """Let things happen, end the server in some way, and start it again."""
        dice, count = self.dice, self.count
        self.write()
        for _ in range(dice.randrange(3)):
            time.sleep(dice.uniform(0, 0.05))
            self.write()
        time.sleep(dice.uniform(0, 0.2))
        is_stopped = dice.random() < 0.2
        if is_stopped:
            self.stop()
        else:
            self.end(signal.SIGKILL)
            count.kills += 1
        if dice.random() < 0.3 or (count.left == 0 and count.kills > 1):
            time.sleep(2.1)
            count.waits += 1
            gone = [self.kept("short", action) - self.in_force("short") for action in ACTIONS]
            count.left += sum(map(len, gone))
        self.start()
        while dice.random() < 0.3:  # again, before it is up or as it is at work
            time.sleep(dice.uniform(0.1, 1.2))
            self.end(signal.SIGKILL)
            count.kills += 1
            count.in_start += 1
            self.start()
        self.check()

    def stop(self) -> None:
        """Stop the server in order.

        Raises:
            SystemExit: It let go of somebody it should keep, or kept somebody.

        """
        output = self.folder / "out"
        end = time.monotonic() + LIMIT_SECONDS
        while b" ready: " not in output.read_bytes()[self.began :] and time.monotonic() < end:
            time.sleep(0.02)  # before, SIGTERM is a kill
        before = output.stat().st_size
        self.end(signal.SIGTERM)
        self.count.stops += 1
        said = output.read_text("utf-8", "replace")[before:]
        if NO_TIME in said:  # on a busy machine; the next start has to do it
            self.count.late += 1
            return
        for jail in JAILS:
            for action in ACTIONS:
                kept = self.kept(jail, action)
                if kept and not self.is_keeping:
                    sys.stderr.write(said)
                    raise SystemExit(f"{action} action of {jail} keeps {sorted(kept)[:5]}")

    def run(self, kills: int) -> Count:
        """Go on until the server was killed *kills* times."""
        try:
            self.start()
            self.check()
            told = 0
            while self.count.kills < kills or self.count.left == 0:
                self.round()
                if self.count.kills // 20 > told:
                    told = self.count.kills // 20
                    print(f"{self.count.kills} kills, {len(self.due())} long bans: right")
                    sys.stdout.flush()
        finally:
            self.end(signal.SIGKILL)
        for jail in JAILS:
            for action in ACTIONS:
                path = self.folder / f"{jail}-{action}"
                self.count.bans += path.read_text().count("ban ") - path.read_text().count("unban ")
        return self.count


def trial(folder: Path, kills: int, seed: int) -> Count:
    """Kill a server whose jails ban by actions *kills* times and check it after each start."""
    return Trial(folder, seed).run(kills)
