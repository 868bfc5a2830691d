"""One jail: where it reads, how long it bans, and why it cannot start."""

from collections.abc import Callable
from pathlib import Path

import pytest

from banish.config import builtin_tree, load
from banish.model.duration import LONGEST
from banish.model.instant import Seconds
from banish.model.settings import JailSettings, Settings
from tests.config.tree import WriteTree

Read = Callable[[str], Settings]

FILTER = (
    "[DEFAULT]\nlogtype = file\n[Definition]\nfailregex = ^bad <HOST> <logtype>$\n"
    "journalmatch = _COMM=web\n[Init]\nextra = 1\n"
)


@pytest.fixture
def read(write_tree: WriteTree, tmp_path: Path) -> Read:
    """Give a function that loads one jail ``web`` with these lines."""

    def load_jail(lines: str) -> Settings:
        jail = (
            f"[DEFAULT]\nfilter = %(__name__)s\nlogpath = {tmp_path}/web.log\n[web]\nenabled = 1\n"
        )
        files = {"jail.conf": jail + lines, "filter.d/web.conf": FILTER}
        files["filter.d/silent.conf"] = "[Definition]\nfailregex = ^bad <HOST>$\n"
        root = write_tree(files)
        return load(root, builtin=root)

    return load_jail


def only(settings: Settings) -> JailSettings:
    assert [str(problem) for problem in settings.problems] == []
    (jail,) = settings.jails
    return jail


def failed(settings: Settings) -> tuple[str, str, str]:
    """Return option, message and cure of the one error that stops the jail."""
    assert settings.jails == ()
    (problem,) = settings.errors
    assert problem.jail == "web"
    return problem.option, problem.what, problem.cure


def with_journal(tmp_path: Path) -> None:
    folder = tmp_path / "journal" / "0123"
    folder.mkdir(parents=True)
    (folder / "system.journal").write_bytes(b"")


def test_a_jail_that_allows_thousands_of_failures_keeps_as_much_evidence_as_it_may(
    read: Read,
) -> None:
    jail = only(read("maxretry = 100000\nmaxmatches = %(maxretry)s\n"))
    assert (jail.maxretry, jail.maxmatches) == (100_000, 1_000)


def test_without_options_fail2bans_own_defaults_count(read: Read) -> None:
    jail = only(read(""))
    assert (jail.maxretry, jail.maxmatches) == (3, 5)
    assert (jail.findtime, jail.bantime) == (Seconds(600), Seconds(600))
    assert jail.ignoreself
    assert jail.filter.usedns == "warn"


def test_a_log_that_is_not_there_is_waited_for(read: Read) -> None:
    jail = only(read(""))
    assert not jail.uses_journal
    assert len(jail.logpaths) == 1


def test_the_journal_is_read_where_the_log_is_not_there(read: Read, tmp_path: Path) -> None:
    with_journal(tmp_path)
    jail = only(read(""))
    assert jail.uses_journal
    assert jail.filter.failregex[0].text == "^bad <HOST> journal$"


@pytest.mark.parametrize(
    "lines", ["systemd_if_nologs = false", "backend = polling", "filter = silent"]
)
def test_the_journal_is_left_alone_where_it_is_not_wanted(
    read: Read, tmp_path: Path, lines: str
) -> None:
    with_journal(tmp_path)
    assert not only(read(lines)).uses_journal


def test_a_log_that_is_there_is_read_before_the_journal(read: Read, tmp_path: Path) -> None:
    with_journal(tmp_path)
    (tmp_path / "web.log").write_text("")
    jail = only(read(""))
    assert not jail.uses_journal
    assert jail.filter.failregex[0].text == "^bad <HOST> file$"


