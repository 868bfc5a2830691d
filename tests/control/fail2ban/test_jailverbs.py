"""One way to get and set every option of a jail."""

from pathlib import Path

import msgspec
import pytest

from banish.control.fail2ban.answers import CommandError
from banish.control.fail2ban.options import AT_RUN_TIME, JAIL_OPTIONS, value_of
from banish.errors import ConfigError
from banish.model.instant import Seconds
from banish.model.settings import CacheRule, LogPath, Regex
from tests.control.fail2ban.asking import SSHD, Asked

SET = {
    "findtime": ("5m", Seconds(300), 300),
    "bantime": ("-1", None, -1),
    "maxretry": ("7", 7, 7),
    "maxmatches": ("0", 0, 0),
    "maxlines": ("3", 3, 3),
    "usedns": ("maybe", "no", "no"),
    "logencoding": ("latin1", "latin1", "latin1"),
    "logtimezone": ("UTC+0200", "UTC+0200", "UTC+0200"),
    "datepattern": ("^%Y", Regex("^%Y", AT_RUN_TIME), ("^%Y", "^Year")),
    "prefregex": ("^a <F-CONTENT>", Regex("^a <F-CONTENT>", AT_RUN_TIME), "^a <F-CONTENT>"),
    "ignoreself": ("no", False, False),
    "ignorecommand": ("true <ip>", "true <ip>", "true <ip>"),
    "ignorecache": ("max-time=1h", CacheRule("<ip>", 100, Seconds(3_600)), ["<ip>", 100, 3_600]),
    "bantime.increment": ("true", True, True),
    "bantime.factor": ("3", "3", "3"),
    "bantime.formula": ("ban.Time * 2", "ban.Time * 2", "ban.Time * 2"),
    "bantime.multipliers": ("1 2.5 30", (1.0, 2.5, 30.0), "1 2.5 30"),
    "bantime.maxtime": ("1w", Seconds(604_800), 604_800),
    "bantime.rndtime": ("0.5", Seconds(0.5), 0.5),
    "bantime.overalljails": ("yes", True, "true"),
}


@pytest.mark.parametrize("option", JAIL_OPTIONS)
def test_every_option_is_changed_in_its_field_alone_and_shown_as_it_is_got(option: str) -> None:
    ask, (text, value, shown) = Asked(), SET[option]
    assert ask(["set", "sshd", option, text]) == shown
    assert ask(["get", "sshd", option]) == shown
    assert ask.port.changes[-1].places.keys() == {option}
    field = JAIL_OPTIONS[option].field
    assert value_of(ask.sshd, field) == value
    outer = field.partition(".")[0]
    rest = {name: getattr(ask.sshd, name) for name in SSHD.__struct_fields__ if name != outer}
    assert rest == {name: getattr(SSHD, name) for name in rest}


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("findtime", "0"), ("findtime", "5x"), ("maxretry", "0"), ("maxretry", "x"),
        ("maxretry", "9" * 5_000), ("maxlines", "0"), ("maxmatches", "-1"),
        ("bantime.formula", "ban.Time * ("), ("bantime.factor", "word"),
        ("bantime.multipliers", "1 x"), ("logtimezone", "nonsense"), ("ignorecache", "x"),
        ("datepattern", "(("), ("bantime", "0"), ("bantime.multipliers", "nan"),
        ("maxlines", "1001"), ("logencoding", "utf-16"), ("bantime.maxtime", "-5"),
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_changes_nothing(option: str, text: str) -> None:
    ask = Asked()
    with pytest.raises(CommandError) as caught:
        ask(["set", "sshd", option, text])
    assert caught.value.kind == "ValueError"
    assert ask.port.changes == []


def test_an_encoding_that_does_not_exist_is_a_lookup_error() -> None:
    with pytest.raises(CommandError) as caught:
        Asked()("set sshd logencoding nonsense")
    assert caught.value.kind == "LookupError"


@pytest.mark.parametrize("option", sorted(SET))
def test_what_no_file_sets_reads_as_fail2ban_shows_it(option: str) -> None:
    unset = {"ignorecommand": False}
    is_optional = JAIL_OPTIONS[option].is_optional
    if is_optional:
        assert Asked()(["get", "sshd", option]) == unset.get(option)


def test_what_a_file_sets_is_shown() -> None:
    ask = Asked()
    assert ask("get nginx bantime.increment") is True
    assert ask("get nginx bantime.maxtime") == 86_400
    assert ask("get nginx bantime") == -1


def test_an_option_that_does_not_change_changes_nothing_else() -> None:
    ask = Asked()
    ask("set sshd addignoreip 192.0.2.99")
    ask("set sshd delfailregex 9")
    assert ask.port.changes == []


def test_regexes_are_added_and_deleted_by_number() -> None:
    ask = Asked()
    assert ask("set sshd addfailregex '^worse <HOST>$'") == ["^bad <HOST>$", "^worse <HOST>$"]
    assert ask("set sshd delfailregex 0") == ["^worse <HOST>$"]
    assert ask.sshd.filter.failregex == (Regex("^worse <HOST>$"),)
    assert ask(["multi-set", "sshd", "addignoreregex", ["^a", "^b"]]) == ["^a", "^b"]


