# SPDX-License-Identifier: Apache-2.0
"""Databricks' Thrift, seen by a bare client: what each RPC answers, field by field."""

import random
import struct
import threading
import time
import uuid

import pyarrow as pa
import pytest
from databricks.sql.thrift_api.TCLIService import ttypes as t

from warehouse.testing import Warehouse
from warehouse.tests.thrift_client import (
    Client,
    HttpError,
    arrow_table,
    column_values,
    ident,
    rows_of,
)

FINISHED, CANCELED, ERROR, TIMEDOUT = 2, 3, 5, 8
NATIVE = t.TSparkArrowTypes(True, True, True, True, True)


@pytest.fixture(scope="module")
def w():
    with Warehouse() as warehouse:
        yield warehouse
        assert "Traceback" not in warehouse.stderr


@pytest.fixture
def c(w):
    client = Client(w)
    client.open()
    yield client
    client.close()


def internal_ids(data: bytes) -> set[int]:
    """Ids of the internal fields that occur in a reply's bytes."""
    return {i for i in (3329, 3330, 3333, 3345) if struct.pack(">h", i) in data}


def until_running(w, handle) -> None:
    while w.operation(ident(handle))["state"] != "RUNNING":
        time.sleep(0.005)


# --- transport -------------------------------------------------------------------------


@pytest.mark.parametrize("auth", ["", "Bearer wrong", "Basic dXNlcjpwYXNz", "Bearer"])
def test_wrong_or_missing_token(w, auth):
    c = Client(w, auth=auth)
    with pytest.raises(HttpError) as info:
        c.open()
    assert info.value.status == 401
    assert info.value.headers["www-authenticate"] == 'Bearer realm="DatabricksRealm"'
    assert info.value.headers["content-type"] == "application/json"
    assert b'"error_code": 401' in info.value.body
    assert info.value.headers["x-databricks-error-or-redirect-message"]


@pytest.mark.parametrize(
    "path",
    [
        "/sql/1.0/warehouses/abc",
        "/sql/1.0/endpoints/abc",
        "/sql/protocolv1/o/0/1-2-x",
        "/sql/1.0/warehouses/abc?o=123",
    ],
)
def test_paths(w, path):
    c = Client(w)
    c.path = path
    assert c.open().status.statusCode == 0


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/cliservice",
        "/sql/1.0/warehouses/",
        "/sql/1.0/x/y",
        "/%0d%0aa",
        "/%e2%82%ac",
    ],
)
def test_unknown_paths(c, path):
    status, body = c.post(b"", path=path)
    assert status == 404 and b"RESOURCE_DOES_NOT_EXIST" not in body


def test_only_post(c):
    c.http.request("GET", c.path, headers={"Authorization": c.auth})
    answer = c.http.getresponse()
    answer.read()
    assert answer.status == 405


@pytest.mark.parametrize("body", [b"", b"garbage", b"\x80\x01\0\1\0\0\0\4Open"])
def test_malformed_bodies(c, body):
    status, answer = c.post(body)
    assert status == 400 and b"Traceback" not in answer
    assert c.close_session().status.statusCode == 0


def test_unknown_method(c):
    body = c.encode("GetInfo", t.TGetInfoReq(c.session, 17)).replace(
        b"GetInfo", b"GetNone"
    )
    status, answer = c.post(body)
    assert (
        status == 200 and answer[3] == 3 and b"Invalid method name: 'GetNone'" in answer
    )


def test_missing_required_field(c):
    status, answer = c.post(c.encode("GetInfo", t.TGetInfoReq(c.session)))
    assert (
        status == 200
        and answer[3] == 3
        and b"Required field 'infoType' is unset" in answer
    )


def test_replies_carry_request_id_and_content_type(c):
    c.run("SELECT 1")
    assert c.last_headers["content-type"] == "application/x-thrift"
    assert uuid.UUID(c.last_headers["x-request-id"])


