"""Every error meant to be caught, sorted by who must act.

The operator reads where, what and the cure. The machine's errors are retried
by the supervisor and then degrade. An attacker never causes an exception:
hostile input is data, counted and dropped. Our own bugs stay plain exceptions
and stop their own task only.
"""


class BanishError(Exception):
    """The root of every error that banish raises on purpose."""


class OperatorError(BanishError):
    """Something that the operator can fix.

    ``str(error)`` is one or two lines: ``where: what is wrong`` and, indented
    below it, the cure.
    """

    def __init__(self, what: str, *, where: str = "", cure: str = "") -> None:
        self.where = where
        self.what = what
        self.cure = cure
        super().__init__(what)

    def __str__(self) -> str:
        first = f"{self.where}: {self.what}" if self.where else self.what
        return f"{first}\n    {self.cure}" if self.cure else first


class ConfigError(OperatorError):
    """The configuration is wrong; ``where`` is ``file:line`` if it is known."""


class RequestError(OperatorError):
    """A request to the server, or a command line, asks for what cannot be."""


class AnotherServerError(OperatorError):
    """Another server has what this one needs for itself: the control socket, the firewall."""


class MachineError(BanishError):
    """A part of the machine failed; trying again later may help if ``retry``."""

    def __init__(self, what: str, *, cure: str = "", retry: bool = True) -> None:
        self.what = what
        self.cure = cure
        self.retry = retry
        super().__init__(what)

    def __str__(self) -> str:
        return f"{self.what}\n    {self.cure}" if self.cure else self.what


class SourceError(MachineError):
    """A log cannot be read."""


class EnforceError(MachineError):
    """The firewall did not take a batch; nothing of the batch took effect."""


class DisturbedError(EnforceError):
    """Somebody else changed the firewall in the midst of our work; to be tried again at once."""


class ActionError(MachineError):
    """A command of an action failed or took too long."""


class StoreError(MachineError):
    """The database cannot be opened, read or written."""


class ResolveError(MachineError):
    """A name could not be turned into addresses."""


class ControlError(MachineError):
    """The server behind the control socket cannot be reached or understood.

    ``running``: whether a server is known to run all the same.
    """

    def __init__(
        self, what: str, *, cure: str = "", retry: bool = True, running: bool = False
    ) -> None:
        self.running = running
        super().__init__(what, cure=cure, retry=retry)
