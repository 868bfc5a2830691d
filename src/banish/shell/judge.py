"""Decides what a value from a log may hold in each place of a script.

One principle: whoever reads a value may take it as text, and as nothing else.

- A word of a program is text, but does not begin as an option does.
- What a program reads as a language (``sh -c``, ``awk``, SQL, a pipe into a shell) is a
  single harmless word there, and never the name of a command.
- The input of a program on no list (`banish.shell.programs`) holds no line that a
  shell would run.
- Variables, files, functions and scripts within scripts hand on what they are given,
  so a tag obeys the rules of every place that its value may get to.
"""

import itertools
import re
from collections.abc import Iterable, Sequence

from banish.shell import languages, places, programs, wrappers
from banish.shell.binding import STRICT, bind, hand, name_no_file, tags_in
from banish.shell.files import Files
from banish.shell.fileuses import FileUses, NamedRun
from banish.shell.inputs import judge_input
from banish.shell.optionwords import judge_options
from banish.shell.programwords import echo, mail, pattern, strict, unknown
from banish.shell.reader import Cut, cut, knows_no_tag
from banish.shell.shellcommands import declare, printf, test
from banish.shell.slot import (
    ANY_VARIABLE,
    ASSIGNMENT,
    NAME,
    OPAQUE,
    VARIABLE,
    Command,
    Context,
    Slot,
    ValueRule,
    Word,
)
from banish.shell.variableflow import VariableFlow

_ELEMENT = re.compile(r"[A-Za-z_]\w*\[(.+?)\]\+?=", re.ASCII)
_MAKES_NAME = re.compile(r"\$\{?[!#]?\w*\0")
"""A dollar sign for a shell that reads the word again, and a name that is worked out."""

_ARGUMENTS = ("@", "*", *"0123456789")


def judge(scripts: Iterable[Cut]) -> None:
    """Give every tag of *scripts* its rules; one may read the files that another writes."""
    files = Files()
    judgings = [_Judging(each, files) for each in scripts]
    for judging in judgings:
        judging.read()
    for judging in judgings:
        judging.uses.find()
    files.follow()
    is_unseen = False
    for written, run in files.dangers():
        rules = set(run.rules)
        if written.is_mention:  # nothing is known of how the one writes and the other reads
            rules.discard(ValueRule.FIRST_WORD)
        bind(written.slots, *rules, reader=run.reader)
        is_unseen = is_unseen or not (run.is_known or written.is_mention)
    for judging in judgings:
        judging.judge_exported(is_unseen=is_unseen)
    is_new = True
    while is_new:
        is_new = sum(judging.hand_on() for judging in judgings) > 0


