"""Makes the pictures of docs/screens: real commands that ask a real server under attack.

Run as root by ``./dev screens``: a lab with OpenSSH, an attacker with several addresses and a
bystander is built in network namespaces; each command writes to a terminal of 100 columns,
and what it wrote becomes a picture.
"""

import asyncio
import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from banish.cli.topview import TopView
from banish.control.client import Client
from banish.lab.accounts import Account
from banish.lab.guard import Guard, guarded
from banish.lab.world import Lab

SCREENS = Path(__file__).parents[1] / "docs" / "screens"
COLUMNS = 100
LINES = 32
PATIENCE_SECONDS = 30.0

JAILS = """[sshd]
enabled = true
logpath = /var/log/auth.log
maxretry = 3
findtime = 10m
bantime = 1h

[recidive]
enabled = true
"""

ADDRESSES = ("198.51.100.17", "198.51.100.203", "203.0.113.99", "192.0.2.140")
"""From which the attacker comes, beside its own."""

_FONT = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)
"""Pictures load nothing from elsewhere."""


def main() -> None:
    """Make all pictures anew."""
    SCREENS.mkdir(exist_ok=True)
    with Lab.open(accounts=[Account("alice", "correct horse")]) as lab:
        lab.sshd()
        for words in (
            ["mount", "-t", "tmpfs", "tmpfs", "/var/log"],
            ["touch", "/var/log/auth.log"],
            ["mount", "--bind", str(lab.log_path), "/var/log/auth.log"],
        ):
            lab.server.run(words).check_returncode()
        with guarded(lab, JAILS) as guard:
            guard.wait_until_ready()
            _attack(lab, guard)
            for name, words in (
                ("status", ["status"]),
                ("status-jail", ["status", "sshd"]),
                ("why", ["why", ADDRESSES[0]]),
                ("doctor", ["doctor"]),
            ):
                _save(name, f"banish {' '.join(words)}", _run(lab, words))
            _save_top(lab)
    print(f"the pictures are in {SCREENS}")


def _attack(lab: Lab, guard: Guard) -> None:
    """Let the attacker come from all its addresses, and a user mistype once."""
    lab.bystander.fail_login("alice")
    lab.bystander.ssh_login("alice", "correct horse")
    for number, address in enumerate(ADDRESSES):
        lab.attacker.add_address(address)
        for user in ("root", "admin", "oracle")[: 3 if number < len(ADDRESSES) - 1 else 2]:
            lab.attacker.fail_login(user, source=address)
    for address in ADDRESSES[:-1]:
        if guard.ban_in_kernel(address, within=PATIENCE_SECONDS) is None:
            raise SystemExit(f"{address} was not banned")


def _run(lab: Lab, words: list[str]) -> str:
    """Return what ``banish`` with *words* writes to a terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    places = ["-c", str(lab.directory / "banish"), "--state", str(lab.directory / "state")]
    process = lab.server.popen(
        [sys.executable, "-m", "banish", *places, *words],
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)},
    )
    os.close(slave)
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the program has ended
            break
        parts.append(part)
    process.wait(PATIENCE_SECONDS)
    os.close(master)
    text = b"".join(parts).decode("utf-8", "replace")
    return _places(text.replace("\r\n", "\n"), lab)


def _places(text: str, lab: Lab) -> str:
    """Name the places as on an installed host."""
    state, config = str(lab.directory / "state"), str(lab.directory / "banish")
    text = text.replace(f" -c {config} --state {state}", "")
    return text.replace(config, "/etc/banish").replace(state, "/var/lib/banish")


def _save(name: str, title: str, text: str) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(f"$ {title}\n{text.rstrip()}"), soft_wrap=False)
    _write(name, console.export_svg(title=title, unique_id=name))


def _save_top(lab: Lab) -> None:
    """Save the live view, with the evidence of the newest ban open."""

    async def look() -> str:
        view = TopView(Client(lab.directory / "state" / "banish.sock"))
        async with view.run_test(size=(COLUMNS + 20, LINES)) as pilot:
            await _until(lambda: bool(view.query_one("#bans").row_count))  # type: ignore[attr-defined]
            await pilot.pause(2.5)
            await pilot.press("enter")
            await pilot.pause(1.0)
            return view.export_screenshot(title="banish top")

    _write("top", asyncio.run(look()))


async def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit("the live view shows nothing")
        await asyncio.sleep(0.1)


def _write(name: str, picture: str) -> None:
    (SCREENS / f"{name}.svg").write_text(_FONT.sub("", picture), encoding="utf-8")


if __name__ == "__main__":
    main()