def test_backend_systemd_always_reads_the_journal(read: Read, tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("")
    jail = only(read("backend = systemd[journalflags=1]\nlogpath ="))
    assert jail.uses_journal
    assert jail.backend == "systemd[journalflags=1]"
    assert jail.filter.failregex[0].text == "^bad <HOST> journal$"


def test_the_type_of_log_may_be_chosen_by_hand(read: Read) -> None:
    assert only(read("filter = web[logtype=short]")).filter.failregex[0].text.endswith("short$")


def test_a_jail_is_left_out_where_it_asks_for_it(read: Read, tmp_path: Path) -> None:
    settings = read("skip_if_nologs = true")
    assert settings.jails == ()
    assert [problem.severity for problem in settings.problems] == ["warning"]
    (tmp_path / "web.log").write_text("")
    assert only(read("skip_if_nologs = true")).name == "web"


def test_options_of_the_jail_go_before_those_of_the_filter(read: Read) -> None:
    jail = only(
        read(
            "failregex = %(known/failregex)s\n    ^own <HOST>$\nignoreregex = never\nmaxlines = 2\n"
            "prefregex = ^<F-CONTENT>.+</F-CONTENT>$\njournalmatch =\ndatepattern = {^LN-BEG}\n"
            "usedns = no\nlogtimezone = UTC+0200\nlogencoding = latin-1"
        )
    )
    found = jail.filter
    assert [regex.text for regex in found.failregex] == ["^bad <HOST> file$", "^own <HOST>$"]
    assert [regex.text for regex in found.ignoreregex] == ["never"]
    assert (found.maxlines, found.usedns, found.journalmatch) == (2, "no", ())
    assert found.prefregex is not None
    assert found.datepattern is not None
    assert (found.logtimezone, found.logencoding) == ("UTC+0200", "latin-1")


def test_a_jail_needs_no_filter_file(read: Read) -> None:
    assert only(read("filter =\nfailregex = ^own <HOST>$")).filter.name == ""


def test_every_option_of_longer_bans_is_read(read: Read) -> None:
    jail = only(
        read(
            "bantime.increment = true\nbantime.factor = 2\nbantime.multipliers = 1 2 4\n"
            "bantime.formula = ban.Time * 2\nbantime.maxtime = 1w\nbantime.rndtime = 5m\n"
            "bantime.overalljails = yes"
        )
    ).escalation
    assert jail.increment
    assert jail.overalljails
    assert (jail.factor, jail.formula, jail.multipliers) == ("2", "ban.Time * 2", (1, 2, 4))
    assert (jail.maxtime, jail.rndtime) == (Seconds(604_800), Seconds(300))


def test_minus_one_bans_without_end(read: Read) -> None:
    assert only(read("bantime = -1")).bantime is None
    assert only(read("bantime.maxtime = -1\nbantime.rndtime = -1")).escalation.maxtime is None


def test_places_name_the_line_of_each_option(read: Read) -> None:
    places = only(read("maxretry = 7")).places
    assert places["maxretry"].line == 6
    assert places["logpath"].line == 3
    assert places["failregex"].path.endswith("filter.d/web.conf")
    assert "findtime" not in places


@pytest.mark.parametrize(
    ("lines", "option", "says"),
    [
        ("filter = web[failregex=<failregex>]", "failregex", "refers to itself"),
        ("filter =", "failregex", "nothing to find"),
        (
            "filter =\nfailregex = %(known/failregex)s",
            "failregex",
            "%(known/failregex)s is not set",
        ),
        ("failregex =", "failregex", "nothing to find"),
        ("failregex = ^(<HOST>$", "failregex", "none of the regexes works"),
        ("failregex = ^bad$", "failregex", "none of the regexes works"),
        ("ignoreregex = [", "ignoreregex", "not a regular expression"),
        ("prefregex = (", "prefregex", "not a regular expression"),
        ("logpath =", "logpath", "no log to watch"),
        ("journalmatch = 'x", "journalmatch", "no journal match"),
    ],
)
def test_a_jail_that_cannot_start_says_why(read: Read, lines: str, option: str, says: str) -> None:
    settings = read(lines)
    assert settings.jails == ()
    assert [problem for problem in settings.errors if says in problem.what]
    assert {problem.option for problem in settings.errors} == {option}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("action = iptables[", 'lacks a "]"'),
        ("action = %(no)s", "not set anywhere"),
        ('banaction =\naction = %(banaction)s[port="22"]', "lacks a name"),
        ("action = iptables[name=x", 'lacks a "]"'),
    ],
)
def test_a_mistake_in_actions_leaves_the_jail_with_the_firewall(
    read: Read, lines: str, says: str
) -> None:
    settings = read(lines)
    (jail,) = settings.jails
    assert jail.actions == ()
    assert jail.enforcement is not None
    (problem,) = settings.errors
    assert (problem.option, problem.place is not None) == ("action", True)
    assert says in problem.what
    assert "nftables bans in place of all its actions" in problem.what


