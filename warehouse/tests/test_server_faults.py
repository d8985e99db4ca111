# SPDX-License-Identifier: Apache-2.0
"""Each fault does what it says, and says that it did."""

import email.utils
import http.client
import threading
import time

import pyarrow as pa
import pytest
from databricks.sql.thrift_api.TCLIService import ttypes as t

from warehouse.server.kinds import KINDS, RPCS
from warehouse.testing import ControlError, Warehouse
from warehouse.tests.thrift_client import Client, HttpError, arrow_table, ident, rows_of

ROWS = "SELECT id FROM range(0, 1000, 1, 1)"


@pytest.fixture(scope="module")
def server():
    with Warehouse(no_samples=True) as warehouse:
        yield warehouse
        assert "Traceback" not in warehouse.stderr


@pytest.fixture
def w(server):
    server.reset(sessions=True)
    return server


@pytest.fixture
def c(w):
    client = Client(w)
    client.open()
    yield client
    client.close()


def info(c):
    return c.call("GetInfo", t.TGetInfoReq(c.session, 17))


def test_delay(w, c):
    fault = w.fault({"kind": "delay", "ms": 300}, "GetInfo")
    started = time.monotonic()
    assert info(c).infoValue.stringValue == "Spark SQL"
    assert time.monotonic() - started >= 0.3
    info(c)
    assert w.fault_taken(fault) == 1
    found = [entry["faults"] for entry in w.requests(rpc="GetInfo", limit=2)]
    assert found == [[f"{fault} delay"], []]


def test_hang_until_released(w, c):
    w.fault("hang", "GetInfo")
    results = []
    thread = threading.Thread(target=lambda: results.append(info(c)))
    thread.start()
    w.wait("held")
    assert results == [] and w.stats()["in_flight"] == 1
    assert w.release() == 1
    thread.join(5)
    assert results[0].status.statusCode == 0


def test_hang_until_the_client_goes(w, c):
    w.fault("hang", "GetInfo")
    c.http.timeout = 0.2
    c.http.close()
    with pytest.raises(TimeoutError):
        info(c)
    c.http.close()
    assert w.wait("in_flight", 0, at_most=True) == 0
    assert w.requests(rpc="GetInfo")[0]["status"] is None


def test_refuse_does_not_process(w, c):
    handle = c.run(ROWS)
    w.fault("refuse", "CloseOperation")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        c.close_operation(handle)
    assert w.operation(ident(handle))["open"]


@pytest.mark.parametrize("code", [400, 403, 404, 429, 500, 502, 503, 504])
def test_status(w, c, code):
    w.fault({"kind": "status", "code": code, "message": "go away"}, "GetInfo")
    with pytest.raises(HttpError) as caught:
        info(c)
    assert caught.value.status == code and b"go away" in caught.value.body
    assert "retry-after" not in caught.value.headers
    assert info(c).status.statusCode == 0


def test_retry_after(w, c):
    w.fault({"kind": "status", "code": 429, "retry_after": 7}, "GetInfo")
    with pytest.raises(HttpError) as caught:
        info(c)
    assert caught.value.headers["retry-after"] == "7"
    w.fault({"kind": "status", "code": 503, "retry_after_date": 60}, "GetInfo")
    with pytest.raises(HttpError) as caught:
        info(c)
    at = email.utils.parsedate_to_datetime(
        caught.value.headers["retry-after"]
    ).timestamp()
    assert 55 < at - time.time() <= 61


def test_unauthorized_once(w, c):
    w.fault("unauthorized", "GetInfo")
    with pytest.raises(HttpError) as caught:
        info(c)
    assert caught.value.status == 401 and "www-authenticate" in caught.value.headers
    assert info(c).status.statusCode == 0


def test_html(w, c):
    w.fault("html", "GetInfo")
    status, body = c.post(c.encode("GetInfo", t.TGetInfoReq(c.session, 17)))
    assert status == 200 and c.last_headers["content-type"].startswith("text/html")
    assert body.startswith(b"<!DOCTYPE html>")


