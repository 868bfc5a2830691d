"""The effective configuration as typed values, each knowing where it came from.

`config` makes these from files; everybody else only reads them. Options keep
Fail2Ban's spelling, except that dots become underscores.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from banish.model.instant import Seconds


class Place(msgspec.Struct, frozen=True, order=True):
    """A line of a configuration file; ``line`` counts from 1, 0 where unknown."""

    path: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


Severity = Literal["error", "warning"]


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong in the configuration: where, what, and the cure."""

    severity: Severity
    what: str
    place: Place | None = None
    option: str = ""
    cure: str = ""
    jail: str = ""
    """The jail that it concerns; empty where it concerns none or all."""
    stops: bool = False
    """Whether that jail does not run because of it."""

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        option = f"{self.option}: " if self.option else ""
        cure = f"\n    {self.cure}" if self.cure else ""
        outcome = f"; jail {self.jail} does not run" if self.stops else ""
        return f"{where}{option}{self.what}{outcome}{cure}"


class Regex(msgspec.Struct, frozen=True):
    """A regular expression as written, tags and all, and where it stands."""

    text: str
    place: Place | None = None


UseDns = Literal["yes", "warn", "no", "raw"]


OnAmbiguous = Literal["safe", "report", "last", "none"]


class FilterSettings(msgspec.Struct, frozen=True):
    """A filter after includes and interpolation, before its regexes are compiled."""

    name: str
    """As written in the jail: ``sshd`` or ``sshd[mode=aggressive]``."""
    failregex: tuple[Regex, ...] = ()
    ignoreregex: tuple[Regex, ...] = ()
    prefregex: Regex | None = None
    datepattern: Regex | None = None
    """Newline-separated list as written; None: the default list of templates."""
    maxlines: int = 1
    """How many lines a regex may span, 1 to 1000."""
    journalmatch: tuple[tuple[str, ...], ...] = ()
    """Journal matches, one tuple of words a line: ``("_COMM=sshd", "+", "_COMM=sshd-session")``."""
    usedns: UseDns = "warn"
    logtimezone: str = ""
    """Zone of timestamps that name none; empty: the local zone."""
    logencoding: str = "auto"
    ambiguous: OnAmbiguous = "safe"
    """Whom a line counts against that could name two: the one that only the service can have
    written, whom the regex takes, the last, nobody."""
    countrepeated: bool = True
    """Whether ``message repeated 5 times: [...]`` is the message, five times."""


class LogPath(msgspec.Struct, frozen=True):
    """One entry of ``logpath``: a path or a glob, and where to begin in it."""

    pattern: str
    tail: bool = False
    """Begin at the end of the file when it is seen for the first time."""
    place: Place | None = None


ActionWay = Literal["native", "commands", "built-in", "python", "none"]
"""How an action is carried out: by our own enforcer, by its commands, by a part of banish made for
it (`ActionSettings.kind`), by its Python file, or not at all."""

OptionValue = str | int | float | bool | tuple[str, ...]


class ActionSettings(msgspec.Struct, frozen=True):
    """One action of a jail as written, ``iptables[name=SSH, port=ssh]``, and what it comes to."""

    name: str
    """The file of ``action.d`` it names, without its ending."""
    arguments: Mapping[str, str] = {}
    place: Place | None = None
    way: ActionWay = "none"
    actname: str = ""
    """What it is called; unique within its jail."""
    properties: Mapping[str, str] = {}
    """Commands and parameters, tags of the ban and of the family still in them. Options for one
    family are called as ``blocktype?family=inet6``; flags are ``true`` or ``false``."""
    timeout: Seconds = Seconds(60)
    """How long each of its commands may run."""
    kind: str = ""
    """Which part of banish carries it out, such as ``mail``, where the way is ``built-in``."""
    options: Mapping[str, OptionValue] = {}
    """The options of that part: every option that its kind has, checked, in its type."""
    keeps_out: bool = False
    """Whether that part keeps subjects out, rather than only tells of them."""

    def command(self, option: str) -> str:
        """Return the command of *option*, such as ``actionban``; empty if it has none."""
        return self.properties.get(option, "").strip()

    def flag(self, option: str) -> bool:
        """Whether *option*, such as ``norestored``, is set to yes."""
        return self.properties.get(option) == "true" or self.options.get(option) is True

    @property
    def is_enforcing(self) -> bool:
        """Whether it keeps subjects out: what it does at a ban it undoes at the end of one."""
        has_end = self.command("actionunban") or self.command("actionflush")
        return self.keeps_out or bool(has_end)


