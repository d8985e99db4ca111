# SPDX-License-Identifier: Apache-2.0
"""What a real HiveServer2 tells of its catalog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_manager import AdbcStatement, GetObjectsDepth
from engine import Engine
from harness import AdbcConnection, AdbcStatusCode, Error, connected, run, table_of, update

pytestmark = pytest.mark.timeout(240, method="thread")


def stream(handle: Any) -> list[dict]:
    return pa.RecordBatchReader._import_from_c(handle.address).read_all().to_pylist()


def schema(handle: Any) -> pa.Schema:
    return pa.Schema._import_from_c(handle.address)


@pytest.fixture(scope="module")
def conn(hive: Engine) -> Iterator[AdbcConnection]:
    with connected(hive) as made:
        update(made, "CREATE DATABASE meta_db")
        update(made, "CREATE TABLE meta_db.t_1 (id BIGINT, price DECIMAL(12,3), s STRING)")
        update(made, "CREATE TABLE meta_db.tx1 (id BIGINT, l ARRAY<INT>)")
        update(made, "CREATE VIEW meta_db.v AS SELECT id FROM meta_db.tx1")
        yield made


def failure(call: Any, *args: Any) -> Error:
    with pytest.raises(Error) as caught:
        call(*args)
    return caught.value


def test_table_types(conn: AdbcConnection) -> None:
    found = [one["table_type"] for one in stream(conn.get_table_types())]
    assert {"TABLE", "VIEW"} <= set(found)
    assert len(found) == len(set(found))


def test_objects(conn: AdbcConnection) -> None:
    handle = conn.get_objects(GetObjectsDepth.ALL, db_schema="meta_db")
    (catalog,) = stream(handle)
    assert catalog["catalog_name"] == ""
    (found,) = catalog["catalog_db_schemas"]
    tables = {one["table_name"]: one for one in found["db_schema_tables"]}
    assert {name: one["table_type"] for name, one in tables.items()} == {
        "t_1": "TABLE", "tx1": "TABLE", "v": "VIEW"
    }  # fmt: skip
    columns = tables["t_1"]["table_columns"]
    assert [one["column_name"] for one in columns] == ["id", "price", "s"]
    assert [one["ordinal_position"] for one in columns] == [1, 2, 3]
    assert (columns[1]["xdbc_column_size"], columns[1]["xdbc_decimal_digits"]) == (12, 3)


def test_table_schema(conn: AdbcConnection) -> None:
    found = schema(conn.get_table_schema(None, "meta_db", "t_1"))
    assert found.names == ["id", "price", "s"]
    with run(conn, "SELECT id, price, s FROM meta_db.t_1") as read:
        assert found.equals(table_of(read).schema, check_metadata=True)
    for names in ((None, "meta_db", "nix"), (None, "nix", "t_1"), ("nix", "meta_db", "t_1")):
        error = failure(conn.get_table_schema, *names)
        assert error.status_code == AdbcStatusCode.NOT_FOUND, str(error)


def test_execute_schema(conn: AdbcConnection) -> None:
    sql = "SELECT id, l FROM meta_db.tx1;"
    with AdbcStatement(conn) as stmt:
        stmt.set_sql_query(sql)
        found = schema(stmt.execute_schema())
    with run(conn, sql.rstrip(";")) as read:
        assert found.equals(table_of(read).schema, check_metadata=True)


def test_current_place(hive: Engine, conn: AdbcConnection) -> None:
    with connected(hive) as other:
        assert other.get_option("adbc.connection.catalog") == ""
        assert other.get_option("adbc.connection.db_schema") == "default"
        other.set_options(**{"adbc.connection.db_schema": "meta_db"})
        assert other.get_option("adbc.connection.db_schema") == "meta_db"
        for key in ("catalog", "db_schema"):
            error = failure(lambda: other.set_options(**{f"adbc.connection.{key}": "nix"}))
            assert error.status_code == AdbcStatusCode.NOT_FOUND, str(error)


def test_statistics(conn: AdbcConnection) -> None:
    assert stream(conn.get_statistics(None, "meta_db", None, True)) == []
