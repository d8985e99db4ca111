# SPDX-License-Identifier: Apache-2.0
"""What floor.c needs to know of a result: opens a session as a driver does, executes, and
writes down the calls that fetch its pages, or the links of its files.

    with Plan(warehouse, "SELECT ...", "links") as plan:
        plan.text   # floor.c's standard input
        plan.rows   # of the links; the pages are counted by floor.c
"""

from __future__ import annotations

import urllib.request
from typing import Any

from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TMessageType
from thrift.transport.TTransport import TMemoryBuffer

SECONDS = 300
#: The driver's own defaults, so that the pages are the same.
MAX_ROWS = 1_000_000
MAX_BYTES = 16 << 20
LIVE = {
    ttypes.TOperationState.INITIALIZED_STATE,
    ttypes.TOperationState.PENDING_STATE,
    ttypes.TOperationState.RUNNING_STATE,
}
NATIVE = ttypes.TSparkArrowTypes(
    timestampAsArrow=True, decimalAsArrow=True, complexTypesAsArrow=True,
    intervalTypesAsArrow=False,
)  # fmt: skip


def encode(method: str, request: Any) -> bytes:
    out = TMemoryBuffer()
    protocol = TBinaryProtocol(out)
    protocol.writeMessageBegin(method, TMessageType.CALL, 1)
    getattr(TCLIService, f"{method}_args")(req=request).write(protocol)
    return out.getvalue()


class Plan:
    """``mode`` is floor.c's: ``inline``, ``links``, or ``first``, with links or without."""

    def __init__(self, warehouse: Any, sql: str, mode: str, *, links: bool = False):
        self._uri = warehouse.uri
        self._headers = {
            "Authorization": f"Bearer {warehouse.token}",
            "Content-Type": "application/x-thrift",
        }
        # A proxy in the environment must never see loopback traffic.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        self.rows = 0
        version = ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V8
        session = ttypes.TOpenSessionReq(client_protocol_i64=version)
        self._session = self._call("OpenSession", session).sessionHandle
        execute = self._execution(sql, links or mode == "links")
        if mode == "first":
            execute.getDirectResults = ttypes.TSparkGetDirectResults(MAX_ROWS, MAX_BYTES)
            self.text = encode("ExecuteStatement", execute).hex() + "\n"
        else:
            self._operation = self._call("ExecuteStatement", execute).operationHandle
            self._wait()
            self.text = self._links() if mode == "links" else self._calls()

    def _call(self, method: str, request: Any) -> Any:
        post = urllib.request.Request(self._uri, encode(method, request), self._headers)
        with self._open(post, timeout=SECONDS) as reply:
            protocol = TBinaryProtocol(TMemoryBuffer(reply.read()))
        protocol.readMessageBegin()
        result = getattr(TCLIService, f"{method}_result")()
        result.read(protocol)
        status = result.success.status
        if status.statusCode > ttypes.TStatusCode.SUCCESS_WITH_INFO_STATUS:
            raise RuntimeError(f"{method}: {status.errorMessage}")
        return result.success

    def _execution(self, sql: str, links: bool) -> Any:
        return ttypes.TExecuteStatementReq(
            sessionHandle=self._session, statement=sql, runAsync=True, canReadArrowResult=True,
            canDecompressLZ4Result=True, canDownloadResult=links, useArrowNativeTypes=NATIVE,
            confOverlay={"spark.thriftserver.arrowBasedRowSet.timestampAsString": "false"},
        )  # fmt: skip

    def _wait(self) -> None:
        poll = ttypes.TGetOperationStatusReq(operationHandle=self._operation)
        while (state := self._call("GetOperationStatus", poll).operationState) in LIVE:
            pass
        if state != ttypes.TOperationState.FINISHED_STATE:
            raise RuntimeError(f"the statement ended in state {state}")

    def _fetch(self, orientation: int) -> Any:
        return ttypes.TFetchResultsReq(
            operationHandle=self._operation, orientation=orientation, maxRows=MAX_ROWS,
            maxBytes=MAX_BYTES,
        )  # fmt: skip

    def _calls(self) -> str:
        first, further = ttypes.TFetchOrientation.FETCH_FIRST, ttypes.TFetchOrientation.FETCH_NEXT
        calls = [encode("FetchResults", self._fetch(one)).hex() for one in (first, further)]
        return "\n".join(calls) + "\n"

    def _links(self) -> str:
        lines = []
        more = True
        while more:
            request = self._fetch(ttypes.TFetchOrientation.FETCH_NEXT)
            page = self._call("FetchResults", request)
            for link in page.results.resultLinks or []:
                headers = [f"{key}: {value}" for key, value in (link.httpHeaders or {}).items()]
                lines.append("\t".join([link.fileLink, *headers]))
                self.rows += link.rowCount
            if page.results.arrowBatches:
                raise RuntimeError("the server sent rows where links were asked for")
            more = page.hasMoreRows
        if not lines:
            raise RuntimeError("the server sent no links")
        return "\n".join(lines) + "\n"

    def __enter__(self) -> Plan:
        return self

    def __exit__(self, *_: Any) -> None:
        # With its operations.
        self._call("CloseSession", ttypes.TCloseSessionReq(sessionHandle=self._session))
