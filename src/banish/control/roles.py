"""Who may ask what: by user and by group, from the kernel's word about the peer.

Three roles, each of which includes the one before: *read* sees how the server is doing,
*operate* bans and unbans, *configure* reloads and stops. Root and the server's own user have
all; nobody else has any unless the configuration says so. Names are looked up once, at the
start: a directory service that hangs must not hold up an answer.
"""

import grp
import os
import pwd
from collections.abc import Iterable
from typing import Final, Literal

from banish.control import messages
from banish.control.listener import Peer
from banish.model.settings import ControlAccess

Role = Literal["read", "operate", "configure"]

ROLES: Final[tuple[Role, ...]] = ("read", "operate", "configure")
"""Each includes those before it."""

_OPERATE = (messages.BanRequest, messages.UnbanRequest, messages.ResumeRequest)
_CONFIGURE = (
    messages.AllowRequest,
    messages.ReloadRequest,
    messages.ConfirmRequest,
    messages.StopRequest,
)


def role_for(request: messages.Request) -> Role:
    """Return the role that *request* takes."""
    if isinstance(request, _CONFIGURE):
        return "configure"
    return "operate" if isinstance(request, _OPERATE) else "read"


class Roles:
    """Knows the role of each peer."""

    def __init__(self, access: ControlAccess) -> None:
        """Look up the users and groups that *access* names; unknown ones have no role."""
        self._users: dict[int, Role] = {}
        self._groups: dict[int, Role] = {}
        for role in ROLES:
            for name in getattr(access, role):
                if name.startswith("@"):
                    _note(self._groups, group_id(name[1:]), role)
                else:
                    _note(self._users, user_id(name), role)
        self._users |= {0: "configure", os.geteuid(): "configure"}

    @property
    def are_for_others(self) -> bool:
        """Whether anybody but root and the server's own user has a role."""
        return bool(self._groups) or len(self._users) > len({0, os.geteuid()})

    def of(self, peer: Peer, groups: Iterable[int]) -> Role | None:
        """Return the highest role of *peer*, who is in *groups*; None: it has none."""
        found = [self._groups[gid] for gid in {peer.gid, *groups} if gid in self._groups]
        if peer.uid in self._users:
            found.append(self._users[peer.uid])
        return max(found, key=ROLES.index, default=None)


def includes(role: Role, wanted: Role) -> bool:
    """Whether who has *role* may do what takes the role *wanted*."""
    return ROLES.index(role) >= ROLES.index(wanted)


def user_id(name: str) -> int | None:
    """Return the number of a user, given by name or number; None: there is none."""
    try:
        return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):
        return None


def group_id(name: str) -> int | None:
    """Return the number of a group, given by name or number; None: there is none."""
    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        return None


def _note(table: dict[int, Role], number: int | None, role: Role) -> None:
    if number is not None:
        table[number] = role  # a later role includes the earlier one
