"""Remembers as whom subjects are banned, until that may be otherwise."""

from banish.model.address import Subject
from banish.policy.exempt import ExemptList
from banish.policy.inforce import BansInForce

LIMIT = 16_384
"""Banned subjects that are remembered, some 2 MB; past it all begin anew."""


class BannedAs:
    """The subjects that are known to be out, and as whom each is banned."""

    def __init__(self, bans: BansInForce, exempt: ExemptList) -> None:
        self._bans = bans
        self._exempt = exempt
        self._known: dict[Subject, Subject] = {}
        self._since = (0, 0)
        """What bans and exempt list had counted as changes when it was emptied last."""

    def settle(self, exempt: ExemptList) -> None:
        """Go by *exempt* from now on, and begin anew."""
        self._exempt = exempt
        self._known.clear()

    def known(self) -> dict[Subject, Subject]:
        """Return the subjects that are known to be out, and as whom each is banned.

        `JailPolicy.judge` finds these `AlreadyBanned` by any failure within findtime that has no
        address of its own and is not exempt by an answer. Whoever hears that of another may
        add it. To be asked for again when anything was decided, or the exempt list may have
        changed. A failure that is not judged for it is counted by `count_while_banned`.
        """
        changes = (self._bans.changes, self._exempt.changes)
        if changes != self._since or len(self._known) >= LIMIT:
            self._known.clear()
            self._since = changes
        return self._known
