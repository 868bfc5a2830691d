"""``fail2ban-client`` where a server answers."""

import builtins
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.cli import main
from banish.cli.fail2ban import socketpath
from banish.cli.fail2ban.wire import END
from tests.cli.fail2ban.answering import answering

Captured = pytest.CaptureFixture[str]

STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} fail2ban {16}\[\d+\]: ERROR   (.*)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "f.sock"


def client(path: Path, *words: str) -> int:
    return main(["fail2ban-client", "-s", str(path), *words])


def logged(captured: Captured) -> tuple[str, list[str]]:
    """Return what was printed, and the errors without their stamps."""
    out, err = captured.readouterr()
    found = [STAMP.fullmatch(line) for line in err.splitlines()]
    return out, [match[1] if match else "no line of a log" for match in found]


def test_a_ping_is_answered(path: Path, capsys: Captured) -> None:
    with answering(path, {"ping": "pong"}) as heard:
        assert client(path, "ping") == 0
    assert heard == [["ping"]]
    assert capsys.readouterr().out == "Server replied: pong\n"


def test_a_server_that_hangs_up_behind_its_answer_has_answered(
    path: Path, capsys: Captured
) -> None:
    with answering(path, {"stop": None}):
        assert client(path, "stop") == 0
    assert logged(capsys) == ("Shutdown successful\n", [])


def test_an_error_is_logged_and_said(path: Path, capsys: Captured) -> None:
    with answering(path, {"get": FileNotFoundError(2, "No such file", "/x")}):
        assert client(path, "get", "j", "logpath") == 255
    said = "[Errno 2] No such file: '/x'\n"
    assert logged(capsys) == (said, ["NOK: (2, 'No such file')"])


def test_a_server_that_is_not_there_is_named(path: Path, capsys: Captured) -> None:
    assert client(path, "status") == 255
    why = f"Failed to access socket path: {path}. Is fail2ban running?"
    assert logged(capsys) == ("", [why])
    assert client(path, "reload") == 255
    assert client(path, "-i") == 255
    assert logged(capsys) == ("", ["Could not find server"] * 2)


@pytest.mark.parametrize("answer", [b"no pickle" + END, b"\x80\x02.", b"cos\nsystem\n" + END])
def test_an_answer_that_makes_no_sense_is_an_error(
    path: Path, answer: bytes, capsys: Captured
) -> None:
    with answering(path, {"ping": answer}):
        assert client(path, "--timeout", "5", "ping") == 255
    assert logged(capsys)[1] != []


def test_an_answer_calls_nothing(path: Path, tmp_path: Path, capsys: Captured) -> None:
    made = tmp_path / "made"
    call = f"cos\nsystem\n(Vtouch {made}\ntR.".encode()
    with answering(path, {"ping": b"\x80\x02K\x01" + call[:-1] + b"\x86." + END}):
        assert client(path, "ping") == 255
    assert capsys.readouterr().out == f"touch {made}\n"
    assert not made.exists()


def test_our_own_server_reads_its_files_itself(path: Path, capsys: Captured) -> None:
    with answering(path, {"banish": "1", "reload": "OK"}) as heard:
        assert client(path, "reload") == 0
        assert client(path, "reload", "--unban", "sshd") == 0
        assert client(path, "restart", "--if-exists", "sshd") == 0
    assert [each for each in heard if each != ["banish"]] == [
        ["reload", "--all", [], []],
        ["reload", "sshd", ["--unban"], []],
        ["reload", "sshd", ["--restart", "--if-exists"], []],
    ]
    assert capsys.readouterr().out == "OK\n" * 3


def test_a_server_of_fail2ban_is_sent_what_stands_in_the_files(tree: Path, path: Path) -> None:
    with answering(path, {"reload": "OK"}) as heard:
        assert client(path, "-c", str(tree), "reload") == 0
    name, jail, flags, stream = heard[-1]
    assert (name, jail, flags) == ("reload", "--all", [])
    assert ["add", "app", "polling"] in stream


@pytest.mark.parametrize("words", [["a", "b"], ["--bogus"]])
def test_a_reload_of_what_makes_no_sense_is_not_sent(
    path: Path, words: list[str], capsys: Captured
) -> None:
    with answering(path, {}) as heard:
        assert client(path, "reload", *words) == 255
    assert heard == []
    assert "reload takes one jail" in capsys.readouterr().err


def test_a_second_server_is_not_started(path: Path, capsys: Captured) -> None:
    with answering(path, {"ping": "pong"}):
        assert client(path, "start") == 255
        assert main(["fail2ban-server", "-s", str(path)]) == 255
    assert logged(capsys) == ("", ["Server already running"] * 2)


def test_what_is_typed_is_carried_out_until_the_end(
    path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: Iterator[str] = iter(['echo "a b"', "", "dance", '"', "help"])

    def typed(_prompt: str) -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr(builtins, "input", typed)
    with answering(path, {"ping": "pong", "echo": ["a b"]}) as heard:
        assert client(path, "-i") == 0
    assert heard[1:] == [["echo", "a b"], ["dance"]]
    out, errors = logged(capsys)
    assert "a b\nInvalid command\nUsage:" in out
    assert errors == ["NOK: ('Invalid command',)", "No closing quotation"]


def test_the_socket_is_the_one_that_the_tree_names(tmp_path: Path) -> None:
    assert socketpath.socket_path(str(tmp_path)) == socketpath.DEFAULT
    (tmp_path / "fail2ban.conf").write_text("[Definition]\nsocket = /run/a.sock\n")
    assert socketpath.socket_path(str(tmp_path)) == "/run/a.sock"
    (tmp_path / "fail2ban.d").mkdir()
    (tmp_path / "fail2ban.d" / "z.local").write_text("[Definition]\nSocket=/run/b.sock\n")
    (tmp_path / "fail2ban.local").write_text("# socket = /run/c.sock\n")
    assert socketpath.socket_path(str(tmp_path)) == "/run/b.sock"
    (tmp_path / "banish.conf").write_text("[Definition]\nfail2bansocket = /run/d.sock\n")
    assert socketpath.socket_path(str(tmp_path)) == "/run/d.sock"


def test_a_socket_that_refers_to_other_options_is_found_too(tmp_path: Path) -> None:
    (tmp_path / "fail2ban.conf").write_text("[Definition]\nhome = /h\nsocket = %(home)s/a.sock\n")
    assert socketpath.socket_path(str(tmp_path)) == "/h/a.sock"
