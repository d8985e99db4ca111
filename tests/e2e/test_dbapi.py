# SPDX-License-Identifier: Apache-2.0
"""The driver as Python programs use it: through the driver manager's DB-API layer, and through
Polars, pandas and DuckDB."""

from __future__ import annotations

import datetime
import decimal
import threading
from collections.abc import Iterator

import adbc_driver_manager
import adbc_driver_manager.dbapi as dbapi
import pyarrow as pa
import pytest
from harness import DEADLINES, DRIVER, Warehouse, details, heartbeat, login, until

pytestmark = pytest.mark.filterwarnings("ignore:Cannot disable autocommit")


def connect(w: Warehouse, conn_kwargs: dict | None = None, **options: str) -> dbapi.Connection:
    db_kwargs = {**login(w), **DEADLINES, **options}
    return dbapi.connect(DRIVER, db_kwargs=db_kwargs, conn_kwargs=conn_kwargs)


@pytest.fixture
def conn(w: Warehouse) -> Iterator[dbapi.Connection]:
    with connect(w) as made:
        yield made


@pytest.fixture
def cur(conn: dbapi.Connection) -> Iterator[dbapi.Cursor]:
    with conn.cursor() as made:
        yield made


# --- results ---------------------------------------------------------------------------------


def test_select(cur: dbapi.Cursor) -> None:
    cur.execute("SELECT 1 AS one, 'zwei' AS two")
    assert [column[0] for column in cur.description] == ["one", "two"]
    assert cur.fetchall() == [(1, "zwei")]
    assert cur.fetchone() is None


@pytest.mark.parametrize("ending", [";", ";;;", " ; \n", " -- the end\n;"])
def test_trailing_semicolons(cur: dbapi.Cursor, ending: str) -> None:
    cur.execute("SELECT 1" + ending)
    assert cur.fetchall() == [(1,)]


def test_no_rows(cur: dbapi.Cursor) -> None:
    cur.execute("SELECT id FROM range(10) WHERE id > 100")
    table = cur.fetch_arrow_table()
    assert (table.num_rows, table.column_names) == (0, ["id"])
    assert table.column(0).num_chunks == 0


def test_small_result_is_one_batch(cur: dbapi.Cursor) -> None:
    cur.execute("SELECT id FROM range(1000)")
    assert [len(batch) for batch in cur.fetch_record_batch()] == [1000]


@pytest.mark.parametrize("arrow", ["on", "off"])
@pytest.mark.parametrize("rows_per_fetch", ["7", "1000000"])
def test_rows_in_order(w: Warehouse, arrow: str, rows_per_fetch: str) -> None:
    options = {"databricks.arrow": arrow, "databricks.max_rows_per_fetch": rows_per_fetch}
    with connect(w, **options) as conn, conn.cursor() as cur:
        cur.execute("SELECT id, id * 2 AS twice FROM range(100) ORDER BY id")
        assert cur.fetchall() == [(i, 2 * i) for i in range(100)]


TYPES = [
    ("CAST(NULL AS INT)", None),
    ("true", True),
    ("CAST(-128 AS TINYINT)", -128),
    ("CAST(-32768 AS SMALLINT)", -32768),
    ("-2147483648", -(2**31)),
    ("CAST(9223372036854775807 AS BIGINT)", 2**63 - 1),
    ("CAST(0.5 AS FLOAT)", 0.5),
    ("CAST(-1e300 AS DOUBLE)", -1e300),
    ("CAST('12345678901234567890.123' AS DECIMAL(38,3))", decimal.Decimal("12345678901234567890.123")),
    ("'gr\u00fc\u00df \U0001f600'", "gr\u00fc\u00df \U0001f600"),
    ("''", ""),
    ("X'00ff10'", b"\x00\xff\x10"),
    ("DATE'1582-10-15'", datetime.date(1582, 10, 15)),
    ("TIMESTAMP'2024-02-29 23:59:59.123456Z'",
     datetime.datetime(2024, 2, 29, 23, 59, 59, 123456, datetime.timezone.utc)),
]  # fmt: skip


