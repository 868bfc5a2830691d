"""Writes logs as busy servers have them: the same every time, from a fixed seed.

The wording is what OpenSSH, PAM, systemd-logind, cron, sudo and web servers
write; who does what and when is drawn.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

ATTACKERS = 500
LINES_A_SECOND = 4
"""A busy server's 100,000 lines are about a third of a day."""

_NAMES = ("root", "admin", "test", "oracle", "ubuntu", "postgres", "git", "user", "deploy", "pi")
_STAFF = ("anna", "boris", "carla", "dmitri", "emma")
_PAGES = (
    "/", "/index.html", "/style.css", "/app.js", "/images/logo.png", "/blog/2024/hello", "/api/items?page=2",
    "/favicon.ico", "/about", "/search?q=winter+coats", "/feed.xml", "/account", "/cart", "/robots.txt",
)  # fmt: skip
_BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
)


def auth_lines(count: int, failing: float, seed: int, begin: datetime) -> Iterator[str]:
    """Yield *count* lines of an auth.log, the share *failing* of them failed logins."""
    dice = random.Random(seed)
    attackers = [f"198.{18 + n // 250}.{n % 250}.{dice.randint(1, 254)}" for n in range(ATTACKERS)]
    for number in range(count):
        at = begin + timedelta(seconds=number // LINES_A_SECOND)
        stamp = f"{at:%b} {at.day:2d} {at:%H:%M:%S} bastion "
        pid = 400 + number
        port = dice.randint(1024, 65_535)
        if dice.random() < failing:
            yield stamp + _failed(dice, pid, dice.choice(attackers), port)
        else:
            yield stamp + _harmless(dice, pid, port)


def _failed(dice: random.Random, pid: int, address: str, port: int) -> str:
    name = dice.choice(_NAMES)
    kind = dice.random()
    if kind < 0.5:
        return f"sshd[{pid}]: Failed password for {name} from {address} port {port} ssh2"
    if kind < 0.8:
        return f"sshd[{pid}]: Failed password for invalid user {name}{dice.randint(1, 99)} from {address} port {port} ssh2"
    return f"sshd[{pid}]: Invalid user {name}{dice.randint(1, 99)} from {address} port {port}"


def _harmless(dice: random.Random, pid: int, port: int) -> str:
    who = dice.choice(_STAFF)
    home = f"192.0.2.{dice.randint(1, 60)}"
    kind = dice.random()
    if kind < 0.30:
        return (
            f"CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"
        )
    if kind < 0.60:
        return f"CRON[{pid}]: pam_unix(cron:session): session closed for user root"
    if kind < 0.68:
        return f"sshd[{pid}]: Accepted publickey for {who} from {home} port {port} ssh2: ED25519 SHA256:{dice.getrandbits(256):064x}"
    if kind < 0.76:
        return f"sshd[{pid}]: pam_unix(sshd:session): session opened for user {who}(uid=100{len(who)}) by (uid=0)"
    if kind < 0.84:
        return f"systemd-logind[612]: New session {pid} of user {who}."
    if kind < 0.90:
        return f"sudo: {who} : TTY=pts/{pid % 9} ; PWD=/home/{who} ; USER=root ; COMMAND=/usr/bin/systemctl status nginx"
    if kind < 0.96:
        return f"sshd[{pid}]: pam_unix(sshd:session): session closed for user {who}"
    return f"systemd-logind[612]: Removed session {pid}."


def access_lines(count: int, hitting: float, seed: int, begin: datetime) -> Iterator[str]:
    """Yield *count* lines of a web access log, the share *hitting* of them probes and scans."""
    dice = random.Random(seed)
    attackers = [f"198.{18 + n // 250}.{n % 250}.{dice.randint(1, 254)}" for n in range(ATTACKERS)]
    for number in range(count):
        at = begin + timedelta(seconds=number // (5 * LINES_A_SECOND))
        stamp = f"[{at:%d/%b/%Y:%H:%M:%S} +0000]"
        browser = dice.choice(_BROWSERS)
        if dice.random() < hitting:
            request, status, browser = _probe(dice, browser)
            address = dice.choice(attackers)
        else:
            request, status = (
                f"GET {dice.choice(_PAGES)} HTTP/1.1",
                dice.choice(("200", "200", "200", "304", "301")),
            )
            address = f"203.0.113.{dice.randint(1, 254)}"
        size = dice.randint(180, 90_000)
        yield f'{address} - - {stamp} "{request}" {status} {size} "-" "{browser}"'


def _probe(dice: random.Random, browser: str) -> tuple[str, str, str]:
    kind = dice.random()
    if kind < 0.4:
        return "GET /phpmyadmin/index.php HTTP/1.1", "404", browser
    if kind < 0.6:
        return r"\x16\x03\x01\x02\x00\x01", "400", "-"
    if kind < 0.8:
        return "GET /wp-login.php HTTP/1.1", "404", browser
    return "GET /contact HTTP/1.1", "200", "Atomic_Email_Hunter/4.0"


def write(
    path: Path, make: Callable[..., Iterator[str]], count: int, share: float, seed: int = 1
) -> None:
    """Write a log that ends about now to *path*."""
    a_second = LINES_A_SECOND * (5 if make is access_lines else 1)
    zone = UTC if make is access_lines else None
    begin = datetime.now(zone) - timedelta(seconds=count // a_second)
    with path.open("w", encoding="ascii") as log:
        for line in make(count, share, seed, begin):
            log.write(line + "\n")
