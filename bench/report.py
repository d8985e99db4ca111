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
from cases import Case
from contest import Paths, Series

Results = dict[str, dict[str, Series]]
ROOT = pathlib.Path(__file__).resolve().parent.parent


# --- numbers ---------------------------------------------------------------------------------


def middle(series: Series | None, field: str) -> float | None:
    values = [one[field] for one in series.rounds if field in one] if series else []
    return statistics.median(values) if values else None


def of(results: Results, case: str, who: str, field: str) -> float | None:
    return middle(results.get(case, {}).get(who), field)


def ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def show(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def spread(series: Series, field: str, factor: float = 1, digits: int = 3) -> str:
    values = sorted(one[field] * factor for one in series.rounds if field in one)
    if not values:
        return ""
    text = f"{statistics.median(values):.{digits}f}"
    return text + f" [{values[0]:.{digits}f}–{values[-1]:.{digits}f}]"


def server_bound(series: Series) -> bool:
    """Where the server worked for more than half of the time, the client was not measured."""
    wall, server = middle(series, "wall"), middle(series, "server_cpu")
    return wall is not None and server is not None and server > wall / 2


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
    return "wall" if who == cases.FLOOR2 else "first"


def gigabytes(series: Series | None) -> float | None:
    found = middle(series, "bytes")
    return None if found is None else found / 1e9


def columns_of(case: Case) -> list[Column]:
    if case.repeat > 1:
        return REPEATED
    if case.first:
        return FIRST
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


# --- targets ---------------------------------------------------------------------------------


def at_most(value: float | None, limit: float, digits: int = 2) -> tuple[str, str, str]:
    met = "not measured" if value is None else "met" if value <= limit else "**not met**"
    return show(value, digits), f"≤ {limit:g}", met


def at_least(value: float | None, limit: float, digits: int = 2) -> tuple[str, str, str]:
    met = "not measured" if value is None else "met" if value >= limit else "**not met**"
    return show(value, digits), f"≥ {limit:g}", met


def targets(results: Results) -> list[list[str]]:
    rows = []

    def add(what: str, verdict: tuple[str, str, str]) -> None:
        rows.append([what, *verdict])

    def get(case: str, field: str, who: str = cases.LAKEBEAT) -> float | None:
        return of(results, case, who, field)

    def floor(case: str, field: str) -> float | None:
        return ratio(get(case, field), get(case, field, cases.FLOOR2))

    def mib(case: str) -> float | None:
        return ratio(get(case, "peak_kib"), 1024)

    for by, way in (("inline", "inline"), ("links", "cloud fetch")):
        for shape in ("narrow", "wide"):
            case = f"{by}-{shape}"
            add(f"{way} {shape}: wall ÷ floor", at_most(floor(case, "wall"), 1.2))
            limit = 1.25 if shape == "narrow" else 1.4
            add(f"{way} {shape}, 5 ×: CPU ÷ floor", at_most(floor(case + "-5", "cpu"), limit))
            add(f"{way} {shape}: peak MiB", at_most(mib(case), 96, 1))
            one, five = mib(case), mib(case + "-5")
            more = None if one is None or five is None else five - one
            add(f"{way} {shape}: MiB more at 5 ×", at_most(more, 10, 1))
        first = ratio(get(f"{by}-first", "first"), get(f"{by}-first", "wall", cases.FLOOR2))
        add(f"{way}: first rows ÷ floor", at_most(first, 1.5))
        pause = get(f"{by}-pause", "idle_cpu")
        add(f"{way}: CPU ms in 5 s of pause", at_most(None if pause is None else pause * 1e3, 2))
        many = ratio(get(f"{by}-64", "rows"), get(f"{by}-64", "wall"))
        one = ratio(get(f"{by}-one", "rows"), get(f"{by}-one", "wall"))
        add(f"{way}: rows/s of 64 results ÷ of one", at_least(ratio(many, one), 0.9))
        threads = get(f"{by}-64", "driver_threads")
        extra = ratio(threads, get(f"{by}-one", "driver_threads"))
        add(f"{way}: threads of 64 results ÷ of one", at_most(extra, 1))
    go = ratio(get("select-1", "latency_median"), get("select-1", "latency_median", cases.GO))
    add("SELECT 1 ÷ databricks-sql-go", at_most(go, 0.9))
    for key, name, limit in (("numbers", "numbers", 1.5), ("text", "dates and text", 0.7)):
        series = results.get(f"columns-{key}", {}).get(cases.LAKEBEAT)
        rate = ratio(gigabytes(series), middle(series, "cpu"))
        add(f"columns, {name}: GB of replies per CPU s", at_least(rate, limit))
    return rows


def rivals(results: Results) -> list[list[str]]:
    """How many times longer each rival takes than lakebeat from C."""
    rows = []
    for who in (cases.GO, cases.GO_ROWS, cases.CONNECTOR, cases.ADBC):
        row = [who]
        for case in ("inline-narrow", "inline-wide", "links-narrow", "links-wide"):
            times = ratio(of(results, case, who, "wall"), of(results, case, cases.LAKEBEAT, "wall"))
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


def stripped_kib(library: pathlib.Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, "stripped.so")
        subprocess.run(["strip", "-o", str(copy), str(library)], check=True)
        return copy.stat().st_size / 1024


def facts(paths: Paths, scale: float, rounds: int) -> dict[str, Any]:
    commit = said_by(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
    go = said_by([str(paths.go_client), "batches", "-version"])
    memory = int(first_of("/proc/meminfo", r"^MemTotal:\s+(\d+)") or 0)
    return {
        "lakebeat": f"{(ROOT / 'VERSION').read_text().strip()}, commit {commit}",
        "library, stripped": f"{stripped_kib(paths.driver):.0f} KiB (at most 1024)",
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


def render(chosen: list[Case], results: Results, known: dict[str, Any]) -> str:
    lines = ["<!-- SPDX-License-Identifier: Apache-2.0 -->", "# Benchmark", ""]
    lines += ["How to read it: [PERFORMANCE.md](../../docs/internals/PERFORMANCE.md).", ""]
    lines += markdown(["", ""], [[key, str(value)] for key, value in known.items()])
    lines += ["## Targets", ""]
    lines += markdown(["", "measured", "target", ""], targets(results))
    head = ["wall ÷ lakebeat's, C", "inline narrow", "inline wide", "cloud narrow", "cloud wide"]
    lines += markdown(head, rivals(results))
    lines += ["## Cases", "", "Medians with smallest and largest of the rounds.", ""]
    for case in chosen:
        lines += table(case, results[case.key])
    lines += ["### Allocations of the driver", ""]
    lines += markdown(["case", "batches", "allocations a batch"], allocations(results))
    return "\n".join(lines).rstrip() + "\n"


def broken(results: Results) -> bool:
    mine = (cases.FLOOR1, cases.FLOOR2, cases.LAKEBEAT, cases.ADBC, cases.LINKED)
    return any(found[who].out for found in results.values() for who in mine if who in found)
