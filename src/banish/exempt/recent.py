"""Remembers who logged in from where, so that nobody who works here is banned.

Only what the host itself attests counts (`Login`), never what a log line claims.
One account exempts a few addresses only, the newest: whoever holds an account,
or has stolen one, must not make a whole botnet immune.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from banish.exempt.logins import Login
from banish.model.address import Subject
from banish.model.instant import Instant, Seconds

ADDRESSES_OF_ACCOUNT = 4
"""Home, office, telephone, and one to spare."""

LOGINS_LIMIT = 1_024
"""Addresses with a login that are remembered; past it the one seen longest ago is forgotten."""


class RecentLogins:
    """The logins that count, live ones and those seen at most *span* ago."""

    def __init__(self, span: Seconds) -> None:
        self._span = span
        self._seen: OrderedDict[Login, Instant] = OrderedDict()

    def see(self, logins: Iterable[Login], now: Instant) -> None:
        """Take up the sessions that are live at *now*, and forget those out of date."""
        for login in logins:
            self._seen[login] = now
            self._seen.move_to_end(login)
        for login, at in list(self._seen.items()):
            if at < now - self._span:
                del self._seen[login]
        used: dict[str, int] = {}
        for login in reversed(list(self._seen)):
            used[login.account] = used.get(login.account, 0) + 1
            if used[login.account] > ADDRESSES_OF_ACCOUNT:
                del self._seen[login]
        while len(self._seen) > LOGINS_LIMIT:
            self._seen.popitem(last=False)

    def exempt(self) -> Mapping[Subject, str]:
        """Return the exempt addresses, each with the reason as the log gives it."""
        return {login.subject: f"guard (ssh login of {login.account})" for login in self._seen}
