"""What an action did about a ban."""

from typing import Literal

import msgspec

from banish.model.address import Subject
from banish.model.instant import Instant

DeedKind = Literal["ban", "unban", "prolong"]

TROUBLE_LIMIT_CHARACTERS = 300
"""How much is kept of what a deed failed with."""


class Deed(msgspec.Struct, frozen=True, gc=False):
    """One thing that an action did, or failed at."""

    at: Instant
    jail: str
    action: str
    kind: DeedKind
    subject: Subject
    trouble: str = ""
    """What it failed with, one line; empty if it succeeded."""
