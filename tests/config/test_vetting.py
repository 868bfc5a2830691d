"""``banish check`` warns of filters that attackers can turn or keep busy; nobody else pays."""

import io
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import msgspec
import pytest

from banish.config import builtin_tree, filter_settings, load, stopwatch, vetting
from banish.config.stopwatch import LINE_CHARACTERS, TimingReport, serve, time_each
from banish.detect import mendedrules
from banish.detect.mended import digest
from banish.model.settings import FilterSettings, Problem, Regex
from tests.config.tree import WriteTree

pytestmark = pytest.mark.slow

TURNED = "^login of .*? from <HOST>(?:, .*)?$"
BUSY = r"^(?:\w+\s?)*! <ADDR>$"
BUSY_FIRST = r"^(?:\w+\s?)*! <F-CONTENT>.+</F-CONTENT>$"
SAFE = r"^login of \S+ from <ADDR>$"


def jail(*regexes: str, prefregex: str = "") -> str:
    lines = "\n    ".join(regexes)
    return f"[web]\nenabled=true\nlogpath=/dev/null\nprefregex={prefregex}\nfailregex={lines}\n"


def vetted(write_tree: WriteTree, text: str) -> tuple[Problem, ...]:
    return load(write_tree({"jail.conf": text}), builtin=builtin_tree(), vet=True).problems


def filter_of(*regexes: str) -> FilterSettings:
    return FilterSettings("web", tuple(map(Regex, regexes)))


@pytest.fixture
def alarm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGVTALRM)
    yield
    signal.signal(signal.SIGVTALRM, before)


def test_a_filter_that_can_be_turned_is_told_of_with_the_proof(write_tree: WriteTree) -> None:
    (problem,) = vetted(write_tree, jail(SAFE, TURNED))
    assert problem.severity == "warning"
    assert problem.option == "failregex"
    assert problem.place is not None
    assert problem.place.line == 6
    assert problem.what.startswith("an attacker who writes the text ")
    proof = "login of x from 203.0.113.66, from 192.0.2.1"
    assert problem.cure.splitlines()[:2] == [
        "this line names 203.0.113.66 for 192.0.2.1:",
        f"    {proof}",
    ]


def test_a_filter_that_can_be_kept_busy_is_told_of(write_tree: WriteTree) -> None:
    (problem,) = vetted(write_tree, jail(BUSY))
    assert problem.severity == "warning"
    assert "this regex backtracks badly: one line of " in problem.what
    assert "many times" in problem.cure


def test_a_prefregex_that_can_be_kept_busy_is_told_of_as_such(write_tree: WriteTree) -> None:
    text = jail("^x <ADDR>$", prefregex=r"^(?:\w+\s?)*! <F-CONTENT>.+</F-CONTENT>$")
    assert [problem.option for problem in vetted(write_tree, text)] == ["prefregex"]


def test_a_safe_filter_gives_no_warning(write_tree: WriteTree) -> None:
    assert vetted(write_tree, jail(SAFE)) == ()


def test_without_being_asked_nothing_is_vetted(write_tree: WriteTree) -> None:
    tree = write_tree({"jail.conf": jail(TURNED, BUSY)})
    assert load(tree, builtin=builtin_tree()).problems == ()


def test_two_jails_with_one_filter_are_vetted_once(write_tree: WriteTree) -> None:
    again = jail(TURNED).replace("[web]", "[DEFAULT]").replace("enabled=true\n", "")
    text = f"{again}[a]\nenabled=true\n[b]\nenabled=true\n"
    assert len(vetted(write_tree, text)) == 1


@pytest.mark.parametrize(
    "spec",
    [
        "sshd",
        "sshd[mode=aggressive,unknown=both,publickey=any]",
        "sshd[mode=aggressive,unknown=attempt,publickey=invalid,logtype=journal]",
        "pam-generic",
        "recidive",
    ],
)
def test_our_own_filters_are_safe(spec: str) -> None:
    from banish.detect.vetting import examine_injection

    settings = filter_settings(spec, None, builtin_tree())
    assert examine_injection(settings) == ([], ())
    assert [each.runaways for each in time_each([settings])] == [[]]


