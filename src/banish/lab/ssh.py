"""A real OpenSSH server and a real client for the lab."""

import dataclasses
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from banish.lab.accounts import FIRST_UID
from banish.lab.namespaces import PROGRAM_PATH, LabError
from banish.lab.privilege import has_one_user

Outcome = Literal["accepted", "denied", "refused", "timeout", "failed"]

PAM = """\
auth required pam_unix.so nodelay
account required pam_unix.so
session required pam_permit.so
"""


@dataclasses.dataclass(frozen=True)
class LoginAttempt:
    """What came of trying to log in."""

    outcome: Outcome
    """``denied``: the server answered no; ``refused``, ``timeout``: there was no connection."""
    took_seconds: float
    text: str
    """What ssh wrote."""


@dataclasses.dataclass(frozen=True)
class SshServer:
    """A running sshd; it ends with the lab."""

    process: "subprocess.Popen[Any]"
    config: Path
    output: Path

    def trouble(self) -> str:
        """Return what sshd said on its standard error."""
        return self.output.read_text(errors="replace").strip() or "it says nothing"


def start_sshd(
    popen: Callable[..., "subprocess.Popen[Any]"],
    directory: Path,
    *,
    pam: bool,
    port: int,
    settings: Mapping[str, str] | None,
) -> SshServer:
    """Start sshd with its own keys and configuration, logging to the lab's /dev/log.

    Raises:
        LabError: It is not installed.

    """
    program = _find("sshd", "openssh-server")
    folder = directory / f"sshd-{port}"
    folder.mkdir()
    # A root who may not become anybody else cannot shed its rights as sshd wants;
    # so sshd runs as the one user who can log in.
    prefix = (
        ["unshare", "--user", f"--map-user={FIRST_UID}", f"--map-group={FIRST_UID}", "--"]
        if has_one_user()
        else []
    )
    key = folder / "host_key"
    subprocess.run(
        [_find("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-f", str(key)],
        check=True,
        capture_output=True,
    )
    options = {
        **(settings or {}),
        "Port": str(port),
        "HostKey": str(key),
        "PidFile": "none",
        "UsePAM": "yes" if pam and not prefix else "no",
        "PasswordAuthentication": "yes",
        "KbdInteractiveAuthentication": "no",
        "PubkeyAuthentication": "no",
        "PermitRootLogin": "yes",
        "UseDNS": "no",
        "PrintMotd": "no",
        "PrintLastLog": "no",
        # sshd's own defences must not be mistaken for ours.
        "MaxStartups": "1000:30:1000",
        "MaxAuthTries": "6",
        "LoginGraceTime": "30",
        "PerSourcePenalties": "no",
    }
    config = folder / "sshd_config"
    _write_config(config, options)
    test = [program, "-t", "-f", str(config)]
    checked = popen([*prefix, *test], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    _, said = checked.communicate()
    if "PerSourcePenalties" in said:  # OpenSSH before 9.8 does not know it.
        del options["PerSourcePenalties"]
        _write_config(config, options)
    output = folder / "output"
    with output.open("wb") as file:
        process = popen([*prefix, program, "-D", "-f", str(config)], stdout=file, stderr=file)
    return SshServer(process, config, output)


def log_in(
    run: Callable[..., "subprocess.CompletedProcess[str]"],
    user: str,
    password: str,
    to: str,
    *,
    source: str,
    timeout: float,
) -> LoginAttempt:
    """Run ssh once, with one password, and tell what came of it.

    The password goes through an askpass program and the environment, so no
    terminal is needed (ssh(1), SSH_ASKPASS_REQUIRE; OpenSSH 8.4 and newer).

    Raises:
        LabError: ssh is not installed.

    """
    options = {
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "GlobalKnownHostsFile": "/dev/null",
        "PreferredAuthentications": "password",
        "NumberOfPasswordPrompts": "1",
        "ConnectTimeout": str(max(1, int(timeout / 2))),
        "LogLevel": "ERROR",
    }
    argv = [_find("ssh", "openssh-client"), "-F", "none", "-T"]
    argv += [f"-o{name}={value}" for name, value in options.items()]
    argv += ["-b", source] if source else []
    argv += ["-l", user, "--", to, "true"]
    environment = {
        "PATH": PROGRAM_PATH,
        "SSH_ASKPASS": "/run/lab/askpass",
        "SSH_ASKPASS_REQUIRE": "force",
        "LAB_PASSWORD": password,
    }
    begun = time.monotonic()
    result = run(argv, timeout=timeout, env=environment)
    took = time.monotonic() - begun
    said = result.stderr.strip()
    outcome: Outcome = "failed"
    if result.returncode == 0:
        outcome = "accepted"
    elif "Permission denied" in said:
        outcome = "denied"
    elif "Connection refused" in said:
        outcome = "refused"
    elif "timed out" in said:
        outcome = "timeout"
    return LoginAttempt(outcome, took, said)


def _write_config(path: Path, options: Mapping[str, str]) -> None:
    path.write_text("".join(f"{name} {value}\n" for name, value in options.items()))


def _find(program: str, package: str) -> str:
    found = shutil.which(program, path=PROGRAM_PATH)
    if found is None:
        raise LabError(f"{program} is not installed", cure=f"apt install {package}", retry=False)
    return found
