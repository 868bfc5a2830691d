import pytest

from banish.model.instant import Seconds
from banish.policy.ignorecache import CacheRule, IgnoreCache, parse_ignorecache


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", None),
        (" \n", None),
        ('key="<ip>", max-count=100, max-time=5m', CacheRule()),
        ("key='<F-USER>|<ip>'", CacheRule("<F-USER>|<ip>")),
        ("max-time=1h,max-count=7", CacheRule(most=7, span=Seconds(3_600))),
        ("key=<ip-host>", CacheRule("<ip-host>")),
        ('key="a, b"', CacheRule("a, b")),
        ("[max-count=3]", CacheRule(most=3)),
    ],
)
def test_a_rule_is_read_as_fail2ban_writes_it(text: str, rule: CacheRule | None) -> None:
    assert parse_ignorecache(text) == rule


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("yes", "not understood"),
        ("size=3", "not understood"),
        ('key="<ip>" max-count=1', "not understood"),
        ("max-count=many", "no number"),
        ("max-count=0", "no number"),
        ("max-count=1000001", "no number"),
        ("max-time=soon", "not a duration"),
        ("max-time=-1", "longer than nothing"),
    ],
)
def test_what_is_no_rule_is_told_with_a_cure(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_ignorecache(text)


def test_an_answer_counts_for_its_span_and_the_oldest_goes_first() -> None:
    cache = IgnoreCache(2, Seconds(10))
    assert cache.get(("a",), 0) is None
    cache.put(("a",), True, 0)
    assert cache.get(("a",), 9.9) is True
    assert cache.get(("a",), 10) is None
    cache.put(("b",), False, 5)
    cache.put(("a",), False, 6)
    cache.put(("c",), True, 7)
    assert [cache.get((key,), 8) for key in "abc"] == [False, None, True]
