"""Knows options by what a program does with their values; pure.

Programs are many and their options more, so a long option is read by its parts:
``--rsync-path`` has the part ``path``, ``--use-compress-program`` has ``program``.
Short options mean something else to each program, and are listed with it.
"""

import enum
import re


class Use(enum.Enum):
    """What a program does with the value of an option."""

    TEXT = "text"
    RUNS = "runs"
    """Run it, or read it as a program."""
    HEEDS = "heeds"
    """Do what the file says that it names."""
    OPENS = "opens"
    """Read or write the file that it names."""


def words(text: str) -> frozenset[str]:
    """Return the words of *text*."""
    return frozenset(text.split())


RUNS_NEXT = frozenset(
    {
        "-c", "-e", "-E", "-x", "-ex", "-exec", "-execdir", "-ok", "-okdir", "--exec", "--eval",
        "--execute", "--command", "--expression", "--run", "--program", "--rsh", "--script",
        "--shell-command", "--use-compress-program", "--checkpoint-action", "--to-command",
        "--rsync-path", "-I", "eval", "exec", "--code", "--print", "-TT",
    }
)  # fmt: skip
"""Words of programs on no list whose next word may be a program."""

_RUNS = words(
    "exec command cmd script hook filter program prog shell rsh rmt ssh pager editor browser "
    "eval invoke preload plugin module askpass modprobe pack viewer bin pre preview extcmd up "
    "down run pipe on passwordeval rule engine provider entrypoint lua"
)
"""Parts of long options whose values are run, or say what is run."""

_HEEDS = words("config conf cfg rc rcfile init options defaults include import load batch rules")
"""Parts of long options that name a file which steers the program."""

_OPENS = words(
    "file files dir directory folder output out input cert cacert key trace stderr netrc "
    "logfile path prefix cookies jar save libcurl hsts dest destination attach attachment "
    "upload datadir document socket etag index"
)
"""Parts of long options that name a file which is read or written."""

_SHORT = {
    Use.RUNS: {
        "tar gtar bsdtar": "-I -F",
        "man": "-P -H",
        "tcpdump": "-z",
        "nc ncat netcat": "-e -c",
        "zip": "-TT",
        "git": "-c -x -O",
        "rsync": "-e -M",
        "scp sftp": "-S -D",
        "useradd usermod adduser chsh": "-s",
        "dhclient": "-sf",
        "mail mailx nail s-nail heirloom-mailx bsd-mailx": "-S -X",
        "mutt neomutt": "-e",
        "asterisk": "-rx -x",
        "smbclient rpcclient": "-c",
        "fs_cli": "-x",
        "exim exim4 sendmail": "-be -bem -D -O -oX -X",
        "check_by_ssh nrpe": "-C -c",
        "groff": "-U -m -M",
        "gcc cc g++ c++ clang": "-B -specs -wrapper",
        "iptables ip6tables": "-M",
        "at batch": "-f",
        "less most more": "-k -t +",
        "tshark wireshark": "-X",
    },
    Use.HEEDS: {
        "curl": "-K",
        "ssh scp sftp sshfs": "-F",
        "wget aria2c": "-i",
        "ip tc bridge ss": "-b -batch -F",
        "nft ipset pfctl ipf arp xinetd ldconfig": "-f",
        "dig": "-f -k",
        "mutt neomutt": "-F",
        "sendmail exim exim4 msmtp modprobe": "-C",
        "fail2ban-client fail2ban-server": "-c",
        "file": "-m -f",
        "nmap": "-iL",
        "tcpdump": "-F",
        "docker docker-compose podman kubectl": "-f",
        "sysctl": "-p",
        "jq": "-f -L",
        "gdb": "-x",
        "openssl": "-config",
        "grep egrep fgrep zgrep": "-f",
        "tar gtar bsdtar": "-T -X -g -f",
    },
    Use.OPENS: {
        "curl": "-T -b -c -E",
        "wget": "-P -a",
        "mail mailx nail s-nail bsd-mailx heirloom-mailx": "-a -A -f",
        "mutt neomutt": "-a -i -H",
        "logger espeak gs date zabbix_sender telegram-send mosquitto_pub": "-f",
        "tcpdump": "-r -w",
        "nmap": "-oN -oA -oX -oG",
    },
}
_SHORT_OF = {
    (use, name): frozenset(options.split())
    for use, table in _SHORT.items()
    for names, options in table.items()
    for name in names.split()
}
_FIXED = re.compile(r"--[\w-]+|-\w{4,}")
_BUNDLE = re.compile(r"-?[A-Za-z]+")

