# SPDX-License-Identifier: Apache-2.0
"""adbc-statement-ingestion, through Python's driver manager: modes, their errors, options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from harness import AdbcConnection, AdbcStatement, AdbcStatusCode, Error, run, update

NAME = "conform_ingest"
ROWS = pa.record_batch({"a": pa.array([1, 2, 3], pa.int32()), "t": ["x", "y", None]})
OTHER = pa.record_batch({"z": pa.array([1.5], pa.float64())})


@pytest.fixture
def table(conn: AdbcConnection) -> Iterator[str]:
    update(conn, f"DROP TABLE IF EXISTS {NAME}")
    yield NAME
    update(conn, f"DROP TABLE IF EXISTS {NAME}")


def ingest(conn: AdbcConnection, batch: Any, mode: str | None, **options: str) -> int:
    with AdbcStatement(conn) as stmt:
        stmt.set_options(**{"adbc.ingest.target_table": NAME})
        if mode is not None:
            stmt.set_options(**{"adbc.ingest.mode": f"adbc.ingest.mode.{mode}"})
        stmt.set_options(**{f"adbc.ingest.{name}": value for name, value in options.items()})
        reader = pa.RecordBatchReader.from_batches(batch.schema, [batch] if len(batch) else [])
        stmt.bind_stream(reader)
        return stmt.execute_update()


def rows(conn: AdbcConnection) -> list[Any]:
    with run(conn, f"SELECT a FROM {NAME} ORDER BY a") as read:
        return read.rest()


def failure(conn: AdbcConnection, *args: Any, **options: str) -> AdbcStatusCode:
    with pytest.raises(Error) as caught:
        ingest(conn, *args, **options)
    assert str(caught.value)
    return caught.value.status_code


@pytest.mark.parametrize("mode", [None, "create", "replace", "create_append"])
def test_ingestion_creates_the_table(conn: AdbcConnection, table: str, mode: str | None) -> None:
    assert ingest(conn, ROWS, mode) == 3
    assert rows(conn) == [1, 2, 3]


@pytest.mark.parametrize("mode", [None, "create"])
def test_create_fails_where_there_is_a_table(
    conn: AdbcConnection, table: str, mode: str | None
) -> None:
    ingest(conn, ROWS, "create")
    assert failure(conn, ROWS, mode) == AdbcStatusCode.ALREADY_EXISTS
    assert rows(conn) == [1, 2, 3]


def test_append_wants_a_table(conn: AdbcConnection, table: str) -> None:
    assert failure(conn, ROWS, "append") == AdbcStatusCode.NOT_FOUND
    ingest(conn, ROWS, "create")
    assert ingest(conn, ROWS, "append") == 3
    assert rows(conn) == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("mode", ["append", "create_append"])
def test_another_schema_already_exists(conn: AdbcConnection, table: str, mode: str) -> None:
    ingest(conn, ROWS, "create")
    assert failure(conn, OTHER, mode) == AdbcStatusCode.ALREADY_EXISTS
    assert rows(conn) == [1, 2, 3]


def test_replace_drops_what_was_there(conn: AdbcConnection, table: str) -> None:
    update(conn, f"CREATE TABLE {NAME} (other STRING)")
    assert ingest(conn, ROWS, "replace") == 3
    assert rows(conn) == [1, 2, 3]


def test_create_append_adds_to_what_is_there(conn: AdbcConnection, table: str) -> None:
    ingest(conn, ROWS, "create_append")
    ingest(conn, ROWS, "create_append")
    assert rows(conn) == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("mode", ["create", "replace", "create_append"])
def test_no_rows_make_a_table_all_the_same(conn: AdbcConnection, table: str, mode: str) -> None:
    assert ingest(conn, ROWS.slice(0, 0), mode) == 0
    assert rows(conn) == []


def test_options_of_ingestion_can_be_got(conn: AdbcConnection) -> None:
    with AdbcStatement(conn) as stmt:
        for name, value in {
            "target_table": NAME,
            "mode": "adbc.ingest.mode.append",
            "target_catalog": "main",
            "target_db_schema": "default",
        }.items():
            stmt.set_options(**{f"adbc.ingest.{name}": value})
            assert stmt.get_option(f"adbc.ingest.{name}") == value
        with pytest.raises(Error) as caught:
            stmt.set_options(**{"adbc.ingest.mode": "adbc.ingest.mode.nonsense"})
        assert caught.value.status_code == AdbcStatusCode.INVALID_ARGUMENT


def test_ingestion_into_a_named_place(conn: AdbcConnection, table: str) -> None:
    update(conn, f"DROP TABLE IF EXISTS conform.{NAME}")
    assert ingest(conn, ROWS, "create", target_db_schema="conform", target_catalog="main") == 3
    with run(conn, f"SELECT count(*) FROM main.conform.{NAME}") as read:
        assert read.rest() == [3]
    update(conn, f"DROP TABLE conform.{NAME}")


def test_temporary_tables_are_refused(conn: AdbcConnection) -> None:
    with AdbcStatement(conn) as stmt:
        stmt.set_options(**{"adbc.ingest.temporary": "false"})
        assert stmt.get_option("adbc.ingest.temporary") == "false"
        with pytest.raises(Error) as caught:
            stmt.set_options(**{"adbc.ingest.temporary": "true"})
        assert caught.value.status_code == AdbcStatusCode.NOT_IMPLEMENTED


def test_nothing_bound_is_an_invalid_state(conn: AdbcConnection, table: str) -> None:
    with AdbcStatement(conn) as stmt:
        stmt.set_options(**{"adbc.ingest.target_table": NAME})
        with pytest.raises(Error) as caught:
            stmt.execute_update()
        assert caught.value.status_code == AdbcStatusCode.INVALID_STATE
