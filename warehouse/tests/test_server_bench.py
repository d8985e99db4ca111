# SPDX-License-Identifier: Apache-2.0
"""Bench mode: the same query is run and encoded once, and everything else stays true."""

import re
import socket

import pytest
from databricks.sql.thrift_api.TCLIService import ttypes as t

from warehouse.testing import Warehouse
from warehouse.tests.cloud_client import download, links, opened, run, table
from warehouse.tests.thrift_client import HttpError, arrow_table, ident, rows_of

CHANCE = "SELECT id, rand() AS r FROM range(0, {rows}, 1, 1)"
INLINE = {"canDownloadResult": False}


@pytest.fixture(scope="module")
def server():
    options = {"bench": True, "no_samples": True, "cloud_fetch_file_bytes": "512K"}
    with Warehouse(**options) as warehouse:
        yield warehouse
        assert "Traceback" not in warehouse.stderr


@pytest.fixture
def w(server):
    server.reset(sessions=True)
    server.settings(batch_rows=0)
    return server


@pytest.fixture
def c(w):
    client = opened(w)
    yield client
    client.close()


def all_pages(c, handle, **fields):
    made = []
    while True:
        page = c.fetch(handle, **fields)
        made.append(page.results)
        if not page.hasMoreRows:
            return made


def rows(c, handle):
    return arrow_table(c.metadata(handle), *all_pages(c, handle))


def test_a_query_is_run_once_and_each_operation_has_its_rows(c):
    first, second = run(c, 50_000, CHANCE, **INLINE), run(c, 50_000, CHANCE, **INLINE)
    assert ident(first) != ident(second)
    one = rows(c, first)
    c.close_operation(first)
    assert one.num_rows == 50_000 and rows(c, second).equals(one)
    c.close_operation(second)
    assert rows(c, run(c, 50_000, CHANCE, **INLINE)).equals(one)


