"""All add-ons that come with banish, by the names that configuration files use."""

from banish.addon.declare import ActionAddon, FirewallAddon
from banish.addon.folder import Folder

ACTIONS = Folder(ActionAddon, "banish.notify.addons", "banish.enforce.addons")
"""What ``kind = NAME`` in a file of ``action.d`` may name."""

FIREWALLS = Folder(FirewallAddon, "banish.enforce.firewalls")
"""What ``firewall = NAME`` in banish.conf may name."""
