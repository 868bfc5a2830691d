"""Reports failures of banned subjects, each after the ban that it refers to.

A jail decides a ban and counts the next failure in the same moment, but the ban is in
force, and in the log, only when the firewall has taken it. Until then what it refers to is
not true, so the report waits; while the firewall does not work, one per ban, with all
failures since. Reports of other bans do not wait for it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from banish.model.address import Subject
from banish.model.decision import Decision, EndBan, FailedWhileBanned
from banish.model.snapshot import Commit
from banish.telemetry.events import BannedSubjectFailed, Emit

IsReported = Callable[[str, Subject], bool]
"""Whether the ban of a subject that a jail decided has been reported."""


class WhileBanned:
    """Failures of banned subjects on their way into the log."""

    def __init__(self, is_reported: IsReported, *, emit: Emit) -> None:
        self._is_reported = is_reported
        self._emit = emit
        self._waiting: dict[tuple[str, Subject], FailedWhileBanned] = {}

    def report(self, failed: Iterable[FailedWhileBanned]) -> None:
        """Report *failed*, or have it wait for the ban that it refers to."""
        for each in failed:
            key = (each.jail, each.holder)
            if self._is_reported(*key):
                self._tell(each)
                continue
            earlier = self._waiting.get(key)
            times = each.times + (earlier.times if earlier is not None else 0)
            self._waiting[key] = msgspec.structs.replace(each, times=times)

    def release(self) -> None:
        """Report what waited for a ban that has been reported by now."""
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            self.report(waiting.values())

    def _tell(self, failed: FailedWhileBanned) -> None:
        self._emit(BannedSubjectFailed(failed.jail, failed.subject, failed.times, failed.holder))


def in_order(commits: Iterable[Commit]) -> Iterator[Sequence[Commit]]:
    """Yield *commits* in groups, so that no ban ends in a group that reports failures before it.

    The firewall takes a group at once, and its reports come after all of it.
    """
    group: list[Commit] = []
    failed: set[tuple[str, Subject]] = set()
    for commit in commits:
        if failed and any(_ends(decision, failed) for decision in commit.decisions):
            yield group
            group, failed = [], set()
        group.append(commit)
        failed |= {(each.jail, each.holder) for each in commit.while_banned}
    if group:
        yield group


def _ends(decision: Decision, failed: set[tuple[str, Subject]]) -> bool:
    ban = decision.ban
    return isinstance(decision, EndBan) and (ban.jail, ban.subject) in failed
