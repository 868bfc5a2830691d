"""A server in memory for the commands of Fail2Ban: bans and settings are plain values."""

from collections.abc import Mapping, Sequence

from banish.control.fail2ban.port import JailCounts
from banish.errors import ConfigError, RequestError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.model.reload import ReloadReport, ReloadWish
from banish.model.settings import JailSettings, ServerSettings
from banish.testing.operations import NOON


class MemoryPort:
    """A `ServerPort` over plain values; its clock stands still."""

    def __init__(self, *jails: JailSettings) -> None:
        self.settings = {jail.name: jail for jail in jails}
        self.in_force: dict[str, dict[Subject, Ban]] = {jail.name: {} for jail in jails}
        self.counted: dict[str, JailCounts] = {}
        """Failures of each jail; bans are counted by themselves."""
        self.server_settings = ServerSettings()
        self.attempts: list[tuple[str, Subject, Sequence[str]]] = []
        self.names: dict[str, Sequence[Subject]] = {}
        self.exempt: set[Subject] = set()
        self.changes: list[JailSettings] = []
        self.wishes: list[ReloadWish] = []
        self.report = ReloadReport()
        self.idle: set[str] = set()
        self.stops = 0
        self.trouble: ConfigError | None = None
        """Raised by every change, where it is set."""

    def now(self) -> Instant:
        """Return noon."""
        return NOON

    def server(self) -> ServerSettings:
        """Return the options of the server."""
        return self.server_settings

    def jails(self) -> Mapping[str, JailSettings]:
        """Return the jails."""
        return self.settings

    def counts(self, jail: str) -> JailCounts:
        """Return the counts that a test has set, and those of the bans."""
        counted, bans = self.counted.get(jail, JailCounts()), len(self.in_force[jail])
        return JailCounts(counted.failed, counted.failed_total, bans, bans)

    def files(self, jail: str) -> Sequence[str]:
        """Return the patterns of the jail's logs."""
        return [path.pattern for path in self.settings[jail].logpaths]

    def bans(self, jail: str) -> Mapping[Subject, Ban]:
        """Return the bans in force."""
        return self.in_force[jail]

    async def ban(self, jail: str, subjects: Sequence[Subject]) -> int:
        """Ban all or none of *subjects*."""
        for subject in subjects:
            if not subject.is_enforceable or subject in self.exempt:
                raise RequestError(f"{subject} cannot be banned")
        new = [subject for subject in subjects if subject not in self.in_force[jail]]
        lasts = self.settings[jail].bantime
        until = None if lasts is None else Instant(NOON + lasts)
        self.in_force[jail] |= {each: Ban(jail, each, NOON, until) for each in new}
        return len(new)

    async def unban(self, subjects: Sequence[Subject] | None, jail: str | None) -> Sequence[Ban]:
        """End bans."""
        ended: list[Ban] = []
        for name in self.in_force if jail is None else (jail,):
            bans = self.in_force[name]
            chosen = list(bans) if subjects is None else [each for each in subjects if each in bans]
            ended += [bans.pop(subject) for subject in chosen]
        return ended

    async def addresses(self, name: str) -> Sequence[Subject]:
        """Return what a test has set."""
        return self.names.get(name, ())

    async def attempt(self, jail: str, subject: Subject, lines: Sequence[str]) -> bool:
        """Note a failure."""
        self.attempts.append((jail, subject, lines))
        return subject not in self.exempt

    async def change_jail(self, settings: JailSettings) -> None:
        """Take *settings*, unless there is trouble."""
        if self.trouble is not None:
            raise self.trouble
        self.changes.append(settings)
        self.settings[settings.name] = settings
        self.in_force.setdefault(settings.name, {})

    async def remove_jail(self, jail: str) -> None:
        """Forget *jail*."""
        del self.settings[jail], self.in_force[jail]

    async def set_idle(self, jail: str, *, is_idle: bool) -> None:
        """Note it."""
        (self.idle.add if is_idle else self.idle.discard)(jail)

    async def change_server(self, settings: ServerSettings) -> None:
        """Take *settings*, unless there is trouble."""
        if self.trouble is not None:
            raise self.trouble
        self.server_settings = settings

    async def reload(self, wish: ReloadWish) -> ReloadReport:
        """Note the wish, and return the report that a test has set."""
        self.wishes.append(wish)
        if wish.jail is not None and wish.jail not in self.settings and not wish.if_exists:
            raise RequestError(f"the jail '{wish.jail}' does not exist")
        return self.report

    async def flush_logs(self) -> str:
        """Do nothing."""
        return "rolled over"

    async def stop(self) -> None:
        """Count it."""
        self.stops += 1
