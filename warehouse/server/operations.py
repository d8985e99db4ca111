# SPDX-License-Identifier: Apache-2.0
"""Sessions and operations: what a handle stands for, and how long it is remembered.

Everything here lives on the event loop's thread.  An operation's statement runs on a
worker thread of its own, which reports back through ``loop.call_soon_threadsafe``.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes

from .encode import ColumnEncoder, NativeTypes, WireColumn, WireForm, columns_of_schema
from .results import FINISHED_BYTES, Discarded, ResultStore

if TYPE_CHECKING:
    from .links import OperationLinks

log = logging.getLogger("warehouse.operations")

State = ttypes.TOperationState
Kind = ttypes.TOperationType

EVERY_TYPE_NATIVE = NativeTypes(True, True, True, True, True)

LIVE = frozenset({State.INITIALIZED_STATE, State.PENDING_STATE, State.RUNNING_STATE})


def state_name(state: int) -> str:
    return State._VALUES_TO_NAMES[state].removesuffix("_STATE")


class Signal:
    """Wakes whoever waits for the next change."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future] = set()

    def fire(self) -> None:
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait_for(self, check: Callable[[], Any], timeout: float | None) -> bool:
        """Wait until ``check()`` holds; False when the time is up first."""
        loop = asyncio.get_running_loop()
        due = None if timeout is None else loop.time() + timeout
        while not check():
            left = None if due is None else due - loop.time()
            if left is not None and left <= 0:
                return False
            waiter = loop.create_future()
            self._waiters.add(waiter)
            try:
                await asyncio.wait_for(waiter, left)
            except TimeoutError:
                pass
            finally:
                self._waiters.discard(waiter)
        return True


@dataclass
class Failure:
    """Why a statement failed."""

    error_class: str
    sqlstate: str | None
    message: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        found = getattr(error, "error_class", None)
        if found is not None:
            return cls(found, error.sqlstate, error.message)
        return cls(
            "INTERNAL_ERROR",
            "XX000",
            f"[INTERNAL_ERROR] The local warehouse failed: {type(error).__name__}. "
            "The log of the warehouse has the details. SQLSTATE: XX000",
        )


@dataclass
class Contact:
    """The idle clock of one handle, in warehouse seconds."""

    created: float
    last: float = 0.0
    gap_max: float = 0.0

    def __post_init__(self) -> None:
        self.last = self.created

    def touch(self, now: float) -> None:
        self.gap_max = max(self.gap_max, now - self.last)
        self.last = max(self.last, now)


class Session:
    def __init__(self, engine_session: Any, protocol: int, now: float, user_agent: str):
        self.guid = uuid.uuid4().bytes
        self.secret = secrets.token_bytes(16)
        self.engine = engine_session
        self.protocol = protocol
        self.contact = Contact(now)
        self.user_agent = user_agent
        self.operations: dict[bytes, Operation] = {}
        self.operation_idle_seconds: float | None = None
        self.confs: dict[str, str] = {}

    @property
    def id(self) -> str:
        return str(uuid.UUID(bytes=self.guid))


@dataclass
class Probes:
    count: int = 0
    first: float | None = None
    last: float | None = None

    def add(self, now: float) -> None:
        self.count += 1
        self.first = now if self.first is None else self.first
        self.last = now


@dataclass
class Wanted:
    """What the client can read, taken from its ExecuteStatement."""

    arrow: bool = False
    lz4: bool = False
    native: NativeTypes = field(default_factory=NativeTypes)
    row_limit: int | None = None
    links: bool = False
    file_bytes: int | None = None


