"""Made-up configurations, read by Fail2Ban's own reader and by ours, come to the same.

Fail2Ban's reader runs in a process of its own, one for all examples; what it
refuses is not compared, since we go on where it stops.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banish.config import jails, load
from banish.model.settings import JailSettings

READER = """
import json, logging, sys
logging.disable(logging.CRITICAL)
from fail2ban.client.jailsreader import JailsReader
for line in sys.stdin:
    try:
        reader = JailsReader(basedir=line.strip(), share_config=None)
        if not reader.read() or not reader.getOptions():
            raise ValueError("refused")
        answer = reader.convert(allow_no_files=True)
    except Exception as error:
        answer = repr(error)
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture(autouse=True)
def _read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave regexes untried: Fail2Ban's reader leaves them to its server."""
    monkeypatch.setattr(jails, "check_filter", lambda _, settings: settings)
    monkeypatch.setattr(jails, "check_tags", lambda *_: None)


@pytest.fixture(scope="module")
def fail2ban(stock_package: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a process that answers the name of a directory with Fail2Ban's commands for it."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", READER],
        env={"PYTHONPATH": str(stock_package / "usr/lib/python3/dist-packages")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process
        process.kill()


def ask(process: subprocess.Popen[str], root: Path) -> dict[str, object] | None:
    """Return what Fail2Ban makes of the jail ``web`` in *root*; None if it refuses it."""
    assert process.stdin is not None
    assert process.stdout is not None
    print(root, file=process.stdin, flush=True)
    line = process.stdout.readline()
    if not line:
        pytest.skip("Fail2Ban's reader does not run here")
    answer = json.loads(line)
    if not isinstance(answer, list) or any(command[0] == "config-error" for command in answer):
        return None
    found: dict[str, object] = {"failregex": [], "ignoreregex": []}
    for command in answer:
        match command:
            case ["multi-set", "web", "addfailregex" | "addignoreregex" as option, values]:
                found[option.removeprefix("add")] = values
            case ["set", "web", "addfailregex" | "addignoreregex" as option, value]:
                found[option.removeprefix("add")] = [value]
            case ["set", "web", "maxretry" | "usedns" | "datepattern" as option, value]:
                found[option] = value
            case _:
                pass
    return found


REFERENCES = st.sampled_from(
    [
        "%(a)s", "%(b)s", "%(known/a)s", "%(known/b)s", "%(sub/a)s", "%(default/a)s",
        "%(__name__)s", "%%", "<a>", "<b>", "<sub/a>", "<known/a>", "<known/i>", "<i>", "<x-<m>>",
        "<m>", "<logtype>", "<DEFAULT/a>", "<A>", "<nothing>", "<maxretry>", "x", "y", " ", "; c",
        "#",
    ]
)  # fmt: skip
VALUES = st.lists(REFERENCES, max_size=3).map("".join)


def lines(names: str, **always: str) -> st.SearchStrategy[str]:
    """Give lines that set some of *names*, and always those in *always*, if to something else."""
    options = st.dictionaries(st.sampled_from(names.split()), VALUES, max_size=3)
    return options.map(
        lambda some: "".join(f"{name} = {value}\n" for name, value in (always | some).items())
    )


FILTER = st.builds(
    "[DEFAULT]\n{}[Definition]\nfailregex = ^<HOST> {}$\n    <b>\n{}[sub]\n{}[Init]\n{}".format,
    lines("a b m", a="A", b="B"),
    VALUES,
    lines("a b x-1 x-file ignoreregex"),
    lines("a b", a="SA"),
    lines("i a m"),
)
LOCAL = st.builds("[Definition]\n{}[Init]\n{}".format, lines("a b x-1 failregex"), lines("i m"))
JAIL = st.builds(
    "[DEFAULT]\nfilter = web[m={}]\n{}[web]\nenabled = true\nlogpath = /nothing\n"
    "backend = polling\n{}{}\n[sub]\na = 1\n".format,
    st.sampled_from(["1", "file", "z", '"<a>"']),
    lines("a b", a="JA", b="JB"),
    lines("a b"),
    st.sampled_from(
        ["", "failregex = %(known/failregex)s\n   ^<HOST> own\n", "maxretry = 7\n", "usedns = no\n"]
    ),
)
JAIL_LOCAL = st.sampled_from(
    [
        "",
        "[web]\na = %(known/a)s!\n",
        "[web]\nfailregex = ^<HOST> %(a)s$\n",
        "[web]\nignoreregex = %(known/b)s%(b)s\n",
        "[DEFAULT]\nmaxretry = 4\n[web]\nb = %(default/maxretry)s\nignoreregex = %(b)s\n",
    ]
)


def ours(jail: JailSettings) -> dict[str, object]:
    return {
        "failregex": [regex.text for regex in jail.filter.failregex],
        "ignoreregex": [regex.text for regex in jail.filter.ignoreregex],
        "maxretry": jail.maxretry,
        "usedns": jail.filter.usedns,
    }


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(jail=JAIL, jail_local=JAIL_LOCAL, filters=FILTER, local=LOCAL)
def test_made_up_configurations_come_to_what_fail2ban_makes_of_them(
    fail2ban: subprocess.Popen[str],
    tmp_path: Path,
    jail: str,
    jail_local: str,
    filters: str,
    local: str,
) -> None:
    (tmp_path / "filter.d").mkdir(exist_ok=True)
    (tmp_path / "jail.conf").write_text(jail)
    (tmp_path / "jail.local").write_text(jail_local)
    (tmp_path / "filter.d" / "web.conf").write_text(filters)
    (tmp_path / "filter.d" / "web.local").write_text(local)
    theirs = ask(fail2ban, tmp_path)
    if theirs is None:
        return
    mine = load(tmp_path, builtin=tmp_path)
    if not theirs["failregex"]:
        assert "nothing to find" in mine.errors[0].what
        return
    assert [str(problem) for problem in mine.errors] == []
    (found,) = mine.jails
    values = ours(found)
    assert {option: values[option] for option in theirs} == theirs
    COMPARED.append(1)


COMPARED: list[int] = []


def test_enough_of_them_were_compared() -> None:
    print(f"{len(COMPARED)} configurations that Fail2Ban takes come to the same here")
    assert len(COMPARED) > 20
