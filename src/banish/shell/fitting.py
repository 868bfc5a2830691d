"""Makes a value what it may be in the place of a tag (`banish.shell.slot.Rule`)."""

import re

import msgspec

from banish.shell.languages import is_filter
from banish.shell.slot import Context, Slot, ValueRule

VALUE_LIMIT_BYTES = 65_536
"""Longest value, cut at its beginning since the newest lines stand at the end."""

_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)
_NO_BYTES = re.compile(r"[\ud800-\udc7f\udd00-\udfff]")
"""Halves of surrogate pairs that stand for no byte (PEP 383)."""

_NOT_IN_LITERAL = re.compile(r"[^\w .,:@/+=-]")
_NOT_IN_PROGRAM = re.compile(r"[^\w.@-]|(?<=-)-|^-")
_NOT_IN_LINES = re.compile(r"[^\w .,:@/+=\[\]%\n-]")
_NOT_IN_URL = re.compile(r"[^\w.@:-]")
_NOT_IN_PATTERN = re.compile(r"[^\w .,:@/=-]")
_SPLITS = re.compile(r"[\s*?\[]")
_OPTION = re.compile(r"[-+@=<|!~(]")
_OPTION_IN_WORDS = re.compile(r"(?<=[\s,:;])(?=[-+@=<|!~(])")
_GLOBS = re.compile(r"[*?\[]")
_LINE_BEGINS = re.compile(r"(?<=\n)(?=[^\n])")
_TILDE = re.compile(r"^~", re.MULTILINE)


class FittedValue(msgspec.Struct, frozen=True):
    """What goes in place of a tag."""

    text: str
    is_ours: bool = False
    """Whether the text is of our own making, such as an address or a number."""


def fitted(slot: Slot, value: FittedValue) -> tuple[str, bool]:
    """Return *value* as it may stand in *slot*, and whether it means something else now."""
    text = bounded(value.text)
    if slot.context is Context.ARITHMETIC:
        # Bash runs commands in what it takes for a number, as in a[$(id)].
        number = text if _NUMBER.fullmatch(text) else "0"
        return number, number != text
    if value.is_ours:
        return text, False
    kept = _kept(slot, text)
    return _escaped(slot, kept), kept != text


def _kept(slot: Slot, text: str) -> str:
    """Return what is left of *text*."""
    rules = slot.rules
    if ValueRule.NUMBER in rules and not _NUMBER.fullmatch(text):
        rules = rules | {ValueRule.PROGRAM, ValueRule.COMMAND}
    if ValueRule.PROGRAM in rules:
        text = _NOT_IN_PROGRAM.sub("_", text)
        if is_filter(slot.reader):
            text = text.replace(".", "_")  # it matches any character
    elif slot.is_literal:
        text = _NOT_IN_LITERAL.sub("_", text)
    if ValueRule.PATTERN in rules:
        text = _NOT_IN_PATTERN.sub("_", text)
    if ValueRule.URL in rules:
        text = _NOT_IN_URL.sub("_", text)
    if ValueRule.NOT_EMPTY in rules:
        text = text or "_"
    if ValueRule.LINES in rules:
        text = _NOT_IN_LINES.sub("_", text)
    if ValueRule.FIRST_WORD in rules:
        text = _LINE_BEGINS.sub("_", text)
    if ValueRule.ONE_LINE in rules:
        text = text.replace("\n", "_")
    if ValueRule.WORDS in rules:
        text = _OPTION_IN_WORDS.sub("_", _GLOBS.sub("_", text))
    if ValueRule.ONE_WORD in rules:
        text = _SPLITS.sub("_", text)
    return _begun(slot, rules, text)


def _begun(slot: Slot, rules: set[ValueRule], text: str) -> str:
    """Return *text* with a beginning that may stand there."""
    if ValueRule.PATH in rules:
        text = re.sub(r"^\.", "_", text.replace("/", "_"))
    if ValueRule.TILDE in rules:
        text = _TILDE.sub("_~", text)
    is_line = ValueRule.FIRST_WORD in rules and slot.starts
    is_option = ValueRule.OPTION in rules and _OPTION.match(text)
    return f"_{text}" if text and (ValueRule.COMMAND in rules or is_line or is_option) else text


def _escaped(slot: Slot, text: str) -> str:
    """Return what the reader of *text* takes for it."""
    if ValueRule.ESCAPES in slot.rules:
        text = text.replace("\\", "\\\\")
    if ValueRule.FORMAT in slot.rules:
        text = text.replace("%", "%%")
    if ValueRule.PATTERN in slot.rules:
        text = text.replace(".", "[.]")
    return text


def bounded(text: str) -> str:
    """Return *text* as it can be handed to a program, the newest part of a long one."""
    text = _NO_BYTES.sub("?", text.replace("\0", ""))
    if len(text) * 4 <= VALUE_LIMIT_BYTES:
        return text
    kept = text.encode("utf-8", "surrogateescape")[-VALUE_LIMIT_BYTES:]
    return kept.decode("utf-8", "surrogateescape")