@pytest.mark.parametrize("arrow", ["on", "off"])
@pytest.mark.parametrize(("sql", "wanted"), TYPES, ids=[sql for sql, _ in TYPES])
def test_types(w: Warehouse, sql: str, wanted: object, arrow: str) -> None:
    with connect(w, **{"databricks.arrow": arrow}) as conn, conn.cursor() as cur:
        cur.execute(f"SELECT {sql} AS x")
        assert cur.fetchall() == [(wanted,)]


def test_instant_has_the_zone_of_the_session(cur: dbapi.Cursor) -> None:
    cur.execute("SET TIME ZONE 'UTC'")
    cur.execute("SELECT TIMESTAMP'2024-02-29 12:00:00+01:00' AS x")
    table = cur.fetch_arrow_table()
    assert pa.types.is_timestamp(table.schema.field("x").type)
    assert table.schema.field("x").type.tz is not None
    assert table.column(0)[0].value == 1709204400000000


def test_type_names_are_field_metadata(cur: dbapi.Cursor) -> None:
    cur.execute("SELECT CAST(1 AS DECIMAL(10,2)) AS d, array(1, 2) AS a")
    schema = cur.fetch_arrow_table().schema
    assert schema.field("d").metadata[b"databricks.type_name"] == b"DECIMAL(10,2)"
    assert schema.field("a").metadata[b"databricks.type_name"].startswith(b"ARRAY")


def test_rows_affected(w: Warehouse) -> None:
    with connect(w) as conn, conn.cursor() as cur:
        cur.execute("CREATE OR REPLACE TABLE dbapi_rows (a INT, b STRING)")
        assert cur.rowcount == -1
        for sql, wanted in [
            ("INSERT INTO dbapi_rows VALUES (1, 'x'), (2, 'y'), (3, 'z')", 3),
            ("UPDATE dbapi_rows SET b = 'w' WHERE a > 1", 2),
            ("DELETE FROM dbapi_rows WHERE a = 3", 1),
            ("DELETE FROM dbapi_rows WHERE a = 3", 0),
        ]:
            cur.execute(sql)
            assert cur.rowcount == wanted, sql
        cur.execute("SELECT a, b FROM dbapi_rows ORDER BY a")
        assert cur.rowcount == -1
        assert cur.fetchall() == [(1, "x"), (2, "w")]
        # Without a stream, too.
        cur.adbc_statement.set_sql_query("INSERT INTO dbapi_rows VALUES (7, 'q')")
        assert cur.adbc_statement.execute_update() == 1
        cur.execute("DROP TABLE dbapi_rows")


def test_update_without_wanting_rows_leaves_nothing_open(w: Warehouse, cur: dbapi.Cursor) -> None:
    cur.adbc_statement.set_sql_query("SELECT id FROM range(100)")
    assert cur.adbc_statement.execute_update() == -1
    w.wait("operations_open", 0, at_most=True)


# --- errors ----------------------------------------------------------------------------------


def refused(cur: dbapi.Cursor, sql: str) -> adbc_driver_manager.Error:
    with pytest.raises(adbc_driver_manager.Error) as caught:
        cur.execute(sql)
        cur.fetchall()
    return caught.value


@pytest.mark.parametrize(
    ("sql", "code", "sqlstate", "error_class"),
    [
        ("SELECT * FROM no_such_table", "NOT_FOUND", "42P01", "TABLE_OR_VIEW_NOT_FOUND"),
        ("SELEC 1", "INVALID_ARGUMENT", "42601", "PARSE_SYNTAX_ERROR"),
        ("SELECT nope FROM range(1)", "INVALID_ARGUMENT", "42703", "UNRESOLVED_COLUMN"),
        ("SELECT 1 / 0", "INVALID_DATA", "22012", "DIVIDE_BY_ZERO"),
        ("SELECT CAST('x' AS INT)", "INVALID_DATA", "22018", "CAST_INVALID_INPUT"),
    ],
)
def test_errors(
    cur: dbapi.Cursor, sql: str, code: str, sqlstate: str, error_class: str
) -> None:
    error = refused(cur, sql)
    assert error.status_code.name == code
    assert error.sqlstate == sqlstate
    found = details(error)
    assert found["error_class"].startswith(error_class)
    assert len(found["query_id"]) == 36
    assert found["retryable"] == "false"
    assert cur.adbc_statement.get_option("databricks.query_id") == found["query_id"]
    # The statement and its connection are as good as before.
    cur.execute("SELECT 2")
    assert cur.fetchall() == [(2,)]


