"""Runs lines through our own filters with the real configuration and matcher."""

from collections.abc import Iterable
from datetime import datetime

from banish.config import filter_settings
from banish.detect.matcher import Matcher
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from tests.filters.samples import SHARE

NOW = Instant(datetime.fromisoformat("2026-11-22T23:00:00").timestamp())
"""Just after every sample."""


def spec_of(name: str, **options: str) -> str:
    """Return the filter as a jail would write it: ``sshd[mode=ddos]``."""
    arguments = ",".join(f"{key}={value}" for key, value in options.items())
    return f"{name}[{arguments}]" if arguments else name


class Judge:
    """One filter at work, with its options."""

    def __init__(self, name: str, **options: str) -> None:
        backend = "systemd" if options.get("logtype") == "journal" else "auto"
        self.settings = filter_settings(spec_of(name, **options), SHARE, SHARE, backend=backend)
        self.matcher = Matcher("test", self.settings, Seconds(86_400 * 30))

    def read(self, line: str, *, at: Instant | None = None) -> Failure | None:
        """Return the failure that the next line makes, if any."""
        failures = self.matcher.trace(line, NOW, at).failures
        assert len(failures) <= 1
        return failures[0] if failures else None

    def hosts(self, lines: Iterable[str]) -> list[str]:
        """Return whom the lines count against, one for each failure."""
        found = (self.read(line) for line in lines)
        return [failure.subject.text for failure in found if failure is not None]

    def rule(self, line: str, *, at: Instant | None = None) -> int:
        """Return which failregex matches the next line, counted from 1; 0 for none."""
        return self.matcher.trace(line, NOW, at).rule
