"""What is found out about addresses: in time, bounded, and harmless."""

import asyncio
from pathlib import Path

import pytest

from banish.model.address import parse_subject
from banish.model.failure import Evidence
from banish.model.instant import Instant
from banish.notify import lookup as module
from banish.notify.lookup import WHOIS_LINES, Lookup, useful_lines
from banish.notify.private import is_public, redacted
from banish.notify.wording import clock, lasts, line
from tests.notify.stage import HOSTILE, KnownFacts, ban, play, write_program


def test_names_and_whois_are_told_of_addresses_alone(tmp_path: Path) -> None:
    path = write_program(
        tmp_path, "whois", f"echo run >> {tmp_path}/runs; echo '% remark'; echo 'netname: X'"
    )

    async def part() -> None:
        facts = KnownFacts({"192.0.2.1": "a.example.net"})
        lookup = Lookup(facts, names=True, whois=True, whois_program=path)
        one, odd = ban(), ban(subject=parse_subject("alice"))
        assert await lookup.names([one, odd, ban("192.0.2.2")]) == {one.subject: "a.example.net"}
        for _ in range(2):
            assert await lookup.whois([one, odd]) == {one.subject: ("netname: X",)}
        assert (tmp_path / "runs").read_text() == "run\n"
        quiet = Lookup(facts, names=False, whois=False)
        assert await quiet.names([one]) == {}
        assert await quiet.whois([one]) == {}

    play(part)


def test_what_takes_too_long_is_left_out_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NAME_SPAN", 0.1)
    monkeypatch.setattr(module, "WHOIS_SPAN", 0.5)
    path = write_program(tmp_path, "whois", f"echo $$ > {tmp_path}/pid; exec sleep 60")

    async def part() -> None:
        facts = KnownFacts()
        facts.hangs = True
        lookup = Lookup(facts, names=True, whois=True, whois_program=path)
        assert await lookup.names([ban()]) == {}
        assert await lookup.whois([ban()]) == {}
        assert len(asyncio.all_tasks()) <= 2

    play(part)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_a_missing_program_is_said_in_the_message() -> None:
    async def part() -> None:
        lookup = Lookup(KnownFacts(), names=False, whois=True, whois_program="/nowhere/whois")
        found = await lookup.whois([ban()])
        assert "not installed" in found[ban().subject][0]

    play(part)


def test_an_answer_of_whois_is_cut_and_harmless() -> None:
    answer = ("% no\n\n" + "netname: \x1b[2J\u202e" + "x" * 5_000 + "\n") * 500
    found = useful_lines(answer.encode() + b"\xff\xfe")
    assert len(found) == WHOIS_LINES + 1
    assert found[-1] == "…"
    assert all(len(each) <= 200 and each.isprintable() for each in found)


def test_words_are_bounded_and_printable() -> None:
    assert len(line(HOSTILE * 1_000)) == 500
    assert line(HOSTILE * 1_000).isprintable()
    assert lasts(ban()) == "10m"
    assert lasts(ban(until=None)) == "for ever"
    assert clock(None) == ""
    assert clock(Instant(1e18)).startswith("@")


@pytest.mark.parametrize(
    ("text", "is_it"),
    [("203.0.113.9", True), ("2001:db8::1", True), ("10.1.2.3", False), ("fe80::1", False),
     ("2001:db8::/64", False), ("alice", False)],
)  # fmt: skip
def test_strangers_know_public_addresses_alone(text: str, is_it: bool) -> None:
    assert is_public(parse_subject(text)) is is_it


def test_private_parts_are_taken_out_longest_first() -> None:
    made = ban(
        "203.0.113.9",
        evidence=(
            Evidence("web1.example.org: bob@x.example.org as bob.smith from 203.0.113.9"),
            Evidence("at 12:30:45 from 198.51.100.7 and 2001:db8::5, not 1.2.3 or 999.1.1.1"),
        ),
        tags=(("user", "bob"), ("full", "bob.smith"), ("host", "203.0.113.9"), ("none", "")),
    )
    assert redacted(made, hosts=("web1.example.org", "web1"), most=5) == (
        "***: ***@x.example.org as *** from 203.0.113.9",
        "at 12:30:45 from *** and ***, not 1.2.3 or 999.1.1.1",
    )
    assert redacted(made, hosts=(), most=0) == ()
