"""Which settings one run of the server uses: those of the files, and the command line's word."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from banish.config.load import builtin_tree, load
from banish.model.settings import ServerSettings, Settings


class RunOptions(msgspec.Struct, frozen=True):
    """What the command line says about a run."""

    config: Path | None = None
    """The configuration directory; None: where it is usually found."""
    socket: Path | None = None
    state: Path | None = None
    """Keep database, socket and pid file in this one directory."""
    dry_run: bool = False
    verbosity: int = 0
    """Above 0: more to tell; below: less."""
    fail2ban_socket: Path | None = None
    fail2ban_pidfile: Path | None = None
    overrides: Mapping[str, str] = MappingProxyType({})
    """``loglevel``, ``logtarget`` and ``syslogsocket`` in place of the files'."""


def settle(options: RunOptions) -> Settings:
    """Return what the files say now, with the server's files where the command line wants them.

    Raises:
        ConfigError: The configuration directory cannot be read.

    """
    settings = load(options.config, builtin=builtin_tree())
    return msgspec.structs.replace(settings, server=placed(settings.server, options))


def program_of(server: ServerSettings) -> str:
    """Return the name that log lines speak by.

    In a log that ``fail2ban.conf`` names, tools look for ``fail2ban.actions``
    (logwatch, munin, the recidive filter), so there we speak by that name.
    """
    place = server.places.get("logtarget")
    is_theirs = place is not None and Path(place.path).name.startswith("fail2ban.")
    return "fail2ban" if is_theirs else "banish"


def placed(server: ServerSettings, options: RunOptions) -> ServerSettings:
    """Return *server* with its files where the command line wants them."""
    changes: dict[str, str] = {}
    if options.dry_run:  # a Fail2Ban that runs beside a trial has these for itself
        changes = {"fail2bansocket": "", "fail2banpidfile": ""}
    if options.state is not None:
        changes = {
            "socket": str(options.state / "banish.sock"),
            "pidfile": str(options.state / "banish.pid"),
            "dbfile": str(options.state / "banish.sqlite3"),
            "fail2bansocket": str(options.state / "fail2ban.sock") if server.fail2bansocket else "",
            "fail2banpidfile": "",
        }
    if options.socket is not None:
        changes["socket"] = str(options.socket)
    if options.fail2ban_socket is not None:
        changes["fail2bansocket"] = str(options.fail2ban_socket)
    if options.fail2ban_pidfile is not None:
        changes["fail2banpidfile"] = str(options.fail2ban_pidfile)
    changes |= options.overrides
    if options.dry_run and program_of(server) == "fail2ban":
        # Bans that are none must not stand in the log that Fail2Ban's recidive jail counts.
        changes["logtarget"] = "STDERR"
    return msgspec.structs.replace(server, **changes)
