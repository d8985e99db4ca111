# SPDX-License-Identifier: Apache-2.0
"""The heartbeat as users meet it: wired to real results, through the driver manager. The rules
are those of docs/internals/HEARTBEAT.md; the state machine by itself is tested beside its
source."""

from __future__ import annotations

import pathlib
import re
import time

import pyarrow as pa
import pytest
from harness import (
    OFF,
    PAGED,
    AdbcConnection,
    AdbcStatement,
    AdbcStatusCode,
    Error,
    Warehouse,
    connected,
    database,
    details,
    execute,
    fails,
    heartbeat,
    held,
    nothing_left,
    python,
    run,
    statistics,
    until,
    value,
)

SIXTY = "SELECT id FROM range(60)"
FORMS = {
    "arrow": {},
    "columns": {"databricks.arrow": "off"},
    "no prefetch": {"databricks.prefetch_pages": "0"},
    "one row": {"databricks.max_rows_per_fetch": "1"},
}


# --- 2: who gets one -------------------------------------------------------------------------


@pytest.mark.parametrize("personality", ["databricks", "spark", "hive"])
@pytest.mark.parametrize("form", sorted(FORMS))
def test_rule_2_2_every_result_is_armed(warehouse_of, personality: str, form: str) -> None:
    w = warehouse_of(personality)
    with connected(w, PAGED, FORMS[form], heartbeat(1)) as conn:
        with run(conn, SIXTY) as read:
            assert read.rows(1) == [0]
            assert w.wait("probe", 1, operation=read.query_id) >= 1
            assert read.rest() == list(range(1, 60))


def test_rule_2_2_armed_before_the_first_read(w: Warehouse) -> None:
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        assert w.wait("probe", 1, operation=read.query_id) >= 1


def test_rule_2_2_armed_when_it_was_polled_for(w: Warehouse) -> None:
    w.settings(direct_wait_ms=0, running_ms=200)
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        assert w.wait("probe", 1, operation=read.query_id) >= 1
        assert read.rest() == list(range(60))


def test_rule_2_2_a_catalog_call_is_armed(w: Warehouse) -> None:
    """What a connection asks by itself is a result set like any other."""
    w.settings(direct_results=False)
    with connected(w, PAGED, heartbeat(1), {"databricks.request_timeout_seconds": "20"}) as conn:
        w.fault({"kind": "delay", "ms": 2600}, "FetchResults")
        handle = conn.get_table_types()
        types = pa.RecordBatchReader._import_from_c(handle.address).read_all()
        assert "TABLE" in types.column(0).to_pylist()
        (op,) = w.operations()
        assert op["probes"]["count"] >= 1


@pytest.mark.parametrize(
    ("options", "sql", "reason"),
    [
        (OFF, SIXTY, "disabled"),
        ({}, "SELECT 1", "closed_by_server"),
    ],
)
def test_rule_2_3_never_silent(w: Warehouse, options: dict, sql: str, reason: str) -> None:
    with connected(w, PAGED, heartbeat(1), options) as conn, run(conn, sql) as read:
        assert read.option("state") == "not_armed"
        assert read.option("reason") == reason


def test_rule_2_4_a_running_statement_is_polled_not_probed(w: Warehouse) -> None:
    w.settings(direct_wait_ms=0, running_ms=2500, long_poll_ms=300)
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        told = [r for r in w.requests(operation=read.query_id) if r["rpc"] == "GetOperationStatus"]
        assert len(told) >= 3
        assert not any(r["probe"] for r in told)
        read.rest()


# --- 3: schedule -----------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["0", "-1", "soon", "1.5", "", "86401"])
@pytest.mark.parametrize("level", ["database", "connection", "statement"])
def test_rule_3_8_interval_that_is_none_is_refused(w: Warehouse, word: str, level: str) -> None:
    options = {"databricks.heartbeat.interval_seconds": word}
    with pytest.raises(Error) as caught:
        if level == "database":
            with connected(w, options) as conn:
                value(conn, "SELECT 1")
        elif level == "connection":
            with connected(w) as conn:
                conn.set_options(**options)
        else:
            with connected(w) as conn, AdbcStatement(conn) as stmt:
                stmt.set_options(**options)
    assert "databricks.heartbeat.interval_seconds" in str(caught.value)
    assert caught.value.status_code == AdbcStatusCode.INVALID_ARGUMENT


