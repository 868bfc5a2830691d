"""The chains of the filter table, as plans and as text."""

from hypothesis import given
from hypothesis import strategies as st

from banish.enforce.xtables.chains import (
    ENTRY,
    HOOKS,
    JUMP,
    NAME_LIMIT,
    REFUSE,
    SavedChains,
    parse_save,
    plan_chains,
    render,
    short_names,
)
from banish.model.settings import Enforcement, PortRange
from tests.enforce.contract import ODD_NAMES, SSHD

SAVED = """\
# a remark
*filter
:INPUT ACCEPT [1:2]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:banish - [0:0]
:banish-sshd - [0:0]
:banish.refuse - [0:0]
:banisher - [0:0]
:theirs - [0:0]
-A INPUT -j banish
-A INPUT -j theirs
-A FORWARD -j theirs
-A FORWARD -j banish
-A OUTPUT -d 192.0.2.1/32 -g banish-sshd
-A banish -j banish-sshd
-A banish-sshd -s 192.0.2.1/32 -g banish.refuse
-A theirs -m comment --comment "-j banish -j banisher" -j DROP
COMMIT
"""


def test_ours_is_told_from_others() -> None:
    found = parse_save(SAVED)
    assert found.chains == {
        "banish": ["-j banish-sshd"],
        "banish-sshd": ["-s 192.0.2.1/32 -g banish.refuse"],
        "banish.refuse": [],
    }
    assert found.first == {"INPUT"}
    assert not found.is_hooked
    assert found.jumps == [
        ("INPUT", "-j banish"),
        ("FORWARD", "-j banish"),
        ("OUTPUT", "-d 192.0.2.1/32 -g banish-sshd"),
    ]


def test_first_in_both_chains_and_nowhere_else_is_hooked() -> None:
    text = SAVED.replace("-A FORWARD -j theirs\n", "").replace(
        "-A OUTPUT -d 192.0.2.1/32 -g banish-sshd\n", ""
    )
    assert parse_save(text).is_hooked


def test_orders_name_nothing_that_is_not_ours() -> None:
    plan = plan_chains([SSHD])
    lines = render(plan.rules(4, {"sshd": []}), parse_save(SAVED)).splitlines()
    assert lines[0] == "*filter"
    assert lines[-1] == "COMMIT"
    for line in lines[1:-1]:
        words = line.split()
        chain = words[0][1:] if words[0].startswith(":") else words[1]
        assert chain.startswith("banish") or f"-j {ENTRY}" in line or "-g banish-sshd" in line


def test_what_is_wanted_stands_after_the_orders() -> None:
    plan = plan_chains([SSHD, Enforcement("all", (), (), "drop")])
    wanted = plan.rules(6, {"sshd": ["-s ::1 -g banish.refuse"], "all": []})
    text = render(wanted, SavedChains({}, (), frozenset()))
    assert parse_save(text).chains == wanted
    assert [f"-I {hook} 1 {JUMP}" in text for hook in HOOKS] == [True, True]
    assert wanted[ENTRY] == ["-p 6 -m multiport --dports 22 -j banish-sshd", "-j banish-all"]
    assert render({}, SavedChains({}, (), frozenset())) == "*filter\nCOMMIT\n"


def test_without_jails_there_is_the_entry_alone() -> None:
    assert plan_chains([]).rules(4, {}) == {ENTRY: []}


def test_a_protocol_without_ports_and_one_of_the_other_family() -> None:
    plan = plan_chains([Enforcement("x", ("icmp", "esp", "tcp"), (PortRange(5, 5),))])
    assert plan.rules(4, {"x": []})[ENTRY] == [
        "-p 1 -j banish-x",
        "-p 50 -j banish-x",
        "-p 6 -m multiport --dports 5 -j banish-x",
    ]
    assert plan.rules(6, {"x": []})[ENTRY][0] == "-p 58 -j banish-x"


def test_names_keep_what_is_plain() -> None:
    assert short_names(["sshd", "nginx-http-auth", "x" * NAME_LIMIT]) == {
        "sshd": "sshd",
        "nginx-http-auth": "nginx-http-auth",
        "x" * NAME_LIMIT: "x" * NAME_LIMIT,
    }
    assert short_names(["größe"])["größe"].startswith("gr_e.")
    assert short_names(["???"])["???"].startswith("jail.")


@given(st.lists(st.text(max_size=40) | st.sampled_from(ODD_NAMES), unique=True, max_size=20))
def test_names_are_plain_short_and_differ(jails: list[str]) -> None:
    names = short_names(jails)
    assert list(names) == jails or set(names) == set(jails)
    assert len(set(names.values())) == len(jails)
    for name in names.values():
        assert len(f"{ENTRY}-{name}-4") <= 31
        assert len(f"{ENTRY}-{name}") <= 28
        assert f"{ENTRY}-{name}" not in (ENTRY, REFUSE)
        assert name.isascii()
        assert all(sign.isalnum() or sign in "_.-" for sign in name)


def test_a_name_that_looks_like_a_made_up_one_stays_apart() -> None:
    made = short_names(["größe"])["größe"]
    names = short_names(["größe", made])
    assert names[made] == made
    assert names["größe"] != made


PORTS = st.lists(
    st.builds(
        lambda a, b: PortRange(min(a, b), max(a, b)), st.integers(0, 400), st.integers(0, 400)
    ),
    min_size=1,
    max_size=60,
)


@given(PORTS)
def test_every_port_is_in_one_rule_and_no_rule_has_too_many(ports: list[PortRange]) -> None:
    plan = plan_chains([Enforcement("x", ("tcp",), tuple(ports))])
    closed: list[int] = []
    for rule in plan.rules(4, {"x": []})[ENTRY]:
        words = rule.split()[5].split(",")
        assert sum(2 if ":" in word else 1 for word in words) <= 15
        for word in words:
            first, _, last = word.partition(":")
            closed += range(int(first), int(last or first) + 1)
    wanted = {port for one in ports for port in range(one.first, one.last + 1)}
    assert sorted(closed) == sorted(wanted)
