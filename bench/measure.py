"""Reads what a running process tree has cost, from /proc."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return *pid* and all its descendants that are alive."""
    found = [pid]
    for each in found:
        try:
            for task in Path(f"/proc/{each}/task").glob("*/children"):
                found += [int(child) for child in task.read_text().split()]
        except OSError:  # it has just ended
            continue
    return found


def cpu_seconds(pid: int) -> float:
    """Return user and system time of the tree, dead and waited-for children included."""
    total = 0
    for each in tree(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / TICKS


def peak_megabytes(pid: int) -> float:
    """Return the highest resident memory of *pid* so far."""
    return _memory(pid, "VmHWM")


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of *pid* now."""
    return _memory(pid, "VmRSS")


def _memory(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0
