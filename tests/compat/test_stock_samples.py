"""Fail2Ban's annotated sample logs come out as annotated, with its own filters."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.config.search import builtin_tree
from banish.model.settings import OnAmbiguous
from tests.compat.stock_samples import ZONE, Judge, fetch, read_samples


@pytest.fixture
def stock(request: pytest.FixtureRequest) -> Path:
    """Return the root of Fail2Ban's package, fetched once."""
    try:
        cache: pytest.Cache = request.config.cache
        return fetch(cache.mkdir("fail2ban"))
    except OSError as error:
        pytest.skip(f"Fail2Ban's package cannot be fetched: {error}")


@pytest.fixture
def zone() -> Iterator[None]:
    """Let the local zone be that of the samples."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = ZONE
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


AMBIGUOUS = {
    "nginx-http-auth nginx-http-auth:14",
    "pam-generic pam-generic:23",
    "sshd sshd:144",
    "sshd sshd-journal:145",
}
"""Samples with two addresses that the default, ``ambiguous = safe``, reads otherwise than the
filter: two of sshd's name the address that a client wrote, that of PAM could mean either, and that
of nginx has a name with a colon, where nginx ends it."""
OF_ITS_TESTS = {f"zzz-sshd-obsolete-multiline sshd:{n}" for n in (132, 135, 137, 142, 144)}
"""The same in a filter that is part of Fail2Ban's tests only."""
LAST_OF_THEM = {f"zzz-sshd-obsolete-multiline sshd:{n}" for n in (275, 280)}
"""One more, in Fail2Ban 1.0 and 1.1."""


def judged(stock: Path, ambiguous: OnAmbiguous) -> tuple[int, list[str], set[str]]:
    """Return how many checks there were, and which samples disagree, in words and as a set."""
    tests = stock / "usr/lib/python3/dist-packages/fail2ban/tests"
    disagreements: list[str] = []
    odd: set[str] = set()
    checks = 0
    for root in (stock / "etc/fail2ban", tests / "config"):
        judge = Judge(root, builtin_tree(), ambiguous)
        for log in sorted((tests / "files/logs").iterdir()):
            if (root / "filter.d" / f"{log.name}.conf").is_file():
                for sample in read_samples(log.parent, log.name):
                    judge.judge(sample, log.name)
        checks += judge.checks
        disagreements += judge.disagreements
        odd |= judge.odd
    print(f"{checks - len(disagreements)} of {checks} sample checks agree")
    return checks, disagreements, odd


@pytest.mark.usefixtures("zone")
def test_every_stock_sample_comes_out_as_annotated(stock: Path) -> None:
    checks, disagreements, _ = judged(stock, "report")
    assert not disagreements, "\n".join(disagreements)
    assert checks > 1_000


@pytest.mark.usefixtures("zone")
def test_only_stock_samples_with_two_addresses_come_out_otherwise_by_default(stock: Path) -> None:
    _, _, odd = judged(stock, "safe")
    assert odd - LAST_OF_THEM == AMBIGUOUS | OF_ITS_TESTS
    assert len(odd & LAST_OF_THEM) == 1
