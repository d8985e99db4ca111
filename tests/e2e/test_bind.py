# SPDX-License-Identifier: Apache-2.0
"""Bound parameters: what goes to the server, what comes back, and who releases what."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import gc
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from harness import (
    PAGED,
    AdbcConnection,
    AdbcStatement,
    AdbcStatusCode,
    Error,
    Read,
    Task,
    Warehouse,
    connected,
    execute,
    held,
    table_of,
    until,
    update,
    value,
)

UTC = datetime.timezone.utc


@pytest.fixture(scope="module", params=["databricks", "spark", "hive"])
def w(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    with Warehouse(personality=request.param) as server:
        yield server


@pytest.fixture(scope="module")
def databricks() -> Iterator[Warehouse]:
    with Warehouse() as server:
        yield server


@pytest.fixture
def conn(w: Warehouse) -> Iterator[AdbcConnection]:
    with connected(w) as conn:
        yield conn


def bound(conn: AdbcConnection, sql: str, data: Any, **options: str) -> Read:
    stmt = AdbcStatement(conn)
    try:
        stmt.set_options(**options)
        bind(stmt, data)
        return execute(stmt, sql)
    except BaseException:
        stmt.close()
        raise


def bind(stmt: AdbcStatement, data: Any) -> None:
    stmt.bind(data) if isinstance(data, pa.RecordBatch) else stmt.bind_stream(data)


def one(*columns: pa.Array, names: list[str] | None = None) -> pa.RecordBatch:
    return pa.record_batch(list(columns), names or [f"c{i}" for i in range(len(columns))])


def refused(conn: AdbcConnection, sql: str, data: Any, **options: str) -> str:
    with pytest.raises(Error) as caught:
        bound(conn, sql, data, **options)
    assert caught.value.status_code == AdbcStatusCode.INVALID_ARGUMENT
    return str(caught.value)


# --- markers -----------------------------------------------------------------------------


def test_positions(conn: AdbcConnection) -> None:
    sql = "SELECT ? AS a, '?' AS b, ? AS c -- ?"
    with bound(conn, sql, one(pa.array([7]), pa.array(["it's \\ $x"]))) as read:
        assert table_of(read).to_pylist() == [{"a": 7, "b": "?", "c": "it's \\ $x"}]


def test_names(conn: AdbcConnection) -> None:
    data = one(pa.array([20]), pa.array([1]), names=["B", "a"])
    with bound(conn, "SELECT :a + :b AS x, :a AS y, ':a' AS z", data) as read:
        assert table_of(read).to_pylist() == [{"x": 21, "y": 1, "z": ":a"}]
    # Servers heed the case of names.
    with bound(conn, "SELECT :A AS x, :a + :`a` AS y, :b + :B AS z", data) as read:
        assert table_of(read).to_pylist() == [{"x": 1, "y": 2, "z": 40}]


def test_names_by_position(conn: AdbcConnection) -> None:
    data = one(pa.array([20]), pa.array([1]))
    by_position = {"adbc.statement.bind_by_name": "false"}
    with bound(conn, "SELECT :a AS x, :b AS y, :a AS z", data, **by_position) as read:
        assert table_of(read).to_pylist() == [{"x": 20, "y": 1, "z": 20}]


@pytest.mark.parametrize(
    ("sql", "names", "says"),
    [
        ("SELECT ?", ["a", "b"], "parameter 2 ('b') has no marker"),
        ("SELECT ?, ?, ?", ["a", "b"], "parameter 3 has no value"),
        ("SELECT 1", ["a"], "parameter 1 ('a') has no marker"),
        ("SELECT :a", ["b"], "parameter :a has no value"),
        ("SELECT :a", ["a", "b"], "parameter 2 ('b') has no marker"),
        ("SELECT :a", ["a", "A"], "parameter :a is bound twice"),
        ("SELECT :a, ?", ["a", "b"], "both ? and :name"),
    ],
)
def test_wrong_counts(
    databricks: Warehouse, sql: str, names: list[str], says: str
) -> None:
    data = one(*[pa.array([1])] * len(names), names=names)
    with connected(databricks) as conn:
        assert says in refused(conn, sql, data)


def test_by_name_needs_names(databricks: Warehouse) -> None:
    with connected(databricks) as conn:
        by_name = {"adbc.statement.bind_by_name": "true"}
        assert "bind_by_name" in refused(conn, "SELECT ?", one(pa.array([1])), **by_name)


# --- rows --------------------------------------------------------------------------------


def test_query_over_rows(conn: AdbcConnection) -> None:
    data = one(pa.array([1, 2, 3]))
    with bound(conn, "SELECT ? AS a, id FROM range(2)", data) as read:
        assert table_of(read).column("a").to_pylist() == [1, 1, 2, 2, 3, 3]


def test_query_whose_columns_are_called_like_changes(conn: AdbcConnection) -> None:
    """Every row's result is read: what looks like a change is a name."""
    data = one(pa.array([1, 2, 3]))
    with bound(conn, "WITH t AS (SELECT ? AS a) SELECT a AS update FROM t", data) as read:
        assert table_of(read).column("update").to_pylist() == [1, 2, 3]


