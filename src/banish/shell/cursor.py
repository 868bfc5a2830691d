"""Where the reading of a shell script is: the scripts within scripts, and the words so far.

Every tag and every use of a variable is noted where what it stands for may get to: its word,
the commands around it, and what they write.
"""

import re
from collections.abc import Callable

import msgspec

from banish.shell.slot import FRESH, OPAQUE, Command, Context, Piece, Slot, ValueRule, Word

TAG = re.compile(r"<([^ <>]+)>")
ASSIGNS = re.compile(r"\w+\+?=")
AT_VALUE = re.compile(r"(?:.*[=:,]|-\w|)\0*", re.DOTALL)
"""What an option, or a file in place of a value, may follow; what a shell puts in may be empty."""

COUNTS = re.compile(r"\[|:(?![-=+?])")
"""What bash takes for a number follows in braces."""
IS_FRESH = re.compile(r"(?:\$\(|`)\s*mktemp\b[^;|&<>$`()\n]*[)`]")

STARTS = "\"'`;|&({\n"
"""Characters after which a command of an inner program may begin."""

NEVER_EMPTY = frozenset({"ip", "failures", "time", "bantime", "bancount", "jail.name"})


class OpenPart:
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


class Document(msgspec.Struct, eq=False):
    """A here-document that begins on this line."""

    delimiter: str
    strips: bool
    is_quoted: bool
    command: Command
    outer: list[Command]
    words: list[Word]
    """The words that what it says may get into."""


class ScriptCursor:
    """The text, how far it is read, and what is open there."""

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
        self._frames = [OpenPart("script", "")]
        self._documents: list[Document] = []
        self._all = Command()
        self._begin(None)

    @property
    def _script(self) -> OpenPart:
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
        match = TAG.match(self._text, at)
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
        is_after_value = isinstance(last, Slot) and last.tag in NEVER_EMPTY
        slot.starts = not before and not is_after_value
        slot.starts = slot.starts or before[-1:] in tuple(STARTS) or before.endswith("\\n")
        scripts = [frame for frame in self._frames if frame.kind == "script"]
        slot.line = self._text.count("\n", 0, self._at)
        slot.opens = not scripts[-1].word.text
        slot.begins = AT_VALUE.fullmatch(scripts[-1].word.text) is not None
        word = scripts[-1].word
        if not word.text.strip(f"{OPAQUE} \t") or ASSIGNS.fullmatch(word.text):
            # What comes before in the word may be empty, but not these tags.
            slot.starts = slot.starts or all(each.tag not in NEVER_EMPTY for each in word.slots)
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
                if COUNTS.search(self._text, frame.start + 2, self._at):
                    slot.rules |= {ValueRule.PROGRAM, ValueRule.COMMAND}

    def _use(self, name: str, context: Context) -> Slot:
        """Note the use of a variable, and return it."""
        slot = Slot("", context, name=name)
        self._note(slot)
        if context is Context.ARITHMETIC:
            self._unsure.add(name)
        return slot

    def _push(self, kind: str, closer: str, length: int) -> OpenPart:
        outer, context = self._script, self._context()
        frame = OpenPart(kind, closer)
        frame.start = self._at
        if kind == "script":
            is_assigned = ASSIGNS.match(outer.word.text) is not None and not outer.command.words
            frame.splits = self._text[self._at] in "$`" and context is Context.BARE
            frame.splits = frame.splits and not is_assigned and outer.command.kind != "case"
            frame.is_in_for = outer.command.kind == "for"
            frame.begins = AT_VALUE.fullmatch(outer.word.text) is not None and not is_assigned
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
                is_fresh = frame.kind == "script" and IS_FRESH.fullmatch(inner)
                word.spelling += FRESH if is_fresh else OPAQUE
        self._take(length)

    def _begin(
        self, feed: Command | None, *, group: Command | None = None, kind: str = "simple"
    ) -> None:
        """Begin a command that reads what *feed* writes."""
        frame = self._frames[-1]
        if group is None:
            group = frame.groups[-1] if frame.groups else frame.command.group
        frame.command = Command(kind, feed, group)
        self._commands.append(frame.command)