def test_rule_3_8_interval_beyond_half_of_the_limit_is_refused(w: Warehouse) -> None:
    with connected(w, PAGED) as conn:
        for seconds, wrong in (("601", True), ("600", False), ("3600", True)):
            if not wrong:
                run(conn, SIXTY, heartbeat(int(seconds))).close()
                continue
            with pytest.raises(Error) as caught:
                run(conn, SIXTY, heartbeat(int(seconds))).close()
            text = str(caught.value)
            assert "interval_seconds" in text and seconds in text and "600" in text, text


def test_rule_3_8_nothing_is_checked_where_the_limit_is_not_known(warehouse_of) -> None:
    w = warehouse_of("spark")
    with connected(w, PAGED) as conn, run(conn, SIXTY, heartbeat(86400)) as read:
        assert read.option("state") == "armed"
        assert read.rest() == list(range(60))


def test_rule_3_3_probe_beside_a_fetch_that_takes_long(w: Warehouse) -> None:
    """A request in flight is not contact: the probe runs beside it."""
    with connected(w, PAGED, heartbeat(1), {"databricks.request_timeout_seconds": "20"}) as conn:
        w.fault({"kind": "delay", "ms": 2600}, "FetchResults", {"nth": 2})
        with run(conn, SIXTY) as read:
            assert read.rest() == list(range(60))
            told = w.requests(operation=read.query_id)
            probes = [r for r in told if r["probe"]]
            assert len(probes) >= 2
            assert read.number("probes_succeeded") >= 2


def test_rule_3_5_a_stuck_probe_delays_nothing(w: Warehouse) -> None:
    patient = {"databricks.request_timeout_seconds": "20"}
    with connected(w, PAGED, heartbeat(1, request_timeout_seconds=20), patient) as conn:
        stuck, other = run(conn, SIXTY), run(conn, SIXTY)
        stuck.rows(1), other.rows(1)
        w.fault("hang", {"probe": True, "operation": stuck.query_id}, times=0)
        held(w)
        seen = w.operation(other.query_id)["probes"]["count"]
        w.wait("probe", seen + 2, operation=other.query_id, timeout=5)
        # At most one of an operation is in flight.
        assert w.operation(stuck.query_id)["probes"]["count"] == 1
        since = time.monotonic()
        assert stuck.rest() == list(range(1, 60))
        assert time.monotonic() - since < 4
        stuck.close()
        other.close()


def test_rule_3_6_probe_has_its_own_deadline_and_is_not_repeated(w: Warehouse) -> None:
    options = heartbeat(2, request_timeout_seconds=1)
    with connected(w, PAGED, options, {"databricks.request_timeout_seconds": "60"}) as conn:
        with run(conn, SIXTY) as read:
            read.rows(1)
            w.fault("hang", "probe", times=1)
            w.wait("probe", 1, operation=read.query_id)
            until("one failure", lambda: read.number("probes_failed") == 1, 2)
            assert w.operation(read.query_id)["probes"]["count"] == 1
            w.wait("probe", 2, operation=read.query_id)
            until("a success", lambda: read.number("probes_succeeded") == 1, 2)
            assert read.rest() == list(range(1, 60))


def test_rule_3_10_probes_take_no_rows(warehouse_of) -> None:
    """On Spark the probe is a fetch of no rows, whose answer looks like the end of the data."""
    w = warehouse_of("spark")
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        assert read.rows(1) == [0]
        w.wait("probe", 2, operation=read.query_id)
        assert read.rows(24) == list(range(1, 25))
        w.wait("probe", 4, operation=read.query_id)
        assert read.option("state") in ("armed", "probing")
        assert read.rest() == list(range(25, 60))


