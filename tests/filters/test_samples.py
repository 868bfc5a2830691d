"""Every sample line of our own filters comes to what is written beside it."""

from collections import defaultdict
from datetime import datetime

import pytest

from tests.filters.judge import NOW, Judge, spec_of
from tests.filters.samples import SHARE, Sample, read_samples

FILTERS = sorted(path.stem for path in (SHARE / "filter.d/samples").glob("*.log"))


def by_options(name: str) -> list[tuple[str, list[Sample]]]:
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in read_samples(name):
        groups[spec_of(name, **sample.options)].append(sample)
    return sorted(groups.items())


CASES = [
    pytest.param(name, samples, id=spec) for name in FILTERS for spec, samples in by_options(name)
]


@pytest.mark.parametrize(("name", "samples"), CASES)
def test_samples_come_to_what_is_expected(name: str, samples: list[Sample]) -> None:
    judge = Judge(name, **samples[0].options)
    wrong = []
    for sample in samples:
        failure = judge.read(sample.line, at=NOW if sample.from_journal else None)
        found = {
            "host": failure.subject.text if failure else "",
            "user": failure.tags.get("user", "") if failure else "",
            "time": datetime.fromtimestamp(failure.at).isoformat() if failure else "",  # noqa: DTZ006
            "attempts": failure.attempts if failure else 0,
        }
        expected = {
            "host": sample.host,
            "user": found["user"] if sample.user is None else sample.user,
            "time": found["time"] if sample.time is None else sample.time,
            "attempts": sample.attempts if sample.is_failure else 0,
        }
        if found != expected:
            wrong.append((sample.number, sample.line, found, expected))
    assert not wrong


@pytest.mark.parametrize("name", FILTERS)
def test_every_rule_of_every_mode_has_a_sample(name: str) -> None:
    tried: set[str] = set()
    known: set[str] = set()
    for _, samples in by_options(name):
        judge = Judge(name, **samples[0].options)
        known.update(regex.text for regex in judge.settings.failregex)
        for sample in samples:
            if rule := judge.rule(sample.line, at=NOW if sample.from_journal else None):
                tried.add(judge.settings.failregex[rule - 1].text)
    assert known - tried == set()


@pytest.mark.parametrize("name", FILTERS)
def test_no_sample_names_an_outsider_or_a_stranger_to_the_scene(name: str) -> None:
    hosts = {sample.host for sample in read_samples(name) if sample.is_failure}
    assert "203.0.113.9" not in hosts
