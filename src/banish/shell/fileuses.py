"""Follows which files a script writes, and which of them may be run."""

import re
from collections.abc import Callable, Container, Sequence

import msgspec

from banish.shell import languages, options, places, programs
from banish.shell.binding import STRICT, bind, hand, name_no_file
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
from banish.shell.reader import Cut, cut, knows_no_tag
from banish.shell.slot import OPAQUE, Command, Slot, ValueRule, Word


class NamedRun(msgspec.Struct):
    """A word that names a file that is run."""

    spelling: str
    reader: str
    rules: tuple[ValueRule, ...] = STRICT
    is_known: bool = False
    command: int = 0
    is_mention: bool = False
    """Whether any part of the word may be the name."""


class FileUses:
    """The files that one script names; *files* are those of all scripts of an action."""

    def __init__(
        self, files: Files, spellings: Variables, add: Callable[[Cut, Command], None]
    ) -> None:
        """Follow them; *add* is called with each script within the script, and where it stands."""
        self._add = add
        self._files = files
        self._spellings = spellings
        self.writes: list[tuple[str, Sequence[Slot], str]] = []
        """Files by their spelling, what is written to them, and their names."""
        self.mentions: list[tuple[str, Sequence[Slot], int]] = []
        """Words of programs that may write a file named in them, and what they may write."""
        self.runs: list[NamedRun] = []
        self.copies: list[list[str]] = []
        self._bases_of: dict[str, Bases] = {}

    def find(self) -> None:
        """Work out the names of all files that are written or run."""
        variables = self._spellings
        for spelling, slots, name in self.writes:
            self._files.write(Written(variables.bases(spelling), tuple(slots), name))
        for text, slots, command in self.mentions:
            bases = variables.words(text)
            self._files.write(Written(bases, tuple(slots), is_mention=True, command=command))
        for run in self.runs:
            bases = variables.bases(run.spelling) if run.spelling else ANY
            if run.is_mention:
                bases = variables.words(run.spelling)
            elif ValueRule.LINES in run.rules:
                bases = frozenset(base for base in bases if OPAQUE not in base)
            self._files.run(Run(bases, run.reader, run.rules, run.is_known, run.command))
        for words in self.copies:
            self._files.copy([variables.bases(word) for word in words])

    def hand_on(self, use: Slot) -> bool:
        """Give what the file may hold that is read here the rules of its reader."""
        is_new = False
        if not use.rules:
            return False
        bases = self._bases_of.get(use.spelling)
        if bases is None and use.spelling:
            bases = self._bases_of[use.spelling] = self._spellings.bases(use.spelling)
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
                is_new = hand(use, slot, rules) or is_new
        return is_new

    def write(self, file: Word, slots: Sequence[Slot]) -> None:
        """Note what is written to *file*."""
        self.writes.append((file.spelling, slots, f"file:{file.file}"))
        if places.is_strict_file(file.text):
            bind(slots, *STRICT, reader=f"whoever reads {file.text}")
        elif not places.is_text_file(file.text):
            bind(slots, ValueRule.LINES, reader=f"whoever reads {file.text}")

    def run_any(self, command: Command, reader: str) -> None:
        """Note that whatever file may be run."""
        self.runs.append(NamedRun("", reader, command=id(command)))

    def run_name(self, command: Command, word: Word, functions: Container[str]) -> None:
        """Note that a command is called by its name."""
        if OPAQUE in word.text:
            self.run_any(command, "an unknown program")
        elif word.text not in functions and word.text not in programs.BUILT_IN_TEXTS:
            is_known = programs.is_known(word.text)
            named = NamedRun(word.spelling, "the shell", is_known=is_known, command=id(command))
            self.runs.append(named)
        name_no_file([word])

    def run_words(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note that a program may run any of its *words*, in whatever way."""
        for word in words:
            self.runs.append(NamedRun(word.spelling, name, command=id(command)))
            if languages.is_interpreter(programs.called(word.text)) or "{" in word.text:
                self.run_any(command, name)
        self.run_mentioned(command, name, words)

    def run_mentioned(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note that a program may run what its *words* mention."""
        for word in words:
            named = NamedRun(word.spelling, name, command=id(command), is_mention=True)
            self.runs.append(named)

    def write_words(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note that a program may write files that its *words* name."""
        slots = command.flow()
        kind, at = languages.script_word(name, words)
        written = words[at + 1 :] if kind else words
        self.mentions.extend((word.spelling, slots, id(command)) for word in written)
        files = [word for word in written if not word.text.startswith("-")]
        places = [word.spelling.rpartition("=")[2] for word in files]
        places = [place for place in places if place and not place.endswith(("/", "."))]
        if name in programs.NAMES_FILES:
            places.append(OPAQUE)
            self.writes.append((OPAQUE, slots, ""))
        if name in ("dd", "sort"):
            self.writes.extend((place, slots, "") for place in places)
        if programs.packs(name) and places:
            places.append(OPAQUE)
        makes_others = name in programs.NAMES_FILES or programs.packs(name) or name == "dd"
        if name in programs.COPIERS or makes_others:
            self.copies.append(places)

    def name_files(
        self, command: Command, name: str, words: Sequence[Word], functions: Container[str]
    ) -> None:
        """Note the files among the *words* of a program."""
        if languages.is_language(name):
            self._run_by_language(command, name, words)
        elif not programs.is_known(name):
            rules = (ValueRule.LINES, ValueRule.FIRST_WORD)
            for word in words:
                spelling = word.spelling.rpartition("=")[2]
                if spelling:
                    self.runs.append(NamedRun(spelling, name, rules, command=id(command)))
        if name in programs.BUILT_IN_TEXTS:
            name_no_file(words)
        elif name not in functions and programs.may_write(name):
            self.write_words(command, name, words)

    def _run_by_language(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note which files the program *name* may run, which reads a language."""
        kind, at = languages.script_word(name, words)
        if languages.runs_no_file(name) or kind == "text":
            return
        if kind == "file":
            self.runs.append(NamedRun(words[at].spelling, name, command=id(command)))
        elif name in (".", "source"):
            self._spellings.are_unsure = True
            self.run_words(command, name, words)
        elif name in languages.REMOTE:
            self.run_mentioned(command, name, words)
        elif languages.is_filter(name):
            if languages.runs_input(name, words):
                self.run_any(command, name)
            elif languages.has_program_file(words):
                self.run_words(command, name, words)
        elif name in ("eval", "trap", "alias"):
            self._run_text(command, name, words)
        else:
            self._run_unseen(command, name, words)

    def _run_text(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note which files a script may run that the words of a shell's own command are."""
        name_no_file(words)
        text = " ".join(word.text for word in words)
        first = text.partition(" ")[0]
        if OPAQUE not in text:
            self._add(
                cut(text.partition("=")[2] if name == "alias" else text, knows_no_tag), command
            )
        elif name != "trap" or first not in ("rm", "kill") or re.search(r"[;&|\n`]", text):
            self._spellings.are_unsure = self._spellings.are_unsure or name == "eval"
            self.run_any(command, name)

    def _run_unseen(self, command: Command, name: str, words: Sequence[Word]) -> None:
        """Note which files a script may run that is not a word alone."""
        if name in ("find", "fd", "fdfind", "xargs"):
            texts = {word.text for word in words}
            if name == "xargs" or not options.RUNS_NEXT.isdisjoint(texts):
                self.run_words(command, name, words)
        elif languages.is_shell(name) or languages.takes_program(name):
            self.run_any(command, name)
        else:
            self.run_mentioned(command, name, words)
