# SPDX-License-Identifier: Apache-2.0
"""What a real Spark Thrift Server tells of its catalog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_manager import AdbcStatement, GetObjectsDepth
from engine import Engine
from harness import AdbcConnection, AdbcStatusCode, Error, connected, run, table_of, update, value

pytestmark = pytest.mark.timeout(240, method="thread")


def stream(handle: Any) -> list[dict]:
    return pa.RecordBatchReader._import_from_c(handle.address).read_all().to_pylist()


def schema(handle: Any) -> pa.Schema:
    return pa.Schema._import_from_c(handle.address)


@pytest.fixture(scope="module")
def conn(spark: Engine) -> Iterator[AdbcConnection]:
    with connected(spark) as made:
        update(made, "CREATE DATABASE meta_db")
        update(made, "CREATE TABLE meta_db.t_1 (id BIGINT, price DECIMAL(12,3), s STRING) USING parquet")
        update(made, "CREATE TABLE meta_db.tx1 (id BIGINT, l ARRAY<INT>) USING parquet")
        update(made, "INSERT INTO meta_db.t_1 VALUES (1, 1.5, 'a'), (2, 2.5, NULL), (3, 3.5, 'ccc')")
        update(made, "ANALYZE TABLE meta_db.t_1 COMPUTE STATISTICS FOR ALL COLUMNS")
        yield made


def failure(call: Any, *args: Any) -> Error:
    with pytest.raises(Error) as caught:
        call(*args)
    return caught.value


def tables(conn: AdbcConnection, depth: GetObjectsDepth, **filters: Any) -> dict[str, dict]:
    handle = conn.get_objects(depth, db_schema="meta%", **filters)
    (catalog,) = stream(handle)
    assert catalog["catalog_name"] == ""
    (found,) = catalog["catalog_db_schemas"]
    assert found["db_schema_name"] == "meta_db"
    return {one["table_name"]: one for one in found["db_schema_tables"]}


def test_table_types(conn: AdbcConnection) -> None:
    assert {one["table_type"] for one in stream(conn.get_table_types())} == {"TABLE", "VIEW"}


def test_objects(conn: AdbcConnection) -> None:
    assert set(tables(conn, GetObjectsDepth.TABLES)) == {"t_1", "tx1"}
    assert set(tables(conn, GetObjectsDepth.TABLES, catalog="spark_catalog")) == {"t_1", "tx1"}
    assert tables(conn, GetObjectsDepth.TABLES, table_types=["VIEW"]) == {}
    found = tables(conn, GetObjectsDepth.ALL, table_name="t\\_1")
    assert found == {}
    columns = tables(conn, GetObjectsDepth.ALL)["t_1"]["table_columns"]
    assert [one["column_name"] for one in columns] == ["id", "price", "s"]
    assert [one["ordinal_position"] for one in columns] == [1, 2, 3]
    assert [one["xdbc_data_type"] for one in columns] == [-5, 3, 12]
    assert (columns[1]["xdbc_column_size"], columns[1]["xdbc_decimal_digits"]) == (12, 3)


def test_a_temporary_view_has_no_schema(conn: AdbcConnection) -> None:
    update(conn, "CREATE OR REPLACE TEMPORARY VIEW meta_view AS SELECT 1 AS one")
    handle = conn.get_objects(GetObjectsDepth.ALL, db_schema="", table_name="meta_view")
    (catalog,) = stream(handle)
    (found,) = catalog["catalog_db_schemas"]
    assert found["db_schema_name"] is None
    (view,) = found["db_schema_tables"]
    assert view["table_name"] == "meta_view"
    assert [one["column_name"] for one in view["table_columns"]] == ["one"]


def test_table_schema(conn: AdbcConnection) -> None:
    found = schema(conn.get_table_schema(None, "meta_db", "tx1"))
    with run(conn, "SELECT * FROM meta_db.tx1") as read:
        assert found.equals(table_of(read).schema, check_metadata=True)
    assert schema(conn.get_table_schema("spark_catalog", "meta_db", "t_1")).names[0] == "id"
    for names in ((None, "meta_db", "t%"), (None, "nix", "t_1"), ("nix", "meta_db", "t_1")):
        error = failure(conn.get_table_schema, *names)
        assert error.status_code == AdbcStatusCode.NOT_FOUND, str(error)


def test_execute_schema(conn: AdbcConnection) -> None:
    for sql in (
        "SELECT id, price, l FROM meta_db.t_1 JOIN meta_db.tx1 USING (id) ORDER BY id -- end",
        "WITH a AS (SELECT 1 AS x, 1 AS x) SELECT * FROM a;",
        "SELECT raise_error('run') AS never",
        "TABLE meta_db.t_1",
        "FROM meta_db.t_1 SELECT s",
    ):
        with AdbcStatement(conn) as stmt:
            stmt.set_sql_query(sql)
            found = schema(stmt.execute_schema())
        if "never" in sql:
            assert found.names == ["never"]
            continue
        with run(conn, sql) as read:
            assert found.equals(table_of(read).schema, check_metadata=True), sql
    with AdbcStatement(conn) as stmt:
        stmt.set_sql_query("WITH a AS (SELECT 9 AS x) INSERT INTO meta_db.tx1 SELECT x, NULL FROM a")
        failure(stmt.execute_schema)
    assert value(conn, "SELECT count(*) FROM meta_db.tx1") == 0


def test_current_place(spark: Engine, conn: AdbcConnection) -> None:
    with connected(spark) as other:
        assert other.get_option("adbc.connection.catalog") == "spark_catalog"
        assert other.get_option("adbc.connection.db_schema") == "default"
        other.set_options(**{"adbc.connection.db_schema": "meta_db"})
        assert other.get_option("adbc.connection.db_schema") == "meta_db"
        other.set_options(**{"adbc.connection.catalog": "spark_catalog"})
        error = failure(lambda: other.set_options(**{"adbc.connection.db_schema": "nix"}))
        assert error.status_code == AdbcStatusCode.NOT_FOUND, str(error)


def test_statistics(conn: AdbcConnection) -> None:
    handle = conn.get_statistics(None, "meta_db", None, True)
    (catalog,) = stream(handle)
    (found,) = catalog["catalog_db_schemas"]
    told = {
        (one["table_name"], one["column_name"], one["statistic_key"]): one["statistic_value"]
        for one in found["db_schema_statistics"]
    }
    assert told["t_1", None, 6] == 3
    assert told["t_1", None, 1024] > 0
    assert told["t_1", "id", 3] == 3  # the greatest
    assert told["t_1", "id", 4] == 1
    assert told["t_1", "s", 5] == 1  # nulls
    assert told["t_1", "s", 2] == 3  # the longest
    assert all(one["statistic_is_approximate"] for one in found["db_schema_statistics"])
