import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.model.instant import Seconds
from banish.policy.formula import MAX_CHARACTERS, Formula, Terms


def value(text: str, count: int = 3, time: float = 600, factor: float = 2) -> float:
    return Formula(text).value(Terms(Seconds(time), count, factor))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        (" 2.0 / 8 ", 0.25),
        ("ban.Time * (1<<(ban.Count if ban.Count<20 else 20)) * banFactor", 600 * 8 * 2),
        (
            "ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)",
            600 * math.exp(6),
        ),
        ("2 ** 3 ** 2", 512),
        ("-2 ** 2", -4),
        ("7 // 2 + 7 % 4 - +1", 5),
        ("1 << 4 >> 1", 8),
        ("7 >> 1", 3),
        ("min(ban.Time, 60, 70) + max(1, 2)", 62),
        ("int(2.9) + round(2.6) + abs(-1) + math.floor(1.9) + math.ceil(0.1)", 8),
        ("math.sqrt(9) + math.log2(8) + math.log10(100) + math.log(math.e) + math.log(8, 2)", 12),
        ("pow(2, 3) + math.pow(2, 2)", 12),
        ("math.pi > 3 and math.pi < 4", 1),
        ("0 and 5 or 6", 6),
        ("1 and 2 and 3", 3),
        ("0 or 0 or 4", 4),
        ("not ban.Count", 0),
        ("(ban.Count >= 3) + (ban.Count <= 3) + (ban.Count == 3) + (ban.Count != 3)", 3),
        ("10 if ban.Count > 5 else 20", 20),
        ("1e999", math.inf),
        ("10 ** 400", math.inf),
        ("1 << 99999", math.inf),
        ("1" + "0" * 290, 1e290),
        ("0x" + "f" * 290, math.inf),
        ("math.exp(99999)", math.inf),
    ],
)
def test_a_formula_comes_to(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not a formula"),
        ("1 +", "not a formula"),
        ("1; 2", "not a formula"),
        ("a = 1", "not a formula"),
        ("\x00", "null bytes"),
        ("1" * (MAX_CHARACTERS + 1), "longer than 300"),
        ("(" * 250, "not a formula|too many"),
        ("foo", "'foo' is not known"),
        ("ban.Secret", "'ban.Secret' is not known"),
        ("().__class__", "is not known"),
        ("__import__('os')", "'__import__' is not known"),
        ("(lambda: 1)()", "not known"),
        ("math.exp()", "takes 1 arguments, not 0"),
        ("max(1)", "takes 2 to 8 arguments, not 1"),
        ("min(*[1, 2])", "takes 2 to 8|has no place"),
        ("round(1, ndigits=2)", "has no place"),
        ("'text'", "has no place"),
        ("True", "has no place"),
        ("1j", "has no place"),
        ("[1]", "has no place"),
        ("~1", "has no place"),
        ("1 | 2", "has no place"),
        ("1 < 2 < 3", "compare two numbers"),
        ("1 is 1", "compare two numbers"),
        ("x := 1", "not a formula"),
    ],
)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_what_is_no_formula_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Formula(text)


@pytest.mark.parametrize("text", ["1 / 0", "1 % 0", "(-8) ** 0.5", "math.log(0)", "1e999 - 1e999"])
def test_a_formula_without_an_answer_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        value(text)


@given(st.text(alphabet="()+-*/%<>=!. 0123456789banTimeCountFactorfelsinotxp,", max_size=60))
def test_any_text_is_a_formula_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        value(text)


expressions = st.recursive(
    st.integers(1, 9).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
        lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
    ),
    max_leaves=12,
)


@given(expressions)
def test_arithmetic_is_python_s(text: str) -> None:
    assert value(text) == eval(text)