_OUTPUTS = re.compile(r"-\w*[oO]|-out|--output(?:-document|-file)?|-D|--dump-header")
"""Options of other programs behind which a file to write follows."""

_SSH = frozenset({"ssh", "scp", "sftp", "autossh", "sshpass", "mosh", "rsync", "git"})

_FETCHERS = words("curl wget wget2 fetch lynx links elinks w3m aria2c http https xh httpie")
_FLAG = re.compile(
    r"-[sSfLkvgiqnNGI#]+|--(?:silent|show-error|fail|location|insecure|verbose|quiet|include|head)"
)
"""Options of `_FETCHERS` without a value."""

_DATA = re.compile(r"-[dFHAubeXm]|--(?:data|form|json|header|user|post-data|body-data)[\w-]*")
"""Options of `_FETCHERS` whose values are no address of a page."""


def use_of(name: str, option: str) -> Use:
    """Return what the program *name* does with the value of *option*."""
    for use in (Use.RUNS, Use.HEEDS, Use.OPENS):
        listed = _SHORT_OF.get((use, name), frozenset())
        if option in listed:
            return use
        is_bundle = name.endswith("tar") and _BUNDLE.fullmatch(option) is not None
        if is_bundle and f"-{option[-1]}" in listed:
            return use
    if not _FIXED.fullmatch(option):
        return Use.OPENS if option == "-f" else Use.TEXT
    parts = set(option.lstrip("-").split("-"))
    if parts & _RUNS:
        return Use.RUNS
    if parts & _HEEDS:
        return Use.HEEDS
    return Use.OPENS if parts & _OPENS else Use.TEXT


def attached(name: str, word: str) -> Use:
    """Return what the program *name* does with the value within *word*, as in ``-Ifile``."""
    option, equals, _ = word.partition("=")
    if equals and option.startswith("-"):
        return use_of(name, option)
    for use in (Use.RUNS, Use.HEEDS, Use.OPENS):
        for short in _SHORT_OF.get((use, name), ()):
            if word.startswith(short) and len(word) > len(short):
                return use
    return Use.TEXT


def is_output(before: str, word: str) -> bool:
    """Whether *word*, behind the word *before*, is a file that is written."""
    return _OUTPUTS.fullmatch(before) is not None or (
        _OUTPUTS.fullmatch(word.partition("=")[0]) is not None
    )


def is_ssh_command(name: str, word: str) -> bool:
    """Whether *word* sets an option of ssh that names a command to run here."""
    return name in _SSH and re.search(r"[a-z]command\s*[= ]", word, re.IGNORECASE) is not None


def is_page(name: str, before: str, word: str) -> bool:
    """Whether *word*, behind the word *before*, is the address of a page that *name* fetches."""
    if name not in _FETCHERS or _DATA.fullmatch(before):
        return False
    is_alone = not before.startswith("-") or _FLAG.fullmatch(before) or before == "--url"
    return "://" in word or word.startswith("--url=") or bool(is_alone and word[:1] == "\0")


def names_file(name: str, before: str) -> bool:
    """Whether a fetcher *name* reads a file whose name follows *before* within a word."""
    return (name in _FETCHERS or name in ("7z", "convert", "java", "gcc")) and before[-1:] in (
        "@", "<",
    )  # fmt: skip
