"""Looks at this host: what banish needs, what is there, and the command that mends the rest.

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
from banish.cli.wording import plural
from banish.config.absent import check_logs
from banish.config.addons import FIREWALLS
from banish.config.jails import has_journal
from banish.config.problem import Problems
from banish.control.client import Client
from banish.errors import ControlError
from banish.model.instant import to_iso
from banish.model.settings import JailSettings, ServerSettings, Settings
from banish.model.status import ServerStatus

State = Literal["good", "note", "bad"]
"""``note``: works, and may not be what was meant."""

INSTALL_JOURNAL = "pip install 'banish[journal]'"
SSH_JAIL = (
    "sudo mkdir -p {root}; printf '[sshd]\\nenabled = true\\n' | sudo tee -a {root}/jail.local"
)


class Finding(NamedTuple):
    """One thing that was looked at."""

    area: str
    state: State
    what: str
    cure: str = ""


def diagnose(settings: Settings, *, proc: Path = Path("/proc")) -> Iterator[Finding]:
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


def _program() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.platform == "linux":
        yield Finding("host", "good", f"Linux {os.uname().release}, Python {version}")
    else:
        yield Finding("host", "bad", f"{sys.platform} has no nftables", "use a Linux host")
    if os.geteuid() == 0:
        yield Finding("rights", "good", "root")
    else:
        what = f"user {os.geteuid()}: the firewall and most logs need root"
        yield Finding("rights", "note", what, "sudo banish doctor")


def _firewall(server: ServerSettings) -> Iterator[Finding]:
    addon = FIREWALLS[server.firewall]
    trouble = addon.probe()
    if trouble is None:
        yield Finding("firewall", "good", addon.works or f"{server.firewall} can be used")
    else:
        what, _, cure = trouble.partition("\n")
        yield Finding("firewall", "bad", what, cure.strip())


def _configuration(settings: Settings) -> Iterator[Finding]:
    errors = settings.errors
    if errors:
        what = f"{plural(len(errors), 'error')} in {settings.root}, the first: {errors[0].what}"
        yield Finding("configuration", "bad", what, "banish check")
    else:
        yield Finding("configuration", "good", f"{settings.root}, no errors")
    if not settings.jails:
        root = "/etc/banish" if settings.root == "built-in" else settings.root
        cure = SSH_JAIL.format(root=root)
        yield Finding("jails", "bad", "no jail is enabled: nothing would be watched", cure)


def _journal() -> Iterator[Finding]:
    if importlib.util.find_spec("cysystemd") is None:
        what = "a jail reads the systemd journal, and the package for it is missing"
        yield Finding("journal", "bad", what, INSTALL_JOURNAL)
    elif not has_journal():
        what = "a jail reads the systemd journal, and this host keeps none"
        cure = "install rsyslog and set backend = polling, or start systemd-journald"
        yield Finding("journal", "bad", what, cure)
    else:
        yield Finding("journal", "good", "can be read")


def jail_logs(jail: JailSettings) -> Iterator[Finding]:
    """Yield how the logs of one jail are."""
    area = f"jail {jail.name}"
    problems = Problems()
    if not check_logs(problems, jail, has_journal=has_journal):
        (problem,) = problems.all()
        yield Finding(area, "bad", problem.what, problem.cure)
        return
    if jail.uses_journal:
        yield Finding(area, "good", "reads the systemd journal")
        return
    if jail.uses_ledger:
        yield Finding(area, "good", "counts the bans of the other jails")
        return
    patterns = [entry.pattern for entry in jail.logpaths]
    found = [path for pattern in patterns for path in sorted(glob.glob(pattern))]  # noqa: PTH207
    denied = [path for path in found if not os.access(path, os.R_OK)]
    for path in denied:
        yield Finding(area, "bad", f"{path} cannot be read", "run banish as root")
    if not denied:
        names = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        yield Finding(area, "good", f"reads {names}")
    if jail.enforcement is None and not jail.actions:
        yield Finding(area, "note", "bans nobody: it has no action", "set banaction = nftables")


def _files(server: ServerSettings) -> Iterator[Finding]:
    if server.dbfile in ("None", ":memory:"):
        what = "none: bans are forgotten when the server stops"
        yield Finding("database", "note", what, "set dbfile in banish.conf")
    else:
        yield folder("database", Path(server.dbfile))
    yield folder("socket", Path(server.socket))
    if server.logtarget.startswith("/"):
        yield folder("log", Path(server.logtarget.partition("[")[0]))


def folder(area: str, file: Path) -> Finding:
    """Return whether *file* can be written, or made with the folders above it."""
    if file.exists():
        if os.access(file, os.W_OK):
            return Finding(area, "good", str(file))
        return Finding(area, "bad", f"{file} cannot be written", "run banish as root")
    above = file.parent
    while not above.exists():
        above = above.parent
    if not above.is_dir():
        return Finding(area, "bad", f"{above} is not a directory", f"remove or rename {above}")
    if os.access(above, os.W_OK):
        return Finding(area, "good", f"{file} can be made")
    return Finding(area, "bad", f"{file} cannot be made", f"sudo mkdir -p {file.parent}")


def _server(server: ServerSettings) -> Iterator[Finding]:
    try:
        status = Client(Path(server.socket), answer_seconds=5).status()
    except ControlError as error:
        if error.running:
            yield Finding("server", "bad", error.what, error.cure)
        elif error.retry:
            yield Finding("server", "note", "is not running", "sudo banish run")
        else:
            yield Finding("server", "note", error.what, error.cure)
    else:
        yield Finding("server", "good", f"runs as pid {status.pid}")
        yield _enforced(status)
        for trouble in health.of_running(status):
            if not trouble.what.startswith("watches nothing"):  # the logs were looked at above
                cure = trouble.cure or "banish status"
                yield Finding(trouble.where, "bad", trouble.what, cure)
        for jail in status.jails:
            for rule in jail.quarantined:
                yield Finding(f"jail {jail.name}", "bad", rule, "banish check")
            if jail.held_until is not None:
                what = f"its ban budget is spent: no ban starts until {to_iso(jail.held_until)}"
                yield Finding(f"jail {jail.name}", "bad", what, f"banish bans --jail {jail.name}")


def _enforced(status: ServerStatus) -> Finding:
    """Return whether the firewall holds the bans that it should."""
    trouble, truth = health.of_firewall(status), status.enforcement
    if trouble is not None:
        return Finding("bans", "bad", trouble.what, trouble.cure or "banish status")
    if status.dry_run:
        what = f"{truth.wanted} wanted, none enforced: the server is a dry run"
        return Finding("bans", "note", what, "start it without --dry-run to ban")
    repairs = f", {truth.repairs} repairs so far" if truth.repairs else ""
    return Finding("bans", "good", f"{truth.wanted} wanted, {truth.enforced} enforced{repairs}")


def _mail(settings: Settings) -> Iterator[Finding]:
    actions = {action.name for jail in settings.jails for action in jail.actions}
    wanting = sorted(name for name in actions if "mail" in name)
    if not wanting:
        return
    program = "sendmail" if any(name.startswith("sendmail") for name in wanting) else "mail"
    if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        what = f"action {wanting[0]} sends mail, and there is no {program}"
        yield Finding("mail", "note", what, "sudo apt install msmtp-mta bsd-mailx")
    else:
        yield Finding("mail", "good", f"{program} is here")


def others(settings: Settings, proc: Path) -> Iterator[Finding]:
    """Yield what other programs on this host mean for us."""
    running = process_names(proc)
    if "fail2ban-server" in running:
        what = "Fail2Ban runs, too: both would ban, and each unban on its own"
        yield Finding("fail2ban", "note", what, "sudo systemctl disable --now fail2ban")
    watches_ssh = any(jail.filter.name.startswith("sshd") for jail in settings.jails)
    has_ssh = "sshd" in running or shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin") is not None
    if has_ssh and not watches_ssh:
        root = "/etc/banish" if settings.root == "built-in" else settings.root
        cure = SSH_JAIL.format(root=root)
        yield Finding("ssh", "note", "sshd is here and no jail watches it", cure)
    elif has_ssh:
        yield Finding("ssh", "good", "sshd is here and watched")
    elif watches_ssh:
        yield Finding("ssh", "note", "a jail watches sshd, which is not here", "disable the jail")


def process_names(proc: Path) -> frozenset[str]:
    """Return the names of all running programs, of scripts the script's own name, too."""
    names: set[str] = set()
    for entry in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may end while we look
            names.add((entry / "comm").read_text("utf-8", "replace").strip())
            words = (entry / "cmdline").read_bytes().split(b"\0")[:2]
            names.update(Path(os.fsdecode(word)).name for word in words)
    return frozenset(names)
