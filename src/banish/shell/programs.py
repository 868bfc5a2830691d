"""Knows programs by what they do with their words and their input.

Programs that read a language are listed, as are those that take any text as text.
What is on no list may have words of any text, since that is what words are for, but
on its input only lines that no shell would run.
"""

import re
from collections.abc import Sequence
from typing import Literal

from banish.shell import options
from banish.shell.slot import OPAQUE, Word

_SETTINGS = re.compile(
    r"LD_\w+|\w*PATH|(?:BASH_)?ENV|IFS|PS[0-4]|PROMPT_COMMAND|\w*_COMMAND|\w*PAGER|\w*EDITOR|VISUAL"
    r"|BROWSER|SHELL|PERL5\w+|PYTHON\w+|RUBY\w+|NODE_OPTIONS|GIT_\w+|TAR_OPTIONS|LESS\w*|RSYNC_RSH"
    r"|SHELLOPTS|BASHOPTS|HISTFILE|FCEDIT|BASH_\w+|OPTIND|HOME|ZDOTDIR|XDG_\w+|(?:G|GNU)?MAKEFLAGS"
    r"|\w*ASKPASS|CURL_HOME|(?:SYSTEM_)?WGETRC|INPUTRC|MAILRC|\w*INIT|PHPRC|_?JAVA\w*_OPTIONS"
    r"|OPENSSL_\w+|LUA_INIT\w*|R_\w+|MAN\w+|SSH_\w+|CC|CXX|AR|VIM\w*|EX(?:INIT|RC)|TCL\w+"
)

_TEXT_FILES = re.compile(
    r"\d*|-|(?:/tmp|/var/tmp|/run|/var/run|/dev|/var/log|/var/lib/(?:fail2ban|banish))/.*"
    r"|.*\.(?:log|txt|csv|tsv|md|eml|msg|tmp|out|buffer)"
)
_STRICT_FILES = re.compile(
    r"(?:.*/)?(?:hosts\.(?:deny|allow)|cron[^/]*|sudoers[^/]*|systemd|profile[^/]*|init\.d|rc[^/]*|udev"
    r"|pam\.d|modprobe[^/]*|logrotate[^/]*|apt|xinetd\.d|update-motd\.d|if-\w+\.d|network[^/]*|dhcp"
    r"|\.ssh|\.git|\.config|\.gnupg)(?:/.*)?"
    r"|(?:.*/)?(?:ld\.so\.\w+|inittab|aliases|exports|environment|passwd|shadow|group|GNUmakefile"
    r"|[Mm]akefile|authorized_keys\d*|\.[\w-]*(?:rc|profile|login|logout|history|config|forward)"
    r"|\.bash\w*|\.z\w+|\.env|\.netrc|\.my\.cnf|__main__\.py|action\w*\.local|jail\.local)"
    r"|/(?:proc|sys|boot|bin|sbin|lib\w*|usr/s?bin|usr/lib\w*|usr/local/s?bin)/.*"
    r"|.*\.(?:sh|bash|zsh|ksh|fish|py|pl|pm|rb|php\d?|phtml|cgi|lua|js|tcl|exp|awk|sed|mk|ps1|bat|cmd"
    r"|service|timer|socket|path|mount|target|desktop|rules|so|gdb|vim|el|R|jl|sql|jar|jsp|asp)"
)
"""Files that some program runs, or does what they say, by their names and places."""


_HARMLESS = frozenset({"-u", "-B", "-s", "-E", "-I", "-w", "-T", "-t", "-W"})
"""Options of `_SCRIPTED` behind which the file of the program may follow."""

Wrapper = tuple[frozenset[str], frozenset[str], int]
"""Options with a value, options without, and words before the command that it runs."""

