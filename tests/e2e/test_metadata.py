# SPDX-License-Identifier: Apache-2.0
"""What a connection tells of catalogs, schemas, tables and columns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import adbc_driver_manager.dbapi as dbapi
import pyarrow as pa
import pytest
from harness import (
    DEADLINES,
    DRIVER,
    AdbcConnection,
    AdbcStatusCode,
    Error,
    Task,
    Warehouse,
    connected,
    held,
    login,
    run,
    table_of,
    until,
    update,
)

pytestmark = pytest.mark.filterwarnings("ignore:Cannot disable autocommit")
KINDS = ["databricks", "spark", "hive"]
#: Nothing here waits for a deadline.
PATIENT = {"databricks.request_timeout_seconds": "60"}


def stream(handle: Any) -> pa.Table:
    return pa.RecordBatchReader._import_from_c(handle.address).read_all()


def schema(handle: Any) -> pa.Schema:
    return pa.Schema._import_from_c(handle.address)


@contextlib.contextmanager
def python(w: Warehouse, **options: str) -> Iterator[dbapi.Connection]:
    with dbapi.connect(DRIVER, db_kwargs={**login(w), **DEADLINES, **PATIENT, **options}) as made:
        yield made


@pytest.fixture
def conn(w: Warehouse) -> Iterator[AdbcConnection]:
    with connected(w, PATIENT) as made:
        yield made


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, warehouse_of: Any) -> Warehouse:
    return warehouse_of(request.param)


def failure(call: Any, *args: Any) -> Error:
    with pytest.raises(Error) as caught:
        call(*args)
    return caught.value


@contextlib.contextmanager
def table(conn: AdbcConnection, name: str, columns: str) -> Iterator[str]:
    update(conn, f"DROP TABLE IF EXISTS {name}")
    update(conn, f"CREATE TABLE {name} ({columns})")
    yield name
    update(conn, f"DROP TABLE IF EXISTS {name}")


# --- table types -----------------------------------------------------------------------------


def test_table_types(engine: Warehouse) -> None:
    with connected(engine, PATIENT) as conn:
        found = stream(conn.get_table_types())
    assert found.schema == pa.schema([pa.field("table_type", pa.string(), nullable=False)])
    types = found.column(0).to_pylist()
    assert {"TABLE", "VIEW"} <= set(types)
    assert len(types) == len(set(types))
    with python(engine) as conn:
        assert conn.adbc_get_table_types() == types


# --- schema of a table -----------------------------------------------------------------------


def test_table_schema_is_that_of_reading_it(engine: Warehouse) -> None:
    columns = "id BIGINT, name STRING, price DECIMAL(10,2), at TIMESTAMP, day DATE, bits BINARY"
    with connected(engine, PATIENT) as conn, table(conn, "t_schema", columns):
        found = schema(conn.get_table_schema(None, None, "t_schema"))
        with run(conn, "SELECT id, name, price, at, day, bits FROM t_schema") as read:
            real = table_of(read).schema
        assert found.equals(real, check_metadata=True)
    with python(engine) as conn, conn.cursor() as cur:
        cur.execute("CREATE TABLE IF NOT EXISTS t_schema (id BIGINT)")
        assert conn.adbc_get_table_schema("t_schema").names == ["id"]
        cur.execute("DROP TABLE t_schema")


def test_table_schema_takes_names_literally(conn: AdbcConnection) -> None:
    with table(conn, "t_1", "a INT"), table(conn, "tx1", "b INT"):
        assert schema(conn.get_table_schema(None, None, "t_1")).names == ["a"]
        assert schema(conn.get_table_schema(None, "default", "tx1")).names == ["b"]
        assert schema(conn.get_table_schema("main", "default", "t_1")).names == ["a"]
        assert schema(conn.get_table_schema("main", None, "t_1")).names == ["a"]
    for name in ("t_1", "t%", "(SELECT 1)", "t_1`; SELECT 1 --", "range(10)"):
        error = failure(conn.get_table_schema, None, None, name)
        assert error.status_code == AdbcStatusCode.NOT_FOUND
    assert failure(conn.get_table_schema, None, None, "").status_code == (
        AdbcStatusCode.INVALID_ARGUMENT
    )


def test_table_schema_of_what_is_not_there(engine: Warehouse) -> None:
    with connected(engine, PATIENT) as conn, table(conn, "t_there", "a INT"):
        for names in ((None, None, "nix"), ("nocat", "default", "t_there"), (None, "no", "t_there")):
            error = failure(conn.get_table_schema, *names)
            assert error.status_code == AdbcStatusCode.NOT_FOUND, str(error)
        assert engine.stats()["operations_open"] == 0


# --- cancel ----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["GetTableTypes", "ExecuteStatement"])
def test_cancel_of_a_question(w: Warehouse, conn: AdbcConnection, where: str) -> None:
    ask = {
        "GetTableTypes": lambda: conn.get_table_types(),
        "ExecuteStatement": lambda: conn.get_table_schema(None, None, "t"),
    }[where]
    w.fault("hang", where=where, times=1)
    call = Task(ask)
    held(w)
    conn.cancel()
    assert call.failure(2).status_code == AdbcStatusCode.CANCELLED
    w.clear_faults()
    until("nothing open", lambda: w.stats()["operations_open"] == 0)
    assert failure(conn.cancel).status_code == AdbcStatusCode.INVALID_STATE
    assert stream(conn.get_table_types()).num_rows > 0