MINUTE, HOUR, DAY = Seconds(60), Seconds(3_600), Seconds(86_400)


@pytest.mark.parametrize(
    ("lines", "bantime"),
    [
        ("bantime = 86400 # one day", DAY),
        ("bantime = 86400 #one day", DAY),
        ("bantime = 1d   # was 1h", DAY),
        ("bantime = 1 d # 60*60*24", DAY),
        ("bantime = 60*60*24", DAY),
        ("bantime = 60 * 60 * 24 # a day", DAY),
        ("bantime = 3_600", HOUR),
        ("bantime = 60**2", HOUR),
        ("bantime = 36e2", HOUR),
        ("bantime = 7200//2", HOUR),
        ("bantime = '3600'", HOUR),
        ('bantime = "1h"', HOUR),
        ("bantime = 1h,", HOUR),
        ("bantime = 1h;", HOUR),
        ("bantime = 60m. # x", HOUR),
        ("bantime = 1h ; an hour", HOUR),
        ("bantime = 1h\n  # a comment that is indented", HOUR),
        ("bantime = 99999999999999", None),
        ("bantime = 9**9**2 # for ever", None),
        ("bantime = permanent", None),
        ("bantime = forever # really", None),
        ("bantime = -1 # for ever", None),
        ("bantime = 0", 10 * MINUTE),
        ("bantime = 600x", 10 * MINUTE),
        ("bantime = 5 lightyears", 10 * MINUTE),
        ("bantime = ten minutes", 10 * MINUTE),
        ("bantime = #86400", 10 * MINUTE),
        ("bantime = %(no)s", 10 * MINUTE),
        ("bantime = 10:00", 10 * MINUTE),
        ("bantime = \N{FULLWIDTH DIGIT SIX}00", 10 * MINUTE),
        ("bantime = 9**9**9", 10 * MINUTE),
        ("bantime = (-8)**.5", 10 * MINUTE),
        ("bantime =", 10 * MINUTE),
    ],
)
def test_a_mistake_in_how_long_does_not_end_whether(
    read: Read, lines: str, bantime: Seconds | None
) -> None:
    (jail,) = read(lines).jails
    assert jail.bantime == bantime


