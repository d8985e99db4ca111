# SPDX-License-Identifier: Apache-2.0
"""Cancel comes from another thread, at any moment: the caller returns at once, and the server
is told even when it has not yet said which operation it is."""

from __future__ import annotations

import contextlib
import time

import pytest
from harness import (
    PAGED,
    AdbcConnection,
    AdbcStatement,
    AdbcStatusCode,
    Error,
    Task,
    Warehouse,
    connected,
    execute,
    heartbeat,
    held,
    run,
    statistics,
    value,
)

SIXTY = "SELECT id FROM range(60)"
ENDLESS = "SELECT count(*) FROM range(100000000000)"
# Less than any reply here is held, and enough for a busy machine.
AT_ONCE = 1.5


def cancelled(task: Task, since: float) -> None:
    error = task.failure(5)
    assert time.monotonic() - since < AT_ONCE
    assert error.status_code == AdbcStatusCode.CANCELLED
    assert error.sqlstate == "HY008"


def only_operation(w: Warehouse) -> str:
    (op,) = w.operations()
    return op["id"]


def test_cancel_while_the_reply_of_execute_is_held(w: Warehouse) -> None:
    w.settings(direct_wait_ms=0)
    with connected(w) as conn, AdbcStatement(conn) as stmt:
        w.fault({"kind": "hold", "ms": 2000}, "ExecuteStatement")
        stmt.set_sql_query(ENDLESS)
        task = Task(execute, stmt)
        held(w)
        time.sleep(0.01)
        since = time.monotonic()
        stmt.cancel()
        cancelled(task, since)
        # The handle is learnt when the reply comes: then the server is told.
        operation = only_operation(w)
        w.wait("cancelled", operation=operation)
        w.wait("closed", operation=operation)
        # The statement works on.
        read = execute(stmt, "SELECT 5")
        assert read.rest() == [5]
        read.release_stream()


def test_release_of_all_while_the_reply_of_execute_is_held(w: Warehouse) -> None:
    """Nothing is left running even when everything is released right after the cancel."""
    w.settings(direct_wait_ms=0)
    with connected(w) as conn:
        with AdbcStatement(conn) as stmt:
            w.fault({"kind": "hold", "ms": 400}, "ExecuteStatement")
            stmt.set_sql_query(ENDLESS)
            task = Task(execute, stmt)
            held(w)
            since = time.monotonic()
            stmt.cancel()
            cancelled(task, since)
    w.wait("operations_open", 0, at_most=True)
    w.wait("sessions_open", 0, at_most=True)
    assert w.stats()["evictions"] == 0


def test_cancel_while_polling(w: Warehouse) -> None:
    w.settings(direct_wait_ms=0)
    with connected(w) as conn, AdbcStatement(conn) as stmt:
        stmt.set_sql_query(ENDLESS)
        task = Task(execute, stmt)
        w.wait("status")
        since = time.monotonic()
        stmt.cancel()
        cancelled(task, since)
        operation = only_operation(w)
        w.wait("cancelled", operation=operation)
        w.wait("closed", operation=operation)
        assert value(conn, "SELECT 1") == 1


def test_cancel_while_a_result_is_made(warehouse_of) -> None:
    """A server that cannot describe a result is asked for its first page before execute returns:
    that is a part of the execution too."""
    w = warehouse_of("spark")
    with connected(w) as conn, AdbcStatement(conn) as stmt:
        w.fault("error", "GetResultSetMetadata")
        w.fault("hang", "FetchResults")
        stmt.set_sql_query(SIXTY)
        task = Task(execute, stmt)
        held(w)
        since = time.monotonic()
        stmt.cancel()
        cancelled(task, since)
        w.wait("operations_open", 0, at_most=True)
        assert len(execute(stmt).rest()) == 60


def test_cancel_while_fetching(w: Warehouse) -> None:
    with connected(w, PAGED) as conn, AdbcStatement(conn) as stmt:
        w.fault("hang", "FetchResults", {"nth": 2}, times=0)
        read = execute(stmt, SIXTY)
        operation = read.query_id
        task = Task(read.rest)
        held(w)
        time.sleep(0.05)
        since = time.monotonic()
        stmt.cancel()
        cancelled(task, since)
        # The statement had finished, so the request is what shows, not its state.
        w.wait("cancel", operation=operation)
        w.wait("closed", operation=operation)
        with pytest.raises(Error) as caught:
            read.batch()
        assert caught.value.status_code == AdbcStatusCode.CANCELLED
        w.release()
        read.release_stream()


