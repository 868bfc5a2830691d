"""What ``fail2ban-client`` prints of an answer."""

from typing import Any

import pytest

from banish.cli.fail2ban.texts import error_text, text_of
from banish.cli.fail2ban.wire import Raised

TABLE = """\
         ║          ║ Filter    ║ Actions    
Jail     ║ Backend  ╟───────────╫─────────────
         ║          ║ cur │ tot ║ cur │   tot
═════════╬══════════╬═══════════╬═════════════
sshd     ║ systemd  ║   1 │   2 ║   3 │ 44444
═════════╩══════════╩═══════════╩═════════════"""  # noqa: W291


def raised(name: str, *args: object) -> Raised:
    error = Raised(*args)
    error.kind = name
    return error


@pytest.mark.parametrize(
    ("command", "value", "text"),
    [
        ("start j", None, "Jail started"),
        ("stop", None, "Shutdown successful"),
        ("stop j", None, "Jail stopped"),
        ("stop j", 1, "1"),
        ("get dbfile", None, "Database currently disabled"),
        ("get dbpurgeage", 60, "Current database purge age is:\n`- 60seconds"),
        ("get loglevel", 10, "Current logging level is 'DEBUG'"),
        ("get j logpath", ["a", "b"], "Current monitored log file(s):\n|- a\n`- b"),
        ("get j logpath", [], "No file is currently monitored"),
        ("get j journalmatch", [["a", "b"], ["c"]], "Current match filter:\na b + c"),
        ("get j ignoreip", [], "No IP address/network is ignored"),
        ("get j datepattern", None, "Current date pattern set to: Not set/required"),
        ("get j datepattern", (None, "b"), "Current date pattern set to: b"),
        ("get j banip --with-time", ["x", "y"], "x\ny"),
        ("get j banip ,", ["x", "y"], "x,y"),
        ("get j actions", [], "No actions for jail j"),
        ("get j actionmethods a", [], "No methods for jail j action a"),
        ("set j banip 1.2.3.4", 1, "1"),
        ("get j logpath", None, "None"),
        ("status", 5, "5"),
        ("stats", {}, "No jails found."),
        ("stats", {"sshd": ["systemd", (1, 2), (3, 44444)]}, TABLE),
        ("banned", [{"j": []}], "[{'j': []}]"),
    ],
)
def test_a_value_is_printed_as_the_command_has_it(command: str, value: Any, text: str) -> None:
    assert text_of(command.split(), value) == text


def test_all_jails_are_branches_of_one_tree() -> None:
    jails = {"a": [("Filter", [("Total failed", 1)])], "b": [("Filter", [("Total failed", 2)])]}
    value = [("Number of jail", 2), ("Jail list", "a, b"), jails]
    assert text_of(["status", "--all"], value) == (
        "Status\n|- Number of jail:\t2\n|- Jail list:\ta, b\n`- Status for the jails:\n"
        "   |- Jail: a\n   |  `- Filter\n   |     `- Total failed:\t1\n"
        "   `- Jail: b\n      `- Filter\n         `- Total failed:\t2"
    )


def test_the_table_has_no_letters_that_the_terminal_lacks() -> None:
    text = text_of(["stats"], {"j": ["polling", (1, 2), (3, 4)]}, is_utf8=False)
    assert text.isascii()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (raised("UnknownJailException", "a"), "Sorry but the jail 'a' does not exist"),
        (raised("DuplicateJailException", "a"), "The jail 'a' already exists"),
        (raised("IndexError", "x"), "Sorry but the command is invalid"),
        (raised("KeyError", "x"), "'x'"),
        (raised("ValueError"), ""),
        (raised("ValueError", 1, 2), "(1, 2)"),
        ("ERROR: words", "ERROR: words"),
    ],
)
def test_an_error_is_said_in_fail2bans_words(error: Any, text: str) -> None:
    assert error_text(error) == text
