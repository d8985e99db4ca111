# SPDX-License-Identifier: Apache-2.0
"""Streams, their life beside that of the statement, connection and database they came from,
and what reaches the server when."""

from __future__ import annotations

import pytest
from harness import (
    HEARTBEAT_KEYS,
    PAGED,
    AdbcConnection,
    AdbcDatabase,
    AdbcStatement,
    AdbcStatusCode,
    Error,
    Read,
    Warehouse,
    connected,
    database,
    execute,
    fails,
    heartbeat,
    nothing_left,
    run,
    statistics,
    until,
    update,
    value,
    within,
)

SIXTY = "SELECT id FROM range(60)"


def story(w: Warehouse, operation: str | None = None) -> list[str]:
    """The RPCs in the order of arrival, a probe marked."""
    query = {"limit": 5000} | ({"operation": operation} if operation else {})
    return ["probe" if r["probe"] else r["rpc"] for r in w.requests(**query)]


def slow_stream(w: Warehouse, *options: dict[str, str]) -> tuple[
    AdbcDatabase, AdbcConnection, Read
]:
    db = database(w, PAGED, heartbeat(1), *options)
    conn = AdbcConnection(db)
    return db, conn, run(conn, SIXTY)


@pytest.mark.parametrize("order", ["statement first", "everything at once"])
def test_stream_outlives_what_it_came_from(w: Warehouse, order: str) -> None:
    with nothing_left():
        db, conn, read = slow_stream(w)
        operation = read.query_id
        assert read.rows(10) == list(range(10))
        if order == "statement first":
            read.stmt.close()
            assert w.wait("probe", 1, operation=operation) >= 1
            conn.close()
            db.close()
        else:
            read.stmt.close()
            conn.close()
            db.close()
        # Nobody but the stream is left, and it is still kept alive.
        seen = w.operation(operation)["probes"]["count"]
        assert w.wait("probe", seen + 2, operation=operation) >= seen + 2
        assert w.stats()["sessions_open"] == 1
        assert read.rest() == list(range(10, 60))
        read.release_stream()
        w.wait("sessions_open", 0, at_most=True)
    assert w.operation(operation)["closed"] is True


def test_stream_released_unread_after_all_else(w: Warehouse) -> None:
    with nothing_left():
        db, conn, read = slow_stream(w)
        operation = read.query_id
        read.stmt.close()
        conn.close()
        db.close()
        read.release_stream()
        w.wait("sessions_open", 0, at_most=True)
    assert w.operation(operation)["closed"] is True


def test_heartbeats_of_a_stream_count_for_what_it_came_from(w: Warehouse) -> None:
    """Rule 7.3: sums over all results, streams that live on included."""
    db, conn, read = slow_stream(w)
    try:
        operation = read.query_id
        read.rows(1)
        read.stmt.close()
        w.wait("probe", 1, operation=operation)

        def counted(handle: AdbcDatabase | AdbcConnection) -> int:
            return handle.get_option_int("databricks.heartbeat.probes_sent")

        assert counted(conn) >= 1
        assert counted(db) >= 1
        assert conn.get_option_int("databricks.heartbeat.armed") == 1
        conn.close()
        assert db.get_option_int("databricks.heartbeat.armed") == 1
        before = counted(db)
        w.wait("probe", w.operation(operation)["probes"]["count"] + 1, operation=operation)
        until("the database counts on", lambda: counted(db) > before)
        read.release_stream()
        until("none", lambda: db.get_option_int("databricks.heartbeat.armed") == 0)
    finally:
        read.release_stream()
        conn.close()
        db.close()


def test_execution_ends_the_stream_before(w: Warehouse) -> None:
    with connected(w, PAGED, heartbeat(1)) as conn, AdbcStatement(conn) as stmt:
        first = execute(stmt, SIXTY)
        assert first.rows(1) == [0]
        former = first.query_id
        w.wait("probe", 1, operation=former)
        second = execute(stmt, "SELECT id + 100 AS id FROM range(60)")
        assert second.query_id != former
        w.wait("closed", operation=former)
        error = fails(2, first.rest)
        assert error.status_code == AdbcStatusCode.INVALID_STATE
        assert "executed again" in str(error)
        # A failed stream goes on failing; it never reads as an end.
        assert fails(2, first.batch).status_code == AdbcStatusCode.INVALID_STATE
        assert second.rest() == list(range(100, 160))
        first.release_stream()
        second.release_stream()
    told = story(w, former)
    assert "probe" not in told[told.index("CloseOperation") :]


def test_execution_closes_the_former_operation_first(w: Warehouse) -> None:
    """Rule 5.1: the old heartbeat has stopped before the new statement starts."""
    with connected(w, PAGED, heartbeat(1)) as conn, AdbcStatement(conn) as stmt:
        first = execute(stmt, SIXTY)
        first.rows(1)
        former = first.query_id
        w.wait("probe", 1, operation=former)
        hold = w.fault({"kind": "delay", "ms": 1500}, "ExecuteStatement")
        second = within(8, execute, stmt, SIXTY)
        w.clear_faults(hold)
        requests = w.requests(limit=5000)
        started = [r["number"] for r in requests if r["rpc"] == "ExecuteStatement"][-1]
        late = [r for r in requests if r["operation"] == former and r["probe"]]
        assert late and late[-1]["number"] < started
        first.release_stream()
        second.release_stream()


