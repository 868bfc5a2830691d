"""The firewall actions of the built-in tree, run as the commands they are, on the real kernel."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.config.load import builtin_tree, load
from banish.enforce.command.action import ShellAction
from banish.enforce.command.shell import Outcome
from banish.model.address import Subject, parse_subject
from banish.model.instant import Seconds
from banish.model.settings import ActionSettings, Enforcement
from banish.ports import Enforcer
from banish.shell.script import Filled
from banish.testing.netns import NetworkNamespace
from tests.enforce.command.commanded import CommandedFirewall, NoFacts
from tests.enforce.contract import (
    ATTACKER,
    ATTACKER6,
    BYSTANDER,
    NOW,
    SSHD,
    WEB,
    WIDE,
    EnforcerContract,
    Firewall,
    ban,
    held,
    play,
    start,
)

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces"),
    pytest.mark.skipif(
        None in [shutil.which(program) for program in ("ipset", "iptables", "nft", "unshare")],
        reason="needs iptables, ipset and nft",
    ),
]

JAIL = """
[DEFAULT]
enabled = false
filter = sshd
logpath = /var/log/none.log
nativeactions = false
[{jail}]
enabled = true
action = {action}[{options}]
"""


def read_action(folder: Path, action: str, jail: Enforcement, **options: str) -> ActionSettings:
    """Return *action* of the built-in tree as it is for *jail*."""
    if jail.ports:
        options["port"] = ",".join(str(one).replace("-", ":") for one in jail.ports)
    else:
        options["type"] = "allports"
    options["protocol"] = ",".join(jail.protocols or ("all",))
    written = ", ".join(f'{name}="{value}"' for name, value in options.items())
    (folder / "jail.local").write_text(JAIL.format(jail=jail.jail, action=action, options=written))
    settings = load(folder, builtin=builtin_tree())
    assert not settings.errors, settings.errors
    (found,) = (one.actions[0] for one in settings.jails if one.name == jail.jail)
    assert found.way == "commands"
    return found


class Commands:
    """One of our actions, and a stranger with the same programs."""

    action = ""

    def __init__(self, namespace: NetworkNamespace, folder: Path) -> None:
        self.run = namespace.run
        self.folder = folder
        self.enforcer: Enforcer = self.again()

    def again(self) -> CommandedFirewall:
        return CommandedFirewall(
            lambda jail: read_action(self.folder, self.action, jail), self.look
        )

    def shows(self, subject: Subject) -> bool:
        return any(subject in (self.look(jail) or ()) for jail in ("sshd", "web"))

    def look(self, jail: str) -> frozenset[Subject] | None:
        raise AssertionError(jail)

    def slip_in(self, jail: str, subject: Subject) -> None:
        raise AssertionError(jail, subject)  # commands cannot read it back

    def others(self) -> str:
        shown = ""
        for program in ("iptables", "ip6tables"):
            if "-N theirs" not in self.run(program, "-S"):
                self.run(program, "-N", "theirs")
                self.run(program, "-A", "INPUT", "-j", "theirs")
            shown += "".join(
                f"{line}\n" for line in self.run(program, "-S").splitlines() if "f2b" not in line
            )
        return shown

    def destroy(self) -> None:
        for program in ("iptables", "ip6tables"):
            self.run(program, "-F")
            self.run(program, "-X")


class Iptables(Commands):
    action = "iptables-multiport"

    def look(self, jail: str) -> frozenset[Subject] | None:
        found: set[Subject] = set()
        is_there = False
        for program, everybody in (("iptables", "0.0.0.0/0"), ("ip6tables", "::/0")):
            shown = self.run(f"{program}-save", "-t", "filter")
            is_there = is_there or f"-j f2b-{jail}\n" in shown
            bans = re.findall(rf"^-A f2b-{jail}(?: -s (\S+))? -j REJECT", shown, re.MULTILINE)
            found.update(parse_subject(text or everybody) for text in bans)
        return frozenset(found) if is_there else None

    def lift(self, jail: str, subject: Subject) -> None:
        program = "iptables" if subject.family == 4 else "ip6tables"
        self.run(program, "-D", f"f2b-{jail}", "-s", subject.text, "-j", "REJECT")


class Ipset(Commands):
    action = "iptables-ipset"

    def look(self, jail: str) -> frozenset[Subject] | None:
        names = [name for name in (f"f2b-{jail}", f"f2b-{jail}6") if name in self.sets()]
        lines = [line for name in names for line in self.run("ipset", "save", name).splitlines()]
        found = [parse_subject(line.split()[2]) for line in lines if line.startswith("add")]
        rules = self.run("iptables-save") + self.run("ip6tables-save")
        is_whole = names and all(f"--match-set {name} src -j REJECT" in rules for name in names)
        return frozenset(found) if is_whole else None

    def sets(self) -> list[str]:
        return self.run("ipset", "list", "-n").split()

    def lift(self, jail: str, subject: Subject) -> None:
        name = f"f2b-{jail}{'6' if subject.family == 6 else ''}"
        self.run("ipset", "del", name, subject.text)

    def destroy(self) -> None:
        super().destroy()
        self.run("ipset", "destroy")


class Nftables(Commands):
    action = "nftables-multiport"

    def look(self, jail: str) -> frozenset[Subject] | None:
        if "f2b-table" not in self.run("nft", "list", "tables"):
            return None
        shown = json.loads(self.run("nft", "-j", "list", "table", "inet", "f2b-table"))["nftables"]
        sets = [one["set"] for one in shown if "set" in one]
        mine = [one for one in sets if one["name"].endswith(f"-set-{jail}")]
        rules = json.dumps([one["rule"] for one in shown if "rule" in one])
        if any(f'"@{one["name"]}"' not in rules for one in mine):
            return None
        found: set[Subject] = set()
        for element in (element for one in mine for element in one.get("elem", [])):
            text = element
            if isinstance(element, dict):
                text = f"{element['prefix']['addr']}/{element['prefix']['len']}"
            found.add(parse_subject(text))
        return frozenset(found) if mine else None

    def lift(self, jail: str, subject: Subject) -> None:
        name = f"addr{'6' if subject.family == 6 else ''}-set-{jail}"
        self.run("nft", f"delete element inet f2b-table {name} {{ {subject} }}")

    def others(self) -> str:
        if "theirs" not in self.run("nft", "list", "tables"):
            self.run("nft", "add table inet theirs; add chain inet theirs f2b-chain")
        return self.run("nft", "list", "table", "inet", "theirs")

    def destroy(self) -> None:
        self.run("nft", "flush", "ruleset")


class CommandContract(EnforcerContract):
    """What commands cannot keep is left out: they read nothing back, and go one by one."""

    test_what_somebody_slipped_in_is_seen_and_can_be_taken_out = None  # type: ignore[assignment]
    test_odd_jail_names_stay_apart_and_do_no_harm = None  # type: ignore[assignment]
    test_ten_thousand_bans_come_and_go_in_one_batch = None  # type: ignore[assignment]
    test_any_bans_in_any_order_are_held_as_wanted = None  # type: ignore[assignment]

    def test_what_somebody_destroyed_is_noticed_and_healed_by_start(
        self, firewall: Firewall
    ) -> None:
        """Also healed by the next ban: its failing has the action started anew."""

        async def script(firewall: Firewall) -> None:
            for heal in ("ban", "start"):
                await firewall.enforcer.apply([start(ATTACKER)], NOW)
                notice = asyncio.create_task(firewall.enforcer.wait_for_foreign_change())
                firewall.destroy()
                await notice
                assert not (await firewall.enforcer.read()).is_whole
                if heal == "ban":
                    await firewall.enforcer.apply([start(BYSTANDER)], NOW)
                    assert (await held(firewall.enforcer))["sshd"] == {ATTACKER, BYSTANDER}
                else:
                    await firewall.enforcer.start([SSHD, WEB], [ban(ATTACKER)], NOW)
                    assert (await held(firewall.enforcer))["sshd"] == {ATTACKER}

        play(firewall, script)

    def test_many_bans_come_and_go(self, firewall: Firewall) -> None:
        many = [parse_subject(f"203.0.113.{n}") for n in range(30)]

        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.apply([start(subject) for subject in many], NOW)
            assert (await held(firewall.enforcer))["sshd"] == frozenset(many)
            await firewall.enforcer.start([SSHD], [ban(many[0])], NOW)
            assert (await held(firewall.enforcer))["sshd"] == {many[0]}

        play(firewall, script)


def stage(make: type[Commands], folder: Path) -> Iterator[Commands]:
    with NetworkNamespace() as namespace, namespace.inside():
        yield make(namespace, folder)


class TestIptables(CommandContract):
    @pytest.fixture
    def firewall(self, tmp_path: Path) -> Iterator[Commands]:
        yield from stage(Iptables, tmp_path)


class TestIpset(CommandContract):
    test_everybody_can_be_banned = None  # type: ignore[assignment] # ipset has no /0

    @pytest.fixture
    def firewall(self, tmp_path: Path) -> Iterator[Commands]:
        yield from stage(Ipset, tmp_path)


class TestNftables(CommandContract):
    # A set of ranges takes none that overlap.
    test_networks_inside_each_other_come_and_go_in_any_order = None  # type: ignore[assignment]
    test_a_ban_that_is_over_is_taken_out_rather_than_put_in = None  # type: ignore[assignment]

    @pytest.fixture
    def firewall(self, tmp_path: Path) -> Iterator[Commands]:
        yield from stage(Nftables, tmp_path)


def carried_out(folder: Path, action: str, jail: Enforcement, **options: str) -> str:
    """Return a shell script that does all that *action* does, with marks in between."""
    found = ShellAction(
        jail.jail,
        read_action(folder, action, jail, **options),
        run=(scripts := Scripts()).take,
        facts=NoFacts(),
        clock=lambda: NOW,
    )

    async def act() -> None:
        await found.start()
        bans = [ban(ATTACKER), ban(ATTACKER6), ban(WIDE)]
        for one in bans:
            await found.ban(one)
            await found.ban(one)
        scripts.mark("BANNED")
        for one in bans[1:]:
            await found.unban(one)
            await found.unban(one)
        scripts.mark("ONE LEFT")
        await found.check()
        if not await found.flush():
            await found.unban(bans[0])
        await found.stop()
        scripts.mark("STOPPED")

    asyncio.run(act())
    return scripts.text


class Scripts:
    """Writes scripts down instead of running them."""

    def __init__(self) -> None:
        self.text = "set -eu\n"

    async def take(self, filled: Filled, _limit: Seconds) -> Outcome:
        given = [f"{name}={value}" for name, value in filled.environment.items()]
        words = ["env", *given, "sh", "-c", filled.text]
        self.text += f"{shlex.join(words)} </dev/null\n"
        return Outcome(0)

    def mark(self, text: str) -> None:
        self.text += f"echo '=== {text}'\nshow\n"


def played(folder: Path, prelude: str, script: str) -> dict[str, str]:
    """Return what was shown at each mark, in namespaces of their own that end with the script."""
    file = folder / "script"
    file.write_text(prelude + script)
    unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*unshare, "--propagation=private", "sh", file, folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    parts = [part.partition("\n") for part in done.stdout.split("=== ")[1:]]
    return {name: text for name, _, text in parts}


ROUTE = """
ip link set lo up
show() { ip route show type blackhole; ip -6 route show type blackhole; }
"""


def test_route(tmp_path: Path) -> None:
    shown = played(tmp_path, ROUTE, carried_out(tmp_path, "route", Enforcement("sshd")))
    assert {line.split()[1] for line in shown["BANNED"].splitlines()} == {
        "192.0.2.1",
        "192.0.2.0/24",
        "2001:db8::1",
    }
    assert shown["ONE LEFT"].split() == ["blackhole", "192.0.2.1"]
    assert shown["STOPPED"] == ""


UFW = """
cp -a /etc/ufw "$1/ufw"; mount --bind "$1/ufw" /etc/ufw
cp -a /etc/default "$1/default"; mount --bind "$1/default" /etc/default
mount -t tmpfs tmpfs /run; mkdir /run/lock
ip link set lo up
show() { ufw status; }
ufw allow 80/tcp; ufw --force enable
"""


@pytest.mark.skipif(shutil.which("ufw") is None, reason="needs ufw")
@pytest.mark.parametrize("application", ["", "Test App"])
def test_ufw(tmp_path: Path, application: str) -> None:
    given = {"application": application} if application else {}
    script = carried_out(tmp_path, "ufw", Enforcement("sshd"), **given)
    profile = "printf '[Test App]\\ntitle=x\\ndescription=x\\nports=22/tcp\\n' "
    profile += ">/etc/ufw/applications.d/test\n"
    shown = played(tmp_path, UFW + profile, script)
    place = application or "Anywhere"
    lines = [" ".join(line.split()) for line in shown["BANNED"].splitlines()]
    assert [line for line in lines if "REJECT" in line] == [
        f"{place} REJECT 192.0.2.0/24",
        f"{place} REJECT 192.0.2.1",
        f"{place} (v6) REJECT 2001:db8::1",
    ]
    assert shown["ONE LEFT"].count("REJECT") == 1
    assert "REJECT" not in shown["STOPPED"]
    assert "80/tcp" in shown["STOPPED"]


FIREWALLD = """
cp -a /etc/firewalld "$1/firewalld"; mount --bind "$1/firewalld" /etc/firewalld
mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /var/log; mkdir /run/dbus /run/firewalld
ip link set lo up
dbus-daemon --system --nofork --nopidfile 2>/dev/null &
for _ in $(seq 100); do [ -S /run/dbus/system_bus_socket ] && break; sleep 0.1; done
firewalld --nofork --nopid 2>/dev/null &
for _ in $(seq 100); do firewall-cmd --state >/dev/null 2>&1 && break; sleep 0.2; done
firewall-cmd --quiet --add-rich-rule='rule family=ipv4 source address=203.0.113.1 drop'
show() {
    firewall-cmd --list-rich-rules
    firewall-cmd --direct --get-all-rules
    ipset save
}
"""

needs_firewalld = pytest.mark.skipif(
    None in [shutil.which(program) for program in ("firewalld", "dbus-daemon", "ipset")],
    reason="needs firewalld, dbus-daemon and ipset",
)


@needs_firewalld
def test_firewalld_by_rich_rules(tmp_path: Path) -> None:
    web = Enforcement("web", ("tcp",), WEB.ports)
    shown = played(tmp_path, FIREWALLD, carried_out(tmp_path, "firewallcmd-rich-rules", web))
    rules = [line for line in shown["BANNED"].splitlines() if "203.0.113.1" not in line]
    assert len(rules) == 3 * 2
    rule = 'family="ipv6" source address="2001:db8::1" port port="8000-8100" protocol="tcp" reject'
    assert f"rule {rule}" in rules
    left = [line for line in shown["ONE LEFT"].splitlines() if "203.0.113.1" not in line]
    assert len(left) == 2
    assert all('"192.0.2.1"' in line for line in left)
    assert [line.split()[-2] for line in shown["STOPPED"].splitlines()] == ['address="203.0.113.1"']


@needs_firewalld
def test_firewalld_by_ipset(tmp_path: Path) -> None:
    shown = played(tmp_path, FIREWALLD, carried_out(tmp_path, "firewallcmd-ipset", WEB))
    gate = "multiport --dports 80,8000:8100 -m set --match-set"
    for rule in (
        f"ipv4 filter INPUT 0 -p tcp -m {gate} f2b-web src -j REJECT",
        f"ipv6 filter INPUT 0 -p udp -m {gate} f2b-web6 src -j REJECT",
        "add f2b-web 192.0.2.1 timeout 0\n",
        "add f2b-web 192.0.2.0/24 timeout 0\n",
        "add f2b-web6 2001:db8::1 timeout 0\n",
    ):
        assert rule in shown["BANNED"]
    assert shown["BANNED"].count("-j REJECT") == 4
    assert [line for line in shown["ONE LEFT"].splitlines() if line.startswith("add")] == [
        "add f2b-web 192.0.2.1 timeout 0"
    ]
    assert shown["STOPPED"].splitlines() == ['rule family="ipv4" source address="203.0.113.1" drop']


def test_every_firewall_action_can_be_named_either_way(tmp_path: Path) -> None:
    kinds = ("iptables", "nftables", "firewallcmd", "ufw", "route")
    names = [path.stem for path in (builtin_tree() / "action.d").glob("*.conf")]
    firewalls = sorted(name for name in names if name.startswith(kinds))
    assert len(firewalls) == 15
    for name in firewalls:
        found = read_action(tmp_path, name, SSHD)
        assert found.command("actionban")
        assert "<ip>" in found.command("actionunban")
        native = (tmp_path / "jail.local").read_text().replace("nativeactions = false", "")
        (tmp_path / "jail.local").write_text(native)
        (jail,) = (one for one in load(tmp_path, builtin=builtin_tree()).jails)
        if name == "route":
            assert (jail.actions[0].way, jail.enforcement) == ("commands", None)
            continue
        assert jail.actions[0].way == "native"
        assert jail.enforcement is not None
        closes_all = "allports" in name or name == "ufw"
        assert jail.enforcement.ports == (() if closes_all else SSHD.ports)
        assert jail.enforcement.blocktype == "reject"


@pytest.mark.parametrize(
    "name", ["iptables", "iptables-multiport", "iptables-ipset", "nftables", "nftables-multiport"]
)
def test_an_action_written_by_hand_without_a_protocol_closes_the_port_for_tcp(
    tmp_path: Path, name: str
) -> None:
    """``action = iptables-multiport[name=x, port=ssh]`` made a chain that nothing led to."""
    (tmp_path / "jail.local").write_text(
        "[DEFAULT]\nnativeactions = false\nsystemd_if_nologs = false\nbackend = auto\n"
        f"[sshd]\nenabled = true\nlogpath = {tmp_path}/log\naction = {name}[name=x, port=ssh]\n"
    )
    settings = load(tmp_path, builtin=builtin_tree())
    (jail,) = (jail for jail in settings.jails if jail.name == "sshd")
    (action,) = jail.actions
    start = action.command("actionstart")
    assert "tcp" in start
    assert "<protocol>" not in start
