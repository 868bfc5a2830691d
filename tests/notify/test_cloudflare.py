"""Keeping subjects out at a service that answers as Cloudflare's API does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from banish.errors import ActionError
from banish.model.address import parse_subject
from banish.model.decision import EndBan, StartBan
from banish.notify import remote
from banish.notify.addons import cloudflare
from banish.notify.addons.cloudflare import values
from banish.notify.remote import RemoteAction
from banish.telemetry.events import PartFailed, PartRecovered
from tests.notify.service import Asked, Service, service
from tests.notify.stage import Running, ban, make, play


@pytest.fixture
def token(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text("t0ken\n")
    return str(path)


class Rules:
    """Plays the API's IP access rules and list items."""

    def __init__(self, api: Service) -> None:
        self.there: dict[str, dict[str, Any]] = {}
        self.refuses: list[tuple[int, object]] = []
        """What is answered to the next requests that change something."""
        self.writes = 0
        self._number = 0
        api.play = self.answer

    def add(self, value: str, note: str = "banish") -> None:
        self._number += 1
        target = "ip_range" if "/" in value else "ip6" if ":" in value else "ip"
        self.there[str(self._number)] = {
            "id": str(self._number),
            "notes": note,
            "comment": note,
            "ip": value,
            "mode": "block",
            "configuration": {"target": target, "value": value},
        }

    @property
    def closed(self) -> list[str]:
        return sorted(row["ip"] for row in self.there.values() if row["notes"] == "banish")

    def answer(self, asked: Asked) -> web.Response:
        assert asked.headers["authorization"] == "Bearer t0ken"
        is_list = asked.path.endswith("/items")
        if asked.method == "GET":
            return self._page(asked, is_list=is_list)
        self.writes += 1
        if self.refuses:
            status, body = self.refuses.pop(0)
            return web.json_response(body, status=status)
        if is_list:
            if asked.method == "POST":
                for item in asked.json():
                    if item["ip"] not in self.closed:
                        self.add(item["ip"], item["comment"])
            else:
                for item in asked.json()["items"]:
                    del self.there[item["id"]]
            return web.json_response({"success": True, "result": {"operation_id": "op"}})
        if asked.method == "POST":
            value = asked.json()["configuration"]["value"]
            assert asked.json()["mode"] == "block"
            if any(row["ip"] == value for row in self.there.values()):
                errors = [{"code": 10009, "message": "api.duplicate_of_existing"}]
                return web.json_response({"success": False, "errors": errors}, status=400)
            self.add(value, asked.json()["notes"])
            return web.json_response({"success": True, "result": {"id": str(self._number)}})
        number = asked.path.rpartition("/")[2]
        if self.there.pop(number, None) is None:
            return web.json_response({"success": False}, status=404)
        return web.json_response({"success": True, "result": {"id": number}})

    def _page(self, asked: Asked, *, is_list: bool) -> web.Response:
        rows = list(self.there.values())
        size = int(asked.query["per_page"])
        if is_list:
            start = int(asked.query.get("cursor", "0"))
            after = str(start + size) if start + size < len(rows) else ""
            info: dict[str, object] = {"cursors": {"after": after}}
        else:
            start = (int(asked.query["page"]) - 1) * size
            info = {"page": 1}
        part = rows[start : start + size]
        return web.json_response({"success": True, "result": part, "result_info": info})


RULES = {"zone": "z1", "list": ""}
LIST = {"account": "a1", "list": "l1"}


@pytest.mark.parametrize("where", [RULES, LIST])
def test_whoever_is_banned_is_kept_out_and_let_in_again(where: dict[str, str], token: str) -> None:
    async def part() -> None:
        async with service() as api:
            rules = Rules(api)
            rules.add("192.0.2.77", "a rule of the operator's own")
            running = Running(make("cloudflare", url=api.url, token_file=token, options=where))
            running.start()
            subjects = ("192.0.2.1", "198.51.100.0/24", "2001:db8::/64")
            bans = [ban(each, subject=parse_subject(each)) for each in subjects]
            running.acting.act([StartBan(each) for each in bans])
            await api.until(lambda: rules.closed == sorted(subjects))
            running.acting.act([EndBan(bans[0], "expired")])
            await api.until(lambda: rules.closed == sorted(subjects[1:]))
            await running.finish()
            assert rules.closed == []
            assert [row["ip"] for row in rules.there.values()] == ["192.0.2.77"]
            assert running.told == []

    play(part)


