# SPDX-License-Identifier: Apache-2.0
"""Nobody waits for a close but the last release, and that one not for long."""

from __future__ import annotations

import time

import pytest
from harness import (
    DRIVER,
    PAGED,
    AdbcConnection,
    AdbcDatabase,
    AdbcStatement,
    Error,
    Task,
    Warehouse,
    connected,
    database,
    heartbeat,
    held,
    nothing_left,
    run,
    value,
    within,
)

SIXTY = "SELECT id FROM range(60)"
# Less than the deadline of a close, and as much as can be for a busy machine.
AT_ONCE = 0.9


def test_release_while_close_hangs(w: Warehouse) -> None:
    with nothing_left():
        db = database(w, PAGED)
        conn = AdbcConnection(db)
        read = run(conn, SIXTY)
        assert read.rows(1) == [0]
        w.fault("hang", "CloseOperation", times=0)
        since = time.monotonic()
        read.release_stream()
        read.stmt.close()
        assert time.monotonic() - since < AT_ONCE
        held(w)
        assert w.stats()["held"] == 1, "the warehouse still holds the request"
        # The connection goes on while the close hangs.
        assert within(2, value, conn, "SELECT 1") == 1
        since = time.monotonic()
        conn.close()
        db.close()
        # Its deadline is one second; the close of the session is sent within it.
        assert time.monotonic() - since < 1.0 + AT_ONCE
    w.clear_faults()


def test_close_timeout_can_be_set_on_an_open_database(w: Warehouse) -> None:
    token = {"databricks.access_token": w.token}
    with nothing_left():
        db = AdbcDatabase(driver=DRIVER, uri=w.uri, **token)
        conn = AdbcConnection(db)
        db.set_options(**{"databricks.close_timeout_seconds": "0"})
        w.fault("hang", "CloseSession", times=0)
        since = time.monotonic()
        conn.close()
        db.close()
        assert time.monotonic() - since < AT_ONCE
    w.clear_faults()


def test_release_of_many_while_closes_hang(w: Warehouse) -> None:
    """The deadline is one for all, not one for each."""
    with nothing_left():
        db = database(w, PAGED)
        conn = AdbcConnection(db)
        reads = [run(conn, SIXTY) for _ in range(20)]
        for read in reads:
            read.rows(1)
        w.fault("hang", "CloseOperation", times=0)
        w.fault("hang", "CloseSession", times=0)
        since = time.monotonic()
        for read in reads:
            read.close()
        assert time.monotonic() - since < AT_ONCE
        conn.close()
        db.close()
        assert time.monotonic() - since < 1.0 + 2 * AT_ONCE
    w.clear_faults()


def test_hanging_closes_block_no_statement(w: Warehouse) -> None:
    """However many closes hang: statements, cancels and new sessions get through."""
    with connected(w, PAGED) as conn:
        reads = [run(conn, SIXTY) for _ in range(40)]
        for read in reads:
            read.rows(1)
        w.fault("hang", "CloseOperation", times=0)
        for read in reads:
            read.close()
        held(w)
        assert within(2, value, conn, "SELECT 1") == 1
        w.clear_faults()
    w.wait("operations_open", 0, at_most=True)


def test_many_statements_wait_for_the_server_at_once(w: Warehouse) -> None:
    """Statements that run on the server take nothing away from one another, and a cancel gets
    through at once."""
    w.settings(direct_wait_ms=5000)
    with connected(w, {"databricks.request_timeout_seconds": "20"}) as conn:
        assert value(conn, "SELECT 1") == 1
        w.settings(running_ms=5000)
        since = time.monotonic()
        tasks = [Task(value, conn, f"SELECT {n}") for n in range(40)]
        w.wait("execute", 41, timeout=10)
        assert time.monotonic() - since < 4.5
        for n, task in enumerate(tasks):
            assert task.result(15) == n


def test_close_timeout_of_zero_waits_for_nothing(w: Warehouse) -> None:
    with nothing_left():
        db = database(w, {"databricks.close_timeout_seconds": "0"})
        conn = AdbcConnection(db)
        w.fault("hang", "CloseSession", times=0)
        since = time.monotonic()
        conn.close()
        db.close()
        assert time.monotonic() - since < AT_ONCE
    w.clear_faults()