def test_regexes_are_timed_in_a_child() -> None:
    (safe, busy) = [each.runaways for each in time_each([filter_of(SAFE), filter_of(SAFE, BUSY)])]
    assert safe == []
    assert [(found.pump.rule, found.characters <= LINE_CHARACTERS) for found in busy] == [(2, True)]


def test_the_regex_at_which_the_time_for_all_runs_out_is_held_guilty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = b"".join(msgspec.json.encode(TimingReport(0, at)) + b"\n" for at in (0, 1))

    def never(*_arguments: object, **_options: object) -> None:
        raise subprocess.TimeoutExpired("child", 1.0, output=begun)

    monkeypatch.setattr(subprocess, "run", never)
    ((found,),) = [each.runaways for each in time_each([filter_of(BUSY)])]
    assert found.characters == LINE_CHARACTERS


def test_no_time_at_all_finds_nothing() -> None:
    assert [each.runaways for each in time_each([filter_of(BUSY)], limit=0.001)] == [[]]


@pytest.mark.usefixtures("alarm")
def test_the_child_reports_each_guilty_regex_once() -> None:
    quadratic = r"^\S+ x: .*a.*! <ADDR>$"
    trials = [stopwatch._trial(filter_of(BUSY, quadratic))]
    answer = io.BytesIO()
    serve(io.BytesIO(msgspec.json.encode(trials)), answer)
    reports = [json.loads(line) for line in answer.getvalue().splitlines()]
    late = [report for report in reports if report.get("characters")]
    assert len(late) == 1
    assert trials[0].pumps[late[0]["pump"]].rule == 1
    assert any(trials[0].pumps[report["pump"]].rule == 2 for report in reports)


@pytest.mark.parametrize("choice", ["report", "last", "none"])
def test_a_jail_says_whom_a_line_with_two_addresses_counts_against(
    write_tree: WriteTree, choice: str
) -> None:
    tree = write_tree({"jail.conf": jail(SAFE) + f"ambiguous = {choice.upper()}\n"})
    (web,) = load(tree, builtin=builtin_tree()).jails
    assert web.filter.ambiguous == choice


def test_another_word_for_it_is_refused(write_tree: WriteTree) -> None:
    tree = write_tree({"jail.conf": jail(SAFE) + "ambiguous = lost\n"})
    (problem,) = load(tree, builtin=builtin_tree()).errors
    assert problem.option == "ambiguous"
    assert problem.what.startswith('"lost" is not one of the choices; ')
    assert "last" in problem.cure


def test_an_ignoreregex_that_can_be_tripped_is_told_of_with_the_proof(
    write_tree: WriteTree,
) -> None:
    regex = r'^<HOST> - - "[^"]*" 404$'
    text = jail(regex) + r"ignoreregex = favicon\.ico" + "\n"
    (problem,) = vetted(write_tree, text)
    assert (problem.severity, problem.option) == ("warning", "ignoreregex")
    assert problem.what == "an attacker who writes what it looks for is never banned"
    assert '    192.0.2.1 - - "xfavicon.ico" 404' in problem.cure.splitlines()


@pytest.mark.parametrize("ambiguous", ["safe", "report"])
def test_a_regex_that_is_searched_by_another_says_so(
    write_tree: WriteTree, monkeypatch: pytest.MonkeyPatch, ambiguous: str
) -> None:
    """Roundcube's ignoreregex was warned of as if the server went by it."""
    own = r"favicon\.ico"
    monkeypatch.setitem(mendedrules.IGNOREREGEXES, digest(own), r" /favicon\.ico HTTP$")
    monkeypatch.setitem(
        mendedrules.PREFREGEXES, digest(BUSY_FIRST), "^! <F-CONTENT>.+</F-CONTENT>$"
    )
    text = jail(r'^<HOST> - - "[^"]*" 404$') + f"ignoreregex = {own}\nambiguous={ambiguous}\n"
    (problem,) = vetted(write_tree, text)
    assert problem.option == "ignoreregex"
    assert (vetting.OWN_RULE in problem.cure) is (ambiguous == "safe")
    first = jail(SAFE, prefregex=BUSY_FIRST) + f"ambiguous={ambiguous}\n"
    found = [each for each in vetted(write_tree, first) if each.option == "prefregex"]
    assert found
    assert all((vetting.OWN_RULE in each.cure) is (ambiguous == "safe") for each in found)


