"""Lines of one session are joined; a flood of sessions pushes out only the flood."""

from hypothesis import given
from hypothesis import strategies as st

from banish.detect.pattern import Captured
from banish.detect.session import EVIDENCE_LINES, LIFETIME, USERS, Session, Sessions, wait
from banish.model.failure import Evidence
from banish.model.instant import Instant

Groups = dict[str, Captured]


def line(text: str) -> tuple[Evidence, ...]:
    return (Evidence(text),)


def join(
    sessions: Sessions, key: str, text: str, at: float = 0, /, **captured: Captured
) -> tuple[Session, bool, str]:
    """Join one line; as the matcher does, let a failure without an address wait."""
    joined = sessions.join(key, dict(captured), line(text), Instant(at))
    pending = joined.is_failure and "ip4" not in joined.captured and "ip6" not in joined.captured
    if pending:
        wait(joined)
    texts = ",".join(each.text for each in joined.evidence)
    return joined, joined.is_failure and not pending, texts


def test_failure_waits_for_the_line_that_tells_the_address() -> None:
    sessions = Sessions()
    assert join(sessions, "7", "bad password", user="a")[1] is False
    assert join(sessions, "7", "bad password again", user="a")[1] is False
    joined, failed, texts = join(sessions, "7", "from", ip4="192.0.2.1", nofail="from")
    assert failed
    assert texts == "bad password,bad password again,from"
    assert joined.lines == 3
    assert joined.captured == {"user": "a", "ip4": "192.0.2.1"}


def test_line_that_only_informs_lends_its_address_to_later_failures() -> None:
    sessions = Sessions()
    assert join(sessions, "7", "hello", ip4="192.0.2.1", nofail="hello")[1] is False
    joined, failed, texts = join(sessions, "7", "bad", user="a")
    assert (failed, texts, joined.users) == (True, "hello,bad", ("a",))
    _, failed, texts = join(sessions, "7", "bad again", user="a")
    assert (failed, texts) == (True, "bad again")


def test_other_session_knows_nothing() -> None:
    sessions = Sessions()
    join(sessions, "7", "hello", ip4="192.0.2.1", nofail="hello")
    assert join(sessions, "8", "bad")[1] is False


def test_success_forgives_what_is_pending() -> None:
    sessions = Sessions()
    join(sessions, "7", "bad", user="a")
    assert (
        join(sessions, "7", "welcome", user="a", mlfgained="welcome", ip4="192.0.2.1")[1] is False
    )
    assert join(sessions, "7", "bye", nofail="bye")[1] is False


def test_success_after_trying_two_users_is_a_failure() -> None:
    sessions = Sessions()
    join(sessions, "7", "bad", user="a", nofail="x", ip4="192.0.2.1")
    joined, failed, _ = join(sessions, "7", "welcome", user="b", mlfgained="welcome")
    assert failed
    assert joined.users == ("a", "b")
    assert "mlfgained" not in joined.captured


def test_forgetting_ends_the_session_with_that_line() -> None:
    sessions = Sessions()
    join(sessions, "7", "hello", ip4="192.0.2.1", nofail="hello")
    joined, failed, texts = join(sessions, "7", "closed", mlfforget="closed")
    assert (failed, texts) == (True, "hello,closed")
    assert joined.captured == {"ip4": "192.0.2.1"}
    assert len(sessions) == 0
    assert join(sessions, "7", "bad")[1] is False


def test_line_that_forgets_a_session_nobody_knows_opens_none() -> None:
    sessions = Sessions()
    joined, failed, _ = join(sessions, "7", "closed", mlfforget="x", nofail="x", ip4="192.0.2.1")
    assert not failed
    assert joined.lines == 0
    assert len(sessions) == 0


def test_session_ends_five_minutes_after_its_newest_line() -> None:
    sessions = Sessions()
    join(sessions, "7", "hello", 0, ip4="192.0.2.1", nofail="x")
    join(sessions, "7", "still here", LIFETIME, nofail="x")
    assert join(sessions, "7", "bad", 2 * LIFETIME)[1] is True
    assert join(sessions, "7", "bad", 3 * LIFETIME + 1)[1] is False


def test_session_keeps_a_bounded_memory_and_counts_on() -> None:
    sessions = Sessions()
    for number in range(100):
        join(sessions, "7", f"bad {number}", user=f"u{number}")
    joined, failed, texts = join(sessions, "7", "from", ip4="192.0.2.1")
    assert failed
    assert joined.lines == 101
    assert len(joined.evidence) == EVIDENCE_LINES
    assert texts.endswith("bad 99,from")
    assert len(joined.users) == USERS


def test_informing_lines_are_counted_beyond_those_kept() -> None:
    sessions = Sessions()
    for number in range(20):
        join(sessions, "7", f"hm {number}", nofail="x")
    joined, _, _ = join(sessions, "7", "bad", ip4="192.0.2.1")
    assert joined.lines == 21


