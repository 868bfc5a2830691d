"""Logs that are complete, read once."""

import gzip
import io
import os
from pathlib import Path

import pytest

from banish.errors import SourceError
from banish.model.record import LINE_LIMIT_BYTES, FilePosition
from banish.sources.replay import read_log


def test_a_path_is_read_to_its_end_and_the_last_line_gets_one(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"one\r\ntwo")
    batches = list(read_log(log))
    assert b"".join(batch.block for batch in batches) == b"one\r\ntwo\n"
    assert [batch.start for batch in batches] == [0, 5]
    assert not any(batch.live for batch in batches)
    assert {batch.path for batch in batches} == {str(log)}
    last = batches[-1].after
    assert isinstance(last, FilePosition)
    assert last.offset == 8


def test_gzip_is_unpacked_from_a_path_and_from_a_stream(tmp_path: Path) -> None:
    text = b"".join(b"line %d\n" % number for number in range(100_000))
    packed = tmp_path / "app.log.2.gz"
    packed.write_bytes(gzip.compress(text[:700_000]) + gzip.compress(text[700_000:]))
    for log in (str(packed), io.BytesIO(packed.read_bytes())):
        batches = list(read_log(log))
        assert b"".join(batch.block for batch in batches) == text
        assert all(text.startswith(batch.block, batch.start) for batch in batches)


def test_a_stream_is_read_as_it_comes_and_left_open() -> None:
    reader, writer = os.pipe()
    with open(reader, "rb") as stream, open(writer, "wb", buffering=0) as pipe:
        batches = read_log(stream, name="<stdin>")
        pipe.write(b"one\n")
        assert next(batches).block == b"one\n"
        pipe.write(b"two\n")
        assert next(batches).path == "<stdin>"
        pipe.close()
        assert list(batches) == []
        assert not stream.closed


def test_a_line_over_the_limit_comes_alone_and_cut() -> None:
    text = b"a\n" + b"x" * (LINE_LIMIT_BYTES + 1) + b"\nb\n"
    batches = list(read_log(io.BytesIO(text)))
    assert [batch.cut for batch in batches] == [0, 1, 0]


def test_an_empty_log_has_no_batches() -> None:
    assert list(read_log(io.BytesIO(b""))) == []


def test_what_cannot_be_read_is_an_error_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"missing\.log: no such file"):
        list(read_log(tmp_path / "missing.log"))
    with pytest.raises(SourceError, match="directory"):
        list(read_log(tmp_path))
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(b"one\n" * 10_000)[:-20])
    with pytest.raises(SourceError, match=r"broken\.gz"):
        list(read_log(broken))
