"""How an optional package is installed where banish looks for it."""

import importlib.metadata
import sys

import pytest

from banish import extras


@pytest.mark.parametrize("extra", extras.PACKAGES)
def test_the_command_installs_what_the_extra_asks_for_into_this_environment(extra: str) -> None:
    command = extras.how_to_install(extra)
    assert command.startswith(f"{sys.executable} -m pip install ")
    wanted = command.rpartition(" ")[2].strip("'")
    required = importlib.metadata.requires("banish") or []
    assert f"{wanted}; extra == '{extra}'" in required


def test_without_an_installed_banish_the_package_alone_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "requires", fail)
    assert extras.how_to_install("web").endswith(" -m pip install aiohttp")
