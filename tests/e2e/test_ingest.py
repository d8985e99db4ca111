# SPDX-License-Identifier: Apache-2.0
"""Bound data into tables: the four modes, their errors, batches, and names of all kinds."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator

import adbc_driver_manager.dbapi as dbapi
import pyarrow as pa
import pytest
from harness import DRIVER, AdbcStatusCode, Error, Warehouse, login

DATA = pa.table({"a": pa.array([1, 2, None], pa.int32()), "b": ["x", None, "it's \\ `z`"]})


@pytest.fixture(scope="module", params=["databricks", "spark", "hive"])
def w(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    with Warehouse(personality=request.param) as server:
        yield server


@pytest.fixture
def cur(w: Warehouse) -> Iterator[dbapi.Cursor]:
    with dbapi.connect(driver=DRIVER, db_kwargs=login(w), autocommit=True) as conn:
        with conn.cursor() as cur:
            yield cur


def rows(cur: dbapi.Cursor, table: str) -> list[tuple]:
    cur.execute(f"SELECT * FROM {table} ORDER BY 1 NULLS LAST")
    return [tuple(row) for row in cur.fetchall()]


def fails(cur: dbapi.Cursor, table: str, data: pa.Table, mode: str) -> AdbcStatusCode:
    with pytest.raises(Error) as caught:
        cur.adbc_ingest(table, data, mode=mode)
    return caught.value.status_code


WANTED = [(1, "x"), (2, None), (None, "it's \\ `z`")]


def test_create(cur: dbapi.Cursor) -> None:
    assert cur.adbc_ingest("ingest_create", DATA, mode="create") == 3
    assert rows(cur, "ingest_create") == WANTED
    assert fails(cur, "ingest_create", DATA, "create") == AdbcStatusCode.ALREADY_EXISTS
    assert rows(cur, "ingest_create") == WANTED


def test_append(cur: dbapi.Cursor) -> None:
    assert fails(cur, "ingest_nowhere", DATA, "append") == AdbcStatusCode.NOT_FOUND
    assert fails(cur, "ingest_nowhere", DATA[:0], "append") == AdbcStatusCode.NOT_FOUND
    cur.execute("CREATE OR REPLACE TABLE ingest_append (a INT, b STRING)")
    assert cur.adbc_ingest("ingest_append", DATA, mode="append") == 3
    # Columns go by their names.
    assert cur.adbc_ingest("ingest_append", DATA.select(["b", "a"]), mode="append") == 3
    assert rows(cur, "ingest_append") == [row for row in WANTED for _ in "12"]


def test_append_what_does_not_match(cur: dbapi.Cursor) -> None:
    cur.execute("CREATE OR REPLACE TABLE ingest_other (a INT, c STRING)")
    for mode in ("append", "create_append"):
        assert fails(cur, "ingest_other", DATA, mode) == AdbcStatusCode.ALREADY_EXISTS


def test_replace(cur: dbapi.Cursor) -> None:
    assert cur.adbc_ingest("ingest_replace", pa.table({"z": [1]}), mode="replace") == 1
    assert cur.adbc_ingest("ingest_replace", DATA, mode="replace") == 3
    assert rows(cur, "ingest_replace") == WANTED


def test_a_refused_replacement_keeps_the_table(cur: dbapi.Cursor) -> None:
    cur.adbc_ingest("ingest_kept", DATA, mode="create")
    interval = pa.array([pa.MonthDayNano([1, 2, 3])])
    with pytest.raises(Error, match="no one SQL type"):
        cur.adbc_ingest("ingest_kept", pa.table({"a": interval}), mode="replace")
    with pytest.raises(Error, match="columns 'x' and 'X'"):
        cur.adbc_ingest("ingest_kept", pa.table({"x": [1], "y": [2], "X": [3]}), mode="replace")
    assert rows(cur, "ingest_kept") == WANTED


def test_errors_show_no_value(w: Warehouse, cur: dbapi.Cursor) -> None:
    """Not even when the server repeats the statement, or says what it thinks of a value."""
    cur.execute("CREATE OR REPLACE TABLE ingest_secret (a STRING)")
    said = (
        "[X] no 'hunter2'\n== SQL ==\nINSERT ... 'hunter2'",
        "[X] no 'hunter2';\n'InsertIntoStatement [a]\n+- LocalRelation [[hunter2]]",
    )
    for text in said:
        fault = {"kind": "error", "message": text, "sqlstate": "42601"}
        w.fault(fault, "ExecuteStatement")
        with pytest.raises(Error, match="no '[.]{3}'") as caught:
            cur.adbc_ingest("ingest_secret", pa.table({"a": ["hunter2"]}), mode="append")
        assert "hunter2" not in str(caught.value)


def test_create_append(cur: dbapi.Cursor) -> None:
    assert cur.adbc_ingest("ingest_both", DATA, mode="create_append") == 3
    assert cur.adbc_ingest("ingest_both", DATA, mode="create_append") == 3
    assert len(rows(cur, "ingest_both")) == 6


def test_no_rows_still_make_the_table(cur: dbapi.Cursor) -> None:
    assert cur.adbc_ingest("ingest_empty", DATA[:0], mode="create") == 0
    assert rows(cur, "ingest_empty") == []


def test_names_are_quoted(cur: dbapi.Cursor) -> None:
    data = pa.table({"select": [1], "sp ace": ["x"], "ti`ck": [True]})
    name = "in`gest; DROP TABLE x --"
    assert cur.adbc_ingest(name, data, mode="create") == 1
    assert rows(cur, "`in``gest; DROP TABLE x --`") == [(1, "x", True)]


def test_names_that_the_server_would_replace(cur: dbapi.Cursor) -> None:
    """${...} is replaced by a variable even within backquotes."""
    data = pa.table({"a${spark.x}": [1]})
    for table, given in (("t", data), ("t${spark.x}", DATA)):
        with pytest.raises(Error, match=r"has \$\{ in it") as caught:
            cur.adbc_ingest(table, given, mode="create")
        assert caught.value.status_code == AdbcStatusCode.INVALID_ARGUMENT


def test_target_schema(cur: dbapi.Cursor) -> None:
    cur.execute("CREATE SCHEMA IF NOT EXISTS ingest_schema")
    assert cur.adbc_ingest("t", DATA, mode="create", db_schema_name="ingest_schema") == 3
    assert rows(cur, "ingest_schema.t") == WANTED


def test_catalog_needs_a_schema(cur: dbapi.Cursor) -> None:
    with pytest.raises(Error, match="target_db_schema"):
        cur.adbc_ingest("t", DATA, mode="create", catalog_name="main")


@pytest.mark.parametrize(
    "empty", ["adbc.ingest.target_db_schema", "adbc.ingest.target_catalog"]
)
def test_empty_place_is_the_session_s(cur: dbapi.Cursor, empty: str) -> None:
    cur.adbc_statement.set_options(**{empty: ""})
    assert cur.adbc_ingest("ingest_empty", DATA, mode="replace") == 3
    assert rows(cur, "default.ingest_empty") == WANTED


def test_empty_schema_is_none_for_a_catalog(cur: dbapi.Cursor) -> None:
    cur.adbc_statement.set_options(**{"adbc.ingest.target_db_schema": ""})
    with pytest.raises(Error, match="target_db_schema") as caught:
        cur.adbc_ingest("t", DATA, mode="create", catalog_name="main")
    assert caught.value.status_code == AdbcStatusCode.INVALID_ARGUMENT


def test_empty_table_is_refused(cur: dbapi.Cursor) -> None:
    with pytest.raises(Error, match=r"adbc\.ingest\.target_table") as caught:
        cur.adbc_ingest("", DATA, mode="create")
    assert caught.value.status_code == AdbcStatusCode.INVALID_ARGUMENT
    cur.execute("SELECT 1")
    assert cur.fetchall() == [(1,)]


def test_refused_ingestion_keeps_what_is_bound(cur: dbapi.Cursor) -> None:
    stmt = cur.adbc_statement
    stmt.bind_stream(DATA.to_reader())
    for _ in range(2):
        stmt.set_options(**{"adbc.ingest.target_table": "t${x}"})
        with pytest.raises(Error, match=r"has \$\{ in it"):
            stmt.execute_update()
    stmt.set_options(**{"adbc.ingest.target_table": "ingest_retried"})
    assert stmt.execute_update() == 3
    assert rows(cur, "ingest_retried") == WANTED


@pytest.mark.parametrize("count", [25, 127, 128, 5000])
def test_batches(w: Warehouse, cur: dbapi.Cursor, count: int) -> None:
    """Two columns: 127 rows are the most that fit into 255 parameters."""
    batches = [
        pa.record_batch([pa.array(range(at, min(at + 100, count))),
                         pa.array([f"v{i}" for i in range(at, min(at + 100, count))])],
                        names=["a", "b"])
        for at in range(0, count, 100)
    ]  # fmt: skip
    reader = pa.RecordBatchReader.from_batches(batches[0].schema, batches)
    name = f"ingest_batches_{count}"
    assert cur.adbc_ingest(name, reader, mode="create") == count
    cur.execute(f"SELECT count(*), count(DISTINCT b), sum(a) FROM {name}")
    assert cur.fetchall() == [(count, count, count * (count - 1) // 2)]


def test_types(cur: dbapi.Cursor) -> None:
    data = pa.table({
        "i8": pa.array([-128], pa.int8()),
        "u64": pa.array([2**64 - 1], pa.uint64()),
        "f": pa.array([0.5], pa.float32()),
        "d": pa.array([1e300]),
        "n": pa.array([decimal.Decimal("-12.30")], pa.decimal128(10, 2)),
        "t": pa.array([datetime.date(1, 1, 1)]),
        "ts": pa.array([datetime.datetime(2020, 2, 29, 1, 2, 3, 4)], pa.timestamp("us")),
        "bin": pa.array([b"\x00\xff'"]),
        "nothing": pa.nulls(1),
    })  # fmt: skip
    assert cur.adbc_ingest("ingest_types", data, mode="create") == 1
    cur.execute("SELECT * FROM ingest_types")
    found = cur.fetch_arrow_table().to_pylist()[0]
    wanted = data.to_pylist()[0]
    # In a column TIMESTAMP_NTZ is described as TIMESTAMP: it has the session's zone, UTC.
    found["ts"] = found["ts"].replace(tzinfo=None)
    assert found == {**wanted, "u64": decimal.Decimal(2**64 - 1)}


def test_refused_types(cur: dbapi.Cursor) -> None:
    data = pa.table({"a": [[1, 2]]})
    with pytest.raises(Error, match=r"column 1 \('a'\).*from_json"):
        cur.adbc_ingest("ingest_refused", data, mode="create")


def test_value_that_no_column_holds_names_its_row(cur: dbapi.Cursor) -> None:
    data = pa.table({"at": pa.array([0, 1, 2**62], pa.timestamp("us"))})
    with pytest.raises(Error, match=r"row 3 of the data to ingest: column 1 \('at'\)"):
        cur.adbc_ingest("ingest_range", data, mode="create")


def test_a_query_takes_the_place_of_the_table(cur: dbapi.Cursor) -> None:
    cur.adbc_ingest("ingest_first", DATA, mode="create")
    cur.execute("SELECT count(*) FROM ingest_first")
    assert cur.fetchall() == [(3,)]
    cur.adbc_ingest("ingest_first", DATA, mode="append")
    cur.execute("SELECT count(*) FROM ingest_first")
    assert cur.fetchall() == [(6,)]
