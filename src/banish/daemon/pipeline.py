"""The way of a line: from a source through detectors and policies to a commit.

One pipeline runs per source and serves all jails that watch it, so that a log
is read once. A batch is finished before the next is asked for; only resolving
names and asking whom ``ignorecommand`` exempts wait in between.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path, PurePosixPath

import msgspec

from banish.daemon.enforcing import EnforcementTask
from banish.daemon.jails import Jails
from banish.daemon.watchdog import Watchdog
from banish.daemon.zones import Zones
from banish.detect.detector import Detector
from banish.detect.matcher import Matcher
from banish.detect.prefilter.block import BlockPrefilter
from banish.detect.quarantine import Offence, Quarantined, Released, rule_name
from banish.errors import ResolveError
from banish.model.address import Subject, SubjectKind
from banish.model.failure import Failure
from banish.model.instant import Instant
from banish.model.record import Batch, FilePosition, Position
from banish.ports import Clock, Resolver, Source
from banish.telemetry.events import (
    AmbiguousMatch,
    Emit,
    LineTimedOut,
    RuleQuarantined,
    RuleReleased,
    WarningGiven,
)

MarkExempt = Callable[[Sequence[Failure], Instant], Awaitable[Sequence[Failure]]]
"""Returns failures in their order, those marked (`Failure.exempt_by`) that do not count."""

NAMES_REPORTED = 1_000
"""How many names are remembered with the time of their last report; past it all begin anew."""

NAME_REPORT_SECONDS = 86_400

RESOLVE_LIMIT = 8
"""Names resolved at once for one batch."""

Wait = Callable[[], Awaitable[None]]
"""Returns once lines may be judged."""

MakePrefilter = Callable[[Sequence[Matcher]], BlockPrefilter | None]
"""Returns what scans blocks for all of these jails; None: every line is looked at."""


class JailWatch(msgspec.Struct, frozen=True):
    """One jail's interest in a source: its matcher, and which paths it wants."""

    matcher: Matcher
    patterns: tuple[str, ...] = ()
    """Globs of the files it wants; empty: everything the source yields."""

    def wants(self, path: str) -> bool:
        """Whether lines of *path* are for this jail."""
        return not self.patterns or any(
            path == pattern or PurePosixPath(path).match(pattern) for pattern in self.patterns
        )


