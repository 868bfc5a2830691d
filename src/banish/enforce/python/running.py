"""``fail2ban.server.utils`` as Python actions know it: running programs, waiting."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

SHELL = "/bin/sh"


def load_python_module(path: str) -> ModuleType:
    """Load the file at *path* as a module of its own.

    Raises:
        ImportError: It cannot be loaded; whatever its code raises comes through, too.

    """
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class Utils:
    """Runs programs and waits."""

    DEFAULT_SLEEP_TIME = 2
    DEFAULT_SLEEP_INTERVAL = 0.2

    @staticmethod
    def executeCmd(  # noqa: N802 - the name and the arguments that actions use
        realCmd: str | Sequence[str],  # noqa: N803
        timeout: float = 60,
        shell: bool = True,
        output: bool = False,
        tout_kill_tree: bool = True,
        success_codes: Sequence[int] = (0,),
        varsDict: Mapping[str, Any] | None = None,  # noqa: N803
    ) -> Any:
        """Run a command; tell whether it succeeded, with *output* also what it wrote and its code.

        *varsDict* are variables that the command sees. After *timeout* seconds all
        that it started is ended, and it counts as failed.
        """
        del tout_kill_tree  # all that it started is always ended
        words = [realCmd] if isinstance(realCmd, str) else list(realCmd)
        variables = {name: str(value) for name, value in (varsDict or {}).items()}
        process = subprocess.Popen(
            [SHELL, "-c", *words] if shell else words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **variables},
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        is_good = process.returncode in success_codes
        return (is_good, out, err, process.returncode) if output else is_good

    @staticmethod
    def wait_for(cond: Callable[[], Any], timeout: float, interval: float | None = None) -> Any:
        """Return what *cond* says once it says something true, or at the latest after *timeout*."""
        end = time.monotonic() + timeout
        while True:
            found = cond()
            if found or time.monotonic() >= end:
                return found
            # What the action asked for, in its own process: the server waits for nothing here.
            time.sleep(interval or Utils.DEFAULT_SLEEP_INTERVAL)

    @staticmethod
    def pid_exists(pid: int) -> bool:
        """Whether a process of that number runs."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    load_python_module = staticmethod(load_python_module)
