"""Which directory counts, and which file a name means."""

from pathlib import Path

import pytest

from banish.config import search
from banish.config.search import Tree, builtin_tree, find_root, open_tree
from banish.errors import ConfigError
from tests.config.tree import WriteTree


def test_a_tree_with_its_own_jail_conf_stands_alone(write_tree: WriteTree) -> None:
    builtin = write_tree({"jail.conf": "", "filter.d/x.conf": ""})
    assert open_tree(write_tree({"jail.conf": ""}), builtin).find("filter.d/x.conf") is None
    assert open_tree(write_tree({"jail.local": ""}), builtin).find("filter.d/x.conf") is not None
    assert open_tree(None, builtin).folders == (builtin,)


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(ConfigError) as caught:
            open_tree(root, tmp_path)
        assert caught.value.where == str(root)


def test_the_first_directory_that_exists_is_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "DEFAULT_ROOTS", (tmp_path / "banish", tmp_path / "fail2ban"))
    assert find_root() is None
    (tmp_path / "fail2ban").mkdir()
    assert find_root() == tmp_path / "fail2ban"
    (tmp_path / "banish").mkdir()
    assert find_root() == tmp_path / "banish"


def test_the_built_in_tree_has_jails_and_filters() -> None:
    tree = Tree((builtin_tree(),))
    assert tree.find("jail.conf") is not None
    assert tree.match("filter.d", ".conf")


def test_a_program_without_its_tree_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "a" / "b"
    package.mkdir(parents=True)
    monkeypatch.setattr("importlib.resources.files", lambda _name: package)
    with pytest.raises(ConfigError, match="built-in configuration is missing"):
        builtin_tree()


def test_the_tree_of_an_installed_package_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "share" / "config").mkdir(parents=True)
    monkeypatch.setattr("importlib.resources.files", lambda _name: tmp_path)
    assert builtin_tree() == tmp_path / "share" / "config"


def test_hidden_files_are_passed_over(write_tree: WriteTree) -> None:
    tree = Tree((write_tree({"jail.d/a.conf": "", "jail.d/.b.conf": "", "jail.d/c.conf~": ""}),))
    assert tree.match("jail.d", ".conf") == ["jail.d/a.conf"]


def test_a_name_that_begins_with_a_slash_is_the_file_itself(write_tree: WriteTree) -> None:
    root = write_tree({"x/y.conf": ""})
    assert Tree((root,)).find(f"{root}/x/y.conf") == root / "x" / "y.conf"
    assert Tree((root,)).find("/y.conf") is None


def test_a_name_with_a_nul_is_that_of_no_file(write_tree: WriteTree) -> None:
    tree = Tree((write_tree({"filter.d/a.conf": "x"}),))
    assert tree.match("filter.d/\0.d", ".conf") == []
    assert tree.find("filter.d\0/a.conf") is None
