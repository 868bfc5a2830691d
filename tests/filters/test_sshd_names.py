"""Whatever a client calls itself, a failure names the address it comes from, or nobody's."""

import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.filters.judge import Judge
from tests.filters.sshd_writes import SYSLOG_CHARACTERS, Connection, vis

pytestmark = pytest.mark.slow

VICTIMS = ("203.0.113.9", "2001:db8:9::9")
PEERS = (
    "198.51.100.7",
    "198.51.100.177",
    "2001:db8:bad:7:1111:2222:3333:4444",
    "::ffff:192.0.2.77",
)
SEEN = {"::ffff:192.0.2.77": "192.0.2.77"}
REASONS = (
    "listed in DenyUsers",
    "not listed in AllowUsers",
    "not in any group",
    "a group is listed in DenyGroups",
    "none of user's groups are listed in AllowGroups",
)
VERDICTS = (
    "Authentication failure",
    "User not known to the underlying authentication module",
    "Authentication service cannot retrieve authentication info",
    "Have exhausted maximum number of retries for service",
)
ENDINGS = ("Connection closed by", "Connection reset by", "Disconnected from")
METHODS = ("password", "none", "publickey", "keyboard-interactive/pam", "gssapi-with-mic")

PHRASES = [
    "invalid user ", "illegal user ", "authenticating user ", "Invalid user ", " from ", " port 22",
    " ssh2", " ssh2: ", " [preauth]", ": ", "]: ", " sshd[1]: ", "Failed password for ",
    "Accepted password for root", " not allowed because not listed in AllowUsers", "'", '"',
    "Connection closed by ", " for ", "error: PAM: Authentication failure for ", " (", ")", "[",
    "]",
    "Nov 22 21:00:00 gate sshd[1]: ", "maximum authentication attempts exceeded for ", "\n", "\\",
    ": Too many authentication failures", "%", "::", ", ip=", ", required=", "\xff", " ", "root",
    " -> (", "\ufeff", "Their offer: ", ": 11: ", ": 14: ",
]  # fmt: skip
FORGED = [
    f"{start}{victim}{end}"
    for victim in VICTIMS
    for start in (" from ", " ", "x from ", "[", "(", "", "' from ", " by ")
    for end in ("", " port 22", " port 22 ssh2", " port 22 [preauth]", " port 22: x [preauth]", ")")
]

pieces = st.one_of(
    st.sampled_from(PHRASES),
    st.sampled_from(FORGED),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    st.builds(
        lambda text, n: text * n, st.sampled_from(["\xff", " ", "\\", "x"]), st.integers(1, 190)
    ),
)
names = st.lists(pieces, max_size=8).map(
    lambda parts: "".join(parts).encode("utf-8").replace(b"\xc3\xbf", b"\xff")[:400]
)
peers = st.sampled_from(PEERS)
ports = st.integers(1, 65_535)
connections = st.builds(
    Connection, peers, ports, names, st.integers(1, 4_194_304), strips=st.booleans()
)

MODES = ("normal", "ddos", "extra", "aggressive")
JUDGES = {
    options: Judge("sshd", mode=options[0], unknown=options[1], publickey=options[2])
    for options in [
        *((mode, "connection", "nofail") for mode in MODES),
        ("normal", "attempt", "invalid"),
        ("aggressive", "attempt", "any"),
        ("aggressive", "both", "any"),
    ]
}
CUT = Connection(PEERS[0], 40_000, b"\xff" * 87 + b"z 203.0.113.9 port 22 [preauth]" + b" " * 60)
"""A name whose line sshd cuts just where the name itself has named a victim."""

law = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def seen(connection: Connection) -> str:
    return SEEN.get(connection.address, connection.address)


def lines_about(connection: Connection, *, known: bool) -> list[str]:
    """Return every line that sshd can write with this name in it."""
    info = ": ED25519 SHA256:M+F7rVD7kLPdL7lZR+ftQB6tUVrfKsPj89QxQqOQOPw"
    lines = [connection.failed(method, known=known) for method in METHODS]
    lines += [connection.failed("publickey", known=known, info=info)]
    lines += [connection.failed_pam(verdict, known=known) for verdict in VERDICTS]
    lines += [connection.ran_out(known=known), connection.accepted(), connection.postponed()]
    lines += [connection.ended(how, known=known) for how in ENDINGS]
    named = connection.name[:60].decode("latin-1")
    lines += [
        connection.ended("Disconnecting", known=known, after=text)
        for text in (
            ": Too many authentication failures",
            f": Change of username or service not allowed: ({named},x) -> (203.0.113.9 port 22: y",
        )
    ]
    lines.append(
        connection.ended("ssh_dispatch_run_fatal: Connection from", known=known, after=": x")
    )
    if not known:
        lines.append(connection.invalid_user())
        lines += [connection.refused(reason) for reason in REASONS]
    return lines