def test_no_probe_after_release(w: Warehouse) -> None:
    """Rule 5.2: the heartbeat stops before the close is sent."""
    with connected(w, PAGED, heartbeat(1)) as conn:
        reads = [run(conn, SIXTY) for _ in range(3)]
        operations = [read.query_id for read in reads]
        for read, rows in zip(reads, (0, 1, 25)):
            read.rows(rows)
        for read, operation in zip(reads, operations):
            w.wait("probe", 1, operation=operation)
            read.release_stream()
            w.wait("closed", operation=operation)
            # The statement is alive, and tells how it ended.
            assert read.option("state") == "stopped"
            assert read.option("reason") == "released"
        # Another result's probe takes as long as one that must not come.
        with run(conn, SIXTY) as other:
            other.rows(1)
            w.wait("probe", 2, operation=other.query_id)
        for read in reads:
            read.close()
    for operation in operations:
        told = story(w, operation)
        assert told.count("CloseOperation") == 1
        assert "probe" not in told[told.index("CloseOperation") :]


def test_no_probe_after_the_last_page(w: Warehouse) -> None:
    with connected(w, PAGED, heartbeat(1)) as conn:
        read = run(conn, SIXTY)
        assert read.rows(55) == list(range(55))
        operation = read.query_id
        # The last page is here: nothing on the server is needed any more.
        w.wait("closed", operation=operation)
        assert read.option("state") == "stopped"
        assert read.option("reason") == "all_local"
        assert read.rest() == list(range(55, 60))
        read.close()
    told = story(w, operation)
    assert "probe" not in told[told.index("CloseOperation") :]


def test_a_steady_reader_causes_no_probe(w: Warehouse) -> None:
    """Rule 3.3: every page is contact."""
    w.fault({"kind": "delay", "ms": 200}, "FetchResults", times=0)
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, "SELECT id FROM range(120)") as read:
        assert read.rest() == list(range(120))
        assert read.number("probes_sent") == 0
    assert w.stats()["probes"] == 0


def test_a_small_result_is_one_request(w: Warehouse) -> None:
    with connected(w) as conn:
        assert value(conn, "SELECT 1") == 1  # warm
        before, connections = w.stats()["requests_total"], w.stats()["connections_opened"]
        with AdbcStatement(conn) as stmt:
            read = execute(stmt, "SELECT 1")
            assert read.rest() == [1]
            read.release_stream()
        after = w.stats()
        assert after["requests_total"] - before == 1
        assert after["connections_opened"] == connections
        assert w.requests()[-1]["rpc"] == "ExecuteStatement"


def test_result_at_hand_needs_no_heartbeat_and_says_so(w: Warehouse) -> None:
    with connected(w, heartbeat(1)) as conn, run(conn, "SELECT id FROM range(5)") as read:
        assert read.option("state") == "not_armed"
        assert read.option("reason") == "closed_by_server"
        assert read.rest() == list(range(5))
        assert read.number("armed") == 0


def test_result_whose_rows_are_local_but_open_says_so(w: Warehouse) -> None:
    """All rows came with the execution, but the server keeps the operation."""
    w.settings(direct_results=False)
    with connected(w, heartbeat(1)) as conn, run(conn, "SELECT id FROM range(5)") as read:
        assert read.rest() == list(range(5))
        assert read.option("reason") in ("all_local", "end_of_results")
        w.wait("closed", operation=read.query_id)


def rows_of_pages(w: Warehouse, *options: dict[str, str]) -> list[int]:
    """Of 600,000 rows of 32 bytes: how many each request brought."""
    inline = {"databricks.cloudfetch.enabled": "false", "databricks.prefetch_pages": "0"}
    found: list[int] = []
    with connected(w, inline, *options) as conn:
        with run(conn, "SELECT id, id AS a, id AS b, id AS c FROM range(600000)") as read:
            rows = 0
            while batch := read.batch():
                assert batch[0] == rows and batch[-1] == rows + len(batch) - 1
                rows += len(batch)
                asked = story(w, read.query_id)
                pages = asked.count("FetchResults") + ("GetResultSetMetadata" not in asked)
                found += [0] * (pages - len(found))
                found[pages - 1] += len(batch)
    assert rows == 600_000
    return found


@pytest.mark.parametrize("direct", [True, False])
def test_the_first_page_is_small(w: Warehouse, direct: bool) -> None:
    """So that the first rows are early, also where they do not come with the execution."""
    w.settings(direct_results=direct)
    first, *later = rows_of_pages(w)
    assert 2 << 20 <= first * 32 <= 3 << 20
    assert len(later) == 1
    least = {"databricks.max_bytes_per_fetch": str(1 << 20)}
    assert all(rows * 32 <= 1 << 20 for rows in rows_of_pages(w, least))


