"""THE table of options: what each is called, holds, and means.

Validation, ``banish config``, completion and the reference page are made from
it. Names and defaults are Fail2Ban's (jail.conf(5); the defaults that its code
has where no file sets an option), the words are ours.
"""

from collections.abc import Iterable

from banish.config.addons import FIREWALLS
from banish.model.option import Option

_JAIL = (
    Option("enabled", "boolean", "false", "Whether this jail runs."),
    Option(
        "filter", "specification", "",
        "The filter that finds failures: a file of filter.d without its ending, with options in "
        "brackets, such as sshd[mode=aggressive].",
    ),
    Option(
        "logpath", "path list", "",
        "The files to watch, one a line; a path may hold * and ?, and files that appear later are "
        "found. A line may end with head (the default: what is there already counts too) or tail.",
    ),
    Option(
        "backend", "backend", "auto",
        "Where lines come from: auto, pyinotify and polling read the files of logpath, systemd "
        "reads the journal, systemd[journalpath=/path] that in a file or folder, ledger counts "
        "the bans of the other jails and reads no log.",
    ),
    Option("logencoding", "text", "auto", "The character set of the log; auto is the host's own."),
    Option(
        "logtimezone", "text", "",
        "The zone of timestamps that name none, such as UTC or UTC+0200; empty is the host's own.",
    ),
    Option(
        "maxretry", "number", "3", "How many failures inside findtime lead to a ban.", least=1
    ),
    Option(
        "maxmatches", "number", "5",
        "How many of the lines that speak against a subject are kept as evidence.", most=1_000,
    ),
    Option(
        "findtime", "duration", "10m",
        "How long a failure counts: maxretry failures inside this time lead to a ban.",
    ),
    Option("bantime", "duration", "10m", "How long a ban lasts; -1 is without end."),
    Option(
        "bantime.increment", "boolean", "false", "Whether every further ban of a subject is longer."
    ),
    Option("bantime.factor", "text", "1", "Multiplies what the formula or multipliers give."),
    Option(
        "bantime.formula", "text", "",
        "Arithmetic over ban.Time, ban.Count and banFactor that gives the length of a further ban; "
        "empty doubles it each time.",
    ),
    Option(
        "bantime.multipliers", "list", "",
        "Instead of a formula: what bantime is multiplied with at each further ban, the last one "
        "from then on, such as 1 5 30 60.",
    ),
    Option("bantime.maxtime", "duration", "", "The longest that a further ban may last."),
    Option(
        "bantime.rndtime", "duration", "0",
        "Up to this much is added by chance, so that nobody can tell when a ban ends.",
    ),
    Option(
        "bantime.overalljails", "boolean", "false",
        "Whether the bans of all jails count, rather than this jail's alone.",
    ),
    Option(
        "banprefix.ipv4", "number", "32",
        "What an IPv4 address is counted and banned as: the network of this prefix length around "
        "it. A network that holds somebody exempt is not banned, its addresses are instead.",
        least=16, most=32,
    ),
    Option(
        "banprefix.ipv6", "number", "128",
        "The same for IPv6, where one host has a /64 as a rule: 64 counts them all as one.",
        least=32, most=128,
    ),
    Option(
        "netban.after", "number", "0",
        "A network is banned too once so many of its members were banned within netban.findtime: "
        "2 or more; 0 is never.",
        most=1_000,
    ),
    Option(
        "netban.ipv4", "list", "24",
        "Prefix lengths of the IPv4 networks that netban bans. Of several, such as 24 20, a "
        "network that is banned is a member of the next wider one; none is none.",
    ),
    Option("netban.ipv6", "list", "48", "The same for IPv6, such as 56 48."),
    Option(
        "netban.findtime", "duration", "1d", "How long a banned member counts against its network."
    ),
    Option(
        "netban.bantime", "duration", "",
        "How long a network is banned; empty is as bantime says, -1 is without end.",
    ),
    Option(
        "ignoreip", "address list", "",
        "Who is never banned: addresses, networks such as 192.0.2.0/24, DNS names, and file:/path "
        "for a list in a file, read again as it changes; parted by blanks, commas or lines.",
    ),
    Option("ignoreself", "boolean", "true", "Whether the host's own addresses are never banned."),
    Option(
        "guard", "list", "",
        "Who is exempt from new bans: gateways and resolvers of this host, and "
        "logins, the addresses from which somebody is logged in by ssh; empty or none is nobody.",
    ),
    Option(
        "guard.time", "duration", "0",
        "How long an address is exempt after a login from it was seen last.",
    ),
    Option(
        "guard.groups", "list", "",
        "Only logins of accounts in these groups exempt an address, such as sudo; empty is all.",
    ),
    Option(
        "banbudget", "text", "0",
        "How many bans the jail may start by itself within a time, such as 1000/1m. Past it none "
        "starts for a while, and the log and status say so: a misread log must not ban "
        "everybody. 0 is "
        "no bound.",
    ),
    Option(
        "banbudget.pause", "duration", "10m",
        "How long no ban starts once there would be too many; twice as long if that comes again "
        "soon, up to a day.",
    ),
    Option(
        "ignorecommand", "text", "",
        "A shell command that says by its exit code whether a subject is exempt: 0 is yes, 1 is "
        "no. Tags such as <ip>, <F-USER> and <ip-host> stand for values, each one word.",
    ),
    Option(
        "ignorecache", "specification", "",
        'How answers of ignorecommand are kept: key="<ip>", max-count=100, max-time=5m.',
    ),
    Option(
        "action", "specification", "",
        "What is done to a banned subject: files of action.d without their ending, with options in "
        "brackets, parted by blanks or lines. Those that close ports in this host's firewall are "
        "carried out by banish itself in nftables, all others run as commands.",
    ),
    Option(
        "nativeactions", "boolean", "true",
        "Whether actions for this host's firewall (iptables, nftables, ...) are carried out by "
        "banish itself; false runs their commands exactly as they are written.",
    ),
    Option(
        "systemd_if_nologs", "boolean", "true",
        "Whether backend auto reads the journal if no file of logpath is there.",
    ),
    Option(
        "cutconnections", "boolean", "false",
        "Whether TCP connections of a peer to the jail's ports end as its ban begins.",
    ),
    Option(
        "skip_if_nologs", "boolean", "false",
        "Whether the jail is left out if no file of logpath is there, rather than wait for one.",
    ),
)  # fmt: skip

