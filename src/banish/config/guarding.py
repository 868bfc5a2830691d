"""Reads whom the lock-out guard of a jail spares."""

from banish.config.problem import FaultError, did_you_mean, shown
from banish.config.reading import Reading
from banish.config.text import Text
from banish.config.values import to_duration
from banish.model.instant import Seconds
from banish.model.settings import GUARDED, GuardSettings


def read_guard(reading: Reading) -> GuardSettings:
    """Return the jail's ``guard`` options."""
    nobody: tuple[str, ...] = ()
    return GuardSettings(
        reading.take("guard", _spares, nobody),
        reading.take("guard.time", _span, Seconds(0)),
        reading.take("guard.groups", _words, nobody),
    )


def _spares(text: Text) -> tuple[str, ...]:
    words = _words(text)
    if words in (("none",), ("off",)):
        return ()
    for word in words:
        if word not in GUARDED:
            cure = did_you_mean(word, GUARDED) or f"write some of {', '.join(GUARDED)}, or none"
            # Rather somebody is spared too many than the administrator locked out.
            everybody = (tuple(GUARDED), " ".join(GUARDED))
            what = f"{shown(word)} cannot be guarded"
            raise FaultError(what, text.place, cure, instead=everybody)
    return words


def _span(text: Text) -> Seconds:
    return Seconds(max(0.0, to_duration(text)))


def _words(text: Text) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.text.replace(",", " ").split()))
