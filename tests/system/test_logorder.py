"""The log of a real server tells things in the order in which they became true."""

from pathlib import Path

import pytest

from tests.system.box import IS_ROOT, boxed

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="needs root to make namespaces")


def test_a_ban_is_in_the_log_before_the_failure_that_follows_it(tmp_path: Path) -> None:
    with boxed(tmp_path) as box:
        box.start()
        box.wait_until(box.status, "it answers")
        box.fail("192.0.2.1", times=8)
        box.wait_for("192.0.2.1 already banned")
        assert box.stop() == 0
        said = box.said()
    assert 0 < said.index("] Ban 192.0.2.1") < said.index("192.0.2.1 already banned")
    assert said.count("192.0.2.1 already banned") == 2  # the fourth failure, and three more
