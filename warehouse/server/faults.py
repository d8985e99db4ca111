# SPDX-License-Identifier: Apache-2.0
"""Breaking on command.

A fault says where (which requests match), when (which of those), what to do, and how many
times.  ``Faults.take`` is asked once for every request (and for every accepted
connection) and returns what to do to it; ``http.py`` does it.

``kinds.py`` lists what can be done.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from .clock import Clock
from .kinds import CONNECTION, FILE, KINDS

STORAGE_METHODS = ("PUT", "GET", "DELETE", "*")
WHERE_KEYS = (
    "rpc", "path", "statement", "operation", "probe", "connection", "storage", "file", "links",
)  # fmt: skip
#: Faults that a client can notice only where links follow in the same page or the next.
_FOLLOWED = frozenset({"missing_link", "no_links"})
_RANGED = frozenset({"range_ignored", "wrong_content_range"})
_RENEWED = frozenset({"link_changed"})
#: What a parameter can be, where not everything of its type will do.
CHOICES = {"part": ("header", "block", "checksum"), "how": ("port", "name", "tls")}


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
    #: The method of a request to the storage ("*": a connection to it).
    storage: str | None = None
    #: The index of the result file asked for, whether a range of it is, and whether by a
    #: link that was renewed.
    file: int | None = None
    ranged: bool = False
    #: A page of links (after the request has been processed), and whether links follow.
    links: bool = False
    followed: bool = False
    renewed: bool = False


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
        if event.links != bool(where.get("links")):
            return False
        if where.get("file") is not None and where["file"] != event.file:
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
        return self._possible(event)

    def _possible(self, event: Event) -> bool:
        """Could a client see this fault at this request?"""
        kind = self.kind
        if kind == "read_then_close" and self.parameters["reused"]:
            return event.reused
        if KINDS[kind].phase == FILE:
            wanted = kind == "file_changed" and self.parameters["renewed"]
            return event.file is not None and not (
                (kind in _RANGED and not event.ranged) or (wanted and not event.renewed)
            )
        return not (
            (kind in _FOLLOWED and not event.followed)
            or (kind in _RENEWED and not event.renewed)
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
        if where == "links":
            return {"links": True}
        if where in METHODS:
            return {"rpc": where}
        raise BadFault(
            f"where {where!r} is no RPC; use an RPC's name, 'probe', 'connection', 'storage', 'links', '*' "
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
        if key == "file" and (not isinstance(value, int) or isinstance(value, bool)):
            raise BadFault("where.file is the index of a file, from 0 on")
        if key in ("path", "statement"):
            try:
                re.compile(value)
            except (re.error, TypeError) as error:
                raise BadFault(f"where.{key} is no regular expression: {error}") from None
    return dict(where)


def _place(kind: str, where: dict[str, Any]) -> dict[str, Any]:
    """Where a fault of this kind is met; what can be met in one place needs not name it."""
    known = KINDS[kind]
    if known.links:
        where = {"links": True, **where}
    elif known.phase == FILE or (known.storage and not known.rpcs and not where):
        where = {"storage": "GET", **where} if known.phase != CONNECTION else where
    if where.get("file") is not None and not where.get("storage"):
        where = {"storage": "GET", **where}
    if where.get("storage") and not known.storage:
        raise BadFault(f"{kind} cannot be met at the storage")
    if bool(where.get("links")) != known.links:
        raise BadFault(f"{kind} cannot be met at links")
    return where


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
        if key in CHOICES and value not in CHOICES[key]:
            raise BadFault(f"do.{key} is one of {', '.join(CHOICES[key])}")
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
            _place(kind, _parse_where(wanted.get("where"))),
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
                    "file": event.file,
                    "operation": event.operation,
                    "probe": event.probe,
                }
            )
            hit.append(fault)
        return hit
