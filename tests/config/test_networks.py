"""What an address counts as, when networks are banned, and what is warned of."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from banish.config import builtin_tree, load
from banish.model.instant import Seconds
from banish.model.settings import Networks, Settings
from tests.config.tree import FILTER, WriteTree

Read = Callable[..., Settings]


@pytest.fixture
def read(write_tree: WriteTree, tmp_path: Path) -> Read:
    """Give a function that loads one jail ``web`` with these lines."""

    def load_jail(lines: str, actions: Mapping[str, str] | None = None) -> Settings:
        jail = f"[DEFAULT]\nfilter = web\nlogpath = {tmp_path}/web.log\n[web]\nenabled = 1\n"
        files = {"jail.conf": jail + lines, "filter.d/web.conf": FILTER} | dict(actions or {})
        root = write_tree(files)
        return load(root, builtin=root)

    return load_jail


def networks(settings: Settings) -> Networks:
    assert not settings.problems, settings.problems
    (jail,) = settings.jails
    return jail.networks


def warned(settings: Settings) -> dict[str, str]:
    assert settings.jails
    return {problem.option: problem.what for problem in settings.problems}


def refused(settings: Settings) -> tuple[str, str, str]:
    """Return option, message and cure of the one mistake; the jail runs all the same."""
    assert len(settings.jails) == 1
    (problem,) = (each for each in settings.problems if "counts instead" in each.what)
    return problem.option, problem.what, problem.cure


def test_in_a_tree_of_its_own_every_address_counts_alone(read: Read) -> None:
    found = networks(read(""))
    assert (found.prefix4, found.prefix6, found.after) == (32, 128, 0)


def test_the_built_in_tree_counts_a_64_of_ipv6_as_one(write_tree: WriteTree) -> None:
    root = write_tree({"jail.local": "[sshd]\nenabled = true\nskip_if_nologs = false\n"})
    (jail,) = load(root, builtin=builtin_tree()).jails
    assert (jail.networks.prefix4, jail.networks.prefix6) == (32, 64)
    assert jail.networks.after == 0


def test_all_of_it_can_be_set(read: Read) -> None:
    found = networks(
        read(
            "banprefix.ipv4 = 28\nbanprefix.ipv6 = /64\nnetban.after = 4\nnetban.ipv4 = 24\n"
            "netban.ipv6 = 48, 56\nnetban.findtime = 2h\nnetban.bantime = 1w\n"
        )
    )
    assert found == Networks(28, 64, 4, (24,), (56, 48), Seconds(7200), Seconds(604_800))


def test_a_family_can_be_left_out(read: Read) -> None:
    found = networks(read("netban.after = 4\nnetban.ipv4 = none"))
    assert (found.levels4, found.levels6) == ((), (48,))


def test_what_counts_as_one_already_is_no_network_of_its_own(read: Read) -> None:
    assert networks(read("netban.after = 4\nbanprefix.ipv4 = 24")).levels4 == ()


@pytest.mark.parametrize(
    ("lines", "what", "cure"),
    [
        ("banprefix.ipv4 = 8", "/8 is wider than banish ever bans by itself, /16", "16 to 32"),
        ("banprefix.ipv6 = 0", "/0 is wider than banish ever bans by itself, /32", "32 to 128"),
        ("banprefix.ipv4 = 33", "/33 is no network of IPv4", "16 to 32"),
        ("banprefix.ipv6 = wide", '"wide" is not a prefix length', "such as 48"),
        ("netban.ipv4 = 24 9", "/9 is wider than banish ever bans by itself, /16", "16 to 31"),
        ("netban.ipv4 = 32", "/32 is no network of IPv4", "16 to 31"),
        (
            "netban.ipv6 = 64\nbanprefix.ipv6 = 64",
            "/64 is no wider than what an address counts as, /64",
            "below banprefix.ipv6",
        ),
        ("netban.ipv6 = 64 60 56 52 48", "5 lengths are too many", "4 at most"),
        (
            "netban.after = 1",
            "netban.after = 1 would ban a network for a single address",
            "2 or more",
        ),
        ("netban.after = -1", '"-1" is out of bounds', "0 to 1000"),
        ("netban.findtime = 0", '"0" is not longer than 0 seconds', "10m"),
        ("netban.bantime = 0", "a ban of 0 seconds bans nobody", "1h"),
    ],
)
def test_what_cannot_be_is_refused(read: Read, lines: str, what: str, cure: str) -> None:
    option, told, cured = refused(read(lines))
    assert option == lines.partition(" ")[0]
    assert told.startswith(f"{what}; ")
    assert told.endswith(" counts instead")
    assert cure in cured


@pytest.mark.parametrize(
    ("lines", "option", "what"),
    [
        ("banprefix.ipv4 = 16", "banprefix.ipv4", "/16 bans 65,536 addresses for the failures of"),
        ("banprefix.ipv6 = 40", "banprefix.ipv6", "/40 bans 16,777,216 networks of /64 for the"),
        ("netban.after = 5\nnetban.ipv4 = 20", "netban.ipv4", "/20 bans 4,096 addresses for 5"),
        ("netban.after = 2", "netban.after", "2 banned members are few"),
        ("netban.after = 5\nnetban.bantime = -1", "netban.bantime", "networks are banned without"),
    ],
)
def test_what_is_dangerous_is_warned_of(read: Read, lines: str, option: str, what: str) -> None:
    settings = read(lines)
    (told,) = warned(settings).items()
    assert told[0] == option
    assert told[1].startswith(what)


def test_nothing_is_warned_of_that_is_not_in_effect(read: Read) -> None:
    assert networks(read("netban.ipv4 = 18\nnetban.bantime = -1")).after == 0


def test_what_stands_in_default_is_warned_of_once(write_tree: WriteTree, tmp_path: Path) -> None:
    jail = (
        f"[DEFAULT]\nfilter = web\nlogpath = {tmp_path}/web.log\nenabled = 1\nnetban.after = 2\n"
        "[web]\n[shop]\n"
    )
    root = write_tree({"jail.conf": jail, "filter.d/web.conf": FILTER})
    settings = load(root, builtin=root)
    assert len(settings.jails) == 2
    assert len(settings.problems) == 1


SET = "[Definition]\nactionban = ipset add banned <ip>\nactionunban = ipset del banned <ip>\n"


def test_a_command_that_fills_a_set_is_warned_of(read: Read) -> None:
    action = {"action.d/fill.conf": SET}
    told = warned(read("action = fill\nbanprefix.ipv6 = 64", action))
    assert told["action"].startswith("action fill puts subjects into a set by ipset")
    assert "action" not in warned(read("action = fill", action))


def test_a_command_that_bans_in_another_way_is_not_warned_of(read: Read) -> None:
    text = "[Definition]\nactionban = ip route add <ip>\nactionunban = ip route del <ip>\n"
    told = warned(read("action = route\nnetban.after = 5", {"action.d/route.conf": text}))
    assert "action" not in told


def test_a_command_that_fills_a_set_of_networks_is_not_warned_of(read: Read) -> None:
    start = "actionstart = ipset create banned <ipsettype>\n[Init]\nipsettype = hash:net\n"
    lines = "banprefix.ipv6 = 64\naction = fill\nnativeactions = no"
    assert warned(read(lines, {"action.d/fill.conf": SET + start})) == {}
