"""Sends datagrams to a local socket whose server may be restarted: syslog, the journal."""

import socket

WAIT_SECONDS = 5
"""How long a server that does not keep up is waited for."""


class DatagramSocket:
    """A connection to the socket at *path*, made when it is first needed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, data: bytes) -> None:
        """Send *data* as one datagram; after a loss of the socket try once more.

        Raises:
            OSError: It is lost.

        """
        try:
            self._send(data)
        except (ConnectionError, FileNotFoundError):
            self.close()
            self._send(data)

    def _send(self, data: bytes) -> None:
        if self._socket is None:
            self.reopen()
        assert self._socket is not None
        self._socket.send(data)

    def reopen(self) -> None:
        """Connect anew.

        Raises:
            OSError: Nobody listens.

        """
        self.close()
        fresh = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        fresh.settimeout(WAIT_SECONDS)
        try:
            fresh.connect(self._path)
        except OSError:
            fresh.close()
            raise
        self._socket = fresh

    def close(self) -> None:
        """Close the socket; may be called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
