"""Looks at this host: what banish needs, what is there, and the command that fixes the rest.

Only looks: nothing is changed, no program is run.
"""

import contextlib
import glob
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from banish.cli import health
from banish.cli.problems import counted, problem_rows
from banish.config.absent import check_logs
from banish.config.addons import FIREWALLS
from banish.config.jails import has_journal
from banish.config.problem import Problems
from banish.control.client import Client
from banish.errors import ControlError
from banish.extras import how_to_install
from banish.model.instant import to_iso
from banish.model.settings import JailSettings, ServerSettings, Settings
from banish.model.status import ServerStatus

State = Literal["good", "note", "bad"]
"""``note``: works, and may not be what was meant."""

SSH_JAIL = (
    "sudo mkdir -p {root}; printf '[sshd]\\nenabled = true\\n' | sudo tee -a {root}/jail.local"
)


class HostFinding(NamedTuple):
    """One thing that was looked at."""

    area: str
    state: State
    what: str
    cure: str = ""


def diagnose(settings: Settings, *, proc: Path = Path("/proc")) -> Iterator[HostFinding]:
    """Yield what was found, area by area."""
    yield from _program()
    yield from _firewall(settings.server)
    yield from _configuration(settings)
    if any(jail.uses_journal for jail in settings.jails):
        yield from _journal()
    for jail in settings.jails:
        yield from jail_logs(jail)
    yield from _files(settings.server)
    yield from _server(settings.server)
    yield from _mail(settings)
    yield from others(settings, proc)