@pytest.mark.parametrize(
    "do",
    [
        "refuse", "garbage", "html", "reset", "truncate", "unknown_handle", "application_exception",
        {"kind": "status", "code": 500}, {"kind": "status", "code": 503, "retry_after": 1},
        {"kind": "error", "message": "no"},
    ],
)  # fmt: skip
def test_failed_close_leaves_the_others_alone(w: Warehouse, do: str | dict) -> None:
    """Rule 5.4: every other statement is still closed, every heartbeat still stopped."""
    with nothing_left():
        with database(w, PAGED, heartbeat(1)) as db, AdbcConnection(db) as conn:
            reads = [run(conn, SIXTY) for _ in range(4)]
            for read in reads:
                read.rows(1)
            ids = [read.query_id for read in reads]
            w.fault(do, {"rpc": "CloseOperation", "operation": ids[0]}, times=0)
            for read in reads:
                read.release_stream()
            for read, operation in zip(reads[1:], ids[1:]):
                w.wait("closed", operation=operation)
            for read in reads:
                assert read.option("state") == "stopped"
                read.stmt.close()
            assert conn.get_option_int("databricks.heartbeat.armed") == 0
            assert value(conn, "SELECT 1") == 1
        # The session is closed all the same, and takes the last operation with it.
        w.wait("sessions_open", 0, at_most=True)
        w.wait("operations_open", 0, at_most=True)
    w.clear_faults()


def test_everything_is_closed_without_being_read(w: Warehouse) -> None:
    with nothing_left():
        with connected(w, PAGED, heartbeat(1)) as conn:
            for rows in (0, 1, 10, 59):
                with run(conn, SIXTY) as read:
                    read.rows(rows)
            with AdbcStatement(conn) as stmt:
                stmt.set_sql_query(SIXTY)
        w.wait("sessions_open", 0, at_most=True)
        w.wait("operations_open", 0, at_most=True)
        assert w.stats()["evictions"] == 0


def test_connections_to_the_server_are_closed(w: Warehouse) -> None:
    with connected(w, PAGED, heartbeat(1)) as conn:
        reads = [run(conn, SIXTY) for _ in range(4)]
        for read in reads:
            read.rows(1)
            w.wait("probe", 1, operation=read.query_id)
            read.close()
        assert w.stats()["connections_open"] > 0
    w.wait("connections_open", 0, at_most=True, timeout=3)


def test_failed_statement_is_closed(w: Warehouse) -> None:
    from harness import Error

    with connected(w) as conn:
        for sql in ("SELECT raise_error('boom')", "SELECT * FROM nowhere_at_all", "SELEC 1"):
            with pytest.raises(Error):
                run(conn, sql)
        w.wait("operations_open", 0, at_most=True)
        assert value(conn, "SELECT 1") == 1


def test_end_of_a_session_waits_for_no_close(w: Warehouse) -> None:
    """It ends the operations too, so a crowd of closes that hang does not keep it."""
    with nothing_left():
        db = database(w, PAGED)
        conn = AdbcConnection(db)
        reads = [run(conn, SIXTY) for _ in range(20)]
        for read in reads:
            read.rows(1)
        w.fault("hang", "CloseOperation", times=0)
        for read in reads:
            read.close()
        held(w, 16)
        conn.close()
        w.wait("sessions_open", 0, at_most=True, timeout=3)
        db.close()
    w.clear_faults()


def test_close_of_the_session_that_only_told_the_kind(warehouse_of) -> None:
    """Settings on a HiveServer2 engine need a second session; the first one is not left behind,
    even when it could not be closed at once."""
    w = warehouse_of("hive")
    conf = {"databricks.session_conf.hive.exec.parallel": "true"}
    w.fault({"kind": "error", "message": "not now"}, "CloseSession")
    with database(w, conf) as db:
        with pytest.raises(Error) as caught:
            AdbcConnection(db)
        assert "not now" in str(caught.value)
        w.wait("sessions_open", 0, at_most=True, timeout=3)
        with AdbcConnection(db) as conn:
            assert w.stats()["sessions_open"] == 1
            assert value(conn, "SELECT 1") == 1


def test_two_threads_ask_for_the_name_of_the_server(w: Warehouse) -> None:
    with connected(w) as conn:
        w.fault({"kind": "delay", "ms": 300}, "GetInfo", times=0)
        tasks = [Task(lambda: len(take(conn))) for _ in range(4)]
        assert [task.result(5) for task in tasks] == [8] * 4
        asked = w.requests(rpc="GetInfo", limit=100)
        assert len(asked) == 2, "name and version, once for all"


def take(conn: AdbcConnection) -> list:
    import pyarrow as pa

    handle = conn.get_info()
    return pa.RecordBatchReader._import_from_c(handle.address).read_all().to_pylist()
