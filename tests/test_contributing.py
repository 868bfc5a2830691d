"""The recipes of CONTRIBUTING.md name files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PATHS = sorted(set(re.findall(r"`((?:src|tests|docs|share|tools)/[\w/.-]+)`", PAGE)))


def test_there_is_a_recipe_for_each_thing_that_is_often_added() -> None:
    recipes = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
    assert recipes == [
        "An option of a jail",
        "A notifier",
        "A firewall",
        "An event with its metric",
        "A verb",
        "A filter",
    ]
    assert len(PATHS) > 20


@pytest.mark.parametrize("path", PATHS)
def test_a_file_that_a_recipe_names_exists(path: str) -> None:
    # NAME stands for what is added; its folder must be there.
    named = ROOT / path
    assert (named.parent if "NAME" in path else named).exists()