def test_long_keys_are_told_apart_by_their_beginning() -> None:
    sessions = Sessions()
    join(sessions, "k" * 300, "hello", ip4="192.0.2.1", nofail="x")
    assert join(sessions, "k" * 400, "bad")[1] is True


def test_flood_of_one_address_pushes_out_its_own_sessions_only() -> None:
    sessions = Sessions(capacity=64)
    join(sessions, "victim", "hello", ip4="192.0.2.1", nofail="x")
    join(sessions, "pending", "bad", user="a")
    for number in range(10_000):
        join(sessions, f"flood {number}", "hello", ip4="198.51.100.7", nofail="x")
    assert len(sessions) <= 64
    assert sessions.evicted >= 9_936
    assert join(sessions, "victim", "bad")[1] is True
    assert join(sessions, "pending", "from", ip4="192.0.2.9")[1] is True


def test_flood_from_one_ipv6_network_counts_as_one() -> None:
    sessions = Sessions(capacity=64)
    join(sessions, "victim", "hello", ip4="192.0.2.1", nofail="x")
    for number in range(1_000):
        join(sessions, f"{number}", "hello", ip6=f"2001:db8::{number:x}", nofail="x")
    assert join(sessions, "victim", "bad")[1] is True


def test_where_all_are_equal_the_oldest_go() -> None:
    sessions = Sessions(capacity=8)
    for number in range(9):
        join(sessions, f"{number}", "hello", ip4=f"192.0.2.{number}", nofail="x")
    assert sessions.evicted == 2
    assert join(sessions, "2", "bad")[1] is True
    assert join(sessions, "1", "bad")[1] is False


def test_text_that_is_no_ipv6_address_owns_its_sessions_by_its_text() -> None:
    sessions = Sessions()
    join(sessions, "7", "hello", ip6="1:2", nofail="x")
    assert join(sessions, "7", "bad")[1] is True


def test_session_moves_to_the_address_it_turns_out_to_be_from() -> None:
    sessions = Sessions(capacity=8)
    for address in ("192.0.2.1", "192.0.2.2"):
        join(sessions, "moved", "hello", ip4=address, nofail="x")
    for number in range(4):
        join(sessions, f"{number}", "hello", ip4="192.0.2.1", nofail="x")
    for number in range(4, 8):
        join(sessions, f"{number}", "hello", ip4=f"192.0.2.{number}", nofail="x")
    assert sessions.evicted == 2
    assert join(sessions, "0", "bad")[1] is False
    assert join(sessions, "moved", "bad")[1] is True


def test_all_sessions_may_be_over() -> None:
    sessions = Sessions(capacity=8)
    for number in range(8):
        join(sessions, f"{number}", "hello", 0, ip4="192.0.2.1", nofail="x")
    join(sessions, "live", "hello", 2 * LIFETIME, ip4="192.0.2.1", nofail="x")
    assert len(sessions) == 1
    assert sessions.evicted == 0


def test_sessions_whose_time_is_over_make_room_first() -> None:
    sessions = Sessions(capacity=8)
    for number in range(7):
        join(sessions, f"{number}", "hello", 0, ip4="192.0.2.1", nofail="x")
    join(sessions, "live", "hello", LIFETIME, ip4="192.0.2.1", nofail="x")
    for number in range(8):
        join(sessions, f"new {number}", "hello", LIFETIME + 1, ip4="192.0.2.2", nofail="x")
    assert sessions.evicted == 2
    assert join(sessions, "live", "bad", LIFETIME + 1)[1] is True


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdef"),
            st.sampled_from(["", "192.0.2.1", "192.0.2.2", "192.0.2.3"]),
            st.booleans(),
            st.booleans(),
            st.booleans(),
            st.sampled_from(["", "u", "v"]),
            st.integers(0, 400),
        ),
        max_size=40,
    )
)
def test_books_are_kept_whatever_comes(
    steps: list[tuple[str, str, bool, bool, bool, str, int]],
) -> None:
    sessions = Sessions(capacity=8)
    for key, address, nofail, forget, gained, user, at in steps:
        captured: Groups = {"mlfid": key}
        captured |= {"ip4": address} if address else {}
        captured |= {"nofail": "x"} if nofail else {}
        captured |= {"mlfforget": "x"} if forget else {}
        captured |= {"mlfgained": "x"} if gained else {}
        captured |= {"user": user} if user else {}
        joined, failed, _ = join(sessions, key, "x", at, **captured)
        assert not failed or (joined.evidence and joined.lines >= 1)
        assert len(sessions) <= 8
        assert len(joined.evidence) <= EVIDENCE_LINES
        assert not {"nofail", "mlfforget", "mlfgained"} & set(joined.captured)
