"""A folder is used only if it is ours, and reached by nobody else's links."""

import os
from pathlib import Path

import pytest

from banish.config.ownfolder import open_folder

NOBODY = 65_534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")


@needs_root
def test_a_folder_or_link_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, NOBODY, NOBODY)
    with pytest.raises(PermissionError):
        open_folder(theirs)
    ours = tmp_path / "ours"
    ours.mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to(ours)
    os.close(open_folder(link / "verdicts"))  # root's own link
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(PermissionError):
        open_folder(link / "verdicts")


def test_links_of_ones_own_are_followed_but_not_for_ever(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "relative").symlink_to("a/../a")
    (tmp_path / "absolute").symlink_to(tmp_path / "relative")
    os.close(open_folder(tmp_path / "absolute" / "verdicts"))
    assert (tmp_path / "a" / "verdicts").is_dir()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(PermissionError, match="links"):
        open_folder(tmp_path / "loop")
