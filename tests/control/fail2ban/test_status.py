"""The shapes of status, statistics and lists of bans, and what they cost."""

import asyncio
import time

import pytest

from banish.control.fail2ban.answers import CommandError
from banish.control.fail2ban.port import JailCounts
from banish.model.address import Subject, SubjectKind, parse_subject
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.model.reload import ReloadReport, ReloadWish
from banish.model.settings import Problem
from banish.testing.operations import NOON
from tests.control.fail2ban.asking import ROOT, Asked

MILLION = 1_000_000


def test_statistics_are_a_pair_each_of_failures_and_bans_by_jail() -> None:
    ask = Asked()
    ask.port.counted["sshd"] = JailCounts(failed=3, failed_total=75)
    ask("set sshd banip 192.0.2.1 192.0.2.2")
    every = {"nginx": ["systemd", (0, 0), (0, 0)], "sshd": ["pyinotify", (3, 75), (2, 2)]}
    for command in ("stats", "statistic", "statistics", "status --all stats"):
        assert ask(command) == every
    assert ask("status sshd stats") == every["sshd"]


def test_status_of_all_jails_is_the_overview_and_a_table_of_each() -> None:
    ask = Asked()
    answer = ask("status --all")
    assert answer[:2] == [("Number of jail", 2), ("Jail list", "nginx, sshd")]
    assert answer[2] == {name: ask(["status", name]) for name in ("nginx", "sshd")}
    short = ask("status --all short")[2]["sshd"][1][1]
    assert short == [("Currently banned", 0), ("Total banned", 0)]


def test_a_journal_jail_names_its_matches_in_place_of_files() -> None:
    (_, failures), _ = Asked()("status nginx")
    matches = ["_SYSTEMD_UNIT=nginx.service + _COMM=nginx"]
    assert failures[2] == ("Journal matches", matches)


def test_cymru_has_its_three_lists() -> None:
    _, (_, actions) = Asked()("status sshd cymru")
    titles = ["Banned ASN list", "Banned Country list", "Banned RIR list"]
    assert actions[3:] == [(title, ["error"]) for title in titles]


def test_no_jails_are_an_empty_list() -> None:
    ask = Asked()
    ask("stop --all")
    assert ask("status") == [("Number of jail", 0), ("Jail list", "")]
    assert ask("stats") == {}
    assert ask("banned") == []


def test_one_that_cannot_be_banned_keeps_none_of_the_others_from_it() -> None:
    ask = Asked()
    ask.port.exempt.add(parse_subject("192.0.2.9"))
    with pytest.raises(CommandError, match=r"192\.0\.2\.9 cannot be banned; banned: 2"):
        ask("set sshd banip 192.0.2.1 192.0.2.9 192.0.2.2")
    assert ask("get sshd banip") == ["192.0.2.1", "192.0.2.2"]


def test_bans_are_listed_by_their_end_and_those_without_one_last() -> None:
    ask = Asked()
    for text, until in (("192.0.2.1", None), ("192.0.2.2", NOON + 90), ("192.0.2.3", NOON + 60)):
        subject, end = parse_subject(text), None if until is None else Instant(until)
        ask.port.in_force["sshd"][subject] = Ban("sshd", subject, NOON, end)
    assert ask("get sshd banip") == ["192.0.2.3", "192.0.2.2", "192.0.2.1"]
    timed = ask("get sshd banip --with-time")
    assert timed[2].endswith(" + -1 = 9999-12-31 23:59:59")
    assert timed[0].startswith("192.0.2.3 \t")
    assert " + 60 = " in timed[0]


def test_absent_ones_are_reported_and_the_others_unbanned_all_the_same() -> None:
    ask = Asked()
    ask("set sshd banip 192.0.2.1")
    with pytest.raises(CommandError, match=r"not banned: \['192\.0\.2\.2', '198\.51\.100\.0/24'\]"):
        ask("set sshd unbanip --report-absent 192.0.2.1 192.0.2.2 198.51.100.0/24")


def test_a_name_stands_for_its_addresses_where_bans_end() -> None:
    ask = Asked()
    ask.port.names["host.example"] = [parse_subject("192.0.2.1"), parse_subject("192.0.2.9")]
    ask("set sshd banip 192.0.2.1 192.0.2.2")
    ask("set nginx banip 192.0.2.1")
    assert ask("set sshd unbanip host.example") == 1
    assert ask("unban host.example other.example") == 1
    assert ask("banned") == [{"sshd": ["192.0.2.2"]}, {"nginx": []}]


