"""``fail2ban-regex`` counts and prints what Fail2Ban's own does, on samples and made-up logs."""

import ast
import difflib
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from banish.cli import main
from tests.compat.original import original_regexes

Captured = pytest.CaptureFixture[str]

KNOWN_DIFFERENCES = {
    "a last line without its end": "Fail2Ban leaves it out; here logs end with one",
    "sshd": "where two rules match a line, we say what the first makes of it, as the server "
    "does; Fail2Ban says ignored if any of them only supplies data",
    "skiplines": "the lines that <SKIPLINES> skipped lines are no group here",
    "prefregex with maxlines above 1": "for 1.0.2 its ^ and $ are the ends of all lines that are "
    "kept, where they hardly ever match; here those of each line",
    "time": "is a whole number in Fail2Ban if the log names a zone, here always 1.0",
    "names of the newest date format": "1.0.2 has an older one of YYYYmmdd",
}
"""What is not the same, and why; everything else is."""


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def samples(package: Path, to: Path) -> list[Path]:
    """Return a copy of each sample log that has a filter of its name."""
    logs = package / "usr/lib/python3/dist-packages/fail2ban/tests/files/logs"
    found = []
    for log in sorted(logs.iterdir()):
        if (package / "etc/fail2ban/filter.d" / f"{log.name}.conf").is_file():
            (to / log.name).write_bytes(log.read_bytes().rstrip(b"\n") + b"\n")
            found.append(to / log.name)
    assert len(found) >= 80
    return found


def ours(words: list[str], capsys: Captured) -> tuple[int, str]:
    code = main(["fail2ban-regex", *words])
    return code, capsys.readouterr().out


def compare(theirs: list[str], found: list[str], words: list[str]) -> None:
    """Fail with the lines that differ."""
    changes = list(difflib.unified_diff(theirs, found, "Fail2Ban", "here", n=0, lineterm=""))
    if changes:
        pytest.fail("\n".join([" ".join(words), *changes]), pytrace=False)


def figures(report: str) -> dict[str, Any]:
    """Return every figure of a report, and of its date formats the names."""
    found: dict[str, Any] = dict(re.findall(r"(?m)^(\w+regex): (\d+) total$", report))
    found["lines"] = re.findall(r"(?m)^Lines: .*$", report)
    before, _, after = report.partition("Date template hits:")
    found["regexes"] = re.findall(r"(?m)^\|  ([ \d]\d\) \[\d+\] .*)$", before)
    # A format that 1.1.1 made wider.
    narrow = after.replace("(?:-|T|  ?)", "(?:T|  ?)").replace(":?Ex", "Ex")
    found["dates"] = sorted(re.findall(r"(?m)^\|  (\[\d+\] .*)$", narrow))
    return found


def test_the_figures_for_every_stock_filter_are_those_of_fail2ban(
    stock_package: Path, tmp_path: Path, capsys: Captured
) -> None:
    tree = str(stock_package / "etc/fail2ban")
    logs = samples(stock_package, tmp_path)
    lines = [["-c", tree, "-r", str(log), f"{log.name}.conf"] for log in logs]
    same = 0
    wrong: list[str] = []
    for words, (code, out) in zip(lines, original_regexes(stock_package, lines), strict=True):
        mine = ours(words, capsys)
        theirs, found = figures(out), figures(mine[1])
        if words[-1] == "sshd.conf":
            theirs.pop("lines")
            found.pop("lines")
        wrong += [
            f"{words[-1]}: {name}: {value} is {found.get(name)} here"
            for name, value in theirs.items()
            if value != found.get(name)
        ]
        assert mine[0] == code == 0
        same += theirs == found
    print(f"{same} of {len(logs)} reports have the figures of Fail2Ban")
    assert wrong == []


def as_stock(words: list[str]) -> list[str]:
    """Return *words* for a trial that takes whom the regexes take, as Fail2Ban does."""
    return [*words[:-1], f"{words[-1]}[ambiguous=report]"]


def rows(text: str) -> list[tuple[object, object, dict[str, object]]]:
    """Return what ``-o row`` printed, without groups that took no part."""
    found = []
    for line in text.splitlines():
        identity, at, groups = ast.literal_eval(line.rstrip(","))
        kept = {name: value for name, value in groups.items() if value is not None}
        found.append((identity, at, {n: v for n, v in kept.items() if not n.startswith("skip")}))
    return found


