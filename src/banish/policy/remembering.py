"""What a jail remembers across a restart: given away, taken back, and moved with the clock."""

import msgspec

from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import EndBan, ProlongBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.settings import JailSettings
from banish.model.snapshot import JailChanges, JailMemory, Member, PastBan, Tally
from banish.policy.exempt import ExemptList
from banish.policy.inforce import BansInForce
from banish.policy.networkbans import NetworkBans
from banish.policy.window import Window

Totals = tuple[int, int]
"""How many failures and bans one jail has counted ever."""


class Remembering:
    """The memory of one jail: its bans, its window, and the members of its networks."""

    def __init__(
        self,
        settings: JailSettings,
        exempt: ExemptList,
        bans: BansInForce,
        window: Window,
        networks: NetworkBans,
    ) -> None:
        self._settings = settings
        self._exempt = exempt
        self._bans = bans
        self._window = window
        self._networks = networks
        self._last_totals: Totals = (0, 0)
        self._by_wall: set[Subject] = set()
        """Who was banned before this boot: how long ago that is the wall clock alone knows."""
        self._unfolding: list[Subject] = []
        """Networks that were exempt when they were restored, until all past bans are known."""

    def settle(self, settings: JailSettings, exempt: ExemptList) -> None:
        """Go by *settings* and *exempt* from now on."""
        self._settings, self._exempt = settings, exempt

    def shift(self, by: Seconds) -> list[ProlongBan]:
        """Do what `JailPolicy.shift` promises."""
        self._window.shift(by)
        self._networks.widening.shift(by)
        self._by_wall &= self._bans.view.keys()
        moved: list[ProlongBan] = []
        for ban in list(self._bans.view.values()):
            if ban.until is not None and ban.subject not in self._by_wall:
                later = msgspec.structs.replace(ban, until=Instant(ban.until + by))
                self._bans.set_end(later)
                moved.append(ProlongBan(later, same_span=True))
        return moved

    def restore(
        self, memory: JailMemory, now: Instant, boot: Instant, totals: Totals, *, more: bool
    ) -> tuple[list[StartBan], list[StartBan | EndBan]]:
        """Take *memory* over; *totals* are those with what it adds. See `JailPolicy.restore`.

        Return the bans that are to be in force again, and what the next tick is to return.
        Bans that are over, or whose subject is exempt by now, are left out: of these the tick
        returns the ends, so that ledger and firewall hear of them, and the beginnings of those
        that an exempt network had taken in. A ban keeps the time it was given, whatever
        bantime is now; one that began after *now*, since the clock was set back meanwhile,
        lasts no longer than it was meant to. *boot* is when the host started, see `shift`.
        """
        self._last_totals = totals
        for subject, past in memory.past.items():
            if subject not in self._bans:
                self._bans.past.add(subject, past)
        starts: list[StartBan] = []
        following: list[StartBan | EndBan] = []
        for remembered in sorted(memory.bans, key=lambda ban: ban.since):
            ban = _capped(remembered, now)
            if ban.subject in self._bans:
                continue
            if ban.since < boot:
                self._by_wall.add(ban.subject)
            if ban.is_over(now):
                self._bans.past.put(ban.subject, PastBan(ban.count, ban.since, ban.until))
                following.append(EndBan(ban, "expired"))
            elif self._exempt.exempts(ban.subject) is not None:
                following.append(EndBan(ban, "exempt"))
                self._unfolding.append(ban.subject)
            else:
                self._bans.hold(ban)
                starts.append(StartBan(ban, restored=True))
        if not more:
            for subject in self._unfolding:
                following += self._networks.unfold(subject, now)
            self._unfolding.clear()
        self._restore_tallies(memory, now)
        return starts, following

    def _restore_tallies(self, memory: JailMemory, now: Instant) -> None:
        horizon = now - self._settings.findtime
        for subject, tally in sorted(memory.tallies.items(), key=lambda item: item[1].times[-1:]):
            if self._bans.holder(subject) is not None:
                continue
            if tally.times and tally.times[-1] > horizon:
                self._window.put(subject, _not_ahead(tally, now))
            if tally.members:
                self._networks.widening.put(subject, tally.members)

    def memory(self, totals: Totals) -> JailMemory:
        """Return all there is to remember, with *totals*."""
        tallies = self._window.all()
        for network in self._networks.widening.all():
            members = self._networks.widening.members(network)
            tallies[network] = _joined(tallies.get(network), members)
        return JailMemory(
            bans=tuple(self._bans.view.values()),
            tallies=tallies,
            failures_total=totals[0],
            bans_total=totals[1],
            past=self._bans.past.all(),
        )

    def changes(self, totals: Totals) -> JailChanges | None:
        """Return what changed since this was asked last, or None; *totals* are those now."""
        if (
            totals == self._last_totals
            and not self._window.has_changed
            and not self._networks.widening.has_changed
        ):
            return None
        self._last_totals = totals
        tallies = self._window.changes()
        networks = [
            *self._networks.widening.changes(),
            *(each for each in tallies if each.is_network),
        ]
        for network in networks:
            members = self._networks.widening.members(network)
            tally = self._window.tally(network)
            tallies.put(network, _joined(tally, members) if tally or members else None)
        return JailChanges(self._settings.name, tallies, *totals)


def _capped(ban: Ban, now: Instant) -> Ban:
    """Return *ban*, which a clock that was set back makes begin in the future, as from *now*."""
    if ban.since <= now or ban.until is None:
        return ban
    return msgspec.structs.replace(ban, until=Instant(now + ban.until - ban.since))


def _not_ahead(tally: Tally, now: Instant) -> Tally:
    if tally.times[-1] <= now:
        return tally
    times = tuple(min(at, now) for at in tally.times)
    return msgspec.structs.replace(tally, times=times)


def _joined(tally: Tally | None, members: tuple[Member, ...]) -> Tally:
    return msgspec.structs.replace(tally or Tally(()), members=members)
