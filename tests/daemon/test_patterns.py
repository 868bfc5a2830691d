"""Prefilters are kept between runs, and nothing that goes wrong with that matters."""

from pathlib import Path

import pytest

from banish.daemon import patterns as module
from banish.daemon.patterns import Patterns
from banish.detect.matcher import Matcher
from banish.detect.prefilter.block import BlockPrefilter, PrefilterRefusedError, engine
from banish.detect.prefilter.plan import Plan
from banish.model.instant import Seconds
from banish.model.settings import FilterSettings, Regex
from banish.telemetry.events import Event

needs_engine = pytest.mark.skipif(engine() is None, reason="hyperscan is not installed")
BLOCK = b"Failed password for root from 192.0.2.1\nnothing\n"


def matchers(*words: str) -> list[Matcher]:
    return [
        Matcher("j", FilterSettings("f", failregex=(Regex(f"{word} .* from <HOST>"),)), Seconds(1))
        for word in words
    ]


def found(prefilter: BlockPrefilter | None) -> int:
    assert prefilter is not None
    return len(prefilter.scan(BLOCK) or ())


@needs_engine
def test_what_was_compiled_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Event] = []
    assert found(Patterns(tmp_path / "p", emit=told.append).prefilter(matchers("Failed"))) == 1
    monkeypatch.setattr(module, "make_plan", None)
    again = Patterns(tmp_path / "p", emit=told.append)
    kept = again.prefilter(matchers("Failed"))
    assert found(kept) == 1
    assert again.prefilter(matchers("Failed")) is kept
    assert not told


@needs_engine
@pytest.mark.parametrize("damage", [b"", b"x" * 100, None])
def test_damaged_file_is_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    told: list[Event] = []
    Patterns(tmp_path, emit=told.append).prefilter(matchers("Failed"))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-9] if damage is None else damage)
    assert found(Patterns(tmp_path, emit=told.append).prefilter(matchers("Failed"))) == 1
    assert len(file.read_bytes()) == len(whole)
    assert not told


@needs_engine
def test_database_of_another_machine_is_made_anew(tmp_path: Path) -> None:
    first = Patterns(tmp_path, emit=lambda _: None)
    made = first.prefilter(matchers("Failed"))
    assert made is not None
    (file,) = tmp_path.iterdir()
    first._write(file.name, module._Kept(made.plan, b"hyperscan of elsewhere"))
    assert found(Patterns(tmp_path, emit=lambda _: None).prefilter(matchers("Failed"))) == 1


@needs_engine
def test_only_so_many_files_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_FILES", 2)
    patterns = Patterns(tmp_path, emit=lambda _: None)
    for word in ("Failed", "Denied", "Refused"):
        patterns.prefilter(matchers(word))
    assert len(list(tmp_path.iterdir())) == 2


@needs_engine
def test_folder_that_cannot_be_written_is_told_and_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told: list[Event] = []
    patterns = Patterns(tmp_path / "file", emit=told.append)
    assert found(patterns.prefilter(matchers("Failed"))) == 1
    assert "cannot be kept" in told[0].text()


@needs_engine
def test_without_a_folder_nothing_is_written() -> None:
    assert found(Patterns(None, emit=lambda _: None).prefilter(matchers("Failed"))) == 1


@needs_engine
def test_refused_expressions_are_told_and_every_line_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Event] = []
    monkeypatch.setattr(module, "BlockPrefilter", _refuse)
    assert Patterns(None, emit=told.append).prefilter(matchers("Failed")) is None
    assert "goes on without" in told[0].text()


def _refuse(_: Plan) -> BlockPrefilter:
    raise PrefilterRefusedError("no")


def test_none_is_made_where_none_is_wanted() -> None:
    patterns = Patterns(None, emit=lambda _: None, wanted=False)
    assert patterns.prefilter(matchers("Failed")) is None
    assert Patterns(None, emit=lambda _: None).prefilter([]) is None
