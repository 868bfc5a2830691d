"""What values may hold that are an option of a program, its value, or a file that it opens."""

import re
from collections.abc import Sequence

from banish.shell import options, programs
from banish.shell.binding import STRICT, bind, tags_in
from banish.shell.fileuses import FileUses, NamedRun
from banish.shell.slot import OPAQUE, Command, ValueRule, Word


def judge_options(uses: FileUses, command: Command, name: str, words: Sequence[Word]) -> None:
    """Let no value begin as an option does, nor say what an option runs or opens."""
    are_over = False
    before = ""
    for word in words:
        _option_value(uses, command, name, before, word)
        if programs.makes_files(name) or (
            not programs.takes_words(name) and options.is_output(before, word.text)
        ):
            bind(tags_in(word), ValueRule.PATH)
        if options.is_ssh_command(name, word.text):
            bind(tags_in(word), *STRICT, reader=f"{name}, as the name of a command")
        if options.is_page(name, before, word.text):
            bind(tags_in(word), ValueRule.URL)
        before = word.text
        if word.text == "--" and name not in programs.DASHES_END_NO_OPTIONS:
            are_over = True
        elif not are_over:
            bind((slot for slot in tags_in(word) if slot.begins), ValueRule.OPTION)
        is_file = re.match(r"(?:\.{0,2}|~|\0)/", word.text) is not None
        is_file = is_file or (programs.opens_files(name) and word.text.startswith(OPAQUE))
        is_file = is_file or options.names_file(name, word.text.partition(OPAQUE)[0])
        if is_file:
            bind(tags_in(word), ValueRule.PATH)


def _option_value(uses: FileUses, command: Command, name: str, before: str, word: Word) -> None:
    """Give the value of an option its rules."""
    if name in programs.BUILT_IN_TEXTS:
        return
    use, value = options.use_of(name, before), word.spelling
    if use is options.Use.TEXT:
        use, value = options.attached(name, word.text), word.spelling.rpartition("=")[2]
    if programs.takes_pattern(name) and not (before + word.text).startswith("--"):
        use = options.Use.TEXT if use is options.Use.RUNS else use
    if use is options.Use.RUNS:
        bind(tags_in(word), *STRICT, reader=name)
        uses.run_mentioned(command, name, [word])
    elif use is options.Use.HEEDS:
        bind(tags_in(word), ValueRule.PROGRAM, reader=name)
        bind((slot for slot in tags_in(word) if slot.begins), ValueRule.COMMAND)
        uses.runs.append(NamedRun(value, name, command=id(command)))
    elif use is options.Use.OPENS:
        bind(tags_in(word), ValueRule.PATH)