def test_error_struct(w, c):
    w.fault({"kind": "error", "sqlstate": "57014", "message": "no more"}, "GetInfo")
    status = info(c).status
    assert (status.statusCode, status.sqlState, status.displayMessage) == (
        3,
        "57014",
        "no more",
    )


def test_application_exception(w, c):
    w.fault({"kind": "application_exception", "type": 6, "message": "oops"}, "GetInfo")
    _, body = c.post(c.encode("GetInfo", t.TGetInfoReq(c.session, 17)))
    assert body[3] == 3 and b"oops" in body


def test_close_under_the_reader(w, c):
    handle = c.run(ROWS)
    c.fetch(handle, 10)
    w.fault("close_operation", {"rpc": "FetchResults", "operation": ident(handle)})
    with pytest.raises(HttpError) as caught:
        c.fetch(handle, 10)
    assert caught.value.status == 404 and w.operation(ident(handle))["closed"]


def test_unknown_handle_never_twice_running(w, c):
    handle = c.run(ROWS)
    fault = w.fault("unknown_handle", "GetOperationStatus", times=0)
    answers = []
    for _ in range(6):
        try:
            c.status(handle)
            answers.append(200)
        except HttpError as error:
            answers.append(error.status)
    assert answers == [404, 200, 404, 200, 404, 200]
    assert w.fault_taken(fault) == 3
    assert w.operation(ident(handle))["unknown_answers"] == 3


def test_restart(w, c):
    handle = c.run(ROWS)
    generation = w.stats()["generation"]
    w.fault("restart", "FetchResults")
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        c.fetch(handle, 10)
    c.close()
    assert w.stats()["generation"] == generation + 1
    with pytest.raises(HttpError) as caught:
        c.fetch(handle, 10)
    assert caught.value.status == 404
    assert c.execute("SELECT 1").status.errorMessage.startswith("Invalid SessionHandle")


def test_hold_keeps_the_reply_and_does_the_work(w, c):
    w.fault("hold", "ExecuteStatement")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(c.execute(ROWS)))
    thread.start()
    w.wait("held")
    (op,) = w.operations(open_only=True)
    w.wait("finished", operation=op["id"])
    assert answers == []
    w.release()
    thread.join(5)
    assert ident(answers[0].operationHandle) == op["id"]


def test_hold_for_a_while(w, c):
    w.fault({"kind": "hold", "ms": 200}, "OpenSession")
    started = time.monotonic()
    assert c.open().status.statusCode == 0
    assert time.monotonic() - started >= 0.2


def test_garbage(w, c):
    w.fault({"kind": "garbage", "bytes": 40}, "GetInfo")
    status, body = c.post(c.encode("GetInfo", t.TGetInfoReq(c.session, 17)))
    assert status == 200 and len(body) == 40
    assert info(c).status.statusCode == 0


def test_truncate_keeps_the_length(w, c):
    handle = c.run(ROWS)
    w.fault({"kind": "truncate", "bytes": 50}, "FetchResults")
    with pytest.raises(http.client.IncompleteRead) as caught:
        c.fetch(handle)
    assert len(caught.value.partial) == 50 and caught.value.expected > 1000


@pytest.mark.parametrize("delta", [25, -25])
def test_wrong_length(w, c, delta):
    whole = len(c.post(c.encode("GetInfo", t.TGetInfoReq(c.session, 17)))[1])
    w.fault({"kind": "wrong_length", "delta": delta}, "GetInfo")
    body = c.encode("GetInfo", t.TGetInfoReq(c.session, 17))
    if delta > 0:
        with pytest.raises(http.client.IncompleteRead) as caught:
            c.post(body)
        assert caught.value.expected == delta
    else:
        assert len(c.post(body)[1]) == whole + delta


