"""Values in values: ``%(option)s`` and ``<tag>``."""

import configparser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from banish.config.interpolate import DEPTH_LIMIT, Merged, RawValue, Scope, Tags
from banish.config.problem import FaultError
from banish.config.text import TEXT_LIMIT_CHARACTERS, Text, single
from banish.model.settings import Place

HERE = Place("jail.conf", 1)


def merged(**sections: dict[str, str]) -> Merged:
    values = {
        section: {option: RawValue(single(text, HERE)) for option, text in options.items()}
        for section, options in sections.items()
    }
    return Merged("jail", values.pop("DEFAULT", {}), values, {}, ("jail.conf",), set())


def value(configuration: Merged, section: str, option: str) -> str:
    text = Scope(configuration, section).get(option)
    assert text is not None
    return text.text


def fault(configuration: Merged, section: str, option: str) -> FaultError:
    with pytest.raises(FaultError) as caught:
        Scope(configuration, section).get(option)
    return caught.value


def test_an_option_is_looked_for_in_its_section_then_in_default() -> None:
    both = merged(DEFAULT={"a": "default", "b": "[%(a)s]"}, sshd={"a": "own"})
    assert value(both, "sshd", "b") == "[own]"
    assert value(both, "other", "b") == "[default]"


def test_names_are_taken_in_any_letter_case() -> None:
    assert value(merged(a={"x": "%(Y)s", "y": "1"}), "a", "x") == "1"


def test_a_percent_sign_is_written_twice() -> None:
    assert value(merged(a={"x": "100%% of %%(y)s"}), "a", "x") == "100% of %(y)s"


def test_name_is_the_section() -> None:
    assert (
        value(merged(DEFAULT={"filter": "%(__name__)s[x]"}, sshd={}), "sshd", "filter") == "sshd[x]"
    )


def test_an_option_of_another_section_is_filled_in_this_one() -> None:
    other = merged(a={"x": "%(b/y)s", "z": "a's"}, b={"y": "%(z)s", "z": "b's"}, DEFAULT={"d": "1"})
    assert value(other, "a", "x") == "a's"
    assert value(merged(a={"x": "%(b/d)s"}, b={}, DEFAULT={"d": "1"}), "a", "x") == "1"
    assert value(merged(a={"x": "%(default/d)s", "d": "2"}, DEFAULT={"d": "1"}), "a", "x") == "1"


def test_known_is_the_value_that_was_replaced() -> None:
    first = RawValue(single("one", HERE))
    second = RawValue(single("%(known/x)s two", HERE), first)
    third = RawValue(single("%(known/x)s three", HERE), second)
    chain = Merged("jail", {}, {"a": {"x": third}}, {}, ("jail.conf",), set())
    assert value(chain, "a", "x") == "one two three"


def test_known_is_the_default_where_nothing_was_replaced() -> None:
    assert value(merged(DEFAULT={"x": "1"}, a={"x": "%(known/x)s 2"}), "a", "x") == "1 2"
    first = RawValue(single("1", HERE))
    chain = Merged(
        "j", {"x": RawValue(single("%(known/x)s 2", HERE), first)}, {"a": {}}, {}, ("j",), set()
    )
    assert value(chain, "a", "x") == "1 2"


def test_known_of_another_option_is_what_that_one_replaced() -> None:
    first = RawValue(single("1", HERE))
    options = {"y": RawValue(single("%(known/x)s", HERE)), "x": RawValue(single("2", HERE), first)}
    assert value(Merged("j", {}, {"a": options}, {}, ("j",), set()), "a", "y") == "1"


def test_known_values_of_the_filter_go_first_and_stay_as_they_are() -> None:
    scope = Scope(
        merged(a={"x": "%(known/x)s|%(known/y)s"}, DEFAULT={"y": "default"}),
        "a",
        known=lambda name: single("100%", HERE) if name == "x" else None,
    )
    text = scope.get("x")
    assert text is not None
    assert text.text == "100%|default"


def test_a_missing_option_is_told_with_the_nearest_one() -> None:
    wrong = fault(merged(a={"logpath": "%(sshd_lgo)s", "sshd_log": "/x"}), "a", "logpath")
    assert "%(sshd_lgo)s" in wrong.what
    assert "sshd_log" in wrong.cure
    assert "zzz" in fault(merged(a={"x": "%(zzz)s"}), "a", "x").cure


def test_a_missing_section_is_told_with_the_nearest_one() -> None:
    wrong = fault(merged(a={"x": "%(shhd/y)s"}, sshd={"y": "1"}), "a", "x")
    assert "no section [shhd]" in wrong.what
    assert "sshd" in wrong.cure


def test_a_value_that_refers_to_itself_is_told_with_the_way() -> None:
    assert "x -> y -> x" in fault(merged(a={"x": "%(y)s", "y": "%(x)s"}), "a", "x").what
    alone = fault(merged(a={"ignoreip": "%(ignoreip)s 192.0.2.1"}), "a", "ignoreip")
    assert "%(known/ignoreip)s" in alone.cure


def test_a_percent_sign_before_anything_else_is_told() -> None:
    for text in ("50%", "%Y-%m", "%(open", "%(x)d", "%()s"):
        assert "%%" in fault(merged(a={"x": text}), "a", "x").cure


