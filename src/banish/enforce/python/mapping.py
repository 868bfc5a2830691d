"""What a Python action is given about a ban: a mapping that finds values out when asked.

Semantics of ``CallingMap`` and ``ActionInfo`` in Fail2Ban's server/action.py and
server/actions.py, 1.0.2: a value that can be called is called at the first look and
kept; what an action writes into the mapping stays its own.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from banish.enforce.python.addresses import IPAddr
from banish.enforce.python.messages import Scalar

ASKED_TAGS = (
    "ip-host", "ipmatches", "ipjailmatches", "ipfailures", "ipjailfailures", "jail.banned",
    "jail.banned_total", "jail.found", "jail.found_total", "fq-hostname", "sh-hostname",
)  # fmt: skip
"""Tags whose values the server finds out only when an action looks at them."""

Ask = Callable[[str], Scalar]


class CallingMap(MutableMapping[str, Any]):
    """A dictionary in which functions stand for what they return."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.data: dict[str, Any] = dict(*args, **kwargs)
        """The values as they were put in, functions uncalled."""
        self.storage: dict[str, Any] = {}
        """What was found out or written since."""
        self.immutable = True
        self._gone: set[str] = set()

    def reset(self, immutable: bool = True) -> None:
        """Forget what was found out, written and deleted."""
        self.storage = {}
        self._gone = set()
        self.immutable = immutable

    def getRawItem(self, key: str) -> Any:  # noqa: N802 - the name that actions call
        """Return a value without calling it."""
        if key in self.storage:
            return self.storage[key]
        if key in self._gone:
            raise KeyError(key)
        return self.data[key]

    def __getitem__(self, key: str) -> Any:
        value = self.getRawItem(key)
        if callable(value):
            takes = getattr(getattr(value, "__code__", None), "co_argcount", 0)
            value = value(self) if takes else value()
            self.storage[key] = value
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self.storage[key] = value
        self._gone.discard(key)

    def __delitem__(self, key: str) -> None:
        self.getRawItem(key)
        self.storage.pop(key, None)
        self._gone.add(key)

    def __iter__(self) -> Iterator[str]:
        return (key for key in {**self.data, **self.storage} if key not in self._gone)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def copy(self) -> "CallingMap":
        """Return another one with the same values."""
        return CallingMap({key: self.getRawItem(key) for key in self})

    def __repr__(self) -> str:
        known = {key: self.getRawItem(key) for key in self}
        shown = {key: value for key, value in known.items() if not callable(value)}
        return f"{type(self).__name__}({shown!r})"


def action_info(info: Mapping[str, Scalar], captures: Mapping[str, str], ask: Ask) -> CallingMap:
    """Return what an action is given about a ban: all dynamic tags, and ``F-...`` captures."""
    found: dict[str, Any] = dict(info)
    for tag in ("ip", "fid"):
        if tag in found:
            found[tag] = IPAddr(found[tag])
    found |= {f"F-{name.upper()}": text for name, text in captures.items()}
    found["F-*"] = dict(captures)
    for tag in ASKED_TAGS:
        found[tag] = _asker(tag, ask)
    return CallingMap(found)


def _asker(tag: str, ask: Ask) -> Callable[[], Any]:
    if tag == "ip-host":
        return lambda: ask(tag) or None
    return lambda: ask(tag)