Protocol = Literal["tcp", "udp", "icmp", "all", "sctp", "udplite", "dccp"]
BlockType = Literal["reject", "drop"]


class PortRange(msgspec.Struct, frozen=True, order=True):
    """Ports *first* to *last*, both in it, 0 to 65535."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


class Enforcement(msgspec.Struct, frozen=True):
    """What the firewall does for one jail."""

    jail: str
    protocols: tuple[str, ...] = ("tcp",)
    """``tcp``, ``udp``, ...; empty: every protocol, and ports do not count."""
    ports: tuple[PortRange, ...] = ()
    """Ports that are closed to a banned subject; empty: every port."""
    blocktype: BlockType = "reject"


class Escalation(msgspec.Struct, frozen=True):
    """``bantime.increment`` and its companions, as in jail.conf(5)."""

    increment: bool = False
    factor: str = "1"
    formula: str = ""
    multipliers: tuple[float, ...] = ()
    maxtime: Seconds | None = None
    rndtime: Seconds = Seconds(0)
    overalljails: bool = False


class Networks(msgspec.Struct, frozen=True):
    """What an address is counted and banned as, and when a whole network is banned."""

    prefix4: int = 32
    """An IPv4 address counts as the network of this length around it."""
    prefix6: int = 128
    after: int = 0
    """So many members of a network that are banned within *findtime* get it banned; 0: never."""
    levels4: tuple[int, ...] = ()
    """Lengths of the networks that can be banned, longest first; a network that is banned
    is a member of the next wider one."""
    levels6: tuple[int, ...] = ()
    findtime: Seconds = Seconds(86_400)
    bantime: Seconds = Seconds(0)
    """How long; 0: as the jail bans. Below zero: without end."""


GUARD_CHOICES = ("gateways", "resolvers", "logins")
"""Whom the option ``guard`` can exempt."""


class CacheRule(msgspec.Struct, frozen=True):
    """Which answers of ``ignorecommand`` to remember, and for how long."""

    key: str = "<ip>"
    """A template; failures that fill it with the same text share an answer."""
    most: int = 100
    """Most answers kept; past it the oldest is forgotten."""
    span: Seconds = Seconds(300)


class GuardSettings(msgspec.Struct, frozen=True):
    """Who is exempt in a jail for now, since a ban would lock somebody out."""

    exempts: tuple[str, ...] = ()
    """Some of `GUARD_CHOICES`; empty: nobody."""
    time: Seconds = Seconds(0)
    """How long an address is exempt after a login from it was seen last."""
    groups: tuple[str, ...] = ()
    """Only logins of accounts in one of these count; empty: of all accounts."""


class BudgetSettings(msgspec.Struct, frozen=True):
    """How many bans a jail may start, and how long it pauses when that is not enough."""

    most: int = 0
    """Bans within *span*; 0: as many as it decides."""
    span: Seconds = Seconds(60)
    pause: Seconds = Seconds(600)
    """How long it starts none once it would start more; at least *span*, and longer each time."""


class JournalPlace(msgspec.Struct, frozen=True):
    """Which journal ``backend = systemd[...]`` reads."""

    path: str | None = None
    """A journal file, or a folder of them; None: this machine's own journal."""
    flags: int = 4
    """Which of this machine's journals: one of the flags of sd_journal_open(3)."""


