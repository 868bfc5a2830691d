"""A deny file behind the contract of firewalls, so that one suite tests both."""

from collections.abc import Sequence

from banish.enforce.files.denyfile import DenyFile
from banish.enforce.fold import FirewallContents, fold, fold_bans
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision
from banish.model.instant import Instant
from banish.model.settings import Enforcement


class DenyFileFirewall:
    """Bans in a file (`banish.enforce.threaded.BlockingEnforcer`)."""

    def __init__(self, file: DenyFile, name: str, who: str) -> None:
        self._file = file
        self._name = name
        self._who = who
        self._held: dict[str, frozenset[Subject]] | None = None

    @property
    def name(self) -> str:
        """What status and logs call it."""
        return self._name

    def replace(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Hold exactly *bans* for exactly *jails*.

        Raises:
            EnforceError: Nothing changed.

        """
        labels = {enforcement.jail: None for enforcement in jails}
        wanted = fold_bans(bans, labels, now)
        held = {jail: frozenset(wanted.get(jail, ())) for jail in labels}
        for jail in labels:
            self._file.name(jail, self._who)
        self._file.write(held, alone=True)
        self._held = held

    def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        """Carry out *batch*.

        Raises:
            EnforceError: Nothing changed.

        """
        if self._held is None:
            return
        states = fold(batch, self._held, now)
        if states:
            held = dict(self._held)
            for jail, state in states.items():
                held[jail] = (held[jail] | state.banned.keys()).difference(state.free)
            self._file.write(held)
            self._held = held

    def read(self) -> FirewallContents:
        """Return what the file holds.

        Raises:
            EnforceError: It cannot be read.

        """
        if self._held is None:
            return FirewallContents()
        found, is_whole = self._file.read()
        return FirewallContents(
            {jail: found.get(jail, frozenset()) for jail in self._held}, is_whole
        )

    def has_foreign_change(self) -> bool:
        """Whether the file holds something else than was asked for.

        Raises:
            EnforceError: It cannot be read.

        """
        if self._held is None or not self._file.is_touched():
            return False
        found = self.read()
        return not found.is_whole or found.subjects != self._held

    def remove(self) -> None:
        """Take our lines out of the file.

        Raises:
            EnforceError: They are still there.

        """
        self._held = None
        self._file.write({}, alone=True)
