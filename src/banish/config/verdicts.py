"""Keeps what was found unsafe in each filter, so that it is not proven again.

A verdict is kept under a digest of all it follows from: the filter without its
places, the prover's own source, Python, and the processor, as some regexes are
judged by the clock. What is kept is data like any other: it counts only if it
lies in files of our own user that nobody else may write, and is of the very form
that we write. All of it is a nicety: where it cannot be kept, it is proven again.
"""

import contextlib
import hashlib
import os
import platform
import re
import secrets
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

import banish
from banish.config.ownfolder import open_folder
from banish.model.settings import FilterSettings, Place, Regex

VERDICTS_LIMIT = 1_000
"""Most verdicts that are kept."""

FOLDER_LIMIT_BYTES = 16 << 20
"""Most bytes that all verdicts together may have."""

VERDICT_LIMIT_BYTES = 256 << 10
"""Most bytes of one verdict; a larger one is neither written nor read."""

SYSTEM_FOLDER = Path("/var/cache/banish")
"""Where root keeps verdicts."""

_OWN = re.compile(r"[0-9a-f]{64}(?:\.json|\.[0-9a-f]{16}\.new)")

_PROVERS = (
    "detect", "model", "errors.py",
    "config/vetting.py", "config/stopwatch.py", "config/verdicts.py",
)  # fmt: skip
"""What finds and words what is unsafe, below the folder of the package."""

_PROCESSOR = ("model name", "cpu implementer", "cpu part", "hardware", "cpu model")


class Flaw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is unsafe in one regex, in words."""

    option: Literal["failregex", "ignoreregex", "prefregex"]
    rule: int
    """The regex, counted from 1; 0 for the prefregex."""
    what: str
    cure: str

    def place(self, settings: FilterSettings) -> Place | None:
        """Return where the regex stands in *settings*.

        Raises:
            IndexError: It has no such regex.

        """
        regexes: tuple[Regex, ...] = (settings.prefregex,) if settings.prefregex else ()
        number = self.rule
        if self.option != "prefregex":
            regexes = getattr(settings, self.option)
            number -= 1
        if not 0 <= number < len(regexes):
            raise IndexError(number)
        return regexes[number].place


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is unsafe in one filter, as it is kept."""

    key: str
    flaws: tuple[Flaw, ...]


def verdicts_folder(state: str | None) -> Path | None:
    """Return the folder of verdicts: in *state*, else in the user's or root's cache.

    None: this user has no home.
    """
    if state is not None:
        return Path(state).absolute() / "verdicts"
    if os.geteuid() == 0:
        return SYSTEM_FOLDER / "verdicts"
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if chosen.is_absolute():  # what is not counts as unset, says the XDG specification
        return chosen / "banish" / "verdicts"
    try:
        return Path.home() / ".cache" / "banish" / "verdicts"
    except RuntimeError:
        return None


class Verdicts:
    """The verdicts in *folder*, which is made when it is first needed.

    With *is_read* false none is returned, and those found anew replace what is kept.
    Nothing here raises for what is in the way: there is no verdict then, or none is kept.
    """

    def __init__(self, folder: Path | None, *, is_read: bool = True) -> None:
        self._folder = folder
        self._is_read = is_read
        self._basis = _basis()
        self._opened: int | None = None

    def find(self, settings: FilterSettings) -> tuple[Flaw, ...] | None:
        """Return what is known to be unsafe in *settings*; None: nothing is known."""
        folder = self._open()
        if not self._is_read or folder is None:
            return None
        key = self._key(settings)
        try:
            text = _read(folder, f"{key}.json")
            verdict = msgspec.json.decode(text, type=Verdict)
            for flaw in verdict.flaws:
                flaw.place(settings)
        except (OSError, ValueError, IndexError, RecursionError):
            return None
        if verdict.key != key or not all(map(_is_plain, verdict.flaws)):
            return None
        with contextlib.suppress(OSError):
            os.utime(f"{key}.json", dir_fd=folder, follow_symlinks=False)  # the oldest go first
        return verdict.flaws

    def keep(self, settings: FilterSettings, flaws: tuple[Flaw, ...]) -> None:
        """Keep *flaws* as all that is unsafe in *settings*."""
        folder = self._open()
        if folder is None:
            return
        key = self._key(settings)
        text = msgspec.json.encode(Verdict(key, flaws))
        if len(text) <= VERDICT_LIMIT_BYTES:
            with contextlib.suppress(OSError):
                _write(folder, key, text)

    def close(self) -> None:
        """Remove the oldest verdicts beyond the limits, and close the folder."""
        if self._opened is None:
            return
        with contextlib.suppress(OSError):
            _prune(self._opened)
        os.close(self._opened)
        self._opened = None

    def _open(self) -> int | None:
        if self._opened is None and self._folder is not None and self._basis:
            try:
                self._opened = open_folder(self._folder)
            except (OSError, ValueError):
                self._folder = None
        return self._opened

    def _key(self, settings: FilterSettings) -> str:
        placeless = msgspec.structs.replace(
            settings,
            name="",
            failregex=tuple(Regex(regex.text) for regex in settings.failregex),
            ignoreregex=tuple(Regex(regex.text) for regex in settings.ignoreregex),
            prefregex=Regex(settings.prefregex.text) if settings.prefregex else None,
            datepattern=Regex(settings.datepattern.text) if settings.datepattern else None,
        )
        return hashlib.sha256(self._basis + msgspec.json.encode(placeless)).hexdigest()


