# SPDX-License-Identifier: Apache-2.0
"""What lakebeat has to reach, as ratios within one run; and numbers out of results."""

from __future__ import annotations

import dataclasses
import math
import statistics

import cases
from contest import Series

Results = dict[str, dict[str, Series]]


def middle(series: Series | None, field: str) -> float | None:
    values = [one[field] for one in series.rounds if field in one] if series else []
    return statistics.median(values) if values else None


def ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def gigabytes(series: Series | None) -> float | None:
    return ratio(middle(series, "bytes"), 1e9)


def server_bound(series: Series | None) -> bool:
    """Where the server worked for more than half of the time, the client was not measured."""
    wall, server = middle(series, "wall"), middle(series, "server_cpu")
    return wall is not None and server is not None and server > wall / 2


@dataclasses.dataclass
class Target:
    what: str
    value: float | None
    limit: float
    #: The value has to be at least the limit, not at most.
    least: bool = False
    digits: int = 2
    #: Nothing was shown: the time went by in the server.
    bound: bool = False

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        met = self.value >= self.limit if self.least else self.value <= self.limit
        if self.bound:
            return "met, server-bound" if met else "server-bound: shows nothing"
        return "met" if met else "**not met**"

    @property
    def row(self) -> list[str]:
        value = "" if self.value is None else f"{self.value:.{self.digits}f}"
        return [self.what, value, f"{'≥' if self.least else '≤'} {self.limit:g}", self.verdict]


class _Reader:
    def __init__(self, results: Results):
        self.results = results

    def series(self, case: str, who: str = cases.LAKEBEAT) -> Series | None:
        return self.results.get(case, {}).get(who)

    def get(self, case: str, field: str, who: str = cases.LAKEBEAT) -> float | None:
        return middle(self.series(case, who), field)

    def floor(self, case: str, field: str) -> float | None:
        return ratio(self.get(case, field), self.get(case, field, cases.FLOOR2))

    def mib(self, case: str) -> float | None:
        return ratio(self.get(case, "peak_kib"), 1024)

    def rate(self, case: str) -> float | None:
        return ratio(self.get(case, "rows"), self.get(case, "wall"))


def _large(results: _Reader, by: str, way: str) -> list[Target]:
    found = []
    for shape, cpu in (("narrow", 1.25), ("wide", 1.4)):
        case, what = f"{by}-{shape}", f"{way}, {shape}"
        bound = server_bound(results.series(case))
        wall = results.floor(case, "wall")
        found.append(Target(f"{what}: wall ÷ floor", wall, 1.2, bound=bound))
        used = results.floor(f"{case}-5", "cpu")
        found.append(Target(f"{what}, 5 × the rows: CPU ÷ floor", used, cpu))
        one, five = results.mib(case), results.mib(f"{case}-5")
        found.append(Target(f"{what}: peak MiB", one, 96, digits=1))
        more = None if one is None or five is None else five - one
        found.append(Target(f"{what}: MiB more at 5 × the rows", more, 10, digits=1))
    return found


def _far(results: _Reader) -> list[Target]:
    """Of cloud fetch: the turns of so many parallel downloads as there were, each a round
    trip and a file long. Inline: what one connection carries.
    """
    case = "links-far"
    files, parallel = results.get(case, "files"), results.get(case, "parallel")
    wall, size = results.get(case, "wall"), results.get(case, "bytes")
    best = None
    if files and parallel and size:
        each = cases.FAR_MS / 1e3 + size / files / cases.FAR_BYTES
        best = math.ceil(files / parallel) * each
    carried = ratio(results.get("inline-far", "bytes"), results.get("inline-far", "wall"))
    what = f" with {parallel:.0f} downloads at a time" if parallel else ""
    return [
        Target(f"far away, cloud fetch: wall ÷ best possible{what}", ratio(wall, best), 1.05),
        Target("far away, inline: part of a connection that is used",
               ratio(carried, cases.FAR_BYTES), 0.85, least=True),
    ]  # fmt: skip


def all_targets(found: Results, library_kib: float) -> list[Target]:
    results = _Reader(found)
    targets = []
    for by, way in (("inline", "inline"), ("links", "cloud fetch")):
        targets += _large(results, by, way)
        first, many, one = f"{by}-first", f"{by}-64", f"{by}-one"
        floor = results.get(first, "wall", cases.FLOOR_FIRST)
        soon = ratio(results.get(first, "first"), floor)
        targets.append(Target(f"{way}: first rows ÷ floor", soon, 1.5))
        few, usual = (f"{by}-batches-{n}" for n in (cases.FEW_ROWS, cases.USUAL_ROWS))
        for who in (cases.LAKEBEAT, cases.ADBC):
            more = ratio(results.get(few, "cpu", who), results.get(usual, "cpu", who))
            what = f"{way}, {who}: CPU with batches of 500 rows ÷ of 20,000"
            targets.append(Target(what, more, 1.2))
        idle = ratio(results.get(f"{by}-pause", "idle_cpu"), 1e-3)
        targets.append(Target(f"{way}: CPU ms in 5 s of pause", idle, 2))
        speed = ratio(results.rate(many), results.rate(one))
        bound = server_bound(results.series(many))
        targets.append(
            Target(f"{way}: rows/s of 64 results ÷ of one", speed, 0.9, least=True, bound=bound)
        )
        speed = ratio(results.rate(f"{by}-parked"), results.rate(one))
        what = f"{way}: rows/s beside eight parked results ÷ alone"
        targets.append(Target(what, speed, 0.9, least=True))
        threads = ratio(results.get(many, "driver_threads"), results.get(one, "driver_threads"))
        targets.append(Target(f"{way}: driver's threads, 64 results ÷ one", threads, 1))
    each = results.get("select-1", "latency_median", cases.GO)
    each = ratio(results.get("select-1", "latency_median"), each)
    targets.append(Target("SELECT 1: time ÷ databricks-sql-go's", each, 0.9))
    # A session, its first statement and its end are three more.
    requests = results.get("select-1", "requests")
    rows = results.get("select-1", "rows")
    if requests is not None and rows:
        targets.append(Target("SELECT 1: requests each", (requests - 3) / rows, 1))
    for key, name, limit in (("numbers", "numbers", 1.5), ("text", "dates and text", 0.7)):
        series = results.series(f"columns-{key}")
        speed = ratio(gigabytes(series), middle(series, "cpu"))
        what = f"columns, {name}: GB of replies a CPU second"
        targets.append(Target(what, speed, limit, least=True))
    targets += _far(results)
    targets.append(Target("library, stripped: KiB", library_kib, 1024, digits=0))
    return targets
