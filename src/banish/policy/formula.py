"""The small arithmetic language of ``bantime.factor`` and ``bantime.formula``.

Fail2Ban evaluates both as Python (``Jail.setBanTimeExtra`` in
fail2ban/server/jail.py, 1.1.1). Here Python's own parser reads the text, so
precedence is exactly Python's, and only what computes a number is let through:
numbers, ``ban.Time``, ``ban.Count``, ``banFactor``, ``+ - * / // % ** << >>``,
comparisons, ``and or not``, ``a if c else b``, and the functions in `FUNCTIONS`.
Nothing is ever evaluated as Python. All values are floats, so no operator can
build a number that takes long to compute.
"""

import ast
import math
import operator
from collections.abc import Callable

import msgspec

from banish.model.instant import Seconds

MAX_CHARACTERS = 300
"""Longest formula; bounds how deep it nests. Those seen in the field have some 60."""


class Terms(msgspec.Struct, frozen=True):
    """What the names in a formula stand for."""

    time: Seconds
    """``ban.Time``: the jail's own bantime."""
    count: int
    """``ban.Count``: how many bans of the subject came before this one."""
    factor: float = 1.0
    """``banFactor``."""


_Node = Callable[[Terms], float]


def _root(value: float) -> float:
    return math.sqrt(value)


def _whole(value: float) -> float:
    return float(math.trunc(value))


def _log(value: float, *base: float) -> float:
    return math.log(value, *base)


FUNCTIONS: dict[str, tuple[Callable[..., float], int, int]] = {
    "float": (float, 1, 1),
    "int": (_whole, 1, 1),
    "abs": (abs, 1, 1),
    "round": (lambda value: float(round(value)), 1, 1),
    "min": (min, 2, 8),
    "max": (max, 2, 8),
    "pow": (math.pow, 2, 2),
    "math.exp": (math.exp, 1, 1),
    "math.log": (_log, 1, 2),
    "math.log2": (math.log2, 1, 1),
    "math.log10": (math.log10, 1, 1),
    "math.sqrt": (_root, 1, 1),
    "math.pow": (math.pow, 2, 2),
    "math.floor": (lambda value: float(math.floor(value)), 1, 1),
    "math.ceil": (lambda value: float(math.ceil(value)), 1, 1),
}
"""Each function that a formula may call, with its least and greatest number of arguments."""

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,
    ast.LShift: lambda left, right: math.ldexp(left, int(right)),
    ast.RShift: lambda left, right: float(math.floor(math.ldexp(left, -int(right)))),
}

_COMPARE: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}

_UNARY: dict[type[ast.unaryop], Callable[[float], float]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: lambda value: float(not value),
}

_NAMES: dict[str, _Node] = {
    "ban.Time": lambda terms: float(terms.time),
    "ban.Count": lambda terms: float(terms.count),
    "banFactor": lambda terms: terms.factor,
    "math.e": lambda _: math.e,
    "math.pi": lambda _: math.pi,
}


class Formula:
    """A formula that was read and found fit to compute."""

    def __init__(self, text: str) -> None:
        """Read *text*.

        Raises:
            ValueError: *text* is no formula; the message says what in it is wrong.

        """
        if len(text) > MAX_CHARACTERS:
            raise ValueError(f"longer than {MAX_CHARACTERS} characters")
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except SyntaxError as error:
            raise ValueError(f"not a formula: {error.msg}") from error
        self.text = text
        self._node = _read(tree.body)

    def value(self, terms: Terms) -> float:
        """Return what the formula comes to; infinity where that is too large for a float.

        Raises:
            ValueError: There is no answer for *terms*, such as a division by zero.

        """
        try:
            result = self._node(terms)
        except OverflowError:
            return math.inf
        except ArithmeticError as error:
            raise ValueError(str(error)) from error
        if math.isnan(result):
            raise ValueError("the result is not a number")
        return result


def _read(node: ast.expr) -> _Node:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _constant(value)
        case ast.Name() | ast.Attribute():
            return _name(node)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _apply(_UNARY[type(op)], [_read(operand)])
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _apply(_BINARY[type(op)], [_read(left), _read(right)])
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _comparison(left, ops, others)
        case ast.BoolOp(op=op, values=values):
            return _choice([_read(value) for value in values], stop_at=isinstance(op, ast.Or))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _condition(_read(test), _read(body), _read(orelse))
        case ast.Call(func=function, args=arguments, keywords=[]):
            return _call(function, arguments)
        case _:
            raise ValueError(f"{ast.unparse(node)!r} has no place in a formula")


def _constant(value: float) -> _Node:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    return lambda _: number


def _name(node: ast.expr) -> _Node:
    text = ast.unparse(node)
    found = _NAMES.get(text)
    if found is None:
        raise ValueError(f"{text!r} is not known; there are {', '.join(_NAMES)}")
    return found


def _apply(function: Callable[..., float], arguments: list[_Node]) -> _Node:
    return lambda terms: function(*[argument(terms) for argument in arguments])


def _comparison(left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr]) -> _Node:
    if len(ops) != 1 or type(ops[0]) not in _COMPARE:
        raise ValueError("compare two numbers with one of < <= > >= == !=")
    return _apply(_COMPARE[type(ops[0])], [_read(left), _read(others[0])])


def _choice(values: list[_Node], *, stop_at: bool) -> _Node:
    def choose(terms: Terms) -> float:
        for value in values[:-1]:
            result = value(terms)
            if bool(result) is stop_at:
                return result
        return values[-1](terms)

    return choose


def _condition(test: _Node, body: _Node, orelse: _Node) -> _Node:
    return lambda terms: body(terms) if test(terms) else orelse(terms)


def _call(function: ast.expr, arguments: list[ast.expr]) -> _Node:
    name = ast.unparse(function)
    found = FUNCTIONS.get(name)
    if found is None:
        raise ValueError(f"function {name!r} is not known; there are {', '.join(FUNCTIONS)}")
    call, least, greatest = found
    if not least <= len(arguments) <= greatest:
        wanted = str(least) if least == greatest else f"{least} to {greatest}"
        raise ValueError(f"{name}() takes {wanted} arguments, not {len(arguments)}")
    return _apply(call, [_read(argument) for argument in arguments])
