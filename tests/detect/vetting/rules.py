"""Filters and regular expressions made for vetting."""

from hypothesis import strategies as st

from banish.model.settings import FilterSettings, Place, Regex


def filter_of(*failregex: str, prefregex: str | None = None, maxlines: int = 1) -> FilterSettings:
    """Return a filter of these regexes, each with a line of its own in a file."""
    return FilterSettings(
        "test",
        tuple(Regex(text, Place("t.conf", line)) for line, text in enumerate(failregex, 10)),
        prefregex=None if prefregex is None else Regex(prefregex, Place("t.conf", 2)),
        maxlines=maxlines,
    )


_atoms = st.sampled_from(
    [
        "a", "user ", " from ", ".", r"\d", r"\S", r"\s", r"\w", r"\W", r"\D", "[^']", "[^a-f]",
        "[0-9.]", "[A-Z]", r"(?!x)", "(?=.)", "(?<!a)", r"\b", "^", "$", "é", "[é-ü]", "'",
        "(?i:Ab)", r"(?P<user>\S+)(?P=user)", r"(x)?(?(1)y|z)", "(?>a+)", "(?s:.)", "[^é]", "(?!)",
        r"\n",
    ]
)  # fmt: skip
_marks = st.sampled_from(
    ["*", "+", "?", "*?", "+?", "*+", "{2}", "{1,40}", "{3,}", "{0}", "{0,2}?"]
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.builds(lambda body, mark: f"(?:{body}){mark}", inner, _marks),
        inner.map(lambda body: f"({body})"),
    )


regexes = st.recursive(_atoms, _grown, max_leaves=8)
"""Regular expressions of every construct, most of which compile."""
