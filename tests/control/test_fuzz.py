"""A short run of `tests.control.fuzz`; the long one is made by hand."""

import random

import pytest

from tests.control.fuzz import run


@pytest.mark.parametrize("protocol", ["fail2ban", "json"])
def test_no_frame_breaks_the_server(protocol: str) -> None:
    report = run(protocol, 4_000, random.randrange(1_000_000))
    assert report.faults == []
    assert report.frames == 4_000
    assert report.answered == 8
