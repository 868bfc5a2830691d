"""Sends a command to a server in Fail2Ban's protocol: to ours, or to Fail2Ban itself.

Little is imported here: containers ask ``ping`` every ten seconds.
"""

import pickle
import socket
import sys

from banish.control.fail2ban.answers import CommandError, Value
from banish.control.fail2ban.unpickle import PickleRefusedError, unpickle_reply

END = b"<F2B_END_COMMAND>"
CLOSE = b"<F2B_CLOSE_COMMAND>"

ANSWER_SECONDS = 60.0

ANSWER_LIMIT_BYTES = 256 * 1_048_576
"""Longest answer: the names of some ten million banned addresses."""


class NoServerError(Exception):
    """Nobody answers."""


def ask(path: str, command: list[str], *, timeout: float = ANSWER_SECONDS) -> Value:
    """Return the value that the server at the socket *path* answers *command* with.

    Raises:
        NoServerError: There is no server, or it gives no answer.
        CommandError: It answers with an error.

    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(path)
            connection.sendall(pickle.dumps(command, 2) + END)
            said = _answer(connection)
            connection.sendall(CLOSE + END)
        except OSError as error:
            raise NoServerError(str(error)) from error
    try:
        reply = unpickle_reply(said)
    except PickleRefusedError as error:
        raise NoServerError(str(error)) from error
    if not isinstance(reply, tuple) or len(reply) != 2:
        raise CommandError("Exception", str(reply))
    code, value = reply
    if code:
        raise value if isinstance(value, CommandError) else CommandError("Exception", str(value))
    return value


def server_pid(path: str) -> int:
    """Return the process that serves the socket *path*; 0: nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(path)
            raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except OSError:
            return 0
    return int.from_bytes(raw[:4], sys.byteorder)


def _answer(connection: socket.socket) -> bytes:
    said = bytearray()
    while not said.endswith(END):
        more = connection.recv(1_048_576)
        if not more or len(said) > ANSWER_LIMIT_BYTES:
            raise ConnectionError("the server hung up in the middle of its answer")
        said += more
    return bytes(said[: -len(END)])
