"""Cuts a shell script at its tags, and notes which command gets each of them.

What goes in place of a tag never holds the value: it is one of four fixed forms
of a shell variable (`banish.shell.script`). So a value cannot become part of the
script even where the reading here goes wrong; what depends on it is that the value
arrives as one whole word, and what `banish.shell.judge` lets it hold. It follows the
token rules of POSIX.1-2017, XCU 2.2 to 2.10: quotes, comments, here-documents,
scripts within scripts, pipelines and compound commands.
"""

import re
from collections.abc import Callable

import msgspec

from banish.shell.heredocs import EXPANSION, Heredocs
from banish.shell.slot import (
    ANY_VARIABLE,
    OPAQUE,
    VARIABLE,
    Command,
    Context,
    Piece,
    Slot,
    ValueRule,
    Word,
)

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_COUNTED = re.compile(r"(?:\[|:(?![-=+?]))[^}]*")
_SETS = re.compile(r":?=")


class Cut(msgspec.Struct):
    """A script cut at its tags."""

    pieces: tuple[Piece, ...]
    commands: list[Command]
    functions: set[str]
    assigned: list[tuple[str, Slot]]
    """Variables that ``${name:=...}`` may set, and to what."""
    unsure: set[str]
    """Variables that an expansion or a sum may set."""


def cut(script: str, is_tag: Callable[[str], bool]) -> Cut:
    """Return *script* cut at its tags, those names between < and > that *is_tag* knows.

    Here-documents whose delimiter is quoted come back with a bare delimiter and
    their text escaped, which is the same to a shell, so that tags can be put in.
    """
    return _Cutter(script, is_tag).cut()