def test_a_bad_regex_leaves_the_jail_as_it_is() -> None:
    ask = Asked()
    ask.port.trouble = ConfigError("no regex")
    with pytest.raises(CommandError, match="no regex"):
        ask("set sshd addfailregex (")
    assert ask.sshd == SSHD


def test_exempt_addresses_are_added_deleted_and_shown_as_networks() -> None:
    ask = Asked()
    assert ask("get sshd ignoreip") == ["127.0.0.0/8", "192.0.2.99"]
    assert ask("set sshd addignoreip 2001:DB8::1 host.example")[2:] == [
        "2001:db8::1",
        "host.example",
    ]
    assert ask("set sshd delignoreip 127.0.0.1/8")[0] == "192.0.2.99"
    with pytest.raises(CommandError, match=r"198\.51\.100\.1 is not in the ignoreip"):
        ask("set sshd delignoreip 198.51.100.1")


def test_an_entry_that_exempts_nobody_is_refused() -> None:
    with pytest.raises(CommandError, match="300"):
        Asked()("set sshd addignoreip 192.0.2.7 300.1.1.1/99")


def test_a_log_is_added_with_where_to_begin_and_must_be_there() -> None:
    ask = Asked()
    ask("set sshd addlogpath /etc/passwd tail")
    ask("set sshd addlogpath /etc/pass* head")
    assert ask.sshd.logpaths[1:] == (LogPath("/etc/passwd", tail=True), LogPath("/etc/pass*"))
    with pytest.raises(CommandError) as caught:
        ask("set sshd addlogpath /nonexistent/x")
    assert caught.value.kind == "FileNotFoundError"
    assert ask("set sshd dellogpath /etc/passwd") == ["/var/log/auth.log", "/etc/pass*"]


def test_journal_matches_are_lists_of_words_and_files_have_none() -> None:
    ask = Asked()
    assert ask("set sshd addjournalmatch _COMM=sshd") == []
    first = ["_SYSTEMD_UNIT=nginx.service", "+", "_COMM=nginx"]
    assert ask("get nginx journalmatch") == [first]
    assert ask("set nginx addjournalmatch _COMM=x _UID=0") == [first, ["_COMM=x", "_UID=0"]]
    assert ask(["set", "nginx", "deljournalmatch", " ".join(first)]) == [["_COMM=x", "_UID=0"]]


def test_idle_leaves_logs_unread_until_off() -> None:
    ask = Asked()
    assert ask("set sshd idle on") is True
    assert ask.port.idle == {"sshd"}
    assert ask("set sshd idle off") is False
    assert ask.port.idle == set()


def test_properties_of_commands_are_set_and_those_of_our_own_are_not() -> None:
    ask = Asked()
    assert ask("set sshd action script actionban 'ban2 <ip>'") == "ban2 <ip>"
    assert ask("set sshd action script timeout 2m") == 120
    assert ask.sshd.actions[0].properties["actionban"] == "ban2 <ip>"
    assert ask.sshd.actions[0].timeout == Seconds(120)
    assert ask("get sshd action iptables port") == "ssh"
    with pytest.raises(CommandError, match="nativeactions = false"):
        ask("set sshd action iptables port 22")


def test_an_action_is_added_without_commands_and_deleted_again() -> None:
    ask = Asked()
    assert ask("set sshd addaction new") == "new"
    assert ask("get sshd action new actionban") == ""
    assert ask("get sshd actions") == ["script", "iptables", "new"]
    assert ask("set sshd delaction new") is None
    assert ask.sshd == SSHD


def test_no_method_of_an_action_is_called() -> None:
    ask = Asked()
    with pytest.raises(CommandError, match="cannot be called"):
        ask("set sshd action script ban {}")
    assert ask.sshd == SSHD
    assert msgspec.structs.replace(ask.sshd) == SSHD


PYTHON = """
class Teller:
    def __init__(self, jail, name, host, port=25):
        pass

    def ban(self, info):
        pass

Action = Teller
"""


def test_an_action_in_python_is_added_with_its_arguments(tmp_path: Path) -> None:
    ask, file = Asked(), tmp_path / "teller.py"
    file.write_text(PYTHON)
    assert ask(["set", "sshd", "addaction", "tell", str(file), '{"host": "x", "port": 26}']) == (
        "tell"
    )
    made = ask.sshd.actions[-1]
    assert (made.way, made.name, made.actname) == ("python", "teller.py", "tell")
    assert made.arguments == {"host": "x", "port": "26"}
    assert made.options == {"path": str(file), "bantime": 600}
    assert ask("get sshd action tell host") == "x"


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/nonexistent.py", "{}"), ("teller.py", "{}"), ("teller.py", '{"host": "x", "no": 1}'),
        ("teller.py", "[]"), ("teller.py", "[" * 100_000), ("teller.py", "{"), ("empty.py", "{}"),
    ],
)  # fmt: skip
def test_an_action_in_python_that_cannot_be_made_is_refused(
    tmp_path: Path, path: str, arguments: str
) -> None:
    ask = Asked()
    (tmp_path / "teller.py").write_text(PYTHON)
    (tmp_path / "empty.py").touch()
    with pytest.raises(CommandError):
        ask(["set", "sshd", "addaction", "tell", str(tmp_path / path), arguments])
    assert ask.sshd == SSHD
