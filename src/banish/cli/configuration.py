"""``banish config``: what is in effect, and which line of which file says so."""

import argparse

from banish.cli.places import config_dir, load_settings
from banish.cli.rendering import Cell, Column, Page, dim, print_json, strong
from banish.config import Explained, builtin_tree, explain

EXAMPLE = """examples:
  banish config              the server's options, and the jails that run
  banish config sshd         one jail, enabled or not; -v shows unset options, too
  banish config sshd --json | jq -r '.options[] | select(.option == "bantime") | .file'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``config`` takes."""
    parser.add_argument("jail", nargs="?", default="", metavar="JAIL")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(options: argparse.Namespace) -> int:
    """Show every option in effect."""
    root = config_dir(options)
    found = explain(root, builtin=builtin_tree(), jail=options.jail)
    jails = [] if options.jail else [jail.name for jail in load_settings(options).jails]
    if options.json:
        document: dict[str, object] = {"configuration": str(root) if root else "built-in"}
        if options.jail:
            document["jail"] = options.jail
        else:
            document["jails"] = jails
        document["options"] = [
            {
                "option": each.option,
                "value": each.value,
                "file": each.place.path if each.place else None,
                "line": (each.place.line or None) if each.place else None,
            }
            for each in found
        ]
        print_json(document)
        return 0
    page = Page()
    kept = [each for each in found if options.verbosity > 0 or each.place or each.value.strip()]
    page.table(
        (Column("option"), Column("from"), Column("value")),
        [row for each in kept for row in _rows(each)],
        indent=0,
    )
    if not options.jail:
        page.line()
        page.line("jails that run: ", strong(", ".join(jails) or "none"))
    return 0


def _rows(each: Explained) -> list[tuple[Cell, Cell, Cell]]:
    """Return one row for each line of the value, the option and its place on the first."""
    first, *rest = each.value.strip().split("\n")
    place = dim(str(each.place) if each.place else "default")
    rows: list[tuple[Cell, Cell, Cell]] = [(strong(each.option), place, first)]
    rows += [("", "", line.strip()) for line in rest]
    return rows
