"""Every stock filter finds the same in its own samples with and without the prefilter."""

from pathlib import Path

import pytest

from banish.config.load import filter_settings
from banish.config.search import builtin_tree
from banish.detect.detector import Detector
from banish.detect.matcher import Matcher
from banish.detect.prefilter.block import BlockPrefilter, engine
from banish.detect.prefilter.plan import make_plan
from banish.errors import ConfigError
from banish.model.failure import Failure
from banish.model.instant import Seconds
from banish.model.record import Batch, JournalPosition
from tests.compat.stock_samples import NOW

pytestmark = pytest.mark.skipif(engine() is None, reason="hyperscan is not installed")
MODES = {
    "sshd": ("sshd", "sshd[mode=aggressive]"),
    "postfix": ("postfix", "postfix[mode=aggressive]"),
    "dovecot": ("dovecot", "dovecot[mode=aggressive]"),
    "exim": ("exim", "exim[mode=aggressive]"),
    "sendmail-reject": ("sendmail-reject", "sendmail-reject[mode=extra]"),
}
SPANS_LINES = {"ejabberd-auth", "guacamole", "mongodb-auth", "slapd"}


def found(
    specs: tuple[str, ...], root: Path, block: bytes, *, on: bool
) -> tuple[list[Failure], set[str]]:
    matchers = []
    for spec in specs:
        matcher = Matcher(spec, filter_settings(spec, root, builtin_tree()), Seconds(600))
        matcher.dates._left_to_learn = 0
        matchers.append(matcher)
    prefilter = BlockPrefilter(make_plan(matchers)) if on else None
    batch = Batch("s", "/p", block, JournalPosition("", NOW))
    failures = Detector(matchers, prefilter).feed(batch, NOW)
    every_line = {specs[index] for index in prefilter.every_line} if prefilter else set()
    return failures, every_line


def test_stock_samples_give_the_same_failures(stock_package: Path) -> None:
    root = stock_package / "etc/fail2ban"
    logs = stock_package / "usr/lib/python3/dist-packages/fail2ban/tests/files/logs"
    total = 0
    for log in sorted(logs.iterdir()):
        specs = MODES.get(log.name, (log.name,))
        if not (root / "filter.d" / f"{log.name}.conf").is_file():
            continue
        try:
            plain, _ = found(specs, root, log.read_bytes(), on=False)
        except ConfigError:
            continue
        filtered, every_line = found(specs, root, log.read_bytes(), on=True)
        assert filtered == plain, log.name
        assert every_line <= SPANS_LINES, log.name
        total += len(plain)
    print(f"{total} failures are the same")
    assert total > 400


def test_all_stock_filters_in_one_database_give_the_same_failures(stock_package: Path) -> None:
    root = stock_package / "etc/fail2ban"
    logs = stock_package / "usr/lib/python3/dist-packages/fail2ban/tests/files/logs"
    names = tuple(
        log.name
        for log in sorted(logs.iterdir())
        if (root / "filter.d" / f"{log.name}.conf").is_file() and log.name not in SPANS_LINES
    )
    block = b"".join((logs / name).read_bytes() + b"\n" for name in names[::3])
    plain, _ = found(names, root, block, on=False)
    filtered, every_line = found(names, root, block, on=True)
    assert filtered == plain
    assert not every_line
    assert len(plain) > 200
