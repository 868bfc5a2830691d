"""The commands of ``fail2ban-client -d`` are those of Fail2Ban's own, one by one."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from banish.cli import main
from banish.cli.fail2ban.stream import read_stream
from tests.compat.original import original_streams

Captured = pytest.CaptureFixture[str]

KNOWN_DIFFERENCES = {
    "config-error": "tells where and what is wrong in our words",
    "fail2ban_version": "is ours, so tests set the option that tells it to others",
    "action without [Definition]": "a file made to be included: Fail2Ban sends each command that "
    "actions may have with the value None, we send the parameters alone",
}
"""What is not the same, and why; everything else is."""

NOT_JAILS = ("INCLUDES", "DEFAULT")


def copy(tree: Path, to: Path) -> Path:
    root = to / "fail2ban"
    shutil.copytree(tree, root)
    shutil.rmtree(root / "jail.d")
    return root


def jails_of(root: Path) -> list[str]:
    names = re.findall(r"(?m)^\[([^\]]+)\]", (root / "jail.conf").read_text())
    return [name for name in names if name not in NOT_JAILS]


def enable(root: Path, *jails: str, others: str = "") -> None:
    # A switch to the journal, which 1.0.2 does not know, depends on the host.
    text = "[DEFAULT]\nsystemd_if_nologs = false\nfail2ban_agent = Fail2Ban/x\n"
    text += "blocklist_de_apikey = key\n"
    text += "".join(f"[{name}]\nenabled = true\n" for name in jails)
    (root / "jail.local").write_text(text + others)


def differences(theirs: list[Any], ours: list[Any]) -> list[str]:
    """Return each command that differs, and how many there should be if that does."""
    found = [f"{a!r}\nis here {b!r}" for a, b in zip(theirs, ours, strict=False) if a != b]
    if len(theirs) != len(ours):
        found.append(f"{len(theirs)} commands are {len(ours)} here")
    return found


def test_every_stock_jail_alone_gives_the_commands_of_fail2ban(
    stock_package: Path, stock_tree: Path, tmp_path: Path
) -> None:
    root = copy(stock_tree, tmp_path)
    jails = jails_of(root)
    enable(root)
    wrong: list[str] = []
    total = 0
    for jail, (usable, theirs) in zip(
        jails, original_streams(stock_package, root, jails), strict=True
    ):
        enable(root, jail)
        ours = read_stream(root)
        assert ours.is_usable == usable
        total += len(theirs)
        wrong += differences(theirs, ours.commands)
    print(f"{total - len(wrong)} of {total} commands for {len(jails)} jails are Fail2Ban's")
    assert wrong == []
    assert len(jails) >= 90
    assert total > 1_000


def test_all_stock_jails_together_print_what_fail2ban_prints(
    stock_package: Path, stock_tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    root = copy(stock_tree, tmp_path)
    enable(root, *jails_of(root))
    client = stock_package / "usr/bin/fail2ban-client"
    for words in (["-d"], ["--dp"], ["-d", "--logtarget", "STDOUT", "--loglevel", "DEBUG"]):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(client), "-c", str(root), *words],
            env={"PYTHONPATH": str(stock_package / "usr/lib/python3/dist-packages")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        code = main(["fail2ban-client", "-c", str(root), *words])
        captured = capsys.readouterr()
        assert (captured.out.splitlines(), code) == (done.stdout.splitlines(), done.returncode)
        missing = "Have not found any log file for"
        assert captured.err.count(missing) == done.stderr.count(missing)


def test_every_stock_action_has_the_properties_of_fail2ban(
    stock_package: Path, stock_tree: Path, tmp_path: Path
) -> None:
    root = copy(stock_tree, tmp_path)
    actions = sorted(path.stem for path in (root / "action.d").glob("*.conf"))
    real = [
        name
        for name in actions
        if "\n[Definition]" in (root / "action.d" / f"{name}.conf").read_text()
    ]
    assert len(real) >= 55
    sections = ""
    for name in real:
        sections += (
            f"[given-{name}]\nenabled = true\nfilter = sshd\nbackend = polling\nlogpath = /none\n"
            f'action = {name}[port="1,2", chain=<known/chain>, name=%(__name__)s-x]\n'
            f'         {name}[actname=other, blocktype="DROP", bantime=3, actionban="a <ip>"]\n'
            f"[chosen-{name}]\nenabled = true\nfilter = sshd[mode=aggressive]\nlogpath = /none\n"
            f"backend = polling\nbanaction = {name}\n"
            "action = %(action_mwl)s\n         %(action_xarf)s\n         %(action_blocklist_de)s\n"
            '         smtp.py[host="a b", dest=%(destemail)s]\n'
        )
    enable(root, others=sections)
    ((usable, theirs),) = original_streams(stock_package, root, [None])
    ours = read_stream(root)
    print(f"{len(theirs)} commands for {len(real)} actions")
    assert differences(theirs, ours.commands) == []
    assert ours.is_usable == usable


TRICKY = r"""
[own]
enabled = true
filter = own[arg="a <b>", logtype=short]
backend = polling
logpath = LOGS/a.log
          LOGS/b*.log tail
          LOGS/none.log head
