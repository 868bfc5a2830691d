"""Reads the pickles of Fail2Ban's clients as data: it can build plain values and nothing else.

A pickle is a program for a small stack machine (Lib/pickletools.py in CPython). This one
knows only those opcodes that push text, bytes, numbers, None, booleans, lists, tuples,
dictionaries and sets. What would import, call or build an object is refused, with one
exception that does nothing: a reference to `str`, which some clients send in front of a
text. Nothing here is given to `pickle`.

Protocols 0 to 5 are read. Python's clients send the newest, Go's (og-rek) protocol 2 with
byte strings for text (``SHORT_BINSTRING``), which are taken for UTF-8.
"""

import struct
from collections.abc import Callable
from typing import Any

from banish.control.fail2ban.answers import Value

DEPTH_LIMIT = 32
"""How deep values may be nested; Fail2Ban's own commands need four levels."""

ITEMS_LIMIT = 1_000_000
"""How many values one pickle may build, and how many it may remember."""

DIGITS_LIMIT = 40
"""Longest number in digits; no command takes one that needs more."""


class PickleRefusedError(ValueError):
    """The bytes are no pickle, or one of more than plain values."""


class _Mark:
    """Where a list, a tuple, a dictionary or a set begins on the stack."""


_MARK = _Mark()


class _Str:
    """Stands for the class `str`, which may be called with one text."""


_STR = _Str()

_STR_NAMES = frozenset({("builtins", "str"), ("__builtin__", "str"), ("__builtin__", "unicode")})


def unpickle(data: bytes) -> Value:
    """Return the value that *data* builds.

    Raises:
        PickleRefusedError: It builds none, or more than plain values, or goes past a limit.

    """
    try:
        return _Machine(data).run()
    except (IndexError, struct.error, UnicodeError, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, PickleRefusedError):
            raise
        raise PickleRefusedError("the bytes are no pickle") from error


