"""Filters as we ship them and odd ones, alone and on one log: both ways leave the same behind."""

import functools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banish.config.load import filter_settings
from banish.config.search import builtin_tree
from banish.detect.detector import Detector
from banish.detect.prefilter.block import engine
from banish.model.instant import Instant
from banish.model.settings import FilterSettings, Regex
from tests.detect import ways
from tests.detect.ways import NOW, read, state

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(engine() is None, reason="hyperscan is not installed"),
    pytest.mark.usefixtures("at_once"),
]

STAMP = "2026-11-22T12:00:00+00:00"
jails = functools.partial(ways.jails, stamp=STAMP)

SPECS = (
    "sshd",
    "sshd[mode=aggressive, publickey=any]",
    "sshd[mode=extra, unknown=connection]",
    "sshd[mode=ddos, unknown=attempt, publickey=invalid]",
)
ALTERNATIVES = FilterSettings(
    "alternatives",
    failregex=(
        Regex(r"^ \S+ sshd\[\d+\]: Failed \w+ for <F-ALT_USER>\S+</F-ALT_USER> from <HOST>"),
        Regex(
            r"^ \S+ sshd\[(?P<mlfid>\d+)\]: Invalid user <F-USER>\S*</F-USER>"
            r" from <ADDR>(?P<fport>.*)$"
        ),
    ),
)
MILD = msgspec.structs.replace(ALTERNATIVES, name="mild", ignoreregex=(Regex("root"),))
IDENTIFIERS = FilterSettings(
    "identifiers",
    failregex=(
        Regex(r"^ \S+ sshd\[\d+\]: Failed \w+ for <F-ID>\S+</F-ID> from <HOST>"),
        Regex(r"^ \S+ sshd\[\d+\]: Connection closed by (?:<CIDR>|<HOST>)"),
        Regex(r"^ (?P<user>\S+) sshd\[\d+\]: .* (?P<ip6>[0-9a-fA-F:.]+) port"),
    ),
)
GAINING = FilterSettings(
    "gaining",
    prefregex=Regex(
        r"^ \S+ sshd\[<F-MLFID>\d+</F-MLFID>\]: "
        r"(?:<F-MLFFORGET>Accepted</F-MLFFORGET>|\S+) <F-CONTENT>.+</F-CONTENT>$"
    ),
    failregex=(
        Regex(r"^<F-MLFGAINED>password</F-MLFGAINED> for <F-USER>\S*</F-USER> from <HOST>"),
    ),
)
AFTER_ALL = FilterSettings(
    "after-all",
    prefregex=Regex(
        r"^ \S+ sshd\[<F-MLFID>\d+</F-MLFID>\]: "
        r"(?:<F-MLFFORGET>Connection closed</F-MLFFORGET>|\S+) "
    ),
    failregex=(
        Regex(
            r"^.*(?:<F-MLFGAINED>Accepted</F-MLFGAINED>|<F-NOFAIL>Connection</F-NOFAIL>|Failed) .*"
            r" (?:for|by) <F-USER>\S*</F-USER> (?:from )?<HOST>"
        ),
    ),
)

PEERS = (
    "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:DB8:0:0::1", "::ffff:192.0.2.9", "fe80::1%eth0",
    "2001:db8:1:2:3:4:5:6", "::", "192.0.2.256", "gate.example.org", "192.0.2.1:80",
)  # fmt: skip
USERS = ("root", "ann", "", "a b", "é", "x from 203.0.113.9 port 1 ssh2", "::1", "u" * 600)
TEXTS = (
    "Failed password for {user} from {peer} port 22 ssh2",
    "Failed password for invalid user {user} from {peer} port 22 ssh2",
    "message repeated 2 times: [ Failed password for {user} from {peer} port 22 ssh2]",
    "Failed none for invalid user {user} from {peer} port 9 ssh2",
    "Invalid user {user} from {peer} port 22",
    "User {user} not allowed because account is locked",
    "Accepted password for {user} from {peer} port 22 ssh2",
    "Connection closed by authenticating user {user} {peer} port 22 [preauth]",
    "Connection closed by invalid user {user} {peer} port 22 [preauth]",
    "Connection closed by {peer} port 22 [preauth]",
    "Bad protocol version identification '{user}' from {peer} port 22",
    "drop connection #11 from [{peer}]:22 on [192.0.2.80]:22 past MaxStartups",
)
STAMPS = (
    "2026-11-22T12:00:01+00:00", "2026-11-22T11:59:01+00:00", "2026-11-22T11:58:59+00:00",
    "2026-11-22T11:49:00+00:00", "2026-11-31T12:00:00+00:00", "", " 2026-11-22T12:00:00+00:00",
    "[1795348800]", "1795348799", "22/Nov/2026:12:00:00 +0000",
)  # fmt: skip

