# SPDX-License-Identifier: Apache-2.0
"""Files in volumes: the statements, the storage behind them, and its faults."""

import hashlib
import http.client
import json
import os
import urllib.parse

import pytest
from databricks import sql
from databricks.sql.exc import OperationalError, ServerOperationError

from warehouse.testing import Warehouse
from warehouse.tests.thrift_client import Client, arrow_table

FILE = "/Volumes/main/default/files/a b/ü.csv"


@pytest.fixture(scope="module")
def server():
    with Warehouse(no_samples=True) as warehouse:
        yield warehouse
        assert "Traceback" not in warehouse.stderr


@pytest.fixture
def w(server):
    server.reset(sessions=True)
    server.clear_volumes()
    return server


@pytest.fixture
def c(w):
    client = Client(w)
    client.open()
    yield client
    client.close()


def staged(c, statement):
    """The row that a staging statement answers with."""
    direct = c.execute(statement, direct=10).directResults
    assert direct.operationStatus.operationState == 2, direct.operationStatus
    assert direct.resultSetMetadata.isStagingOperation
    found = arrow_table(direct.resultSetMetadata, direct.resultSet.results)
    (row,) = found.to_pylist()
    return row


def transfer(row, body=None, *, method=None, sent=None, **headers):
    parts = urllib.parse.urlsplit(row["presignedUrl"])
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    method = method or {"REMOVE": "DELETE"}.get(row["operation"], row["operation"])
    wanted = {**json.loads(row["headers"]), **headers} if sent is None else sent
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, wanted)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def upload(c, data=b"1,2,3\n", path=FILE):
    return transfer(staged(c, f"PUT '/tmp/x' INTO '{path}' OVERWRITE"), data)[0]


def test_life_of_a_file(w, c):
    row = staged(c, f"PUT '/tmp/local.csv' INTO '{FILE}'")
    assert (row["operation"], row["localFile"]) == ("PUT", "/tmp/local.csv")
    assert transfer(row, b"hello")[0] == 200
    digest = hashlib.sha256(b"hello").hexdigest()
    assert w.volumes() == {FILE: {"bytes": 5, "sha256": digest}}
    row = staged(c, f"get '{FILE}' to '/tmp/back.csv'")
    assert (row["operation"], row["localFile"]) == ("GET", "/tmp/back.csv")
    assert transfer(row) == (200, b"hello")
    row = staged(c, f"REMOVE '{FILE}'")
    assert (row["operation"], row["localFile"]) == ("REMOVE", None)
    assert transfer(row)[0] == 204 and w.volumes() == {}
    status, body = transfer(staged(c, f"GET '{FILE}' TO '/tmp/x'"))
    assert status == 404 and b"<Code>NoSuchKey</Code>" in body


def test_overwrite(w, c):
    assert upload(c) == 200
    found = c.execute(f"PUT 'x' INTO '{FILE}'", direct=10).directResults.operationStatus
    assert "FILE_IN_STAGING_PATH_ALREADY_EXISTS" in found.errorMessage
    assert upload(c, b"new") == 200 and w.volumes()[FILE]["bytes"] == 3


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("PUT 'x' INTO '/Volumes/nope/default/v/f'", "[NOT_FOUND] Catalog"),
        ("GET '/Volumes/main/nope/v/f' TO 'x'", "[NOT_FOUND] Schema"),
        ("REMOVE '/Volumes/main/default/v'", "INVALID_PARAMETER_VALUE"),
        ("REMOVE '/Volumes/main/default/v/../f'", "INVALID_PARAMETER_VALUE"),
        ("PUT 'x' TO '/Volumes/main/default/v/f'", "PARSE_SYNTAX_ERROR"),
        ("GET '/Volumes/main/default/v/f'", "PARSE_SYNTAX_ERROR"),
    ],
)
def test_wrong_statements(c, statement, text):
    status = c.execute(statement, direct=10).directResults.operationStatus
    assert status.operationState == 5 and text in status.errorMessage


def test_an_old_protocol_knows_no_volumes(w):
    c = Client(w)
    c.open(0xA506)
    status = c.execute(f"REMOVE '{FILE}'", direct=10).directResults.operationStatus
    assert status.operationState == 5
    c.close()


