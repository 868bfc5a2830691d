import pytest

from banish.config.ignoring import to_ignorecache, to_ignorecommand
from banish.config.problem import FaultError, Problems
from banish.config.text import single
from banish.model.settings import Place

HERE = Place("jail.local", 3)


def told(command: str) -> list[str]:
    problems = Problems()
    assert to_ignorecommand(single(f" {command}\n", HERE), problems) == command
    return [f"{problem.what} | {problem.cure}" for problem in problems.all()]


@pytest.mark.parametrize(
    "command", ["", "/check <ip>", '/check -- "<F-USER>" <fid>', "sh -c 'check <ip>'", "a <x >y"]
)
def test_a_command_that_works_as_it_looks_is_taken(command: str) -> None:
    assert told(command) == []


def test_a_tag_where_values_are_parsed_again_is_told() -> None:
    (what,) = told("grep -q '<F-USER>' /list")
    assert "<F-USER> stands in single quotes" in what
    assert "the command is not run, and nobody is exempt by it" in what
    assert 'write it in double quotes: "<F-USER>"' in what


def test_a_tag_that_another_program_reads_is_told() -> None:
    (what,) = told('printf "%s" <F-USER> | sh')
    assert what.startswith("<F-USER> is read as a program by sh: ")
    assert what.endswith('in double quotes: /path/to/program -- "<F-USER>"')
    (what,) = told('echo "<F-USER>" | /bin/notify')
    assert what.startswith("<F-USER> is read by notify, which may run what it reads")


def test_a_tag_that_may_be_an_option_is_told() -> None:
    (what,) = told("sort <F-USER>")
    assert what.startswith('<F-USER> begins a word of sort: "_" goes before a value')
    assert what.endswith('write it before the tag: sort -- "<F-USER>"')


def test_a_tag_without_a_value_is_told() -> None:
    (what,) = told("/check <ip> -- <ipmatches>")
    assert "<ipmatches> has no value here" in what


def test_a_cache_rule_is_taken_as_written_or_refused() -> None:
    rule = 'key="<ip>", max-count=10, max-time=1h'
    assert to_ignorecache(single(rule, HERE)) == rule
    with pytest.raises(FaultError, match="not understood") as fault:
        to_ignorecache(single("yes", HERE))
    assert fault.value.cure == 'write key="<ip>", max-count=100, max-time=5m'