def prover_files() -> list[Path]:
    """Return the source files that a verdict follows from; none where there is no source."""
    package = Path(banish.__file__).parent
    found = [package / name for name in _PROVERS]
    return sorted(
        file
        for each in found
        for file in (each.rglob("*.py") if each.is_dir() else [each])
        if file.is_file()
    )


def _basis() -> bytes:
    """Return a digest of what every verdict follows from; empty if that cannot be read."""
    files = prover_files()
    if not files:
        return b""
    digest = hashlib.sha256()
    parts = [sys.version, sys.implementation.name, msgspec.__version__, *time.tzname]
    parts += [platform.machine(), *_processor()]
    try:
        for file in files:
            parts += [str(file.relative_to(files[0].parents[1])), file.read_text("utf-8")]
    except (OSError, ValueError):
        return b""
    digest.update(msgspec.json.encode(parts))
    return digest.digest()


def _processor() -> list[str]:
    """Return what the kernel calls the processors of this machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    return sorted({line for line in lines if line.lower().startswith(_PROCESSOR)})


def _is_plain(flaw: Flaw) -> bool:
    """Whether a terminal acts on nothing in *flaw* but its ends of lines."""
    return all(line.isprintable() for line in (flaw.what, *flaw.cure.split("\n")))


def _read(folder: int, name: str) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.open(name, flags, dir_fd=folder)
    with open(file, "rb") as stream:  # noqa: PTH123 - it is open already
        about = os.fstat(file)
        is_own = about.st_uid == os.geteuid() and not about.st_mode & 0o022
        if not stat.S_ISREG(about.st_mode) or not is_own:
            raise ValueError(name)
        text = stream.read(VERDICT_LIMIT_BYTES + 1)
    if len(text) > VERDICT_LIMIT_BYTES:
        raise ValueError(name)
    return text


def _write(folder: int, key: str, text: bytes) -> None:
    """Put *text* in place as a whole, whoever else writes the same."""
    new = f"{key}.{secrets.token_hex(8)}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(new, flags, 0o600, dir_fd=folder)
    try:
        with open(file, "wb") as stream:  # noqa: PTH123 - it is open already
            stream.write(text)
        os.rename(new, f"{key}.json", src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new, dir_fd=folder)
        raise


def _prune(folder: int) -> None:
    """Remove the oldest files of *folder* that are beyond the limits."""
    total = 0
    for at, (_, name, size) in enumerate(sorted(_files(folder), reverse=True)):
        total += size
        if at >= VERDICTS_LIMIT or total > FOLDER_LIMIT_BYTES:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)


def _files(folder: int) -> Iterator[tuple[int, str, int]]:
    """Yield of each file that is of our making when it was used, its name and its bytes."""
    for name in os.listdir(folder):
        if _OWN.fullmatch(name):
            with contextlib.suppress(OSError):  # another check has removed it
                about = os.stat(name, dir_fd=folder, follow_symlinks=False)
                yield about.st_mtime_ns, name, about.st_size
