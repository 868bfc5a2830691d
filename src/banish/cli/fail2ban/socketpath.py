"""Where the socket of a server is, without loading the configuration: a client starts fast.

Only plain values are read; one that refers to other options is not followed, and the usual
place is taken.
"""

import re
from pathlib import Path

DEFAULT_SOCKET = "/var/run/fail2ban/fail2ban.sock"

_ROOTS = ("/etc/banish", "/etc/fail2ban")


def socket_in(root: str) -> str:
    """Return the socket that the configuration in *root* names; empty: that of this host."""
    folder = (
        Path(root) if root else next((each for each in map(Path, _ROOTS) if each.is_dir()), None)
    )
    if folder is None:
        return DEFAULT_SOCKET
    found = ""
    for program, option in (("fail2ban", "socket"), ("banish", "fail2bansocket")):
        for path in _files(folder, program):
            found = _value(path, option) or found
    return found or DEFAULT_SOCKET


def _files(folder: Path, program: str) -> list[Path]:
    """Return the files of *program* in the order in which they count, the last one most."""
    own = [folder / f"{program}.conf", *sorted(folder.glob(f"{program}.d/*.conf"))]
    return [*own, folder / f"{program}.local", *sorted(folder.glob(f"{program}.d/*.local"))]


def _value(path: Path, option: str) -> str:
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return ""
    found = re.findall(rf"(?m)^{option}[ \t]*[=:][ \t]*(/[^%\s]+)[ \t]*$", text)
    return found[-1] if found else ""