def test_wrong_token_is_not_shown(w: Warehouse) -> None:
    with pytest.raises(adbc_driver_manager.Error) as caught:
        connect(w, **{"databricks.access_token": "dapi00000000deadbeef"})
    assert caught.value.status_code == adbc_driver_manager.AdbcStatusCode.UNAUTHENTICATED
    assert caught.value.sqlstate == "28000"
    assert details(caught.value)["http_status"] == "401"
    assert "deadbeef" not in str(caught.value)


def test_failing_stream_tells_status_and_details(w: Warehouse) -> None:
    """The driver manager asks the stream itself for its error."""
    with connect(w, **{"databricks.max_rows_per_fetch": "10"}, **heartbeat(enabled="off")) as conn:
        with conn.cursor() as cur:
            cur.execute("SELECT id FROM range(60)")
            assert cur.fetchone() == (0,)
            w.restart()
            with pytest.raises(adbc_driver_manager.Error) as caught:
                cur.fetchall()
            assert caught.value.status_code == adbc_driver_manager.AdbcStatusCode.IO
            assert len(details(caught.value)["query_id"]) == 36
            with pytest.raises(adbc_driver_manager.Error):
                cur.fetchall()


def test_what_is_not_offered_says_what_to_do(conn: dbapi.Connection) -> None:
    with conn.cursor() as cur:
        with pytest.raises(adbc_driver_manager.NotSupportedError, match="drop it"):
            cur.adbc_ingest("t", pa.table({"a": [1]}), temporary=True)
        with pytest.raises(adbc_driver_manager.NotSupportedError, match="ExecuteQuery"):
            cur.adbc_execute_partitions("SELECT 1")


# --- connection ------------------------------------------------------------------------------


def test_get_info(conn: dbapi.Connection) -> None:
    info = conn.adbc_get_info()
    assert info["driver_name"] == "lakebeat"
    assert info["driver_adbc_version"] == 1001000
    assert info["driver_arrow_version"].startswith("v")
    assert info["driver_version"][0].isdigit()
    assert info["vendor_name"] and info["vendor_version"]
    some = conn.adbc_connection.get_info([100, 0, 77, 3])
    reader = pa.RecordBatchReader._import_from_c(some.address)
    table = reader.read_all()
    assert sorted(table.column("info_name").to_pylist()) == [0, 3, 100]
    assert not table.schema.field("info_name").nullable
    union = table.schema.field("info_value").type
    assert [union.field(i).name for i in range(union.num_fields)] == [
        "string_value", "bool_value", "int64_value", "int32_bitmask", "string_list",
        "int32_to_int32_list_map",
    ]  # fmt: skip
    table.validate(full=True)


def test_get_info_of_nothing(conn: dbapi.Connection) -> None:
    handle = conn.adbc_connection.get_info([4711])
    assert pa.RecordBatchReader._import_from_c(handle.address).read_all().num_rows == 0


def test_autocommit(w: Warehouse) -> None:
    with pytest.warns(Warning, match="Cannot disable autocommit"), connect(w) as conn:
        assert conn.adbc_connection.get_option("adbc.connection.autocommit") == "true"
        for call in (conn.adbc_connection.commit, conn.adbc_connection.rollback):
            with pytest.raises(adbc_driver_manager.Error) as caught:
                call()
            wanted = adbc_driver_manager.AdbcStatusCode.INVALID_STATE
            assert caught.value.status_code == wanted
        with pytest.raises(adbc_driver_manager.NotSupportedError, match="leave autocommit on"):
            conn.adbc_connection.set_autocommit(False)
        conn.adbc_connection.set_autocommit(True)