def test_rule_3_10_a_fetch_may_overtake_a_probe(warehouse_of) -> None:
    """The probe finds the cursor where it was not when it was sent: no row is lost by that."""
    w = warehouse_of("spark")
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        assert read.rows(1) == [0]
        w.fault({"kind": "delay", "ms": 1500}, "probe")
        until("a probe is under way", lambda: read.option("state") == "probing", 5)
        assert read.rows(30) == list(range(1, 31))
        until("its answer", lambda: read.number("probes_succeeded") > 0, 5)
        assert read.number("probes_failed") == 0
        assert read.rest() == list(range(31, 60))


# --- 4: answers ------------------------------------------------------------------------------


def test_rule_4_0_unknown_handle_is_confirmed_before_it_is_believed(w: Warehouse) -> None:
    """A balancer's mistake: one probe is told that the handle is unknown, the next is not."""
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        read.rows(1)
        fault = w.fault("unknown_handle", "probe")
        until("taken", lambda: w.fault_taken(fault))
        seen = w.operation(read.query_id)["probes"]["count"]
        w.wait("probe", seen + 2, operation=read.query_id, timeout=6)
        assert read.option("state") in ("armed", "probing")
        told = [r for r in w.requests(operation=read.query_id) if r["probe"]]
        hit = next(at for at, r in enumerate(told) if r["faults"])
        # The second opinion comes through a connection of its own, two seconds later.
        assert told[hit + 1]["reused"] is False
        assert 1.5 <= told[hit + 1]["time"] - told[hit]["time"] <= 3.5
        assert read.rest() == list(range(1, 60))


def test_rule_4_4_verdict_explains_the_next_error(w: Warehouse) -> None:
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        assert read.rows(1) == [0]
        w.wait("probe", 2, operation=read.query_id)
        w.advance("25m")
        until("the loss is known", lambda: read.option("reason") == "handle_lost", 8)
        assert read.option("state") == "stopped"
        # The verdict itself takes nothing away: what is here is delivered.
        assert read.rows(19) == list(range(1, 20))
        error = fails(4, read.rest)
        text = str(error)
        assert re.search(r"last known alive \d+ s ago", text), text
        assert re.search(r"[12345] heartbeats had succeeded", text), text
        assert read.query_id in text
        assert details(error)["error_class"] == "RESOURCE_DOES_NOT_EXIST"


def test_rule_4_4_verdict_is_asked_about(w: Warehouse) -> None:
    """Two probes go to the wrong server: the next read asks, the server has the last word, and
    the heartbeat goes on (rule 4.3)."""
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        assert read.rows(1) == [0]
        w.fault({"kind": "error", "message": "Invalid OperationHandle"}, "probe", times=2)
        until("the loss is believed", lambda: read.option("reason") == "handle_lost", 8)
        assert read.rows(29) == list(range(1, 30))
        until("armed again", lambda: read.option("state") in ("armed", "probing"), 2)
        seen = w.operation(read.query_id)["probes"]["count"]
        w.wait("probe", seen + 1, operation=read.query_id)
        assert read.rest() == list(range(30, 60))


@pytest.mark.parametrize("style", ["error_status", "invalid_handle"])
def test_rule_4_4_other_forms_of_loss(own_warehouse, style: str) -> None:
    w = own_warehouse(unknown_handle=style)
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        read.rows(1)
        w.wait("probe", 1, operation=read.query_id)
        w.advance("25m")
        until("the loss is known", lambda: read.option("reason") == "handle_lost", 8)
        error = fails(4, read.rest)
        assert error.sqlstate == "24000", error
        assert "last known alive" in str(error)


@pytest.mark.parametrize("do", [
    "refuse", "garbage", "html", "reset", "application_exception",
    {"kind": "truncate", "bytes": 10}, {"kind": "status", "code": 500}, {"kind": "status", "code": 404},
    {"kind": "error", "message": "busy"},
])  # fmt: skip
def test_rule_4_0_a_failed_probe_is_no_loss(w: Warehouse, do: str | dict) -> None:
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        read.rows(1)
        fault = w.fault(do, "probe", times=1)
        until("taken", lambda: w.fault_taken(fault))
        until("a success", lambda: read.number("probes_succeeded") >= 1, 6)
        assert read.number("probes_failed") == 1
        assert read.option("state") in ("armed", "probing")
        assert read.rest() == list(range(1, 60))


