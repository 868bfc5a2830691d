"""Debian's ``fail2ban-client`` and ours, each asking Debian's server with the same history."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.compat.both_servers import original_server, write_tree

COMMANDS = """\
ping
echo a b
version
status
status web
status nosuch
banned
banned 192.0.2.1
get loglevel
get logtarget
get syslogsocket
get dbfile
get dbpurgeage
get nonsense
get web logpath
get web logencoding
get web journalmatch
get web ignoreip
get web failregex
get web ignoreregex
get mail bantime.multipliers
get web datepattern
get web actions
get web actionproperties quiet
get web actionmethods quiet
set web banip 192.0.2.1 192.0.2.2
get web banned
get web banip
get web banip ,
get web banned 192.0.2.1 1.2.3.4
status web
set web unbanip --report-absent 192.0.2.77
unban --all
set loglevel NONSENSE
set web delignoreregex 0
set web addlogpath /nonexistent
set web dellogpath {root}/web.log
get web logpath
set web addaction new
set web delaction new
add web polling
add new polling
get new failregex
get new actions
get new datepattern
start new
stop new
flushlogs
dance
set web nonsense 1
get web action nosuch actionban
stop
status
"""

VARYING = re.compile(r"[\d-]+ [\d:,]+ fail2ban +\[\d+\]|theirs|ours")


def answers(program: Sequence[str], package: Path, root: Path, side: str) -> list[str]:
    """Return output, errors and exit code of each command, asked of a new server."""
    found = []
    tree = write_tree(root)
    for old in root.glob("fail2ban.*"):
        old.unlink()
    with original_server(package, tree, root / side):
        files = ["-c", str(tree), "-s", str(root / side / "f.sock")]
        for line in COMMANDS.replace("{root}", str(root)).splitlines():
            done = subprocess.run(
                [*program, *files, *shlex.split(line)],
                env={
                    **os.environ,
                    "PYTHONPATH": str(package / "usr/lib/python3/dist-packages"),
                    "TZ": "UTC",
                },
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            said = VARYING.sub("*", f"{done.stdout}\n{done.stderr}")
            found.append(f"{line} -> {done.returncode}\n{said}")
    return found


def test_both_clients_print_the_same_of_every_answer(stock_package: Path, tmp_path: Path) -> None:
    theirs = [sys.executable, "-W", "ignore", str(stock_package / "usr/bin/fail2ban-client")]
    ours = [sys.executable, "-m", "banish", "fail2ban-client"]
    wanted = answers(theirs, stock_package, tmp_path, "theirs")
    assert answers(ours, stock_package, tmp_path, "ours") == wanted
