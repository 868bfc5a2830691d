"""Prints a benchmark's table and keeps it in ``bench/RESULTS.md``."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"


def write_section(
    title: str,
    about: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    note: str,
    *,
    is_kept: bool = True,
) -> None:
    """Print the table; if it *is_kept*, put it in place of the section of the same title."""
    widths = [max(len(row[n]) for row in [header, *rows]) for n in range(len(header))]

    def drawn(cells: Sequence[str]) -> str:
        return "| " + " | ".join(c.rjust(w) for c, w in zip(cells, widths, strict=True)) + " |"

    table = [drawn(header), "|" + "|".join("-" * (w + 1) + ":" for w in widths) + "|"]
    table += [drawn(row) for row in rows]
    day = datetime.now(UTC).date().isoformat()
    section = f"## {title}\n\n{about.strip()}\n\n" + "\n".join(table) + f"\n\n{day}; {note}\n"
    print("\n".join([*table, note]))
    if not is_kept:
        return
    old = (
        RESULTS.read_text("utf-8") if RESULTS.exists() else "# Results\n\nMade by `./dev bench`.\n"
    )
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    new = pattern.sub(lambda _: section + "\n", old) if pattern.search(old) else f"{old}\n{section}"
    RESULTS.write_text(new.rstrip() + "\n", "utf-8")
