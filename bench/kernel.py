"""Hears from the kernel itself when an element enters a set.

nf_tables tells every change to the netlink group NFNLGRP_NFTABLES
(linux/netfilter/nfnetlink.h) when it commits, so nothing has to be polled and
nobody's claim has to be believed.
"""

import select
import socket
import time

NETLINK_NETFILTER = 12
NFNLGRP_NFTABLES = 7
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP = 1


class SetEvents:
    """Listens to changes of the nftables ruleset of the present network namespace."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
        self._socket.bind((0, 0))
        self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)

    def drain(self) -> None:
        """Forget what was told so far."""
        while select.select([self._socket], [], [], 0)[0]:
            self._socket.recv(65_536)

    def wait_for(self, address: str, limit_seconds: float) -> float | None:
        """Return the monotonic time at which a change named *address*, None past the limit."""
        wanted = socket.inet_aton(address)
        end = time.monotonic() + limit_seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left)[0]:
                return None
            message = self._socket.recv(65_536)
            if wanted in message:
                return time.monotonic()
        return None

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
