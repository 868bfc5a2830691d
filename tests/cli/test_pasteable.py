"""Commands in messages work as they are pasted."""

import argparse
from collections.abc import Iterator

import pytest

from banish.cli import pasteable


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    remember(None, None, None)


def remember(config: str | None, socket: str | None, state: str | None) -> None:
    pasteable.remember(argparse.Namespace(config=config, socket=socket, state=state))


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("banish check", "banish check -c '/etc/my banish' --state /run/b"),
        ("start it: banish run", "start it: banish run -c '/etc/my banish' --state /run/b"),
        (
            "'banish bans --jail web' shows who",
            "'banish bans -c '/etc/my banish' --state /run/b --jail web' shows who",
        ),
        ("another banish serves there", "another banish serves there"),
        ("banish checks it", "banish checks it"),
    ],
)
def test_a_command_carries_the_options_that_were_given(message: str, shown: str) -> None:
    remember("/etc/my banish", None, "/run/b")
    assert pasteable.pasteable(message) == shown


def test_without_options_a_message_stays_as_it_is() -> None:
    remember(None, None, None)
    assert pasteable.pasteable("banish check") == "banish check"
    assert pasteable.given() == ""
    remember(None, "/run/s", None)
    assert pasteable.given() == " -s /run/s"