@pytest.mark.parametrize("sent", [0, 200])
def test_reset(w, c, sent):
    handle = c.run(ROWS)
    w.fault({"kind": "reset", "bytes": sent}, "FetchResults")
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        c.fetch(handle)
    c.close()
    assert c.fetch(handle).hasMoreRows is False
    assert w.operation(ident(handle))["cursor"] == 1000


def test_drip(w, c):
    w.fault({"kind": "drip", "bytes": 8, "ms": 20}, "GetInfo")
    started = time.monotonic()
    assert info(c).status.statusCode == 0
    assert time.monotonic() - started > 0.06


def test_wrong_row_count_of_batches(w, c):
    handle = c.run(ROWS)
    w.fault({"kind": "wrong_row_count", "delta": 5}, "FetchResults")
    results = c.fetch(handle).results
    assert results.arrowBatches[0].rowCount == 1005
    assert arrow_table(c.metadata(handle), results).num_rows == 1000


def test_wrong_row_count_of_columns(w, c):
    handle = c.run("SELECT id, id AS b FROM range(0, 10, 1, 1)", arrow=False)
    w.fault({"kind": "wrong_row_count", "delta": -1}, "FetchResults")
    first, second = c.fetch(handle).results.columns
    assert (len(first.i64Val.values), len(second.i64Val.values)) == (9, 10)


def test_wrong_offset(w, c):
    handle = c.run(ROWS)
    w.fault({"kind": "wrong_offset", "delta": 10}, "FetchResults")
    assert c.fetch(handle, 5).results.startRowOffset == 10


def test_read_then_close_only_on_a_reused_connection(w):
    c = Client(w)
    fault = w.fault("read_then_close", "OpenSession")
    assert c.open().status.statusCode == 0
    assert w.fault_taken(fault) == 0
    w.clear_faults(fault)
    c.run("CREATE OR REPLACE TABLE once (a INT)")
    w.fault("read_then_close", {"statement": "INSERT INTO once"})
    with pytest.raises(http.client.RemoteDisconnected):
        c.execute("INSERT INTO once VALUES (1)", direct=1)
    c.close()
    count = c.execute("SELECT count(*) AS n FROM once", direct=1).directResults
    table = arrow_table(count.resultSetMetadata, count.resultSet.results)
    assert table.to_pylist() == [{"n": 1}]


def test_close_connection_on_accept(w):
    w.fault("close_connection", "connection")
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        Client(w).open()
    assert Client(w).open().status.statusCode == 0


# --- where and when --------------------------------------------------------------------


def test_nth_every_and_times(w, c):
    w.fault({"kind": "status", "code": 500}, "GetInfo", when=3)
    assert [answer(c) for _ in range(5)] == [200, 200, 500, 200, 200]
    w.clear_faults()
    w.fault({"kind": "status", "code": 500}, "GetInfo", when={"every": 2}, times=2)
    assert [answer(c) for _ in range(6)] == [200, 500, 200, 500, 200, 200]
    w.clear_faults()
    w.fault({"kind": "status", "code": 500}, "GetInfo", times=0)
    assert [answer(c) for _ in range(3)] == [500] * 3


def answer(c) -> int:
    return c.post(c.encode("GetInfo", t.TGetInfoReq(c.session, 17)))[0]


def test_probability_repeats_with_its_seed(w, c):
    seen = []
    for _ in range(2):
        w.fault(
            {"kind": "status", "code": 500},
            "GetInfo",
            when={"probability": 0.5, "seed": 3},
            times=0,
        )
        seen.append([answer(c) for _ in range(12)])
        w.clear_faults()
    assert seen[0] == seen[1] and set(seen[0]) == {200, 500}


def test_probes_only(w, c):
    handle = c.run(ROWS)
    beat = Client(w, agent="lakebeat heartbeat")
    fault = w.fault({"kind": "status", "code": 503}, "probe", times=0)
    assert c.status(handle).status.statusCode == 0
    with pytest.raises(HttpError):
        beat.status(handle)
    with pytest.raises(HttpError):
        c.fetch(handle, 0)
    assert w.fault_taken(fault) == 2