def test_mutated_requests_are_answered_and_do_no_harm(w, c):
    """Whatever arrives: an answer, soon, and never a trace of Python."""
    generator = random.Random(11)
    handle = c.run("SELECT id FROM range(0, 100, 1, 1)")
    direct = t.TSparkGetDirectResults(10, 1000)
    wholes = [
        c.encode("OpenSession", t.TOpenSessionReq(client_protocol_i64=0xA508)),
        c.encode(
            "ExecuteStatement",
            t.TExecuteStatementReq(
                c.session,
                "SELECT ?",
                runAsync=True,
                getDirectResults=direct,
                parameters=[parameter("1")],
            ),
        ),
        c.encode("FetchResults", t.TFetchResultsReq(handle, 0, 10, maxBytes=9)),
        c.encode("GetOperationStatus", t.TGetOperationStatusReq(handle)),
        c.encode("GetColumns", t.TGetColumnsReq(c.session, "main", "%", "%", "%")),
        c.encode("GetInfo", t.TGetInfoReq(c.session, 17)),
    ]
    for number in range(600):
        data = bytearray(wholes[number % len(wholes)])
        for _ in range(generator.randint(1, 4)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        status, answer = c.post(bytes(data))
        assert status in (200, 400, 404) and b"Traceback" not in answer
    assert c.call("GetInfo", t.TGetInfoReq(c.session, 17)).status.statusCode == 0


# --- sessions --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "granted"),
    [(0xA509, 0xA508), (0xA508, 0xA508), (0xA505, 0xA505), (0xA501, 0xA501), (None, 9)],
)
def test_protocol_negotiation(w, offered, granted):
    c = Client(w)
    answer = c.open(offered)
    assert answer.serverProtocolVersion == granted
    assert answer.configuration == {}
    assert (answer.canUseMultipleCatalogs is True) == (granted >= 0xA504)


def test_protocol_cap():
    with Warehouse(protocol_cap=4, no_samples=True) as w:
        assert Client(w).open(0xA508).serverProtocolVersion == 0xA504


def test_namespace_is_echoed_in_lower_case(w):
    c = Client(w)
    answer = c.open(initialNamespace=t.TNamespace("SAMPLES", "NYCTAXI"))
    assert (answer.initialNamespace.catalogName, answer.initialNamespace.schemaName) == (
        "samples",
        "nyctaxi",
    )
    handle = c.run("SELECT count(*) FROM trips", arrow=False)
    assert rows_of(c.fetch(handle).results)[0][0] >= 20_000


def test_unknown_namespace_and_setting_are_refused(w):
    answer = Client(w).open(initialNamespace=t.TNamespace("main", "nowhere"))
    assert (
        answer.status.statusCode == 3
        and "SCHEMA_NOT_FOUND" in answer.status.displayMessage
    )
    answer = Client(w).open(configuration={"no_such_setting": "1"})
    assert answer.status.statusCode == 3 and answer.status.sqlState == "42K0I"


def test_get_infos(c):
    answer = c.call("GetInfo", t.TGetInfoReq(c.session, t.TGetInfoType.CLI_DBMS_NAME))
    assert answer.infoValue.stringValue == "Spark SQL"
    answer = c.call("GetInfo", t.TGetInfoReq(c.session, t.TGetInfoType.CLI_MAX_ROW_SIZE))
    assert answer.status.statusCode == 3


def test_closed_session_is_invalid(c):
    assert c.close_session().status.statusCode == 0
    again = c.close_session().status
    assert again.statusCode == 3 and "Invalid SessionHandle" in again.errorMessage
    answer = c.execute("SELECT 1")
    assert (
        answer.status.statusCode == 3
        and "Invalid SessionHandle" in answer.status.errorMessage
    )


def test_wrong_secret_is_unknown(c):
    handle = c.run("SELECT 1")
    handle.operationId.secret = bytes(16)
    with pytest.raises(HttpError) as info:
        c.status(handle)
    assert info.value.status == 404


def test_closing_a_session_closes_its_operations(w, c):
    handle = c.run("SELECT 1")
    c.close_session()
    assert w.operation(ident(handle))["closed"]
    with pytest.raises(HttpError):
        c.fetch(handle)


# --- execute ---------------------------------------------------------------------------


