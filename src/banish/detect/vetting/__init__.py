"""Proves filters safe, or shows the line that proves them unsafe."""

from banish.detect.vetting.hostnames import NameFinding, vet_names
from banish.detect.vetting.ignoring import IgnoreFinding, vet_ignoring
from banish.detect.vetting.injection import (
    InjectionFinding,
    Vetting,
    examine_injection,
    vet_injection,
)
from banish.detect.vetting.nobody import NobodyFinding, vet_subjects
from banish.detect.vetting.reading import Reader, narrow
from banish.detect.vetting.runaway import Pump, vet_runtime
from banish.detect.vetting.uncounted import Uncounted, vet_uncounted

__all__ = [
    "IgnoreFinding",
    "InjectionFinding",
    "NameFinding",
    "NobodyFinding",
    "Pump",
    "Reader",
    "Uncounted",
    "Vetting",
    "examine_injection",
    "narrow",
    "vet_ignoring",
    "vet_injection",
    "vet_names",
    "vet_runtime",
    "vet_subjects",
    "vet_uncounted",
]
