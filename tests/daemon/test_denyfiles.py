"""Actions that write files, as the server makes them."""

import asyncio
from pathlib import Path

from banish.addon.declare import ActionContext
from banish.config.load import builtin_tree, load
from banish.enforce.addons import hosts_deny, nginx_deny
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.model.settings import ActionSettings
from tests.notify.stage import KnownFacts


def read(folder: Path, *actions: str) -> tuple[ActionSettings, ...]:
    """Return a jail's *actions* as the built-in tree has them."""
    action = "\n    ".join(actions)
    (folder / "jail.local").write_text(f"[sshd]\nlogpath = /var/log/none\naction = {action}\n")
    settings = load(folder, builtin=builtin_tree())
    assert not settings.errors, settings.errors
    return settings.jails[0].actions


def parts(jail: str, settings: ActionSettings, shared: dict[str, object]) -> ActionContext:
    return ActionContext(
        jail, settings, KnownFacts(), lambda _event: None, lambda: Instant(0), shared
    )


def ban(jail: str, address: str) -> Ban:
    return Ban(jail, parse_subject(address), Instant(0), None)


def test_jails_that_name_one_file_in_different_ways_share_its_account(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("deny")
    first, second = read(
        tmp_path,
        f'hostsdeny[file={tmp_path}/deny, daemon_list="sshd, in.ftpd:x"]',
        f"hostsdeny[file={tmp_path}/link, actname=second]",
    )
    shared: dict[str, object] = {}
    actions = [hosts_deny.make(parts("sshd", one, shared)) for one in (first, second)]
    assert [action.settings.is_enforcing for action in actions] == [True, True]
    assert not any(action.settings.flag("norestored") for action in actions)

    async def script() -> None:
        for action, address in zip(actions, ("192.0.2.1", "2001:db8::1"), strict=True):
            await action.ban(ban("sshd", address))

    asyncio.run(script())
    lines = (tmp_path / "deny").read_text("ascii").splitlines()
    # What is no name of a service cannot add a word to the line.
    assert [line for line in lines if not line.startswith("#")] == [
        "sshd in.ftpdx: 192.0.2.1",
        "ALL: [2001:db8::1]",
    ]


def test_without_a_name_of_a_service_all_are_closed(tmp_path: Path) -> None:
    (settings,) = read(tmp_path, f'hostsdeny[file={tmp_path}/deny, daemon_list=":"]')
    asyncio.run(hosts_deny.make(parts("sshd", settings, {})).ban(ban("sshd", "192.0.2.1")))
    assert "ALL: 192.0.2.1\n" in (tmp_path / "deny").read_text("ascii")


def test_nginx_is_told_by_the_shell_command_that_the_action_names(tmp_path: Path) -> None:
    reload = f"cp {tmp_path}/deny.conf {tmp_path}/seen"
    (settings,) = read(tmp_path, f'nginx-deny[file={tmp_path}/deny.conf, reload="{reload}"]')
    asyncio.run(nginx_deny.make(parts("web", settings, {})).ban(ban("web", "198.51.100.0/24")))
    assert "deny 198.51.100.0/24;\n" in (tmp_path / "seen").read_text("ascii")
