# SPDX-License-Identifier: Apache-2.0
"""What a connection tells of catalogs, schemas, tables and columns."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import adbc_driver_manager.dbapi as dbapi
import pyarrow as pa
import pytest
from adbc_driver_manager import AdbcStatement, GetObjectsDepth
from harness import (
    DEADLINES,
    DRIVER,
    AdbcConnection,
    AdbcStatusCode,
    Error,
    Task,
    Warehouse,
    connected,
    forget_peak,
    heartbeat,
    held,
    login,
    memory_kib,
    pause,
    run,
    table_of,
    until,
    update,
    value,
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


def test_many_table_types(own_warehouse: Any) -> None:
    w = own_warehouse()
    w.settings(more_table_types=1000)
    with connected(w, PATIENT) as conn:
        types = stream(conn.get_table_types()).column(0).to_pylist()
        assert types == ["TABLE", "VIEW", *(f"KIND_{n}" for n in range(1000))]
        # What they need together has a limit, and is refused beyond it rather than cut.
        w.settings(more_table_types=10000)
        error = failure(conn.get_table_types)
        assert "table types" in str(error)


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
    for name in ("", "t_1${spark.x}"):
        error = failure(conn.get_table_schema, None, None, name)
        assert error.status_code == AdbcStatusCode.INVALID_ARGUMENT


def test_table_schema_of_what_is_not_there(engine: Warehouse) -> None:
    with connected(engine, PATIENT) as conn, table(conn, "t_there", "a INT"):
        for names in ((None, None, "nix"), ("nocat", "default", "t_there"), (None, "no", "t_there")):
            error = failure(conn.get_table_schema, *names)
            assert error.status_code == AdbcStatusCode.NOT_FOUND, str(error)
        until("nothing open", lambda: engine.stats()["operations_open"] == 0)


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


# --- objects ---------------------------------------------------------------------------------

CATALOGS, SCHEMAS, TABLES, ALL = (
    GetObjectsDepth.CATALOGS,
    GetObjectsDepth.DB_SCHEMAS,
    GetObjectsDepth.TABLES,
    GetObjectsDepth.ALL,
)


def required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


COLUMN = pa.struct([
    required("column_name", pa.string()),
    ("ordinal_position", pa.int32()),
    ("remarks", pa.string()),
    ("xdbc_data_type", pa.int16()),
    ("xdbc_type_name", pa.string()),
    ("xdbc_column_size", pa.int32()),
    ("xdbc_decimal_digits", pa.int16()),
    ("xdbc_num_prec_radix", pa.int16()),
    ("xdbc_nullable", pa.int16()),
    ("xdbc_column_def", pa.string()),
    ("xdbc_sql_data_type", pa.int16()),
    ("xdbc_datetime_sub", pa.int16()),
    ("xdbc_char_octet_length", pa.int32()),
    ("xdbc_is_nullable", pa.string()),
    ("xdbc_scope_catalog", pa.string()),
    ("xdbc_scope_schema", pa.string()),
    ("xdbc_scope_table", pa.string()),
    ("xdbc_is_autoincrement", pa.bool_()),
    ("xdbc_is_generatedcolumn", pa.bool_()),
])  # fmt: skip
USAGE = pa.struct([
    ("fk_catalog", pa.string()),
    ("fk_db_schema", pa.string()),
    required("fk_table", pa.string()),
    required("fk_column_name", pa.string()),
])  # fmt: skip
CONSTRAINT = pa.struct([
    ("constraint_name", pa.string()),
    required("constraint_type", pa.string()),
    required("constraint_column_names", pa.list_(pa.string())),
    ("constraint_column_usage", pa.list_(USAGE)),
])  # fmt: skip
TABLE = pa.struct([
    required("table_name", pa.string()),
    required("table_type", pa.string()),
    ("table_columns", pa.list_(COLUMN)),
    ("table_constraints", pa.list_(CONSTRAINT)),
])  # fmt: skip
SCHEMA = pa.struct([("db_schema_name", pa.string()), ("db_schema_tables", pa.list_(TABLE))])
OBJECTS = pa.schema([("catalog_name", pa.string()), ("catalog_db_schemas", pa.list_(SCHEMA))])


def objects(conn: AdbcConnection, depth: GetObjectsDepth, **filters: Any) -> list[dict]:
    handle = conn.get_objects(depth, **filters)
    found = stream(handle)
    assert found.schema == OBJECTS
    return found.to_pylist()


def tree(conn: AdbcConnection, depth: GetObjectsDepth, **filters: Any) -> dict:
    """{catalog: {schema: {table: [columns]}}}, None where a level is null."""

    def columns(table: dict) -> Any:
        found = table["table_columns"]
        return None if found is None else [column["column_name"] for column in found]

    def tables(schema: dict) -> Any:
        found = schema["db_schema_tables"]
        return None if found is None else {one["table_name"]: columns(one) for one in found}

    def schemas(catalog: dict) -> Any:
        found = catalog["catalog_db_schemas"]
        return None if found is None else {one["db_schema_name"]: tables(one) for one in found}

    return {one["catalog_name"]: schemas(one) for one in objects(conn, depth, **filters)}


def home(w: Warehouse) -> str:
    """The catalog in which a session starts, as the catalog calls name it."""
    return "main" if w.personality == "databricks" else ""


@pytest.fixture
def filled(engine: Warehouse) -> Iterator[tuple[AdbcConnection, str]]:
    """Two schemas: meta_a with t_1 (id, name), tx1 (id) and the view v; meta_b with t_1."""
    with connected(engine, PATIENT) as conn:
        for schema_name in ("meta_a", "meta_b"):
            update(conn, f"DROP SCHEMA IF EXISTS {schema_name} CASCADE")
            update(conn, f"CREATE SCHEMA {schema_name}")
        update(conn, "CREATE TABLE meta_a.t_1 (id BIGINT, name STRING COMMENT 'what it is called')")
        update(conn, "CREATE TABLE meta_a.tx1 (id BIGINT)")
        update(conn, "CREATE VIEW meta_a.v AS SELECT id FROM meta_a.tx1")
        update(conn, "CREATE TABLE meta_b.t_1 (other DECIMAL(12,3))")
        yield conn, home(engine)
        for schema_name in ("meta_a", "meta_b"):
            update(conn, f"DROP SCHEMA {schema_name} CASCADE")
        until("nothing open", lambda: engine.stats()["operations_open"] == 0)


def test_levels_below_the_depth_are_null(filled: tuple) -> None:
    conn, catalog = filled
    assert tree(conn, CATALOGS)[catalog] is None
    found = tree(conn, SCHEMAS)[catalog]
    assert found["meta_a"] is None and found["meta_b"] is None
    found = tree(conn, TABLES)[catalog]
    assert found["meta_a"] == {"t_1": None, "tx1": None, "v": None}
    assert found["meta_b"] == {"t_1": None}
    found = tree(conn, ALL)[catalog]
    assert found["meta_a"] == {"t_1": ["id", "name"], "tx1": ["id"], "v": ["id"]}
    assert found["meta_b"] == {"t_1": ["other"]}


def test_filters(filled: tuple) -> None:
    conn, catalog = filled
    both = {"meta_a", "meta_b"}
    assert both <= set(tree(conn, SCHEMAS, catalog="%")[catalog])
    assert set(tree(conn, SCHEMAS, db_schema="meta%")[catalog]) == both
    assert set(tree(conn, SCHEMAS, db_schema="META__")[catalog]) == both
    assert set(tree(conn, SCHEMAS, db_schema="%_a")[catalog]) >= {"meta_a"}
    assert tree(conn, SCHEMAS, db_schema="nix") == dict.fromkeys(tree(conn, CATALOGS), {})
    # Nothing is without a schema here; such a filter still lists the catalogs.
    assert tree(conn, TABLES, db_schema="") == dict.fromkeys(tree(conn, CATALOGS), {})
    one = {"db_schema": "meta_a"}
    assert tree(conn, TABLES, table_name="t_1", **one)[catalog] == {"meta_a": {"t_1": None, "tx1": None}}
    assert tree(conn, TABLES, table_name="%x%", **one)[catalog] == {"meta_a": {"tx1": None}}
    assert tree(conn, TABLES, table_name="nix", **one)[catalog] == {"meta_a": {}}
    assert tree(conn, TABLES, table_name="", **one)[catalog] == {"meta_a": {}}
    # ADBC's patterns have no escape.
    assert tree(conn, TABLES, table_name="t\\_1", **one)[catalog] == {"meta_a": {}}
    found = tree(conn, ALL, table_name="t_1", column_name="n%", **one)[catalog]
    assert found == {"meta_a": {"t_1": ["name"], "tx1": []}}
    found = tree(conn, ALL, table_name="v", column_name="", **one)[catalog]
    assert found == {"meta_a": {"v": []}}


def test_filters_of_types(filled: tuple) -> None:
    conn, catalog = filled

    def of(types: list[str] | None) -> dict:
        return tree(conn, TABLES, db_schema="meta_a", table_types=types)[catalog]["meta_a"]

    assert set(of(None)) == {"t_1", "tx1", "v"}
    assert set(of(["VIEW"])) == {"v"}
    assert set(of(["TABLE", "VIEW"])) == {"t_1", "tx1", "v"}
    assert of(["NIX"]) == {}


def test_catalogs_are_filtered(filled: tuple) -> None:
    conn, catalog = filled
    assert tree(conn, CATALOGS, catalog="nix_%") == {}
    assert tree(conn, ALL, catalog="nix") == {}
    if catalog:
        assert tree(conn, CATALOGS, catalog="") == {}
        assert set(tree(conn, CATALOGS, catalog="m__n")) == {catalog}
    else:
        assert tree(conn, CATALOGS, catalog="") == {"": None}


def test_a_connection_without_matches_gives_one_empty_batch(conn: AdbcConnection) -> None:
    handle = conn.get_objects(ALL, catalog="nix")
    reader = pa.RecordBatchReader._import_from_c(handle.address)
    assert [batch.num_rows for batch in reader] == [0]


def column_of(conn: AdbcConnection, table_name: str, name: str) -> dict:
    found = objects(conn, ALL, table_name=table_name, column_name=name)
    tables = [
        one
        for catalog in found
        for schema_row in catalog["catalog_db_schemas"]
        for one in schema_row["db_schema_tables"]
    ]
    (column,) = (column for one in tables for column in one["table_columns"])
    return column


def test_columns(engine: Warehouse) -> None:
    columns = "a INT, b DECIMAL(12,3), c STRING COMMENT 'see', d BIGINT"
    with connected(engine, PATIENT) as conn, table(conn, "t_columns", columns):
        a, b, c, d = (column_of(conn, "t_columns", name) for name in "abcd")
    assert [one["ordinal_position"] for one in (a, b, c, d)] == [1, 2, 3, 4]
    assert [one["xdbc_data_type"] for one in (a, b, c, d)] == [4, 3, 12, -5]
    assert (a["xdbc_nullable"], a["xdbc_is_nullable"]) == (1, "YES")
    assert c["remarks"] == "see"
    if engine.personality != "hive":
        assert b["xdbc_type_name"] == "DECIMAL(12,3)"
        assert (b["xdbc_column_size"], b["xdbc_decimal_digits"]) == (12, 3)
    assert b["xdbc_num_prec_radix"] == 10


def test_keys(w: Warehouse, conn: AdbcConnection) -> None:
    update(conn, "CREATE OR REPLACE TABLE k_parent (b INT NOT NULL, a INT NOT NULL, CONSTRAINT k_pk PRIMARY KEY (a, b))")
    update(conn, "CREATE OR REPLACE TABLE k_child (y INT, x INT, CONSTRAINT k_fk FOREIGN KEY (x, y) REFERENCES k_parent (a, b))")
    try:
        (found,) = objects(conn, ALL, catalog="main", db_schema="default", table_name="k%")
        (schema_row,) = found["catalog_db_schemas"]
        keys = {one["table_name"]: one["table_constraints"] for one in schema_row["db_schema_tables"]}
        assert keys["k_parent"] == [{
            "constraint_name": "k_pk",
            "constraint_type": "PRIMARY KEY",
            "constraint_column_names": ["a", "b"],
            "constraint_column_usage": None,
        }]  # fmt: skip
        assert keys["k_child"] == [{
            "constraint_name": "k_fk",
            "constraint_type": "FOREIGN KEY",
            "constraint_column_names": ["x", "y"],
            "constraint_column_usage": [
                {"fk_catalog": "main", "fk_db_schema": "default", "fk_table": "k_parent", "fk_column_name": name}
                for name in ("a", "b")
            ],
        }]  # fmt: skip
    finally:
        update(conn, "DROP TABLE k_child")
        update(conn, "DROP TABLE k_parent")


def test_through_dbapi(w: Warehouse) -> None:
    with python(w) as conn, conn.cursor() as cur:
        cur.execute("CREATE OR REPLACE TABLE t_dbapi (id BIGINT)")
        found = conn.adbc_get_objects(depth="tables", table_name_filter="t_dbapi").read_all()
        names = [
            one["table_name"]
            for catalog in found.to_pylist()
            for schema_row in catalog["catalog_db_schemas"]
            for one in schema_row["db_schema_tables"]
        ]
        assert names == ["t_dbapi"]
        cur.execute("DROP TABLE t_dbapi")
        assert conn.adbc_get_info()["driver_name"] == "lakebeat"


# --- objects: cost ---------------------------------------------------------------------------


def test_a_hundred_thousand_tables(own_warehouse: Any) -> None:
    w = own_warehouse()
    w.generate_catalog("big", 100_000, schemas=100)
    with connected(w, PATIENT) as conn:
        objects(conn, CATALOGS)
        forget_peak()
        before, started = memory_kib("VmRSS"), time.monotonic()
        handle = conn.get_objects(TABLES, catalog="big", db_schema="schema%")
        batches = list(pa.RecordBatchReader._import_from_c(handle.address))
        seconds, used = time.monotonic() - started, memory_kib("VmHWM") - before
        (batch,) = batches
        schemas = batch.column(1).flatten()
        assert len(schemas) == 100
        assert len(schemas.field(1).flatten()) == 100_000
        assert used < 100 * 1024, f"{used} KiB"
        assert seconds < 30, f"{seconds} s"
        asked = [one["rpc"] for one in w.requests(limit=5000)]
        assert asked.count("GetTables") == 1


def test_columns_of_many_tables_are_one_question(own_warehouse: Any) -> None:
    w = own_warehouse()
    w.generate_catalog("wide", 50, columns=500)
    with connected(w, PATIENT) as conn:
        (found,) = objects(conn, ALL, catalog="wide", db_schema="schema%")
        (schema_row,) = found["catalog_db_schemas"]
        tables = schema_row["db_schema_tables"]
        assert len(tables) == 50
        assert all(len(one["table_columns"]) == 500 for one in tables)
        ordinals = [column["ordinal_position"] for column in tables[7]["table_columns"]]
        assert ordinals == list(range(1, 501))
        asked = [one["rpc"] for one in w.requests(limit=5000)]
        assert asked.count("GetColumns") == 1
        assert asked.count("ExecuteStatement") == 1  # the keys


# --- objects: a result set like others -------------------------------------------------------


def five_catalogs(own_warehouse: Any) -> Warehouse:
    w = own_warehouse()
    for number in range(4):
        w.generate_catalog(f"cat_{number}", 2)
    return w


def test_a_slow_reader_keeps_the_list_of_catalogs(own_warehouse: Any) -> None:
    w = five_catalogs(own_warehouse)
    pages = {"databricks.max_rows_per_fetch": "1", "databricks.prefetch_pages": "0"}
    with connected(w, PATIENT, pages, heartbeat(1)) as conn:
        handle = conn.get_objects(TABLES)
        reader = pa.RecordBatchReader._import_from_c(handle.address)
        names = [reader.read_next_batch().column(0)[0].as_py()]
        (operation,) = w.operations(open_only=True)
        assert sum(pause(w, [operation["id"]])) >= 30
        names += [batch.column(0)[0].as_py() for batch in reader]
        assert sorted(names) == ["cat_0", "cat_1", "cat_2", "cat_3", "main"]
        until("nothing open", lambda: w.stats()["operations_open"] == 0)


def test_a_lost_list_is_an_error_and_no_shorter_answer(own_warehouse: Any) -> None:
    w = five_catalogs(own_warehouse)
    pages = {"databricks.max_rows_per_fetch": "1", "databricks.prefetch_pages": "0"}
    with connected(w, PATIENT, pages, heartbeat(enabled="false")) as conn:
        handle = conn.get_objects(TABLES)
        reader = pa.RecordBatchReader._import_from_c(handle.address)
        reader.read_next_batch()
        w.advance("30m")
        for _ in range(2):
            with pytest.raises(OSError):
                reader.read_all()


def test_cancel_ends_every_stream_of_objects(own_warehouse: Any) -> None:
    w = five_catalogs(own_warehouse)
    with connected(w, PATIENT) as conn:
        streams = [conn.get_objects(TABLES) for _ in range(3)]
        readers = [pa.RecordBatchReader._import_from_c(handle.address) for handle in streams]
        for reader in readers:
            reader.read_next_batch()
        readers.pop().close()
        conn.cancel()
        for reader in readers:
            with pytest.raises(OSError, match="cancelled"):
                reader.read_next_batch()
            reader.close()
        assert failure(conn.cancel).status_code == AdbcStatusCode.INVALID_STATE
        assert len(objects(conn, TABLES)) == 5


def test_cancel_while_objects_are_read(own_warehouse: Any) -> None:
    w = five_catalogs(own_warehouse)
    with connected(w, PATIENT) as conn:
        handle = conn.get_objects(TABLES)
        reader = pa.RecordBatchReader._import_from_c(handle.address)
        reader.read_next_batch()
        w.fault("hang", where="GetTables", times=1)
        reading = Task(reader.read_next_batch)
        held(w)
        conn.cancel()
        reading.ended(5)
        assert "cancelled" in str(reading.error)
        w.clear_faults()
        until("nothing open", lambda: w.stats()["operations_open"] == 0)
        assert len(objects(conn, TABLES)) == 5


def test_objects_outlive_their_connection(own_warehouse: Any) -> None:
    w = five_catalogs(own_warehouse)
    with connected(w, PATIENT) as conn:
        handle = conn.get_objects(TABLES)
    reader = pa.RecordBatchReader._import_from_c(handle.address)
    assert reader.read_all().num_rows == 5
    reader.close()


# --- where a session is ----------------------------------------------------------------------


def test_current_catalog_and_schema(engine: Warehouse) -> None:
    with connected(engine, PATIENT) as conn:
        for name in ("place 1", "pl`ace"):
            quoted = "`" + name.replace("`", "``") + "`"
            update(conn, f"CREATE SCHEMA IF NOT EXISTS {quoted}")
            conn.set_options(**{"adbc.connection.db_schema": name})
            assert conn.get_option("adbc.connection.db_schema") == name
        update(conn, "USE `place 1`")
        assert conn.get_option("adbc.connection.db_schema") == "place 1"
        error = failure(lambda: conn.set_options(**{"adbc.connection.db_schema": "nix"}))
        assert error.status_code == AdbcStatusCode.NOT_FOUND, str(error)
        assert conn.get_option("adbc.connection.db_schema") == "place 1"
        if engine.personality == "hive":
            assert conn.get_option("adbc.connection.catalog") == ""
        update(conn, "USE default")
        for name in ("`place 1`", "`pl``ace`"):
            update(conn, f"DROP SCHEMA {name}")


def test_current_catalog(own_warehouse: Any) -> None:
    w = five_catalogs(own_warehouse)
    with connected(w, PATIENT) as conn:
        assert conn.get_option("adbc.connection.catalog") == "main"
        conn.set_options(**{"adbc.connection.catalog": "cat_1"})
        assert conn.get_option("adbc.connection.catalog") == "cat_1"
        assert value(conn, "SELECT current_catalog()") == "cat_1"
        error = failure(lambda: conn.set_options(**{"adbc.connection.catalog": "nix"}))
        assert error.status_code == AdbcStatusCode.NOT_FOUND, str(error)
        error = failure(lambda: conn.set_options(**{"adbc.connection.catalog": ""}))
        assert error.status_code == AdbcStatusCode.INVALID_ARGUMENT
    with python(w) as made:
        made.adbc_current_catalog = "cat_2"
        assert made.adbc_current_catalog == "cat_2"
        made.adbc_current_catalog = "main"
        assert made.adbc_current_db_schema == "default"


# --- schema of a query -----------------------------------------------------------------------


def schema_of(conn: AdbcConnection, sql: str) -> pa.Schema:
    with AdbcStatement(conn) as stmt:
        stmt.set_sql_query(sql)
        return schema(stmt.execute_schema())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS one, 'zwei' AS two, 1.5 AS d, DATE '2024-01-01' AS day",
        "SELECT id, array(id) AS l, map('k', id) AS m, struct(id) AS s FROM range(3) -- the end",
        "WITH a AS (SELECT TIMESTAMP '2024-01-01 00:00:00' AS at) SELECT * FROM a ;; ",
        "(SELECT ';' AS a)",
        "VALUES (1, 'x')",
    ],
)
def test_execute_schema_is_that_of_the_result(engine: Warehouse, sql: str) -> None:
    with connected(engine, PATIENT) as conn:
        with run(conn, sql) as read:
            real = table_of(read).schema
        assert schema_of(conn, sql).equals(real, check_metadata=True)


@pytest.mark.parametrize("stream", [False, True])
def test_execute_schema_with_what_is_bound(engine: Warehouse, stream: bool) -> None:
    """What is bound gives the parameters their types, and is there for the execution after it."""
    data = pa.record_batch([pa.array([5], pa.int32()), pa.array(["x"])], ["a", "b"])
    with connected(engine, PATIENT) as conn, AdbcStatement(conn) as stmt:
        stmt.set_sql_query("SELECT ? AS number, ? AS word")
        if stream:
            stmt.bind_stream(pa.RecordBatchReader.from_batches(data.schema, [data]))
        else:
            stmt.bind(data)
        found = schema(stmt.execute_schema())
        assert found.types == [pa.int32(), pa.string()]
        handle, _ = stmt.execute_query()
        with pa.RecordBatchReader._import_from_c(handle.address) as reader:
            assert reader.schema.equals(found, check_metadata=True)
            assert reader.read_all().to_pylist() == [{"number": 5, "word": "x"}]


def test_execute_schema_wants_as_many_as_an_execution(conn: AdbcConnection) -> None:
    with AdbcStatement(conn) as stmt:
        stmt.set_sql_query("SELECT ?, ?")
        stmt.bind(pa.record_batch([pa.array([5])], ["a"]))
        error = failure(stmt.execute_schema)
        assert error.status_code == AdbcStatusCode.INVALID_ARGUMENT
        assert "parameter 2 has no value" in str(error)


def test_execute_schema_runs_nothing(w: Warehouse, conn: AdbcConnection) -> None:
    started = time.monotonic()
    assert schema_of(conn, "SELECT sleep_ms(60000) AS slept FROM range(1000)").names == ["slept"]
    assert time.monotonic() - started < 30
    with table(conn, "t_dml", "a INT"):
        for sql in (
            "INSERT INTO t_dml VALUES (1)",
            "WITH x AS (SELECT 1) INSERT INTO t_dml SELECT * FROM x",
            "SELECT 1) a; INSERT INTO t_dml VALUES (1); SELECT * FROM (SELECT 1",
            "DROP TABLE t_dml",
            "SHOW TABLES",
        ):
            failure(schema_of, conn, sql)
        assert value(conn, "SELECT count(*) FROM t_dml") == 0
    error = failure(schema_of, conn, "DELETE FROM t_dml")
    assert error.status_code == AdbcStatusCode.NOT_IMPLEMENTED
    with AdbcStatement(conn) as stmt:
        assert failure(stmt.execute_schema).status_code == AdbcStatusCode.INVALID_STATE


# --- statistics ------------------------------------------------------------------------------

STATISTIC = pa.struct([
    required("table_name", pa.string()),
    ("column_name", pa.string()),
    required("statistic_key", pa.int16()),
    required("statistic_value", pa.dense_union([
        pa.field("int64", pa.int64()),
        pa.field("uint64", pa.uint64()),
        pa.field("float64", pa.float64()),
        pa.field("binary", pa.binary()),
    ])),
    required("statistic_is_approximate", pa.bool_()),
])  # fmt: skip
STATISTICS = pa.schema([
    ("catalog_name", pa.string()),
    required("catalog_db_schemas", pa.list_(pa.struct([
        ("db_schema_name", pa.string()),
        required("db_schema_statistics", pa.list_(STATISTIC)),
    ]))),
])  # fmt: skip


def test_statistics_of_what_nobody_has_analyzed(engine: Warehouse) -> None:
    with connected(engine, PATIENT) as conn, table(conn, "t_stat", "a INT"):
        found = stream(conn.get_statistics(None, None, "t_stat", True))
        assert found.schema == STATISTICS
        assert found.num_rows == 0
        names = stream(conn.get_statistic_names())
        assert names.schema == pa.schema([
            required("statistic_name", pa.string()), required("statistic_key", pa.int16())
        ])  # fmt: skip
        assert names.to_pylist() == [
            {"statistic_name": "lakebeat.statistic.table_bytes", "statistic_key": 1024}
        ]


def test_statistics_of_a_name_that_the_server_would_replace(w: Warehouse) -> None:
    """It would be asked of another table; nothing is known of this one."""
    with connected(w, PATIENT) as conn, table(conn, "`t_stat${x}`", "a INT"):
        w.reset()
        assert stream(conn.get_statistics(None, None, "t_stat${x}", True)).num_rows == 0
        assert len(w.requests(rpc="GetTables", limit=100)) > 0
        assert len(w.requests(rpc="ExecuteStatement", limit=100)) == 0


def test_statistics_of_too_many_tables(own_warehouse: Any) -> None:
    w = own_warehouse()
    w.generate_catalog("big", 1001)
    with connected(w, PATIENT) as conn:
        error = failure(conn.get_statistics, "big", None, None, True)
        assert error.status_code == AdbcStatusCode.INVALID_ARGUMENT
        assert "1000" in str(error)
