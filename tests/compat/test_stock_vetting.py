"""What vetting finds in Fail2Ban's own filters; each find is tried on the whole matcher."""

from pathlib import Path

import msgspec
import pytest

from banish.config import builtin_tree, filter_settings
from banish.config.filters import filter_names
from banish.config.merge import Library
from banish.config.problem import Problems
from banish.config.search import Tree
from banish.config.stopwatch import time_each
from banish.detect.matcher import Matcher
from banish.detect.vetting import Vetting, examine_injection
from banish.detect.vetting.forgery import FORGED
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings
from tests.filters.sshd_writes import Connection

PEER = "198.51.100.7"
NOW = Instant(1_800_000_000)

TURNED = {
    "asterisk": {8},
    "pam-generic": {1},
    "roundcube-auth": {1},
    "sshd": {3, 4, 14, 17, 20},
}
"""Looked at by hand, and true: each line is one that the service can be made to write."""

FINDINGS_LIMIT = 12
"""Of 196 regexes; more would mean false alarms."""


@pytest.fixture(scope="module")
def filters(stock_tree: Path) -> dict[str, FilterSettings]:
    names = filter_names(Library(Tree((stock_tree,)), Problems()))
    return {
        name: filter_settings(name, stock_tree, builtin_tree())
        for name in names
        if "common" not in name
    }


@pytest.fixture(scope="module")
def vetted(filters: dict[str, FilterSettings]) -> dict[str, Vetting]:
    return {name: examine_injection(settings) for name, settings in filters.items()}


def test_few_stock_regexes_can_be_turned_and_those_that_can_are_known(
    vetted: dict[str, Vetting], filters: dict[str, FilterSettings]
) -> None:
    turned = {
        name: {finding.rule for finding in each.findings}
        for name, each in vetted.items()
        if each.findings
    }
    rules = sum(len(settings.failregex) for settings in filters.values())
    count = sum(map(len, turned.values()))
    print(f"{count} of {rules} regexes can be turned: {turned}")
    for name, known in TURNED.items():
        assert turned[name] >= known, name
    assert count <= FINDINGS_LIMIT
    assert rules >= 190


def test_a_line_can_be_written_for_every_stock_regex(vetted: dict[str, Vetting]) -> None:
    assert {name: each.unvetted for name, each in vetted.items() if each.unvetted} == {}


def test_every_proof_names_the_wrong_address(
    vetted: dict[str, Vetting], filters: dict[str, FilterSettings]
) -> None:
    for name, each in vetted.items():
        for finding in each.findings:
            as_stock = msgspec.structs.replace(filters[name], ambiguous="report")
            matcher = Matcher("test", as_stock, Seconds(600))
            report = matcher.trace(finding.line, NOW, NOW)
            assert FORGED in report.host, finding
            assert finding.true in finding.line


def test_a_user_name_that_was_found_bans_another_with_what_openssh_writes(
    vetted: dict[str, Vetting], filters: dict[str, FilterSettings]
) -> None:
    (found,) = (each for each in vetted["sshd"].findings if each.rule == 4)
    assert found.gap == "name"
    client = Connection(PEER, 40_022, found.attack.encode(), program="sshd")
    line = client.failed("password")
    assert line.startswith("Nov 22 21:00:00 gate sshd[4711]: Failed password for invalid user x")
    assert line.endswith(f" from {PEER} port 40022 ssh2")
    line = line.removeprefix("Nov 22 21:00:00")
    as_stock = msgspec.structs.replace(filters["sshd"], ambiguous="report")
    failure = Matcher("test", as_stock, Seconds(600)).match(line, NOW, at=NOW)
    assert failure is not None
    assert failure.subject.text == FORGED
    safe = Matcher("test", filters["sshd"], Seconds(600)).match(line, NOW, at=NOW)
    assert safe is not None
    assert safe.subject.text == PEER


def test_stock_filters_known_to_run_away_are_found(filters: dict[str, FilterSettings]) -> None:
    names = ["dovecot", "domino-smtp", "exim", "sshd"]
    timed = [each.runaways for each in time_each([filters[name] for name in names])]
    # On a slow machine rules that are slow with the longest lines only are found beside them.
    quickly = [{found.pump.rule for found in each if found.characters <= 512} for each in timed]
    assert 2 in quickly[0]
    assert quickly[1:] == [{2}, {6}, set()]
