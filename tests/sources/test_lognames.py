"""Which paths the patterns of a source name."""

import asyncio
from pathlib import Path

import pytest

from banish.model.settings import LogPath
from banish.sources import lognames
from banish.sources.lognames import LogNames
from banish.sources.watch import Watch
from banish.telemetry.events import Event, WarningGiven


class Stage:
    def __init__(self, folder: Path, *patterns: str) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.names = LogNames(
            "app", [LogPath(f"{folder}/{each}") for each in patterns], self.events.append
        )

    def create(self, *names: str) -> None:
        for name in names:
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.touch()

    def find(self, *followed: str) -> list[str]:
        watch = Watch("app", lambda _: None, polls=True)
        paths = [f"{self.folder}/{each}" for each in followed]
        asyncio.run(self.names.find(watch, paths, ()))
        watch.close()
        return sorted(Path(path).name for path in self.names.found)

    def may_name(self, name: str, *followed: str) -> bool:
        return self.names.may_name(
            f"{self.folder}/{name}", [f"{self.folder}/{each}" for each in followed]
        )

    @property
    def warnings(self) -> list[str]:
        return [event.what for event in self.events if isinstance(event, WarningGiven)]


def test_a_rotated_name_is_no_log_of_its_own_unless_it_is_named_without_a_wildcard(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, "a.log*")
    stage.create("a.log", "a.log.1")
    assert stage.find() == ["a.log"]
    assert stage.find() == ["a.log"]
    assert len(stage.warnings) == 1
    assert Stage(tmp_path, "a.log*", "a.log.1").find() == ["a.log", "a.log.1"]


def test_a_rotated_name_is_known_by_a_log_that_is_followed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "*")
    stage.create("a.log.1")
    assert stage.find("a.log") == []


def test_of_too_many_paths_those_that_are_named_or_followed_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lognames, "PATHS_LIMIT", 3)
    stage = Stage(tmp_path, "*.log", "z.log")
    stage.create("a.log", "b.log", "y.log", "z.log")
    assert stage.find("y.log") == ["a.log", "y.log", "z.log"]
    assert stage.names.unread == 1
    assert "too many" in stage.warnings[0]


def test_each_pattern_knows_what_it_names(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "*.log", "none")
    stage.create("a.log")
    stage.find()
    assert stage.names.matched[f"{tmp_path}/*.log"] == [f"{tmp_path}/a.log"]
    assert Path(stage.names.matched[f"{tmp_path}/none"][0]).name == "none"


def test_only_a_name_that_a_pattern_may_mean_is_looked_for(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "*.log*")
    stage.create("a.log")
    stage.find()
    assert stage.may_name("b.log")
    assert not stage.may_name("a.log", "a.log")
    assert not stage.may_name("b.txt")
    assert not stage.may_name("b.log.gz")


def test_a_rotated_name_is_looked_for_until_it_was_reported_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "a.log*")
    stage.create("a.log")
    stage.find()
    assert stage.may_name("a.log.1", "a.log")
    stage.create("a.log.1")
    stage.find("a.log")
    assert not stage.may_name("a.log.2", "a.log")


def test_many_paths_are_looked_for_in_a_thread_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lognames, "MANY_PATHS", 1)
    stage = Stage(tmp_path, "*.log")
    stage.create("a.log", "b.log")
    assert stage.find("a.log") == ["a.log", "b.log"]
