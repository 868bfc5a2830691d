import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.codec import from_json, to_builtins, to_json
from banish.model.decision import Decision, EndBan, ProlongBan, StartBan
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds, to_iso
from banish.model.record import FilePosition, Fingerprint, JournalPosition, Position
from banish.model.reload import JailDifference, ReloadReport
from banish.model.settings import (
    ActionSettings,
    FilterSettings,
    JailSettings,
    Place,
    PortRange,
    Problem,
    Settings,
)
from banish.model.status import EnforcementStatus, ServerStatus


def ban(until: float | None = 70) -> Ban:
    return Ban(
        jail="sshd",
        subject=parse_subject("192.0.2.1"),
        since=Instant(10),
        until=None if until is None else Instant(until),
        evidence=(Evidence("a line", "/var/log/auth.log", 17, Instant(9)),),
    )


@pytest.mark.parametrize(
    "decision", [StartBan(ban()), EndBan(ban(), "expired"), ProlongBan(ban(None))]
)
def test_a_decision_survives_json(decision: Decision) -> None:
    assert from_json(to_json(decision), Decision) == decision  # type: ignore[arg-type]


@given(st.integers(0, 2**40), st.text(max_size=20))
def test_a_position_survives_json(offset: int, path: str) -> None:
    for place in (
        FilePosition(path, Fingerprint(1, 2, 3, "ab"), offset),
        JournalPosition(path, Instant(offset)),
    ):
        assert from_json(to_json(place), Position) == place  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [b"", b"[]", b'{"type":"start"}', b"\xff", b"nul"])
def test_what_does_not_fit_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(text, Ban)


def test_a_ban_is_over_at_its_end_and_a_permanent_one_never() -> None:
    assert not ban().is_over(Instant(69.9))
    assert ban().is_over(Instant(70))
    assert not ban(None).is_over(Instant(1e12))


def test_a_problem_reads_as_where_option_what_and_cure() -> None:
    problem = Problem("error", "wrong", Place("jail.local", 17), "findtime", "write 10m")
    assert str(problem) == "jail.local:17: findtime: wrong\n    write 10m"
    assert str(Problem("warning", "odd", Place("x"))) == "x: odd"
    settings = Settings("built-in", problems=(problem, Problem("warning", "odd")))
    assert settings.errors == (problem,)


def test_small_values_read_as_people_write_them() -> None:
    assert [str(PortRange(22, 22)), str(PortRange(1, 9))] == ["22", "1-9"]
    assert to_iso(Instant(0.9)) == "1970-01-01T00:00:00+00:00"
    assert to_builtins((Seconds(3),)) == (3.0,)
    status = ServerStatus(
        version="1",
        pid=1,
        started_at=Instant(5),
        now=Instant(8),
        root="built-in",
        dry_run=True,
        jails=(),
        sources=(),
        enforcement=EnforcementStatus("memory"),
        store="none",
    )
    assert status.uptime == Seconds(3)


def test_an_action_keeps_subjects_out_if_it_undoes_what_it_does() -> None:
    tells = ActionSettings("mail", properties={"actionban": " mail ", "norestored": "true"})
    assert not tells.is_enforcing
    assert tells.command("actionban") == "mail"
    assert tells.flag("norestored")
    assert not tells.flag("actionrepair_on_unban")
    for option in ("actionunban", "actionflush"):
        assert ActionSettings("own", properties={option: "x"}).is_enforcing


def test_a_reload_says_which_jails_keep_their_old_settings() -> None:
    jails = (JailDifference("sshd", "changed"), JailDifference("web", "kept"))
    assert ReloadReport(jails).kept == ("web",)


@pytest.mark.parametrize(("backend", "expected"), [("ledger", True), ("auto", False)])
def test_a_jail_may_count_the_bans_of_others(backend: str, expected: bool) -> None:
    jail = JailSettings("recidive", FilterSettings("recidive"), backend=backend)
    assert jail.uses_ledger is expected
