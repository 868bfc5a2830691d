"""Python actions in processes of their own: real ones, some of them hostile to the server."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from banish.enforce.python.action import PythonAction
from banish.errors import ActionError
from banish.model.address import Subject, SubjectKind
from banish.model.instant import Seconds
from banish.model.settings import ActionSettings
from banish.telemetry.events import ActionWarned, Event
from tests.compat.conftest import stock_package, stock_tree
from tests.notify.stage import HOSTILE, NOW, KnownFacts, ban

pytestmark = pytest.mark.slow

__all__ = ["stock_package", "stock_tree"]

HEAD = """
import os, sys, time
from fail2ban.server.actions import ActionBase
"""

RECORDER = (
    HEAD
    + """
class Recorder(ActionBase):
    def __init__(self, jail, name, file, mood="calm"):
        super().__init__(jail, name)
        self.file, self.mood = file, mood

    def tell(self, *words):
        with open(self.file, "a") as file:
            print(*words, file=file)

    def start(self):
        self._logSys.info("hello from %s", self._jail.name)
        self.tell("start", self._jail.name, self._name, self._jail.actions.getBanTime())

    def stop(self):
        self.tell("stop")

    def ban(self, aInfo):
        if self.mood == "hangs":
            time.sleep(60)
        if self.mood == "dies":
            print("last words", file=sys.stderr)
            os._exit(3)
        if self.mood == "raises":
            raise ValueError("no such luck")
        if self.mood == "babbles":
            os.write(1, b"{not what you think}\\n")
            print("this neither")
        self.tell("ban", aInfo["ip"], aInfo["failures"] + 1, aInfo["F-USER"], aInfo["restored"])

    def unban(self, aInfo):
        self.tell("unban", aInfo["ip"])

