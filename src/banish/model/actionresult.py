"""What an action did about a ban."""

from typing import Literal

import msgspec

from banish.model.address import Subject
from banish.model.instant import Instant

ActionResultKind = Literal["ban", "unban", "prolong"]

TROUBLE_LIMIT_CHARACTERS = 300
"""How much of an action's error is kept."""


class ActionResult(msgspec.Struct, frozen=True, gc=False):
    """One thing that an action did, or failed at."""

    at: Instant
    jail: str
    action: str
    kind: ActionResultKind
    subject: Subject
    trouble: str = ""
    """What it failed with, one line; empty if it succeeded."""
