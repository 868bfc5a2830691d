"""The server's ``auth.log`` in the lab, as the lab's holder tells of it."""

import dataclasses
import json
import subprocess
import threading
from collections.abc import Callable

from banish.lab.namespaces import LabError

START_LIMIT_SECONDS = 15.0


@dataclasses.dataclass(frozen=True)
class AuthLogLine:
    """A line of the server's ``auth.log`` and the UNIX time just before it was written."""

    at: float
    text: str


class AuthLog:
    """What the holder says, and the orders that it takes; see `banish.lab.holder`."""

    def __init__(self, holder: "subprocess.Popen[str]") -> None:
        self._holder = holder
        self._lines: list[AuthLogLine] = []
        self._done: list[str] = []
        self._error = ""
        self._is_ready = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def start(self) -> None:
        """Hear the holder from now on, and wait until the log is there.

        Raises:
            LabError: It does not start; says why.

        """
        self._reader.start()
        self._wait(lambda: self._is_ready, "the lab does not start")

    def join(self) -> None:
        """Wait until the holder, which has ended, was heard to its end."""
        if self._reader.is_alive():
            self._reader.join(5)

    def wait_for_news(self, seconds: float) -> None:
        """Return when the holder has said something, at the latest after so long."""
        with self._news:
            self._news.wait(seconds)

    def lines(self, after: int = 0) -> list[AuthLogLine]:
        """Return the log's lines so far, without the first *after*."""
        with self._news:
            return self._lines[after:]

    def wait_for_line(self, part: str, *, after: int = 0, timeout: float = 10.0) -> AuthLogLine:
        """Return the first line that contains *part*, among those after the first *after*.

        Raises:
            LabError: There was none within *timeout* seconds.

        """
        self._wait(lambda: self.has_line(part, after), f"no log line says {part!r}", timeout)
        return next(line for line in self.lines(after) if part in line.text)

    def has_line(self, part: str, after: int) -> bool:
        """Whether a line after the first *after* contains *part*."""
        return any(part in line.text for line in self.lines(after))

    def order(self, **order: str) -> None:
        """Have the holder do something with the log, and wait until it has.

        Raises:
            LabError: It did not.

        """
        assert self._holder.stdin is not None
        before = len(self._done)
        self._holder.stdin.write(json.dumps(order) + "\n")
        self._holder.stdin.flush()
        self._wait(lambda: len(self._done) > before, "the lab's log does not answer")

    def _wait(
        self, is_so: Callable[[], bool], trouble: str, timeout: float = START_LIMIT_SECONDS
    ) -> None:
        with self._news:
            self._news.wait_for(lambda: is_so() or bool(self._error), timeout)
            if is_so():
                return
        raise LabError(f"{trouble}: {self._error}" if self._error else trouble, retry=False)

    def _read(self) -> None:
        assert self._holder.stdout is not None
        for text in self._holder.stdout:
            news = json.loads(text)
            with self._news:
                if "line" in news:
                    self._lines.append(AuthLogLine(news["at"], news["line"]))
                elif "ready" in news:
                    self._is_ready = True
                elif "done" in news:
                    self._done.append(news["done"])
                else:
                    self._error = news["error"]
                self._news.notify_all()
        with self._news:
            self._error = self._error or "the lab has ended"
            self._news.notify_all()
