"""Knows the commands that take a program of their own, by the name they are called by.

What stands in such a program is read once more, so quoting it for the shell is
no help there. A command that is missing here costs no injection into our own
script, but into the program that its author has it run.
"""

import re

_SHELLS = r"(?:ba|da|z|m?k)?sh|ssh"

_INTERPRETER = re.compile(
    rf"(?:.*/)?(?:eval|{_SHELLS}|[gmn]?awk|sed|perl|ruby|php|lua|node|su|python[\d.]*"
    r"|mysql|mariadb|psql|sqlite3?|redis-cli|nsupdate|let|\[\[|trap|alias|expect|tclsh)"
)
_SHELL = re.compile(rf"(?:.*/)?(?:eval|{_SHELLS}|su|trap|alias|expect|tclsh)")
_READER = re.compile(rf"(?:.*/)?(?:{_SHELLS}|mysql|mariadb|psql|sqlite3?|redis-cli|nsupdate|bc)")


def takes_program(word: str) -> bool:
    """Whether the command *word* takes a program as an argument.

    ``[[`` and ``let`` are among them: bash runs commands in what they take for
    numbers.
    """
    return _INTERPRETER.fullmatch(word) is not None


def takes_shell_program(word: str) -> bool:
    """Whether the program that *word* takes names other programs."""
    return _SHELL.fullmatch(word) is not None


def reads_program(word: str) -> bool:
    """Whether the command *word* takes a program on its standard input."""
    return _READER.fullmatch(word) is not None
