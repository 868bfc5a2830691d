"""A real OpenSSH server, real clients: as many failures as attempts, at the true address.

Runs the installed server in namespaces of its own (see openssh.py); needs root, and the
Debian packages openssh-server, openssh-client, sshpass, iproute2 and util-linux.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.config import builtin_tree, filter_settings
from banish.detect.matcher import Matcher
from banish.model.instant import Instant, Seconds
from tests.compat.conftest import PACKAGE, fetched
from tests.filters.judge import Judge
from tests.filters.openssh import CLIENT6, CLIENTS, MISSING, PASSWORD, Server, server

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of its own need root"),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]

NOW = Instant(1_800_000_000)
ATTACKER, VICTIM = CLIENTS[0], CLIENTS[2]

HOSTILE_NAMES = [
    "nobody-here",
    f"x from {VICTIM}",
    f"x from {VICTIM} port 22 ssh2",
    f"root from {VICTIM} port 22 ssh2: fake",
    f"x {VICTIM} port 22 [preauth]",
    f"x [preauth] from {VICTIM}: a ] b",
    f"x\tsshd[1]: Accepted password for root from {VICTIM} port 22 ssh2",
    f"invalid user y from {VICTIM} not allowed because not listed in AllowUsers",
    "\udcff" * 100 + f" from {VICTIM} port 22 ssh2",
    "\udcff" * 87 + f"z {VICTIM} port 22 [preauth]" + " " * 60,
    "\\" * 99,
]


def failures(lines: list[str], **options: str) -> list[str]:
    return Judge("sshd", **{"unknown": "connection", **options}).hosts(lines)


def attempts_at(log: list[str]) -> list[str]:
    """Return the lines that show that sshd has judged an attempt, for messages."""
    return [line for line in log if "Failed" in line or "PAM" in line]


@pytest.fixture(scope="module", params=["UsePAM no", "UsePAM yes"])
def by_password(request: pytest.FixtureRequest) -> Iterator[Server]:
    with server(f"{request.param}\nLogLevel VERBOSE\nMaxAuthTries 3\n") as running:
        yield running


@pytest.fixture(scope="module")
def stock_sshd() -> Path:
    """Give Fail2Ban's own configuration, or skip."""
    return fetched(PACKAGE) / "etc" / "fail2ban"


@pytest.fixture(scope="module")
def by_challenge() -> Iterator[Server]:
    with server(
        "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication yes\nLogLevel INFO\n"
    ) as running:
        yield running


@pytest.fixture(scope="module")
def penalising() -> Iterator[Server]:
    """As OpenSSH 9.8 and newer is set by default, but with the first failure."""
    with server("LogLevel INFO\n", penalties="authfail:60s min:1s") as running:
        if "PerSourcePenalties" not in (running.work / "sshd_config").read_text():
            pytest.skip("sshd has no penalties before OpenSSH 9.8")
        yield running


@pytest.fixture(scope="module")
def choosy() -> Iterator[Server]:
    with server("AllowUsers alice locked noshell\nDenyUsers alice\nLoginGraceTime 20\n") as running:
        yield running


def test_each_wrong_password_counts_once(by_password: Server) -> None:
    by_password.login("alice")
    by_password.login("bob", client=CLIENT6)
    log = by_password.read(until="Connection closed by authenticating user bob")
    assert failures(log) == [ATTACKER, CLIENT6], attempts_at(log)


def test_passwords_of_one_connection_count_each_up_to_the_last(by_password: Server) -> None:
    by_password.login("alice", tries=3)
    log = by_password.read(until="Too many authentication failures")
    assert failures(log) == [ATTACKER] * 3, attempts_at(log)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_counts_once_at_its_true_address(by_password: Server, name: str) -> None:
    by_password.login(name)
    log = by_password.read(until="invalid user")
    assert failures(log) == [ATTACKER], log
    assert failures(log, unknown="attempt") == [ATTACKER], log
    assert failures(log, unknown="both") == [ATTACKER] * 2, log
    assert set(failures(log, mode="aggressive", publickey="any")) == {ATTACKER}, log


def test_a_hostile_name_that_tries_no_password_counts_too(by_password: Server) -> None:
    for name in HOSTILE_NAMES[-4:]:
        by_password.login(name, method="publickey")
    log = by_password.read(until="Connection closed by invalid user", times=4)
    for mode in ("normal", "ddos", "extra", "aggressive"):
        assert failures(log, mode=mode) == [ATTACKER] * 4, log


def test_a_refused_key_is_no_failure_unless_asked_for(by_password: Server) -> None:
    by_password.login("alice", method="publickey")
    log = by_password.read(until="Connection closed by authenticating user")
    assert failures(log) == []
    assert failures(log, publickey="any") == [ATTACKER]
    assert failures(log, mode="extra") == [ATTACKER]