def test_rule_4_0_nothing_before_retry_after(w: Warehouse) -> None:
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        read.rows(1)
        fault = w.fault({"kind": "status", "code": 503, "retry_after": 4}, "probe")
        until("taken", lambda: w.fault_taken(fault))
        w.wait("probe", 2, operation=read.query_id, timeout=10)
        told = [r for r in w.requests(operation=read.query_id) if r["probe"]]
        assert 3.9 <= told[1]["time"] - told[0]["time"] < 7
        assert read.number("postponed") >= 1
        assert read.rest() == list(range(1, 60))


def test_rule_4_0_probe_with_a_refused_token_is_no_loss(w: Warehouse) -> None:
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        read.rows(1)
        fault = w.fault("unauthorized", "probe")
        until("taken", lambda: w.fault_taken(fault))
        until("a success", lambda: read.number("probes_succeeded") >= 1, 6)
        assert read.rest() == list(range(1, 60))


def test_rule_4_1_three_failures_close_the_gate_of_the_host(w: Warehouse) -> None:
    """One canary at a time; at its first success all go on."""
    with connected(w, PAGED, heartbeat(1)) as conn:
        reads = [run(conn, SIXTY) for _ in range(4)]
        for read in reads:
            read.rows(1)
        fault = w.fault({"kind": "status", "code": 500}, "probe", times=0)
        until("the gate closes", lambda: conn.get_option_int("databricks.heartbeat.gates_closed"))
        taken = w.fault_taken(fault)
        until("a canary", lambda: w.fault_taken(fault) > taken, 6)
        w.clear_faults()
        for read in reads:
            seen = read.number("probes_succeeded")
            until("it goes on", lambda: read.number("probes_succeeded") > seen, 12)  # noqa: B023
        for read in reads:
            assert read.option("state") in ("armed", "probing")
            assert read.rest() == list(range(1, 60))
            read.close()


def test_rule_4_1_explicit_max_failures_decides_alone(w: Warehouse) -> None:
    with connected(w, PAGED, heartbeat(1, max_failures=2)) as conn, run(conn, SIXTY) as read:
        read.rows(1)
        w.fault({"kind": "status", "code": 500}, "probe", times=0)
        until("given up", lambda: read.option("reason") == "failures", 10)
        assert read.number("probes_failed") == 2
        w.clear_faults()
        # Rule 4.3: the server has the last word, and a success arms it again.
        read.rows(15)
        until("armed again", lambda: read.option("state") in ("armed", "probing"))
        assert read.rest() == list(range(16, 60))


def test_rule_4_0_closed_behind_our_back(w: Warehouse) -> None:
    """The operation ends on the server while the reader pauses."""
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        assert read.rows(1) == [0]
        w.fault("close_operation", "probe")
        until("stopped", lambda: read.option("state") == "stopped", 8)
        assert read.option("reason") in ("handle_lost", "terminal_state")
        error = fails(4, read.rest)
        assert error.sqlstate == "24000", error


# --- 5: where it stops -----------------------------------------------------------------------


def test_rule_5_5_abandoned_after_max_idle(w: Warehouse) -> None:
    with connected(w, PAGED, heartbeat(1, max_idle_seconds=2)) as conn:
        with run(conn, SIXTY) as read:
            operation = read.query_id
            assert read.rows(1) == [0]
            w.wait("closed", operation=operation, timeout=8)
            assert (read.option("state"), read.option("reason")) == ("stopped", "abandoned")
            told = w.requests(operation=operation)
            closed = next(r["number"] for r in told if r["rpc"] == "CloseOperation")
            assert all(r["number"] < closed for r in told if r["probe"])
            error = fails(4, read.rest)
            assert "abandoned" in str(error)
            assert "databricks.heartbeat.max_idle_seconds" in str(error)
            assert operation in str(error)
        assert value(conn, "SELECT 1") == 1


def test_rule_5_5_a_reader_is_not_idle(w: Warehouse) -> None:
    options = heartbeat(1, max_idle_seconds=2)
    with connected(w, PAGED, options, {"databricks.prefetch_pages": "0"}) as conn:
        with run(conn, SIXTY) as read:
            found = []
            for _ in range(6):
                found += read.rows(10)
                time.sleep(0.8)  # the pause is what is tested
            assert found == list(range(60))


