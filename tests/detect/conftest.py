"""The local zone of these tests: UTC, unless a test wants another."""

import os
import time
from collections.abc import Callable, Iterator

import pytest

SetZone = Callable[[str], None]


def _set(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    time.tzset()


@pytest.fixture(autouse=True)
def set_zone() -> Iterator[SetZone]:
    """Make UTC the local zone; return what makes another one."""
    before = os.environ.get("TZ")
    _set("UTC")
    yield _set
    _set(before)
