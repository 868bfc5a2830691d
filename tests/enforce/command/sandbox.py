"""Runs scripts of actions where they can do no harm, and tells what programs they called.

Every program that such a script may call is a stub that writes its arguments and
its standard input down; the few that only work on text (sed, awk, ...) are real.
Paths of the host become paths in a folder.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

STUBS = (
    "afctl", "apf", "apprise", "conntrack", "csf", "curl", "date", "dig", "fail2ban-client",
    "fetch", "firewall-cmd", "geoiplookup", "host", "ip", "ip6tables", "ipf", "ipfw", "ipset",
    "iptables", "jq", "lynx", "mail", "nft", "nginx", "npfctl", "nsupdate", "pfctl", "sendmail",
    "service", "shorewall", "shorewall6", "shorewallinet4", "shorewallinet6", "sleep", "ss", "ssh",
    "ufw", "uname", "wget", "whois", "zgrep",
)  # fmt: skip

TEXT_TOOLS = (
    "awk", "basename", "cat", "cut", "dirname", "expr", "grep", "head", "id", "mkdir", "mktemp",
    "mv", "perl", "rm", "sed", "sh", "sort", "tail", "tee", "touch", "tr", "truncate",
    "uniq", "wc",
)  # fmt: skip

_STUB = """#!{shell}
name=${{0##*/}}
said=$({cat}; printf .)
{{ printf '%s\\037' "$name" "$@"; printf '\\036%s\\035' "${{said%.}}"; }} >> "$RECORD"
[ "$name" = mail ] || [ "$name" = sendmail ] || printf '%s 7\\n' "$name"
"""

_HOST_PATH = re.compile(r"(?<![\w./:>-])/(etc|proc|run|tmp|var)/")
_PROGRAM_PATH = re.compile(r"(?<![\w.:-])/(?:usr/)?(?:local/)?(?:s?bin|libexec)/")


class Call(NamedTuple):
    """A program that a script called."""

    words: tuple[str, ...]
    stdin: str


class Sandbox:
    """A folder in which scripts run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._record = folder / "record"
        self.root = folder / "root"
        programs = folder / "bin"
        programs.mkdir()
        for name in TEXT_TOOLS:
            found = shutil.which(name)
            if found:
                (programs / name).symlink_to(found)
        stub = folder / "stub"
        stub.write_text(_STUB.format(shell="/bin/sh", cat=shutil.which("cat")))
        stub.chmod(0o755)
        for name in STUBS:
            (programs / name).symlink_to(stub)
        self.environment = {
            "PATH": str(programs),
            "RECORD": str(self._record),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }
        self.reset()

    def reset(self) -> None:
        """Forget all that was done."""
        shutil.rmtree(self.root, ignore_errors=True)
        self._record.unlink(missing_ok=True)
        for name in ("etc/nginx", "etc/symbiosis/firewall/blacklist.d", "proc/net/xt_recent",
                     "var/run/fail2ban", "run", "tmp", "var/lib/fail2ban"):  # fmt: skip
            (self.root / name).mkdir(parents=True)
        (self.root / "etc/hosts.deny").touch()
        (self.root / "run/nginx.pid").touch()

    def run(
        self, script: str, arguments: Sequence[str] = (), values: Mapping[str, str] | None = None
    ) -> int:
        """Run a script with its ``$0 $1 ...``, or values by name, and return its exit code."""
        script = _PROGRAM_PATH.sub("", script)
        script = _HOST_PATH.sub(rf"{self.root}/\1/", script)
        done = subprocess.run(
            ["/bin/sh", "-c", script, *(os.fsencode(word) for word in arguments)],
            env={**self.environment, **(values or {})},
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
        return done.returncode

    def calls(self) -> list[Call]:
        """Return what was called so far, in order."""
        if not self._record.exists():
            return []
        found: list[Call] = []
        for record in self._record.read_text("utf-8", "surrogateescape").split("\035")[:-1]:
            words, _, said = record.partition("\036")
            found.append(Call(tuple(words.split("\037")[:-1]), said))
        return found

    def files(self) -> dict[str, str]:
        """Return the content of every file that scripts left."""
        return {
            str(path.relative_to(self.root)): path.read_text("utf-8", "surrogateescape")
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }
