# SPDX-License-Identifier: Apache-2.0
"""Results as text: a table per case, the targets, and on what it was measured."""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import platform
import re
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from typing import Any

import cases
import instructions
from cases import Case
from contest import Paths, Series
from targets import Results, all_targets, gigabytes, middle, ratio, server_bound

ROOT = pathlib.Path(__file__).resolve().parent.parent


# --- numbers ---------------------------------------------------------------------------------


def show(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def spread(series: Series, field: str, factor: float = 1, digits: int = 3) -> str:
    values = sorted(one[field] * factor for one in series.rounds if field in one)
    if not values:
        return ""
    text = f"{statistics.median(values):.{digits}f}"
    return text + f" [{values[0]:.{digits}f}–{values[-1]:.{digits}f}]"


# --- tables ----------------------------------------------------------------------------------

Column = tuple[str, Callable[[str, Series, dict[str, Series]], str]]


def against_floor(field: str) -> Callable[[str, Series, dict[str, Series]], str]:
    def text(_: str, series: Series, all_series: dict[str, Series]) -> str:
        floor = middle(all_series.get(cases.FLOOR2), field)
        return show(ratio(middle(series, field), floor), 2)

    return text


def note(_: str, series: Series, __: dict[str, Series]) -> str:
    return "server-bound" if server_bound(series) else ""


def field(name: str, factor: float = 1, digits: int = 3) -> Callable[..., str]:
    return lambda _, series, __: spread(series, name, factor, digits)


READ: list[Column] = [
    ("wall s", field("wall")),
    ("÷ floor", against_floor("wall")),
    ("CPU s", field("cpu")),
    ("÷ floor", against_floor("cpu")),
    ("peak MiB", field("peak_kib", 1 / 1024, 1)),
    ("first rows ms", field("first", 1e3, 1)),
    ("server CPU s", field("server_cpu", 1, 2)),
    ("", note),
]
REPEATED: list[Column] = [
    ("ms each, median", field("latency_median", 1e3)),
    ("99th percentile", field("latency_p99", 1e3)),
    ("CPU s", field("cpu")),
    ("requests", field("requests", 1, 0)),
    ("server CPU s", field("server_cpu", 1, 2)),
    ("", note),
]
MANY: list[Column] = [
    ("wall s", field("wall")),
    ("first done s", field("first_done")),
    ("last done s", field("last_done")),
    ("CPU s", field("cpu")),
    ("peak MiB", field("peak_kib", 1 / 1024, 1)),
    ("driver's threads", field("driver_threads", 1, 0)),
    ("server CPU s", field("server_cpu", 1, 2)),
    ("", note),
]
PAUSE: list[Column] = [
    ("CPU ms in the pause", field("idle_cpu", 1e3)),
    ("peak MiB", field("peak_kib", 1 / 1024, 1)),
    ("CPU s in all", field("cpu")),
]
FAR: list[Column] = [
    *READ[:2],
    ("CPU s", field("cpu")),
    ("peak MiB", field("peak_kib", 1 / 1024, 1)),
    ("first rows ms", field("first", 1e3, 1)),
    ("MB over the wire", field("bytes", 1e-6, 0)),
    ("files", field("files", 1, 0)),
    ("downloads at a time", field("parallel", 1, 0)),
]
FIRST: list[Column] = [
    ("first rows ms", lambda who, series, _: spread(series, first_field(who), 1e3, 1)),
    ("server CPU s", field("server_cpu", 1, 2)),
]
COLUMNS: list[Column] = [
    ("wall s", field("wall")),
    ("CPU s", field("cpu")),
    ("GB of replies per CPU s", lambda _, s, __: show(ratio(gigabytes(s), middle(s, "cpu")), 2)),
    ("server CPU s", field("server_cpu", 1, 2)),
    ("", note),
]


def first_field(who: str) -> str:
    return "wall" if who == cases.FLOOR_FIRST else "first"


def columns_of(case: Case) -> list[Column]:
    if case.repeat > 1:
        return REPEATED
    if case.first:
        return FIRST
    if case.threads > 1:
        return MANY
    if case.pause:
        return PAUSE
    if "latency_ms" in case.server:
        return FAR
    return COLUMNS if case.by == "columns" else READ


def markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def table(case: Case, found: dict[str, Series]) -> list[str]:
    columns = columns_of(case)
    rows = []
    for who, series in found.items():
        if who == cases.LINKED:
            continue
        if series.out:
            rows.append([who, f"absent: {series.out}"] + [""] * (len(columns) - 1))
        else:
            rows.append([who] + [text(who, series, found) for _, text in columns])
    title = f"### {case.title}, {case.rows:,} rows" if case.rows > 1 else f"### {case.title}"
    return [title, ""] + markdown(["", *(name for name, _ in columns)], rows)


def rivals(results: Results) -> list[list[str]]:
    """How many times longer each rival takes than lakebeat from C."""
    rows = []
    for who in (cases.GO, cases.GO_ROWS, cases.CONNECTOR, cases.ADBC):
        row = [who]
        for case in ("inline-narrow", "inline-wide", "links-narrow", "links-wide"):
            found = results.get(case, {})
            mine = middle(found.get(cases.LAKEBEAT), "wall")
            times = ratio(middle(found.get(who), "wall"), mine)
            row.append("" if times is None else f"{times:.1f} ×")
        rows.append(row)
    return rows


# --- the whole -------------------------------------------------------------------------------


def first_of(path: str, pattern: str) -> str:
    try:
        found = re.search(pattern, pathlib.Path(path).read_text(encoding="utf-8"), re.M)
    except OSError:
        return "unknown"
    return found[1].strip() if found else "unknown"


def said_by(command: list[str]) -> str:
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return "absent"
    return found.stdout.strip().splitlines()[0]


def stripped_kib(library: pathlib.Path) -> int:
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, "stripped.so")
        subprocess.run(["strip", "-o", str(copy), str(library)], check=True)
        return copy.stat().st_size // 1024