_PLAIN_SHELLS = re.compile(
    r"(?:r?ba|da|a|z|t?c|pd?k|mk?|k|lk|ya|fi|xon|pow)?sh(?:-static)?|pwsh|nu|elvish|oil|osh"
)
_SHELLS = re.compile(
    r"eval|source|\.|ssh|rsh|rexec|mosh|pdsh|clush|dsh|pssh|parallel-ssh|ansible|salt|su|runuser|run-parts"
    r"|trap|alias|expect|(?:tcl|wi)sh[\d.]*|at|batch|crontab|script|watch|parallel|xargs|tmux"
    r"|screen|make|gmake|gdb|lldb|ed|ex|vim?|nvim|view|emacs|entr|hyperfine|find|fd|fdfind"
    r"|lftp|ftp|sftp|telnet|socat|supervisorctl|incron(?:tab)?|start-stop-daemon"
    r"|history|fc|hist|complete|compgen|bind|enable|hash|zmodload|autoload|sched|z(?:style|format)"
    r"|zcompile|zmv|emulate|print|repeat|noglob|nocorrect|vared|disown|-|mapfile|readarray"
)
"""Programs that run other programs, named in their words or on their input."""

_READ_AS_SHELL = frozenset(
    {"eval", "ssh", "rsh", "rexec", "mosh", "pdsh", "clush", "dsh", "pssh", "su", "runuser"}
    | {"trap", "watch", "at", "batch", "script", "parallel", "xargs", "find", "fd", "fdfind"}
)
_RUNS = re.compile(
    r"system|exec|popen|subprocess|spawn|shell|qx|getline|`|\||open|fork|run|call|require|import"
    r"|\bs(.).*\1.*\1\w*e|(?:^|[\s;{\d$/])e\s|print[^;}\n]*>\s*[^\s\"=]",
    re.IGNORECASE | re.DOTALL,
)
_NAMES_FILE = re.compile(
    r"(?:(?:^|[\s;./{}\d$!])(?:read|source|load|include|attach(?: database)?|output|once|import"
    r"|backup|restore|save|open|(?:in|out|dump)file|[wr])|\\(?:i|ir|o|w|g|include_relative))\s*['\"]?\0",
    re.IGNORECASE,
)
"""A word of some language, and behind it a value in place of the name of a file."""

_AWK_RUNS = re.compile(r"system|getline|\|")
_SED_RUNS = re.compile(
    r"s(.)(?:\\.|(?!\1).)*\1(?:\\.|(?!\1).)*\1[gpiImM0-9]*e|(?:^|^-\w*|[\s;{}\d$/=!I])e(?:\s|$)",
    re.DOTALL,
)

_LANGUAGES = re.compile(
    r"[gmn]?awk|original-awk|g?sed|perl[\d.]*|ruby[\d.]*|php[\d.]*|lua(?:jit)?[\d.]*|node(?:js)?"
    r"|deno|bun|(?:python|pypy)[\d.]*|julia|R|Rscript|octave|groovy|guile|racket|sbcl|ghc|runghc"
    r"|scala|erl|elixir|swift|osascript|m4|gnuplot|mysql|mariadb|psql|sqlite3?|redis-cli|valkey-cli"
    r"|mongo(?:sh)?|clickhouse(?:-client)?|influx|cqlsh|isql|sqlcmd|sqlplus|duckdb|ldap\w+|nsupdate"
    r"|bc|dc|let|\[\[|\(\(|jq|yq|xmlstarlet|xsltproc|nft|(?:ip6?|eb|arp)tables-restore|dd"
    r"|certtool|rrdtool"
)
"""Programs that read a language of another kind."""

_SCRIPTED = re.compile(
    r"perl[\d.]*|ruby[\d.]*|php[\d.]*|lua(?:jit)?[\d.]*|node(?:js)?|deno|bun|(?:python|pypy)[\d.]*"
)
"""Those of them that read data on their input if their program is a word or a file."""

_FILTERS = re.compile(r"[gmn]?awk|original-awk|g?sed|jq|yq")
"""Those of them whose input is data, unless ``-f -`` says otherwise."""

_FROM_INPUT = re.compile(
    r"(?:^|\s)(?:-\w*[fK]|--(?:file|config|from-file))[ =]?"
    r"(?:-|/dev/stdin|/dev/fd/0|/proc/self/fd/0)(?:\s|$)"
)
"""The option of a filter that has it read its program from its input."""

