"""The files by which others find the server: control sockets and pid files."""

from pathlib import Path

from banish.control.activation import handed_over
from banish.control.fail2ban.answers import Answerer
from banish.control.fail2ban.bridge import Fail2BanBridge
from banish.control.server import ControlServer
from banish.daemon.upkeep import PidFile, Upkeep
from banish.errors import AnotherServerError, OperatorError
from banish.model.settings import ControlAccess, ServerSettings
from banish.ports import Operations
from banish.telemetry.events import Emit

FAIL2BAN_SOCKET = "Fail2Ban's socket"


class ServerFiles:
    """Banish's own socket and pid file, and those for clients of Fail2Ban where wanted.

    *upkeep* makes each again that is missing, and knows those that cannot be made.
    """

    def __init__(
        self,
        server: ServerSettings,
        operations: Operations,
        fail2ban: Answerer,
        *,
        emit: Emit,
        upkeep: Upkeep,
    ) -> None:
        self._upkeep = upkeep
        self._control = ControlServer(
            Path(server.socket),
            operations,
            emit,
            access=server.access,
            handed=handed_over(Path(server.socket)),
        )
        self._pid_file = PidFile(Path(server.pidfile))
        self._bridge: Fail2BanBridge | None = None
        self._second_pid_file: PidFile | None = None
        upkeep.keep("control socket", self._control.start)
        upkeep.keep("pid file", self._pid_file.ensure)
        if server.fail2bansocket:
            self._bridge = Fail2BanBridge(
                Path(server.fail2bansocket),
                fail2ban,
                emit,
                access=server.access,
                handed=handed_over(Path(server.fail2bansocket)),
            )
            upkeep.keep(FAIL2BAN_SOCKET, self._bridge.start)
        if server.fail2banpidfile:
            self._second_pid_file = PidFile(Path(server.fail2banpidfile))
            upkeep.keep("Fail2Ban's pid file", self._keep_second_pid_file)

    async def claim(self) -> None:
        """Make all of them; what cannot be made is tried again later.

        Raises:
            AnotherServerError: Another server has the socket.

        """
        try:
            await self._control.start()
        except AnotherServerError:
            raise
        except OperatorError:
            pass  # the look says so
        await self._upkeep.look()

    def follow(self, access: ControlAccess) -> None:
        """Let those connect whom *access* names."""
        self._control.follow(access)
        if self._bridge is not None:
            self._bridge.follow(access)

    async def close(self) -> None:
        """Take them away, and end every connection."""
        self._pid_file.remove()
        if self._second_pid_file is not None:
            self._second_pid_file.remove()
        if self._bridge is not None:
            await self._bridge.close()
        await self._control.close()

    async def _keep_second_pid_file(self) -> None:
        """Write the pid file of Fail2Ban, unless Fail2Ban itself runs.

        Raises:
            OperatorError: It cannot be written.

        """
        taken = FAIL2BAN_SOCKET in self._upkeep.troubles
        if self._second_pid_file is not None and not taken:
            await self._second_pid_file.ensure()