class Operation:
    def __init__(self, session: Session, kind: int, sql: str | None, now: float):
        self.guid = uuid.uuid4().bytes
        self.secret = secrets.token_bytes(16)
        self.session = session
        self.kind = kind
        self.sql = sql
        self.state = State.INITIALIZED_STATE
        self.contact = Contact(now)
        self.changed = Signal()
        self.fetching = asyncio.Lock()
        self.wanted = Wanted()
        self.statement: Any = None
        self.runner: StatementRunner | None = None
        self.task: asyncio.Task | None = None
        self.outcome: Any = None
        self.columns: list[WireColumn] = []
        self.form: WireForm | None = None
        self.encoder: ColumnEncoder | None = None
        self.store: ResultStore | None = None
        #: Whether and how the rows come as links; None: inline, or not decided yet.
        self.links: OperationLinks | None = None
        self.links_decided = False
        #: In bench mode, what a statement with the same rows has in common with this one.
        self.bench_key: tuple | None = None
        self.failure: Failure | None = None
        self.idle_seconds: float | None = None
        self.cursor = 0
        self.page_start = 0
        self.drained_by_empty_fetch = False
        self.schema_asked_early = False
        self.requests: dict[str, int] = {}
        self.probes = Probes()
        self.confs: dict[str, str] = {}
        #: Stay RUNNING at so many percent until released.
        self.held_percent: float | None = None
        self.started_ms = 0
        self.completed_ms = 0
        self.finished_at: float | None = None
        self.closed_at: float | None = None
        self.cancelled_at: float | None = None
        self.evicted_at: float | None = None
        self.unknown_answers = 0
        self.last_answer_unknown = False
        self._timeout: asyncio.TimerHandle | None = None

    @property
    def id(self) -> str:
        return str(uuid.UUID(bytes=self.guid))

    @property
    def gone(self) -> bool:
        return self.closed_at is not None or self.evicted_at is not None

    @property
    def percent(self) -> float:
        """Progress from 0 to 100.  What DuckDB has done is not known, what is held is."""
        if self.state == State.FINISHED_STATE:
            return 100.0
        return self.held_percent or 0.0

    @property
    def is_metadata(self) -> bool:
        return self.kind != Kind.EXECUTE_STATEMENT

    @property
    def live(self) -> bool:
        return self.state in LIVE

    @property
    def arrow(self) -> bool:
        return self.wanted.arrow and not self.is_metadata

    def set_state(self, state: int, now: float, wall_ms: int) -> None:
        """Change the state; a state that is not live is final.  A change is contact."""
        if not self.live or self.gone:
            return
        self.state = state
        self.contact.touch(now)
        if state == State.RUNNING_STATE:
            self.started_ms = wall_ms
        if state not in LIVE:
            self.completed_ms = wall_ms
            self.finished_at = now
            if self._timeout is not None:
                self._timeout.cancel()
        self.changed.fire()

    def stop_work(self) -> None:
        """Interrupt the statement and give the rows back."""
        if self._timeout is not None:
            self._timeout.cancel()
        complete = self.store is not None and self.store.ended
        if self.store is not None:
            self.store.discard()
        if self.statement is not None and not complete:
            try:
                self.statement.interrupt()
            except Exception:
                log.exception("interrupting %s", self.id)
        self.changed.fire()


async def pass_states(op: Operation, warehouse: Any) -> None:
    """Let PENDING and RUNNING last as long as the options say; ends at once with the
    operation.
    """
    options, clock = warehouse.options, warehouse.clock

    async def stay(wait_ms: int) -> None:
        if wait_ms:
            await op.changed.wait_for(lambda: not op.live, wait_ms / 1000)

    for state, wait_ms in (
        (State.PENDING_STATE, options.initialized_ms),
        (State.RUNNING_STATE, options.pending_ms),
    ):
        await stay(wait_ms)
        op.set_state(state, clock.now(), clock.wall_ms())
        warehouse.activity.fire()
    await stay(options.running_ms)