class _Machine:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._depths: dict[int, int] = {}
        """How deep each container is nested, by its identity."""
        self._weights: dict[int, int] = {}
        """How many values each container comes to once references are followed."""
        self._inside: set[int] = set()
        """Containers that stand in others: they change no more, so nothing holds itself."""
        self._alive: list[object] = []
        """Containers, so that no identity is used twice."""
        self._steps = 0

    def run(self) -> Value:
        while self._at < len(self._data):
            self._steps += 1
            if self._steps > ITEMS_LIMIT:
                raise PickleRefusedError(f"it has more than {ITEMS_LIMIT} steps")
            code = self._data[self._at]
            self._at += 1
            if code == 0x2E:  # STOP
                if self._at != len(self._data):
                    raise PickleRefusedError("something stands behind its end")
                value = self._pop()
                if self._stack or isinstance(value, _Mark | _Str):
                    raise PickleRefusedError("it builds no value")
                return value
            work = _OPCODES.get(code)
            if work is None:
                raise PickleRefusedError(f"opcode 0x{code:02x} builds more than plain values")
            work(self)
        raise PickleRefusedError("it has no end")

    # -- bytes ----------------------------------------------------------------------

    def take(self, count: int) -> bytes:
        if count < 0 or self._at + count > len(self._data):
            raise PickleRefusedError("it ends in the middle")
        self._at += count
        return self._data[self._at - count : self._at]

    def skip(self, count: int) -> None:
        self.take(count)

    def number(self, form: str) -> int:
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def raw_line(self) -> bytes:
        end = self._data.find(b"\n", self._at)
        if end < 0:
            raise PickleRefusedError("it ends in the middle")
        line = self._data[self._at : end]
        self._at = end + 1
        return line

    def line(self) -> str:
        return self.raw_line().decode("ascii")

    # -- the stack ------------------------------------------------------------------

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        return self._stack.pop()

    def value(self) -> Any:
        """Pop a value; a mark or the class `str` is none."""
        value = self._stack.pop()
        if isinstance(value, _Mark | _Str):
            raise PickleRefusedError("it builds no value")
        return value

    def to_mark(self) -> list[Any]:
        """Pop all values down to the newest mark, and the mark."""
        at = len(self._stack) - 1
        while at >= 0 and self._stack[at] is not _MARK:
            at -= 1
        if at < 0:
            raise PickleRefusedError("a mark is missing")
        values = self._stack[at + 1 :]
        del self._stack[at:]
        if any(isinstance(each, _Str) for each in values):
            raise PickleRefusedError("it builds no value")
        return values

    def container(self, made: Any, values: list[Any]) -> None:
        """Push *made*, a new container that holds *values*."""
        self._alive.append(made)
        self._depths[id(made)] = self._weights[id(made)] = 1
        self._nest(made, values)
        self._stack.append(made)

    def _nest(self, container: Any, values: list[Any]) -> None:
        key = id(container)
        may_change = not isinstance(container, tuple | frozenset)
        if may_change and (key in self._inside or any(each is container for each in values)):
            raise PickleRefusedError("a list changes that stands in another one")
        deepest = max((self._depths.get(id(each), 0) for each in values), default=0)
        depth = max(self._depths[key], deepest + 1)
        if depth > DEPTH_LIMIT:
            raise PickleRefusedError(f"it is nested deeper than {DEPTH_LIMIT} levels")
        weight = self._weights[key] + sum(self._weights.get(id(each), 1) for each in values)
        if weight > ITEMS_LIMIT:
            raise PickleRefusedError(f"it comes to more than {ITEMS_LIMIT} values")
        self._depths[key], self._weights[key] = depth, weight
        self._inside.update(id(each) for each in values if id(each) in self._depths)

    def top(self, kind: type) -> Any:
        """Return the container of *kind* on top of the stack."""
        found = self._stack[-1]
        if type(found) is not kind:
            raise PickleRefusedError(f"no {kind.__name__} stands there")
        return found

    def extend(self, values: list[Any]) -> None:
        found = self.top(list)
        self._nest(found, values)
        found.extend(values)

    def update(self, values: list[Any]) -> None:
        found = self.top(dict)
        if len(values) % 2:
            raise PickleRefusedError("a key has no value")
        self._nest(found, values)
        for key, each in zip(values[::2], values[1::2], strict=True):
            found[key] = each

    def add(self, values: list[Any]) -> None:
        found = self.top(set)
        self._nest(found, values)
        found.update(values)

    # -- what is remembered -----------------------------------------------------------

    def put(self, key: int) -> None:
        self._memo[key] = self._stack[-1]

    def get(self, key: int) -> None:
        if key not in self._memo:
            raise PickleRefusedError("it refers to nothing")
        self._stack.append(self._memo[key])

    def memoize(self) -> None:
        self.put(len(self._memo))

    def pop_mark(self) -> None:
        self.to_mark()

    def pop(self) -> None:
        self._pop()

    def duplicate(self) -> None:
        self._stack.append(self._stack[-1])

    # -- the class str ------------------------------------------------------------------

    def reference(self, module: str, name: str) -> None:
        if (module, name) not in _STR_NAMES:
            raise PickleRefusedError(f"it refers to {module[:40]!r}.{name[:40]!r}")
        self._stack.append(_STR)

    def reduce(self) -> None:
        arguments, called = self._pop(), self._pop()
        is_text = isinstance(called, _Str) and type(arguments) is tuple and len(arguments) == 1
        if not is_text or not isinstance(arguments[0], str):
            raise PickleRefusedError("it calls something")
        self._stack.append(arguments[0])


def _decimal(text: str) -> int | bool:
    if text in ("00", "01"):  # how protocol 0 and 1 write booleans
        return text == "01"
    if len(text) > DIGITS_LIMIT:
        raise PickleRefusedError("a number is too long")
    return int(text)


def _text(machine: _Machine, form: str) -> None:
    machine.push(machine.take(machine.number(form)).decode("utf-8", "surrogatepass"))


def _byte_string(machine: _Machine, form: str) -> None:
    machine.push(machine.take(machine.number(form)).decode("utf-8", "surrogateescape"))


def _bytes(machine: _Machine, form: str) -> None:
    machine.push(machine.take(machine.number(form)))


def _long(machine: _Machine, form: str) -> None:
    raw = machine.take(machine.number(form))
    if len(raw) > DIGITS_LIMIT:
        raise PickleRefusedError("a number is too long")
    machine.push(int.from_bytes(raw, "little", signed=True))


def _quoted(machine: _Machine) -> None:
    text = machine.line()
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "'\"":
        raise PickleRefusedError("a text has no quotes")
    raw = text[1:-1].encode("ascii").decode("unicode_escape").encode("latin-1")
    machine.push(raw.decode("utf-8", "surrogateescape"))


def _unicode_line(machine: _Machine) -> None:
    machine.push(machine.raw_line().decode("raw_unicode_escape"))


