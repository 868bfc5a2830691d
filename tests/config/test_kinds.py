"""Actions of kinds that banish carries out itself: what their files may say."""

import sys
from pathlib import Path

import msgspec
import pytest

from banish.addon.declare import EVERY_ACTION
from banish.config import kinds
from banish.config.actions import read_actions
from banish.config.addons import ACTIONS
from banish.config.load import load
from banish.config.merge import Library
from banish.config.problem import Problems
from banish.config.search import Tree, builtin_tree
from banish.config.text import Text, single
from banish.model.instant import Seconds
from banish.model.settings import ActionSettings, Place, Problem
from tests.config.tree import WriteTree

HERE = Place("jail.local", 5)

FILES = {
    "action.d/tell.conf": "[Definition]\nkind = mail\nto = <dest>\n[Init]\ndest = root\n",
    "action.d/edge.conf": "[Definition]\nkind = cloudflare\nurl = http://127.0.0.1:1\n"
    "token_file = /none\nzone = 1\n",
    "action.d/hook.conf": "[Definition]\nkind = webhook\n",
    "action.d/odd.conf": "[Definition]\nkind = pigeon\n",
    "action.d/theirs.conf": "[Definition]\nkind = big\nactionban = big <ip>\n",
    "action.d/both.conf": "[Definition]\nkind = mail\nactionban = tell <ip>\n",
}


@pytest.fixture
def library(write_tree: WriteTree) -> Library:
    return Library(Tree((write_tree(FILES),)), Problems())


def read(library: Library, action: str, **options: str) -> ActionSettings:
    def named(option: str) -> Text | None:
        return single(options[option], HERE) if option in options else None

    (found,) = read_actions(library, "web", single(action, HERE), named, named).settings
    return found


def problem(library: Library) -> Problem:
    (found,) = library.problems.all()
    return found


def test_every_option_has_its_type_and_its_default(library: Library) -> None:
    found = read(library, 'tell[to="a@example.org, b@example.org", whois=yes, digest=10m]')
    assert not library.problems.all()
    assert (found.way, found.kind, found.keeps_out) == ("built-in", "mail", False)
    assert not found.is_enforcing
    assert found.flag("norestored")
    assert found.options["to"] == ("a@example.org", "b@example.org")
    assert found.options["whois"] is True
    assert found.options["digest"] == 600.0
    assert found.options["port"] == 0
    assert found.options["on"] == ("ban",)
    assert found.timeout == Seconds(30)


def test_tags_of_the_file_and_arguments_are_put_in(library: Library) -> None:
    assert read(library, "tell[dest=noc@example.org]").options["to"] == ("noc@example.org",)
    assert not library.problems.all()


def test_what_keeps_out_is_told_of_every_ban(library: Library) -> None:
    found = read(library, "edge")
    assert found.is_enforcing
    assert not found.flag("norestored")


@pytest.mark.parametrize(
    ("action", "says", "cure"),
    [
        ("tell[dset=root]", 'no option "dset"', '"digest"'),
        ("tell[to=]", "to is not set", "write to ="),
        ("tell[to=a@b@c]", "not a mail address", "write root"),
        ('tell[to="-oQ/tmp"]', "not a mail address", "write root"),
        ("tell[lines=many]", "lines: ", "a number"),
        ("tell[lines=101]", "out of bounds", "0 to 100"),
        ("tell[digest=-5]", "below zero", "write 5m"),
        ("tell[digest=soon]", "not a duration", ""),
        ("tell[via=pigeon]", "not one of its values", "sendmail, smtp"),
        ("tell[on=bans]", "not one of its values", '"ban"'),
        ("tell[sendmail=sendmail]", "does not begin with /", "whole path"),
        ("tell[html=perhaps]", "counts as false", ""),
        ("hook", "url or url_file is not set", "write url ="),
        ("hook[url=ftp://x]", "not an http:// or https:// URL", "https://"),
        ("hook[url='http://x/ y']", "not an http:// or https:// URL", "https://"),
        ("hook[url=http://x, secret_file=/nowhere/x]", "cannot be read", "chmod 600"),
        ("odd", 'no kind "pigeon"', "write one of"),
    ],
)
def test_what_is_wrong_is_told_with_place_and_cure(
    library: Library, action: str, says: str, cure: str
) -> None:
    read(library, action)
    found = problem(library)
    assert says in found.what
    assert cure in found.cure
    assert found.place is not None


def test_a_teller_that_cannot_run_keeps_nobody_from_being_banned(library: Library) -> None:
    assert read(library, "tell[to=]").way == "none"
    assert "nobody is notified" in problem(library).what


def test_an_action_that_cannot_keep_out_is_replaced_by_the_firewall(library: Library) -> None:
    assert read(library, "edge[zone=]").way == "native"
    assert "close the jail's ports" in library.problems.all()[-1].what


