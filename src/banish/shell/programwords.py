"""What values may hold in the words of programs: languages, patterns, mail, unknown programs."""

import re
from collections.abc import Callable, Sequence

from banish.shell import languages, options, programs
from banish.shell.binding import bind, tags_in
from banish.shell.slot import OPAQUE, ValueRule, Word

NamesCommand = Callable[[str], bool]
"""Tells whether a value in a script may be taken for the name of a command."""

_PATTERN_OPTIONS = re.compile(r"-\w*e|--regexp=?")
_RUNS_VALUE = re.compile(r"(--?[\w-]+)=")


def strict(name: str, words: Sequence[Word], names_command: NamesCommand) -> None:
    """Let values be nothing but words in what the program *name* reads, and name no command."""
    is_shell = languages.is_shell(name)
    may_run = any(languages.may_run(word.text) for word in words)
    before = "-"
    for word in words:
        slots = word.slots if is_shell else tags_in(word)
        bind(slots, ValueRule.PROGRAM, reader=name)
        is_first = is_shell and languages.runs_after(name, before)
        is_command = is_shell and (not languages.reads_as_shell(name) or names_command(word.text))
        for slot in slots:
            is_file = slot.name == f"file:{word.file}"
            is_operand = slot.opens and not is_shell and not languages.runs_no_file(name)
            is_file = is_file or is_operand or languages.names_file(word.text)
            if is_command or may_run or is_file or (slot.opens and is_first):
                slot.rules.add(ValueRule.COMMAND)
        before = word.text


def pattern(name: str, words: Sequence[Word]) -> None:
    """Let values be looked for as they are."""
    is_fixed = name.startswith(("f", "zf")) or any(
        re.fullmatch(r"-\w*F\w*|--fixed-strings", word.text) for word in words
    )
    after_option = [
        word
        for before, word in zip([None, *words], words, strict=False)
        if (before is not None and _PATTERN_OPTIONS.fullmatch(before.text))
        or re.match(r"--regexp=|-\w*e.", word.text)
    ]
    others = [word for word in words if not word.text.startswith("-")]
    for word in others[0 if after_option else 1 :]:
        if word not in after_option:
            bind(tags_in(word), ValueRule.PATH)
    for word in after_option or others[:1]:
        bind(word.slots, ValueRule.NOT_EMPTY, ValueRule.ONE_LINE)
        if not is_fixed:
            bind(word.slots, ValueRule.PATTERN)


def echo(words: Sequence[Word]) -> None:
    """Let values be written as they are, and note which of them may begin a line."""
    bind((slot for word in words for slot in word.slots), ValueRule.ESCAPES)
    is_begun = False
    for word in words:
        if word.text.startswith("-"):
            continue
        for slot in tags_in(word):
            slot.starts = slot.starts and not (is_begun and slot.opens)
        is_begun = is_begun or bool(word.text.strip(f"{OPAQUE} \t\n"))


def mail(words: Sequence[Word]) -> None:
    """Let values be whom a mail is for, or text of it: no file, program or further line."""
    before = ""
    for word in words:
        bind(tags_in(word), ValueRule.ONE_LINE)
        is_text = word.text.startswith("-") or before in ("-s", "-a", "-A", "-r", "-q", "-u", "-i")
        if not is_text:
            bind(tags_in(word), ValueRule.PROGRAM, reader="the mail program, as an address")
        before = word.text


def unknown(name: str, words: Sequence[Word], names_command: NamesCommand) -> None:
    """Be careful with what options of a program on no list may run."""
    before = ""
    for word in words:
        given = _RUNS_VALUE.match(word.text)
        if before in options.RUNS_NEXT or (given and given[1] in options.RUNS_NEXT):
            bind(
                tags_in(word), ValueRule.PROGRAM, reader=f"{name} {before or (given and given[1])}"
            )
            is_command = names_command(word.text)
            begins = [slot for slot in tags_in(word) if is_command or slot.opens]
            bind(begins, ValueRule.COMMAND)
        before = word.text
    for at, word in enumerate(words):
        if languages.is_interpreter(programs.called(word.text)):
            strict(programs.called(word.text), words[at + 1 :], names_command)
            break
