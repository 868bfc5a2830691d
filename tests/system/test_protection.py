"""Real sshd, real nftables, real attackers: what banish promises, end to end."""

import json
import subprocess

import pytest

from banish.lab.world import Lab
from tests.system.guard import Guard, guarded, sshd_jail, wait_until

pytestmark = pytest.mark.system


@pytest.mark.parametrize("family", [4, 6])
def test_the_attacker_is_kept_out_for_bantime_and_the_bystander_never(
    lab: Lab, family: int
) -> None:
    if family == 6 and not lab.has_ipv6:
        pytest.skip("the kernel has no IPv6")
    server, attacker, bystander = lab.server, lab.attacker, lab.bystander
    to = server.ipv4 if family == 4 else server.ipv6
    address = attacker.ipv4 if family == 4 else "2001:db8:0:2::/64"  # all a host sends from
    with guarded(lab, sshd_jail(lab.log_path, bantime="6s")) as guard:
        for _ in range(2):
            attacker.fail_login("root", to=to)
        assert attacker.connects(to=to)
        attacker.fail_login("admin", to=to)
        guard.wait_for_ban(address)
        assert not attacker.connects(to=to)
        assert bystander.connects(to=to)
        assert bystander.ssh_login("alice", "correct horse", to=to).outcome == "accepted"
        assert guard.banned() == {address}
        wait_until(lambda: attacker.connects(to=to), "the ban ends")
        assert guard.banned() == set()
        assert guard.stop() == 0
    assert "Unban " + address in guard.said()
    assert lab.server.run(["nft", "list", "ruleset"]).stdout == ""


def test_an_ignored_address_is_never_banned(lab: Lab) -> None:
    jail = sshd_jail(lab.log_path, ignoreip=f"{lab.attacker.ipv4}/24")
    with guarded(lab, jail) as guard:
        for _ in range(5):
            lab.attacker.fail_login("root")
        for _ in range(3):
            lab.bystander.fail_login("root")
        guard.wait_for_ban(lab.bystander.ipv4)
        assert guard.banned() == {lab.bystander.ipv4}
        assert lab.attacker.connects()


def test_a_killed_server_keeps_the_ban_and_counts_nothing_twice(lab: Lab) -> None:
    with guarded(lab, sshd_jail(lab.log_path, maxretry=4)) as guard:
        for _ in range(4):
            lab.attacker.fail_login("root")
        guard.wait_for_ban(lab.attacker.ipv4)
        for _ in range(2):
            lab.bystander.fail_login("root")
        wait_until(lambda: guard.failures() == 6, "both failed")
        guard.kill()
        assert not lab.attacker.connects()
        # While nobody watches, one more failure is written: it counts when read later.
        lab.bystander.fail_login("root")
        guard.start()
        wait_until(lambda: guard.failures() == 7, "the failure of the meantime is counted")
        assert guard.banned() == {lab.attacker.ipv4}
        assert guard.in_kernel() == {lab.attacker.ipv4}
        assert not lab.attacker.connects()
        assert lab.bystander.connects()
        lab.bystander.fail_login("root")
        guard.wait_for_ban(lab.bystander.ipv4)
        assert guard.failures() == 8


@pytest.mark.parametrize("how", ["rename", "copytruncate"])
def test_a_rotation_in_the_middle_of_an_attack_loses_no_failure(lab: Lab, how: str) -> None:
    with guarded(lab, sshd_jail(lab.log_path, maxretry=4)) as guard:
        for _ in range(2):
            lab.attacker.fail_login("root")
        if how == "rename":
            lab.rotate_by_rename()
        else:
            wait_until(lambda: guard.failures() == 2, "the lines before are read")
            lab.rotate_by_copytruncate()
        for _ in range(2):
            lab.attacker.fail_login("root")
        guard.wait_for_ban(lab.attacker.ipv4)
        assert guard.failures() == 4


def test_a_rotation_while_nobody_watched_loses_no_failure(lab: Lab) -> None:
    with guarded(lab, sshd_jail(lab.log_path, maxretry=4)) as guard:
        lab.attacker.fail_login("root")
        wait_until(lambda: guard.failures() == 1, "the first failure is counted")
        guard.stop()
        lab.attacker.fail_login("root")
        lab.rotate_by_rename()
        lab.attacker.fail_login("root")
        guard.start()
        lab.attacker.fail_login("root")
        guard.wait_for_ban(lab.attacker.ipv4)
        assert guard.failures() == 4


def test_a_foreign_flush_of_the_firewall_is_healed(lab: Lab) -> None:
    with guarded(lab, sshd_jail(lab.log_path)) as guard:
        for _ in range(3):
            lab.attacker.fail_login("root")
        guard.wait_for_ban(lab.attacker.ipv4)
        lab.nft("flush", "ruleset")
        lab.nft("add", "table", "inet", "other")
        wait_until(
            lambda: lab.attacker.ipv4 in guard.in_kernel() and not lab.attacker.connects(),
            "the ban is back",
            5,
        )
        assert guard.ask("status")["enforcement"]["repairs"] >= 1
        assert guard.stop() == 0
    assert lab.nft("list", "ruleset").split() == ["table", "inet", "other", "{", "}"]


