import asyncio
import socket
from collections.abc import Sequence

import pytest

from banish.errors import ResolveError
from banish.exempt.own import own_addresses, own_names
from banish.model.address import SubjectKind
from banish.model.instant import Seconds
from banish.resolve.dns import ADDRESS_LIMIT, CACHE_LIMIT, DnsResolver


class Zone:
    """Answers from a table and counts how often it was asked."""

    def __init__(self, answers: dict[str, list[str] | BaseException]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def __call__(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        answer = self.answers[name]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def texts(resolver: DnsResolver, name: str) -> list[str]:
    return [subject.text for subject in asyncio.run(_addresses(resolver, name))]


async def _addresses(resolver: DnsResolver, name: str):  # type: ignore[no-untyped-def]
    return await resolver.addresses(name)


def test_each_address_comes_once_and_mapped_ones_become_ipv4() -> None:
    zone = Zone({"host.example": ["192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"]})
    assert texts(DnsResolver(zone), "host.example") == ["192.0.2.1", "2001:db8::1"]


def test_a_name_without_addresses_resolves_to_nothing() -> None:
    zone = Zone({"gone.example": socket.gaierror(socket.EAI_NONAME, "unknown")})
    assert texts(DnsResolver(zone), "gone.example") == []


@pytest.mark.parametrize(
    "number", ["4", "127.1", "3232235777", "0x7f000001", "12\N{FULLWIDTH DIGIT SEVEN}.1"]
)
def test_nobody_is_asked_about_a_number(number: str) -> None:
    zone = Zone({number: ["0.0.0.4"]})
    assert (texts(DnsResolver(zone), number), zone.asked) == ([], [])


def test_a_zone_with_thousands_of_addresses_is_bounded() -> None:
    zone = Zone({"many.example": [f"192.0.2.{n}" for n in range(250)]})
    assert len(texts(DnsResolver(zone), "many.example")) == ADDRESS_LIMIT


def test_an_answer_is_kept_and_asked_for_once() -> None:
    async def play() -> list[str]:
        zone = Zone({"host.example": ["192.0.2.1"]})
        resolver = DnsResolver(zone)
        await asyncio.gather(*(resolver.addresses("host.example") for _ in range(5)))
        await resolver.addresses("host.example")
        return zone.asked

    assert asyncio.run(play()) == ["host.example"]


def test_a_failure_is_told_and_remembered_for_a_while() -> None:
    async def play() -> list[str]:
        zone = Zone({"bad.example": socket.gaierror(socket.EAI_AGAIN, "try again")})
        resolver = DnsResolver(zone)
        for _ in range(3):
            with pytest.raises(ResolveError, match=r"bad\.example: try again"):
                await resolver.addresses("bad.example")
        return zone.asked

    assert asyncio.run(play()) == ["bad.example"]


def test_a_resolver_that_never_answers_is_given_up() -> None:
    async def never(name: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    with pytest.raises(ResolveError, match="no answer within"):
        texts(DnsResolver(never, limit=Seconds(0.01)), "slow.example")


def test_a_name_no_resolver_can_take_is_a_failure_not_a_crash() -> None:
    with pytest.raises(ResolveError):
        texts(DnsResolver(), "a" * 64 + ".example")


def test_the_cache_stays_bounded() -> None:
    async def play() -> int:
        zone = Zone({f"n{n}.example": ["192.0.2.1"] for n in range(CACHE_LIMIT + 10)})
        resolver = DnsResolver(zone)
        for name in zone.answers:
            await resolver.addresses(name)
        return len(resolver._cache)

    assert asyncio.run(play()) == CACHE_LIMIT


def test_own_addresses_hold_loopback_and_only_addresses() -> None:
    own = own_addresses()
    assert {"127.0.0.0/8", "::1"} <= {subject.text for subject in own}
    assert all(subject.kind is not SubjectKind.NAME for subject in own)
    assert "localhost" in own_names()


def test_the_systems_resolver_knows_localhost_and_refuses_what_is_no_name() -> None:
    assert {"127.0.0.1", "::1"} & set(texts(DnsResolver(), "localhost"))