def test_direct_results_hold_everything_and_close(w, c):
    body = c.encode(
        "ExecuteStatement",
        t.TExecuteStatementReq(
            c.session,
            "SELECT 1 AS x",
            runAsync=True,
            canReadArrowResult=True,
            getDirectResults=t.TSparkGetDirectResults(10, 1000),
        ),
    )
    _, data = c.post(body)
    assert internal_ids(data) == {3329, 3330, 3333, 3345}
    answer = c.execute("SELECT 1 AS x", direct=10)
    direct = answer.directResults
    assert direct.operationStatus.operationState == FINISHED
    assert direct.resultSet.hasMoreRows is False
    assert direct.closeOperation.status.statusCode == 0
    meta = direct.resultSetMetadata
    assert meta.resultFormat == 0 and meta.lz4Compressed is False
    assert meta.cacheLookupResult == 0 and meta.isStagingOperation is False
    assert arrow_table(meta, direct.resultSet.results).to_pydict() == {"x": [1]}
    assert (
        direct.resultSet.results.rows == [] and direct.resultSet.results.columns is None
    )
    assert answer.operationHandle.hasResultSet is True
    with pytest.raises(HttpError) as info:
        c.close_operation(answer.operationHandle)
    assert info.value.status == 404
    assert b"RESOURCE_DOES_NOT_EXIST" in info.value.body
    assert info.value.headers["x-databricks-error-or-redirect-message"]


def test_direct_results_with_rows_left_stay_open(c):
    answer = c.execute("SELECT id FROM range(0, 100, 1, 1)", direct=30)
    direct = answer.directResults
    assert direct.resultSet.hasMoreRows is True and direct.closeOperation is None
    rest = c.fetch(answer.operationHandle, 1000)
    assert rest.results.startRowOffset == 30 and rest.hasMoreRows is False
    table = arrow_table(direct.resultSetMetadata, direct.resultSet.results, rest.results)
    assert table.column(0).to_pylist() == list(range(100))


def test_direct_results_of_no_rows_asked(c):
    direct = c.execute("SELECT 1", direct=0).directResults
    assert direct.resultSetMetadata is not None
    assert direct.resultSet is None and direct.closeOperation is None


def test_without_direct_results_there_are_none(c):
    assert c.execute("SELECT 1").directResults is None


def test_slow_statement_is_still_running_when_the_wait_ends(w, c):
    w.settings(direct_wait_ms=100)
    try:
        answer = c.execute("SELECT sleep_ms(1500)", direct=10)
    finally:
        w.settings(direct_wait_ms=2000)
    direct = answer.directResults
    assert direct.operationStatus.operationState == 1
    assert direct.resultSetMetadata is None and direct.resultSet is None
    started = time.monotonic()
    assert c.until_done(answer.operationHandle).operationState == FINISHED
    assert time.monotonic() - started > 1


def test_states_last_as_long_as_told(w, c):
    w.settings(initialized_ms=300, pending_ms=300, running_ms=300)
    try:
        handle = c.execute("SELECT 1").operationHandle
        seen = [0]
        while seen[-1] != FINISHED:
            state = c.status(handle).operationState
            if state != seen[-1]:
                seen.append(state)
    finally:
        w.settings(initialized_ms=0, pending_ms=0, running_ms=0)
    assert seen == [0, 7, 1, 2]


def test_long_poll_ends_with_the_state(w, c):
    handle = c.execute("SELECT sleep_ms(700)").operationHandle
    until_running(w, handle)
    before = c.seqid
    c.until_done(handle)
    assert c.seqid - before <= 3


def test_synchronous_execution(c):
    answer = c.execute("SELECT sleep_ms(300)", run_async=False)
    assert c.status(answer.operationHandle).operationState == FINISHED


def test_synchronous_error_comes_in_the_status(c):
    answer = c.execute("SELEC 1", run_async=False)
    status = answer.status
    assert answer.operationHandle is None
    assert (status.statusCode, status.sqlState, status.errorCode) == (3, "42601", 0)
    assert "[PARSE_SYNTAX_ERROR]" in status.displayMessage
    assert status.errorMessage.startswith("Error running query: [PARSE_SYNTAX_ERROR]")
    assert status.infoMessages[0].startswith(
        "*org.apache.hive.service.cli.HiveSQLException"
    )


def test_asynchronous_error_comes_in_the_state(c):
    direct = c.execute("SELECT * FROM nowhere", direct=10).directResults
    status = direct.operationStatus
    assert status.status.statusCode == 0 and status.operationState == ERROR
    assert (
        status.sqlState == "42P01"
        and "[TABLE_OR_VIEW_NOT_FOUND]" in status.displayMessage
    )
    assert "\tat " in status.diagnosticInfo and "\tat " not in status.errorMessage
    assert direct.resultSet is None