Action = Recorder
"""
)


class Stage:
    """An action of *code*, and what it writes."""

    def __init__(self, folder: Path, code: str = RECORDER, **arguments: str) -> None:
        self.path = folder / "act.py"
        self.path.write_text(code)
        self.file = folder / "told"
        self.told: list[Event] = []
        self.facts = KnownFacts({"192.0.2.1": "evil.example.org"})
        if code is RECORDER:
            arguments["file"] = str(self.file)
        self.action = PythonAction(
            "sshd",
            ActionSettings(
                "act.py",
                arguments,
                way="python",
                actname="act",
                timeout=Seconds(20),
                options={"path": str(self.path), "bantime": 600},
                keeps_out=True,
            ),
            facts=self.facts,
            emit=self.told.append,
            clock=lambda: NOW,
            first_pause=Seconds(0.05),
        )

    def lines(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []

    @property
    def pid(self) -> int:
        process = self.action._process
        assert process is not None
        return process._transport.get_pid()

    def play(self, *works: Callable[[], Awaitable[object]]) -> None:
        async def do() -> None:
            try:
                for work in works:
                    await work()
            finally:
                with contextlib.suppress(ActionError):
                    await self.action.stop()

        asyncio.run(do())


async def failing(work: Awaitable[object]) -> ActionError:
    with pytest.raises(ActionError) as caught:
        await work
    return caught.value


def test_an_action_is_made_started_banning_unbanning_and_stopped(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    action = stage.action

    async def held() -> None:
        assert list(action.held) == [ban().subject]

    stage.play(action.start, lambda: action.ban(ban()), held, lambda: action.unban(ban()))
    assert stage.lines() == [
        "start sshd act 600", "ban 192.0.2.1 6 root 0", "unban 192.0.2.1", "stop",
    ]  # fmt: skip
    assert not action.held
    assert [told.text() for told in stage.told] == ["[sshd] act: hello from sshd"]


def test_what_an_attacker_wrote_arrives_as_data(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    hostile = ban(tags=(("user", HOSTILE.replace("\n", " ").replace("\r", " ")),))
    stage.play(stage.action.start, lambda: stage.action.ban(hostile))
    assert "<script>alert(1)</script>" in stage.file.read_text()


def test_values_that_cost_something_are_asked_for_when_looked_at(tmp_path: Path) -> None:
    code = HEAD + (
        "class Action(ActionBase):\n"
        "    def ban(self, aInfo):\n"
        "        assert aInfo['ip-host'] == 'evil.example.org', aInfo['ip-host']\n"
        "        assert aInfo['ipfailures'] == 5 and 'Failed password' in aInfo['ipmatches']\n"
        "        assert aInfo['ip'].isIPv4 and aInfo['ip'].familyStr == aInfo['family']\n"
        "        assert self._jail.actions.banManager.size() == 0\n"
        "        assert '%(ip)s %(fq-hostname)s' % aInfo == '192.0.2.1 web1.example.org'\n"
        "        assert dict(aInfo.copy())['bantime'] == 600\n"
    )
    stage = Stage(tmp_path, code)
    stage.play(stage.action.start, lambda: stage.action.ban(ban()))


def test_an_exception_names_the_line_and_a_cure(tmp_path: Path) -> None:
    stage = Stage(tmp_path, mood="raises")

    async def ban_in_vain() -> None:
        error = await failing(stage.action.ban(ban()))
        line = RECORDER.splitlines().index('            raise ValueError("no such luck")') + 1
        assert error.what == (
            f"act.py: ban of 192.0.2.1: ValueError: no such luck ({stage.path}, line {line})"
        )
        assert f"line {line}" in error.cure
        assert not stage.action.held
        await stage.action.unban(ban("192.0.2.7"))

    stage.play(stage.action.start, ban_in_vain)
    assert stage.lines()[-2:] == ["unban 192.0.2.7", "stop"]


@pytest.mark.parametrize(
    ("code", "arguments", "what", "cure"),
    [
        (HEAD + "Action = 7(", {}, "SyntaxError", "Python 2"),
        (HEAD + "class Other: pass\n", {}, "AttributeError", ""),
        (HEAD + "class Action: pass\n", {}, "has no start and no stop", ""),
        (HEAD + "class Action(ActionBase): pass\n", {"x": "1"}, "TypeError", "takes none"),
        (
            "import fail2ban.server.database\n",
            {},
            "fail2ban.server.database",
            "banish does not have",
        ),
        ("import nothing_like_it\n", {}, "nothing_like_it", "install the Python module"),
        ("raise SystemExit(0)\n", {}, "SystemExit", ""),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why(
    tmp_path: Path, code: str, arguments: dict[str, str], what: str, cure: str
) -> None:
    stage = Stage(tmp_path, code, **arguments)

    async def start_in_vain() -> None:
        error = await failing(stage.action.start())
        assert what in error.what
        assert cure in error.cure

    stage.play(start_in_vain)


def test_a_dead_process_is_started_again_and_all_it_held_is_to_be_put_back(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    action = stage.action

    async def die_and_go_on() -> None:
        await action.ban(ban())
        os.kill(stage.pid, signal.SIGKILL)
        end = time.monotonic() + 10
        while not action.needs_rebans and time.monotonic() < end:
            with contextlib.suppress(ActionError):
                await action.check()
            await asyncio.sleep(0.01)
        assert action.needs_rebans
        await action.reban(action.held[ban().subject])

    stage.play(action.start, die_and_go_on)
    assert stage.lines() == [
        "start sshd act 600", "ban 192.0.2.1 6 root 0",
        "start sshd act 600", "ban 192.0.2.1 6 root 1", "stop",
    ]  # fmt: skip


def test_an_action_that_dies_at_every_ban_is_not_started_at_once_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, mood="dies")
    stage.action._first_pause = Seconds(50)

    async def die() -> None:
        first = await failing(stage.action.ban(ban()))
        assert "ended by itself with exit code 3; it wrote: last words" in first.what
        assert first.cure
        again = await failing(stage.action.ban(ban()))
        assert "it is started again in 50 s" in again.what

    stage.play(stage.action.start, die)
    assert stage.lines() == ["start sshd act 600"]


def test_an_action_that_hangs_is_ended_with_its_process(tmp_path: Path) -> None:
    stage = Stage(tmp_path, mood="hangs")
    seen: list[int] = []

    async def hang() -> None:
        seen.append(stage.pid)
        error = await failing(stage.action.ban(ban()))
        assert "took longer than 0.5 s and was killed" in error.what

    # The start includes that of Python, which the short limit is not meant for.
    async def tighten() -> None:
        stage.action.settings = msgspec.structs.replace(stage.action.settings, timeout=Seconds(0.5))

    stage.play(stage.action.start, tighten, hang)
    assert not Path(f"/proc/{seen[0]}").exists()


def test_a_call_that_was_cancelled_may_be_made_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, mood="hangs")

    async def give_up() -> None:
        stage.action.settings = msgspec.structs.replace(
            stage.action.settings, arguments={"file": str(stage.file)}
        )
        task = asyncio.create_task(stage.action.ban(ban()))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        end = time.monotonic() + 10
        while not stage.action.held and time.monotonic() < end:
            with contextlib.suppress(ActionError):
                await stage.action.ban(ban())
            await asyncio.sleep(0.01)

    stage.play(stage.action.start, give_up)
    assert stage.lines()[-2:] == ["ban 192.0.2.1 6 root 0", "stop"]


def test_what_an_action_prints_does_not_get_into_its_line(tmp_path: Path) -> None:
    stage = Stage(tmp_path, mood="babbles")
    stage.play(stage.action.start, lambda: stage.action.ban(ban()))
    assert stage.lines()[1:] == ["ban 192.0.2.1 6 root 0", "stop"]


def test_an_action_that_wants_no_restored_bans_gets_none(tmp_path: Path) -> None:
    code = RECORDER.replace("self.file, self.mood", "self.norestored = 1; self.file, self.mood")
    stage = Stage(tmp_path, code, file=str(tmp_path / "told"))
    stage.play(
        stage.action.start,
        lambda: stage.action.ban(ban("192.0.2.9"), restored=True),
        lambda: stage.action.ban(ban()),
    )
    assert stage.lines() == ["start sshd act 600", "ban 192.0.2.1 6 root 0", "stop"]


def test_warnings_of_an_action_are_warnings(tmp_path: Path) -> None:
    code = HEAD + (
        "class Action(ActionBase):\n"
        "    def start(self):\n"
        "        self._logSys.warning('odd:\\n%s', 'very')\n"
        "        self._logSys.debug('not told')\n"
    )
    stage = Stage(tmp_path, code)
    stage.play(stage.action.start)
    (told,) = stage.told
    assert isinstance(told, ActionWarned)
    assert told.text() == "[sshd] act: odd: very"


def test_flush_and_check_and_prolong_are_called_where_there_are_such(tmp_path: Path) -> None:
    code = RECORDER.replace(
        "Action = Recorder",
        "    def flush(self):\n        self.tell('flush')\n        return True\n"
        "    def consistencyCheck(self):\n        self.tell('check')\n"
        "    _prolongable = True\n"
        "    def prolong(self, aInfo):\n        self.tell('prolong', aInfo['bantime'])\n"
        "Action = Recorder",
    )
    stage = Stage(tmp_path, code, file=str(tmp_path / "told"))
    longer = ban(until=NOW + 7200)

    async def flush() -> None:
        assert await stage.action.flush()
        assert not stage.action.held

    stage.play(
        stage.action.start,
        lambda: stage.action.ban(ban()),
        lambda: stage.action.prolong(longer),
        stage.action.check,
        flush,
    )
    assert stage.lines()[2:] == ["prolong 7200", "check", "flush", "stop"]


def test_an_action_of_commands_gives_values_to_the_shell_as_data(tmp_path: Path) -> None:
    code = (
        "from fail2ban.server.action import CommandAction\n"
        "class Action(CommandAction):\n"
        "    def __init__(self, jail, name, file):\n"
        "        super().__init__(jail, name)\n"
        "        self.file = file\n"
        "        self.actionban = 'echo \"<ip>\" <F-USER> >> <file>'\n"
        "        self.actionunban = 'exit 4'\n"
    )
    told = tmp_path / "told"
    stage = Stage(tmp_path, code, file=str(told))
    hostile = ban(tags=(("user", f"$(touch {tmp_path}/gone); `id`"),))

    async def unban() -> None:
        assert "actionunban ended with 4" in (await failing(stage.action.unban(ban()))).what

    stage.play(stage.action.start, lambda: stage.action.ban(hostile), unban)
    assert told.read_text() == f"192.0.2.1 $(touch {tmp_path}/gone); `id`\n"
    assert not (tmp_path / "gone").exists()


class Postbox:
    """Keeps what an SMTP server is given."""

    def __init__(self) -> None:
        self.mails: list[str] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content.decode())
        return "250 OK"


def test_the_stock_smtp_action_sends_mail_about_start_ban_and_stop(
    stock_tree: Path, tmp_path: Path
) -> None:
    box = Postbox()
    loop_port: list[int] = []

    async def play() -> None:
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(lambda: SMTP(box, loop=loop), "127.0.0.1", 0)
        loop_port.append(listening.sockets[0].getsockname()[1])
        stage = Stage(
            tmp_path,
            (stock_tree / "action.d" / "smtp.py").read_text(),
            host=f"127.0.0.1:{loop_port[0]}",
            dest="me@example.org",
            matches="matches",
        )
        await stage.action.start()
        await stage.action.ban(ban())
        await stage.action.ban(ban("192.0.2.8"), restored=True)
        await stage.action.unban(ban())
        await stage.action.stop()
        listening.close()
        assert (await failing(stage.action.start())).cure.startswith("see that what it talks to")
        with contextlib.suppress(ActionError):
            await stage.action.stop()

    asyncio.run(play())
    subjects = [line for mail in box.mails for line in mail.splitlines() if "Subject:" in line]
    assert [subject.rpartition(" ")[0] for subject in subjects] == [
        "Subject: [Fail2Ban] sshd: started on",
        "Subject: [Fail2Ban] sshd: banned 192.0.2.1 from",
        "Subject: [Fail2Ban] sshd: stopped on",
    ]
    assert "Failed password for root" in box.mails[1]
    assert "for 600 seconds" in box.mails[1]


def test_a_subject_without_an_address_is_text(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    someone = msgspec.structs.replace(ban(), subject=Subject("mallory", SubjectKind.ID))
    stage.play(stage.action.start, lambda: stage.action.ban(someone))
    assert stage.lines()[1] == "ban mallory 6 root 0"