class _Cutter(Heredocs):
    def cut(self) -> Cut:
        while self._at < len(self._text):
            if not self._slot():
                kind = self._frames[-1].kind
                if kind == "script":
                    self._in_script()
                elif kind == "arithmetic":
                    self._in_arithmetic()
                else:
                    self._in_quotes()
        for frame in reversed(self._frames):
            if frame.kind == "script":
                self._end_word(frame)
        self._flush()
        pieces = tuple(self._pieces)
        return Cut(pieces, self._commands, self._functions, self._assigned, self._unsure)

    def _in_script(self) -> None:
        frame = self._frames[-1]
        here = self._text[self._at]
        in_case = frame.command.kind == "case"
        if here == "\\":
            self._backslash(in_quotes=False)
        elif here == "'":
            self._single()
        elif here == '"':
            frame.word.is_there = frame.word.is_quoted = True
            if frame.word.raw.endswith("$"):
                frame.word.spelling += OPAQUE  # some shells have another text for it
            self._push("quoted", '"', 1)
        elif here in "()" and in_case:
            self._end_word()
            self._take(1)
            if here == ")":
                self._begin(None)
        elif here == frame.closer and here in ")`":
            self._end_word()
            self._pop(1)
        elif not self._opens() and not self._operator(here, in_case=in_case):
            self._take_word(1, here)

    def _operator(self, here: str, *, in_case: bool) -> bool:
        """Take what stands between words, if that is here."""
        frame = self._frames[-1]
        if here == "(":
            self._parenthesis()
        elif here == "#" and not frame.word.is_there:
            self._comment()
        elif here == "\n":
            self._end_line(in_case=in_case)
        elif here in "<>" or self._next_is("&>"):
            if here == "&":
                self._end_word()
                self._take(1)  # of ``&>``, which bash knows
            if not self._heredoc():
                self._redirect()
        elif here in " \t" or (here == "|" and in_case):
            self._end_word()
            self._take(1)
        elif here in "|;&)":
            self._separator(here)
        else:
            return False
        return True

    def _separator(self, here: str) -> None:
        """Take what ends a command."""
        frame = self._frames[-1]
        two = self._text[self._at : self._at + 2]
        self._end_command(is_pipe=here == "|" and two != "||")
        self._take(2 if two in ("||", "|&", ";;", ";&") else 1)
        is_next_case = two in (";;", ";&") and frame.groups
        if is_next_case and frame.groups[-1].kind == "case group":
            frame.command.kind = "case"

    def _end_line(self, *, in_case: bool) -> None:
        frame = self._frames[-1]
        self._end_word()
        command = frame.command
        is_open_pipe = command.feed is not None and not command.words and not command.targets
        if not in_case and not is_open_pipe:
            self._end_command()
        self._take(1)
        self._bodies()

    def _parenthesis(self) -> None:
        """Enter ``( ... )``, or take the ``()`` behind the name of a function."""
        frame = self._frames[-1]
        if frame.word.is_there and re.match(r"\(\s*\)", self._text[self._at :]):
            self._functions.add(frame.word.text)
            frame.word = Word()
            frame.is_function = False
            self._take(self._text.index(")", self._at) + 1 - self._at)
            return
        self._end_word()
        if self._next_is("(("):
            end = self._text.find("))", self._at)
            for found in _NAME.findall(self._text, self._at, end if end > 0 else len(self._text)):
                self._use(found, Context.ARITHMETIC)
        if not frame.command.words:
            frame.command.kind = "group"
        self._push("script", ")", 1).is_word = False

    def _redirect(self) -> None:
        """Take ``>``, ``2>&1``, ``<``, ``>(...)`` and their like."""
        frame = self._frames[-1]
        if frame.word.text.isdigit() and frame.word.raw == frame.word.text:
            frame.word = Word()
        self._end_word()
        here = self._text[self._at]
        if self._text[self._at + 1 : self._at + 2] == "(":
            inner = self._push("script", ")", 2)
            if here == ">":
                # It may be written to by a descriptor, from anywhere.
                inner.command.feed = self._all
            return
        match = re.compile(r"<<<|<&|<>|<|>>|>&|>\|?").match(self._text, self._at)
        count = len(match[0]) if match else 1
        frame.redirect = "<>" if match and match[0] == "<>" else here
        if match and match[0] == "<&" and self._text[match.end() : match.end() + 1] not in "-0":
            frame.command.feed = frame.command.feed or self._all  # whatever was opened elsewhere
        self._take(count)

    def _opens(self) -> bool:
        """Enter whatever begins here with a dollar sign or a backtick."""
        if self._next_is("$(("):
            self._push("arithmetic", "))", 3)
        elif self._next_is("$["):
            self._push("arithmetic", "]", 2)
        elif self._next_is("$("):
            self._push("script", ")", 2)
        elif self._next_is("`"):
            self._push("script", "`", 1)
        elif found := EXPANSION.match(self._text, self._at):
            self._expand(found)
        elif self._next_is("${"):
            self._push("braces", "}", 2)
        elif self._next_is("$") and self._text[self._at + 1 : self._at + 2] in tuple("?$#!-"):
            self._take_word(2, OPAQUE)
        else:
            return False
        return True

    def _expand(self, found: re.Match[str]) -> None:
        """Enter the use of a variable."""
        begin, name = found[1], found[2]
        slot = Slot("", self._context(), name=name)
        if begin != "{#":  # a length is a number
            self._note(slot)
            if slot.context is Context.ARITHMETIC:
                self._unsure.add(name)
        if begin == "{!":
            self._use(ANY_VARIABLE, self._context())
        if begin == "{!" or self._text.startswith("@P}", found.end()):
            slot.rules |= {ValueRule.PROGRAM, ValueRule.COMMAND}  # read as a name, or as a prompt
        if not begin:
            self._take_word(len(found[0]), OPAQUE, f"{VARIABLE}{name}{VARIABLE}")
            return
        counts = _COUNTED.match(self._text, found.end())
        for each in _NAME.findall(counts[0] if counts else ""):
            self._use(each, Context.ARITHMETIC)
        self._script.word.is_there = True
        self._script.word.raw += found[0]
        self._braces(found[0], name)

    def _braces(self, begin: str, name: str) -> None:
        """Enter braces that begin with a variable."""
        word = self._script.word
        frame = self._push("braces", "}", len(begin))
        frame.variable = name
        frame.is_plain = begin == f"${{{name}" and self._next_is("}")
        word.spelling += f"{VARIABLE}{name}{VARIABLE}" if frame.is_plain else OPAQUE
        if _SETS.match(self._text, self._at):
            self._unsure.add(name)

    def _in_quotes(self) -> None:
        frame = self._frames[-1]
        here = self._text[self._at]
        if here == "\\":
            self._backslash(in_quotes=True)
        elif here == frame.closer:
            self._pop(1)
        elif here == "`" and any(outer.closer == "`" for outer in self._frames):
            while self._frames[-1].closer != "`":  # an end of quotes is missing
                self._frames.pop()
            self._end_word()
            self._pop(1)
        elif here == '"' and frame.kind == "braces":
            self._push("quoted", '"', 1)
        elif not self._opens():
            self._take_word(1, here if frame.kind == "quoted" else "")

    def _in_arithmetic(self) -> None:
        closer = self._frames[-1].closer
        if self._next_is(closer):
            self._pop(len(closer))
        elif self._opens():
            pass
        elif found := _NAME.match(self._text, self._at):
            self._use(found[0], Context.ARITHMETIC)
            self._take(len(found[0]))
        else:
            self._take(1)

    def _backslash(self, *, in_quotes: bool) -> None:
        if self._next_is("\\\n"):
            self._take(2)  # a line that goes on is no end of a word
        elif not self._tag_at(self._at + 1):
            pair = self._text[self._at : self._at + 2]
            self._take_word(2, pair if in_quotes and pair[1:] not in tuple('$`"\\') else pair[1:])
        elif in_quotes:
            self._literal.append("\\\\")
            self._at += 1
        else:
            self._at += 1

    def _single(self) -> None:
        word = self._script.word
        word.is_there = word.is_quoted = True
        end = self._text.find("'", self._at + 1)
        end = len(self._text) if end < 0 else end
        is_other = word.raw.endswith("$")
        self._take(1)
        while self._at < end:
            tag = self._tag_at(self._at)
            if tag:
                self._put(Slot(tag, Context.SINGLE, is_literal=True))
            else:
                self._take_word(1, self._text[self._at])
        if is_other:
            word.spelling += OPAQUE  # bash reads escapes in it
        self._take(1)

    def _comment(self) -> None:
        end = self._text.find("\n", self._at)
        self._take((end if end >= 0 else len(self._text)) - self._at)


def knows_no_tag(_tag: str) -> bool:
    """Know no tag: of a script within a script all tags are known already."""
    return False
