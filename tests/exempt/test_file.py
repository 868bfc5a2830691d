import os
from pathlib import Path

from banish.exempt.file import MOST_CHECKS, AddressFile
from banish.model.address import parse_subject
from banish.policy.addresslist import AddressList


def told(file: AddressFile) -> list[str]:
    texts = [event.text().split(": ", 1)[1] for event in file.news]
    file.news.clear()
    return texts


def holds(members: AddressList | None, text: str) -> bool:
    assert members is not None
    return members.addresses.overlaps(parse_subject(text))


def test_the_first_look_reads_and_an_unchanged_file_is_read_no_more(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("192.0.2.1\n")
    file = AddressFile(str(path))
    assert holds(file.check(), "192.0.2.1")
    assert file.check() is None
    assert not told(file)


def test_a_change_counts_once_the_file_has_come_to_rest(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("192.0.2.1\n")
    file = AddressFile(str(path))
    file.check()
    path.write_text("10.0.0.0/1")
    assert file.check() is None
    path.write_text("10.0.0.0/16\n")
    assert file.check() is None
    members = file.check()
    assert holds(members, "10.0.0.1")
    assert not holds(members, "10.1.0.1")
    assert not holds(members, "192.0.2.1")


def test_a_file_put_in_its_place_counts_too(tmp_path: Path) -> None:
    path, new = tmp_path / "list", tmp_path / "new"
    path.write_text("192.0.2.1\n")
    file = AddressFile(str(path))
    file.check()
    new.write_text("192.0.2.2\n")
    os.utime(new, ns=(path.stat().st_mtime_ns,) * 2)
    new.rename(path)
    assert file.check() is None
    assert holds(file.check(), "192.0.2.2")


def test_a_file_that_never_comes_to_rest_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("192.0.2.1\n")
    file = AddressFile(str(path))
    file.check()
    for number in range(MOST_CHECKS - 1):
        path.write_text("192.0.2.2\n" * (number + 2))
        assert file.check() is None
    path.write_text("192.0.2.3\n")
    assert holds(file.check(), "192.0.2.3")


def test_a_list_that_vanishes_is_told_once_and_so_is_its_return(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("192.0.2.1\n")
    file = AddressFile(str(path))
    file.check()
    path.rename(tmp_path / "away")
    assert (file.check(), file.check()) == (None, None)
    assert told(file) == ["keeps what it held: No such file or directory"]
    (tmp_path / "away").rename(path)
    assert file.check() is None
    assert told(file) == ["works again"]


def test_a_list_that_is_not_there_yet_is_read_when_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "list"
    file = AddressFile(str(path))
    assert file.check() is None
    assert told(file) == ["exempts nobody: No such file or directory"]
    path.write_text("192.0.2.1\n")
    assert holds(file.check(), "192.0.2.1")
    assert told(file) == ["works again"]


def test_what_is_no_plain_file_or_too_long_keeps_what_it_held(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("192.0.2.1\n")
    file = AddressFile(str(path), limit_bytes=20)
    file.check()
    path.write_text("192.0.2.1\n192.0.2.123\n")
    assert (file.check(), file.check()) == (None, None)
    path.unlink()
    os.mkfifo(path)
    assert (file.check(), file.check()) == (None, None)
    assert told(file) == [
        "keeps what it held: it is longer than 20 bytes",
        "keeps what it held: it is not a regular file",
    ]


def test_entries_that_exempt_nobody_are_told_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"192.0.2.999\n10.0.0\n2001::x\n1/2\n\xff.example\n")
    file = AddressFile(str(path))
    assert file.check() is not None
    (what,) = told(file)
    assert "192.0.2.999 (line 1), 10.0.0 (line 2), 2001::x (line 3) and 1 more" in what
