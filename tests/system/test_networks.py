"""Networks are counted and banned, on a real server with a real firewall."""

import time

import pytest

from banish.lab.world import Lab
from tests.system.guard import Guard, guarded, wait_until

pytestmark = pytest.mark.system

JAIL = r"""
[DEFAULT]
systemd_if_nologs = false
[sshd]
enabled = false
[app]
enabled = true
filter =
backend = auto
logpath = {log}
failregex = ^\s*failed from <ADDR>$
maxretry = 2
maxmatches = 5
bantime = 10m
netban.after = 3
netban.bantime = 1h
{more}
"""

NET, SIX = "198.51.100.0/24", "2001:db8:0:2::/64"


def fail(lab: Lab, *addresses: str) -> None:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    with (lab.directory / "app.log").open("a") as log:
        log.writelines(f"{stamp} failed from {address}\n" for address in addresses)


def protect(lab: Lab, more: str = "") -> str:
    log = lab.directory / "app.log"
    log.touch()
    return JAIL.format(log=log, more=more)


def members(*lasts: int) -> list[str]:
    """Return addresses of the attacker's network, each as often as it takes to be banned."""
    return [f"198.51.100.{last}" for last in lasts for _ in range(2)]


def test_a_network_is_banned_for_its_members_and_says_so_everywhere(lab: Lab) -> None:
    lab.attacker.add_address("198.51.100.200")
    with guarded(lab, protect(lab)) as guard:
        fail(lab, *members(1, 2))
        wait_until(lambda: guard.in_kernel() == {"198.51.100.1", "198.51.100.2"}, "two bans")
        assert lab.attacker.connects(source="198.51.100.200")
        fail(lab, *members(3))
        wait_until(lambda: guard.in_kernel() == {NET}, f"the network alone\n{guard.said()}")
        assert not lab.attacker.connects(source="198.51.100.200")
        assert lab.bystander.connects()
        assert guard.banned() == {NET}
        told = guard.said()
        assert f"[app] Ban {NET}" in told
        assert "[app] 198.51.100.1 is now covered by the ban of a network" in told
        assert "Unban" not in told
        (ban,) = guard.ask("bans")
        assert (ban["subject"], ban["cause"], ban["failures"]) == (NET, "network", 3)
        (why, *_) = guard.ask("why", "198.51.100.200")["bans"]
        assert why["subject"] == NET
        assert len(why["evidence"]) == 3
        unban = lab.server.run(guard.argv("unban", "198.51.100.200"))
        assert unban.returncode == 1
        assert f"still banned: app bans {NET}, which contains it" in unban.stdout
        guard.kill()
        assert not lab.attacker.connects(source="198.51.100.200")
        guard.start()
        assert guard.in_kernel() == {NET}
        assert lab.server.run(guard.argv("unban", NET)).returncode == 0
        assert lab.attacker.connects(source="198.51.100.200")
        fail(lab, *members(4))
        wait_until(lambda: guard.in_kernel() == {"198.51.100.4"}, "a new beginning")


def test_members_are_counted_across_a_crash(lab: Lab) -> None:
    with guarded(lab, protect(lab)) as guard:
        fail(lab, *members(1, 2))
        wait_until(lambda: len(guard.in_kernel()) == 2, "two bans")
        wait_until(lambda: guard.failures() == 4, "all is counted")
        guard.kill()
        fail(lab, *members(3))
        guard.start()
        wait_until(lambda: guard.in_kernel() == {NET}, f"the network\n{guard.said()}")


def test_all_of_a_64_is_one_attacker(lab: Lab) -> None:
    if not lab.has_ipv6:
        pytest.skip("the kernel has no IPv6")
    server, attacker = lab.server, lab.attacker
    attacker.add_address("2001:db8:0:2:ffff::1")
    with guarded(lab, protect(lab)) as guard:
        assert attacker.connects(to=server.ipv6)
        fail(lab, "2001:db8:0:2::98", "2001:db8:0:2:ffff::99")
        wait_until(lambda: guard.in_kernel() == {SIX}, f"the network\n{guard.said()}")
        assert not attacker.connects(to=server.ipv6)
        assert not attacker.connects(to=server.ipv6, source="2001:db8:0:2:ffff::1")
        assert lab.bystander.connects(to=server.ipv6)
        assert attacker.connects()
        assert lab.server.run(guard.argv("unban", "2001:db8:0:2::98")).returncode == 0
        assert attacker.connects(to=server.ipv6)


def test_several_64s_are_a_48_unless_it_is_our_own(lab: Lab) -> None:
    if not lab.has_ipv6:
        pytest.skip("the kernel has no IPv6")
    source = "2001:db8:77:9::1"
    lab.attacker.add_address(source)
    with guarded(lab, protect(lab)) as guard:
        assert lab.attacker.connects(to=lab.server.ipv6, source=source)
        fail(lab, *(f"2001:db8:77:{number}::{host}" for number in (1, 2, 3) for host in (1, 2)))
        wait_until(lambda: guard.in_kernel() == {"2001:db8:77::/48"}, f"the 48\n{guard.said()}")
        assert not lab.attacker.connects(to=lab.server.ipv6, source=source)
        assert lab.attacker.connects(to=lab.server.ipv6)
        fail(lab, *(f"2001:db8:0:{number}::{host}" for number in (5, 6, 7) for host in (1, 2)))
        exempt = "2001:db8::/48 is not banned though 3 of its members were: ignoreself"
        wait_until(lambda: exempt in guard.said(), f"our own is exempt\n{guard.said()}")
        assert guard.banned() == {
            "2001:db8:77::/48", *(f"2001:db8:0:{number}::/64" for number in (5, 6, 7))
        }  # fmt: skip


def test_a_network_that_holds_a_friend_is_never_banned(lab: Lab) -> None:
    friends = lab.directory / "friends"
    friends.write_text("# nobody yet\n")
    with guarded(lab, protect(lab, f"ignoreip = file:{friends}")) as guard:
        fail(lab, *members(1, 2, 3))
        wait_until(lambda: guard.in_kernel() == {NET}, f"the network\n{guard.said()}")
        assert not lab.attacker.connects()
        friends.write_text(f"{lab.attacker.ipv4}\n")
        singles = {f"198.51.100.{last}" for last in (1, 2, 3)}
        wait_until(lambda: guard.in_kernel() == singles, f"the members\n{guard.said()}")
        assert lab.attacker.connects()
        fail(lab, *members(5, 6, 7))
        wait_until(lambda: "198.51.100.7" in guard.in_kernel(), "banned one by one")
        why = f"ignoreip file:{friends}"
        assert f"{NET} is not banned though 3 of its members were: {why}" in guard.said()
        assert NET not in guard.banned()


def test_a_64_with_a_friend_in_it_is_banned_one_by_one(lab: Lab) -> None:
    more = f"ignoreip = {lab.attacker.ipv6}"
    with guarded(lab, protect(lab, more)) as guard:
        fail(lab, *["2001:db8:0:2::98"] * 2, *["2001:db8:0:2::99"] * 2)
        fail(lab, lab.attacker.ipv6, lab.attacker.ipv6)
        wait_for_both(guard)
        assert not guard.banned() & {SIX, lab.attacker.ipv6}


def wait_for_both(guard: Guard) -> None:
    both = {"2001:db8:0:2::98", "2001:db8:0:2::99"}
    wait_until(lambda: guard.in_kernel() == both, f"one by one\n{guard.said()}")
