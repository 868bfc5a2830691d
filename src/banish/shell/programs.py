"""Knows programs by what they do with their words and their input; pure.

Programs that take any text as text are listed, as are those whose words are files. What
is on no list may have words of any text, since that is what words are for, but on its
input only lines that no shell would run.
"""

import re

from banish.shell import languages, options, wrappers

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


_WRITES_NONE = frozenset(
    {"cat", "tac", "head", "tail", "tr", "cut", "paste", "wc", "fold", "logger", "wall"}
    | {"cd", "date"}
    | {"sendmail", "exim", "exim4", "msmtp", "nc", "ncat", "netcat", "read", "sleep", "expr", "rm"}
)
"""Programs that write no file that their words name."""


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


def called(word: str) -> str:
    """Return the name of the program that *word* calls, without its folder."""
    name = word if word in (".", "((") else word.rpartition("/")[2]
    return name[1:] if name[:1] == "g" and name[1:] in _WITH_G else name


def is_known(path: str) -> bool:
    """Whether *path* calls a program that is on some list, from where programs are."""
    if _STANDARD_FOLDERS.fullmatch(path) is None:
        return False
    name = called(path)
    is_listed = name in COPIERS or name in DECLARERS or wrappers.wrapper(name) is not None
    is_listed = is_listed or takes_text(name) or languages.is_language(name)
    return is_listed or _ORDINARY.fullmatch(name) is not None


def packs(name: str) -> bool:
    """Whether *name* makes a file of another name of each that it is given."""
    return _PACKERS.fullmatch(name) is not None


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


def takes_text(name: str) -> bool:
    """Whether *name* takes any input as text."""
    return any(form.fullmatch(name) for form in (_TEXTS, _PATTERNS, _MAILERS))
