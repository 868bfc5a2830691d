"""One option that configuration files may set."""

from typing import Literal

import msgspec

Kind = Literal[
    "address list", "backend", "boolean", "choice", "duration", "list", "mail addresses", "number",
    "path", "path list", "regex", "regex list", "secret file", "specification", "text", "url",
]  # fmt: skip

ReadBy = Literal["jail", "filter", "server", "variable"]
"""Who reads it. A *filter* option stands in filters, and in jails to override the filter's.
A *variable* is read by nobody: it is there to be put into other options as ``%(name)s``."""

LARGEST = 2_147_483_647


class Option(msgspec.Struct, frozen=True):
    """One option that configuration files may set."""

    name: str
    kind: Kind
    default: str
    """What counts where no file sets it, as it would be written."""
    meaning: str
    """One sentence for people; more where one is not enough."""
    read_by: ReadBy = "jail"
    least: int = 0
    """The smallest number allowed."""
    most: int = LARGEST
    """The largest number allowed."""
    choices: tuple[str, ...] = ()