def test_error_in_a_late_row_of_a_small_result(c):
    handle = c.execute(
        "SELECT 1 / (id - 5000) FROM range(0, 10000, 1, 1)"
    ).operationHandle
    found = c.until_done(handle)
    assert found.operationState == ERROR and found.sqlState == "22012"
    answer = c.fetch(handle)
    assert answer.status.statusCode == 3 and answer.status.sqlState == "22012"


def test_query_timeout(c):
    handle = c.execute("SELECT sleep_ms(20000)", queryTimeout=1).operationHandle
    found = c.until_done(handle)
    assert found.operationState == TIMEDOUT and found.sqlState == "57KD0"


def test_dml_and_ddl(c):
    ddl = c.execute("CREATE OR REPLACE TABLE dml_test (a INT)", direct=10).directResults
    columns = ddl.resultSetMetadata.schema.columns
    assert [column.columnName for column in columns] == ["Result"]
    assert ddl.resultSet.results.arrowBatches == []
    assert ddl.operationStatus.numModifiedRows is None
    table = arrow_table(ddl.resultSetMetadata, ddl.resultSet.results)
    assert table.num_columns == 0
    dml = c.execute("INSERT INTO dml_test VALUES (1), (2), (3)", direct=10).directResults
    assert dml.operationStatus.numModifiedRows == 3
    assert (
        arrow_table(dml.resultSetMetadata, dml.resultSet.results)["num_affected_rows"][
            0
        ].as_py()
        == 3
    )
    assert len(dml.resultSet.results.arrowBatches) == 1


def test_empty_result_has_a_schema_and_no_batches(c):
    direct = c.execute("SELECT id FROM range(0, 0, 1, 1)", direct=10).directResults
    assert direct.resultSet.results.arrowBatches == []
    assert direct.resultSet.hasMoreRows is False
    assert arrow_table(direct.resultSetMetadata, direct.resultSet.results).num_rows == 0


def parameter(value, kind="INT", name=None):
    held = None if value is None else t.TSparkParameterValue(stringValue=value)
    return t.TSparkParameter(ordinal=1, name=name, type=kind, value=held)


def test_parameters(c):
    answer = c.execute(
        "SELECT ? AS a, ? AS b, ? AS c",
        direct=1,
        arrow=False,
        parameters=[parameter("7"), parameter("x", "STRING"), parameter(None, "VOID")],
    )
    assert rows_of(answer.directResults.resultSet.results) == [(7, "x", None)]
    answer = c.execute(
        "SELECT :n + :n AS a",
        direct=1,
        arrow=False,
        parameters=[parameter("21", name="n")],
    )
    assert rows_of(answer.directResults.resultSet.results) == [(42,)]
    status = c.execute("SELECT ?", direct=1).directResults.operationStatus
    assert (
        status.operationState == ERROR
        and "UNBOUND_SQL_PARAMETER" in status.displayMessage
    )


def test_old_sessions_ignore_new_fields(w):
    c = Client(w)
    c.open(0xA505)
    answer = c.execute("SELECT 1 AS x", direct=1, canDecompressLZ4Result=True)
    assert answer.directResults.resultSetMetadata.lz4Compressed is False
    c.open(0xA504)
    meta = c.execute("SELECT 1", direct=1).directResults.resultSetMetadata
    assert meta.arrowSchema is None and meta.resultFormat == 0


def test_row_limit(c):
    answer = c.execute(
        "SELECT id FROM range(0, 1000, 1, 1)", direct=100, resultRowLimit=5
    )
    results = answer.directResults.resultSet
    assert results.hasMoreRows is False
    assert sum(batch.rowCount for batch in results.results.arrowBatches) == 5


# --- fetch -----------------------------------------------------------------------------

HUNDRED = "SELECT id FROM range(0, 100, 1, 1)"


def test_pages_by_rows_and_the_last_page_says_so(c):
    handle = c.run(HUNDRED)
    meta = c.metadata(handle)
    seen, more, offsets = [], True, []
    while more:
        answer = c.fetch(handle, 40)
        offsets.append(answer.results.startRowOffset)
        seen += arrow_table(meta, answer.results).column(0).to_pylist()
        more = answer.hasMoreRows
    assert seen == list(range(100)) and offsets == [0, 40, 80]


