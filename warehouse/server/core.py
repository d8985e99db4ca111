# SPDX-License-Identifier: Apache-2.0
"""The warehouse itself: sessions, operations, what is remembered of them, and
forgetting.
"""

from __future__ import annotations

import asyncio
import functools
import hmac
import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .bench import Bench
from .clock import Clock, Sweeper
from .faults import Faults
from .links import Links
from .operations import Operation, Session, Signal, state_name
from .options import Options
from .personality import PERSONALITIES
from .stats import Stats
from .volumes import Volumes

log = logging.getLogger("warehouse")

#: How many operations that are gone the control port still tells about.
ENDED_REMEMBERED = 20_000
#: Threads that encode pages and answer catalog calls.
WORKERS = 4


class Warehouse:
    """State shared by every connection.  Lives on the event loop's thread."""

    def __init__(self, options: Options, engine: Any):
        self.options = options
        self.engine = engine
        self.personality = PERSONALITIES[options.personality]
        self.clock = Clock(lambda: options.clock_skew_seconds)
        self.stats = Stats(self.clock)
        self.activity = Signal()
        self.faults = Faults(self.clock, self.activity.fire)
        self.volumes = Volumes(self.clock)
        self.links = Links(self)
        self.bench = Bench(self) if options.bench else None
        engine.volumes = self.volumes
        self.sessions: dict[bytes, Session] = {}
        self.operations: dict[bytes, Operation] = {}
        self.ended: deque[Operation] = deque()
        self.known: dict[str, Operation] = {}
        self.connections: set[Any] = set()
        self.generation = 1
        self.cookie_key = secrets.token_bytes(32)
        self.sweeper = Sweeper(self.clock, options.sweep_seconds, self._sweep)
        self.workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="worker")

    async def in_worker(self, call: Callable, *args: Any, **keywords: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self.workers, functools.partial(call, *args, **keywords)
        )

    # -- sessions --

    def add_session(self, sess: Session) -> None:
        self.sessions[sess.guid] = sess
        self.stats.sessions_opened += 1
        self.activity.fire()

    def find_session(self, handle: Any) -> Session | None:
        ident = handle.sessionId
        sess = self.sessions.get(ident.guid)
        if sess is None or not hmac.compare_digest(sess.secret, ident.secret):
            return None
        return sess

    def end_session(self, sess: Session, *, evicted: bool = False) -> None:
        """Forget the session and all its operations."""
        if self.sessions.pop(sess.guid, None) is None:
            return
        for op in list(sess.operations.values()):
            self.end_operation(op, evicted=evicted)
        if evicted:
            self.stats.sessions_evicted += 1
        self.workers.submit(self._close_engine_session, sess)
        self.activity.fire()

    @staticmethod
    def _close_engine_session(sess: Session) -> None:
        try:
            sess.engine.close()
        except Exception:
            log.exception("closing session %s", sess.id)

    # -- operations --

    def add_operation(self, op: Operation) -> None:
        self.operations[op.guid] = op
        self.known[op.id] = op
        op.session.operations[op.guid] = op
        op.idle_seconds = op.session.operation_idle_seconds
        self.stats.operations_started += 1
        self.activity.fire()

    def find_operation(self, handle: Any) -> Operation | None:
        ident = handle.operationId
        op = self.operations.get(ident.guid)
        if op is None or not hmac.compare_digest(op.secret, ident.secret):
            return None
        if self.personality.strict_handles and handle.operationType != op.kind:
            return None
        return op

    def end_operation(self, op: Operation, *, evicted: bool = False) -> None:
        """Forget the operation: stop its work, give its rows back, remember its story."""
        if self.operations.pop(op.guid, None) is None:
            return
        op.session.operations.pop(op.guid, None)
        now = self.clock.now()
        if evicted:
            op.evicted_at = now
            op.contact.gap_max = max(op.contact.gap_max, now - op.contact.last)
            self.stats.operations_evicted += 1
            log.info("operation %s forgotten after %.0f s", op.id, now - op.contact.last)
        else:
            op.closed_at = now
        op.stop_work()
        op.outcome = op.statement = op.runner = None
        self.ended.append(op)
        while len(self.ended) > ENDED_REMEMBERED:
            self.known.pop(self.ended.popleft().id, None)
        self.activity.fire()

    # -- forgetting --

    def _operation_limit(self, op: Operation) -> float | None:
        """Idle seconds after which the operation is forgotten; None = never."""
        limit = op.idle_seconds
        if limit is None:
            limit = self.options.idle_operation_seconds
        if limit == 0:
            return None
        if limit < 0:
            return -limit
        if op.live:
            return self.personality.running_limit_seconds
        return limit

    async def _sweep(self, at: float) -> None:
        for op in list(self.operations.values()):
            limit = self._operation_limit(op)
            if limit is not None and at - op.contact.last >= limit:
                self.end_operation(op, evicted=True)
        limit = self.options.idle_session_seconds
        if not limit:
            return
        for sess in list(self.sessions.values()):
            if not sess.operations and at - sess.contact.last >= limit:
                self.end_session(sess, evicted=True)

    # -- control --

    def restart(self) -> None:
        """As if the server had been stopped and started: nothing is known any more."""
        self.generation += 1
        self.stats.restarts += 1
        self.cookie_key = secrets.token_bytes(32)
        for sess in list(self.sessions.values()):
            self.end_session(sess)
        for connection in list(self.connections):
            connection.abort()
        self.faults.release()
        self.activity.fire()

    def reset(self, sessions: bool) -> None:
        """Forget faults, counters and what has ended; with ``sessions`` also what
        lives.
        """
        self.faults.clear()
        if sessions:
            for sess in list(self.sessions.values()):
                self.end_session(sess)
        while self.ended:
            self.known.pop(self.ended.popleft().id, None)
        self.stats.reset()
        self.activity.fire()

    def close(self) -> None:
        for op in list(self.operations.values()):
            op.stop_work()

    # -- what the control port shows --

    def describe_operation(self, op: Operation) -> dict:
        wall = self.clock.wall

        def time(at: float | None) -> float | None:
            return None if at is None else round(wall(at), 3)

        now = self.clock.now()
        return {
            "id": op.id,
            "session": op.session.id,
            "kind": KIND_NAMES[op.kind],
            "statement": op.sql,
            "state": state_name(op.state),
            "created": time(op.contact.created),
            "finished": time(op.finished_at),
            "last_contact": time(op.contact.last),
            "idle_seconds": 0.0 if op.gone else round(now - op.contact.last, 3),
            "gap_max": round(op.contact.gap_max, 3),
            "requests": dict(op.requests),
            "probes": {
                "count": op.probes.count,
                "first": time(op.probes.first),
                "last": time(op.probes.last),
            },
            "rows": op.store.rows if op.store else 0,
            "bytes": op.store.wire_bytes if op.store else 0,
            "cursor": op.cursor,
            "unknown_answers": op.unknown_answers,
            "open": not op.gone,
            "closed": op.closed_at is not None,
            "closed_at": time(op.closed_at),
            "cancelled": op.cancelled_at is not None,
            "cancelled_at": time(op.cancelled_at),
            "evicted": op.evicted_at is not None,
            "evicted_at": time(op.evicted_at),
            "error": op.failure.message if op.failure else None,
            "percent": op.percent,
            "confs": op.confs,
        }

    def describe_session(self, sess: Session) -> dict:
        return {
            "id": sess.id,
            "protocol": sess.protocol,
            "user_agent": sess.user_agent,
            "catalog": sess.engine.catalog,
            "schema": sess.engine.schema,
            "timezone": sess.engine.timezone,
            "confs": sess.confs,
            "operations": [op.id for op in sess.operations.values()],
            "created": round(self.clock.wall(sess.contact.created), 3),
            "last_contact": round(self.clock.wall(sess.contact.last), 3),
        }

    def total(self, what: str) -> int:
        """One of the numbers of ``describe`` that somebody may be waiting for; asked
        after every request, so it has to be cheap.
        """
        return {
            "sessions_open": len(self.sessions),
            "operations_open": len(self.operations),
            "connections_open": len(self.connections),
            "in_flight": self.stats.in_flight,
            "held": self.faults.held,
            "storage_connections": self.stats.storage.connections,
            "storage_requests": self.stats.storage.requests,
        }[what]

    def describe(self) -> dict:
        return {
            "personality": self.personality.name,
            "generation": self.generation,
            "clock": {
                "now": round(self.clock.wall(), 3),
                "advanced_seconds": round(self.clock.offset, 3),
            },
            **self.stats.describe(),
            "sessions_open": len(self.sessions),
            "operations_open": len(self.operations),
            "connections_open": len(self.connections),
            "statement_threads": sum(
                thread.name == "statement" for thread in threading.enumerate()
            ),
            "faults_active": len(self.faults.active),
            "held": self.faults.held,
        }


def _kind_names() -> dict[int, str]:
    from databricks.sql.thrift_api.TCLIService import ttypes

    return dict(ttypes.TOperationType._VALUES_TO_NAMES)


KIND_NAMES = _kind_names()
