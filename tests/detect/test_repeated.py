"""What rsyslog sums up as "message repeated 5 times" is the message, five times."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.detect.detector import Detector
from banish.detect.matcher import Matcher
from banish.detect.prefilter.block import BlockPrefilter, engine
from banish.detect.prefilter.plan import make_plan
from banish.detect.repeated import CUT_BYTES, MOST, repeated_lines, unpack
from banish.model.failure import Failure
from banish.model.instant import Seconds
from banish.model.settings import FilterSettings, Regex
from tests.detect.ways import NOW, read

STAMP = "Nov 22 12:00:00"
SSHD = FilterSettings(
    "sshd",
    prefregex=Regex(r"^<F-MLFID>\s*\S+ sshd\[\d+\]: </F-MLFID><F-CONTENT>.+</F-CONTENT>$"),
    failregex=(
        Regex(r"^Failed password for <F-USER>.*</F-USER> from <ADDR> port \d+ ssh2$"),
        Regex(r"^<F-NOFAIL>Connection</F-NOFAIL> from <ADDR>$"),
        Regex(r"^Closed by <ADDR> \[preauth\]$"),
    ),
)
OTHERS = (Regex("x <ADDR>"), Regex("y <ADDR>"), Regex("z <ADDR>"))
FAILED = "Failed password for root from 192.0.2.4 port 22 ssh2"


def failures(line: str, *filters: FilterSettings) -> list[Failure]:
    """Return what one *line*, dated, makes; the same with a prefilter, without, and traced."""
    raw = f"{STAMP} {line}\n".encode("utf-8", "replace")
    matchers = [Matcher(each.name, each, Seconds(600)) for each in filters or (SSHD,)]
    plain = read(Detector(matchers), raw)
    if engine() is not None:
        matchers = [Matcher(each.name, each, Seconds(600)) for each in filters or (SSHD,)]
        detector = Detector(matchers, BlockPrefilter(make_plan(matchers)))
        read(detector, f"{STAMP} h cron[1]: quiet\n".encode() * 101)
        assert read(detector, raw) == plain
    for matcher in [Matcher(each.name, each, Seconds(600)) for each in filters or (SSHD,)]:
        report = matcher.trace(f"{STAMP} {line}", NOW)
        mine = [each for each in plain if each.jail == matcher.jail]
        assert [(each.subject, each.attempts) for each in report.failures] == [
            (each.subject, each.attempts) for each in mine
        ]
        assert report.repeated == (mine[0].attempts if mine else report.repeated)
    return plain


def counted(line: str, *filters: FilterSettings) -> list[tuple[str, int]]:
    return [(each.subject.text, each.attempts) for each in failures(line, *filters)]


def test_a_repeated_message_counts_as_often_as_it_says() -> None:
    line = f"gate sshd[7]: message repeated 5 times: [ {FAILED}]"
    assert counted(line) == [("192.0.2.4", 5)]
    (failure,) = failures(line)
    assert [each.text for each in failure.evidence] == [f"{STAMP} {line}"]


@pytest.mark.parametrize(
    "line",
    [
        "gate sshd[7]: message repeated 5 times: [{}]",  # as imjournal hands it over
        "gate sshd[7]:  message repeated 5 times: [ {}]",
        "gate sshd[7]: message repeated 5 times: [ {}] ",
    ],
)
def test_blanks_around_it_do_not_matter(line: str) -> None:
    loose = FilterSettings(
        "sshd", failregex=(Regex(r"sshd\[\d+\]:\s+Failed password for .* from <ADDR> port \d+"),)
    )
    assert counted(line.format(FAILED), loose) == [("192.0.2.4", 5)]


@pytest.mark.parametrize(
    "text",
    [
        "gate sshd: message repeated 5 times: [ x]",
        "sshd[7]: message repeated 5 times: [ x]",
        "<38>gate sshd[7]: message repeated 5 times: [ x]",
        "<auth.info> gate sshd[7]: message repeated 5 times: [ x]",
        "<38>1  gate sshd 7 - -  message repeated 5 times: [ x]",
        "gate postfix/smtpd[7]: message repeated 5 times: [ x]\r",
        "gate sshd[7]: message repeated 5 times: [ x]\n",
    ],
)
def test_every_header_of_syslog_may_stand_before_it(text: str) -> None:
    found = unpack(text)
    assert found is not None
    assert found[0].endswith(" x\n")
    assert found[1] == 5


@pytest.mark.parametrize(
    ("times", "counts"), [("0", 1), ("1", 1), ("1000", 1000), ("999999999", MOST)]
)
def test_a_count_is_bounded(times: str, counts: int) -> None:
    assert unpack(f"gate sshd[7]: message repeated {times} times: [ x]") == (
        "gate sshd[7]: x\n",
        counts,
    )


@pytest.mark.parametrize(
    "text",
    [
        "gate sshd[7]: message repeated 9999999999 times: [ x]",
        "gate sshd[7]: message repeated -5 times: [ x]",
        "gate sshd[7]: message repeated 5 times: [ x",
        "gate sshd[7]: message repeated 5 times: [ x] from 192.0.2.66",
        "gate sshd[7]: Failed password for message repeated 5 times: [ x]",
        "gate last message repeated 5 times",
        "192.0.2.1 - message repeated 5 times: [ x]",
        '192.0.2.1 - - "GET /: message repeated 5 times: [ x]',
    ],
)
def test_anything_else_stays_as_it_is(text: str) -> None:
    assert unpack(text) is None


def test_a_message_that_may_be_cut_is_not_unpacked() -> None:
    # The name is as long as makes rsyslog cut the message right after a forged end.
    forged = " from 203.0.113.9 port 22 ssh2"
    begin = " Failed password for invalid user "
    for size, counts in ((CUT_BYTES - 1, 1), (CUT_BYTES, 0)):
        message = begin + "x" * (size - len(begin) - len(forged)) + forged
        line = f"gate sshd[7]: message repeated 5 times: [{message}]"
        assert len(counted(line)) == counts


def test_what_rsyslog_writes_is_unpacked() -> None:
    # rsyslog 8.2302 of Debian 12 wrote these, in its three usual formats.
    sshd = FilterSettings("sshd", failregex=(Regex(r"sshd.* Failed password .* from <ADDR> port"),))
    for line in (
        "Dec  1 02:00:37 vm sshd[7]: ",
        "2026-12-01T02:00:37.868416+00:00 vm sshd[7]: ",
        "<38>1 2026-12-01T02:00:37.868416+00:00 vm sshd 7 - -  ",
    ):
        matcher = Matcher("sshd", sshd, Seconds(600))
        report = matcher.trace(f"{line}message repeated 5 times: [ {FAILED}]", NOW)
        assert [each.attempts for each in report.failures] == [5]


def test_a_user_of_that_name_counts_once_and_is_counted() -> None:
    name = "message repeated 1000000 times: [ Failed password for x from 203.0.113.9 port 1 ssh2]"
    line = f"gate sshd[7]: Failed password for {name} from 192.0.2.66 port 22 ssh2"
    assert counted(line) == [("192.0.2.66", 1)]


def test_a_service_that_writes_the_name_first_loses_nobody_by_it() -> None:
    door = FilterSettings(
        "door", failregex=(Regex(r"^ gate doord: \S.* refused at <ADDR> \[door\]$"),)
    )
    line = "gate doord: message repeated 1000000 times: [ x refused at 192.0.2.66 [door]"
    assert counted(line, door) == [("192.0.2.66", 1)]


def test_a_filter_that_knows_the_wrapping_itself_still_counts_all_of_it() -> None:
    own = FilterSettings(
        "own",
        failregex=(
            Regex(r"^ gate sshd\[\d+\]: (?:message repeated \d+ times: \[ )?Failed .* from <ADDR>"),
        ),
    )
    line = f"gate sshd[7]: message repeated 5 times: [ {FAILED}]"
    assert counted(line, own, SSHD) == [("192.0.2.4", 5), ("192.0.2.4", 5)]


def test_a_filter_may_ask_for_the_line_as_it_stands() -> None:
    off = FilterSettings(
        "off", countrepeated=False, failregex=(Regex(r" times: \[ Failed .* from <ADDR>"),)
    )
    assert counted(f"gate sshd[7]: message repeated 5 times: [ {FAILED}]", off) == [
        ("192.0.2.4", 1)
    ]


def test_an_ignored_message_is_ignored_though_it_was_repeated() -> None:
    for ignored in (
        FilterSettings("few", failregex=(Regex("from <ADDR>"),), ignoreregex=(Regex(r"ssh2$"),)),
        FilterSettings(
            "many",
            failregex=(Regex("from <ADDR>"), *OTHERS),
            ignoreregex=(Regex(r"ssh2$"),),
        ),
        FilterSettings(
            "whole",
            failregex=(Regex(r"times: \[ .* from <ADDR>"), *OTHERS),
            ignoreregex=(Regex(r"message repeated"),),
        ),
    ):
        matcher = Matcher(ignored.name, ignored, Seconds(600))
        line = f"{STAMP} gate sshd[7]: message repeated 5 times: [ {FAILED}]"
        assert matcher.trace(line, NOW).state == "ignored"
        assert matcher.match(line, NOW) is None
        assert matcher.counters.ignored == 2


def test_regexes_over_several_lines_see_the_message() -> None:
    two = FilterSettings(
        "two", maxlines=2, failregex=(Regex(r"knock$<SKIPLINES>^.*Failed .* from <ADDR> port"),)
    )
    for way in ("match", "trace"):
        matcher = Matcher("two", two, Seconds(600))
        found: list[Failure] = []
        for text in (
            "knock",
            f"message repeated 4 times: [ {FAILED}]",
            "message repeated 2 times: [ x]",
        ):
            line = f"{STAMP} gate sshd[7]: {text}"
            if way == "match":
                failure = matcher.match(line, NOW)
                found += [failure] if failure else []
            else:
                found += matcher.trace(line, NOW).failures
        assert [(each.subject.text, each.attempts) for each in found] == [("192.0.2.4", 4)]


def test_an_entry_of_the_journal_is_one_message() -> None:
    matcher = Matcher("sshd", SSHD, Seconds(600))
    raw = f"gate sshd[7]: message repeated 5 times: [ {FAILED}]\n".encode()
    assert read(Detector([matcher]), raw, times=(NOW,)) == []


def test_counters_know_all_failures_of_a_line() -> None:
    matcher = Matcher("sshd", SSHD, Seconds(600))
    matcher.match(f"{STAMP} gate sshd[7]: message repeated 5 times: [ {FAILED}]", NOW)
    assert (matcher.counters.failures, matcher.counters.matched, matcher.counters.lines) == (
        5,
        1,
        1,
    )


@given(
    st.lists(
        st.sampled_from(
            [
                b"quiet",
                b"h a[1]: message repeated 3 times: [ x]",
                b"h a[1]: message repeated 3 times: [ x] \r",
                b"h a[1]: message repeated 3 times: [ x",
                b"\xffmessage repeated ]",
                b"",
            ]
        )
    ),
    st.booleans(),
)
def test_lines_that_are_unpacked_are_found_in_a_block(lines: list[bytes], ended: bool) -> None:
    block = b"\n".join(lines) + (b"\n" if ended else b"")
    found = [block[begin:end] for begin, end in repeated_lines(block)]
    known = [line for line in lines if unpack(line.decode("latin-1")) is not None]
    assert [line for line in found if unpack(line.decode("latin-1")) is not None] == known


@given(st.text(max_size=200), st.integers(1, MOST))
def test_what_is_packed_comes_out_again(message: str, times: int) -> None:
    text = f" gate sshd[7]: message repeated {times} times: [ {message}]"
    assert unpack(text) == (f" gate sshd[7]: {message}\n", times)


@pytest.mark.parametrize("part", ["a", "a ", "[a] ", ": message repeated 5 times: ["])
def test_a_long_hostile_line_is_read_in_no_time(part: str) -> None:
    text = part * (60_000 // len(part))
    begin = time.process_time()
    assert unpack(f"{text} message repeated 5 times: [ x") is None
    assert time.process_time() - begin < 0.25
