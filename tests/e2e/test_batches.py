# SPDX-License-Identifier: Apache-2.0
"""Small batches that are at hand become larger ones on the way to the reader: the same rows in
the same order, whatever way they travel, and never later for it."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from harness import (
    OFF,
    Error,
    Read,
    Task,
    Warehouse,
    connected,
    fails,
    held,
    nothing_left,
    run,
    table_of,
)

FEW, TARGET = 500, 4096
ROWS = 60_000
COLUMNS = """
    CASE WHEN id % 7 = 3 THEN NULL ELSE id % 2 = 0 END AS b,
    CAST(id % 100 AS TINYINT) AS i8, CAST(id AS INT) AS i32, CAST(id AS DOUBLE) / 3 AS x,
    CASE WHEN id % 1000 < 600 THEN CAST(id AS STRING) END AS s,
    CAST(id AS DECIMAL(18, 2)) AS n, date_add(DATE '2001-02-03', CAST(id % 500 AS INT)) AS d,
    NULL AS nothing
"""
QUERY = f"SELECT id, {COLUMNS} FROM range({ROWS})"
NESTED = f"""SELECT id, array(id, id + 1) AS a, named_struct('k', id, 's', CAST(id AS STRING)) AS r,
    map('k', id) AS m FROM range({ROWS})"""
WAYS = {
    "pages": {},  # of megabytes: decoded by the workers
    "small pages": {"databricks.max_bytes_per_fetch": "60000"},  # decoded by their reader
    "files": {"databricks.cloudfetch.enabled": "true"},
}
INLINE = {"databricks.cloudfetch.enabled": "false"}
UNMERGED = {"databricks.batch_target_rows": "0"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with Warehouse(
        no_samples=True, batch_rows=FEW, cloud_fetch_bytes=0, cloud_fetch_file_bytes=200_000
    ) as w:
        yield w


@pytest.fixture
def w(shared: Warehouse) -> Iterator[Warehouse]:
    shared.reset(sessions=True)
    yield shared
    shared.clear_faults()


def read(w: Warehouse, sql: str, *options: dict[str, str]) -> pa.Table:
    with connected(w, OFF) as conn, run(conn, sql, *options) as found:
        return table_of(found)


def lengths(table: pa.Table) -> list[int]:
    return [len(chunk) for chunk in table.column(0).chunks]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sql", [QUERY, NESTED], ids=["flat", "nested"])
def test_the_same_rows_in_fewer_batches(w: Warehouse, way: str, sql: str) -> None:
    options = INLINE | WAYS[way]
    with nothing_left():
        plain = read(w, sql, options, UNMERGED)
        merged = read(w, sql, options)
    assert merged.equals(plain)
    merged.validate(full=True)
    assert plain.column(0).to_pylist() == list(range(ROWS))
    assert max(lengths(plain)) == FEW
    assert max(lengths(merged)) <= TARGET
    # How many files' batches are at hand is a matter of time.
    if way == "pages":
        assert len(lengths(merged)) <= 2 * ROWS / TARGET
    elif way == "small pages":
        assert len(lengths(merged)) <= len(lengths(plain)) / 1.5


@pytest.mark.parametrize("target", [1, 499, 999, 1000, 1048576])
def test_targets(w: Warehouse, target: int) -> None:
    table = read(w, QUERY, INLINE, {"databricks.batch_target_rows": str(target)})
    assert table.column(0).to_pylist() == list(range(ROWS))
    # Two of 500 are merged where they fit; those of half the target or more are large.
    assert max(lengths(table)) <= max(target, FEW)
    if target <= 1000:
        assert max(lengths(table)) == FEW
    else:
        assert max(lengths(table)) > 4 * FEW


@pytest.mark.parametrize("value", ["-1", "1048577", "many", ""])
def test_wrong_targets(w: Warehouse, value: str) -> None:
    with connected(w, OFF) as conn, pytest.raises(Error) as caught:
        run(conn, "SELECT 1", {"databricks.batch_target_rows": value})
    assert "databricks.batch_target_rows" in str(caught.value)


def rows_of(found: Read) -> list[int]:
    rows: list[int] = []
    try:
        while not found.over:
            rows += found.batch()
    except Error:
        assert rows == list(range(len(rows))), "rows before the error"
        raise
    return rows


@pytest.mark.parametrize("kind", ["file_lz4", "file_short"])
def test_failures_come_behind_their_rows(w: Warehouse, kind: str) -> None:
    w.fault({"kind": kind}, where={"storage": "GET", "file": 2}, times=0)
    with nothing_left(), connected(w, OFF) as conn, run(conn, QUERY) as found:
        first = fails(30, rows_of, found)
        assert "file 2" in str(first)
        assert str(fails(5, found.batch)) == str(first)


def test_cancel_in_between(w: Warehouse) -> None:
    """Not even what was left over from the batch before is handed out any more."""
    options = INLINE | {"databricks.max_rows_per_fetch": "10000"}
    with nothing_left(), connected(w, OFF) as conn, run(conn, QUERY, options) as found:
        assert found.batch() == list(range(TARGET // FEW * FEW))
        found.stmt.cancel()
        assert "cancelled" in str(fails(5, found.batch))


def test_cancel_of_a_reader_who_waits(w: Warehouse) -> None:
    """He has what was at hand, and waits for no more than the next batch."""
    w.fault("hang", where={"storage": "GET", "file": 3}, times=0)
    with nothing_left(), connected(w, OFF) as conn, run(conn, QUERY) as found:
        task = Task(rows_of, found)
        held(w)
        found.stmt.cancel()
        task.ended(10)
        assert "cancelled" in str(task.error)


def test_no_page_is_fetched_for_it(w: Warehouse) -> None:
    """A page of one row is handed out at once, although others could follow."""
    options = INLINE | {"databricks.max_rows_per_fetch": "1"}
    table = read(w, "SELECT id FROM range(5)", options)
    assert lengths(table) == [1] * 5