def test_rule_5_5_max_lifetime(w: Warehouse) -> None:
    with connected(w, PAGED, heartbeat(1, max_lifetime_seconds=2)) as conn:
        with run(conn, SIXTY) as read:
            read.rows(1)
            w.wait("closed", operation=read.query_id, timeout=8)
            assert read.option("reason") == "abandoned"
            error = fails(4, read.rest)
            assert "databricks.heartbeat.max_lifetime_seconds" in str(error)


def test_rule_5_6_nothing_is_left_after_the_last_close(w: Warehouse) -> None:
    with nothing_left():
        with connected(w, PAGED, heartbeat(1)) as conn:
            reads = [run(conn, SIXTY) for _ in range(10)]
            for read in reads:
                read.rows(1)
            w.wait("probe", 10)
            for read in reads:
                read.close()
    assert w.stats()["operations_open"] == 0


TARGET = """
import os, sys, time
from harness import *
class w:
    uri, token, personality, ca_file = sys.argv[1], sys.argv[2], "databricks", None
"""

LEAVE = TARGET + """
db = database(w, PAGED, heartbeat(1))
conn = AdbcConnection(db)
reads = [run(conn, "SELECT id FROM range(60)") for _ in range(100)]
for read in reads:
    assert read.rows(1) == [0]
assert conn.get_option_int("databricks.heartbeat.armed") == 100
print("armed", flush=True)
if sys.argv[3] == "probing":
    until("probing", lambda: conn.get_option_int("databricks.heartbeat.probes_sent") >= 10, 5)
import ctypes, threading
ctypes.CDLL(None).exit(0)
"""


@pytest.mark.parametrize("moment", ["armed", "probing", "hanging"])
def test_rule_5_6_exit_with_a_hundred_armed_results(w: Warehouse, moment: str) -> None:
    """exit() with nothing released: status 0, at once, no crash."""
    if moment == "hanging":
        w.fault("hang", "probe", times=0)
    since = time.monotonic()
    ended = python(LEAVE, w.uri, w.token, "probing" if moment == "hanging" else moment, timeout=30)
    assert ended.returncode == 0, ended.stderr
    assert "armed" in ended.stdout
    assert not ended.stderr
    assert time.monotonic() - since < 20
    w.clear_faults()
    w.reset(sessions=True)


TIMED_EXIT = TARGET + """
db = database(w, PAGED, heartbeat(1))
conn = AdbcConnection(db)
reads = [run(conn, "SELECT id FROM range(60)") for _ in range(100)]
for read in reads:
    read.rows(1)
import ctypes
print(time.monotonic(), flush=True)
ctypes.CDLL(None).exit(0)
"""


def test_rule_5_6_exit_takes_less_than_two_seconds(w: Warehouse) -> None:
    w.fault("hang", "CloseOperation", times=0)
    w.fault("hang", "CloseSession", times=0)
    ended = python(TIMED_EXIT, w.uri, w.token, timeout=30)
    assert ended.returncode == 0, ended.stderr
    # Both clocks are the machine's.
    assert time.monotonic() - float(ended.stdout) < 2


