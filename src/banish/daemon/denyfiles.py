"""Makes the actions that shut out by lines of a file, one `DenyFile` for each file."""

import os
import re
from pathlib import Path

import msgspec

from banish.enforce.command import shell
from banish.enforce.files.action import FileAction, FileOptions
from banish.enforce.files.blocks import Form, HostsDeny, NginxDeny
from banish.enforce.files.denyfile import EVERY_SERVICE, DenyFile
from banish.model.settings import ActionSettings

_NOT_OF_A_SERVICE = re.compile(r"[^A-Za-z0-9_.@-]")


class HostsDenyOptions(msgspec.Struct, frozen=True):
    """What an action of the kind ``hosts-deny`` is told."""

    file: str
    daemon_list: tuple[str, ...]
    norestored: bool
    timeout: float


class NginxDenyOptions(msgspec.Struct, frozen=True):
    """What an action of the kind ``nginx-deny`` is told."""

    file: str
    reload: str
    norestored: bool
    timeout: float


def hosts_deny(jail: str, settings: ActionSettings, shared: dict[str, object]) -> FileAction:
    """Return an action that shuts out by ``hosts.deny``."""
    options = msgspec.convert(settings.options, HostsDenyOptions)
    words = [_NOT_OF_A_SERVICE.sub("", word) for word in options.daemon_list]
    services = " ".join(word for word in words if word) or EVERY_SERVICE
    return _make(jail, settings, FileOptions(options.file, services), HostsDeny(), shared)


def nginx_deny(jail: str, settings: ActionSettings, shared: dict[str, object]) -> FileAction:
    """Return an action that shuts out by a file that nginx includes."""
    options = msgspec.convert(settings.options, NginxDenyOptions)
    given = FileOptions(options.file, reload=options.reload)
    return _make(jail, settings, given, NginxDeny(), shared)


def _make(
    jail: str,
    settings: ActionSettings,
    options: FileOptions,
    form: Form,
    shared: dict[str, object],
) -> FileAction:
    # Of one file there must be one account, or each would take out what the other wrote.
    place = os.path.realpath(options.file)
    file = shared.setdefault(f"deny file {place}", DenyFile(Path(options.file), form))
    assert isinstance(file, DenyFile)
    return FileAction(jail, settings, options, file=file, run=shell.run)
