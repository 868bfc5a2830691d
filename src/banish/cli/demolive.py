"""The demo on a terminal: the steps above, what everybody does below, both alive."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from banish.lab.story import (
    STEPS,
    Key,
    Spoken,
    StepBegun,
    StepBroken,
    StepDone,
    StoryEvent,
    StoryReport,
    Waited,
)
from banish.telemetry.lines import harmless

WIDEST = 100
"""Columns; a wider terminal only makes lines harder to read."""

FEED_MOST = 14
FEED_LEAST = 4

STEP_WIDTH = 42

VOICES = {
    "attacker": "red",
    "bystander": "green",
    "sshd": "default",
    "banish": "bold cyan",
    "kernel": "magenta",
}


class LiveStage:
    """What is on the screen; asked for by rich's own thread, so it takes a lock."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._results: dict[Key, Text] = {}
        self._current: Key | None = None
        self._broken: Key | None = None
        self._waited: Waited | None = None
        self._feed: deque[Spoken] = deque(maxlen=FEED_MOST)
        self._start = time.monotonic()
        self._end: float | None = None
        self._spinner = Spinner("dots", style="cyan")

    def show(self, event: StoryEvent) -> None:
        """Take in what happened."""
        with self._lock:
            match event:
                case StepBegun(step):
                    self._current = step
                    self._waited = None
                case StepDone(step, result):
                    self._results[step] = Text(harmless(result), style="cyan")
                    self._current = None
                    self._waited = None
                case StepBroken(step, why):
                    self._results[step] = Text(harmless(why), style="red")
                    self._broken = step
                    self._current = None
                case Spoken():
                    self._feed.append(event)
                case Waited():
                    self._waited = event

    def finish(self) -> None:
        """Stop the clock."""
        self._end = time.monotonic()

    def __rich__(self) -> RenderableType:
        with self._lock:
            width = min(self._console.width, WIDEST)
            rows = self._console.height - len(STEPS) - 6
            return Group(
                self._head(width),
                Text(),
                self._steps(width),
                Text(),
                self._what_happens(width, rows),
            )

    def _head(self, width: int) -> RenderableType:
        took = (self._end or time.monotonic()) - self._start
        head = Table.grid()
        head.add_column(width=width - 6, no_wrap=True)
        head.add_column(width=6, justify="right")
        head.add_row(
            Text.assemble(
                (" banish ", "bold reverse cyan"),
                ("  a private network on this host; nothing outside is touched", "dim"),
            ),
            Text(f"{took:.0f} s", style="dim"),
        )
        return head

    def _steps(self, width: int) -> RenderableType:
        table = Table.grid()
        table.add_column(width=3, justify="center")
        table.add_column(width=STEP_WIDTH, no_wrap=True)
        room = width - STEP_WIDTH - 3
        table.add_column(width=room, no_wrap=True, overflow="ellipsis")
        for key, title in STEPS.items():
            result: RenderableType = self._results.get(key, Text())
            if key == self._broken:
                table.add_row(Text("✗", style="bold red"), Text(title, style="bold red"), result)
            elif key in self._results:
                table.add_row(Text("✓", style="bold green"), Text(title), result)
            elif key == self._current:
                table.add_row(self._spinner, Text(title, style="bold"), self._progress(room))
            else:
                table.add_row(Text("·", style="dim"), Text(title, style="dim"), result)
        return table

    def _progress(self, room: int) -> RenderableType:
        if self._waited is None:
            return Text()
        bar = Table.grid(padding=(0, 1))
        left, whole = self._waited.left_seconds, self._waited.whole_seconds
        bar.add_row(
            ProgressBar(
                total=whole,
                completed=whole - left,
                width=max(min(room - 12, 18), 1),
                complete_style="cyan",
            ),
            Text(f"{left:.0f} s left", style="dim"),
        )
        return bar

    def _what_happens(self, width: int, rows: int) -> RenderableType:
        height = max(FEED_LEAST, min(rows, FEED_MOST))
        table = Table.grid()
        table.add_column(width=14, style="dim", no_wrap=True)
        table.add_column(width=11, no_wrap=True)
        table.add_column(width=width - 29, no_wrap=True, overflow="ellipsis")
        shown = sorted(self._feed, key=lambda spoken: spoken.at)[-height:]
        for spoken in shown:
            voice = VOICES[spoken.who]
            clock = datetime.fromtimestamp(spoken.at).astimezone()
            table.add_row(
                f"{clock:%H:%M:%S}.{clock.microsecond // 1000:03d}",
                Text(spoken.who, style=voice),
                _painted(spoken),
            )
        return Panel(
            table,
            title="[dim]what happens[/dim]",
            title_align="left",
            border_style="dim",
            width=width,
            height=height + 2,
        )


def _painted(spoken: Spoken) -> Text:
    # The speaker stands before it already.
    words = spoken.text.partition("]: ")[2] if spoken.who == "sshd" else spoken.text
    text = Text(harmless(words))
    text.highlight_regex(r"Ban |timeout [\w]+", "bold red")
    text.highlight_regex(r"Unban |logged in|Accepted password", "bold green")
    text.highlight_regex(r"Failed password|Invalid user|Connection refused", "yellow")
    return text


def can_play_live() -> bool:
    """Whether the terminal can move its cursor and show the signs that we draw with."""
    console = Console()
    return (
        console.is_terminal
        and not console.is_dumb_terminal
        and console.encoding.lower().startswith("utf")
    )


def play_live(play: Callable[[Callable[[StoryEvent], None]], StoryReport]) -> StoryReport:
    """Play on this terminal; what is left there at the end is the last picture."""
    console = Console(highlight=False, emoji=False)
    stage = LiveStage(console)
    # Drawing must not hold up the threads that note when things happen: by default
    # Python lets a thread go on for 5 ms, longer than a ban takes.
    sys.setswitchinterval(0.0002)
    with Live(stage, console=console, refresh_per_second=12, vertical_overflow="crop"):
        report = play(stage.show)
        stage.finish()
    return report