@pytest.mark.parametrize("where", [RULES, LIST])
def test_a_restart_makes_nothing_twice_and_lets_in_who_is_banned_no_more(
    where: dict[str, str], token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloudflare, "SETTLE", 0.1)
    monkeypatch.setattr(cloudflare, "PAGE", 7)

    async def part() -> None:
        async with service() as api:
            rules = Rules(api)
            for number in range(1, 31):
                rules.add(f"192.0.2.{number}")
            action = make("cloudflare", url=api.url, token_file=token, options=where)
            running = Running(action)
            running.acting.restore([ban(f"192.0.2.{number}") for number in range(11, 31)])
            running.start()
            await api.until(lambda: len(rules.closed) == 20)
            assert "192.0.2.10" not in rules.closed
            assert rules.writes == (1 if where is LIST else 10)
            await running.finish(keep=True)
            assert len(rules.closed) == 20

    play(part)


def test_two_jails_keep_one_subject_out_until_both_let_it_in(token: str) -> None:
    async def part() -> None:
        async with service() as api:
            rules = Rules(api)
            shared: dict[str, object] = {}
            one, two = (
                make(
                    "cloudflare", url=api.url, token_file=token, shared=shared, jail=jail, zone="z"
                )
                for jail in ("sshd", "web")
            )
            for action in (one, two):
                await action.start()
                await action.ban(ban())
                await action.tick()
            assert rules.closed == ["192.0.2.1"]
            assert rules.writes == 1
            await one.unban(ban())
            await one.tick()
            assert rules.closed == ["192.0.2.1"]
            await two.unban(ban())
            await two.tick()
            assert rules.closed == []
            for action in (one, two):
                await action.stop()

    play(part)


def test_somebody_elses_rule_for_the_same_address_is_left_alone(token: str) -> None:
    async def part() -> None:
        async with service() as api:
            rules = Rules(api)
            rules.add("192.0.2.1", "by hand")
            action = make("cloudflare", url=api.url, token_file=token, zone="z1")
            await action.start()
            await action.ban(ban())
            await action.tick()
            await action.unban(ban())
            await action.tick()
            assert len(rules.there) == 1
            await action.stop()

    play(part)


@pytest.mark.parametrize("where", [RULES, LIST])
def test_what_fails_is_tried_again_until_it_is_done(
    where: dict[str, str], token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.05)

    async def part() -> None:
        async with service() as api:
            rules = Rules(api)
            rules.refuses = [
                (500, "oops"),
                (403, {"success": False, "errors": [{"message": "not allowed"}]}),
                (400, {"success": False}),
            ]
            running = Running(make("cloudflare", url=api.url, token_file=token, options=where))
            running.start()
            running.acting.act([StartBan(ban())])
            met = await running.heard(PartFailed)
            assert isinstance(met, PartFailed)
            assert "Cloudflare answered 500" in met.what
            assert "t0ken" not in str(running.told)
            await running.heard(PartRecovered)
            assert rules.closed == ["192.0.2.1"]
            assert any("not allowed" in str(each) for each in running.told)
            await running.finish()

    play(part)


