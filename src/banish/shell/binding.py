"""Gives places of a script the rules that values must obey there."""

from collections.abc import Iterable

from banish.shell.slot import Slot, ValueRule, Word

STRICT = (ValueRule.PROGRAM, ValueRule.COMMAND)
"""The rules of a value that a program may run."""


def bind(slots: Iterable[Slot], *rules: ValueRule, reader: str = "") -> None:
    """Give each of *slots* the *rules*; *reader* is who reads it, for messages."""
    for slot in slots:
        slot.rules.update(rules)
        if reader and (ValueRule.PROGRAM in rules or ValueRule.LINES in rules):
            slot.reader = slot.reader or reader


def hand(use: Slot, slot: Slot, rules: set[ValueRule] | frozenset[ValueRule]) -> bool:
    """Give *slot* the *rules* of its *use*; tell whether any is new."""
    if rules <= slot.rules:
        return False
    slot.rules |= rules
    slot.reader = slot.reader or use.reader
    slot.program = slot.program or use.program
    return True


def name_no_file(words: Iterable[Word]) -> None:
    """Note that none of *words* is the name of a file."""
    for word in words:
        for slot in word.slots:
            if slot.name == f"file:{word.file}":
                slot.spelling = ""


def tags_in(word: Word) -> list[Slot]:
    """Return what stands in *word*, but not the file that it names."""
    return [slot for slot in word.slots if slot.name != f"file:{word.file}"]
