# SPDX-License-Identifier: Apache-2.0
"""Replies sent wrongly, by hand: what the faults of phase ``after`` do to a connection."""

from __future__ import annotations

import asyncio
import email.utils
import time
from dataclasses import dataclass
from typing import Any

from .connection import Connection
from .faults import Fault
from .stats import Entry, Stats


@dataclass
class Reply:
    status: int
    headers: list[tuple[bytes, bytes]]
    chunks: list[bytes]
    chunked: bool = False

    @property
    def length(self) -> int:
        return sum(len(chunk) for chunk in self.chunks)


def retry_after(parameters: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """The header that the fault ``status`` asks for."""
    if parameters["retry_after_date"] is not None:
        at = time.time() + float(parameters["retry_after_date"])
        return [(b"retry-after", email.utils.formatdate(at, usegmt=True).encode())]
    if parameters["retry_after"] is not None:
        return [(b"retry-after", str(parameters["retry_after"]).encode())]
    return []


class Gone(Exception):
    """No reply will be sent: the connection is closed or closing."""


async def wait(connection: Connection, what: Any) -> None:
    """Wait for it, or for the client to go away."""
    waits = [asyncio.ensure_future(what), asyncio.ensure_future(connection.lost.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()
    if connection.lost.is_set():
        raise Gone()


async def refuse(connection: Connection) -> None:
    """Close without a reply."""
    connection.close()
    await connection.lost.wait()
    raise Gone()


def _head(reply: Reply, length: int) -> bytes:
    lines = [b"HTTP/1.1 %d Spoilt" % reply.status]
    lines += [name + b": " + value for name, value in reply.headers]
    lines.append(b"content-length: %d" % length)
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def spoil(
    connection: Connection, stats: Stats, entry: Entry, reply: Reply, fault: Fault
) -> None:
    """Send the reply wrongly and close the connection."""
    parameters = fault.parameters
    body = b"".join(reply.chunks)
    length, sent = len(body), len(body)
    if fault.kind == "wrong_length":
        length = max(0, length + parameters["delta"])
    elif fault.kind in ("truncate", "reset"):
        sent = min(length, parameters["bytes"])
    status: int | None = reply.status
    if fault.kind == "read_then_close" or (fault.kind == "reset" and sent == 0):
        status = None
    else:
        connection.write(_head(reply, length))
        entry.bytes_out = sent
    if fault.kind == "drip":
        for at in range(0, sent, max(1, parameters["bytes"])):
            connection.write(body[at : at + max(1, parameters["bytes"])])
            await wait(connection, asyncio.sleep(parameters["ms"] / 1000))
    elif status is not None:
        connection.write(body[:sent])
    stats.answered(entry, status)
    await connection.flush()
    if fault.kind == "reset":
        connection.reset()
    else:
        connection.close()
    await connection.lost.wait()
