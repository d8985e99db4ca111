# SPDX-License-Identifier: Apache-2.0
"""Instructions a row, counted by callgrind: the one cost that does not depend on how busy the
machine is.

Only what the driver's own library executes is counted, not libcurl, LZ4 or libc, whose
versions differ. The result is read twice, once with twice the rows: the difference is what
rows cost, without start and end.
"""

from __future__ import annotations

import pathlib
import re
import shutil
import tempfile

import cases
from contest import Contest, Out

#: Enough that what the ends of pages and files cost is small.
ROWS = 100_000
#: Most instructions a row; half as much again as was counted when they were set.
LIMITS = {
    "inline-narrow": 12,
    "links-narrow": 12,
    "columns-numbers": 28,
    "columns-text": 510,
    "inline-batches-500": 48,
    "links-batches-500": 44,
}


def count_of(text: str, library: str) -> int:
    """The sum of what an object's functions cost themselves, in a file of callgrind's."""
    names: dict[str, str] = {}
    inside = skip = False
    total = 0
    for line in text.splitlines():
        if found := re.match(r"c?ob=\((\d+)\)(?: (.*))?", line):
            names.setdefault(found[1], found[2] or "")
            if line.startswith("ob="):
                inside = library in names[found[1]]
        elif line.startswith("calls="):
            skip = True  # the next line is the cost of what was called
        elif re.match(r"[+*\-\d]", line):
            if inside and not skip:
                total += int(line.split()[1])
            skip = False
    return total


def a_row(contest: Contest) -> float:
    """Instructions of the driver a row; Out where they cannot be counted."""
    case = contest.case
    valgrind = shutil.which("valgrind")
    if not valgrind:
        raise Out("valgrind is not installed")
    counts = []
    for rows in (ROWS, 2 * ROWS):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder, "counts")
            argv = [valgrind, "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}"]
            client = contest.client(cases.LAKEBEAT, False)
            client[client.index(case.sql)] = case.sql.replace(f"({case.rows})", f"({rows})")
            contest.timed(argv + client, "")
            text = out.read_text(encoding="utf-8", errors="replace")
        counts.append(count_of(text, contest.paths.driver.name))
    return (counts[1] - counts[0]) / ROWS


def counted(contest: Contest) -> float | str:
    try:
        return a_row(contest)
    except Out as reason:
        return str(reason)


def too_many(counts: dict[str, float | str]) -> list[str]:
    """The cases over their limits. Where nothing could be counted, nothing is said."""
    return [
        case for case, count in counts.items()
        if isinstance(count, float) and count > LIMITS[case]
    ]  # fmt: skip
