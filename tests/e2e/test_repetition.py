# SPDX-License-Identifier: Apache-2.0
"""Nothing that changes the server is sent twice. HTTP libraries repeat a request by themselves
when a reused connection closes before a byte of the reply; what must not run twice must be
out of their reach."""

from __future__ import annotations

import pytest
from harness import (
    PAGED,
    AdbcStatusCode,
    Warehouse,
    connected,
    details,
    fails,
    run,
    update,
    value,
    within,
)

LOSE = {"kind": "read_then_close", "reused": True}


def test_insert_whose_reply_is_lost_has_run_once(w: Warehouse) -> None:
    with connected(w) as conn:
        update(conn, "CREATE OR REPLACE TABLE repetition (a INT)")
        fault = w.fault(LOSE, {"rpc": "ExecuteStatement", "statement": "^INSERT"}, times=0)
        error = fails(6, update, conn, "INSERT INTO repetition VALUES (1)")
        assert w.fault_taken(fault) == 1, "it was sent again"
        w.clear_faults()
        assert value(conn, "SELECT count(*) FROM repetition") == 1
        assert error.status_code == AdbcStatusCode.IO
        assert error.sqlstate == "08007"
        text = str(error)
        assert "known" in text and "ExecuteStatement" in text, text
        assert details(error).get("retryable") != "true"


def test_fetch_whose_reply_is_lost_is_not_repeated(w: Warehouse) -> None:
    with connected(w, PAGED) as conn:
        with run(conn, "SELECT id FROM range(60)") as read:
            found = read.rows(10)
            fault = w.fault(LOSE, "FetchResults", times=0)

            def read_all() -> None:
                while batch := read.batch():
                    found.extend(batch)

            error = fails(6, read_all)
            assert w.fault_taken(fault) <= 1, "it was sent again"
            assert error.status_code == AdbcStatusCode.IO
            text = str(error)
            assert "FetchResults" in text, text
            assert "known" in text or "lost" in text, text
        assert found == list(range(len(found))) and len(found) < 60
        w.clear_faults()
        assert value(conn, "SELECT 1") == 1


@pytest.mark.parametrize("rpc", ["GetOperationStatus"])
def test_poll_whose_reply_is_lost_is_repeated(w: Warehouse, rpc: str) -> None:
    """A question may be asked again."""
    w.settings(running_ms=300, direct_wait_ms=0)
    with connected(w) as conn:
        assert value(conn, "SELECT 1") == 1
        fault = w.fault(LOSE, rpc)
        assert within(6, value, conn, "SELECT 7") == 7
        assert w.fault_taken(fault) == 1


@pytest.mark.parametrize("code", [429, 503])
def test_refused_execution_is_repeated_and_runs_once(w: Warehouse, code: int) -> None:
    """The server says that it has not run it."""
    with connected(w) as conn:
        update(conn, "CREATE OR REPLACE TABLE repetition (a INT)")
        fault = w.fault({"kind": "status", "code": code, "retry_after": 1}, {
            "rpc": "ExecuteStatement", "statement": "^INSERT"})
        assert within(6, update, conn, "INSERT INTO repetition VALUES (1)") == 1
        assert w.fault_taken(fault) == 1
        assert value(conn, "SELECT count(*) FROM repetition") == 1


@pytest.mark.parametrize("code", [500, 502, 504])
def test_execution_that_may_have_run_is_not_repeated(w: Warehouse, code: int) -> None:
    with connected(w) as conn:
        fault = w.fault({"kind": "status", "code": code}, "ExecuteStatement", times=0)
        error = fails(6, value, conn, "SELECT 1")
        assert w.fault_taken(fault) == 1
        assert details(error)["http_status"] == str(code)


def test_retry_after_as_a_date(w: Warehouse) -> None:
    with connected(w) as conn:
        w.fault({"kind": "status", "code": 503, "retry_after_date": 1}, "ExecuteStatement")
        assert within(6, value, conn, "SELECT 1") == 1


def test_retries_end_with_their_budget(w: Warehouse) -> None:
    with connected(w) as conn:
        fault = w.fault({"kind": "status", "code": 503}, "ExecuteStatement", times=0)
        error = fails(8, value, conn, "SELECT 1")
        assert w.fault_taken(fault) >= 2
        assert details(error)["http_status"] == "503"
        assert "databricks.retry_timeout_seconds" in str(error)


def test_retry_after_beyond_the_budget_is_not_waited_for(w: Warehouse) -> None:
    with connected(w) as conn:
        w.fault({"kind": "status", "code": 503, "retry_after": 600}, "ExecuteStatement", times=0)
        error = fails(6, value, conn, "SELECT 1")
        assert "databricks.retry_timeout_seconds" in str(error)