_PROGRAM_FILE = re.compile(
    r"-\w*[fEilL]|--(?:file|include|exec|from-file|load)|.*@(?:include|load)", re.DOTALL
)
"""Words of a filter that say, or may say, that a file holds a part of its program."""

_LEAVES_INPUT = re.compile(r"-|/dev/stdin|-[A-Zabdf-moqs-z]+|--[\w-]+")
"""Words with which a program of `_SCRIPTED` still reads its program from its input."""

_BATCH = frozenset({"restore", "-batch", "-b", "-f", "--restore"})

_PATTERNS = re.compile(r"[ef]?grep|z[ef]?grep|[bx]zgrep|rg|ag|ack|pgrep|pkill|look")

_MAILERS = re.compile(r"mailx?|(?:s-)?nail|(?:heirloom|bsd|gnu)-mailx?|Mail|mutt|neomutt")
"""Mail programs; of some, a line of the text that begins with ``~!`` runs a command."""

_TEXTS = re.compile(
    r"echo|printf|test|\[|true|false|:|cat|tac|tee|head|tail|tr|sort|uniq|cut|paste|wc|fold|fmt|nl"
    r"|rev|column|expand|iconv|recode|od|xxd|hexdump|base(?:32|64)|(?:md5|sha\d*|b2)sum|cksum|sum"
    r"|gzip|bzip2|xz|zstd|openssl|gpg2?|logger|systemd-cat|wall|write|curl|nc|ncat|netcat|ts|read"
    r"|cmp|diff|comm|join|split|shuf|strings|pv|less|more|dos2unix|unix2dos|html2text|uuencode"
    r"|mimencode|sendmail|exim4?|msmtp|ssmtp|swaks|send_nsca|zabbix_sender|apprise|notify-send|lpr?"
    r"|date|sleep|mkdir|touch|dirname|basename|expr"
)
"""Programs that take what they read on their input as text, whatever it is."""

BUILT_IN_TEXTS = frozenset({"echo", "printf", "test", "[", "true", "false", ":"})
"""Commands of the shell itself that no option can lead to do anything else."""

DECLARERS = frozenset(
    {"export", "local", "readonly", "declare", "typeset", "unset", "read", "getopts", "mapfile"}
    | {"readarray", "integer", "float", "nameref"}
)
"""Commands of the shell whose words are names of variables."""

CALLED_INSTEAD = frozenset({"command_not_found_handle", "command_not_found_handler"})
"""Functions that bash and zsh call with the words of a command that is not found."""

COUNTERS = frozenset({"exit", "return", "shift", "break", "continue", "ulimit"})
"""Commands of the shell whose words some shells take for numbers."""

COPIERS = frozenset({"cp", "mv", "ln", "install", "rsync", "scp"})
"""Programs that make one file of another."""

DASHES_END_NO_OPTIONS = frozenset({"find", "echo", "printf", "test", "[", "expr"})
"""Commands for which a word after ``--`` is looked at as any other."""

_FILE_MAKERS = re.compile(
    r"touch|mkdir|mkfifo|mktemp|truncate|split|csplit|uniq|tar|bsdtar|zip|7z|dd|tee|sponge"
    r"|cp|mv|ln|install|rm|rmdir|unlink|shred|chmod|chown|chgrp|logsave|link|mknod"
)
"""Programs whose words are files that they make, change or delete."""

_OPENERS = re.compile(
    r"cat|tac|head|tail|less|more|most|pg|wc|sort|cut|paste|od|xxd|hexdump|base(?:32|64)|sum|cksum"
    r"|(?:md5|sha\d*|b2)sum|[sz]?diff3?|cmp|comm|join|split|nl|fold|fmt|pr|rev|strings|file|column"
    r"|[bx]?zcat|zless|zmore|g(?:un)?zip|b(?:un)?zip2|(?:un)?(?:xz|zstd|lz4|lzma|compress)|zip|unzip|7z[ar]?|rar"
    r"|ar|pax|cpio|nano|man|lpr?|expand|iconv|recode|dos2unix|unix2dos|uuencode|html2text|xmllint"
    r"|dump|lsattr|chattr|setfacl|losetup|readelf|objdump|nm|ldd|enscript|a2ps|aplay|ffmpeg|sox|pandoc"
    r"|ipfw|unexpand|tsort|shuf|openssl|gpg2?|mysqlimport|patch"
)
"""Programs whose words are files that they read."""

