"""Finds add-ons by their files: ``hosts_deny.py`` declares ``hosts-deny`` in its ``ADDON``.

Names are known without importing anything; a file is imported when it is asked for,
so an add-on that nobody uses costs nothing.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Generic, TypeVar

T = TypeVar("T")


class Folder(Mapping[str, T], Generic[T]):
    """The add-ons of one sort, by name."""

    def __init__(self, sort: type[T], *packages: str) -> None:
        """Look in *packages*, where each file declares one add-on of *sort*."""
        self._sort = sort
        self._modules: dict[str, str] = {}
        for package in packages:
            for module in iter_modules(import_module(package).__path__):
                name = module.name.replace("_", "-")
                self._modules[name] = f"{package}.{module.name}"

    def __getitem__(self, name: str) -> T:
        """Return the add-on called *name*.

        Raises:
            KeyError: There is none.

        """
        addon = import_module(self._modules[name]).ADDON
        assert isinstance(addon, self._sort)
        return addon

    def __contains__(self, name: object) -> bool:
        """Whether there is an add-on called *name*; imports nothing."""
        return name in self._modules

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names; imports nothing."""
        return iter(self._modules)

    def __len__(self) -> int:
        """Return how many add-ons there are."""
        return len(self._modules)
