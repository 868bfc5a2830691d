"""A connection that stood before the ban ends as the ban begins, with a real server."""

import socket

import pytest

from banish.lab.namespaces import call_in_network
from banish.lab.world import Lab
from tests.system.guard import guarded, sshd_jail, wait_until

pytestmark = pytest.mark.system


@pytest.mark.parametrize("is_wanted", [True, False])
def test_a_connection_of_a_banned_peer_ends_where_that_is_wanted(lab: Lab, is_wanted: bool) -> None:
    def connect() -> socket.socket:
        return socket.create_connection((lab.server.ipv4, 22), 10)

    jail = sshd_jail(lab.log_path, cutconnections=str(is_wanted).lower())
    with (
        guarded(lab, jail) as guard,
        call_in_network(lab.network("attacker"), connect) as connection,
    ):
        assert connection.recv(100).startswith(b"SSH-")
        assert guard.ask("ban", "sshd", lab.attacker.ipv4)
        guard.wait_for_ban(lab.attacker.ipv4)
        if is_wanted:
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
            wait_until(lambda: "1 connection of" in guard.said(), guard.said())
        else:
            connection.settimeout(0.5)
            with pytest.raises(TimeoutError):
                connection.recv(1)
