# SPDX-License-Identifier: Apache-2.0
"""Breaking on command.

A fault says where (which requests match), when (which of those), what to do, and how many
times.  ``Faults.take`` is asked once for every request (and for every accepted
connection) and returns what to do to it; ``http.py`` does it.

``KINDS`` is the list of what can be done: the parameters with their defaults, whether the
request is processed first (``after``) or not (``before``), whether only the rows or schema
of the reply are wrong (``page``), and the RPCs that can meet it.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .clock import Clock

BEFORE, AFTER, PAGE, CONNECTION = "before", "after", "page", "connection"

#: The RPCs of a client's life; delegation tokens are not among them.
CATALOG_RPCS = (
    "GetCatalogs", "GetSchemas", "GetTables", "GetTableTypes", "GetColumns", "GetFunctions",
    "GetTypeInfo", "GetPrimaryKeys", "GetCrossReference",
)  # fmt: skip
OPERATION_RPCS = ("GetOperationStatus", "GetResultSetMetadata", "FetchResults",
                  "CancelOperation", "CloseOperation")  # fmt: skip
RPCS = ("OpenSession", "GetInfo", "ExecuteStatement", *CATALOG_RPCS, *OPERATION_RPCS,
        "CloseSession")  # fmt: skip
#: What can keep a result alive, and so can be a probe.
PROBE_RPCS = ("GetOperationStatus", "GetResultSetMetadata", "FetchResults")
#: Replies that can hold rows (with direct results those of statements and catalog calls).
ROW_RPCS = ("ExecuteStatement", *CATALOG_RPCS, "FetchResults")
ARROW_RPCS = ("ExecuteStatement", "FetchResults")


class Kind(NamedTuple):
    """One thing that can go wrong."""

    phase: str
    parameters: dict[str, Any]
    meaning: str
    #: The RPCs that it can be seen at; () = a connection, before any request.
    rpcs: tuple[str, ...] = RPCS
    #: Can it be seen at the storage of the volumes too?
    storage: bool = False


KINDS: dict[str, Kind] = {
    "delay": Kind(BEFORE, {"ms": 1000}, "wait, then process the request", storage=True),
    "hang": Kind(BEFORE, {}, "do nothing until released or the client goes away", storage=True),
    "refuse": Kind(
        BEFORE,
        {},
        "close the connection without a reply, request not processed",
        storage=True,
    ),
    "status": Kind(
        BEFORE,
        {
            "code": 503,
            "retry_after": None,
            "retry_after_date": None,
            "message": "injected fault",
            "error_code": "TEMPORARILY_UNAVAILABLE",
        },
        "answer this HTTP status; Retry-After in seconds, or a date so far ahead",
        storage=True,
    ),
    "unauthorized": Kind(BEFORE, {}, "answer 401 although the token is right"),
    "html": Kind(BEFORE, {}, "answer 200 with a page of HTML, as a captive proxy does"),
    "error": Kind(
        BEFORE,
        {"sqlstate": "HY000", "message": "injected fault", "status_code": 3},
        "answer a reply whose TStatus is an error",
    ),
    "application_exception": Kind(
        BEFORE,
        {"type": 6, "message": "injected fault"},
        "answer a TApplicationException",
    ),
    "close_operation": Kind(
        BEFORE,
        {},
        "close the operation under the reader, then process",
        OPERATION_RPCS,
    ),
    "unknown_handle": Kind(
        BEFORE,
        {},
        "say that the handle is unknown; never twice running for one operation",
        OPERATION_RPCS,
    ),
    "expire_session": Kind(
        BEFORE,
        {},
        "forget the session with all its operations, then process",
        tuple(name for name in RPCS if name != "OpenSession"),
    ),
    "restart": Kind(
        BEFORE, {}, "restart the server: no handle is known, connections are dropped"
    ),
    "hold_query": Kind(
        BEFORE,
        {"percent": 50},
        "the statement stays RUNNING at so many percent until released",
        ("ExecuteStatement",),
    ),
    "hold": Kind(
        AFTER,
        {"ms": 0},
        "process, then hold the reply: so long, or (0) until released",
        storage=True,
    ),
    "garbage": Kind(AFTER, {"bytes": 64}, "process, then answer 200 with random bytes"),
    "truncate": Kind(
        AFTER,
        {"bytes": 100},
        "process, announce the whole body, send so much of it",
        storage=True,
    ),
    "wrong_length": Kind(
        AFTER, {"delta": 10}, "process, announce a length wrong by delta", storage=True
    ),
    "reset": Kind(
        AFTER,
        {"bytes": 0},
        "process, send so many bytes of body, reset the connection",
        storage=True,
    ),
    "drip": Kind(
        AFTER,
        {"bytes": 16, "ms": 50},
        "process, send so many bytes each so many ms",
        storage=True,
    ),
    "read_then_close": Kind(
        AFTER,
        {"reused": True},
        "process, then close the connection without a reply; only on a reused connection",
        storage=True,
    ),
    "wrong_row_count": Kind(
        PAGE, {"delta": 1}, "announce a row count wrong by delta", ROW_RPCS
    ),
    "wrong_offset": Kind(
        PAGE, {"delta": 1}, "announce a startRowOffset wrong by delta", ROW_RPCS
    ),
    "missing_batch": Kind(
        PAGE, {}, "leave out the last batch of a page that others follow", ROW_RPCS
    ),
    "duplicate_batch": Kind(
        PAGE, {}, "send the last batch of a page that others follow twice", ROW_RPCS
    ),
    "bad_lz4": Kind(
        PAGE, {}, "cut the LZ4 frame of the first batch in half", ARROW_RPCS
    ),
    "bad_arrow": Kind(
        PAGE, {}, "break the flatbuffer of the first Arrow batch", ARROW_RPCS
    ),
    "bad_schema": Kind(
        PAGE,
        {},
        "break the flatbuffer of the Arrow schema",
        ("ExecuteStatement", "GetResultSetMetadata", "FetchResults"),
    ),
    "expired_link": Kind(
        BEFORE, {}, "say that the signed URL has expired", (), storage=True
    ),
    "close_connection": Kind(CONNECTION, {}, "close an accepted connection at once", ()),
}


def list_kinds() -> dict[str, dict[str, Any]]:
    """KINDS for machines: a matrix of tests can be made of it."""
    return {
        name: {
            "phase": kind.phase,
            "parameters": kind.parameters,
            "meaning": kind.meaning,
            "rpcs": list(kind.rpcs),
            "probes": [rpc for rpc in kind.rpcs if rpc in PROBE_RPCS],
            "storage": kind.storage,
        }
        for name, kind in KINDS.items()
    }


STORAGE_METHODS = ("PUT", "GET", "DELETE", "*")
WHERE_KEYS = ("rpc", "path", "statement", "operation", "probe", "connection", "storage")


class BadFault(ValueError):
    """What was posted is no fault; the text says why."""


@dataclass
class Event:
    """What a fault is matched with."""

    rpc: str | None = None
    path: str = ""
    statement: str | None = None
    operation: str | None = None
    probe: bool = False
    reused: bool = False
    connection: bool = False
    #: The method of a request to the storage of the volumes.
    storage: str | None = None


@dataclass
class Fault:
    id: str
    where: dict[str, Any]
    when: dict[str, Any]
    kind: str
    parameters: dict[str, Any]
    times: int
    seen: int = 0
    taken: list[dict] = field(default_factory=list)
    taken_count: int = 0
    chance: random.Random | None = None

    def matches(self, event: Event) -> bool:
        where = self.where
        if (KINDS[self.kind].phase == CONNECTION) != event.connection:
            return False
        if (event.storage is None) != (where.get("storage") is None):
            return False
        if event.storage is not None:
            if where["storage"] not in (event.storage, "*"):
                return False
            if not KINDS[self.kind].storage:
                return False
        if where.get("rpc") and where["rpc"] != event.rpc:
            return False
        if where.get("probe") is not None and where["probe"] != event.probe:
            return False
        if where.get("operation") and where["operation"] != event.operation:
            return False
        if where.get("path") and not re.search(where["path"], event.path):
            return False
        if where.get("statement"):
            if not event.statement or not re.search(where["statement"], event.statement):
                return False
        return (
            not (self.kind == "read_then_close" and self.parameters["reused"])
            or event.reused
        )

    def due(self) -> bool:
        """The request matches: is it one of those that are hit?"""
        if self.times and self.taken_count >= self.times:
            return False
        self.seen += 1
        if "nth" in self.when:
            return self.seen >= self.when["nth"]
        if "every" in self.when:
            return self.seen % self.when["every"] == 0
        if self.chance is not None:
            return self.chance.random() < self.when["probability"]
        return True

    def describe(self) -> dict:
        return {
            "id": self.id,
            "where": self.where,
            "when": self.when,
            "do": {"kind": self.kind, **self.parameters},
            "times": self.times,
            "seen": self.seen,
            "taken_count": self.taken_count,
            "taken": self.taken[-100:],
        }


def _parse_where(where: Any) -> dict[str, Any]:
    from .codec import METHODS

    if where in (None, "", "*"):
        return {}
    if isinstance(where, str):
        if where in ("probe", "connection"):
            return {where: True}
        if where == "storage":
            return {"storage": "*"}
        if where in METHODS:
            return {"rpc": where}
        raise BadFault(
            f"where {where!r} is no RPC; use an RPC's name, 'probe', 'connection', 'storage', '*' "
            f"or an object with {', '.join(WHERE_KEYS)}"
        )
    if not isinstance(where, dict):
        raise BadFault("where is a name or an object")
    for key, value in where.items():
        if key not in WHERE_KEYS:
            raise BadFault(f"where.{key} is unknown; known are {', '.join(WHERE_KEYS)}")
        if key == "rpc" and value not in METHODS:
            raise BadFault(f"where.rpc {value!r} is no RPC")
        if key == "storage" and value not in STORAGE_METHODS:
            raise BadFault(f"where.storage is one of {', '.join(STORAGE_METHODS)}")
        if key in ("path", "statement"):
            try:
                re.compile(value)
            except (re.error, TypeError) as error:
                raise BadFault(f"where.{key} is no regular expression: {error}") from None
    return dict(where)


def _parse_when(when: Any) -> dict[str, Any]:
    if when is None:
        return {}
    if isinstance(when, int) and not isinstance(when, bool):
        when = {"nth": when}
    if not isinstance(when, dict):
        raise BadFault(
            "when is a number (the nth) or an object: nth, every, probability + seed"
        )
    known = {"nth", "every", "probability", "seed"}
    if set(when) - known or len(set(when) - {"seed"}) != 1:
        raise BadFault("when has one of nth, every, probability (and seed)")
    if "probability" in when:
        if not 0 <= when["probability"] <= 1:
            raise BadFault("when.probability is between 0 and 1")
    elif not all(isinstance(v, int) and v >= 1 for v in when.values()):
        raise BadFault("when.nth and when.every are numbers from 1 up")
    return dict(when)


def _parse_do(wanted: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(wanted, str):
        wanted = {"kind": wanted}
    if not isinstance(wanted, dict) or wanted.get("kind") not in KINDS:
        raise BadFault(f"do.kind is one of {', '.join(KINDS)}")
    kind = wanted["kind"]
    parameters = dict(KINDS[kind].parameters)
    for key, value in wanted.items():
        if key == "kind":
            continue
        if key not in parameters:
            known = ", ".join(parameters) or "nothing"
            raise BadFault(f"do.{key} is unknown; {kind} takes {known}")
        default = parameters[key]
        if isinstance(default, int) and not isinstance(value, (int, bool)):
            raise BadFault(f"do.{key} is a number, not {value!r}")
        parameters[key] = value
    return kind, parameters


class Faults:
    def __init__(self, clock: Clock, changed: Callable[[], None]):
        self.clock = clock
        self._changed = changed
        self.active: dict[str, Fault] = {}
        self.held = 0
        self._ids = itertools.count(1)
        self._released = asyncio.Event()

    def add(self, wanted: dict) -> Fault:
        known = {"where", "when", "do", "times"}
        if not isinstance(wanted, dict) or set(wanted) - known:
            raise BadFault(f"a fault has {', '.join(sorted(known))}")
        if "do" not in wanted:
            raise BadFault(f"do is missing: one of {', '.join(KINDS)}")
        kind, parameters = _parse_do(wanted["do"])
        when = _parse_when(wanted.get("when"))
        times = wanted.get("times", 1)
        if not isinstance(times, int) or isinstance(times, bool) or times < 0:
            raise BadFault("times is a number; 0 = without end")
        fault = Fault(
            f"f{next(self._ids)}",
            _parse_where(wanted.get("where")),
            when,
            kind,
            parameters,
            times,
        )
        if "probability" in when:
            fault.chance = random.Random(when.get("seed", 1))
        self.active[fault.id] = fault
        return fault

    def remove(self, ident: str) -> bool:
        return self.active.pop(ident, None) is not None

    def clear(self) -> None:
        self.active.clear()
        self.release()

    def release(self) -> None:
        """Let go of everything that hangs or is held."""
        self._released.set()
        self._released = asyncio.Event()

    async def until_released(self, timeout: float | None) -> None:
        self.held += 1
        self._changed()
        try:
            await asyncio.wait_for(self._released.wait(), timeout)
        except TimeoutError:
            pass
        finally:
            self.held -= 1
            self._changed()

    async def until(self, over: Callable[[], Awaitable[Any]]) -> None:
        """Until released, or until what ``over`` starts is done."""
        waits = [
            asyncio.ensure_future(self.until_released(None)),
            asyncio.ensure_future(over()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def take(self, event: Event, op: Any = None) -> list[Fault]:
        """The faults that hit this request, in the order in which they were added."""
        if not self.active:
            return []
        hit = []
        for fault in self.active.values():
            if not fault.matches(event):
                continue
            if fault.kind == "unknown_handle" and (op is None or op.last_answer_unknown):
                continue
            if not fault.due():
                continue
            fault.taken_count += 1
            fault.taken.append(
                {
                    "time": round(self.clock.wall(), 3),
                    "rpc": event.rpc or (event.storage and f"storage {event.storage}"),
                    "operation": event.operation,
                    "probe": event.probe,
                }
            )
            hit.append(fault)
        return hit
