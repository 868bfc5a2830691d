"""What has no effect where it stands, and what undoes everything."""

from collections.abc import Mapping

import pytest

from banish.config import load
from banish.model.settings import Problem
from tests.config.tree import WriteTree

JAIL = "[DEFAULT]\nbackend = polling\n[web]\nenabled = true\nfilter = web\nlogpath = /dev/null\n"
WEB = "[Definition]\nfailregex = ^<HOST> failed$\n"


def problems(
    write_tree: WriteTree, files: Mapping[str, str], *, vet: bool = False
) -> list[Problem]:
    root = write_tree({"jail.conf": JAIL, "filter.d/web.conf": WEB, **files})
    return list(load(root, builtin=root, vet=vet).problems)


@pytest.mark.parametrize("name", ["fail2ban.local", "fail2ban.conf", "banish.local"])
@pytest.mark.parametrize("section", ["Definition", "DEFAULT"])
def test_an_option_of_jails_in_a_file_of_the_server_is_an_error(
    write_tree: WriteTree, name: str, section: str
) -> None:
    (problem,) = problems(write_tree, {name: f"[{section}]\nignoreip = 192.0.2.1\n"})
    assert (problem.severity, problem.option) == ("error", "ignoreip")
    assert str(problem.place).endswith(f"{name}:2")
    assert "jail.local" in problem.cure


def test_a_jail_in_a_file_of_the_server_is_an_error(write_tree: WriteTree) -> None:
    (problem,) = problems(write_tree, {"fail2ban.local": "[sshd]\nenabled = true\n"})
    assert problem.severity == "error"
    assert "[sshd] has no effect" in problem.what
    assert problem.cure == "move [sshd] to jail.local"


def test_an_option_of_the_server_in_a_file_of_jails_is_told(write_tree: WriteTree) -> None:
    (problem,) = problems(write_tree, {"jail.local": "[DEFAULT]\nloglevel = DEBUG\n"})
    assert (problem.severity, problem.option) == ("warning", "loglevel")


@pytest.mark.parametrize(
    ("entries", "version"),
    [
        ("0.0.0.0/0", 4),
        ("192.0.2.1 0.0.0.0/1, 128.0.0.0/1", 4),
        ("::/0", 6),
        ("2000::/3", 6),
        ("2000::/4 3000::/4", 6),
    ],
)
def test_an_ignoreip_that_exempts_everybody_is_an_error(
    write_tree: WriteTree, entries: str, version: int
) -> None:
    files = {"jail.local": f"[web]\nignoreip = {entries}\n"}
    (problem,) = [each for each in problems(write_tree, files) if each.severity == "error"]
    assert problem.option == "ignoreip"
    assert f"every IPv{version} address" in problem.what


def test_a_wide_ignoreip_is_told_and_a_private_one_is_not(write_tree: WriteTree) -> None:
    entries = "10.0.0.0/8 fc00::/7 fe80::/10 192.168.0.0/16 8.0.0.0/7"
    (problem,) = problems(write_tree, {"jail.local": f"[web]\nignoreip = {entries}\n"})
    assert problem.severity == "warning"
    assert problem.what.startswith("8.0.0.0/7 exempts 33,554,432 addresses")


@pytest.mark.parametrize("name", ["jail.d/ssh.cfg", "jail.d/ssh", "filter.d/web.ini", "jail.cfg"])
def test_a_file_that_nobody_reads_is_told_by_check(write_tree: WriteTree, name: str) -> None:
    (problem,) = problems(write_tree, {name: "[web]\nmaxretry = 2\n"}, vet=True)
    assert str(problem.place).endswith(name)
    assert "is not read" in problem.what


@pytest.mark.parametrize(
    "name",
    [
        "jail.d/ssh.conf.bak", "jail.d/ssh.conf~", "jail.d/README", "jail.d/x.disabled",
        "jail.d/ssh.conf.dpkg-old", "filter.d/web.local.orig", "jail.d/.hidden",
    ],
)  # fmt: skip
def test_a_file_that_was_put_aside_is_not_told(write_tree: WriteTree, name: str) -> None:
    assert problems(write_tree, {name: "[web]\n"}, vet=True) == []


