"""Makes ``import fail2ban`` give a Python action the names that it imports.

Only names that actions use are there. Everything else of Fail2Ban is not: a file
that imports more gets an error when it is loaded.
"""

import logging
import sys
import time as clock
from types import ModuleType
from typing import Any

from banish.enforce.python.actions import ActionBase, CommandAction
from banish.enforce.python.addresses import DNSUtils, IPAddr
from banish.enforce.python.mapping import Ask, CallingMap
from banish.enforce.python.running import Utils, load_python_module

API_VERSION = "1.1.0"
"""The release of Fail2Ban whose actions are meant to work."""

NOTICE = 25


class MyTime:
    """``fail2ban.server.mytime``: the time of day."""

    time = staticmethod(clock.time)
    gmtime = staticmethod(clock.gmtime)
    localtime = staticmethod(clock.localtime)


class UnknownJailException(Exception):  # noqa: N818 - the names that actions know
    """There is no such jail."""


class DuplicateJailException(Exception):  # noqa: N818
    """There is such a jail already."""


class Jail:
    """What an action can ask of its jail."""

    database = None
    """Fail2Ban's own; there is none here."""

    def __init__(self, name: str, bantime: int, ask: Ask) -> None:
        self.name = name
        self.actions = _Actions(bantime, ask)
        self.filter = _Filter(ask)

    def __str__(self) -> str:
        return self.name


class _Actions:
    def __init__(self, bantime: int, ask: Ask) -> None:
        self._bantime = bantime
        self.banManager = _Counts("jail.banned", "jail.banned_total", ask)

    def getBanTime(self) -> int:  # noqa: N802
        """Return the jail's bantime in seconds."""
        return self._bantime


class _Filter:
    def __init__(self, ask: Ask) -> None:
        self.failManager = _Counts("jail.found", "jail.found_total", ask)


class _Counts:
    def __init__(self, now: str, total: str, ask: Ask) -> None:
        self._now, self._total, self._ask = now, total, ask

    def size(self) -> int:
        """Return how many there are now."""
        return int(self._ask(self._now))

    def getBanTotal(self) -> int:  # noqa: N802
        """Return how many there were."""
        return int(self._ask(self._total))

    getFailTotal = getBanTotal  # noqa: N815


def get_logger(name: str) -> logging.Logger:
    """Return the logger of that name below ``fail2ban``."""
    return logging.getLogger(name if name.startswith("fail2ban") else f"fail2ban.{name}")


def to_text(text: Any) -> str:
    """Return *text* as a string, bytes decoded."""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def split_words(text: str | None) -> list[str]:
    """Return the words of *text*, parted by blanks and commas."""
    return (text or "").replace(",", " ").split()


def level_of(name: str) -> int:
    """Return the number of a log level.

    Raises:
        ValueError: There is none of that name.

    """
    number = logging.getLevelNamesMapping().get(str(name).upper())
    if number is None:
        raise ValueError(f"{name} is no log level")
    return number


def error_info() -> tuple[str, str]:
    """Return type and text of the exception that is handled now."""
    kind, error, _ = sys.exc_info()
    return (kind.__name__ if kind else "", str(error))


def install() -> None:
    """Have ``fail2ban`` and its modules found, in place of an installed Fail2Ban."""
    for level, name in ((NOTICE, "NOTICE"), (5, "HEAVYDEBUG"), (7, "TRACEDEBUG")):
        logging.addLevelName(level, name)
    logging.Logger.notice = _notice  # type: ignore[attr-defined]
    action: dict[str, Any] = {
        "ActionBase": ActionBase, "CommandAction": CommandAction, "CallingMap": CallingMap,
        "logSys": logging.getLogger("fail2ban.action"), "getLogger": get_logger, "Utils": Utils,
        "MyTime": MyTime, "IPAddr": IPAddr,
    }  # fmt: skip
    _module("fail2ban", __version__=API_VERSION)
    _module("fail2ban.version", version=API_VERSION, normVersion=lambda: API_VERSION)
    _module(
        "fail2ban.exceptions",
        UnknownJailException=UnknownJailException,
        DuplicateJailException=DuplicateJailException,
    )
    _module(
        "fail2ban.helpers",
        getLogger=get_logger,
        uni_decode=to_text,
        uni_string=to_text,
        splitwords=split_words,
        str2LogLevel=level_of,
        formatExceptionInfo=error_info,
    )
    _module("fail2ban.server")
    _module("fail2ban.server.action", **action)
    _module("fail2ban.server.actions", **action)
    _module("fail2ban.server.utils", Utils=Utils, load_python_module=load_python_module)
    _module("fail2ban.server.mytime", MyTime=MyTime)
    _module(
        "fail2ban.server.ipdns",
        IPAddr=IPAddr,
        DNSUtils=DNSUtils,
        asip=IPAddr,
        getfqdn=lambda _name="": DNSUtils.getHostname(),
    )


def _notice(self: logging.Logger, message: str, *args: Any, **kwargs: Any) -> None:
    self.log(NOTICE, message, *args, **kwargs)


def _module(name: str, **names: Any) -> None:
    module = ModuleType(name, "What Python actions import from Fail2Ban, as banish has it.")
    module.__path__ = []
    vars(module).update(names)
    sys.modules[name] = module
    parent, _, own = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], own, module)