def test_the_rows_for_every_stock_filter_are_those_of_fail2ban(
    stock_package: Path, tmp_path: Path, capsys: Captured
) -> None:
    tree = str(stock_package / "etc/fail2ban")
    logs = samples(stock_package, tmp_path)
    lines = [["-c", tree, "-r", "-o", "row", str(log), f"{log.name}.conf"] for log in logs]
    total = 0
    start = time.time() - 1
    for words, (code, out) in zip(lines, original_regexes(stock_package, lines), strict=True):
        mine = ours(as_stock(words), capsys)
        theirs, found = rows(out), rows(mine[1])
        total += len(theirs)
        # Where a line has no time, both take the time of the trial.
        for row in (theirs, found):
            row[:] = [
                (identity, "now" if isinstance(at, float) and at >= start else at, groups)
                for identity, at, groups in row
            ]
        assert (mine[0], found) == (code, theirs), words[-1]
    print(f"{total} rows are those of Fail2Ban")
    assert total > 600


@pytest.mark.parametrize("token", ["id", "ip", "msg", "user", "<ip> | <F-USER> | <time> | <msg>"])
def test_other_tokens_print_what_fail2ban_prints(
    token: str, stock_package: Path, tmp_path: Path, capsys: Captured
) -> None:
    tree = str(stock_package / "etc/fail2ban")
    logs = [
        log
        for log in samples(stock_package, tmp_path)
        if log.name in ("sshd", "dovecot", "postfix", "asterisk", "proftpd", "courier-auth")
    ]
    lines = [["-c", tree, "-r", "-o", token, str(log), f"{log.name}.conf"] for log in logs]
    stamp = re.compile(r"\b1[2-9]\d{8}(\.\d+)?\b")
    start = time.time() - 1

    def timeless(found: re.Match[str]) -> str:
        return "now" if float(found[0]) >= start else found[0].partition(".")[0]

    for words, (code, out) in zip(lines, original_regexes(stock_package, lines), strict=True):
        mine, text = ours(as_stock(words), capsys)
        theirs, found = (stamp.sub(timeless, each).splitlines() for each in (out, text))
        compare(theirs, found, words)
        assert mine == code


TIMES = """\
2026-12-01T02:00:37+00:00 x from 192.0.2.1
2026-12-01T02:00:37.25Z x from 192.0.2.2
2026-12-01T02:00:37.25 x from 192.0.2.3
Dec  1 02:00:37 x from 192.0.2.4
1796090437 x from 192.0.2.5
1796090437.75 x from 192.0.2.6
[01/Dec/2026:02:00:37 +0100] x from 192.0.2.7
@400000006b0e0f0500000000 x from 192.0.2.8
2026-12-01 02:00:37 x from 192.0.2.9
Tue Dec 01 02:00:37 2026 x from 192.0.2.10
"""


@pytest.mark.parametrize("words", [[], ["--timezone", "UTC+0200"]])
def test_a_time_is_an_integer_where_it_is_one_in_fail2ban(
    words: list[str], stock_package: Path, tmp_path: Path, capsys: Captured
) -> None:
    log = tmp_path / "log"
    log.write_text(TIMES)
    tree = str(stock_package / "etc/fail2ban")
    lines = [["-c", tree, *words, "-o", "<ip> <time>", str(log), "from <HOST>$"]]
    ((code, out),) = original_regexes(stock_package, lines)
    assert ours(lines[0], capsys) == (code, out)
    assert len(out.splitlines()) == 10


SESSIONS = (
    ("Failed password for root from {ip} port {port} ssh2",) * 3,
    ("Invalid user u{n} from {ip} port {port}", "Failed none for invalid user u{n} from {ip}"),
    ("Connection from {ip} port {port}", "Disconnecting: Too many authentication failures"),
    ("User bob not allowed because account is locked", "Connection closed by {ip} port {port}"),
    ("Failed password for bob from {ip}", "Accepted password for bob from {ip} port {port} ssh2"),
    ("Failed password for u{n} from 2001:db8::{n}", "Connection reset by 2001:db8::{n}"),
    ("Received disconnect from {ip}: 11: bye", "session closed for user bob"),
    ("maximum authentication attempts exceeded for root from {ip} port {port} ssh2",),
    ("refused connect from ({ip})", "Did not receive identification string from {ip}"),
)
OTHERS = (
    "not longer than 0 seconds from 192.0.2.7",
    "# a comment",
    "",
    "x" * 90 + " from 192.0.2.8",
)


