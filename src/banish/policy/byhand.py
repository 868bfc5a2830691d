"""Bans and pardons without counting: by the operator, or by what acts in their place."""

import msgspec

from banish.model.address import Subject
from banish.model.ban import Ban, Cause
from banish.model.decision import EndBan, EndReason, ProlongBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.policy.escalation import BanTime, CountOf, end_of
from banish.policy.inforce import BansInForce
from banish.policy.networkbans import NetworkBans
from banish.policy.window import Window


class ByHand:
    """Bans of one jail, by hand.

    Args:
        jail: The jail's name.
        bans: Those in force.
        window: The failures counted, which a ban or a pardon forgets.
        networks: Those whose members a pardon forgets.
        count_of: Tells how often a subject was banned before.

    """

    def __init__(
        self,
        jail: str,
        bans: BansInForce,
        window: Window,
        networks: NetworkBans,
        count_of: CountOf,
    ) -> None:
        self._jail = jail
        self._bans = bans
        self._window = window
        self._networks = networks
        self._count_of = count_of

    def ban(
        self,
        subject: Subject,
        now: Instant,
        lasts: Seconds | None,
        cause: Cause,
        ban_time: BanTime,
    ) -> StartBan | ProlongBan | None:
        """Do what `JailPolicy.ban` promises; *ban_time* is the length if the caller gives none."""
        current = self._bans.get(subject)
        if lasts is None:
            before = self._count_of(subject, now) - (current is not None)
            lasts = ban_time.lasts(before)
        elif lasts < 0:
            lasts = None
        until = end_of(now, lasts)
        if current is not None:
            if current.until is None or (until is not None and until <= current.until):
                return None
            longer = msgspec.structs.replace(current, until=until)
            self._bans.hold(longer)
            return ProlongBan(longer)
        self._window.pop(subject)
        count = self._bans.count(subject, now) + 1
        ban = Ban(self._jail, subject, now, until, count=count, cause=cause)
        self._bans.hold(ban)
        return StartBan(ban)

    def unban(self, subject: Subject | None, reason: EndReason) -> list[EndBan]:
        """Do what `JailPolicy.unban` promises."""
        if subject is None:
            chosen = list(self._bans)
        elif subject.is_network:
            chosen = self._bans.inside(subject)
        else:
            names = self._networks.widening.names(subject) if reason == "operator" else (subject,)
            chosen = [name for name in names if name in self._bans]
        ends = [self._bans.end(found, reason) for found in chosen]
        if reason == "operator":
            self._pardon(subject, chosen)
        return ends

    def _pardon(self, subject: Subject | None, ended: list[Subject]) -> None:
        past, widening = self._bans.past, self._networks.widening
        widening.pardon(ended)
        if subject is None:
            self._window.clear()
            widening.clear()
            past.clear()
            return
        names = widening.names(subject)
        widening.pardon(names)
        for name in names:
            self._window.pop(name)
            past.forget(name)
        if subject.is_network:
            self._window.forget_inside(subject)
            past.forget_inside(subject)
