"""The declarations: what an add-on is, and what it is made of."""

from collections.abc import Callable
from functools import cache
from typing import Annotated

import msgspec

from banish.addon.options import options_of
from banish.model.instant import Seconds
from banish.model.option import Option
from banish.model.settings import ActionSettings
from banish.ports import Action, BanFacts, Clock, Enforcer
from banish.telemetry.events import Emit


class ActionContext(msgspec.Struct, frozen=True):
    """What an action is made of."""

    jail: str
    settings: ActionSettings
    facts: BanFacts
    emit: Emit
    clock: Clock
    shared: dict[str, object]
    """One for the whole server: what the actions of several jails have in common."""


class EveryAction(msgspec.Struct, frozen=True):
    """The options of every action that is an add-on."""

    norestored: Annotated[bool, "Whether bans restored after a restart are left out."] = True
    timeout: Annotated[Seconds, "How long one try may take."] = Seconds(30)


class ActionAddon(msgspec.Struct, frozen=True):
    """An action that a file of ``action.d`` asks for with ``kind = NAME``."""

    meaning: str
    structs: tuple[type[msgspec.Struct], ...]
    """They declare its options, see `banish.addon.options`."""
    make: Callable[[ActionContext], Action]
    required: tuple[str, ...] = ()
    """Options that must not be empty; of two with a bar between them, one must not."""
    keeps_out: bool = False
    """Whether it keeps subjects out, so that it must hear of every ban and of its end.
    ``norestored`` is then no by default."""
    needs: str = ""
    """A Python package that it cannot run without; only `make` and what it calls import it."""
    extra: str = ""
    """The extra of ours that brings that package."""

    @property
    def options(self) -> tuple[Option, ...]:
        """Its own options, without those of `EveryAction`."""
        return _options(self.structs)


EVERY_ACTION = options_of([EveryAction])


@cache
def _options(structs: tuple[type[msgspec.Struct], ...]) -> tuple[Option, ...]:
    common = {option.name for option in EVERY_ACTION}
    return tuple(option for option in options_of(structs) if option.name not in common)


class FirewallContext(msgspec.Struct, frozen=True):
    """What a firewall is made of."""

    emit: Emit
    has_ipv6: bool
    """Whether there is an IPv6 firewall; without, IPv6 bans are only noted."""


class FirewallAddon(msgspec.Struct, frozen=True):
    """What bans are carried out in, as ``firewall = NAME`` in banish.conf says."""

    make: Callable[[FirewallContext], Enforcer]
    probe: Callable[[], str | None]
    """Returns None where it can work, else what is missing and the cure."""
    owns: str
    """What of the host is its own, such as ``table inet banish``; two servers must not share it."""
    works: str = ""
    """What ``doctor`` says where it can work; empty: that it can be used."""
