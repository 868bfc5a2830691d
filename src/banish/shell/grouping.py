"""Puts the words of a shell script where they belong: into commands, and those into groups."""

from banish.shell.cursor import OpenPart, ScriptCursor
from banish.shell.slot import ANY_VARIABLE, Command, Context, Slot, Word

_SHOWS = frozenset({"set", "export", "declare", "typeset", "readonly", "local"})
"""Commands that write all variables if they are called alone."""

_OPENS = frozenset({"{", "while", "until", "for", "select", "if", "case"})
_CLOSES = frozenset({"}", "done", "fi", "esac"})
_GOES_BEFORE = frozenset({"!", "do", "elif", "else", "then"})
"""Words after which a command begins still."""


class Grouping(ScriptCursor):
    """Reads words into commands."""

    def _end_word(self, frame: OpenPart | None = None) -> None:
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

    def _place(self, frame: OpenPart, word: Word) -> None:
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

    def _show(self, frame: OpenPart) -> None:
        """Note that a command may write all variables."""
        slot = Slot("", Context.QUOTED, name=ANY_VARIABLE, starts=True)
        for each in (frame.command, *frame.groups):
            each.slots.append(slot)
        for outer in self._frames[: self._frames.index(frame)]:
            outer.word.slots.append(slot)
            for each in (outer.command, *outer.groups):
                each.slots.append(slot)

    def _open(self, frame: OpenPart, word: str) -> None:
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
