"""The command line: ``banish VERB``. Starts fast, since each verb loads only what it needs."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command line (default: the process's own) and return the exit code.

    0: done. 1: what was asked for is not so, or the machine failed. 2: wrong
    usage or configuration. 130: interrupted. 141: nobody reads the output.
    """
    from banish.cli.fail2ban.programs import program_meant, run_guarded  # noqa: PLC0415

    words = sys.argv[1:] if argv is None else list(argv)
    meant = program_meant(sys.argv[0] if argv is None else "banish", words)
    if meant is not None:
        return run_guarded(*meant)
    from banish.cli.dispatch import carry_out  # noqa: PLC0415

    return carry_out(argv)