def test_statement_reaches_the_fetches_of_its_operation(w, c):
    one, two = c.run("SELECT 1 AS aaa"), c.run("SELECT 1 AS bbb")
    w.fault({"kind": "status", "code": 500}, {"rpc": "FetchResults", "statement": "bbb"})
    assert c.fetch(one).status.statusCode == 0
    with pytest.raises(HttpError):
        c.fetch(two)


def test_path(w, c):
    w.fault({"kind": "status", "code": 500}, {"path": "/endpoints/"}, times=0)
    assert answer(c) == 200
    c.path = "/sql/1.0/endpoints/x"
    assert answer(c) == 500


def test_several_at_once(w, c):
    w.fault({"kind": "delay", "ms": 100}, "GetInfo")
    w.fault({"kind": "wrong_length", "delta": 1}, "GetInfo")
    started = time.monotonic()
    with pytest.raises(http.client.IncompleteRead):
        info(c)
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"do": "explode"}, "do.kind is one of"),
        ({}, "do is missing"),
        ({"do": "hang", "where": "NoRpc"}, "no RPC"),
        ({"do": "hang", "where": {"statement": "("}}, "regular expression"),
        ({"do": "hang", "when": {"nth": 0}}, "from 1 up"),
        ({"do": {"kind": "hang", "ms": 1}}, "do.ms is unknown"),
        ({"do": {"kind": "delay", "ms": "x"}}, "is a number"),
        ({"do": "hang", "times": -1}, "times"),
        ({"do": "hang", "wher": 1}, "a fault has"),
    ],
)
def test_bad_faults_are_refused(w, fault, text):
    with pytest.raises(ControlError, match="400") as caught:
        w.call("POST", "/faults", fault)
    assert text in caught.value.body["error"]
    assert w.faults() == []


def test_kinds_are_listed(w):
    kinds = w.call("GET", "/faults/kinds")
    assert (
        kinds["delay"]["parameters"] == {"ms": 1000} and kinds["hold"]["phase"] == "after"
    )


# --- pages -----------------------------------------------------------------------------


def pages(c, handle, rows):
    """Every page of a result: (offset, values)."""
    metadata, found = c.metadata(handle), []
    while True:
        answer = c.fetch(handle, rows)
        assert answer.status.statusCode == 0
        results = answer.results
        if results.arrowBatches is not None:
            values = arrow_table(metadata, results).column(0).to_pylist()
        else:
            values = [row[0] for row in rows_of(results)]
        found.append((results.startRowOffset, values))
        if not answer.hasMoreRows:
            return found


@pytest.mark.parametrize("arrow", [True, False])
def test_missing_and_duplicate_batches_can_be_noticed(w, c, arrow):
    for kind, more in (("missing_batch", False), ("duplicate_batch", True)):
        handle = c.run(ROWS, arrow=arrow)
        fault = w.fault(kind, "FetchResults", times=0)
        found = pages(c, handle, 600)
        w.clear_faults(fault)
        (_, first), (offset, last) = found
        assert offset == 600 and last == list(range(600, 1000))
        assert len(first) > 600 if more else len(first) < 600


def test_bad_arrow_and_bad_lz4_do_not_decode(w, c):
    for kind, lz4 in (("bad_arrow", False), ("bad_arrow", True), ("bad_lz4", True)):
        handle = c.run(ROWS, canDecompressLZ4Result=lz4)
        metadata = c.metadata(handle)
        w.fault(kind, "FetchResults")
        with pytest.raises((pa.ArrowException, OSError, RuntimeError)):
            arrow_table(metadata, c.fetch(handle, startRowOffset=0).results)
        good = arrow_table(metadata, c.fetch(handle, startRowOffset=0).results)
        assert good.num_rows == 1000


def test_bad_lz4_leaves_plain_batches_alone(w, c):
    handle = c.run(ROWS)
    w.fault("bad_lz4", "FetchResults")
    assert arrow_table(c.metadata(handle), c.fetch(handle).results).num_rows == 1000


