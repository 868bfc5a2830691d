"""Reads the server's own options from ``banish.conf`` and, in a Fail2Ban tree, ``fail2ban.conf``.

``banish.conf`` goes first, option by option. From ``fail2ban.conf`` the ``socket``,
``pidfile`` and ``dbfile`` are not taken: they name files of Fail2Ban in formats of
Fail2Ban, and both programs may run side by side. Only its wish to keep no
database (``None`` or ``:memory:``) counts. Its ``dbfile`` is where bans are taken
over from at the first start, unless we keep no database ourselves: nothing would
tell then which start is the first.
"""

import grp
import pwd
from collections.abc import Callable

from banish.config.effect import check_server_files
from banish.config.interpolate import Scope
from banish.config.merge import Library
from banish.config.options import SERVER_OPTIONS
from banish.config.problem import FaultError, Problems
from banish.config.reading import OptionReader
from banish.config.text import Text
from banish.config.unknown import check_server
from banish.config.values import to_bool, to_choice, to_number, to_span
from banish.model.instant import Seconds
from banish.model.settings import ControlAccess, ServerSettings

_OWN_FILES = frozenset({"socket", "pidfile", "dbfile"})
_NO_DATABASE = ("none", ":memory:")

FAIL2BAN_SOCKET = "/var/run/fail2ban/fail2ban.sock"
FAIL2BAN_PIDFILE = "/var/run/fail2ban/fail2ban.pid"
"""Where Fail2Ban has these if ``fail2ban.conf`` does not say."""

FAIL2BAN_DATABASE = "/var/lib/fail2ban/fail2ban.sqlite3"
"""Where Fail2Ban keeps its database if ``fail2ban.conf`` does not say (jail.conf(5))."""


class ServerSection:
    """The server's options as the files of both names have them."""

    def __init__(self, library: Library) -> None:
        self._scopes: list[tuple[str, Scope]] = []
        for name in ("banish", "fail2ban"):
            merged = library.read(name)
            if merged is not None:
                check_server(library.problems, merged)
                check_server_files(library.problems, merged)
                self._scopes.append((name, Scope(merged, "Definition")))

    def get(self, option: str) -> Text | None:
        """Return *option* as it is in effect, or None if nobody sets it.

        Raises:
            FaultError: A value refers to what is not there, or to itself.

        """
        for name, scope in self._scopes:
            text = scope.get(option)
            if text is None:
                continue
            if name == "fail2ban" and option in _OWN_FILES:
                word = text.text.strip().lower()
                if option != "dbfile" or word not in _NO_DATABASE:
                    continue
            return text
        return None

    def of_fail2ban(self, option: str, default: str) -> str:
        """Return *option* of ``fail2ban.conf``, or *default*; empty if it is no Fail2Ban tree.

        Raises:
            FaultError: A value refers to what is not there, or to itself.

        """
        for name, scope in self._scopes:
            if name == "fail2ban":
                text = scope.get(option)
                return default if text is None else text.text.strip()
        return ""

    def fail2ban_database(self) -> str:
        """Return the path of the tree's Fail2Ban database; empty if it is no Fail2Ban tree."""
        for name, scope in self._scopes:
            if name == "fail2ban":
                text = scope.get("dbfile")
                return _database(text) if text is not None else FAIL2BAN_DATABASE
        return ""


def read_server(library: Library) -> ServerSettings:
    """Return the server's settings; what is wrong is reported and left at its default."""
    server = ServerSection(library)
    reading = OptionReader(server.get, library.problems)
    default = ServerSettings()

    def text(option: str) -> str:
        return reading.get(option, lambda text: text.text.strip(), SERVER_OPTIONS[option].default)

    def loglevel(text: Text) -> str:
        word = text.text.strip()
        return word if word.isdigit() else to_choice(text, SERVER_OPTIONS["loglevel"])

    dbfile = reading.get("dbfile", _database, default.dbfile)
    nobody: tuple[str, ...] = ()
    return ServerSettings(
        reading.get("loglevel", loglevel, default.loglevel),
        text("logtarget"),
        text("syslogsocket"),
        text("socket"),
        text("pidfile"),
        dbfile,
        reading.get("dbpurgeage", to_span, Seconds(86_400)),
        reading.get(
            "dbmaxmatches", lambda text: to_number(text, SERVER_OPTIONS["dbmaxmatches"]), 10
        ),
        reading.get("allowipv6", lambda text: to_choice(text, SERVER_OPTIONS["allowipv6"]), "auto"),
        reading.get("keepbans", lambda text: to_bool(text, "keepbans", library.problems), False),
        dict(reading.places),
        _takeover(server, dbfile),
        reading.get("firewall", _firewall, default.firewall),
        reading.get("linetime", to_span, default.linetime),
        reading.get(
            "windowmemory",
            lambda text: to_number(text, SERVER_OPTIONS["windowmemory"]),
            default.windowmemory,
        ),
        ControlAccess(
            **{
                role: reading.get(f"control.{role}", _members(role, library.problems), nobody)
                for role in ("read", "operate", "configure")
            }
        ),
        reading.get(
            "fail2banversion",
            lambda text: to_choice(text, SERVER_OPTIONS["fail2banversion"]),
            default.fail2banversion,
        ),
        _theirs(server, text("fail2bansocket"), "socket", FAIL2BAN_SOCKET),
        _theirs(server, text("fail2banpidfile"), "pidfile", FAIL2BAN_PIDFILE),
        reading.get(
            "logformat",
            lambda text: to_choice(text, SERVER_OPTIONS["logformat"]),
            default.logformat,
        ),
    )


def _theirs(server: ServerSection, written: str, option: str, default: str) -> str:
    """Return where Fail2Ban would have the file of *option*, unless something else is *written*."""
    if written:
        return "" if written.lower() == "none" else written
    try:
        return server.of_fail2ban(option, default)
    except FaultError:
        return ""


def _members(role: str, problems: Problems) -> Callable[[Text], tuple[str, ...]]:
    """Return what reads the users and groups that have a role; unknown ones are left out."""

    def read(text: Text) -> tuple[str, ...]:
        found: list[str] = []
        for word, place in text.words():
            if is_known_member(word):
                found.append(word)
                continue
            kind, name = ("group", word[1:]) if word.startswith("@") else ("user", word)
            what = f'there is no {kind} "{name}" on this host, so this entry gives nobody access'
            cure = f"create the {kind}, or correct the name; a group is written as @name"
            problems.warn(what, place, option=f"control.{role}", cure=cure)
        return tuple(dict.fromkeys(found))

    return read


def is_known_member(word: str) -> bool:
    """Whether *word* is a user of this host, or with ``@`` in front a group."""
    name = word.removeprefix("@")
    if name.isascii() and name.isdigit():
        return True
    try:
        return bool(grp.getgrnam(name) if word.startswith("@") else pwd.getpwnam(name))
    except (KeyError, ValueError):  # the second: no name of anybody can be written so
        return False


def _firewall(text: Text) -> str:
    return to_choice(text, SERVER_OPTIONS["firewall"])


def _takeover(server: ServerSection, dbfile: str) -> str:
    if dbfile.lower() in _NO_DATABASE:
        return ""
    try:
        found = server.fail2ban_database()
    except FaultError:
        return ""  # reported when our own dbfile was looked for
    return found if found.startswith("/") and found != dbfile else ""


def _database(text: Text) -> str:
    word = text.text.strip()
    return "None" if word.lower() == "none" else word