FORK = TARGET + """
db = database(w, PAGED, heartbeat(1))
conn = AdbcConnection(db)
read = run(conn, "SELECT id FROM range(60)")
assert read.rows(1) == [0]
out, into = os.pipe()
child = os.fork()
if child == 0:
    told = []
    def refused(name, call):
        try:
            call()
            told.append(name + " did not fail")
        except Error as error:
            if error.status_code != AdbcStatusCode.INVALID_STATE or "fork" not in str(error):
                told.append(f"{name}: {error}")
    left = sorted(os.listdir("/proc/self/task"))
    if len(left) != 1:
        told.append(f"threads in the child: {left}")
    refused("execute", lambda: execute(AdbcStatement(conn), "SELECT 1"))
    refused("read", lambda: read.reader.read_all())
    refused("statement", lambda: AdbcStatement(conn).set_sql_query("SELECT 1"))
    refused("connect", lambda: AdbcConnection(db))
    refused("cancel", read.stmt.cancel)
    try:
        if sys.argv[3] == "release":
            read.close(); conn.close(); db.close()
        with connected(w, PAGED, heartbeat(1)) as new:
            with run(new, "SELECT id FROM range(60)") as mine:
                until("probes of the child's own", lambda: mine.number("probes_sent") >= 2)
                if mine.rest() != list(range(60)):
                    told.append("the child's own rows are wrong")
    except BaseException as error:
        told.append(repr(error))
    os.write(into, "\\n".join(told).encode() or b"ok")
    os.close(into)
    if sys.argv[3] == "exit":
        import ctypes
        ctypes.CDLL(None).exit(0)
    os._exit(0)
os.close(into)
told = b""
while part := os.read(out, 4096):
    told += part
_, status = os.waitpid(child, 0)
assert status == 0, status
assert told == b"ok", told.decode()
until("the parent goes on", lambda: read.number("probes_succeeded") >= 3)
print(read.query_id)
assert read.rest() == list(range(1, 60))
read.close(); conn.close(); db.close()
"""


@pytest.mark.parametrize("way", ["release", "leave", "exit"])
def test_rule_5_7_fork(w: Warehouse, way: str) -> None:
    """The child neither probes nor closes what is the parent's; its handles say so; a database
    of its own works."""
    ended = python(FORK, w.uri, w.token, way, timeout=30)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    operation = ended.stdout.strip()
    told = [r["rpc"] for r in w.requests(operation=operation)]
    assert told.count("CloseOperation") == 1
    assert w.operation(operation)["closed"] is True
    # The parent's session and the child's own, each opened and closed once.
    assert w.stats()["requests"]["OpenSession"] == 2
    w.wait("sessions_open", 0, at_most=True)


ENVIRONMENT = TARGET + """
with connected(w, PAGED, heartbeat(1, enabled="true")) as conn:
    with run(conn, "SELECT id FROM range(60)") as read:
        print(read.option("state"), read.option("reason"))
        read.rest()
"""


@pytest.mark.parametrize("word", ["off", "0", "false"])
def test_rule_5_8_environment_turns_it_off(w: Warehouse, word: str) -> None:
    ended = python(ENVIRONMENT, w.uri, w.token, LAKEBEAT_HEARTBEAT=word)
    assert ended.stdout.split() == ["not_armed", "disabled"], ended.stderr


@pytest.mark.parametrize("word", ["on", ""])
def test_rule_5_8_environment_leaves_it_on(w: Warehouse, word: str) -> None:
    ended = python(ENVIRONMENT, w.uri, w.token, LAKEBEAT_HEARTBEAT=word)
    assert ended.stdout.split()[0] in ("armed", "probing"), ended.stderr


# --- 7: what the user sees -------------------------------------------------------------------


def test_rule_7_1_on_by_default(w: Warehouse) -> None:
    with connected(w, PAGED) as conn, run(conn, SIXTY) as read:
        assert read.option("state") == "armed"
        assert read.stmt.get_option("databricks.heartbeat.enabled") in ("true", "on", "1")
        assert read.stmt.get_option("databricks.heartbeat.interval_seconds") == "60"


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("enable_heartbeat", "enabled"),
        ("EnableHeartbeat", "enabled"),
        ("heartbeat_interval_seconds", "interval_seconds"),
        ("adbc.databricks.fetch_heartbeat_interval", "interval_seconds"),
        ("HeartbeatIntervalSeconds", "interval_seconds"),
        ("adbc.databricks.operation_status_request_timeout", "request_timeout_seconds"),
        ("HeartbeatRequestTimeoutSeconds", "request_timeout_seconds"),
    ],
)
def test_rule_7_1_names_that_other_drivers_use(w: Warehouse, name: str, canonical: str) -> None:
    word = "false" if canonical == "enabled" else "17"
    with connected(w, {name: word}) as conn, AdbcStatement(conn) as stmt:
        assert stmt.get_option("databricks.heartbeat." + canonical) in (word, "off", "0")


