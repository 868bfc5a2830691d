"""A command with tags of a ban, and what a shell is given to run it.

In the place of ``<ip>`` or ``<matches>`` stands a shell variable, quoted as its
surroundings ask for, and the value comes by the environment of the shell. There it
is seen by root and the server's own user only, where the words of a process are
seen by everybody on the host. The script takes its values out of the environment
first, so that the programs that it runs do not inherit them.

Fail2Ban hands values with characters that mean something to a shell over as words
of it (``f2bV_ip=$1``), puts all others into the text, and leaves the quotes to the
author of the action (``CommandAction.replaceDynamicTags`` in server/action.py, 1.1.1).
Here every value takes the safe way, is one word wherever it stands, and obeys
the rules of who reads it (`banish.shell.judge`). docs/adr/0013 has the reasons.
"""

import re
from collections.abc import Mapping

import msgspec

from banish.shell.fitting import FittedValue, fitted
from banish.shell.judge import judge
from banish.shell.reader import Cut, cut
from banish.shell.slot import Context, Slot

BAN_TAGS = frozenset({
    "ip", "family", "ip-rev", "ip-host", "fid", "failures", "time", "bantime", "bancount",
    "matches", "restored", "ipmatches", "ipjailmatches", "ipfailures", "ipjailfailures",
    "raw-ticket", "jail.name", "jail.banned", "jail.banned_total", "jail.found",
    "jail.found_total", "fq-hostname", "sh-hostname",
})  # fmt: skip
"""Tags whose values are known only when a command is run, besides ``<F-NAME>``."""

LAYOUT = {"br": "\n", "sp": " "}
"""Tags for what a configuration file cannot hold at the end of a line."""

_CAPTURE = re.compile(r"F-[\w-]+", re.ASCII)

Values = Mapping[str, FittedValue]


class Filled(msgspec.Struct, frozen=True):
    """A script for ``sh -c``, and its values."""

    script: str
    values: tuple[tuple[str, str], ...] = ()
    """The variables in it, and what they hold."""
    changed: tuple[str, ...] = ()
    """The tags whose values could not be handed over as they are."""

    @property
    def text(self) -> str:
        """The whole text for the shell, which gets its values by `environment`."""
        if not self.values:
            return self.script
        names = [name for name, _ in self.values]
        settings = " ".join(f"{name}=${{{name}_}}" for name in names)
        return f"{settings}; unset {' '.join(f'{name}_' for name in names)}\n{self.script}"

    @property
    def environment(self) -> dict[str, str]:
        """What the environment of the shell must hold besides all else."""
        return {f"{name}_": value for name, value in self.values}


class Script:
    """A command, its parameters put in."""

    def __init__(self, text: str, found: Cut | None = None, *, keeps_empty: bool = False) -> None:
        """Read *text*, unless it was *found* before.

        With *keeps_empty* an empty value outside of quotes is a word, too.
        """
        self.text = text
        """The command with the tags of a ban still in it."""
        if found is None:
            found = cut(text, is_late)
            judge([found])
        self._pieces = found.pieces
        self._keeps_empty = keeps_empty
        self.slots = tuple(piece for piece in found.pieces if isinstance(piece, Slot))
        """The tags in it, in the order they stand."""
        self.tags = frozenset(slot.tag for slot in self.slots)
        """The tags it needs values for."""

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to run."""
        return not self.text.strip()

    def fill(self, values: Values) -> Filled:
        """Return the script with *values*; a tag without a value counts as empty."""
        names: dict[tuple[str, str], str] = {}
        changed: dict[str, None] = {}
        texts: list[str] = []
        for piece in self._pieces:
            if isinstance(piece, str):
                texts.append(piece)
                continue
            text, is_changed = fitted(piece, values.get(piece.tag, FittedValue("")))
            if is_changed:
                changed[piece.tag] = None
            if not text and not self._keeps_empty:
                continue
            name = names.setdefault((piece.tag, text), _name(piece.tag, names))
            texts.append(_FORMS[piece.context].format(name))
        given = tuple((name, text) for (_, text), name in names.items())
        return Filled("".join(texts), given, tuple(changed))


def scripts(texts: Mapping[str, str]) -> dict[str, Script]:
    """Return the commands of one action, of which one may read the files that another writes."""
    found = {name: cut(text, is_late) for name, text in texts.items()}
    judge(list(found.values()))
    return {name: Script(text, found[name]) for name, text in texts.items()}


def ignore_script(command: str) -> Script:
    """Return an ``ignorecommand``, or the key of an ``ignorecache``, as a script.

    In Fail2Ban an empty value is no word, so that somebody without a name makes the
    words after it take its place. Actions keep to that; here it would exempt.
    """
    for tag, text in LAYOUT.items():
        command = command.replace(f"<{tag}>", text)
    return Script(command, keeps_empty=True)


_FORMS = {
    Context.BARE: '"${{{}}}"',
    Context.QUOTED: "${{{}}}",
    Context.SINGLE: "'\"${{{}}}\"'",
    Context.ARITHMETIC: "${{{}}}",
}
"""All that is ever put in place of a tag."""


def _name(tag: str, given: Mapping[tuple[str, str], str]) -> str:
    """Return a name for a variable that is not among those *given*."""
    plain = "f2bV_" + re.sub(r"[^A-Za-z0-9_]", "_", tag)
    name, count = plain, 1
    while name in given.values():
        count += 1
        name = f"{plain}_{count}"
    return name


def is_late(tag: str) -> bool:
    """Whether *tag* stands for a value of a ban."""
    return tag in BAN_TAGS or _CAPTURE.fullmatch(tag) is not None