def test_a_regex_whose_proof_would_take_for_ever_is_said_to_be_unproven(
    write_tree: WriteTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vetting, "EXAMINED_SECONDS", 0.2)
    rule = r"((?:(?:(?:.)+)+|\n\D.\b|((?:^|\"|\W))))<HOST>(((\W)))"
    before = signal.getsignal(signal.SIGVTALRM)
    found = [problem.what for problem in vetted(write_tree, jail(rule))]
    assert vetting.UNKNOWN in found
    assert signal.getsignal(signal.SIGVTALRM) is before


def test_an_alternative_that_names_nobody_is_told_of_with_a_line(write_tree: WriteTree) -> None:
    (problem,) = vetted(write_tree, jail(r"^<HOST> \w+ 404$|^401$"))
    assert (problem.severity, problem.option) == ("warning", "failregex")
    assert "names nobody" in problem.what
    assert problem.cure.splitlines()[:2] == [
        "this line matches and counts against nobody:",
        "    401",
    ]


def test_a_name_that_is_taken_beside_an_address_is_told_of_with_its_cure(
    write_tree: WriteTree,
) -> None:
    (problem,) = vetted(write_tree, jail(r"^login failed from <HOST> \(\S+\)$"))
    assert (problem.severity, problem.option) == ("warning", "failregex")
    assert problem.cure.splitlines() == [
        "such as in this line:",
        "    login failed from unknown.example.org (192.0.2.1)",
        r"write \S+ \(<ADDR>\) for <HOST> and the bracket behind it",
    ]


def test_many_filters_are_vetted_by_other_processes_and_told_in_order(
    write_tree: WriteTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    regexes = [f"^login {n} of .*? from <HOST>(?:, .*)?$" for n in range(9)]
    text = "".join(jail(each).replace("[web]", f"[w{n}]") for n, each in enumerate(regexes))
    tree = write_tree({"jail.conf": text})
    steps: list[tuple[int, int]] = []

    def told(cores: int) -> list[str]:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
        monkeypatch.setattr(threading, "active_count", lambda: 1)
        steps.clear()
        found = load(
            tree, builtin=builtin_tree(), vet=True, progress=lambda *step: steps.append(step)
        )
        return [str(problem) for problem in found.problems]

    alone = told(1)
    assert len(alone) == 9
    assert told(2) == alone
    assert steps == [(number, 9) for number in range(1, 10)]


def test_a_process_that_is_killed_costs_no_warning() -> None:
    filters = [filter_of(TURNED)]
    future: Future[vetting._Findings] = Future()
    future.set_exception(BrokenProcessPool())
    (found,) = vetting._results([future], filters)
    assert len(found.injections) == 1


def test_it_is_said_whom_the_line_of_a_proof_counts_against(write_tree: WriteTree) -> None:
    (problem,) = vetted(write_tree, jail(TURNED))
    assert "banish counts it against nobody (ambiguous = safe); " in problem.cure
    (problem,) = vetted(write_tree, jail(TURNED) + "ambiguous = report\n")
    assert "banish counts" not in problem.cure


def test_a_name_that_is_not_counted_is_told_of(write_tree: WriteTree) -> None:
    (problem,) = vetted(write_tree, jail("^failed for <F-USER>\\S+</F-USER> from <HOST>$"))
    assert problem.what == 'a client that calls itself "x y" is not counted'
    assert "failed for x y from 192.0.2.1" in problem.cure
