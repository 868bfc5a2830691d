"""How many files may be open at once."""

import resource
from collections.abc import Iterator

import pytest

from banish.daemon import host


@pytest.fixture(autouse=True)
def _limits_are_put_back() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_of_open_files_is_raised_as_far_as_it_may_be() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (700, hard))
    raised = host.raise_descriptor_limit()
    assert raised == min(hard, host.DESCRIPTORS_WANTED)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (raised, hard)


def test_a_sandbox_that_forbids_it_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (700, hard))
    monkeypatch.setattr(resource, "setrlimit", refused)
    assert host.raise_descriptor_limit() == 700
    monkeypatch.undo()


@pytest.mark.parametrize(("soft", "logs"), [(600, 300), (1_024, 512), (4_096, 2_048)])
def test_logs_leave_half_of_the_descriptors_to_everything_else(soft: int, logs: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert host.log_file_limit() == logs