def test_bans_by_hand_are_enforced_and_lifted(lab: Lab) -> None:
    with guarded(lab, sshd_jail(lab.log_path)) as guard:
        run = lab.server.run
        assert run(guard.argv("ban", "sshd", lab.bystander.ipv4, "--for", "1h")).returncode == 0
        assert not lab.bystander.connects()
        assert run(guard.argv("unban", lab.bystander.ipv4)).returncode == 0
        assert lab.bystander.connects()
        assert run(guard.argv("unban", lab.bystander.ipv4)).returncode == 1
        network = f"{lab.bystander.ipv4}/24"
        assert run(guard.argv("ban", "sshd", network)).returncode == 0
        assert not lab.bystander.connects()
        assert lab.attacker.connects()
        assert run(guard.argv("unban", "--all")).returncode == 0
        assert lab.bystander.connects()


def test_a_dry_run_decides_and_leaves_the_firewall_alone(lab: Lab) -> None:
    guard = Guard(lab, sshd_jail(lab.log_path))
    guard.start("--dry-run")
    for _ in range(3):
        lab.attacker.fail_login("root")
    wait_until(lambda: guard.banned() == {lab.attacker.ipv4}, "the ban is decided")
    assert lab.attacker.connects()
    assert lab.server.run(["nft", "list", "ruleset"]).stdout == ""
    assert guard.stop() == 0


def test_a_jail_without_its_log_waits_and_stops_nothing_else(lab: Lab) -> None:
    late = lab.directory / "log" / "late.log"
    jails = (
        sshd_jail(lab.log_path)
        + f"[late]\nenabled = true\nfilter = sshd\nport = ssh\nlogpath = {late}\nmaxretry = 3\n"
    )
    guard = Guard(lab, jails)
    with guard.output.open("ab") as output:
        guard.process = lab.server.popen(guard.argv("run"), stdout=output, stderr=subprocess.STDOUT)

    def states() -> dict[str, str]:
        result = lab.server.run(guard.argv("status", "--json"))
        if not result.stdout.startswith("{"):
            return {}
        return {s["name"]: s["state"] for s in json.loads(result.stdout)["sources"]}

    wait_until(
        lambda: states() == {str(lab.log_path): "reading", str(late): "waiting"},
        "one reads, one waits",
    )
    for _ in range(3):
        lab.attacker.fail_login("root")
    guard.wait_for_ban(lab.attacker.ipv4)
    lines = [line.text for line in lab.lines() if "Failed password" in line.text]
    late.write_text("".join(f"{line}\n".replace(lab.attacker.ipv4, "192.0.2.99") for line in lines))
    guard.wait_for_ban("192.0.2.99")
    assert guard.stop() == 0


def test_a_second_server_on_the_same_socket_ends_and_the_first_goes_on(lab: Lab) -> None:
    with guarded(lab, sshd_jail(lab.log_path)) as guard:
        second = lab.server.run(guard.argv("run"))
        assert second.returncode == 2
        assert "banish" in second.stderr
        assert "-s SOCKET" in second.stderr
        for _ in range(3):
            lab.attacker.fail_login("root")
        guard.wait_for_ban(lab.attacker.ipv4)


def test_without_the_right_to_the_firewall_the_server_says_so_and_ends(lab: Lab) -> None:
    guard = Guard(lab, sshd_jail(lab.log_path))
    argv = [
        "setpriv",
        "--bounding-set=-net_admin",
        "--inh-caps=-net_admin",
        "--",
        *guard.argv("run"),
    ]
    result = lab.server.run(argv)
    assert result.returncode == 1
    assert "CAP_NET_ADMIN" in result.stderr


def test_a_full_disk_stops_no_ban_and_is_told(lab: Lab) -> None:
    guard = Guard(lab, sshd_jail(lab.log_path))
    guard.state.mkdir()
    run = lab.server.run
    run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(guard.state)])
    guard.start()
    filler = guard.state / "filler"
    assert run(["dd", "if=/dev/zero", f"of={filler}", "bs=512"]).returncode == 1
    for _ in range(3):
        lab.attacker.fail_login("root")
    guard.wait_for_ban(lab.attacker.ipv4)
    wait_until(lambda: "no room" in str(guard.ask("status")), "status names the trouble")
    assert run(["rm", str(filler)]).returncode == 0
    wait_until(lambda: "no room" not in str(guard.ask("status")), "it is written after all")
    guard.kill()
    guard.start()
    assert guard.banned() == {lab.attacker.ipv4}
    assert guard.failures() == 3
    guard.kill()