def _program() -> Iterator[HostFinding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.platform == "linux":
        yield HostFinding("host", "good", f"Linux {os.uname().release}, Python {version}")
    else:
        yield HostFinding("host", "bad", f"{sys.platform} has no nftables", "use a Linux host")
    if os.geteuid() == 0:
        yield HostFinding("rights", "good", "root")
    else:
        what = f"user {os.geteuid()}: the firewall and most logs need root"
        yield HostFinding("rights", "note", what, "sudo banish doctor")


def _firewall(server: ServerSettings) -> Iterator[HostFinding]:
    addon = FIREWALLS[server.firewall]
    trouble = addon.probe()
    if trouble is None:
        yield HostFinding("firewall", "good", addon.works or f"{server.firewall} can be used")
    else:
        what, _, cure = trouble.partition("\n")
        yield HostFinding("firewall", "bad", what, cure.strip())


def _configuration(settings: Settings) -> Iterator[HostFinding]:
    found = problem_rows(settings.problems)
    errors = [each for each in found if each.problem.severity == "error"]
    others = [each for each in errors if each.problem not in settings.host_problems]
    if others:
        what = f"{counted(found)} in {settings.root}, the first: {others[0].what}"
        yield HostFinding("configuration", "bad", what, "banish check")
    elif errors:
        yield HostFinding(
            "configuration", "note", f"{counted(found)} in {settings.root}: see below"
        )
    elif found:
        what = f"{counted(found)} in {settings.root}"
        yield HostFinding("configuration", "note", what, "banish check")
    else:
        yield HostFinding("configuration", "good", f"{settings.root}, {counted(found)}")
    if not settings.jails:
        root = "/etc/banish" if settings.root == "built-in" else settings.root
        cure = SSH_JAIL.format(root=root)
        yield HostFinding("jails", "bad", "no jail is enabled: nothing would be watched", cure)


def _journal() -> Iterator[HostFinding]:
    if importlib.util.find_spec("cysystemd") is None:
        what = "a jail reads the systemd journal, but the Python package for it is missing"
        yield HostFinding("journal", "bad", what, how_to_install("journal"))
    elif not has_journal():
        what = "a jail reads the systemd journal, but this host has none"
        cure = "install rsyslog and set backend = polling, or start systemd-journald"
        yield HostFinding("journal", "bad", what, cure)
    else:
        yield HostFinding("journal", "good", "can be read")


def jail_logs(jail: JailSettings) -> Iterator[HostFinding]:
    """Yield how the logs of one jail are."""
    area = f"jail {jail.name}"
    problems = Problems()
    if not check_logs(problems, jail, has_journal=has_journal):
        (problem,) = problems.all()
        yield HostFinding(area, "bad", problem.what, problem.cure)
        return
    if jail.uses_journal:
        yield HostFinding(area, "good", "reads the systemd journal")
        return
    if jail.uses_ledger:
        yield HostFinding(area, "good", "counts the bans of the other jails")
        return
    patterns = [entry.pattern for entry in jail.logpaths]
    found = [path for pattern in patterns for path in sorted(glob.glob(pattern))]  # noqa: PTH207
    denied = [path for path in found if not os.access(path, os.R_OK)]
    for path in denied:
        yield HostFinding(area, "bad", f"{path} cannot be read", "run banish as root")
    if not denied:
        names = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        yield HostFinding(area, "good", f"reads {names}")
    if jail.enforcement is None and not jail.actions:
        yield HostFinding(area, "note", "bans nobody: it has no action", "set banaction = nftables")


def _files(server: ServerSettings) -> Iterator[HostFinding]:
    if server.dbfile in ("None", ":memory:"):
        what = "none: bans are forgotten when the server stops"
        yield HostFinding("database", "note", what, "set dbfile in banish.conf")
    else:
        yield folder("database", Path(server.dbfile))
    yield folder("socket", Path(server.socket))
    if server.logtarget.startswith("/"):
        yield folder("log", Path(server.logtarget.partition("[")[0]))


def folder(area: str, file: Path) -> HostFinding:
    """Return whether *file* can be written, or made with the folders above it."""
    if file.exists():
        if os.access(file, os.W_OK):
            return HostFinding(area, "good", str(file))
        return HostFinding(area, "bad", f"{file} cannot be written", "run banish as root")
    above = file.parent
    while not above.exists():
        above = above.parent
    if not above.is_dir():
        return HostFinding(area, "bad", f"{above} is not a directory", f"remove or rename {above}")
    if os.access(above, os.W_OK):
        return HostFinding(area, "good", f"{file} can be created")
    return HostFinding(area, "bad", f"{file} cannot be created", f"sudo mkdir -p {file.parent}")


def _server(server: ServerSettings) -> Iterator[HostFinding]:
    try:
        status = Client(Path(server.socket), answer_seconds=5).status()
    except ControlError as error:
        if error.running:
            yield HostFinding("server", "bad", error.what, error.cure)
        elif error.retry:
            yield HostFinding("server", "note", "is not running", "sudo banish run")
        else:
            yield HostFinding("server", "note", error.what, error.cure)
    else:
        yield HostFinding("server", "good", f"runs as pid {status.pid}")
        yield _enforced(status)
        for trouble in health.of_running(status):
            if not trouble.what.startswith("watches nothing"):  # the logs were looked at above
                cure = trouble.cure or "banish status"
                yield HostFinding(trouble.where, "bad", trouble.what, cure)
        for jail in status.jails:
            for rule in jail.quarantined:
                yield HostFinding(f"jail {jail.name}", "bad", rule, "banish check")
            if jail.held_until is not None:
                what = f"its ban budget is spent: no ban starts until {to_iso(jail.held_until)}"
                yield HostFinding(
                    f"jail {jail.name}", "bad", what, f"banish bans --jail {jail.name}"
                )


def _enforced(status: ServerStatus) -> HostFinding:
    """Return whether the firewall holds the bans that it should."""
    trouble, enforcement = health.of_firewall(status), status.enforcement
    if trouble is not None:
        return HostFinding("bans", "bad", trouble.what, trouble.cure or "banish status")
    if status.dry_run:
        what = f"{enforcement.wanted} wanted, none enforced: the server is a dry run"
        return HostFinding("bans", "note", what, "start it without --dry-run to ban")
    repairs = f", {enforcement.repairs} repairs so far" if enforcement.repairs else ""
    return HostFinding(
        "bans", "good", f"{enforcement.wanted} wanted, {enforcement.enforced} enforced{repairs}"
    )


def _mail(settings: Settings) -> Iterator[HostFinding]:
    actions = {action.name for jail in settings.jails for action in jail.actions}
    wanting = sorted(name for name in actions if "mail" in name)
    if not wanting:
        return
    program = "sendmail" if any(name.startswith("sendmail") for name in wanting) else "mail"
    if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        what = f"action {wanting[0]} sends mail, and there is no {program}"
        yield HostFinding("mail", "note", what, "sudo apt install msmtp-mta bsd-mailx")
    else:
        yield HostFinding("mail", "good", f"{program} is here")


def others(settings: Settings, proc: Path) -> Iterator[HostFinding]:
    """Yield what other programs on this host mean for us."""
    running = process_names(proc)
    if "fail2ban-server" in running:
        what = "Fail2Ban is running too: both would ban, and each would unban on its own"
        yield HostFinding("fail2ban", "note", what, "sudo systemctl disable --now fail2ban")
    watches_ssh = any(jail.filter.name.startswith("sshd") for jail in settings.jails)
    has_ssh = "sshd" in running or shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin") is not None
    if has_ssh and not watches_ssh:
        root = "/etc/banish" if settings.root == "built-in" else settings.root
        cure = SSH_JAIL.format(root=root)
        yield HostFinding("ssh", "note", "sshd is installed, but no jail watches it", cure)
    elif has_ssh:
        yield HostFinding("ssh", "good", "sshd is installed and watched")
    elif watches_ssh:
        yield HostFinding(
            "ssh", "note", "a jail watches sshd, which is not installed", "disable the jail"
        )


def process_names(proc: Path) -> frozenset[str]:
    """Return the names of all running programs, of scripts the script's own name, too."""
    names: set[str] = set()
    for entry in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may end while we look
            names.add((entry / "comm").read_text("utf-8", "replace").strip())
            words = (entry / "cmdline").read_bytes().split(b"\0")[:2]
            names.update(Path(os.fsdecode(word)).name for word in words)
    return frozenset(names)