def test_stream_of_batches(conn: AdbcConnection) -> None:
    batches = [one(pa.array(part, pa.int64())) for part in ([1], [], [2, 3])]
    reader = pa.RecordBatchReader.from_batches(batches[0].schema, batches)
    with bound(conn, "SELECT ? AS a", reader) as read:
        assert table_of(read).column("a").to_pylist() == [1, 2, 3]


def test_rows_are_executed_as_they_are_read(databricks: Warehouse) -> None:
    """Each row's result is one of its own, and the next one is made when it is needed."""
    databricks.reset()
    data = one(pa.array([1, 2, 3]))
    with connected(databricks, PAGED) as conn:
        with bound(conn, "SELECT ? AS a, id FROM range(20)", data) as read:
            assert read.rows(15) == [1] * 15
            first = read.query_id
            assert read.rows(10) == [1] * 5 + [2] * 5
            assert read.query_id != first
            assert len(databricks.operations()) == 2


def test_stream_outlives_everything(w: Warehouse) -> None:
    with connected(w) as conn:
        read = bound(conn, "SELECT ? AS a", one(pa.array([1, 2])))
        read.stmt.close()
    assert read.rest() == [1, 2]
    read.release_stream()


def test_no_rows(w: Warehouse, conn: AdbcConnection) -> None:
    nothing = one(pa.array([], pa.int64()))
    with bound(conn, "SELECT ? AS a", nothing) as read:
        assert read.rest() == [] and read.affected == 0
    with AdbcStatement(conn) as stmt:
        stmt.set_sql_query("INSERT INTO nowhere VALUES (?)")
        stmt.bind(nothing)
        assert stmt.execute_update() == 0


def test_errors_show_no_bound_value(conn: AdbcConnection) -> None:
    with pytest.raises(Error, match="nosuch") as caught:
        bound(conn, "SELECT nosuch, ?", one(pa.array(["hunter2"])))
    assert "hunter2" not in str(caught.value)
    # Servers repeat a statement that they cannot read, with the literals in it, and the
    # value that they cannot use.
    for sql in ("SELECT ?, 1 FRM b c", "SELECT 1 a ?", "SELECT (? ", "SELECT CAST(? AS INT)"):
        with pytest.raises(Error) as caught:
            with bound(conn, sql, one(pa.array(["hunter2"]))) as read:
                read.rest()
        assert "hunter2" not in str(caught.value)
        assert f"statement: {sql.strip()})" in str(caught.value)


def test_a_failing_fetch_shows_no_bound_value(w: Warehouse, conn: AdbcConnection) -> None:
    echo = "[X] no.\n== SQL (line 1, position 8) ==\nSELECT id, 'hunter2' FROM t\n       ^^^"
    for page in (1, 2):
        w.fault({"kind": "error", "message": echo}, "FetchResults", when=page)
        sql = "SELECT id, ? FROM range(60)"
        with pytest.raises(Error, match=r"\[X\] no") as caught:
            with bound(conn, sql, one(pa.array(["hunter2"])), **PAGED) as read:
                read.rest()
        assert "hunter2" not in str(caught.value)


def test_update_over_rows(databricks: Warehouse) -> None:
    with connected(databricks) as conn:
        update(conn, "CREATE OR REPLACE TABLE bound_rows (a INT, b STRING)")
        with AdbcStatement(conn) as stmt:
            stmt.set_sql_query("INSERT INTO bound_rows VALUES (?, ?)")
            stmt.prepare()
            stmt.bind(one(pa.array([1, 2, 3], pa.int32()), pa.array(["a", None, "c"])))
            assert stmt.execute_update() == 3
            # An array can be executed with again.
            assert stmt.execute_update() == 3
        assert value(conn, "SELECT count(*) FROM bound_rows WHERE b IS NULL") == 2


