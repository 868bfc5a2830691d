"""Reads a Fail2Ban database, so that no ban is lost in the move.

Table ``bips`` of schema 4 holds the newest ban of each address and jail:
``timeofban``, ``bantime`` (below zero: without end), ``bancount``, and in
``data`` the matched lines and the number of failures (server/database.py,
1.1.1). The file is opened for reading only and stays as it is. Positions are
left behind: Fail2Ban knows files by a hash of their first line, we do not.
"""

import json
import math
import sqlite3
from pathlib import Path
from typing import Any

from banish.errors import StoreError
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.failure import EVIDENCE_LIMIT_CHARACTERS, Evidence
from banish.model.instant import Instant

SCHEMA = 4
"""Written since Fail2Ban 0.11; older ones become this when a newer Fail2Ban starts once."""


def read_bans(path: str) -> list[Ban]:
    """Return the newest ban of each subject and jail in the Fail2Ban database *path*.

    Those that are over are among them: ``bantime.increment`` counts from them.
    An invalid row is skipped.

    Raises:
        StoreError: The file cannot be read, or is no Fail2Ban database of `SCHEMA`.

    """
    try:
        connection = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        version = connection.execute("SELECT version FROM fail2banDb").fetchone()
        if version is None or version[0] != SCHEMA:
            raise StoreError(
                f"{path} is a Fail2Ban database of another version",
                cure="start Fail2Ban 0.11 or later once; it brings its database up to date",
                retry=False,
            )
        rows = connection.execute(
            "SELECT jail, ip, timeofban, bantime, bancount, data FROM bips ORDER BY timeofban"
        ).fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"{path} is no Fail2Ban database: {error}", retry=False) from error
    finally:
        connection.close()
    return [ban for row in rows if (ban := _ban(*row)) is not None]


def _ban(jail: Any, ip: Any, since: Any, lasts: Any, count: Any, data: Any) -> Ban | None:
    if not (isinstance(jail, str) and isinstance(ip, str) and jail and ip):
        return None
    if not all(isinstance(number, int | float) for number in (since, lasts, count)):
        return None
    if not (math.isfinite(since) and math.isfinite(lasts) and math.isfinite(count)):
        return None
    subject = parse_subject(ip)
    if subject.is_network and subject.text.endswith("/0"):
        return None  # everybody; no line of a log can mean that
    failures, evidence = _data(data)
    return Ban(
        jail=jail,
        subject=subject,
        since=Instant(float(since)),
        until=None if lasts < 0 else Instant(float(since + lasts)),
        failures=failures,
        count=max(1, int(count)),
        evidence=evidence,
    )


def _data(text: Any) -> tuple[int, tuple[Evidence, ...]]:
    try:
        data = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return 0, ()
    if not isinstance(data, dict):
        return 0, ()
    failures, matches = data.get("failures"), data.get("matches")
    lines = [_line(match) for match in matches] if isinstance(matches, list) else []
    kept = tuple(Evidence(line[:EVIDENCE_LIMIT_CHARACTERS]) for line in lines if line)
    return (failures if isinstance(failures, int) else 0), kept


def _line(match: Any) -> str:
    """Return the line of a match: itself, or what stood before, in and after its date."""
    if isinstance(match, list):
        return "".join(part for part in match if isinstance(part, str))
    return match if isinstance(match, str) else ""
