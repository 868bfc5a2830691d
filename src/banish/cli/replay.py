"""``banish replay``: past logs through the real detector and policy, in the time of the logs.

Each log is read once, however many jails watch it; from there on only failures
count, and those of several logs are merged by their times as far as each log's
own order allows. Nothing is asked of this host: names are not resolved, its
addresses are not looked up (of them only loopback is exempt), the firewall is
not touched. So the same logs give the same decisions anywhere.
"""

import argparse
import glob
import heapq
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from banish import __version__
from banish.cli.places import config_dir
from banish.cli.rendering import Page, dim, good, strong, warn
from banish.cli.trial import log_or_input, parse_now, tell_slow, trial_jail
from banish.cli.wording import count, plural
from banish.daemon.watchdog import Watchdog
from banish.detect.detector import Detector
from banish.detect.framing import count_lines
from banish.detect.matcher import Matcher
from banish.errors import RequestError
from banish.exempt.file import AddressFile
from banish.model.address import parse_subject
from banish.model.codec import to_json
from banish.model.decision import EndBan, HeldBack, StartBan
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds, iso_text
from banish.model.settings import JailSettings, Problem
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy
from banish.sources.replay import read_log
from banish.telemetry.clocktext import clock_text

EXAMPLE = """examples:
  banish replay --jail sshd /var/log/auth.log.1 /var/log/auth.log
  banish replay --jail sshd=auth.log --jail nginx-http-auth=error.log
  zcat old.gz | banish replay --jail sshd - --json

After the last line time runs on until every ban that ends has ended.
"""

FOR_EVER = Seconds(float("inf"))

LOOPBACK = tuple(map(parse_subject, ("127.0.0.0/8", "::1")))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``replay`` takes."""
    parser.add_argument(
        "--jail",
        dest="jails",
        metavar=("J[=LOG]", "LOG"),
        nargs="+",
        action="append",
        required=True,
        help=(
            "a jail and its logs (- reads standard input); without logs, those it is "
            "configured to watch"
        ),
    )
    parser.add_argument(
        "--speed",
        choices=["max"],
        default="max",
        help="as fast as possible (the only speed so far)",
    )
    parser.add_argument("--now", metavar="TIME", help="pretend it is TIME (ISO 8601 or seconds)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a decision")
    # Logs that stand apart from their --jail belong to the one named last.
    parser.set_defaults(operands=[])


class Totals:
    """What a replay came to."""

    def __init__(self) -> None:
        self.lines = 0
        self.failures = 0
        self.bans = 0
        self.held = 0
        self.ambiguous = 0
        """Lines that could name two addresses."""


def run(options: argparse.Namespace) -> int:
    """Replay, and print each decision as it falls."""
    started = time.perf_counter()
    now = Instant(time.time()) if options.now is None else parse_now(options.now)
    root = config_dir(options)
    jails: dict[str, JailSettings] = {}
    watched: dict[str, list[str]] = {}
    for name, logs in _wishes([*options.jails[:-1], [*options.jails[-1], *options.operands]]):
        if name not in jails:
            problems: list[Problem] = []
            jails[name] = trial_jail(name, root, __version__, found=problems)
            _warn(problems)
        for log in logs or _own_logs(jails[name]):
            names = watched.setdefault(log, [])
            if name not in names:
                names.append(name)
    totals = Totals()
    policies = {name: _policy(jail) for name, jail in jails.items()}
    streams = [
        _failures(log, [jails[name] for name in names], now, totals)
        for log, names in watched.items()
    ]
    printer = JsonTeller() if options.json else PageTeller(Page(), quiet=options.verbosity < 0)
    for decision in decide(policies, _merged(streams), totals):
        printer.decision(decision)
    printer.summary(totals, time.perf_counter() - started)
    return 0


def _warn(problems: Iterable[Problem]) -> None:
    """Tell of settings that ban whole networks too easily."""
    for problem in problems:
        if problem.option.startswith(("banprefix.", "netban.")):
            print(f"banish: {problem}", file=sys.stderr)


def _wishes(words: Sequence[Sequence[str]]) -> Iterator[tuple[str, list[str]]]:
    """Yield each jail with the logs named for it: ``J=LOG``, ``J LOG...``, or none."""
    for first, *logs in words:
        name, equals, log = first.partition("=")
        yield name, [log, *logs] if equals else logs


def _own_logs(jail: JailSettings) -> list[str]:
    found = [
        path
        for entry in jail.logpaths
        for path in sorted(glob.glob(entry.pattern))  # noqa: PTH207 - absolute patterns
        if path != "/dev/null"
    ]
    if not found:
        raise RequestError(
            "no log was given, and none of the logs it watches exists",
            where=f"jail {jail.name}",
            cure=f"name one: --jail {jail.name}=LOG",
        )
    return found


def _policy(jail: JailSettings) -> JailPolicy:
    exempt = ExemptList(jail.ignoreip, LOOPBACK if jail.ignoreself else ())
    for path in exempt.files:
        members = AddressFile(
            path
        ).check()  # one that cannot be read was reported with the settings
        if members is not None:
            exempt.set_file(path, members)
    return JailPolicy(jail, exempt)


def _failures(
    log: str, jails: Sequence[JailSettings], now: Instant, totals: Totals
) -> Iterator[Failure]:
    """Yield what the jails find in *log*, in the order of its lines, and count the lines."""
    # However old a line is, it counts: so to the matcher findtime has no end.
    detector = Detector([Matcher(jail.name, jail.filter, FOR_EVER) for jail in jails])
    watchdog = Watchdog()
    for batch in read_log(log_or_input(log)):
        with watchdog.over(detector.matchers):
            found = detector.feed(batch, now)
        totals.lines += count_lines(batch.block)
        totals.failures += sum(failure.attempts for failure in found)
        yield from found
    totals.ambiguous += sum(matcher.ambiguities.total for matcher in detector.matchers)
    tell_slow(detector.matchers)


class _Timed(NamedTuple):
    """A failure at its place in the order of all logs."""

    at: float
    """The latest time in its log up to here: a log's own order is kept."""
    failure: Failure


