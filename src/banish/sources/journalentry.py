"""Writes a journal entry as the line that syslog would have written.

``HOST IDENT[PID]: MESSAGE``, as Fail2Ban's systemd backend does (server/
filtersystemd.py, 1.1.1), so that filters match the journal as they match files.
"""

from collections.abc import Mapping

from banish.model.record import LINE_LIMIT_BYTES


def render(fields: Mapping[str, str | list[str]], monotonic_seconds: float) -> tuple[bytes, bool]:
    r"""Return the entry as one line with its end, and whether it had to be cut.

    Missing fields are left out. Line ends inside become the two characters
    ``\n``, so that a sender cannot begin a line of its own.
    """
    identifier = _first(fields, "SYSLOG_IDENTIFIER") or _first(fields, "_COMM")
    process = _first(fields, "SYSLOG_PID") or _first(fields, "_PID")
    words = [_first(fields, "_HOSTNAME")]
    if identifier:
        words.append(f"{identifier}[{process}]:" if process else f"{identifier}:")
        if identifier == "kernel":
            words.append(f"[{_monotonic(fields, monotonic_seconds):12.6f}]")
    words.append(_first(fields, "MESSAGE"))
    text = " ".join(word for word in words if word).replace("\n", "\\n")
    line = text.encode(errors="replace")
    if len(line) > LINE_LIMIT_BYTES:
        return line[:LINE_LIMIT_BYTES] + b"\n", True
    return line + b"\n", False


def _first(fields: Mapping[str, str | list[str]], name: str) -> str:
    found = fields.get(name, "")
    return found if isinstance(found, str) else found[0]


def _monotonic(fields: Mapping[str, str | list[str]], received_seconds: float) -> float:
    """When the kernel wrote it, rather than when journald took it, in seconds since boot."""
    written = _first(fields, "_SOURCE_MONOTONIC_TIMESTAMP")
    if written.isascii() and written.isdigit() and len(written) < 20:
        return int(written) / 1_000_000
    return received_seconds
