"""Knows programs that start others named in their words, such as ``sudo``; pure.

Of most it is known where the name of the other program stands, so that its words are
judged as if it were called alone. Of the rest, every word may be the one that is run.
"""

import re
from collections.abc import Sequence

from banish.shell.slot import ASSIGNMENT, Word

Wrapper = tuple[frozenset[str], frozenset[str], int]
"""Options with a value, options without, and words before the command that it runs."""


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


def wrapper(name: str) -> Wrapper | None:
    """Return how the program *name* runs another one named in its words, if it does."""
    return _WRAPPERS.get(name)


def starts_others(name: str, words: Sequence[str]) -> bool:
    """Whether *name*, called with *words*, starts, installs or steers others that these name."""
    is_inner = name in _START_INSIDE and not _EXECS.isdisjoint(words)
    return is_inner or _STARTERS.fullmatch(name) is not None


def is_message(name: str, before: str) -> bool:
    """Whether the program *name* takes what follows the word *before* as text to record."""
    return name in ("git", "svn", "hg", "bzr") and _MESSAGE.fullmatch(before) is not None


def unwrapped(wrapper: Wrapper, words: Sequence[Word], at: int) -> int | None:
    """Return where the command begins that a wrapper runs, or None if that is unknown."""
    with_value, without, positions = wrapper
    while at < len(words):
        text = words[at].text
        if text in with_value:
            at += 2
        elif text in without or text.partition("=")[0] in with_value or text == "--":
            at += 1
        elif text.startswith("-"):
            return None
        elif positions:
            positions -= 1
            at += 1
        elif ASSIGNMENT.match(text):
            at += 1
        else:
            return at
    return at
