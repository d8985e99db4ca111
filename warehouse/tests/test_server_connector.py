# SPDX-License-Identifier: Apache-2.0
"""databricks-sql-connector, as its vendor ships it, against the warehouse."""

import datetime
import decimal
import threading
import time

import pytest
from databricks import sql
from databricks.sql.exc import DatabaseError, RequestError, ServerOperationError

from warehouse.testing import Warehouse


@pytest.fixture(scope="module")
def w():
    with Warehouse() as warehouse:
        yield warehouse
        assert "Traceback" not in warehouse.stderr


def connect(w, **options):
    settings = {
        "server_hostname": w.host,
        "http_path": w.http_path,
        "access_token": w.token,
        "_connection_uri": w.uri,
        "_retry_stop_after_attempts_count": 1,
        "_retry_delay_min": 0.1,
        "_retry_delay_max": 0.2,
        "use_cloud_fetch": False,
        "enable_telemetry": False,
    }
    return sql.connect(**{**settings, **options})


@pytest.fixture
def connection(w):
    with connect(w) as opened:
        yield opened


@pytest.fixture
def cursor(connection):
    with connection.cursor() as opened:
        yield opened


def test_select_one(cursor):
    assert cursor.execute("SELECT 1 AS one").fetchall() == [(1,)]
    assert cursor.description[0][:2] == ("one", "int")


def test_types(cursor):
    cursor.execute(
        "SELECT true AS b, 1L AS l, 1.5D AS d, CAST('12.30' AS DECIMAL(10,2)) AS dec, 'é' AS s, "
        "DATE '2024-02-29' AS day, TIMESTAMP_NTZ '2024-02-29 12:00:00' AS ts, X'00FF' AS bin, "
        "array(1, 2) AS arr, named_struct('a', 1) AS st, CAST(NULL AS STRING) AS n"
    )
    (row,) = cursor.fetchall()
    assert tuple(row)[:8] == (
        True,
        1,
        1.5,
        decimal.Decimal("12.30"),
        "é",
        datetime.date(2024, 2, 29),
        datetime.datetime(2024, 2, 29, 12),
        b"\0\xff",
    )
    assert list(row.arr) == [1, 2] and row.st == {"a": 1} and row.n is None
    kinds = [column[1] for column in cursor.description]
    assert kinds[:6] == ["boolean", "bigint", "double", "decimal", "string", "date"]


def test_pages_of_arrow(connection):
    with connection.cursor(arraysize=10_000) as cursor:
        cursor.execute("SELECT id, concat('row-', id) AS s FROM range(0, 250000, 1, 1)")
        seen = []
        while (batch := cursor.fetchmany_arrow(33_333)).num_rows:
            seen += batch.column("id").to_pylist()
    assert seen == list(range(250_000))


def test_pages_of_columns(w):
    # Without Arrow the connector reads column based sets.
    with connect(w, _use_arrow_native_complex_types=False) as connection:
        backend = connection.session.backend
        backend._use_arrow_native_decimals = False
        with connection.cursor(arraysize=1000) as cursor:
            tables = cursor.tables(catalog_name="samples").fetchall()
            assert "trips" in [row.TABLE_NAME for row in tables]


def test_columns_when_the_client_cannot_read_arrow(w, monkeypatch):
    from databricks.sql.backend import thrift_backend

    monkeypatch.setattr(thrift_backend, "pyarrow", None)
    with connect(w) as connection, connection.cursor(arraysize=700) as cursor:
        cursor.execute("SELECT id, CAST(id AS STRING) AS s FROM range(0, 5000, 1, 1)")
        rows = cursor.fetchall()
    assert [row[0] for row in rows] == list(range(5000)) and rows[4999][1] == "4999"
    last = w.requests(rpc="FetchResults", limit=1)[0]
    assert last["status"] == 200


def test_parameters(cursor):
    assert cursor.execute("SELECT ? + 1 AS a, ? AS b", [41, "x"]).fetchall() == [
        (42, "x")
    ]
    named = {"n": decimal.Decimal("1.50"), "d": datetime.date(2024, 1, 1), "v": None}
    assert cursor.execute("SELECT :n AS n, :d AS d, :v AS v", named).fetchall() == [
        (decimal.Decimal("1.50"), datetime.date(2024, 1, 1), None)
    ]


