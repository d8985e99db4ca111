# SPDX-License-Identifier: Apache-2.0
"""A real HiveServer2. It forgets a result after five to nine seconds without contact, and has
no clock that could be moved: the pauses here are real."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from engine import FORGOTTEN_SECONDS, Engine
from harness import (
    AdbcConnection,
    AdbcStatement,
    AdbcStatusCode,
    Error,
    Parallel,
    Read,
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

ROWS = 30_000
#: The server cuts pages at 10,000 rows, whatever it is asked for.
PAGE = 5_000
PAGED = {"databricks.max_rows_per_fetch": str(PAGE)}
READERS = 20
PAUSE = FORGOTTEN_SECONDS + 2
#: Served straight from the file, and the result of a job.
PLAIN = "SELECT id FROM numbers"
JOB = "SELECT id FROM numbers GROUP BY id ORDER BY id"
#: Keeps a mapper busy for as long as nobody stops it.
ENDLESS = (
    "SELECT sum(sha) FROM (SELECT length(sha2(concat(a.s, b.s), 512)) sha "
    "FROM numbers a CROSS JOIN numbers b) c"
)
ALLOW_CROSS = {
    "databricks.session_conf.hive.strict.checks.cartesian.product": "false",
    "databricks.session_conf.hive.mapred.mode": "nonstrict",
}

pytestmark = pytest.mark.timeout(240, method="thread")


@pytest.fixture(scope="module")
def conn(hive: Engine) -> Iterator[AdbcConnection]:
    folder = hive.work / "numbers"
    folder.mkdir()
    (folder / "rows").write_text("".join(f"{n},row {n}\n" for n in range(ROWS)))
    with connected(hive, ALLOW_CROSS) as made:
        update(
            made,
            "CREATE EXTERNAL TABLE numbers (id BIGINT, s STRING) ROW FORMAT DELIMITED "
            f"FIELDS TERMINATED BY ',' LOCATION 'file://{folder}'",
        )
        yield made


# --- slow reads ------------------------------------------------------------------------------


@dataclass
class Outcome:
    rows: list[int] = field(default_factory=list)
    error: Error | None = None
    statistics: dict = field(default_factory=dict)


def each(reads: list[Read], seen: list[Outcome], count: int) -> None:
    for read, outcome in zip(reads, seen):
        if outcome.error is not None:
            continue
        try:
            outcome.rows += read.rows(count) if count else read.rest()
        except Error as error:
            outcome.error = error


def slow_reads(hive: Engine, options: dict[str, str], readers: int) -> list[Outcome]:
    """So many readers on one connection: a few rows, a pause, a page, a pause, the rest. Two
    of them read the result of a job."""
    with connected(hive, PAGED, options) as conn:
        reads = [run(conn, JOB if n < 2 else PLAIN) for n in range(readers)]
        seen = [Outcome() for _ in reads]
        each(reads, seen, 10)
        time.sleep(PAUSE)
        each(reads, seen, PAGE)
        time.sleep(PAUSE)
        each(reads, seen, 0)
        for read, outcome in zip(reads, seen):
            outcome.statistics = statistics(read)
            read.close()
    return seen


CASES = {
    "auto": (heartbeat(1), READERS),
    "metadata": (heartbeat(1, probe="metadata"), READERS),
    "status": (heartbeat(1, probe="status"), 4),
    "off": (heartbeat(1, enabled="false"), 4),
}


@pytest.fixture(scope="module")
def outcomes(hive: Engine, conn: AdbcConnection) -> dict[str, list[Outcome]]:
    running = Parallel(
        {
            name: lambda options=options, readers=readers: slow_reads(hive, options, readers)
            for name, (options, readers) in CASES.items()
        }
    )
    return {name: running[name] for name in CASES}


@pytest.mark.parametrize("name", ["auto", "metadata"])
def test_slow_readers_survive(outcomes: dict[str, list[Outcome]], name: str) -> None:
    assert len(outcomes[name]) == READERS
    for seen in outcomes[name]:
        assert seen.error is None
        assert seen.rows == list(range(ROWS))
        assert seen.statistics["probes_succeeded"] >= 2 * (PAUSE - 4)
        assert seen.statistics["probes_failed"] == 0


@pytest.mark.parametrize("name", ["off", "status"])
def test_slow_readers_are_lost(outcomes: dict[str, list[Outcome]], name: str) -> None:
    """Without a heartbeat, and with one that means nothing to this server."""
    for seen in outcomes[name]:
        assert seen.error is not None, f"{len(seen.rows)} rows"
        assert seen.rows == list(range(len(seen.rows))) and len(seen.rows) < ROWS
        assert seen.error.status_code == AdbcStatusCode.IO
        assert seen.error.sqlstate == "24000"
        text = str(seen.error)
        assert "Invalid OperationHandle" in text, text
        assert "databricks.heartbeat." in text, text
        wanted = "disabled" if name == "off" else "handle_lost"
        assert seen.statistics["reason"] == wanted


def test_probe_that_would_lose_rows_is_refused(hive: Engine, conn: AdbcConnection) -> None:
    with connected(hive, heartbeat(1, probe="fetch0")) as other:
        with pytest.raises(Error) as caught:
            run(other, PLAIN)
    assert caught.value.status_code == AdbcStatusCode.INVALID_ARGUMENT
    text = str(caught.value)
    assert "databricks.heartbeat.probe" in text and "metadata" in text


# --- connecting and reading ------------------------------------------------------------------


def test_kind_is_learnt(conn: AdbcConnection) -> None:
    assert conn.get_option("databricks.server_kind") == "hive"


def test_session_settings(hive: Engine) -> None:
    conf = {
        "databricks.session_conf.hive.query.name": "lakebeat",
        "databricks.schema": "default",
    }
    with connected(hive, conf) as other:
        assert value(other, "SET hive.query.name") == "hive.query.name=lakebeat"
        assert value(other, "SELECT current_database()") == "default"


def test_unknown_session_conf_is_refused(hive: Engine) -> None:
    with database(hive, {"databricks.session_conf.hive.nope.x": "1"}) as db:
        with pytest.raises(Error) as caught:
            AdbcConnection(db).close()
    assert "hive.nope.x" in str(caught.value)


@pytest.mark.parametrize("sql", [PLAIN, JOB])
@pytest.mark.parametrize("rows", [1_000, PAGE, 1_000_000])
def test_pages(conn: AdbcConnection, sql: str, rows: int) -> None:
    """Also when more rows are asked for than the server gives at once."""
    with run(conn, sql, {"databricks.max_rows_per_fetch": str(rows)}) as read:
        assert read.rest() == list(range(ROWS))


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 100])
def test_null_bitmaps(conn: AdbcConnection, rows: int) -> None:
    for sql, wanted in (
        (f"IF(id = {rows - 1}, NULL, id)", lambda n: None if n == rows - 1 else n),
        ("IF(id = 0, NULL, id)", lambda n: n or None),
        ("IF(id % 2 = 0, NULL, s)", lambda n: f"row {n}" if n % 2 else None),
        ("CAST(NULL AS STRING)", lambda n: None),
        ("id", lambda n: n),
    ):
        with run(conn, f"SELECT {sql} AS v FROM numbers WHERE id < {rows}") as read:
            assert read.rest() == [wanted(n) for n in range(rows)], sql


def test_result_without_rows(conn: AdbcConnection) -> None:
    with run(conn, "SELECT id, 'x' AS s FROM numbers WHERE id < 0") as read:
        found = table_of(read)
    assert found.num_rows == 0 and found.schema.names == ["id", "s"]


def test_statement_without_result(conn: AdbcConnection) -> None:
    with run(conn, "USE default") as read:
        assert read.rest() == []
    assert update(conn, "CREATE TABLE IF NOT EXISTS empty (a INT)") in (0, -1)


# --- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "sqlstate", "status", "part"),
    [
        ("SELEC 1", "42000", AdbcStatusCode.INVALID_ARGUMENT, "SELEC"),
        ("SELECT * FROM nowhere", "42S02", AdbcStatusCode.NOT_FOUND, "nowhere"),
        ("SELECT nothing_like_it FROM numbers", "42000", AdbcStatusCode.INVALID_ARGUMENT,
         "nothing_like_it"),
        ("SELECT assert_true(id < 5) FROM numbers", "HY000", None, "ASSERT_TRUE"),
        ("SELECT id FROM numbers WHERE assert_true(id < 5) IS NULL GROUP BY id", None, None, "MapRedTask"),
    ],
)  # fmt: skip
def test_error(
    conn: AdbcConnection, sql: str, sqlstate: str | None, status: AdbcStatusCode | None, part: str
) -> None:
    with pytest.raises(Error) as caught:
        with run(conn, sql) as read:
            read.rest()
    error, text = caught.value, str(caught.value)
    assert sqlstate is None or error.sqlstate == sqlstate
    assert status is None or error.status_code == status
    assert part in text
    for java in ("\tat ", "HiveSQLException", ".java:", "infoMessages"):
        assert java not in text
    assert value(conn, "SELECT 1") == 1


def test_statement_that_takes_too_long(conn: AdbcConnection) -> None:
    since = time.monotonic()
    with pytest.raises(Error) as caught:
        run(conn, ENDLESS, {"databricks.query_timeout_seconds": "2"})
    assert caught.value.status_code == AdbcStatusCode.TIMEOUT
    assert "databricks.query_timeout_seconds" in str(caught.value)
    assert time.monotonic() - since < 30


# --- cancel and close ------------------------------------------------------------------------


def test_cancel(conn: AdbcConnection) -> None:
    with AdbcStatement(conn) as stmt:
        stmt.set_sql_query(ENDLESS)
        task = Task(execute, stmt)
        time.sleep(1)
        assert task.running
        stmt.cancel()
        error = task.failure(10)
        assert error.status_code == AdbcStatusCode.CANCELLED
        assert error.sqlstate == "HY008"
    assert value(conn, "SELECT 1") == 1


def test_eight_threads_on_one_connection(conn: AdbcConnection) -> None:
    def read_on(n: int) -> None:
        for _ in range(3):
            sql = f"SELECT id + {n} AS id FROM numbers WHERE id < 5000"
            with run(conn, sql, {"databricks.max_rows_per_fetch": "1000"}) as read:
                assert read.rest() == [n + at for at in range(5000)]

    for task in [Task(read_on, n) for n in range(8)]:
        task.result(60)
