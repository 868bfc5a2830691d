"""A socket that answers as a server of Fail2Ban's would, from a list of answers."""

import contextlib
import pickle
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from banish.cli.fail2ban.wire import END


@contextlib.contextmanager
def answering(path: Path, answers: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Answer each command at *path* by its first word; give the commands that came.

    An answer is the value of a good reply, an exception, or bytes to send as they are.
    """
    heard: list[Any] = []
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                data = b""
                while not data.endswith(END) and (part := connection.recv(65_536)):
                    data += part
                if not data:
                    return
                command = pickle.loads(data.removesuffix(END))  # what our own client sent
                heard.append(command)
                answer = answers.get(command[0], Exception("Invalid command"))
                if not isinstance(answer, bytes):
                    code = int(isinstance(answer, Exception))
                    answer = pickle.dumps((code, answer)) + END
                connection.sendall(answer)
                if command != ["stop"]:  # a server that stops hangs up at once
                    connection.recv(65_536)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield heard
    finally:
        with socket.socket(socket.AF_UNIX) as last:  # ends the wait for the next client
            last.connect(str(path))
        thread.join(10)
        listening.close()
