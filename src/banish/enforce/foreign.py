"""Tells when somebody else changes our table.

The kernel tells every change of a ruleset to whoever joins its group
(NFNLGRP_NFTABLES), with the table's name and the port of the socket that made
it, and after each transaction the program that made it. Our own changes are filtered
out in the kernel, so that a ban does not wake us; changes to other tables are read and
dropped here.
"""

import contextlib
import ctypes
import errno
import socket
import struct
import sys

from banish.enforce.netattributes import attributes
from banish.enforce.netlink import (
    NETLINK_NETFILTER,
    NFNL_SUBSYS_NFTABLES,
    NFPROTO_INET,
    SOL_NETLINK,
    NetlinkFrame,
    frames,
)

_NFNLGRP_NFTABLES = 7
_ADD_MEMBERSHIP, _DROP_MEMBERSHIP = 1, 2
_SO_ATTACH_FILTER = 26
_NEWGEN = 15
_GEN_PROC_PID, _GEN_PROC_NAME = 2, 3
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
        self._missed = 0
        self._missed_seen = 0
        self._port = -1
        """Who changed our table last: known by this port until its program is known."""
        self.changed_by = ""
        """The program that changed our table last, such as ``nft (pid 7)``."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there is something to look at."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stop listening; may be called twice."""
        self._socket.close()

    @property
    def has_missed(self) -> bool:
        """Whether something may have happened that `look` has not reported."""
        return self._missed != self._missed_seen

    def miss(self) -> None:
        """Take note that something may have happened unseen; for the thread that looks away."""
        self._missed += 1  # one thread alone adds, another compares: nothing gets lost

    def look_away(self) -> None:
        """Hear nothing until `look_again`: spares the kernel work during our big changes."""
        self._socket.setsockopt(SOL_NETLINK, _DROP_MEMBERSHIP, _NFNLGRP_NFTABLES)

    def look_again(self) -> None:
        """Hear of changes from now on."""
        self._socket.setsockopt(SOL_NETLINK, _ADD_MEMBERSHIP, _NFNLGRP_NFTABLES)

    def look(self) -> bool:
        """Read what has come in, without waiting; tell whether our table was touched."""
        missed = self._missed
        is_touched, self._missed_seen = missed != self._missed_seen, missed
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
            is_touched = self._concerns_us(data) or is_touched
        return is_touched

    def _concerns_us(self, data: bytes) -> bool:
        for frame in frames(data):
            subsystem, kind = divmod(frame.kind, 256)
            if subsystem != NFNL_SUBSYS_NFTABLES or frame.port == self._own_port:
                continue
            if kind == _NEWGEN:
                self._note_program(frame)
                continue
            if frame.body[:1] != bytes((NFPROTO_INET,)):
                continue
            # The first attribute of every object names its table.
            for number, payload in attributes(frame.body[4:]):
                if number == 1 and payload.rstrip(b"\0") == self._table:
                    self._port = frame.port
                    return True
        return False

    def _note_program(self, frame: NetlinkFrame) -> None:
        """Take note of who made the transaction that has ended, if it touched our table."""
        if frame.port != self._port:
            return
        self._port = -1
        fields = dict(attributes(frame.body[4:]))
        # What a program calls itself is its own choice.
        name = fields.get(_GEN_PROC_NAME, b"").rstrip(b"\0").decode("ascii", "replace")
        name = "".join(letter if letter.isprintable() else "?" for letter in name)
        pid = int.from_bytes(fields.get(_GEN_PROC_PID, b""), "big")
        self.changed_by = f"{name or 'a program'} (pid {pid})" if pid else name

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
