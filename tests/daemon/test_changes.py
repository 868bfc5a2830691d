"""What has to change to follow another configuration."""

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.daemon.changes import (
    AREAS,
    Area,
    ChangePlan,
    OptionChange,
    plan,
    shown,
    without_places,
    written,
)
from banish.model.instant import Seconds
from banish.model.settings import (
    ActionSettings,
    BudgetSettings,
    CacheRule,
    Enforcement,
    Escalation,
    FilterSettings,
    GuardSettings,
    JailSettings,
    JournalPlace,
    LogPath,
    Networks,
    Place,
    PortRange,
    Problem,
    Regex,
    ServerSettings,
    Settings,
)

SSHD = JailSettings(
    "sshd",
    FilterSettings("sshd", failregex=(Regex("^fail <HOST>$"),)),
    logpaths=(LogPath("/var/log/auth.log"),),
    actions=(ActionSettings("note", actname="note", way="commands"),),
    enforcement=Enforcement("sshd", ports=(PortRange(22, 22),)),
)
WEB = msgspec.structs.replace(SSHD, name="web", logpaths=(LogPath("/var/log/web.log"),))


def settings(
    *jails: JailSettings, problems: tuple[Problem, ...] = (), **server: object
) -> Settings:
    return Settings("/etc/x", ServerSettings(**server), jails, problems)  # type: ignore[arg-type]


def outcome(found: ChangePlan) -> Mapping[str, frozenset[Area]]:
    return {change.jail: change.areas for change in found.jails}


def test_the_same_configuration_changes_nothing_wherever_its_options_stand() -> None:
    place = Place("jail.local", 12)
    moved = msgspec.structs.replace(
        SSHD,
        filter=FilterSettings("sshd", failregex=(Regex("^fail <HOST>$", place),)),
        logpaths=(LogPath("/var/log/auth.log", place=place),),
        actions=(msgspec.structs.replace(SSHD.actions[0], place=place),),
        places={"maxretry": place},
    )
    found = plan(settings(SSHD, WEB), settings(moved, WEB))
    assert found.is_empty
    assert found.unchanged == ("sshd", "web")
    assert found.settings.jails[0].places == {"maxretry": place}


def test_jails_start_end_and_change_each_for_itself() -> None:
    longer = msgspec.structs.replace(SSHD, bantime=Seconds(7_200))
    mail = msgspec.structs.replace(WEB, name="mail")
    found = plan(settings(SSHD, WEB), settings(longer, mail))
    whole = frozenset(AREAS.values())
    assert outcome(found) == {"sshd": frozenset({"judging"}), "mail": whole, "web": whole}
    assert found.jails[0].options == (OptionChange("bantime", "10m", "2h"),)
    assert [each.before is None for each in found.jails] == [False, True, False]
    assert [each.after is None for each in found.jails] == [False, False, True]
    assert found.settings.jails == (longer, mail)


DIFFERENCES: list[tuple[dict[str, object], Area, str, str, str]] = [
    ({"maxretry": 3}, "judging", "maxretry", "5", "3"),
    ({"findtime": Seconds(60)}, "judging", "findtime", "10m", "1m"),
    ({"bantime": None}, "judging", "bantime", "10m", "-1"),
    ({"maxmatches": 1}, "judging", "maxmatches", "5", "1"),
    ({"escalation": Escalation(increment=True)}, "judging", "bantime.increment", "false", "true"),
    ({"escalation": Escalation(maxtime=Seconds(3600))}, "judging", "bantime.maxtime", "", "1h"),
    ({"networks": Networks(after=3)}, "judging", "netban.after", "0", "3"),
    ({"budget": BudgetSettings(9)}, "judging", "banbudget", "", "9/1m"),
    ({"ignoreip": ("192.0.2.1",)}, "exempting", "ignoreip", "", "192.0.2.1"),
    ({"ignoreself": False}, "exempting", "ignoreself", "true", "false"),
    ({"ignorecommand": "x"}, "exempting", "ignorecommand", "", "x"),
    (
        {"ignorecache": CacheRule()},
        "exempting", "ignorecache", "", 'key="<ip>", max-count=100, max-time=5m',
    ),
    ({"guard": GuardSettings(("logins",))}, "exempting", "guard", "", "logins"),
    (
        {"filter": FilterSettings("sshd", failregex=(Regex("^no <HOST>"),))},
        "reading", "failregex", "^fail <HOST>$", "^no <HOST>",
    ),
    (
        {"logpaths": (LogPath("/x", tail=True),)},
        "reading", "logpath", "/var/log/auth.log", "/x tail",
    ),
    ({"backend": "polling"}, "reading", "backend", "auto", "polling"),
    ({"uses_journal": True}, "reading", "backend", "auto", "auto (the journal)"),
    (
        {"actions": (ActionSettings("note", {"a": "1"}, actname="note", way="commands"),)},
        "acting", "action", "note", "note[a=1]",
    ),
    ({"enforcement": Enforcement("sshd")}, "enforcing", "ports", "22", "all"),
    ({"enforcement": None}, "enforcing", "ports", "22", ""),
    ({"cutconnections": True}, "enforcing", "cutconnections", "false", "true"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "area", "option", "before", "after"), DIFFERENCES, ids=[d[2] for d in DIFFERENCES]
)
def test_a_change_is_told_by_option_and_area(
    change: dict[str, object], area: Area, option: str, before: str, after: str
) -> None:
    found = plan(settings(SSHD), settings(msgspec.structs.replace(SSHD, **change)))
    assert outcome(found) == {"sshd": frozenset({area})}
    assert OptionChange(option, before, after) in found.jails[0].options


