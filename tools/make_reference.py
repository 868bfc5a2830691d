"""Writes docs/reference.md from the table of options and from the commands' own help.

``python tools/make_reference.py --check`` writes nothing and fails if the page is
not what it would write.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from banish.addon.declare import EVERY_ACTION
from banish.cli.dispatch import VERBS, build_parser
from banish.config.addons import ACTIONS
from banish.config.options import OPTIONS
from banish.model.option import Option

PAGE = Path(__file__).parents[1] / "docs" / "reference.md"

PLACES = {
    "jail": "Options of a jail",
    "filter": "Options of a filter",
    "variable": "Variables for use in other options",
    "server": "Options of the server",
}


def lines() -> Iterator[str]:
    """Yield the page, line by line."""
    yield "# Reference"
    yield ""
    yield "Made from the program itself; `banish COMMAND --help` and `banish config` say the same."
    yield ""
    yield "## Commands"
    yield ""
    yield "Exit codes: 0 done; 1 what was asked for is not so, or something is wrong; 2 wrong usage"
    yield "or configuration. `-c DIR`, `-s SOCKET`, `--state DIR`, `-v`, `-q` may stand anywhere."
    for verb in VERBS:
        yield ""
        yield f"### banish {verb}"
        yield ""
        yield from own_help(verb)
    for place, title in PLACES.items():
        yield ""
        yield f"## {title}"
        yield ""
        yield "| option | kind | default | meaning |"
        yield "| --- | --- | --- | --- |"
        yield from (row(option) for option in OPTIONS if option.read_by == place)
    yield ""
    yield "## Kinds of action"
    yield ""
    yield "A file of `action.d` that says `kind = ...` has these options in place of commands."
    for name, kind in ACTIONS.items():
        yield ""
        yield f"### kind = {name}"
        yield ""
        yield kind.meaning
        yield ""
        yield "| option | kind | default | meaning |"
        yield "| --- | --- | --- | --- |"
        yield from map(row, kind.options)
    yield ""
    yield "### every kind"
    yield ""
    yield "| option | kind | default | meaning |"
    yield "| --- | --- | --- | --- |"
    yield from map(row, EVERY_ACTION)


def own_help(verb: str) -> Iterator[str]:
    """Yield what a command is for, its own options and its examples."""
    parser = build_parser([verb])
    commands = next(
        action
        for action in parser._actions  # noqa: SLF001 - argparse offers no other way to them
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
    )
    command = commands.choices[verb]
    yield str(command.description)
    yield ""
    own = [
        (", ".join(action.option_strings) or str(action.metavar or action.dest), action)
        for group in command._action_groups[:2]  # noqa: SLF001
        for action in group._group_actions  # noqa: SLF001
        if action.dest != "help"
    ]
    for name, action in own:
        value = "" if action.nargs == 0 or not action.option_strings else f" {value_of(action)}"
        yield f"- `{name}{value}` {action.help or ''}".rstrip()
    if own:
        yield ""
    yield "```text"
    yield from str(command.epilog).strip().splitlines()
    yield "```"


def value_of(action: argparse.Action) -> str:
    """Return how the value of an option is called."""
    if action.metavar:
        return action.metavar if isinstance(action.metavar, str) else " ".join(action.metavar)
    return "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()


def row(option: Option) -> str:
    """Return an option as a row of a table."""
    kind = " or ".join(option.choices) if option.choices else option.kind
    default = f"`{option.default}`" if option.default else ""
    cells = (f"`{option.name}`", kind, default, option.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def main() -> int:
    """Write or check the page."""
    text = "\n".join(lines()) + "\n"
    if "--check" in sys.argv[1:]:
        is_current = PAGE.is_file() and PAGE.read_text("utf-8") == text
        if not is_current:
            print(
                "docs/reference.md is out of date: python tools/make_reference.py", file=sys.stderr
            )
        return 0 if is_current else 1
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
