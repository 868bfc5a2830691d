"""Tells when somebody else changes our table.

The kernel tells every change of a ruleset to whoever joins its group
(NFNLGRP_NFTABLES), with the table's name and the port of the socket that made
it. Our own changes are filtered out in the kernel, so that a ban does not wake
us; changes to other tables are read and dropped here.
"""

import contextlib
import ctypes
import errno
import socket
import struct
import sys

from banish.enforce.netlink import (
    NETLINK_NETFILTER,
    NFNL_SUBSYS_NFTABLES,
    NFPROTO_INET,
    SOL_NETLINK,
    attributes,
    frames,
)

_NFNLGRP_NFTABLES = 7
_ADD_MEMBERSHIP, _DROP_MEMBERSHIP = 1, 2
_SO_ATTACH_FILTER = 26
_NEWGEN = 15
_GLANCES = 256
"""Most messages read in one go, so that a flood of them does not hold up the rest."""


class ForeignWatch:
    """A socket that hears of every change of the ruleset but our own."""

    def __init__(self, table: str, own_port: int) -> None:
        """Listen for changes of *table* that do not come from the socket *own_port*.

        Raises:
            OSError: The kernel forbids it.

        """
        self._table = table.encode("ascii")
        self._own_port = own_port
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, NETLINK_NETFILTER)
        self._socket.bind((0, 0))
        with contextlib.suppress(OSError):  # then `look` drops our own changes instead
            self._leave_out_own()
        try:
            self.look_again()
        except OSError:
            self._socket.close()
            raise
        self.has_missed = False
        """Set when something may have happened unseen; `look` clears it."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there is something to look at."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stop listening; may be called twice."""
        self._socket.close()

    def look_away(self) -> None:
        """Hear nothing until `look_again`: spares the kernel work during our big changes."""
        self._socket.setsockopt(SOL_NETLINK, _DROP_MEMBERSHIP, _NFNLGRP_NFTABLES)

    def look_again(self) -> None:
        """Hear of changes from now on."""
        self._socket.setsockopt(SOL_NETLINK, _ADD_MEMBERSHIP, _NFNLGRP_NFTABLES)

    def look(self) -> bool:
        """Read what has come in, without waiting; tell whether our table was touched."""
        is_touched, self.has_missed = self.has_missed, False
        for _ in range(_GLANCES):
            try:
                data = self._socket.recv(65_536)
            except BlockingIOError:
                return is_touched
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                is_touched = True  # so much came in that some was lost
                continue
            is_touched = is_touched or self._concerns_us(data)
        return is_touched

    def _concerns_us(self, data: bytes) -> bool:
        for frame in frames(data):
            subsystem, kind = divmod(frame.kind, 256)
            if subsystem != NFNL_SUBSYS_NFTABLES or kind == _NEWGEN:
                continue
            if frame.port == self._own_port or frame.body[:1] != bytes((NFPROTO_INET,)):
                continue
            # The first attribute of every object names its table.
            for number, payload in attributes(frame.body[4:]):
                if number == 1 and payload.rstrip(b"\0") == self._table:
                    return True
        return False

    def _leave_out_own(self) -> None:
        """Have the kernel drop what our own socket caused (classic BPF, socket(7))."""
        # The filter reads big-endian; nlmsg_pid, at byte 12, is in the machine's order.
        port = int.from_bytes(self._own_port.to_bytes(4, sys.byteorder), "big")
        program = b"".join(
            struct.pack("=HBBI", *step)
            for step in (
                (0x20, 0, 0, 12),  # load the word at 12
                (0x15, 0, 1, port),  # is it our port?
                (0x06, 0, 0, 0),  # then keep nothing of it
                (0x06, 0, 0, 0xFFFFFFFF),  # else all
            )
        )
        memory = ctypes.create_string_buffer(program, len(program))
        handle = struct.pack("@HP", len(program) // 8, ctypes.addressof(memory))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, handle)