@pytest.mark.parametrize(
    ("lines", "option", "severity", "says"),
    [
        ("bantime = 86400 # one day", "bantime", "warning", 'is read as "86400"'),
        ("bantime = 99999999999999", "bantime", "warning", "-1 (without end) counts instead"),
        ("bantime = permanent", "bantime", "warning", "-1 (without end) counts instead"),
        ("bantime = 600x", "bantime", "error", "10m counts instead"),
        ("bantime = 0", "bantime", "error", "10m counts instead"),
        ("findtime = 0", "findtime", "error", "10m counts instead"),
        ("findtime = 9e99", "findtime", "warning", "the longest time counts instead"),
        ("maxretry = 5 # tries", "maxretry", "warning", 'is read as "5"'),
        ("maxretry = 5 tries", "maxretry", "warning", "5 counts instead"),
        ("maxretry = -1", "maxretry", "warning", "1 counts instead"),
        ("maxretry = 0", "maxretry", "warning", "1 counts instead"),
        ("maxretry = 99999999999999999999", "maxretry", "warning", "2147483647 counts instead"),
        ("maxretry = many", "maxretry", "error", "3 counts instead"),
        ("maxlines = 0", "maxlines", "warning", "1 counts instead"),
        ("backend = sysetmd", "backend", "error", "auto counts instead"),
        ("bantime.factor = x", "bantime.factor", "error", "1 counts instead"),
        ("bantime.formula = import os", "bantime.formula", "error", "counts instead"),
        ("bantime.multipliers = 1 2 a", "bantime.multipliers", "warning", "1 2 counts instead"),
        ("bantime.multipliers = 1 2 # x", "bantime.multipliers", "warning", 'is read as "1 2"'),
        ("datepattern = %%Y(", "datepattern", "error", "date pattern"),
        ("logtimezone = Nowhere/Land", "logtimezone", "error", "time zone"),
        ("logencoding = klingon", "logencoding", "error", "encoding"),
        ("logpath = web.log\n  /var/log/web.log", "logpath", "error", "does not begin with /"),
        ("failregex = ^(<HOST>$\n  ^fail <HOST>$", "failregex", "error", "not a regular"),
    ],
)
def test_a_jail_runs_without_what_cannot_be_read_and_says_so(
    read: Read, lines: str, option: str, severity: str, says: str
) -> None:
    settings = read(lines)
    assert len(settings.jails) == 1
    (problem,) = settings.problems
    assert (problem.option, problem.severity) == (option, severity)
    assert says in problem.what
    assert problem.cure


def test_a_mode_that_the_filter_does_not_have_gives_way_to_its_usual_one(
    write_tree: WriteTree,
) -> None:
    root = write_tree(
        {
            "jail.conf": "[DEFAULT]\nmode = agressive\nfilter = web[mode=%(mode)s]\n"
            "[web]\nenabled = true\nlogpath = /var/log/web.log\n",
            "filter.d/web.conf": "[Definition]\nmdre-normal = ^a <HOST>$\n"
            "mdre-aggressive = ^b <HOST>$\nfailregex = <mdre-<mode>>\nmode = normal\n",
        }
    )
    settings = load(root, builtin=root)
    (jail,) = settings.jails
    assert [regex.text for regex in jail.filter.failregex] == ["^a <HOST>$"]
    (problem,) = settings.errors
    assert (str(problem.place), problem.option) == (f"{root}/jail.conf:3", "mode")
    assert "aggressive" in problem.cure


def test_what_counts_instead_is_what_is_said(read: Read) -> None:
    (jail,) = (
        read(
            "maxretry = 7 tries\nfindtime = 1e15\nbantime.multipliers = 1 2 a 9\nmaxlines = 1.0\n"
            "usedns = no # never"
        )
    ).jails
    assert (jail.maxretry, jail.findtime, jail.filter.maxlines) == (7, LONGEST, 1)
    assert jail.escalation.multipliers == (1, 2)
    assert jail.filter.usedns == "no"


def test_a_switch_in_error_is_told(write_tree: WriteTree) -> None:
    root = write_tree({"jail.conf": "[web]\nenabled = %(no)s\n"})
    assert load(root, builtin=root).errors[0].option == "enabled"


@pytest.mark.parametrize(
    ("lines", "option"),
    [
        ("usedns = wran", "usedns"),
        ("ignoreself = flase", "ignoreself"),
    ],
)
def test_what_can_be_lived_with_is_a_warning(read: Read, lines: str, option: str) -> None:
    settings = read(lines)
    (problem,) = settings.problems
    assert (problem.option, problem.severity) == (option, "warning")
    (jail,) = settings.jails
    assert jail.maxretry >= 1


def test_the_old_backend_gamin_counts_as_auto(read: Read) -> None:
    assert only(read("backend = gamin")).backend == "auto"