def test_session_starts_as_options_say(w: Warehouse) -> None:
    with connect(w) as conn, conn.cursor() as cur:
        cur.execute("CREATE SCHEMA IF NOT EXISTS dbapi_schema")
    conn_kwargs = {
        "adbc.connection.db_schema": "dbapi_schema",
        "databricks.session_conf.timezone": "Asia/Tokyo",
    }
    options = {"databricks.catalog": "main", "databricks.session_conf.ansi_mode": "false"}
    with connect(w, conn_kwargs, **options) as conn, conn.cursor() as cur:
        cur.execute("SELECT current_catalog(), current_schema(), current_timezone(), 1 / 0")
        assert cur.fetchall() == [("main", "dbapi_schema", "Asia/Tokyo", None)]
        assert conn.adbc_connection.get_option("adbc.connection.db_schema") == "dbapi_schema"
        with pytest.raises(adbc_driver_manager.NotSupportedError, match="SET <name>"):
            conn.adbc_connection.set_options(**{"databricks.session_conf.ansi_mode": "x"})


@pytest.mark.parametrize("kind", ["databricks", "spark", "hive"])
def test_server_kind_is_learned(warehouse_of, kind: str) -> None:
    with connect(warehouse_of(kind)) as conn, conn.cursor() as cur:
        assert conn.adbc_connection.get_option("databricks.server_kind") == kind
        assert conn.adbc_database.get_option("databricks.server_kind") == "auto"
        assert cur.adbc_statement.get_option("databricks.server_kind") == kind


# --- options ---------------------------------------------------------------------------------


def test_wrong_options_end_the_opening(w: Warehouse) -> None:
    """Whatever other options there are: the driver manager hands them over in no order."""
    for wrong, says in [
        ({"databricks.heartbeat.intervall_seconds": "5"}, "intervall_seconds"),
        ({"databricks.heartbeat.interval_seconds": "0"}, "from 1 to 86400"),
        ({"databricks.heartbeat.probe": "ping"}, "status metadata fetch0"),
    ]:
        with pytest.raises(adbc_driver_manager.Error, match=says):
            connect(w, **wrong, **{"databricks.prefetch_pages": 1})


def test_nearest_option_wins(w: Warehouse) -> None:
    key = "databricks.max_rows_per_fetch"
    with connect(w, **{key: "50"}) as conn, conn.cursor() as cur, conn.cursor() as other:
        conn.adbc_connection.set_options(**{key: "30"})
        cur.adbc_statement.set_options(**{key: 20})
        assert conn.adbc_database.get_option_int(key) == 50
        assert conn.adbc_connection.get_option_int(key) == 30
        assert cur.adbc_statement.get_option_int(key) == 20
        cur.execute("SELECT id FROM range(60)")
        assert [len(batch) for batch in cur.fetch_record_batch()] == [20, 20, 20]
        # A change applies to the next execution.
        conn.adbc_connection.set_options(**{key: "40"})
        other.execute("SELECT id FROM range(60)")
        assert [len(batch) for batch in other.fetch_record_batch()] == [40, 20]


def test_uri_carries_options(w: Warehouse) -> None:
    if not w.uri.startswith("http://"):
        pytest.skip("lakebeat:// is https")
    with pytest.raises(adbc_driver_manager.Error, match="127.0.0.1"):
        uri = w.uri.replace("http://", f"lakebeat://token:{w.token}@")
        dbapi.connect(DRIVER, db_kwargs={"uri": uri + "?retry_timeout_seconds=0"})


def test_lakebeat_uri_over_tls(own_warehouse) -> None:
    w = own_warehouse(tls=True)
    uri = w.uri.replace("https://", f"lakebeat://token:{w.token}@")
    uri += "?max_rows_per_fetch=25&session_conf.timezone=Asia%2FTokyo"
    with dbapi.connect(
        DRIVER, db_kwargs={"uri": uri, "databricks.tls.ca_file": w.ca_file}
    ) as conn, conn.cursor() as cur:
        cur.execute("SELECT current_timezone() FROM range(60)")
        assert [len(batch) for batch in cur.fetch_record_batch()] == [25, 25, 10]
    with pytest.raises(adbc_driver_manager.Error, match="certificate"):
        dbapi.connect(DRIVER, db_kwargs={"uri": uri})


