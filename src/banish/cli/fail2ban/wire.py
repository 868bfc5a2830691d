"""Asks a server over Fail2Ban's socket protocol; it loads little, so that a ping is quick.

A question is a pickled list of words, then `END`; so is the answer, a pair of code and value
(client/csocket.py, 1.1). An error comes as an exception object. Of it only the name and the
arguments are kept: nothing that an answer refers to is imported or called.
"""

import contextlib
import socket
import sys
from _pickle import Unpickler
from io import BytesIO

END = b"<F2B_END_COMMAND>"
CLOSE = b"<F2B_CLOSE_COMMAND>"

READ_BYTES = 65_536


class NoAnswerError(Exception):
    """No server answers at the socket; ``str`` says why."""

    def __init__(self, what: str, *, is_absent: bool = False) -> None:
        self.is_absent = is_absent
        """Whether there is nobody to ask, rather than one who answers nonsense."""
        super().__init__(what)


class Raised:
    """The exception of an answer: the name of its class, and its arguments."""

    kind = ""

    def __init__(self, *args: object) -> None:
        self.args = args


class _Plain(Unpickler):
    """Builds plain values, and `Raised` for whatever else an answer refers to."""

    def find_class(self, module: str, name: str) -> type:
        if name in ("str", "unicode") and module in ("builtins", "__builtin__"):
            return str
        return type("Raised", (Raised,), {"kind": name})


def ask(path: str, command: list[object], seconds: float | None = None) -> tuple[int, object]:
    """Return code and value of the answer to *command* of the server at *path*.

    Raises:
        NoAnswerError: There is none.

    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(path)
            connection.sendall(pickled(command) + END)
            answer = bytearray()
            while not answer.endswith(END):
                part = connection.recv(READ_BYTES)
                if not part:
                    raise NoAnswerError(
                        "the server closed the connection without an answer; is this the "
                        "socket for clients of Fail2Ban (fail2bansocket)?"
                    )
                answer += part
            _take_leave(connection)
    except TimeoutError as error:
        raise NoAnswerError(f"no answer came within {seconds:g} seconds") from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoAnswerError(str(error), is_absent=True) from error
    except OSError as error:
        raise NoAnswerError(str(error)) from error
    return _pair(bytes(answer[: -len(END)]))


def _take_leave(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # a server that stops is gone before us
        connection.sendall(CLOSE + END)


def server_pid(path: str) -> int:
    """Return the process that serves the socket *path*; 0: nobody does."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
            raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except OSError:
            return 0
    return int.from_bytes(raw[:4], sys.byteorder)


def _pair(answer: bytes) -> tuple[int, object]:
    try:
        found = _Plain(BytesIO(answer)).load()
    except Exception as error:  # whatever damaged bytes make of the reader
        raise NoAnswerError(f"the answer cannot be read: {error}") from error
    if isinstance(found, tuple | list) and len(found) == 2 and isinstance(found[0], int):
        return found[0], found[1]
    return 1, found


def pickled(value: object) -> bytes:
    """Return *value*, made of texts, numbers and lists, as a pickle of protocol 2."""
    out = bytearray(b"\x80\x02")
    _write(value, out)
    return bytes(out + b".")


def _write(value: object, out: bytearray) -> None:
    if isinstance(value, list):
        out += b"]("
        for each in value:
            _write(each, out)
        out += b"e"
    elif isinstance(value, bool) or value is None:
        out += b"N" if value is None else b"\x88" if value else b"\x89"
    elif isinstance(value, int):
        raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        out += b"\x8a" + bytes((len(raw),)) + raw
    else:
        raw = str(value).encode("utf-8", "surrogatepass")
        out += b"X" + len(raw).to_bytes(4, "little") + raw
