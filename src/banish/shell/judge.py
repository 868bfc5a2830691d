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

import msgspec

from banish.shell import languages, options, places, programs, wrappers
from banish.shell.files import (
    ANY,
    PROGRAM_RULES,
    Bases,
    Files,
    Run,
    Variables,
    Written,
    are_sure,
    may_be,
)
from banish.shell.reader import Cut, cut
from banish.shell.slot import (
    ANY_VARIABLE,
    OPAQUE,
    VARIABLE,
    Command,
    Context,
    Slot,
    ValueRule,
    Word,
)

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=", re.ASCII)
_ELEMENT = re.compile(r"[A-Za-z_]\w*\[(.+?)\]\+?=", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_MAKES_NAME = re.compile(r"\$\{?[!#]?\w*\0")
"""A dollar sign for a shell that reads the word again, and a name that is worked out."""

_CONVERSION = re.compile(r"%(?!%)[^a-zA-Z]*([a-zA-Z])")
_LINE_STARTS = re.compile(r"(?:^|\n|\\n)\s*%(?!%)")
"""A format that begins a line with what it is given."""

_COMPARES = re.compile(r"-(?:eq|ne|gt|ge|lt|le)")
_PATTERN_OPTIONS = re.compile(r"-\w*e|--regexp=?")
_RUNS_VALUE = re.compile(r"(--?[\w-]+)=")
_ARGUMENTS = ("@", "*", *"0123456789")
_STRICT = (ValueRule.PROGRAM, ValueRule.COMMAND)

Given = list[tuple[Slot, bool]]
"""What a variable is given, and whether ``sed`` has escaped it on the way."""


def judge(scripts: Iterable[Cut]) -> None:
    """Give every tag of *scripts* its rules; one may read the files that another writes."""
    files = Files()
    judgings = [_Judging(each, files) for each in scripts]
    for judging in judgings:
        judging.read()
    for judging in judgings:
        judging.find_files()
    files.follow()
    is_unseen = False
    for written, run in files.dangers():
        rules = set(run.rules)
        if written.is_mention:  # nothing is known of how the one writes and the other reads
            rules.discard(ValueRule.FIRST_WORD)
        _bind(written.slots, *rules, reader=run.reader)
        is_unseen = is_unseen or not (run.is_known or written.is_mention)
    for judging in judgings:
        judging.judge_exported(is_unseen=is_unseen)
    is_new = True
    while is_new:
        is_new = sum(judging.hand_on() for judging in judgings) > 0


def _bind(slots: Iterable[Slot], *rules: ValueRule, reader: str = "") -> None:
    for slot in slots:
        slot.rules.update(rules)
        if reader and (ValueRule.PROGRAM in rules or ValueRule.LINES in rules):
            slot.reader = slot.reader or reader


def _hand(use: Slot, slot: Slot, rules: set[ValueRule] | frozenset[ValueRule]) -> bool:
    """Give *slot* the *rules* of its *use*; tell whether any is new."""
    if rules <= slot.rules:
        return False
    slot.rules |= rules
    slot.reader = slot.reader or use.reader
    slot.program = slot.program or use.program
    return True


class _Named(msgspec.Struct):
    """A word that names a file that is run."""

    spelling: str
    reader: str
    rules: tuple[ValueRule, ...] = _STRICT
    is_known: bool = False
    command: int = 0
    is_mention: bool = False
    """Whether any part of the word may be the name."""


class _Judging:
    def __init__(self, script: Cut, files: Files) -> None:
        self._functions = set(script.functions)
        self._commands = list(script.commands)
        self._assigned = script.assigned
        self._files = files
        self._given: dict[str, Given] = {}
        self._variables = Variables()
        self._unsure = set(script.unsure)
        self._writes: list[tuple[str, Sequence[Slot], str]] = []
        """Files by their spelling, what is written to them, and their names."""
        self._mentions: list[tuple[str, Sequence[Slot], int]] = []
        """Words of programs that may write a file named in them, and what they may write."""
        self._runs: list[_Named] = []
        self._copies: list[list[str]] = []
        self._bases_of: dict[str, Bases] = {}
        self._assigned_plainly: set[str] = set()
        self._exported: set[str] = set()
        self._numbers: set[str] = set()
        """Variables whose values bash takes for numbers."""
        self._texts: dict[str, set[str]] = {}
        """Names that stand in what variables are set to."""
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
            self._give(name, [slot])
        everything = [slot for each in self._commands for slot in each.slots]
        for each in self._commands:
            if each.words and programs.called(each.words[0].text) in self._functions:
                caller: Command | None = each
                while caller is not None:  # what the function writes, the groups around it write
                    caller.slots = [*caller.slots, *everything]
                    caller = caller.group
        for command in self._commands:
            self.command(command)
        for name in (*self._unsure, *self._given):
            if name not in self._assigned_plainly:
                self._variables.lose(name)
        for command, words in self._unnamed:
            self._call_unnamed(command, words)
        self._judge_numbers()
        if self._makes_names and self._has_shell:
            given = [slot for slot, _ in self._held(ANY_VARIABLE)]
            _bind(given, *_STRICT, reader="a shell, by the name of a variable")

    def _call_unnamed(self, command: Command, words: Sequence[Word]) -> None:
        """Give the words of a command their rules whose name only a shell can work out."""
        names = self._variables.texts(words[0].spelling)
        known = [name for name in names if OPAQUE not in name]
        if len(known) < len(names) or not known:
            values = [slot for word in words[1:] for slot in _tags(word)]
            _bind(values, *_STRICT, reader="an unknown program")
            self._arguments(command, "an unknown program", words[1:])
            return
        for name in known:
            parts = name.split() or [""]
            before = [Word(text=part, raw=part, spelling=part) for part in parts]
            self._call(command, [*before, *words[1:]])

    def _judge_numbers(self) -> None:
        """Let variables be numbers that bash reads as such, by their names or by others'."""
        names = list(self._numbers)
        seen = set(names)
        for name in names:
            given = self._held(name)
            _bind((slot for slot, _ in given), ValueRule.NUMBER, reader="bash, as a number")
            others = {slot.name for slot, _ in given} | self._texts.get(name, set())
            names += sorted(others - seen - {""})
            seen |= others

    def judge_exported(self, *, is_unseen: bool) -> None:
        """Give what programs inherit its rules, if a script that is not seen may use it."""
        if is_unseen or self._has_unseen:
            for name in self._exported:
                given = [slot for slot, _ in self._given.get(name, ())]
                _bind(given, *_STRICT, reader="a script that is read from elsewhere")

    def find_files(self) -> None:
        """Work out the names of all files that are written or run."""
        variables = self._variables
        for spelling, slots, name in self._writes:
            self._files.write(Written(variables.bases(spelling), tuple(slots), name))
        for text, slots, command in self._mentions:
            bases = variables.words(text)
            self._files.write(Written(bases, tuple(slots), is_mention=True, command=command))
        for run in self._runs:
            bases = variables.bases(run.spelling) if run.spelling else ANY
            if run.is_mention:
                bases = variables.words(run.spelling)
            elif ValueRule.LINES in run.rules:
                bases = frozenset(base for base in bases if OPAQUE not in base)
            self._files.run(Run(bases, run.reader, run.rules, run.is_known, run.command))
        for words in self._copies:
            self._files.copy([variables.bases(word) for word in words])

    def _give(self, name: str, slots: Iterable[Slot], raw: str = "") -> None:
        is_escaped = "sed" in raw and "\\&" in raw
        given = self._given.setdefault(name, [])
        given.extend((slot, is_escaped) for slot in slots)
        if places.is_setting(name):
            _bind((slot for slot, _ in given), *_STRICT, reader=f"whoever heeds {name}")

    def hand_on(self) -> bool:
        """Give what variables hold the rules of where they are used; tell whether any is new."""
        is_new = False
        for command in self._commands:
            for use in command.flow():
                if use.name.startswith("file:"):
                    is_new = self._hand_on_file(use) or is_new
                    continue
                rules = use.rules if use.starts else use.rules - {ValueRule.FIRST_WORD}
                for slot, is_escaped in self._held(use.name):
                    is_pattern = is_escaped and languages.is_filter(use.reader)
                    is_new = (
                        _hand(use, slot, {ValueRule.ONE_LINE} if is_pattern else rules) or is_new
                    )
        return is_new

    def _held(self, name: str) -> Given:
        """Return what the variable *name* may hold."""
        if name == ANY_VARIABLE:
            return [each for given in self._given.values() for each in given]
        return self._given.get(name, [])

    def _hand_on_file(self, use: Slot) -> bool:
        """Give what the file may hold that is read here the rules of its reader."""
        is_new = False
        if not use.rules:
            return False
        bases = self._bases_of.get(use.spelling)
        if bases is None and use.spelling:
            bases = self._bases_of[use.spelling] = self._variables.bases(use.spelling)
        for written in self._files.written:
            if written.is_mention and any(slot is use for slot in written.slots):
                continue  # a word of the same command
            if use.name == written.name or (bases and are_sure(bases, written.bases)):
                rules = use.rules
            elif bases and not written.is_mention and may_be(bases, written.bases):
                rules = use.rules & PROGRAM_RULES
            else:
                continue
            for slot in written.slots:
                is_new = _hand(use, slot, rules) or is_new
        return is_new

    # -- commands -----------------------------------------------------------------

    def command(self, command: Command) -> None:
        """Give the tags in one command their rules."""
        for slot in command.slots:
            if slot.context is Context.ARITHMETIC and slot.name:
                _bind([slot], ValueRule.NUMBER, reader="$((...))")
                self._numbers.add(slot.name)
            elif slot.name and not slot.name.startswith("file:"):
                self._use(command, slot)
        for source in command.sources:
            _bind(_tags(source), ValueRule.PATH)
        for target in command.targets:
            _bind([slot for slot in target.slots if not slot.name], ValueRule.OPTION)
            _bind(_tags(target), ValueRule.PATH)
            is_exec = "exec" in [word.text for word in command.words[:3]]
            everything = [slot for each in self._commands for slot in each.flow()]
            self._write(target, everything if is_exec else command.flow())
        words = list(command.words)
        if command.kind == "case":
            # An empty value would match wherever anything may stand beside it.
            patterns = [slot for word in words if word is not words[0] for slot in word.slots]
            _bind(patterns, ValueRule.NOT_EMPTY)
            return
        if command.kind == "for":
            if words:
                self._variables.lose(words[0].text)
                self._give(words[0].text, (slot for word in words[1:] for slot in word.slots))
                if len(words) == 1:  # it goes through "$@"
                    self._give(words[0].text, [Slot("", Context.QUOTED, name="@")])
                self._give("REPLY", command.reads())
            return
        for word in words:
            self._makes_names = self._makes_names or _MAKES_NAME.search(word.text) is not None
            element = _ELEMENT.match(word.text)
            if element:
                self._read_names(command, element[1], "bash, as a number")
        while words and (found := _ASSIGNMENT.match(words[0].text)):
            self._set(found[1], words.pop(0), is_exported=len(words) > 0)
        if words:
            self._call(command, words)

    def _set(self, name: str, word: Word, *, is_exported: bool) -> None:
        """Note that a variable is set by ``NAME=...``, and whether programs inherit it."""
        self._give(name, word.slots, word.raw)
        begin, _, spelling = word.spelling.partition("=")
        self._variables.put(name, OPAQUE if begin.endswith("+") else spelling)
        self._assigned_plainly.add(name)
        if places.is_setting(name) and not name.endswith("PATH") and name != "IFS":
            self._runs.append(_Named(spelling, f"whoever heeds {name}"))
            self._runs.append(_Named(spelling, f"whoever heeds {name}", is_mention=True))
        _name_no_file([word])
        if OPAQUE not in word.text and "$" in word.text and self._commands:
            # For who evaluates it.
            uses = [Slot("", Context.QUOTED, name=each) for each in _NAME.findall(word.text)]
            self._give(name, uses[1:])
            self._commands[0].slots += uses[1:]
        self._texts.setdefault(name, set()).update(_NAME.findall(word.text)[1:])
        if is_exported:
            self._exported.add(name)

    def _write(self, file: Word, slots: Sequence[Slot]) -> None:
        """Note what is written to *file*."""
        self._writes.append((file.spelling, slots, f"file:{file.file}"))
        if places.is_strict_file(file.text):
            _bind(slots, *_STRICT, reader=f"whoever reads {file.text}")
        elif not places.is_text_file(file.text):
            _bind(slots, ValueRule.LINES, reader=f"whoever reads {file.text}")

    def _use(self, command: Command, slot: Slot) -> None:
        """Note that a variable outside of quotes falls apart into words."""
        if slot.context is not Context.BARE:
            return
        for word in command.words[command.kind == "case" :]:
            if slot in word.slots and not _ASSIGNMENT.match(word.text):
                _bind([slot], ValueRule.WORDS if command.kind == "for" else ValueRule.ONE_WORD)

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
                at = _unwrapped(wrapper, words, at + 1)
            for before, word in itertools.pairwise(words[start:at]):
                is_value = wrapper is not None and before.text in wrapper[0]
                found = None if is_value else _ASSIGNMENT.match(word.text)
                if found:
                    self._set(found[1], word, is_exported=True)
                if at is None and wrappers.is_message(name, before.text):
                    continue
                if at is None or not found:
                    is_setting = is_value and re.search(r"=|^\|", word.text) is not None
                    rules = _STRICT if at is None or is_setting else (ValueRule.PROGRAM,)
                    _bind(_tags(word), *rules, reader=words[start].text)
            self._run_name(command, words[start])
        if at is None:
            self._run_words(command, words[start].text, words[start + 1 :])
            self._write_words(command, words[start].text, words[start + 1 :])
            # Whichever of the words is the command: if one is a shell, that is.
            names = [programs.called(word.text) for word in words[start + 1 :]]
            self._input(command, next(filter(languages.is_language, names), "another"), [])
            return
        name = programs.called(words[start].text)
        _bind(words[start].slots, *_STRICT, reader="the shell, as the name of a command")
        self._has_shell = self._has_shell or languages.is_shell(name)
        self._give("_", words[-1].slots)
        if not self._functions.isdisjoint(programs.CALLED_INSTEAD):
            self._pass(words[start:])
        if OPAQUE in words[start].spelling.replace(VARIABLE, OPAQUE):
            self._unnamed.append((command, words[start:]))
        for slot in (slot for word in words for slot in word.slots):
            slot.program = slot.program or name.replace(OPAQUE, "")
        arguments = list(words[start + 1 :])
        if wrappers.wrapper(name) is None:
            self._run_name(command, words[start])
            self._name_files(command, name, arguments)
            self._arguments(command, name, arguments)
        if languages.script_word(name, arguments)[0] != "text":
            self._input(command, name, arguments)

    # -- files --------------------------------------------------------------------------

    def _run_any(self, command: Command, reader: str) -> None:
        """Note that whatever file may be run."""
        self._runs.append(_Named("", reader, command=id(command)))

    def _run_name(self, command: Command, word: Word) -> None:
        """Note that a command is called by its name."""
        if OPAQUE in word.text:
            self._run_any(command, "an unknown program")
        elif word.text not in self._functions and word.text not in programs.BUILT_IN_TEXTS:
            is_known = programs.is_known(word.text)
            named = _Named(word.spelling, "the shell", is_known=is_known, command=id(command))
            self._runs.append(named)
        _name_no_file([word])

    def _run_words(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note that a program may run any of its *words*, in whatever way."""
        for word in words:
            self._runs.append(_Named(word.spelling, name, command=id(command)))
            if languages.is_interpreter(programs.called(word.text)) or "{" in word.text:
                self._run_any(command, name)
        self._run_mentioned(command, name, words)

    def _run_mentioned(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note that a program may run what its *words* mention."""
        for word in words:
            named = _Named(word.spelling, name, command=id(command), is_mention=True)
            self._runs.append(named)

    def _name_files(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note the files among the *words* of a program."""
        if languages.is_language(name):
            self._run_by_language(command, name, words)
        elif not programs.is_known(name):
            rules = (ValueRule.LINES, ValueRule.FIRST_WORD)
            for word in words:
                spelling = word.spelling.rpartition("=")[2]
                if spelling:
                    self._runs.append(_Named(spelling, name, rules, command=id(command)))
        if name in programs.BUILT_IN_TEXTS:
            _name_no_file(words)
        elif name not in self._functions and programs.may_write(name):
            self._write_words(command, name, words)

    def _write_words(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note that a program may write files that its *words* name."""
        slots = command.flow()
        kind, at = languages.script_word(name, words)
        written = words[at + 1 :] if kind else words
        self._mentions.extend((word.spelling, slots, id(command)) for word in written)
        files = [word for word in written if not word.text.startswith("-")]
        places = [word.spelling.rpartition("=")[2] for word in files]
        places = [place for place in places if place and not place.endswith(("/", "."))]
        if name in programs.NAMES_FILES:
            places.append(OPAQUE)
            self._writes.append((OPAQUE, slots, ""))
        if name in ("dd", "sort"):
            self._writes.extend((place, slots, "") for place in places)
        if programs.packs(name) and places:
            places.append(OPAQUE)
        makes_others = name in programs.NAMES_FILES or programs.packs(name) or name == "dd"
        if name in programs.COPIERS or makes_others:
            self._copies.append(places)

    def _run_by_language(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note which files the program *name* may run, which reads a language."""
        kind, at = languages.script_word(name, words)
        if languages.runs_no_file(name) or kind == "text":
            return
        if kind == "file":
            self._runs.append(_Named(words[at].spelling, name, command=id(command)))
        elif name in (".", "source"):
            self._variables.are_unsure = True
            self._run_words(command, name, words)
        elif name in languages.REMOTE:
            self._run_mentioned(command, name, words)
        elif languages.is_filter(name):
            if languages.runs_input(name, words):
                self._run_any(command, name)
            elif languages.has_program_file(words):
                self._run_words(command, name, words)
        elif name in ("eval", "trap", "alias"):
            self._run_text(command, name, words)
        else:
            self._run_unseen(command, name, words)

    def _run_text(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note which files a script may run that the words of a shell's own command are."""
        _name_no_file(words)
        text = " ".join(word.text for word in words)
        first = text.partition(" ")[0]
        if OPAQUE not in text:
            self._add(cut(text.partition("=")[2] if name == "alias" else text, _none), command)
        elif name != "trap" or first not in ("rm", "kill") or re.search(r"[;&|\n`]", text):
            self._variables.are_unsure = self._variables.are_unsure or name == "eval"
            self._run_any(command, name)

    def _run_unseen(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note which files a script may run that is not a word alone."""
        if name in ("find", "fd", "fdfind", "xargs"):
            texts = {word.text for word in words}
            if name == "xargs" or not options.RUNS_NEXT.isdisjoint(texts):
                self._run_words(command, name, words)
        elif languages.is_shell(name) or languages.takes_program(name):
            self._run_any(command, name)
        else:
            self._run_mentioned(command, name, words)

    def _add(self, inner: Cut, command: Command) -> None:
        """Go through the commands of a script within the script, too."""
        self._functions |= inner.functions
        self._unsure |= inner.unsure
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
            _pattern(name, words)
        elif programs.is_mailer(name):
            _mail(words)
        elif name == "tee":
            for word in words:
                if not word.text.startswith("-"):
                    _bind((slot for slot in word.slots if not slot.name), ValueRule.PATH)
                    self._write(word, command.reads())
        elif name in programs.COPIERS:
            slots = [slot for word in words for slot in word.slots]
            for word in words:
                self._writes.append((word.spelling, slots, f"file:{word.file}"))
            _unknown(name, words)
        elif not self._built_in(command, name, words) and not programs.takes_text(name):
            _unknown(name, words)
        self._options(command, name, words)

    def _built_in(self, command: Command, name: str, words: Sequence[Word]) -> bool:
        """Give the tags in the words of a shell's own command their rules, if *name* is one."""
        if name in programs.DECLARERS:
            self._declare(command, name, words)
        elif name == "printf":
            self._printf(words)
        elif name == "echo":
            _echo(words)
        elif name in ("test", "["):
            self._test(words)
        elif name in programs.COUNTERS:
            _bind((s for word in words for s in _tags(word)), ValueRule.NUMBER, reader=name)
        else:
            return False
        return True

    def _options(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Let no value begin as an option does, nor say what an option runs or opens."""
        are_over = False
        before = ""
        for word in words:
            self._option_value(command, name, before, word)
            if programs.makes_files(name) or (
                not programs.takes_words(name) and options.is_output(before, word.text)
            ):
                _bind(_tags(word), ValueRule.PATH)
            if options.is_ssh_command(name, word.text):
                _bind(_tags(word), *_STRICT, reader=f"{name}, as the name of a command")
            if options.is_page(name, before, word.text):
                _bind(_tags(word), ValueRule.URL)
            before = word.text
            if word.text == "--" and name not in programs.DASHES_END_NO_OPTIONS:
                are_over = True
            elif not are_over:
                _bind((slot for slot in _tags(word) if slot.begins), ValueRule.OPTION)
            is_file = re.match(r"(?:\.{0,2}|~|\0)/", word.text) is not None
            is_file = is_file or (programs.opens_files(name) and word.text.startswith(OPAQUE))
            is_file = is_file or options.names_file(name, word.text.partition(OPAQUE)[0])
            if is_file:
                _bind(_tags(word), ValueRule.PATH)

    def _option_value(self, command: Command, name: str, before: str, word: Word) -> None:
        """Give the value of an option its rules."""
        if name in programs.BUILT_IN_TEXTS:
            return
        use, value = options.use_of(name, before), word.spelling
        if use is options.Use.TEXT:
            use, value = options.attached(name, word.text), word.spelling.rpartition("=")[2]
        if programs.takes_pattern(name) and not (before + word.text).startswith("--"):
            use = options.Use.TEXT if use is options.Use.RUNS else use
        if use is options.Use.RUNS:
            _bind(_tags(word), *_STRICT, reader=name)
            self._run_mentioned(command, name, [word])
        elif use is options.Use.HEEDS:
            _bind(_tags(word), ValueRule.PROGRAM, reader=name)
            _bind((slot for slot in _tags(word) if slot.begins), ValueRule.COMMAND)
            self._runs.append(_Named(value, name, command=id(command)))
        elif use is options.Use.OPENS:
            _bind(_tags(word), ValueRule.PATH)

    def _pass(self, words: Sequence[Word]) -> None:
        """Note what a function, or a script within the script, is called with."""
        for number in _ARGUMENTS:
            self._give(number, (slot for word in words for slot in word.slots))

    def _language(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Give the tags in the words of a program that reads a language their rules."""
        kind, at = languages.script_word(name, words)
        self._has_unseen = self._has_unseen or kind == ""
        if kind == "file":
            _bind(words[at].slots, *_STRICT, reader=name)
            _unknown(words[at].file, words[at + 1 :])
            for slot in (slot for word in words[at + 1 :] for slot in word.slots):
                slot.program = words[at].file
        elif kind == "text":
            self._pass(words[at + 1 :])
            self._add(cut(words[at].text, _none), command)
        else:
            _strict(name, words)
            if name == "[[":
                self._give("BASH_REMATCH", (slot for word in words for slot in word.slots))
            for word in words:
                self._read_names(command, word.text, name)

    def _read_names(self, command: Command, text: str, reader: str) -> None:
        """Note that *reader* puts the variables in that are named in *text*."""
        uses = [Slot("", Context.QUOTED, name=found) for found in _NAME.findall(text)]
        _bind(uses, *_STRICT, reader=reader)
        command.slots += uses

    def _declare(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note which variables a command of the shell sets, and what they are."""
        options = "".join(word.text[1:] for word in words if word.text[:1] in tuple("-+"))
        makes = name not in ("read", "mapfile", "readarray", "getopts", "unset")
        is_number = makes and ("i" in options or name in ("integer", "float"))
        is_other = makes and ("n" in options or name == "nameref")
        is_unsure = makes and any(word.text[:1] == OPAQUE for word in words)
        if is_number or is_other or is_unsure or (makes and ("a" in options or "A" in options)):
            # Bash reads what these are set to once more, and ksh does.
            _bind((slot for word in words for slot in _tags(word)), ValueRule.NUMBER, reader=name)
        for word in words:
            found = _ASSIGNMENT.match(word.text)
            own = _NAME.match(word.text)
            if own and (is_number or is_unsure):
                self._numbers.add(own[0])
            if own and is_other:
                self._alias(own[0], word.text.partition("=")[2])
            if found:
                self._set(found[1], word, is_exported=name != "local")
                if any(each.text.startswith("-") for each in words):
                    self._variables.lose(found[1])
            else:
                if name not in ("export", "local", "readonly"):
                    self._variables.lose(word.text)
                if OPAQUE in word.text or word.text == "-n":
                    self._variables.are_unsure = True
                self._exported.add(word.text)
                self._numbers.update(_NAME.findall(word.text)[1:])
                _bind(_tags(word), *_STRICT, reader=name)
        self._read(command, name, words, options)

    def _alias(self, name: str, other: str) -> None:
        """Note that the variable *name* is another name of *other*."""
        other = ANY_VARIABLE if OPAQUE in other or not other else other
        self._give(name, [Slot("", Context.QUOTED, name=other, starts=True)])
        for each in list(self._given) if other == ANY_VARIABLE else [other]:
            self._give(each, [Slot("", Context.QUOTED, name=name, starts=True)])
        for slot, _ in self._given[name]:
            if slot not in self._commands[0].slots:
                self._commands[0].slots.append(slot)

    def _read(self, command: Command, name: str, words: Sequence[Word], options: str) -> None:
        """Note which variables hold what a command of the shell reads or is called with."""
        if name in ("read", "mapfile", "readarray"):
            reads = list(command.reads())
            if "u" in options:  # from whatever was opened elsewhere
                reads += [slot for each in self._commands for slot in each.slots]
            names = [word.text for word in words]
            for each in (*names, "REPLY" if name == "read" else "MAPFILE"):
                self._give(each, reads)
        elif name == "getopts":
            given = [slot for word in words for slot in word.slots]
            self._give("OPTARG", [*given, Slot("", Context.QUOTED, name="@", starts=True)])

    def _test(self, words: Sequence[Word]) -> None:
        """Let values be numbers where ``test`` compares such, and no name of a variable."""
        texts = [word.text for word in words]
        for at, word in enumerate(words):
            before = texts[at - 1] if at else ""
            after = texts[at + 1] if at + 1 < len(texts) else ""
            if before in ("-v", "-R"):
                _bind(_tags(word), *_STRICT, reader="bash, as the name of a variable")
            elif _COMPARES.fullmatch(before) or _COMPARES.fullmatch(after) or before == "-t":
                _bind(_tags(word), ValueRule.NUMBER, reader="test, as a number")
            elif OPAQUE in before and at == 1:
                _bind(_tags(word), *_STRICT, reader="test")  # after an operator that is not seen
            if before in ("-v", "-R") and "[" in word.text:
                self._numbers.update(_NAME.findall(word.text)[1:])

    def _printf(self, words: Sequence[Word]) -> None:
        """Give what ``printf`` writes, or puts into a variable, its rules."""
        rest = [word for word in words if word.text != "--"]
        if rest and rest[0].text.startswith("-v"):
            attached = rest[0].text[2:]
            if not attached:
                named = [slot for word in rest[1:2] for slot in word.slots]
                _bind(named, *_STRICT, reader="printf")
                attached = rest[1].text if rest[1:] else ""
                rest = rest[1:]
            self._variables.lose(attached)
            self._give(attached, (slot for word in rest[1:] for slot in word.slots))
            rest = rest[1:]
        if not rest:
            return
        form = rest[0].text
        _bind(rest[0].slots, ValueRule.ESCAPES, ValueRule.FORMAT)
        if OPAQUE in form or "%b" in form:
            _bind((slot for word in rest[1:] for slot in word.slots), ValueRule.ESCAPES)
        kinds = _CONVERSION.findall(form)
        for at, word in enumerate(rest[1:]):
            if kinds and kinds[at % len(kinds)] in tuple("diouxXeEfFgGaA"):
                _bind(_tags(word), ValueRule.NUMBER, reader="printf, as a number")  # ksh counts
            if kinds and OPAQUE not in form and not _LINE_STARTS.search(form):
                for slot in _tags(word):
                    slot.starts = False

    def _is_read(self, command: Command) -> bool:
        """Whether a ``read`` beside *command*, as in ``while read``, takes the input of both."""
        if command.feed is not None or command.documents or command.sources:
            return False
        reads = [each for each in self._commands if each.words[:1] and each.words[0].text == "read"]
        return command.group is not None and command.group in [read.group for read in reads]

    def _input(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Give what a command reads the rules for it."""
        if not name or name == OPAQUE or OPAQUE in name:
            name = "an unknown program"
        feed = command.reads()
        if not feed or name in ("read", "set"):
            return
        fed = [slot for slot in feed if slot not in command.documents]
        if name in self._functions or languages.reads_program(name, words):
            _bind(fed, *_STRICT, reader=name)
            _bind(command.documents, ValueRule.PROGRAM, reader=name)
            if languages.is_shell(name) or name in self._functions:
                _bind(command.documents, ValueRule.COMMAND)
        elif languages.runs_input(name, words):
            _bind(feed, *_STRICT, reader=name)
        elif programs.is_mailer(name):
            _bind(feed, ValueRule.TILDE)
        elif not (programs.takes_text(name) or languages.is_filter(name) or self._is_read(command)):
            _bind(feed, ValueRule.LINES, ValueRule.FIRST_WORD, reader=name)


def _none(_tag: str) -> bool:
    """Know no tag."""
    return False


def _name_no_file(words: Iterable[Word]) -> None:
    """Note that none of *words* is the name of a file."""
    for word in words:
        for slot in word.slots:
            if slot.name == f"file:{word.file}":
                slot.spelling = ""


def _tags(word: Word) -> list[Slot]:
    """Return what stands in *word*, but not the file that it names."""
    return [slot for slot in word.slots if slot.name != f"file:{word.file}"]


def _unwrapped(wrapper: wrappers.Wrapper, words: Sequence[Word], at: int) -> int | None:
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
        elif _ASSIGNMENT.match(text):
            at += 1
        else:
            return at
    return at


def _strict(name: str, words: Sequence[Word]) -> None:
    """Let values be nothing but words in what the program *name* reads, and name no command."""
    is_shell = languages.is_shell(name)
    may_run = any(languages.may_run(word.text) for word in words)
    before = "-"
    for word in words:
        slots = word.slots if is_shell else _tags(word)
        _bind(slots, ValueRule.PROGRAM, reader=name)
        is_first = is_shell and languages.runs_after(name, before)
        names_command = is_shell and (
            not languages.reads_as_shell(name) or _names_command(word.text)
        )
        for slot in slots:
            is_file = slot.name == f"file:{word.file}"
            is_operand = slot.opens and not is_shell and not languages.runs_no_file(name)
            is_file = is_file or is_operand or languages.names_file(word.text)
            if names_command or may_run or is_file or (slot.opens and is_first):
                slot.rules.add(ValueRule.COMMAND)
        before = word.text


def _names_command(text: str) -> bool:
    """Whether a value in the script *text* may be taken for the name of a command."""
    inner = cut(text.replace(OPAQUE, "<0>"), "0".__eq__)
    judge([inner])
    return any(
        isinstance(piece, Slot) and ValueRule.COMMAND in piece.rules for piece in inner.pieces
    )


def _pattern(name: str, words: Sequence[Word]) -> None:
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
            _bind(_tags(word), ValueRule.PATH)
    for word in after_option or others[:1]:
        _bind(word.slots, ValueRule.NOT_EMPTY, ValueRule.ONE_LINE)
        if not is_fixed:
            _bind(word.slots, ValueRule.PATTERN)


def _echo(words: Sequence[Word]) -> None:
    """Let values be written as they are, and note which of them may begin a line."""
    _bind((slot for word in words for slot in word.slots), ValueRule.ESCAPES)
    is_begun = False
    for word in words:
        if word.text.startswith("-"):
            continue
        for slot in _tags(word):
            slot.starts = slot.starts and not (is_begun and slot.opens)
        is_begun = is_begun or bool(word.text.strip(f"{OPAQUE} \t\n"))


def _mail(words: Sequence[Word]) -> None:
    """Let values be whom a mail is for, or text of it: no file, program or further line."""
    before = ""
    for word in words:
        _bind(_tags(word), ValueRule.ONE_LINE)
        is_text = word.text.startswith("-") or before in ("-s", "-a", "-A", "-r", "-q", "-u", "-i")
        if not is_text:
            _bind(_tags(word), ValueRule.PROGRAM, reader="the mail program, as an address")
        before = word.text


def _unknown(name: str, words: Sequence[Word]) -> None:
    """Be careful with what options of a program on no list may run."""
    before = ""
    for word in words:
        given = _RUNS_VALUE.match(word.text)
        if before in options.RUNS_NEXT or (given and given[1] in options.RUNS_NEXT):
            _bind(_tags(word), ValueRule.PROGRAM, reader=f"{name} {before or (given and given[1])}")
            names_command = _names_command(word.text)
            begins = [slot for slot in _tags(word) if names_command or slot.opens]
            _bind(begins, ValueRule.COMMAND)
        before = word.text
    for at, word in enumerate(words):
        if languages.is_interpreter(programs.called(word.text)):
            _strict(programs.called(word.text), words[at + 1 :])
            break
