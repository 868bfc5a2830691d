"""The faults of the soak: each is done, its effect seen, and what it disturbed mended.

A fault is a method of `Faults`. It returns whether its effect was seen, from outside the
server; whether the server got over it is judged afterwards by `bench.soak`, which compares
all that is with all that must be. Where a fault takes the lock, the writer pauses.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from bench.kernel import SetEvents
from bench.soakserver import Server
from bench.soakworld import Log, World, wait_until

PATIENCE_SECONDS = 60.0
CLOCK_STEP_SECONDS = 2 * 3600 + 420.0
STEPPED_SECONDS = 5.0
"""So long, at most, is a clock wrong."""

NEAR_SECONDS = 300.0


class FaultError(Exception):
    """What must not be was seen while a fault lasted."""


class Faults:
    """Throws faults at *server*; *dice* draws where and how long."""

    def __init__(self, server: Server, world: World, dice: random.Random) -> None:
        self._server = server
        self._world = world
        self._dice = dice
        self._killable_at = 0.0
        self.all: dict[str, Callable[[], bool]] = {
            "nft flush set": self.flush_set,
            "nft flush set, twice in 4 ms": self.flush_twice,
            "nft flush ruleset": self.flush_ruleset,
            "rotation: rename": self.rename,
            "rotation: copytruncate": self.copy_truncate,
            "log removed, made again": self.remove_log,
            "kill -STOP of an action": self.stop_action,
            "disk full": self.fill_disk,
            "descriptors gone": self.use_up_descriptors,
            "clock 2 h ahead and back": self.clock_ahead,
            "clock 2 h back and ahead": self.clock_back,
            "socket removed": self.remove_socket,
            "kill -9": self.kill,
        }

    # --- The firewall ---

    def flush_set(self) -> bool:
        """Empty a set; the server stands still meanwhile, so that the gap can be seen."""
        self._server.send(signal.SIGSTOP)
        try:
            before = self._in_ipv4_set()
            _nft("flush set inet banish auth-4")
            # At the very beginning nobody may be banned yet: then there is nothing to be seen.
            return not before or not before <= self._in_ipv4_set()
        finally:
            self._server.send(signal.SIGCONT)

    def _in_ipv4_set(self) -> set[str]:
        return {who for who in self._server.in_kernel("auth") if ":" not in who}

    def flush_twice(self) -> bool:
        """Empty a set twice, as near to each other as a repair takes."""
        with self._world.lock:
            who = min((who for who in self._world.due() if ":" not in who), default="")
            if not who:
                return True  # at the very beginning nobody may be banned yet
            if not self._server.wait_for_ban("auth", who, PATIENCE_SECONDS):
                raise FaultError(f"{who} is not banned")
        events = SetEvents()
        try:
            _nft("flush set inet banish auth-4")
            time.sleep(self._dice.uniform(0, 0.008))
            _nft("flush set inet banish auth-4")
            return events.wait_for(who, 5) is not None
        finally:
            events.close()

    def flush_ruleset(self) -> bool:
        """Take all tables away."""
        self._server.send(signal.SIGSTOP)
        try:
            _nft("flush ruleset")
            return not self._server.sets()
        finally:
            self._server.send(signal.SIGCONT)

    # --- The logs ---

    def rename(self) -> bool:
        """Rotate as logrotate does: the service writes into the old file for a while."""
        log = self._log()
        before = log.path.stat().st_ino
        with self._world.lock:
            log.rename()
        time.sleep(self._dice.uniform(0.05, 0.5))
        with self._world.lock:
            log.reopen()
        return log.path.stat().st_ino != before

    def copy_truncate(self) -> bool:
        """Rotate by a copy; what is written between copy and truncation is nobody's to find."""
        log = self._log()
        with self._world.lock:
            self._catch_up()
            log.copy_truncate()
            return log.path.stat().st_size == 0

    def remove_log(self) -> bool:
        """Delete a log and make it again a moment later."""
        log = self._log()
        with self._world.lock:
            self._catch_up()
            log.remove()
            is_gone = not log.path.exists()
            time.sleep(self._dice.uniform(0, 0.5))
            log.reopen()
        return is_gone

    def _log(self) -> Log:
        return self._dice.choice([self._world.auth, self._world.app])

    def _catch_up(self) -> None:
        """Wait until the server has read all of both logs; the writer must pause."""
        last = self._world.fail(), self._world.fail_short()
        for jail, who in zip(("auth", "short"), last, strict=True):
            # A ban of "short" may come and go between two looks: the ledger keeps it.
            if not wait_until(
                lambda jail=jail, who=who: who in self._server.in_ledger(jail, ever=True),  # type: ignore[misc]
                PATIENCE_SECONDS,
            ):
                raise FaultError(f"{jail} did not ban {who} within {PATIENCE_SECONDS:g} s")

    # --- The actions ---

    def stop_action(self) -> bool:
        """Stop a command of an action for good; the firewall must not wait for it."""
        slow, pid_file = (self._server.script.with_name(f"act.sh.{n}") for n in ("slow", "pid"))
        pid_file.unlink(missing_ok=True)
        slow.touch()
        try:
            self._world.guess()
            if not wait_until(pid_file.exists, PATIENCE_SECONDS):
                raise FaultError("no action began")
            pid = int(pid_file.read_text())
            os.kill(pid, signal.SIGSTOP)
            is_stopped = wait_until(lambda: _state(pid) == "T", 2)
            who = self._world.fail()
            if not self._server.wait_for_ban("auth", who, PATIENCE_SECONDS):
                raise FaultError(f"{who} is not banned while an action stands still")
        finally:
            slow.unlink()
        if not wait_until(lambda: _state(pid) in ("", "Z"), PATIENCE_SECONDS):
            raise FaultError(f"the stopped action {pid} is still there")
        return is_stopped

    # --- The host ---

    def fill_disk(self) -> bool:
        """Fill the file system of the database; bans must go on."""
        filler = self._server.state / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                is_full = False
                while not is_full:
                    try:
                        is_full = file.write(bytes(1 << 16)) == 0
                    except OSError:
                        is_full = True
            who = self._world.fail()
            if not self._server.wait_for_ban("auth", who, PATIENCE_SECONDS):
                raise FaultError(f"{who} is not banned while the disk is full")
            time.sleep(self._dice.uniform(0.5, 4))
            return os.statvfs(self._server.state).f_bavail == 0
        finally:
            filler.unlink(missing_ok=True)

    def use_up_descriptors(self) -> bool:
        """Leave no descriptor; a log is rotated meanwhile."""
        self._server.leave_no_descriptor()
        try:
            is_seen = self._server.has_no_descriptor()
            self.rename()
            time.sleep(self._dice.uniform(0.5, 3))
            return is_seen
        finally:
            self._server.allow_descriptors()

    def clock_ahead(self) -> bool:
        """Step the wall clock ahead, and later back."""
        return self._step(CLOCK_STEP_SECONDS)

    def clock_back(self) -> bool:
        """Step the wall clock back, and later ahead."""
        return self._step(-CLOCK_STEP_SECONDS)

    def _step(self, seconds: float) -> bool:
        self._set_clock(seconds)
        try:
            who = self._world.fail()
            wait_until(lambda: self._server.ban_began("auth", who), PATIENCE_SECONDS)
            began = self._server.ban_began("auth", who)
            is_seen = began is not None and abs(began - time.time() - seconds) < NEAR_SECONDS
            # Bans that began before the step, or in it, must end as if there was none.
            time.sleep(self._dice.uniform(0.5, STEPPED_SECONDS))
        finally:
            self._set_clock(0.0)
        # What was written down with the other clock means another time after a restart.
        self._killable_at = time.monotonic() + max(self._world.spans.values()) + 2
        return is_seen

    def _set_clock(self, seconds: float) -> None:
        with self._world.lock:
            # Lines that are on their way would bear the time of the other clock.
            self._catch_up()
            self._world.set_step(seconds)
            self._server.set_clock(seconds)

    def remove_socket(self) -> bool:
        """Delete the control socket; the server must make it again."""
        before = self._server.socket.stat().st_ino
        self._server.socket.unlink()
        is_gone = not self._server.socket.exists() or self._server.socket.stat().st_ino != before
        if not wait_until(self._server.socket.exists, PATIENCE_SECONDS):
            raise FaultError("the control socket was not made again")
        if not wait_until(self._server.answers, PATIENCE_SECONDS):
            raise FaultError("the server does not answer at its new socket")
        return is_gone

    def kill(self) -> bool:
        """End the server without warning while lines come, and start it again."""
        time.sleep(max(0.0, self._killable_at - time.monotonic()))
        before = self._server.in_kernel("auth")
        killed_at = time.monotonic()
        self._server.kill()
        lost = before - self._server.in_kernel("auth")
        if lost:
            raise FaultError(f"the kernel lost {sorted(lost)[:5]} by a kill")
        is_dead = not self._server.lives
        time.sleep(self._dice.uniform(0, 2))
        self._server.start()
        if not wait_until(self._server.answers, PATIENCE_SECONDS, 0.2):
            raise FaultError("the server does not answer after its restart")
        self._world.note_down(killed_at)
        return is_dead


def _nft(command: str) -> None:
    subprocess.run(["nft", *command.split()], check=True, capture_output=True)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
