"""Run a benchmark by name: ``python -m bench latency``."""

import argparse
import importlib
import sys

BENCHMARKS = {
    "throughput": "CPU of detection per line, beside Fail2Ban",
    "restore": "100,000 bans put back, given up, decided in a burst",
    "catchup": "a gigabyte of backlog, and who waits meanwhile",
    "standing": "start and memory with every stock jail, and a million attackers",
    "kills": "SIGKILL at 200 random moments: no ban lost, nothing counted twice or left by actions",
    "soak": "an hour under load while faults are thrown in: bans exact, memory flat",
    "reload": "1,000 reloads under attack: no line lost, no ban twice, how long bans wait",
    "control": "clients of Fail2Ban: answers with a million bans, 200 at once, one ping",
    "latency": "from the write of the deciding line to the element in the kernel's set",
}


def main() -> int:
    """Run what was named; without a name, everything."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    names = ", ".join(f"{name}: {what}" for name, what in BENCHMARKS.items())
    parser.add_argument("name", nargs="?", choices=[*BENCHMARKS], help=names)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="passed to the benchmark")
    chosen = parser.parse_args()
    for name in [chosen.name] if chosen.name else BENCHMARKS:
        code: int = importlib.import_module(f"bench.{name}").main(chosen.rest)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
