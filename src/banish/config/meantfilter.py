"""Finds the filter that a jail means where its ``filter`` is wrong.

A typing error in the name of a filter must not leave a service without protection
where the rest of the jail says what to look for. Fail2Ban leaves the jail out, and its
server does not start (``JailReader.getOptions`` in client/jailreader.py, 1.0.2).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from banish.config.arguments import mended_spec
from banish.config.filters import filter_names
from banish.config.problem import FaultError
from banish.config.text import Text, single

if TYPE_CHECKING:
    from banish.config.jails import JailSection


def set_meant_filter(jail: "JailSection", *, from_journal: bool) -> str:
    """Set the filter of *jail* up, or what is meant by it; return it as it is written.

    What counts in place of a wrong one is reported: the jail's own failregex (empty is
    returned), or else the filter of nearly that spelling, or of the jail's name.

    Raises:
        FaultError: The filter is wrong, and nothing can count in its place.

    """
    try:
        return jail.set_filter(from_journal=from_journal)
    except FaultError as fault:
        wrong = fault
    for text in _spellings(jail):
        try:
            name = jail.set_filter(from_journal=from_journal, text=text)
        except FaultError:
            continue
        what = f"{wrong.what}; {name} counts instead"
        jail.reading.leave_out("filter", FaultError(what, wrong.place, wrong.cure))
        return name
    if not _has_own_regexes(jail):
        raise wrong
    what = f"{wrong.what}; the failregex of [{jail.name}] counts alone"
    if jail.sets("filter"):
        jail.reading.leave_out("filter", FaultError(what, wrong.place, wrong.cure))
    else:
        cure = f"write filter = into [{jail.name}], with nothing behind it"
        jail.library.problems.warn(what, jail.place, option="filter", cure=cure)
    jail.drop_filter()
    return ""


def _spellings(jail: "JailSection") -> Iterator[Text]:
    """Yield what may be meant by the ``filter`` of *jail*, the likeliest first."""
    text = jail.written_filter
    if text is None:
        return
    mended = mended_spec(text)
    if mended is not None:
        yield mended
    if not jail.sets("filter") or _has_own_regexes(jail):
        return
    known = {name.lower(): name for name in filter_names(jail.library)}
    name, bracket, arguments = (mended or text).text.strip().partition("[")
    for each in (name.strip().rpartition("/")[2].removesuffix(".conf"), jail.name):
        found = known.get(each.lower())
        if found is not None:
            yield single(f"{found}{bracket}{arguments}", text.place)
            yield single(found, text.place)


def _has_own_regexes(jail: "JailSection") -> bool:
    try:
        text = jail.scope.get("failregex")
    except FaultError:
        return True  # reported by the caller that reads it
    return text is not None and bool(text.text.strip())
