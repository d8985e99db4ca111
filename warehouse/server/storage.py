# SPDX-License-Identifier: Apache-2.0
"""The object store behind the volumes: PUT, GET and DELETE of signed URLs.

A request is answered in this order:

1. an Authorization header (400): the URL is the only permission;
2. faults that come before processing;
3. signature and time (403), a PUT without its header or length (400, 411);
4. the file; faults that spoil the reply to a GET; send.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import Any
from urllib.parse import parse_qs, unquote

from .core import Warehouse
from .faults import AFTER, BEFORE, KINDS, Event, Fault
from .misbehave import Gone, Reply, refuse, spoil, wait
from .stats import Entry
from .volumes import PUT_HEADERS, Stored

log = logging.getLogger("warehouse.storage")

PIECE_BYTES = 1 << 20
MOST_BYTES = 64 << 30
_TEXTS = {
    "AccessDenied": "Request has expired",
    "SignatureDoesNotMatch": "The request signature we calculated does not match.",
    "AuthorizationQueryParametersError": "The URL is not signed.",
    "NoSuchKey": "The specified key does not exist.",
}


def _xml(status: int, code: str, text: str = "") -> Reply:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{text or _TEXTS.get(code, code)}</Message>"
        "</Error>"
    )
    return Reply(status, [(b"content-type", b"application/xml")], [body.encode()])


class Storage:
    """The ASGI application of the storage port."""

    def __init__(self, warehouse: Warehouse):
        self.wh = warehouse

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        wh, connection = self.wh, scope["state"]["connection"]
        connection.requests += 1
        wh.stats.number += 1
        headers = {k.decode("latin-1").lower(): v for k, v in scope["headers"]}
        entry = Entry(
            number=wh.stats.number,
            time=round(wh.clock.wall(), 3),
            connection=connection.number,
            reused=connection.requests > 1,
            rpc="storage " + scope["method"][:10],
            operation=None,
            probe=False,
            user_agent=headers.get("user-agent", b"").decode("latin-1")[:200],
            path=scope["path"][:200],
        )
        event = Event(storage=scope["method"], path=scope["path"], reused=entry.reused)
        faults = wh.faults.take(event)
        entry.faults = [f"{fault.id} {fault.kind}" for fault in faults]
        started = time.monotonic()
        try:
            reply, stored = await self._answer(scope, headers, receive, entry, faults)
            await self._transmit(scope, send, entry, faults, reply, stored)
        except Gone:
            wh.stats.answered(entry, None)
        finally:
            entry.milliseconds = round((time.monotonic() - started) * 1000, 3)
            wh.activity.fire()

    async def _answer(
        self, scope: dict, headers: dict, receive: Any, entry: Entry, faults: list[Fault]
    ) -> tuple[Reply, Stored | None]:
        self.wh.stats.arrived(entry)
        self.wh.activity.fire()
        if "authorization" in headers:
            return _xml(400, "InvalidArgument", "Only one auth mechanism is allowed"), None
        for fault in faults:
            if KINDS[fault.kind].phase == BEFORE:
                early = await self._misbehave(scope, fault)
                if early is not None:
                    return early, None
        path, method = unquote(scope["raw_path"].decode("latin-1")), scope["method"]
        found = parse_qs(scope["query_string"].decode("latin-1"))
        wrong = self.wh.volumes.refuse(method, path, {k: v[-1] for k, v in found.items()})
        if wrong is not None:
            entry.error = wrong
            return _xml(403, wrong), None
        if method == "PUT":
            return await self._put(path, headers, receive, entry), None
        if method == "DELETE":
            there = self.wh.volumes.remove(path)
            return (Reply(204, [], []) if there else _xml(404, "NoSuchKey")), None
        stored = self.wh.volumes.files.get(path)
        if stored is None:
            return _xml(404, "NoSuchKey"), None
        return Reply(200, [(b"content-type", b"application/octet-stream")], []), stored

    async def _misbehave(self, scope: dict, fault: Fault) -> Reply | None:
        connection, parameters = scope["state"]["connection"], fault.parameters
        if fault.kind == "delay":
            await wait(connection, asyncio.sleep(parameters["ms"] / 1000))
        elif fault.kind == "hang":
            await wait(connection, self.wh.faults.until_released(None))
        elif fault.kind == "refuse":
            await refuse(connection)
        elif fault.kind == "expired_link":
            return _xml(403, "AccessDenied")
        elif fault.kind == "status":
            code = {404: "NoSuchKey", 403: "AccessDenied", 503: "SlowDown"}
            known = code.get(parameters["code"], "InternalError")
            reply = _xml(parameters["code"], known, parameters["message"])
            if parameters["retry_after"] is not None:
                after = str(parameters["retry_after"]).encode()
                reply.headers.append((b"retry-after", after))
            return reply
        return None

    async def _put(self, path: str, headers: dict, receive: Any, entry: Entry) -> Reply:
        for name, value in PUT_HEADERS.items():
            if headers.get(name, b"").decode("latin-1") != value:
                return _xml(400, "MissingRequiredHeader", name)
        length = headers.get("content-length", b"")
        if not length.isdigit():
            return _xml(411, "MissingContentLength")
        if int(length) > MOST_BYTES:
            return _xml(400, "EntityTooLarge")
        upload = self.wh.volumes.upload()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone()
            upload.add(message.get("body", b""))
            if not message.get("more_body"):
                break
        entry.bytes_in = upload.size
        if upload.size != int(length):
            raise Gone()
        upload.finish(path)
        return Reply(200, [], [])

    async def _transmit(
        self,
        scope: dict,
        send: Any,
        entry: Entry,
        faults: list[Fault],
        reply: Reply,
        stored: Stored | None,
    ) -> None:
        connection, stats = scope["state"]["connection"], self.wh.stats
        for fault in faults:
            if KINDS[fault.kind].phase != AFTER:
                continue
            if fault.kind == "hold":
                limit = fault.parameters["ms"] / 1000 if fault.parameters["ms"] else None
                await wait(connection, self.wh.faults.until_released(limit))
                continue
            if stored is not None:
                whole = os.pread(stored.file.fileno(), stored.size, 0)
                reply = Reply(reply.status, reply.headers, [whole])
            await spoil(connection, stats, entry, reply, fault)
            return
        length = reply.length if stored is None else stored.size
        entry.bytes_out = length
        stats.answered(entry, reply.status)
        headers = list(reply.headers)
        if reply.status != 204:
            headers.append((b"content-length", str(length).encode()))
        await send(
            {"type": "http.response.start", "status": reply.status, "headers": headers}
        )
        for chunk in reply.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        at = 0
        while stored is not None and at < stored.size:
            data = os.pread(stored.file.fileno(), PIECE_BYTES, at)
            await send({"type": "http.response.body", "body": data, "more_body": True})
            at += len(data)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
