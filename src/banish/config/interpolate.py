"""Puts values into values: ``%(option)s`` when files are merged, ``<tag>`` in filters.

``%(option)s`` is looked up in the same section, then in ``[DEFAULT]``;
``%(section/option)s`` in another section, ``%(default/option)s`` in
``[DEFAULT]``, and ``%(known/option)s`` is the value that a later file replaced,
or in a jail that of its filter. ``%%`` is one ``%``. As in Python's configparser,
values nest ten deep at most, and ``%`` before anything else is a fault.

``<tag>`` is put in afterwards, innermost first, so that ``<mdre-<mode>>`` works;
an unknown tag stays as it is, since ``<HOST>`` and shell redirections look alike
(Fail2Ban: ``substituteRecursiveTags`` in helpers.py).
"""

import re
from collections.abc import Callable

import msgspec

from banish.config.problem import FaultError, did_you_mean
from banish.config.text import TEXT_LIMIT_CHARACTERS, Cutter, Text, single, weave
from banish.model.settings import Place

DEPTH_LIMIT = 10
"""As ``configparser.MAX_INTERPOLATION_DEPTH``."""

ROUNDS_LIMIT = 25
"""How often tags made of tags may make new tags (``MAX_TAG_REPLACE_COUNT`` in Fail2Ban)."""

_REFERENCE = re.compile(r"%(?:(?P<percent>%)|\((?P<name>[^)]+)\)s)?")
_TAG = re.compile(r"<([^ <>]+)>")


class RawValue(msgspec.Struct, frozen=True):
    """The raw value of an option, and the one it replaced."""

    text: Text
    previous: "RawValue | None" = None


class Merged(msgspec.Struct, frozen=True):
    """What all files of one configuration say together, before interpolation."""

    name: str
    defaults: dict[str, RawValue]
    sections: dict[str, dict[str, RawValue]]
    places: dict[str, Place]
    """Where each section begins first."""
    files: tuple[str, ...]
    renewed: set[str]
    """The sections that more than one file has; only they have replaced values."""


Lookup = Callable[[str], Text | None]
"""Gives a finished value by its name, or None."""


def _nothing(_name: str) -> Text | None:
    return None


