"""Whatever a client calls itself, Fail2Ban's sshd filter counts who it is and bans nobody else.

The lines are those that OpenSSH writes for a name (`tests.filters.sshd_writes`), whole sessions
of them, in all four modes of the stock filter.
"""

import dataclasses
import functools
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from banish.config import builtin_tree, filter_settings
from banish.detect.matcher import Matcher
from banish.detect.session import Sessions
from banish.model.instant import Instant, Seconds
from tests.compat.hostile_names import KNOWN_UNCOUNTED, Figures, search
from tests.compat.stock_samples import ZONE
from tests.filters.sshd_writes import Connection
from tests.filters.test_sshd_names import CUT, FORGED, VICTIMS, names

NOW = Instant(1_800_000_000)
MODES = ("normal", "ddos", "extra", "aggressive")
PEERS = ("198.51.100.7", "2001:db8:bad:7:1111:2222:3333:4444")
ENDINGS = ("Connection closed by", "Connection reset by", "Disconnected from")

law = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

TAIL_WORDS = ("on", "port", "via", "from", "port 22 on", "port 22", "[preauth]", "ssh2", "user")
hostile = st.one_of(
    names,
    st.builds(
        lambda start, victim, end: f"{start}{victim} {end}".encode(),
        st.sampled_from(["x ", "x from ", "from ", " ", "invalid user ", "x from ::ffff:"]),
        st.sampled_from(VICTIMS),
        st.sampled_from(TAIL_WORDS),
    ),
    st.builds(
        lambda forged, again: f"x{forged} ssh2: y{again}".encode(),
        st.sampled_from(FORGED),
        st.sampled_from(FORGED),
    ),
)
clients = st.builds(
    Connection, st.sampled_from(PEERS), st.just(40_022), hostile, program=st.just("sshd")
)


@functools.cache
def _filter(tree: Path, mode: str, publickey: str) -> Matcher:
    spec = f"sshd[mode={mode}, publickey={publickey}]"
    return Matcher("j", filter_settings(spec, tree, builtin_tree()), Seconds(600))


def matchers(tree: Path) -> list[Matcher]:
    made = [_filter(tree, mode, "nofail") for mode in MODES] + [_filter(tree, "normal", "any")]
    for matcher in made:
        matcher.sessions = Sessions()
    return made


def session(client: Connection, ending: str) -> list[str]:
    """Return what sshd writes of a client that guesses twice and goes."""
    named = client.name[:40].decode("latin-1")
    changed = f": Change of username or service not allowed: ({named},x) -> (y,x)"
    end = client.ended(ending) if ending in ENDINGS else client.ended(ending, after=changed)
    return [
        client.invalid_user(),
        client.failed("none"),
        client.failed(),
        client.failed("publickey", info=": ED25519 SHA256:M+F7rVD7kLPdL7lZR+ftQB6tUVrfKsPj89"),
        client.failed("keyboard-interactive/pam"),
        client.ran_out(),
        end,
    ]


def counted(matcher: Matcher, lines: list[str]) -> list[str]:
    found = [matcher.match(line.removeprefix("Nov 22 21:00:00"), NOW, at=NOW) for line in lines]
    return [failure.subject.text for failure in found if failure]


@given(client=clients, ending=st.sampled_from([*ENDINGS, "Disconnecting"]))
@example(client=Connection(PEERS[0], 5000, b"x 203.0.113.9 on", program="sshd"), ending=ENDINGS[2])
@example(client=dataclasses.replace(CUT, program="sshd"), ending=ENDINGS[0])
@law
def test_no_name_bans_somebody_else_and_none_lets_its_client_off(
    stock_tree: Path, client: Connection, ending: str
) -> None:
    plain = Connection(client.address, client.port, b"oracle", client.pid, client.program)
    for matcher in matchers(stock_tree):
        wanted = counted(matcher, session(plain, ending))
        found = counted(matcher, session(client, ending))
        assert set(found) == {client.address}
        assert len(found) >= min(3, len(wanted))


