"""The users of a lab: files of /etc that know only a handful of throwaway accounts."""

import ctypes
import dataclasses
import secrets
from collections.abc import Sequence
from pathlib import Path

from banish.lab.namespaces import LabError

FIRST_UID = 61_000
"""Of throwaway users; above adduser's range, so nobody's on a normal host."""

SSHD_UID = 60_999
"""Of ``sshd``, the user without rights that OpenSSH needs."""


@dataclasses.dataclass(frozen=True)
class Account:
    """A user of the server who can log in with a password."""

    name: str
    password: str = dataclasses.field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)


def write_accounts(folder: Path, accounts: Sequence[Account]) -> None:
    """Write passwd, group and shadow into *folder*; root has no password at all."""
    passwd = ["root:x:0:0:root:/:/bin/sh", f"sshd:x:{SSHD_UID}:{SSHD_UID}::/run/sshd:/bin/false"]
    shadow = ["root:*:19000:0:99999:7:::", "sshd:*:19000:0:99999:7:::"]
    group = ["root:x:0:", f"sshd:x:{SSHD_UID}:", "tty:x:5:"]
    for uid, account in enumerate(accounts, FIRST_UID):
        passwd.append(f"{account.name}:x:{uid}:{uid}::/:/bin/sh")
        group.append(f"{account.name}:x:{uid}:")
        shadow.append(f"{account.name}:{hash_password(account.password)}:19000:0:99999:7:::")
    # nobody must exist: OpenSSH and others look the name up.
    passwd.append("nobody:x:65534:65534:nobody:/:/bin/false")
    group.append("nogroup:x:65534:")
    for name, lines, mode in (
        ("passwd", passwd, 0o644),
        ("group", group, 0o644),
        ("shadow", shadow, 0o600),
    ):
        path = folder / name
        path.write_text("".join(f"{line}\n" for line in lines))
        path.chmod(mode)


def hash_password(password: str) -> str:
    """Return *password* as crypt(5) hashes it with SHA-512.

    Raises:
        LabError: The system has no libcrypt.

    """
    for name in ("libcrypt.so.1", "libcrypt.so.2"):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.crypt.restype = ctypes.c_char_p
        # The fewest rounds that crypt(5) allows: the account lives for seconds.
        setting = f"$6$rounds=1000${secrets.token_hex(8)}"
        hashed: bytes | None = library.crypt(password.encode(), setting.encode())
        if hashed:
            return hashed.decode()
    raise LabError("libcrypt is not installed", cure="apt install libcrypt1", retry=False)
