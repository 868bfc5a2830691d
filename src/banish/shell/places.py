"""Knows variables and files that programs obey by their names; pure.

Who sets ``LD_PRELOAD``, or writes to ``.bashrc`` or a crontab, says what is run, though
no program reads it here.
"""

import re

from banish.shell.slot import OPAQUE

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


def is_setting(name: str) -> bool:
    """Whether the environment variable *name* says what programs run, or where from."""
    return _SETTINGS.fullmatch(name) is not None


def is_text_file(path: str) -> bool:
    """Whether what is written to *path* is text, by its name or its place."""
    return OPAQUE in path or _TEXT_FILES.fullmatch(path) is not None


def is_strict_file(path: str) -> bool:
    """Whether a line of the file *path* may name a program."""
    return _STRICT_FILES.fullmatch(path) is not None
