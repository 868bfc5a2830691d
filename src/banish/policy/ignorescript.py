r"""Turns ``ignorecommand`` into a shell script that no value can get out of.

The command is the operator's, word for word; only its tags (``<ip>``,
``<F-USER>``) are replaced, and never by a value: by a reference to a shell
parameter, written so that the value is one word wherever the tag stands.

======================  ==================
the tag stands          and becomes
======================  ==================
outside of quotes       ``"${f2bV_ip}"``
in double quotes        ``${f2bV_ip}``
in single quotes        ``'"${f2bV_ip}"'``
======================  ==================

The shell parses the script before it looks at a value, so no value is ever
code *here*. Some places hand on what they were given to be parsed once more:
single quotes mostly hold a script for another program, and ``sh -c``, ``eval``,
``ssh``, arithmetic and here-documents do too. There a value must be `is_harmless`,
or the command is not run at all.

Where quotes are nested beyond what is followed here, a value may fall apart
into words; it still is not parsed. Fail2Ban writes values without special
characters into the text itself (``CommandAction.replaceDynamicTags`` in
fail2ban/server/action.py, 1.1.1); the names of the parameters are its own.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, assert_never

FIXED_TAGS = frozenset(
    {
        "ip", "fid", "family", "ip-rev", "ip-host", "failures", "time", "bantime", "bancount",
        "matches", "restored", "jail.name", "fq-hostname", "sh-hostname",
    }
)  # fmt: skip
"""Tags that have a value, besides ``<F-NAME>``."""

UNKNOWN_TAGS = frozenset(
    {
        "ipmatches", "ipjailmatches", "ipfailures", "ipjailfailures", "raw-ticket", "jail.banned",
        "jail.banned_total", "jail.found", "jail.found_total",
    }
)  # fmt: skip
"""Tags that Fail2Ban has a value for and we have none: they are empty."""

_SPELT = {"br": "\n", "sp": " "}
"""Tags for characters that a configuration file cannot hold at the end of a line."""

_TAG = re.compile(r"<(F-[\w-]+|[a-z][\w.-]*)>", re.ASCII)

_HARMLESS = re.compile(r"(?!-)[A-Za-z0-9_.:/@-]*", re.ASCII)

_PARSES_AGAIN = re.compile(
    r"(?:^|[\s;|&(`/])"
    r"(?:eval|ssh|su|xargs|watch|awk|[gm]awk|sed|sudo\s+-s"
    r"|(?:\w*sh|python[\d.]*|perl|ruby|php|node|lua)\s+(?:-\S+\s+)*-\w*[cer])(?=\s)"
)
"""Commands that take a word of theirs for a program."""

Place = Literal["bare", "double", "single", "raw"]
"""Where a tag stands: *raw* is whatever is parsed again."""


def is_harmless(value: str) -> bool:
    """Whether *value* is inert however often a shell parses it: letters, digits and ``_.:/@-``.

    It must not begin with ``-`` either, which would make it an option.
    """
    return _HARMLESS.fullmatch(value) is not None


class IgnoreScript:
    """One command, ready for ``sh -c TEXT NAME VALUE...``."""

    def __init__(self, command: str) -> None:
        self._tags: dict[str, None] = {}
        self._must_be_harmless: set[str] = set()
        text = _Reader(command, self._place).read()
        if _PARSES_AGAIN.search(command):
            self._must_be_harmless.update(self._tags)
        names = (f"{_parameter(tag)}=${{{n}}}" for n, tag in enumerate(self._tags, start=1))
        self.text = "; ".join((*names, text)) if self._tags else text
        """The shell script."""

    @property
    def tags(self) -> Sequence[str]:
        """The tags whose values it takes, in the order it takes them; each once."""
        return tuple(self._tags)

    @property
    def restricted(self) -> Sequence[str]:
        """Those of them whose values must be harmless."""
        return tuple(tag for tag in self._tags if tag in self._must_be_harmless)

    def arguments(self, values: Mapping[str, str]) -> list[str]:
        """Return the words that follow the script on the command line; a missing value is empty.

        Raises:
            ValueError: A value is not harmless and stands where it must be.

        """
        for tag in self.restricted:
            if not is_harmless(values.get(tag, "")):
                raise ValueError(f"<{tag}> is not of letters and digits alone")
        # No program takes NUL in a word: execve(2).
        return [
            values.get(tag, "").replace("\0", "\N{REPLACEMENT CHARACTER}") for tag in self._tags
        ]

    def _place(self, tag: str, place: Place) -> str | None:
        """Return what stands for *tag* in the script; None: it is no tag."""
        if tag in _SPELT:
            return _SPELT[tag]
        if tag not in FIXED_TAGS and tag not in UNKNOWN_TAGS and not tag.startswith("F-"):
            return None
        self._tags[tag] = None
        reference = f"${{{_parameter(tag)}}}"
        match place:
            case "bare":
                return f'"{reference}"'
            case "double":
                return reference
            case "single":
                self._must_be_harmless.add(tag)
                return f"'\"{reference}\"'"
            case "raw":
                self._must_be_harmless.add(tag)
                return reference
            case _:
                assert_never(place)


def _parameter(tag: str) -> str:
    return "f2bV_" + re.sub(r"\W", "_", tag, flags=re.ASCII)


class _Reader:
    """Goes through a script once and knows at every character how it is quoted.

    What is open is a stack of ``"``, ``$(``, ``(``, `````, ``$((`` and ``<<``
    (a here-document; it lasts to the end here); empty means bare.
    """

    def __init__(self, script: str, place: Callable[[str, Place], str | None]) -> None:
        self._script = script
        self._place = place
        self._open: list[str] = []
        self._at = 0
        self._out: list[str] = []

    def read(self) -> str:
        while self._at < len(self._script):
            top = self._open[-1] if self._open else ""
            match top:
                case '"':
                    self._step_double()
                case "$((" | "<<":
                    self._step_raw(top)
                case _:
                    self._step_bare(top)
        return "".join(self._out)

    def _next(self, text: str) -> bool:
        return self._script.startswith(text, self._at)

    def _copy(self, count: int) -> None:
        self._out.append(self._script[self._at : self._at + count])
        self._at += count

    def _enter(self, mark: str) -> None:
        self._open.append(mark)
        self._copy(len(mark))

    def _leave(self, count: int = 1) -> None:
        self._open.pop()
        self._copy(count)

    def _tag(self, place: Place) -> bool:
        """Take the tag that begins here, if one does."""
        found = _TAG.match(self._script, self._at)
        text = self._place(found[1], place) if found else None
        if found is None or text is None:
            return False
        self._out.append(text)
        self._at = found.end()
        return True

    def _step_bare(self, top: str) -> None:
        if self._tag("bare"):
            return
        if self._next("\\"):
            self._copy(2)
        elif self._next("'"):
            self._single()
        elif self._next('"'):
            self._enter('"')
        elif self._next("`"):
            self._backquote()
        elif self._next("$("):
            self._enter("$((" if self._next("$((") else "$(")
        elif self._next("("):
            self._enter("(")
        elif self._next(")") and top in ("(", "$("):
            self._leave()
        elif self._next("<<"):
            self._enter("<<")
        elif self._next("#") and (not self._at or self._script[self._at - 1] in " \t\n;&|()"):
            end = self._script.find("\n", self._at)
            self._copy((end if end >= 0 else len(self._script)) - self._at)
        else:
            self._copy(1)

    def _step_double(self) -> None:
        if self._tag("double"):
            return
        if self._next("\\") and self._script[self._at + 1 : self._at + 2] in tuple('$`"\\\n'):
            self._copy(2)
        elif self._next('"'):
            self._leave()
        elif self._next("`"):
            self._backquote()
        elif self._next("$("):
            self._enter("$((" if self._next("$((") else "$(")
        else:
            self._copy(1)

    def _step_raw(self, top: str) -> None:
        if self._tag("raw"):
            return
        if top == "$((" and self._next("))"):
            self._leave(2)
        else:
            self._copy(1)

    def _backquote(self) -> None:
        if "`" in self._open:
            while self._open[-1] != "`":
                self._open.pop()
            self._leave()
        else:
            self._enter("`")

    def _single(self) -> None:
        """Take everything up to the closing quote; nothing but tags is special in there."""
        self._copy(1)
        while self._at < len(self._script) and not self._next("'"):
            if not self._tag("single"):
                self._copy(1)
        self._copy(1)
