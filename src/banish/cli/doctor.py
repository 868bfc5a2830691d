"""``banish doctor``: what this host has and lacks, each lack with the command that fixes it."""

import argparse
from pathlib import Path

import msgspec

from banish.cli.check import load_vetted
from banish.cli.diagnosis import HostFinding, State, diagnose
from banish.cli.pasteable import pasteable
from banish.cli.places import socket_path
from banish.cli.rendering import Cell, Column, Page, Styled, bad, dim, good, print_json, warn
from banish.cli.wording import plural

EXAMPLE = """examples:
  sudo banish doctor         exit code 1 if something keeps banish from working
  banish doctor --json | jq -r '.findings[] | select(.state == "bad") | .cure'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``doctor`` takes."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(options: argparse.Namespace) -> int:
    """Look at this host; 1 if something keeps banish from working on it."""
    settings = load_vetted(options, host=True)
    changes = {"socket": str(socket_path(options))}
    if options.state is not None:
        changes["dbfile"] = str(Path(options.state) / "banish.sqlite3")
    server = msgspec.structs.replace(settings.server, **changes)
    findings = list(diagnose(msgspec.structs.replace(settings, server=server)))
    ills = [finding for finding in findings if finding.state == "bad"]
    if options.json:
        shown = [finding._asdict() | {"cure": pasteable(finding.cure)} for finding in findings]
        print_json({"well": not ills, "findings": shown})
    else:
        show(Page(), findings, quiet=options.verbosity < 0)
    return 1 if ills else 0


_MARKS: dict[State, Styled] = {"good": good("ok"), "note": warn("note"), "bad": bad("lacks")}


def show(page: Page, findings: list[HostFinding], *, quiet: bool) -> None:
    """Show the findings; with *quiet* only those that need a hand."""
    kept = [finding for finding in findings if not quiet or finding.state == "bad"]
    rows: list[tuple[Cell, ...]] = []
    for finding in kept:
        rows.append((_MARKS[finding.state], finding.area, finding.what))
        if finding.cure:
            rows.append(("", "", dim(f"-> {pasteable(finding.cure)}")))
    page.table((Column(""), Column(""), Column("")), rows, indent=0)
    if quiet:
        return
    ills = sum(finding.state == "bad" for finding in findings)
    page.line()
    if ills:
        page.line(bad(f"{plural(ills, 'thing')} to fix."))
    else:
        page.line(good("Ready."))
