"""Fail2Ban's own configuration, every jail switched on, loads as Fail2Ban loads it."""

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from banish.config import builtin_tree, explain, filter_settings, load
from banish.config.filters import filter_names
from banish.config.merge import Library
from banish.config.problem import Problems
from banish.config.search import Tree
from banish.model.duration import parse_duration
from banish.model.settings import JailSettings, Regex, Settings


@pytest.fixture(scope="module")
def all_jails(stock_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the stock tree with every jail switched on."""
    root = tmp_path_factory.mktemp("stock") / "fail2ban"
    shutil.copytree(stock_tree, root)
    names = re.findall(r"(?m)^\[([^\]]+)\]", (root / "jail.conf").read_text())
    jails = [name for name in names if name not in ("INCLUDES", "DEFAULT")]
    (root / "jail.local").write_text("".join(f"[{name}]\nenabled = true\n" for name in jails))
    return root


@pytest.fixture(scope="module")
def settings(all_jails: Path) -> Settings:
    return load(all_jails, builtin=builtin_tree())


def test_every_stock_jail_loads_without_an_error(settings: Settings, all_jails: Path) -> None:
    assert [str(problem) for problem in settings.errors] == []
    enabled = (all_jails / "jail.local").read_text().count("enabled")
    assert len(settings.jails) == enabled >= 90


def test_stock_jails_give_no_warning_but_of_what_is_not_carried_out(settings: Settings) -> None:
    others = [problem for problem in settings.problems if "not carried out" not in problem.what]
    # Debian 13's tree and Ubuntu's let jails read the whole journal where a filter names no
    # journalmatch; Fail2Ban tells of it, too.
    told = [
        str(problem)
        for problem in others
        if not ("no journalmatch" in problem.what and "-debian.conf:" in problem.what)
    ]
    assert told == []


def test_every_stock_filter_loads(stock_tree: Path) -> None:
    names = filter_names(Library(Tree((stock_tree,)), Problems()))
    filters = [name for name in names if "common" not in name]
    assert len(filters) >= 85
    for name in filters:
        assert filter_settings(name, stock_tree, builtin_tree()).failregex


def test_every_stock_jail_can_be_explained(settings: Settings, all_jails: Path) -> None:
    for jail in settings.jails:
        told = {
            line.option: line for line in explain(all_jails, builtin=builtin_tree(), jail=jail.name)
        }
        assert told["failregex"].place is not None
        assert told["maxretry"].value == str(jail.maxretry)


def test_each_file_is_read_once_however_many_jails_need_it(
    all_jails: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[Path] = Counter()
    read_bytes = Path.read_bytes

    def counted(path: Path) -> bytes:
        read[path] += 1
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    load(all_jails, builtin=builtin_tree())
    assert read[all_jails / "filter.d/common.conf"] == 1
    assert set(read.values()) == {1}


def test_every_place_is_a_line_of_a_file_that_was_read(settings: Settings) -> None:
    lengths = {path: len(Path(path).read_text().split("\n")) for path in settings.files}
    for jail in settings.jails:
        for place in jail.places.values():
            assert 1 <= place.line <= lengths[place.path]
        for regex in jail.filter.failregex:
            assert regex.place is not None
            assert 1 <= regex.place.line <= lengths[regex.place.path]


def test_a_regex_without_references_stands_where_its_place_says(settings: Settings) -> None:
    seen = 0
    for jail in settings.jails:
        for regex in jail.filter.failregex:
            assert regex.place is not None
            line = Path(regex.place.path).read_text().split("\n")[regex.place.line - 1]
            if "%" not in line and re.search(r"<[a-z_]", line) is None:
                assert regex.text in line
                seen += 1
    assert seen > 50


def fail2ban_says(package: Path, root: Path) -> dict[str, dict[str, object]]:
    """Return what Fail2Ban itself would send to its server, by jail and option; or skip."""
    client = package / "usr/bin/fail2ban-client"
    done = subprocess.run(
        [sys.executable, str(client), "-c", str(root), "-d"],
        env={"PYTHONPATH": str(package / "usr/lib/python3/dist-packages"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"Fail2Ban does not run here: {done.stderr[-300:]}")
    jails: dict[str, dict[str, object]] = {}
    for line in done.stdout.splitlines():
        command = ast.literal_eval(line)
        match command:
            case ["add", str(jail), backend]:
                jails[jail] = {"backend": backend}
            case ["set" | "multi-set", str(jail), option, *values] if jail in jails:
                if option == "addjournalmatch":
                    jails[jail].setdefault(option, [])
                    list_of(jails[jail], option).append(tuple(values))
                elif command[0] == "multi-set" and option != "action":
                    jails[jail][option] = list(values[0])
                elif option in ("addfailregex", "addignoreregex", "addignoreip"):
                    jails[jail][option] = values
                elif option not in ("addlogpath", "addaction", "action"):
                    jails[jail][option] = values[0]
            case _:
                pass
    return jails


def list_of(options: dict[str, object], name: str) -> list[object]:
    value = options[name]
    assert isinstance(value, list)
    return value


def text_of(regex: Regex | None) -> str:
    return regex.text if regex else ""


def banish_says(jail: JailSettings) -> Mapping[str, object]:
    """Return our settings under the names that Fail2Ban's commands have."""
    filters = jail.filter
    return {
        "backend": jail.backend,
        "addfailregex": [regex.text for regex in filters.failregex],
        "addignoreregex": [regex.text for regex in filters.ignoreregex],
        "addignoreip": list(jail.ignoreip),
        "prefregex": text_of(filters.prefregex),
        "datepattern": text_of(filters.datepattern),
        "maxlines": filters.maxlines,
        "usedns": filters.usedns,
        "addjournalmatch": list(filters.journalmatch),
        "maxretry": jail.maxretry,
        "maxmatches": jail.maxmatches,
        "findtime": jail.findtime,
        "bantime": -1 if jail.bantime is None else jail.bantime,
        "ignorecommand": jail.ignorecommand,
        "logencoding": filters.logencoding,
        "logtimezone": filters.logtimezone,
    }


DEFAULTS: Mapping[str, object] = {
    "addfailregex": [], "addignoreregex": [], "addignoreip": [], "prefregex": "",
    "datepattern": "", "maxlines": 1, "addjournalmatch": [], "logtimezone": "",
    "ignorecommand": "",
}  # fmt: skip
"""What counts where Fail2Ban sends nothing."""


def compare(jails: tuple[JailSettings, ...], theirs: dict[str, dict[str, object]]) -> list[str]:
    """Return every option that differs, and print how many agree."""
    differences: list[str] = []
    total = 0
    for jail in jails:
        told = theirs[jail.name]
        for option, mine in banish_says(jail).items():
            value = told.get(option, DEFAULTS.get(option))
            if option in ("findtime", "bantime"):
                value = float(parse_duration(str(value)))
            total += 1
            if value != mine:
                differences.append(f"{jail.name}: {option}: {value!r} is {mine!r} here")
    print(f"{total - len(differences)} of {total} values in {len(jails)} jails agree with Fail2Ban")
    return differences


def test_every_effective_value_is_what_fail2ban_makes_of_it(
    stock_package: Path, all_jails: Path, settings: Settings
) -> None:
    theirs = fail2ban_says(stock_package, all_jails)
    assert {jail.name for jail in settings.jails} == set(theirs)
    assert compare(settings.jails, theirs) == []


TRICKY = """
[DEFAULT]
bantime = 1h
ignoreip = 192.0.2.1
findtime = %(bantime)s
mine = 7

[sshd]
enabled = true
mode = aggressive
failregex = %(known/failregex)s
            ^own line from <HOST>$

            ^%(mine)s and 100%% from <HOST>$
ignoreregex = ^never ; a comment
maxretry = %(mine)s
bantime: 1d 12h
ignoreip = %(default/ignoreip)s, 198.51.100.0/24 host.example.org

[long]
enabled = true
filter = sshd[mode=ddos, publickey="invalid", __pam_auth='pam_ldap']
         [logtype=short]
logpath = /var/log/auth.log
backend = polling
datepattern = %%Y-%%m-%%d
usedns = no

[journal]
enabled = true
filter = sshd
backend = systemd[journalflags=1]
journalmatch = _A=1 + _B=2
               _C="with blank"

[recidive]
enabled = true
bantime = %(known/bantime)s
logpath = %(known/logpath)s
"""


def test_tricky_values_are_what_fail2ban_makes_of_them(
    stock_package: Path, stock_tree: Path, tmp_path: Path
) -> None:
    root = tmp_path / "fail2ban"
    shutil.copytree(stock_tree, root)
    shutil.rmtree(root / "jail.d")
    (root / "jail.local").write_text(TRICKY)
    (root / "filter.d" / "common.local").write_text("[DEFAULT]\n__hostname = [a-z]+\n")
    (root / "filter.d" / "sshd.local").write_text(
        "[Definition]\n_daemon = (?:%(known/_daemon)s|tinysshd)\nmaxlines = 2\n"
    )
    mine = load(root, builtin=builtin_tree())
    assert [str(problem) for problem in mine.errors] == []
    assert {jail.name for jail in mine.jails} == {"sshd", "long", "journal", "recidive"}
    assert compare(mine.jails, fail2ban_says(stock_package, root)) == []
    journal = next(jail for jail in mine.jails if jail.name == "journal")
    assert journal.uses_journal
    assert journal.filter.journalmatch[1] == tuple(shlex.split('_C="with blank"'))


TUTORIAL = """
[ssh]
enabled = true
port = ssh,sftp
filter = sshd
logpath = /var/log/auth.log
maxretry = 3
action = iptables[name=SSH, port=ssh, protocol=tcp]
ignoreip = 192.0.2.7 198.51.100.0/24 trusted.example.org
bantime = 600
"""


def test_a_jail_as_tutorials_write_it_loads_over_the_stock_tree(
    stock_package: Path, stock_tree: Path, tmp_path: Path
) -> None:
    root = tmp_path / "fail2ban"
    shutil.copytree(stock_tree, root)
    (root / "jail.local").write_text(TUTORIAL)
    mine = load(root, builtin=builtin_tree())
    # Ubuntu's tree reads the journal unless the jail says otherwise; its logpath is not read.
    told = [problem for problem in mine.problems if "defaults-debian.conf:" not in problem.what]
    assert told == []
    jail = next(jail for jail in mine.jails if jail.name == "ssh")
    assert jail.enforcement is not None
    assert [str(port) for port in jail.enforcement.ports] == ["22"]
    assert compare(mine.jails, fail2ban_says(stock_package, root)) == []