def test_cancel_of_a_parked_result(w: Warehouse) -> None:
    """Rule 5.1, 5.2: the heartbeat stops before the cancel is sent."""
    with connected(w, PAGED, heartbeat(1)) as conn, AdbcStatement(conn) as stmt:
        read = execute(stmt, SIXTY)
        operation = read.query_id
        assert read.rows(1) == [0]
        w.wait("probe", 1, operation=operation)
        stmt.cancel()
        w.wait("closed", operation=operation)
        seen = statistics(read)
        assert (seen["state"], seen["reason"]) == ("stopped", "canceled")
        with pytest.raises(Error) as caught:
            read.rest()
        assert caught.value.status_code == AdbcStatusCode.CANCELLED
        read.release_stream()
        told = w.requests(operation=operation, limit=5000)
        ended = [r["number"] for r in told if r["rpc"] == "CancelOperation"]
        probes = [r["number"] for r in told if r["probe"]]
        assert ended and max(probes) < min(ended)


def test_cancel_of_nothing(w: Warehouse) -> None:
    with connected(w) as conn, AdbcStatement(conn) as stmt:
        for handle in (stmt, conn):
            with pytest.raises(Error) as caught:
                handle.cancel()
            assert caught.value.status_code == AdbcStatusCode.INVALID_STATE
        read = execute(stmt, "SELECT 1")
        assert read.rest() == [1]
        read.release_stream()
        with pytest.raises(Error) as caught:
            stmt.cancel()
        assert caught.value.status_code == AdbcStatusCode.INVALID_STATE
        assert value(conn, "SELECT 2") == 2
    assert w.stats()["cancels"] == 0


def test_cancel_hits_one_statement_only(w: Warehouse) -> None:
    with connected(w, PAGED) as conn:
        other = run(conn, SIXTY)
        assert other.rows(1) == [0]
        w.settings(direct_wait_ms=0)
        with AdbcStatement(conn) as stmt:
            stmt.set_sql_query(ENDLESS)
            task = Task(execute, stmt)
            w.wait("status")
            since = time.monotonic()
            stmt.cancel()
            cancelled(task, since)
        assert other.rest() == list(range(1, 60))
        other.close()


@pytest.mark.parametrize("personality", ["databricks", "spark", "hive"])
def test_statement_that_takes_too_long(warehouse_of, personality: str) -> None:
    w = warehouse_of(personality)
    limit = {"databricks.query_timeout_seconds": "1"}
    with connected(w, {"databricks.request_timeout_seconds": "10"}) as conn:
        since = time.monotonic()
        with pytest.raises(Error) as caught:
            run(conn, ENDLESS, limit)
        assert time.monotonic() - since < 4
        assert caught.value.status_code == AdbcStatusCode.TIMEOUT
        # Databricks sends a SQLSTATE of its own, which is passed on; the others send none.
        own = "57KD0" if personality == "databricks" else "HYT00"
        assert caught.value.sqlstate == own
        assert "databricks.query_timeout_seconds" in str(caught.value)
        assert value(conn, "SELECT 1") == 1
        w.wait("operations_open", 0, at_most=True)


def test_cancel_storm(w: Warehouse) -> None:
    """At every moment of a short life: either it succeeded or it says that it was cancelled."""
    with connected(w, PAGED) as conn:
        verdicts = {"read": 0, "cancelled": 0}
        for n in range(60):
            with AdbcStatement(conn) as stmt:
                stmt.set_sql_query(SIXTY)

                def read_all(stmt: AdbcStatement = stmt) -> list[int]:
                    read = execute(stmt)
                    try:
                        return read.rest()
                    finally:
                        read.release_stream()

                task = Task(read_all)
                time.sleep(n * 0.0003)
                try:
                    stmt.cancel()
                except Error as error:
                    assert error.status_code == AdbcStatusCode.INVALID_STATE
                task.ended(5)
                if task.error is None:
                    assert task.result(0) == list(range(60))
                    verdicts["read"] += 1
                else:
                    assert isinstance(task.error, Error), task.error
                    assert task.error.status_code == AdbcStatusCode.CANCELLED, task.error
                    verdicts["cancelled"] += 1
        assert verdicts["cancelled"] > 0
    w.wait("operations_open", 0, at_most=True)
    w.wait("sessions_open", 0, at_most=True)


