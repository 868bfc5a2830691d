"""Reads the sample logs that are shipped beside our filters."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

SHARE = Path(__file__).parents[2] / "share/config"


@dataclass(frozen=True)
class Sample:
    """One line of a sample log and what is expected of it."""

    line: str
    number: int
    """Where it stands in the sample log, from 1."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The filter's arguments."""
    origin: str = ""
    """What the last ``# from:`` line says."""
    is_failure: bool = False
    host: str = ""
    user: str | None = None
    time: str | None = None
    """Local time of the failure in ISO form; None where it is not tested."""
    attempts: int = 1
    note: str = ""

    @property
    def from_journal(self) -> bool:
        """Whether the line comes with its time, as from the journal."""
        return self.options.get("logtype") == "journal"


_EXPECTED = {"match", "host", "user", "time", "attempts", "note"}


@cache
def read_samples(name: str) -> tuple[Sample, ...]:
    """Return the samples of the filter *name*, in order.

    Raises:
        ValueError: A comment does not follow the convention.

    """
    samples: list[Sample] = []
    options: dict[str, str] = {}
    origin = ""
    expected: dict[str, Any] = {}
    text = (SHARE / "filter.d/samples" / f"{name}.log").read_text("utf-8")
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("# options: "):
            options = json.loads(line.removeprefix("# options: "))
        elif line.startswith("# from: "):
            origin = line.removeprefix("# from: ")
        elif line.startswith("# expect: "):
            if expected:
                raise ValueError(f"line {number}: two expectations for one line")
            expected = json.loads(line.removeprefix("# expect: "))
            if unknown := set(expected) - _EXPECTED:
                raise ValueError(f"line {number}: unknown: {unknown}")
            if bool(expected.get("match")) != bool(expected.get("host")):
                raise ValueError(f"line {number}: a match, and only that, has a host")
        elif line and not line.startswith("#"):
            samples.append(
                Sample(
                    line=line,
                    number=number,
                    options=options,
                    origin=origin,
                    is_failure=bool(expected.get("match")),
                    host=expected.get("host", ""),
                    user=expected.get("user"),
                    time=expected.get("time"),
                    attempts=expected.get("attempts", 1),
                    note=expected.get("note", ""),
                )
            )
            expected = {}
    if expected:
        raise ValueError("the last expectation has no line")
    return tuple(samples)
