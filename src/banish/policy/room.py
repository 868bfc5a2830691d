"""Bounds the memory that the windows of all jails take together.

Each window has a bound of its own; with fifty jails, fifty of them would still be
more than a host has. When the windows take more than the limit, the largest one
forgets those counted longest ago: whoever fills the window of one jail pays
with that window, and the counts of the other jails stay.
"""

from typing import Protocol


class Tenant(Protocol):
    """A window, as the room sees it."""

    size_bytes: int

    def evict(self) -> None:
        """Forget some of those counted longest ago; with nothing left, do nothing."""
        ...


class Room:
    """What windows share; each tells how its size changes."""

    def __init__(self, limit_bytes: int) -> None:
        """Let all tenants together have *limit_bytes* (1 or more)."""
        assert limit_bytes >= 1
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._tenants: list[Tenant] = []

    def join(self, tenant: Tenant) -> None:
        """Share the room with *tenant*, which is empty."""
        self._tenants.append(tenant)

    def leave(self, tenant: Tenant) -> None:
        """Give back what *tenant* takes; it is not asked to forget any more."""
        self._tenants.remove(tenant)
        self.used_bytes -= tenant.size_bytes

    def resize(self, size_bytes: int) -> None:
        """Count *size_bytes* more and make room if it is too much; or less, if below zero."""
        self.used_bytes += size_bytes
        while size_bytes > 0 and self.used_bytes > self.limit_bytes:
            largest = max(self._tenants, key=_size)
            before = self.used_bytes
            largest.evict()
            if self.used_bytes >= before:
                return


def _size(tenant: Tenant) -> int:
    return tenant.size_bytes
