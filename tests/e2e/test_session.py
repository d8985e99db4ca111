# SPDX-License-Identifier: Apache-2.0
"""A session that the server has forgotten is opened anew where nothing is lost by it; many
statements share one session; what a session and a statement are told when they begin."""

from __future__ import annotations

import pyarrow as pa
import pytest
from harness import (
    AdbcConnection,
    AdbcStatement,
    AdbcStatusCode,
    Error,
    Task,
    Warehouse,
    connected,
    database,
    execute,
    held,
    nothing_left,
    run,
    threads,
    until,
    update,
    value,
)

KINDS = ["databricks", "spark", "hive"]

def forget(w: Warehouse) -> None:
    w.reset(sessions=True)
    assert w.stats()["sessions_open"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_expired_session_is_opened_anew(warehouse_of, kind: str) -> None:
    w = warehouse_of(kind)
    with connected(w) as conn:
        for _ in range(3):
            forget(w)
            assert value(conn, "SELECT 1") == 1
            assert w.stats()["sessions_open"] == 1
            assert len(w.requests(rpc="OpenSession", limit=100)) == 1
    w.wait("sessions_open", 0, at_most=True)


@pytest.mark.parametrize("kind", KINDS)
def test_new_session_is_like_the_lost_one(warehouse_of, kind: str) -> None:
    w = warehouse_of(kind)
    with connected(w) as conn:
        update(conn, "CREATE SCHEMA IF NOT EXISTS corner")
    with connected(w, {"databricks.schema": "corner"}) as conn:
        assert value(conn, "SELECT current_schema()") == "corner"
        forget(w)
        assert value(conn, "SELECT current_schema()") == "corner"


def test_settings_are_those_of_the_lost_session(w: Warehouse) -> None:
    conf = {"databricks.session_conf.TIMEZONE": "Asia/Tokyo"}
    with connected(w, conf) as conn:
        assert value(conn, "SELECT current_timezone()") == "Asia/Tokyo"
        forget(w)
        assert value(conn, "SELECT current_timezone()") == "Asia/Tokyo"


@pytest.mark.parametrize("kind", KINDS)
def test_state_of_a_session_is_not_lost_without_a_word(warehouse_of, kind: str) -> None:
    w = warehouse_of(kind)
    with connected(w) as conn:
        update(conn, "CREATE SCHEMA IF NOT EXISTS corner")
        update(conn, "USE corner")
        forget(w)
        for _ in range(2):
            with pytest.raises(Error) as caught:
                value(conn, "SELECT 1")
            assert "open a new connection" in str(caught.value)
            assert caught.value.sqlstate == "08003"
        assert w.stats()["sessions_open"] == 0


def test_state_that_is_being_set_is_not_lost_either(w: Warehouse) -> None:
    """The server has set it and lost it before its reply has come."""
    with connected(w) as conn:
        w.fault("hold", {"rpc": "ExecuteStatement", "statement": "SET TIME ZONE"})
        task = Task(update, conn, "SET TIME ZONE 'Asia/Tokyo'")
        held(w)
        w.fault("expire_session", {"rpc": "ExecuteStatement", "statement": "SELECT 1"})
        with pytest.raises(Error, match="changed its state"):
            value(conn, "SELECT 1")
        w.release()
        task.ended(30)
        with pytest.raises(Error):
            value(conn, "SELECT current_timezone()")


def test_refused_statement_has_left_no_state(w: Warehouse) -> None:
    with connected(w) as conn:
        update(conn, "CREATE SCHEMA IF NOT EXISTS corner")
        forget(w)
        update(conn, "USE corner")
        assert value(conn, "SELECT current_schema()") == "corner"
        forget(w)
        with pytest.raises(Error):
            value(conn, "SELECT 1")


def test_parallel_statements_open_one_session(w: Warehouse) -> None:
    with connected(w) as conn:
        assert value(conn, "SELECT 1") == 1
        forget(w)
        w.fault({"kind": "delay", "ms": 300}, "OpenSession", times=0)
        tasks = [Task(value, conn, f"SELECT {n}") for n in range(20)]
        assert [task.result(10) for task in tasks] == list(range(20))
        assert len(w.requests(rpc="OpenSession", limit=100)) == 1
        assert w.stats()["sessions_open"] == 1


def test_session_that_cannot_be_opened_anew(w: Warehouse) -> None:
    with connected(w) as conn:
        forget(w)
        w.fault({"kind": "error", "message": "no more sessions"}, "OpenSession", times=1)
        with pytest.raises(Error) as caught:
            value(conn, "SELECT 1")
        assert "no more sessions" in str(caught.value)
        assert value(conn, "SELECT 1") == 1


def vendor(conn: AdbcConnection) -> list:
    handle = conn.get_info()
    with pa.RecordBatchReader._import_from_c(handle.address) as reader:
        return reader.read_all().to_pylist()


def test_get_info_opens_an_expired_session_anew(w: Warehouse) -> None:
    with connected(w) as conn:
        wanted = vendor(conn)
        assert wanted[0]["info_value"] == "Spark SQL"
    with connected(w) as conn:
        forget(w)
        assert vendor(conn) == wanted
        assert w.stats()["sessions_open"] == 1


def test_what_hive_does_not_tell_is_asked_again(warehouse_of) -> None:
    """Its refusal says nothing of the session, which the next statement opens anew."""
    w = warehouse_of("hive")
    with connected(w) as conn:
        forget(w)
        assert len(vendor(conn)) == 6
        assert value(conn, "SELECT 1") == 1
        assert len(vendor(conn)) == 8


def test_get_info_keeps_state_too(w: Warehouse) -> None:
    with connected(w) as conn:
        update(conn, "SET TIME ZONE 'Asia/Tokyo'")
        forget(w)
        with pytest.raises(Error) as caught:
            vendor(conn)
        assert "open a new connection" in str(caught.value)


def test_nothing_runs_in_a_session_that_is_unlike_the_lost_one() -> None:
    """The server comes back as one of another version."""
    with Warehouse(token="same") as former:
        conn = AdbcConnection(database(former))
        assert value(conn, "SELECT 1") == 1
        port = former.port
    with Warehouse(token="same", port=port, protocol_cap=4) as w:
        for _ in range(2):
            with pytest.raises(Error, match="not like it.*open a new connection"):
                value(conn, "SELECT 1")
        with pytest.raises(Error, match="not like it"):
            vendor(conn)
        assert w.stats()["sessions_open"] == 1
        conn.close()
        w.wait("sessions_open", 0, at_most=True)


def test_session_that_is_forgotten_at_once(w: Warehouse) -> None:
    """Once is enough: a server that forgets each session does not keep the caller busy."""
    text = {"kind": "error", "message": "Invalid SessionHandle: gone"}
    with connected(w) as conn:
        w.fault(text, "ExecuteStatement", times=0)
        with pytest.raises(Error) as caught:
            value(conn, "SELECT 1")
        assert "Invalid SessionHandle" in str(caught.value)
        assert len(w.requests(rpc="ExecuteStatement", limit=100)) == 2
        w.clear_faults()
        assert value(conn, "SELECT 1") == 1


def test_statement_that_may_have_run_is_not_repeated(w: Warehouse) -> None:
    with connected(w) as conn:
        update(conn, "CREATE OR REPLACE TABLE counted (n INT)")
        forget(w)
        w.fault({"kind": "read_then_close", "reused": False}, "ExecuteStatement", {"nth": 2})
        with pytest.raises(Error):
            update(conn, "INSERT INTO counted VALUES (1)")
        w.clear_faults()
        assert value(conn, "SELECT count(*) FROM counted") <= 1


def test_cancel_while_the_session_is_opened_anew(w: Warehouse) -> None:
    with connected(w) as conn, AdbcStatement(conn) as stmt:
        forget(w)
        w.fault("hold", "OpenSession")
        stmt.set_sql_query("SELECT 1")
        task = Task(execute, stmt)
        held(w)
        stmt.cancel()
        assert task.failure(2).status_code == AdbcStatusCode.CANCELLED
        w.release()
        read = execute(stmt)
        assert read.rest() == [1]
        read.release_stream()
        assert w.stats()["sessions_open"] == 1
    w.wait("sessions_open", 0, at_most=True)


def test_release_while_the_session_is_opened_anew(w: Warehouse) -> None:
    with nothing_left():
        with connected(w) as conn:
            with AdbcStatement(conn) as stmt:
                forget(w)
                w.fault({"kind": "hold", "ms": 400}, "OpenSession")
                stmt.set_sql_query("SELECT 1")
                task = Task(execute, stmt)
                held(w)
                stmt.cancel()
                assert task.failure(2).status_code == AdbcStatusCode.CANCELLED
    w.wait("sessions_open", 0, at_most=True)


def test_two_hundred_statements_on_one_connection(w: Warehouse) -> None:
    """More than may run at a time: the others wait, none fails, and no thread is made for them."""
    patient = {
        "databricks.request_timeout_seconds": "100",
        "databricks.retry_timeout_seconds": "100",
        "databricks.connect_timeout_seconds": "100",
    }
    with connected(w, patient) as conn:
        own = {name for name in threads().values() if name.startswith("lakebeat")}
        w.settings(direct_wait_ms=0, running_ms=20)
        tasks = [Task(value, conn, f"SELECT {n}") for n in range(200)]
        while any(task.running for task in tasks):
            driver = [name for name in threads().values() if name.startswith("lakebeat")]
            assert len(driver) == len(own) == 1
            tasks[-1].thread.join(0.05)
            if not tasks[-1].running:
                break
        assert [task.result(100) for task in tasks] == list(range(200))
        assert w.stats()["sessions_open"] == 1
    w.wait("operations_open", 0, at_most=True)


def test_query_tags(warehouse_of) -> None:
    tags = {"databricks.query_tags": "team:storage,job:nightly"}
    w = warehouse_of("databricks")
    with connected(w, tags) as conn:
        assert value(conn, "SELECT 1") == 1
        (operation,) = w.operations()
        assert operation["confs"]["query_tags"] == "team:storage,job:nightly"
    w = warehouse_of("hive")
    with connected(w) as conn:
        with pytest.raises(Error) as caught:
            run(conn, "SELECT 1", tags)
        assert caught.value.status_code == AdbcStatusCode.NOT_IMPLEMENTED
        assert "databricks.query_tags" in str(caught.value)
        assert value(conn, "SELECT 1") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_progress(warehouse_of, kind: str) -> None:
    w = warehouse_of(kind)
    with connected(w) as conn, AdbcStatement(conn) as stmt:

        def progress() -> float:
            return stmt.get_option_float("adbc.statement.exec.progress")

        assert progress() == 0
        assert stmt.get_option_float("adbc.statement.exec.max_progress") == 1
        w.settings(direct_wait_ms=0)
        w.fault({"kind": "hold_query", "percent": 25}, "ExecuteStatement")
        stmt.set_sql_query("SELECT 7")
        task = Task(execute, stmt)
        w.wait("status")
        if kind == "hive":
            until("a quarter", lambda: progress() == 0.25)
            w.call("POST", "/progress", {"operation": w.operations()[-1]["id"], "percent": 75})
            until("three quarters", lambda: progress() == 0.75)
        else:
            assert progress() == 0, "neither asks a server that does not tell, nor guesses"
        stmt.cancel()
        assert task.failure(5).status_code == AdbcStatusCode.CANCELLED
        stmt.set_sql_query("SELECT 1")
        read = execute(stmt)
        assert read.rest() == [1]
        assert progress() == 1
        read.release_stream()
        with pytest.raises(Error):
            stmt.set_options(**{"adbc.statement.exec.progress": "1"})


def test_database_that_was_closed_while_expired(w: Warehouse) -> None:
    with nothing_left():
        with database(w) as db, AdbcConnection(db):
            forget(w)
    assert w.stats()["sessions_open"] == 0