def test_ddl_and_affected_rows(cursor):
    cursor.execute("CREATE OR REPLACE TABLE connector_test (a INT, b STRING)")
    assert (
        cursor.execute("INSERT INTO connector_test VALUES (1, 'x'), (2, 'y')").fetchall()[
            0
        ][0]
        == 2
    )
    assert cursor.execute("SELECT sum(a) FROM connector_test").fetchall() == [(3,)]
    cursor.execute("DROP TABLE connector_test")


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("SELEC 1", "PARSE_SYNTAX_ERROR"),
        ("SELECT * FROM nowhere", "TABLE_OR_VIEW_NOT_FOUND"),
        ("SELECT 1/0", "DIVIDE_BY_ZERO"),
    ],
)
def test_errors(cursor, statement, text):
    with pytest.raises(ServerOperationError, match=text) as info:
        cursor.execute(statement)
    assert "Traceback" not in str(info.value)
    assert info.value.context["diagnostic-info"].startswith("org.apache.hive.service.cli")


def test_session_settings_and_namespace(w):
    options = {
        "session_configuration": {"ANSI_MODE": "true", "TIMEZONE": "Europe/Berlin"}
    }
    with connect(w, catalog="samples", schema="nyctaxi", **options) as connection:
        with connection.cursor() as cursor:
            count = cursor.execute("SELECT count(*) FROM trips").fetchall()[0][0]
            assert count >= 20_000
            cursor.execute("SELECT current_catalog(), current_schema()")
            assert cursor.fetchall() == [("samples", "nyctaxi")]


@pytest.mark.parametrize("table", ["nyctaxi.trips", "tpch.orders", "tpch.lineitem"])
def test_samples(cursor, table):
    cursor.execute(f"SELECT * FROM samples.{table}")
    rows = cursor.fetchall_arrow()
    cursor.execute(f"SELECT count(*) FROM samples.{table}")
    assert rows.num_rows == cursor.fetchall()[0][0] >= 15_000


def test_cancel_from_another_thread(w, cursor):
    # The connector knows the handle only after the reply to ExecuteStatement, and its
    # cancel waits for a poll in flight.
    w.settings(direct_wait_ms=100, long_poll_ms=100)
    threading.Timer(1.0, cursor.cancel).start()
    started = time.monotonic()
    try:
        with pytest.raises(DatabaseError):
            cursor.execute("SELECT sleep_ms(30000)")
    finally:
        w.settings(direct_wait_ms=2000, long_poll_ms=None)
    assert time.monotonic() - started < 10
    assert w.stats()["cancels"] >= 1


def test_catalog_calls(cursor):
    assert ("samples",) in [tuple(row) for row in cursor.catalogs().fetchall()]
    schemas = [row[0] for row in cursor.schemas(catalog_name="samples").fetchall()]
    assert {"nyctaxi", "tpch"} <= set(schemas)
    columns = cursor.columns(
        catalog_name="samples", schema_name="nyctaxi", table_name="trips"
    )
    assert len(columns.fetchall()) >= 4


def test_catalog_patterns_and_many_tables(w, connection):
    w.generate_catalog("big", 30_000, schemas=30, columns=500)
    with connection.cursor(arraysize=7000) as cursor:
        rows = cursor.tables(catalog_name="big").fetchall()
        assert len({tuple(row)[1:3] for row in rows}) == 30_000
        one = cursor.tables(
            catalog_name="big", schema_name="schema\\_00_", table_name="TABLE%77"
        )
        assert {row.TABLE_NAME[-2:] for row in one.fetchall()} == {"77"}
        wide = cursor.columns(
            catalog_name="big", schema_name="schema_000", table_name="table\\_000001"
        ).fetchall()
        assert [row.ORDINAL_POSITION for row in wide] == list(range(500))
        cursor.execute("SELECT * FROM big.schema_000.table_000001")
        assert len(cursor.description) == 500 and len(cursor.fetchall()) == 10


def test_asynchronous_execution(cursor):
    cursor.execute_async("SELECT count(*) FROM range(0, 1000, 1, 1)")
    while cursor.is_query_pending():
        time.sleep(0.01)
    cursor.get_async_execution_result()
    assert cursor.fetchall() == [(1000,)]


def test_a_slow_reader_loses_its_result(w):
    """The connector's own heartbeat is too slow for a clock that jumps."""
    with connect(w) as connection, connection.cursor(arraysize=1000) as cursor:
        cursor.execute("SELECT id FROM range(0, 100000, 1, 1)")
        assert len(cursor.fetchmany(1000)) == 1000
        assert w.advance("25m")["evicted"] == 1
        with pytest.raises(RequestError) as info:
            cursor.fetchmany(50_000)
        found = info.value.context
        assert found["http-code"] == 404
        assert "RESOURCE_DOES_NOT_EXIST" in str(info.value) + str(
            found
        ) or "does not exist" in (str(info.value) + str(found))


def test_a_reader_that_stays_in_touch_keeps_it(w):
    with connect(w) as connection, connection.cursor(arraysize=1000) as cursor:
        cursor.execute("SELECT id FROM range(0, 10000, 1, 1)")
        seen = 0
        while rows := cursor.fetchmany(1000):
            seen += len(rows)
            w.advance("4m")
        assert seen == 10_000