def test_exactly_full_last_page_has_no_more_rows(c):
    handle = c.run(HUNDRED)
    assert c.fetch(handle, 50).hasMoreRows is True
    assert c.fetch(handle, 50).hasMoreRows is False
    after = c.fetch(handle, 50)
    assert after.hasMoreRows is False and after.results.arrowBatches == []


def test_start_row_offset_and_fetch_first(c):
    handle = c.run(HUNDRED, arrow=False)

    def page(rows, **fields):
        return [row[0] for row in rows_of(c.fetch(handle, rows, **fields).results)]

    assert page(10) == list(range(10))
    assert page(5, startRowOffset=3) == [3, 4, 5, 6, 7]
    assert page(2) == [8, 9]
    assert page(3, orientation=4) == [0, 1, 2]
    assert page(3) == [3, 4, 5]
    assert page(3, orientation=1) == [0, 1, 2]
    assert page(10, startRowOffset=95) == [95, 96, 97, 98, 99]
    assert page(10, startRowOffset=1000) == []
    answer = c.fetch(handle, 10, orientation=5)
    assert answer.status.sqlState == "HY106"


def test_max_bytes(c):
    handle = c.run("SELECT id FROM range(0, 100000, 1, 1)")
    answer = c.fetch(handle, 100_000, maxBytes=80_000)
    rows = sum(batch.rowCount for batch in answer.results.arrowBatches)
    assert 5_000 <= rows <= 10_000 and answer.hasMoreRows


def test_empty_fetch_keeps_the_place(w, c):
    handle = c.run(HUNDRED)
    c.fetch(handle, 10)
    answer = c.fetch(handle, 0)
    assert answer.hasMoreRows is True and answer.results.startRowOffset == 10
    assert c.fetch(handle, 10).results.startRowOffset == 10
    assert w.operation(ident(handle))["probes"]["count"] == 1


def test_metadata_in_the_reply(c):
    handle = c.run(HUNDRED)
    answer = c.fetch(handle, 10, includeResultSetMetadata=True)
    assert answer.resultSetMetadata.schema.columns[0].columnName == "id"
    assert c.fetch(handle, 10).resultSetMetadata is None


@pytest.mark.parametrize("compressed", [False, True])
def test_arrow_batches_of_a_large_result(c, compressed):
    handle = c.run(
        "SELECT id, concat('row-', id) AS s FROM range(0, 300000, 1, 1)",
        canDecompressLZ4Result=compressed,
    )
    meta = c.metadata(handle)
    assert meta.lz4Compressed is compressed
    pages, more = [], True
    while more:
        answer = c.fetch(handle, 70_001)
        pages.append(answer.results)
        more = answer.hasMoreRows
        for batch in answer.results.arrowBatches:
            assert batch.rowCount <= 100_000
            assert batch.batch[:4] == (
                b"\x04\x22\x4d\x18" if compressed else b"\xff\xff\xff\xff"
            )
    table = arrow_table(meta, *pages)
    assert table.column("id").to_pylist() == list(range(300_000))
    assert table.column("s")[299_999].as_py() == "row-299999"


def test_columns_when_arrow_cannot_be_read(c):
    handle = c.run(
        "SELECT 1 AS i, 2L AS l, CAST(1.5 AS DECIMAL(10,2)) AS d, DATE '2014-01-17' AS day, "
        "TIMESTAMP_NTZ '2024-02-29 12:34:56.5' AS ts, true AS b, 'é' AS s, X'00FF' AS bin, "
        "CAST(NULL AS INT) AS n, array(1, NULL) AS arr, CAST(0.5 AS FLOAT) AS f",
        arrow=False,
    )
    meta = c.metadata(handle)
    assert meta.resultFormat == 1 and meta.arrowSchema is None
    results = c.fetch(handle).results
    assert results.arrowBatches is None
    assert rows_of(results) == [
        (
            1,
            2,
            "1.50",
            "2014-01-17",
            "2024-02-29 12:34:56.5",
            True,
            "é",
            b"\0\xff",
            None,
            "[1,null]",
            0.5,
        )
    ]
    kinds = [c_.typeDesc.types[0].primitiveEntry.type for c_ in meta.schema.columns]
    assert kinds == [3, 4, 15, 17, 8, 0, 7, 9, 3, 10, 5]
    qualifiers = (
        meta.schema.columns[2].typeDesc.types[0].primitiveEntry.typeQualifiers.qualifiers
    )
    assert qualifiers["precision"].i32Value == 10 and qualifiers["scale"].i32Value == 2
    assert [column.position for column in meta.schema.columns] == list(range(1, 12))