def test_cancel_while_connecting(w: Warehouse) -> None:
    """There is no handle to cancel through while a connection is made, so it has a deadline;
    a session that the server opens for nobody is closed."""
    from harness import database

    with database(w) as db:
        w.fault({"kind": "hold", "ms": 4000}, "OpenSession")
        with pytest.raises(Error) as caught:
            AdbcConnection(db)
        assert "databricks.request_timeout_seconds" in str(caught.value)
        w.clear_faults()


#: Where a statement is when it is cancelled or runs out of time: the RPC that does not answer,
#: and what else has to be so that it is met.
STAGES = {
    "executing": ("databricks", "ExecuteStatement", {}),
    "polling": ("databricks", "GetOperationStatus", {"direct_wait_ms": 0, "running_ms": 100}),
    "describing": ("spark", "GetResultSetMetadata", {}),
    "fetching": ("spark", "FetchResults", {}),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", ["hang", "hold"])
def test_cancel_at_every_stage(warehouse_of, stage: str, kind: str) -> None:
    """The caller returns at once, nothing is left on the server, and the statement works on."""
    personality, rpc, settings = STAGES[stage]
    w = warehouse_of(personality)
    if settings:
        w.settings(**settings)
    with connected(w) as conn, AdbcStatement(conn) as stmt:
        w.fault(kind, {"rpc": rpc, "probe": False})
        stmt.set_sql_query(SIXTY)

        def read_all() -> list[int]:
            read = execute(stmt)
            try:
                return read.rest()
            finally:
                read.release_stream()

        task = Task(read_all)
        held(w)
        since = time.monotonic()
        stmt.cancel()
        cancelled(task, since)
        w.release()
        w.clear_faults()
        w.wait("operations_open", 0, at_most=True, timeout=5)
        w.wait("operations_open", 0, at_most=True, timeout=5)
        assert len(read_all()) == 60


def test_time_limit_at_every_stage(warehouse_of) -> None:
    """The driver ends the wait when the server does not, a little after the limit."""
    limit = {"databricks.query_timeout_seconds": "1"}
    patient = {"databricks.request_timeout_seconds": "30"}
    tasks = {}
    with contextlib.ExitStack() as stack:
        for stage, (personality, rpc, settings) in STAGES.items():
            w = stack.enter_context(Warehouse(personality=personality, no_samples=True))
            if settings:
                w.settings(**settings)
            conn = stack.enter_context(connected(w, patient, limit))
            w.fault("hang", {"rpc": rpc, "probe": False}, times=0)

            def read_all(conn: AdbcConnection = conn) -> list[int]:
                with run(conn, SIXTY) as read:
                    return read.rest()

            tasks[stage] = Task(read_all)
        for stage, task in tasks.items():
            error = task.failure(15)
            assert error.status_code == AdbcStatusCode.TIMEOUT, stage
            assert "databricks.query_timeout_seconds" in str(error), stage


def test_cancel_before_and_after(w: Warehouse) -> None:
    """What is cancelled before it begins or after its end is not cancelled: it runs, or has."""
    with connected(w) as conn, AdbcStatement(conn) as stmt:
        stmt.set_sql_query("SELECT 1")
        for _ in range(3):
            with pytest.raises(Error) as caught:
                stmt.cancel()
            assert caught.value.status_code == AdbcStatusCode.INVALID_STATE
            read = execute(stmt)
            assert read.rest() == [1]
            read.release_stream()


def test_cancel_while_closing(w: Warehouse) -> None:
    with connected(w, PAGED) as conn, AdbcStatement(conn) as stmt:
        w.fault("hang", "CloseOperation", times=0)
        read = execute(stmt, SIXTY)
        assert read.rows(1) == [0]
        read.release_stream()
        held(w)
        with pytest.raises(Error) as caught:
            stmt.cancel()
        assert caught.value.status_code == AdbcStatusCode.INVALID_STATE
        w.clear_faults()
        w.release()


def test_cancel_of_a_call_on_the_connection(w: Warehouse) -> None:
    with connected(w) as conn:
        w.fault("hang", "GetInfo")
        task = Task(conn.get_info)
        held(w)
        since = time.monotonic()
        conn.cancel()
        cancelled(task, since)
        conn.get_info()
