"""The kernel's own limits on inotify: they are named, and files are looked at instead.

The limits are set for a user namespace of the test, so the host's stay as they are.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import asyncio, json, sys
from pathlib import Path
from banish.model.instant import Instant
from banish.model.settings import LogPath
from banish.sources.files import FileSource
from banish.sources.inotify import Inotify

folder = Path(sys.argv[1])
told, found, shared = [], [], Inotify()
emit = lambda happening: told.append(happening.text())
sources = [
    FileSource(half, [LogPath(f"{folder}/{half}*.log")], emit=emit, clock=lambda: Instant(0.0),
               inotify=shared)
    for half in "ab"
]

async def read(source):
    async for batch in source.batches({}):
        found.extend(batch.block.decode().splitlines())

async def until(count):
    async with asyncio.timeout(20):
        while len(found) < count:
            await asyncio.sleep(0.01)

async def main():
    tasks = [asyncio.create_task(read(source)) for source in sources]
    files = sorted(folder.iterdir())
    await until(len(files))
    for file in files:
        with file.open("a") as log:
            log.write(f"late {file.name}\\n")
        file.rename(f"{file}.1")
        file.write_text(f"new {file.name}\\n")
    (folder / "a-more.log").write_text("more\\n")
    await until(3 * len(files) + 1)
    for file in files:
        file.rename(f"{file}.2")
    while not all(source.health().trouble for source in sources):
        (folder / "a-more.log").unlink(missing_ok=True)
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()

asyncio.run(main())
print(json.dumps([told, sorted(found)]))
"""


def can_set_limits() -> bool:
    if shutil.which("unshare") is None:
        return False
    enter = ["unshare", "--user", "--map-root-user", "test", "-w"]
    limit = "/proc/sys/user/max_inotify_watches"
    return subprocess.run([*enter, limit], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_set_limits(), reason="needs user namespaces")
@pytest.mark.parametrize(
    ("limit", "value", "cure"),
    [
        ("max_inotify_watches", 20, "sysctl fs.inotify.max_user_watches=524288"),
        ("max_inotify_watches", 0, "sysctl fs.inotify.max_user_watches=524288"),
        ("max_inotify_instances", 0, "sysctl fs.inotify.max_user_instances=1024"),
    ],
)
def test_a_limit_of_the_kernel_is_named_once_and_no_line_is_lost(
    tmp_path: Path, limit: str, value: int, cure: str
) -> None:
    names = sorted(f"{half}{number:02}.log" for half in "ab" for number in range(25))
    for name in names:
        (tmp_path / name).write_text(f"old {name}\n")
    run = f'echo {value} > /proc/sys/user/{limit} && exec "$0" -c "$1" "$2"'
    enter = ["unshare", "--user", "--map-root-user", "sh", "-c", run]
    done = subprocess.run(
        [*enter, sys.executable, SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told, found = json.loads(done.stdout)
    assert found == sorted(
        ["more", *(f"{age} {name}" for age in ("old", "late", "new") for name in names)]
    )
    warnings = [each for each in told if "no inotify" in each]
    assert len(warnings) == 1
    assert cure in warnings[0]
