"""What was proven of a filter is kept, and nothing that others wrote counts as proven."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from banish.config import builtin_tree, load, stopwatch, verdicts, vetting
from banish.config.verdicts import Flaw, Verdicts, prover_files, verdicts_folder
from banish.model.settings import FilterSettings, Place, Problem, Regex
from tests.config.tree import WriteTree

pytestmark = pytest.mark.slow

TURNED = "^login of .*? from <HOST>(?:, .*)?$"
SAFE = r"^login of \S+ from <ADDR>$"
OTHER = r"^logon of \S+ from <ADDR>$"
FLAWS = (Flaw("failregex", 1, "it is wrong", "mend it:\n    so"),)


def filter_of(text: str = SAFE, line: int = 1, **options: object) -> FilterSettings:
    place = Place("web.conf", line)
    return msgspec.structs.replace(FilterSettings("web", (Regex(text, place),)), **options)


def kept(folder: Path, settings: FilterSettings, flaws: tuple[Flaw, ...] = FLAWS) -> Path:
    """Keep *flaws*, and return the file that they are in."""
    before = set(folder.glob("*")) if folder.exists() else set()
    them = Verdicts(folder)
    them.keep(settings, flaws)
    them.close()
    (file,) = set(folder.glob("*")) - before
    return file


def found(folder: Path, settings: FilterSettings) -> tuple[Flaw, ...] | None:
    them = Verdicts(folder)
    flaws = them.find(settings)
    them.close()
    return flaws


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "verdicts"


class Proven(list[FilterSettings]):
    """The filters that were proven, in their order."""


@pytest.fixture
def proven(monkeypatch: pytest.MonkeyPatch) -> Proven:
    noted = Proven()
    examine, clock = vetting._examine, stopwatch.time_each

    def examined(settings: FilterSettings) -> object:
        noted.append(settings)
        return examine(settings)

    def timed(filters: Sequence[FilterSettings]) -> object:
        noted.extend(filters)
        return clock(filters)

    monkeypatch.setattr(vetting, "_examine", examined)
    monkeypatch.setattr(vetting, "time_each", timed)
    return noted


def vetted(root: Path, folder: Path, *, is_read: bool = True) -> tuple[Problem, ...]:
    known = Verdicts(folder, is_read=is_read)
    return load(root, builtin=builtin_tree(), vet=True, verdicts=known).problems


def jail(*regexes: str, rest: str = "") -> dict[str, str]:
    lines = "\n    ".join(regexes)
    return {"jail.conf": f"[web]\nenabled=true\nlogpath=/dev/null\n{rest}failregex={lines}\n"}


def test_the_second_check_says_the_same_and_proves_nothing(
    write_tree: WriteTree, folder: Path, proven: Proven
) -> None:
    root = write_tree(jail(SAFE, TURNED, r"^(?:\w+\s?)*! <ADDR>$"))
    first = vetted(root, folder)
    assert len(first) == 2
    assert proven
    proven.clear()
    assert vetted(root, folder) == first
    assert proven == []


def test_a_regex_that_was_changed_is_proven_anew(
    write_tree: WriteTree, folder: Path, proven: Proven
) -> None:
    root = write_tree(jail(SAFE))
    assert vetted(root, folder) == ()
    (root / "jail.conf").write_text(jail(TURNED)["jail.conf"])
    proven.clear()
    assert len(vetted(root, folder)) == 1
    assert proven


def test_a_filter_that_has_moved_is_known_and_named_where_it_is(
    write_tree: WriteTree, folder: Path, proven: Proven
) -> None:
    root = write_tree(jail(SAFE, TURNED))
    (before,) = vetted(root, folder)
    (root / "jail.conf").write_text("# new\n" + jail(SAFE, TURNED)["jail.conf"])
    proven.clear()
    (after,) = vetted(root, folder)
    assert proven == []
    assert before.place
    assert after.place == Place(before.place.path, before.place.line + 1)


def test_when_asked_all_is_proven_anew_and_replaces_what_was_kept(
    write_tree: WriteTree, folder: Path, proven: Proven
) -> None:
    root = write_tree(jail(SAFE))
    vetted(root, folder)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'"flaws":[]', b'"flaws":[["failregex"]]'))
    proven.clear()
    assert vetted(root, folder, is_read=False) == ()
    assert proven
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    "other",
    [
        filter_of(OTHER),
        filter_of(prefregex=Regex("^x <F-CONTENT>.*</F-CONTENT>$")),
        filter_of(ignoreregex=(Regex("x"),)),
        filter_of(datepattern=Regex("^%Y")),
        filter_of(maxlines=2),
        filter_of(usedns="no"),
        filter_of(ambiguous="last"),
        filter_of(countrepeated=False),
        filter_of(logtimezone="UTC+0200"),
    ],
)
def test_what_a_verdict_follows_from_is_part_of_its_name(
    folder: Path, other: FilterSettings
) -> None:
    kept(folder, filter_of())
    assert found(folder, filter_of(line=7)) == FLAWS
    assert found(folder, other) is None


def test_another_prover_or_processor_knows_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(folder, filter_of())
    with monkeypatch.context() as patch:
        patch.setattr(verdicts, "_processor", lambda: ["model name: another"])
        assert found(folder, filter_of()) is None
    with monkeypatch.context() as patch:
        patch.setattr(sys, "version", sys.version + " next")
        assert found(folder, filter_of()) is None
    files = prover_files()
    changed = tmp_path / "package" / "detect" / files[0].name
    changed.parent.mkdir(parents=True)
    changed.write_text(files[0].read_text() + "# changed\n")
    monkeypatch.setattr(verdicts, "prover_files", lambda: [changed, *files[1:]])
    monkeypatch.setattr(Path, "relative_to", lambda self, *_: self)
    assert found(folder, filter_of()) is None


def test_all_that_the_prover_stands_on_is_in_the_digest() -> None:
    code = (
        "import sys, banish.detect.vetting; "
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('banish.')))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    ).stdout.split()
    assert len(loaded) > 20
    own = {vetting.__file__, stopwatch.__file__, verdicts.__file__}
    assert {Path(name) for name in (*loaded, *own)} <= set(prover_files())


def test_without_its_source_nothing_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "prover_files", list)
    them = Verdicts(folder)
    them.keep(filter_of(), FLAWS)
    assert them.find(filter_of()) is None
    them.close()
    assert not folder.exists()


HOSTILE = {
    "nothing": b"",
    "no JSON": b"{{",
    "half": b'{"key":"KEY","fla',
    "not UTF-8": b'{"key":"KEY","flaws":[{"option":"failregex","rule":1,"what":"\xff","cure":""}]}',
    "another type": b'{"key":"KEY","flaws":"none"}',
    "a field more": b'{"key":"KEY","flaws":[],"safe":true}',
    "another key": b'{"key":"' + b"0" * 64 + b'","flaws":[]}',
    "another option": b'{"key":"KEY","flaws":[{"option":"bantime","rule":1,"what":"","cure":""}]}',
    "no such regex": b'{"key":"KEY","flaws":[{"option":"failregex","rule":9,"what":"","cure":""}]}',
    "below 1": b'{"key":"KEY","flaws":[{"option":"failregex","rule":-1,"what":"","cure":""}]}',
    "no prefregex": b'{"key":"KEY","flaws":[{"option":"prefregex","rule":0,"what":"","cure":""}]}',
    "huge number": b'{"key":"KEY","flaws":[{"option":"failregex","rule":'
    + b"9" * 400
    + b',"what":"","cure":""}]}',
    "terminal": b'{"key":"KEY","flaws":[{"option":"failregex","rule":1,"what":"\\u001b[2J",'
    b'"cure":""}]}',
    "deep": b"[" * 100_000,
    "too large": b'{"key":"KEY","flaws":[]}' + b" " * verdicts.VERDICT_LIMIT_BYTES,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_broken_or_hostile_file_does_not_count(folder: Path, kind: str) -> None:
    file = kept(folder, filter_of())
    file.write_bytes(HOSTILE[kind].replace(b"KEY", file.stem.encode()))
    assert found(folder, filter_of()) is None


def test_a_broken_file_changes_no_verdict_and_is_written_anew(
    write_tree: WriteTree, folder: Path
) -> None:
    root = write_tree(jail(TURNED))
    first = vetted(root, folder)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert vetted(root, folder) == first
    assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_made_is_no_error(write_tree: WriteTree, tmp_path: Path) -> None:
    root = write_tree(jail(TURNED))
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "verdicts", tmp_path / "file", Path("/proc/none/verdicts")):
        assert len(vetted(root, folder)) == 1


def test_what_was_not_timed_to_its_end_is_not_kept(
    write_tree: WriteTree, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_tree(jail(r"^(?:\w+\s?)*! <ADDR>$"))

    def late(*_arguments: object, **_options: object) -> None:
        raise subprocess.TimeoutExpired("child", 60.0, output=b"")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", late)
        assert vetted(root, folder) == ()
    assert list(folder.iterdir()) == []
    assert len(vetted(root, folder)) == 1


def test_the_folder_is_of_the_state_of_root_or_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert verdicts_folder("s") == tmp_path / "s" / "verdicts"
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert verdicts_folder(None) == Path("/var/cache/banish/verdicts")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert verdicts_folder(None) == Path("/x/banish/verdicts")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", "/h")
    assert verdicts_folder(None) == Path("/h/.cache/banish/verdicts")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert verdicts_folder(None) == Path("/h/.cache/banish/verdicts")
