"""Searches all stock filters for a text of a client's that bans somebody else, or nobody.

Fail2Ban's own sample lines are what services write. In each, the fields that a client fills are
found: what the filter itself calls a user, and every place that takes words with blanks beside
it (what a service alone writes is left out: numbers, brackets with the port and the field that
they stand in, all up to the first colon). Into each field goes the rest of the line around a
victim's address, from each word to each other, with names that end in words of the tail, and with
each way in which an address is written.

``python -m tests.compat.hostile_names`` makes the long search and prints its figures.
"""

import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from banish.config import builtin_tree
from banish.detect.matcher import Matcher
from banish.detect.report import LineReport
from banish.detect.session import Sessions
from tests.compat.stock_samples import NOW, Judge, fetch, read_samples

VICTIM = "203.0.113.66"
VICTIM6 = "2001:db8:66::66"
VICTIM_NAME = "victim.example.org"
VICTIMS = frozenset({VICTIM, VICTIM6, VICTIM_NAME})
WRITTEN = (VICTIM, VICTIM6, f"[{VICTIM6}]", f"::ffff:{VICTIM}", f"[{VICTIM}]", VICTIM_NAME)
LEADS = ("x from ", "x ", "x rhost=", "from ", "x user ", " by user x ", "[client ", "(")
TAILS = ("", " on", " port", " via", ".", ":", " port 22", " port 22 ssh2", " [preauth]", ": x")
NAMES = (
    "x", "a b", "x from y", "x: y", "x from", "x on", "x port", "x user", "root@x",
    "x from y from z", "x=y", "x;y", "invalid user x", "x" * 100, "x y z not allowed because",
    "\\n", "x\\", "x'y", 'x"y', "x]y", "x)y", "x>y", "x|y", "a, b", "",
)  # fmt: skip
_SERVICES_OWN = frozenset({"suhosin", "sshd 5"})
"""The one field is the path of a file of the server's, or always ROOT."""
_SERVICES_WORDS = frozenset(
    {"while", "SSL", "handshaking", "UDP", "sip", "var", "www", ".htpasswd", "one"}
)
"""nginx and Asterisk write these, and PJSIP no address with a blank; so it is with the name of a
host, which stands before a bracket."""
_SERVICES_END = frozenset({"asterisk 6", "dovecot 2", "dovecot 5"})
"""Rules behind whose address stands what the service says, or what SIP itself had in quotes."""
KNOWN_UNCOUNTED = {
    "drupal-auth 1": "Drupal puts | around all fields; no account has a | in its name",
    "pam-generic 1": "PAM writes two names; with the same text in the other one it is a victim's",
    "wuftpd 2": "as pam-generic",
}
"""Rules under which a client's text can let it off, and why that is so."""


Spans = tuple[tuple[int, int], ...]
"""Where a text stands in a line."""


@dataclass
class Figures:
    """What a search came to."""

    filters: int = 0
    rules: int = 0
    lines: int = 0
    victims: list[str] = field(default_factory=list)
    """Lines that name the victim, with their filter and rule."""
    uncounted: Counter[str] = field(default_factory=Counter)
    """How many names of a user let a client off, by filter and rule."""
    examples: dict[str, str] = field(default_factory=dict)


def search(root: Path, *, most: int, samples: int = 1) -> Figures:
    """Try about *most* texts in each field of so many sample lines of each stock rule."""
    figures = Figures()
    logs = root / "usr/lib/python3/dist-packages/fail2ban/tests/files/logs"
    for log in sorted(logs.iterdir()):
        if not (root / "etc/fail2ban/filter.d" / f"{log.name}.conf").is_file():
            continue
        figures.filters += 1
        judge = Judge(root / "etc/fail2ban", builtin_tree(), "safe")
        done: Counter[tuple[int, str]] = Counter()
        for sample in read_samples(logs, log.name):
            options = sample.options[0]
            if not sample.expected.get("match") or options.get("logtype") == "journal":
                continue
            matcher = judge.matcher(log.name, options)
            if matcher.needs_every_line:
                continue
            report = _report(matcher, sample.line)
            if not report.failures or sample.line.count(report.host) != 1 or report.readings:
                continue
            done[report.rule, str(options)] += 1
            if done[report.rule, str(options)] <= samples:
                figures.rules += done[report.rule, str(options)] == 1
                _attack(figures, f"{log.name} {report.rule}", matcher, report, most)
    return figures


