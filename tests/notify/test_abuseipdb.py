"""Reports to a service that answers as AbuseIPDB's API does."""

from pathlib import Path
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from banish.errors import ActionError
from banish.model.address import parse_subject
from banish.model.failure import Evidence
from tests.notify.service import Asked, service
from tests.notify.stage import ban, end, make, play

TWICE = {
    "errors": [
        {
            "detail": "You can only report the same IP address (`203.0.113.9`) once in 15 minutes.",
            "status": 403,
            "source": {"parameter": "ip"},
        }
    ]
}
DAILY = {"errors": [{"detail": "Daily rate limit of 1000 requests exceeded", "status": 429}]}


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_text("0123abcd\n")
    return str(path)


def form(asked: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}


def test_a_report_names_address_categories_and_time_and_nothing_private(key: str) -> None:
    line = "web1 sshd[9]: Failed password for alice from 203.0.113.9 to 198.51.100.4, a@example.org"

    async def part() -> None:
        async with service() as api:
            action = make(
                "abuseipdb", url=f"{api.url}/api/v2/report", key_file=key,
                categories=("18", "22"), lines=3,
            )  # fmt: skip
            await action.ban(
                ban("203.0.113.9", evidence=(Evidence(line),), tags=(("user", "alice"),))
            )
            await action.tick()
            await end(action)
            (asked,) = api.asked
            assert (asked.method, asked.path) == ("POST", "/api/v2/report")
            assert asked.headers["key"] == "0123abcd"
            said = form(asked)
            assert said["ip"] == "203.0.113.9"
            assert said["categories"] == "18,22"
            assert said["timestamp"].startswith("2026-")
            assert said["comment"] == (
                "5 failures in sshd, banned\n"
                "*** sshd[9]: Failed password for *** from 203.0.113.9 to ***, ***"
            )

    play(part)


def test_an_address_is_reported_once_in_a_quarter_of_an_hour_by_all_jails(key: str) -> None:
    async def part() -> None:
        async with service() as api:
            shared: dict[str, object] = {}
            one = make("abuseipdb", url=api.url, key_file=key, shared=shared)
            two = make("abuseipdb", url=api.url, key_file=key, shared=shared, jail="web")
            for action in (one, two):
                await action.ban(ban("203.0.113.9"))
                await action.tick()
                await end(action)
            assert len(api.asked) == 1

    play(part)


@pytest.mark.parametrize(
    "subject",
    ["10.0.0.1", "127.0.0.1", "fe80::1", "fd00::1", "::1", "100.64.0.1", "198.51.100.0/24", "eve"],
)  # fmt: skip
def test_who_means_nothing_to_strangers_is_not_reported(subject: str, key: str) -> None:
    async def part() -> None:
        async with service() as api:
            action = make("abuseipdb", url=api.url, key_file=key)
            await action.ban(ban("203.0.113.9", subject=parse_subject(subject)))
            await action.tick()
            await action.ban(ban("203.0.113.9", cause="operator"))
            await action.tick()
            await end(action)
            assert api.asked == []

    play(part)


def test_an_address_reported_by_somebody_else_of_ours_counts_as_reported(key: str) -> None:
    async def part() -> None:
        async with service() as api:
            api.next = [web.json_response(TWICE, status=429)]
            action = make("abuseipdb", url=api.url, key_file=key)
            await action.ban(ban("203.0.113.9"))
            await action.tick()
            assert action.due is None
            await end(action)

    play(part)


@pytest.mark.parametrize(
    ("answer", "says", "cure", "is_tried_again"),
    [
        ((DAILY, 429), "Daily rate limit", "later", True),
        (({"errors": [{"detail": "Authentication failed."}]}, 401), "401", "API key", True),
        (({"errors": [{"detail": "The categories is invalid"}]}, 422), "categor", "categ", False),
        (("garbage", 500), "500", "", True),
    ],
)
def test_what_the_service_refuses_is_told_with_the_cure(
    answer: tuple[object, int], says: str, cure: str, is_tried_again: bool, key: str
) -> None:
    async def part() -> None:
        async with service() as api:
            body, status = answer
            headers = {"Retry-After": "29"} if status == 429 else {}
            api.next = [web.json_response(body, status=status, headers=headers)]
            action = make("abuseipdb", url=api.url, key_file=key)
            await action.ban(ban("203.0.113.9"))
            with pytest.raises(ActionError, match=says) as caught:
                await action.tick()
            assert cure in caught.value.cure
            assert "0123abcd" not in str(caught.value)
            assert (action.due is not None) is is_tried_again
            await end(action)

    play(part)
