"""Files of verdicts are whole, their owner's alone, and not without number."""

import os
import threading
from pathlib import Path

import pytest

from banish.config import verdicts
from banish.config.verdicts import Flaw, Verdicts
from tests.config.test_verdicts import FLAWS, filter_of, found, kept

NOBODY = 65_534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "verdicts"


@pytest.mark.parametrize("kind", ["link", "fifo", "writable", "folder"])
def test_what_is_no_file_of_ours_alone_does_not_count(folder: Path, kind: str) -> None:
    file = kept(folder, filter_of())
    if kind == "link":
        file.rename(folder / "elsewhere")
        file.symlink_to(folder / "elsewhere")
    elif kind == "writable":
        file.chmod(0o666)
    else:
        file.unlink()
        os.mkfifo(file) if kind == "fifo" else file.mkdir()
    assert found(folder, filter_of()) is None
    them = Verdicts(folder)
    them.keep(filter_of(), FLAWS)  # raises nothing, a folder in its place or not
    them.close()
    assert (found(folder, filter_of()) == FLAWS) is (kind != "folder")
    assert [each.name for each in folder.glob("*.new")] == []


@needs_root
def test_a_file_of_somebody_else_does_not_count(folder: Path) -> None:
    file = kept(folder, filter_of())
    os.chown(file, NOBODY, NOBODY)
    assert found(folder, filter_of()) is None
    them = Verdicts(folder)
    them.keep(filter_of(), ())
    them.close()
    assert found(folder, filter_of()) == ()
    assert file.stat().st_uid == 0


def test_folders_and_files_are_for_their_owner_only(folder: Path) -> None:
    before = os.umask(0)
    try:
        file = kept(folder, filter_of())
    finally:
        os.umask(before)
    assert [each.stat().st_mode & 0o777 for each in (folder.parent, folder, file)] == [
        0o700, 0o700, 0o600,
    ]  # fmt: skip


def test_a_folder_that_others_may_write_is_not_used(folder: Path) -> None:
    kept(folder, filter_of())
    folder.chmod(0o777)
    assert found(folder, filter_of()) is None


def test_a_full_disk_leaves_no_piece_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_names: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    them = Verdicts(folder)
    them.keep(filter_of(), FLAWS)
    them.close()
    assert list(folder.iterdir()) == []


def test_the_oldest_go_first_and_only_files_of_our_making(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [kept(folder, filter_of(f"^{at} <ADDR>$")) for at in range(4)]
    leftover = folder / f"{'a' * 64}.{'b' * 16}.new"
    foreign = folder / "notes.txt"
    for each in (leftover, foreign):
        each.write_text("")
        os.utime(each, (1, 1))
    for at, each in enumerate(files, 2):
        os.utime(each, (at, at))
    assert found(folder, filter_of("^0 <ADDR>$")) == FLAWS  # so it is the newest
    monkeypatch.setattr(verdicts, "VERDICTS_LIMIT", 2)
    Verdicts(folder).close()
    assert len(list(folder.iterdir())) == 6  # nothing was asked for
    found(folder, filter_of("^0 <ADDR>$"))
    assert set(folder.iterdir()) == {files[0], files[3], foreign}
    monkeypatch.setattr(verdicts, "FOLDER_LIMIT_BYTES", files[0].stat().st_size)
    found(folder, filter_of("^0 <ADDR>$"))
    assert set(folder.iterdir()) == {files[0], foreign}


def test_a_verdict_that_is_too_large_is_not_kept(folder: Path) -> None:
    huge = (Flaw("failregex", 1, "x" * verdicts.VERDICT_LIMIT_BYTES, ""),)
    them = Verdicts(folder)
    them.keep(filter_of(), huge)
    them.close()
    assert list(folder.iterdir()) == []


def test_checks_at_once_do_not_disturb_each_other(folder: Path) -> None:
    wrong: list[object] = []

    def work() -> None:
        for at in range(60):
            them = Verdicts(folder)
            known = them.find(filter_of(f"^{at % 6} <ADDR>$"))
            if known not in (None, FLAWS):
                wrong.append(known)
            them.keep(filter_of(f"^{at % 6} <ADDR>$"), FLAWS)
            them.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []
    assert len(list(folder.iterdir())) == 6
    assert all(found(folder, filter_of(f"^{at} <ADDR>$")) == FLAWS for at in range(6))
