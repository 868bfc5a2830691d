"""Runs the host's firewall programs: a list of words, a text for its input, no shell."""

import os
import subprocess
from collections.abc import Callable, Sequence

from banish.enforce.halt import Halting
from banish.errors import EnforceError
from banish.model.instant import Seconds

TIME_LIMIT = Seconds(60)
"""How long one program may run: 100,000 rules are loaded in a few seconds."""

SHOWN_CHARACTERS = 300
"""How much of what a failed program wrote is shown."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_CURES = (
    (
        ("can't open lock file",),
        "let the server write it (systemd: ReadWritePaths=/run)",
        False,
    ),
    (
        ("permission denied", "not permitted", "you must be root", "can't open socket to ipset"),
        "run as root, or with CAP_NET_ADMIN and CAP_NET_RAW",
        False,
    ),
    (
        ("xtables lock", "resource temporarily unavailable"),
        "another program holds the firewall's lock; it is tried again",
        True,
    ),
    (
        ("can't initialize", "table does not exist", "protocol not supported", "can't open socket"),
        "the kernel lacks it: try modprobe -a ip_tables ip6_tables ip_set; or set allowipv6 = no",
        False,
    ),
    (
        ("couldn't load match", "couldn't load target", "extension"),
        "install the whole iptables package; the kernel needs xt_multiport, xt_set and REJECT",
        False,
    ),
    (
        ("is full", "out of memory", "cannot allocate", "memory exhausted"),
        "there is no room for more bans",
        True,
    ),
)

RunProgram = Callable[[Sequence[str], str], str]
"""Runs the words of a command with a text as its input and returns what it wrote."""


def run_program(
    words: Sequence[str],
    text: str = "",
    *,
    limit: Seconds = TIME_LIMIT,
    halting: Halting | None = None,
) -> str:
    """Run *words* with *text* as input and return the output.

    Raises:
        EnforceError: There is no such program, it failed, or it took longer than *limit*.
        Halt: It is not wanted any more, and was ended.

    """
    halting = halting or Halting()
    halting.check()
    path = os.environ.get("PATH", "")
    surroundings = {"PATH": f"{path}:{_PATH}" if path else _PATH, "LC_ALL": "C"}
    program = words[0]
    try:
        running = subprocess.Popen(
            list(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=surroundings,
        )
        with running, halting.watching(running):
            try:
                # Comments of others' rules may be in any encoding.
                given = text.encode("utf-8", "surrogateescape")
                stdout, stderr = running.communicate(given, limit)
            except BaseException:
                running.kill()
                raise
    except subprocess.TimeoutExpired as error:
        raise EnforceError(f"{program} took longer than {limit:g} s and was killed") from error
    except FileNotFoundError as error:
        raise EnforceError(
            f"{program} is not installed",
            cure="install the packages iptables and ipset, or set 'firewall = nftables'",
            retry=False,
        ) from error
    except OSError as error:
        raise EnforceError(f"{program} cannot be run: {error.strerror}", retry=False) from error
    if running.returncode == 0:
        return stdout.decode("utf-8", "surrogateescape")
    said = " ".join(stderr.decode("ascii", "replace").split())[:SHOWN_CHARACTERS]
    low = said.lower()
    for signs, cure, retry in _CURES:
        if any(sign in low for sign in signs):
            raise EnforceError(f"{program}: {said}", cure=cure, retry=retry)
    raise EnforceError(f"{program}: {said or f'exit code {running.returncode}'}")


def probe(run: RunProgram, *questions: tuple[Sequence[str], str]) -> str | None:
    """Return None where iptables takes changes and answers *questions*, else the trouble.

    Each question is the words of a program and its input. The change that iptables is
    asked to try is one of nothing.
    """
    test = ["iptables-restore", "-w", "1", "--test", "--noflush"]
    usual = [(["iptables-save", "-t", "filter"], ""), (test, "*filter\nCOMMIT\n")]
    for words, text in (*usual, *questions):
        try:
            run(words, text)
        except EnforceError as error:
            return str(error)
    return None
