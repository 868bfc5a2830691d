"""Bans networks whose members are banned too often, and takes the bans of these in.

A ban of a network takes in those of its members that end no later: they are
*folded*. Should somebody in the network become exempt, it is unbanned and the bans
of its members come back. A jail that also bans by something else than our own
firewall folds none, since not every command or service can ban a network.
"""

from collections.abc import Iterable

from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import EndBan, StartBan
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.settings import ActionSettings, JailSettings
from banish.model.snapshot import Member
from banish.policy.budget import BanBudget
from banish.policy.escalation import BanTime, CountOf, Draw, end_of
from banish.policy.exempt import ExemptList
from banish.policy.inforce import BansInForce
from banish.policy.widening import Widening


class NetworkBans:
    """The bans of networks of one jail, beside those of their members."""

    def __init__(
        self,
        settings: JailSettings,
        exempt: ExemptList,
        bans: BansInForce,
        *,
        draw: Draw,
        count_of: CountOf,
    ) -> None:
        """Ban by *settings*; see `JailPolicy` for *draw* and *count_of*."""
        self._jail = settings.name
        self._bans = bans
        self._draw = draw
        self._count_of = count_of
        self.widening = Widening(settings.networks, exempt)
        """The networks, and which of their members were banned."""
        self.settle(settings, exempt)

    def settle(self, settings: JailSettings, exempt: ExemptList) -> None:
        """Ban by *settings* from now on; what is counted stays.

        Raises:
            ValueError: A formula of the settings is none; nothing has changed.

        """
        ban_time = BanTime(_base(settings), settings.escalation, self._draw)
        widening = Widening(settings.networks, exempt)
        for network in self.widening.all():
            widening.put(network, self.widening.members(network))
        self.widening = widening
        self._ban_time = ban_time
        self._exempt = exempt
        self._maxmatches = settings.maxmatches
        self._folds = not any(map(_may_refuse_networks, settings.actions))

    def widen(self, ban: Ban, now: Instant, budget: BanBudget) -> list[StartBan | EndBan]:
        """Ban the network around the subject of *ban* as well if that is one member too many."""
        decided: list[StartBan | EndBan] = []
        while not budget.is_spent(now):  # or a member is not counted: the next one is
            found = self.widening.add(ban, now)
            if found is None:
                break
            network, members = found
            lasts = self._ban_time.lasts(self._count_of(network, now))
            wide = Ban(
                jail=self._jail,
                subject=network,
                since=ban.since,
                until=end_of(ban.since, lasts),
                failures=len(members),
                count=self._bans.count(network, now) + 1,
                cause="network",
                evidence=self._evidence(members),
                tags=ban.tags,
            )
            if wide.is_over(now):
                break
            budget.spend(now)
            self._bans.hold(wide)
            decided.append(StartBan(wide))
            if self._folds:
                decided += self._fold(members, wide)
            ban = wide
        return decided

    def end_exempt(self, among: Iterable[Subject] | None, now: Instant) -> list[StartBan | EndBan]:
        """End the bans *among* these, or of all, that cover a subject which is exempt now.

        The bans that a network had taken in are in force again.
        """
        exempt = [
            subject
            for subject in (self._bans if among is None else among)
            if subject in self._bans and self._exempt.exempts(subject) is not None
        ]
        decisions: list[StartBan | EndBan] = [
            self._bans.end(subject, "exempt") for subject in exempt
        ]
        for subject in exempt:
            decisions += self.unfold(subject, now)
        return decisions

    def unfold(self, network: Subject, now: Instant) -> list[StartBan]:
        """Put back the bans that were folded into that of *network*, which is over too early."""
        if not network.is_network:
            return []
        starts: list[StartBan] = []
        for subject, past in self._bans.past.folded_inside(network, now).items():
            if subject in self._bans or self._exempt.exempts(subject) is not None:
                continue
            ban = Ban(self._jail, subject, now, past.until, count=past.count)
            self._bans.hold(ban)
            starts.append(StartBan(ban, restored=True))
        return starts

    def _evidence(self, members: tuple[Member, ...]) -> tuple[Evidence, ...]:
        """Return the newest line against each of the newest of *members*."""
        bans = (self._bans.get(member.subject) for member in members)
        lines = [line for ban in bans if ban is not None for line in ban.evidence[-1:]]
        return tuple(lines[-self._maxmatches :]) if self._maxmatches else ()

    def _fold(self, members: tuple[Member, ...], wide: Ban) -> list[EndBan]:
        bans = [self._bans.get(member.subject) for member in members]
        return [
            self._bans.end(ban.subject, "folded")
            for ban in bans
            if ban is not None and ban.cause in ("failures", "network") and _outlasts(wide, ban)
        ]


def _may_refuse_networks(action: ActionSettings) -> bool:
    """Whether *action* keeps subjects out by something that may take addresses only."""
    if action.way in ("native", "none"):
        return False
    return action.is_enforcing or action.way == "python"


def _base(settings: JailSettings) -> Seconds | None:
    """Return how long the first ban of a network lasts; None: without end."""
    own = settings.networks.bantime
    return settings.bantime if not own else None if own < 0 else own


def _outlasts(wide: Ban, ban: Ban) -> bool:
    """Whether *wide* ends no earlier than *ban*."""
    return wide.until is None or (ban.until is not None and ban.until <= wide.until)
