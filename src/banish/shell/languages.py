"""Knows programs that read a language, and what a script of theirs may do; pure.

A shell reads one, as do ``awk``, ``perl`` or ``mysql``. What is a value elsewhere is
a program there: in their words, on their input, or in a file that they name.
"""

import re
from collections.abc import Sequence
from typing import Literal

from banish.shell import options
from banish.shell.slot import OPAQUE, Word

_HARMLESS = frozenset({"-u", "-B", "-s", "-E", "-I", "-w", "-T", "-t", "-W"})
"""Options of `_SCRIPTED` behind which the file of the program may follow."""


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


REMOTE = frozenset({"ssh", "rsh", "rexec", "mosh", "pdsh", "clush", "dsh", "pssh"})
"""Programs that run their words on another host."""


_RUNS_NO_FILE = re.compile(
    r"dd|bc|let|\[\[|\(\(|jq|yq|xmlstarlet|nft|(?:ip6?|eb|arp)tables-restore|redis-cli|valkey-cli"
    r"|ldap\w+|nsupdate|rrdtool|certtool|influx|cqlsh|mongo(?:sh)?|clickhouse(?:-client)?"
)
"""Languages in which no file can be run."""


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


def runs_no_file(name: str) -> bool:
    """Whether nothing that the language of *name* can say runs a file."""
    return _RUNS_NO_FILE.fullmatch(name) is not None


def takes_program(name: str) -> bool:
    """Whether *name* runs files that its program names, and reads data otherwise."""
    return _SCRIPTED.fullmatch(name) is not None


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
