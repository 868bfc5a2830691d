"""Reads the here-documents of a shell script."""

import re

from banish.shell.cursor import STARTS, Document
from banish.shell.grouping import Grouping
from banish.shell.slot import Context, Slot, ValueRule

_HEREDOC = re.compile(r"<<(-?)[ \t]*((?:'[^'\n]*'|\"[^\"\n]*\"|\\.|[^\s;&|<>()'\"\\])+)")
EXPANSION = re.compile(r"\$(\{[!#]?)?([A-Za-z_]\w*|[0-9@*])", re.ASCII)
"""The use of a variable."""

_PLAIN_WORD = re.compile(r"[\w.+-]+")
_IN_BODY = str.maketrans({"\\": "\\\\", "$": "\\$", "`": "\\`"})


class Heredocs(Grouping):
    """Reads here-documents, once the line on which they begin is over."""

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
        self._documents.append(Document(bare, strips, is_quoted, command, outer, words))
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

    def _body(self, end: int, document: Document) -> None:
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
                found = EXPANSION.match(self._text, self._at)
                if found:
                    self._put_in(document, Slot("", Context.QUOTED, name=found[2]), flush=False)
                self._take(2 if self._next_is("\\") else 1)

    def _put_in(self, document: Document, slot: Slot, *, flush: bool = True) -> None:
        """Note *slot* as part of a here-document."""
        before = "".join(self._literal).rstrip(" \t")
        slot.starts = not before or before[-1] in STARTS
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
