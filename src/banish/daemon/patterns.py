"""Prefilters, made once: what was compiled is kept beside the database.

Compiling the expressions of all jails takes up to seconds, reading them back
milliseconds. A file is found by a hash over all that it was made from, so it
is never out of date; one that is damaged, of another machine or of another
version of the engine is made anew. Nothing here can keep a jail from working:
without a prefilter every line is looked at.
"""

import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from banish.blocking import call_within
from banish.detect.matcher import Matcher
from banish.detect.prefilter.block import BlockPrefilter, PrefilterRefusedError, engine
from banish.detect.prefilter.plan import Plan, ingredients, make_plan
from banish.model.instant import Seconds
from banish.telemetry.events import Emit, WarningGiven

FORMAT = "4"
"""Part of every hash; to be raised whenever other expressions are made of the same regexes."""

KEPT_FILES = 256
"""The least recently used ones above that go. All stock jails at once need some 90."""

_CHECK_BYTES = 16

FILE_LIMIT = Seconds(2)
"""How long a file of the folder is waited for; its disk may hang."""


class _Kept(msgspec.Struct, frozen=True):
    """What a file holds, behind its check sum."""

    plan: Plan
    database: bytes


class Patterns:
    """Makes prefilters and keeps them.

    Args:
        folder: Where files are kept; None: nowhere.
        emit: Learns why jails look at every line.
        wanted: False: make none at all.

    """

    def __init__(self, folder: Path | None, *, emit: Emit, wanted: bool = True) -> None:
        self._folder = folder
        self._emit = emit
        self._engine = engine() if wanted else None
        self._made: dict[str, BlockPrefilter] = {}

    def prefilter(self, matchers: Sequence[Matcher]) -> BlockPrefilter | None:
        """Return the prefilter of *matchers*; None where every line is to be looked at."""
        if self._engine is None or not matchers:
            return None
        name = self._name(matchers)
        made = self._made.get(name)
        if made is None:
            made = self._read(name)
        if made is None:
            try:
                made = BlockPrefilter(make_plan(matchers))
            except PrefilterRefusedError as error:
                self._emit(WarningGiven(part="prefilter", what=f"{error}; it goes on without"))
                return None
            self._write(name, _Kept(made.plan, made.serialised()))
        self._made[name] = made
        return made

    def _name(self, matchers: Sequence[Matcher]) -> str:
        parts = (FORMAT, sys.version, getattr(self._engine, "__version__", ""))
        text = repr((parts, [ingredients(matcher) for matcher in matchers]))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def _read(self, name: str) -> BlockPrefilter | None:
        if self._folder is None:
            return None
        path = self._folder / name

        def read() -> bytes:
            content = path.read_bytes()
            os.utime(path)
            return content

        try:
            content = call_within(FILE_LIMIT, read)
            check, packed = content[:_CHECK_BYTES], content[_CHECK_BYTES:]
            if check != _check(packed):
                return None
            kept = msgspec.msgpack.decode(packed, type=_Kept)
            return BlockPrefilter(kept.plan, kept.database)
        except TimeoutError:
            self._folder = None  # each further file would be waited for, too
            return None
        except (OSError, msgspec.MsgspecError, PrefilterRefusedError):
            return None

    def _write(self, name: str, kept: _Kept) -> None:
        if self._folder is None:
            return
        packed, folder = msgspec.msgpack.encode(kept), self._folder
        try:
            call_within(FILE_LIMIT, lambda: _keep(folder, name, _check(packed) + packed))
        except OSError as error:
            why = "its disk does not answer" if isinstance(error, TimeoutError) else error
            self._emit(WarningGiven(part="prefilter", what=f"cannot be kept: {why}"))


def _keep(folder: Path, name: str, content: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=folder, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(partial).rename(folder / name)
    except OSError:
        Path(partial).unlink(missing_ok=True)
        raise
    files = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in files[KEPT_FILES:]:
        with contextlib.suppress(OSError):
            old.unlink()


def _check(packed: bytes) -> bytes:
    return hashlib.blake2b(packed, digest_size=_CHECK_BYTES).digest()
