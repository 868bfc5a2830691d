"""``banish demo``: a whole protected host in a box, attacked and defended before one's eyes."""

import argparse
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from banish.cli.rendering import Cell, Column, Page, bad, dim, good, print_json, strong

if TYPE_CHECKING:
    from banish.lab.story import StoryEvent, StoryReport

EXAMPLE = """examples:
  sudo banish demo                    watch it
  sudo banish demo --json             only the result, for programs
  sudo banish demo | cat              every step as a line of text

Everything happens in private network namespaces with a real OpenSSH server and
the real firewall of the kernel. Nothing outside is touched, nothing is left.
"""


class Stage(Protocol):
    """Where the story is shown."""

    def show(self, event: "StoryEvent") -> None:
        """Show what happened."""
        ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``demo`` takes."""
    parser.add_argument("--json", action="store_true", help="print the result as one document")


def run(options: argparse.Namespace) -> int:
    """Play the demo; 0 if every step held, 1 if one did not."""
    return run_demo(options)


def run_demo(options: argparse.Namespace) -> int:
    """Play the demo as *options* say and return the exit code.

    Raises:
        LabError: This machine allows no private network; says why and the cure.

    """
    from banish.lab.privilege import enter_user_namespace  # noqa: PLC0415

    if os.geteuid() != 0:
        # On success this process goes on as root of a user namespace of its own.
        enter_user_namespace([sys.executable, "-m", "banish", *sys.argv[1:]])
    page = Page()
    try:
        if options.json:
            report = _play(_show_nothing, pace=0.0)
            print_json(_document(report))
        elif page.is_terminal and (live := _live_stage()) is not None:
            report = live(lambda show: _play(show, pace=1.0))
            _sum_up(page, report)
        else:
            stage = PlainStage(page)
            report = _play(stage.show, pace=0.0)
            _sum_up(page, report)
    except KeyboardInterrupt:
        print("\nbanish demo: interrupted; nothing is left behind", file=sys.stderr)
        raise
    return 0 if report.is_ok else 1


def _play(show: "Callable[[StoryEvent], None]", *, pace: float) -> "StoryReport":
    from banish.lab.story import Story  # noqa: PLC0415

    # Pauses are for the reader's eye alone: piped, the pace is 0.
    return Story(show, lambda seconds: time.sleep(seconds * pace)).play()


def _show_nothing(event: "StoryEvent") -> None:
    """Take an event and show nothing."""


def _live_stage() -> (
    "Callable[[Callable[[Callable[[StoryEvent], None]], StoryReport]], StoryReport] | None"
):
    try:
        from banish.cli.demolive import can_play_live, play_live  # noqa: PLC0415
    except ImportError:  # The extra ``terminal`` is not installed.
        return None
    return play_live if can_play_live() else None


def _document(report: "StoryReport") -> dict[str, object]:
    return {
        "ok": report.is_ok,
        "broken": report.broken,
        "steps": report.steps,
        "failures": report.failures,
        "ban_milliseconds": report.ban_milliseconds,
        "banned_seconds": report.banned_seconds,
    }


class PlainStage:
    """Shows each event as a line: for pipes, logs and terminals without rich."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._start = time.time()
        self._is_waiting = False

    def show(self, event: "StoryEvent") -> None:
        """Write one line, or none where the event is only a movement."""
        from banish.lab.story import STEPS, Spoken, StepBegun, StepBroken, StepDone, Waited  # noqa: PLC0415

        match event:
            case StepBegun():
                return
            case StepDone(step, result):
                self._line(time.time(), good("ok         "), strong(STEPS[step]), ": " + result)
            case StepBroken(step, why):
                self._line(time.time(), bad("FAILED     "), strong(STEPS[step]), ": " + why)
            case Spoken(at, who, text):
                self._line(at, dim(f"{who:11}"), text)
            case Waited(left):
                if not self._is_waiting:
                    self._is_waiting = True
                    self._line(time.time(), dim("waiting    "), f"{left:.0f} s until the ban ends")

    def _line(self, at: float, *cells: Cell) -> None:
        self._page.line(dim(f"{max(at - self._start, 0.0):8.3f} s  "), *cells)
        sys.stdout.flush()


def _sum_up(page: Page, report: "StoryReport") -> None:
    """Say what came of it and what to do next."""
    page.line()
    if not report.is_ok:
        page.line(bad("The demo failed: "), report.broken or "it did not finish")
        page.line(dim("Nothing is left behind. 'banish doctor' says what this host lacks."))
        return
    page.line(good("Every step held."))
    if report.ban_milliseconds is not None and report.banned_seconds is not None:
        page.line(
            f"Banned {report.ban_milliseconds:.1f} ms after the log line was written, "
            f"unbanned after {report.banned_seconds:.1f} s."
        )
    page.title("Next, on this host")
    banish = _own_name()
    commands = (
        (f"sudo {banish} check", "is the configuration sound?"),
        (f"sudo {banish} run --dry-run", "all but the firewall"),
        (f"sudo {banish} run", "protect this host"),
    )
    page.table(
        [Column(""), Column("")],
        [(strong(command), dim(purpose)) for command, purpose in commands],
    )


def _own_name() -> str:
    """Return how this program is called from where we stand."""
    if shutil.which("banish") is not None:
        return "banish"
    own = Path(sys.executable).with_name("banish")
    if not own.exists():
        return f"{sys.executable} -m banish"
    here = Path.cwd()
    is_near = here != Path("/") and own.is_relative_to(here)
    return shlex.quote(str(own.relative_to(here) if is_near else own))
