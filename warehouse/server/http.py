# SPDX-License-Identifier: Apache-2.0
"""The ASGI application: path, sign-in, Thrift message in, Thrift message out, and the
faults.

A request is answered in this order:

1. read the body; refuse what is too large;
2. path (404), method (405), sign-in (401);
3. decode (400), find the operation, note the contact: the idle clock moves on arrival, as
   on real servers, so a request that then hangs has still been contact;
4. count it and wake whoever waits for it;
5. faults that come before processing;
6. process;
7. faults that spoil the reply; send.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import logging
import os
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from . import codec, replies
from .connection import Connection
from .core import Warehouse
from .faults import Event, Fault
from .kinds import AFTER, BEFORE, KINDS, PAGE
from .misbehave import Gone, Reply, refuse, retry_after, spoil, wait
from .pace import Pace, latency
from .service import ApplicationError, Call, HttpAnswer, Service
from .spoil import Spoil
from .stats import Entry

log = logging.getLogger("warehouse.http")

MOST_BODY = 64 << 20
#: Bodies larger than this are decoded on a worker thread.
LARGE_BODY = 256 << 10
#: Replies up to this size are handed over in one piece: a probe costs fewer calls.
JOINED_BYTES = 64 << 10
PIECE_BYTES = 1 << 20
THRIFT = (b"content-type", b"application/x-thrift")
_UNPRINTABLE = re.compile(r"[^ -~]")
COOKIE = re.compile(r'hive\.server2\.auth="?([^;"]*)')


@dataclass
class Exchange:
    """One request and what is known of it."""

    scope: dict
    receive: Any
    send: Any
    connection: Connection
    entry: Entry
    headers: dict[str, str]
    body: bytes = b""
    faults: list[Fault] = field(default_factory=list)
    call: Call | None = None
    seqid: int = 0


def _json(
    status: int, error_code: Any, message: str, *extra: tuple[bytes, bytes]
) -> Reply:
    body = json.dumps({"error_code": error_code, "message": message}).encode()
    headers = [(b"content-type", b"application/json"), *extra]
    text = _UNPRINTABLE.sub("?", message)[:1000].encode("ascii")
    headers.append((b"x-databricks-error-or-redirect-message", text))
    return Reply(status, headers, [body])


def _plain(status: int, text: str, kind: bytes | None = b"text/html") -> Reply:
    headers = [(b"content-type", kind)] if kind else []
    return Reply(status, headers, [text.encode()])


def _jetty(status: int, text: str) -> Reply:
    page = f"<html><head><title>Error {status}</title></head><body>"
    page += f"<h2>HTTP ERROR {status}</h2>"
    return _plain(
        status, f"{page}<p>{text}</p></body></html>", b"text/html;charset=utf-8"
    )


class App:
    def __init__(self, warehouse: Warehouse):
        self.wh = warehouse
        self.service = Service(warehouse)

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        connection = scope["state"]["connection"]
        connection.requests += 1
        wh = self.wh
        wh.stats.number += 1
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        headers = {k.lower(): v for k, v in headers.items()}
        entry = Entry(
            number=wh.stats.number,
            time=round(wh.clock.wall(), 3),
            connection=connection.number,
            reused=connection.requests > 1,
            rpc=None,
            operation=None,
            probe=False,
            user_agent=headers.get("user-agent", "")[:200],
            path=scope["path"][:200],
        )
        exchange = Exchange(scope, receive, send, connection, entry, headers)
        started = time.monotonic()
        wh.stats.in_flight += 1
        wh.stats.max_in_flight = max(wh.stats.max_in_flight, wh.stats.in_flight)
        try:
            await latency(connection, wh.options.latency_ms)
            reply = await self._answer(exchange)
            await self._transmit(exchange, reply)
        except Gone:
            wh.stats.answered(entry, None)
        finally:
            wh.stats.in_flight -= 1
            entry.milliseconds = round((time.monotonic() - started) * 1000, 3)
            wh.activity.fire()

    # -- from request to reply --

    async def _body(self, exchange: Exchange) -> bytes | None:
        parts, size = [], 0
        while True:
            message = await exchange.receive()
            if message["type"] == "http.disconnect":
                raise Gone()
            size += len(message.get("body", b""))
            if size <= MOST_BODY:
                parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        exchange.entry.bytes_in = size
        return b"".join(parts) if size <= MOST_BODY else None

    async def _answer(self, exchange: Exchange) -> Reply:
        body = await self._body(exchange)
        refusal = self._refuse(exchange)
        if refusal is None and body is None:
            refusal = _json(
                413, "REQUEST_LIMIT_EXCEEDED", f"Bodies end at {MOST_BODY} bytes."
            )
        if refusal is not None:
            self.wh.stats.arrived(exchange.entry)
            self.wh.activity.fire()
            return refusal
        exchange.body = body or b""
        known = self._known(exchange)
        if known is not None:
            return known
        malformed = await self._decode(exchange)
        self._arrived(exchange)
        try:
            early = await self._before(exchange)
            if early is not None:
                return early
            if malformed is not None:
                return malformed
            return await self._process(exchange)
        except HttpAnswer as answer:
            return self._http_answer(answer)

    def _http_answer(self, answer: HttpAnswer) -> Reply:
        if self.wh.personality.databricks:
            return _json(answer.status, answer.error_code, answer.message)
        return _jetty(answer.status, answer.message)

    def _refuse(self, exchange: Exchange) -> Reply | None:
        """Path, method and sign-in."""
        path, wh = exchange.scope["path"], self.wh
        databricks = wh.personality.databricks
        if not any(pattern.fullmatch(path) for pattern in wh.personality.paths):
            if databricks:
                return _json(404, "ENDPOINT_NOT_FOUND", f"No API found for '{path}'")
            return _jetty(405, "HTTP method POST is not supported by this URL")
        method = exchange.scope["method"]
        if method != "POST":
            if databricks:
                return _json(405, "METHOD_NOT_ALLOWED", f"{method} is not allowed here")
            return _jetty(500, "MaxMessageSize reached")
        return self._bearer(exchange) if databricks else self._basic(exchange)

    def _bearer(self, exchange: Exchange) -> Reply | None:
        given = exchange.headers.get("authorization", "")
        scheme, _, token = given.partition(" ")
        wanted = self.wh.options.token.encode()
        right = hmac.compare_digest(token.strip().encode("latin-1", "replace"), wanted)
        if scheme.lower() == "bearer" and right:
            return None
        return self._unauthorized(
            "Credential was not sent or was of an unsupported type for this API."
            if scheme.lower() != "bearer"
            else "Invalid access token."
        )

    def _unauthorized(self, message: str) -> Reply:
        if not self.wh.personality.databricks:
            return _plain(401, "Authentication Error: " + message, None)
        realm = (b"www-authenticate", b'Bearer realm="DatabricksRealm"')
        return _json(401, 401, message, realm)

    def _sign(self, text: str) -> str:
        digest = hmac.new(self.wh.cookie_key, text.encode(), hashlib.sha256).digest()
        return base64.b64encode(digest).decode()

    def _basic(self, exchange: Exchange) -> Reply | None:
        hive = self.wh.personality.name == "hive"
        given = exchange.headers.get("authorization", "")
        found = COOKIE.search(exchange.headers.get("cookie", ""))
        if found:
            text, _, signature = found.group(1).rpartition("&s=")
            if text and hmac.compare_digest(
                signature.encode(), self._sign(text).encode()
            ):
                return None
            if not hive:
                return _jetty(500, "Invalid sign")
        if not given:
            return self._unauthorized(
                "Authorization header received from the client is empty."
            )
        scheme, _, encoded = given.partition(" ")
        if scheme.lower() != "basic":
            if hive:
                return self._unauthorized("Unsupported authorization scheme.")
            return _jetty(500, "Illegal base64 character 20")
        try:
            pair = base64.b64decode(encoded.strip(), validate=True).decode(
                "utf-8", "replace"
            )
        except (binascii.Error, ValueError):
            return self._unauthorized("Illegal base64 character")
        user, _, password = pair.partition(":")
        if not user:
            return self._unauthorized(
                "Authorization header received from the client does not contain username."
            )
        if not password:
            return self._unauthorized("Index 1 out of bounds for length 1")
        return None

    async def _decode(self, exchange: Exchange) -> Reply | None:
        """Fill in the call; a reply when the body is no message that can be processed."""
        body, entry = exchange.body, exchange.entry
        try:
            if len(body) > LARGE_BODY:
                decoded = await self.wh.in_worker(codec.decode_request, body)
            else:
                decoded = codec.decode_request(body)
        except codec.CodecError as error:
            entry.error = f"malformed: {error}"
            log.info("malformed request: %s", error)
            if self.wh.personality.databricks:
                return _json(
                    400, "BAD_REQUEST", "The request is no valid Thrift message."
                )
            return _jetty(500, "MaxMessageSize reached")
        except codec.MissingField as error:
            name, seqid = codec.peek(body)
            entry.rpc, entry.error = name, str(error)
            return self._exception(name, seqid, codec.PROTOCOL_ERROR, str(error))
        name, exchange.seqid, req = decoded
        entry.rpc = name[:100]
        if req is None:
            text = f"Invalid method name: '{name}'"
            return self._exception(name, exchange.seqid, codec.UNKNOWN_METHOD, text)
        exchange.call = Call(name, req, exchange.headers.get("user-agent", ""))
        return None

    def _exception(self, name: str, seqid: int, kind: int, text: str) -> Reply:
        return Reply(200, [THRIFT], codec.encode_exception(name, seqid, kind, text))

    def _arrived(self, exchange: Exchange) -> None:
        """Contact, counters and faults of a request that has been read."""
        wh, entry, call = self.wh, exchange.entry, exchange.call
        event = Event(
            rpc=entry.rpc,
            path=entry.path,
            reused=entry.reused,
            probe="heartbeat" in entry.user_agent.lower(),
        )
        op = None
        if call is not None:
            self.service.locate(call)
            op = call.op
            if call.name == "FetchResults" and call.req.maxRows == 0:
                event.probe = True
            event.statement = getattr(call.req, "statement", None) or (
                op.sql if op else None
            )
            handle = getattr(call.req, "operationHandle", None)
            if handle is not None and len(handle.operationId.guid) == 16:
                event.operation = str(uuid.UUID(bytes=handle.operationId.guid))
        entry.operation, entry.probe = event.operation, event.probe
        if op is not None and event.probe:
            op.probes.add(wh.clock.now())
        exchange.faults = wh.faults.take(event, op)
        entry.faults = [f"{fault.id} {fault.kind}" for fault in exchange.faults]
        for fault in exchange.faults:
            log.info("fault %s (%s) hits request %d", fault.id, fault.kind, entry.number)
        if op is not None:
            unknown = any(fault.kind == "unknown_handle" for fault in exchange.faults)
            op.last_answer_unknown = unknown
            op.unknown_answers += unknown
        wh.stats.arrived(entry)
        wh.activity.fire()

    def _known(self, exchange: Exchange) -> Reply | None:
        """In bench mode, the reply that the same request got before."""
        wh, entry = self.wh, exchange.entry
        found = wh.bench.reply(exchange.body) if wh.bench is not None else None
        if found is None:
            return None
        head = exchange.connection.head
        wh.bench.learn(head, exchange.headers, exchange.scope["path"])
        data, entry.operation = found
        entry.rpc = "ExecuteStatement"
        wh.stats.arrived(entry)
        return Reply(200, self._headers(), [data])

    def _keep(self, exchange: Exchange, response: Any, chunks: list) -> None:
        """Keep the reply to a query, if its rows are all in it."""
        call, bench = exchange.call, self.wh.bench
        direct = getattr(response, "directResults", None)
        if direct is None or direct.closeOperation is None or call.op is None:
            return
        if len(chunks) == 1 and call.spoil.nothing and not exchange.faults:
            bench.keep_reply(exchange.body, call.op, chunks[0])

    async def _process(self, exchange: Exchange) -> Reply:
        call = exchange.call
        assert call is not None
        for fault in exchange.faults:
            if KINDS[fault.kind].phase == PAGE:
                call.spoil.add(fault.kind, fault.parameters)
        try:
            response = await self.service.handle(call)
            chunks = codec.encode_reply(call.name, exchange.seqid, response)
        except HttpAnswer:
            raise
        except ApplicationError as error:
            return self._exception(call.name, exchange.seqid, error.kind, error.message)
        except Exception:
            log.exception("%s", call.name)
            text = f"Internal error processing {call.name}"
            return self._exception(call.name, exchange.seqid, codec.INTERNAL_ERROR, text)
        if call.op is not None:
            exchange.entry.operation = call.op.id
        exchange.entry.faults += call.spoil.met
        if self.wh.bench is not None and call.name == "ExecuteStatement":
            self._keep(exchange, response, chunks)
        status = response.status
        if status.statusCode not in (0, 1):
            exchange.entry.error = status.errorMessage or f"status {status.statusCode}"
        return Reply(200, self._headers(), chunks, self.wh.personality.chunked)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        request = (b"x-request-id", str(uuid.uuid4()).encode())
        if self.wh.personality.databricks:
            return [THRIFT, request]
        text = f"cu=user&rn={int.from_bytes(os.urandom(7), 'big')}"
        secure = "; Secure" if self.wh.personality.name == "spark" else ""
        cookie = (
            f"hive.server2.auth={text}&s={self._sign(text)};Version=0;Max-Age=86400"
            f"{secure}; HttpOnly"
        )
        return [THRIFT, (b"set-cookie", cookie.encode())]

    # -- faults before processing --

    async def _before(self, exchange: Exchange) -> Reply | None:
        for fault in exchange.faults:
            if KINDS[fault.kind].phase == BEFORE:
                reply = await self._misbehave(exchange, fault)
                if reply is not None:
                    return reply
        return None

    async def _misbehave(self, exchange: Exchange, fault: Fault) -> Reply | None:
        kind, parameters, connection = fault.kind, fault.parameters, exchange.connection
        if kind == "delay":
            await wait(connection, asyncio.sleep(parameters["ms"] / 1000))
        elif kind == "hang":
            await wait(connection, self.wh.faults.until_released(None))
        elif kind == "refuse":
            await refuse(connection)
        elif kind == "status":
            return self._status(parameters)
        elif kind == "unauthorized":
            return self._unauthorized("Invalid access token.")
        elif kind == "html":
            page = "<!DOCTYPE html><html><body><h1>Please sign in.</h1></body></html>"
            return _plain(200, page, b"text/html; charset=utf-8")
        elif kind == "restart":
            self.wh.restart()
            await connection.lost.wait()
            raise Gone()
        elif exchange.call is not None:
            return self._misanswer(exchange, fault)
        return None

    def _status(self, parameters: dict) -> Reply:
        extra = retry_after(parameters)
        if self.wh.personality.databricks:
            return _json(
                parameters["code"],
                parameters["error_code"],
                parameters["message"],
                *extra,
            )
        reply = _jetty(parameters["code"], parameters["message"])
        reply.headers.extend(extra)
        return reply

    def _misanswer(self, exchange: Exchange, fault: Fault) -> Reply | None:
        call, parameters = exchange.call, fault.parameters
        assert call is not None
        if fault.kind == "error":
            status = replies.error_status(
                self.wh.personality,
                parameters["message"],
                parameters["sqlstate"],
                status_code=parameters["status_code"],
            )
            made = replies.failed(call.name, status)
        elif fault.kind == "unknown_handle":
            made = self.service.unknown_operation(call.name, call.req.operationHandle)
        elif fault.kind == "application_exception":
            return self._exception(
                call.name, exchange.seqid, parameters["type"], parameters["message"]
            )
        else:
            self._prepare(call, fault)
            return None
        return Reply(
            200, self._headers(), codec.encode_reply(call.name, exchange.seqid, made)
        )

    def _prepare(self, call: Call, fault: Fault) -> None:
        """What a fault changes before the request is processed as usual."""
        if fault.kind == "hold_query":
            call.hold_percent = float(fault.parameters["percent"])
        elif fault.kind == "close_operation" and call.op is not None:
            self.wh.end_operation(call.op)
        elif fault.kind == "expire_session":
            handle = getattr(call.req, "sessionHandle", None)
            sess = call.op.session if call.op is not None else None
            if handle is not None:
                sess = self.wh.find_session(handle)
            if sess is not None:
                self.wh.end_session(sess, evicted=True)

    # -- from reply to the wire --

    async def _transmit(self, exchange: Exchange, reply: Reply) -> None:
        reply.headers.append((b"date", self.wh.clock.http_date()))
        spoilt = [f for f in exchange.faults if KINDS[f.kind].phase == AFTER]
        for fault in spoilt:
            if fault.kind == "hold":
                limit = fault.parameters["ms"] / 1000 if fault.parameters["ms"] else None
                await wait(
                    exchange.connection, self.wh.faults.until_released(limit)
                )
            elif fault.kind == "garbage":
                date = reply.headers[-1]
                reply = Reply(200, [THRIFT, date], [os.urandom(fault.parameters["bytes"])])
            else:
                await spoil(
                    exchange.connection, self.wh.stats, exchange.entry, reply, fault
                )
                return
        exchange.entry.bytes_out = reply.length
        self.wh.stats.answered(exchange.entry, reply.status)
        headers = list(reply.headers)
        if not reply.chunked:
            headers.append((b"content-length", str(reply.length).encode()))
        await exchange.send(
            {"type": "http.response.start", "status": reply.status, "headers": headers}
        )
        chunks = reply.chunks
        if reply.length <= JOINED_BYTES:
            chunks = [b"".join(chunks)]
        pace = Pace(exchange.connection, self.wh.options.bytes_per_second)
        chunks = pace.cut(chunks, PIECE_BYTES)
        for i, chunk in enumerate(chunks, 1):
            more = i < len(chunks)
            await pace.wait(len(chunk))
            await exchange.send(
                {"type": "http.response.body", "body": chunk, "more_body": more}
            )
