"""Makes the script that an action's command comes to; pure.

Parameters (``<name>``, ``<port>``: what the administrator wrote) are put into the
text, tags within tags, as Fail2Ban does (``substituteRecursiveTags`` in
helpers.py, 1.0.2). Values of a ban are not. In the place of ``<ip>`` or
``<matches>`` stands a shell variable, quoted as its surroundings ask for, and the
value is an argument of the shell: ``sh -c 'f2bV_ip=$1 ...' sh 192.0.2.1``.

Fail2Ban does so for values with characters that mean something to a shell, puts
all others in as text, and leaves the quotes to the author of the action. Here
every value takes the safe way, and is one word wherever it stands. Where the
author wrote a tag in single quotes or in a program for another interpreter
(``awk '... <F-USER> ...'``), the value loses all characters that might mean
something there. docs/adr/0013 has the reasons.
"""

import re
from collections.abc import Mapping

import msgspec

from banish.enforce.command.quoting import Context, Piece, Slot, cut
from banish.errors import ActionError

ROUNDS_LIMIT = 25
"""How deep tags may stand in tags (``MAX_TAG_REPLACE_COUNT`` in Fail2Ban)."""

SCRIPT_LIMIT_CHARACTERS = 100_000
"""Longest script: the kernel takes no argument beyond 131,072 bytes (MAX_ARG_STRLEN)."""

VALUE_LIMIT_BYTES = 65_536
"""Longest value, cut at its beginning since the newest lines stand at the end."""

BAN_TAGS = frozenset({
    "ip", "family", "ip-rev", "ip-host", "fid", "failures", "time", "bantime", "bancount",
    "matches", "restored", "ipmatches", "ipjailmatches", "ipfailures", "ipjailfailures",
    "raw-ticket", "jail.name", "jail.banned", "jail.banned_total", "jail.found",
    "jail.found_total", "fq-hostname", "sh-hostname",
})  # fmt: skip
"""Tags whose values are known only when an action is run."""

_TAG = re.compile(r"<([^ <>]+)>")
_CAPTURE = re.compile(r"F-[A-Z0-9_\-]+")
_ALWAYS_LATE = frozenset({"matches", "ipmatches", "ipjailmatches"})
_LAYOUT = {"br": "\n", "sp": " "}
_NUMBER = re.compile(r"-?\d{1,18}")
_NO_BYTES = re.compile(r"[\ud800-\udc7f\udd00-\udfff]")
"""Halves of surrogate pairs that stand for no byte (PEP 383)."""

_NOT_IN_LITERAL = re.compile(r"[^\w .,:@/+=-]")
_NOT_IN_PROGRAM = re.compile(r"\W")


class Value(msgspec.Struct, frozen=True):
    """What goes in place of a tag."""

    text: str
    is_ours: bool = False
    """Whether the text is of our own making, such as an address or a number."""


Values = Mapping[str, Value]


class Filled(msgspec.Struct, frozen=True):
    """A script for ``sh -c`` and its arguments."""

    script: str
    arguments: tuple[str, ...] = ()


class Script:
    """A command of an action for one family, its parameters put in."""

    def __init__(self, text: str) -> None:
        self.text = text
        """The command with the tags of a ban still in it."""
        self._pieces: tuple[Piece, ...] = cut(text, _is_late)
        self.tags = frozenset(piece.tag for piece in self._pieces if isinstance(piece, Slot))
        """The tags it needs values for."""

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to run."""
        return not self.text.strip()

    def fill(self, values: Values) -> Filled:
        """Return the script with *values*; a tag without a value counts as empty."""
        names: dict[str, str] = {}
        arguments: list[str] = []
        texts: list[str] = []
        for piece in self._pieces:
            if isinstance(piece, str):
                texts.append(piece)
                continue
            suffix, text = _fitted(piece, values.get(piece.tag, Value("")))
            if not text:
                continue
            name = f"f2bV_{re.sub(r'[^A-Za-z0-9_]', '_', piece.tag)}{suffix}"
            if name not in names:
                arguments.append(_bounded(text))
                names[name] = f"{name}=${{{len(arguments)}}}"
            texts.append(_FORMS[piece.context].format(name))
        head = " ".join(names.values()) + "\n" if names else ""
        return Filled(head + "".join(texts), tuple(arguments))


_FORMS = {
    Context.BARE: '"${{{}}}"',
    Context.QUOTED: "${{{}}}",
    Context.SINGLE: "'\"${{{}}}\"'",
    Context.ARITHMETIC: "${{{}}}",
}
"""All that is ever put in place of a tag."""


def _fitted(slot: Slot, value: Value) -> tuple[str, str]:
    """Return *value* as it may stand in *slot*, and what tells its variable apart."""
    if slot.context is Context.ARITHMETIC:
        # Bash runs commands in what it takes for a number, as in a[$(id)].
        return "_number", value.text if _NUMBER.fullmatch(value.text) else "0"
    if value.is_ours:
        return "", value.text
    if slot.is_program:
        # An underscore before it, since a user may be called "reboot".
        word = _NOT_IN_PROGRAM.sub("_", value.text)
        return ("_name", f"_{word}") if slot.is_command else ("_word", word)
    if slot.is_literal:
        return "_plain", _NOT_IN_LITERAL.sub("_", value.text)
    return "", value.text


def _bounded(text: str) -> str:
    text = _NO_BYTES.sub("?", text.replace("\0", ""))
    if len(text) * 4 <= VALUE_LIMIT_BYTES:
        return text
    kept = text.encode("utf-8", "surrogateescape")[-VALUE_LIMIT_BYTES:]
    return kept.decode("utf-8", "surrogateescape")


def _is_late(tag: str) -> bool:
    return tag in BAN_TAGS or _CAPTURE.fullmatch(tag) is not None


class Template:
    """The commands of one action."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        """Take *properties* (`banish.model.settings.ActionSettings`)."""
        self._properties = properties
        self._done: dict[tuple[str, str], Script] = {}
        self.is_conditional = any("?family=" in name for name in properties)
        """Whether something differs between IPv4 and IPv6."""

    def script(self, option: str, family: str = "") -> Script:
        """Return the command *option*, such as ``actionban``, for ``inet4``, ``inet6`` or any ("").

        Raises:
            ActionError: Its tags never end, or it grows beyond all bounds.

        """
        key = (option, family)
        if key not in self._done:
            self._done[key] = Script(self._expand(option, family))
        return self._done[key]

    def _value(self, name: str, family: str) -> str | None:
        if name in _ALWAYS_LATE:
            return None
        found = self._properties.get(f"{name}?family={family}") if family else None
        return self._properties.get(name, _LAYOUT.get(name)) if found is None else found

    def _expand(self, option: str, family: str) -> str:
        def put(match: re.Match[str]) -> str:
            found = self._value(match[1], family)
            return match[0] if found is None else found

        text = self._value(option, family) or ""
        for _ in range(ROUNDS_LIMIT):
            before, text = text, _TAG.sub(put, text)
            if text == before:
                return text
            if len(text) > SCRIPT_LIMIT_CHARACTERS:
                break
        raise ActionError(
            f"{option} cannot be worked out: its tags refer to themselves, or it is too long",
            cure="look at the tags <...> in its file of action.d",
            retry=False,
        )
