"""The options of an add-on are read from the fields of its structs."""

from typing import Annotated, Literal

import msgspec
import pytest

from banish.addon.options import Bounds, Choices, FilePath, MailAddresses, Url, options_of
from banish.model.instant import Seconds
from banish.model.option import LARGEST, Option


class Base(msgspec.Struct):
    wait: Annotated[Seconds, "How long."] = Seconds(90)
    kept: Annotated[str, "Of the base."] = "x"


class All(Base):
    to: Annotated[MailAddresses, "Who."] = ("a", "b")
    port: Annotated[int, "Which.", Bounds(1, 9)] = 7
    mode: Annotated[Literal["soft", "hard"], "How."] = "soft"
    on: Annotated[tuple[str, ...], "When.", Choices(("x", "y"))] = ()
    is_loud: Annotated[bool, "Whether."] = False
    file: Annotated[FilePath, "Where."] = "/x"
    url: Annotated[Url, "Where to."] = ""
    wait: Seconds = Seconds(0)
    elsewhere: int = 1


def test_a_field_is_an_option_with_its_type_default_and_meaning() -> None:
    assert {option.name: option for option in options_of([All])} == {
        "to": Option("to", "mail addresses", "a b", "Who."),
        "port": Option("port", "number", "7", "Which.", least=1, most=9),
        "mode": Option("mode", "choice", "soft", "How.", choices=("soft", "hard")),
        "on": Option("on", "list", "", "When.", choices=("x", "y")),
        "is_loud": Option("is_loud", "boolean", "false", "Whether."),
        "file": Option("file", "path", "/x", "Where.", most=LARGEST),
        "url": Option("url", "url", "", "Where to."),
        "wait": Option("wait", "duration", "0", "How long."),
        "kept": Option("kept", "text", "x", "Of the base."),
    }


def test_of_one_option_in_two_structs_the_first_one_counts() -> None:
    assert [option.default for option in options_of([All, Base]) if option.name == "wait"] == ["0"]
    assert [option.default for option in options_of([Base]) if option.name == "wait"] == ["1m 30s"]


def test_a_type_that_no_option_has_is_a_mistake_of_the_author() -> None:
    class Odd(msgspec.Struct):
        number: Annotated[complex, "What."] = 1j

    with pytest.raises(TypeError, match="number has a type that no option has"):
        options_of([Odd])