_FILTER = (
    Option(
        "usedns", "choice", "warn",
        "What happens to names in a log: yes and warn look their addresses up, no passes them "
        "over, raw takes them as they are.",
        "filter", choices=("yes", "warn", "no", "raw"),
    ),
    Option(
        "prefregex", "regex", "",
        "A regex that every line of interest matches; its <F-CONTENT> is what the others see.",
        "filter",
    ),
    Option(
        "failregex", "regex list", "",
        "Regexes that find a failure, one a line; <HOST> is where the address stands. The first "
        "that matches counts.",
        "filter",
    ),
    Option(
        "ignoreregex", "regex list", "", "Regexes of lines that are no failure after all.", "filter"
    ),
    Option(
        "maxlines", "number", "1", "How many lines one regex may span.", "filter",
        least=1, most=1_000,
    ),
    Option(
        "ambiguous", "choice", "safe",
        "Whom a line counts against that a regex can read in two ways: safe takes the address that "
        "only the service can have written, or nobody; report takes the address that the regex "
        "finds, last the one further right, none nobody. All of them report it.",
        "filter", choices=("safe", "report", "last", "none"),
    ),
    Option(
        "countrepeated", "boolean", "true",
        "Read a line of syslog such as message repeated 5 times: [...] as the message in it, and "
        "count it so often.",
        "filter",
    ),
    Option(
        "datepattern", "text", "",
        "How the log writes its timestamps, one pattern a line; empty tries all the usual ways.",
        "filter",
    ),
    Option(
        "journalmatch", "list", "",
        "Which entries of the journal are read, such as _SYSTEMD_UNIT=ssh.service + _COMM=sshd.",
        "filter",
    ),
)  # fmt: skip

_VARIABLES = (
    Option("port", "text", "0:65535", "The ports that are closed to a banned subject.", "variable"),
    Option("protocol", "text", "tcp", "The protocol that those ports are of.", "variable"),
    Option("mode", "text", "normal", "Handed to the filter.", "variable"),
    Option("chain", "text", "", "Handed to actions; nftables needs none.", "variable"),
    Option("banaction", "text", "", "The action that bans on the jail's ports.", "variable"),
    Option("banaction_allports", "text", "", "The action that bans on all ports.", "variable"),
    Option("destemail", "text", "", "Who gets mail about bans.", "variable"),
    Option("sender", "text", "", "Who mail about bans comes from.", "variable"),
    Option("mta", "text", "", "The program that sends mail.", "variable"),
    Option("fail2ban_agent", "text", "", "What reports to others call us.", "variable"),
)

