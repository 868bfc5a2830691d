"""What a jail's filter comes to: its regexes and what goes with them.

An option counts as the jail's own section has it, else ``[DEFAULT]`` of the jails,
else as the filter has it with its arguments (`Definition`). ``logtype`` is set to
``journal`` or ``file`` unless somebody else sets it, since filters choose their
prefix by it (Fail2Ban: client/filterreader.py, client/jailreader.py).
"""

import re
from collections.abc import Mapping

from banish.config.definition import Definition, Pass
from banish.config.interpolate import Lookup, Merged
from banish.config.merge import Library
from banish.config.options import FILTER_OPTIONS
from banish.config.problem import FaultError, did_you_mean, nearest, shown
from banish.config.reading import OptionReader
from banish.config.search import DEFAULT_ROOTS
from banish.config.text import Text, single
from banish.config.values import to_bool, to_matches, to_number, to_regex, to_regexes
from banish.model.settings import FilterSettings, OnAmbiguous, Place, UseDns

_OPTION_TAG = re.compile(r"(?<!\?P)<([a-z_][a-z0-9_-]{0,60})>")


def filter_names(library: Library) -> list[str]:
    """Return the names of all filters in the tree."""
    names = (*library.tree.match("filter.d", ".conf"), *library.tree.match("filter.d", ".local"))
    stems = [name.removeprefix("filter.d/").rpartition(".")[0] for name in names]
    return list(dict.fromkeys(stems))


def find_filter(library: Library, name: str, place: Place | None) -> Merged:
    """Return the files of the filter *name*; a name with ``/`` in front is a path.

    Raises:
        FaultError: There is no such filter.

    """
    key = name if name.startswith("/") else f"filter.d/{name}"
    merged = library.read(key.removesuffix(".conf").removesuffix(".local"))
    if merged is None:
        # What came with the program is replaced by its next version.
        top = library.tree.top
        folder = (DEFAULT_ROOTS[0] if top == library.tree.builtin else top) / "filter.d"
        cure = did_you_mean(name, filter_names(library)) or f"create {folder}/{name}.conf"
        if name.startswith("/"):
            own = name.rpartition("/")[2].removesuffix(".conf").removesuffix(".local")
            is_known = own in filter_names(library)
            cure = f"write filter = {own}" if is_known else f"create {key}"
        raise FaultError(f"there is no filter {shown(name)}", place, cure)
    return merged


def define_filter(
    merged: Merged,
    arguments: Mapping[str, Text],
    jail: Lookup,
    *,
    from_journal: bool,
    read_for: Pass = "filter",
) -> Definition:
    """Return the filter in *merged* as it is with *arguments*, for files or for the journal."""
    found = Definition(merged, arguments, jail, read_for=read_for)
    if found.sets("logtype"):
        return found
    where = Place(merged.files[0])
    logtype = single("journal" if from_journal else "file", where)
    return Definition(merged, {**arguments, "logtype": logtype}, jail, read_for=read_for)


def read_filter(
    reading: OptionReader, name: str, *, logtimezone: str = "", logencoding: str = "auto"
) -> FilterSettings:
    """Return the filter settings that *reading*, options of jail and filter together, holds.

    What is wrong is reported to *reading* and left at its default.
    """
    maxlines = FILTER_OPTIONS["maxlines"]
    return FilterSettings(
        name,
        reading.get("failregex", to_regexes, ()),
        reading.get("ignoreregex", to_regexes, ()),
        reading.get("prefregex", to_regex, None),
        reading.get("datepattern", to_regex, None),
        reading.get("maxlines", lambda text: to_number(text, maxlines), 1),
        reading.get("journalmatch", to_matches, ()),
        reading.get("usedns", lambda text: _use_dns(text, reading), "warn"),
        logtimezone,
        logencoding,
        reading.get("ambiguous", _on_ambiguous, "safe"),
        countrepeated=reading.get(
            "countrepeated", lambda text: to_bool(text, "countrepeated", reading.problems), True
        ),
    )


def check_tags(reading: OptionReader, definition: Definition, settings: FilterSettings) -> None:
    """Tell *reading* of tags in regexes that look like a mistyped option of the filter.

    ``sshd[mode=agressive]`` leaves a ``<mdre-agressive>`` in the place of its regexes.
    """
    names = definition.names()
    for regex in settings.failregex:
        for tag in _OPTION_TAG.findall(regex.text):
            near = nearest(tag, names, closeness=0.75)
            if near and near != tag:
                cure = f'did you mean <{near}>? Look at the options in "{settings.name}"'
                what = f"the filter has no <{tag}>"
                reading.refuse("failregex", FaultError(what, regex.place, cure))


_ON_AMBIGUOUS: tuple[OnAmbiguous, ...] = ("safe", "report", "last", "none")


def _on_ambiguous(text: Text) -> OnAmbiguous:
    for choice in _ON_AMBIGUOUS:
        if text.text.strip().lower() == choice:
            return choice
    choices = FILTER_OPTIONS["ambiguous"].choices
    cure = did_you_mean(text.text, choices) or f"write one of: {', '.join(choices)}"
    raise FaultError(f"{shown(text.text)} is not one of the choices", text.place, cure)


_USE_DNS: dict[str, UseDns] = {
    "yes": "yes", "true": "yes", "on": "yes", "1": "yes",
    "no": "no", "false": "no", "off": "no", "0": "no",
    "warn": "warn", "raw": "raw",
}  # fmt: skip


def _use_dns(text: Text, reading: OptionReader) -> UseDns:
    found = _USE_DNS.get(text.text.strip().lower())
    if found is None:
        what = f"{shown(text.text)} counts as no"
        choices = FILTER_OPTIONS["usedns"].choices
        cure = did_you_mean(text.text, choices) or f"write one of: {', '.join(choices)}"
        reading.problems.warn(what, text.place, option="usedns", cure=cure)
        return "no"
    return found
