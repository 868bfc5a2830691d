"""Feeds the lines of one source to the filters of all its jails.

A block is split once, a line is decoded once for all jails that read the same
encoding, and its time is found once for all that look for the same formats.
Bytes that are no text become U+FFFD, counted, and match as that.
"""

from collections.abc import Sequence

from banish.detect.matcher import Matcher
from banish.detect.prefilter import Everything, Prefilter
from banish.errors import ConfigError
from banish.model.failure import Failure
from banish.model.instant import Instant
from banish.model.record import Batch


def encoding_named(name: str) -> str:
    r"""Return the codec that ``logencoding`` names; ``auto`` is UTF-8.

    Raises:
        ConfigError: There is no such encoding, or its lines do not end with the
            byte ``\n`` (UTF-16, UTF-32), so that a log cannot be cut into lines.

    """
    codec = "utf-8" if name.lower() == "auto" else name
    try:
        ends_plainly = "a\n".encode(codec) == b"a\n"
    except (LookupError, UnicodeError) as error:
        raise ConfigError(
            f'logencoding: "{name}" is not an encoding',
            cure="write a name such as utf-8 or latin-1, or leave the option out",
        ) from error
    if not ends_plainly:
        raise ConfigError(
            f'logencoding: logs in "{name}" cannot be cut into lines',
            cure="let the program write UTF-8",
        )
    return codec


class Detector:
    """All jails of one source.

    Args:
        matchers: One for each jail; their order is that of failures of one line.
        prefilter: What says beforehand where nothing can match.

    Raises:
        ConfigError: A jail's ``logencoding`` cannot be read.

    """

    def __init__(self, matchers: Sequence[Matcher], prefilter: Prefilter | None = None) -> None:
        self.matchers = tuple(matchers)
        self.undecodable = 0
        """Lines that held bytes which are no text, once for each encoding tried."""
        self._prefilter: Prefilter = prefilter or Everything()
        self._encodings = tuple(
            encoding_named(matcher.settings.logencoding) for matcher in self.matchers
        )
        finders: dict[tuple[str, str], Matcher] = {}
        for matcher in self.matchers:
            settings = matcher.settings
            pattern = settings.datepattern.text if settings.datepattern else ""
            first = finders.setdefault((pattern, settings.logtimezone), matcher)
            matcher.share_dates(first.dates)

    def feed(self, batch: Batch, now: Instant) -> list[Failure]:
        """Take the lines of *batch*; return the failures they make, in their order."""
        block = batch.block
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        failures: list[Failure] = []
        candidates = self._prefilter.scan(lines)
        wanted = (
            None
            if candidates is None
            else {(each.line, each.matcher): each.rules for each in candidates}
        )
        # Carriage returns of DOS line ends, and the hole that copytruncate leaves.
        is_odd = b"\r" in block or b"\0" in block
        pairs = tuple(zip(range(len(self.matchers)), self.matchers, self._encodings, strict=True))
        offset = batch.start
        times = batch.times
        live = batch.live
        path = batch.path
        for number, raw in enumerate(lines):
            here = offset
            offset += len(raw) + 1
            clean = raw.lstrip(b"\0").rstrip(b"\r") if is_odd else raw
            at = times[number] if times is not None else None
            decoded_as = ""
            line = ""
            for index, matcher, encoding in pairs:
                if encoding != decoded_as:
                    line = self._decode(clean, encoding)
                    decoded_as = encoding
                rules = None
                if wanted is not None and not matcher.needs_every_line:
                    if (number, index) not in wanted:
                        matcher.pass_over(line, now, live=live, path=path, offset=here, at=at)
                        continue
                    rules = wanted[number, index]
                failure = matcher.match(
                    line, now, live=live, path=path, offset=here, at=at, rules=rules
                )
                if failure is not None:
                    failures.append(failure)
        return failures

    def _decode(self, raw: bytes, encoding: str) -> str:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            self.undecodable += 1
            return raw.decode(encoding, "replace")