def _attack(figures: Figures, name: str, matcher: Matcher, plain: LineReport, most: int) -> None:
    line, true = plain.line, plain.host
    place = line.index(true)
    counted = plain.failures[0].subject.text
    for spans, is_user in _fields(name, matcher, plain):
        texts = [*_texts(line[:place], line[place + len(true) :])]
        for text in texts[:: max(1, len(texts) // most)]:
            hostile = _with(line, spans, text)
            figures.lines += 1
            report = _report(matcher, hostile)
            named = report.failures[0].subject.text if report.failures else report.host
            takes_part = report.state in ("failure", "informing", "pending")
            if takes_part and named in VICTIMS:
                figures.victims.append(f"{name}: {hostile}")
            if is_user and not (takes_part and named in (counted, "")):
                figures.uncounted[name] += 1
                figures.examples.setdefault(name, hostile)


def _with(line: str, spans: Spans, text: str) -> str:
    for begin, end in reversed(spans):
        line = f"{line[:begin]}{text}{line[end:]}"
    return line


def _fields(name: str, matcher: Matcher, plain: LineReport) -> list[tuple[Spans, bool]]:
    """Return where a client writes, and whether the filter calls it a user.

    A user whom the service names twice stands in both places.
    """
    line, true = plain.line, plain.host
    counted = plain.failures[0].subject.text
    users: list[Spans] = [
        tuple(found.span() for found in re.finditer(rf"(?<!\w){re.escape(text)}(?!\w)", line))
        for text in {plain.tags.get("user"), plain.tags.get("alt_user")}
        if isinstance(text, str) and text
    ]
    named = {span for spans in users for span in spans}
    place, first = line.index(true), line.find(": ")
    free = set()
    for found in re.finditer(r"[^\s<>\"'\[\](),=/;:]+", line):
        begin, end = found.span()
        is_services = re.match(r" ?\[", line[end:]) is not None or found[0] in _SERVICES_WORDS
        is_services |= line[end : end + 2] == "=[" or line[begin - 2 : begin] == "]:"
        is_services |= begin < place and any(last < place for _, last in named)
        is_services |= begin < place and (begin < first or re.search(r"\d", found[0]) is not None)
        is_services |= begin > place and name in _SERVICES_END
        if found.span() in named or is_services or begin <= place < end:
            continue
        report = _report(matcher, f"{line[:begin]}zq zq{line[end:]}")
        if report.failures and report.failures[0].subject.text == counted:
            free.add((begin, end))
    if not _SERVICES_OWN.isdisjoint({name, name.partition(" ")[0]}):
        return []
    alone = [(spans[:1], True) for spans in users if len(spans) == 1]
    twice = [(spans, True) for spans in users if len(spans) > 1]
    return [*twice, *alone, *(((span,), False) for span in sorted(free))]


def _texts(before: str, after: str) -> Iterator[str]:
    begins = [found.start() for found in re.finditer(r"\b|(?<=\s)|(?=[\[(<\"'=:])", before)]
    ends = [found.end() for found in re.finditer(r"\b|(?=\s)|(?<=[\])>\"',;:.])", after)]
    yield from NAMES
    for victim in WRITTEN:
        for tail in TAILS:
            yield from (f"{lead}{victim}{tail}" for lead in LEADS)
    for victim in WRITTEN:
        for begin in reversed(begins[-14:]):
            for end in [*ends[:10], len(after)]:
                yield f"x{before[begin:]}{victim}{after[:end]}"
                yield f"{before[begin:]}{victim}{after[:end]} y"


def _report(matcher: Matcher, line: str) -> LineReport:
    matcher.sessions = Sessions()
    return matcher.trace(line, NOW)


def main() -> None:
    """Make the long search, and print what it came to."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = search(fetch(Path(folder)), most=100_000, samples=3)
    print(
        f"{figures.filters} filters, {figures.rules} rules, {figures.lines:,} lines in "
        f"{time.monotonic() - began:.0f} s: {len(figures.victims)} victims, "
        f"{figures.uncounted.total()} names that are not counted"
    )
    for victim in figures.victims[:40]:
        print(f"victim: {victim}")
    for name, count in figures.uncounted.items():
        print(f"not counted: {name}: {count}, such as {figures.examples[name]}")


if __name__ == "__main__":
    main()
