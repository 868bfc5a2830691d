"""A file of others' is edited whole, and what they do meanwhile is not lost."""

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from banish.enforce.files import rewrite
from banish.enforce.files.rewrite import TRIES, TextFile
from banish.errors import EnforceError


def add(line: bytes) -> rewrite.Edit:
    return lambda text: text + line


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "hosts.deny"
    found.write_bytes(b"theirs\n")
    return found


def test_a_file_that_is_not_there_is_made_for_all_to_read(tmp_path: Path) -> None:
    file = TextFile(tmp_path / "new")
    assert (file.read(), file.stamp()) == (b"", None)
    file.edit(lambda text: text)
    assert file.stamp() is None
    file.edit(add(b"ours\n"))
    assert file.read() == b"ours\n"
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["new"]


def test_mode_owner_and_attributes_stay(path: Path) -> None:
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 12_345, 54_321)
    try:
        os.setxattr(path, "user.note", b"kept")
        notes = [b"kept"]
    except OSError:
        notes = []
    before = path.stat()
    TextFile(path).edit(add(b"ours\n"))
    after = path.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert [os.getxattr(path, "user.note") for _ in notes] == notes


def test_nothing_is_written_where_nothing_changes(path: Path) -> None:
    file = TextFile(path)
    before = file.stamp()
    file.edit(lambda text: text)
    assert file.stamp() == before


def test_a_symbolic_link_stays_one(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "far"
    folder.mkdir()
    link = folder / "link"
    link.symlink_to("../hosts.deny")
    TextFile(link).edit(add(b"ours\n"))
    assert link.is_symlink()
    assert path.read_bytes() == b"theirs\nours\n"
    assert os.listdir(folder) == ["link"]


def test_a_file_with_several_names_keeps_them(path: Path, tmp_path: Path) -> None:
    os.link(path, tmp_path / "other")
    TextFile(path).edit(lambda _: b"short\n")
    assert (tmp_path / "other").read_bytes() == b"short\n"
    assert path.stat().st_nlink == 2


def test_what_is_appended_right_before_or_after_the_rename_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    appended: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def append(when: str) -> None:
        if when not in appended:
            appended.append(when)
            with path.open("ab") as file:
                file.write(f"{when}\n".encode())

    def late_fsync(descriptor: int) -> None:
        append("before")
        fsync(descriptor)

    def late_rename(beside: Path, target: Path) -> Path:
        with path.open("ab") as file:
            moved = rename(beside, target)
            if "after" not in appended:
                appended.append("after")
                file.write(b"after\n")
        return moved

    monkeypatch.setattr(os, "fsync", late_fsync)
    monkeypatch.setattr(Path, "rename", late_rename)
    TextFile(path).edit(lambda text: text.removesuffix(b"ours\n") + b"ours\n")
    assert path.read_bytes() == b"theirs\nbefore\nafter\nours\n"


def test_a_file_that_another_puts_into_the_place_is_edited_instead(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    def edit(text: bytes) -> bytes:
        seen.append(text)
        if len(seen) == 1:
            other = path.with_name("other")
            other.write_bytes(b"newer\n")
            other.rename(path)
        return text + b"ours\n"

    TextFile(path).edit(edit)
    assert seen == [b"theirs\n", b"newer\n"]
    assert path.read_bytes() == b"newer\nours\n"


def test_a_file_that_another_takes_away_is_made_anew(path: Path) -> None:
    seen: list[bytes] = []

    def edit(text: bytes) -> bytes:
        seen.append(text)
        path.unlink(missing_ok=True)
        return text + b"ours\n"

    TextFile(path).edit(edit)
    assert seen == [b"theirs\n", b""]
    assert path.read_bytes() == b"ours\n"


def test_of_two_who_make_the_file_neither_loses(tmp_path: Path) -> None:
    path = tmp_path / "new"

    def edit(text: bytes) -> bytes:
        if not path.exists():
            path.write_bytes(b"theirs\n")
        return text + b"ours\n"

    TextFile(path).edit(edit)
    assert path.read_bytes() == b"theirs\nours\n"


def test_who_writes_all_the_time_is_named(path: Path) -> None:
    def edit(text: bytes) -> bytes:
        path.write_bytes(text + b"more\n")
        return text + b"ours\n"

    with pytest.raises(EnforceError, match="keeps writing to it"):
        TextFile(path).edit(edit)
    assert path.read_bytes() == b"theirs\n" + b"more\n" * TRIES
    assert os.listdir(path.parent) == ["hosts.deny"]


def test_what_is_no_file_or_far_too_long_is_left_alone(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(EnforceError, match="is no file"):
            TextFile(tmp_path / name).edit(add(b"x"))
    monkeypatch.setattr(rewrite, "LIMIT_BYTES", 3)
    with pytest.raises(EnforceError, match="longer than 3 bytes"):
        TextFile(path).read()


def test_a_file_that_may_not_be_written_is_named_with_the_cure(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = os.open

    def refuse(name: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_WRONLY:
            raise PermissionError(errno.EACCES, "Permission denied")
        return really_open(name, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(EnforceError, match=r"cannot write .*: Permission denied") as caught:
        TextFile(path).edit(add(b"x"))
    assert f"ReadWritePaths={path}" in caught.value.cure
    assert path.read_bytes() == b"theirs\n"


MOUNTED = """
mount --bind "$1" "$1"
{before}
{python} -c '
import os, sys
from pathlib import Path
from banish.enforce.files.rewrite import TextFile
path = Path(sys.argv[1])
inode = path.stat().st_ino
TextFile(path).edit(lambda text: b"a much longer text\\n" + text)
TextFile(path).edit(lambda text: b"short\\n")
assert path.stat().st_ino == inode
assert os.listdir(path.parent) == ["hosts.deny"], os.listdir(path.parent)
' "$1"
"""


@pytest.mark.system
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare of util-linux")
@pytest.mark.parametrize(
    "before",
    [
        pytest.param("", id="a mount point"),
        pytest.param(
            'mount --bind "${1%/*}" "${1%/*}" && mount -o remount,bind,ro "${1%/*}" && '
            'mount --bind "$2" "$1"',
            id="in a folder that may only be read",
        ),
    ],
)
def test_a_mount_point_is_written_in_place(
    path: Path, tmp_path_factory: pytest.TempPathFactory, before: str
) -> None:

    source = tmp_path_factory.mktemp("source") / "file"
    source.write_bytes(b"theirs\n")
    script = MOUNTED.format(python=sys.executable, before=before)
    subprocess.run(
        ["unshare", "--mount", "--propagation=private", "sh", "-euc", script, "sh", path, source],
        check=True,
        timeout=30,
    )
    assert b"short\n" in (path.read_bytes(), source.read_bytes())