@given(connection=connections)
@example(connection=CUT)
@example(connection=Connection(PEERS[0], 22, b"x from 203.0.113.9 port 22 ssh2: RSA SHA256:x"))
@law
def test_no_line_of_an_unknown_user_names_another_address(connection: Connection) -> None:
    for judge in JUDGES.values():
        for line in lines_about(connection, known=False):
            assert set(judge.hosts([line])) <= {seen(connection)}, line


@given(connection=connections)
@law
def test_an_unknown_user_always_counts(connection: Connection) -> None:
    judge = JUDGES["normal", "connection", "nofail"]
    assert judge.hosts([connection.invalid_user()]) == [seen(connection)]
    each = JUDGES["normal", "attempt", "invalid"]
    assert each.hosts([connection.failed("password")]) == [seen(connection)]


@given(connection=connections, tries=st.integers(0, 6), ending=st.sampled_from(ENDINGS))
@law
def test_a_connection_of_an_unknown_user_counts_once_however_often_it_tries(
    connection: Connection, tries: int, ending: str
) -> None:
    lines = [connection.invalid_user()]
    for _ in range(tries):
        lines += [connection.failed_pam(VERDICTS[1]), connection.failed()]
    lines += [connection.ran_out(), connection.ended(ending)]
    for mode in ("normal", "ddos"):
        judge = Judge("sshd", mode=mode, unknown="connection")
        assert judge.hosts(lines) == [seen(connection)]
    assert Judge("sshd", unknown="attempt").hosts(lines) == [seen(connection)] * tries
    assert Judge("sshd").hosts(lines) == [seen(connection)] * (tries + 1)


@given(
    connection=connections.filter(lambda one: len(one.name) < 40),
    state=st.sampled_from(
        ["account is locked", "shell /bin/x does not exist", "listed in DenyUsers"]
    ),
    ending=st.sampled_from(ENDINGS),
)
@law
def test_a_refusal_without_an_address_counts_once_for_the_connection_that_caused_it(
    connection: Connection, state: str, ending: str
) -> None:
    named = " from trap.example.net" if "Deny" in state else ""
    account = Connection(connection.address, connection.port, b"backup", connection.pid)
    other = Connection("192.0.2.200", 1, connection.name, connection.pid + 1)
    judge = Judge("sshd", unknown="connection")
    lines = [
        account.monitor("User ", f"{named} not allowed because {state}"),
        other.failed(),
        other.ended(ending),
        account.failed(),
        account.failed(),
        account.ended(ending),
        account.ended(ending),
    ]
    assert judge.hosts(lines) == [seen(connection)]


@given(
    connection=st.builds(
        Connection, peers, ports, st.sampled_from([b"root", b"alice", b"j.doe-2"])
    ),
    text=names,
)
@law
def test_what_a_client_says_of_itself_never_names_another_address(
    connection: Connection, text: bytes
) -> None:
    said = text.decode("latin-1")[:400]
    lines = [
        *lines_about(connection, known=True),
        connection.failed("publickey", known=True, info=f": ED25519-CERT SHA256:x ID {said} CA y"),
        connection.failed("hostbased", known=True, info=f': RSA SHA256:x, client user "{said}"'),
        connection.unnamed("Received disconnect from ", f":11: {said}"),
        connection.unnamed("Received disconnect from ", f":14: {said}"),
        connection.unnamed("Unable to negotiate with ", f": no matching MAC. Their offer: {said}"),
        connection.unnamed("probed from ", f" with SSH-2.0-{said}.  Don't panic.", network=False),
        connection.unnamed("Protocol major versions differ for ", f": a vs. {said}", network=False),
        connection.unnamed(
            f"Bad protocol version identification '{said[:200]}' from ", network=False
        ),
        connection.unnamed("banner exchange: Connection from ", f": {said}", network=False),
        connection.unnamed(
            f'error: kex_exchange_identification: client sent "{said}" ', network=False
        ),
        connection.unnamed("Did not receive identification string from ", network=False),
    ]
    for judge in JUDGES.values():
        for line in lines:
            assert set(judge.hosts([line])) <= {seen(connection)}, line


@given(text=names, mode=st.sampled_from(MODES), program=st.sampled_from(["sudo", "sshdx", "cron"]))
@law
def test_another_programs_line_is_never_sshds(text: bytes, mode: str, program: str) -> None:
    judge = JUDGES[mode, "connection", "nofail"]
    said = vis(text).decode("ascii")
    for front in (f"gate {program}[7]: ", f"gate {program}: ", f"{program}[7]: "):
        assert judge.hosts([f"Nov 22 21:00:00 {front}{said}"]) == []
        attack = f"{said} gate sshd[1]: Failed password for root from 203.0.113.9 port 22 ssh2"
        assert judge.hosts([f"2026-11-22T21:00:00Z {front}{attack}"]) == []


