"""Fail2Ban's annotated sample logs come out as annotated, with its own filters."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.config.search import builtin_tree
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


@pytest.mark.usefixtures("zone")
def test_every_stock_sample_comes_out_as_annotated(stock: Path) -> None:
    tests = stock / "usr/lib/python3/dist-packages/fail2ban/tests"
    disagreements = []
    checks = 0
    for root in (stock / "etc/fail2ban", tests / "config"):
        judge = Judge(root, builtin_tree())
        for log in sorted((tests / "files/logs").iterdir()):
            if (root / "filter.d" / f"{log.name}.conf").is_file():
                for sample in read_samples(log.parent, log.name):
                    judge.judge(sample, log.name)
        checks += judge.checks
        disagreements += judge.disagreements
    print(f"{checks - len(disagreements)} of {checks} sample checks agree")
    assert not disagreements, "\n".join(disagreements)
    assert checks > 1_000