def facts(paths: Paths, scale: float, rounds: int) -> dict[str, Any]:
    commit = said_by(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
    go = said_by([str(paths.go_client), "batches", "-version"])
    memory = int(first_of("/proc/meminfo", r"^MemTotal:\s+(\d+)") or 0)
    return {
        "lakebeat": f"{(ROOT / 'VERSION').read_text().strip()}, commit {commit}",
        "library, stripped: KiB": stripped_kib(paths.driver),
        "databricks-sql-connector": importlib.metadata.version("databricks-sql-connector"),
        "databricks-sql-go": go,
        "adbc-driver-manager": importlib.metadata.version("adbc-driver-manager"),
        "Python, pyarrow": f"{platform.python_version()}, {importlib.metadata.version('pyarrow')}",
        "compiler": said_by(["cc", "--version"]),
        "libcurl": said_by(["pkg-config", "--modversion", "libcurl"]),
        "liblz4": said_by(["pkg-config", "--modversion", "liblz4"]),
        "processor": f"{os.cpu_count()} × {first_of('/proc/cpuinfo', r'^model name.*: (.*)')}",
        "memory": f"{memory / (1 << 20):.0f} GiB",
        "system": f"Linux {platform.release()}, {first_of('/etc/os-release', 'PRETTY_NAME=.(.*).$')}",
        "load before": " ".join(f"{one:.1f}" for one in os.getloadavg()),
        "sizes": f"{scale:g} of the full ones, {rounds} rounds",
    }


def allocations(results: Results) -> list[list[str]]:
    rows = []
    for case, found in results.items():
        blocks, batches = (middle(found.get(cases.LINKED), one) for one in ("blocks", "batches"))
        each = ratio(blocks, batches)
        if each is not None:
            rows.append([case, f"{batches:.0f}", f"{each:.1f}"])
    return rows


def counted(counts: dict[str, float | str]) -> list[list[str]]:
    rows = []
    for case, count in counts.items():
        number = isinstance(count, float)
        over = number and count > instructions.LIMITS[case]
        text = f"{count:.1f}" if number else f"not counted: {count}"
        limit = f"{instructions.LIMITS[case]}"
        rows.append([case, text, limit, "**too many**" if over else "met" if number else ""])
    return rows


def render(
    chosen: list[Case], results: Results, counts: dict[str, float | str], known: dict[str, Any]
) -> str:
    wanted = all_targets(results, known["library, stripped: KiB"])
    if len(chosen) < len(cases.all_cases(1)):
        wanted = [target for target in wanted if target.value is not None]
    lines = ["<!-- SPDX-License-Identifier: Apache-2.0 -->", "# Benchmark", ""]
    lines += ["How to read it: [PERFORMANCE.md](../../docs/internals/PERFORMANCE.md).", ""]
    lines += markdown(["", ""], [[key, str(value)] for key, value in known.items()])
    lines += ["## Targets", ""]
    lines += markdown(["", "measured", "target", ""], [target.row for target in wanted])
    head = ["wall ÷ lakebeat's, C", "inline narrow", "inline wide", "cloud narrow", "cloud wide"]
    lines += markdown(head, rivals(results))
    lines += ["## Cases", "", "Medians with smallest and largest of the rounds.", ""]
    for case in chosen:
        if case.key in results:
            lines += table(case, results[case.key])
    lines += ["### Instructions of the driver a row", ""]
    lines += markdown(["case", "counted", "at most", ""], counted(counts))
    lines += ["### Allocations of the driver", ""]
    lines += markdown(["case", "batches", "allocations a batch"], allocations(results))
    return "\n".join(lines).rstrip() + "\n"


def broken(results: Results) -> bool:
    mine = {*cases.FLOORS, cases.LAKEBEAT, cases.ADBC, cases.LINKED}
    return any(found[who].out for found in results.values() for who in mine & set(found))