def test_every_field_of_a_jail_is_in_an_area_or_changes_nothing() -> None:
    harmless = {"name", "places", "skip_if_nologs", "systemd_if_nologs"}
    assert set(JailSettings.__struct_fields__) == set(AREAS) | harmless
    journal = msgspec.structs.replace(SSHD, journal=JournalPlace("/j"))
    assert outcome(plan(settings(SSHD), settings(journal))) == {"sshd": frozenset({"reading"})}


def test_a_jail_that_the_new_files_spoil_keeps_its_old_settings() -> None:
    spoilt = Problem("error", "no such filter", jail="sshd", stops=True)
    found = plan(
        settings(SSHD, WEB),
        settings(msgspec.structs.replace(WEB, maxretry=2), problems=(spoilt,)),
    )
    assert found.kept == ("sshd",)
    assert outcome(found) == {"web": frozenset({"judging"})}
    assert [jail.name for jail in found.settings.jails] == ["web", "sshd"]
    assert found.settings.problems == (spoilt,)


def test_a_jail_that_was_switched_off_ends_though_others_have_errors() -> None:
    other = Problem("error", "no such filter", jail="mail", stops=True)
    found = plan(settings(SSHD, WEB), settings(WEB, problems=(other,)))
    assert [(change.jail, change.after) for change in found.jails] == [("sshd", None)]


def test_one_jail_alone_can_follow() -> None:
    both = [msgspec.structs.replace(jail, maxretry=2) for jail in (SSHD, WEB)]
    new = settings(*both, keepbans=True)
    found = plan(settings(SSHD, WEB), new, only="web")
    assert outcome(found) == {"web": frozenset({"judging"})}
    assert found.server == ()
    assert [jail.maxretry for jail in found.settings.jails] == [5, 2]
    assert not found.settings.server.keepbans


def test_one_jail_alone_can_start_and_end() -> None:
    assert [each.jail for each in plan(settings(SSHD), settings(WEB), only="web").jails] == ["web"]
    ended = plan(settings(SSHD, WEB), settings(), only="web")
    assert [(each.jail, each.after) for each in ended.jails] == [("web", None)]
    assert ended.settings.jails == (SSHD,)


def test_a_jail_can_be_made_anew_without_a_change() -> None:
    found = plan(settings(SSHD, WEB), settings(SSHD, WEB), also=["web"])
    assert outcome(found) == {"web": frozenset(AREAS.values())}
    assert found.jails[0].options == ()


def test_options_of_the_server_are_followed_now_or_at_the_next_start() -> None:
    found = plan(settings(SSHD), settings(SSHD, loglevel="DEBUG", dbfile="/x"))
    assert found.server == (OptionChange("loglevel", "INFO", "DEBUG"),)
    assert [change.option for change in found.later] == ["dbfile"]
    assert not found.is_empty
    # What waits for the next start is not what runs.
    assert found.settings.server.dbfile == ServerSettings().dbfile
    assert found.settings.server.loglevel == "DEBUG"


def test_long_values_are_shown_in_one_bounded_line() -> None:
    assert shown("a\nb") == "a | b"
    assert len(shown("x" * 1_000)) == 200


@given(st.sampled_from([change for change, *_ in DIFFERENCES]))
def test_what_was_planned_leaves_nothing_to_do(change: dict[str, object]) -> None:
    new = settings(msgspec.structs.replace(SSHD, **change), WEB)
    first = plan(settings(SSHD), new)
    assert plan(first.settings, new).is_empty
    assert written(first.settings.jails[0]) == written(without_places(new.jails[0]))
