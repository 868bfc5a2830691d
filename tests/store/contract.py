"""What every store promises; each test is run against the real one and the fake."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import msgspec
import pytest

from banish.errors import StoreError
from banish.model.actionban import ActionBan
from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, EndReason, ProlongBan, StartBan
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.record import FilePosition, Fingerprint, JournalPosition, Position
from banish.model.snapshot import Commit, JailChanges, JailMemory, Memory, PastBan, Tally
from banish.ports import Store

OpenStore = Callable[[], AbstractAsyncContextManager[Store]]

ATTACKER = parse_subject("192.0.2.1")
NEIGHBOUR = parse_subject("2001:db8::7")
NETWORK = parse_subject("198.51.100.0/24")
ODD = parse_subject("user \udcff\x00 ü'; --")
LINES = (
    Evidence("Failed password for root", "/var/log/auth.log", 120, Instant(990.5)),
    Evidence("half a surrogate: \udc80", "/var/log/\udcff.log", 188, Instant(991)),
)
DAY = Seconds(86_400)
SUBJECTS = [parse_subject(f"203.0.113.{number}") for number in range(9)]


def ban_of(
    subject: Subject = ATTACKER,
    since: float = 1000,
    until: float | None = 1600,
    jail: str = "sshd",
    count: int = 1,
    evidence: tuple[Evidence, ...] = LINES,
) -> Ban:
    return Ban(
        jail,
        subject,
        Instant(since),
        None if until is None else Instant(until),
        failures=5,
        count=count,
        evidence=evidence,
        rule=2,
    )


def commit(
    *decisions: Decision,
    at: float = 1000,
    tallies: Mapping[Subject, Tally | None] | None = None,
    positions: Mapping[str, Position] | None = None,
    totals: tuple[int, int] = (5, 1),
) -> Commit:
    changes = () if tallies is None else (JailChanges("sshd", tallies, *totals),)
    return Commit(Instant(at), decisions, changes, positions or {})


def ends(ban: Ban, reason: EndReason = "expired", at: float = 1600) -> Commit:
    return commit(EndBan(ban, reason), at=at)


def ended(ban: Ban, at: float, reason: EndReason) -> Ban:
    return msgspec.structs.replace(ban, ended_at=Instant(at), end_reason=reason)


class StoreContract:
    """Subclass it with an `open_store` fixture."""

    def play(self, open_store: OpenStore, script: Callable[[Store], Awaitable[None]]) -> None:
        async def main() -> None:
            async with open_store() as store:
                await script(store)

        asyncio.run(asyncio.wait_for(main(), 60))

    def test_a_new_store_remembers_nothing(self, open_store: OpenStore) -> None:
        async def script(store: Store) -> None:
            assert await store.load(Instant(0)) == Memory()
            assert await store.history(limit=10) == []

        self.play(open_store, script)

    def test_what_comes_in_slices_is_what_comes_at_once(self, open_store: OpenStore) -> None:
        old = ban_of(SUBJECTS[0], 10, 20)

        async def script(store: Store) -> None:
            tallies = {
                subject: Tally((Instant(900 - number),)) for number, subject in enumerate(SUBJECTS)
            }
            await store.commit([commit(StartBan(ban_of()), StartBan(old), tallies=tallies)])
            await store.commit([ends(old)])
            now = Instant(1001)
            whole = await store.load(now)
            bans = await store.load_bans(now)
            slices = [part async for part in store.windows(now)]
            assert bans.positions == whole.positions
            assert bans.action_bans == whole.action_bans
            jail = whole.jails["sshd"]
            assert bans.jails["sshd"] == msgspec.structs.replace(jail, tallies={}, past={})
            parts = [part.jails["sshd"] for part in slices]
            assert {who: last for part in parts for who, last in part.past.items()} == jail.past
            found = [(who, tally) for part in parts for who, tally in part.tallies.items()]
            assert found == sorted(jail.tallies.items(), key=lambda item: item[1].times)
            assert sum(part.rows for part in slices) == len(SUBJECTS)
            assert {part.of for part in slices if part.rows} == {len(SUBJECTS)}
            assert [part async for part in store.windows(now)] == slices

        self.play(open_store, script)

    def test_a_commit_between_two_slices_is_kept(self, open_store: OpenStore) -> None:
        async def script(store: Store) -> None:
            tallies = {subject: Tally((Instant(900),)) for subject in SUBJECTS}
            await store.commit([commit(tallies=tallies)])
            seen = 0
            async for part in store.windows(Instant(1001)):
                seen += part.rows
                await store.commit([commit(tallies={SUBJECTS[0]: None})])
            assert seen >= len(SUBJECTS) - 1
            kept = (await store.load(Instant(1001))).jails["sshd"].tallies
            assert set(kept) == set(SUBJECTS[1:])

        self.play(open_store, script)

    def test_a_ban_comes_back_as_it_was_decided(self, open_store: OpenStore) -> None:
        bans = (
            ban_of(),
            ban_of(NEIGHBOUR, until=None, evidence=()),
            ban_of(NETWORK),
            ban_of(ODD, jail="ö \udcfe"),
        )

        async def script(store: Store) -> None:
            await store.commit([commit(*map(StartBan, bans))])
            jails = (await store.load(Instant(1001))).jails
            assert set(jails["sshd"].bans) == set(bans[:3])
            assert jails["ö \udcfe"] == JailMemory(bans[3:])
            assert await store.history(limit=9, subject=ODD) == [bans[3]]

        self.play(open_store, script)

    def test_what_actions_did_is_remembered_until_they_ended_it(
        self, open_store: OpenStore
    ) -> None:
        bans = [
            ban_of(evidence=()),
            ban_of(ODD, jail="ö \udcfe", until=None, evidence=()),
            msgspec.structs.replace(
                ban_of(NETWORK, evidence=()), tags=(("user", "\udcff'"),), address=NEIGHBOUR
            ),
        ]
        begun = [ActionBan(action, ban) for ban in bans for action in ("own", "\udcff ü';--")]

        async def script(store: Store) -> None:
            for _ in range(2):
                await store.write_actions(begun)
                assert set((await store.load(Instant(9_999))).action_bans) == set(begun)
            ended_one = msgspec.structs.replace(begun[0], is_ended=True)
            for _ in range(2):
                await store.write_actions([ended_one])
                assert set((await store.load(Instant(1))).action_bans) == set(begun[1:])
            # The last word of a batch counts, in either order.
            later = ActionBan("own", ban_of(since=2000, until=None, evidence=()))
            await store.write_actions([begun[0], ended_one, later])
            assert set((await store.load(Instant(1))).action_bans) == {later, *begun[1:]}
            await store.write_actions([later, ended_one])
            assert set((await store.load(Instant(1))).action_bans) == set(begun[1:])
            await store.write_actions([])

        self.play(open_store, script)

    def test_lines_are_left_to_the_ledger(self, open_store: OpenStore) -> None:
        async def script(store: Store) -> None:
            await store.write_actions([ActionBan("own", ban_of(evidence=LINES))])
            (one,) = (await store.load(Instant(1))).action_bans
            assert one == ActionBan("own", ban_of(evidence=()))

        self.play(open_store, script)

    def test_what_the_line_captured_comes_back_with_the_ban(self, open_store: OpenStore) -> None:
        tags = (("user", "root"), ("odd", "\udcff'; --"))
        by_name = msgspec.structs.replace(ban_of(ODD), tags=tags, address=NEIGHBOUR)
        bare = msgspec.structs.replace(ban_of(evidence=()), tags=tags)

        async def script(store: Store) -> None:
            await store.commit([commit(StartBan(by_name), StartBan(bare))])
            assert set((await store.load(Instant(1001))).jails["sshd"].bans) == {by_name, bare}
            assert await store.history(limit=1, subject=ODD) == [by_name]

        self.play(open_store, script)

    def test_a_prolonged_ban_keeps_what_its_lines_held(self, open_store: OpenStore) -> None:
        first = msgspec.structs.replace(ban_of(), tags=(("user", "root"),))
        longer = ban_of(until=9000, evidence=())
        tagged = msgspec.structs.replace(longer, tags=(("user", "git"),))

        async def script(store: Store) -> None:
            for ban, user in ((longer, "root"), (tagged, "git")):
                await store.commit([commit(StartBan(first)), commit(ProlongBan(ban))])
                expected = msgspec.structs.replace(longer, evidence=LINES, tags=(("user", user),))
                assert (await store.load(Instant(1001))).jails["sshd"].bans == (expected,)

        self.play(open_store, script)

    def test_a_ban_that_is_over_is_not_in_force(self, open_store: OpenStore) -> None:
        async def script(store: Store) -> None:
            await store.commit([commit(StartBan(ban_of(count=3)))])
            assert (await store.load(Instant(1599))).jails["sshd"].bans == (ban_of(count=3),)
            memory = (await store.load(Instant(1600))).jails["sshd"]
            assert memory.bans == ()
            assert memory.past == {ATTACKER: PastBan(3, Instant(1000), Instant(1600))}

        self.play(open_store, script)

    def test_an_ended_ban_is_history(self, open_store: OpenStore) -> None:
        async def script(store: Store) -> None:
            await store.commit([commit(StartBan(ban_of())), ends(ban_of(), "exempt", at=1100)])
            memory = (await store.load(Instant(1101))).jails["sshd"]
            assert memory.bans == ()
            assert ATTACKER in memory.past
            assert await store.history(limit=9) == [ended(ban_of(), 1100, "exempt")]

        self.play(open_store, script)

    def test_an_unban_by_the_operator_wipes_the_count(self, open_store: OpenStore) -> None:
        async def script(store: Store) -> None:
            await store.commit([commit(StartBan(ban_of(since=10, until=20)))])
            await store.commit([ends(ban_of(since=10, until=20), at=20)])
            await store.commit([commit(StartBan(ban_of(count=2))), ends(ban_of(), "operator")])
            memory = await store.load(Instant(2000))
            assert all(jail.past == {} for jail in memory.jails.values())
            assert len(await store.history(limit=9)) == 2

        self.play(open_store, script)

    def test_a_stopping_server_ends_no_ban_for_good(self, open_store: OpenStore) -> None:
        async def script(store: Store) -> None:
            await store.commit([commit(StartBan(ban_of())), ends(ban_of(), "stopped")])
            await store.commit([ends(ban_of(NEIGHBOUR), "foreign")])
            memory = (await store.load(Instant(1001))).jails["sshd"]
            assert memory == JailMemory((ban_of(),))

        self.play(open_store, script)

    def test_a_prolonged_ban_ends_later_and_keeps_its_evidence(self, open_store: OpenStore) -> None:
        async def script(store: Store) -> None:
            await store.commit([commit(StartBan(ban_of()))])
            await store.commit([commit(ProlongBan(ban_of(until=9000, evidence=())))])
            assert (await store.load(Instant(5000))).jails["sshd"].bans == (ban_of(until=9000),)
            assert await store.history(limit=9) == [ban_of(until=9000)]

        self.play(open_store, script)

    def test_a_ban_put_back_is_no_new_one(self, open_store: OpenStore) -> None:
        async def script(store: Store) -> None:
            await store.commit([commit(StartBan(ban_of()))])
            await store.commit([commit(StartBan(ban_of(evidence=()), restored=True))])
            assert await store.history(limit=9) == [ban_of()]

        self.play(open_store, script)

    def test_a_new_ban_takes_the_place_of_one_whose_end_was_never_told(
        self, open_store: OpenStore
    ) -> None:
        async def script(store: Store) -> None:
            await store.commit([commit(StartBan(ban_of(until=None)))])
            await store.commit([commit(StartBan(ban_of(since=3000, until=4000)), at=3000)])
            bans = (await store.load(Instant(3001))).jails["sshd"].bans
            assert bans == (ban_of(since=3000, until=4000),)
            assert (await store.load(Instant(5000))).jails["sshd"].bans == ()

        self.play(open_store, script)

    def test_the_end_of_an_unknown_ban_is_history(self, open_store: OpenStore) -> None:
        async def script(store: Store) -> None:
            await store.commit([ends(ban_of(), "exempt", at=1100)])
            assert await store.history(limit=9) == [ended(ban_of(), 1100, "exempt")]
            assert (await store.load(Instant(1001))).jails["sshd"].bans == ()

        self.play(open_store, script)

    def test_the_same_ban_may_start_again_after_its_end(self, open_store: OpenStore) -> None:
        async def script(store: Store) -> None:
            await store.commit([commit(StartBan(ban_of())), ends(ban_of(), "operator")])
            await store.commit([commit(StartBan(ban_of()))])
            assert (await store.load(Instant(1001))).jails["sshd"].bans == (ban_of(),)

        self.play(open_store, script)

    def test_window_and_position_are_the_newest_written(self, open_store: OpenStore) -> None:
        print_ = Fingerprint(1, 2, 3, "ab")
        tally = Tally((Instant(1), Instant(2.25)), LINES)

        async def script(store: Store) -> None:
            await store.commit(
                [
                    commit(
                        tallies={ATTACKER: tally, NEIGHBOUR: tally, ODD: tally},
                        positions={"a": FilePosition("/var/log/\udcff", print_, 5)},
                    ),
                    commit(
                        tallies={NEIGHBOUR: None},
                        positions={"j": JournalPosition("s=1", Instant(4))},
                        totals=(7, 2),
                    ),
                ]
            )
            memory = await store.load(Instant(5))
            assert memory.jails == {"sshd": JailMemory((), {ATTACKER: tally, ODD: tally}, 7, 2)}
            assert memory.positions == {
                "a": FilePosition("/var/log/\udcff", print_, 5),
                "j": JournalPosition("s=1", Instant(4)),
            }

        self.play(open_store, script)

    def test_writing_twice_leaves_what_writing_once_leaves(self, open_store: OpenStore) -> None:
        first = ban_of()
        commits = [
            commit(StartBan(first), tallies={NEIGHBOUR: Tally((Instant(1),))}),
            commit(ProlongBan(ban_of(until=2000)), StartBan(ban_of(NETWORK))),
            ends(ban_of(NETWORK), "operator", at=1700),
            commit(StartBan(ban_of(NEIGHBOUR)), tallies={NEIGHBOUR: None}),
        ]

        async def script(store: Store) -> None:
            await store.commit(commits)
            memory = await store.load(Instant(1500))
            history = await store.history(limit=9)
            await store.commit(commits)
            await store.commit(commits[-1:])
            assert await store.load(Instant(1500)) == memory
            assert await store.history(limit=9) == history

        self.play(open_store, script)

    def test_history_is_newest_first_and_bounded(self, open_store: OpenStore) -> None:
        bans = [ban_of(since=at, until=at + 1) for at in (30, 10, 20)]

        async def script(store: Store) -> None:
            await store.commit([commit(*map(StartBan, bans), StartBan(ban_of(NEIGHBOUR)))])
            found = await store.history(limit=2, subject=ATTACKER)
            assert [float(ban.since) for ban in found] == [30.0, 20.0]
            assert [ban.subject for ban in await store.history(limit=1)] == [NEIGHBOUR]

        self.play(open_store, script)

    def test_purge_forgets_what_ended_long_ago(self, open_store: OpenStore) -> None:
        short = ban_of(since=1000, until=1600)
        forever = ban_of(NETWORK, until=None)
        long = ban_of(NEIGHBOUR, since=1000, until=1000 + 2 * DAY)

        async def script(store: Store) -> None:
            await store.commit([commit(*map(StartBan, (short, forever, long)))])
            assert await store.purge(Instant(1600 + DAY), DAY) == 0
            assert await store.purge(Instant(1000 + 3 * 600 + DAY + 1), DAY) == 1
            assert await store.history(limit=9, subject=ATTACKER) == []
            assert await store.purge(Instant(1000 + 7 * DAY - 1), DAY) == 0
            assert await store.purge(Instant(1000 + 7 * DAY + 1), DAY) == 1
            assert (await store.load(Instant(9e9))).jails["sshd"].bans == (forever,)

        self.play(open_store, script)

    def test_a_pardoned_ban_is_forgotten_after_its_age_alone(self, open_store: OpenStore) -> None:
        async def script(store: Store) -> None:
            long = ban_of(until=1000 + 9 * DAY)
            await store.commit([commit(StartBan(long)), ends(long, "operator", at=1100)])
            assert await store.purge(Instant(1101 + DAY), DAY) == 1

        self.play(open_store, script)

    def test_a_closed_store_takes_nothing(self, open_store: OpenStore) -> None:
        async def script(store: Store) -> None:
            await store.close()
            await store.close()
            with pytest.raises(StoreError, match="closed"):
                await store.commit([commit(StartBan(ban_of()))])

        self.play(open_store, script)