# --- cancel ----------------------------------------------------------------------------------


def test_cancel_from_another_thread(w: Warehouse, cur: dbapi.Cursor) -> None:
    caught: list[BaseException] = []

    def run() -> None:
        try:
            cur.execute("SELECT sleep_ms(30000)")
        except BaseException as error:  # noqa: BLE001
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    until("it runs", lambda: w.operations(open_only=True))
    cur.adbc_cancel()
    thread.join(5)
    assert not thread.is_alive()
    assert caught[0].status_code == adbc_driver_manager.AdbcStatusCode.CANCELLED
    w.wait("operations_open", 0, at_most=True)
    cur.execute("SELECT 3")
    assert cur.fetchall() == [(3,)]


def test_nothing_to_cancel(conn: dbapi.Connection, cur: dbapi.Cursor) -> None:
    wanted = adbc_driver_manager.AdbcStatusCode.INVALID_STATE
    for call in (cur.adbc_statement.cancel, conn.adbc_connection.cancel):
        with pytest.raises(adbc_driver_manager.Error) as caught:
            call()
        assert caught.value.status_code == wanted
    cur.execute("SELECT 1")
    cur.fetchall()
    with pytest.raises(adbc_driver_manager.Error) as caught:
        cur.adbc_statement.cancel()
    assert caught.value.status_code == wanted


def test_cancelled_stream_fails(w: Warehouse) -> None:
    with connect(w, **{"databricks.max_rows_per_fetch": "10"}) as conn, conn.cursor() as cur:
        cur.execute("SELECT id FROM range(60)")
        reader = cur.fetch_record_batch()
        reader.read_next_batch()
        cur.adbc_cancel()
        for _ in range(2):
            with pytest.raises(Exception, match="cancelled"):
                reader.read_all()


# --- statistics ------------------------------------------------------------------------------


def test_statistics_are_readable_as_text_and_number(cur: dbapi.Cursor) -> None:
    stmt = cur.adbc_statement
    prefix = "databricks.heartbeat."
    assert stmt.get_option(prefix + "state") == "not_armed"
    with pytest.raises(adbc_driver_manager.Error) as caught:
        stmt.get_option("databricks.query_id")
    assert caught.value.status_code == adbc_driver_manager.AdbcStatusCode.NOT_FOUND
    stmt.set_options(**{"databricks.max_rows_per_fetch": "10"})
    cur.execute("SELECT id FROM range(60)")
    assert stmt.get_option(prefix + "state") == "armed"
    assert stmt.get_option(prefix + "armed") == "1"
    assert stmt.get_option_int(prefix + "armed") == 1
    assert stmt.get_option_float(prefix + "probes_sent") == 0.0
    assert len(cur.fetchall()) == 60
    until("stopped", lambda: stmt.get_option(prefix + "state") == "stopped")
    assert stmt.get_option(prefix + "reason") != ""
    assert len(stmt.get_option("databricks.query_id")) == 36


# --- other programs --------------------------------------------------------------------------

SQL = "SELECT id, CAST(id AS STRING) AS name, id / 2 AS half FROM range(1000) ORDER BY id"


def test_polars(conn: dbapi.Connection) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.read_database(SQL, conn)
    assert frame.shape == (1000, 3)
    assert frame["id"].sum() == 499500
    assert frame["name"][999] == "999"


def test_pandas(conn: dbapi.Connection) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_sql(SQL, conn)
    assert frame.shape == (1000, 3)
    assert frame["id"].sum() == 499500
    assert frame["half"].iloc[999] == 499.5


def test_duckdb(w: Warehouse) -> None:
    duckdb = pytest.importorskip("duckdb")
    options = {"databricks.max_rows_per_fetch": "100"}
    with connect(w, **options) as conn, conn.cursor() as cur:
        cur.execute(SQL)
        relation = duckdb.from_arrow(cur.fetch_record_batch())
        found = relation.aggregate("count(*), sum(id), max(half)").fetchall()
        assert found == [(1000, 499500, 499.5)]
