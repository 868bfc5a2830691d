"""The programs that a command runs by names which stand in it as they are."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from banish.shell.languages import is_interpreter
from banish.shell.programs import called
from banish.shell.reader import cut
from banish.shell.script import is_late
from banish.shell.slot import OPAQUE, VARIABLE, Word
from banish.shell.wrappers import wrapper

_SIMPLE = re.compile(r"[^|&;()<>$`\"'\\*?\[\]#~={}!\n]+")
"""A command without anything that a shell would act on; only there a bare name is a program."""

_ASSIGNMENT = re.compile(r"\w+=")

_BUILT_IN = frozenset({
    ".", ":", "[", "alias", "break", "cd", "command", "continue", "echo", "eval", "exec", "exit",
    "export", "false", "for", "if", "kill", "local", "printf", "pwd", "read", "return", "set",
    "shift", "test", "times", "trap", "true", "type", "ulimit", "umask", "unset", "until", "wait",
    "while", "case",
})  # fmt: skip


class Called(NamedTuple):
    """A program that a command runs."""

    name: str
    """Its whole path, or a name without a folder."""
    is_read: bool = False
    """Whether another program reads it, so that it need not be executable."""


def called_programs(command: str) -> Iterator[Called]:
    """Yield each program that *command* runs: by its whole path, or the one it begins with.

    What tags or variables are part of is not among them, nor what the shell has built in.
    """
    for each in cut(command, is_late).commands:
        if each.kind != "simple":
            continue
        words = [word for word in each.words if word.text or word.raw]
        while words and _ASSIGNMENT.match(words[0].text):
            del words[0]
        yield from _named(words)
    plain = _without_tags(command).strip()
    first = [] if command.lstrip().startswith("<") else plain.split()[:1]
    if first and "/" not in first[0] and _SIMPLE.fullmatch(plain) and first[0] not in _BUILT_IN:
        yield Called(first[0])


def _named(words: Sequence[Word]) -> Iterator[Called]:
    """Yield what of a simple command's *words* is a program by its whole path."""
    if not words:
        return
    first = words[0].text
    if _is_path(first):
        yield Called(first)
    name = called(first)
    is_wrapper = wrapper(name) is not None
    if not is_wrapper and not is_interpreter(name):
        return
    before = ""
    for word in words[1:]:
        if _is_path(word.text):
            yield Called(word.text, is_read=not is_wrapper)
            return
        is_passed = word.text.startswith("-") or word.text.isdigit() or before in ("-u", "-g", "-k")
        if not is_passed:
            return
        before = word.text


def _is_path(text: str) -> bool:
    return text.startswith("/") and OPAQUE not in text and VARIABLE not in text


def _without_tags(command: str) -> str:
    return re.sub(r"<([\w.-]+)>", lambda found: "x" if is_late(found[1]) else found[0], command)