@pytest.mark.parametrize("word", ["true", "1", "on", "false", "0", "off"])
def test_rule_7_1_words_for_on_and_off(w: Warehouse, word: str) -> None:
    with connected(w, PAGED, heartbeat(enabled=word)) as conn, run(conn, SIXTY) as read:
        armed = read.option("state") == "armed"
        assert armed is (word in ("true", "1", "on"))


def test_rule_7_2_nearest_option_wins(w: Warehouse) -> None:
    with database(w, PAGED, heartbeat(100)) as db, AdbcConnection(db) as conn:
        key = "databricks.heartbeat.interval_seconds"
        with AdbcStatement(conn) as stmt:
            assert stmt.get_option(key) == "100"
            conn.set_options(**{key: "200"})
            assert stmt.get_option(key) == "200"
            stmt.set_options(**{key: "300"})
            assert stmt.get_option(key) == "300"
            assert conn.get_option(key) == "200"
            assert db.get_option(key) == "100"
        with AdbcConnection(db) as other:
            assert other.get_option(key) == "100"


def test_rule_7_2_a_change_applies_to_the_next_execution(w: Warehouse) -> None:
    with connected(w, PAGED, OFF) as conn, AdbcStatement(conn) as stmt:
        read = execute(stmt, SIXTY)
        stmt.set_options(**heartbeat(1, enabled="true"))
        assert read.option("reason") == "disabled"
        read.release_stream()
        read = execute(stmt, SIXTY)
        assert read.option("state") == "armed"
        conn.set_options(**OFF)  # the statement's own is nearer
        w.wait("probe", 1, operation=read.query_id)
        read.release_stream()


def test_rule_7_3_readable_from_any_thread(w: Warehouse) -> None:
    from harness import Task

    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        w.fault({"kind": "delay", "ms": 100}, "FetchResults", times=0)
        reading = Task(read.rest)
        rounds = 0
        while reading.running:
            seen = statistics(read)
            assert seen["probes_sent"] >= seen["probes_succeeded"]
            assert conn.get_option_int("databricks.heartbeat.armed") in (0, 1)
            rounds += 1
        assert reading.result(1) == list(range(60))
        assert rounds > 10


def test_rule_7_3_sums_of_connection_and_database(w: Warehouse) -> None:
    with database(w, PAGED, heartbeat(1)) as db:
        with AdbcConnection(db) as first, AdbcConnection(db) as second:
            reads = [run(first, SIXTY), run(first, SIXTY), run(second, SIXTY)]
            for read in reads:
                read.rows(1)

            def armed(handle) -> int:
                return handle.get_option_int("databricks.heartbeat.armed")

            assert (armed(first), armed(second), armed(db)) == (2, 1, 3)
            w.wait("probe", 6)
            for read in reads:
                read.release_stream()
            until("none", lambda: armed(db) == 0)

            def sent(handle) -> int:
                return handle.get_option_int("databricks.heartbeat.probes_sent")

            assert sent(first) == sum(read.number("probes_sent") for read in reads[:2])
            assert sent(db) == sent(first) + sent(second) == w.stats()["probes"]
            for read in reads:
                read.close()


SUMMED = (
    "armed", "probes_sent", "probes_succeeded", "probes_failed", "probes_dropped", "postponed",
    "bytes", "late_max_ms", "gates_closed",
)  # fmt: skip


def of_process(handle, name: str) -> int:
    return handle.get_option_int(f"databricks.heartbeat.process.{name}")


