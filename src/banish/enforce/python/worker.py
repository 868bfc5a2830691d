"""The process of one Python action: ``python -m banish.enforce.python.worker``.

It reads orders from its standard input and answers on its standard output, both of
which it takes for itself before the action's code runs: what the action prints goes
to standard error, and what it reads is empty. It ends when its input does, which it
does with the server, however that ends.
"""

import inspect
import logging
import os
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from banish.enforce.python import names
from banish.enforce.python.actions import REQUIRED, ActionBase
from banish.enforce.python.mapping import action_info
from banish.enforce.python.messages import (
    TEXT_LIMIT_CHARACTERS,
    Call,
    Load,
    Order,
    OrderDone,
    OrderFailed,
    OrderLogged,
    Reply,
    Scalar,
    TagRequest,
    TagValue,
    clean,
)
from banish.enforce.python.running import load_python_module

_OPTIONAL = ("flush", "prolong", "consistencyCheck")


class ServerPipe:
    """The two ends of the line to the server."""

    def __init__(self, orders: BinaryIO, replies: BinaryIO) -> None:
        self._orders = orders
        self._replies = replies
        self._writing = threading.Lock()
        self._decoder = msgspec.json.Decoder(Order)
        self._owner = threading.get_ident()
        self.is_busy = False
        """Whether an order is being carried out, so that the server answers questions."""

    def read(self) -> Load | Call | TagValue | None:
        """Return the next order, or None at the end."""
        line = self._orders.readline()
        return self._decoder.decode(line) if line.endswith(b"\n") else None

    def write(self, reply: Reply) -> None:
        """Send *reply*; any thread may."""
        with self._writing:
            self._replies.write(msgspec.json.encode(reply) + b"\n")
            self._replies.flush()

    def ask(self, tag: str) -> Scalar:
        """Return what the server knows by *tag*.

        Raises:
            LookupError: Nobody can be asked: the ban is over, or this is another thread.

        """
        if not self.is_busy or threading.get_ident() != self._owner:
            raise LookupError(f"{tag} can be looked at only while the action is called")
        self.write(TagRequest(tag))
        answer = self.read()
        if not isinstance(answer, TagValue):
            raise SystemExit(1)
        return answer.value


class _Handler(logging.Handler):
    """Has what the action logs stand in the server's log."""

    def __init__(self, line: ServerPipe) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        text = clean(self.format(record))[:TEXT_LIMIT_CHARACTERS]
        self._line.write(OrderLogged(record.levelno, text))


class _Guarded:
    """Turns whatever the action's code raises into a `OrderFailed`: it is not ours to know what."""

    def __init__(self, path: str, *, takes: str = "") -> None:
        self._path = path
        self._takes = takes
        self.failed: OrderFailed | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None:
            return False
        where = self._where(trace)
        text = clean(f"{type(error).__name__}: {error}")[:TEXT_LIMIT_CHARACTERS]
        self.failed = OrderFailed(f"{text}{where}", _cure(error, self._takes, where))
        return True

    def _where(self, trace: TracebackType | None) -> str:
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(trace)
            if os.path.realpath(frame.filename) == os.path.realpath(self._path)
        ]
        return f" ({self._path}, line {lines[-1]})" if lines else ""


def _cure(error: BaseException, takes: str, where: str) -> str:
    match error:
        case ModuleNotFoundError(name=str(name)) if name.split(".")[0] == "fail2ban":
            return "it uses a part of Fail2Ban that banish does not have; see docs/actions.md"
        case ModuleNotFoundError(name=name):
            return f"install the Python module {name} for {sys.executable}"
        case SyntaxError():
            return "fix the file; was it written for Python 2?"
        case TypeError() if takes:
            return f"correct its arguments: it takes {takes}"
        case FileNotFoundError() | PermissionError():
            return "see that the file is there and may be used"
        case OSError():
            return "see that what it talks to runs and can be reached from here"
        case _:
            return f"look at {where.strip(' ()')}" if where else ""


class Worker:
    """Carries orders out."""

    def __init__(self, line: ServerPipe) -> None:
        self._line = line
        self._action: ActionBase | None = None
        self._path = ""

    def run(self) -> None:
        """Carry orders out until there are no more."""
        while (order := self._line.read()) is not None:
            self._line.is_busy = True
            try:
                match order:
                    case Load():
                        self._line.write(self._load(order))
                    case Call():
                        self._line.write(self._call(order))
                    case TagValue():
                        return
            finally:
                self._line.is_busy = False

    def _load(self, order: Load) -> Reply:
        self._path = order.path
        guarded = _Guarded(order.path)
        found: type[ActionBase] | None = None
        with guarded:
            found = load_python_module(order.path).Action
            missing = [verb for verb in REQUIRED if not callable(getattr(found, verb, None))]
            if missing:
                raise TypeError(f"its class Action has no {' and no '.join(missing)}")
        if found is None or guarded.failed is not None:
            return guarded.failed or OrderFailed("it has no class Action")
        guarded = _Guarded(order.path, takes=argument_names(found))
        with guarded:
            jail = names.Jail(order.jail, order.bantime, self._line.ask)
            self._action = found(jail, order.name, **order.arguments)
        if guarded.failed is not None:
            return guarded.failed
        verbs = [verb for verb in REQUIRED if _is_own(found, verb)]
        verbs += [verb for verb in _OPTIONAL if callable(getattr(self._action, verb, None))]
        return OrderDone(
            norestored=bool(getattr(self._action, "norestored", False)), verbs=tuple(verbs)
        )

    def _call(self, order: Call) -> Reply:
        action = self._action
        if action is None:
            return OrderFailed("it is not loaded")
        guarded = _Guarded(self._path)
        result: object = None
        with guarded:
            match order.verb:
                case "start" | "stop" | "flush":
                    result = getattr(action, order.verb)()
                case "check":
                    result = getattr(action, "consistencyCheck")()  # noqa: B009 - not in the base
                case "prolong" if not getattr(action, "_prolongable", False):
                    pass
                case verb:
                    info = action_info(order.info, order.captures, self._line.ask)
                    result = getattr(action, verb)(info)
        return guarded.failed or OrderDone(result=bool(result))


def _is_own(kind: type, verb: str) -> bool:
    return getattr(kind, verb) is not getattr(ActionBase, verb)


def argument_names(kind: type) -> str:
    """Return the names of the arguments of an action, for the operator."""
    parameters = list(inspect.signature(kind).parameters.values())[2:]
    return ", ".join(str(each).split("=")[0].split(":")[0] for each in parameters) or "none"


def main() -> None:
    """Serve until the input ends."""
    orders = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    line = ServerPipe(orders, replies)
    names.install()
    root = logging.getLogger()
    root.addHandler(_Handler(line))
    root.setLevel(logging.INFO)
    Worker(line).run()


if __name__ == "__main__":
    main()
