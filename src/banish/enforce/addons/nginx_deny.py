"""The kind ``nginx-deny``: keeps subjects out by lines of a file that nginx includes."""

import re
from typing import Annotated

import msgspec

from banish.addon.declare import ActionAddon, ActionContext
from banish.addon.options import FilePath
from banish.enforce.files.action import FileAction, FileOptions, file_action
from banish.model.address import Subject, parse_address


class NginxDenyOptions(msgspec.Struct, frozen=True):
    """The options of its own."""

    file: Annotated[FilePath, "The file to include."] = "/etc/nginx/banish-deny.conf"
    reload: Annotated[str, "Run after each change; empty: nothing is."] = "nginx -qs reload"


class NginxDeny:
    """Lines of a file that nginx includes, see ngx_http_access_module."""

    _LINE = re.compile(r"deny ([0-9a-f:./]+);", re.ASCII)

    def write(self, subject: Subject, who: str) -> str:
        """Return ``deny subject;``."""
        del who  # nginx has no such thing
        return f"deny {subject};"

    def read(self, line: str) -> Subject | None:
        """Return whom *line* shuts out."""
        match = self._LINE.fullmatch(line)
        return parse_address(match[1]) if match else None


def make(context: ActionContext) -> FileAction:
    """Return the action of one jail."""
    options = msgspec.convert(context.settings.options, NginxDenyOptions)
    return file_action(context, FileOptions(options.file, reload=options.reload), NginxDeny())


ADDON = ActionAddon(
    "Lines of a file that nginx includes.",
    (NginxDenyOptions,),
    make,
    required=("file",),
    keeps_out=True,
)