class Pipeline:
    """Carries one source's lines to the policies."""

    def __init__(
        self,
        source: Source,
        watches: Sequence[JailWatch],
        *,
        jails: Jails,
        enforcing: EnforcementTask,
        resolver: Resolver,
        emit: Emit,
        clock: Clock,
        exempt: MarkExempt | None = None,
        prefilter: MakePrefilter | None = None,
        watchdog: Watchdog | None = None,
        wait: Wait | None = None,
    ) -> None:
        """Carry lines of *source* to *jails*; the first one once *wait* returns."""
        self.source = source
        self.watches = tuple(watches)
        self._jails = jails
        self._enforcing = enforcing
        self._resolver = resolver
        self._emit = emit
        self._clock = clock
        self._exempt = exempt
        self._prefilter = prefilter
        self._watchdog = watchdog or Watchdog()
        self._prefix = f"{source.name}\t"
        self._positions: dict[str, Position] = {}
        self._detectors: dict[str, Detector] = {}
        self._wait = wait
        self._compiling = asyncio.Lock()
        self._shared: dict[tuple[int, ...], Detector] = {}
        self._reported_names: dict[str, Instant] = {}
        """When each name was reported last."""
        self._zones = Zones()
        self.at_work = asyncio.Lock()
        """Held while a batch is worked on; whoever holds it may end `run` between two batches."""
        self._in_hand: tuple[str, Position] | None = None
        self._failed_on: tuple[str, Position] | None = None

    def resume(self, positions: Mapping[str, Position]) -> None:
        """Go on where an earlier run stopped: *positions* are those of all sources.

        A file may have been read under another pattern before the configuration
        changed; the newest of its positions counts, so that nothing counts twice.
        """
        own = {
            key.removeprefix(self._prefix): place
            for key, place in positions.items()
            if key.startswith(self._prefix)
        }
        own_keys = set(own)
        for key, place in positions.items():
            log = key.partition("\t")[2]
            if not key.startswith(self._prefix) and _is_newer(place, own.get(log)):
                own[log] = place
                own_keys.discard(log)
        self._positions = own
        self._zones.resume(own, own_keys)

    @property
    def positions(self) -> Mapping[str, Position]:
        """How far each log was read, by the keys that `resume` takes."""
        return {self._prefix + key: place for key, place in self._positions.items()}

    async def run(self) -> None:
        """Read for ever; goes on after the last finished batch when run again.

        The logs are opened at once, so that it is known what is written from now on.
        """
        if self._in_hand is not None:
            # The batch in hand brought us down: try it once more, then step over it.
            if self._in_hand == self._failed_on:
                key, place = self._in_hand
                self._positions[key] = place
                self._emit(
                    WarningGiven(
                        part=self.source.name, what="skipped lines whose processing failed twice"
                    )
                )
            self._failed_on = self._in_hand
        batches = self.source.batches(dict(self._positions))
        async with aclosing(batches):
            async for batch in batches:
                if self._wait is not None:
                    await self._wait()
                async with self.at_work:
                    self._in_hand = (batch.source, batch.after)
                    await self._finish(batch)
                    self._in_hand = self._failed_on = None

    def undecodable(self) -> int:
        """Return how many lines so far were not valid in the log's character set."""
        return sum(detector.undecodable for detector in self._shared.values())

    async def prepare(self) -> None:
        """Compile what logs that are here need, so that their first line need not wait for it."""
        for path in self._present_paths():
            await self._detector(path)

    def _present_paths(self) -> list[str]:
        patterns = {pattern for watch in self.watches for pattern in watch.patterns}
        if not patterns:
            return ["journal"]
        return [each for each in sorted(patterns) if Path(each).exists()]

    async def _finish(self, batch: Batch) -> None:
        detector = self._detectors.get(batch.path) or await self._detector(batch.path)
        self._zones.begin(batch.source, [watch.matcher for watch in self.watches])
        failures: Sequence[Failure] = await self._feed(detector, batch)
        self._report_ambiguities()
        if SubjectKind.NAME in [failure.subject.kind for failure in failures]:
            failures = await self._resolved(failures)
        if failures and self._exempt is not None:
            failures = await self._exempt(failures, self._clock())
        key, after = self._prefix + batch.source, batch.after
        now = self._clock()
        if isinstance(after, FilePosition):
            if batch.live:
                self._zones.end(batch.source)
            after = msgspec.structs.replace(after, ahead=self._zones.ahead(batch.source), at=now)
        commit = self._jails.judge(failures, now, {key: after})
        self._positions[batch.source] = after
        await self._enforcing.put(commit)

    async def _feed(self, detector: Detector, batch: Batch) -> list[Failure]:
        """Return the failures in *batch*; what takes long lets others have their turn."""
        failures = self._watchdog.feed(detector, batch, self._clock())
        while detector.rest is not None:
            self._report_quarantines(detector)
            await asyncio.sleep(0)
            failures += self._watchdog.feed(detector, detector.rest, self._clock())
        self._report_quarantines(detector)
        return failures

    def _report_quarantines(self, detector: Detector) -> None:
        for jail, quarantine in detector.quarantines:
            for event in quarantine.drain():
                rule = rule_name(event.option, event.rule)
                match event:
                    case Offence():
                        self._emit(LineTimedOut(jail, rule, event.characters, event.line))
                    case Quarantined():
                        self._emit(RuleQuarantined(jail, rule, event.limit, event.until))
                    case Released():
                        self._emit(RuleReleased(jail, rule))

    def _report_ambiguities(self) -> None:
        for watch in self.watches:
            for reading in watch.matcher.ambiguities.drain():
                is_safe = watch.matcher.settings.ambiguous == "safe"
                self._emit(
                    AmbiguousMatch(
                        watch.matcher.jail,
                        reading.rule,
                        reading.captured,
                        reading.other,
                        reading.line,
                        (reading.trusted or "nobody") if is_safe else "",
                    )
                )

    async def _detector(self, path: str) -> Detector:
        async with self._compiling:  # `prepare` may be at it
            if path in self._detectors:
                return self._detectors[path]
            numbers = tuple(at for at, watch in enumerate(self.watches) if watch.wants(path))
            detector = self._shared.get(numbers)
            if detector is None:
                detector = self._shared[numbers] = await self._compiled(numbers)
            self._detectors[path] = detector
            return detector

    async def _compiled(self, numbers: Sequence[int]) -> Detector:
        chosen = [self.watches[number].matcher for number in numbers]
        # Compiling takes up to a second, and nobody else is to wait for it.
        prefilter = None
        if self._prefilter is not None:
            prefilter = await asyncio.to_thread(self._prefilter, chosen)
        return Detector(chosen, prefilter)

    def _report_names(
        self, failures: Sequence[Failure], answers: Mapping[str, Sequence[Subject]]
    ) -> None:
        """Tell what names stand for (``usedns = warn``), and which for nothing; each once a day."""
        warned = {
            each.matcher.jail for each in self.watches if each.matcher.settings.usedns == "warn"
        }
        for failure in failures:
            name, now = failure.subject.text, self._clock()
            if failure.subject.kind is not SubjectKind.NAME or name not in answers:
                continue
            if answers[name] and failure.jail not in warned:
                continue
            last = self._reported_names.get(name)
            if last is not None and 0 <= now - last < NAME_REPORT_SECONDS:
                continue
            if len(self._reported_names) >= NAMES_REPORTED:
                self._reported_names.clear()
            self._reported_names[name] = now
            what = f"{name} has no address, so its failures count against nobody"
            if answers[name]:
                found = ", ".join(subject.text for subject in answers[name])
                what = (
                    f"{name} was looked up: {found}; the owner of the name decides which "
                    "address it has"
                )
            cure = "log addresses instead of names, or set usedns = no"
            self._emit(WarningGiven(part=f"jail {failure.jail}", what=f"{what}; {cure}"))

    async def _resolved(self, failures: Sequence[Failure]) -> list[Failure]:
        """Return *failures* with each name replaced by its addresses, order kept."""
        names = dict.fromkeys(
            failure.subject.text for failure in failures if failure.subject.kind is SubjectKind.NAME
        )
        gate = asyncio.Semaphore(RESOLVE_LIMIT)

        async def ask(name: str) -> None:
            async with gate:
                try:
                    answers[name] = await self._resolver.addresses(name)
                except ResolveError as error:
                    self._emit(WarningGiven(part=self.source.name, what=str(error)))

        answers: dict[str, Sequence[Subject]] = {}
        await asyncio.gather(*(ask(name) for name in names))
        self._report_names(failures, answers)
        found: list[Failure] = []
        for failure in failures:
            if failure.subject.kind is not SubjectKind.NAME:
                found.append(failure)
                continue
            found.extend(
                msgspec.structs.replace(failure, subject=subject)
                for subject in answers.get(failure.subject.text, ())
            )
        return found


def _is_newer(place: Position, known: Position | None) -> bool:
    """Whether *place*, which another source reached, is a later one in the file of *known*."""
    if not isinstance(place, FilePosition):
        return False
    return not isinstance(known, FilePosition) or place.at > known.at