def test_rule_7_3_sums_of_the_process(w: Warehouse) -> None:
    def sums(handle) -> dict[str, int]:
        return {name: handle.get_option_int(f"databricks.heartbeat.{name}") for name in SUMMED}

    with database(w, PAGED, heartbeat(1)) as kept:
        before = {name: of_process(kept, name) for name in SUMMED}
        with AdbcConnection(kept) as first:
            with database(w, PAGED, heartbeat(1)) as gone:
                with AdbcConnection(gone) as second:
                    reads = [run(first, SIXTY), run(first, SIXTY), run(second, SIXTY)]
                    for read in reads:
                        read.rows(1)
                    for handle in (first, second, kept, gone, reads[0].stmt):
                        assert of_process(handle, "armed") == before["armed"] + 3
                    for read in reads:
                        w.wait("probe", 2, operation=read.query_id)
                    for read in reads:
                        read.release_stream()
                    until("none", lambda: of_process(kept, "armed") == before["armed"])
                    for read in reads:
                        read.close()
                both = [sums(kept), sums(gone)]
            assert both[1]["probes_sent"] >= 2
            with AdbcStatement(first) as unused:  # without a result of its own
                for handle in (kept, first, unused):
                    for name in SUMMED:
                        seen = of_process(handle, name)
                        if name == "late_max_ms":
                            assert seen == max(before[name], *(each[name] for each in both))
                        else:
                            assert seen == before[name] + sum(each[name] for each in both), name
            for name in ("state", "reason", "oldest_idle_ms", "since_contact_ms"):
                error = fails(2, kept.get_option, f"databricks.heartbeat.process.{name}")
                assert error.status_code == AdbcStatusCode.NOT_FOUND
            sent = {"databricks.heartbeat.process.probes_sent": "0"}
            error = fails(2, lambda: kept.set_options(**sent))
            assert error.status_code == AdbcStatusCode.NOT_IMPLEMENTED
            assert "can be read, not set" in str(error)


LOGGED = TARGET + """
from warehouse.testing import Control
control = Control(sys.argv[3])
with connected(w, PAGED, heartbeat(1)) as conn:
    with run(conn, "SELECT id FROM range(60)") as read:
        read.rows(1)
        control.wait("probe", 2, operation=read.query_id)
        print(read.query_id)
"""


def test_rule_7_4_log_lines(w: Warehouse, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "log"
    ended = python(LOGGED, w.uri, w.token, w.control, LAKEBEAT_LOG=f"debug:{log}")
    assert ended.returncode == 0, ended.stderr
    query_id = ended.stdout.strip()
    text = log.read_text()
    lines = [line for line in text.splitlines() if query_id in line]
    armed = [line for line in lines if "armed:" in line]
    assert len(armed) == 1, text
    assert "probe status" in armed[0] and "1000 ms" in armed[0], armed
    stopped = [line for line in lines if "stopped" in line and "released" in line]
    assert len(stopped) == 1, text
    assert not ended.stderr
    # No secret is ever logged.
    assert w.token not in text


def test_rule_7_4_secrets_of_failures_are_not_logged(
    w: Warehouse, tmp_path: pathlib.Path
) -> None:
    log = tmp_path / "log"
    w.fault({"kind": "status", "code": 500, "message": "Bearer " + w.token}, "probe", times=1)
    ended = python(LOGGED, w.uri, w.token, w.control, LAKEBEAT_LOG=f"debug:{log}")
    assert ended.returncode == 0, ended.stderr
    assert w.token not in log.read_text()


def test_rule_7_4_probes_can_be_told_by_their_agent(w: Warehouse) -> None:
    with connected(w, PAGED, heartbeat(1)) as conn, run(conn, SIXTY) as read:
        read.rows(1)
        w.wait("probe", 1, operation=read.query_id)
        for told in w.requests(operation=read.query_id):
            probe = told["rpc"] == "GetOperationStatus"
            assert ("heartbeat" in told["user_agent"]) is probe
            assert told["user_agent"].lower().startswith("lakebeat/")


# --- 8: load ---------------------------------------------------------------------------------


def test_rule_8_1_one_thread_for_all(w: Warehouse) -> None:
    from harness import threads

    before = len(threads())
    with connected(w, PAGED, heartbeat(1)) as conn:
        with run(conn, SIXTY) as read:
            read.rows(1)
            one = len(threads())
        reads = [run(conn, SIXTY) for _ in range(50)]
        for read in reads:
            read.rows(1)
        w.wait("probe", 50, timeout=10)
        assert len(threads()) == one == before + 1
        for read in reads:
            read.close()


def test_rule_8_2_parked_results_share_connections(w: Warehouse) -> None:
    with connected(w, PAGED, heartbeat(1)) as conn:
        reads = [run(conn, SIXTY) for _ in range(100)]
        for read in reads:
            read.rows(1)
        w.wait("probe", 200, timeout=10)
        assert w.stats()["connections_open"] <= 40
        for read in reads:
            read.close()
    w.wait("operations_open", 0, at_most=True)