def _in_order(failures: Iterable[Failure]) -> Iterator[_Timed]:
    latest = float("-inf")
    for failure in failures:
        latest = max(latest, failure.at)
        yield _Timed(latest, failure)


def _merged(streams: Sequence[Iterator[Failure]]) -> Iterable[Failure]:
    if len(streams) == 1:
        return streams[0]
    ordered = heapq.merge(*map(_in_order, streams), key=lambda timed: timed.at)
    return (timed.failure for timed in ordered)


def decide(
    policies: Mapping[str, JailPolicy], failures: Iterable[Failure], totals: Totals
) -> Iterator[StartBan | EndBan]:
    """Yield every decision in the order of time, the ends of all bans included."""
    now = Instant(float("-inf"))
    for failure in failures:
        if failure.at > now:
            now = failure.at
            yield from _ends(policies, now)
        verdict = policies[failure.jail].judge(failure, now)
        if isinstance(verdict, StartBan):
            totals.bans += 1
            yield verdict
            for decision in policies[failure.jail].follow():
                if isinstance(decision, StartBan):  # a member of a wider ban is not unbanned
                    totals.bans += 1
                    yield decision
        elif isinstance(verdict, HeldBack) and verdict.is_new:
            totals.held += 1
    yield from _ends(policies, FOREVER)


FOREVER = Instant(1e15)
"""After the end of every ban that ends."""


def _ends(policies: Mapping[str, JailPolicy], now: Instant) -> list[StartBan | EndBan]:
    ends: list[StartBan | EndBan] = []
    for policy in policies.values():
        if policy.due is not None and policy.due <= now:
            ends += policy.tick(now)
    ends.sort(key=lambda end: end.ban.until or now)
    return ends


class JsonTeller:
    """Prints decisions as JSON Lines."""

    def decision(self, decision: StartBan | EndBan) -> None:
        """Print one object."""
        ban = decision.ban
        starts = isinstance(decision, StartBan)
        self._write(
            {
                "time": iso_text(ban.since if starts else ban.until),
                "decision": "ban" if starts else "unban",
                "jail": ban.jail,
                "subject": ban.subject.text,
                "until": iso_text(ban.until),
                "failures": ban.failures,
            }
        )

    def summary(self, totals: Totals, seconds: float) -> None:
        """Print the last object."""
        self._write(
            {
                "summary": {
                    "lines": totals.lines,
                    "failures": totals.failures,
                    "bans": totals.bans,
                    "held_back": totals.held,
                    "ambiguous": totals.ambiguous,
                    "seconds": round(seconds, 3),
                }
            }
        )

    def _write(self, document: Mapping[str, object]) -> None:
        sys.stdout.write(to_json(document).decode() + "\n")


class PageTeller:
    """Prints decisions for people; with *quiet* only the summary."""

    def __init__(self, page: Page, *, quiet: bool) -> None:
        self._page = page
        self._quiet = quiet

    def decision(self, decision: StartBan | EndBan) -> None:
        """Print one line."""
        if self._quiet:
            return
        ban = decision.ban
        if isinstance(decision, StartBan):
            until = "without end" if ban.until is None else f"until {clock_text(ban.until)}"
            self._page.line(
                dim(clock_text(ban.since)),
                warn("  ban    "),
                f"{ban.jail}  ",
                strong(ban.subject.text),
                f"  {until}",
                dim(f" ({plural(ban.failures, 'failure')})"),
            )
        else:
            at = clock_text(ban.until) if ban.until is not None else ""
            self._page.line(dim(at), good("  unban  "), f"{ban.jail}  ", strong(ban.subject.text))

    def summary(self, totals: Totals, seconds: float) -> None:
        """Print the last line."""
        if totals.bans and not self._quiet:
            self._page.line()
        if totals.held:
            held = plural(totals.held, "ban")
            self._page.line(warn(f"{held} held back by the ban budget (banbudget)"))
        if totals.ambiguous:
            could = plural(totals.ambiguous, "line")
            self._page.line(warn(f"{could} could name two addresses (ambiguous)"))
        rate = totals.lines / seconds if seconds else 0.0
        self._page.line(
            strong(plural(totals.lines, "line")),
            f", {plural(totals.failures, 'failure')}, {plural(totals.bans, 'ban')}",
            dim(f" in {seconds:.2f} s ({count(int(rate))} lines/s)"),
        )
