"""No test sees the configuration of the host that it runs on; those that take long come first."""

import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import settings

from banish.config import search

FOREIGN = ("/etc/fail2ban", "/etc/banish", "/var/lib/fail2ban", "/var/lib/banish")
"""What a host may have of its own. A test names its configuration and its state."""

_opened: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("open", "os.listdir", "os.scandir", "sqlite3.connect") and arguments:
        path = arguments[0]
        if isinstance(path, bytes):
            path = path.decode(errors="replace")
        if isinstance(path, str) and path.startswith(FOREIGN):
            _opened.append(path)


sys.addaudithook(_watch)


# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("anywhere", deadline=None)
settings.load_profile("anywhere")


CORE = ("tests/detect/", "tests/model/", "tests/policy/")
"""Where the tests of what decides who is banned are."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, so that none is left alone at the end."""

    def length(item: pytest.Item) -> int:
        if item.get_closest_marker("system") is not None or "tests/compat/" in item.nodeid:
            return 0
        return 1 if item.get_closest_marker("slow") is not None else 2

    items.sort(key=length)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Measure coverage in the core's own tests only: it doubles the time of a test."""
    if item.nodeid.startswith(CORE):
        return (yield)
    tracer, in_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)
        threading.settrace(in_threads)


@pytest.fixture(autouse=True)
def _host_of_nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let whoever asks for the host's configuration find none, and whoever opens it fail."""
    monkeypatch.setattr(search, "DEFAULT_ROOTS", ())
    _opened.clear()
    yield
    assert _opened == []
