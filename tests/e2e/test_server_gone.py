# SPDX-License-Identifier: Apache-2.0
"""The server is killed, frozen or restarted in the middle of every kind of call: the call
returns within its deadline with an error that says what happened, and after everything is
released no thread, socket or file is left."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from harness import (
    PAGED,
    AdbcConnection,
    AdbcStatement,
    AdbcStatusCode,
    Error,
    Task,
    Warehouse,
    database,
    execute,
    heartbeat,
    held,
    nothing_left,
    run,
    value,
    within,
)

SIXTY = "SELECT id FROM range(60)"
QUICK = {
    "databricks.request_timeout_seconds": "2",
    "databricks.retry_timeout_seconds": "2",
}
#: Either of these, and what the machine needs.
DEADLINE = 4.5

Start = Callable[..., Warehouse]


def kill(w: Warehouse) -> None:
    w.kill()


def freeze(w: Warehouse) -> None:
    w.freeze()


def restart(w: Warehouse) -> None:
    w.restart()


ENDS = {"killed": kill, "frozen": freeze, "restarted": restart}


@pytest.fixture(params=sorted(ENDS))
def end(request: pytest.FixtureRequest) -> Callable[[Warehouse], None]:
    return ENDS[request.param]


def clear(error: Error) -> None:
    """The error is about the network or the server, and says something."""
    assert error.status_code in (
        AdbcStatusCode.IO, AdbcStatusCode.TIMEOUT, AdbcStatusCode.UNKNOWN,
    ), error  # fmt: skip
    assert len(str(error)) > 20
    assert error.sqlstate and error.sqlstate != "\0" * 5


def release_all(*handles: object) -> None:
    """Releasing waits one second at most for what cannot be closed any more."""
    since = time.monotonic()
    for handle in handles:
        handle.close()  # type: ignore[attr-defined]
    assert time.monotonic() - since < 2.5


def test_open(own_warehouse: Start, end: Callable) -> None:
    w = own_warehouse()
    with nothing_left():
        db = database(w, QUICK)
        w.fault("hang", "OpenSession", times=0)
        task = Task(AdbcConnection, db)
        held(w)
        end(w)
        clear(task.failure(DEADLINE))
        release_all(db)


def test_execute(own_warehouse: Start, end: Callable) -> None:
    w = own_warehouse()
    with nothing_left():
        db = database(w, QUICK)
        conn = AdbcConnection(db)
        stmt = AdbcStatement(conn)
        w.fault("hang", "ExecuteStatement", times=0)
        task = Task(execute, stmt, "SELECT 1")
        held(w)
        end(w)
        clear(task.failure(DEADLINE))
        release_all(stmt, conn, db)


def test_poll(own_warehouse: Start, end: Callable) -> None:
    w = own_warehouse(direct_wait_ms=0)
    with nothing_left():
        db = database(w, QUICK)
        conn = AdbcConnection(db)
        stmt = AdbcStatement(conn)
        task = Task(execute, stmt, "SELECT count(*) FROM range(100000000000)")
        w.wait("status")
        end(w)
        clear(task.failure(DEADLINE))
        release_all(stmt, conn, db)


def test_fetch(own_warehouse: Start, end: Callable) -> None:
    w = own_warehouse()
    with nothing_left():
        db = database(w, QUICK, PAGED)
        conn = AdbcConnection(db)
        w.fault("hang", "FetchResults", {"nth": 3}, times=0)
        read = run(conn, SIXTY)
        found: list[int] = []

        def read_all() -> None:
            while batch := read.batch():
                found.extend(batch)

        task = Task(read_all)
        held(w)
        end(w)
        clear(task.failure(DEADLINE))
        assert found == list(range(30))
        # A failed stream goes on failing at once.
        clear(Task(read.batch).failure(0.5))
        release_all(read, conn, db)


def test_close(own_warehouse: Start, end: Callable) -> None:
    w = own_warehouse()
    with nothing_left():
        db = database(w, QUICK, PAGED)
        conn = AdbcConnection(db)
        read = run(conn, SIXTY)
        read.rows(1)
        w.fault("hang", "CloseOperation", times=0)
        read.release_stream()
        held(w)
        end(w)
        release_all(read.stmt, conn, db)


def test_while_parked(own_warehouse: Start, end: Callable) -> None:
    """In the middle of a pause with heartbeat: the next read fails in time, the rows at hand
    are delivered."""
    w = own_warehouse()
    with nothing_left():
        db = database(w, QUICK, PAGED, heartbeat(1, request_timeout_seconds=1))
        conn = AdbcConnection(db)
        read = run(conn, SIXTY)
        assert read.rows(1) == [0]
        w.wait("probe", 1, operation=read.query_id)
        end(w)
        time.sleep(1.5)  # probes run into it; not waited for, since nothing can be asked
        found = [0]

        def read_all() -> None:
            while batch := read.batch():
                found.extend(batch)

        clear(Task(read_all).failure(DEADLINE))
        assert found[:10] == list(range(10)) and found == list(range(len(found)))
        release_all(read, conn, db)


def test_restarted_server_lost_the_result(own_warehouse: Start) -> None:
    w = own_warehouse()
    with nothing_left():
        db = database(w, QUICK, PAGED, heartbeat(1))
        conn = AdbcConnection(db)
        read = run(conn, SIXTY)
        operation = read.query_id
        assert read.rows(1) == [0]
        w.wait("probe", 1, operation=operation)
        w.restart()
        error = Task(read.rest).failure(DEADLINE)
        assert error.sqlstate == "24000", error
        assert operation in str(error) and "last known alive" in str(error)
        # The session is gone too. Nothing had been set in it, so it is opened anew.
        assert Task(value, conn, "SELECT 1").result(DEADLINE) == 1
        again = AdbcConnection(db)
        assert value(again, "SELECT 2") == 2
        release_all(read, again, conn, db)


def test_thawed_server_goes_on(own_warehouse: Start) -> None:
    """A server that is silent for less than the deadline costs nothing."""
    w = own_warehouse()
    with nothing_left():
        db = database(w, QUICK, PAGED)
        conn = AdbcConnection(db)
        read = run(conn, SIXTY)
        assert read.rows(1) == [0]
        w.freeze()
        task = Task(read.rest)
        time.sleep(0.7)
        assert task.running
        w.thaw()
        assert task.result(DEADLINE) == list(range(1, 60))
        release_all(read, conn, db)


def test_nobody_listens(own_warehouse: Start) -> None:
    w = own_warehouse()
    w.kill()
    with nothing_left():
        db = database(w, QUICK)
        error = Task(AdbcConnection, db).failure(DEADLINE)
        clear(error)
        assert str(w.port) in str(error) or "127.0.0.1" in str(error)
        release_all(db)


def test_connections_are_dropped_at_once(own_warehouse: Start) -> None:
    w = own_warehouse()
    with nothing_left():
        db = database(w, QUICK)
        w.fault("close_connection", "connection", times=0)
        clear(Task(AdbcConnection, db).failure(DEADLINE))
        w.clear_faults()
        conn = within(DEADLINE, AdbcConnection, db)
        assert value(conn, "SELECT 1") == 1
        release_all(conn, db)


def test_eight_threads_lose_their_server(own_warehouse: Start) -> None:
    w = own_warehouse()
    with nothing_left():
        db = database(w, QUICK, PAGED, heartbeat(1))
        conn = AdbcConnection(db)

        def read_on(n: int) -> None:
            while True:
                with run(conn, f"SELECT id + {n} AS id FROM range(60)") as read:
                    assert read.rest() == [n + at for at in range(60)]

        tasks = [Task(read_on, n) for n in range(8)]
        w.wait("execute", 40)
        w.kill()
        for task in tasks:
            clear(task.failure(DEADLINE))
        release_all(conn, db)


@pytest.mark.parametrize("bytes_", [0, 1, 40, 400])
def test_reply_is_cut_off(own_warehouse: Start, bytes_: int) -> None:
    w = own_warehouse()
    with nothing_left():
        db = database(w, QUICK)
        conn = AdbcConnection(db)
        w.fault({"kind": "reset", "bytes": bytes_}, "ExecuteStatement", times=0)
        error = Task(value, conn, "SELECT id FROM range(1000)").failure(DEADLINE)
        clear(error)
        w.clear_faults()
        assert value(conn, "SELECT 1") == 1
        release_all(conn, db)


def test_dripping_server_is_not_silent(own_warehouse: Start) -> None:
    """The deadline is one of silence: a slow reply that goes on coming is read to its end."""
    w = own_warehouse()
    with nothing_left():
        db = database(w, QUICK, {"databricks.request_timeout_seconds": "1"})
        conn = AdbcConnection(db)
        w.fault({"kind": "drip", "bytes": 200, "ms": 300}, "ExecuteStatement")
        assert within(20, value, conn, "SELECT 'x' AS a") == "x"
        release_all(conn, db)
