# SPDX-License-Identifier: Apache-2.0
"""Every fault of the warehouse at every request that can meet it.

A cell is (kind of fault, where). Each RPC has one way to make the driver send it; the cell runs it
with the fault at its first request of that RPC. It holds when the call gave the right rows or a
clear error, in time, and nothing was left behind: in this process no thread and no descriptor,
at the server no operation and no session. The list of cells is the warehouse's own, so a new kind
of fault is in the matrix at once; test_faults_table.py holds the two against each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness import (
    OFF,
    PAGED,
    AdbcRecordBatchReader,
    AdbcStatement,
    Error,
    Task,
    Warehouse,
    connected,
    execute,
    heartbeat,
    manager,
    nothing_left,
    run,
    until,
    update,
)
from warehouse.server.kinds import list_kinds

KINDS: dict[str, dict] = list_kinds()
SIXTY = "SELECT id FROM range(60)"
ENDLESS = "SELECT count(*) FROM range(100000000000)"
SHORT = {
    "databricks.connect_timeout_seconds": "1",
    "databricks.request_timeout_seconds": "1",
    "databricks.retry_timeout_seconds": "2",
    "databricks.close_timeout_seconds": "1",
}
#: Longest time that one scenario may take; what takes longer hangs.
WATCHDOG_SECONDS = 25
#: The first request of a connection meets it too, and so does one that opens it.
PARAMETERS = {"read_then_close": {"reused": False}, "status": {"retry_after": 1}}
#: The server's side is not ours to clean up: its reply never came, or it never read the request.
SESSION_MAY_STAY = ("OpenSession", "CloseSession", "connection")


NO_FAULT = object()


@dataclass
class Scenario:
    """call(w) makes the driver send the RPC; without a fault it returns `expected`."""

    call: Callable[..., Any]
    #: What the call returns without a fault; NO_FAULT: run it once, with settings that leave a
    #: busy machine its time, to know.
    expected: Any
    settings: dict = field(default_factory=dict)
    personality: str = "databricks"


def cells(*where: str) -> list[tuple[str, str]]:
    """The cells at these places, in the warehouse's order."""
    found = []
    for kind, known in KINDS.items():
        for place in where:
            at_probe = place == "probe" and known["probes"]
            at_connection = place == known["phase"] == "connection"
            if place in known["rpcs"] or at_probe or at_connection:
                found.append((kind, place))
    return [cell for cell in found if cell not in NOT_APPLICABLE]


def read_all(w: Warehouse, *options: dict[str, str]) -> list[int]:
    with connected(w, SHORT, PAGED, OFF, *options) as conn, run(conn, SIXTY) as read:
        found = []
        try:
            while not read.over:
                found += read.batch()
        except Error:
            assert found == list(range(len(found))), "rows before the error"
            raise
        return found


def table(handle: Any) -> list[dict]:
    return AdbcRecordBatchReader._import_from_c(handle.address).read_all().to_pylist()


def objects(w: Warehouse, settings: dict = SHORT) -> list[dict]:
    with connected(w, settings, OFF) as conn:
        return table(conn.get_objects(manager.GetObjectsDepth.ALL, catalog="main"))


def table_types(w: Warehouse, settings: dict = SHORT) -> list[dict]:
    with connected(w, settings, OFF) as conn:
        return table(conn.get_table_types())


def cancel(w: Warehouse) -> str:
    with connected(w, SHORT, OFF) as conn, AdbcStatement(conn) as stmt:
        stmt.set_sql_query(ENDLESS)
        task = Task(execute, stmt)
        # Only what is running has an operation that the cancel can be sent for.
        until("it runs", lambda: not task.running or any(
            op["requests"].get("GetOperationStatus") for op in w.operations(open_only=True)
        ))  # fmt: skip
        if task.running:
            stmt.cancel()
        error = task.failure(10)
        # The end of the session would overtake it.
        w.wait("cancel", 1, timeout=10)
        return "cancelled" if error.sqlstate == "HY008" else str(error)


def read_a_part(w: Warehouse) -> list[int]:
    with connected(w, SHORT, PAGED, OFF) as conn, run(conn, SIXTY) as read:
        return read.rows(10)


