"""The classic init script, on a host without systemd: start, stop, reload, after a reboot."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.box import IS_ROOT, Box

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="needs root to make namespaces")

SCRIPT = Path(__file__).parents[2] / "share" / "init.d" / "banish"


class Service:
    """A box whose server the init script starts."""

    def __init__(self, folder: Path, name: str) -> None:
        self.box = Box(folder, backend="polling")
        self.script = folder / name
        shutil.copy(SCRIPT, self.script)
        self.defaults = folder / "defaults"
        program = f"{shlex.quote(sys.executable)} -m banish"
        self.defaults.write_text(f"BANISH='{program}'\nOPTIONS='-c {self.box.config}'\n")
        # Something has to hold the network while no server runs.
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])

    def do(self, verb: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", "-t", str(self.holder.pid), "-n", "sh", str(self.script), verb],
            env={**os.environ, "BANISH_DEFAULTS": str(self.defaults)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def done(self, verb: str, code: int = 0) -> str:
        done = self.do(verb)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def close(self) -> None:
        self.do("stop")
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path, "fail2ban")
    try:
        yield service
    finally:
        service.close()


def test_a_server_is_started_reloaded_restarted_and_stopped(service: Service) -> None:
    name = service.script.name
    assert service.done("status", 3) == f"{name}: not running\n"
    assert service.done("start") == f"{name}: started\n"
    assert service.done("start") == f"{name}: already running\n"
    first = service.done("status")
    assert first.startswith(f"{name}: running, pid ")
    jails = service.box.config / "jail.conf"
    jails.write_text(service.box.jails.replace("maxretry = 3", "maxretry = 4"))
    assert "maxretry: 3 -> 4" in service.done("reload")
    assert service.done("status") == first
    assert service.done("restart") == f"{name}: stopped\n{name}: started\n"
    assert service.done("status") != first
    assert service.done("stop") == f"{name}: stopped\n"
    assert service.done("stop") == f"{name}: not running\n"


def test_it_comes_up_after_a_reboot_has_emptied_the_run_folder(service: Service) -> None:
    service.done("start")
    pid = int(service.done("status").rpartition(" ")[2])
    os.kill(pid, 9)  # as the end of power: pid file, socket and lock stay
    shutil.rmtree(service.box.run_folder)
    assert service.done("start") == f"{service.script.name}: started\n"
    assert (service.box.run_folder / "banish.pid").exists()


def test_stale_files_of_a_crash_are_healed(service: Service) -> None:
    service.done("start")
    os.kill(int(service.done("status").rpartition(" ")[2]), 9)
    assert (service.box.run_folder / "banish.sock").exists()
    assert service.done("status", 3)
    assert service.done("start") == f"{service.script.name}: started\n"


def test_a_start_that_cannot_be_says_how_to_find_out(service: Service) -> None:
    (service.box.config / "jail.conf").write_text("[app]\nenabled = true\nfilter = nosuch\n")
    assert "check -c" in service.done("start", 1)


def test_wrong_usage_is_2(service: Service) -> None:
    assert "usage:" in service.do("dance").stderr
    assert service.do("dance").returncode == 2