maxlines = 3
prefregex = ^own <F-CONTENT>.+</F-CONTENT>$
ignoreregex = %(known/ignoreregex)s
              ^never
ignoreip = 192.0.2.1, 198.51.100.0/24
           host.example.org
ignoreself = no
ignorecache = key="<ip>", max-count=10
bantime.increment = Yes
bantime.factor = 2
bantime.maxtime = 1w
maxretry = 7
logencoding = latin-1
logtimezone = UTC+0200
action = tell
         tell[name=again, to="a, b", timeout=5]
         script.py[actname=Script, x=1]

[plain]
enabled = true
filter =
failregex = ^one <HOST>$
backend = systemd[journalflags=1]
journalmatch = _A=1 + _B=2
               _C="with blank"
action =

[nofilter]
enabled = true
filter = missing
logpath = LOGS/a.log

[noaction]
enabled = true
filter = own
logpath = LOGS/a.log
action = missing[a=b]

[off]
enabled = false
filter = own
"""

OWN = r"""
[DEFAULT]
b = B
datepattern = {^LN-BEG}
[Definition]
arg = none
failregex = ^<arg> <HOST> <c>$

            ^<sub/x> from <HOST>$
ignoreregex = ^<b>
journalmatch = _COMM=own
[sub]
x = X <known/c>
[Init]
maxlines = 2
c = C
usedns = no
"""

TELL = r"""
[Definition]
actionstart =
actionban = tell <to> <ip> <bantime> <timeout> "<matches>" <name> <how>
            <log> <unknown>
actionunban = untell <to>
actionstart_on_demand = true
norestored = 1
extra = not sent
[Init]
to = nobody
how = quick
log = echo <how> <extra>
timeout = 3m
[Init?family=inet6]
how = slow
"""


def tricky(stock_tree: Path, tmp_path: Path) -> Path:
    root = copy(stock_tree, tmp_path)
    for name in ("a.log", "b1.log", "b2.log"):
        (tmp_path / name).touch()
    (tmp_path / "b3.log").symlink_to("nowhere")
    (root / "filter.d/own.conf").write_text(OWN)
    (root / "action.d/tell.conf").write_text(TELL)
    (root / "fail2ban.local").write_text(
        "[Definition]\nloglevel = NOTICE\ndbpurgeage = 2d\ndbmaxmatches = 3\nallowipv6 = no\n"
        "[Thread]\nstacksize = 64\n"
    )
    enable(root, others=TRICKY.replace("LOGS", str(tmp_path)))
    return root


def test_tricky_jails_give_the_commands_of_fail2ban(
    stock_package: Path, stock_tree: Path, tmp_path: Path
) -> None:
    root = tricky(stock_tree, tmp_path)
    ((usable, theirs),) = original_streams(stock_package, root, [None])
    ours = read_stream(root)
    assert ours.is_usable == usable
    wrong = [command for command in theirs if command[0] == "config-error"]
    assert len(wrong) == 2
    for command in theirs + ours.commands:
        if command[0] == "config-error":
            command[1] = str(command[1]).partition(",")[0]
    assert differences(theirs, ours.commands) == []
    assert ["start", "nofilter"] not in ours.commands


def test_the_dump_is_one_python_list_a_line(
    stock_tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    root = tricky(stock_tree, tmp_path)
    assert main(["fail2ban-client", "-c", str(root), "-q", "-d"]) == 0
    captured = capsys.readouterr()
    commands = [ast.literal_eval(line) for line in captured.out.splitlines()]
    assert commands == read_stream(root).commands
    assert captured.err == ""
