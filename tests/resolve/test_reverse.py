import asyncio
import threading

from banish.model.address import Subject, parse_subject
from banish.model.instant import Seconds
from banish.resolve.reverse import CACHE_LIMIT, ReverseResolver


async def ask(resolver: ReverseResolver, *texts: str) -> list[str]:
    return [await resolver.name(parse_subject(text)) for text in texts]


def test_a_name_is_looked_up_once_and_a_missing_one_is_empty() -> None:
    asked: list[str] = []

    def look_up(address: str) -> str:
        asked.append(address)
        if address == "192.0.2.2":
            raise OSError
        return "host.example"

    names = asyncio.run(ask(ReverseResolver(look_up), *["192.0.2.1", "192.0.2.2"] * 2, "bob"))
    assert names == ["host.example", ""] * 2 + [""]
    assert asked == ["192.0.2.1", "192.0.2.2"]


def test_a_resolver_that_never_answers_is_given_up_and_not_waited_for_at_the_end() -> None:
    release = threading.Event()

    def never(_address: str) -> str:
        release.wait()
        return "late.example"

    assert asyncio.run(ask(ReverseResolver(never, limit=Seconds(0.01)), "192.0.2.1")) == [""]
    release.set()


def test_the_cache_stays_bounded_and_the_host_has_a_name() -> None:
    async def play() -> tuple[int, str]:
        resolver = ReverseResolver(lambda address: address)
        for number in range(CACHE_LIMIT + 5):
            await resolver.name(Subject(f"{number}", parse_subject("192.0.2.1").kind))
        return len(resolver._cache), await resolver.own_name()

    size, name = asyncio.run(play())
    assert size == CACHE_LIMIT
    assert name