def slow_read(w: Warehouse) -> list[int]:
    beat = heartbeat(1, request_timeout_seconds=1)
    with connected(w, SHORT, PAGED, beat) as conn, run(conn, SIXTY) as read:
        found = read.rows(1)
        until("three probes", lambda: read.number("probes_sent") >= 3
              or read.option("state") == "stopped", 15)  # fmt: skip
        return found + read.rest()


ALL = list(range(60))
SCENARIOS: dict[str, Scenario] = {
    "OpenSession": Scenario(read_all, ALL),
    "GetInfo": Scenario(read_all, ALL, personality="spark"),
    "ExecuteStatement": Scenario(read_all, ALL),
    "GetOperationStatus": Scenario(read_all, ALL, {"direct_results": False, "running_ms": 100}),
    "GetResultSetMetadata": Scenario(read_all, ALL, {"direct_results": False}),
    "FetchResults": Scenario(read_all, ALL),
    "CancelOperation": Scenario(cancel, "cancelled", {"direct_wait_ms": 0}),
    "CloseOperation": Scenario(read_a_part, ALL[:10]),
    "CloseSession": Scenario(read_all, ALL),
    "GetCatalogs": Scenario(objects, NO_FAULT),
    "GetSchemas": Scenario(objects, NO_FAULT),
    "GetTables": Scenario(objects, NO_FAULT),
    "GetColumns": Scenario(objects, NO_FAULT),
    "GetTableTypes": Scenario(table_types, NO_FAULT),
    "probe": Scenario(slow_read, ALL),
    "connection": Scenario(read_all, ALL),
}

#: Cells that cannot be, each with its reason.
NOT_APPLICABLE: dict[tuple[str, str], str] = {}
for _rpc, _reason in {
    "GetFunctions": "ADBC has no call that lists functions, so the driver never sends it",
    "GetTypeInfo": "ADBC has no call that lists types, so the driver never sends it",
    "GetPrimaryKeys": "keys of all tables come from information_schema by one statement",
    "GetCrossReference": "keys of all tables come from information_schema by one statement",
}.items():
    NOT_APPLICABLE |= {(k, _rpc): _reason for k, known in KINDS.items() if _rpc in known["rpcs"]}
for _rpc in ("GetCatalogs", "GetTableTypes"):
    NOT_APPLICABLE["wrong_row_count", _rpc] = "a page of one column says nowhere how many rows it has"


def clear(error: BaseException, cell: str) -> None:
    """The error says what is wrong, and gives nothing away."""
    assert isinstance(error, Error), f"{cell}: {error!r}"
    text = str(error)
    assert len(text) > 20, f"{cell}: {text}"
    assert error.sqlstate and error.sqlstate != "\0" * 5, f"{cell}: {text}"
    for leak in ("Bearer", "access_token=", "\tat ", "local-"):
        assert leak not in text, f"{cell}: {text}"


def check(w: Warehouse, kind: str, where: str) -> None:
    """One cell."""
    scenario, cell = SCENARIOS[where], f"{kind} at {where}"
    if scenario.expected is NO_FAULT:
        with connected(w) as conn:
            update(conn, "CREATE OR REPLACE TABLE numbers (id BIGINT NOT NULL, name STRING)")
        scenario.expected = scenario.call(w, {})
    w.settings(**scenario.settings)
    do = {"kind": kind, **PARAMETERS.get(kind, {})}
    fault = w.fault(do, where=where)
    with nothing_left():
        task = Task(scenario.call, w)
        try:
            task.ended(WATCHDOG_SECONDS)
        finally:
            taken = w.fault_taken(fault)
            w.clear_faults()
            w.release()
    assert taken == 1, f"{cell}: no request met it"
    if task.error is not None:
        clear(task.error, cell)
    else:
        assert task.result(0) == scenario.expected, cell
    if where not in SESSION_MAY_STAY:
        w.wait("operations_open", 0, at_most=True, timeout=10)
        w.wait("sessions_open", 0, at_most=True, timeout=10)
