# SPDX-License-Identifier: Apache-2.0
"""What holds of every Databricks SQL warehouse, real or local. Nothing is written."""

from __future__ import annotations

import datetime
import decimal
import math
import time

import pytest
from harness import (
    AdbcConnection,
    AdbcStatement,
    AdbcStatusCode,
    Error,
    Task,
    connected,
    details,
    execute,
    heartbeat,
    run,
    table_of,
    update,
    value,
)
from server import Live

PAGED = {"databricks.max_rows_per_fetch": "10000"}
ROWS = 100_000
MANY = f"SELECT id FROM range({ROWS})"
COLUMNS = {"databricks.arrow": "off"}
FORMS = {"arrow": {}, "columns": COLUMNS}

pytestmark = pytest.mark.timeout(1200, method="thread")

D = decimal.Decimal

VALUES = [
    ("true", True),
    ("CAST(-128 AS TINYINT)", -128),
    ("CAST(200 AS SMALLINT)", 200),
    ("CAST(7 AS INT)", 7),
    ("CAST(9000000000 AS BIGINT)", 9_000_000_000),
    ("CAST(1.5 AS FLOAT)", 1.5),
    ("CAST(0.1 AS DOUBLE)", 0.1),
    ("CAST('Infinity' AS DOUBLE)", math.inf),
    ("CAST(12.34 AS DECIMAL(10,3))", D("12.340")),
    ("CAST('-99999999999999999999999999999999999999' AS DECIMAL(38,0))",
     D("-99999999999999999999999999999999999999")),
    ("'Zürich 😀'", "Zürich 😀"),
    ("''", ""),
    ("X'00FF41'", b"\x00\xffA"),
    ("DATE'2024-02-29'", datetime.date(2024, 2, 29)),
    ("DATE'0001-01-01'", datetime.date(1, 1, 1)),
    ("TIMESTAMP'2024-02-29 12:34:56.789Z'",
     datetime.datetime(2024, 2, 29, 12, 34, 56, 789_000, datetime.timezone.utc)),
    ("INTERVAL '1 02:03:04.5' DAY TO SECOND", datetime.timedelta(1, 7384, 500_000)),
]  # fmt: skip


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize(("sql", "wanted"), VALUES, ids=[row[0][:30] for row in VALUES])
def test_value(conn: AdbcConnection, sql: str, wanted: object, form: str) -> None:
    with run(conn, f"SELECT {sql} AS v UNION ALL SELECT NULL", FORMS[form]) as read:
        found = sorted(table_of(read).column(0).to_pylist(), key=lambda v: v is None)
    assert found == [wanted, None]


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_row_once(conn: AdbcConnection, form: str) -> None:
    with run(conn, MANY, PAGED, FORMS[form]) as read:
        assert sorted(read.rest()) == list(range(ROWS))


def test_query_id(conn: AdbcConnection) -> None:
    with run(conn, "SELECT 1") as read:
        assert len(read.query_id) == 36


@pytest.mark.parametrize(
    ("sql", "sqlstate", "error_class"),
    [
        ("SELEC 1", "42601", "PARSE_SYNTAX_ERROR"),
        ("SELECT * FROM nowhere_at_all", "42P01", "TABLE_OR_VIEW_NOT_FOUND"),
        ("SELECT CAST('x' AS INT)", "22018", "CAST_INVALID_INPUT"),
        ("SELECT 1 / 0", "22012", "DIVIDE_BY_ZERO"),
    ],
)
def test_error(conn: AdbcConnection, sql: str, sqlstate: str, error_class: str) -> None:
    with pytest.raises(Error) as caught:
        with run(conn, sql) as read:
            read.rest()
    assert caught.value.sqlstate == sqlstate
    assert details(caught.value)["error_class"] == error_class
    assert len(details(caught.value)["query_id"]) == 36


def test_wrong_token(live: Live) -> None:
    with pytest.raises(Error) as caught:
        with connected(live, {"databricks.access_token": "dapi-of-nobody"}):
            pass
    assert caught.value.status_code == AdbcStatusCode.UNAUTHENTICATED
    assert "dapi-of-nobody" not in str(caught.value)


def test_cancel(conn: AdbcConnection) -> None:
    with AdbcStatement(conn) as stmt:
        stmt.set_sql_query("SELECT count(*) FROM range(100000000000)")
        task = Task(execute, stmt)
        time.sleep(1)
        assert task.running
        stmt.cancel()
        assert task.failure(5).status_code == AdbcStatusCode.CANCELLED
    assert value(conn, "SELECT 1") == 1


def test_session_settings(live: Live) -> None:
    with connected(live, {"databricks.session_conf.timezone": "Asia/Tokyo"}) as conn:
        assert value(conn, "SELECT current_timezone()") == "Asia/Tokyo"
        update(conn, "SET TIME ZONE 'UTC'")
        assert value(conn, "SELECT current_timezone()") == "UTC"


def test_kind_is_learnt(conn: AdbcConnection) -> None:
    assert conn.get_option("databricks.server_kind") == "databricks"


@pytest.mark.timeout(10_000, method="thread")
def test_idle_matrix(live: Live) -> None:
    """{Arrow, columns} x {heartbeat, none}: a page, a pause, a page, a pause, the rest. All at
    the same time, since a pause may take half an hour."""
    off = heartbeat(live.interval, enabled="false")
    cases = {
        "arrow on": {**heartbeat(live.interval)},
        "columns on": {**heartbeat(live.interval), **COLUMNS},
        "arrow off": {**off},
        "columns off": {**off, **COLUMNS},
    }
    small = {"databricks.max_rows_per_fetch": "10"}
    with connected(live, small) as conn:
        reads = {name: run(conn, "SELECT id FROM range(60)", o) for name, o in cases.items()}
        lasting = [reads[name].query_id for name in cases if name.endswith("on")]
        rows = {name: read.rows(10) for name, read in reads.items()}
        for last in (False, True):
            live.pause(lasting)
            for name, read in reads.items():
                if name.endswith("on"):
                    rows[name] += read.rest() if last else read.rows(10)
                elif not last:
                    with pytest.raises(Error) as caught:
                        read.rest()
                    assert caught.value.sqlstate == "24000"
                    assert details(caught.value)["http_status"] == "404"
                    assert details(caught.value)["error_class"] == "RESOURCE_DOES_NOT_EXIST"
                    assert "databricks.heartbeat.enabled" in str(caught.value)
        for name, read in reads.items():
            if name.endswith("on"):
                assert sorted(rows[name]) == list(range(60)), name
                assert read.number("probes_sent") >= 2
                assert read.number("probes_failed") == 0
            read.close()