def test_the_url_is_the_only_permission(w, c):
    upload(c)
    row = staged(c, f"GET '{FILE}' TO 'x'")
    assert transfer(row, Authorization="Bearer x")[0] == 400
    status, body = transfer(row, method="DELETE")
    assert status == 403 and b"SignatureDoesNotMatch" in body
    row["presignedUrl"] = row["presignedUrl"].replace("a%20b", "b")
    assert transfer(row)[0] == 403
    row["presignedUrl"] = row["presignedUrl"].partition("?")[0]
    assert transfer(row)[0] == 403


def test_urls_expire(w, c):
    upload(c)
    row = staged(c, f"GET '{FILE}' TO 'x'")
    w.advance("14m")
    assert transfer(row)[0] == 200
    w.advance("2m")
    status, body = transfer(row)
    assert status == 403 and b"Request has expired" in body


def test_a_put_needs_its_headers_and_all_of_its_body(w, c):
    row = staged(c, f"PUT 'x' INTO '{FILE}'")
    assert transfer(row, b"1", sent={})[0] == 400
    parts = urllib.parse.urlsplit(row["presignedUrl"])
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.putrequest("PUT", f"{parts.path}?{parts.query}")
    for name, value in {**json.loads(row["headers"]), "Content-Length": "100"}.items():
        connection.putheader(name, value)
    connection.endheaders(b"short")
    connection.close()
    # The storage has seen the end of the connection once the next request is answered.
    assert transfer(staged(c, f"GET '{FILE}' TO 'x'"))[0] == 404
    assert w.volumes() == {}


def test_large_files_stream(w, c):
    data = os.urandom(9 << 20)
    assert upload(c, data) == 200
    assert transfer(staged(c, f"GET '{FILE}' TO 'x'")) == (200, data)
    assert upload(c, b"") == 200
    assert transfer(staged(c, f"GET '{FILE}' TO 'x'")) == (200, b"")


def test_faults_of_the_storage(w, c):
    upload(c)
    row = staged(c, f"GET '{FILE}' TO 'x'")
    w.fault({"kind": "status", "code": 404}, "storage")
    w.fault("expired_link", {"storage": "GET"}, 2)
    w.fault({"kind": "status", "code": 503, "retry_after": 1}, {"storage": "PUT"})
    w.fault({"kind": "error"}, "*")
    assert transfer(row)[0] == 404
    status, body = transfer(row)
    assert status == 403 and b"expired" in body
    assert transfer(row) == (200, b"1,2,3\n")
    w.clear_faults()
    for kind, expected in (
        ({"kind": "truncate", "bytes": 2}, http.client.IncompleteRead),
        ({"kind": "reset", "bytes": 0}, ConnectionError),
        ({"kind": "refuse"}, http.client.RemoteDisconnected),
    ):
        fault = w.fault(kind, "storage")
        with pytest.raises(expected):
            transfer(row)
        assert w.fault_taken(fault) == 1
    w.fault({"kind": "drip", "bytes": 1, "ms": 1}, "storage")
    assert transfer(row) == (200, b"1,2,3\n")
    last = w.requests(rpc="storage GET", limit=1)[0]
    assert last["faults"][0].endswith("drip")


def test_the_vendors_connector(w, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(b"a,b\n" * 1000)
    with (
        sql.connect(
            server_hostname=w.host,
            http_path=w.http_path,
            access_token=w.token,
            _connection_uri=w.uri,
            use_cloud_fetch=False,
            enable_telemetry=False,
            staging_allowed_local_path=str(tmp_path),
            _retry_stop_after_attempts_count=1,
        ) as connection,
        connection.cursor() as cursor,
    ):
        path = "/Volumes/main/default/v/f.csv"
        cursor.execute(f"PUT '{source}' INTO '{path}'")
        with pytest.raises(ServerOperationError, match="ALREADY_EXISTS"):
            cursor.execute(f"PUT '{source}' INTO '{path}'")
        cursor.execute(f"GET '{path}' TO '{target}'")
        assert target.read_bytes() == source.read_bytes()
        cursor.execute(f"REMOVE '{path}'")
        with pytest.raises(OperationalError, match="404"):
            cursor.execute(f"GET '{path}' TO '{target}'")
