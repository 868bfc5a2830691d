"""A whole configuration directory, from files to settings."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from banish.config import builtin_tree, explain, filter_settings, load, search
from banish.errors import ConfigError
from banish.model.instant import Seconds
from banish.model.settings import Enforcement, JailSettings, PortRange, Problem, Settings
from tests.config.tree import WriteTree

STOCK_JAIL = """
[DEFAULT]
bantime = 10m
findtime = 10m
maxretry = 5
maxmatches = %(maxretry)s
backend = auto
usedns = warn
enabled = false
mode = normal
filter = %(__name__)s[mode=%(mode)s]
protocol = tcp
chain = <known/chain>
port = 0:65535
banaction = iptables-multiport
banaction_allports = iptables-allports
action_ = %(banaction)s[port="%(port)s", protocol="%(protocol)s", chain="%(chain)s"]
action_mw = %(action_)s
            sendmail-whois[dest="root@example.org"]
action = %(action_)s
[sshd]
port = ssh
logpath = /var/log/auth.log
[recidive]
logpath = /var/log/fail2ban.log
banaction = %(banaction_allports)s
bantime = 1w
findtime = 1d
[nginx]
port = http,https
logpath = /var/log/nginx/*.log
filter = web
"""

STOCK = {
    "jail.conf": STOCK_JAIL,
    "fail2ban.conf": "[DEFAULT]\nloglevel = INFO\nlogtarget = /var/log/fail2ban.log\n"
    "socket = /var/run/fail2ban/fail2ban.sock\ndbfile = /var/lib/fail2ban/fail2ban.sqlite3\n"
    "dbpurgeage = 1d\n[Definition]\n[Thread]\n",
    "filter.d/common.conf": "[DEFAULT]\n_daemon = \\S*\nlogtype = file\n"
    "__prefix = <lt_<logtype>/__prefix>\n"
    "[lt_file]\n__prefix = \\S+ <_daemon>:\n[lt_journal]\n__prefix = <_daemon>:\n",
    "filter.d/sshd.conf": "[INCLUDES]\nbefore = common.conf\n[DEFAULT]\n_daemon = sshd\n"
    "[Definition]\nbase = ^<__prefix> bad <HOST>$\n"
    "mdre-normal =\nmdre-aggressive = ^<__prefix> odd <HOST>$\n"
    "failregex = <base>\n    <mdre-<mode>>\nmode = normal\n"
    "ignoreregex =\nmaxlines = 1\n[Init]\njournalmatch = _COMM=sshd\n",
    "filter.d/recidive.conf": "[Definition]\nfailregex = ^Ban <HOST>$\n",
    "filter.d/web.conf": "[Definition]\nfailregex = ^<HOST> 404$\nignoreregex = robots\n",
    "action.d/iptables-multiport.conf": "[INCLUDES]\nbefore = iptables.conf\n[Definition]\n"
    "type = multiport\n",
    "action.d/iptables-allports.conf": "[INCLUDES]\nbefore = iptables.conf\n[Definition]\n"
    "type = allports\n",
    "action.d/iptables.conf": "[Definition]\nactionban = x\ntype = oneport\n[Init]\nport = ssh\n"
    "protocol = tcp\nblocktype = REJECT --reject-with icmp-port-unreachable\nchain = INPUT\n",
    "action.d/sendmail-whois.conf": "[Definition]\nactionban = mail\n",
}


def only(settings: Settings) -> JailSettings:
    (jail,) = settings.jails
    return jail


def told(problems: tuple[Problem, ...]) -> list[str]:
    return [str(problem) for problem in problems]


def test_a_stock_tree_with_one_line_more_protects_ssh(write_tree: WriteTree) -> None:
    root = write_tree({**STOCK, "jail.d/on.conf": "[sshd]\nenabled = true\n"})
    settings = load(root, builtin=builtin_tree())
    assert told(settings.problems) == []
    assert settings.root == str(root)
    jail = only(settings)
    assert [regex.text for regex in jail.filter.failregex] == ["^\\S+ sshd: bad <HOST>$"]
    assert jail.filter.journalmatch == (("_COMM=sshd",),)
    assert jail.enforcement == Enforcement("sshd", ("tcp",), (PortRange(22, 22),), "reject")
    assert (jail.maxretry, jail.findtime, jail.bantime) == (5, Seconds(600), Seconds(600))
    assert str(jail.places["maxretry"]) == f"{root}/jail.conf:5"


WIKI = """
[ssh]
enabled = true
port = ssh,sftp
filter = sshd
logpath = /var/log/auth.log
maxretry = 3
action = iptables[name=SSH, port=ssh, protocol=tcp]
ignoreip = 192.0.2.7 198.51.100.0/24
           trusted.example.org
bantime = 600
"""


@pytest.mark.parametrize("base", [STOCK, {}], ids=["over Fail2Ban's", "over the built-in"])
def test_a_jail_as_tutorials_write_it_loads(write_tree: WriteTree, base: Mapping[str, str]) -> None:
    settings = load(write_tree({**base, "jail.local": WIKI}), builtin=builtin_tree())
    assert told(settings.problems) == []
    jail = next(jail for jail in settings.jails if jail.name == "ssh")
    assert (jail.maxretry, jail.bantime, jail.findtime) == (3, Seconds(600), Seconds(600))
    assert jail.ignoreip == ("192.0.2.7", "198.51.100.0/24", "trusted.example.org")
    assert jail.filter.failregex
    assert [entry.pattern for entry in jail.logpaths] == ["/var/log/auth.log"]
    assert jail.enforcement == Enforcement("ssh", ("tcp",), (PortRange(22, 22),), "reject")


def test_the_built_in_tree_alone_protects_ssh() -> None:
    settings = load(None, builtin=builtin_tree())
    assert told(settings.problems) == []
    assert settings.root == "built-in"
    jail = only(settings)
    assert jail.name == "sshd"
    assert [entry.pattern for entry in jail.logpaths] == ["/var/log/auth.log", "/var/log/secure"]
    assert jail.enforcement == Enforcement("sshd", ("tcp",), (PortRange(22, 22),), "reject")
    assert jail.filter.journalmatch


def test_three_lines_over_the_built_in_tree_are_a_whole_configuration(
    write_tree: WriteTree,
) -> None:
    root = write_tree({"jail.local": "[sshd]\nmaxretry = 3\nbantime = 1d\n"})
    jail = only(load(root, builtin=builtin_tree()))
    assert (jail.maxretry, jail.bantime) == (3, Seconds(86_400))


def test_without_a_directory_the_hosts_own_is_read(
    write_tree: WriteTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_tree({"jail.local": "[sshd]\nmaxretry = 8\n"})
    monkeypatch.setattr(search, "DEFAULT_ROOTS", (root,))
    settings = load(None, builtin=builtin_tree())
    assert settings.root == str(root)
    assert only(settings).maxretry == 8
    told_options = {
        line.option: line for line in explain(None, builtin=builtin_tree(), jail="sshd")
    }
    assert told_options["maxretry"].value == "8"


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load(tmp_path / "nowhere", builtin=builtin_tree())


def test_one_broken_jail_stops_no_other(write_tree: WriteTree) -> None:
    root = write_tree(
        {
            **STOCK,
            "jail.local": "[DEFAULT]\nenabled = true\n"
            "[nginx]\nbantime = 10 minuets\nfilter = wbe\n[recidive]\nfindtime = %(nothing)s\n",
        }
    )
    settings = load(root, builtin=builtin_tree())
    assert [jail.name for jail in settings.jails] == ["sshd", "recidive"]
    problems = {(problem.jail, problem.option): problem for problem in settings.errors}
    assert set(problems) == {("nginx", "bantime"), ("nginx", "filter"), ("recidive", "findtime")}
    assert '"minutes"' in problems["nginx", "bantime"].cure
    assert '"web"' in problems["nginx", "filter"].cure
    assert str(problems["nginx", "bantime"].place) == f"{root}/jail.local:4"


def test_one_broken_filter_file_stops_no_other_jail(write_tree: WriteTree) -> None:
    root = write_tree(
        {
            **STOCK,
            "jail.local": "[DEFAULT]\nenabled = true\n",
            "filter.d/web.conf": "[Definition]\nfailregex = ^<HOST> (\n  ^no host$\n  ^<ADDR>$\n",
            "filter.d/recidive.local": "nonsense\n",
        }
    )
    settings = load(root, builtin=builtin_tree())
    assert [jail.name for jail in settings.jails] == ["sshd", "recidive", "nginx"]
    assert [regex.text for regex in settings.jails[-1].filter.failregex] == ["^<ADDR>$"]
    assert [(str(p.place), p.option, p.jail) for p in settings.errors if p.jail] == [
        (f"{root}/filter.d/web.conf:2", "failregex", "nginx"),
        (f"{root}/filter.d/web.conf:3", "failregex", "nginx"),
    ]
    assert any(str(p.place) == f"{root}/filter.d/recidive.local:1" for p in settings.errors)


def test_an_unknown_option_is_a_warning_with_the_nearest_known_one(write_tree: WriteTree) -> None:
    root = write_tree(
        {
            **STOCK,
            "jail.local": "[DEFAULT]\nmaxretires = 3\nmy_own = 1\nbantimes = 5\n"
            "[sshd]\nenabled = 1\nignore-ip = 192.0.2.1\nxyzzy = 1\nused = 4\n"
            "maxretry = %(used)s\nport = 2222\n",
        }
    )
    settings = load(root, builtin=builtin_tree())
    assert {(p.option, p.severity, p.place.line if p.place else 0) for p in settings.problems} == {
        ("maxretires", "warning", 2),
        ("bantimes", "warning", 4),
        ("ignore-ip", "warning", 7),
        ("xyzzy", "warning", 8),
    }
    cures = {problem.option: problem.cure for problem in settings.problems}
    assert "maxretry" in cures["maxretires"]
    assert "ignoreip" in cures["ignore-ip"]
    assert only(settings).maxretry == 4


def test_a_mistyped_mode_is_told_with_the_nearest_one(write_tree: WriteTree) -> None:
    root = write_tree({**STOCK, "jail.local": "[sshd]\nenabled = 1\nmode = agressive\n"})
    settings = load(root, builtin=builtin_tree())
    assert [jail.name for jail in settings.jails] == ["sshd"]
    (problem,) = settings.errors
    assert problem.option == "mode"
    assert '"agressive"' in problem.what
    assert '"aggressive"' in problem.cure


def test_a_mistyped_option_of_a_filter_is_told(write_tree: WriteTree) -> None:
    root = write_tree(
        {
            **STOCK,
            "jail.local": "[sshd]\nenabled = 1\n",
            "filter.d/sshd.local": "[Definition]\nfailregx = ^x <HOST>$\nfailregexes = ^<HOST>$\n"
            "used = %(failregexes)s\n",
        }
    )
    (problem,) = load(root, builtin=builtin_tree()).problems
    assert (problem.option, problem.severity) == ("failregx", "warning")
    assert '"failregex"' in problem.cure


def test_a_tree_without_jails_says_so(write_tree: WriteTree) -> None:
    settings = load(write_tree({}), builtin=write_tree({}))
    assert "no jails" in settings.errors[0].what


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_may_not_be_read_is_refused(write_tree: WriteTree) -> None:
    root = write_tree({"jail.conf": ""})
    root.chmod(0)
    with pytest.raises(ConfigError):
        load(root, builtin=builtin_tree())


def test_a_filter_is_found_by_name_with_its_options(write_tree: WriteTree) -> None:
    root = write_tree(STOCK)
    normal = filter_settings("sshd", root, builtin_tree())
    aggressive = filter_settings("sshd[mode=aggressive]", root, builtin_tree())
    assert (len(normal.failregex), len(aggressive.failregex)) == (1, 2)
    assert aggressive.name == "sshd[mode=aggressive]"
    journal = filter_settings("sshd", root, builtin_tree(), backend="systemd")
    assert journal.failregex[0].text == "^sshd: bad <HOST>$"
    by_path = filter_settings(f"{root}/filter.d/web.conf", root, builtin_tree())
    assert by_path.failregex[0].text == "^<HOST> 404$"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("shd", 'did you mean "sshd"'),
        ("sshd[mode", "not option=value"),
        ("sshd[mode=no]", "the filter has no <mdre-no>"),
        ("other", "does not say whom"),
        ("empty", "no failregex"),
        ("wrong", "not a regular expression"),
        ("lost", "not set anywhere"),
    ],
)
def test_a_filter_that_is_wrong_is_refused(write_tree: WriteTree, spec: str, says: str) -> None:
    root = write_tree(
        {
            **STOCK,
            "filter.d/empty.conf": "[Definition]\n",
            "filter.d/other.conf": "[Definition]\nfailregex = ^<zzz>$\n",
            "filter.d/wrong.conf": "[Definition]\nfailregex = <HOST>(\n",
            "filter.d/lost.conf": "[Definition]\nfailregex = %(no)s\n",
        }
    )
    with pytest.raises(ConfigError) as caught:
        filter_settings(spec, root, builtin_tree())
    assert says in str(caught.value)


def test_every_option_is_explained_with_its_value_and_its_place(write_tree: WriteTree) -> None:
    root = write_tree(
        {**STOCK, "jail.local": "[sshd]\nmaxretry = 3\nbantime = %(no)s\nmine = %(maxretry)s\n"}
    )
    lines = {line.option: line for line in explain(root, builtin=builtin_tree(), jail="sshd")}
    assert lines["maxretry"].value == "3"
    assert str(lines["maxretry"].place) == f"{root}/jail.local:2"
    assert lines["failregex"].value.strip() == "^\\S+ sshd: bad <HOST>$"
    assert str(lines["failregex"].place) == f"{root}/filter.d/sshd.conf:6"
    assert lines["bantime"].value.startswith("error: ")
    assert lines["mine"].value == "3"
    assert (lines["ignoreself"].value, lines["ignoreself"].place) == ("true", None)
    assert (lines["port"].value, lines["banaction"].value) == ("ssh", "iptables-multiport")


def test_a_jail_whose_filter_is_missing_is_explained_too(write_tree: WriteTree) -> None:
    root = write_tree({"jail.conf": "[x]\nfilter = nothing\n"})
    lines = explain(root, builtin=builtin_tree(), jail="x")
    assert {line.option: line.value for line in lines}["filter"] == "nothing"


def test_the_server_is_explained(write_tree: WriteTree) -> None:
    root = write_tree({"banish.local": "[Definition]\nloglevel = DEBUG\n"})
    lines = {line.option: line for line in explain(root, builtin=builtin_tree())}
    assert lines["loglevel"].value == "DEBUG"
    assert str(lines["loglevel"].place) == f"{root}/banish.local:2"


def test_a_jail_that_is_not_there_cannot_be_explained(write_tree: WriteTree) -> None:
    for name, cure in (("shhd", "sshd"), ("DEFAULT", "recidive"), ("INCLUDES", "recidive")):
        with pytest.raises(ConfigError) as caught:
            explain(write_tree(STOCK), builtin=builtin_tree(), jail=name)
        assert cure in caught.value.cure
