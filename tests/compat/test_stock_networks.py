"""A network is put into Fail2Ban's own actions as Fail2Ban puts one there."""

from pathlib import Path

from tests.compat.stock_actions import Step
from tests.compat.test_stock_actions import PLAIN, compared
from tests.enforce.command.sandbox import Sandbox

STEPS = (
    Step("start"),
    Step("ban", "198.51.100.0/24"),
    Step("ban", "2001:db8:0:1::/64"),
    Step("prolong", "198.51.100.0/24"),
    Step("unban", "198.51.100.0/24"),
    Step("unban", "2001:db8:0:1::/64"),
    Step("stop"),
)


REVERSED = {"complain", "sendmail-geoip-lines", "xarf-login-attack"}
"""Actions that look a name up in DNS: Fail2Ban turns ``0/24`` round with the rest, which is no
name; we ask for the network's first address."""


def test_every_stock_action_bans_a_network_as_with_fail2ban(
    stock_package: Path, stock_tree: Path, tmp_path: Path
) -> None:
    found = compared(stock_package, stock_tree, Sandbox(tmp_path), STEPS, PLAIN)
    differing = {told.split()[0] for told in found.different}
    assert differing == REVERSED, [
        told for told in found.different if told.split()[0] not in REVERSED
    ]
    assert found.equal >= found.steps - 4
    assert found.steps >= 55 * len(STEPS)
