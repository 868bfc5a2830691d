"""What every enforcer promises; each test is run against real firewalls and the fake."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banish.errors import EnforceError
from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, ProlongBan, StartBan
from banish.model.instant import Instant
from banish.model.settings import Enforcement, PortRange
from banish.ports import Enforcer

NOW = Instant(1_000_000)
ATTACKER = parse_subject("192.0.2.1")
ATTACKER6 = parse_subject("2001:db8::1")
BYSTANDER = parse_subject("198.51.100.7")
WIDE = parse_subject("192.0.2.0/24")
HALF = parse_subject("192.0.2.128/25")
QUARTER = parse_subject("192.0.2.192/26")
WIDE6 = parse_subject("2001:db8::/32")
SSHD = Enforcement("sshd", ("tcp",), (PortRange(22, 22),))
WEB = Enforcement("web", ("tcp", "udp"), (PortRange(80, 80), PortRange(8000, 8100)))
EVERYTHING = Enforcement("recidive", ())

ODD_NAMES = (
    'sshd"; flush ruleset; #',
    "nginx http auth",
    "größe",
    "../../etc",
    "x" * 300,
    "x" * 299 + "y",
    "-4",
    "42",
    "drop",
    "input",
    "a}\n\0{",
    "sshd-net",
    "Sshd",
    "\udcff",
)


class Firewall(Protocol):
    """An enforcer, and a stranger who can reach the same firewall."""

    @property
    def enforcer(self) -> Enforcer:
        """The enforcer that is being tested."""
        ...

    def lift(self, jail: str, subject: Subject) -> None:
        """Take one ban out behind the enforcer's back."""
        ...

    def slip_in(self, jail: str, subject: Subject) -> None:
        """Put one ban in behind the enforcer's back."""
        ...

    def destroy(self) -> None:
        """Take everything out behind the enforcer's back."""
        ...

    def others(self) -> str:
        """Put things of others beside ours, unless they are there; return how they look now."""
        ...

    def shows(self, subject: Subject) -> bool:
        """Whether *subject* stands among what is banned, as anybody can see."""
        ...

    def again(self) -> Enforcer:
        """Return an enforcer of the same place that knows of nothing, as after a restart."""
        ...


def ban(subject: Subject = ATTACKER, lasts: float | None = 600, jail: str = "sshd") -> Ban:
    return Ban(jail, subject, NOW, None if lasts is None else Instant(NOW + lasts))


def start(subject: Subject, lasts: float | None = 600, jail: str = "sshd") -> StartBan:
    return StartBan(ban(subject, lasts, jail))


def prolong(subject: Subject, lasts: float | None, jail: str = "sshd") -> ProlongBan:
    return ProlongBan(ban(subject, lasts, jail))


def end(subject: Subject, jail: str = "sshd") -> EndBan:
    return EndBan(ban(subject, 600, jail), "expired")


async def held(enforcer: Enforcer) -> Mapping[str, frozenset[Subject]]:
    found = await enforcer.read()
    assert found.is_whole
    return found.subjects


Script = Callable[[Firewall], Coroutine[Any, Any, None]]


def play(firewall: Firewall, script: Script, jails: Sequence[Enforcement] = (SSHD, WEB)) -> None:
    async def run() -> None:
        await firewall.enforcer.start(jails, [], NOW)
        try:
            await asyncio.wait_for(script(firewall), 120)
        finally:
            await firewall.enforcer.stop(keep=False)

    asyncio.run(run())


SUBJECTS = [ATTACKER, ATTACKER6, BYSTANDER, WIDE, HALF, QUARTER, WIDE6]
SUBJECTS += [parse_subject(text) for text in ("0.0.0.0/0", "128.0.0.0/1", "2001:db8::/64")]
STEPS = st.lists(
    st.builds(
        lambda jail, subject, lasts: (
            end(subject, jail) if lasts == 0 else start(subject, lasts, jail)
        ),
        st.sampled_from(["sshd", "web"]),
        st.sampled_from(SUBJECTS),
        st.sampled_from([0, 0, 100, 200, 300, None]),
    ),
    max_size=8,
)


