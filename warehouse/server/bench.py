# SPDX-License-Identifier: Apache-2.0
"""Bench mode: a query is run and encoded once, so that the client is what is timed.

1. A query whose text, session settings and client's abilities are the same gets the rows
   that are there already; it is finished at once.  Whatever is no query makes the warehouse
   forget them all.
2. An inline page, once encoded, is kept as it goes over the wire (``files.kept``).
3. The whole reply to a query whose rows came with it is kept; when the same request comes
   again in the same session, its sequence id and the operation's handle are put in.
4. A connection that is idle and gets such a request, with the same HTTP head as one that was
   answered well before, answers it itself: no task, no parsing.

Queries that give other rows each time (``rand()``, ``now()``) therefore do not, here.
Lives on the event loop's thread.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from .codec import CodecError, Encoded, cut_seqid, write_struct
from .files import Body, kept
from .operations import Operation, Session, State
from .results import ResultStore
from .stats import Entry

#: Bodies of pages and files that are kept on disk.
KEPT_BYTES = 32 << 30
#: Results and replies that are kept.
MOST_RESULTS = 200
MOST_REPLIES = 1000
MOST_HEADS = 1000
#: Longer requests are answered as usual.
MOST_REQUEST = 64 << 10
#: A page is handed to the socket in pieces of this size.
PIECE_BYTES = 4 << 20
_QUERY = re.compile(r"[\s(]*(select|with|values|from|table)\b", re.I)


@dataclass
class _Result:
    outcome: Any
    store: ResultStore
    encoder: Any


@dataclass
class _Reply:
    """A reply with the places where the handle of its operation stands."""

    session: Session
    data: bytes
    seqid_at: int
    handle_at: int


@dataclass
class _Head:
    """What is known of requests with this HTTP head."""

    length: int
    path: str
    user_agent: str


class Bench:
    def __init__(self, warehouse: Any):
        self.wh = warehouse
        self._heads: dict[bytes, _Head] = {}
        kept.most_bytes = KEPT_BYTES
        self._results: OrderedDict[tuple, _Result] = OrderedDict()
        self._replies: OrderedDict[bytes, _Reply] = OrderedDict()

    # -- results --

    def _key(self, op: Operation, req: Any) -> tuple | None:
        if req.parameters or not _QUERY.match(req.statement):
            return None
        engine, wanted = op.session.engine, op.wanted
        return (
            req.statement,
            self.wh.options.batch_rows,
            engine.catalog,
            engine.schema,
            str(engine.timezone),
            tuple(sorted((key, str(value)) for key, value in dict(engine.confs).items())),
            tuple(sorted(op.confs.items())),
            (wanted.arrow, wanted.lz4, wanted.native, wanted.row_limit),
        )

    def attach(self, op: Operation, req: Any) -> bool:
        """Give the operation the rows of an earlier query, if there was the same."""
        op.bench_key = self._key(op, req)
        found = self._results.get(op.bench_key)
        if found is None:
            return False
        self._results.move_to_end(op.bench_key)
        found.store.retain()
        op.outcome, op.store, op.encoder = found.outcome, found.store, found.encoder
        op.columns, op.form = list(found.outcome.columns), found.store.form
        clock = self.wh.clock
        op.set_state(State.FINISHED_STATE, clock.now(), clock.wall_ms())
        return True

    def started(self, op: Operation, outcome: Any) -> None:
        """A statement has begun to give rows; what it changes, it has changed."""
        if outcome.kind != "query":
            self.forget()
        elif op.bench_key is None:
            # SET and USE change what the session's next queries are.
            self._replies.clear()

    def finished(self, op: Operation) -> None:
        """Keep the rows of a query that has come to its end."""
        if op.bench_key is None or op.bench_key in self._results or op.gone:
            return
        store = op.store
        store.retain()
        store.on_discard.append(lambda: kept.forget(store.key))
        self._results[op.bench_key] = _Result(op.outcome, op.store, op.encoder)
        while len(self._results) > MOST_RESULTS:
            self._results.popitem(last=False)[1].store.discard()

    def forget(self) -> None:
        results, self._results = self._results, OrderedDict()
        for result in results.values():
            result.store.discard()
        self._replies.clear()

    # -- pages --

    @staticmethod
    def page(store: ResultStore, key: tuple) -> Encoded | None:
        found = kept.get((store.key, "page", *key))
        return None if found is None else _encoded(found)

    @staticmethod
    def keep_page(store: ResultStore, key: tuple, rows: Any) -> Encoded:
        """On a worker thread."""
        parts: list[bytes] = []
        write_struct(parts, rows)
        body = Body(b"".join(parts))
        kept.put((store.key, "page", *key), body)
        return _encoded(body)

    # -- replies --

    def reply(self, body: bytes) -> tuple[bytes, str] | None:
        """The reply that is kept for a request, and the id of its operation."""
        options = self.wh.options
        if not self._replies or self.wh.faults.active or len(body) > MOST_REQUEST:
            return None
        if options.latency_ms or options.bytes_per_second:
            return None
        try:
            request, seqid, _ = cut_seqid(body)
        except CodecError:
            return None
        found = self._replies.get(request)
        if found is None or found.session.guid not in self.wh.sessions:
            return None
        found.session.contact.touch(self.wh.clock.now())
        self.wh.stats.operations_started += 1
        guid = uuid.uuid4().bytes
        data = bytearray(found.data)
        data[found.seqid_at : found.seqid_at + 4] = seqid
        data[found.handle_at : found.handle_at + 16] = guid
        # The secret follows as a field of its own: type, id and length take seven bytes.
        secret_at = found.handle_at + 16 + 7
        data[secret_at : secret_at + 16] = secrets.token_bytes(16)
        return bytes(data), str(uuid.UUID(bytes=guid))

    def keep_reply(self, body: bytes, op: Operation, data: bytes) -> None:
        request, _, _ = cut_seqid(body)
        _, _, seqid_at = cut_seqid(data)
        handle_at = data.find(op.guid)
        if op.bench_key is None or data[handle_at + 23 : handle_at + 39] != op.secret:
            return
        self._replies[request] = _Reply(op.session, data, seqid_at, handle_at)
        while len(self._replies) > MOST_REPLIES:
            self._replies.popitem(last=False)

    # -- connections --

    def learn(self, head: bytes, headers: dict[str, str], path: str) -> None:
        """A request with this HTTP head was signed in and answered."""
        length = headers.get("content-length", "")
        if not (head.startswith(b"POST ") and head.endswith(b"\r\n\r\n")):
            return  # It came in pieces.
        if not length.isdigit() or {"expect", "connection"} & headers.keys():
            return
        if len(self._heads) >= MOST_HEADS:
            self._heads.clear()
        agent = headers.get("user-agent", "")[:200]
        self._heads[head] = _Head(int(length), path[:200], agent)

    def forget_heads(self) -> None:
        self._heads.clear()

    def quick(self, connection: Any, data: bytes) -> bytes | None:
        """The whole answer to a whole request, b"" while some of it is to come, or None:
        it has to be answered as usual.
        """
        end = data.find(b"\r\n\r\n") + 4
        head = self._heads.get(data[:end])
        if head is None or len(data) - end > head.length:
            return None
        if len(data) - end < head.length:
            return b""
        found = self.reply(data[end:])
        if found is None:
            return None
        body, operation = found
        wh, stats = self.wh, self.wh.stats
        connection.requests += 1
        stats.number += 1
        entry = Entry(
            number=stats.number,
            time=round(wh.clock.wall(), 3),
            connection=connection.number,
            reused=connection.requests > 1,
            rpc="ExecuteStatement",
            operation=operation,
            probe=False,
            user_agent=head.user_agent,
            path=head.path,
            bytes_in=head.length,
            bytes_out=len(body),
            milliseconds=0.0,
        )
        stats.max_in_flight = max(stats.max_in_flight, stats.in_flight + 1)
        stats.arrived(entry)
        stats.answered(entry, 200)
        wh.activity.fire()
        return (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-thrift\r\nx-request-id: "
            b"%s\r\ndate: %s\r\ncontent-length: %d\r\n\r\n"
            % (str(uuid.uuid4()).encode(), wh.clock.http_date(), len(body))
        ) + body


def _encoded(body: Body) -> Encoded:
    return Encoded(
        [body.read(at, PIECE_BYTES) for at in range(0, body.size, PIECE_BYTES)]
    )
