"""What actions do besides banning: say something, be skipped, lose notifications."""

import logging
from typing import ClassVar

from banish.telemetry.events.event import Event


class ActionEvent(Event, frozen=True):
    """Something about one action of one jail."""

    origin: ClassVar[str] = "banish.actions"
    labels: ClassVar[tuple[str, ...]] = ("jail", "action")
    jail: str
    action: str


class ActionPlanned(ActionEvent, frozen=True):
    """A dry run skipped a command of an action."""

    counter: ClassVar[str] = "banish_actions_planned_total"
    what: str
    """The script, and the values that it would have been given."""

    def text(self) -> str:
        return f"[{self.jail}] {self.action} would run: {self.what}"


class ActionLogged(ActionEvent, frozen=True):
    """A Python action wrote to its log."""

    counter: ClassVar[str] = "banish_actions_said_total"
    what: str

    def text(self) -> str:
        return f"[{self.jail}] {self.action}: {self.what}"


class ActionWarned(ActionLogged, frozen=True):
    """A Python action wrote to its log, as a warning or an error."""

    level: ClassVar[int] = logging.WARNING
    counter: ClassVar[str] = "banish_actions_complained_total"


class NotificationsDropped(ActionEvent, frozen=True):
    """An action that only tells could not tell of everything: too much at once, or given up."""

    level: ClassVar[int] = logging.WARNING
    counter: ClassVar[str] = "banish_notifications_dropped_total"
    count: int

    def text(self) -> str:
        what = "queue full or delivery failed"
        return f"[{self.jail}] {self.action}: {self.count} notifications dropped ({what})"
