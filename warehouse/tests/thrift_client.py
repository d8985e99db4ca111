# SPDX-License-Identifier: Apache-2.0
"""A bare Thrift client for the server's tests: the vendor's stubs, Apache's protocol, and
every HTTP detail within reach."""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.parse
from typing import Any

import lz4.frame
import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import TCLIService
from databricks.sql.thrift_api.TCLIService import ttypes as t
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

V8 = 0xA508


class HttpError(Exception):
    def __init__(self, status: int, headers: dict[str, str], body: bytes):
        super().__init__(f"HTTP {status}: {body[:200]!r}")
        self.status = status
        self.headers = headers
        self.body = body


class Client:
    """One connection, one session at most."""

    def __init__(self, w: Any, *, agent: str = "tests/1.0", auth: str | None = None):
        parts = urllib.parse.urlsplit(w.uri)
        self.path = parts.path
        self.agent = agent
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=w.ca_file)
            self.http: Any = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=30, context=context
            )
        else:
            self.http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        if auth is None:
            pair = base64.b64encode(b"user:password").decode()
            auth = f"Bearer {w.token}" if w.token else f"Basic {pair}"
        self.auth = auth
        self.session: Any = None
        self.last_headers: dict[str, str] = {}
        self.seqid = 0

    def close(self) -> None:
        self.http.close()

    def post(
        self, body: bytes, *, path: str | None = None, **headers: str
    ) -> tuple[int, bytes]:
        sent = {"Content-Type": "application/x-thrift", "User-Agent": self.agent}
        if self.auth:
            sent["Authorization"] = self.auth
        self.http.request("POST", path or self.path, body, {**sent, **headers})
        answer = self.http.getresponse()
        data = answer.read()
        self.last_headers = {k.lower(): v for k, v in answer.getheaders()}
        return answer.status, data

    def encode(self, name: str, req: Any) -> bytes:
        self.seqid += 1
        buffer = TMemoryBuffer()
        client = TCLIService.Client(TBinaryProtocol(buffer))
        client._seqid = self.seqid
        getattr(client, "send_" + name)(req)
        return buffer.getvalue()

    def call(self, name: str, req: Any) -> Any:
        status, data = self.post(self.encode(name, req))
        if status != 200:
            raise HttpError(status, self.last_headers, data)
        protocol = TBinaryProtocol(TMemoryBuffer(data), string_length_limit=1 << 30)
        client = TCLIService.Client(protocol)
        return getattr(client, "recv_" + name)()

    # -- shorthand --

    def open(self, protocol: int | None = V8, **fields: Any) -> Any:
        req = t.TOpenSessionReq(**fields)
        if protocol is not None:
            req.client_protocol_i64 = protocol
        if "client_protocol" not in fields:
            req.client_protocol = None
        answer = self.call("OpenSession", req)
        self.session = answer.sessionHandle
        return answer

    def execute(
        self,
        sql: str,
        *,
        direct: int | None = None,
        direct_bytes: int | None = None,
        arrow: bool = True,
        run_async: bool = True,
        **fields: Any,
    ) -> Any:
        req = t.TExecuteStatementReq(
            sessionHandle=self.session,
            statement=sql,
            runAsync=run_async,
            canReadArrowResult=arrow,
            **fields,
        )
        if direct is not None:
            req.getDirectResults = t.TSparkGetDirectResults(direct, direct_bytes)
        return self.call("ExecuteStatement", req)

    def run(self, sql: str, **fields: Any) -> Any:
        """Execute without direct results and wait for the end; returns the handle."""
        handle = self.execute(sql, **fields).operationHandle
        self.until_done(handle)
        return handle

    def until_done(self, handle: Any) -> Any:
        while True:
            answer = self.status(handle)
            if answer.status.statusCode != 0 or answer.operationState not in (0, 1, 7):
                return answer

    def status(self, handle: Any) -> Any:
        return self.call("GetOperationStatus", t.TGetOperationStatusReq(handle))

    def metadata(self, handle: Any) -> Any:
        return self.call("GetResultSetMetadata", t.TGetResultSetMetadataReq(handle))

    def fetch(
        self, handle: Any, rows: int = 100_000, *, orientation: int = 0, **fields: Any
    ) -> Any:
        req = t.TFetchResultsReq(handle, orientation, rows, **fields)
        return self.call("FetchResults", req)

    def cancel(self, handle: Any) -> Any:
        return self.call("CancelOperation", t.TCancelOperationReq(handle))

    def close_operation(self, handle: Any) -> Any:
        return self.call("CloseOperation", t.TCloseOperationReq(handle))

    def close_session(self) -> Any:
        return self.call("CloseSession", t.TCloseSessionReq(self.session))


def ident(handle: Any) -> str:
    """The uuid text of an operation or session handle."""
    raw = (getattr(handle, "operationId", None) or handle.sessionId).guid.hex()
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"


def column_values(column: Any) -> list:
    """A TColumn as a list with None for nulls."""
    held = next(value for value in vars(column).values() if value is not None)
    nulls = held.nulls
    return [
        None if i >> 3 < len(nulls) and nulls[i >> 3] & (1 << (i & 7)) else value
        for i, value in enumerate(held.values)
    ]


def rows_of(results: Any) -> list[tuple]:
    """The rows of a column based row set."""
    return list(zip(*(column_values(column) for column in results.columns)))


def arrow_table(metadata: Any, *results: Any) -> pa.Table:
    """The rows of inline Arrow row sets."""
    parts = [metadata.arrowSchema]
    for result in results:
        for batch in result.arrowBatches:
            data = batch.batch
            parts.append(lz4.frame.decompress(data) if metadata.lz4Compressed else data)
    reader = pa.ipc.open_stream(
        pa.py_buffer(b"".join(parts) + b"\xff\xff\xff\xff\0\0\0\0")
    )
    return reader.read_all()