lines = st.builds(
    lambda stamp, host, process, text, user, peer: (
        f"{stamp} {host} sshd[{process}]: {text.format(user=user, peer=peer)}"
    ),
    st.sampled_from(12 * (STAMP,) + STAMPS),
    st.sampled_from(["h", "192.0.2.77"]),
    st.integers(1, 3),
    st.sampled_from(TEXTS),
    st.sampled_from(USERS),
    st.sampled_from(PEERS),
)


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[FilterSettings, ...]]:
    """Return filters that stand alone or share a log, each of another name."""
    root = tmp_path_factory.mktemp("empty")
    ours = [filter_settings(spec, root, builtin_tree()) for spec in SPECS]
    normal, all_of_it, *_ = (
        msgspec.structs.replace(each, name=f"sshd-{number}") for number, each in enumerate(ours)
    )
    no_names = msgspec.structs.replace(all_of_it, name="no", usedns="no", ambiguous="none")
    raw_names = msgspec.structs.replace(AFTER_ALL, name="raw", usedns="raw", ambiguous="last")
    return [
        *((each,) for each in (*ours, ALTERNATIVES, IDENTIFIERS, GAINING, AFTER_ALL)),
        (normal, all_of_it),
        (MILD, normal, IDENTIFIERS),
        (no_names, MILD, raw_names),
    ]


Blocks = list[tuple[list[str], str, bool, int]]
"""Lines, how they end, whether they are live, and how long before the next come."""


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(lines, max_size=12),
            st.sampled_from(["\n", "\n", "\r\n", "é\n"]),
            st.booleans(),
            st.sampled_from([0, 1, 90, 400]),
        ),
        max_size=4,
    ),
    st.integers(0, 10),
    st.sampled_from([0, 3, 101]),
)
def test_both_ways_leave_the_same_behind(
    groups: list[tuple[FilterSettings, ...]], blocks: Blocks, group: int, learnt: int
) -> None:
    short = jails(groups[group], short=True, learnt=learnt)
    long = jails(groups[group], short=False, learnt=learnt)
    now = NOW
    for written, end, live, pause in blocks:
        raw = end.join([*written, ""]).encode()
        assert read(short, raw, now, live=live) == read(long, raw, now, live=live)
        assert state(short) == state(long)
        now = Instant(now + pause)
    # What is left of sessions says the same to lines that come later.
    for process in (1, 2, 3):
        for text in ("User zoe not allowed because account is locked", TEXTS[3]):
            line = text.format(user="zoe", peer="192.0.2.5")
            raw = f"{STAMP} h sshd[{process}]: {line}\n".encode()
            assert read(short, raw, now) == read(long, raw, now)
    assert state(short) == state(long)


def failed(user: str) -> bytes:
    return f"{STAMP} h sshd[1]: Failed password for {user} from 192.0.2.1 port 22 ssh2\n".encode()


def hits(detector: Detector) -> int:
    ((found, _),) = detector.matchers[0].dates.hits()
    return found


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 1, 2), (2, 1, 0)])
def test_jails_of_either_way_learn_from_a_line_once(
    groups: list[tuple[FilterSettings, ...]], order: tuple[int, ...]
) -> None:
    mild, normal, identifiers = groups[9]
    filters = (mild, normal, identifiers)
    detector = jails(tuple(filters[at] for at in order), short=True)
    before = hits(detector)
    # Twice the same in a row are two.
    found = read(detector, failed("ann") * 2 + failed("bob"))
    assert len(found) == 9
    assert hits(detector) == before + 3


@pytest.mark.parametrize("count", [1, 2, 5])
def test_as_many_lines_are_learnt_from_whatever_the_number_of_jails(count: int) -> None:
    filters = tuple(msgspec.structs.replace(MILD, name=f"m{at}") for at in range(count))
    detector = jails(filters, short=False, learnt=99)
    assert detector.matchers[0].dates.is_learning
    read(detector, f"{STAMP} h cron[1]: quiet\n".encode())
    assert not detector.matchers[0].dates.is_learning
    assert hits(detector) == 100


def test_a_line_without_time_teaches_nothing_of_the_one_before() -> None:
    detector = jails((MILD,), short=False)
    before = hits(detector)
    undated = failed("ann").removeprefix(STAMP.encode())
    (failure,) = read(detector, f"{STAMP} h cron[1]: quiet\n".encode() + undated)
    assert failure.at == NOW
    assert hits(detector) == before
