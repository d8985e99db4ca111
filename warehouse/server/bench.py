# SPDX-License-Identifier: Apache-2.0
"""Bench mode: a query is run and encoded once, so that the client is what is timed.

1. A query whose text, session settings and client's abilities are the same gets the rows
   that are there already; it is finished at once.  Whatever is no query makes the warehouse
   forget them all.
2. An inline page, once encoded, is kept as it goes over the wire (``files.kept``).
3. The whole reply to a query whose rows came with it is kept; when the same request comes
   again in the same session, its sequence id and the operation's handle are put in.

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

from .codec import Encoded, write_struct
from .files import Body, kept
from .operations import Operation, Session, State
from .results import ResultStore

#: Bodies of pages and files that are kept on disk.
KEPT_BYTES = 32 << 30
#: Results and replies that are kept.
MOST_RESULTS = 200
MOST_REPLIES = 1000
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


class Bench:
    def __init__(self, warehouse: Any):
        self.wh = warehouse
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

    def reply(self, request: bytes, seqid: bytes) -> tuple[bytes, str] | None:
        """The reply to a request (without its sequence id), and the id of its operation."""
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

    def keep_reply(self, request: bytes, op: Operation, data: bytes, seqid_at: int) -> None:
        handle_at = data.find(op.guid)
        if op.bench_key is None or data[handle_at + 23 : handle_at + 39] != op.secret:
            return
        self._replies[request] = _Reply(op.session, data, seqid_at, handle_at)
        while len(self._replies) > MOST_REPLIES:
            self._replies.popitem(last=False)


def _encoded(body: Body) -> Encoded:
    return Encoded(
        [body.read(at, PIECE_BYTES) for at in range(0, body.size, PIECE_BYTES)]
    )
