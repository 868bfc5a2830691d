"""Any configuration loads: whatever stands in it becomes settings and problems."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banish.config import explain, load
from banish.config.options import JAIL_OPTIONS, SERVER_OPTIONS, VARIABLES
from banish.config.reading import VITAL
from banish.errors import ConfigError

pytestmark = pytest.mark.slow

LOAD_LIMIT_SECONDS = 5.0

NAMES = st.sampled_from([*JAIL_OPTIONS, *VARIABLES, *SERVER_OPTIONS, "x", "known/x", "__name__"])
SECTIONS = st.sampled_from(
    [
        "DEFAULT",
        "INCLUDES",
        "Definition",
        "Init",
        "Init?family=inet6",
        "a",
        "b",
        "KNOWN/a",
        "Thread",
    ]
)
WORDS = st.one_of(
    st.sampled_from(
        [
            "true", "1", "-1", "0", "10m", "1d12h", "a", "b", "a[mode=x]", "<HOST>", "<mode>",
            "<x>",
            "%(x)s", "%(known/x)s", "%(a/x)s", "%(default/x)s", "%(__name__)s", "%%", "%", "[", "]",
            "(", ")", "*", "+", '"', "'", ",", "=", "<", ">", "^", "$", "iptables[port=22]", "ssh",
            "/var/log/nothing tail", "192.0.2.1", "2001:db8::/32", "file:/nowhere", "systemd",
            "auto",
            "a.conf", "{^LN-BEG}", "<<x>>", "<known/x>", "<a/x>", "\n  ", "\n\n  ", " ; c", "\x00",
        ]
    ),
    st.text(max_size=5),
)  # fmt: skip
VALUES = st.lists(WORDS, max_size=5).map(" ".join)
SECTION = st.tuples(SECTIONS, st.lists(st.tuples(NAMES, VALUES), max_size=6)).map(
    lambda pair: f"[{pair[0]}]\n" + "".join(f"{name} = {value}\n" for name, value in pair[1])
)
FILES = st.lists(SECTION, max_size=4).map("".join)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as path:
        root = Path(path)
        (root / "filter.d").mkdir()
        (root / "action.d").mkdir()
        yield root


def check(folder: Path) -> float:
    """Load what is in *folder*; return how long that took."""
    began = time.process_time()
    loaded = load(folder, builtin=folder)
    for name in ("a", "b"):
        with suppress(ConfigError):
            explain(folder, builtin=folder, jail=name)
    explain(folder, builtin=folder)
    took = time.process_time() - began
    for problem in loaded.problems:
        assert problem.what
        assert str(problem)
    # A failregex of several may be left out, a ban by nftables stands for wrong actions, and the
    # filter that is meant for a wrong one; what else is vital must be right in a jail that runs.
    vital = VITAL - {"failregex", "action", "filter"}
    broken = {each.jail for each in loaded.errors if each.option in vital or each.stops}
    assert not broken & {jail.name for jail in loaded.jails}
    return took


@settings(max_examples=200, deadline=None)
@given(jails=FILES, local=FILES, filters=FILES, actions=FILES, server=FILES)
def test_any_values_load(
    folder: Path, jails: str, local: str, filters: str, actions: str, server: str
) -> None:
    contents = {
        "jail.conf": "[a]\nenabled = true\nfilter = a\nlogpath = /x\n[b]\nenabled = true\n",
        "jail.local": jails,
        "a.conf": local,
        "filter.d/a.conf": "[Definition]\nfailregex = <HOST>\n",
        "filter.d/a.local": filters,
        "action.d/iptables.conf": actions,
        "banish.conf": server,
    }
    for name, content in contents.items():
        (folder / name).write_text(content, newline="")
    assert check(folder) < LOAD_LIMIT_SECONDS


@settings(max_examples=100, deadline=None)
@given(jails=st.binary(max_size=300), filters=st.binary(max_size=300))
def test_any_bytes_load(folder: Path, jails: bytes, filters: bytes) -> None:
    (folder / "jail.conf").write_bytes(b"[a]\nenabled = 1\nfilter = a\n" + jails)
    (folder / "jail.local").write_bytes(b"")
    (folder / "filter.d" / "a.conf").write_bytes(b"[Definition]\nfailregex = " + filters)
    (folder / "filter.d" / "a.local").write_bytes(b"")
    assert check(folder) < LOAD_LIMIT_SECONDS


def write_long(folder: Path, jail: str, filters: str) -> None:
    contents = {
        "jail.conf": f"[a]\nenabled = 1\nfilter = a\nlogpath = /x\n{jail}",
        "filter.d/a.conf": f"[Definition]\nfailregex = <HOST>{filters}\n",
        "jail.local": "",
        "filter.d/a.local": "",
    }
    for name, content in contents.items():
        (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("jail", "filters", "many"),
    [
        (lambda many: "findtime = " + "%(" * many, lambda _: "", 50_000),
        (lambda many: "y = 1\nfindtime = " + "%(y)s" * many, lambda _: "", 50_000),
        (lambda many: "action = " + "a[x=1] " * many, lambda _: "", 10_000),
        (lambda many: "action = " + "a[" * many, lambda _: "", 50_000),
        (lambda many: "".join(f"option{n} = 1\n" for n in range(many)), lambda _: "", 20_000),
        (lambda _: "", lambda many: "<a" * many, 100_000),
        (lambda _: "", lambda many: "<a>" * many + "\na = b", 50_000),
        (lambda _: "", lambda many: "\n <a>" * many + "\na = b\n <HOST>", 20_000),
    ],
)
def test_long_values_take_time_in_proportion(
    folder: Path, jail: Callable[[int], str], filters: Callable[[int], str], many: int
) -> None:
    took = []
    for each in (many // 8, many):
        write_long(folder, jail(each), filters(each))
        took.append(check(folder))
    # If it grew with the square, it would be 64 times as long.
    assert took[1] < 24 * took[0] + 1
