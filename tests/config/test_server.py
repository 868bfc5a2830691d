"""The server's own options."""

from collections.abc import Mapping
from pathlib import Path

from banish.config.merge import Library
from banish.config.problem import Problems
from banish.config.search import Tree
from banish.config.server import FAIL2BAN_DATABASE, read_server
from banish.model.instant import Seconds
from banish.model.settings import Problem, ServerSettings
from tests.config.tree import WriteTree


def read(root: Path) -> tuple[ServerSettings, tuple[Problem, ...]]:
    library = Library(Tree((root,)), Problems())
    return read_server(library), library.problems.all()


def test_without_files_the_defaults_count(write_tree: WriteTree) -> None:
    assert read(write_tree({})) == (ServerSettings(), ())


def test_fail2bans_options_count_but_its_own_files_are_left_to_it(write_tree: WriteTree) -> None:
    settings, problems = read(
        write_tree(
            {
                "fail2ban.conf": "[DEFAULT]\nloglevel = debug\nlogtarget = /var/log/fail2ban.log\n"
                "socket = /x.sock\npidfile = /x.pid\ndbfile = /x.sqlite3\ndbpurgeage = 2d\n"
                "dbmaxmatches = 3\nallowipv6 = no\n[Definition]\n[Thread]\nstacksize = 0\n"
            }
        )
    )
    assert not problems
    default = ServerSettings()
    assert (settings.loglevel, settings.logtarget) == ("DEBUG", "/var/log/fail2ban.log")
    assert (settings.dbpurgeage, settings.dbmaxmatches) == (Seconds(172_800), 3)
    assert settings.allowipv6 == "no"
    assert (settings.socket, settings.pidfile, settings.dbfile) == (
        default.socket,
        default.pidfile,
        default.dbfile,
    )


def test_the_wish_for_no_database_counts(write_tree: WriteTree) -> None:
    for word in ("None", "none"):
        root = write_tree({"fail2ban.local": f"[Definition]\ndbfile = {word}\n"})
        assert read(root)[0].dbfile == "None"
    root = write_tree({"fail2ban.conf": "[DEFAULT]\ndbfile = :memory:\n[Definition]\n"})
    assert read(root)[0].dbfile == ":memory:"


def test_our_own_file_goes_first(write_tree: WriteTree) -> None:
    settings, _ = read(
        write_tree(
            {
                "fail2ban.conf": "[Definition]\nloglevel = DEBUG\nlogtarget = STDOUT\n",
                "banish.conf": "[Definition]\nloglevel = ERROR\nsocket = /y.sock\nkeepbans = yes\n",
            }
        )
    )
    assert (settings.loglevel, settings.logtarget) == ("ERROR", "STDOUT")
    assert settings.socket == "/y.sock"
    assert settings.keepbans
    assert settings.places["loglevel"].line == 2


def test_what_is_wrong_is_told_and_the_default_counts(write_tree: WriteTree) -> None:
    settings, problems = read(
        write_tree(
            {
                "banish.conf": "[Definition]\nloglevel = INOF\ndbpurgeage = %(no)s\nsokcet = /x\n"
                "zzzzzz = 1\ndbmaxmatches = many\n"
            }
        )
    )
    assert (settings.loglevel, settings.dbpurgeage, settings.dbmaxmatches) == (
        "INFO",
        Seconds(86_400),
        10,
    )
    assert {(problem.option, problem.severity) for problem in problems} == {
        ("loglevel", "error"),
        ("dbpurgeage", "error"),
        ("dbmaxmatches", "error"),
        ("sokcet", "warning"),
        ("zzzzzz", "warning"),
    }
    assert any("socket" in problem.cure for problem in problems)


def test_a_level_may_be_a_number(write_tree: WriteTree) -> None:
    assert read(write_tree({"banish.conf": "[Definition]\nloglevel = 18\n"}))[0].loglevel == "18"


def test_a_fail2ban_tree_names_the_database_to_take_over(write_tree: WriteTree) -> None:
    def takeover(files: Mapping[str, str]) -> str:
        settings, problems = read(write_tree(files))
        assert not problems
        return settings.takeover_dbfile

    theirs = "[DEFAULT]\ndbfile = %(folder)s/f2b.sqlite3\nfolder = /x\n[Definition]\n"
    assert takeover({"fail2ban.conf": theirs}) == "/x/f2b.sqlite3"
    assert takeover({"fail2ban.conf": "[Definition]\n"}) == FAIL2BAN_DATABASE
    ours = "[Definition]\ndbfile = "
    assert takeover({"fail2ban.conf": theirs, "banish.conf": f"{ours}/y\n"}) == "/x/f2b.sqlite3"
    assert takeover({}) == ""
    assert takeover({"banish.conf": f"{ours}/y\n"}) == ""


def test_nothing_is_taken_over_without_two_databases(write_tree: WriteTree) -> None:
    theirs = "[Definition]\ndbfile = /x\n"
    for files in (
        {"fail2ban.conf": "[Definition]\ndbfile = None\n"},
        {"fail2ban.conf": "[Definition]\ndbfile = :memory:\n"},
        {"fail2ban.conf": "[Definition]\ndbfile = relative\n"},
        {"fail2ban.conf": "[Definition]\ndbfile = %(no)s\n"},
        {"fail2ban.conf": theirs, "banish.conf": "[Definition]\ndbfile = None\n"},
        {"fail2ban.conf": theirs, "banish.conf": theirs},
    ):
        assert read(write_tree(files))[0].takeover_dbfile == ""


def test_the_firewall_can_be_chosen_among_those_there_are(write_tree: WriteTree) -> None:
    for word in ("nftables", "iptables", "ipset"):
        settings, problems = read(write_tree({"banish.conf": f"[Definition]\nfirewall = {word}\n"}))
        assert (settings.firewall, problems) == (word, ())
    settings, (problem,) = read(write_tree({"banish.conf": "[Definition]\nfirewall = ipsets\n"}))
    assert settings.firewall == "nftables"
    assert (problem.option, "ipset" in problem.cure) == ("firewall", True)


def test_the_time_that_a_line_may_take_can_be_set(write_tree: WriteTree) -> None:
    settings, problems = read(write_tree({"banish.conf": "[Definition]\nlinetime = 0.5\n"}))
    assert (settings.linetime, problems) == (0.5, ())
    settings, (problem,) = read(write_tree({"banish.conf": "[Definition]\nlinetime = 0\n"}))
    assert (settings.linetime, problem.option) == (0.1, "linetime")


def test_a_format_of_the_log_that_is_none_is_named_with_its_cure(write_tree: WriteTree) -> None:
    settings, problems = read(write_tree({"fail2ban.conf": "[Definition]\nlogformat = JSON\n"}))
    assert (settings.logformat, problems) == ("json", ())
    settings, (problem,) = read(write_tree({"banish.conf": "[Definition]\nlogformat = xml\n"}))
    assert settings.logformat == "fail2ban"
    assert problem.place is not None
    assert (problem.place.line, problem.option) == (2, "logformat")
    assert '"xml"' in problem.what
    assert "fail2ban" in problem.cure
    assert "json" in problem.cure
