"""``fail2ban-regex``: tries a filter or a regular expression on a log.

Options are read with optparse, as Fail2Ban does it: it takes an option's value
whatever that begins with (``-d -%Y``), where argparse would take it for another
option. ``-l``, ``-t`` and ``--full-traceback`` are taken and of no effect, since
trying a filter logs nothing here; so is ``-D``, which makes links to a web site.
"""

import locale
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from optparse import OptionParser, Values
from pathlib import Path
from typing import Any

import msgspec

from banish import __version__
from banish.cli.fail2ban.programs import COMPATIBLE, FAILED
from banish.cli.fail2ban.regex_choice import HERE, FilterChoice, choose, shorten
from banish.cli.fail2ban.regex_lines import JOURNAL, InputLine, open_lines
from banish.cli.fail2ban.regex_output import output_of
from banish.cli.fail2ban.regex_report import HEADING, report_lines, safe
from banish.cli.fail2ban.regex_trial import Limits, RegexTrial
from banish.cli.trial import watched
from banish.config import find_root
from banish.detect.datepattern import parse_datepattern
from banish.detect.matcher import Matcher
from banish.errors import RequestError
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, Regex, UseDns

_FOR_EVER = Seconds(float("inf"))

_DESCRIPTION = """\
LOG: a log file, a line as such, systemd-journal (optionally with arguments, such
as systemd-journal[journalflags=1]), or - for the standard input. REGEX: a failregex,
a jail, a filter (optionally with options, such as sshd[mode=aggressive]), or the path of
a filter file. IGNOREREGEX: an ignoreregex."""

_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any], str], ...] = (
    (("-c", "--config"), {}, "set alternate config directory"),
    (("-d", "--datepattern"), {}, "set custom pattern used to match date/times"),
    (("--timezone", "--TZ"), {}, "set time-zone of times that name none"),
    (("-e", "--encoding"), {}, "file encoding; default: system locale"),
    (("-r", "--raw"), {"action": "store_true"}, "raw hosts, don't resolve dns"),
    (("--usedns",), {}, "what becomes of names: yes, warn, no or raw"),
    (("-L", "--maxlines"), {"type": "int"}, "maxlines for multi-line regex"),
    (("-m", "--journalmatch"), {}, "journal match, instead of the filter's"),
    (("-l", "--log-level"), {}, "of no effect"),
    (("-V",), {"action": "store_true"}, "print the version, nothing but the number"),
    (("-v", "--verbose"), {"action": "count"}, "increase verbosity"),
    (("--verbosity",), {"type": "int", "dest": "verbose"}, "set verbosity (0..4)"),
    (("--verbose-date", "--VD"), {"action": "store_true"}, "show date patterns and regexes"),
    (("-D", "--debuggex"), {"action": "store_true"}, "of no effect"),
    (("--no-check-all",), {"action": "store_true"}, "stop at the first regex that matches a line"),
    (("-o", "--out"), {}, "print row, id, ip, msg, host, a group or a text with tags"),
    (("-i", "--invert"), {"action": "store_true"}, "with -o: print the lines that do not match"),
    (("--print-no-missed",), {"action": "store_true"}, "do not print missed lines"),
    (("--print-no-ignored",), {"action": "store_true"}, "do not print ignored lines"),
    (("--print-all-matched",), {"action": "store_true"}, "print all matched lines"),
    (("--print-all-missed",), {"action": "store_true"}, "print all missed lines"),
    (("--print-all-ignored",), {"action": "store_true"}, "print all ignored lines"),
    (("-t", "--log-traceback"), {"action": "store_true"}, "of no effect"),
    (("--full-traceback",), {"action": "store_true"}, "of no effect"),
)  # fmt: skip


def run(name: str, words: Sequence[str]) -> int:
    """Do what *words* say, called *name*, and return the exit code.

    Raises:
        BanishError: The log, the filter or an option is wrong.

    """
    parser = _parser(name)
    try:
        options, arguments = parser.parse_args(list(words))
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else FAILED
    if options.V:
        print(COMPATIBLE)
        return 0
    wrong = [
        f"ERROR: --print-no-{kind} and --print-all-{kind} are mutually exclusive."
        for kind in ("missed", "ignored")
        if getattr(options, f"print_no_{kind}") and getattr(options, f"print_all_{kind}")
    ]
    if len(arguments) not in (2, 3):
        wrong.append("ERROR: provide both <LOG> and <REGEX>.")
    if wrong:
        parser.print_help()
        print("\n" + "\n".join(wrong), file=sys.stderr)
        return FAILED
    _try(options, *arguments)
    return 0


