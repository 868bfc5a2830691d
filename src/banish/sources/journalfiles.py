"""Opens a systemd journal, and lists the files that it consists of."""

from pathlib import Path
from typing import TYPE_CHECKING

from banish.errors import SourceError
from banish.extras import how_to_install

if TYPE_CHECKING:
    from cysystemd.reader import JournalReader

SYSTEM_ONLY = 4
"""SD_JOURNAL_SYSTEM of sd_journal_open(3): no user's own journal."""

NO_JOURNAL = (
    "there is no systemd journal here; start systemd-journald, or install rsyslog and set"
    " backend = auto"
)

_STANDARD_FOLDERS = (Path("/var/log/journal"), Path("/run/log/journal"))


class JournalMissingError(Exception):
    """There is no journal yet; says where it was looked for."""


class JournalFiles:
    """One journal.

    Args:
        path: A journal file or a folder of them; None: this machine's journal.
        flags: For sd_journal_open(3), where *path* is None.

    """

    def __init__(self, path: str | None = None, flags: int = SYSTEM_ONLY) -> None:
        self.path = path
        self.flags = flags

    def names(self) -> frozenset[str]:
        """Return the paths of the journal's files; empty where there is none."""
        if self.path is None:
            patterns = [(folder, "*/*.journal") for folder in _STANDARD_FOLDERS]
        elif Path(self.path).is_dir():
            patterns = [(Path(self.path), "*.journal"), (Path(self.path), "*/*.journal")]
        else:
            return frozenset({self.path} if Path(self.path).exists() else ())
        return frozenset(str(file) for folder, pattern in patterns for file in folder.glob(pattern))

    def open(self, name: str) -> "JournalReader":
        """Return a new reader; *name* is what errors call the source.

        Raises:
            JournalMissingError: There is no journal.
            SourceError: The package cysystemd is missing.
            SystemError: It cannot be opened.

        """
        try:
            from cysystemd.reader import (  # noqa: PLC0415 - optional, the extra `journal`
                JournalOpenMode,
                JournalReader,
            )
        except ImportError as error:
            raise SourceError(
                f"{name}: the systemd journal cannot be read without the package cysystemd",
                cure=how_to_install("journal"),
                retry=False,
            ) from error
        reader = JournalReader()
        if self.path is None:
            if not self.names():
                raise JournalMissingError(NO_JOURNAL)
            reader.open(JournalOpenMode(self.flags))
        elif Path(self.path).is_dir():
            reader.open_directory(self.path)
        elif Path(self.path).exists():
            reader.open_files(self.path)
        else:
            raise JournalMissingError(f"there is no journal at {self.path} yet")
        return reader