def test_a_list_that_is_still_being_worked_on_is_waited_for(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def part() -> None:
        async with service() as api:
            rules = Rules(api)
            rules.refuses = [(429, {"success": False, "errors": [{"message": "pending"}]})]
            action = make("cloudflare", url=api.url, token_file=token, options=LIST)
            await action.start()
            await action.ban(ban())
            with pytest.raises(ActionError, match="pending"):
                await action.tick()
            assert action.due is not None
            assert action.due > asyncio.get_running_loop().time() + 10
            await action.tick()
            assert rules.closed == ["192.0.2.1"]
            await action.stop()

    play(part)


def test_thousands_of_bans_are_a_few_requests_to_a_list(token: str) -> None:
    async def part() -> None:
        async with service() as api:
            rules = Rules(api)
            action = make("cloudflare", url=api.url, token_file=token, options=LIST)
            await action.start()
            for number in range(2_500):
                await action.ban(
                    ban(f"198.{18 + number // 65536}.{number // 256 % 256}.{number % 256}")
                )
            for _ in range(3):
                await action.tick()
            assert len(rules.closed) == 2_500
            assert rules.writes == 3
            assert await action.flush()
            assert rules.closed == []
            await action.stop()

    play(part)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (web.Response(text="<html>not JSON</html>"), "answered 200"),
        (web.json_response([1, 2]), "answered 200"),
        (web.json_response({"success": False}, status=403), "answered 403"),
        (web.json_response({"success": False}, status=404), "answered 404"),
    ],
)
def test_nonsense_changes_nothing(answer: web.Response, says: str, token: str) -> None:
    async def part() -> None:
        async with service() as api:
            api.next = [answer]
            action = make("cloudflare", url=api.url, token_file=token, zone="z")
            await action.start()
            await action.ban(ban())
            with pytest.raises(ActionError, match=says) as caught:
                await action.tick()
            assert caught.value.cure
            assert len(api.asked) == 1
            await action.stop()

    play(part)


def test_odd_rows_of_a_list_are_passed_over(token: str) -> None:
    rows: list[object] = [
        None, 7, {"notes": "banish"}, {"notes": "banish", "id": "1", "configuration": 3},
        {"notes": "banish", "id": 5, "configuration": {"value": "192.0.2.9"}},
        {"notes": "banish", "id": "1", "configuration": {"value": "nobody"}},
        {"notes": "banish", "id": "1", "configuration": {"value": "192.0.2.9"}},
    ]  # fmt: skip

    async def part() -> None:
        async with service() as api:
            api.next = [web.json_response({"result": rows})]
            action = make("cloudflare", url=api.url, token_file=token, zone="z")
            await action.start()
            await action.tick()
            assert isinstance(action, RemoteAction)
            assert isinstance(action._edge, cloudflare.CloudflarePlace)
            assert action._edge._there == {"192.0.2.9": "1"}
            await action.stop()

    play(part)


def test_paths_hold_what_the_operator_wrote_and_nothing_beside(token: str) -> None:
    async def part() -> None:
        async with service() as api:
            Rules(api)
            action = make("cloudflare", url=api.url + "/v4/", token_file=token, zone="../x?y")
            await action.start()
            await action.tick()
            assert api.asked[0].path == "/v4/zones/../x?y/firewall/access_rules/rules"
            await action.stop()

    play(part)


@pytest.mark.parametrize(
    ("text", "in_rules", "in_list"),
    [
        ("192.0.2.1", ["192.0.2.1"], ["192.0.2.1"]),
        ("192.0.2.0/24", ["192.0.2.0/24"], ["192.0.2.0/24"]),
        ("192.0.2.0/31", ["192.0.2.0", "192.0.2.1"], ["192.0.2.0/31"]),
        ("2001:db8::1", ["2001:db8::1"], ["2001:db8::/64"]),
        ("2001:db8::/64", ["2001:db8::/64"], ["2001:db8::/64"]),
        ("2001:db8::/70", [], ["2001:db8::/64"]),
        ("10.0.0.0/8", 256, ["10.0.0.0/8"]),
        ("alice", [], []),
    ],
)
def test_subjects_are_called_as_cloudflare_calls_them(
    text: str, in_rules: list[str] | int, in_list: list[str]
) -> None:
    subject = parse_subject(text)
    found = values(subject, in_list=False)
    assert len(found) == in_rules if isinstance(in_rules, int) else list(found) == in_rules
    assert list(values(subject, in_list=True)) == in_list


def test_a_subject_that_cannot_be_held_is_not_counted_as_held(token: str) -> None:
    async def part() -> None:
        action = make("cloudflare", url="http://127.0.0.1:1", token_file=token, zone="z")
        await action.ban(ban(subject=parse_subject("alice")))
        await action.reban(ban())
        await action.prolong(ban(until=None))
        assert [each.text for each in action.held] == ["192.0.2.1"]
        assert action.held[parse_subject("192.0.2.1")].until is None
        assert action.due is None

    play(part)
