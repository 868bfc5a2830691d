from banish.exempt.cache import AnswerCache
from banish.model.instant import Seconds


def test_an_answer_counts_for_its_span_and_the_oldest_goes_first() -> None:
    cache = AnswerCache(2, Seconds(10))
    assert cache.get(("a",), 0) is None
    cache.put(("a",), True, 0)
    assert cache.get(("a",), 9.9) is True
    assert cache.get(("a",), 10) is None
    cache.put(("b",), False, 5)
    cache.put(("a",), False, 6)
    cache.put(("c",), True, 7)
    assert [cache.get((key,), 8) for key in "abc"] == [False, None, True]