def test_a_login_that_works_is_no_failure(by_password: Server) -> None:
    by_password.login("alice", password=PASSWORD)
    log = by_password.read(until="Disconnected from user alice")
    for mode in ("normal", "ddos", "extra", "aggressive"):
        assert failures(log, mode=mode) == [], log


def test_each_wrong_answer_to_a_challenge_counts_once(by_challenge: Server) -> None:
    by_challenge.login("alice", method="keyboard-interactive")
    by_challenge.login("alice", method="keyboard-interactive", tries=3, client=CLIENT6)
    log = by_challenge.read(until=f"authenticating user alice {CLIENT6}")
    assert failures(log) == [ATTACKER] + [CLIENT6] * 3, attempts_at(log)


@pytest.mark.parametrize("name", HOSTILE_NAMES[:6])
def test_a_hostile_name_counts_once_by_challenge(by_challenge: Server, name: str) -> None:
    by_challenge.login(name, method="keyboard-interactive")
    log = by_challenge.read(until="Connection closed by invalid user")
    assert failures(log) == [ATTACKER], log
    assert failures(log, unknown="attempt") == [ATTACKER], log


@pytest.mark.parametrize("method", ["password", "publickey"])
@pytest.mark.parametrize("name", ["alice", "bob", "root", "locked", "noshell"])
def test_who_may_not_log_in_counts_once(choosy: Server, name: str, method: str) -> None:
    choosy.login(name, method=method)
    log = choosy.read(until="Connection closed by invalid user")
    assert failures(log) == [ATTACKER], log


def test_each_probe_counts_once_and_only_as_a_probe(choosy: Server) -> None:
    probes = [
        b"",
        b"GET / HTTP/1.0\r\n\r\n",
        f"SSH-x' from {VICTIM} port 22\r\n".encode(),
        b"SSH-1.5-old\r\n",
        b"SSH-2.0-only\r\n",
        b"SSH-2.0-garbage\r\n" + b"A" * 400,
        f"SSH-2.0-SSH_Version_Mapper from {VICTIM} port 22\r\n".encode(),
    ]
    for data in probes:
        choosy.send(data)
    choosy.send(b"", reset=True)
    log = choosy.read(until="Connection reset by", quiet=1.0)
    assert failures(log) == []
    assert failures(log, mode="extra") == []
    assert failures(log, mode="ddos") == [ATTACKER] * (len(probes) + 1), log


def test_algorithms_that_do_not_fit_count_in_extra_only(choosy: Server) -> None:
    choosy.login("alice", options=("-o", "Ciphers=aes128-cbc"))
    log = choosy.read(until="Unable to negotiate")
    assert failures(log) == failures(log, mode="ddos") == []
    assert failures(log, mode="extra") == [ATTACKER], log


def test_a_crowd_of_parallel_connections_counts_in_full(by_password: Server) -> None:
    count = 8
    script = "; ".join(
        f"sshpass -p wrong ssh -F {by_password.work}/client -p 2222 -b {ATTACKER}"
        " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        f" -o PreferredAuthentications=password -o NumberOfPasswordPrompts=1"
        f" ghost{n}@192.0.2.1 true &"
        for n in range(count)
    ).replace("&;", "&")
    (by_password.work / "client").write_text("")
    by_password.run("sh", "-c", f"{script} wait")
    log = by_password.read(until="Connection closed by invalid user", times=count)
    assert failures(log) == [ATTACKER] * count, log


def test_connections_that_a_penalty_drops_count_as_probes(penalising: Server) -> None:
    for client in (ATTACKER, CLIENT6):
        penalising.login("alice", client=client)
        penalising.read(until="Connection closed by authenticating user")
        penalising.login("alice", client=client)
        log = penalising.read(until="drop connection")
        for mode in ("normal", "extra"):
            assert failures(log, mode=mode) == [], log
        for mode in ("ddos", "aggressive"):
            assert failures(log, mode=mode) == [client], log


STOCK_NAMES = [
    "nobody-here",
    f"x {VICTIM} on",
    f"x {VICTIM} port 22 on",
    f"x from {VICTIM} port 22 ssh2: y",
    f"x from ::ffff:{VICTIM} port 22 ssh2: y",
    f"x from {VICTIM} via",
    *HOSTILE_NAMES[-3:-1],
]


def test_fail2bans_own_filter_counts_a_hostile_name_at_its_true_address(
    by_password: Server, stock_sshd: Path
) -> None:
    by_password.read()
    matchers = [
        Matcher(
            mode, filter_settings(f"sshd[mode={mode}]", stock_sshd, builtin_tree()), Seconds(600)
        )
        for mode in ("normal", "ddos", "extra", "aggressive")
    ]
    for name in STOCK_NAMES:
        by_password.login(name)
        log = by_password.read(until="invalid user")
        for matcher in matchers:
            found = [matcher.trace(line.replace("sshd-session[", "sshd["), NOW) for line in log]
            named = [each.failures[0].subject.text for each in found if each.failures]
            assert set(named) == {ATTACKER}, (matcher.jail, log)
