"""A small configuration tree of one jail, and what is read from it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from banish.config import load
from banish.model.settings import Settings

WriteTree = Callable[[Mapping[str, str]], Path]
"""Writes files below a new folder and returns the folder."""

FILTER = "[Definition]\nfailregex = ^bad <HOST>$\n"


def read_web(write_tree: WriteTree, lines: str, *, builtin: Path | None = None) -> Settings:
    """Return what a jail called web with *lines* of its own is read as, over *builtin* or alone."""
    jail = f"[web]\nenabled = 1\nfilter = web\nlogpath = /nowhere/web.log\n{lines}"
    name = "jail.local" if builtin else "jail.conf"
    root = write_tree({name: jail, "filter.d/web.conf": FILTER})
    return load(root, builtin=builtin or root)
