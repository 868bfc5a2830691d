"""Which configuration and which socket a command line means."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from banish.control.client import Client
    from banish.model.settings import Settings


def config_dir(options: argparse.Namespace) -> Path | None:
    """Return the configuration directory: ``-c``, else the host's, None for the built-in one."""
    from banish.config import find_root  # noqa: PLC0415

    return find_root() if options.config is None else Path(options.config)


def load_settings(
    options: argparse.Namespace,
    *,
    host: bool = False,
    vet: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> "Settings":
    """Return the whole configuration; with *host* and *vet* as `banish.config.load` has it.

    *progress* is given how many of them were, and of how many. Verdicts are kept below
    ``--state``, else in the user's cache; ``--no-cache`` has all filters vetted anew.

    Raises:
        ConfigError: There is none where ``-c`` points.

    """
    from banish.config import builtin_tree, load  # noqa: PLC0415

    verdicts = None
    if vet:
        from banish.config.verdicts import Verdicts, verdicts_folder  # noqa: PLC0415

        is_read = not getattr(options, "no_cache", False)
        verdicts = Verdicts(verdicts_folder(options.state), is_read=is_read)
    return load(
        config_dir(options),
        builtin=builtin_tree(),
        host=host,
        vet=vet,
        progress=progress,
        verdicts=verdicts,
    )


def socket_path(options: argparse.Namespace) -> Path:
    """Return the server's socket: ``-s``, else below ``--state``, else the configuration's.

    Raises:
        ConfigError: There is no configuration where ``-c`` points.

    """
    if options.socket is not None:
        return Path(options.socket)
    if options.state is not None:
        return Path(options.state) / "banish.sock"
    from banish.config import builtin_tree  # noqa: PLC0415
    from banish.config.merge import Library  # noqa: PLC0415
    from banish.config.problem import Problems  # noqa: PLC0415
    from banish.config.search import open_tree  # noqa: PLC0415
    from banish.config.server import read_server  # noqa: PLC0415

    tree = open_tree(config_dir(options), builtin_tree())
    return Path(read_server(Library(tree, Problems())).socket)


def client(options: argparse.Namespace) -> "Client":
    """Return who asks the server that *options* mean."""
    from banish.control.client import Client  # noqa: PLC0415

    return Client(socket_path(options))