@given(text=names.map(lambda name: name.replace(b"\n", b" ")), mode=st.sampled_from(MODES))
@law
def test_nothing_in_a_name_forgives(text: bytes, mode: str) -> None:
    judge = Judge("sshd", mode=mode)
    assert not any("MLFGAINED" in rule.text for rule in judge.settings.failregex)
    guess = Connection("198.51.100.7", 22, b"root")
    forged = Connection("198.51.100.7", 22, b"x ssh2 Accepted password for root" + text)
    found = judge.hosts([guess.failed(known=True), forged.accepted(), guess.failed(known=True)])
    assert found == ["198.51.100.7"] * 2


def test_a_line_cut_where_a_name_names_a_victim_counts_against_nobody() -> None:
    """OpenSSH 9.2 and 10.0 really write such lines: the victim stands at the very end."""
    line = CUT.ended("Connection closed by")
    assert line.endswith("z 203.0.113.9 port 22 [preauth]")
    waiting = Connection(PEERS[0], 1, b"backup").monitor(
        "User ", " not allowed because account is locked"
    )
    for judge in (Judge("sshd", mode=mode) for mode in MODES):
        assert judge.hosts([waiting, line]) == []


def test_a_certificate_whose_line_is_cut_where_it_names_a_victim_counts_against_nobody() -> None:
    """The id of a certificate is the client's text, and as long as the client likes."""
    client = Connection(PEERS[0], 40_000, b"x")
    forged = " from 203.0.113.9 port 22 ssh2: RSA SHA256:x"
    info = ": RSA-CERT SHA256:x ID z"
    room = SYSLOG_CHARACTERS - len(client.failed("publickey", info=info).partition("]: ")[2])
    line = client.failed("publickey", info=f"{info}{'z' * (room - len(forged))}{forged} (serial 0)")
    assert line.endswith(forged)
    for publickey in ("any", "invalid"):
        assert Judge("sshd", publickey=publickey).hosts([line]) == []


def test_a_banner_cut_where_it_names_a_victim_counts_against_nobody() -> None:
    banner = "\xff" * 100 + "' from 203.0.113.9 port 22" + " " * 74
    line = Connection(PEERS[0], 40_000, b"").unnamed(
        f"Bad protocol version identification '{banner}' from ", network=False
    )
    assert line.endswith("' from 203.0.113.9 port 22")
    assert Judge("sshd", mode="aggressive").hosts([line]) == []


@pytest.mark.parametrize("size", [1, 50, 66, 70])
def test_a_banner_of_signs_that_sshd_escapes_counts(size: int) -> None:
    for address in ("198.51.100.7", "2001:db8:bad:7:1111:2222:3333:4444"):
        line = Connection(address, 40_000, b"").unnamed(
            f"Bad protocol version identification '{chr(255) * size}' from ", network=False
        )
        found = Judge("sshd", mode="aggressive").hosts([line])
        assert found == [address]


def test_no_banner_makes_a_line_so_short_that_its_cut_end_is_believed() -> None:
    forged = "' from 203.0.113.9 port 22"
    for size in range(200 - len(forged) + 1):
        banner = "\xff" * size + forged + " " * (200 - len(forged) - size)
        line = Connection(PEERS[0], 40_000, b"").unnamed(
            f"Bad protocol version identification '{banner}' from ", network=False
        )
        assert "203.0.113.9" not in Judge("sshd", mode="aggressive").hosts([line, line.rstrip()])


HEADS = (
    "", "Failed password for ", "Failed password for invalid user ", "Invalid user ", "User ",
    "error: PAM: x for ", "Connection closed by invalid user ", "refused connect from ",
    "Connection closed by authenticating user ", "Bad protocol version identification '",
    "maximum authentication attempts exceeded for ", "Failed publickey for invalid user ",
    "Received disconnect from ", "banner exchange: Connection from ",
    "x: Authentication tried for ",
)  # fmt: skip
UNITS = (
    " from 1.1.1.1 port 1", " from ", "::", "a", "1.", " ", "%", " port 1 ssh2", " (1.1.1.1)", "\\",
    '[a b="', ' b="x"', '\\"', "] ", "[a] ", " for illegal user ", " for ", "invalid user ", "g ",
    " 1.1.1.1 port 1 [preauth]", "' from 1.1.1.1", "x from ::1%", " from 1.1.1.1%aaaaaaaaaaaaaaa",
)  # fmt: skip


@pytest.mark.parametrize(
    "front", ["", "gate sshd[1]: ", "gate sshd 1 - - ", 'gate sshd 1 - [a b="']
)
def test_no_rule_runs_away_on_64_kib(front: str) -> None:
    judge = JUDGES["aggressive", "both", "any"]
    assert judge.matcher.prefregex is not None
    patterns = [judge.matcher.prefregex, *judge.matcher.rules]
    slowest = 0.0
    for head in HEADS:
        for unit in UNITS:
            line = front + head
            line += unit * ((65_536 - len(line)) // len(unit)) + "\n"
            begin = time.process_time()
            for pattern in patterns:
                pattern.search(line)
            slowest = max(slowest, time.process_time() - begin)
    assert slowest < 1.0