def generated(seed: int) -> str:
    """Return a log of sessions that overlap, each shorter than Fail2Ban remembers one."""
    chance = random.Random(seed)
    lines: list[tuple[float, str]] = []
    for number in range(120):
        at = 1_700_000_000 + chance.uniform(0, 2_000)
        ip, port = f"192.0.2.{chance.randrange(1, 9)}", chance.randrange(1_024, 65_536)
        for message in chance.choice(SESSIONS):
            at += chance.uniform(0, 20)
            clock = time.strftime("%b %d %H:%M:%S", time.gmtime(at))
            text = message.format(ip=ip, port=port, n=number)
            lines.append((at, f"{clock} host sshd[{1_000 + number}]: {text}\n"))
        lines += [(at, f"{chance.choice(OTHERS)}\n")] * (number % 10 == 0)
    return "".join(line for _, line in sorted(lines))


OPTIONS: tuple[list[str], ...] = (
    [],
    ["--no-check-all"],
    ["-v"],
    ["-r", "--print-no-missed", "--print-all-ignored", "--print-all-matched"],
    ["-d", "%b %d %H:%M:%S"],
    ["--TZ", "UTC+0300", "-v"],
    ["-L", "4"],
    ["--usedns", "no"],
)


_FILTER = re.compile(
    r"^Use +(?:(?:failregex )?filter file|jail)(?= : )(?:( : [^,]+), basedir: .*)?"
)


def comparable(report: str) -> list[str]:
    """Return the lines of a report, but for how long it took and what is not hit."""
    lines = [line for line in report.splitlines() if not line.startswith("[processed in")]
    lines = [line.lower() if "encoding :" in line else line for line in lines]
    # Fail2Ban 1.1 says "filter", and of a jail's filter "jail".
    lines = [
        _FILTER.sub(r"Use filter\1", line.replace("jail/flt options", "  filter options"))
        for line in lines
    ]
    return [_timeless(line) for line in lines if not line.startswith("|  [0] ")]


def _timeless(line: str) -> str:
    """Return *line* without its time if that is the time of the trial."""
    found = re.fullmatch(r"(\|      \S+  )(\w{3} \w{3} \d\d [\d:]{8} \d{4})(.*)", line)
    if found is None:
        return line
    at = time.mktime(time.strptime(found[2], "%a %b %d %H:%M:%S %Y"))
    return found[1] + found[3] if abs(at - time.time()) < 600 else line


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_reports_on_made_up_logs_are_fail2bans_line_by_line(
    options: list[str], stock_package: Path, tmp_path: Path, capsys: Captured
) -> None:
    tree = str(stock_package / "etc/fail2ban")
    lines = []
    for seed in range(3):
        log = tmp_path / f"{seed}.log"
        log.write_text(generated(seed))
        for regex in ("sshd.conf", "sshd[mode=aggressive]", "from <HOST>"):
            if "-L" in options and regex.startswith("sshd"):
                continue
            lines.append(["-c", tree, *options, str(log), regex])
        lines.append(["-c", tree, *options, str(log), r"user \S+ from <HOST>", r"u[12] from"])
    for words, (code, out) in zip(lines, original_regexes(stock_package, lines), strict=True):
        mine, text = ours(words, capsys)
        compare(comparable(out), comparable(text), words)
        assert mine == code


@pytest.mark.parametrize(
    "words",
    [
        ["foo 192.0.2.1", "foo <HOST>"],
        ["foo 192.0.2.1", "foo <HOST>", "2.1"],
        ["foo 192.0.2.1\nbar\n\n#x", "foo <HOST>"],
        ["-L", "3", "foo 192.0.2.1\nbar\nend", "foo <HOST>(?:.*\n)+end"],
        ["-L", "3", "foo 192.0.2.1\nbar\nend", "foo <HOST><SKIPLINES>end"],
        ["one " * 30 + "192.0.2.1", "one <HOST>$"],
        ["1\n2\n3\n4\n5\n6\n7", "from <HOST>"],
        ["-v", "Jan 02 03:04:05 2020 a 192.0.2.1 b 192.0.2.1", "a <ADDR>", "nothing"],
    ],
)
def test_lines_as_such_are_reported_as_by_fail2ban(
    words: list[str], stock_package: Path, capsys: Captured
) -> None:
    ((code, out),) = original_regexes(stock_package, [words])
    mine, text = ours(words, capsys)
    assert (mine, comparable(text)) == (code, comparable(out))


@pytest.mark.parametrize("words", [["x", "a(<HOST>"], ["x", "no host"], ["x", "<HOST>", "b("]])
def test_a_wrong_regex_ends_both(words: list[str], stock_package: Path, capsys: Captured) -> None:
    ((code, out),) = original_regexes(stock_package, [words])
    mine, text = ours(words, capsys)
    assert mine == code == 255
    assert "\nERROR: " in text
    assert "\nERROR: " in out