def nested(depth: int) -> Merged:
    options = {f"v{n}": f"%(v{n + 1})s" for n in range(depth)}
    return merged(a={**options, f"v{depth}": "%%"})


def test_values_nest_as_deep_as_python_lets_them() -> None:
    assert value(nested(DEPTH_LIMIT - 1), "a", "v0") == "%"
    assert "deep" in fault(nested(DEPTH_LIMIT), "a", "v0").what


def test_a_value_that_explodes_is_stopped() -> None:
    options = {f"v{n}": f"%(v{n + 1})s" * 200 for n in range(6)}
    assert "grows" in fault(merged(a={**options, "v6": "%%" * 200}), "a", "v0").what


def test_each_line_of_a_filled_value_stands_where_it_was_written() -> None:
    base = Text("one\ntwo", (Place("f", 1), Place("f", 2)))
    outer = Text("%(b)s\nown %(b)s\n", (Place("j", 5), Place("j", 6), Place("j", 7)))
    both = Merged("j", {}, {"a": {"b": RawValue(base), "x": RawValue(outer)}}, {}, ("j",), set())
    text = Scope(both, "a").get("x")
    assert text is not None
    assert [(line, str(place)) for line, place in text.lines()] == [
        ("one", "f:1"),
        ("two", "f:2"),
        ("own one", "j:6"),
        ("two", "f:2"),
        ("", "j:7"),
    ]


PIECES = st.sampled_from(
    ["a", " ", "%%", "%(a)s", "%(b)s", "%(c)s", "%(A)s", "%(missing)s", "%", "%(a", "s", "%(d)s"]
)
OPTIONS = st.dictionaries(
    st.sampled_from("abcd"), st.lists(PIECES, max_size=4).map("".join), max_size=4
)


@given(OPTIONS, OPTIONS)
@example({"a": "%(b)s", "b": "%(a)s"}, {})
def test_it_fills_in_what_python_fills_in_and_refuses_the_rest(
    own: dict[str, str], defaults: dict[str, str]
) -> None:
    parser = configparser.ConfigParser()
    parser._defaults.update(defaults)  # type: ignore[attr-defined]
    parser._sections["x"] = own  # type: ignore[attr-defined]
    parser._proxies["x"] = configparser.SectionProxy(parser, "x")  # type: ignore[attr-defined]
    ours = Scope(merged(DEFAULT=defaults, x=own), "x")
    for option in "abcd":
        if option not in own and option not in defaults:
            assert ours.get(option) is None
            continue
        try:
            expected = parser.get("x", option)
        except configparser.InterpolationError:
            with pytest.raises(FaultError):
                ours.get(option)
        else:
            found = ours.get(option)
            assert found is not None
            assert found.text == expected


def tags(**values: str) -> Tags:
    return Tags(lambda name: single(values[name], HERE) if name in values else None)


def tag(all_tags: Tags, name: str) -> str:
    text = all_tags.get(name)
    assert text is not None
    return text.text


def test_tags_are_put_in_innermost_first() -> None:
    some = tags(
        mode="ddos",
        fail="^<mdre-<mode>>$",
        **{"mdre-ddos": "a<tail>", "mdre-normal": "b"},
        tail="!",
    )
    assert tag(some, "fail") == "^a!$"


def test_an_unknown_tag_stays() -> None:
    some = tags(a="<HOST> <F-USER>.*</F-USER> 2>&1 < <b>", b="in")
    assert tag(some, "a") == "<HOST> <F-USER>.*</F-USER> 2>&1 < in"
    assert some.get("nothing") is None


def test_a_tag_within_itself_is_refused() -> None:
    for some in (tags(a="<a>"), tags(a="<b>", b="<c>", c="x<b>")):
        with pytest.raises(FaultError, match="refers to itself"):
            some.get("a")


def test_tags_that_nest_too_deep_or_explode_are_refused() -> None:
    with pytest.raises(FaultError, match="deep"):
        tags(**{f"v{n}": f"<v{n + 1}>" for n in range(60)}).get("v0")
    with pytest.raises(FaultError, match="grows"):
        tags(**{f"v{n}": f"<v{n + 1}>" * 99 for n in range(9)}, v9="xx" * 99).get("v0")
    with pytest.raises(FaultError, match="without end"):
        tags(a="<x" * 30 + "1" + ">" * 30, x1="1").get("a")
    assert tag(tags(a="<x" * 20 + "1" + ">" * 20, x1="1"), "a") == "1"


TAG_TEXT = st.lists(
    st.sampled_from(["<a>", "<b>", "<c>", "<x-<a>>", "<HOST>", "<", ">", "a", " ", "\n"]),
    max_size=5,
).map("".join)


@given(st.dictionaries(st.sampled_from(["a", "b", "c", "x-a", "x-"]), TAG_TEXT, max_size=5))
def test_tags_end_in_a_text_without_known_tags_or_in_a_fault(values: dict[str, str]) -> None:
    some = tags(**values)
    for name in values:
        try:
            text = some.get(name)
        except FaultError:
            continue
        assert text is not None
        assert len(text.places) == text.text.count("\n") + 1
        assert len(text.text) <= TEXT_LIMIT_CHARACTERS
        for known in values:
            assert f"<{known}>" not in text.text
