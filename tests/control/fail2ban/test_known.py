"""Jails that are made by commands: added, set, started."""

import pytest

from banish.control.fail2ban import known
from banish.control.fail2ban.answers import CommandError
from banish.model.settings import Regex
from tests.control.fail2ban.asking import SSHD, Asked


def test_a_jail_is_made_option_by_option_and_runs_once_it_is_started() -> None:
    ask = Asked()
    assert ask("add web polling") == "web"
    ask("set web addfailregex '^bad <HOST>$'")
    ask("set web maxretry 2")
    assert ask.port.changes == []
    assert ask("status")[1] == ("Jail list", "nginx, sshd, web")
    assert ask("banned")[-1] == {"web": []}
    assert ask("start web") is None
    (made,) = ask.port.changes
    assert (made.name, made.backend, made.maxretry) == ("web", "polling", 2)
    assert made.filter.failregex == (Regex("^bad <HOST>$"),)
    assert ask("start web") is None
    assert len(ask.port.changes) == 1


def test_a_jail_that_was_not_started_bans_nobody() -> None:
    ask = Asked()
    ask("add web systemd")
    for command in ("set web banip 192.0.2.1", "set web attempt 192.0.2.1"):
        with pytest.raises(CommandError, match="start web"):
            ask(command)
    assert ask("set web unbanip 192.0.2.1") == 0
    assert ask("get web banip --with-time") == []
    assert ask("status web")[0][1][2] == ("Journal matches", [])
    assert ask("set web idle on") is True


def test_a_second_jail_of_one_name_is_refused() -> None:
    ask = Asked()
    ask("add web")
    for name in ("web", "sshd"):
        with pytest.raises(CommandError) as caught:
            ask(["add", name])
        assert (caught.value.kind, caught.value.text) == ("DuplicateJailException", name)


def test_a_backend_that_does_not_exist_is_refused() -> None:
    with pytest.raises(CommandError, match="Unknown backend nonsense"):
        Asked()("add web nonsense")


def test_jails_that_are_not_started_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "UNSTARTED_LIMIT", 2)
    ask = Asked()
    ask("add a")
    ask("add b")
    with pytest.raises(CommandError, match="too many jails"):
        ask("add c")


def test_stop_ends_a_jail_whether_it_runs_or_not() -> None:
    ask = Asked()
    ask("add web")
    ask("stop web")
    ask("stop nginx")
    assert list(ask.port.settings) == ["sshd"]
    assert ask("status")[0] == ("Number of jail", 1)


def test_a_jail_that_a_reload_has_started_is_that_of_the_files() -> None:
    ask = Asked(SSHD)
    ask("add nginx")
    ask.port.settings["nginx"] = Asked().port.settings["nginx"]
    ask.port.in_force["nginx"] = {}
    assert ask("get nginx bantime") == -1


@pytest.mark.parametrize("name", ["", "--all", "a\nb", "a/b", "[a]", "x" * 200])
def test_what_would_break_log_lines_is_no_name_of_a_jail(name: str) -> None:
    with pytest.raises(CommandError, match="no name of a jail"):
        Asked()(["add", name])
