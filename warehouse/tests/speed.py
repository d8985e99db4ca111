# SPDX-License-Identifier: Apache-2.0
"""How fast the warehouse sends in bench mode, by one connection.

    python -m warehouse.tests.speed [ROWS]

Prints bytes per second of the wall and of the server's processor: on a busy machine only the
second says something.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable

from databricks.sql.thrift_api.TCLIService import ttypes as t

from warehouse.testing import Warehouse
from warehouse.tests.cloud_client import links, opened, run

SQL = (
    "SELECT id, (id * 7919) % 1000003 AS n, id * 0.5D AS d, "
    "date_add(DATE '2000-01-01', CAST(id % 9000 AS INT)) AS day, "
    "lpad(CAST(id AS STRING), 12, 'x') AS s FROM range(0, {rows}, 1, 1)"
)
ROUNDS = 5
SMALL_REQUESTS = 5000
PAGE_BYTES = 100 << 20


class Wire:
    """One connection that reads replies and throws them away."""

    def __init__(self, host: str, port: int):
        self._socket = socket.create_connection((host, port))
        self._buffer = bytearray(1 << 20)

    def ask(self, request: bytes) -> int:
        self._socket.sendall(request)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._socket.recv(1 << 16)
        head, _, body = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        left = size - len(body)
        while left:
            left -= self._socket.recv_into(self._buffer)
        return size


def measure(w: Warehouse, what: str, read: Callable[[], int]) -> None:
    size = read()
    best, used = 1e9, 1e9
    for _ in range(ROUNDS):
        cpu, wall = w.stats()["cpu_seconds"], time.monotonic()
        read()
        best = min(best, time.monotonic() - wall)
        used = min(used, w.stats()["cpu_seconds"] - cpu)
    print(
        f"{what:24} {size / 1e6:6.0f} MB  {size / 1e9 / best:5.2f} GB/s  "
        f"{size / 1e9 / max(used, 1e-3):5.2f} GB per second of the server's processor"
    )


def main(rows: int) -> None:
    with Warehouse(bench=True, no_samples=True) as w:
        c = opened(w)
        storage = w.storage.partition("://")[2].rpartition(":")
        files, main_port = Wire(storage[0], int(storage[2])), Wire(w.host, w.port)

        def post(name: str, req: object) -> bytes:
            body = c.encode(name, req)
            head = (
                f"POST {w.http_path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {w.token}"
                f"\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            return head.encode() + body

        handle = run(c, rows, SQL)
        asked = []
        for link in links(c, handle):
            path = link.fileLink.split("/", 3)[3]
            more = "".join(f"{k}: {v}\r\n" for k, v in link.httpHeaders.items())
            asked.append(f"GET /{path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode())
        measure(w, "files of links, LZ4", lambda: sum(map(files.ask, asked)))

        for what, fields in (
            ("inline Arrow, LZ4", {}),
            ("inline Arrow", {"canDecompressLZ4Result": False}),
            ("columns", {"arrow": False}),
        ):
            handle = run(c, rows, SQL, canDownloadResult=False, **fields)
            starts, more = [], True
            while more:
                page = c.fetch(handle, rows=1 << 30, maxBytes=PAGE_BYTES)
                starts.append(page.results.startRowOffset)
                more = page.hasMoreRows
            pages = [
                post(
                    "FetchResults",
                    t.TFetchResultsReq(
                        handle, 0, 1 << 30, maxBytes=PAGE_BYTES, startRowOffset=start
                    ),
                )
                for start in starts
            ]
            measure(w, what, lambda pages=pages: sum(map(main_port.ask, pages)))

        request = post(
            "ExecuteStatement",
            t.TExecuteStatementReq(
                sessionHandle=c.session,
                statement="SELECT 1",
                runAsync=True,
                canReadArrowResult=True,
                getDirectResults=t.TSparkGetDirectResults(1000),
            ),
        )
        main_port.ask(request)
        main_port.ask(request)
        cpu, wall = w.stats()["cpu_seconds"], time.monotonic()
        for _ in range(SMALL_REQUESTS):
            main_port.ask(request)
        wall = (time.monotonic() - wall) / SMALL_REQUESTS
        cpu = (w.stats()["cpu_seconds"] - cpu) / SMALL_REQUESTS
        print(f"SELECT 1: {wall * 1e6:.0f} µs, {cpu * 1e6:.0f} µs of the server's processor")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
