"""The view that ``banish top`` shows: jails above, bans as they come below, evidence beside them.

What the server says comes in by threads: one reads its events, one asks for its status now
and then. The screen is Textual's. Text from logs is shown as it is, never as markup.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import DataTable, Footer, Static

from banish.cli import health
from banish.cli.wording import count, span
from banish.control.client import Client
from banish.errors import BanishError
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.model.status import JailStatus, ServerStatus
from banish.model.streamed import EventBatch, StreamedEvent
from banish.telemetry.clocktext import clock_text

STATUS_SECONDS = 2.0
"""Between two looks at the status, and before events are asked for again."""

BANS_SHOWN = 500
"""Newest bans on the screen."""

KINDS = ("BanStarted", "BanEnded", "FailureFound", "WarningGiven", "PartFailed", "PartRecovered")


class TopView(App[None]):
    """The live view of the server that *client* asks."""

    CSS = """
    #head { height: auto; padding: 0 1; }
    #jails { height: auto; max-height: 40%; }
    #bans { width: 3fr; }
    #evidence { width: 4fr; border-left: solid $primary; padding: 0 1; }
    .-narrow #lower { layout: vertical; }
    .-narrow #bans, .-narrow #evidence { width: 100%; height: 1fr; border-left: none; }
    #news { height: 1; padding: 0 1; color: $text-muted; }
    """
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-wide")]  # noqa: RUF012 - as the library has it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("u", "unban", "Unban"),
        Binding("a", "allow", "Allow"),
        Binding("enter", "why", "Evidence", show=True),
    ]

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client
        self._failures: dict[str, int] = {}
        """Failures of each jail since the last status."""
        self._rates: dict[str, float] = {}
        self._status_at: Instant | None = None
        self._explained = ""
        """The subject whose evidence is shown."""
        self._asked: tuple[str, str, str] | None = None
        """The key that was pressed once, and the jail and subject of the ban chosen then."""

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield Static(id="head", markup=False)
        yield DataTable(id="jails", cursor_type="none", zebra_stripes=True)
        with Horizontal(id="lower"):
            yield DataTable(id="bans", cursor_type="row")
            with VerticalScroll(id="evidence"):
                yield Static(
                    "Select a ban with the arrow keys, and press Enter.", id="why", markup=False
                )
        yield Static(id="news", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Fill the tables, and begin to listen."""
        jails = self.query_one("#jails", DataTable)
        numbers = ("failing", "failures", "per minute", "banned", "bans")
        jails.add_columns("jail", *(Text(title, justify="right") for title in numbers), "state")
        bans = self.query_one("#bans", DataTable)
        for label, key in (("subject", "subject"), ("jail", "jail"), ("since", "since")):
            bans.add_column(label, key=key)
        threading.Thread(target=self._listen, daemon=True).start()  # nobody waits for it to end
        self._look_again()
        self.set_interval(STATUS_SECONDS, self._look_again)
        bans.focus()

    # -- what the server says, in threads ---------------------------------------------------

    def _listen(self) -> None:
        while self.is_running:
            try:
                self._look_at_bans()
                for batch in self._client.events(None, KINDS):
                    self._on_screen(partial(self._hear, batch))
            except (BanishError, RuntimeError) as error:  # the second: the view has ended
                self._say_in_thread(f"no events: {_first_line(error)}")
            time.sleep(STATUS_SECONDS)

    def _look_again(self) -> None:
        self.run_worker(self._look, thread=True, group="status", exclusive=True)

    def _look(self) -> None:
        try:
            status = self._client.status()
        except BanishError as error:
            self._on_screen(partial(self._show_silence, _first_line(error)))
        else:
            self._on_screen(partial(self._show_status, status))

    def _in_thread(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BanishError as error:
            self._say_in_thread(_first_line(error))

    def _on_screen(self, show: Callable[[], None]) -> None:
        if self.is_running:
            with contextlib.suppress(RuntimeError):  # it ended in between
                self.call_from_thread(show)

    def _say_in_thread(self, what: str) -> None:
        self._on_screen(partial(self._say, what))

    def _look_at_bans(self) -> None:
        newest = sorted(self._client.bans(), key=lambda ban: ban.since)[-BANS_SHOWN:]
        self._on_screen(partial(self._replace_bans, newest))

    # -- the screen ---------------------------------------------------------------------------

    def _say(self, what: str) -> None:
        self.query_one("#news", Static).update(what)

    def _show_silence(self, what: str) -> None:
        since = (
            ""
            if self._status_at is None
            else f" Below is how it was {clock_text(self._status_at)}."
        )
        self.query_one("#head", Static).update(f"The server does not answer: {what}.{since}")

    def _show_status(self, status: ServerStatus) -> None:
        wrong = [f"{each.where}: {each.what}" for each in health.troubles(status)]
        if status.starting:
            wrong.insert(0, f"Starting: {status.starting}.")
        bans = sum(jail.banned_now for jail in status.jails)
        head = f"banish {status.version}, up {span(status.uptime)}, {count(bans)} banned."
        lines = [head, *wrong] if wrong else [f"{head} All is well."]
        self.query_one("#head", Static).update("\n".join(lines))
        self._show_jails(status)
        self._look_at_bans_again(bans)

    def _look_at_bans_again(self, bans: int) -> None:
        """Ask for the bans, of which there are *bans*, where events have missed some."""
        shown, wanted = self.query_one("#bans", DataTable).row_count, min(bans, BANS_SHOWN)
        if shown != bans if bans <= BANS_SHOWN else shown < wanted / 2:
            ask = partial(self._in_thread, self._look_at_bans)
            self.run_worker(ask, thread=True, group="bans", exclusive=True)

    def _show_jails(self, status: ServerStatus) -> None:
        if self._status_at is not None and status.now > self._status_at:
            minutes = (status.now - self._status_at) / 60
            self._rates = {name: found / minutes for name, found in self._failures.items()}
            self._failures = {}
        self._status_at = status.now
        table = self.query_one("#jails", DataTable)
        table.clear()
        for jail in status.jails:
            table.add_row(*self._jail_row(jail))

    def _jail_row(self, jail: JailStatus) -> list[Text]:
        state = jail.trouble.partition("\n")[0] or "watching"
        cells = (
            jail.name,
            count(jail.failing_subjects),
            count(jail.failures_total),
            f"{self._rates.get(jail.name, 0.0):.0f}",
            count(jail.banned_now),
            count(jail.bans_total),
            state,
        )
        last = len(cells) - 1
        return [
            Text(cell, justify="right" if 0 < at < last else "left")
            for at, cell in enumerate(cells)
        ]

    def _replace_bans(self, bans: Iterable[Ban]) -> None:
        self.query_one("#bans", DataTable).clear()
        for ban in bans:
            self._add_ban(str(ban.subject), ban.jail, clock_text(ban.since))

    def _add_ban(self, subject: str, jail: str, since: str) -> None:
        table = self.query_one("#bans", DataTable)
        key = f"{jail} {subject}"
        if key in table.rows:
            table.remove_row(key)
        table.add_row(Text(subject), Text(jail), Text(since), key=key)
        if len(table.rows) > BANS_SHOWN:
            table.remove_row(next(iter(table.rows)))
        table.sort("since", key=str, reverse=True)

    def _hear(self, batch: EventBatch) -> None:
        if batch.dropped:
            self._say(f"{count(batch.dropped)} events were too many to show")
        for event in batch.events:
            self._hear_one(event)

    def _hear_one(self, event: StreamedEvent) -> None:
        jail, subject = str(event.fields.get("jail", "")), str(event.fields.get("subject", ""))
        match event.kind:
            case "FailureFound":
                self._failures[jail] = self._failures.get(jail, 0) + 1
            case "BanStarted":
                self._add_ban(subject, jail, clock_text(event.at))
            case "BanEnded":
                table = self.query_one("#bans", DataTable)
                if f"{jail} {subject}" in table.rows:
                    table.remove_row(f"{jail} {subject}")
                if subject == self._explained:
                    self.action_why(subject)
            case _:
                self._say(event.text)

    # -- keys ------------------------------------------------------------------------------------

    def _chosen(self) -> tuple[str, str] | None:
        """Return jail and subject of the chosen ban."""
        table = self.query_one("#bans", DataTable)
        if not table.row_count:
            return None
        subject, jail, *_ = table.get_row_at(table.cursor_row)
        return str(jail), str(subject)

    def on_data_table_row_selected(self, _event: DataTable.RowSelected) -> None:
        """Show the evidence for the ban that Enter was pressed on."""
        self.action_why()

    def action_why(self, subject: str = "") -> None:
        """Show the evidence for *subject*, or for the chosen ban."""
        chosen = self._chosen()
        wanted = subject or (chosen[1] if chosen else "")
        if not wanted:
            return

        def look() -> None:
            bans = self._client.why(wanted)
            self._on_screen(partial(self._show_why, wanted, bans))

        self.run_worker(lambda: self._in_thread(look), thread=True)

    def _show_why(self, subject: str, bans: Sequence[Ban]) -> None:
        self._explained = subject
        lines: list[str] = []
        for ban in bans:
            lines += [f"{ban.subject} in {ban.jail}: {clock_text(ban.since)}, {_end_of(ban)}"]
            lines += [f"  {count(ban.failures)} failures, ban number {ban.count}, by {ban.cause}"]
            lines += [f"  {each.path}: {each.text}" for each in ban.evidence]
            lines += [""]
        self.query_one("#why", Static).update(
            "\n".join(lines) or f"{subject} is not banned any more."
        )

    def action_unban(self) -> None:
        """End the chosen ban, at the second press."""

        def unban(jail: str, subject: str) -> str:
            self._client.unban([subject], jail)
            return f"{subject} unbanned in {jail}"

        self._at_second_press("U", "unban {subject} in {jail}", unban)

    def action_allow(self) -> None:
        """End the bans of the chosen subject and exempt it, at the second press."""

        def allow(_jail: str, subject: str) -> str:
            self._client.allow([subject])
            return f"{subject} is exempt until the next reload or start"

        self._at_second_press("A", "unban {subject} and never ban it again", allow)

    def _at_second_press(self, key: str, what: str, work: Callable[[str, str], str]) -> None:
        """Do *work* on jail and subject of the chosen ban, and say what it returns.

        At the first press of *key* only *what* it would do is said.
        """
        chosen = self._chosen()
        if chosen is None:
            return
        jail, subject = chosen
        if self._asked != (key, *chosen):
            self._asked = (key, *chosen)
            self._say(f"Press {key} again to {what.format(subject=subject, jail=jail)}.")
            return
        self._asked = None
        do = partial(self._in_thread, lambda: self._say_in_thread(work(jail, subject)))
        self.run_worker(do, thread=True)

    def on_data_table_row_highlighted(self, _event: DataTable.RowHighlighted) -> None:
        """Forget the question where another ban is chosen."""
        if self._asked is not None and self._asked[1:] != self._chosen():
            self._asked = None
            self._say("")


def _end_of(ban: Ban) -> str:
    if ban.ended_at is not None:
        return f"ended {clock_text(ban.ended_at)} ({ban.end_reason})"
    return "without end" if ban.until is None else f"until {clock_text(ban.until)}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
