"""Every promise of docs/security.md names a test that exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
PROMISES = re.findall(r"^\| (?!promise|---)([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)


def test_the_page_promises_something() -> None:
    assert len(PROMISES) > 25


@pytest.mark.parametrize("promise", [promise for promise, _ in PROMISES])
def test_a_promise_names_a_test_that_exists(promise: str) -> None:
    (held_by,) = [tests for each, tests in PROMISES if each == promise]
    named = re.findall(r"`(tests/[\w/.]+)`", held_by)
    assert named or "./dev bench" in held_by
    for path in named:
        assert (ROOT / path).exists(), path