@pytest.mark.parametrize(
    "sql", ["CREATE OR REPLACE TABLE streams_t (a INT)", "INSERT INTO streams_t VALUES (1), (2)"]
)
def test_statements_without_rows_are_closed(w: Warehouse, sql: str) -> None:
    with connected(w, heartbeat(1)) as conn:
        update(conn, "CREATE TABLE IF NOT EXISTS streams_t (a INT)")
        affected = update(conn, sql)
        assert affected == (2 if sql.startswith("INSERT") else affected)
        w.wait("operations_open", 0, at_most=True)
    assert w.stats()["probes"] == 0


def test_every_heartbeat_key_can_be_read(w: Warehouse) -> None:
    with database(w, PAGED, heartbeat(1)) as db, AdbcConnection(db) as conn:
        with run(conn, SIXTY) as read:
            read.rows(1)
            for key in HEARTBEAT_KEYS:
                name = "databricks.heartbeat." + key
                for handle in (read.stmt, conn, db):
                    text = handle.get_option(name)
                    if key in ("state", "reason"):
                        assert isinstance(text, str)
                    else:
                        assert int(text) >= 0
                        assert handle.get_option_int(name) >= 0
            w.wait("probe", 2, operation=read.query_id)
            seen = until(
                "two probes have succeeded",
                lambda: (found := statistics(read))["probes_succeeded"] >= 2 and found,
            )
            assert seen["bytes"] > 0


def test_heartbeat_keys_after_the_end(w: Warehouse) -> None:
    with connected(w, PAGED, heartbeat(1)) as conn:
        read = run(conn, SIXTY)
        read.rows(1)
        w.wait("probe", 1, operation=read.query_id)
        read.rest()
        read.release_stream()
        seen = statistics(read)
        assert seen["armed"] == 0 and seen["state"] == "stopped"
        assert seen["probes_sent"] >= 1
        read.close()


def test_heartbeat_keys_before_any_execution(w: Warehouse) -> None:
    with connected(w) as conn, AdbcStatement(conn) as stmt:
        # No result, no story: a clear answer either way, never a crash.
        try:
            assert stmt.get_option("databricks.heartbeat.probes_sent") == "0"
        except Error as error:
            assert error.status_code in (AdbcStatusCode.NOT_FOUND, AdbcStatusCode.INVALID_STATE)
        with pytest.raises(Error) as caught:
            stmt.execute_query()
        assert caught.value.status_code == AdbcStatusCode.INVALID_STATE


def test_unread_stream_of_a_closed_statement_keeps_its_pages(w: Warehouse) -> None:
    """Several streams of one connection are read in turns."""
    with connected(w, PAGED, heartbeat(1)) as conn:
        reads = [run(conn, f"SELECT id + {n}000 AS id FROM range(60)") for n in range(8)]
        for read in reads:
            read.stmt.close()
        found: list[list[int]] = [[] for _ in reads]
        for _ in range(6):
            for at, read in enumerate(reads):
                found[at] += read.rows(10)
        for at, read in enumerate(reads):
            found[at] += read.rest()
            assert found[at] == [at * 1000 + n for n in range(60)]
            read.release_stream()


def test_result_failure_while_reading_is_sticky(w: Warehouse) -> None:
    with connected(w, PAGED) as conn, run(conn, SIXTY) as read:
        operation = read.query_id
        assert read.rows(1) == [0]
        w.fault({"kind": "error", "sqlstate": "XX001", "message": "disk on fire"}, {
            "rpc": "FetchResults", "operation": operation})
        first = fails(3, read.rest)
        again = fails(3, read.batch)
        assert "disk on fire" in str(first)
        assert first.sqlstate == again.sqlstate == "XX001"
        assert str(first) == str(again)
    w.wait("closed", operation=operation)


@pytest.mark.parametrize("kind", ["wrong_row_count", "wrong_offset"])
def test_wrong_page_is_an_error(w: Warehouse, kind: str) -> None:
    """Rows that the server says are elsewhere, or that it did not send, are never skipped."""
    with connected(w, PAGED) as conn:
        w.fault({"kind": kind, "delta": 1}, "FetchResults", {"nth": 2})
        with run(conn, SIXTY) as read:
            error = fails(3, read.rest)
            assert error.status_code in (AdbcStatusCode.IO, AdbcStatusCode.INVALID_DATA)


@pytest.mark.parametrize("do", ["garbage", "truncate", "html", "reset", "wrong_length", "refuse"])
def test_spoiled_page_is_an_error(w: Warehouse, do: str) -> None:
    with connected(w, PAGED) as conn:
        w.fault(do, "FetchResults", {"nth": 2})
        with run(conn, SIXTY) as read:
            found: list[int] = []

            def read_all() -> None:
                while batch := read.batch():
                    found.extend(batch)

            error = fails(8, read_all)
            # Never a gap, never a repetition before the error.
            assert found == list(range(len(found)))
            assert str(error)
        assert value(conn, "SELECT 1") == 1
