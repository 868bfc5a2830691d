"""Parses one file of Fail2Ban's INI dialect, keeping the line of everything.

The dialect is what Python's ``configparser.ConfigParser`` takes with
``inline_comment_prefixes=";"``, which is how Fail2Ban uses it
(client/configparserinc.py): option names in any letter case, ``=`` or ``:``
behind them, ``#`` and ``;`` begin comment lines, ``;`` after a blank begins a
comment anywhere, deeper indented lines continue a value, and blank lines inside
a value stay. What ConfigParser refuses (an option or a section twice in one
file, a line that is neither, text before the first section) is a problem here;
but where Fail2Ban then starts nothing at all, every other line stays good.
"""

from pathlib import Path

import msgspec

from banish.config.problem import Problems, shown
from banish.config.text import Text
from banish.model.settings import Place

FILE_LIMIT_BYTES = 4_194_304
"""Longest file that is read; the longest of Fail2Ban's own has 30 KiB."""

PROBLEM_LIMIT = 50
"""How many problems of one file are reported; a binary file would have thousands."""

DEFAULT = "DEFAULT"


class IniFile(msgspec.Struct, frozen=True):
    """What one file says, in its order; ``[DEFAULT]`` is a section like the others."""

    path: str
    sections: dict[str, dict[str, Text]]
    places: dict[str, Place]
    """Where each section begins."""


class _Reading:
    """The state while the lines of one file go by."""

    def __init__(self, path: str, problems: Problems) -> None:
        self.file = IniFile(path, {}, {})
        self._problems = problems
        self._reported = 0
        self._section: dict[str, Text] | None = None
        self._name = ""
        self._seen: dict[tuple[str, str], int] = {}
        self._option = ""
        """The option under way; empty where a deeper line has nothing to continue."""
        self._lines: list[str] = []
        self._places: list[Place] = []
        self._indent = 0
        self._is_skipping = False
        """Whether deeper lines belong to something that was refused."""

    def tell(self, line: int, what: str, cure: str, option: str = "") -> None:
        self._reported += 1
        if self._reported <= PROBLEM_LIMIT:
            self._problems.error(what, Place(self.file.path, line), option=option, cure=cure)

    def finish(self) -> None:
        """Store the option under way, without blank lines at its end."""
        if self._option and self._section is not None:
            while len(self._lines) > 1 and not self._lines[-1]:
                self._lines.pop()
            self._section[self._option] = Text(
                "\n".join(self._lines), tuple(self._places[: len(self._lines)])
            )
        self._option = ""

    def feed(self, number: int, line: str) -> None:
        stripped = line.strip()
        if stripped[:1] in ("#", ";"):
            return
        value = _without_comment(line).strip() if ";" in line else stripped
        if not value:
            if not stripped and self._option:
                self._lines.append("")
                self._places.append(Place(self.file.path, number))
            return
        indent = len(line) - len(line.lstrip())
        if indent > self._indent and (self._option or self._is_skipping):
            if self._option:
                self._lines.append(value)
                self._places.append(Place(self.file.path, number))
            return
        self.finish()
        self._indent = indent
        self._is_skipping = False
        end = value.rfind("]")
        if value[0] == "[" and end > 1:
            self._open(number, value[1:end])
        elif self._section is None:
            if self._reported == 0:
                cure = "write a section such as [DEFAULT] or [sshd] above it"
                self.tell(number, f"{shown(value)} stands before the first section", cure)
            self._is_skipping = True
        else:
            self._begin(number, value)

    def _open(self, number: int, name: str) -> None:
        places = self.file.places
        if name in self.file.sections and name != DEFAULT:
            self.tell(
                number,
                f"section [{name}] stands in this file twice, first in line {places[name].line}",
                "put both into one section; until then, what comes later counts",
            )
            self._seen = {key: line for key, line in self._seen.items() if key[0] != name}
        places.setdefault(name, Place(self.file.path, number))
        self._section = self.file.sections.setdefault(name, {})
        self._name = name

    def _begin(self, number: int, value: str) -> None:
        at = min((i for i in (value.find("="), value.find(":")) if i >= 0), default=-1)
        option = value[:at].rstrip().lower() if at >= 0 else ""
        if not option:
            what = f'{shown(value)} is neither a section nor "option = value"'
            cure = "indent it if it continues the line above, or put # before it if it is a comment"
            self.tell(number, what, cure)
            self._is_skipping = True
            return
        before = self._seen.setdefault((self._name, option), number)
        if before != number:
            self.tell(
                number,
                f"[{self._name}] sets it twice in this file, first in line {before}",
                "delete one of them; until then, the later one counts",
                option,
            )
        self._option = option
        self._lines = [value[at + 1 :].strip()]
        self._places = [Place(self.file.path, number)]


def _without_comment(line: str) -> str:
    """Return *line* up to the first ``;`` that begins it or follows a blank."""
    at = line.find(";")
    while at >= 0:
        if at == 0 or line[at - 1].isspace():
            return line[:at]
        at = line.find(";", at + 1)
    return line


def _decode(path: str, content: bytes, problems: Problems) -> str:
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        cure = f"save it as UTF-8, such as with: iconv -f utf-16 -t utf8 {Path(path).name}"
        problems.warn("the file is UTF-16 text; Fail2Ban cannot read it", Place(path), cure=cure)
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.error(
            f"byte 0x{content[error.start]:02x} is not UTF-8 text",
            Place(path, line),
            cure=f"save the file as UTF-8, such as with: iconv -f latin1 -t utf8 {Path(path).name}",
        )
        return content.decode(errors="replace")


def parse(path: str, content: bytes, problems: Problems) -> IniFile:
    """Return what *content* says; *path* only names it. What is wrong goes to *problems*."""
    reading = _Reading(path, problems)
    if len(content) > FILE_LIMIT_BYTES:
        reading.tell(0, f"the file is longer than {FILE_LIMIT_BYTES} bytes", "split it up")
        return reading.file
    text = _decode(path, content, problems).replace("\r\n", "\n").replace("\r", "\n")
    for number, line in enumerate(text.split("\n"), start=1):
        reading.feed(number, line)
    reading.finish()
    return reading.file