def test_an_address_is_never_looked_up_as_a_name() -> None:
    ask = Asked()
    ask.port.names["2001:db8::a"] = [parse_subject("192.0.2.1")]
    ask("set sshd banip 2001:db8::a 192.0.2.1")
    assert ask("set sshd unbanip 2001:db8::a") == 1
    assert ask("get sshd banned") == ["192.0.2.1"]


def test_an_attempt_counts_once_for_each_line_and_not_for_who_is_exempt() -> None:
    ask = Asked()
    ask.port.exempt.add(parse_subject("192.0.2.9"))
    assert ask("set sshd attempt 192.0.2.1") == 1
    assert ask("set sshd attempt 192.0.2.1 a b") == 1
    assert ask("set sshd attempt 192.0.2.9") == 0
    assert [len(lines) for _, _, lines in ask.port.attempts] == [1, 2, 1]


def full_of_bans() -> Asked:
    ask = Asked()
    texts = (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(MILLION))
    subjects = [Subject(text, SubjectKind.IPV4) for text in texts]
    ban = Ban("sshd", subjects[0], NOON, Instant(NOON + 600))
    ask.port.in_force["sshd"] = dict.fromkeys(subjects, ban)
    return ask


async def longest_pause(ask: Asked, command: list[str]) -> tuple[int, float]:
    """Return how much was answered, and how long the loop's others waited at most, in seconds."""
    longest, last = 0.0, time.perf_counter()
    answering = asyncio.ensure_future(ask.commands.answer(list(command), ROOT))
    while not answering.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return len(answering.result()), longest


@pytest.mark.slow
def test_a_million_bans_do_not_make_status_slow_nor_lists_stop_the_server() -> None:
    ask = full_of_bans()
    for command in ("status", "stats", "status sshd short", "status --all short"):
        begin = time.thread_time()
        ask(command)
        assert time.thread_time() - begin < 0.25, command  # to list them takes more
    for words in (["get", "sshd", "banned"], ["get", "sshd", "banip"]):
        answered, pause = asyncio.run(longest_pause(ask, words))
        assert answered == MILLION
        assert pause < 0.5, words


# -- reload -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "wish"),
    [
        (["reload"], ReloadWish()),
        (["reload", "--all", [], [["add", "sshd", "auto"]]], ReloadWish()),
        (["reload", "sshd", ["--unban"], [["stop"]]], ReloadWish("sshd", unban=True)),
        (["reload", "--restart", "sshd"], ReloadWish("sshd", restart=True)),
        (["restart", "--unban", "sshd"], ReloadWish("sshd", restart=True, unban=True)),
        (["reload", "--if-exists", "no"], ReloadWish("no", if_exists=True)),
    ],
)
def test_reload_takes_flags_and_jail_and_leaves_the_clients_list_unread(
    command: list[object], wish: ReloadWish
) -> None:
    ask = Asked()
    assert ask(command) == "OK"
    assert ask.port.wishes == [wish]


def test_a_jail_that_could_not_follow_is_named() -> None:
    ask = Asked()
    ask.port.report = ReloadReport(
        problems=(
            Problem("error", "no log", jail="sshd", stops=True),
            Problem("error", "of another", jail="sshd", stops=True),
            Problem("warning", "a typo", jail="nginx"),
        )
    )
    with pytest.raises(CommandError) as caught:
        ask("reload")
    assert caught.value.text == "Errors in jail 'sshd': no log; jail sshd does not run"
    assert ask("reload nginx") == "OK"


def test_many_jails_that_could_not_follow_are_counted() -> None:
    ask = Asked()
    ask.port.report = ReloadReport(
        problems=tuple(Problem("error", "bad", jail=f"j{n}", stops=True) for n in range(9))
    )
    with pytest.raises(CommandError, match="and 6 more jails"):
        ask("reload")


def test_an_option_of_reload_that_does_not_exist_is_refused() -> None:
    with pytest.raises(CommandError, match="unexpected option: --nonsense"):
        Asked()("reload --nonsense")


def test_restart_without_a_jail_is_the_clients_own() -> None:
    with pytest.raises(CommandError, match="Invalid command"):
        Asked()("restart")