class StatementRunner:
    """Runs one statement on its worker thread and reports to its operation."""

    def __init__(self, op: Operation, warehouse: Any):
        self.op = op
        self.statement = op.statement
        self.warehouse = warehouse
        self.loop = asyncio.get_running_loop()
        self._task: asyncio.Task | None = None

    def start(self, timeout_seconds: float) -> None:
        if timeout_seconds > 0:
            self.op._timeout = self.loop.call_later(timeout_seconds, self._timed_out)
        self._task = self.loop.create_task(self._begin())
        self.op.runner = self

    async def _begin(self) -> None:
        """Let the early states last as long as the options say, then start the thread."""
        await pass_states(self.op, self.warehouse)
        if self.op.held_percent is not None:
            await self.warehouse.faults.until(self._may_go_on)
        if self.op.live and not self.op.gone:
            threading.Thread(target=self._work, daemon=True, name="statement").start()

    def _may_go_on(self) -> Awaitable[Any]:
        return self.op.changed.wait_for(lambda: not self.op.live or self.op.gone, None)

    def _set(self, state: int) -> None:
        clock = self.warehouse.clock
        self.op.set_state(state, clock.now(), clock.wall_ms())
        self.warehouse.activity.fire()

    def _timed_out(self) -> None:
        if self.op.live and not self.op.gone:
            self._set(State.TIMEDOUT_STATE)
            self.op.stop_work()

    # -- on the worker thread --

    def _post(self, call: Callable, *args: Any) -> None:
        try:
            self.loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            pass  # The loop is closed: the warehouse is stopping.

    def _work(self) -> None:
        store = None
        try:
            outcome = self.statement.run()
            store = self._prepare(outcome)
            self._post(self._running, outcome, store)
            store.drain(outcome.batches)
        except Discarded:
            pass
        except BaseException as error:  # noqa: BLE001
            if getattr(error, "error_class", None) is None and not self.op.gone:
                level = (
                    logging.DEBUG
                    if type(error).__name__ == "Cancelled"
                    else logging.ERROR
                )
                log.log(level, "statement %s", self.op.id, exc_info=error)
            if store is not None:
                store.fail(error)
            self._post(self._failed, error)

    def _prepare(self, outcome: Any) -> ResultStore:
        op, personality = self.op, self.warehouse.personality
        # Columns are made from the native values when they are fetched.
        native = op.wanted.native if op.arrow else EVERY_TYPE_NATIVE
        form = WireForm(outcome.schema, outcome.columns, native, personality.text_flavour)
        options = self.warehouse.options
        # Whether the rows come as links has to be known when the statement has finished.
        links = options.cloud_fetch_bytes if op.wanted.links and options.cloud_fetch else 0
        return ResultStore(
            form,
            lz4_frames=op.arrow and op.wanted.lz4,
            row_limit=op.wanted.row_limit,
            changed=lambda: self._post(self._progress),
            batch_rows=options.batch_rows,
            finished_bytes=max(FINISHED_BYTES, links),
            whole=self.warehouse.bench is not None,
        )

    # -- back on the loop's thread --

    def _running(self, outcome: Any, store: ResultStore) -> None:
        op = self.op
        if op.gone or not op.live:
            store.discard()
            return
        op.outcome = outcome
        op.columns = list(outcome.columns)
        op.form = store.form
        op.store = store
        if self.warehouse.bench is not None:
            self.warehouse.bench.started(op, outcome)
        personality = self.warehouse.personality
        op.encoder = ColumnEncoder(
            store.form, personality.float_through_text, personality.no_nulls
        )
        self._progress()

    def _progress(self) -> None:
        op = self.op
        if op.store is None:
            return
        if op.live and op.store.error is None and op.store.presentable:
            self._set(State.FINISHED_STATE)
            if self.warehouse.bench is not None:
                self.warehouse.bench.finished(op)
        op.changed.fire()

    def _failed(self, error: BaseException) -> None:
        op = self.op
        if not op.live:
            op.changed.fire()
            return
        op.failure = Failure.of(error)
        if type(error).__name__ == "Cancelled":
            self._set(State.CANCELED_STATE)
        else:
            self._set(State.ERROR_STATE)


def finish_with_table(op: Operation, table: pa.Table, warehouse: Any) -> None:
    """Complete a catalog operation with the rows that answer it."""
    personality = warehouse.personality
    columns = columns_of_schema(table.schema)
    form = WireForm(table.schema, columns, EVERY_TYPE_NATIVE, personality.text_flavour)
    store = ResultStore(form, lz4_frames=False, row_limit=None, changed=lambda: None)
    store.drain(table.to_batches())
    op.columns, op.form, op.store = columns, form, store
    op.encoder = ColumnEncoder(form, personality.float_through_text, personality.no_nulls)
    clock = warehouse.clock
    op.set_state(State.FINISHED_STATE, clock.now(), clock.wall_ms())
