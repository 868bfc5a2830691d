"""Messages to chats by way of Apprise, to services on loopback that its generic addresses reach."""

import warnings
from pathlib import Path

import apprise
import pytest
from aiohttp import web

from banish.errors import ActionError
from banish.model.failure import Evidence
from banish.notify.addons.chat import plain, text_of
from banish.notify.report import Report
from tests.notify.service import service
from tests.notify.stage import HOSTILE, ban, make, play


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    """Load Apprise's plugins, some of which import what Python is about to drop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        apprise.Apprise().add("json://127.0.0.1")


def addresses(folder: Path, *lines: str) -> str:
    path = folder / "chats"
    path.write_text("# who is told\n\n" + "\n".join(lines) + "\n")
    return str(path)


def test_a_ban_reaches_everybody_in_the_file(tmp_path: Path) -> None:
    async def part() -> None:
        async with service() as one, service() as two:
            path = addresses(
                tmp_path, one.url.replace("http", "json"), two.url.replace("http", "json")
            )
            action = make("chat", urls_file=path)
            await action.ban(ban(evidence=(Evidence(HOSTILE),)))
            await action.tick()
            await action.stop()
            for each in (one, two):
                (asked,) = each.asked
                said = asked.json()
                assert said["title"] == "192.0.2.1 banned on web1.example.org by sshd"
                assert "failures: 5" in said["message"]
                assert "<script>" not in said["message"]
                assert len(said["message"]) <= 1_500
                assert "\x1b" not in said["message"]

    play(part)


def test_only_who_missed_it_is_told_again(tmp_path: Path) -> None:
    async def part() -> None:
        async with service() as one, service() as two:
            path = addresses(
                tmp_path, one.url.replace("http", "json"), two.url.replace("http", "json")
            )
            two.next = [web.Response(status=500)]
            action = make("chat", urls_file=path)
            await action.ban(ban())
            with pytest.raises(ActionError, match="did not arrive") as caught:
                await action.tick()
            assert "these lines" in caught.value.what
            assert caught.value.what.endswith(": 4")
            assert "127.0.0.1" not in str(caught.value)
            await action.tick()
            assert (len(one.asked), len(two.asked)) == (1, 2)
            await action.ban(ban("192.0.2.2"))
            await action.tick()
            assert (len(one.asked), len(two.asked)) == (2, 3)

    play(part)


def test_many_bans_are_one_message(tmp_path: Path) -> None:
    async def part() -> None:
        async with service() as one:
            path = addresses(tmp_path, one.url.replace("http", "json"))
            action = make("chat", urls_file=path, most=5)
            for number in range(1, 31):
                await action.ban(ban(f"192.0.2.{number}"))
            await action.tick()
            (asked,) = one.asked
            assert asked.json()["title"] == "30 bans on web1.example.org by sshd"
            assert "and 25 more" in asked.json()["message"]

    play(part)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "names nobody"),
        ("nonsense", "line 3"),
        (None, "cannot be read"),
    ],
)
def test_what_is_wrong_with_the_file_is_told(
    content: str | None, says: str, tmp_path: Path
) -> None:
    path = str(tmp_path / "none") if content is None else addresses(tmp_path, content)

    async def part() -> None:
        action = make("chat", urls_file=path)
        await action.ban(ban())
        with pytest.raises(ActionError, match=says) as caught:
            await action.tick()
        assert caught.value.cure

    play(part)


def test_nobody_is_called_by_what_attackers_write() -> None:
    assert "@everyone" not in plain("@everyone [x](javascript:1) <@U1> `a` *b*")
    assert text_of(Report("a title", "host")) == "a title"