def test_a_jail_that_counts_bans_needs_neither_log_nor_filter(read: Read) -> None:
    jail = only(read("backend = ledger\nfilter = none-such\nskip_if_nologs = true\n"))
    assert jail.uses_ledger
    assert not jail.uses_journal


def test_a_jail_that_cannot_run_has_all_its_faults_named(write_tree: WriteTree) -> None:
    text = (
        "[web]\nenabled = true\nlogpath = /dev/null\nfailregex = ^a( <HOST>$\n    ^b <HOST>)$\n"
        "ignoreregex = ^x($\n    ^y)$\nlogencoding = klingon\naction = other[name=\n"
        "bantime.formula = import os\n"
    )
    problems = load(write_tree({"jail.conf": text}), builtin=builtin_tree()).problems
    lines = [
        (problem.option, problem.place.line)
        for problem in problems
        if problem.place is not None and problem.severity == "error"
    ]
    for wanted in (
        ("action", 9), ("failregex", 4), ("failregex", 5), ("ignoreregex", 6), ("ignoreregex", 7),
        ("logencoding", 8), ("bantime.formula", 10),
    ):  # fmt: skip
        assert wanted in lines


@pytest.mark.parametrize(
    ("lines", "runs", "severity"),
    [
        ("enabled = ture", False, "error"),
        ("enabled = enabled", False, "error"),
        ("enabled = true # since May", True, "warning"),
        ('enabled = "yes"', True, "warning"),
    ],
)
def test_a_jail_that_is_meant_to_run_runs_or_says_that_it_does_not(
    write_tree: WriteTree, lines: str, runs: bool, severity: str
) -> None:
    jail = f"[web]\nfilter =\nfailregex = ^no <HOST>$\nlogpath = /x.log\n{lines}\n"
    root = write_tree({"jail.conf": jail})
    settings = load(root, builtin=root)
    assert bool(settings.jails) is runs
    (problem,) = settings.problems
    assert (problem.severity, problem.option, problem.stops) == (severity, "enabled", not runs)
    assert ("jail web does not run" in str(problem)) is not runs


@pytest.mark.parametrize("written", ["-1d", "-10m", "-86400", "0-5"])
def test_a_bantime_below_zero_is_without_end_and_told(read: Read, written: str) -> None:
    settings = read(f"bantime = {written}")
    (problem,) = settings.problems
    assert (settings.jails[0].bantime, problem.severity) == (None, "warning")
    assert "-1 (without end) counts instead" in problem.what


def test_a_bantime_of_minus_one_needs_no_word(read: Read) -> None:
    assert only(read("bantime = -1")).bantime is None
    assert only(read("bantime.maxtime = -1")).escalation.maxtime is None


@pytest.mark.parametrize("lines", ["bantime.maxtime = -5m", "bantime.rndtime = -5m"])
def test_other_times_below_zero_are_told(read: Read, lines: str) -> None:
    (problem,) = read(lines).problems
    assert (problem.severity, "counts instead" in problem.what) == ("warning", True)


def test_a_mistake_is_told_once_where_another_option_repeats_it(read: Read) -> None:
    settings = read("maxretry = many\nmaxmatches = %(maxretry)s\n")
    assert [problem.option for problem in settings.problems] == ["maxretry"]
    settings = read("bantime = 5m # x\nfindtime = %(bantime)s\n")
    assert [problem.option for problem in settings.problems] == ["findtime"]
    assert settings.jails[0].bantime == settings.jails[0].findtime == Seconds(300)


def test_a_comment_behind_ports_is_told_once(read: Read) -> None:
    lines = 'port = 22 # x\nprotocol = tcp # y\naction = nftables[port="%(port)s", '
    settings = read(lines + 'protocol="%(protocol)s"]\n')
    assert [problem.option for problem in settings.problems] == ["port", "protocol"]
    enforcement = settings.jails[0].enforcement
    assert enforcement is not None
    assert [str(port) for port in enforcement.ports] == ["22"]