def test_native_types_on_request(c):
    sql = "SELECT CAST(1.5 AS DECIMAL(10,2)) AS d, array(1) AS a, NULL AS v"
    plain = c.execute(
        sql, direct=1, useArrowNativeTypes=t.TSparkArrowTypes()
    ).directResults
    table = arrow_table(plain.resultSetMetadata, plain.resultSet.results)
    assert [str(kind) for kind in table.schema.types] == ["string"] * 3
    assert table.to_pylist() == [{"d": "1.50", "a": "[1]", "v": None}]
    native = c.execute(sql, direct=1, useArrowNativeTypes=NATIVE).directResults
    table = arrow_table(native.resultSetMetadata, native.resultSet.results)
    assert str(table.schema.field("d").type) == "decimal128(10, 2)"
    assert str(table.schema.field("v").type) == "null"
    assert table.schema.field("a").type.value_field.name == "element"
    assert table.schema.field("d").metadata[b"Spark:DataType:SqlName"] == b"DECIMAL(10,2)"


INTERVALS = (
    "SELECT INTERVAL '1-2' YEAR TO MONTH AS y, INTERVAL '1 02:03:04.5' DAY TO SECOND AS d"
)


def test_intervals(c):
    handle = c.run(INTERVALS, arrow=False)
    assert rows_of(c.fetch(handle).results) == [("1-2", "1 02:03:04.500000000")]
    text = c.execute(INTERVALS, direct=1, useArrowNativeTypes=t.TSparkArrowTypes())
    found = text.directResults
    assert arrow_table(found.resultSetMetadata, found.resultSet.results).to_pylist() == [
        {"y": "1-2", "d": "1 02:03:04.500000000"}
    ]
    native = c.execute(INTERVALS, direct=1, useArrowNativeTypes=NATIVE).directResults
    schema = pa.ipc.read_schema(pa.py_buffer(native.resultSetMetadata.arrowSchema))
    assert [str(kind) for kind in schema.types] == ["month_interval", "duration[us]"]


def test_timestamps_follow_the_flag_and_the_setting(w, c):
    sql = "SELECT TIMESTAMP '2024-07-01 12:00:00' AS ts"
    overlay = {"spark.thriftserver.arrowBasedRowSet.timestampAsString": "false"}

    def kind(**fields):
        found = c.execute(sql, direct=1, **fields).directResults
        table = arrow_table(found.resultSetMetadata, found.resultSet.results)
        return str(table.schema.field(0).type)

    assert kind() == "string"
    assert kind(confOverlay=overlay).startswith("timestamp[us, tz=")
    assert kind(useArrowNativeTypes=NATIVE).startswith("timestamp[us, tz=")
    assert (
        kind(useArrowNativeTypes=t.TSparkArrowTypes(timestampAsArrow=False)) == "string"
    )
    c.open(configuration={"TIMEZONE": "Europe/Berlin"})
    assert kind(useArrowNativeTypes=NATIVE) == "timestamp[us, tz=Europe/Berlin]"
    assert rows_of(c.fetch(c.run(sql, arrow=False)).results) == [("2024-07-01 12:00:00",)]


def test_endless_result_waits_for_its_reader_and_ends_with_its_operation(w, c):
    handle = c.run("SELECT id, concat('x', id) AS s FROM range(0, 100000000000, 1, 1)")
    assert c.fetch(handle, 10).hasMoreRows
    due, size = time.monotonic() + 20, -1
    while time.monotonic() < due:
        time.sleep(0.3)
        found = w.operation(ident(handle))["rows"]
        if found == size:
            break
        size = found
    assert size < 50_000_000
    assert c.fetch(handle, 10, startRowOffset=size - 5).hasMoreRows
    assert w.stats()["statement_threads"] >= 1
    w.reset(sessions=True)
    due = time.monotonic() + 10
    while w.stats()["statement_threads"]:
        assert time.monotonic() < due, "the statement's thread lives on"
        time.sleep(0.05)


def test_fetch_before_the_end_is_an_error(w, c):
    handle = c.execute("SELECT sleep_ms(3000)").operationHandle
    until_running(w, handle)
    answer = c.fetch(handle)
    assert answer.status.statusCode == 3
    assert answer.status.errorMessage == "Expected state FINISHED, but found RUNNING"
    c.cancel(handle)


