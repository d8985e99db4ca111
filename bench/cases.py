# SPDX-License-Identifier: Apache-2.0
"""What is measured: results, how they travel, and who reads them.

A case is one statement on one warehouse. Its contestants read it in turn, again and again;
`rows` and `total` (the sum of the first column) are what each has to have read. Sizes are
those of the full run; they are scaled together.
"""

from __future__ import annotations

import dataclasses
from typing import Any

FLOOR1, FLOOR2 = "floor, 1 thread", "floor, 2 threads"
#: The same, but only until the first 4 MiB of rows are there.
FLOOR_FIRST = "floor, first 4 MiB"
FLOORS = {FLOOR1: 1, FLOOR2: 2, FLOOR_FIRST: 1}
LAKEBEAT, ADBC = "lakebeat, C", "lakebeat, Python"
GO, GO_ROWS = "databricks-sql-go, batches", "databricks-sql-go, rows"
CONNECTOR = "databricks-sql-connector"
KERNEL = "databricks-sql-connector, kernel back end"
LINKED = "lakebeat, allocations counted"

#: Contestants that never run, with the reason.
ABSENT = {KERNEL: "speaks the REST API alone, and the local warehouse does not"}

NARROW_ROWS, WIDE_ROWS = 10_000_000, 1_000_000
NUMBERS = "id, id * 2654435761 % 1000000007 AS k, CAST(id AS DOUBLE) / 7 AS x"
DATE = "date_add(DATE '2000-01-01', CAST(id % 9000 AS INT)) AS d"
TEXT = "lpad(CAST(id * 7919 % 1000003 AS STRING), 12, 'lakebeat-abc') AS s"


def narrow(rows: int) -> str:
    """44 bytes of Arrow a row: bigint, bigint, double, date, 12 bytes of text."""
    return f"SELECT {NUMBERS}, {DATE}, {TEXT} FROM range({rows})"


def numbers(rows: int) -> str:
    return f"SELECT {NUMBERS} FROM range({rows})"


def wide(rows: int) -> str:
    """34 columns, 320 bytes of Arrow a row: 16 bigint, 8 int, 10 decimal."""
    columns = ["id"]
    columns += [f"id * {7919 + 2 * i} % {10 ** (3 + i % 7) + 7} AS b{i}" for i in range(15)]
    columns += [f"CAST(id * {31 + i} % {10 ** (2 + i % 6) + 3} AS INT) AS i{i}" for i in range(8)]
    columns += [
        f"CAST(id * {104729 + i} % {10 ** (4 + i % 8) + 9} AS DECIMAL(18, 2)) AS d{i}"
        for i in range(10)
    ]
    return f"SELECT {', '.join(columns)} FROM range({rows})"


@dataclasses.dataclass
class Case:
    key: str
    title: str
    sql: str
    rows: int
    who: list[str]
    #: How the rows travel: ``inline``, ``links`` or ``columns``.
    by: str = "inline"
    #: Options of the warehouse, without the dashes.
    server: dict[str, Any] = dataclasses.field(default_factory=dict)
    #: Arguments of the clients.
    repeat: int = 1
    threads: int = 1
    parked: int = 0
    pause: float = 0
    #: The time to the first rows is what counts.
    first: bool = False
    #: At most so many rounds.
    rounds: int = 100

    @property
    def total_rows(self) -> int:
        return self.rows * self.repeat * self.threads

    @property
    def total(self) -> int:
        """The first column is 0, 1, 2, …"""
        return self.rows * (self.rows - 1) // 2 * self.repeat * self.threads


def size(rows: int, scale: float) -> int:
    return max(1000, int(rows * scale))


READERS = [FLOOR1, FLOOR2, LAKEBEAT, ADBC, GO, CONNECTOR, KERNEL]


def large(scale: float) -> list[Case]:
    found = []
    shapes = [("narrow", narrow, NARROW_ROWS), ("wide", wide, WIDE_ROWS)]
    for by, way in (("inline", "inline"), ("links", "cloud fetch")):
        for shape, sql, rows in shapes:
            count = size(rows, scale)
            who = READERS + ([GO_ROWS] if by == "inline" else []) + [LINKED]
            title = f"{way}, {shape}"
            found.append(Case(f"{by}-{shape}", title, sql(count), count, who, by))
        for shape, sql, rows in shapes:
            count = size(5 * rows, scale)
            title = f"{way}, {shape}, five times the rows"
            who = [FLOOR2, LAKEBEAT]
            found.append(Case(f"{by}-{shape}-5", title, sql(count), count, who, by, rounds=3))
    return found


