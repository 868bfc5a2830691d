"""A pattern names the files that Python's glob finds, and what to watch for others."""

import glob
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banish.sources.globs import expand

TREE = ("a/x.log", "a/y.log", "a/.z.log", "a/x.log.gz", "b/x.log", "b/sub/x.log", "x.log")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for name in TREE:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (folder / "a" / "folder.log").mkdir()
    (folder / "a" / "link.log").symlink_to(folder / "b" / "x.log")
    (folder / "a" / "gone.log").symlink_to(folder / "none" / "x.log")
    (folder / "c").symlink_to(folder / "b")
    return folder


parts = st.sampled_from(["*", "?", "a", "b", "c", "[ab]", "[!a]", "*.log", "x.log", ".*", "?.log"])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(parts, min_size=1, max_size=3))
def test_a_pattern_names_what_glob_finds(tree: Path, names: list[str]) -> None:
    pattern = "/".join([str(tree), *names])
    found = expand(pattern).paths
    if not glob.has_magic(pattern):
        assert found == [pattern]
        return
    wanted = [path for path in glob.glob(pattern) if not path.endswith(".gz")]
    assert found == sorted(path for path in wanted if not os.path.isdir(path))


def test_the_folders_of_the_files_are_told_from_those_above(tree: Path) -> None:
    found = expand(f"{tree}/*/sub/*.log")
    assert found.paths == [f"{tree}/b/sub/x.log", f"{tree}/c/sub/x.log"]
    assert found.leaves == {f"{tree}/b/sub", f"{tree}/c/sub"}
    assert found.others == {str(tree), f"{tree}/a"}


def test_of_a_link_the_folder_it_leads_to_is_watched(tree: Path) -> None:
    assert expand(f"{tree}/a/link.log").others == {f"{tree}/b"}
    assert expand(f"{tree}/a/*.log").others == {f"{tree}/b", str(tree)}


def test_of_a_folder_that_is_missing_the_nearest_above_is_watched(tree: Path) -> None:
    found = expand(f"{tree}/none/below/x.log")
    assert (found.paths, found.leaves) == ([f"{tree}/none/below/x.log"], frozenset())
    assert found.others == {str(tree)}
