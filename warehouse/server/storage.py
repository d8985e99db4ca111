# SPDX-License-Identifier: Apache-2.0
"""The object store: PUT, GET and DELETE of signed URLs of volumes, GET of result files.

A request is answered in this order:

1. an Authorization header, a cookie or a header of the workspace (400): the URL is the only
   permission, and whoever sends more leaks it;
2. faults that come before processing;
3. signature and time (403), the headers that the link named (403), a PUT without its
   header or length (400, 411);
4. the file, or the range of it that was asked for (206, 412, 416);
5. faults that spoil the reply to a GET; send.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from .core import Warehouse
from .faults import Event, Fault
from .files import Body
from .kinds import AFTER, BEFORE, FILE, KINDS
from .links import Asked
from .misbehave import Gone, Reply, refuse, retry_after, spoil, wait
from .misfile import OF_THE_REPLY, spoilt
from .pace import Pace, latency
from .results import Discarded
from .stats import Entry
from .volumes import PUT_HEADERS

log = logging.getLogger("warehouse.storage")

PIECE_BYTES = 4 << 20
MOST_BYTES = 64 << 30
#: The path of a result's file, before its index.
RESULTS = b"/results/"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_FOREIGN = re.compile(r"authorization|cookie|x-databricks-.*")
_CODES = {
    400: "InvalidRequest",
    401: "Unauthorized",
    403: "AccessDenied",
    404: "NoSuchKey",
    408: "RequestTimeout",
    410: "Gone",
    429: "TooManyRequests",
    503: "SlowDown",
}
_TEXTS = {
    "AccessDenied": "Request has expired",
    "SignatureDoesNotMatch": "The request signature we calculated does not match.",
    "AuthorizationQueryParametersError": "The URL is not signed.",
    "MissingRequiredHeader": "A header that the URL was signed with is missing.",
    "NoSuchKey": "The specified key does not exist.",
    "PreconditionFailed": "At least one of the preconditions did not hold.",
    "InvalidRange": "The requested range is not satisfiable",
}


def _xml(status: int, code: str, text: str = "", more: str = "") -> Reply:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{text or _TEXTS.get(code, code)}</Message>"
        f"{more}</Error>"
    )
    return Reply(status, [(b"content-type", b"application/xml")], [body.encode()])


@dataclass
class Part:
    """What of a body is sent; the body has ``size`` and ``read(at, size)``."""

    body: Any
    start: int
    end: int

    def whole(self) -> bytes:
        return bytes(self.body.read(self.start, self.end - self.start))


@dataclass
class Visit:
    """One request and what is known of it."""

    scope: dict
    receive: Any
    send: Any
    entry: Entry
    headers: dict[str, bytes]
    faults: list[Fault]
    asked: Asked | None = None
    part: Part | None = None

    @property
    def connection(self) -> Any:
        return self.scope["state"]["connection"]

    @property
    def is_result(self) -> bool:
        return self.scope["raw_path"].startswith(RESULTS)

    def header(self, name: str) -> str:
        return self.headers.get(name, b"").decode("latin-1")


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
        visit = Visit(scope, receive, send, entry, headers, [])
        started = time.monotonic()
        self._arrived(visit)
        try:
            await latency(connection, wh.options.storage_latency_ms)
            reply = await self._answer(visit)
            await self._transmit(visit, reply)
        except Gone:
            wh.stats.answered(entry, None)
        finally:
            entry.milliseconds = round((time.monotonic() - started) * 1000, 3)
            self._done(visit)

    def _arrived(self, visit: Visit) -> None:
        """Counters and faults of a request."""
        wh, entry, scope = self.wh, visit.entry, visit.scope
        event = Event(storage=scope["method"], path=scope["path"], reused=entry.reused)
        if visit.is_result:
            visit.asked = wh.links.find(scope["raw_path"])
        if visit.asked is not None:
            op = visit.asked.op
            entry.operation = event.operation = op.id
            event.statement = op.sql
            event.file = visit.asked.file.index
            event.ranged = "range" in visit.headers
            event.renewed = visit.asked.issue > 1
        visit.faults = wh.faults.take(event)
        entry.faults = [f"{fault.id} {fault.kind}" for fault in visit.faults]
        for fault in visit.faults:
            log.info("fault %s (%s) hits request %d", fault.id, fault.kind, entry.number)
        storage = wh.stats.storage
        storage.requests += 1
        storage.in_flight += 1
        storage.max_in_flight = max(storage.max_in_flight, storage.in_flight)
        wh.stats.arrived(entry)
        wh.activity.fire()

    def _done(self, visit: Visit) -> None:
        entry, storage = visit.entry, self.wh.stats.storage
        storage.in_flight -= 1
        storage.answered(entry.status, entry.bytes_out)
        if visit.asked is not None and visit.asked.op.links is not None:
            story = visit.asked.op.links.story(visit.asked.file)
            story.requests += 1
            story.bytes_out += entry.bytes_out
            story.statuses[str(entry.status) if entry.status else "none"] += 1
        self.wh.activity.fire()

    async def _answer(self, visit: Visit) -> Reply:
        for name in visit.headers:
            if _FOREIGN.fullmatch(name):
                visit.entry.error = f"header {name}"
                text = f"Only one auth mechanism is allowed; {name} was sent"
                return _xml(400, "InvalidArgument", text)
        for fault in visit.faults:
            if KINDS[fault.kind].phase == BEFORE:
                early = await self._misbehave(visit, fault)
                if early is not None:
                    return early
        if visit.is_result:
            return await self._result(visit)
        return await self._volume(visit)

    # -- result files --

    async def _result(self, visit: Visit) -> Reply:
        scope, links = visit.scope, self.wh.links
        wrong = links.refuse(scope["raw_path"], scope["query_string"], visit.headers)
        if wrong is not None:
            visit.entry.error = wrong
            return self._forbidden(wrong, scope)
        if scope["method"] != "GET":
            return _xml(405, "MethodNotAllowed")
        if visit.asked is None:
            return _xml(404, "NoSuchKey")
        files, file = visit.asked.op.links.files, visit.asked.file
        faults = [f for f in visit.faults if KINDS[f.kind].phase == FILE]
        kinds = {fault.kind for fault in faults}
        try:
            if kinds - OF_THE_REPLY:
                made = await self.wh.in_worker(spoilt, files, file, faults)
                body = Body(made)
            else:
                body = files.ready_body(file)
                if body is None:
                    body = await self.wh.in_worker(files.body, file)
        except Discarded:
            return _xml(404, "NoSuchKey")
        etag = files.etag(file)
        if "file_changed" in kinds:
            etag = f'"{etag[1:-1][::-1]}"'
        if kinds & {"range_ignored", "no_ranges"}:
            visit.headers.pop("range", None)
        reply = self._window(visit, body, etag)
        if "no_ranges" in kinds:
            reply.headers = [pair for pair in reply.headers if pair[0] != b"accept-ranges"]
        if "gzip" in kinds:
            reply.headers.append((b"content-encoding", b"gzip"))
        return reply

    def _forbidden(self, code: str, scope: dict) -> Reply:
        if code != "AccessDenied":
            return _xml(403, code)
        style = "%Y-%m-%dT%H:%M:%SZ"
        now = time.strftime(style, time.gmtime(self.wh.clock.wall()))
        expiry = self.wh.links.expiry(b"?" + scope["query_string"])
        expired = time.strftime(style, time.gmtime(expiry))
        life = max(0, round(self.wh.options.link_life_seconds) - 1)
        more = (
            f"<X-Amz-Expires>{life}</X-Amz-Expires><Expires>{expired}</Expires>"
            f"<ServerTime>{now}</ServerTime><RequestId>LOCAL</RequestId><HostId>local</HostId>"
        )
        return _xml(403, code, more=more)

    def _window(self, visit: Visit, body: Any, etag: str) -> Reply:
        """The body, or the range of it that was asked for."""
        headers = [
            (b"content-type", b"binary/octet-stream"),
            (b"etag", etag.encode()),
            (b"accept-ranges", b"bytes"),
            (b"server", b"AmazonS3"),
            (b"x-amz-request-id", b"%016X" % visit.entry.number),
        ]
        if visit.header("if-match") not in ("", "*", etag):
            return _xml(412, "PreconditionFailed")
        visit.part = Part(body, 0, body.size)
        found = _RANGE.fullmatch(visit.header("range").replace(" ", ""))
        if found is None or found.group() == "bytes=-":
            return Reply(200, headers, [])
        first, last = found.groups()
        if first:
            start = int(first)
            end = min(body.size, int(last) + 1) if last else body.size
        else:
            start, end = max(0, body.size - int(last)), body.size
        if start >= body.size or end <= start:
            visit.part = None
            reply = _xml(416, "InvalidRange")
            reply.headers.append((b"content-range", b"bytes */%d" % body.size))
            return reply
        self.wh.stats.storage.ranges += 1
        visit.part = Part(body, start, end)
        wrong = sum(
            fault.parameters["delta"]
            for fault in visit.faults
            if fault.kind == "wrong_content_range"
        )
        stated = b"bytes %d-%d/%d" % (start + wrong, end - 1 + wrong, body.size)
        return Reply(206, [*headers, (b"content-range", stated)], [])

    # -- volumes --

    async def _volume(self, visit: Visit) -> Reply:
        scope, volumes = visit.scope, self.wh.volumes
        path, method = unquote(scope["raw_path"].decode("latin-1")), scope["method"]
        found = parse_qs(scope["query_string"].decode("latin-1"))
        wrong = volumes.refuse(method, path, {k: v[-1] for k, v in found.items()})
        if wrong is not None:
            visit.entry.error = wrong
            return _xml(403, wrong)
        if method == "PUT":
            return await self._put(path, visit)
        if method == "DELETE":
            there = volumes.remove(path)
            return Reply(204, [], []) if there else _xml(404, "NoSuchKey")
        stored = volumes.files.get(path)
        if stored is None:
            return _xml(404, "NoSuchKey")
        visit.part = Part(stored, 0, stored.size)
        return Reply(200, [(b"content-type", b"application/octet-stream")], [])

    async def _put(self, path: str, visit: Visit) -> Reply:
        for name, value in PUT_HEADERS.items():
            if visit.header(name) != value:
                return _xml(400, "MissingRequiredHeader", name)
        length = visit.headers.get("content-length", b"")
        if not length.isdigit():
            return _xml(411, "MissingContentLength")
        if int(length) > MOST_BYTES:
            return _xml(400, "EntityTooLarge")
        upload = self.wh.volumes.upload()
        while True:
            message = await visit.receive()
            if message["type"] == "http.disconnect":
                raise Gone()
            upload.add(message.get("body", b""))
            if not message.get("more_body"):
                break
        visit.entry.bytes_in = upload.size
        if upload.size != int(length):
            raise Gone()
        upload.finish(path)
        return Reply(200, [], [])

    # -- faults before processing --

    async def _misbehave(self, visit: Visit, fault: Fault) -> Reply | None:
        connection, parameters = visit.connection, fault.parameters
        if fault.kind == "delay":
            await wait(connection, asyncio.sleep(parameters["ms"] / 1000))
        elif fault.kind == "hang":
            await wait(connection, self.wh.faults.until_released(None))
        elif fault.kind == "refuse":
            await refuse(connection)
        elif fault.kind == "expired_link":
            return self._forbidden("AccessDenied", visit.scope)
        elif fault.kind == "expired_token":
            more = "<Details>The provided token has expired.</Details>"
            return _xml(400, "ExpiredToken", "Invalid argument.", more)
        elif fault.kind == "authentication_failed":
            more = (
                "<AuthenticationErrorDetail>Signed expiry time is not valid"
                "</AuthenticationErrorDetail>"
            )
            text = "Server failed to authenticate the request."
            reply = _xml(403, "AuthenticationFailed", text, more)
            reply.headers.append((b"x-ms-error-code", b"AuthenticationFailed"))
            return reply
        elif fault.kind == "status":
            known = _CODES.get(parameters["code"], "InternalError")
            reply = _xml(parameters["code"], known, parameters["message"])
            reply.headers += retry_after(parameters)
            return reply
        return None

    # -- from reply to the wire --

    async def _transmit(self, visit: Visit, reply: Reply) -> None:
        connection, entry = visit.connection, visit.entry
        reply.headers.append((b"date", self.wh.clock.http_date()))
        for fault in visit.faults:
            if KINDS[fault.kind].phase != AFTER:
                continue
            if fault.kind == "hold":
                limit = fault.parameters["ms"] / 1000 if fault.parameters["ms"] else None
                await wait(connection, self.wh.faults.until_released(limit))
                continue
            if fault.kind == "garbage":
                visit.part = None
                reply = Reply(200, reply.headers, [os.urandom(fault.parameters["bytes"])])
                continue
            if visit.part is not None:
                reply = Reply(reply.status, reply.headers, [visit.part.whole()])
            await spoil(connection, self.wh.stats, entry, reply, fault)
            return
        await self._send(visit, reply)

    async def _send(self, visit: Visit, reply: Reply) -> None:
        part, send = visit.part, visit.send
        length = reply.length if part is None else part.end - part.start
        visit.entry.bytes_out = length
        self.wh.stats.answered(visit.entry, reply.status)
        headers = list(reply.headers)
        if reply.status != 204:
            headers.append((b"content-length", str(length).encode()))
        await send(
            {"type": "http.response.start", "status": reply.status, "headers": headers}
        )
        for chunk in reply.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        at = 0 if part is None else part.start
        pace = Pace(visit.connection, self.wh.options.storage_bytes_per_second)
        while part is not None and at < part.end:
            data = part.body.read(at, min(pace.piece(PIECE_BYTES), part.end - at))
            await pace.wait(len(data))
            await send({"type": "http.response.body", "body": data, "more_body": True})
            at += len(data)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
