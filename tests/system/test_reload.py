"""A running server follows its files: what changed changes, all else goes on."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.box import IS_ROOT, JAIL, Box, boxed

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="needs root to make namespaces")

ATTACKER, OTHER = "192.0.2.1", "192.0.2.2"

NOTE = """[Definition]
actionstart = echo start <variant> >>{file}
actionstop = echo stop <variant> >>{file}
actionban = echo ban <ip> <variant> >>{file}
actionunban = echo unban <ip> <variant> >>{file}
[Init]
variant = one
"""

RELOADS = 40
"""Reloads while lines pour in; `./dev bench reload` makes a thousand."""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with boxed(tmp_path, backend="polling") as box:
        box.start()
        box.wait_for("ready:")
        yield box


def write_jails(box: Box, *changes: tuple[str, str], more: str = "") -> None:
    text = box.jails
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (box.config / "jail.conf").write_text(text + more)


def reload(box: Box, *words: str, code: int = 0) -> str:
    done = box.ask("reload", *words)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_failures_and_bans_outlast_a_change_of_the_limit(box: Box) -> None:
    box.fail(ATTACKER)
    box.wait_for_ban(ATTACKER)
    box.fail(OTHER, 2)
    box.wait_until(lambda: box.said().count(f"Found {OTHER}") == 2, "two failures")
    write_jails(box, ("maxretry = 3", "maxretry = 5"))
    assert "maxretry: 3 -> 5" in reload(box)
    assert box.in_kernel(ATTACKER)
    box.fail(OTHER, 2)
    box.wait_until(lambda: box.said().count(f"Found {OTHER}") == 4, "four failures")
    assert not box.in_kernel(OTHER)
    box.fail(OTHER, 1)
    box.wait_for_ban(OTHER)
    assert "Jail 'app' reloaded" in box.said()
    assert box.said().count(f"Ban {ATTACKER}") == 1


def test_who_is_allowed_is_unbanned_and_never_banned_again_until_a_reload(box: Box) -> None:
    box.fail(ATTACKER)
    box.wait_for_ban(ATTACKER)
    assert "unbanned in app" in box.ask("allow", ATTACKER).stdout
    box.wait_until(lambda: not box.in_kernel(ATTACKER), "it is out of the kernel")
    box.fail(ATTACKER, 4)
    box.fail(OTHER)
    box.wait_for_ban(OTHER)
    assert not box.in_kernel(ATTACKER)
    box.ask("ban", "app", "2001:db8::/64")
    assert "2001:db8::/64 unbanned in app" in box.ask("allow", "2001:db8::7").stdout
    assert not box.in_kernel("2001:db8::/64")
    assert f"{OTHER} unbanned in app" in box.ask("allow", f"{OTHER}/24").stdout
    for wrong, cure in (("no-address", "write an address"), ("0.0.0.0/0", "smaller network")):
        refused = box.ask("allow", wrong)
        assert refused.returncode == 2
        assert cure in refused.stderr
    reload(box)
    box.fail(ATTACKER)
    box.wait_for_ban(ATTACKER)


def test_a_dry_run_changes_nothing(box: Box) -> None:
    write_jails(box, ("maxretry = 3", "maxretry = 1"))
    assert "app changes\n    maxretry: 3 -> 1" in reload(box, "--dry-run")
    box.fail(ATTACKER, 2)
    box.wait_until(lambda: box.said().count(f"Found {ATTACKER}") == 2, "two failures")
    assert not box.in_kernel(ATTACKER)
    said = json.loads(reload(box, "--dry-run", "--json"))
    assert said["jails"][0]["options"][0] == {"option": "maxretry", "before": "3", "after": "1"}


def test_a_broken_jail_keeps_its_old_self_and_the_others_follow(box: Box) -> None:
    other = JAIL.format(name="web", log=box.folder / "web.log", backend="polling")
    write_jails(box, more=other)
    assert "web started" in reload(box)
    write_jails(
        box,
        (f"logpath = {box.log}", ""),
        more=other.replace("maxretry = 3", "maxretry = 4"),
    )
    said = reload(box, code=1)
    assert "app keeps its old settings" in said
    assert "web changed\n    maxretry: 3 -> 4" in said
    box.fail(ATTACKER)
    box.wait_for_ban(ATTACKER)


def test_a_broken_whole_changes_nothing(box: Box) -> None:
    write_jails(box, ("maxretry = 3", "maxretry = 1"), more="[never ends\n")
    assert "nothing was reloaded" in reload(box, code=2)
    box.fail(ATTACKER, 2)
    box.wait_until(lambda: box.said().count(f"Found {ATTACKER}") == 2, "two failures")
    assert not box.in_kernel(ATTACKER)


def test_where_no_jail_could_run_the_error_is_named_with_its_place(box: Box) -> None:
    write_jails(box, (f"logpath = {box.log}", ""))
    said = reload(box, code=2)
    assert "no jail could run" in said
    assert f"{box.config}/jail.conf:1: " in said
    assert "logpath" in said
    box.fail(ATTACKER)
    box.wait_for_ban(ATTACKER)


def test_a_value_in_whose_place_the_default_counts_is_named(box: Box) -> None:
    write_jails(box, ("maxretry = 3", "maxretry = many"))
    said = reload(box)
    assert f'error: {box.config}/jail.conf:6: maxretry: "many" is not a whole number' in said


def test_a_jail_that_ends_frees_its_bans_and_gets_them_back_when_it_returns(box: Box) -> None:
    box.fail(ATTACKER)
    box.wait_for_ban(ATTACKER)
    other = JAIL.format(name="web", log=box.folder / "web.log", backend="polling")
    (box.config / "jail.conf").write_text(other)
    assert "app stopped" in reload(box)
    assert not box.in_kernel(ATTACKER)
    assert "Jail 'app' stopped" in box.said()
    (box.config / "jail.conf").write_text(box.jails + other)
    assert "app started" in reload(box)
    box.wait_for_ban(ATTACKER)
    box.fail(OTHER)
    box.wait_for_ban(OTHER)


def test_a_jail_that_is_new_restores_the_bans_that_an_earlier_run_left(box: Box) -> None:
    box.fail(ATTACKER)
    box.wait_for_ban(ATTACKER)
    assert box.stop() == 0
    other = JAIL.format(name="web", log=box.folder / "web.log", backend="polling")
    (box.config / "jail.conf").write_text(other)
    box.output.write_text("")
    box.start()
    box.wait_for("ready:")
    write_jails(box, more=other)
    reload(box)
    box.wait_for_ban(ATTACKER)


def test_an_action_that_changed_ends_its_bans_by_the_old_commands(box: Box) -> None:
    notes = box.folder / "notes"
    (box.config / "action.d").mkdir()
    (box.config / "action.d" / "note.conf").write_text(NOTE.format(file=notes))
    native = "banaction = nftables"
    write_jails(box, (native, f"{native}\naction = note"))
    reload(box)
    box.fail(ATTACKER)
    box.wait_until(lambda: notes.exists() and "ban" in notes.read_text(), "the ban's note")
    write_jails(box, (native, f"{native}\naction = note[variant=two]"))
    assert "action: note -> note[variant=two]" in reload(box)
    expected = [
        "start one", f"ban {ATTACKER} one", f"unban {ATTACKER} one", "stop one",
        "start two", f"ban {ATTACKER} two",
    ]  # fmt: skip
    box.wait_until(lambda: notes.read_text().splitlines() == expected, "\n".join(expected))


def test_a_jail_that_had_no_firewall_gets_one(box: Box) -> None:
    native = "banaction = nftables"
    (box.config / "action.d").mkdir()
    (box.config / "action.d" / "note.conf").write_text(NOTE.format(file=box.folder / "notes"))
    write_jails(box, (native, "action = note"))
    assert box.stop() == 0
    box.output.write_text("")
    box.start()
    box.wait_for("ready:")
    box.fail(ATTACKER)
    box.wait_for(f"Ban {ATTACKER}")
    assert not box.in_kernel(ATTACKER)
    write_jails(box)
    reload(box)
    box.wait_for_ban(ATTACKER)
    # The firewall is watched from then on.
    assert box.inside("nft", "flush", "ruleset").returncode == 0
    box.wait_for_ban(ATTACKER)


def test_without_a_confirmation_the_server_goes_back(box: Box) -> None:
    write_jails(box, ("maxretry = 3", "maxretry = 1"))
    assert "returns to the old configuration at" in reload(box, "--confirm", "6s")
    assert "not confirmed" in box.ask("status").stdout
    assert "is waiting to be confirmed" in reload(box, code=2)
    box.wait_for("returns to the configuration before it")
    box.fail(ATTACKER, 2)
    box.wait_until(lambda: box.said().count(f"Found {ATTACKER}") == 2, "two failures")
    assert not box.in_kernel(ATTACKER)
    assert box.ask("confirm").returncode == 2
    # The next start or reload would take what nobody confirmed.
    status = box.ask("status")
    assert status.returncode == 1
    assert "the files hold what was undone" in status.stdout
    assert "All is well" not in status.stdout
    write_jails(box)
    reload(box)
    assert "All is well" in box.ask("status").stdout


def test_a_confirmed_reload_stays(box: Box) -> None:
    write_jails(box, ("maxretry = 3", "maxretry = 1"))
    reload(box, "--confirm", "10m")
    assert box.ask("confirm").returncode == 0
    assert "not confirmed" not in box.ask("status").stdout
    box.fail(ATTACKER, 1)
    box.wait_for_ban(ATTACKER)


def test_sighup_reloads(box: Box) -> None:
    write_jails(box, ("maxretry = 3", "maxretry = 1"))
    assert box.process is not None
    box.process.send_signal(signal.SIGHUP)
    box.wait_for("Reload finished: 1 jail changed")
    box.fail(ATTACKER, 1)
    box.wait_for_ban(ATTACKER)


def test_a_jail_that_is_not_there_is_named(box: Box) -> None:
    assert "the jail 'nosuch' does not exist" in reload(box, "nosuch", code=2)


def test_options_of_the_server_are_followed(box: Box) -> None:
    conf = box.config / "banish.conf"
    target = box.run_folder / "banish.log"
    text = conf.read_text().replace("logtarget = STDERR", f"logtarget = {target}")
    conf.write_text(text + "loglevel = NOTICE\nallowipv6 = no\n")
    said = reload(box)
    assert "loglevel: INFO -> NOTICE" in said
    assert "take effect at the next start\n    allowipv6: auto -> no" in said
    box.fail(ATTACKER)
    box.wait_for_ban(ATTACKER)
    box.wait_until(lambda: f"Ban {ATTACKER}" in box.said_in_log(), "the ban in the new log")
    assert "Found" not in box.said_in_log()


def test_the_log_turns_into_json_and_back(box: Box) -> None:
    conf = box.config / "banish.conf"
    target = box.run_folder / "banish.log"
    text = conf.read_text().replace("logtarget = STDERR", f"logtarget = {target}")
    conf.write_text(text + "logformat = json\n")
    assert "logformat: fail2ban -> json" in reload(box)
    box.fail(ATTACKER)
    box.wait_for_ban(ATTACKER)
    box.wait_until(lambda: f"Ban {ATTACKER}" in box.said_in_log(), "the ban in the new log")
    events = [json.loads(line) for line in box.said_in_log().splitlines()]
    (ban,) = (event for event in events if event["kind"] == "BanStarted")
    assert ban["fields"]["subject"] == ATTACKER
    assert sum(event["kind"] == "FailureFound" for event in events) == 3
    conf.write_text(text)
    reload(box)
    box.fail(OTHER)
    box.wait_until(lambda: f"NOTICE  [app] Ban {OTHER}" in box.said_in_log(), "the second ban")


def test_no_line_is_lost_or_counted_twice_while_jails_change_under_attack(box: Box) -> None:
    """Each address fails three times, spread over the reloads; none is banned by two."""
    addresses = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(RELOADS * 25)]
    quiet = JAIL.format(name="quiet", log=box.folder / "quiet.log", backend="polling")
    for number in range(RELOADS):
        # A line each of the addresses of this turn, the one before, and the one before that.
        for earlier in range(3):
            begin = (number - earlier) * 25
            for address in addresses[max(begin, 0) : max(begin + 25, 0)]:
                box.fail(address, 1)
        findtime = f"findtime = {600 + number}"
        write_jails(box, ("findtime = 600", findtime), more=quiet if number % 2 else "")
        reload(box)
    for earlier in (1, 0):
        for address in addresses[(RELOADS - 1 - earlier) * 25 :][: 25 if earlier else None]:
            box.fail(address, 1)
    for address in addresses[-25:]:
        box.fail(address, 1)
    lines = len(box.log.read_text().splitlines())
    assert lines == 3 * len(addresses)
    box.wait_until(lambda: box.said().count(" Found ") >= lines, "all failures")
    box.wait_until(lambda: box.said().count("] Ban ") >= len(addresses), "all bans")
    found = re.findall(r" Found (\S+) ", box.said())
    assert len(found) == lines
    assert sorted(re.findall(r"\] Ban (\S+)", box.said())) == sorted(addresses)