def columns(scale: float) -> list[Case]:
    count = size(NARROW_ROWS, scale)
    who = [LAKEBEAT, ADBC]
    shapes = [("numbers", "numbers alone", numbers), ("text", "with dates and text", narrow)]
    return [
        Case(f"columns-{key}", f"columns, {what}", sql(count), count, who, "columns")
        for key, what, sql in shapes
    ]


def small(scale: float) -> list[Case]:
    repeat = max(50, int(2000 * min(1, scale)))
    who = [LAKEBEAT, ADBC, GO, CONNECTOR]
    return [Case("select-1", f"SELECT 1, {repeat} times", "SELECT 1", 1, who, repeat=repeat)]


def behaviour(scale: float) -> list[Case]:
    count = size(NARROW_ROWS, scale)
    part = max(1000, count // 20)
    found = []
    for by, way in (("inline", "inline"), ("links", "cloud fetch")):
        title = f"{way}, the first rows of narrow"
        who = [FLOOR_FIRST, LAKEBEAT, ADBC, GO]
        found.append(Case(f"{by}-first", title, narrow(count), count, who, by, first=True))
        title = f"{way}, 64 narrow results at the same time"
        sql = narrow(part)
        found.append(Case(f"{by}-64", title, sql, part, [LAKEBEAT], by, threads=64, rounds=3))
        title = f"{way}, one narrow result of as many rows as ten of those"
        found.append(Case(f"{by}-one", title, narrow(10 * part), 10 * part, [LAKEBEAT], by))
        title = f"{way}, the same beside eight that nobody reads on"
        sql = narrow(10 * part)
        found.append(Case(f"{by}-parked", title, sql, 10 * part, [LAKEBEAT], by, parked=8))
        title = f"{way}, a reader that pauses"
        sql = narrow(count)
        found.append(
            Case(f"{by}-pause", title, sql, count, [LAKEBEAT], by, pause=5, rounds=2)
        )
    return found


#: Rows of a batch, as few as a server ever sends, and as many as are usual.
FEW_ROWS, USUAL_ROWS = 500, 20_000


def batches(scale: float) -> list[Case]:
    count = size(2_000_000, scale)
    found = []
    for by, way in (("inline", "inline"), ("links", "cloud fetch")):
        for rows in (FEW_ROWS, USUAL_ROWS):
            title = f"{way}, narrow, batches of {rows:,} rows"
            server = {"batch_rows": rows}
            key, who = f"{by}-batches-{rows}", [FLOOR2, LAKEBEAT, ADBC]
            found.append(Case(key, title, narrow(count), count, who, by, server))
    return found


#: The far side of an ocean: every request waits so long, each connection has so much.
FAR_MS, FAR_BYTES = 40, 20_000_000


def far(scale: float) -> list[Case]:
    found = []
    ports = {"inline": "", "links": "storage_"}
    for by, way, rows in (("inline", "inline", 2_000_000), ("links", "cloud fetch", 8_000_000)):
        server = {"latency_ms": FAR_MS, "storage_latency_ms": FAR_MS}
        server[f"{ports[by]}bytes_per_second"] = FAR_BYTES
        title = f"{way}, narrow, {FAR_MS} ms away, {FAR_BYTES // 10**6} MB/s a connection"
        count = size(rows, scale)
        who = [FLOOR1, FLOOR2, LAKEBEAT, GO, CONNECTOR]
        found.append(Case(f"{by}-far", title, narrow(count), count, who, by, server, rounds=3))
    return found


def all_cases(scale: float) -> list[Case]:
    makers = (large, columns, small, behaviour, batches, far)
    return [case for make in makers for case in make(scale)]


def quick_cases(scale: float) -> list[Case]:
    wanted = {"inline-narrow", "links-narrow", "columns-numbers", "columns-text", "select-1"}
    wanted |= {f"{by}-batches-{FEW_ROWS}" for by in ("inline", "links")}
    found = [case for case in all_cases(scale) if case.key in wanted]
    for case in found:
        left_out = {FLOOR1, GO_ROWS, ADBC if case.by == "columns" or case.server else ""}
        case.who = [one for one in case.who if one not in left_out]
    return found
