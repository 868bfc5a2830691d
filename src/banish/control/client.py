"""Asks a running server; one connection a question, never longer than a time limit."""

import contextlib
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from banish.control import messages
from banish.control.address import short_name
from banish.control.lock import holder
from banish.errors import BanishError, ControlError, RequestError
from banish.model.actionresult import ActionResult
from banish.model.ban import Ban
from banish.model.instant import Seconds
from banish.model.reload import ReloadReport, ReloadWish
from banish.model.status import ServerStatus
from banish.model.streamed import EventBatch

ANSWER_SECONDS = 30.0
"""Longest wait for the next line of an answer; a batch of bans takes well under a second."""

REPLY_LIMIT_BYTES = 256 * 1_048_576
"""Longest line of an answer: the status of a server with some 3 million bans."""


def batched(subjects: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield *subjects* in groups that fit into one request; at least one group."""
    for start in range(0, max(len(subjects), 1), messages.SUBJECTS_LIMIT):
        yield tuple(subjects[start : start + messages.SUBJECTS_LIMIT])


class Client:
    """The operations of the server at *path*, for callers that may wait.

    Every method raises `RequestError` where the server says that what was asked
    cannot be, and `ControlError` where it is not running, may not be asked, does
    not answer in time, or failed.
    """

    def __init__(self, path: Path, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._path = path
        self._answer_seconds = answer_seconds

    def status(self) -> ServerStatus:
        """Return how the server is doing."""
        match next(self._ask(messages.StatusRequest())):
            case messages.StatusReply(status):
                return status
            case _:
                raise self._nonsense()

    def bans(self, jail: str | None = None) -> Sequence[Ban]:
        """Return the bans in force, of one jail or of all."""
        return self._bans(messages.BansRequest(jail))

    def ban(self, jail: str, subjects: Sequence[str], lasts: Seconds | None) -> Sequence[Ban]:
        """Ban and return the bans that are new; see `Operations.ban` for *lasts*.

        Many go in several requests; an error then leaves the earlier ones banned.
        """
        return [
            ban
            for some in batched(subjects)
            for ban in self._bans(messages.BanRequest(jail, some, lasts))
        ]

    def unban(self, subjects: Sequence[str] | None, jail: str | None = None) -> Sequence[Ban]:
        """End bans (None: all) and return those that were in force; many go as in `ban`."""
        if subjects is None:
            return self._bans(messages.UnbanRequest(None, jail))
        return [
            ban
            for some in batched(subjects)
            for ban in self._bans(messages.UnbanRequest(some, jail))
        ]

    def allow(self, subjects: Sequence[str], jail: str | None = None) -> Sequence[Ban]:
        """Exempt *subjects*; see `Operations.allow`."""
        return [
            ban
            for some in batched(subjects)
            for ban in self._bans(messages.AllowRequest(some, jail))
        ]

    def why(self, subject: str) -> Sequence[Ban]:
        """Return the bans of *subject*, past and present, newest first."""
        return self._bans(messages.WhyRequest(subject))

    def action_results(self, subject: str) -> Sequence[ActionResult]:
        """Return what actions did about *subject* recently, oldest first."""
        reply = next(self._ask(messages.ActionResultsRequest(subject)))
        if not isinstance(reply, messages.ActionResultsReply):
            raise self._nonsense()
        return reply.results

    def resume(self, jail: str) -> None:
        """Let *jail* start bans again; see `Operations.resume`."""
        if not isinstance(next(self._ask(messages.ResumeRequest(jail))), messages.DoneReply):
            raise self._nonsense()

    def reload(self, wish: ReloadWish) -> ReloadReport:
        """Have the configuration read again; see `Operations.reload`."""
        reply = next(self._ask(messages.ReloadRequest(wish)))
        if not isinstance(reply, messages.ReloadReply):
            raise self._nonsense()
        return reply.report

    def confirm(self) -> None:
        """Keep the configuration that waits to be confirmed."""
        if not isinstance(next(self._ask(messages.ConfirmRequest())), messages.DoneReply):
            raise self._nonsense()

    def events(self, since: int | None = None, kinds: Sequence[str] = ()) -> Iterator[EventBatch]:
        """Yield what happens, for ever; see `Operations.subscribe`."""
        for reply in self._ask(messages.SubscribeRequest(since, tuple(kinds))):
            if not isinstance(reply, messages.EventsReply):
                raise self._nonsense()
            yield reply.batch

    def stop(self) -> None:
        """Ask the server to stop."""
        if not isinstance(next(self._ask(messages.StopRequest())), messages.DoneReply):
            raise self._nonsense()

    def _bans(self, request: messages.Request) -> Sequence[Ban]:
        bans: list[Ban] = []
        for reply in self._ask(request):
            if not isinstance(reply, messages.BansReply):
                break
            bans += reply.bans
            if not reply.more:
                return bans
        raise self._nonsense()

    def _ask(self, request: messages.Request) -> Iterator[messages.Reply]:
        try:
            line = messages.encode_request(request)
        except UnicodeEncodeError as error:
            raise RequestError(
                "that is not text in UTF-8", cure="write an address or a network"
            ) from error
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(self._answer_seconds)
            try:
                with short_name(self._path) as name:
                    connection.connect(name)
                with contextlib.suppress(BrokenPipeError):  # refused unheard: the answer says why
                    connection.sendall(line)
                with connection.makefile("rb") as lines:
                    while line := lines.readline(REPLY_LIMIT_BYTES):
                        yield self._read(line)
            except OSError as error:
                raise self._translate(error) from error
        raise ControlError(
            "the server closed the connection without an answer",
            cure="its log says why",
        )

    def _read(self, line: bytes) -> messages.Reply:
        try:
            reply = messages.decode_reply(line)
        except messages.ProtocolError as error:
            raise ControlError(
                f"the server's answer is not understood: {error}",
                cure="restart the server: it is another version of banish than this client",
                retry=False,
            ) from error
        if not isinstance(reply, messages.ErrorReply):
            return reply
        if reply.fault == "request":
            raise RequestError(reply.what, where=reply.where, cure=reply.cure)
        raise ControlError(reply.what, cure=reply.cure, retry=reply.retry)

    def _nonsense(self) -> BanishError:
        return ControlError(
            "the server's answer does not fit the request",
            cure="restart the server: it is another version of banish than this client",
            retry=False,
        )

    def _socketless(self, pid: int) -> ControlError:
        who = f" (pid {pid})" if pid else ""
        return ControlError(
            f"banish is running{who}, but its control socket is missing: {self._path}",
            cure=(
                "try again: the server recreates the socket within seconds, or its log says "
                "why it cannot"
            ),
            running=True,
        )

    def _translate(self, error: OSError) -> ControlError:
        match error:
            case FileNotFoundError() | ConnectionRefusedError() | NotADirectoryError():
                pid = holder(self._path)
                if pid is not None:
                    return self._socketless(pid)
                return ControlError(
                    f"no server answers at {self._path}", cure="start it: banish run"
                )
            case PermissionError():
                return ControlError(
                    f"no permission to use {self._path}", cure="ask with sudo", retry=False
                )
            case TimeoutError():
                return ControlError(
                    f"no answer within {self._answer_seconds:g} seconds",
                    cure="its log says what it is doing",
                )
            case _:
                return ControlError(f"{self._path}: {error.strerror or error}")