_SERVER = (
    Option(
        "loglevel", "choice", "INFO", "How much is written to the log.", "server",
        choices=(
            "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "MSG", "DEBUG", "TRACEDEBUG",
            "HEAVYDEBUG",
        ),
    ),
    Option(
        "logtarget", "text", "STDERR",
        "Where the log goes: a file, STDOUT, STDERR, SYSOUT, SYSLOG or SYSTEMD-JOURNAL.", "server",
    ),
    Option(
        "logformat", "choice", "fail2ban",
        "How a line of the log reads: as Fail2Ban's, or as one JSON object.", "server",
        choices=("fail2ban", "json"),
    ),
    Option("syslogsocket", "text", "auto", "The socket of the system's log.", "server"),
    Option(
        "socket", "text", "/run/banish/banish.sock", "Where banish listens for commands.", "server"
    ),
    Option(
        "pidfile", "text", "/run/banish/banish.pid", "Where the server's process number stands.",
        "server",
    ),
    Option(
        "dbfile", "text", "/var/lib/banish/banish.sqlite3",
        "The database that outlives a restart; None for no memory.", "server",
    ),
    Option("dbpurgeage", "duration", "1d", "How long past bans are remembered.", "server"),
    Option("dbmaxmatches", "number", "10", "How many lines of evidence are remembered.", "server"),
    Option(
        "allowipv6", "choice", "auto", "Whether IPv6 is dealt with.", "server",
        choices=("auto", "yes", "no", "on", "off", "true", "false", "1", "0"),
    ),
    Option(
        "keepbans", "boolean", "false",
        "Whether bans stay in the firewall when the server stops.", "server",
    ),
    Option(
        "firewall", "choice", "nftables",
        "What bans are carried out in natively: nftables in the kernel itself, or for hosts that "
        "lack it the programs ipset (with iptables) or iptables alone.",
        "server", choices=tuple(FIREWALLS),
    ),
    Option(
        "linetime", "duration", "0.1",
        "CPU time that the regexes of a jail may take for one line. A line that takes longer is "
        "skipped; a regex that does it again and again is held back from such lines.", "server",
    ),
    Option(
        "windowmemory", "number", "400",
        "Megabytes of memory that the failing subjects of all jails together may take, some 1.5 "
        "million of them; past it the jail that takes most forgets those that failed longest ago.",
        "server", least=1,
    ),
    Option(
        "fail2bansocket", "text", "",
        "Where clients of Fail2Ban are answered: fail2ban-client, exporters, panels. In a tree "
        "with fail2ban.conf its socket is the default, else none; none is nowhere.",
        "server",
    ),
    Option(
        "fail2banpidfile", "text", "",
        "A second file with the server's process number, for tools that look there. In a tree with "
        "fail2ban.conf its pidfile is the default, else none; none is nowhere.",
        "server",
    ),
    Option(
        "control.read", "list", "",
        "Users, and groups as @adm, that may see how the server is doing: status, bans, why, "
        "events. Root may do everything.",
        "server",
    ),
    Option(
        "control.operate", "list", "",
        "Users and groups that may ban and unban as well.", "server",
    ),
    Option(
        "control.configure", "list", "",
        "Users and groups that may reload and stop the server as well.", "server",
    ),
    Option(
        "fail2banversion", "choice", "1.1.0",
        "The version that clients of Fail2Ban are answered with; some tools take only one that "
        "they know.",
        "server", choices=("0.11.1", "0.11.2", "1.0.1", "1.0.2", "1.1.0"),
    ),
    Option("stacksize", "number", "0", "Taken and left alone: banish starts no threads.", "server"),
)  # fmt: skip

OPTIONS: tuple[Option, ...] = (*_JAIL, *_FILTER, *_VARIABLES, *_SERVER)
"""Every option, in the order the reference page shows them."""


def _named(options: Iterable[Option]) -> dict[str, Option]:
    return {option.name: option for option in options}


JAIL_OPTIONS = _named((*_JAIL, *_FILTER))
"""What a jail reads, its filter's options included."""

FILTER_OPTIONS = _named(_FILTER)
VARIABLES = _named(_VARIABLES)
SERVER_OPTIONS = _named(_SERVER)