def _parser(name: str) -> OptionParser:
    parser = OptionParser(
        prog=name,
        usage="%prog [OPTIONS] <LOG> <REGEX> [IGNOREREGEX]",
        version=f"%prog {COMPATIBLE} (banish {__version__})",
        description=_DESCRIPTION,
        epilog=f"example: {name} /var/log/auth.log sshd",
    )
    for names, how, purpose in _OPTIONS:
        parser.add_option(*names, help=purpose, **how)
    parser.set_defaults(verbose=0)
    return parser


def _try(options: Values, log: str, regex: str, ignoreregex: str = "") -> None:
    """Try *regex* on *log* and print what came of it."""
    reports = not options.out
    if reports:
        _say(HEADING)
    from_journal = log.startswith(JOURNAL)
    root = find_root() if options.config is None else Path(options.config)
    choice = choose(regex, root, from_journal=from_journal)
    settings = _settings(options, choice, ignoreregex)
    checks_all = not (options.no_check_all or options.out)
    matcher = Matcher("fail2ban-regex", settings, _FOR_EVER, check_all=checks_all)
    encoding = options.encoding or locale.getpreferredencoding(do_setlocale=False)
    said, lines = open_lines(
        log, encoding, maxlines=settings.maxlines, matches=settings.journalmatch
    )
    if reports:
        _say(_used(options, choice, settings, ignoreregex, from_journal=from_journal))
        _say([*said, ""])
    limits = Limits(
        options.maxlines or 20,
        bool(options.print_all_matched),
        bool(options.print_all_ignored),
        bool(options.print_all_missed),
        bool(options.print_no_ignored),
        bool(options.print_no_missed),
    )
    with (
        watched([matcher]),
        RegexTrial(matcher, limits, checks_all=checks_all, verbose=options.verbose > 0) as trial,
    ):
        if reports:
            trial.feed_all(lines, _now)
            shows_patterns = bool(options.verbose_date)
            for line in report_lines(trial, options.verbose, shows_patterns=shows_patterns):
                print(line)
        else:
            _put_out(trial, lines, options.out, inverted=bool(options.invert))


def _put_out(trial: RegexTrial, lines: Iterable[InputLine], token: str, *, inverted: bool) -> None:
    output = output_of(token, trial.matcher)
    for line in lines:
        if line.at is None and (not line.text or line.text.startswith("#")):
            continue
        report, found = trial.feed(line, _now())
        hits = [] if report.state in ("ignored", "informing", "pending") else found
        if inverted and not hits:
            print(safe(line.text))
        elif not inverted:
            for each in hits:
                for text in output(each):
                    print(safe(text))


def _settings(options: Values, choice: FilterChoice, ignoreregex: str) -> FilterSettings:
    """Return what is to be tried: what was chosen, but for what the command line says."""
    settings = choice.settings
    changes: dict[str, object] = {}
    if options.datepattern:
        changes["datepattern"] = Regex(options.datepattern, HERE)
    if options.timezone:
        changes["logtimezone"] = options.timezone
    if options.maxlines:
        changes["maxlines"] = options.maxlines
    if options.raw or options.usedns:
        changes["usedns"] = "raw" if options.raw else _use_dns(options.usedns)
    if options.journalmatch is not None:
        try:
            changes["journalmatch"] = (tuple(shlex.split(options.journalmatch)),)
        except ValueError as error:
            raise RequestError(f'"{options.journalmatch}": {error}', where="-m") from error
    if ignoreregex:
        changes["ignoreregex"] = (*settings.ignoreregex, Regex(ignoreregex, HERE))
    return msgspec.structs.replace(settings, **changes)


def _use_dns(word: str) -> UseDns:
    match word.lower():
        case "yes" | "true" | "on" | "1":
            return "yes"
        case "warn" | "raw" as known:
            return "warn" if known == "warn" else "raw"
        case _:
            return "no"


def _used(
    options: Values,
    choice: FilterChoice,
    settings: FilterSettings,
    ignoreregex: str,
    *,
    from_journal: bool,
) -> list[str]:
    """Return the lines that say what is used, in Fail2Ban's order."""
    maxlines = [f"Use         maxlines : {settings.maxlines}"]
    dates: list[str] = []
    if settings.datepattern is not None and not from_journal:
        pattern = settings.datepattern.text
        templates = parse_datepattern(settings.datepattern)
        name = templates[0].name if 1 <= len(templates) <= 2 else "Default Detectors"
        dates = [f"Use      datepattern : {pattern} : {name}"]
    said: list[str] = []
    if options.maxlines:
        said += maxlines
    if options.datepattern:
        said += dates
    said += choice.said
    if options.verbose > 1 and choice.real is not None:
        said.append(f"Real  filter options : {choice.real!r}")
    if "maxlines" in choice.sets and not options.maxlines:
        said += maxlines
    if "datepattern" in choice.sets and not options.datepattern:
        said += dates
    if ignoreregex:
        said.append(f"Use ignoreregex line : {shorten(ignoreregex)}")
    return said


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        print(safe(line))


def _now() -> Instant:
    return Instant(time.time())
