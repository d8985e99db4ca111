# SPDX-License-Identifier: Apache-2.0
"""The control port: plain HTTP with JSON, on loopback.  docs/WAREHOUSE.md describes
it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from .clock import parse_duration
from .core import Warehouse
from .faults import BadFault
from .kinds import list_kinds
from .operations import state_name

log = logging.getLogger("warehouse.control")

MOST_BODY = 1 << 20
#: What POST /wait can wait for, and the RPC that it counts.
COUNTED = {
    "fetch": "FetchResults",
    "close": "CloseOperation",
    "cancel": "CancelOperation",
    "execute": "ExecuteStatement",
    "status": "GetOperationStatus",
}
FLAGS = ("closed", "cancelled", "evicted", "finished")
TOTALS = (
    "sessions_open",
    "operations_open",
    "connections_open",
    "in_flight",
    "held",
    "storage_connections",
    "storage_requests",
)
WAIT_KINDS = ("probe", "rpc", *COUNTED, *FLAGS, *TOTALS)


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str, **more: Any):
        super().__init__(message)
        self.status = status
        self.body = {"error": message, **more}


class Control:
    def __init__(self, warehouse: Warehouse):
        self.wh = warehouse
        self.routes: dict[tuple[str, str], Callable[..., Awaitable[Any]]] = {
            ("GET", "stats"): self._stats,
            ("GET", "operations"): self._operations,
            ("GET", "sessions"): self._sessions,
            ("DELETE", "sessions"): self._expire_sessions,
            ("POST", "progress"): self._progress,
            ("GET", "requests"): self._requests,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._remove_fault,
            ("GET", "settings"): self._settings,
            ("POST", "settings"): self._change_settings,
            ("POST", "catalogs"): self._add_catalog,
            ("GET", "files"): self._files,
            ("GET", "volumes"): self._volumes,
            ("DELETE", "volumes"): self._clear_volumes,
            ("POST", "clock/advance"): self._advance,
            ("POST", "wait"): self._wait,
            ("POST", "hold/release"): self._release,
            ("POST", "reset"): self._reset,
            ("POST", "restart"): self._restart,
        }

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        try:
            status, answer = 200, await self._route(scope, receive)
        except Refusal as refusal:
            status, answer = refusal.status, refusal.body
        except Exception as error:  # noqa: BLE001
            log.exception("%s %s", scope["method"], scope["path"])
            status, answer = 500, {"error": f"{type(error).__name__}: {error}"}
        body = json.dumps(answer).encode() + b"\n"
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _route(self, scope: dict, receive: Any) -> Any:
        parts = scope["path"].strip("/").split("/")
        for taken in (len(parts), len(parts) - 1):
            handler = self.routes.get((scope["method"], "/".join(parts[:taken])))
            if handler is not None:
                body = await self._json(receive)
                query = parse_qs(scope["query_string"].decode("latin-1"))
                rest = parts[taken] if taken < len(parts) else None
                return await handler(rest, body, {k: v[-1] for k, v in query.items()})
        known = sorted(f"{method} /{path}" for method, path in self.routes)
        raise Refusal(404, f"no {scope['method']} {scope['path']} here", endpoints=known)

    @staticmethod
    async def _json(receive: Any) -> dict:
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refusal(400, "the client went away")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > MOST_BODY:
                raise Refusal(413, f"bodies end at {MOST_BODY} bytes")
            if not message.get("more_body"):
                break
        raw = b"".join(parts)
        if not raw.strip():
            return {}
        try:
            found = json.loads(raw)
        except ValueError as error:
            raise Refusal(400, f"the body is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise Refusal(400, "the body is an object")
        return found

    # -- reading --

    async def _stats(self, _rest: Any, _body: dict, _query: dict) -> Any:
        return self.wh.describe()

    def _known(self, ident: str) -> Any:
        op = self.wh.known.get(ident.lower())
        if op is None:
            raise Refusal(404, f"no operation {ident}")
        return op

    async def _operations(self, rest: str | None, _body: dict, query: dict) -> Any:
        if rest:
            return self.wh.describe_operation(self._known(rest))
        found = list(self.wh.known.values())
        if query.get("open") in ("1", "true"):
            found = [op for op in found if not op.gone]
        limit = _number(query, "limit", 1000)
        return {"operations": [self.wh.describe_operation(op) for op in found[-limit:]]}

    async def _sessions(self, _rest: Any, _body: dict, _query: dict) -> Any:
        found = self.wh.sessions.values()
        return {"sessions": [self.wh.describe_session(sess) for sess in found]}

    async def _expire_sessions(self, rest: str | None, _body: dict, _query: dict) -> Any:
        """Forget one session, or all, as if they had been idle for too long."""
        found = [s for s in self.wh.sessions.values() if rest in (None, s.id)]
        if rest is not None and not found:
            raise Refusal(404, f"no session {rest}")
        for sess in found:
            self.wh.end_session(sess, evicted=True)
        return {"expired": len(found)}

    async def _progress(self, _rest: Any, body: dict, _query: dict) -> Any:
        op, percent = self._known(str(body.get("operation"))), body.get("percent")
        if isinstance(percent, bool) or not isinstance(percent, (int, float)):
            raise Refusal(400, "percent is a number")
        if op.held_percent is None or not op.live:
            raise Refusal(409, "only a statement held by hold_query has a progress to set")
        if not 0 <= percent <= 100:
            raise Refusal(400, "percent is between 0 and 100")
        op.held_percent = float(percent)
        return self.wh.describe_operation(op)

    async def _requests(self, _rest: Any, _body: dict, query: dict) -> Any:
        found = list(self.wh.stats.log)
        if "operation" in query:
            found = [
                entry for entry in found if entry.operation == query["operation"].lower()
            ]
        if "rpc" in query:
            found = [entry for entry in found if entry.rpc == query["rpc"]]
        limit = _number(query, "limit", 200)
        return {"requests": [entry.describe() for entry in found[-limit:]]}

    # -- clock --

    async def _advance(self, _rest: Any, body: dict, _query: dict) -> Any:
        try:
            if "by" in body:
                seconds = parse_duration(str(body["by"]))
            else:
                seconds = float(body["seconds"])
        except (KeyError, TypeError, ValueError):
            raise Refusal(400, 'say {"seconds": 59} or {"by": "25m"}') from None
        if not 0 <= seconds < 10**9:
            raise Refusal(400, "the clock goes forward only, by less than 10^9 seconds")
        evicted = self.wh.stats.operations_evicted
        await self.wh.sweeper.advance(seconds)
        return {
            "now": round(self.wh.clock.wall(), 3),
            "advanced_seconds": round(self.wh.clock.offset, 3),
            "evicted": self.wh.stats.operations_evicted - evicted,
        }

    # -- waiting --

    def _count(self, what: str, body: dict) -> int:
        wh, ident = self.wh, body.get("operation")
        if what in TOTALS:
            return wh.total(what)
        op = self._known(str(ident)) if ident else None
        if what in FLAGS:
            return sum(_has(one, what) for one in ([op] if op else wh.known.values()))
        if what == "probe":
            return op.probes.count if op else wh.stats.probes
        rpc = COUNTED.get(what) or body.get("rpc")
        if not isinstance(rpc, str):
            raise Refusal(
                400, 'with "what": "rpc" say which: {"rpc": "GetOperationStatus"}'
            )
        return op.requests.get(rpc, 0) if op else wh.stats.requests[rpc]

    async def _wait(self, _rest: Any, body: dict, _query: dict) -> Any:
        what = body.get("what")
        if what not in WAIT_KINDS:
            raise Refusal(400, f"what is one of {', '.join(WAIT_KINDS)}")
        count, timeout = body.get("count", 1), body.get("timeout_seconds", 30)
        at_most = bool(body.get("at_most", False))
        if not isinstance(count, int) or not isinstance(timeout, (int, float)):
            raise Refusal(400, "count and timeout_seconds are numbers")
        self._count(what, body)

        def reached() -> bool:
            found = self._count(what, body)
            return found <= count if at_most else found >= count

        in_time = await self.wh.activity.wait_for(reached, timeout)
        found = self._count(what, body)
        answer = {"what": what, "operation": body.get("operation"), "count": found}
        if not in_time:
            raise Refusal(408, f"{what} is {found} after {timeout} s", **answer)
        return answer

    # -- faults --

    async def _faults(self, rest: str | None, _body: dict, _query: dict) -> Any:
        if rest == "kinds":
            return list_kinds()
        active = self.wh.faults.active
        if rest:
            if rest not in active:
                raise Refusal(404, f"no fault {rest}")
            return active[rest].describe()
        return {"faults": [fault.describe() for fault in active.values()]}

    async def _add_fault(self, _rest: Any, body: dict, _query: dict) -> Any:
        try:
            return self.wh.faults.add(body).describe()
        except (BadFault, TypeError) as error:
            raise Refusal(400, str(error)) from None

    async def _remove_fault(self, rest: str | None, _body: dict, _query: dict) -> Any:
        if rest is None:
            self.wh.faults.clear()
        elif not self.wh.faults.remove(rest):
            raise Refusal(404, f"no fault {rest}")
        return {"faults": len(self.wh.faults.active)}

    async def _release(self, _rest: Any, _body: dict, _query: dict) -> Any:
        released = self.wh.faults.held
        self.wh.faults.release()
        return {"released": released}

    # -- catalogs --

    async def _add_catalog(self, _rest: Any, body: dict, _query: dict) -> Any:
        from warehouse.sql.generated import Generated

        try:
            made = Generated(**body)
            await self.wh.in_worker(self.wh.engine.catalog.generate, made)
        except (TypeError, ValueError) as error:
            raise Refusal(400, str(error)) from None
        return asdict(made)

    # -- result files and volumes --

    async def _files(self, rest: str | None, _body: dict, _query: dict) -> Any:
        """The files of results, or of one operation, that links were given out for."""
        found = [self._known(rest)] if rest else list(self.wh.known.values())
        return {
            "files": [
                {"operation": op.id, **file}
                for op in found
                for file in self.wh.links.describe(op)
            ]
        }

    async def _volumes(self, _rest: Any, _body: dict, _query: dict) -> Any:
        return {"files": self.wh.volumes.describe()}

    async def _clear_volumes(self, _rest: Any, _body: dict, _query: dict) -> Any:
        removed = len(self.wh.volumes.files)
        self.wh.volumes.files.clear()
        return {"removed": removed}

    # -- the whole server --

    async def _settings(self, _rest: Any, _body: dict, _query: dict) -> Any:
        shown = dict(vars(self.wh.options))
        shown.pop("token")
        return shown

    async def _change_settings(self, _rest: Any, body: dict, query: dict) -> Any:
        try:
            self.wh.options.change(body)
        except ValueError as error:
            raise Refusal(400, str(error)) from None
        if self.wh.bench is not None:
            self.wh.bench.forget_heads()
        return await self._settings(None, {}, query)

    async def _reset(self, _rest: Any, body: dict, _query: dict) -> Any:
        self.wh.reset(bool(body.get("sessions", False)))
        return self.wh.describe()

    async def _restart(self, _rest: Any, _body: dict, _query: dict) -> Any:
        before = set(self.wh.connections)
        self.wh.restart()
        # Answered once the old connections are gone, so that whoever asked can rely on it.
        await self.wh.activity.wait_for(lambda: not before & self.wh.connections, 5)
        return {"generation": self.wh.generation}


def _has(op: Any, flag: str) -> bool:
    if flag == "finished":
        return op.finished_at is not None and state_name(op.state) == "FINISHED"
    return getattr(op, flag + "_at") is not None


def _number(query: dict, name: str, default: int) -> int:
    try:
        return max(1, int(query.get(name, default)))
    except ValueError:
        raise Refusal(400, f"{name} is a number") from None