_WITH_G = options.words(
    "tar sort tee dd cp mv ln rm split csplit install touch mkdir mktemp truncate shred cat "
    "tac head tail cut tr date stat find xargs env nice nohup timeout stdbuf chroot uniq "
    "paste join comm wc sleep kill expr test printf echo unlink link rmdir mkfifo mknod chmod "
    "chown chgrp"
)
"""GNU programs that are called with a ``g`` before their names where others have those."""

_STARTERS = re.compile(
    r"ltrace|valgrind|perf|proxychains4|torify|tsocks|daemonize|daemon|dtach|cpulimit|ssh-agent|tini"
    r"|dumb-init|catatonit|with-contenv|s6-\w+|softlimit|setlock|envdir|lckdo|ifne|cronic|pseudo|pee"
    r"|fakechroot|proot|schroot|systemd-nspawn|runcon|aa-exec|qemu-\w+|box64|wine|dbus-launch|sg|login"
    r"|newgrp|xvfb-run|eatmydata|mispipe|tcpserver|inetd|xinetd|machinectl|lxc|incus|pct|qm|jexec|vzctl"
    r"|virsh|snap|flatpak|npx?|npm|yarn|pnpm|pipx?|uvx?|cargo|go|gem|cpanm?|java|g?cc|[gc]\+\+|clang|ld\.so"
    r"|ld-linux\S*|systemctl|service|rc-service|invoke-rc\.d|update-rc\.d|initctl|svc?|launchctl"
    r"|insmod|modprobe|rmmod|kmod|sysctl|u?mount|ldconfig|apt|apt-get|aptitude|dpkg|rpm|yum|dnf|zypper"
    r"|apk|pacman|logrotate|sudoedit|visudo|vipw|convert|magick|mogrify|identify|gs|ghostscript"
    r"|\w*(?:la)?tex|groff|troff|xdg-open|run-mailcap|mimeopen|(?:p|perl-|file-)?rename"
    r"|mmv|drush|wp|git|hg|svn|bzr|cvs|docker-compose|dbclient|plink|sshpass|autossh|sshfs|vagrant"
    r"|ansible-playbook|puppet|chef-\w+|terraform|helm"
    r"|wg-quick|openvpn|pppd|if(?:up|down)|udevadm|getty|dhclient|stunnel|psed|ssed|fail2ban-client"
    r"|fail2ban-server|banish|banishctl|asterisk|fs_cli|doveadm|watchexec|fswatch|inotifyd|nsexec"
    r"|run-one\S*|vidir|vipe|lynx|links|elinks|w3m|systemd-analyze|busctl|dbus-send|gdbus"
)
"""Programs that start, install or steer others named in their words, each in its own way."""

_START_INSIDE = frozenset({"ip", "docker", "podman", "kubectl"})
_EXECS = frozenset({"exec", "run", "apply"})
_MESSAGE = re.compile(r"-[a-z]*m|--(?:message|author)")

REMOTE = frozenset({"ssh", "rsh", "rexec", "mosh", "pdsh", "clush", "dsh", "pssh"})
"""Programs that run their words on another host."""

_WRITES_NONE = frozenset(
    {"cat", "tac", "head", "tail", "tr", "cut", "paste", "wc", "fold", "logger", "wall"}
    | {"cd", "date"}
    | {"sendmail", "exim", "exim4", "msmtp", "nc", "ncat", "netcat", "read", "sleep", "expr", "rm"}
)
"""Programs that write no file that their words name."""

_RUNS_NO_FILE = re.compile(
    r"dd|bc|let|\[\[|\(\(|jq|yq|xmlstarlet|nft|(?:ip6?|eb|arp)tables-restore|redis-cli|valkey-cli"
    r"|ldap\w+|nsupdate|rrdtool|certtool|influx|cqlsh|mongo(?:sh)?|clickhouse(?:-client)?"
)
"""Languages in which no file can be run."""

