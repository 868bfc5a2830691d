"""Our rules in place of Fail2Ban 1.1's read what those in place of 1.0's read, and no more."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from banish.detect.matcher import Matcher
from banish.detect.mended import MENDED
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, Regex
from tests.filters.sshd_writes import Connection
from tests.filters.test_sshd_names import CUT, ENDINGS, VERDICTS, names

pytestmark = pytest.mark.slow

NOW = Instant(1_800_000_000)
PEER = "198.51.100.7"
PREFIX = "Nov 22 21:00:00 gate sshd-session[4711]: "

PAIRS = [
    ("b4add7f6ed6e3e46", "a16be29d69d963a5"),
    ("805f643283ae5c3e", "a446a5964e134443"),
    ("b7678f91bf889548", "270265bcc2ff5b08"),
    ("5116c0396f3ac897", "cf8b85f7ca9be85f"),
    ("50a5db939b55cb4d", "c8b27a7648aa0718"),
    ("bb664fd558a53872", "99cf5587be03c33a"),
    ("f4ee4f413b6c61b0", "987f728a3a5e6c97"),
    ("0c26989be6eb4686", "d351b0702af69dc4"),
    ("5269a08d25f6b200", "527dc03c3142be8d"),
]
"""Digests of one rule in Fail2Ban 1.0 and in 1.1."""


def reads(matcher: Matcher, message: str) -> list[str]:
    report = matcher.trace(message, NOW)
    return [failure.subject.text for failure in report.failures]


def matcher_of(digest: str) -> Matcher:
    right = MENDED[digest]
    assert isinstance(right, str)
    text = right.replace("<F-NOFAIL>", "").replace("</F-NOFAIL>", "")
    return Matcher("j", FilterSettings("sshd", (Regex(text),)), Seconds(600))


MATCHERS = [(matcher_of(old), matcher_of(new)) for old, new in PAIRS]

clients = st.builds(Connection, st.just(PEER), st.just(40_022), names)


@given(client=clients, known=st.booleans())
@example(client=CUT, known=False)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_name_counts_under_both_alike_and_never_against_another(
    client: Connection, known: bool
) -> None:
    lines = [client.ended(how, known=known) for how in ENDINGS]
    lines += [client.failed_pam(verdict, known=known) for verdict in VERDICTS]
    lines.append(client.ran_out(known=known))
    for line in lines:
        message = line.removeprefix(PREFIX).removeprefix("error: ").removeprefix("PAM: ")
        for old, new in MATCHERS:
            assert reads(new, message) == reads(old, message)
            assert set(reads(new, message)) <= {client.address}, message


@given(client=clients, known=st.booleans())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_reason_to_disconnect_never_counts_against_another(
    client: Connection, known: bool
) -> None:
    named = client.name[:40].decode("latin-1")
    reason = f": Change of username or service not allowed: ({named},x) -> ({named},x)"
    message = client.ended("Disconnecting", known=known, after=reason).removeprefix(PREFIX)
    forged = (
        f"Disconnecting invalid user x 203.0.113.9 port 1{reason} {PEER} port 5: Packet corrupt"
    )
    for _, new in MATCHERS:
        assert set(reads(new, message)) <= {client.address}, message
        assert set(reads(new, forged)) <= {client.address}, forged


@pytest.mark.parametrize("digest", [new for _, new in PAIRS[:2]])
def test_a_reason_to_disconnect_counts_under_a_name_of_one_word(digest: str) -> None:
    client = Connection(PEER, 40_022, b"bob")
    reason = ": Change of username or service not allowed: (bob,x) -> (203.0.113.9,x)"
    message = client.ended("Disconnecting", after=reason).removeprefix(PREFIX)
    assert reads(matcher_of(digest), message) == [PEER]