def test_every_page_size_gives_the_same_rows(c):
    handle = run(c, 50_000, CHANCE, **INLINE)
    whole = rows(c, handle)
    for page in (7_000, 7_000, 20_000):
        other = run(c, 50_000, CHANCE, **INLINE)
        pages = all_pages(c, other, rows=page)
        assert len(pages) == -(-50_000 // page)
        assert arrow_table(c.metadata(other), *pages).equals(whole)
        again = c.fetch(other, 10, startRowOffset=123).results
        assert arrow_table(c.metadata(other), again).equals(whole.slice(123, 10))


def test_links_lead_to_the_same_files(c):
    bodies = []
    for _ in range(2):
        handle = run(c, 200_000, CHANCE)
        found = links(c, handle)
        bodies.append([download(link).body for link in found])
        c.close_operation(handle)
    assert bodies[0] == bodies[1] and len(bodies[0]) > 3
    assert sum(table(body).num_rows for body in bodies[0]) == 200_000
    assert download(found[0]).status == 404


def test_columns(c):
    first, second = (run(c, 9_000, CHANCE, arrow=False) for _ in range(2))
    one = [row for page in all_pages(c, first) for row in rows_of(page)]
    two = [row for page in all_pages(c, second, rows=2_000) for row in rows_of(page)]
    assert len(one) == 9_000 and one == two


@pytest.mark.parametrize("personality", ["spark", "hive"])
def test_other_engines(personality):
    with Warehouse(bench=True, no_samples=True, personality=personality) as w:
        c = opened(w, 7)
        c.session = c.open(protocol=None, client_protocol=7).sessionHandle
        seen = []
        for _ in range(2):
            handle = c.run(CHANCE.format(rows=25_000))
            seen.append([])
            while page := rows_of(c.fetch(handle, 10_000).results):
                seen[-1] += page
            c.close_operation(handle)
        assert len(seen[0]) == 25_000 and seen[0] == seen[1]
        assert "Traceback" not in w.stderr


def direct(c, sql, **fields):
    return c.execute(sql, direct=1000, canDecompressLZ4Result=True, **fields)


def test_replies_are_repeated_but_for_what_names_them(w, c):
    seen = [direct(c, "SELECT rand() AS r") for _ in range(4)]
    assert len({ident(made.operationHandle) for made in seen}) == 4
    assert len({made.operationHandle.operationId.secret for made in seen}) == 4
    values = {
        arrow_table(made.directResults.resultSetMetadata, made.directResults.resultSet.results)[
            "r"
        ][0].as_py()
        for made in seen
    }
    assert len(values) == 1
    assert all(made.directResults.closeOperation is not None for made in seen)
    stats = w.stats()
    assert stats["requests"]["ExecuteStatement"] == 4 == stats["operations_started"]
    with pytest.raises(HttpError) as caught:
        c.status(seen[-1].operationHandle)
    assert caught.value.status == 404


def test_other_abilities_settings_and_parameters_are_other_queries(w, c):
    sql = "SELECT rand() AS r, current_timezone() AS z"

    def read(**fields):
        made = direct(c, sql, **fields).directResults
        return arrow_table(made.resultSetMetadata, made.resultSet.results).to_pylist()[0]

    first = read()
    assert read() == first
    assert read(canDownloadResult=True) == first
    zone = {"spark.sql.session.timeZone": "Asia/Tokyo"}
    other = read(confOverlay=zone)
    assert other["r"] != first["r"]
    c.run("SET TIME ZONE 'Europe/Paris'")
    assert read()["z"] == "Europe/Paris"
    bound = [
        t.TSparkParameter(ordinal=1, type="INT", value=t.TSparkParameterValue(stringValue=text))
        for text in "12"
    ]
    seen = []
    for one in bound:
        made = c.execute("SELECT ? AS x", direct=10, parameters=[one]).directResults
        seen.append(arrow_table(made.resultSetMetadata, made.resultSet.results)["x"][0].as_py())
    assert seen == [1, 2]


def test_what_is_no_query_makes_it_forget(c):
    c.run("CREATE OR REPLACE TABLE bench_t (a INT)")

    def count():
        made = direct(c, "SELECT count(*) AS n FROM bench_t").directResults
        return arrow_table(made.resultSetMetadata, made.resultSet.results)["n"][0].as_py()

    seen = [count(), count()]
    c.run("INSERT INTO bench_t VALUES (1)")
    seen += [count(), count()]
    c.run("INSERT INTO bench_t VALUES (1)")
    assert [*seen, count()] == [0, 0, 1, 1, 2]


def test_errors_are_not_kept(c):
    for _ in range(3):
        made = direct(c, "SELECT 1/0")
        assert made.directResults.operationStatus.operationState == 5


def test_a_session_that_is_gone_gets_no_kept_reply(w, c):
    request = c.encode(
        "ExecuteStatement",
        t.TExecuteStatementReq(
            sessionHandle=c.session,
            statement="SELECT 2",
            runAsync=True,
            canReadArrowResult=True,
            getDirectResults=t.TSparkGetDirectResults(10),
        ),
    )
    assert c.post(request)[1] != c.post(request)[1]
    c.close_session()
    status, body = c.post(request)
    assert status == 200 and b"Invalid SessionHandle" in body


def test_a_kept_reply_needs_the_token(w, c):
    direct(c, "SELECT 3"), direct(c, "SELECT 3")
    c.auth = "Bearer wrong"
    with pytest.raises(HttpError) as caught:
        direct(c, "SELECT 3")
    assert caught.value.status == 401


def test_each_reply_has_the_sequence_id_of_its_request(w, c):
    for _ in range(4):
        _, body = raw_request(w, c, "SELECT 8")
        status, reply = c.post(body)
        # Version and type, the length of "ExecuteStatement", and that: 24 bytes.
        assert status == 200 and reply[24:28] == body[24:28] == c.seqid.to_bytes(4, "big")


def raw_request(w, c, sql):
    req = t.TExecuteStatementReq(
        sessionHandle=c.session,
        statement=sql,
        runAsync=True,
        canReadArrowResult=True,
        getDirectResults=t.TSparkGetDirectResults(10),
    )
    body = c.encode("ExecuteStatement", req)
    head = (
        f"POST {w.http_path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {w.token}\r\n"
        f"Content-Length: {len(body)}\r\nUser-Agent: raw\r\n\r\n"
    )
    return head.encode(), body


def answered(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1 << 16)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head).group(1))
    while len(body) < length:
        body += connection.recv(1 << 16)
    return head, body