class Scope:
    """The options of one section as they are in effect."""

    def __init__(
        self, merged: Merged, section: str, *, over: Lookup = _nothing, known: Lookup = _nothing
    ) -> None:
        """Look at *section*; *over* goes before it, *known* gives ``known/`` values."""
        self._merged = merged
        self._section = section
        self._own = merged.sections.get(section, {})
        self._over = over
        self._known = known
        self._done: dict[int, Text] = {}

    def raw(self, option: str) -> RawValue | None:
        """Return the value of *option* in the section or in ``[DEFAULT]`` as it is written."""
        return self._own.get(option) or self._merged.defaults.get(option)

    def get(self, option: str) -> Text | None:
        """Return the value of *option* with everything put in, or None if nobody sets it.

        Raises:
            FaultError: A value refers to what is not there, to itself, or too deep.

        """
        given = self._over(option)
        if given is not None:
            return given
        value = self.raw(option)
        return None if value is None else self.finish(value, option)

    def finish(self, value: RawValue, option: str) -> Text:
        """Return *value*, a value of *option*, with everything put in.

        Raises:
            FaultError: As for `get`.

        """
        return self._fill(value, option, ())

    def names(self) -> list[str]:
        """Return the options that the section itself sets."""
        return list(self._own)

    def _fill(self, value: RawValue, option: str, above: tuple[tuple[str, RawValue], ...]) -> Text:
        text = value.text
        if "%" not in text.text:
            return text
        done = self._done.get(id(value))
        if done is not None:
            return done
        if any(value is other for _, other in above):
            way = " -> ".join([*(name for name, _ in above), option])
            cure = ""
            if above[-1][0] == option:
                cure = f"write %(known/{option})s for the value that this one replaces"
            raise FaultError(f"it refers to itself: {way}", text.place, cure)
        if len(above) >= DEPTH_LIMIT:
            way = " -> ".join(name for name, _ in above)
            raise FaultError(f"values nest more than {DEPTH_LIMIT} deep: {way}", text.place)
        above = (*above, (option, value))
        pieces: list[tuple[Text, bool]] = []
        cutter, size = Cutter(text), 0
        for match in _REFERENCE.finditer(text.text):
            pieces.append((cutter.cut(match.start()), True))
            place = cutter.place(match.end())
            if match["percent"]:
                pieces.append((single("%", place), True))
            elif match["name"]:
                piece = self._refer(match["name"], place, above)
                pieces.append((piece, False))
                size += len(piece.text)
            else:
                shown = text.text[match.start() : match.start() + 10].partition("\n")[0]
                cure = "write %(option)s to put in an option, or %% for a percent sign"
                if shown[1:2].isalpha():
                    cure = f"write %%{shown[1]} for %{shown[1]}, and each other % twice as well"
                raise FaultError(f'"{shown}" is not understood', place, cure)
            if size > TEXT_LIMIT_CHARACTERS:
                raise FaultError(
                    f"the value grows beyond {TEXT_LIMIT_CHARACTERS} characters", place
                )
        pieces.append((cutter.rest(), True))
        result = weave(pieces)
        self._done[id(value)] = result
        return result

    def _refer(self, name: str, place: Place, above: tuple[tuple[str, RawValue], ...]) -> Text:
        """Return what ``%(name)s`` at *place* stands for."""
        low = name.lower()
        if low == "__name__":
            return single(self._section, place)
        given = self._over(low)
        if given is not None:
            return given
        prefix, slash, option = low.partition("/")
        if slash and prefix == "known":
            given = self._known(option)
            if given is not None:
                return given
            value = self._replaced(option, above[-1])
        elif slash and prefix == "default":
            value = self._merged.defaults.get(option)
        elif slash:
            value = self._foreign(prefix, option, name, place)
        else:
            option = low
            value = self.raw(low)
        if value is None:
            known = [*self._own, *self._merged.defaults]
            cure = did_you_mean(option, known) or f'set "{option}" in this section or in [DEFAULT]'
            raise FaultError(f"%({name})s is not set anywhere", place, cure)
        return self._fill(value, option, above)

    def _replaced(self, option: str, current: tuple[str, RawValue]) -> RawValue | None:
        """Return the value of *option* before the last file replaced it, or the default's."""
        name, value = current
        if name == option and value.previous is not None:
            return value.previous
        own = self._own.get(option)
        if own is not None and own.previous is not None and name != option:
            return own.previous
        default = self._merged.defaults.get(option)
        return default.previous if default is value and default is not None else default

    def _foreign(self, prefix: str, option: str, name: str, place: Place) -> RawValue | None:
        for section, options in self._merged.sections.items():
            if section.lower() == prefix:
                return options.get(option) or self._merged.defaults.get(option)
        cure = did_you_mean(prefix, self._merged.sections)
        raise FaultError(f"%({name})s: there is no section [{name.partition('/')[0]}]", place, cure)


class Tags:
    """Puts ``<tag>`` values into texts; each tag is worked out once."""

    def __init__(self, lookup: Lookup) -> None:
        """Take values from *lookup*; what it does not know stays as it is."""
        self._lookup = lookup
        self._done: dict[str, Text | None] = {}

    def get(self, name: str) -> Text | None:
        """Return the value of the tag *name* with everything put in, or None if unknown.

        Raises:
            FaultError: It refers to itself, or grows beyond all bounds.

        """
        return self._resolve(name, ())

    def _resolve(self, name: str, above: tuple[str, ...]) -> Text | None:
        if name in self._done:
            return self._done[name]
        raw = self._lookup(name)
        if name in above:
            way = " -> ".join(f"<{tag}>" for tag in (*above[above.index(name) :], name))
            raise FaultError(f"it refers to itself: {way}", raw.place if raw else None)
        if len(above) > ROUNDS_LIMIT:
            raise FaultError(f"tags nest more than {ROUNDS_LIMIT} deep", raw.place if raw else None)
        done = None if raw is None else self._fill(raw, (*above, name))
        self._done[name] = done
        return done

    def _fill(self, text: Text, above: tuple[str, ...]) -> Text:
        for _ in range(ROUNDS_LIMIT):
            if "<" not in text.text:
                return text
            pieces: list[tuple[Text, bool]] = []
            cutter, size = Cutter(text), 0
            for match in _TAG.finditer(text.text):
                put = self._resolve(match[1], above)
                if put is None:
                    continue
                pieces += [(cutter.cut(match.start()), True), (put, False)]
                cutter.place(match.end())
                size += len(put.text)
                if size > TEXT_LIMIT_CHARACTERS:
                    what = f"the value grows beyond {TEXT_LIMIT_CHARACTERS} characters"
                    raise FaultError(what, text.place)
            if not pieces:
                return text
            pieces.append((cutter.rest(), True))
            text = weave(pieces)
        raise FaultError("its tags make new tags without end", text.place)
