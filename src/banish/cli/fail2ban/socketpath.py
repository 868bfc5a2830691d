"""Finds the socket of Fail2Ban's tree without reading the whole configuration.

A container's health check asks every few seconds, so the files that may name the socket are
searched for that one option. Where its value refers to others, the whole is read after all.
"""

import os

DEFAULT = "/var/run/fail2ban/fail2ban.sock"
ROOTS = ("/etc/banish", "/etc/fail2ban")

_NAMED = (("banish", "fail2bansocket"), ("fail2ban", "socket"))
"""Which files name it, as which option; what the first one says counts."""


def socket_path(root: str) -> str:
    """Return the path of the socket for the tree *root*; empty: where a tree usually is."""
    folder = root or next((each for each in ROOTS if os.path.isdir(each)), ROOTS[-1])  # noqa: PTH112 - pathlib takes longer to load than a ping has
    for name, option in _NAMED:
        value = _last_value(folder, name, option)
        if "%" in value or "<" in value:
            return _by_whole_configuration(folder)
        if value and value.lower() != "none":
            return value
    return DEFAULT


def _last_value(folder: str, name: str, option: str) -> str:
    value = ""
    for path in _files(folder, name):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - as above
                lines = file.readlines()
        except OSError:
            continue
        for line in lines:
            key, equals, rest = line.partition("=")
            if equals and key.strip().lower() == option and not key[:1].isspace():
                value = rest.strip()
    return value


def _files(folder: str, name: str) -> list[str]:
    """Return the files that make up *name*, each overruling those before it."""
    found = []
    for ending in (".conf", ".local"):
        found.append(f"{folder}/{name}{ending}")
        try:
            inside = sorted(os.listdir(f"{folder}/{name}.d"))  # noqa: PTH208 - as above
        except OSError:
            continue
        found += [f"{folder}/{name}.d/{each}" for each in inside if each.endswith(ending)]
    return found


def _by_whole_configuration(folder: str) -> str:
    from pathlib import Path  # noqa: PLC0415

    from banish.config import builtin_tree, load  # noqa: PLC0415

    return load(Path(folder), builtin=builtin_tree()).server.fail2bansocket or DEFAULT
