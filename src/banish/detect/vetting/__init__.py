"""Proves filters safe, or shows the line that proves them unsafe."""

from banish.detect.vetting.injection import (
    InjectionFinding,
    Vetting,
    examine_injection,
    vet_injection,
)
from banish.detect.vetting.reading import Reader, narrow
from banish.detect.vetting.runaway import Pump, vet_runtime

__all__ = [
    "InjectionFinding",
    "Pump",
    "Reader",
    "Vetting",
    "examine_injection",
    "narrow",
    "vet_injection",
    "vet_runtime",
]
