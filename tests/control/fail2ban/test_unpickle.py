"""Pickles are data: plain values come out, and everything else is refused."""

import contextlib
import os
import pickle
import pickletools
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.control.fail2ban.answers import CommandError
from banish.control.fail2ban.pickling import pickled, pickled_error, pickled_reply
from banish.control.fail2ban.unpickle import DEPTH_LIMIT, PickleRefusedError, unpickle

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), texts, st.floats(allow_nan=False)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(texts, inner, max_size=5)
    ),
    max_leaves=20,
)


@given(values, st.integers(0, 5))
def test_what_python_pickles_comes_out_as_it_was(value: object, protocol: int) -> None:
    assert unpickle(pickle.dumps(value, protocol)) == value


@given(values)
def test_what_we_pickle_python_reads_and_so_do_we(value: object) -> None:
    assert pickle.loads(pickled(value)) == value
    assert unpickle(pickled(value)) == value
    assert pickle.loads(pickled_reply(0, value)) == (0, value)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5))
def test_numbers_that_fit_are_written_in_at_most_four_bytes(numbers: list[int]) -> None:
    names = {opcode.name for opcode, _, _ in pickletools.genops(pickled(numbers))}
    assert names <= {"PROTO", "EMPTY_LIST", "MARK", "BININT1", "BININT", "APPENDS", "STOP"}


def test_sets_and_bytes_are_read() -> None:
    value = [{1, 2}, frozenset("a"), b"x"]
    assert unpickle(pickle.dumps(value, 5)) == value


@pytest.mark.parametrize(
    "data",
    [
        b"(S'ping'\nS'100'\nl.",  # protocol 0 of Python 2
        b"\x80\x02](U\x04pingU\x03100e.",  # og-rek: byte strings
        b"\x80\x02](T\x04\x00\x00\x00pingX\x03\x00\x00\x00100e.",
        b"\x80\x02](cbuiltins\nstr\nX\x04\x00\x00\x00ping\x85RX\x03\x00\x00\x00100e.",
    ],
)
def test_other_languages_write_the_same_command(data: bytes) -> None:
    assert unpickle(data) == ["ping", "100"]


class Evil:
    def __init__(self, called: object, *arguments: object) -> None:
        self.how = (called, arguments)

    def __reduce__(self) -> Any:
        return self.how


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "evil",
    [
        Evil(os.system, "touch /tmp/banish-must-not-be"),
        Evil(subprocess.call, ["true"]),
        Evil(eval, "1"),
        Evil(getattr, "x", "upper"),
        Evil(str, b"x", "ascii"),
        CommandError("a", "b"),
        os.system,
        object(),
        range(3),
        bytearray(b"x"),
        2 + 3j,
    ],
    ids=lambda each: type(each).__name__,
)
def test_nothing_is_imported_called_or_built(evil: object, protocol: int) -> None:
    with pytest.raises(PickleRefusedError):
        unpickle(pickle.dumps([evil], protocol))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"N",
        b"N.N.",
        b"(.",
        b"(N.",
        b"a.",
        b"]s.",
        b"h\x00.",
        b"\x80\x02cbuiltins\nstr\n.",
        b"](cbuiltins\nstr\ne.",
        b"cbuiltins\nstr\nK\x01\x85R.",
        b"]q\x00h\x00a.",
        b"}(Nu.",
        b"}(](Ku.",
        b"X\xff\xff\xff\xffabc.",
        b"T\xff\xff\xff\xffabc.",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc.",
        b"I" + b"9" * 5_000 + b"\n.",
        b"\x8b\xff\xff\xff\x7f.",
        b"S'x\n.",
        b"S'\\\n.",
        b"Vx",
        b"](}e" * 1 + b"]N\x90.",
        b"}]Ns.",
        b"]" * 100 + b"a" * 99 + b".",
        b"(" * 100_000 + b"t" * 100_000 + b".",
        b"]q\x002h\x00a" * 10 + b".",
    ],
)
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(PickleRefusedError):
        unpickle(data)


def test_deep_nesting_is_refused_and_what_is_needed_is_not() -> None:
    deep: list[object] = []
    for _ in range(DEPTH_LIMIT - 1):
        deep = [deep]
    assert unpickle(pickle.dumps(deep)) == deep
    with pytest.raises(PickleRefusedError, match="nested deeper"):
        unpickle(pickle.dumps([deep]))


def test_what_doubles_with_each_step_is_refused() -> None:
    """It is small here, but an answer that repeats it would fill the memory."""
    value: list[object] = ["x"]
    for _ in range(DEPTH_LIMIT - 2):
        value = [value, value]
    with pytest.raises(PickleRefusedError, match="comes to more"):
        unpickle(pickle.dumps(value))
    assert unpickle(pickle.dumps([["a"]] * 3)) == [["a"]] * 3


def test_nothing_holds_itself() -> None:
    value: list[object] = []
    value.append([value])
    with pytest.raises(PickleRefusedError):
        unpickle(pickle.dumps(value))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_or_plain(data: bytes) -> None:
    try:
        value = unpickle(data)
    except PickleRefusedError:
        return
    assert unpickle(pickled(value)) is not Ellipsis


@given(values, st.integers(0, 5), st.data())
def test_a_damaged_pickle_is_refused_or_plain(
    value: object, protocol: int, data: st.DataObject
) -> None:
    whole = bytearray(pickle.dumps(value, protocol))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PickleRefusedError):
        unpickle(bytes(whole))


@pytest.mark.parametrize(
    ("kind", "made"),
    [("ValueError", ValueError), ("IndexError", IndexError), ("Whatever", Exception)],
)
def test_an_error_is_an_exception_of_its_kind(kind: str, made: type[Exception]) -> None:
    code, error = pickle.loads(pickled_error(CommandError(kind, "no")))
    assert code == 1
    assert type(error) is made
    assert error.args == ("no",)


def test_a_reply_of_something_else_is_a_bug() -> None:
    with pytest.raises(TypeError):
        pickled(object())