class EnforcerContract:
    """Subclasses give the fixture ``firewall``."""

    heals_itself = False
    """Whether `apply` puts back what others destroyed, rather than say so."""

    def test_a_fresh_start_holds_nothing_and_is_whole(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            assert await held(firewall.enforcer) == {"sshd": frozenset(), "web": frozenset()}

        play(firewall, script)

    def test_start_holds_exactly_the_bans_it_is_given(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.apply([start(BYSTANDER)], NOW)
            bans = [ban(ATTACKER), ban(ATTACKER6, None), ban(WIDE6, 60, "web")]
            for _ in range(2):
                await firewall.enforcer.start([SSHD, WEB], bans, NOW)
                assert await held(firewall.enforcer) == {
                    "sshd": {ATTACKER, ATTACKER6},
                    "web": {WIDE6},
                }

        play(firewall, script)

    def test_start_passes_over_what_is_over_unknown_or_no_address(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            bans = [ban(ATTACKER, 0), ban(BYSTANDER, jail="gone"), ban(parse_subject("alice"))]
            await firewall.enforcer.start([SSHD], bans, NOW)
            assert await held(firewall.enforcer) == {"sshd": frozenset()}

        play(firewall, script)

    def test_start_changes_the_set_of_jails(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.start([WEB, EVERYTHING], [ban(jail="recidive")], NOW)
            await firewall.enforcer.apply([start(BYSTANDER, jail="sshd")], NOW)
            assert await held(firewall.enforcer) == {"web": frozenset(), "recidive": {ATTACKER}}

        play(firewall, script)

    def test_change_serves_other_jails_and_leaves_the_bans_of_those_that_stay(
        self, firewall: Firewall
    ) -> None:
        async def script(firewall: Firewall) -> None:
            enforcer = firewall.enforcer
            await enforcer.apply([start(ATTACKER), start(WIDE6), start(BYSTANDER, jail="web")], NOW)
            stay, come = (
                [ban(), ban(WIDE6)],
                [ban(BYSTANDER, jail="recidive"), ban(WIDE, 60, "recidive")],
            )
            await enforcer.change([SSHD, EVERYTHING], [*stay, *come], NOW)
            expected = {"sshd": {ATTACKER, WIDE6}, "recidive": {BYSTANDER, WIDE}}
            assert await held(enforcer) == expected
            other_port = msgspec.structs.replace(SSHD, ports=(PortRange(2222, 2222),))
            await enforcer.change([EVERYTHING, other_port], [*stay, *come], NOW)
            assert await held(enforcer) == expected
            await enforcer.apply([end(ATTACKER), start(ATTACKER6, jail="recidive")], NOW)
            other = {BYSTANDER, WIDE, ATTACKER6}
            assert await held(enforcer) == {"sshd": {WIDE6}, "recidive": other}
            await enforcer.change([], [], NOW)
            assert (await enforcer.read()).subjects == {}
            await enforcer.change([SSHD], [ban(ATTACKER6)], NOW)
            assert await held(enforcer) == {"sshd": {ATTACKER6}}

        play(firewall, script)

    def test_change_heals_what_somebody_destroyed(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.apply([start(ATTACKER)], NOW)
            firewall.destroy()
            bans = [ban(ATTACKER), ban(BYSTANDER, jail="web")]
            await firewall.enforcer.change([SSHD, WEB], bans, NOW)
            assert await held(firewall.enforcer) == {"sshd": {ATTACKER}, "web": {BYSTANDER}}

        play(firewall, script)

    @pytest.mark.parametrize("subject", [ATTACKER, ATTACKER6, WIDE, WIDE6], ids=str)
    def test_a_ban_starts_and_ends_and_twice_is_once(
        self, firewall: Firewall, subject: Subject
    ) -> None:
        async def script(firewall: Firewall) -> None:
            for _ in range(2):
                await firewall.enforcer.apply([start(subject)], NOW)
                assert (await held(firewall.enforcer))["sshd"] == {subject}
            for _ in range(2):
                await firewall.enforcer.apply([end(subject)], NOW)
                assert (await held(firewall.enforcer))["sshd"] == frozenset()

        play(firewall, script)

    @pytest.mark.parametrize("everybody", ["0.0.0.0/0", "::/0"])
    def test_everybody_can_be_banned(self, firewall: Firewall, everybody: str) -> None:
        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.apply([start(parse_subject(everybody))], NOW)
            assert (await held(firewall.enforcer))["sshd"] == {parse_subject(everybody)}
            await firewall.enforcer.apply([end(parse_subject(everybody))], NOW)
            assert (await held(firewall.enforcer))["sshd"] == frozenset()

        play(firewall, script)

    def test_jails_do_not_share_their_bans(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.apply([start(ATTACKER), start(ATTACKER, jail="web")], NOW)
            await firewall.enforcer.apply([end(ATTACKER)], NOW)
            assert await held(firewall.enforcer) == {"sshd": frozenset(), "web": {ATTACKER}}

        play(firewall, script)

    def test_the_last_word_of_a_batch_counts(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            batch: list[Decision] = [
                start(ATTACKER),
                end(ATTACKER),
                end(BYSTANDER),
                start(BYSTANDER),
                start(WIDE),
            ]
            batch += [end(WIDE), prolong(HALF, 900), prolong(HALF, None)]
            await firewall.enforcer.apply(batch, NOW)
            assert (await held(firewall.enforcer))["sshd"] == {BYSTANDER, HALF}

        play(firewall, script)

    def test_a_ban_that_is_over_is_taken_out_rather_than_put_in(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.apply([start(ATTACKER), start(WIDE)], NOW)
            await firewall.enforcer.apply([prolong(ATTACKER, 0), prolong(WIDE, -5)], NOW)
            assert (await held(firewall.enforcer))["sshd"] == frozenset()

        play(firewall, script)

    @pytest.mark.parametrize("lasts", [None, 0.001, 1e9, 1e12, 1e17])
    def test_a_ban_may_last_any_time(self, firewall: Firewall, lasts: float | None) -> None:
        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.apply([start(ATTACKER, lasts), start(WIDE6, lasts)], NOW)
            assert (await held(firewall.enforcer))["sshd"] == {ATTACKER, WIDE6}
            await firewall.enforcer.apply([prolong(ATTACKER, 60), prolong(WIDE6, 60)], NOW)
            assert (await held(firewall.enforcer))["sshd"] == {ATTACKER, WIDE6}

        play(firewall, script)

    def test_unknown_jails_and_free_identifiers_are_passed_over(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            batch = [start(parse_subject("alice")), start(BYSTANDER, jail="gone"), start(ATTACKER)]
            await firewall.enforcer.apply(batch, NOW)
            await firewall.enforcer.apply(batch[:2], NOW)
            await firewall.enforcer.apply([], NOW)
            assert await held(firewall.enforcer) == {"sshd": {ATTACKER}, "web": frozenset()}

        play(firewall, script)

    def test_networks_inside_each_other_come_and_go_in_any_order(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            steps: list[tuple[list[Decision], set[Subject]]] = [
                ([start(HALF, 900)], {HALF}),
                ([start(WIDE, 600)], {HALF, WIDE}),
                ([start(QUARTER, None)], {HALF, WIDE, QUARTER}),
                ([start(ATTACKER)], {HALF, WIDE, QUARTER, ATTACKER}),
                ([end(HALF)], {WIDE, QUARTER, ATTACKER}),
                ([prolong(WIDE, 9_000)], {WIDE, QUARTER, ATTACKER}),
                ([end(WIDE), start(HALF, 10)], {HALF, QUARTER, ATTACKER}),
                ([end(HALF)], {QUARTER, ATTACKER}),
                ([end(QUARTER), end(ATTACKER)], set()),
            ]
            for batch, expected in steps:
                for _ in range(2):
                    await firewall.enforcer.apply(batch, NOW)
                    assert (await held(firewall.enforcer))["sshd"] == expected

        play(firewall, script)

    @settings(
        max_examples=12,
        deadline=None,
        # Each firewall has a class of its own, and undoes all that an example did.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(batches=st.lists(STEPS, min_size=1, max_size=4))
    def test_any_bans_in_any_order_are_held_as_wanted(
        self, firewall: Firewall, batches: list[list[Decision]]
    ) -> None:
        wanted: dict[str, set[Subject]] = {"sshd": set(), "web": set()}

        async def script(firewall: Firewall) -> None:
            for batch in batches:
                for decision in batch:
                    if isinstance(decision, EndBan):
                        wanted[decision.ban.jail].discard(decision.ban.subject)
                    else:
                        wanted[decision.ban.jail].add(decision.ban.subject)
                for _ in range(2):
                    await firewall.enforcer.apply(batch, NOW)
                    assert await held(firewall.enforcer) == wanted

        play(firewall, script)

    def test_odd_jail_names_stay_apart_and_do_no_harm(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            for index, jail in enumerate(ODD_NAMES):
                subject = parse_subject(f"192.0.2.{index}")
                await firewall.enforcer.apply([start(subject, jail=jail)], NOW)
            for index, jail in enumerate(ODD_NAMES):
                expected = {parse_subject(f"192.0.2.{index}")}
                assert (await held(firewall.enforcer))[jail] == expected

        play(firewall, script, [Enforcement(jail, ("tcp",)) for jail in ODD_NAMES])

    def test_a_lifted_ban_is_missed_and_can_be_put_back(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            for subject in (ATTACKER, WIDE6):
                await firewall.enforcer.apply([start(ATTACKER), start(WIDE6)], NOW)
                firewall.lift("sshd", subject)
                held_now = (await firewall.enforcer.read()).subjects["sshd"]
                assert held_now == {ATTACKER, WIDE6} - {subject}
                await firewall.enforcer.apply([start(subject)], NOW)
                assert (await held(firewall.enforcer))["sshd"] == {ATTACKER, WIDE6}

        play(firewall, script)

    def test_ending_a_ban_that_is_gone_already_does_not_matter(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.apply([start(ATTACKER), start(WIDE6)], NOW)
            firewall.lift("sshd", ATTACKER)
            firewall.lift("sshd", WIDE6)
            await firewall.enforcer.apply([end(ATTACKER), end(WIDE6), start(BYSTANDER)], NOW)
            assert (await held(firewall.enforcer))["sshd"] == {BYSTANDER}

        play(firewall, script)

    def test_what_somebody_destroyed_is_noticed_and_healed_by_start(
        self, firewall: Firewall
    ) -> None:
        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.apply([start(ATTACKER)], NOW)
            notice = asyncio.create_task(firewall.enforcer.wait_for_foreign_change())
            await firewall.enforcer.apply([start(BYSTANDER)], NOW)
            firewall.destroy()
            await notice
            found = await firewall.enforcer.read()
            assert not found.is_whole
            assert not any(found.subjects.values())
            if self.heals_itself:
                await firewall.enforcer.apply([end(ATTACKER)], NOW)
                assert await held(firewall.enforcer) == {"sshd": {BYSTANDER}, "web": frozenset()}
            else:
                with pytest.raises(EnforceError):
                    await firewall.enforcer.apply([start(ATTACKER)], NOW)
            await firewall.enforcer.start([SSHD, WEB], [ban(ATTACKER)], NOW)
            assert await held(firewall.enforcer) == {"sshd": {ATTACKER}, "web": frozenset()}

        play(firewall, script)

    def test_what_somebody_slipped_in_is_seen_and_can_be_taken_out(
        self, firewall: Firewall
    ) -> None:
        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.apply([start(ATTACKER)], NOW)
            for subject in (BYSTANDER, ATTACKER6):
                notice = asyncio.create_task(firewall.enforcer.wait_for_foreign_change())
                firewall.slip_in("sshd", subject)
                assert (await held(firewall.enforcer))["sshd"] == {ATTACKER, subject}
                await firewall.enforcer.apply([end(subject)], NOW)
                assert (await held(firewall.enforcer))["sshd"] == {ATTACKER}
                notice.cancel()
            firewall.slip_in("web", BYSTANDER)
            await firewall.enforcer.start([SSHD, WEB], [ban(ATTACKER)], NOW)
            assert await held(firewall.enforcer) == {"sshd": {ATTACKER}, "web": frozenset()}

        play(firewall, script)

    def test_only_its_own_is_touched(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            before = firewall.others()
            await firewall.enforcer.start([SSHD, WEB], [ban(), ban(WIDE6, jail="web")], NOW)
            await firewall.enforcer.apply([end(ATTACKER), start(BYSTANDER), start(WIDE)], NOW)
            assert firewall.others() == before
            await firewall.enforcer.start([WEB], [ban(jail="web")], NOW)
            assert firewall.others() == before
            await firewall.enforcer.stop(keep=False)
            assert firewall.others() == before

        play(firewall, script)

    def test_bans_that_are_kept_outlive_the_enforcer_until_the_next_one_replaces_them(
        self, firewall: Firewall
    ) -> None:
        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.apply([start(ATTACKER), start(WIDE6, jail="web")], NOW)
            await firewall.enforcer.stop(keep=True)
            assert firewall.shows(ATTACKER)
            assert firewall.shows(WIDE6)
            assert not firewall.shows(BYSTANDER)
            second = firewall.again()
            await second.start([SSHD], [ban(BYSTANDER)], NOW)
            assert await held(second) == {"sshd": {BYSTANDER}}
            await second.stop(keep=False)
            assert not firewall.shows(BYSTANDER)

        play(firewall, script)

    def test_ten_thousand_bans_come_and_go_in_one_batch(self, firewall: Firewall) -> None:
        many = [parse_subject(f"203.0.{n >> 8}.{n & 255}") for n in range(5_000)]
        many += [parse_subject(f"2001:db8:{n:x}::1") for n in range(5_000)]

        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.apply([start(subject) for subject in many], NOW)
            assert (await held(firewall.enforcer))["sshd"] == frozenset(many)
            await firewall.enforcer.start([SSHD], [ban(subject) for subject in many], NOW)
            assert await held(firewall.enforcer) == {"sshd": frozenset(many)}
            await firewall.enforcer.apply([end(subject) for subject in many], NOW)
            assert await held(firewall.enforcer) == {"sshd": frozenset()}

        play(firewall, script)

    def test_a_stopped_enforcer_holds_nothing_and_can_start_again(self, firewall: Firewall) -> None:
        async def script(firewall: Firewall) -> None:
            await firewall.enforcer.start([SSHD], [ban()], NOW)
            for _ in range(2):
                await firewall.enforcer.stop(keep=False)
                assert not (await firewall.enforcer.read()).is_whole
            await firewall.enforcer.start([SSHD], [ban(BYSTANDER)], NOW)
            assert await held(firewall.enforcer) == {"sshd": {BYSTANDER}}

        play(firewall, script)


def is_noticed_and_mended(
    firewall: Firewall, change: Callable[[], object], *, shows_at_once: bool = False
) -> None:
    """Assert that *change* by a stranger, and nothing before it, is noticed; then start anew.

    *shows_at_once*: reading tells then that something of ours is not as it was.
    """
    enforcer = firewall.enforcer

    async def script(_: Firewall) -> None:
        await enforcer.apply([start(ATTACKER), start(WIDE), start(ATTACKER6)], NOW)
        assert (await enforcer.read()).is_whole
        notice = asyncio.create_task(enforcer.wait_for_foreign_change())
        await enforcer.read()
        await enforcer.apply([end(ATTACKER6), start(BYSTANDER)], NOW)
        assert not notice.done()
        change()
        await notice
        if shows_at_once:
            assert not (await enforcer.read()).is_whole
        await enforcer.start([SSHD, WEB], [ban(), ban(WIDE)], NOW)
        assert await held(enforcer) == {"sshd": {ATTACKER, WIDE}, "web": frozenset()}

    play(firewall, script)


class ChangingJails:
    """A law for firewalls whose `change` is more than `start`; as `EnforcerContract`."""

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(
        turns=st.lists(
            st.tuples(
                STEPS, st.lists(st.sampled_from([SSHD, WEB, EVERYTHING]), unique=True, min_size=1)
            ),
            min_size=1,
            max_size=4,
        )
    )
    def test_bans_and_jails_may_change_in_any_order(
        self, firewall: Firewall, turns: list[tuple[list[Decision], list[Enforcement]]]
    ) -> None:
        async def script(firewall: Firewall) -> None:
            wanted: dict[str, dict[Subject, Ban]] = {"sshd": {}, "web": {}}
            for batch, jails in turns:
                for decision in batch:
                    bans = wanted.get(decision.ban.jail, {})
                    if isinstance(decision, EndBan):
                        bans.pop(decision.ban.subject, None)
                    else:
                        bans[decision.ban.subject] = decision.ban
                await firewall.enforcer.apply(batch, NOW)
                fresh = {WIDE: 500, BYSTANDER: None}
                wanted = {
                    jail.jail: wanted.get(
                        jail.jail, {who: ban(who, lasts, jail.jail) for who, lasts in fresh.items()}
                    )
                    for jail in jails
                }
                all_bans = [each for bans in wanted.values() for each in bans.values()]
                await firewall.enforcer.change(jails, all_bans, NOW)
                assert await held(firewall.enforcer) == {
                    jail: frozenset(bans) for jail, bans in wanted.items()
                }

        play(firewall, script)