@given(client=clients)
@law
def test_no_single_line_with_a_name_bans_somebody_else(
    stock_tree: Path, client: Connection
) -> None:
    for ending in (*ENDINGS, "Disconnecting"):
        for line in session(client, ending):
            for matcher in matchers(stock_tree):
                assert set(counted(matcher, [line])) <= {client.address}, line


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "x y",
        "x rhost=203.0.113.66",
        "x rhost=203.0.113.66  user=x",
        "rhost=203.0.113.66",
        " x ",
    ],
)
@pytest.mark.parametrize("is_known", [True, False])
def test_no_name_gets_round_the_rule_for_vsftpd(
    stock_tree: Path, name: str, is_known: bool
) -> None:
    line = (
        "Nov 22 21:00:00 host vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= "
        f"uid=0 euid=0 tty=ftp ruser={name} rhost=192.0.2.1" + is_known * f"  user={name}"
    )
    made = filter_settings("vsftpd", stock_tree, builtin_tree())
    matcher = Matcher("ftp", made, Seconds(600))
    if is_known and " rhost=" in name:  # no such user can be, or the line has two readings
        assert counted(matcher, [line]) == []
    else:
        assert counted(matcher, [line]) == ["192.0.2.1"]


@pytest.mark.parametrize("name", ["vsftpd", "dovecot"])
def test_a_name_with_its_own_address_in_it_bans_nobody_else(stock_tree: Path, name: str) -> None:
    hostile = "x rhost=192.0.2.1 rhost=203.0.113.66  user=x"
    tty = {"vsftpd": "ftp", "dovecot": "dovecot"}[name]
    made = filter_settings(name, stock_tree, builtin_tree())
    matcher = Matcher("j", made, Seconds(600))
    program = {"vsftpd": "vsftpd", "dovecot": "auth"}[name]
    for user in ("x", hostile):
        line = (
            f"Nov 22 21:00:00 host {program}: pam_unix({name}:auth): authentication failure; "
            f"logname= uid=0 euid=0 tty={tty} ruser={user} rhost=192.0.2.1"
        )
        assert counted(matcher, [line]) == ["192.0.2.1"] * (user == "x")


@pytest.fixture(scope="module")
def figures(stock_package: Path) -> Iterator[Figures]:
    """Give what a short search over all filters came to, in the zone of the samples."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = ZONE
    time.tzset()
    yield search(stock_package, most=20)
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def test_no_client_of_any_stock_filter_bans_somebody_else(figures: Figures) -> None:
    print(f"{figures.filters} filters, {figures.rules} rules, {figures.lines} lines")
    assert figures.victims == []
    assert figures.rules > 150
    assert figures.lines > 10_000


def test_no_client_of_any_stock_filter_goes_uncounted_by_its_name(
    figures: Figures, stock_package: Path
) -> None:
    version = stock_package / "usr/lib/python3/dist-packages/fail2ban/version.py"
    if '"1.0.' not in version.read_text("utf-8"):
        pytest.skip("the rules of another Fail2Ban may differ")
    print(f"{figures.uncounted.total()} names that are not counted")
    assert {
        rule: example for rule, example in figures.examples.items() if rule not in KNOWN_UNCOUNTED
    } == {}


@pytest.mark.parametrize("mode", MODES)
def test_five_connections_of_one_name_count_against_who_made_them(
    stock_tree: Path, mode: str
) -> None:
    matcher = _filter(stock_tree, mode, "nofail")
    found = []
    for pid in range(5):
        client = Connection("6.6.6.1", 5000, b"x 1.1.1.1 on", 900 + pid, "sshd")
        found += counted(matcher, [client.invalid_user(), client.ended("Disconnected from")])
    assert set(found) == {"6.6.6.1"}
    assert len(found) >= 5
