"""``fail2ban-regex``: what it takes, what it counts, what it prints."""

import gzip
import io
import re
import sys
import time
from pathlib import Path

import pytest

from banish.cli import main
from banish.cli.fail2ban import regex_trial
from banish.cli.fail2ban.programs import COMPATIBLE
from banish.errors import ResolveError
from banish.model.address import Subject, parse_subject
from tests.cli.fail2ban.trying import LINES, Captured, run


def total(report: str) -> str:
    (found,) = re.findall(r"(?m)^Lines: (.*)$", report)
    return str(found)


def listed(report: str, header: str) -> list[str]:
    """Return the list under *header*."""
    lines = report.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"|- {header}")) + 1
    return [line.removeprefix("|  ") for line in lines[start : lines.index("`-", start)]]


def test_a_report_has_the_shape_that_people_know(tree: Path, log: str, capsys: Captured) -> None:
    report = run(capsys, "-c", str(tree), log, "app.conf")
    took = re.search(r"processed in (\d\.\d\d) sec", report)
    assert took is not None
    encoding = re.search(r"Use         encoding : (\S+)", report)
    assert encoding is not None
    assert (
        report
        == f"""
Running tests
=============

Use   failregex filter file : app, basedir: {tree}
Use      datepattern : ^%Y-%m-%dT%H:%M:%S%z\\s : ^Year-Month-DayT24hour:Minute:SecondZone offset\\s
Use         log file : {log}
Use         encoding : {encoding[1]}


Results
=======

Failregex: 2 total
|-  #) [# of hits] regular expression
|   1) [2] ^login failed for <F-USER>.*</F-USER> from <HOST>$
`-

Ignoreregex: 1 total
|-  #) [# of hits] regular expression
|   1) [1] ^login failed for tester from
`-

Date template hits:
|- [# of hits] date format
|  [5] ^Year-Month-DayT24hour:Minute:SecondZone offset\\s
`-

Lines: 5 lines, 1 ignored, 2 matched, 2 missed
[processed in {took[1]} sec]

|- Ignored line(s):
|  {LINES[4]}
`-
|- Missed line(s):
|  {LINES[1]}
|  {LINES[6]}
`-
"""
    )


@pytest.mark.parametrize(
    ("regex", "said", "matched"),
    [
        ("app", "Use             jail : app", 2),
        ("app.conf", "Use   failregex filter file : app, basedir: TREE", 2),
        ("app[mode=extra]", "Use   filter options : {'mode': 'extra'}", 3),
        ("TREE/filter.d/app.conf", "Use   failregex filter file : app, basedir: TREE", 2),
        ("TREE/filter.d/app[mode=extra]", "Use   filter options : {'mode': 'extra'}", 3),
        ("TREE/own.conf", "Use   failregex file : TREE/own.conf", 1),
        ("knock from <HOST>", "Use   failregex line : knock from <HOST>", 1),
        ("[k]nock from <HOST>", "Use   failregex line : [k]nock", 1),
    ],
)
def test_a_regex_is_a_jail_a_filter_a_file_or_a_regex(
    regex: str, said: str, matched: int, tree: Path, log: str, capsys: Captured
) -> None:
    (tree / "own.conf").write_text("[Definition]\nfailregex = knock from <HOST>\n")
    report = run(capsys, "-c", str(tree), log, regex.replace("TREE", str(tree)))
    assert said.replace("TREE", str(tree)) in report
    assert f" {matched} matched" in total(report)


def test_the_folder_of_filters_may_be_named_as_the_configuration(
    tree: Path, log: str, capsys: Captured
) -> None:
    report = run(capsys, "-c", str(tree / "filter.d"), log, "app.conf")
    assert f"basedir: {tree}\n" in report


def test_a_jail_brings_its_own_options(tree: Path, log: str, capsys: Captured) -> None:
    (tree / "jail.local").write_text("[app]\nfailregex = knock from <HOST>\nmaxlines = 2\n")
    report = run(capsys, "-c", str(tree), log, "app")
    assert "Use         maxlines : 2\n" in report
    assert "1) [1] knock from <HOST>" in report


def test_an_ignoreregex_adds_to_those_of_the_filter(tree: Path, log: str, capsys: Captured) -> None:
    report = run(capsys, "-c", str(tree), log, "app", "eve")
    assert "Use ignoreregex line : eve\n" in report
    assert "Ignoreregex: 2 total\n" in report
    assert total(report) == "5 lines, 2 ignored, 1 matched, 2 missed"