def _tuple(count: int) -> Callable[[_Machine], None]:
    def work(machine: _Machine) -> None:
        values = [machine.value() for _ in range(count)][::-1]
        machine.container(tuple(values), values)

    return work


def _from_mark(kind: Callable[[list[Any]], Any]) -> Callable[[_Machine], None]:
    def work(machine: _Machine) -> None:
        values = machine.to_mark()
        machine.container(kind(values), values)

    return work


def _dict_of(values: list[Any]) -> dict[Any, Any]:
    if len(values) % 2:
        raise PickleRefusedError("a key has no value")
    return dict(zip(values[::2], values[1::2], strict=True))


def _setitem(machine: _Machine) -> None:
    value, key = machine.value(), machine.value()
    machine.update([key, value])


def _global(machine: _Machine) -> None:
    module = machine.line()
    machine.reference(module, machine.line())


def _stack_global(machine: _Machine) -> None:
    name, module = machine.value(), machine.value()
    if not isinstance(name, str) or not isinstance(module, str):
        raise PickleRefusedError("it refers to nothing")
    machine.reference(module, name)


_OPCODES: dict[int, Callable[[_Machine], None]] = {
    0x80: lambda machine: machine.skip(1),  # PROTO
    0x95: lambda machine: machine.skip(8),  # FRAME
    ord("("): lambda machine: machine.push(_MARK),
    ord("0"): _Machine.pop,
    ord("1"): _Machine.pop_mark,
    ord("2"): _Machine.duplicate,
    ord("N"): lambda machine: machine.push(None),
    0x88: lambda machine: machine.push(True),
    0x89: lambda machine: machine.push(False),
    ord("I"): lambda machine: machine.push(_decimal(machine.line())),
    ord("L"): lambda machine: machine.push(_decimal(machine.line().removesuffix("L"))),
    ord("J"): lambda machine: machine.push(machine.number("<i")),
    ord("K"): lambda machine: machine.push(machine.number("<B")),
    ord("M"): lambda machine: machine.push(machine.number("<H")),
    0x8A: lambda machine: _long(machine, "<B"),  # LONG1
    0x8B: lambda machine: _long(machine, "<i"),  # LONG4
    ord("F"): lambda machine: machine.push(float(machine.line()[:DIGITS_LIMIT])),
    ord("G"): lambda machine: machine.push(struct.unpack(">d", machine.take(8))[0]),
    ord("S"): _quoted,
    ord("T"): lambda machine: _byte_string(machine, "<i"),
    ord("U"): lambda machine: _byte_string(machine, "<B"),
    ord("V"): _unicode_line,
    ord("X"): lambda machine: _text(machine, "<I"),
    0x8C: lambda machine: _text(machine, "<B"),  # SHORT_BINUNICODE
    0x8D: lambda machine: _text(machine, "<Q"),  # BINUNICODE8
    ord("B"): lambda machine: _bytes(machine, "<I"),
    ord("C"): lambda machine: _bytes(machine, "<B"),
    0x8E: lambda machine: _bytes(machine, "<Q"),  # BINBYTES8
    ord(")"): _tuple(0),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    ord("t"): _from_mark(tuple),
    ord("]"): lambda machine: machine.container([], []),
    ord("l"): _from_mark(list),
    ord("a"): lambda machine: machine.extend([machine.value()]),
    ord("e"): lambda machine: machine.extend(machine.to_mark()),
    ord("}"): lambda machine: machine.container({}, []),
    ord("d"): _from_mark(_dict_of),
    ord("s"): _setitem,
    ord("u"): lambda machine: machine.update(machine.to_mark()),
    0x8F: lambda machine: machine.container(set(), []),  # EMPTY_SET
    0x90: lambda machine: machine.add(machine.to_mark()),  # ADDITEMS
    0x91: _from_mark(frozenset),  # FROZENSET
    ord("p"): lambda machine: machine.put(int(machine.line()[:DIGITS_LIMIT])),
    ord("q"): lambda machine: machine.put(machine.number("<B")),
    ord("r"): lambda machine: machine.put(machine.number("<I")),
    0x94: _Machine.memoize,
    ord("g"): lambda machine: machine.get(int(machine.line()[:DIGITS_LIMIT])),
    ord("h"): lambda machine: machine.get(machine.number("<B")),
    ord("j"): lambda machine: machine.get(machine.number("<I")),
    ord("c"): _global,
    0x93: _stack_global,
    ord("R"): _Machine.reduce,
}
"""Every opcode that is obeyed."""
