"""``banish config``: what is in effect, and which line of which file says so."""

import argparse
from collections.abc import Mapping, Sequence

from banish.cli.places import config_dir, load_settings
from banish.cli.rendering import Cell, Column, Page, dim, print_json, strong, warn
from banish.config import Explained, builtin_tree, explain
from banish.daemon.changes import shown, written
from banish.model.settings import Settings

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
    settings = load_settings(options)
    effective = _effective(settings, options.jail, found)
    jails = [] if options.jail else [jail.name for jail in settings.jails]
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
                "effective": effective.get(each.option, each.value),
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
        [row for each in kept for row in _rows(each, effective)],
        indent=0,
    )
    if not options.jail:
        page.line()
        page.line("jails that run: ", strong(", ".join(jails) or "none"))
    return 0


def _effective(settings: Settings, name: str, found: Sequence[Explained]) -> dict[str, str]:
    """Return what counts instead of the values that `banish check` finds fault with, by option.

    *name* is a jail, or empty for the server's own options; *found* are its options as written.
    """
    places = {(each.option, each.place) for each in found}
    faulty = {
        each.option
        for each in settings.problems
        if each.option and (each.jail == name or (each.option, each.place) in places)
    }
    if not name:
        server = settings.server
        return {each: str(getattr(server, each)) for each in faulty if hasattr(server, each)}
    jail = next((jail for jail in settings.jails if jail.name == name), None)
    values = written(jail) if jail is not None else {}
    return {option: values[option] for option in faulty if option in values}


def _rows(each: Explained, effective: Mapping[str, str]) -> list[tuple[Cell, Cell, Cell]]:
    """Return one row for each line of the value, the option and its place on the first.

    Where another value is in effect it follows.
    """
    first, *rest = each.value.strip().split("\n")
    place = dim(str(each.place) if each.place else "default")
    rows: list[tuple[Cell, Cell, Cell]] = [(strong(each.option), place, first)]
    rows += [("", "", line.strip()) for line in rest]
    instead = effective.get(each.option)
    if instead is not None and instead.split() != each.value.split():
        rows.append(("", "", warn(f"in effect instead: {shown(instead) or '(nothing)'}")))
    return rows
