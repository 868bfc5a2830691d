"""From a configuration directory to a mail in a box: every part is the real one."""

import asyncio
from pathlib import Path

from banish.config.load import load
from banish.config.search import builtin_tree
from banish.daemon.build import action_maker
from banish.daemon.dispatcher import ActionDispatcher
from banish.model.decision import EndBan, StartBan
from banish.model.settings import Settings
from banish.telemetry.events import ActionPlanned, Event
from tests.notify.service import service
from tests.notify.stage import NOW, KnownFacts, ban, mail_server, play

JAIL = """
[sshd]
port = ssh
backend = auto
logpath = {log}
action = %(action_)s
         mail[to="admin@example.org", via=smtp, host=127.0.0.1, port={smtp}, security=none]
         webhook[url={url}/hook, on="ban unban"]
         mail[sendmail=/nowhere, actname=second]
"""


def tree(folder: Path, **values: object) -> Path:
    root = folder / "etc"
    root.mkdir(exist_ok=True)
    (folder / "log").touch()
    (root / "jail.local").write_text(JAIL.format(log=folder / "log", **values))
    return root


def dispatcher(settings: Settings, told: list[Event], *, dry_run: bool) -> ActionDispatcher:
    """Return what carries the actions of *settings* out, but for those of the firewall."""
    make = action_maker(
        settings.server, facts=KnownFacts(), emit=told.append, clock=lambda: NOW, dry_run=dry_run
    )
    made = {
        jail.name: [each for action in jail.actions if (each := make(jail, action)) is not None]
        for jail in settings.jails
    }
    return ActionDispatcher(made, emit=told.append, clock=lambda: NOW)


def test_a_jail_tells_by_mail_and_webhook_beside_the_firewall(tmp_path: Path) -> None:
    async def part() -> None:
        async with mail_server() as box, service() as hook:
            root = tree(tmp_path, smtp=box.port, url=hook.url)
            settings = load(root, builtin=builtin_tree())
            assert not settings.problems
            (jail,) = settings.jails
            assert jail.enforcement is not None
            assert [each.way for each in jail.actions] == ["native", *["built-in"] * 3]
            assert jail.actions[-1].options["port"] == 0
            told: list[Event] = []
            made = dispatcher(settings, told, dry_run=False)
            tasks = [asyncio.create_task(worker.run()) for worker in made.workers]
            made.act([StartBan(ban())])
            mail = await box.take()
            await hook.take()
            made.act([EndBan(ban(), "expired")])
            await hook.take(2)
            assert not made.enforces("sshd")
            assert "second of sshd: /nowhere cannot be started" in made.trouble("sshd")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await made.finish(keep=True)
            assert mail["To"] == "admin@example.org"
            assert [asked.json()["events"][0]["kind"] for asked in hook.asked] == ["ban", "unban"]

    play(part)


def test_a_trial_run_tells_of_what_it_would_do_and_does_nothing(tmp_path: Path) -> None:
    async def part() -> None:
        async with mail_server() as box:
            root = tree(tmp_path, smtp=box.port, url="http://127.0.0.1:1")
            told: list[Event] = []
            made = dispatcher(load(root, builtin=builtin_tree()), told, dry_run=True)
            made.act([StartBan(ban()), EndBan(ban(), "expired")])
            await made.finish(keep=False)
            planned = [each for each in told if isinstance(each, ActionPlanned)]
            assert {(each.action, each.what) for each in planned} == {
                (action, what)
                for action in ("mail", "webhook", "second")
                for what in ("ban 192.0.2.1", "unban 192.0.2.1")
            }
            assert box.mails == []

    play(part)
