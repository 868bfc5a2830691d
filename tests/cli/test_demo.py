"""The demo: what it claims is checked, and what fails is told."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from banish.cli.demo import PlainStage
from banish.cli.demolive import LiveStage
from banish.cli.rendering import Page
from banish.lab import story
from banish.lab.story import (
    STEPS,
    Spoken,
    StepBegun,
    StepBroken,
    StepDone,
    Story,
    StoryReport,
    Waited,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
DEMO = [sys.executable, "-m", "banish", "demo"]


def surroundings(folder: Path) -> dict[str, str]:
    """Return an environment in which whatever is left behind lies in *folder*."""
    return {**os.environ, "TMPDIR": str(folder)}


def processes_of(folder: Path) -> list[str]:
    """Return the command lines that name *folder*."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


@pytest.mark.system
@needs_root
def test_every_step_of_the_demo_holds_and_nothing_is_left(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--json"], check=False, capture_output=True, text=True, env=surroundings(tmp_path)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["ok"] is True
    assert list(document["steps"]) == list(STEPS)
    assert document["failures"] == story.MAXRETRY
    assert 0 < document["ban_milliseconds"] < 2_000
    assert story.BANTIME_SECONDS - 1 < document["banned_seconds"] < story.BANTIME_SECONDS + 2
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


@pytest.mark.system
@needs_root
def test_interrupted_in_the_middle_it_leaves_nothing(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        # A shell has what it starts in the background ignore SIGINT, and these tests with it.
        ["env", "--default-signal=INT", *DEMO],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=surroundings(tmp_path),
        start_new_session=True,
    )
    with demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "Attacker guesses passwords" in line:
                break
        os.killpg(demo.pid, signal.SIGINT)
        _, said = demo.communicate(timeout=20)
    assert demo.returncode == 130
    assert "interrupted" in said
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


@pytest.mark.system
@needs_root
def test_a_ban_that_does_not_come_breaks_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "BAN_LIMIT_SECONDS", 0.5)
    true_jail = story.jail_local
    monkeypatch.setattr(
        story, "jail_local", lambda path: true_jail(path) + "ignoreip = 198.51.100.0/24\n"
    )
    report = Story(lambda event: None, lambda seconds: None).play()
    assert not report.is_ok
    assert report.broken.startswith(STEPS["ban"])
    assert "198.51.100.66 is not in the firewall after 5 failures" in report.broken


def test_a_report_without_all_steps_is_not_ok() -> None:
    steps: dict[str, str] = dict.fromkeys(STEPS, "fine")
    assert StoryReport(steps=steps).is_ok
    assert not StoryReport(steps=steps, broken="why").is_ok
    del steps["end"]
    assert not StoryReport(steps=steps).is_ok


def test_plain_lines_say_who_did_what_and_which_step_failed() -> None:
    stream = io.StringIO()
    stage = PlainStage(Page(stream))
    for event in (
        StepBegun("world"),
        StepDone("world", "built"),
        Spoken(0.0, "sshd", "Failed password\x1b[2J for root"),
        Waited(8.0, 8.0),
        Waited(7.0, 8.0),
        StepBroken("ban", "too late"),
    ):
        stage.show(event)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert "ok" in lines[0]
    assert "built" in lines[0]
    assert "\x1b" not in lines[1]
    assert "8 s until the ban ends" in lines[2]
    assert "FAILED" in lines[3]
    assert "too late" in lines[3]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 50), (60, 30)])
def test_the_live_picture_fits_its_terminal(width: int, height: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=height, force_terminal=True, no_color=True)
    stage = LiveStage(console)
    for step in list(STEPS)[:-3]:
        stage.show(StepBegun(step))
        stage.show(StepDone(step, "a result of some length, longer than most results are"))
    for number in range(30):
        stage.show(Spoken(float(number), "sshd", f"sshd[{number}]: Failed password " + "x" * 90))
    stage.show(StepBegun("unban"))
    stage.show(Waited(3.0, 8.0))
    stage.finish()
    lines = console.render_lines(stage, pad=False)
    assert all(sum(piece.cell_length for piece in line) <= width for line in lines)
    assert len(lines) < height
    text = "".join(piece.text for line in lines for piece in line)
    assert "3 s left" in text
