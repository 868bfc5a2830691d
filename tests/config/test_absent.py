"""Why a jail has nothing to read."""

from pathlib import Path

import pytest

from banish.config.absent import check_logs
from banish.config.problem import Problems
from banish.model.settings import FilterSettings, JailSettings, LogPath, Problem


def look(
    *paths: Path | str, journal: bool = False, match: bool = False
) -> tuple[bool, list[Problem]]:
    problems = Problems()
    settings = JailSettings(
        "web",
        FilterSettings("web", journalmatch=(("_SYSTEMD_UNIT=web.service",),) if match else ()),
        tuple(LogPath(str(path)) for path in paths),
    )
    found = check_logs(problems, settings, has_journal=lambda: journal)
    return found, list(problems.all())


def test_a_log_that_is_there_is_well(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    assert look(tmp_path / "a.log") == (True, [])
    assert look(tmp_path / "*.log") == (True, [])
    assert look(tmp_path / "a.log", tmp_path / "b.log") == (True, [])


def test_each_reason_has_its_own_cure(tmp_path: Path) -> None:
    (tmp_path / "auth.log").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.log").symlink_to(tmp_path / "gone")
    for path, what, cure in (
        ("auht.log", "no such file", f"did you mean {tmp_path}/auth.log?"),
        ("folder", "a folder", f"{tmp_path}/folder/*.log"),
        ("link.log", f"a link to {tmp_path}/gone", f"create {tmp_path}/gone"),
        ("fold*", "only folders", "name the files in it"),
        ("link*", "links that lead nowhere", "name the files in it"),
        ("foldr/*.log", "no file matches", f"did you mean {tmp_path}/folder?"),
        ("foldr/a.log", "no such file", f"did you mean {tmp_path}/folder?"),
        ("x/y/z.log", "no such file", "correct the path"),
        ("other.txt", "no such file", "correct the path"),
    ):
        found, (problem,) = look(tmp_path / path)
        assert (found, problem.severity, problem.option) == (False, "error", "logpath")
        assert what in problem.what
        assert cure in problem.cure


def test_on_a_host_with_a_journal_that_is_the_cure(tmp_path: Path) -> None:
    _, (problem,) = look(tmp_path / "x.log", journal=True, match=True)
    assert "backend = systemd in [web]" in problem.cure
    _, (problem,) = look(tmp_path / "x.log", journal=True)
    assert "journalmatch" in problem.cure


def test_what_is_odd_beside_a_log_that_is_there_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    (tmp_path / "b.log").symlink_to("nowhere")
    found, (problem,) = look(tmp_path / "a.log", tmp_path / "b.log")
    assert (found, problem.severity) == (True, "warning")


def test_many_logs_are_not_all_named(tmp_path: Path) -> None:
    _, (problem,) = look(*(tmp_path / f"{n}.log" for n in range(10)))
    assert "and 7 more" in problem.what


@pytest.mark.parametrize("backend", ["systemd", "ledger"])
def test_a_jail_that_reads_no_file_is_left_alone(backend: str) -> None:
    settings = JailSettings(
        "web", FilterSettings("web"), backend=backend, uses_journal=backend == "systemd"
    )
    assert check_logs(Problems(), settings, has_journal=lambda: True)