def test_bad_schema_does_not_decode(w, c):
    w.fault("bad_schema", "ExecuteStatement")
    direct = c.execute(ROWS, direct=10_000).directResults
    with pytest.raises((pa.ArrowException, OSError)):
        arrow_table(direct.resultSetMetadata, direct.resultSet.results)
    handle = c.run(ROWS)
    w.fault("bad_schema", "GetResultSetMetadata")
    with pytest.raises((pa.ArrowException, OSError)):
        arrow_table(c.metadata(handle), c.fetch(handle).results)


# --- sessions and progress -------------------------------------------------------------


def test_expire_session(w, c):
    handle = c.run(ROWS)
    w.fault("expire_session", "ExecuteStatement")
    status = c.execute("SELECT 1").status
    assert status.statusCode == 3 and "Invalid SessionHandle" in status.errorMessage
    with pytest.raises(HttpError):
        c.status(handle)
    assert w.stats()["sessions_open"] == 0
    c.open()
    assert c.execute("SELECT 1").status.statusCode == 0


def test_expire_session_by_one_of_its_operations(w, c):
    handle = c.run(ROWS)
    w.fault("expire_session", "FetchResults")
    with pytest.raises(HttpError):
        c.fetch(handle)
    assert "Invalid SessionHandle" in info(c).status.errorMessage


def test_a_query_held_at_a_percentage(w, c):
    def progress(handle):
        req = t.TGetOperationStatusReq(handle, True)
        found = c.call("GetOperationStatus", req)
        return found.operationState, found.progressUpdateResponse

    w.settings(long_poll_ms=0)
    w.fault({"kind": "hold_query", "percent": 40}, {"statement": "range"})
    handle = c.execute(ROWS).operationHandle
    w.wait("held")
    state, found = progress(handle)
    assert (state, found.progressedPercentage, found.status) == (1, 0.4, 0)
    assert len(found.rows[0]) == len(found.headerNames)
    assert c.status(handle).progressUpdateResponse is None
    assert w.set_progress(ident(handle), 75)["percent"] == 75
    assert progress(handle)[1].progressedPercentage == 0.75
    w.release()
    assert c.until_done(handle).operationState == 2
    assert progress(handle)[1].progressedPercentage == 1.0
    with pytest.raises(ControlError):
        w.set_progress(ident(handle), 1)
    w.settings(long_poll_ms=None)


def test_cancel_of_a_held_query(w, c):
    w.fault("hold_query", "ExecuteStatement")
    handle = c.execute(ROWS).operationHandle
    w.wait("held")
    c.cancel(handle)
    assert c.status(handle).operationState == 3
    w.wait("held", 0, at_most=True)


# --- the list --------------------------------------------------------------------------


def test_the_list_of_faults_says_where_each_can_be_met(w, c):
    known = w.fault_kinds()
    assert set(known) == set(KINDS)
    for kind, found in known.items():
        assert set(found["probes"]) <= set(found["rpcs"]) <= set(RPCS), kind
        for rpc in found["rpcs"]:
            w.fault({"kind": kind}, rpc)
    matrix = w.fault_matrix()
    assert ("delay", "OpenSession") in matrix and ("unknown_handle", "probe") in matrix
    assert [cell for cell in matrix if cell[1] == "connection"] == [
        ("close_connection", "connection")
    ]
    assert ("bad_arrow", "GetTables") not in matrix and len(matrix) == len(set(matrix))


def test_faults_of_probes_alone(w, c):
    handle = c.run(ROWS)
    w.fault({"kind": "status", "code": 503}, {"probe": True, "rpc": "GetOperationStatus"})
    assert c.status(handle).operationState == 2
    prober = Client(w, agent="x heartbeat")
    prober.session = c.session
    with pytest.raises(HttpError) as caught:
        prober.status(handle)
    assert caught.value.status == 503 and "retry-after" not in caught.value.headers
    assert prober.status(handle).operationState == 2
    prober.close()
