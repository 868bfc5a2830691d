"""The kind ``hosts-deny``: keeps subjects out by lines of the TCP Wrapper's hosts.deny."""

import ipaddress
import re
from typing import Annotated

import msgspec

from banish.addon.declare import ActionAddon, ActionContext
from banish.addon.options import FilePath
from banish.enforce.files.action import FileAction, FileOptions, file_action
from banish.enforce.files.denyfile import EVERY_SERVICE
from banish.model.address import Subject, parse_address

_NOT_OF_A_SERVICE = re.compile(r"[^A-Za-z0-9_.@-]")


class HostsDenyOptions(msgspec.Struct, frozen=True):
    """The options of its own."""

    file: Annotated[FilePath, "The file; others' lines in it stay."] = "/etc/hosts.deny"
    daemon_list: Annotated[tuple[str, ...], "The services that the banned are shut out from."] = (
        "ALL",
    )


class HostsDeny:
    """Lines of the TCP Wrapper's ``hosts.deny``, see hosts_access(5).

    IPv4 networks are written with a mask, which every version of the library reads.
    """

    _LINE = re.compile(r"[^:#\s][^:#]*: (\[[0-9a-f:.]+\](?:/\d+)?|[0-9./]+)", re.ASCII)

    def write(self, subject: Subject, who: str) -> str:
        """Return ``who: subject``."""
        if subject.family == 4:
            shown = subject.text
            if subject.is_network:
                shown = str(ipaddress.IPv4Network(subject.text).with_netmask)
        else:
            address, slash, length = subject.text.partition("/")
            shown = f"[{address}]{slash}{length}"
        return f"{who}: {shown}"

    def read(self, line: str) -> Subject | None:
        """Return whom *line* shuts out."""
        match = self._LINE.fullmatch(line)
        return parse_address(match[1]) if match else None


def make(context: ActionContext) -> FileAction:
    """Return the action of one jail."""
    options = msgspec.convert(context.settings.options, HostsDenyOptions)
    words = [_NOT_OF_A_SERVICE.sub("", word) for word in options.daemon_list]
    services = " ".join(word for word in words if word) or EVERY_SERVICE
    return file_action(context, FileOptions(options.file, services), HostsDeny())


ADDON = ActionAddon(
    "Lines of the TCP Wrapper's hosts.deny.",
    (HostsDenyOptions,),
    make,
    required=("file",),
    keeps_out=True,
)
