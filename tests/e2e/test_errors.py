# SPDX-License-Identifier: Apache-2.0
"""What a server refuses reaches the application with its SQLSTATE and class, and a message that
names the statement and shows neither a secret nor a stack; docs/ERRORS.md has the tables."""

from __future__ import annotations

import re

import pytest
from harness import (
    PAGED,
    AdbcStatement,
    AdbcStatusCode,
    Error,
    Task,
    Warehouse,
    connected,
    details,
    execute,
    fails,
    run,
    until,
    update,
    value,
)

S = AdbcStatusCode
QUERY_ID = re.compile(r"query id ([0-9a-f-]{36}), statement: ")

STATEMENTS = [
    ("SELEC 1", S.INVALID_ARGUMENT, "42601", "PARSE_SYNTAX_ERROR"),
    ("SELECT * FROM no_such_table", S.NOT_FOUND, "42P01", "TABLE_OR_VIEW_NOT_FOUND"),
    ("SELECT no_such_column FROM range(1)", S.INVALID_ARGUMENT, "42703",
     "UNRESOLVED_COLUMN.WITH_SUGGESTION"),
    ("SELECT 1 / 0", S.INVALID_DATA, "22012", "DIVIDE_BY_ZERO"),
    ("SELECT CAST('abc' AS INT)", S.INVALID_DATA, "22018", "CAST_INVALID_INPUT"),
    ("SELECT raise_error('boom')", S.UNKNOWN, "P0001", "USER_RAISED_EXCEPTION"),
    # What a statement says of itself is no lost handle.
    ("SELECT raise_error('Invalid OperationHandle: operation not found')", S.UNKNOWN, "P0001",
     "USER_RAISED_EXCEPTION"),
]  # fmt: skip


def check(error: Error, status: AdbcStatusCode, sqlstate: str, *texts: str) -> None:
    said = str(error)
    assert (error.status_code, error.sqlstate) == (status, sqlstate), said
    for text in texts:
        assert text in said
    assert "\tat " not in said and "Exception" not in said


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("personality", ["databricks", "spark"])
def test_statements_that_fail(warehouse_of, personality: str, direct: bool) -> None:
    w = warehouse_of(personality)
    w.settings(direct_results=direct)
    with connected(w) as conn:
        for sql, status, sqlstate, error_class in STATEMENTS:
            error = fails(20, run, conn, sql)
            shown = re.sub("'[^']*'", "'...'", sql)
            check(error, status, sqlstate, f"statement: {shown}", error_class)
            found = details(error)
            assert found["error_class"] == error_class
            assert found["retryable"] == "false"
            if query_id := found.get("query_id"):
                assert QUERY_ID.search(str(error))[1] == query_id
        assert value(conn, "SELECT 7") == 7


def test_a_long_statement_is_named_in_short_and_without_its_secrets(w: Warehouse) -> None:
    sql = "SELECT 'hunter2',\n\t  no_such_column, " + "x, " * 2000 + "'hunter3' FROM range(1)"
    with connected(w) as conn:
        error = fails(20, run, conn, sql)
    said = str(error)[str(error).index("statement: ") :]
    assert said.startswith("statement: SELECT '...', no_such_column, x, x, ")
    assert "hunter" not in said and " ...)" in said
    assert len(str(error)) < 1400


def test_an_update_that_fails(w: Warehouse) -> None:
    with connected(w) as conn:
        error = fails(20, update, conn, "INSERT INTO no_such_table VALUES (1)")
    check(error, S.NOT_FOUND, "42P01", "statement: INSERT INTO no_such_table")


REPLIES = [
    ({"kind": "unauthorized"}, S.UNAUTHENTICATED, "28000", "401", "databricks.access_token"),
    ({"kind": "status", "code": 401}, S.UNAUTHENTICATED, "28000", "401", "access_token"),
    ({"kind": "status", "code": 403}, S.UNAUTHORIZED, "42501", "403", "IP access list"),
    ({"kind": "status", "code": 404}, S.IO, "08S01", "404", "path of the uri"),
    ({"kind": "status", "code": 429, "retry_after": 1}, S.IO, "08004", "429", "retry_timeout"),
    ({"kind": "status", "code": 503, "retry_after": 1}, S.IO, "08004", "503", "retry_timeout"),
    ({"kind": "status", "code": 500}, S.IO, "08S01", "500", "HTTP 500"),
    ({"kind": "html"}, S.IO, "08P01", "200", "login page"),
    ({"kind": "error", "sqlstate": "42501", "message": "no right"}, S.UNAUTHORIZED, "42501", "",
     "no right"),
    ({"kind": "error", "sqlstate": "0A000", "message": "cannot"}, S.NOT_IMPLEMENTED, "0A000", "",
     "cannot"),
]  # fmt: skip


