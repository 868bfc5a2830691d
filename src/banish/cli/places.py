"""Which configuration and which socket a command line means."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from banish.control.client import Client
    from banish.model.settings import Settings


def config_dir(options: argparse.Namespace) -> Path | None:
    """Return the directory of ``-c``, None where none was named."""
    return None if options.config is None else Path(options.config)


def load_settings(options: argparse.Namespace) -> "Settings":
    """Return the whole configuration.

    Raises:
        ConfigError: There is none where ``-c`` points.

    """
    from banish.config.load import builtin_tree, load  # noqa: PLC0415

    return load(config_dir(options), builtin=builtin_tree())


def socket_path(options: argparse.Namespace) -> Path:
    """Return the server's socket: ``-s``, else below ``--state``, else the configuration's."""
    if options.socket is not None:
        return Path(options.socket)
    if options.state is not None:
        return Path(options.state) / "banish.sock"
    return Path(load_settings(options).server.socket)


def client(options: argparse.Namespace) -> "Client":
    """Return who asks the server that *options* mean."""
    from banish.control.client import Client  # noqa: PLC0415

    return Client(socket_path(options))