def test_fetch_of_the_operation_log_is_empty(c):
    handle = c.run("SELECT 1")
    results = c.fetch(handle, 10, fetchType=1).results
    assert column_values(results.columns[0]) == []


# --- cancel and close ------------------------------------------------------------------


def test_cancel_interrupts_and_wakes_a_poll(w, c):
    handle = c.execute("SELECT sleep_ms(30000)").operationHandle
    until_running(w, handle)
    other = Client(w)
    threading.Timer(0.3, lambda: other.cancel(handle)).start()
    started = time.monotonic()
    assert c.until_done(handle).operationState == CANCELED
    assert time.monotonic() - started < 3
    assert c.cancel(handle).status.statusCode == 0
    found = w.operation(ident(handle))
    assert (
        found["cancelled"]
        and not found["closed"]
        and found["requests"]["CancelOperation"] == 2
    )
    assert c.fetch(handle).status.statusCode == 3
    assert c.close_operation(handle).status.statusCode == 0


def test_close_interrupts(w, c):
    handle = c.execute(
        "SELECT count(*) FROM range(0, 100000000000, 1, 1)"
    ).operationHandle
    assert c.close_operation(handle).status.statusCode == 0
    assert w.operation(ident(handle))["closed"]
    with pytest.raises(HttpError):
        c.status(handle)


@pytest.mark.parametrize(
    ("style", "code"), [("error_status", 3), ("invalid_handle", 4), ("http404", None)]
)
def test_unknown_handles_in_each_style(w, c, style, code):
    made_up = t.TOperationHandle(t.THandleIdentifier(bytes(16), bytes(16)), 0, True)
    w.settings(unknown_handle=style)
    try:
        if code is None:
            with pytest.raises(HttpError) as info:
                c.close_operation(made_up)
            assert info.value.status == 404
        else:
            status = c.close_operation(made_up).status
            assert status.statusCode == code
            if code == 3:
                assert status.sqlState == "08000" and status.errorMessage == (
                    "Invalid OperationHandle: OperationHandle [opType=EXECUTE_STATEMENT, "
                    "getHandleIdentifier()=00000000-0000-0000-0000-000000000000]"
                )
    finally:
        w.settings(unknown_handle="http404")


def test_short_guid_is_unknown_too(c):
    bad = t.TOperationHandle(t.THandleIdentifier(b"abc", b"d"), 0, True)
    with pytest.raises(HttpError) as info:
        c.status(bad)
    assert info.value.status == 404


# --- catalog ---------------------------------------------------------------------------