@pytest.mark.parametrize("fault, status, sqlstate, http, text", REPLIES, ids=lambda x: str(x)[:40])
def test_replies_that_are_no_answer(w: Warehouse, fault, status, sqlstate, http, text) -> None:
    with connected(w, {"databricks.retry_timeout_seconds": "1"}) as conn:
        w.fault(fault, "ExecuteStatement", times=0)
        error = fails(20, run, conn, "SELECT 'here'")
        check(error, status, sqlstate, text, "statement: SELECT '...'")
        assert details(error).get("http_status", "") == http
        assert w.token not in str(error)
        w.clear_faults()
        assert value(conn, "SELECT 7") == 7


@pytest.mark.parametrize("code", [401, 403, 404, 503])
def test_connecting_fails(w: Warehouse, code: int) -> None:
    w.fault({"kind": "status", "code": code}, "OpenSession", times=0)
    wanted = {401: S.UNAUTHENTICATED, 403: S.UNAUTHORIZED, 404: S.IO, 503: S.IO}[code]

    def connect() -> None:
        with connected(w, {"databricks.retry_timeout_seconds": "1"}):
            pass

    error = fails(20, connect)
    assert error.status_code == wanted
    assert "OpenSession" in str(error) and f"HTTP {code}" in str(error)


def test_a_handle_that_is_not_known(w: Warehouse) -> None:
    with connected(w) as conn, run(conn, "SELECT id FROM range(60)", PAGED) as read:
        assert read.rows(10) == list(range(10))
        w.fault("unknown_handle", "FetchResults", times=0)
        error = fails(20, read.rest)
        check(error, S.IO, "24000", read.query_id)
        w.clear_faults()


def test_a_time_limit(w: Warehouse) -> None:
    with connected(w, {"databricks.query_timeout_seconds": "1"}) as conn:
        error = fails(20, run, conn, "SELECT count(*) FROM range(100000000000)")
    assert error.status_code == S.TIMEOUT
    assert error.sqlstate in ("HYT00", "57KD0")
    assert "databricks.query_timeout_seconds = 1" in str(error)


def test_a_cancelled_statement(w: Warehouse) -> None:
    with connected(w) as conn, AdbcStatement(conn) as stmt:
        w.fault({"kind": "hold"}, "GetOperationStatus", times=0)
        w.settings(direct_wait_ms=0)
        stmt.set_sql_query("SELECT count(*) FROM range(100000000000)")
        task = Task(execute, stmt)
        w.wait("status", 1)
        stmt.cancel()
        error = task.failure(10)
        check(error, S.CANCELLED, "HY008", "cancelled")
        w.clear_faults()
        w.release()
        until("ended", lambda: not w.operations(open_only=True))


def test_wrong_use(w: Warehouse) -> None:
    with connected(w) as conn, AdbcStatement(conn) as stmt:
        assert fails(5, execute, stmt).status_code == S.INVALID_STATE
        for handle in (conn, stmt):
            error = fails(5, lambda: handle.set_options(**{"no.such.option": "1"}))
            assert error.status_code == S.NOT_IMPLEMENTED
            assert "no.such.option" in str(error)
            for read in (handle.get_option, handle.get_option_int, handle.get_option_float):
                error = fails(5, read, "no.such.option")
                assert error.status_code == S.NOT_FOUND
                assert "no.such.option" in str(error)
        error = fails(
            5, lambda: stmt.set_options(**{"databricks.heartbeat.interval_seconds": "x"})
        )
        assert error.status_code == S.INVALID_ARGUMENT
        assert "databricks.heartbeat.interval_seconds" in str(error)