def test_a_configuration_without_any_jail_is_no_clean_one(write_tree: WriteTree) -> None:
    files = {"jail.local": "[web]\nenabled = false\n"}
    (problem,) = problems(write_tree, files, vet=True)
    assert problem.severity == "error"
    assert "no jail runs" in problem.what


def test_a_logpath_beside_the_journal_is_an_error_if_nothing_says_what_to_read(
    write_tree: WriteTree,
) -> None:
    files = {"jail.local": "[DEFAULT]\nbackend = systemd\n"}
    (problem,) = problems(write_tree, files)
    assert (problem.severity, problem.option) == ("error", "logpath")
    assert "jail.local:2" in problem.what
    assert "backend = auto in [web]" in problem.cure


def test_a_logpath_beside_the_journal_is_a_warning_where_the_package_chose_the_journal(
    write_tree: WriteTree,
) -> None:
    jail = "[INCLUDES]\nbefore = paths-debian.conf\n" + JAIL.replace("polling", "%(web_backend)s")
    files = {"jail.conf": jail, "paths-debian.conf": "[DEFAULT]\nweb_backend = systemd\n"}
    (problem,) = problems(write_tree, files)
    assert (problem.severity, problem.option) == ("warning", "logpath")
    assert "paths-debian.conf:2" in problem.what
    match = {"jail.local": "[web]\njournalmatch = _SYSTEMD_UNIT=web.service\n"}
    assert problems(write_tree, files | match) == []


def test_a_logpath_beside_the_journal_is_told_where_somebody_wrote_it(
    write_tree: WriteTree,
) -> None:
    match = "journalmatch = _SYSTEMD_UNIT=web.service\n"
    stock = {"jail.local": f"[DEFAULT]\nbackend = systemd\n[web]\n{match}"}
    assert problems(write_tree, stock) == []
    own = {"jail.local": stock["jail.local"] + "logpath = /var/log/web.log\n"}
    (problem,) = problems(write_tree, own)
    assert (problem.severity, problem.option) == ("warning", "logpath")


def test_a_jail_whose_actions_ban_nobody_is_told(write_tree: WriteTree) -> None:
    files = {
        "action.d/tell.conf": "[Definition]\nactionban = logger <ip>\n",
        "jail.local": "[web]\naction = tell\n",
    }
    (problem,) = problems(write_tree, files)
    assert "bans nobody" in problem.what


def test_a_file_in_utf_16_is_read_and_told_with_the_cure_that_fits(write_tree: WriteTree) -> None:
    root = write_tree({"jail.conf": "", "filter.d/web.conf": WEB})
    (root / "jail.conf").write_bytes(JAIL.encode("utf-16"))
    settings = load(root, builtin=root)
    assert [jail.name for jail in settings.jails] == ["web"]
    (problem,) = settings.problems
    assert "iconv -f utf-16 -t utf8 jail.conf" in problem.cure


def test_a_percent_sign_in_a_date_pattern_is_told_with_what_to_write(
    write_tree: WriteTree,
) -> None:
    (problem,) = problems(write_tree, {"jail.local": "[web]\ndatepattern = ^%H:%M\n"})
    assert problem.option == "datepattern"
    assert "write %%H for %H" in problem.cure
    assert "the list of usual formats counts instead" in problem.what


def test_a_time_limit_that_an_action_does_not_read_is_told(write_tree: WriteTree) -> None:
    files = {
        "action.d/slow.conf": "[Definition]\nactionban = sleep 30\nactionunban = :\ntimeout = 3\n",
        "jail.local": "[web]\naction = slow\n",
    }
    (problem,) = problems(write_tree, files)
    assert (problem.option, problem.cure) == ("timeout", "move the line to [Init]")
