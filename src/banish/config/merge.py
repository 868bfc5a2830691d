"""Merges the files that make one configuration: ``jail``, ``filter.d/sshd``, ...

A name N is made of ``N.conf``, ``N.d/*.conf``, ``N.local`` and ``N.d/*.local``, in
that order. Each file first pulls in what its ``[INCLUDES]`` names as ``before``,
then comes itself, then what it names as ``after``; a file pulled in brings its
own ``.local``. Option by option the last file wins, and the value it replaces
stays reachable as ``%(known/option)s`` (Fail2Ban: client/configreader.py and
client/configparserinc.py). Where Fail2Ban keeps one replaced value, we keep all
of them, so that a ``known/`` inside a replaced value works too.
"""

import posixpath
import re
from pathlib import Path

from banish.config.ini import DEFAULT, IniFile, parse
from banish.config.interpolate import Merged, RawValue, Scope
from banish.config.problem import FaultError, Problems
from banish.config.search import Tree
from banish.config.text import Text, single
from banish.model.settings import Place

FILES_LIMIT = 500
"""How many files may make one configuration; files that include each other could be endless."""

_CONDITIONAL = re.compile(r"(\w+)(\?.+)")
"""``[Init?family=inet6]``: the part behind ? goes to the name of every option."""


class Library:
    """Reads configurations from one tree; each file is read once."""

    def __init__(self, tree: Tree, problems: Problems) -> None:
        self.tree = tree
        self.problems = problems
        self._files: dict[str, IniFile | None] = {}
        self._merged: dict[str, Merged | None] = {}
        self._own: Library | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Every file read so far, in order."""
        return tuple(file.path for file in self._files.values() if file)

    def read(self, name: str) -> Merged | None:
        """Return what all files of the configuration *name* say together; None without files."""
        if name not in self._merged:
            self._merged[name] = self._read(name)
        return self._merged[name]

    def read_own(self, name: str) -> Merged | None:
        """Return what the built-in tree alone says of *name*; None if it has no such file."""
        if self.tree.builtin is None:
            return None
        if self._own is None:
            self._own = Library(Tree((self.tree.builtin,)), self.problems)
        return self._own.read(name)

    def _read(self, name: str) -> Merged | None:
        keys = [f"{name}.conf", *self.tree.match(f"{name}.d", ".conf"), f"{name}.local"]
        keys += self.tree.match(f"{name}.d", ".local")
        files: list[IniFile] = []
        self._collect([key for key in keys if self.tree.find(key)], (), files)
        if not files:
            return None
        merged = Merged(name, {}, {}, {}, tuple(dict.fromkeys(file.path for file in files)), set())
        for file in files:
            _merge(merged, file)
        return merged

    def _collect(self, keys: list[str], above: tuple[str, ...], into: list[IniFile]) -> None:
        """Add the files *keys* and what they include to *into*, in the order of merging."""
        wanted: list[str] = []
        for key in keys:
            wanted.append(key)
            local = f"{posixpath.splitext(key)[0]}.local"
            if local not in keys and self.tree.find(local):
                wanted.append(local)
        for key in wanted:
            file = self._file(key)
            if file is None:
                continue
            if len(into) >= FILES_LIMIT:
                what = f"more than {FILES_LIMIT} files are included"
                self.problems.error(what, Place(file.path), cure="include each file once")
                return
            inside = (*above, key)
            self._collect(self._included(key, file, "before", inside), inside, into)
            into.append(file)
            self._collect(self._included(key, file, "after", inside), inside, into)

    def _included(self, key: str, file: IniFile, option: str, inside: tuple[str, ...]) -> list[str]:
        if "INCLUDES" not in file.sections:
            return []
        alone = Merged(key, {}, {}, {}, (file.path,), set())
        _merge(alone, file)
        try:
            names = Scope(alone, "INCLUDES").get(option)
        except FaultError as fault:
            self.problems.add(fault.to_problem(option=option))
            return []
        found: list[str] = []
        for name, place in names.lines() if names else ():
            if not name:
                continue
            other = posixpath.normpath(posixpath.join(posixpath.dirname(key), name))
            if other.startswith("../"):
                other = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), name))
            if other in inside:
                continue
            if self.tree.find(other):
                found.append(other)
            elif not other.endswith(".local"):
                what = f"{name} does not exist; it is ignored"
                self.problems.warn(what, place, option=option, cure="correct or delete the line")
        return found

    def _file(self, key: str) -> IniFile | None:
        """Return what the file *key* says, or None if it cannot be read."""
        if key not in self._files:
            self._files[key] = self._parse(self.tree.find(key))
        return self._files[key]

    def _parse(self, path: Path | None) -> IniFile | None:
        if path is None:
            return None
        try:
            content = path.read_bytes()
        except OSError as error:
            cure = "give the user that runs banish the right to read it, or delete it"
            what = f"cannot be read: {error.strerror}"
            self.problems.error(what, Place(str(path)), cure=cure)
            return None
        return parse(str(path), content, self.problems)


def _merge(merged: Merged, file: IniFile) -> None:
    for section, options in file.sections.items():
        name, suffix = section, ""
        conditional = _CONDITIONAL.match(section)
        if conditional:
            name, suffix = conditional.groups()
        if name == DEFAULT:
            into = merged.defaults
        else:
            if name in merged.sections:
                merged.renewed.add(name)
            into = merged.sections.setdefault(name, {})
            merged.places.setdefault(name, file.places[section])
        for option, text in options.items():
            before = into.get(option + suffix)
            if before is not None and before.text is text:
                before = before.previous  # the same file once more
            into[option + suffix] = RawValue(text, before)


def constants(version: str, folder: str) -> dict[str, RawValue]:
    """Return the two options that Fail2Ban defines by itself."""
    given: dict[str, Text] = {
        "fail2ban_version": single(version, Place("built-in")),
        "fail2ban_confpath": single(folder, Place("built-in")),
    }
    return {name: RawValue(text) for name, text in given.items()}
