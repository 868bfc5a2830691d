"""Counters."""

from banish.telemetry.metrics import OVERFLOW, Counters


def test_counts_add_up_by_name_and_labels() -> None:
    counters = Counters()
    counters.add("banish_bans_started_total", (("jail", "sshd"),))
    counters.add("banish_bans_started_total", (("jail", "sshd"),), 2)
    counters.add("banish_bans_started_total", (("jail", "web"),))
    assert counters.total("banish_bans_started_total") == 4
    assert counters.snapshot()["banish_bans_started_total", (("jail", "sshd"),)] == 3


def test_series_are_bounded_and_what_is_left_out_is_counted() -> None:
    counters = Counters(limit=2)
    for number in range(5):
        counters.add("x_total", (("jail", str(number)),))
    counters.add("x_total", (("jail", "0"),))
    assert counters.total("x_total") == 3
    assert counters.total(OVERFLOW) == 3


def test_exposition_is_prometheus_text() -> None:
    counters = Counters()
    assert counters.exposition() == ""
    counters.add("b_total", (("jail", 'a"b\\c\nd'),))
    counters.add("a_total", (), 7)
    assert counters.exposition() == (
        "# TYPE a_total counter\na_total 7\n"
        '# TYPE b_total counter\nb_total{jail="a\\"b\\\\c\\nd"} 1\n'
    )
