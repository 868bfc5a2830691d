"""What is said over the control socket: requests, replies, one JSON object a line.

    {"version": 1, "request": {"ask": "bans", "jail": "sshd"}}
    {"version": 1, "reply": {"say": "bans", "bans": [...], "more": false}}

A request is answered by one line, or by several of which all but the last say
``"more": true``: so a million bans cost neither side a million-ban line.
New kinds of request are new members of `Request`; a server that does not know
one says so. A field may be added where it has a default; whatever else changes
raises `VERSION`.
"""

from typing import Literal, TypeVar

import msgspec

from banish.model.actionresult import ActionResult
from banish.model.ban import Ban
from banish.model.codec import from_json, to_json
from banish.model.instant import Seconds
from banish.model.reload import ReloadReport, ReloadWish
from banish.model.status import ServerStatus
from banish.model.streamed import EventBatch

VERSION = 1
"""The language of this file; both sides must speak the same."""

LINE_LIMIT_BYTES = 1_048_576
"""Longest request: `SUBJECTS_LIMIT` networks as text are well below it."""

SUBJECTS_LIMIT = 10_000
"""Most subjects in one request; a client splits what is more."""

RESULTS_IN_A_REPLY = 200
"""The newest; one takes some 500 bytes at most."""

BANS_IN_A_LINE = 500
"""About 200 KB of JSON where each ban carries no evidence."""


class StatusRequest(msgspec.Struct, frozen=True, tag_field="ask", tag="status"):
    """How is the server doing?"""


class BansRequest(msgspec.Struct, frozen=True, tag_field="ask", tag="bans"):
    """Which bans are in force, of one jail or of all?"""

    jail: str | None = None


class BanRequest(msgspec.Struct, frozen=True, tag_field="ask", tag="ban"):
    """Ban these now."""

    jail: str
    subjects: tuple[str, ...]
    """As written; the server decides what they are."""
    lasts: Seconds | None = None
    """None: the jail's own bantime; below zero: without end."""


class UnbanRequest(msgspec.Struct, frozen=True, tag_field="ask", tag="unban"):
    """End these bans now."""

    subjects: tuple[str, ...] | None
    """None: all."""
    jail: str | None = None


class AllowRequest(msgspec.Struct, frozen=True, tag_field="ask", tag="allow"):
    """End the bans of these now, and never ban them again."""

    subjects: tuple[str, ...]
    jail: str | None = None


class WhyRequest(msgspec.Struct, frozen=True, tag_field="ask", tag="why"):
    """Why was this banned?"""

    subject: str


class ActionResultsRequest(msgspec.Struct, frozen=True, tag_field="ask", tag="action_results"):
    """What have actions done about this recently?"""

    subject: str


class ResumeRequest(msgspec.Struct, frozen=True, tag_field="ask", tag="resume"):
    """Let this jail start bans again, though its ban budget was exceeded."""

    jail: str


class ReloadRequest(msgspec.Struct, frozen=True, tag_field="ask", tag="reload"):
    """Read the configuration again and follow it."""

    wish: ReloadWish = ReloadWish()


class ConfirmRequest(msgspec.Struct, frozen=True, tag_field="ask", tag="confirm"):
    """Keep the configuration that waits to be confirmed."""


class SubscribeRequest(msgspec.Struct, frozen=True, tag_field="ask", tag="subscribe"):
    """What happens? The answer goes on until the asker hangs up."""

    since: int | None = None
    """Begin after this event, as far as it is known still; None: with what happens next."""
    kinds: tuple[str, ...] = ()
    """Only these kinds of events; empty: all."""


class StopRequest(msgspec.Struct, frozen=True, tag_field="ask", tag="stop"):
    """End the server."""


Request = (
    StatusRequest
    | BansRequest
    | BanRequest
    | UnbanRequest
    | AllowRequest
    | WhyRequest
    | ActionResultsRequest
    | ResumeRequest
    | ReloadRequest
    | ConfirmRequest
    | SubscribeRequest
    | StopRequest
)


class StatusReply(msgspec.Struct, frozen=True, tag_field="say", tag="status"):
    """How the server is doing."""

    status: ServerStatus


class BansReply(msgspec.Struct, frozen=True, tag_field="say", tag="bans"):
    """Bans, in the order of the operation that was asked for."""

    bans: tuple[Ban, ...]
    more: bool = False
    """Whether another line of the same answer follows."""


class ActionResultsReply(msgspec.Struct, frozen=True, tag_field="say", tag="action_results"):
    """What actions did, oldest first, the newest if there are many."""

    results: tuple[ActionResult, ...]


class ReloadReply(msgspec.Struct, frozen=True, tag_field="say", tag="reload"):
    """What the reload did, or would do."""

    report: ReloadReport


class EventsReply(msgspec.Struct, frozen=True, tag_field="say", tag="events"):
    """What has happened; empty where nothing has, to show that the server is there."""

    batch: EventBatch
    more: bool = True


class DoneReply(msgspec.Struct, frozen=True, tag_field="say", tag="done"):
    """It is done, and there is nothing to tell."""


Fault = Literal["request", "machine", "malformed", "refused", "version"]
"""Whose fault: the asker's wish, the machine, the message, the asker, the language."""


class ErrorReply(msgspec.Struct, frozen=True, tag_field="say", tag="error"):
    """It was not done."""

    fault: Fault
    what: str
    where: str = ""
    cure: str = ""
    retry: bool = False
    """Whether asking again later may help."""


Reply = (
    StatusReply
    | BansReply
    | ActionResultsReply
    | ReloadReply
    | EventsReply
    | DoneReply
    | ErrorReply
)


class _Asked(msgspec.Struct, frozen=True):
    version: int
    request: Request


class _Answered(msgspec.Struct, frozen=True):
    version: int
    reply: Reply


class _Versioned(msgspec.Struct, frozen=True):
    version: int


class ProtocolError(ValueError):
    """A line is not a message of this language."""

    def __init__(self, what: str, *, is_foreign: bool = False) -> None:
        self.is_foreign = is_foreign
        """Whether it is a message of another `VERSION`."""
        super().__init__(what)


T = TypeVar("T")


def _decode(line: bytes, kind: type[T]) -> T:
    try:
        spoken = from_json(line, _Versioned).version
        if spoken != VERSION:
            what = f"this speaks version {VERSION} of the control language, not {spoken}"
            raise ProtocolError(what, is_foreign=True)
        return from_json(line, kind)
    except RecursionError as error:
        raise ProtocolError("the message is nested too deeply") from error
    except ProtocolError:
        raise
    except ValueError as error:
        raise ProtocolError(f"the message is invalid: {str(error)[:300]}") from error


def encode_request(request: Request) -> bytes:
    """Return *request* as one line, its end included."""
    return to_json(_Asked(VERSION, request)) + b"\n"


def decode_request(line: bytes) -> Request:
    """Return the request that *line* holds.

    Raises:
        ProtocolError: It holds none.

    """
    return _decode(line, _Asked).request


def encode_reply(reply: Reply) -> bytes:
    """Return *reply* as one line, its end included."""
    return to_json(_Answered(VERSION, reply)) + b"\n"


def decode_reply(line: bytes) -> Reply:
    """Return the reply that *line* holds.

    Raises:
        ProtocolError: It holds none.

    """
    return _decode(line, _Answered).reply
