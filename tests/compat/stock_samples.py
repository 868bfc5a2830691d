"""Fail2Ban's own annotated sample logs: fetched, read, and judged by our matchers.

The convention (fail2ban/tests/samplestestcase.py): a line ``# failJSON: {...}``
says what the next line is, ``# filterOptions: ...`` under which options what
follows is read, ``# fileOptions: {...}`` the same for the whole file, and
``# addFILE: "name"`` that another file belongs to it. Lines without a word do
not match. Nothing of it is kept here: the package is fetched by apt, from
wherever the host gets its packages.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from banish.config.load import filter_settings
from banish.detect.matcher import Matcher
from banish.detect.report import LineReport
from banish.model.address import SubjectKind, parse_logged
from banish.model.instant import Instant, Seconds
from banish.model.settings import OnAmbiguous

ZONE = "CET-01CEST-02,M3.5.0,M10.5.0"
NOW = Instant(1_124_013_600)

_CONTROL = re.compile(r"#+ ?(failJSON|fileOptions|filterOptions|addFILE):(.+)")
_IS_NAME = re.compile(r"name\s*==\s*'([\w-]+)'")
_IS_MODE = re.compile(r"opts\.get\('(\w+)'\)\s*(==|!=)\s*'(\w+)'")

Options = Mapping[str, Any]


def fetch(folder: Path) -> Path:
    """Return the root of Fail2Ban's unpacked package.

    Raises:
        OSError: There is no apt, or it cannot fetch the package.

    """
    root = folder / "root"
    if not root.is_dir():
        try:
            command = ["apt-get", "download", "fail2ban"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
            package = next(folder.glob("fail2ban_*.deb"))
            command = ["dpkg-deb", "-x", str(package), str(folder / "partial")]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        except (subprocess.SubprocessError, StopIteration) as error:
            shutil.rmtree(folder / "partial", ignore_errors=True)
            raise OSError(f"apt-get download fail2ban: {error}") from error
        # Filters that belong to its tests include the real ones by these paths: 1.0 and 1.1.
        for place in ("usr/config", "usr/lib/python3/dist-packages/config"):
            (folder / "partial" / place).symlink_to(folder / "root/etc/fail2ban")
        (folder / "partial").rename(root)
    return root


@dataclass(frozen=True)
class Sample:
    """One line, what it should come to, and under which options."""

    file: str
    number: int
    line: str
    expected: Options
    options: tuple[Options, ...]

    def counts_for(self, options: Options, name: str) -> bool:
        """Whether the annotation's constraint admits this set of options."""
        return _holds(str(self.expected.get("constraint", "")), options, name)


def _holds(condition: str, options: Options, name: str) -> bool:
    """Judge the few kinds of condition that the samples use, without `eval`."""
    if not condition:
        return True
    if wanted := _IS_NAME.fullmatch(condition):
        return name == wanted[1]
    found = _IS_MODE.fullmatch(condition)
    assert found is not None, f"a new kind of condition: {condition}"
    return (options.get(found[1]) == found[3]) == (found[2] == "==")


def read_samples(logs: Path, name: str) -> Iterator[Sample]:
    """Yield the samples of the filter *name*."""
    files = [name]
    common: Options = {}
    options: tuple[Options, ...] = ({},)
    for file in files:
        expected: Options = {}
        is_left_out = False
        for number, line in enumerate((logs / file).read_text("utf-8").splitlines(), 1):
            control = _CONTROL.match(line)
            if control is None:
                if line.strip() and (expected or not line.startswith("#")) and not is_left_out:
                    yield Sample(file, number, line, expected, options)
                expected = {}
                continue
            value = json.loads(control[2])
            match control[1]:
                case "failJSON":
                    expected = value
                case "fileOptions":
                    common = value
                case "addFILE":
                    files.append(value)
                case _:
                    sets = [
                        {**common, **each}
                        for each in (value if isinstance(value, list) else [value])
                    ]
                    options = tuple(
                        each for each in sets if _holds(each.get("test.condition", ""), each, name)
                    )
                    is_left_out = not options


class Judge:
    """Holds one matcher for each filter and set of options, and compares."""

    def __init__(self, root: Path, builtin: Path, ambiguous: OnAmbiguous = "report") -> None:
        self._root = root
        self._ambiguous: OnAmbiguous = ambiguous
        self._builtin = builtin
        self._matchers: dict[tuple[str, str], Matcher] = {}
        self.checks = 0
        self.disagreements: list[str] = []
        self.odd: set[str] = set()
        """The samples that disagree: the filter, the file and the line."""

    def matcher(self, name: str, options: Options) -> Matcher:
        """Return the matcher of *name* under *options*, the same one each time."""
        real = {key: value for key, value in options.items() if not key.startswith("test.")}
        key = (name, str(options.get("test.filter-name") or sorted(real.items())))
        if key not in self._matchers:
            arguments = ", ".join(f'{option}="{value}"' for option, value in real.items())
            spec = f"{name}[{arguments}]" if arguments else name
            settings = filter_settings(spec, self._root, self._builtin)
            settings = msgspec.structs.replace(settings, ambiguous=self._ambiguous)
            self._matchers[key] = Matcher(name, settings, Seconds(600))
        return self._matchers[key]

    def judge(self, sample: Sample, name: str) -> None:
        """Compare what *sample* comes to with what it says, under each of its options."""
        for options in sample.options:
            if not sample.counts_for(options, name):
                continue
            matcher = self.matcher(name, options)
            if options.get("logtype") == "journal":
                line = options.get("test.prefix-line", "") + sample.line
                report = matcher.trace(line, NOW, NOW)
            else:
                report = matcher.trace(sample.line, NOW)
            self.checks += 1
            for what in disagreements(sample.expected, report):
                self.odd.add(f"{name} {sample.file}:{sample.number}")
                self.disagreements.append(
                    f"{sample.file}:{sample.number} as {name} {dict(options)}: {what}\n"
                    f"    {sample.line}\n"
                    f"    searched {report.text!r}, rule {report.rule}, {report.state}"
                )


def _local_time(text: str) -> float:
    form = "%Y-%m-%dT%H:%M:%S.%f" if "." in text else "%Y-%m-%dT%H:%M:%S"
    return datetime.strptime(text, form).timestamp()  # noqa: DTZ007


def disagreements(expected: Options, report: LineReport) -> Iterator[str]:
    """Yield each point in which *report* is not as *expected*."""
    should = bool(expected.get("match"))
    if report.state == "unusable":
        if should:
            yield f"unusable {report.host!r}"
        return
    if should != bool(report.failures):
        yield "should match" if should else "should not match"
        return
    for field, value in expected.items() if should else ():
        if field in {"match", "desc", "constraint"} or value is None:
            continue
        wanted, found = _compared(field, value, report)
        if wanted != found:
            yield f"{field} should be {wanted!r}, is {found!r}"


def _compared(field: str, value: Any, report: LineReport) -> tuple[object, object]:
    """Return what a field should be and what it is, in one form."""
    match field:
        case "host":
            subject = report.failures[0].subject
            if subject.kind is SubjectKind.NAME:
                return value, report.host
            address = parse_logged(value)
            return address.text if address else value, subject.text
        case "time":
            return _local_time(value), report.at
        case "attempts":
            return value, report.attempts
        case "users":
            return sorted(value), sorted(report.tags.get(field, ()))
        case _:
            return value, report.tags.get(field)
