"""``banish events``: what happens, as it happens."""

import argparse
import json
import sys

import msgspec

from banish.cli.places import client
from banish.cli.rendering import Page, bad, dim, strong, warn
from banish.model.instant import to_iso
from banish.model.streamed import StreamedEvent
from banish.telemetry.clocktext import clock_text

EXAMPLE = """examples:
  banish events                         until Ctrl-C
  banish events --kind BanStarted       only new bans
  banish events --json | jq .fields     JSON Lines, one event a line
  banish events --since 41 --json       start after event 41 (the newest 1,000 are kept)

Each event has a number. Numbering restarts when the server starts.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``events`` takes."""
    parser.add_argument(
        "--since", type=int, metavar="ID", help="start after the event with this number"
    )
    parser.add_argument(
        "--kind",
        action="append",
        default=[],
        metavar="KIND",
        help="only this kind; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print JSON Lines")


def run(options: argparse.Namespace) -> int:
    """Print events until the server ends, or somebody stops this."""
    page = Page()
    for batch in client(options).events(options.since, options.kind):
        if batch.dropped:
            what = f"{batch.dropped} events were dropped: this reader was too slow"
            sys.stderr.write(f"banish: {what}\n")
        for event in batch.events:
            if options.json:
                sys.stdout.write(json.dumps(_document(event), ensure_ascii=False) + "\n")
            else:
                _show(page, event)
        sys.stdout.flush()
    return 0


def _document(event: StreamedEvent) -> dict[str, object]:
    return {
        "id": event.id,
        "time": to_iso(event.at),
        "kind": event.kind,
        "level": event.level,
        "text": event.text,
        "fields": msgspec.to_builtins(event.fields),
    }


def _show(page: Page, event: StreamedEvent) -> None:
    styles = {"ERROR": bad, "WARNING": warn, "NOTICE": strong}
    text = styles[event.level](event.text) if event.level in styles else event.text
    page.line(dim(clock_text(event.at)), " ", text)
