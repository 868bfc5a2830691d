"""Shows something again and again: in place on a terminal, below each other elsewhere."""

import io
import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from banish.cli.pasteable import pasteable
from banish.errors import BanishError
from banish.telemetry.lines import harmless

_TOP, _END_OF_LINE, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
"""Move to the top left; clear what is right of the cursor; clear what is below it."""


class _Sheet(io.StringIO):
    """What is drawn before it is shown; it has the colours of standard output."""

    def isatty(self) -> bool:
        """Whether standard output is a terminal."""
        return sys.stdout.isatty()


def watch(draw: Callable[[TextIO], int], seconds: float, *, apart: str = "\n") -> int:
    """Show what *draw* writes every *seconds* until Ctrl-C; return what it returned last.

    A server that does not answer is shown as such, and asked again. Where standard output is
    no terminal, *apart* stands between two drawings.
    """
    code = 0
    try:
        while True:
            sheet = _Sheet()
            try:
                code = draw(sheet)
            except BanishError as error:
                code = 1
                lines = pasteable(f"banish: {error}").split("\n")
                sheet.write("\n".join(map(harmless, lines)) + "\n")
            _show(sheet.getvalue(), apart)
            time.sleep(seconds)
    except KeyboardInterrupt:
        return code


def _show(text: str, apart: str) -> None:
    if sys.stdout.isatty():
        lines = text.splitlines()[: shutil.get_terminal_size().lines - 1]
        text = _TOP + "".join(f"{line}{_END_OF_LINE}\n" for line in lines) + _BELOW
        apart = ""
    sys.stdout.write(text + apart)
    sys.stdout.flush()