def test_a_missing_package_is_told_with_the_extra_that_brings_it(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "find_spec", lambda _name: None)
    assert read(library, "hook[url=http://127.0.0.1]").way == "none"
    assert problem(library).cure.startswith(f"{sys.executable} -m pip install 'aiohttp")
    assert read(library, "tell").way == "built-in"


def test_a_secret_that_everybody_may_read_is_told(library: Library, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o644)
    assert read(library, f"hook[url=http://127.0.0.1, secret_file={secret}]").way == "built-in"
    assert problem(library).cure == f"chmod 600 {secret}"


def test_an_option_called_kind_in_an_action_of_commands_means_nothing(library: Library) -> None:
    assert read(library, "theirs").way == "commands"
    assert read(library, "both").way == "built-in"
    assert read(library, "both", nativeactions="false").way == "commands"
    assert read(library, "both[actionban=mine]").way == "commands"
    assert read(library, "tell", nativeactions="false").way == "built-in"
    assert not library.problems.all()


@pytest.mark.parametrize("kind", ACTIONS)
def test_every_field_of_an_add_on_is_an_option_and_takes_its_default(kind: str) -> None:
    addon = ACTIONS[kind]
    options = {option.name for option in (*addon.options, *EVERY_ACTION)}
    for struct in addon.structs:
        assert {field.name for field in msgspec.structs.fields(struct)} <= options
        msgspec.convert({}, struct)


@pytest.mark.parametrize("kind", ACTIONS)
def test_the_default_of_an_option_reads_as_the_default_of_its_field(kind: str) -> None:
    addon = ACTIONS[kind]
    options = {option.name: option for option in (*addon.options, *EVERY_ACTION)}
    for struct in addon.structs:
        for field in msgspec.structs.fields(struct):
            option = options[field.name]
            read = kinds._typed(single(option.default, HERE), option, Problems())
            assert msgspec.convert({field.name: read}, struct) == struct(), field.name


@pytest.mark.parametrize("kind", ACTIONS)
def test_an_add_on_names_options_that_it_has(kind: str) -> None:
    addon = ACTIONS[kind]
    names = {option.name for option in addon.options}
    assert {name for each in addon.required for name in each.split("|")} <= names
    assert bool(addon.needs) == bool(addon.extra)


@pytest.mark.parametrize(
    "name", ["mail", "mail-smtp", "webhook", "apprise", "abuseipdb", "xarf", "cloudflare"]
)
def test_the_files_that_come_with_us_say_nothing_unknown(name: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    given = {
        "webhook": "url=http://127.0.0.1:1",
        "apprise": f"urls_file={secret}",
        "abuseipdb": f"url=http://127.0.0.1:1, key_file={secret}",
        "xarf": "sender=abuse@example.org",
        "cloudflare": f"url=http://127.0.0.1:1, zone=1, token_file={secret}",
    }.get(name, "to=root")
    library = Library(Tree((builtin_tree(),)), Problems())
    assert read(library, f"{name}[{given}]").way == "built-in"
    assert not library.problems.all()


def test_our_kinds_can_be_had_in_a_directory_of_fail2bans(write_tree: WriteTree) -> None:
    root = write_tree({
        "jail.conf": "[DEFAULT]\nport = 22\nlogpath = /dev/null\n[web]\nenabled = true\n"
        "filter = f\naction = mail[name=x]\n  banish-mail[to=root]\n  mail-smtp[to=root]\n"
        "  banish-iptables\n",
        "filter.d/f.conf": "[Definition]\nfailregex = from <HOST>\n",
        "action.d/mail.conf": "[Definition]\nactionban = mail <ip>\n",
    })  # fmt: skip
    settings = load(root, builtin=builtin_tree())
    (jail,) = settings.jails
    assert [(each.name, each.way) for each in jail.actions] == [
        ("mail", "commands"), ("banish-mail", "built-in"), ("mail-smtp", "built-in"),
        ("banish-iptables", "native"),
    ]  # fmt: skip
    assert [each.what for each in settings.problems] == [
        'there is no action "banish-iptables": nftables bans in its place'
    ]


@pytest.mark.parametrize(("shortcut", "lines"), [("action_mw", 0), ("action_mwl", 10)])
def test_the_shortcuts_for_mail_take_the_jails_addresses(
    shortcut: str, lines: int, write_tree: WriteTree
) -> None:
    root = write_tree({
        "jail.local": "[DEFAULT]\ndestemail = a@example.org\nsender = b@example.org\n"
        f"action = %({shortcut})s\n[sshd]\nlogpath = /dev/null\n",
    })  # fmt: skip
    settings = load(root, builtin=builtin_tree())
    (jail,) = settings.jails
    assert [each.way for each in jail.actions] == ["native", "built-in"]
    told = jail.actions[1].options
    assert (told["to"], told["sender"]) == (("a@example.org",), ("b@example.org",))
    assert (told["whois"], told["lines"]) == (True, lines)
    assert not settings.problems
