"""What is known of an action's Python file without running it."""

from pathlib import Path

import pytest

from banish.config.problem import FaultError
from banish.config.pythonfiles import SIZE_LIMIT_BYTES, check_arguments, read_python_file
from banish.config.text import single
from banish.model.settings import Place
from tests.compat.conftest import stock_package, stock_tree

__all__ = ["stock_package", "stock_tree"]

HERE = Place("jail.local", 7)
CLASS = (
    "class A(ActionBase):\n    def __init__(self, jail, name{}): pass\n    def ban(self, i): pass\n"
)


def written(folder: Path, code: str) -> str:
    path = folder / "act.py"
    path.write_text(code)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "takes", "needs"),
    [
        ("", frozenset(), frozenset()),
        (", host, dest='root'", frozenset({"host", "dest"}), frozenset({"host"})),
        (", *, host, dest='root'", frozenset({"host", "dest"}), frozenset({"host"})),
        (", host=None, **kwargs", None, frozenset()),
    ],
)
def test_arguments_are_those_of_its_class(
    tmp_path: Path, arguments: str, takes: frozenset[str] | None, needs: frozenset[str]
) -> None:
    file = read_python_file(written(tmp_path, CLASS.format(arguments) + "Action = A\n"), HERE)
    assert (file.takes, file.needs, file.keeps_out) == (takes, needs, False)


@pytest.mark.parametrize(
    ("code", "keeps_out"),
    [
        ("class Action(ActionBase): pass\n", False),
        ("class Action(ActionBase):\n    def unban(self, aInfo): pass\n", True),
        ("class A(ActionBase):\n    def flush(self): pass\nclass Action(A): pass\n", True),
        ("class Action(module.ActionBase): pass\n", False),
        ("class Action(CommandAction): pass\n", True),
        ("class Action(make()): pass\n", True),
        ("class Action(Action): pass\n", False),
        ("from other import Action\n", True),
    ],
)
def test_what_lets_in_again_keeps_out(tmp_path: Path, code: str, keeps_out: bool) -> None:
    assert read_python_file(written(tmp_path, code), HERE).keeps_out == keeps_out


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("print 'old'\n", "is not Python 3"),
        ("x = '\0'\n", "is not Python 3"),
        ("import os\n", "has no class Action"),
        ("#" * (SIZE_LIMIT_BYTES + 1), "larger"),
    ],
)
def test_a_file_that_is_no_action_is_refused(tmp_path: Path, code: str, what: str) -> None:
    with pytest.raises(FaultError, match=what) as caught:
        read_python_file(written(tmp_path, code), HERE)
    assert caught.value.cure


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="cannot be read"):
        read_python_file(str(tmp_path / "none.py"), HERE)


def test_the_stock_smtp_action_tells_and_is_checked(stock_tree: Path) -> None:
    file = read_python_file(str(stock_tree / "action.d" / "smtp.py"), HERE)
    assert not file.keeps_out
    check_arguments(file, "smtp.py", {"host": single("localhost", HERE)}, HERE)
    with pytest.raises(FaultError, match=r'smtp.py takes no "hots"') as caught:
        check_arguments(file, "smtp.py", {"hots": single("localhost", HERE)}, HERE)
    assert '"host"' in caught.value.cure