_ORDINARY = re.compile(
    r"rm|rmdir|chmod|chown|chgrp|ls|stat|kill|id|whoami|who|hostname|uname|ps|cd|pwd|exit|return"
    r"|shift|wait|umask|seq|readlink|realpath|mktemp|mkfifo|sync|set|break|continue|hash|type|ulimit"
    r"|whois|host|dig|nslookup|ping|ip|ss|netstat|route|iptables|ip6tables|ebtables|arptables|ipset"
    r"|firewall-cmd|ufw|pfctl|ipfw|shorewall6?|conntrack|fail2ban-client|banishctl|systemctl|service"
    r"|geoiplookup6?|wget|which|yes|truncate|tar|zip"
)
NAMES_FILES = frozenset({"split", "csplit", "patch", "cpio", "tar", "unzip", "rename", "mmv"})
"""Programs that write files whose names are not in their words."""

_PACKERS = re.compile(
    r"p?igz|(?:un)?(?:g|b|p)?zip2?|gunzip|(?:un)?(?:xz|lzma|zstd|lz4|compress)|lzop"
)

_STANDARD_FOLDERS = re.compile(r"(?:/usr)?/s?bin/[^/]+|[^/]+")

_NONE: frozenset[str] = frozenset()


def _wrapper(with_value: str = "", without: str = "", words: int = 0) -> Wrapper:
    return frozenset(with_value.split()), frozenset(without.split()), words


_WRAPPERS: dict[str, Wrapper] = {
    "sudo": _wrapper(
        "-u -g -h -p -C -T -U -r -t -D -R --user --group",
        "-n -E -H -S -b -k -P -i -s --non-interactive",
    ),
    "doas": _wrapper("-u -C -a", "-n -L -s"),
    "env": _wrapper("-u -C --unset --chdir", "-i - -0 -v --ignore-environment"),
    "nice": _wrapper("-n --adjustment"),
    "ionice": _wrapper("-c -n -p -P -u", "-t"),
    "timeout": _wrapper("-k -s --kill-after --signal", "-v --foreground --preserve-status", 1),
    "chroot": _wrapper("", "", 1),
    "flock": _wrapper("-w -E --timeout", "-n -x -s -e -u -o --nonblock", 1),
    "taskset": _wrapper("", "-c -a", 1),
    "chrt": _wrapper("", "-b -f -i -o -r", 1),
    "stdbuf": _wrapper("-i -o -e"),
    "nsenter": _wrapper("-t --target", "-a -m -u -i -n -p -U -C --all --mount --net --pid"),
    "unshare": _wrapper("", "-m -n -p -i -u -U -f -r --mount --net --pid --fork"),
    "strace": _wrapper("-o -e -p -s", "-f -q"),
    "busybox": _wrapper(),
    "toybox": _wrapper(),
    "exec": _wrapper("-a", "-c -l"),
    "command": _wrapper("", "-p"),
    "builtin": _wrapper(),
    "time": _wrapper("", "-p"),
    "nohup": _wrapper(),
    "setsid": _wrapper("", "-c -f -w"),
    "setpriv": _wrapper("", ""),
    "systemd-run": _wrapper("-u -p --unit", "-q -G -d --quiet --collect --wait --no-block"),
    "systemd-inhibit": _wrapper(),
    "fakeroot": _wrapper(),
    "dbus-run-session": _wrapper(),
    "torsocks": _wrapper(),
    "proxychains": _wrapper("-f", "-q"),
    "caffeinate": _wrapper(),
    "coproc": _wrapper(),
    "choom": _wrapper("-n -p --adjust"),
    "prlimit": _wrapper(),
    "chronic": _wrapper("", "-v -e"),
    "rlwrap": _wrapper(),
    "unbuffer": _wrapper("", "-p"),
    "catchsegv": _wrapper(),
    "faketime": _wrapper("", "-f", 1),
    "logsave": _wrapper("", "-a -s -v", 1),
    "systemd-cat": _wrapper("-t -p --identifier --priority"),
    "pkexec": _wrapper("--user"),
    "run-one": _wrapper(),
    "firejail": _wrapper(),
    "bwrap": _wrapper(),
    "docker": _wrapper("", "exec run -i -t -it", 1),
    "podman": _wrapper("", "exec run -i -t -it", 1),
    "kubectl": _wrapper("-n -c", "exec -i -t -it --", 1),
    "lxc-attach": _wrapper("-n", "--"),
    "setarch": _wrapper("", "", 1),
    "cgexec": _wrapper("-g"),
    "numactl": _wrapper(),
    "linux32": _wrapper(),
    "linux64": _wrapper(),
    "i386": _wrapper(),
    "i686": _wrapper(),
    "x86_64": _wrapper(),
    "sem": _wrapper(),
    "chpst": _wrapper("-u -U -e"),
    "setuidgid": _wrapper("", "", 1),
    "gosu": _wrapper("", "", 1),
    "su-exec": _wrapper("", "", 1),
}


