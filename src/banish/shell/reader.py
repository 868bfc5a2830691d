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

from banish.shell.slot import (
    ANY_VARIABLE,
    FRESH,
    OPAQUE,
    VARIABLE,
    Command,
    Context,
    Piece,
    Slot,
    ValueRule,
    Word,
)

_TAG = re.compile(r"<([^ <>]+)>")
_HEREDOC = re.compile(r"<<(-?)[ \t]*((?:'[^'\n]*'|\"[^\"\n]*\"|\\.|[^\s;&|<>()'\"\\])+)")
_EXPANSION = re.compile(r"\$(\{[!#]?)?([A-Za-z_]\w*|[0-9@*])", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ASSIGNS = re.compile(r"\w+\+?=")
_PLAIN_WORD = re.compile(r"[\w.+-]+")
_AT_VALUE = re.compile(r"(?:.*[=:,]|-\w|)\0*", re.DOTALL)
"""What an option, or a file in place of a value, may follow; what a shell puts in may be empty."""

_COUNTS = re.compile(r"\[|:(?![-=+?])")
"""What bash takes for a number follows in braces."""
_COUNTED = re.compile(r"(?:\[|:(?![-=+?]))[^}]*")
_IS_FRESH = re.compile(r"(?:\$\(|`)\s*mktemp\b[^;|&<>$`()\n]*[)`]")
_SETS = re.compile(r":?=")
_IN_BODY = str.maketrans({"\\": "\\\\", "$": "\\$", "`": "\\`"})

_STARTS = "\"'`;|&({\n"
"""Characters after which a command of an inner program may begin."""

_NEVER_EMPTY = frozenset({"ip", "failures", "time", "bantime", "bancount", "jail.name"})

_SHOWS = frozenset({"set", "export", "declare", "typeset", "readonly", "local"})
"""Commands that write all variables if they are called alone."""

_OPENS = frozenset({"{", "while", "until", "for", "select", "if", "case"})
_CLOSES = frozenset({"}", "done", "fi", "esac"})
_GOES_BEFORE = frozenset({"!", "do", "elif", "else", "then"})
"""Words after which a command begins still."""


class Cut(msgspec.Struct):
    """A script cut at its tags."""

    pieces: tuple[Piece, ...]
    commands: list[Command]
    functions: set[str]
    assigned: list[tuple[str, Slot]]
    """Variables that ``${name:=...}`` may set, and to what."""
    unsure: set[str]
    """Variables that an expansion or a sum may set."""


class _Frame:
    """A script, or one within a script, or a stretch in quotes."""

    def __init__(self, kind: str, closer: str) -> None:
        self.kind = kind
        """``script``, ``quoted``, ``braces`` or ``arithmetic``."""
        self.closer = closer
        self.word = Word()
        self.command = Command()
        self.groups: list[Command] = []
        """The compound commands that are open, the innermost last."""
        self.redirect = ""
        """``<``, ``>`` or ``<>`` if the next word is a file."""
        self.splits = False
        """Whether the outer shell makes words of what this writes."""
        self.begins = False
        """Whether what this writes stands where an option may."""
        self.start = 0
        """Where it begins."""
        self.variable = ""
        """The variable that stands in the braces."""
        self.is_plain = False
        """Whether nothing but a variable stands in the braces."""
        self.is_in_for = False
        """Whether a loop goes through those words."""
        self.is_function = False
        """Whether the word ``function`` stands before."""
        self.is_word = True
        """Whether it is part of a word of the outer script."""


class _Document(msgspec.Struct, eq=False):
    """A here-document that begins on this line."""

    delimiter: str
    strips: bool
    is_quoted: bool
    command: Command
    outer: list[Command]
    words: list[Word]
    """The words that what it says may get into."""


def cut(script: str, is_tag: Callable[[str], bool]) -> Cut:
    """Return *script* cut at its tags, those names between < and > that *is_tag* knows.

    Here-documents whose delimiter is quoted come back with a bare delimiter and
    their text escaped, which is the same to a shell, so that tags can be put in.
    """
    return _Cutter(script, is_tag).cut()


class _Cutter:
    def __init__(self, script: str, is_tag: Callable[[str], bool]) -> None:
        self._text = script
        self._at = 0
        self._is_tag = is_tag
        self._pieces: list[Piece] = []
        self._literal: list[str] = []
        self._commands: list[Command] = []
        self._functions: set[str] = set()
        self._assigned: list[tuple[str, Slot]] = []
        self._unsure: set[str] = set()
        self._frames = [_Frame("script", "")]
        self._documents: list[_Document] = []
        self._all = Command()
        self._begin(None)

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

    # -- small steps ----------------------------------------------------------------

    @property
    def _script(self) -> _Frame:
        """The innermost script: its word is what is being read."""
        return next(frame for frame in reversed(self._frames) if frame.kind == "script")

    def _flush(self) -> None:
        if self._literal:
            self._pieces.append("".join(self._literal))
            self._literal = []

    def _take(self, count: int) -> None:
        """Go on by *count* characters that are no part of a word."""
        self._literal.append(self._text[self._at : self._at + count])
        self._at += count

    def _take_word(self, count: int, text: str, spelling: str | None = None) -> None:
        """Go on by *count* characters, which say *text* to the shell, in a word."""
        word = self._script.word
        if not word.is_there:
            word.is_there = True
        word.raw += self._text[self._at : self._at + count]
        word.text += text
        word.spelling += text if spelling is None else spelling
        self._take(count)

    def _next_is(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _tag_at(self, at: int) -> str:
        """Return the tag that begins at *at*, or nothing."""
        if self._text[at : at + 1] != "<":
            return ""
        match = _TAG.match(self._text, at)
        return match[1] if match and self._is_tag(match[1]) else ""

    def _slot(self) -> bool:
        """Take the tag here, if there is one."""
        tag = self._tag_at(self._at)
        if tag:
            self._put(Slot(tag, self._context()))
        return bool(tag)

    def _context(self) -> Context:
        frames = iter(reversed(self._frames))
        kind = next(frames).kind
        while kind == "braces":
            kind = next(frames).kind
        if kind == "script":
            return Context.BARE
        return Context.ARITHMETIC if kind == "arithmetic" else Context.QUOTED

    def _put(self, slot: Slot) -> None:
        """Take a tag in a word."""
        self._note(slot)
        self._flush()
        self._pieces.append(slot)
        word = self._script.word
        word.is_there = True
        word.raw += f"<{slot.tag}>"
        word.text += OPAQUE
        word.spelling += OPAQUE
        self._at += len(slot.tag) + 2

    def _note(self, slot: Slot) -> None:
        """Note *slot* wherever what it stands for may get to."""
        before = "".join(self._literal).rstrip(" \t")
        last = self._pieces[-1] if self._pieces else ""
        is_after_value = isinstance(last, Slot) and last.tag in _NEVER_EMPTY
        slot.starts = not before and not is_after_value
        slot.starts = slot.starts or before[-1:] in tuple(_STARTS) or before.endswith("\\n")
        scripts = [frame for frame in self._frames if frame.kind == "script"]
        slot.line = self._text.count("\n", 0, self._at)
        slot.opens = not scripts[-1].word.text
        slot.begins = _AT_VALUE.fullmatch(scripts[-1].word.text) is not None
        word = scripts[-1].word
        if not word.text.strip(f"{OPAQUE} \t") or _ASSIGNS.fullmatch(word.text):
            # What comes before in the word may be empty, but not these tags.
            slot.starts = slot.starts or all(each.tag not in _NEVER_EMPTY for each in word.slots)
        for frame in scripts:
            frame.word.slots.append(slot)
            slot.begins = slot.begins or frame.begins
            if frame.splits:
                slot.rules.add(ValueRule.WORDS if frame.is_in_for else ValueRule.ONE_WORD)
            for command in (frame.command, *frame.groups):
                command.slots.append(slot)
        self._all.slots.append(slot)
        for frame in self._frames:
            if frame.variable:
                self._assigned.append((frame.variable, slot))
                if _COUNTS.search(self._text, frame.start + 2, self._at):
                    slot.rules |= {ValueRule.PROGRAM, ValueRule.COMMAND}

    def _use(self, name: str, context: Context) -> Slot:
        """Note the use of a variable, and return it."""
        slot = Slot("", context, name=name)
        self._note(slot)
        if context is Context.ARITHMETIC:
            self._unsure.add(name)
        return slot

    def _push(self, kind: str, closer: str, length: int) -> _Frame:
        outer, context = self._script, self._context()
        frame = _Frame(kind, closer)
        frame.start = self._at
        if kind == "script":
            is_assigned = _ASSIGNS.match(outer.word.text) is not None and not outer.command.words
            frame.splits = self._text[self._at] in "$`" and context is Context.BARE
            frame.splits = frame.splits and not is_assigned and outer.command.kind != "case"
            frame.is_in_for = outer.command.kind == "for"
            frame.begins = _AT_VALUE.fullmatch(outer.word.text) is not None and not is_assigned
        self._frames.append(frame)
        if kind == "script":
            self._begin(None, group=outer.command)
        self._take(length)
        return frame

    def _pop(self, length: int) -> None:
        frame = self._frames.pop()
        word = self._script.word
        if frame.is_word:
            word.is_there = True
            inner = self._text[frame.start : self._at + length]
            word.raw += '"' if frame.kind == "quoted" else inner
            word.text += "" if frame.kind == "quoted" else OPAQUE
            if frame.kind != "quoted" and not frame.is_plain:
                is_fresh = frame.kind == "script" and _IS_FRESH.fullmatch(inner)
                word.spelling += FRESH if is_fresh else OPAQUE
        self._take(length)

    # -- commands -------------------------------------------------------------------

    def _begin(
        self, feed: Command | None, *, group: Command | None = None, kind: str = "simple"
    ) -> None:
        """Begin a command that reads what *feed* writes."""
        frame = self._frames[-1]
        if group is None:
            group = frame.groups[-1] if frame.groups else frame.command.group
        frame.command = Command(kind, feed, group)
        self._commands.append(frame.command)

    def _end_word(self, frame: _Frame | None = None) -> None:
        frame = frame or self._frames[-1]
        word, frame.word = frame.word, Word()
        redirect, command = frame.redirect, frame.command
        if not word.is_there:
            return
        if redirect:
            frame.redirect = ""
        elif frame.is_function or (word.raw == "function" and not command.words):
            if frame.is_function:
                self._functions.add(word.text)
            frame.is_function = not frame.is_function
            return
        name = f"file:{word.file}"
        use = Slot("", Context.BARE, name=name, starts=True, spelling=word.spelling)
        word.slots.append(use)
        for each in (command, *frame.groups):
            each.slots.append(use)
        # What a command within this writes, the commands around it get.
        for outer in self._frames[: self._frames.index(frame)]:
            outer.word.slots.append(use)
            for each in (outer.command, *outer.groups):
                each.slots.append(use)
        if word.text in _SHOWS and not command.words and not redirect:
            self._show(frame)
        if redirect:
            command.redirect(redirect, word)
        else:
            self._place(frame, word)

    def _place(self, frame: _Frame, word: Word) -> None:
        """Put a word where it belongs: a command's words, or the beginning or end of a group."""
        command = frame.command
        if command.kind == "for" and len(command.words) == 1 and word.raw == "do":
            self._begin(None)  # as in ``for x do``, which goes through "$@"
        elif command.words or word.is_quoted or word.raw != word.text:
            command.words.append(word)
        elif word.text in _OPENS and command.kind == "simple":
            self._open(frame, word.text)
        elif word.text in _CLOSES and frame.groups:
            frame.command = frame.groups.pop()
        elif word.text not in _GOES_BEFORE or command.kind != "simple":
            command.words.append(word)

    def _show(self, frame: _Frame) -> None:
        """Note that a command may write all variables."""
        slot = Slot("", Context.QUOTED, name=ANY_VARIABLE, starts=True)
        for each in (frame.command, *frame.groups):
            each.slots.append(slot)
        for outer in self._frames[: self._frames.index(frame)]:
            outer.word.slots.append(slot)
            for each in (outer.command, *outer.groups):
                each.slots.append(slot)

    def _open(self, frame: _Frame, word: str) -> None:
        group = frame.command
        group.kind = "case group" if word == "case" else "group"
        frame.groups.append(group)
        kind = {"for": "for", "select": "for", "case": "case"}.get(word, "simple")
        frame.command = Command(kind, None, group)
        self._commands.append(frame.command)

    def _end_command(self, *, is_pipe: bool = False) -> None:
        self._end_word()
        frame = self._frames[-1]
        before = frame.command
        outer = frame.groups[-1] if frame.groups else None
        if outer is None:
            # A group that was closed has the group it stands in for its own.
            outer = before.group
        self._begin(before if is_pipe else None, group=outer)

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
        elif found := _EXPANSION.match(self._text, self._at):
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

    # -- here-documents -------------------------------------------------------------

    def _heredoc(self) -> bool:
        match = None if self._next_is("<<<") else _HEREDOC.match(self._text, self._at)
        if match is None:
            return False
        strips, word = bool(match[1]), match[2]
        bare = re.sub(r"['\"]|\\(.)", r"\1", word)
        is_quoted = bare != word
        if is_quoted and not _PLAIN_WORD.fullmatch(bare):
            return False
        self._end_word()
        self._literal.append(f"<<{match[1]}{bare}")
        self._at = match.end()
        frames = [frame for frame in self._frames if frame.kind == "script"]
        outer = [command for frame in frames for command in (frame.command, *frame.groups)]
        command = frames[-1].command
        words = [frame.word for frame in frames[:-1]]
        self._documents.append(_Document(bare, strips, is_quoted, command, outer, words))
        return True

    def _bodies(self) -> None:
        """Take the here-documents that begin on this line."""
        documents, self._documents = self._documents, []
        for document in documents:
            while self._at < len(self._text):
                end = self._text.find("\n", self._at)
                end = len(self._text) if end < 0 else end + 1
                line = self._text[self._at : end].removesuffix("\n")
                if (line.lstrip("\t") if document.strips else line) == document.delimiter:
                    self._take(end - self._at)
                    break
                self._body(end, document)

    def _body(self, end: int, document: _Document) -> None:
        start = self._at
        while self._at < end:
            tag = self._tag_at(self._at)
            if tag:
                slot = Slot(tag, Context.QUOTED, is_literal=document.is_quoted)
                if not document.is_quoted and re.search(r"[`]|\$\(", self._text[start:end]):
                    slot.rules |= {ValueRule.PROGRAM, ValueRule.COMMAND, ValueRule.ONE_WORD}
                self._put_in(document, slot)
                self._pieces.append(document.command.documents[-1])
                self._at += len(tag) + 2
            elif document.is_quoted:
                self._literal.append(self._text[self._at].translate(_IN_BODY))
                self._at += 1
            elif self._next_is("\\") and self._tag_at(self._at + 1):
                self._literal.append("\\\\")
                self._at += 1
            else:
                found = _EXPANSION.match(self._text, self._at)
                if found:
                    self._put_in(document, Slot("", Context.QUOTED, name=found[2]), flush=False)
                self._take(2 if self._next_is("\\") else 1)

    def _put_in(self, document: _Document, slot: Slot, *, flush: bool = True) -> None:
        """Note *slot* as part of a here-document."""
        before = "".join(self._literal).rstrip(" \t")
        slot.starts = not before or before[-1] in _STARTS
        slot.line = self._text.count("\n", 0, self._at)
        if flush:
            self._flush()
        document.command.documents.append(slot)
        for word in document.words:
            word.slots.append(slot)
        self._all.slots.append(slot)
        for command in document.outer:
            if command is not document.command:
                command.slots.append(slot)


def knows_no_tag(_tag: str) -> bool:
    """Know no tag: of a script within a script all tags are known already."""
    return False
