"""A log for the filter ``app``."""

from pathlib import Path

import pytest

from tests.cli.fail2ban.trying import LINES


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "some.log"
    path.write_text("\n".join(LINES) + "\n")
    return str(path)
