"""Which files make a configuration, in which order, and what of them counts."""

from pathlib import Path

from banish.config.interpolate import Merged, Scope
from banish.config.merge import FILES_LIMIT, Library, constants
from banish.config.problem import Problems
from banish.config.search import Tree
from tests.config.tree import WriteTree


def read(*roots: Path, name: str = "jail") -> tuple[Merged, Library]:
    library = Library(Tree(roots), Problems())
    merged = library.read(name)
    assert merged is not None
    return merged, library


def order(merged: Merged) -> list[str]:
    return [Path(path).name for path in merged.files]


def value(merged: Merged, section: str, option: str) -> str:
    text = Scope(merged, section).get(option)
    assert text is not None
    return text.text


def test_the_last_of_conf_conf_d_local_and_local_d_counts(write_tree: WriteTree) -> None:
    files = ["jail.conf", "jail.d/b.conf", "jail.d/a.conf", "jail.local", "jail.d/a.local"]
    root = write_tree({name: f"[a]\nlast = {name}\n{Path(name).stem} = 1\n" for name in files})
    merged, library = read(root)
    assert order(merged) == ["jail.conf", "a.conf", "b.conf", "jail.local", "a.local"]
    assert value(merged, "a", "last") == "jail.d/a.local"
    assert not library.problems.all()


def test_included_files_bring_their_own_local(write_tree: WriteTree) -> None:
    root = write_tree(
        {
            "jail.conf": "[INCLUDES]\nbefore=paths.conf\n\n  no.local\nafter=last.conf\n[a]\nx=1",
            "paths.conf": "[DEFAULT]\nlog = /a\nx = 0\n",
            "paths.local": "[DEFAULT]\nlog = /b\n",
            "last.conf": "[a]\nx = %(known/x)s2\n",
        }
    )
    merged, library = read(root)
    assert order(merged) == ["paths.conf", "paths.local", "jail.conf", "last.conf"]
    assert value(merged, "a", "log") == "/b"
    assert value(merged, "a", "x") == "12"
    assert not library.problems.all()
    assert len(library.paths) == 4


def test_a_missing_include_is_told_unless_it_is_a_local(write_tree: WriteTree) -> None:
    root = write_tree({"jail.conf": "[INCLUDES]\nbefore = no.conf\n  no.local\n"})
    _, library = read(root)
    (problem,) = library.problems.all()
    assert problem.severity == "warning"
    assert "no.conf" in problem.what
    assert problem.place is not None
    assert problem.place.line == 2


def test_a_file_that_is_listed_but_gone_is_passed_over(write_tree: WriteTree) -> None:
    root = write_tree({"jail.conf": "[a]\nx = 1\n"})
    library = Library(Tree((root,)), Problems())
    assert library._file("jail.local") is None


def test_files_that_include_each_other_end(write_tree: WriteTree) -> None:
    root = write_tree(
        {
            "jail.conf": "[INCLUDES]\nbefore = a.conf\n",
            "a.conf": "[INCLUDES]\nafter = jail.conf b.conf\n  b.conf\n",
            "b.conf": "[INCLUDES]\nbefore = a.conf\n[x]\ny = 1\n",
        }
    )
    merged, _ = read(root)
    assert order(merged) == ["a.conf", "b.conf", "jail.conf"]


def test_includes_that_multiply_are_stopped_and_told(write_tree: WriteTree) -> None:
    files = {
        f"f{n}.conf": f"[INCLUDES]\nbefore = f{n + 1}.conf\nafter = f{n + 1}.conf\n"
        for n in range(14)
    }
    root = write_tree({"jail.conf": "[INCLUDES]\nbefore = f0.conf\n[a]\nx = 1\n", **files})
    _, library = read(root)
    assert any(str(FILES_LIMIT) in problem.what for problem in library.problems.all())


def test_an_include_may_name_a_file_outside_or_above(write_tree: WriteTree, tmp_path: Path) -> None:
    (tmp_path / "outside.conf").write_text("[a]\nx = 1\n")
    (tmp_path / "above.conf").write_text("[a]\ny = 2\n")
    root = write_tree(
        {"jail.conf": f"[INCLUDES]\nbefore = {tmp_path}/outside.conf\n  ../above.conf\n"}
    )
    merged, _ = read(root)
    assert value(merged, "a", "x") + value(merged, "a", "y") == "12"


def test_a_file_that_comes_twice_replaces_nothing(write_tree: WriteTree) -> None:
    root = write_tree(
        {
            "jail.conf": "[INCLUDES]\nbefore = base.conf\n  more.conf\nafter = more.conf\n",
            "base.conf": "[a]\nx = 1\n",
            "more.conf": "[a]\nx = %(known/x)s 2\n",
        }
    )
    assert value(read(root)[0], "a", "x") == "1 2"


def test_a_wrong_include_is_told(write_tree: WriteTree) -> None:
    _, library = read(write_tree({"jail.conf": "[INCLUDES]\nbefore = %(nothing)s\n"}))
    (problem,) = library.problems.all()
    assert "nothing" in problem.what


def test_a_file_that_cannot_be_read_is_told(write_tree: WriteTree) -> None:
    root = write_tree({"jail.conf": "[a]\nx = 1\n"})
    (root / "jail.local").mkdir()
    merged, library = read(root)
    (problem,) = library.problems.all()
    assert "cannot be read" in problem.what
    assert value(merged, "a", "x") == "1"


def test_a_dangling_link_is_told(write_tree: WriteTree) -> None:
    root = write_tree({"jail.conf": "[a]\nx = 1\n"})
    (root / "jail.local").symlink_to("nowhere")
    _, library = read(root)
    assert "cannot be read" in library.problems.all()[0].what


def test_a_section_for_one_family_gives_its_options_a_suffix(write_tree: WriteTree) -> None:
    root = write_tree({"jail.conf": "[Init]\nx = 1\n[Init?family=inet6]\nx = 2\n"})
    merged, _ = read(root)
    assert value(merged, "Init", "x") == "1"
    assert value(merged, "Init", "x?family=inet6") == "2"


def test_an_upper_tree_hides_files_of_the_lower_one(write_tree: WriteTree) -> None:
    lower = write_tree(
        {
            "jail.conf": "[a]\nx = lower\n",
            "filter.d/one.conf": "[INCLUDES]\nbefore = common.conf\n[Definition]\ny = lower\n",
            "filter.d/common.conf": "[Definition]\nz = lower\n",
        }
    )
    upper = write_tree(
        {
            "jail.local": "[a]\nx = %(known/x)s and upper\n",
            "filter.d/common.conf": "[Definition]\nz = upper\n",
            "filter.d/two.conf": "[INCLUDES]\nbefore = one.conf\n",
        }
    )
    assert value(read(upper, lower)[0], "a", "x") == "lower and upper"
    one, _ = read(upper, lower, name="filter.d/one")
    assert value(one, "Definition", "z") == "upper"
    two, _ = read(upper, lower, name="filter.d/two")
    assert value(two, "Definition", "y") == "lower"


def test_a_configuration_without_files_is_none(write_tree: WriteTree) -> None:
    assert Library(Tree((write_tree({}),)), Problems()).read("jail") is None


def test_the_two_constants_are_as_in_fail2ban() -> None:
    assert {name: value.text.text for name, value in constants("1.2", "/etc/x").items()} == {
        "fail2ban_version": "1.2",
        "fail2ban_confpath": "/etc/x",
    }