def test_update_over_rows_that_wants_a_result(databricks: Warehouse) -> None:
    """No row may wait for somebody to read a result that nobody is interested in."""
    with connected(databricks) as conn:
        update(conn, "CREATE OR REPLACE TABLE bound_all (a INT)")
        with bound(conn, "INSERT INTO bound_all VALUES (?)", one(pa.array([1, 2]))) as read:
            assert read.affected == 2
            assert value(conn, "SELECT sum(a) FROM bound_all") == 3


def test_failing_row_is_named(databricks: Warehouse) -> None:
    with connected(databricks) as conn:
        with bound(conn, "SELECT CAST(? AS INT) AS a", one(pa.array(["1", "x"]))) as read:
            assert read.rows(1) == [1]
            with pytest.raises(Error, match="row 2 of the bound values"):
                read.rows(1)
            with pytest.raises(Error, match="row 2 of the bound values"):
                read.reader.read_next_batch()


# --- types -------------------------------------------------------------------------------

INSTANT = datetime.datetime(2020, 2, 29, 1, 2, 3, 4, tzinfo=UTC)
DAY = datetime.date(1600, 2, 29)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (pa.array([-128], pa.int8()), -128),
        (pa.array([255], pa.uint8()), 255),
        (pa.array([2**31 - 1], pa.int32()), 2**31 - 1),
        (pa.array([-(2**63)], pa.int64()), -(2**63)),
        (pa.array([2**64 - 1], pa.uint64()), decimal.Decimal(2**64 - 1)),
        (pa.array([True]), True),
        (pa.array([0.1]), 0.1),
        (pa.array([float("inf")]), float("inf")),
        (pa.array([decimal.Decimal("-0.05")], pa.decimal128(5, 2)), decimal.Decimal("-0.05")),
        (pa.array([decimal.Decimal("7.5")], pa.decimal256(60, 1)), decimal.Decimal("7.5")),
        (pa.array([""]), ""),
        (pa.array(["it's \\ \"q\" ${x} \n ü"], pa.large_string()), "it's \\ \"q\" ${x} \n ü"),
        (pa.array(["view" * 10], pa.string_view()), "view" * 10),
        (pa.array([b"\x00'\xff"], pa.large_binary()), b"\x00'\xff"),
        (pa.array([b"ab"], pa.binary(2)), b"ab"),
        (pa.array([DAY]), DAY),
        (pa.array([DAY], pa.date64()), DAY),
        (pa.array([None], pa.int32()), None),
        (pa.nulls(1), None),
        (pa.array(["a"]).dictionary_encode(), "a"),
        (pa.array([None], pa.dictionary(pa.int8(), pa.string())), None),
        (pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array([5])), 5),
    ],
)
def test_types(conn: AdbcConnection, values: pa.Array, wanted: Any) -> None:
    with bound(conn, "SELECT ? AS a", one(values)) as read:
        assert read.rest() == [wanted]


def test_instants(databricks: Warehouse) -> None:
    zoned = pa.array([INSTANT], pa.timestamp("ns", "Asia/Tokyo"))
    plain = pa.array([INSTANT.replace(tzinfo=None)], pa.timestamp("us"))
    with connected(databricks) as conn:
        with bound(conn, "SELECT ? AS a, ? AS b", one(zoned, plain)) as read:
            assert table_of(read).to_pylist() == [{"a": INSTANT, "b": INSTANT.replace(tzinfo=None)}]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (pa.array([datetime.time(1)]), "no time of day"),
        (pa.array([[1]]), "from_json"),
        (pa.array([{"x": 1}]), "from_json"),
        (pa.array([1], pa.timestamp("ns")), "microseconds"),
        (pa.array([decimal.Decimal("1e40")], pa.decimal256(76, 0)), r"DECIMAL(38,0)"),
    ],
)
def test_refused_types(databricks: Warehouse, values: pa.Array, says: str) -> None:
    with connected(databricks) as conn:
        data = one(pa.array([1]), values, names=["x", "y"])
        assert "parameter 2 ('y'): " in (said := refused(conn, "SELECT ?, ?", data))
        assert says in said


def test_slices(conn: AdbcConnection) -> None:
    """Offsets of a batch and of its columns are both counted."""
    data = one(pa.array([1, 2, 3, 4]), pa.array(["a", "b", None, "d"])).slice(1, 2)
    with bound(conn, "SELECT ? AS a, ? AS b", data) as read:
        assert table_of(read).to_pylist() == [{"a": 2, "b": "b"}, {"a": 3, "b": None}]


