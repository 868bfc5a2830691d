"""Finds where in a shell script the tags stand, and what quotes are around each.

What goes in place of a tag never holds the value: it is one of four fixed forms
of a shell variable (`banish.enforce.command.template`). So a value cannot become
part of the script even where the reading here goes wrong; what depends on it is
only that the value arrives as one whole word. It follows the token rules of
POSIX.1-2017, XCU 2.2 to 2.7: quotes, comments, here-documents, and scripts within
scripts. Not followed: ``case`` patterns inside ``$(...)``.
"""

import enum
import re
from collections.abc import Callable

import msgspec

from banish.enforce.command.programs import (
    reads_program,
    takes_program,
    takes_shell_program,
)


class Context(enum.Enum):
    """What is around a tag."""

    BARE = "bare"
    QUOTED = "quoted"
    """In double quotes, or in a here-document."""
    SINGLE = "single"
    ARITHMETIC = "arithmetic"


class Slot(msgspec.Struct):
    """A tag in a script."""

    tag: str
    context: Context
    is_program: bool = False
    """Whether what stands there is (part of) a program of another interpreter."""
    is_literal: bool = False
    """Whether the author wrote it where a shell puts nothing in."""
    is_command: bool = False
    """Whether what stands there may be taken for the name of a command."""


Piece = str | Slot

_TAG = re.compile(r"<([^ <>]+)>")

_GOES_BEFORE = frozenset({"!", "{", "do", "elif", "else", "if", "then", "until", "while"})
"""Words after which a command begins still."""

_BEGINS = "\"'`;|&({\n"
"""Characters after which a command of an inner program may begin."""

_HEREDOC = re.compile(r"<<(-?)[ \t]*((?:'[^'\n]*'|\"[^\"\n]*\"|\\.|[^\s;&|<>()'\"\\])+)")
_ASSIGNMENT = re.compile(r"\w+=")
_PLAIN_WORD = re.compile(r"[\w.+-]+")
_IN_BODY = str.maketrans({"\\": "\\\\", "$": "\\$", "`": "\\`"})


class _Frame:
    """A script, or one within a script, or a stretch in quotes."""

    def __init__(self, kind: str, closer: str) -> None:
        self.kind = kind
        """``script``, ``quoted``, ``braces`` or ``arithmetic``."""
        self.closer = closer
        self.word = ""
        self.is_first = True
        """Whether the command that stands here has no name yet."""
        self.is_command = False
        """Whether all of this is the name of a command."""
        self.is_program = False
        """Whether the command that stands here takes a program."""
        self.is_shell = False
        """Whether that is a program of a shell."""
        self.is_fed = False
        """Whether the command that stands here reads what another writes."""
        self.slots: list[Slot] = []
        """The tags of this pipeline so far."""


class _Document(msgspec.Struct):
    """A here-document that begins on this line."""

    delimiter: str
    strips: bool
    is_quoted: bool
    is_program: bool