class JailSettings(msgspec.Struct, frozen=True):
    """One enabled jail, complete and checked."""

    name: str
    filter: FilterSettings
    logpaths: tuple[LogPath, ...] = ()
    backend: str = "auto"
    """``auto``, ``pyinotify``, ``polling``, ``ledger``, or ``systemd`` with its arguments."""
    uses_journal: bool = False
    """Whether the lines come from the systemd journal rather than from files."""
    maxretry: int = 5
    findtime: Seconds = Seconds(600)
    bantime: Seconds | None = Seconds(600)
    """None: without end (written as -1)."""
    maxmatches: int = 5
    ignoreip: tuple[str, ...] = ()
    """Addresses, networks, DNS names and ``file:/path`` as written."""
    ignoreself: bool = True
    ignorecommand: str = ""
    ignorecache: CacheRule | None = None
    escalation: Escalation = Escalation()
    actions: tuple[ActionSettings, ...] = ()
    enforcement: Enforcement | None = None
    """None: no native enforcement for this jail."""
    skip_if_nologs: bool = False
    systemd_if_nologs: bool = True
    places: Mapping[str, Place] = {}
    """For each option that a file sets, where."""
    journal: JournalPlace = JournalPlace()
    networks: Networks = Networks()
    cutconnections: bool = False
    """Whether the connections of a peer end as its ban begins."""
    guard: GuardSettings = GuardSettings()
    budget: BudgetSettings = BudgetSettings()

    @property
    def uses_ledger(self) -> bool:
        """Whether it counts the bans of other jails, and reads no log."""
        return self.backend == "ledger"


class ControlAccess(msgspec.Struct, frozen=True):
    """Who else than root may ask the server, by role: users, and groups as ``@name``."""

    read: tuple[str, ...] = ()
    """May see how the server is doing."""
    operate: tuple[str, ...] = ()
    """May ban and unban as well."""
    configure: tuple[str, ...] = ()
    """May reload and stop the server as well."""


class ServerSettings(msgspec.Struct, frozen=True):
    """``banish.conf`` or ``fail2ban.conf``."""

    loglevel: str = "INFO"
    logtarget: str = "STDERR"
    syslogsocket: str = "auto"
    socket: str = "/run/banish/banish.sock"
    pidfile: str = "/run/banish/banish.pid"
    dbfile: str = "/var/lib/banish/banish.sqlite3"
    """A path, ``:memory:``, or ``None`` for no memory across restarts."""
    dbpurgeage: Seconds = Seconds(86_400)
    dbmaxmatches: int = 10
    allowipv6: str = "auto"
    keepbans: bool = False
    """Leave bans in the firewall when the server stops."""
    places: Mapping[str, Place] = {}
    takeover_dbfile: str = ""
    """The Fail2Ban database whose bans are taken over at the first start; empty: none."""
    firewall: str = "nftables"
    """What native bans are carried out in."""
    linetime: Seconds = Seconds(0.1)
    """CPU time that the regexes of a jail may take for one line."""
    windowmemory: int = 400
    """Megabytes that the failing subjects of all jails together may take."""
    access: ControlAccess = ControlAccess()
    """Who else than root may ask the server."""
    fail2banversion: str = "1.1.0"
    """The version that clients of Fail2Ban are answered with."""
    fail2bansocket: str = ""
    """Where clients of Fail2Ban are answered; empty: nowhere."""
    fail2banpidfile: str = ""
    """A second file with the server's process number, for tools that look there; empty: none."""
    logformat: str = "fail2ban"
    """``json``: every line of the log is a JSON object."""


class Settings(msgspec.Struct, frozen=True):
    """The whole configuration of one host, and what is wrong with it."""

    root: str
    """The configuration directory, or ``built-in``."""
    server: ServerSettings = ServerSettings()
    jails: tuple[JailSettings, ...] = ()
    """The enabled jails that can start, in the order of the files."""
    problems: tuple[Problem, ...] = ()
    files: tuple[str, ...] = ()
    """Every file that was read, in order, each once."""
    host_problems: tuple[Problem, ...] = ()
    """Those of the problems that are how this host is at the moment, such as a log not there."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep something from working."""
        return tuple(problem for problem in self.problems if problem.severity == "error")
