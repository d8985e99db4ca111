# SPDX-License-Identifier: Apache-2.0
"""What the tests of cloud fetch need: links by Thrift, files by GET."""

from __future__ import annotations

import http.client
import urllib.parse
from dataclasses import dataclass
from typing import Any

import lz4.frame
import pyarrow as pa

from warehouse.tests.thrift_client import Client

SQL = "SELECT id, concat('row-', id) AS s FROM range(0, {rows}, 1, 1)"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def get(
    url: str, headers: dict[str, str] | None = None, method: str = "GET", timeout: float = 20
) -> Answer:
    """One request on a connection of its own; the URL is sent byte for byte."""
    scheme, _, rest = url.partition("://")
    assert scheme == "http"
    host, slash, path = rest.partition("/")
    connection = http.client.HTTPConnection(host, timeout=timeout)
    try:
        connection.putrequest(method, slash + path, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        known = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, known, answer.read())
    finally:
        connection.close()


def download(link: Any, **headers: str) -> Answer:
    return get(link.fileLink, {**link.httpHeaders, **headers})


def frames(data: bytes) -> list[bytes]:
    """The LZ4 frames of a body, decompressed."""
    made = []
    while data:
        raw, used = lz4.frame.decompress(data, return_bytes_read=True)
        made.append(raw)
        data = data[used:]
    return made


def table(data: bytes, lz4_frames: bool = True) -> pa.Table:
    raw = b"".join(frames(data)) if lz4_frames else data
    return pa.ipc.open_stream(pa.py_buffer(raw)).read_all()


def opened(w: Any, protocol: int | None = None) -> Client:
    c = Client(w)
    c.open(**({"protocol": protocol} if protocol else {}))
    return c


def run(c: Client, rows: int = 200_000, sql: str = SQL, **fields: Any) -> Any:
    """The handle of a finished query whose client reads links and LZ4."""
    asked = {"canDownloadResult": True, "canDecompressLZ4Result": True, **fields}
    return c.run(sql.format(rows=rows), **asked)


def links(c: Client, handle: Any, **fields: Any) -> list[Any]:
    """Every link of the result, page after page."""
    made: list[Any] = []
    while True:
        page = c.fetch(handle, **fields)
        assert page.status.statusCode == 0, page.status.errorMessage
        made += page.results.resultLinks
        if not page.hasMoreRows:
            return made


def query_of(url: str) -> dict[str, list[str]]:
    return urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
