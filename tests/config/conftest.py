"""Configuration trees made of a few lines, for the tests of this folder."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from banish.config import jails, search
from tests.config.tree import WriteTree


@pytest.fixture
def write_tree(tmp_path: Path) -> WriteTree:
    """Give a function that writes files below a new folder and returns the folder."""
    count = 0

    def write(files: Mapping[str, str]) -> Path:
        nonlocal count
        count += 1
        root = tmp_path / f"tree{count}"
        root.mkdir()
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return root

    return write


@pytest.fixture(autouse=True)
def _bare_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no test see the configuration or the journal of the host it runs on."""
    monkeypatch.setattr(search, "DEFAULT_ROOTS", ())
    monkeypatch.setattr(jails, "JOURNAL_FOLDERS", (tmp_path / "journal",))
