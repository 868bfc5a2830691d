"""The local zone of these tests: UTC, unless a test wants another."""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from banish.detect import shortcut
from tests.detect.ways import fuse_once

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


@pytest.fixture(scope="module")
def at_once() -> Iterator[None]:
    """Take the short way from the first line on."""
    patch = pytest.MonkeyPatch()
    patch.setattr(shortcut, "AFTER_LINES", 1)
    patch.setattr(shortcut, "fuse", fuse_once)
    yield
    patch.undo()
