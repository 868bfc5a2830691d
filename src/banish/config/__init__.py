"""Fail2Ban's INI dialect to typed settings: every problem with file, line and cure.

The stages: find the files (`search`), parse them (`ini`), merge them (`merge`),
put values into values (`interpolate`), read filters and actions (`definition`,
`filters`, `actions`), turn text into types (`values`), and make jails (`jails`).
"""

from banish.config.load import Explained, explain, filter_settings, load
from banish.config.search import builtin_tree, find_root

__all__ = ["Explained", "builtin_tree", "explain", "filter_settings", "find_root", "load"]