CATALOG = [
    ("GetCatalogs", t.TGetCatalogsReq, {}, ["TABLE_CAT"]),
    (
        "GetSchemas",
        t.TGetSchemasReq,
        {"catalogName": "samples"},
        ["TABLE_SCHEM", "TABLE_CATALOG"],
    ),
    (
        "GetTables",
        t.TGetTablesReq,
        {"catalogName": "samples", "tableName": "tr%"},
        [
            "TABLE_CAT",
            "TABLE_SCHEM",
            "TABLE_NAME",
            "TABLE_TYPE",
            "REMARKS",
            "TYPE_CAT",
            "TYPE_SCHEM",
            "TYPE_NAME",
            "SELF_REFERENCING_COL_NAME",
            "REF_GENERATION",
        ],
    ),
    ("GetTableTypes", t.TGetTableTypesReq, {}, ["TABLE_TYPE"]),
    (
        "GetColumns",
        t.TGetColumnsReq,
        {"catalogName": "samples", "tableName": "trips"},
        None,
    ),
    ("GetFunctions", t.TGetFunctionsReq, {"functionName": "%"}, None),
    (
        "GetPrimaryKeys",
        t.TGetPrimaryKeysReq,
        {"tableName": "trips"},
        ["TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "COLUMN_NAME", "KEQ_SEQ", "PK_NAME"],
    ),
    ("GetCrossReference", t.TGetCrossReferenceReq, {"foreignTableName": "trips"}, None),
    ("GetTypeInfo", t.TGetTypeInfoReq, {}, None),
]


@pytest.mark.parametrize(("name", "request_class", "fields", "columns"), CATALOG)
def test_catalog_calls(c, name, request_class, fields, columns):
    direct = t.TSparkGetDirectResults(1000, None)
    answer = c.call(name, request_class(c.session, getDirectResults=direct, **fields))
    assert answer.status.statusCode == 0, answer.status
    found = answer.directResults
    assert found.operationStatus.operationState == FINISHED
    meta = found.resultSetMetadata
    assert (
        meta.resultFormat == 1 and meta.lz4Compressed is None and meta.arrowSchema is None
    )
    if columns is not None:
        assert [column.columnName for column in meta.schema.columns] == columns
    assert len(found.resultSet.results.columns) == len(meta.schema.columns)


def test_catalog_rows_through_the_handle(c):
    answer = c.call("GetTables", t.TGetTablesReq(c.session, "samples", "%", "tr%"))
    assert answer.directResults is None
    rows = rows_of(c.fetch(answer.operationHandle).results)
    assert ("samples", "nyctaxi", "trips") in [row[:3] for row in rows]
    assert c.close_operation(answer.operationHandle).status.statusCode == 0


def test_delegation_tokens_are_refused(c):
    req = t.TGetDelegationTokenReq(c.session, "a", "b")
    answer = c.call("GetDelegationToken", req)
    assert answer.status.statusCode == 3 and "not supported" in answer.status.errorMessage


# --- many at once ----------------------------------------------------------------------


def test_many_statements_at_once(w):
    failures = []

    def work(number):
        try:
            c = Client(w)
            c.open()
            handle = c.run(
                f"SELECT id + {number} AS x FROM range(0, 20000, 1, 1)", arrow=False
            )
            rows = rows_of(c.fetch(handle, 20_000).results)
            assert rows[0] == (number,) and len(rows) == 20_000
            c.close_session()
            c.close()
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


# --- catalog calls that take their time ------------------------------------------------


def test_catalog_calls_that_finish_after_the_reply(w, c):
    w.settings(running_ms=300, direct_wait_ms=0)
    try:
        direct = t.TSparkGetDirectResults(1000, None)
        req = t.TGetTablesReq(c.session, "samples", getDirectResults=direct, runAsync=True)
        answer = c.call("GetTables", req)
        assert answer.directResults.operationStatus.operationState in (0, 1, 7)
        assert answer.directResults.resultSet is None
        assert c.until_done(answer.operationHandle).operationState == FINISHED
        assert len(rows_of(c.fetch(answer.operationHandle).results)) == 3
        w.settings(running_ms=60_000)
        req = t.TGetTablesReq(c.session, "samples", runAsync=True)
        handle = c.call("GetTables", req).operationHandle
        c.cancel(handle)
        assert c.status(handle).operationState == 3
        req = t.TGetTablesReq(c.session, "samples", getDirectResults=direct)
        assert c.call("GetTables", req).directResults.resultSet is not None
    finally:
        w.settings(running_ms=0, direct_wait_ms=2000)


def test_a_string_of_64_mib(c):
    size = 64 << 20
    asked = f"SELECT repeat('x', {size}) AS s"
    handle = c.run(asked, canDecompressLZ4Result=True)
    found = arrow_table(c.metadata(handle), c.fetch(handle).results)
    assert found.column(0)[0].as_buffer().size == size
    c.close_operation(handle)
    handle = c.run(asked, arrow=False)
    (value,) = rows_of(c.fetch(handle, maxBytes=1 << 20).results)[0]
    assert len(value) == size
    c.close_operation(handle)


NESTED = (
    "SELECT array(INTERVAL '1-2' YEAR TO MONTH, NULL) AS a, "
    "named_struct('m', map('k', INTERVAL '5' MONTH), 'v', parse_json('[1]')) AS s"
)


def test_intervals_and_variants_inside_others(c):
    handle = c.run(NESTED, arrow=False)
    assert rows_of(c.fetch(handle).results) == [
        ('["1-2",null]', '{"m":{"k":"0-5"},"v":[1]}')
    ]
    native = t.TSparkArrowTypes(True, True, True, True, True)
    handle = c.run(NESTED, useArrowNativeTypes=native)
    found = arrow_table(c.metadata(handle), c.fetch(handle).results)
    assert found.num_rows == 1
    assert str(found.schema.field("a").type.value_type) == "month_interval"
    assert str(found.schema.field("s").type["m"].type.item_type) == "month_interval"