def called(word: str) -> str:
    """Return the name of the program that *word* calls, without its folder."""
    name = word if word in (".", "((") else word.rpartition("/")[2]
    return name[1:] if name[:1] == "g" and name[1:] in _WITH_G else name


def wrapper(name: str) -> Wrapper | None:
    """Return how the program *name* runs another one named in its words, if it does."""
    return _WRAPPERS.get(name)


def is_shell(name: str) -> bool:
    """Whether the program *name* runs programs named in its words or on its input."""
    return any(form.fullmatch(name) for form in (_PLAIN_SHELLS, _SHELLS))


def reads_as_shell(name: str) -> bool:
    """Whether the words of *name* are read as this shell would read them."""
    return _PLAIN_SHELLS.fullmatch(name) is not None or name in _READ_AS_SHELL


def may_run(text: str) -> bool:
    """Whether *text*, in whatever language, may run a program that it names."""
    return _RUNS.search(text) is not None


def names_file(text: str) -> bool:
    """Whether a value in *text*, in whatever language, is the name of a file."""
    return _NAMES_FILE.search(text) is not None


def runs_input(name: str, words: Sequence[Word]) -> bool:
    """Whether the filter *name* may run programs that its input names."""
    form = _SED_RUNS if name.endswith("sed") else _AWK_RUNS
    return is_filter(name) and name[1:] != "q" and any(form.search(word.text) for word in words)


def is_interpreter(name: str) -> bool:
    """Whether *name*, among the words of another program, is a program that it runs."""
    return any(form.fullmatch(name) for form in (_PLAIN_SHELLS, _SCRIPTED, _FILTERS)) or name in (
        "eval", "ssh", "su", "xargs",
    )  # fmt: skip


def has_program_file(words: Sequence[Word]) -> bool:
    """Whether a filter reads a program, or a part of it, from a file that its *words* name."""
    return any(_PROGRAM_FILE.match(word.text) for word in words)


def runs_after(name: str, before: str) -> bool:
    """Whether the shell *name* may run the word after the word *before* by its name."""
    if name in ("find", "fd", "fdfind"):
        return before in options.RUNS_NEXT
    return before.startswith("-") or _PLAIN_SHELLS.fullmatch(name) is None


def is_language(name: str) -> bool:
    """Whether the program *name* reads some language in its words or on its input.

    ``[[`` and ``let`` are among them: bash runs commands in what they take for
    numbers.
    """
    return is_shell(name) or _LANGUAGES.fullmatch(name) is not None


def is_filter(name: str) -> bool:
    """Whether *name* reads a language in its words, and data on its input."""
    return _FILTERS.fullmatch(name) is not None


def script_word(name: str, words: Sequence[Word]) -> tuple[Literal["file", "text", ""], int]:
    """Return what script the interpreter *name* runs, and which of its *words* that is.

    A *file* of the operator's, or a *text* that holds no value; else nothing is known.
    """
    is_shell = _PLAIN_SHELLS.fullmatch(name) is not None
    is_text = False
    at = 0
    while (is_shell or _SCRIPTED.fullmatch(name)) and at < len(words):
        word = words[at].text
        if is_shell and word in ("-o", "+o", "-O", "+O"):
            at += 2
        elif word[:1] in "-+" and word:
            if word == "-f" and name.startswith("php"):
                at += 1
                continue
            if not (is_shell and re.fullmatch(r"-[a-z]+", word)) and word not in _HARMLESS:
                break
            if "s" in word and is_shell:
                break
            is_text = is_text or (is_shell and "c" in word)
            at += 1
        elif OPAQUE in word or not word:
            break
        else:
            return "text" if is_text else "file", at
    return "", 0