def test_rules_that_cover_each_other_show_unless_told_otherwise(
    tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "own.conf"
    path.write_text("[Definition]\nfailregex = a <HOST>\n   \\w <HOST>\n")
    assert "Failregex: 2 total" in run(capsys, "a 192.0.2.1", str(path))
    assert "Failregex: 1 total" in run(capsys, "--no-check-all", "a 192.0.2.1", str(path))
    assert "(multiple regex matched)" in run(capsys, "-v", "a 192.0.2.1", str(path))


def test_lines_that_only_supply_data_count_as_ignored(capsys: Captured) -> None:
    report = run(capsys, "x 192.0.2.1\ny", "<F-NOFAIL>x</F-NOFAIL> <HOST>")
    assert total(report) == "2 lines, 1 ignored, 0 matched, 1 missed"
    assert "Failregex: 1 total" in report


def test_a_failure_that_waits_for_its_session_counts_as_matched(
    tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "own.conf"
    path.write_text(
        r"[Definition]"
        "\n"
        r"prefregex = ^<F-MLFID>\d+</F-MLFID> <F-CONTENT>.*</F-CONTENT>$"
        "\n"
        r"failregex = ^wrong$"
        "\n"
        r"   ^<F-NOFAIL>from</F-NOFAIL> <HOST>$"
        "\n"
    )
    lines = "1 wrong\n2 from 192.0.2.2\n2 wrong\n3 other"
    report = run(capsys, "-v", lines, str(path))
    assert total(report) == "4 lines, 1 ignored, 2 matched, 1 missed"
    assert "Prefregex: 4 total" in report
    assert "    {'mlfid': '1', 'content': 'wrong'}" in report
    assert "    None  " in report
    assert run(capsys, "-o", "ip", lines, str(path)) == "192.0.2.2\n"
    report = run(capsys, "--no-check-all", lines, str(path))
    assert total(report) == "4 lines, 0 ignored, 2 matched, 2 missed"


def test_lines_that_one_regex_spans_count_as_matched_together(capsys: Captured) -> None:
    words = ("-L", "3", "--print-all-matched", "a 192.0.2.1\nskipped\nb\nc")
    report = run(capsys, *words, "a <HOST><SKIPLINES>b")
    assert "Use         maxlines : 3\n" in report
    assert total(report) == "4 lines, 0 ignored, 2 matched, 2 missed"
    assert listed(report, "Matched line(s):") == ["a 192.0.2.1", "b"]
    assert listed(report, "Missed line(s):") == ["skipped", "c"]


class Names:
    """Knows two addresses of ``two`` and none of the rest, of which some cannot be asked for."""

    async def addresses(self, name: str) -> list[Subject]:
        if name == "broken":
            raise ResolveError("no answer")
        return [parse_subject(f"192.0.2.{n}") for n in (1, 2)] if name == "two" else []


def test_a_name_makes_as_many_failures_as_it_has_addresses(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(regex_trial, "DnsResolver", Names)
    lines = "x two\nx none\nx broken\ny two"
    report = run(capsys, lines, "(?:x|<F-NOFAIL>y</F-NOFAIL>) <HOST>")
    assert total(report) == "4 lines, 1 ignored, 1 matched, 2 missed"
    assert "Failregex: 4 total" in report
    assert run(capsys, "-o", "ip", lines, "x <HOST>") == "192.0.2.1\n192.0.2.2\n"
    assert run(capsys, "-r", "-o", "ip", lines, "x <HOST>") == "two\nnone\nbroken\n"
    assert run(capsys, "--usedns", "no", "-o", "ip", lines, "x <HOST>") == ""


def test_what_is_no_address_counts_as_in_fail2ban(capsys: Captured) -> None:
    assert (
        total(run(capsys, "x 256.0.2.1", "x <HOST>")) == "1 lines, 0 ignored, 1 matched, 0 missed"
    )
    assert run(capsys, "-o", "id", "x 256.0.2.1", "x <HOST>") == "256.0.2.1\n"


def test_long_lists_are_cut_unless_told_otherwise(capsys: Captured) -> None:
    lines = "\n".join(f"quiet {n}" for n in range(25))
    cut = "Missed line(s): too many to print.  Use --print-all-missed to print all 25 lines\n"
    assert cut in run(capsys, lines, "from <HOST>")
    report = run(capsys, "--print-all-missed", lines, "from <HOST>")
    assert listed(report, "Missed line(s):") == lines.split("\n")
    assert "Missed line" not in run(capsys, "--print-no-missed", lines, "from <HOST>")
    report = run(capsys, "--print-all-ignored", lines.replace("quiet", "192.0.2.1"), "<HOST>", "1")
    assert len(listed(report, "Ignored line(s):")) == 25
    report = run(capsys, "--print-no-ignored", "192.0.2.1", "<HOST>", "1")
    assert "Ignored line" not in report


def test_verbose_tells_what_was_not_hit_and_who_was(
    tree: Path, log: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    report = run(capsys, "-vv", "--VD", "-c", str(tree), log, "app[mode=extra]")
    assert "Real  filter options : {'logtype': 'file', " in report
    assert "|      192.0.2.1  Sun Nov 22 20:00:00 2026\n" in report
    assert "|      # weight: " in report
    assert "|      # regex:   ^" in report
    quiet = run(capsys, "--verbosity", "1", "192.0.2.1", "no <HOST>")
    assert "|   1) [0] no <HOST>" in quiet
    monkeypatch.undo()
    time.tzset()


def test_a_line_cannot_steer_the_terminal(capsys: Captured) -> None:
    out = run(capsys, "x\x1b[2J\t\u202e 192.0.2.1", "no <HOST>")
    assert "|  x\\x1b[2J\t\\u202e 192.0.2.1\n" in out
    assert "\x1b" not in out


def test_the_command_line_goes_before_the_filter(tree: Path, log: str, capsys: Captured) -> None:
    words = ("-c", str(tree), "-d", r"^%Y-%m-%dT%H:%M:%S", "--TZ", "UTC+0200", "-o", "<time>")
    assert run(capsys, *words, log, r"for root from <HOST>") == "1795370400\n"
    report = run(capsys, "-d", "%Y", "2026 192.0.2.1", "<HOST>")
    assert report.index("Use      datepattern : %Y : Year") < report.index("Use   failregex line")


def test_the_log_may_be_the_input_or_packed(
    log: str, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = Path(log).read_bytes()
    packed = tmp_path / "some.log.gz"
    packed.write_bytes(gzip.compress(content))
    expected = total(run(capsys, log, "from <HOST>"))
    assert expected == "5 lines, 0 ignored, 4 matched, 1 missed"
    assert total(run(capsys, str(packed), "from <HOST>")) == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    report = run(capsys, "-", "from <HOST>")
    assert total(report) == expected
    assert "Use         log file : standard input\n" in report


def test_the_encoding_is_taken_from_the_command_line(tmp_path: Path, capsys: Captured) -> None:
    log = tmp_path / "latin.log"
    log.write_bytes("jürgen from 192.0.2.1\r\n".encode("latin-1"))
    words = ("-e", "latin-1", "-o", "user", str(log), r"<F-USER>\w+</F-USER> from <HOST>$")
    assert run(capsys, *words) == "jürgen\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["x", "a(<HOST>"], "is not a regular expression"),
        (["x", "no host"], "does not say whom"),
        (["x", "<HOST>", "b("], "is not a regular expression"),
        (["-d", "%Q", "x", "<HOST>"], "is not a date pattern"),
        (["--TZ", "Nowhere/None", "x", "<HOST>"], ""),
        (["-e", "none", "/etc/passwd", "<HOST>"], "is not an encoding"),
        (["-m", '"open', "x", "<HOST>"], "-m"),
        (["systemd-journal[x", "<HOST>"], "LOG"),
        (["-c", "/none", "x", "sshd"], ""),
    ],
)
def test_what_cannot_be_is_an_error_and_255(words: list[str], error: str, capsys: Captured) -> None:
    assert main(["fail2ban-regex", *words]) == 255
    out = capsys.readouterr().out
    assert "\nERROR: " in out
    assert error in out


def test_a_filter_in_error_is_told_with_file_and_line(
    tree: Path, log: str, capsys: Captured
) -> None:
    (tree / "filter.d/bad.conf").write_text("[Definition]\nfailregex = %(none)s\n")
    (tree / "filter.d/empty.conf").write_text("[Definition]\nx = 1\n")
    assert main(["fail2ban-regex", "-c", str(tree), log, "bad"]) == 255
    assert f"ERROR: {tree}/filter.d/bad.conf:2: failregex: " in capsys.readouterr().out
    assert main(["fail2ban-regex", "-c", str(tree), log, "empty"]) == 255
    assert "the filter has no failregex" in capsys.readouterr().out
    assert main(["fail2ban-regex", "-c", str(tree), log, "app[x"]) == 255
    (tree / "jail.local").write_text("[app]\njournalmatch = 'x\n")
    assert main(["fail2ban-regex", "-c", str(tree), log, "app"]) == 255


@pytest.mark.parametrize("words", [[], ["x"], ["a", "b", "c", "d"]])
def test_log_and_regex_must_be_there(words: list[str], capsys: Captured) -> None:
    assert main(["fail2ban-regex", *words]) == 255
    captured = capsys.readouterr()
    assert captured.out.startswith("Usage: fail2ban-regex [OPTIONS] <LOG> <REGEX> [IGNOREREGEX]")
    assert captured.err.endswith("ERROR: provide both <LOG> and <REGEX>.\n")


@pytest.mark.parametrize("kind", ["missed", "ignored"])
def test_all_and_none_of_the_lines_exclude_each_other(kind: str, capsys: Captured) -> None:
    words = [f"--print-no-{kind}", f"--print-all-{kind}", "x", "<HOST>"]
    assert main(["fail2ban-regex", *words]) == 255
    assert "mutually exclusive" in capsys.readouterr().err


def test_an_unknown_option_is_wrong_usage(capsys: Captured) -> None:
    assert main(["fail2ban-regex", "--bogus"]) == 2
    assert "no such option: --bogus" in capsys.readouterr().err


def test_the_version_is_that_of_fail2ban_whose_behaviour_is_meant(capsys: Captured) -> None:
    assert run(capsys, "-V") == f"{COMPATIBLE}\n"
    assert run(capsys, "--version").startswith(f"fail2ban-regex {COMPATIBLE} (banish ")


def test_filters_are_chosen_by_files_whatever_else_is_there(
    tree: Path, log: str, capsys: Captured
) -> None:
    words = ("-c", str(tree), log)
    assert "failregex line : none" in run(capsys, *words, "none<HOST>")
    # Longer than a path can be, and not a path though it looks like one.
    assert "failregex line : /" in run(capsys, *words, f"/{'x' * 300}|<HOST>")
    assert main(["fail2ban-regex", *words, f"/{'x' * 300}"]) == 255
    assert main(["fail2ban-regex", *words, "knock[1-3]"]) == 255
    assert "does not say whom" in capsys.readouterr().out
    # A suspicious name means the filter as it stands, and its mistakes are told.
    assert main(["fail2ban-regex", *words, "app[mode=norml]"]) == 255
    assert "did you mean <rx-normal>" in capsys.readouterr().out


def test_what_becomes_of_names_is_one_of_four(capsys: Captured) -> None:
    for word in ("yes", "warn", "raw", "no", "whatever"):
        out = run(capsys, "--usedns", word, "-o", "ip", "x 192.0.2.1", "x <HOST>")
        assert out == "192.0.2.1\n"


def test_times_beyond_any_calendar_are_told_as_numbers(capsys: Captured) -> None:
    out = run(capsys, "-v", "-d", "LEPOCH", "99999999999 192.0.2.1", "<HOST>")
    assert "192.0.2.1  " in out


def test_ignoreregexes_count_once_for_each_rule_that_matched(
    tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "own.conf"
    path.write_text(
        "[Definition]\nprefregex = ^p <F-CONTENT>.*</F-CONTENT>$\n"
        "failregex = ^a <HOST>\n   ^. <HOST>\nignoreregex = a\n   ^a .*1$\n"
    )
    assert "Ignoreregex: 4 total" in run(capsys, "p a 192.0.2.1", str(path))
    path.write_text(
        "[Definition]\nfailregex = ^a <HOST>\n   ^b <HOST>\n   ^c <HOST>\n   ^. <HOST>\n"
        "ignoreregex = 1$\n"
    )
    assert "Ignoreregex: 2 total" in run(capsys, "a 192.0.2.1\nz 1\nc 192.0.2.3", str(path))


def test_what_prefregexes_captured_is_shown_up_to_a_limit(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "own.conf"
    path.write_text("[Definition]\nprefregex = ^p <F-X>.</F-X>\nfailregex = <HOST>$\n")
    lines = "\n".join(f"p {n % 10} 192.0.2.1" for n in range(30))
    out = run(capsys, "-v", lines, str(path))
    assert "Prefregex: 30 total" in out
    assert out.count("{'x': ") == 20
    assert "\n|  ...\n" in out or "\n|      ...\n" in out


def test_a_line_that_keeps_a_regex_busy_for_ever_is_missed_and_told(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "hostile.log"
    path.write_text(f"{'x' * 2000}\nxx from 192.0.2.1\n")
    words = ["-c", str(tree), str(path), "^(?:x+)+ from <HOST>$"]
    assert main(["fail2ban-regex", *words]) == 0
    said = capsys.readouterr()
    assert total(said.out).startswith("2 lines, 0 ignored, 1 matched, 1 missed")
    assert said.err == "banish: 1 line skipped: a regex took too long: failregex 1\n"


def test_matched_lines_that_name_nobody_are_told_of(capsys: Captured) -> None:
    report = run(capsys, "x 192.0.2.1 404\nx 192.0.2.2 401", "x <HOST> 404|401$")
    assert total(report) == "2 lines, 0 ignored, 2 matched, 0 missed"
    assert "Nobody: 1 of 2 matched lines count against nobody" in report
    assert "Nobody:" not in run(capsys, "x 192.0.2.1 404", "x <HOST> (?:404|401)$")