@pytest.mark.parametrize("cut", [0, 1, 40, None])
def test_requests_that_come_in_pieces(w, c, cut):
    head, body = raw_request(w, c, "SELECT 5")
    with socket.create_connection((w.host, w.port), timeout=10) as connection:
        seen = []
        for number in range(6):
            whole = head + body
            at = len(whole) if number % 2 == 0 else len(head) + cut if cut is not None else 30
            connection.sendall(whole[:at])
            if at < len(whole):
                w.stats()
                connection.sendall(whole[at:])
            seen.append(answered(connection))
    assert all(found.startswith(b"HTTP/1.1 200 ") for found, _ in seen)
    assert len({len(reply) for _, reply in seen}) == 1
    assert len({reply for _, reply in seen}) == 6
    assert all(reply[24:28] == body[24:28] for _, reply in seen)
    log = w.requests(rpc="ExecuteStatement")
    assert len(log) == 6 and {entry["user_agent"] for entry in log} == {"raw"}
    assert {entry["bytes_in"] for entry in log} == {len(body)}


def test_two_requests_at_once(w, c):
    head, body = raw_request(w, c, "SELECT 6")
    with socket.create_connection((w.host, w.port), timeout=10) as connection:
        for _ in range(3):
            connection.sendall(head + body)
            answered(connection)
        connection.sendall((head + body) * 2)
        data = b""
        while data.count(b"HTTP/1.1 200") < 2 or len(data) < 2 * len(body):
            data += connection.recv(1 << 16)
    assert w.stats()["requests"]["ExecuteStatement"] == 5


def test_a_token_that_was_changed_is_noticed(w, c):
    head, body = raw_request(w, c, "SELECT 7")
    with socket.create_connection((w.host, w.port), timeout=10) as connection:
        for _ in range(3):
            connection.sendall(head + body)
            assert answered(connection)[0].startswith(b"HTTP/1.1 200")
        old = w.token
        w.settings(token="another")
        connection.sendall(head + body)
        assert answered(connection)[0].startswith(b"HTTP/1.1 401")
        w.settings(token=old)


def test_faults_are_met_all_the_same(w, c):
    direct(c, "SELECT 4"), direct(c, "SELECT 4")
    w.fault({"kind": "status", "code": 503}, "ExecuteStatement")
    with pytest.raises(HttpError):
        direct(c, "SELECT 4")
    handle = run(c, 50_000, CHANCE, **INLINE)
    good = c.fetch(handle, startRowOffset=0).results.arrowBatches
    w.fault("wrong_row_count", "FetchResults")
    bad = c.fetch(handle, startRowOffset=0).results.arrowBatches
    assert bad[-1].rowCount == good[-1].rowCount + 1
    assert c.fetch(handle, startRowOffset=0).results.arrowBatches == good


def test_rows_of_a_batch_can_be_set(w, c):
    w.settings(batch_rows=500)
    handle = run(c, 50_000, CHANCE, **INLINE)
    counts = [
        batch.rowCount for page in all_pages(c, handle) for batch in page.arrowBatches
    ]
    assert counts == [500] * 100
    w.settings(batch_rows=0)
    handle = run(c, 50_000, CHANCE, **INLINE)
    assert c.fetch(handle).results.arrowBatches[0].rowCount > 500


def test_a_cancelled_operation_leaves_the_rows_to_others(c):
    first, second = run(c, 50_000, CHANCE, **INLINE), run(c, 50_000, CHANCE, **INLINE)
    c.cancel(first), c.close_operation(first)
    assert rows(c, second).num_rows == 50_000


def test_the_whole_result_is_there_when_the_statement_has_finished(w, c):
    w.settings(long_poll_ms=20_000)
    handle = run(c, 3_000_000, CHANCE, **INLINE)
    assert w.operation(ident(handle))["rows"] == 3_000_000
    w.settings(long_poll_ms=None)