def is_setting(name: str) -> bool:
    """Whether the environment variable *name* says what programs run, or where from."""
    return _SETTINGS.fullmatch(name) is not None


def is_text_file(path: str) -> bool:
    """Whether what is written to *path* is text, by its name or its place."""
    return OPAQUE in path or _TEXT_FILES.fullmatch(path) is not None


def is_strict_file(path: str) -> bool:
    """Whether a line of the file *path* may name a program."""
    return _STRICT_FILES.fullmatch(path) is not None


def is_known(path: str) -> bool:
    """Whether *path* calls a program that is on some list, from where programs are."""
    if _STANDARD_FOLDERS.fullmatch(path) is None:
        return False
    name = called(path)
    is_listed = name in COPIERS or name in DECLARERS or name in _WRAPPERS
    is_listed = is_listed or takes_text(name) or is_language(name)
    return is_listed or _ORDINARY.fullmatch(name) is not None


def packs(name: str) -> bool:
    """Whether *name* makes a file of another name of each that it is given."""
    return _PACKERS.fullmatch(name) is not None


def runs_no_file(name: str) -> bool:
    """Whether nothing that the language of *name* can say runs a file."""
    return _RUNS_NO_FILE.fullmatch(name) is not None


def takes_program(name: str) -> bool:
    """Whether *name* runs files that its program names, and reads data otherwise."""
    return _SCRIPTED.fullmatch(name) is not None


def may_write(name: str) -> bool:
    """Whether *name* may write files that its words name."""
    is_reader = takes_pattern(name) or is_mailer(name) or name in BUILT_IN_TEXTS
    return not is_reader and name not in _WRITES_NONE


def takes_pattern(name: str) -> bool:
    """Whether a word of the program *name* is a pattern to look for."""
    return _PATTERNS.fullmatch(name) is not None


def is_mailer(name: str) -> bool:
    """Whether a line of the input of *name* may be a command for it."""
    return _MAILERS.fullmatch(name) is not None


def makes_files(name: str) -> bool:
    """Whether words of the program *name* are files that it makes, changes or deletes."""
    return _FILE_MAKERS.fullmatch(name) is not None


def opens_files(name: str) -> bool:
    """Whether words of the program *name* are files that it reads."""
    return _OPENERS.fullmatch(name) is not None


def takes_words(name: str) -> bool:
    """Whether no word of *name* says what is run or opened, but for a pattern's files."""
    return takes_pattern(name) or name in BUILT_IN_TEXTS


def starts_others(name: str, words: Sequence[str]) -> bool:
    """Whether *name*, called with *words*, starts, installs or steers others that these name."""
    is_inner = name in _START_INSIDE and not _EXECS.isdisjoint(words)
    return is_inner or _STARTERS.fullmatch(name) is not None


def is_message(name: str, before: str) -> bool:
    """Whether the program *name* takes what follows the word *before* as text to record."""
    return name in ("git", "svn", "hg", "bzr") and _MESSAGE.fullmatch(before) is not None


def takes_text(name: str) -> bool:
    """Whether *name* takes any input as text."""
    return any(form.fullmatch(name) for form in (_TEXTS, _PATTERNS, _MAILERS))


def reads_program(name: str, given: Sequence[Word]) -> bool:
    """Whether the program *name*, called with the words *given*, runs its input."""
    words = [word.text for word in given]
    if script_word(name, given)[0] == "file":
        return False
    if is_filter(name) or name == "curl":
        return _FROM_INPUT.search(" ".join(words)) is not None
    if _SCRIPTED.fullmatch(name):
        return all(_LEAVES_INPUT.fullmatch(word) is not None for word in words)
    if name in ("ipset", "ip", "tc", "bridge", "conntrack"):
        return not _BATCH.isdisjoint(words)
    return is_language(name)