class _Judging:
    def __init__(self, script: Cut, files: Files) -> None:
        self._functions = set(script.functions)
        self._commands = list(script.commands)
        self._assigned = script.assigned
        self._flow = VariableFlow(script.unsure)
        self.uses = FileUses(files, self._flow.spellings, self._add)
        self._unnamed: list[tuple[Command, Sequence[Word]]] = []
        """Commands whose names only a shell can work out, and their words."""
        self._makes_names = False
        """Whether a word may be the use of a variable whose name only a shell can work out."""
        self._has_shell = False
        """Whether a program reads a script."""
        self._has_unseen = False
        """Whether a shell reads a script that is not seen here."""

    # -- what is handed on --------------------------------------------------------

    def read(self) -> None:
        """Go through all commands, those of scripts within them too."""
        for name, slot in self._assigned:
            self._flow.give(name, [slot])
        everything = [slot for each in self._commands for slot in each.slots]
        for each in self._commands:
            if each.words and programs.called(each.words[0].text) in self._functions:
                caller: Command | None = each
                while caller is not None:  # what the function writes, the groups around it write
                    caller.slots = [*caller.slots, *everything]
                    caller = caller.group
        for command in self._commands:
            self.command(command)
        self._flow.settle()
        for command, words in self._unnamed:
            self._call_unnamed(command, words)
        self._flow.judge_numbers()
        if self._makes_names and self._has_shell:
            given = [slot for slot, _ in self._flow.held(ANY_VARIABLE)]
            bind(given, *STRICT, reader="a shell, by the name of a variable")

    def _call_unnamed(self, command: Command, words: Sequence[Word]) -> None:
        """Give the words of a command their rules whose name only a shell can work out."""
        names = self._flow.spellings.texts(words[0].spelling)
        known = [name for name in names if OPAQUE not in name]
        if len(known) < len(names) or not known:
            values = [slot for word in words[1:] for slot in tags_in(word)]
            bind(values, *STRICT, reader="an unknown program")
            self._arguments(command, "an unknown program", words[1:])
            return
        for name in known:
            parts = name.split() or [""]
            before = [Word(text=part, raw=part, spelling=part) for part in parts]
            self._call(command, [*before, *words[1:]])

    def judge_exported(self, *, is_unseen: bool) -> None:
        """Give what programs inherit its rules, if a script that is not seen may use it."""
        if is_unseen or self._has_unseen:
            for name in self._flow.exported:
                given = [slot for slot, _ in self._flow.given.get(name, ())]
                bind(given, *STRICT, reader="a script that is read from elsewhere")

    def hand_on(self) -> bool:
        """Give what variables hold the rules of where they are used; tell whether any is new."""
        is_new = False
        for command in self._commands:
            for use in command.flow():
                if use.name.startswith("file:"):
                    is_new = self.uses.hand_on(use) or is_new
                    continue
                rules = use.rules if use.starts else use.rules - {ValueRule.FIRST_WORD}
                for slot, is_escaped in self._flow.held(use.name):
                    is_pattern = is_escaped and languages.is_filter(use.reader)
                    is_new = (
                        hand(use, slot, {ValueRule.ONE_LINE} if is_pattern else rules) or is_new
                    )
        return is_new

    # -- commands -----------------------------------------------------------------

    def command(self, command: Command) -> None:
        """Give the tags in one command their rules."""
        for slot in command.slots:
            if slot.context is Context.ARITHMETIC and slot.name:
                bind([slot], ValueRule.NUMBER, reader="$((...))")
                self._flow.numbers.add(slot.name)
            elif slot.name and not slot.name.startswith("file:"):
                self._use(command, slot)
        for source in command.sources:
            bind(tags_in(source), ValueRule.PATH)
        for target in command.targets:
            bind([slot for slot in target.slots if not slot.name], ValueRule.OPTION)
            bind(tags_in(target), ValueRule.PATH)
            is_exec = "exec" in [word.text for word in command.words[:3]]
            everything = [slot for each in self._commands for slot in each.flow()]
            self.uses.write(target, everything if is_exec else command.flow())
        words = list(command.words)
        if command.kind == "case":
            # An empty value would match wherever anything may stand beside it.
            patterns = [slot for word in words if word is not words[0] for slot in word.slots]
            bind(patterns, ValueRule.NOT_EMPTY)
            return
        if command.kind == "for":
            if words:
                self._flow.spellings.lose(words[0].text)
                self._flow.give(words[0].text, (slot for word in words[1:] for slot in word.slots))
                if len(words) == 1:  # it goes through "$@"
                    self._flow.give(words[0].text, [Slot("", Context.QUOTED, name="@")])
                self._flow.give("REPLY", command.reads())
            return
        for word in words:
            self._makes_names = self._makes_names or _MAKES_NAME.search(word.text) is not None
            element = _ELEMENT.match(word.text)
            if element:
                self._read_names(command, element[1], "bash, as a number")
        while words and (found := ASSIGNMENT.match(words[0].text)):
            self._set(found[1], words.pop(0), is_exported=len(words) > 0)
        if words:
            self._call(command, words)

    def _set(self, name: str, word: Word, *, is_exported: bool) -> None:
        """Note that a variable is set by ``NAME=...``, and whether programs inherit it."""
        self._flow.give(name, word.slots, word.raw)
        begin, _, spelling = word.spelling.partition("=")
        self._flow.spellings.put(name, OPAQUE if begin.endswith("+") else spelling)
        self._flow.assigned_plainly.add(name)
        if places.is_setting(name) and not name.endswith("PATH") and name != "IFS":
            self.uses.runs.append(NamedRun(spelling, f"whoever heeds {name}"))
            self.uses.runs.append(NamedRun(spelling, f"whoever heeds {name}", is_mention=True))
        name_no_file([word])
        if OPAQUE not in word.text and "$" in word.text and self._commands:
            # For who evaluates it.
            uses = [Slot("", Context.QUOTED, name=each) for each in NAME.findall(word.text)]
            self._flow.give(name, uses[1:])
            self._commands[0].slots += uses[1:]
        self._flow.texts.setdefault(name, set()).update(NAME.findall(word.text)[1:])
        if is_exported:
            self._flow.exported.add(name)

    def _use(self, command: Command, slot: Slot) -> None:
        """Note that a variable outside of quotes falls apart into words."""
        if slot.context is not Context.BARE:
            return
        for word in command.words[command.kind == "case" :]:
            if slot in word.slots and not ASSIGNMENT.match(word.text):
                bind([slot], ValueRule.WORDS if command.kind == "for" else ValueRule.ONE_WORD)

    def _call(self, command: Command, words: Sequence[Word]) -> None:
        """Give the tags in the words of a command, and on its input, their rules."""
        at: int | None = 0
        start = 0
        while at is not None and at < len(words):
            start = at
            name = programs.called(words[at].text)
            wrapper = wrappers.wrapper(name)
            if wrappers.starts_others(name, [word.text for word in words[at:]]):
                at = None
            elif wrapper is None:
                break
            else:
                at = wrappers.unwrapped(wrapper, words, at + 1)
            for before, word in itertools.pairwise(words[start:at]):
                is_value = wrapper is not None and before.text in wrapper[0]
                found = None if is_value else ASSIGNMENT.match(word.text)
                if found:
                    self._set(found[1], word, is_exported=True)
                if at is None and wrappers.is_message(name, before.text):
                    continue
                if at is None or not found:
                    is_setting = is_value and re.search(r"=|^\|", word.text) is not None
                    rules = STRICT if at is None or is_setting else (ValueRule.PROGRAM,)
                    bind(tags_in(word), *rules, reader=words[start].text)
            self.uses.run_name(command, words[start], self._functions)
        if at is None:
            self.uses.run_words(command, words[start].text, words[start + 1 :])
            self.uses.write_words(command, words[start].text, words[start + 1 :])
            # Whichever of the words is the command: if one is a shell, that is.
            names = [programs.called(word.text) for word in words[start + 1 :]]
            judge_input(
                self._commands,
                self._functions,
                command,
                next(filter(languages.is_language, names), "another"),
                [],
            )
            return
        name = programs.called(words[start].text)
        bind(words[start].slots, *STRICT, reader="the shell, as the name of a command")
        self._has_shell = self._has_shell or languages.is_shell(name)
        self._flow.give("_", words[-1].slots)
        if not self._functions.isdisjoint(programs.CALLED_INSTEAD):
            self._pass(words[start:])
        if OPAQUE in words[start].spelling.replace(VARIABLE, OPAQUE):
            self._unnamed.append((command, words[start:]))
        for slot in (slot for word in words for slot in word.slots):
            slot.program = slot.program or name.replace(OPAQUE, "")
        arguments = list(words[start + 1 :])
        if wrappers.wrapper(name) is None:
            self.uses.run_name(command, words[start], self._functions)
            self.uses.name_files(command, name, arguments, self._functions)
            self._arguments(command, name, arguments)
        if languages.script_word(name, arguments)[0] != "text":
            judge_input(self._commands, self._functions, command, name, arguments)

    # -- files --------------------------------------------------------------------------

    def _add(self, inner: Cut, command: Command) -> None:
        """Go through the commands of a script within the script, too."""
        self._functions |= inner.functions
        self._flow.unsure |= inner.unsure
        for each in inner.commands:
            each.group = each.group or command
        # They are gone through like those that are there already.
        self._commands += inner.commands

    def _arguments(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Give the tags in the words of a program their rules."""
        if name in self._functions or name == "set":
            self._pass(words)
        if languages.is_language(name):
            self._language(command, name, words)
        elif programs.takes_pattern(name):
            pattern(name, words)
        elif programs.is_mailer(name):
            mail(words)
        elif name == "tee":
            for word in words:
                if not word.text.startswith("-"):
                    bind((slot for slot in word.slots if not slot.name), ValueRule.PATH)
                    self.uses.write(word, command.reads())
        elif name in programs.COPIERS:
            slots = [slot for word in words for slot in word.slots]
            for word in words:
                self.uses.writes.append((word.spelling, slots, f"file:{word.file}"))
            unknown(name, words, _names_command)
        elif not self._built_in(command, name, words) and not programs.takes_text(name):
            unknown(name, words, _names_command)
        judge_options(self.uses, command, name, words)

    def _built_in(self, command: Command, name: str, words: Sequence[Word]) -> bool:
        """Give the tags in the words of a shell's own command their rules, if *name* is one."""
        if name in programs.DECLARERS:
            declare(self._flow, self._commands, command, name, words, self._set)
        elif name == "printf":
            printf(self._flow, words)
        elif name == "echo":
            echo(words)
        elif name in ("test", "["):
            test(self._flow, words)
        elif name in programs.COUNTERS:
            bind((s for word in words for s in tags_in(word)), ValueRule.NUMBER, reader=name)
        else:
            return False
        return True

    def _pass(self, words: Sequence[Word]) -> None:
        """Note what a function, or a script within the script, is called with."""
        for number in _ARGUMENTS:
            self._flow.give(number, (slot for word in words for slot in word.slots))

    def _language(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Give the tags in the words of a program that reads a language their rules."""
        kind, at = languages.script_word(name, words)
        self._has_unseen = self._has_unseen or kind == ""
        if kind == "file":
            bind(words[at].slots, *STRICT, reader=name)
            unknown(words[at].file, words[at + 1 :], _names_command)
            for slot in (slot for word in words[at + 1 :] for slot in word.slots):
                slot.program = words[at].file
        elif kind == "text":
            self._pass(words[at + 1 :])
            self._add(cut(words[at].text, knows_no_tag), command)
        else:
            strict(name, words, _names_command)
            if name == "[[":
                self._flow.give("BASH_REMATCH", (slot for word in words for slot in word.slots))
            for word in words:
                self._read_names(command, word.text, name)

    def _read_names(self, command: Command, text: str, reader: str) -> None:
        """Note that *reader* puts the variables in that are named in *text*."""
        uses = [Slot("", Context.QUOTED, name=found) for found in NAME.findall(text)]
        bind(uses, *STRICT, reader=reader)
        command.slots += uses


def _names_command(text: str) -> bool:
    """Whether a value in the script *text* may be taken for the name of a command."""
    inner = cut(text.replace(OPAQUE, "<0>"), "0".__eq__)
    judge([inner])
    return any(
        isinstance(piece, Slot) and ValueRule.COMMAND in piece.rules for piece in inner.pieces
    )
