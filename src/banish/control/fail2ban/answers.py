"""The seam between Fail2Ban's wire and what its commands mean on our server."""

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from banish.control.listener import Peer

Value: TypeAlias = Any
"""str, bytes, int, float, bool, None, and tuples, lists, dicts and sets of these: nothing else
goes over the wire."""


class CommandError(Exception):
    """A command was not carried out: a reply with code 1.

    *kind* is the name of the exception that Fail2Ban would send, *text* what it says.
    """

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self.text = text
        super().__init__(text)


class Answerer(Protocol):
    """Knows what commands mean."""

    async def answer(self, command: list[Value], peer: "Peer") -> Value:
        """Return the value of a good reply.

        Raises:
            CommandError: There is none.

        """
