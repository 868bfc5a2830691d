"""What an action did and has not undone, as it is remembered across restarts."""

import msgspec

from banish.model.ban import Ban


class ActionBan(msgspec.Struct, frozen=True):
    """One ban that one action of one jail began to carry out, or that it ended."""

    action: str
    """The name of the action, unique within the jail of the ban."""
    ban: Ban
    is_ended: bool = False
    """Whether the action let the subject in again, so that there is nothing to remember."""
