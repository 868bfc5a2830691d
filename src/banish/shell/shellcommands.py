"""What the shell's own commands do with values: declare, read, test, printf."""

import re
from collections.abc import Sequence
from typing import Protocol

from banish.shell.binding import STRICT, bind, tags_in
from banish.shell.slot import ASSIGNMENT, NAME, OPAQUE, Command, Context, Slot, ValueRule, Word
from banish.shell.variableflow import VariableFlow

_CONVERSION = re.compile(r"%(?!%)[^a-zA-Z]*([a-zA-Z])")
_LINE_STARTS = re.compile(r"(?:^|\n|\\n)\s*%(?!%)")
"""A format that begins a line with what it is given."""

_COMPARES = re.compile(r"-(?:eq|ne|gt|ge|lt|le)")


class Assign(Protocol):
    """Notes that a variable is set by a word ``NAME=...``."""

    def __call__(self, name: str, word: Word, *, is_exported: bool) -> None:
        """Note it, and whether programs inherit the variable."""
        ...


def declare(
    flow: VariableFlow,
    commands: Sequence[Command],
    command: Command,
    name: str,
    words: Sequence[Word],
    assign: Assign,
) -> None:
    """Note which variables *command*, the shell's own command *name*, sets, and what they are.

    *commands* are all of the script.
    """
    options = "".join(word.text[1:] for word in words if word.text[:1] in tuple("-+"))
    makes = name not in ("read", "mapfile", "readarray", "getopts", "unset")
    is_number = makes and ("i" in options or name in ("integer", "float"))
    is_other = makes and ("n" in options or name == "nameref")
    is_unsure = makes and any(word.text[:1] == OPAQUE for word in words)
    if is_number or is_other or is_unsure or (makes and ("a" in options or "A" in options)):
        # Bash reads what these are set to once more, and ksh does.
        bind((slot for word in words for slot in tags_in(word)), ValueRule.NUMBER, reader=name)
    for word in words:
        found = ASSIGNMENT.match(word.text)
        own = NAME.match(word.text)
        if own and (is_number or is_unsure):
            flow.numbers.add(own[0])
        if own and is_other:
            held = flow.alias(own[0], word.text.partition("=")[2])
            commands[0].slots += [slot for slot in held if slot not in commands[0].slots]
        if found:
            assign(found[1], word, is_exported=name != "local")
            if any(each.text.startswith("-") for each in words):
                flow.spellings.lose(found[1])
        else:
            if name not in ("export", "local", "readonly"):
                flow.spellings.lose(word.text)
            if OPAQUE in word.text or word.text == "-n":
                flow.spellings.are_unsure = True
            flow.exported.add(word.text)
            flow.numbers.update(NAME.findall(word.text)[1:])
            bind(tags_in(word), *STRICT, reader=name)
    _read(flow, commands, command, name, words, options)


def _read(
    flow: VariableFlow,
    commands: Sequence[Command],
    command: Command,
    name: str,
    words: Sequence[Word],
    options: str,
) -> None:
    """Note which variables hold what a command of the shell reads or is called with."""
    if name in ("read", "mapfile", "readarray"):
        reads = list(command.reads())
        if "u" in options:  # from whatever was opened elsewhere
            reads += [slot for each in commands for slot in each.slots]
        names = [word.text for word in words]
        for each in (*names, "REPLY" if name == "read" else "MAPFILE"):
            flow.give(each, reads)
    elif name == "getopts":
        given = [slot for word in words for slot in word.slots]
        flow.give("OPTARG", [*given, Slot("", Context.QUOTED, name="@", starts=True)])


def test(flow: VariableFlow, words: Sequence[Word]) -> None:
    """Let values be numbers where ``test`` compares such, and no name of a variable."""
    texts = [word.text for word in words]
    for at, word in enumerate(words):
        before = texts[at - 1] if at else ""
        after = texts[at + 1] if at + 1 < len(texts) else ""
        if before in ("-v", "-R"):
            bind(tags_in(word), *STRICT, reader="bash, as the name of a variable")
        elif _COMPARES.fullmatch(before) or _COMPARES.fullmatch(after) or before == "-t":
            bind(tags_in(word), ValueRule.NUMBER, reader="test, as a number")
        elif OPAQUE in before and at == 1:
            bind(tags_in(word), *STRICT, reader="test")  # after an operator that is not seen
        if before in ("-v", "-R") and "[" in word.text:
            flow.numbers.update(NAME.findall(word.text)[1:])


def printf(flow: VariableFlow, words: Sequence[Word]) -> None:
    """Give what ``printf`` writes, or puts into a variable, its rules."""
    rest = [word for word in words if word.text != "--"]
    if rest and rest[0].text.startswith("-v"):
        attached = rest[0].text[2:]
        if not attached:
            named = [slot for word in rest[1:2] for slot in word.slots]
            bind(named, *STRICT, reader="printf")
            attached = rest[1].text if rest[1:] else ""
            rest = rest[1:]
        flow.spellings.lose(attached)
        flow.give(attached, (slot for word in rest[1:] for slot in word.slots))
        rest = rest[1:]
    if not rest:
        return
    form = rest[0].text
    bind(rest[0].slots, ValueRule.ESCAPES, ValueRule.FORMAT)
    if OPAQUE in form or "%b" in form:
        bind((slot for word in rest[1:] for slot in word.slots), ValueRule.ESCAPES)
    kinds = _CONVERSION.findall(form)
    for at, word in enumerate(rest[1:]):
        if kinds and kinds[at % len(kinds)] in tuple("diouxXeEfFgGaA"):
            bind(tags_in(word), ValueRule.NUMBER, reader="printf, as a number")  # ksh counts
        if kinds and OPAQUE not in form and not _LINE_STARTS.search(form):
            for slot in tags_in(word):
                slot.starts = False