def cut(script: str, is_tag: Callable[[str], bool]) -> tuple[Piece, ...]:
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
        self._frames = [_Frame("script", "")]
        self._documents: list[_Document] = []

    def cut(self) -> tuple[Piece, ...]:
        while self._at < len(self._text):
            if not self._slot():
                kind = self._frames[-1].kind
                if kind == "script":
                    self._in_script()
                elif kind == "arithmetic":
                    self._in_arithmetic()
                else:
                    self._in_quotes()
        self._end_word()
        self._flush()
        return tuple(self._pieces)

    # -- small steps ----------------------------------------------------------------

    def _flush(self) -> None:
        if self._literal:
            self._pieces.append("".join(self._literal))
            self._literal = []

    def _take(self, count: int) -> None:
        self._literal.append(self._text[self._at : self._at + count])
        self._at += count

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
            self._put(tag, self._context())
            self._at += len(tag) + 2
            self._frames[-1].word += "<>"
        return bool(tag)

    def _context(self) -> Context:
        frames = iter(reversed(self._frames))
        kind = next(frames).kind
        while kind == "braces":
            kind = next(frames).kind
        if kind == "script":
            return Context.BARE
        return Context.ARITHMETIC if kind == "arithmetic" else Context.QUOTED

    def _put(
        self, tag: str, context: Context, *, is_literal: bool = False, in_program: bool = False
    ) -> None:
        before = "".join(self._literal).rstrip(" \t")
        self._flush()
        is_command = any(outer.is_command for outer in self._frames) or (
            context is not Context.QUOTED and self._is_at_command
        )
        is_program = in_program or is_command or any(outer.is_program for outer in self._frames)
        is_shell = in_program or any(outer.is_shell for outer in self._frames)
        if is_shell and (not before or before[-1] in _BEGINS):
            is_command = True
        slot = Slot(tag, context, is_program, is_literal, is_command)
        self._pieces.append(slot)
        for outer in self._frames:
            outer.slots.append(slot)

    @property
    def _is_at_command(self) -> bool:
        """Whether the name of a command begins here."""
        frame = self._frames[-1]
        return frame.kind == "script" and frame.is_first and not frame.word

    def _push(self, kind: str, closer: str, length: int) -> None:
        is_command = self._is_at_command and self._text[self._at] != "("
        self._take(length)
        frame = _Frame(kind, closer)
        frame.is_command = is_command
        self._frames.append(frame)

    def _pop(self, length: int) -> None:
        self._take(length)
        self._frames.pop()
        self._frames[-1].word += "<>"

    # -- commands -------------------------------------------------------------------

    def _end_word(self) -> None:
        frame = self._frames[-1]
        if takes_program(frame.word):
            frame.is_program = True
            frame.is_shell = frame.is_shell or takes_shell_program(frame.word)
        if frame.is_fed and reads_program(frame.word):
            for slot in frame.slots:
                slot.is_program = slot.is_command = True
            for document in self._documents:
                document.is_program = True
        if frame.word and frame.word not in _GOES_BEFORE and not _ASSIGNMENT.match(frame.word):
            frame.is_first = False
        frame.word = ""

    def _end_command(self, *, is_pipe: bool) -> None:
        self._end_word()
        frame = self._frames[-1]
        frame.is_program = frame.is_shell = False
        frame.is_first = True
        frame.is_fed = is_pipe
        if not is_pipe:
            frame.slots = []

    def _in_script(self) -> None:
        frame = self._frames[-1]
        here = self._text[self._at]
        if here == "\\":
            self._backslash(in_quotes=False)
        elif here == "'":
            self._single()
        elif here == '"':
            self._push("quoted", '"', 1)
        elif here == frame.closer and here in ")`":
            self._end_word()
            self._pop(1)
        elif self._opens():
            pass
        elif here == "(":
            self._end_command(is_pipe=False)
            self._push("script", ")", 1)
        elif here == "#" and not frame.word:
            self._comment()
        elif here == "<" and not self._next_is("<<<") and self._heredoc():
            pass
        elif here == "\n":
            self._end_command(is_pipe=False)
            self._take(1)
            self._bodies()
        elif here == "|":
            is_pipe = not self._next_is("||")
            self._end_command(is_pipe=is_pipe)
            self._take(1 if is_pipe else 2)
        elif here in ";&)":
            self._end_command(is_pipe=False)
            self._take(1)
        elif here in " \t<>":
            self._end_word()
            self._take(1)
        else:
            frame.word += here
            self._take(1)

    def _opens(self) -> bool:
        """Enter whatever begins here with a dollar sign or a backtick."""
        if self._next_is("$(("):
            self._push("arithmetic", "))", 3)
        elif self._next_is("$("):
            self._push("script", ")", 2)
        elif self._next_is("${"):
            self._push("braces", "}", 2)
        elif self._next_is("`"):
            self._push("script", "`", 1)
        else:
            return False
        return True

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
            self._pop(1)
        elif here == '"' and frame.kind == "braces":
            self._push("quoted", '"', 1)
        elif not self._opens():
            self._take(1)

    def _in_arithmetic(self) -> None:
        if self._next_is("))"):
            self._pop(2)
        elif not self._opens():
            self._take(1)

    def _backslash(self, *, in_quotes: bool) -> None:
        if not self._tag_at(self._at + 1):
            self._frames[-1].word += self._text[self._at : self._at + 2]
            self._take(2)
        elif in_quotes:
            self._literal.append("\\\\")
            self._at += 1
        else:
            self._at += 1

    def _single(self) -> None:
        end = self._text.find("'", self._at + 1)
        end = len(self._text) if end < 0 else end
        self._take(1)
        while self._at < end:
            tag = self._tag_at(self._at)
            if tag:
                self._put(tag, Context.SINGLE, is_literal=True)
                self._at += len(tag) + 2
            else:
                self._take(1)
        self._take(1)
        self._frames[-1].word += "<>"

    def _comment(self) -> None:
        end = self._text.find("\n", self._at)
        self._take((end if end >= 0 else len(self._text)) - self._at)

    # -- here-documents -------------------------------------------------------------

    def _heredoc(self) -> bool:
        match = _HEREDOC.match(self._text, self._at)
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
        is_program = any(frame.is_program for frame in self._frames)
        self._documents.append(_Document(bare, strips, is_quoted, is_program))
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
        while self._at < end:
            tag = self._tag_at(self._at)
            if tag:
                self._put(
                    tag,
                    Context.QUOTED,
                    is_literal=document.is_quoted,
                    in_program=document.is_program,
                )
                self._at += len(tag) + 2
            elif document.is_quoted:
                self._literal.append(self._text[self._at].translate(_IN_BODY))
                self._at += 1
            elif self._next_is("\\") and self._tag_at(self._at + 1):
                self._literal.append("\\\\")
                self._at += 1
            else:
                self._take(2 if self._next_is("\\") else 1)
