# SPDX-License-Identifier: Apache-2.0
"""A real Spark Thrift Server. It forgets a result after five to nine seconds without contact,
and has no clock that could be moved: the pauses here are real."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest
from engine import FORGOTTEN_SECONDS, Engine
from harness import (
    AdbcConnection,
    AdbcStatement,
    AdbcStatusCode,
    Error,
    Parallel,
    Task,
    connected,
    database,
    execute,
    heartbeat,
    run,
    statistics,
    table_of,
    update,
    value,
)

ROWS = 100_000
PAGE = 20_000
MANY = f"SELECT id FROM range(0, {ROWS}, 1, 2)"
PAGED = {"databricks.max_rows_per_fetch": str(PAGE)}
#: Two pauses and what is read between them, at 5 s of idle time and a sweep of 3 s.
PAUSE = FORGOTTEN_SECONDS + 2

pytestmark = pytest.mark.timeout(240, method="thread")


# --- slow reads ------------------------------------------------------------------------------


@dataclass
class Outcome:
    rows: list[int] = field(default_factory=list)
    error: Error | None = None
    statistics: dict = field(default_factory=dict)


CASES = {
    "off": heartbeat(1, enabled="false"),
    "status": heartbeat(1, probe="status"),
    "metadata": heartbeat(1, probe="metadata"),
    "fetch0": heartbeat(1, probe="fetch0"),
    "auto": heartbeat(1),
}
INCREMENTAL = {"databricks.session_conf.spark.sql.thriftServer.incrementalCollect": "true"}


def slow_read(spark: Engine, *options: dict[str, str], sql: str = MANY) -> Outcome:
    seen = Outcome()
    with connected(spark, PAGED, *options) as conn, run(conn, sql) as read:
        try:
            seen.rows += read.rows(10)
            time.sleep(PAUSE)
            seen.rows += read.rows(PAGE)
            time.sleep(PAUSE)
            seen.rows += read.rest()
        except Error as error:
            seen.error = error
        seen.statistics = statistics(read)
    return seen


@pytest.fixture(scope="module")
def outcomes(spark: Engine) -> dict[str, Outcome]:
    calls = {
        name: lambda options=options: slow_read(spark, options)
        for name, options in CASES.items()
    }
    calls["incremental"] = lambda: slow_read(
        spark, CASES["auto"], INCREMENTAL, sql=f"SELECT id FROM range(0, {ROWS}, 1, 8)"
    )
    running = Parallel(calls)
    return {name: running[name] for name in calls}


@pytest.mark.parametrize("name", ["auto", "fetch0", "incremental"])
def test_slow_read_survives(outcomes: dict[str, Outcome], name: str) -> None:
    seen = outcomes[name]
    assert seen.error is None
    assert seen.rows == list(range(ROWS))
    assert seen.statistics["probes_succeeded"] >= 2 * (PAUSE - 3)
    assert seen.statistics["probes_failed"] == 0


@pytest.mark.parametrize("name", ["off", "status", "metadata"])
def test_slow_read_is_lost(outcomes: dict[str, Outcome], name: str) -> None:
    """Without a heartbeat, and with one that means nothing to this server."""
    seen = outcomes[name]
    assert seen.error is not None, f"{len(seen.rows)} rows"
    assert seen.rows == list(range(len(seen.rows))) and len(seen.rows) < ROWS
    assert seen.error.status_code == AdbcStatusCode.IO
    assert seen.error.sqlstate == "24000"
    text = str(seen.error)
    assert "Invalid OperationHandle" in text, text
    assert "databricks.heartbeat." in text, text
    if name == "off":
        assert seen.statistics["reason"] == "disabled"
    else:
        assert seen.statistics["reason"] == "handle_lost"
        assert seen.statistics["probes_sent"] >= 3


def test_probe_beside_a_fetch_that_outlives_its_operation(spark: Engine) -> None:
    """With incrementalCollect jobs run inside the fetch; without a probe beside it the server
    forgets the operation that it is working for."""
    sql = "SELECT id, java_method('java.lang.Thread', 'sleep', 3000L) FROM range(0, 4, 1, 4)"
    with connected(spark, INCREMENTAL, heartbeat(1)) as conn, run(conn, sql) as read:
        assert sorted(read.rest()) == [0, 1, 2, 3]
        assert read.number("probes_succeeded") >= 2


def test_kind_is_learnt(spark: Engine) -> None:
    with connected(spark) as conn:
        assert conn.get_option("databricks.server_kind") == "spark"


def test_session_conf_can_switch_forgetting_off(spark: Engine) -> None:
    conf = {"databricks.session_conf.hive.server2.idle.operation.timeout": "0"}
    with connected(spark, PAGED, conf, heartbeat(enabled="false")) as conn:
        with run(conn, MANY) as read:
            found = read.rows(10)
            time.sleep(PAUSE)
            assert found + read.rest() == list(range(ROWS))


# --- types -----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def conn(spark: Engine):
    with connected(spark, {"databricks.session_conf.spark.sql.session.timeZone": "UTC"}) as made:
        yield made


def column(conn: AdbcConnection, sql: str):
    with run(conn, sql) as read:
        return table_of(read).column(0)


def test_char_and_varchar_of_a_table(conn: AdbcConnection) -> None:
    update(conn, "CREATE TABLE IF NOT EXISTS texts (c CHAR(5), v VARCHAR(7)) USING parquet")
    update(conn, "INSERT OVERWRITE texts VALUES ('ab', 'cd')")
    with run(conn, "SELECT c, v FROM texts") as read:
        found = table_of(read)
    assert found.column(0).to_pylist() == ["ab   "]
    assert found.column(1).to_pylist() == ["cd"]


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 20, 100, 1000])
def test_null_bitmaps(conn: AdbcConnection, rows: int) -> None:
    """They end with their last set bit."""
    for sql, wanted in (
        (f"nullif(id, {rows - 1})", lambda n: None if n == rows - 1 else n),
        ("nullif(id, 0)", lambda n: n or None),
        ("CASE WHEN id % 2 = 1 THEN id END", lambda n: n if n % 2 else None),
        ("CAST(NULL AS STRING)", lambda n: None),
        ("id", lambda n: n),
    ):
        found = column(conn, f"SELECT {sql} AS v FROM range(0, {rows}, 1, 1)")
        assert found.to_pylist() == [wanted(n) for n in range(rows)], sql


def test_variant_is_read_as_text(conn: AdbcConnection) -> None:
    """The server cannot describe this column, and sends its rows all the same."""
    try:
        found = value(conn, """SELECT parse_json('{"a": [1, "x", null]}')""")
    except Error as error:
        # Spark 3 has no VARIANT.
        assert "parse_json" in str(error)
    else:
        assert found == '{"a":[1,"x",null]}'


def test_result_without_rows(conn: AdbcConnection) -> None:
    with run(conn, "SELECT id, 'x' AS s FROM range(5) WHERE id > 10") as read:
        found = table_of(read)
    assert found.num_rows == 0 and found.schema.names == ["id", "s"]


def test_statement_without_result(conn: AdbcConnection) -> None:
    update(conn, "CREATE OR REPLACE TEMPORARY VIEW nothing AS SELECT 1 AS a")
    with run(conn, "USE default") as read:
        assert read.rest() == []


# --- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "sqlstate", "status", "part"),
    [
        ("SELEC 1", "42601", AdbcStatusCode.INVALID_ARGUMENT, "SELEC"),
        ("SELECT * FROM nowhere", "42P01", AdbcStatusCode.NOT_FOUND, "nowhere"),
        ("SELECT nothing_like_it FROM range(1)", "42703", AdbcStatusCode.INVALID_ARGUMENT,
         "nothing_like_it"),
        ("SELECT 1 / 0", "22012", AdbcStatusCode.INVALID_DATA, "DIVIDE_BY_ZERO"),
        ("SELECT CAST('x' AS INT)", "22018", AdbcStatusCode.INVALID_DATA, "CAST_INVALID_INPUT"),
        ("SELECT raise_error('boom') FROM range(3)", "P0001", None, "boom"),
    ],
)  # fmt: skip
def test_error(
    conn: AdbcConnection, sql: str, sqlstate: str, status: AdbcStatusCode | None, part: str
) -> None:
    with pytest.raises(Error) as caught:
        with run(conn, sql) as read:
            read.rest()
    error, text = caught.value, str(caught.value)
    assert error.sqlstate == sqlstate
    assert status is None or error.status_code == status
    assert part in text
    for java in ("\tat ", "org.apache.hive", "HiveSQLException", ".java:", "infoMessages"):
        assert java not in text
    assert value(conn, "SELECT 1") == 1


def test_statement_that_takes_too_long(conn: AdbcConnection) -> None:
    since = time.monotonic()
    with pytest.raises(Error) as caught:
        run(conn, "SELECT count(*) FROM range(100000000000)",
            {"databricks.query_timeout_seconds": "2"})  # fmt: skip
    assert caught.value.status_code == AdbcStatusCode.TIMEOUT
    assert "databricks.query_timeout_seconds" in str(caught.value)
    assert time.monotonic() - since < 9


def test_unknown_session_conf_of_hive_is_refused(spark: Engine) -> None:
    with database(spark, {"databricks.session_conf.hive.nope.x": "1"}) as db:
        with pytest.raises(Error) as caught:
            AdbcConnection(db).close()
    assert "hive.nope.x" in str(caught.value)


def test_schema_that_is_not_there(spark: Engine) -> None:
    with database(spark, {"databricks.schema": "nope"}) as db:
        with pytest.raises(Error) as caught:
            AdbcConnection(db).close()
    assert "nope" in str(caught.value)


# --- cancel and close ------------------------------------------------------------------------


def test_cancel(conn: AdbcConnection) -> None:
    with AdbcStatement(conn) as stmt:
        stmt.set_sql_query("SELECT count(*) FROM range(100000000000)")
        task = Task(execute, stmt)
        time.sleep(0.5)
        assert task.running
        since = time.monotonic()
        stmt.cancel()
        error = task.failure(5)
        assert time.monotonic() - since < 2
        assert error.status_code == AdbcStatusCode.CANCELLED
        assert error.sqlstate == "HY008"
    assert value(conn, "SELECT 1") == 1


def test_eight_threads_on_one_connection(conn: AdbcConnection) -> None:
    def read_on(n: int) -> None:
        for _ in range(3):
            with run(conn, f"SELECT id + {n} AS id FROM range(0, 5000, 1, 2)") as read:
                assert sorted(read.rest()) == [n + at for at in range(5000)]

    for task in [Task(read_on, n) for n in range(8)]:
        task.result(60)
