"""Looks into the Python file of an action without running it.

What can be known so: whether it is Python, which arguments its ``Action`` takes, and
whether it lets anybody in again, so that it keeps subjects out rather than only
tells of them. What is made when the file runs cannot be known; it is taken as right.
"""

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from banish.config.problem import FaultError, did_you_mean, shown
from banish.config.text import Text
from banish.model.settings import Place

SIZE_LIMIT_BYTES = 1_048_576
"""Largest file that is looked at."""

_ENDS = frozenset({"unban", "flush"})


class PythonFile(msgspec.Struct, frozen=True):
    """What is known of the file of an action."""

    path: str
    keeps_out: bool
    """Whether its class says what to do at the end of a ban, or might."""
    takes: frozenset[str] | None
    """The names of its arguments; None: any, or nobody knows."""
    needs: frozenset[str] = frozenset()
    """Those without which it cannot be made."""


def read_python_file(path: str, place: Place) -> PythonFile:
    """Return what is known of the action in the file at *path*, which *place* names.

    Raises:
        FaultError: It cannot be read, is no Python, or has no ``Action``.

    """
    try:
        with Path(path).open("rb") as file:
            code = file.read(SIZE_LIMIT_BYTES + 1)
        if len(code) > SIZE_LIMIT_BYTES:
            raise FaultError(f"{path} is larger than an action can be", place, "name another file")
        tree = ast.parse(code, path)
    except OSError as error:
        raise FaultError(f"{path} cannot be read: {error.strerror}", place) from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = error.lineno or 0 if isinstance(error, SyntaxError) else 0
        raise FaultError(
            f"{path} is not Python 3: {error}", Place(path, line),
            "fix the file; was it written for Python 2?",
        ) from error  # fmt: skip
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    named = _alias(tree.body)
    if named is None and "Action" not in classes:
        if any(isinstance(node, ast.ImportFrom | ast.If | ast.Try) for node in tree.body) and (
            "Action" in _words(tree)
        ):
            return PythonFile(path, keeps_out=True, takes=None)
        raise FaultError(
            f"{path} has no class Action", place, "end the file with: Action = TheNameOfItsClass"
        )
    return _of_class(path, named or "Action", classes)


def _words(tree: ast.Module) -> set[str]:
    """Return the names that *tree* gives to anything it imports or assigns anywhere."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.alias):
            found.add(node.asname or node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.ClassDef):
            found.add(node.name)
    return found


def _alias(body: Iterable[ast.stmt]) -> str | None:
    """Return the class that the last ``Action = ...`` names."""
    found = None
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id="Action")], value=ast.Name(id=name)):
                found = name
            case _:
                pass
    return found


def _of_class(path: str, name: str, classes: Mapping[str, ast.ClassDef]) -> PythonFile:
    """Return what is known of the class *name* and those of the file that it inherits from."""
    methods: dict[str, ast.FunctionDef] = {}
    is_whole = True
    waiting, seen = [name], set()
    while waiting:
        current = waiting.pop(0)
        if current in seen:
            continue
        seen.add(current)
        found = classes.get(current)
        if found is None:
            is_whole &= current in ("ActionBase", "object")
            continue
        for node in found.body:
            if isinstance(node, ast.FunctionDef):
                methods.setdefault(node.name, node)
        waiting += [_last_name(base) for base in found.bases]
    keeps_out = not is_whole or not _ENDS.isdisjoint(methods)
    made = methods.get("__init__")
    if made is None:
        return PythonFile(path, keeps_out, frozenset() if is_whole else None)
    arguments = [*made.args.posonlyargs, *made.args.args][3:]
    names = frozenset(each.arg for each in (*arguments, *made.args.kwonlyargs))
    least = len(arguments) - len(made.args.defaults)
    needs = {each.arg for each in arguments[: max(least, 0)]}
    needs |= {
        each.arg
        for each, value in zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True)
        if value is None
    }
    return PythonFile(path, keeps_out, None if made.args.kwarg else names, frozenset(needs))


def _last_name(base: ast.expr) -> str:
    match base:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def check_arguments(
    file: PythonFile, name: str, arguments: Mapping[str, Text], place: Place
) -> None:
    """See that the action of *file*, called *name*, can be made with *arguments*.

    Raises:
        FaultError: It cannot.

    """
    for option, value in arguments.items():
        if file.takes is not None and option not in file.takes:
            known = ", ".join(sorted(file.takes)) or "none"
            cure = did_you_mean(option, file.takes) or f"it takes: {known}"
            raise FaultError(f"{name} takes no {shown(option)}", value.place, cure)
    missing = sorted(file.needs - arguments.keys())
    if missing:
        raise FaultError(
            f"{name} needs {', '.join(missing)}", place, f"write {name}[{missing[0]}=...]"
        )
