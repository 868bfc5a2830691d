"""A tag in a shell script, and the commands that get what stands in its place."""

import enum
import re

import msgspec

ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=", re.ASCII)
"""The beginning of a word that sets a variable."""

NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
"""The name of a variable."""


class Context(enum.Enum):
    """What is around a tag."""

    BARE = "bare"
    QUOTED = "quoted"
    """In double quotes, or in a here-document."""
    SINGLE = "single"
    ARITHMETIC = "arithmetic"


class ValueRule(enum.Enum):
    """What a value must not do where it stands."""

    PROGRAM = "program"
    """Say anything in a language: letters, digits and ``_.@-`` stay."""
    COMMAND = "command"
    """Name a program: ``_`` goes before it."""
    LINES = "lines"
    """Hold anything that means something to a shell."""
    FIRST_WORD = "first word"
    """Begin a line: ``_`` goes before it."""
    NUMBER = "number"
    """Be anything but a number: what is none obeys PROGRAM and COMMAND."""
    URL = "url"
    """Change the address of a page, or stand for many: letters, digits and ``_.@:-`` stay."""
    PATTERN = "pattern"
    """Match anything but itself."""
    NOT_EMPTY = "not empty"
    """Be nothing, which is found in everything."""
    ONE_LINE = "one line"
    """Hold the end of a line."""
    OPTION = "option"
    """Begin as an option or another special word does: ``_`` goes before it."""
    ONE_WORD = "one word"
    """Fall apart into words, or become names of files."""
    WORDS = "words"
    """Fall apart into words that begin as options do, or become names of files."""
    PATH = "path"
    """Lead to another folder."""
    ESCAPES = "escapes"
    """Mean something by a backslash: each is doubled, and undone by the program that reads it."""
    FORMAT = "format"
    """Mean something by a percent sign: each is doubled."""
    TILDE = "tilde"
    """Begin a line with a tilde."""


class Slot(msgspec.Struct, eq=False):
    """A tag in a script, or the use of a variable or file that may hold one's value."""

    tag: str
    context: Context
    is_literal: bool = False
    """Whether the author wrote it where a shell puts nothing in."""
    begins: bool = False
    """Whether it stands where a program looks for an option, or for the name of a file."""
    opens: bool = False
    """Whether it begins a word."""
    starts: bool = False
    """Whether a command of a program within the script may begin there."""
    name: str = ""
    """The variable, or the file behind ``file:``; empty for a tag."""
    rules: set[ValueRule] = msgspec.field(default_factory=set)
    program: str = ""
    """The program whose word it is part of."""
    reader: str = ""
    """The program that reads it as a language."""
    line: int = 0
    """Which line of the script it stands on, the first being 0."""
    spelling: str = ""
    """The file that it names (`Word.spelling`), where the word may be one."""


Piece = str | Slot


class Word(msgspec.Struct, eq=False):
    """A word of a command."""

    text: str = ""
    """The word without quotes; `OPAQUE` for each tag and whatever a shell puts in."""
    raw: str = ""
    """The word as written."""
    spelling: str = ""
    """As *text*, but a variable that stands for itself is its name between two `VARIABLE`."""
    slots: list[Slot] = []
    is_quoted: bool = False
    is_there: bool = False

    @property
    def file(self) -> str:
        """The name by which a file is known again, wherever it is and however it is quoted."""
        name = self.text.rpartition("/")[2]
        return re.sub(r'["{}]', "", self.raw) if OPAQUE in name else name


ANY_VARIABLE = "any:"
"""The name of a variable where a shell makes the name itself, as in ``${!x}``."""

OPAQUE = "\0"
VARIABLE = "\2"
FRESH = "\3"
"""The name of a file that is new, by ``mktemp``."""


class Command(msgspec.Struct, eq=False):
    """A command, or several in ``( )``, ``{ }`` or a loop."""

    kind: str = "simple"
    """``simple``, ``group``, ``for`` or ``case`` (what stands before the ``)`` of each case)."""
    feed: "Command | None" = None
    """The command whose output it reads."""
    group: "Command | None" = None
    """What it is part of."""
    words: list[Word] = []
    targets: list[Word] = []
    """Files that it writes."""
    sources: list[Word] = []
    """Files that it reads."""
    slots: list[Slot] = []
    """All in its words, and in the commands within it."""
    documents: list[Slot] = []
    """Those in its here-documents."""

    def redirect(self, how: str, word: Word) -> None:
        """Note that *word* is a file behind ``<``, ``>`` or ``<>``."""
        if ">" in how:
            self.targets.append(word)
        if "<" in how:
            self.sources.append(word)

    def reads(self) -> list[Slot]:
        """Return what its input may hold."""
        found = [*self.documents, *(slot for word in self.sources for slot in word.slots)]
        if self.feed is not None:
            found += self.feed.flow()
        elif self.group is not None:
            found += self.group.reads()
        return found

    def flow(self) -> list[Slot]:
        """Return what its output may hold."""
        return [*self.slots, *self.reads()]