# --- life --------------------------------------------------------------------------------


def test_stream_is_read_once(databricks: Warehouse) -> None:
    with connected(databricks) as conn, AdbcStatement(conn) as stmt:
        stmt.set_sql_query("SELECT ? AS a")
        stmt.bind_stream(pa.table({"a": [1]}).to_reader())
        assert execute(stmt).rest() == [1]
        with pytest.raises(Error, match="bind another one") as caught:
            execute(stmt)
        assert caught.value.status_code == AdbcStatusCode.INVALID_STATE
        stmt.set_sql_query("SELECT 2 AS a")
        assert execute(stmt).rest() == [2]


# What a refused execution leaves: the text of each is not for one bound column `a`.
REFUSED = ["SELECT ?, ?", "SELECT :b", "SELECT 1", "SELECT :a, ?"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("sql", REFUSED)
def test_refused_execution_keeps_what_is_bound(
    databricks: Warehouse, sql: str, stream: bool
) -> None:
    data = one(pa.array([7]), names=["a"])
    with connected(databricks) as conn, AdbcStatement(conn) as stmt:
        bind(stmt, pa.Table.from_batches([data]).to_reader() if stream else data)
        stmt.set_sql_query(sql)
        said = set()
        for _ in range(2):
            with pytest.raises(Error) as caught:
                execute(stmt)
            assert caught.value.status_code == AdbcStatusCode.INVALID_ARGUMENT
            said.add(str(caught.value))
        assert len(said) == 1
        assert execute(stmt, "SELECT ? + 1 AS a").rest() == [8]


@pytest.mark.parametrize("stream", [False, True])
def test_used_values_are_not_for_another_text(
    databricks: Warehouse, stream: bool
) -> None:
    data = one(pa.array([7]), names=["a"])
    with connected(databricks) as conn, AdbcStatement(conn) as stmt:
        bind(stmt, pa.Table.from_batches([data]).to_reader() if stream else data)
        assert execute(stmt, "SELECT ? AS a").rest() == [7]
        before = len(databricks.operations())
        for sql in ("SELECT ? + 1 AS a", "SELECT :a AS a"):
            with pytest.raises(Error, match="bind values again") as caught:
                execute(stmt, sql)
            assert caught.value.status_code == AdbcStatusCode.INVALID_STATE
        assert len(databricks.operations()) == before
        assert execute(stmt, "SELECT 2 AS a").rest() == [2]
        stmt.bind(data)
        assert execute(stmt, "SELECT ? + 1 AS a").rest() == [8]


def test_refused_values_do_not_bar_another_text(databricks: Warehouse) -> None:
    """As a cursor is used again after an error: there is no way to take values back."""
    with connected(databricks) as conn, AdbcStatement(conn) as stmt:
        stmt.bind(one(pa.array([7])))
        with pytest.raises(Error, match="parameter 2 has no value"):
            execute(stmt, "SELECT ?, ?")
        assert execute(stmt, "SELECT 2 AS a").rest() == [2]
        with pytest.raises(Error, match="bind values again") as caught:
            execute(stmt, "SELECT ? AS a")
        assert caught.value.status_code == AdbcStatusCode.INVALID_STATE


def test_failing_stream(databricks: Warehouse) -> None:
    schema = pa.schema([("a", pa.int64())])

    def batches() -> Iterator[pa.RecordBatch]:
        yield one(pa.array([1]), names=["a"])
        raise ValueError("no more of this")

    with connected(databricks) as conn:
        reader = pa.RecordBatchReader.from_batches(schema, batches())
        with bound(conn, "SELECT ? AS a", reader) as read:
            assert read.rows(1) == [1]
            with pytest.raises(Error, match="no more of this"):
                read.rest()


def test_what_is_bound_is_released(databricks: Warehouse) -> None:
    gc.collect()  # what earlier tests left
    before = pa.total_allocated_bytes()
    with connected(databricks) as conn:
        for sql in ("SELECT ? AS a", "SELECT ?, ?", "SELEC ?"):
            with contextlib.suppress(Error):
                with bound(conn, sql, one(pa.array(range(1000)))) as read:
                    read.rows(1)
    gc.collect()
    assert pa.total_allocated_bytes() == before


def test_cancel_between_rows(databricks: Warehouse) -> None:
    """A series has no request under way while its reader pauses; it can be cancelled."""
    with connected(databricks) as conn:
        with bound(conn, "SELECT ? AS a", one(pa.array(range(100)))) as read:
            assert read.rows(2) == [0, 1]
            read.stmt.cancel()
            with pytest.raises(Error) as caught:
                read.rest()
            assert caught.value.status_code == AdbcStatusCode.CANCELLED
            with pytest.raises(Error, match="nothing to cancel"):
                read.stmt.cancel()


@pytest.mark.parametrize("ingested", [False, True])
def test_cancel_of_a_stream_without_rows(databricks: Warehouse, ingested: bool) -> None:
    """Batches without rows give no statement that a cancel could end."""
    given = [0]

    def batches() -> Iterator[pa.RecordBatch]:
        while True:
            given[0] += 1
            yield one(pa.array([], pa.int64()))

    with connected(databricks) as conn, AdbcStatement(conn) as stmt:
        if ingested:
            stmt.set_options(**{"adbc.ingest.target_table": "bound_endless"})
        else:
            stmt.set_sql_query("SELECT ?")
        stmt.bind_stream(pa.RecordBatchReader.from_batches(one(pa.array([1])).schema, batches()))
        task = Task(stmt.execute_update if ingested else stmt.execute_query)
        until("some batches", lambda: given[0] > 10)
        stmt.cancel()
        assert task.failure(30).status_code == AdbcStatusCode.CANCELLED


@pytest.mark.parametrize("ingested", [False, True])
def test_cancel_tells_what_may_have_run(databricks: Warehouse, ingested: bool) -> None:
    """The server runs a statement whose reply nobody waits for any more."""
    patient = {"databricks.request_timeout_seconds": "20"}
    with connected(databricks, patient) as conn, AdbcStatement(conn) as stmt:
        update(conn, "CREATE OR REPLACE TABLE bound_perhaps (a BIGINT)")
        if ingested:
            mode = {"adbc.ingest.mode": "adbc.ingest.mode.append"}
            stmt.set_options(**mode, **{"adbc.ingest.target_table": "bound_perhaps"})
            stmt.bind(one(pa.array(range(4001)), names=["a"]))
        else:
            stmt.set_sql_query("INSERT INTO bound_perhaps VALUES (?)")
            stmt.bind(one(pa.array(range(4))))
        databricks.fault({"kind": "hold", "ms": 20_000}, "ExecuteStatement", when=2)
        task = Task(stmt.execute_update)
        held(databricks)
        stmt.cancel()
        databricks.release()
        error = task.failure(5)
        assert error.status_code == AdbcStatusCode.CANCELLED
        wanted = (
            "4000 rows have been inserted before, and 1 more may have been"
            if ingested
            else "executed for 1 rows before, and may have been for this one"
        )
        assert wanted in str(error)


def test_cancel_of_many_updates(databricks: Warehouse) -> None:
    with connected(databricks) as conn, AdbcStatement(conn) as stmt:
        update(conn, "CREATE OR REPLACE TABLE bound_cancel (a BIGINT)")
        stmt.set_sql_query("INSERT INTO bound_cancel VALUES (?)")
        stmt.bind(one(pa.array(range(100_000))))
        task = Task(stmt.execute_update)
        until("a row", lambda: value(conn, "SELECT count(*) FROM bound_cancel") > 0)
        stmt.cancel()
        assert task.failure(5).status_code == AdbcStatusCode.CANCELLED


def test_former_series_has_ended(databricks: Warehouse) -> None:
    with connected(databricks) as conn, AdbcStatement(conn) as stmt:
        stmt.set_sql_query("SELECT ? AS a")
        stmt.bind(one(pa.array([1, 2])))
        former = execute(stmt)
        assert former.rows(1) == [1]
        assert execute(stmt).rest() == [1, 2]
        with pytest.raises(Error, match="executed again"):
            former.rest()
        former.release_stream()


def test_parameter_schema(databricks: Warehouse) -> None:
    with connected(databricks) as conn, AdbcStatement(conn) as stmt:
        for sql, names in (("SELECT ?, '?', ?", ["", ""]), ("SELECT :b, :a, :B", ["b", "a"])):
            stmt.set_sql_query(sql)
            stmt.prepare()
            handle = stmt.get_parameter_schema()
            schema = pa.Schema._import_from_c(handle.address)
            assert schema.names == names
            assert schema.types == [pa.null()] * 2
