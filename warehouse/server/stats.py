# SPDX-License-Identifier: Apache-2.0
"""Counters and the request log that the control port shows."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any

from .clock import Clock

LOG_LENGTH = 5_000


@dataclass
class Entry:
    """One request, as GET /requests shows it.  Never holds a token, secret or value."""

    number: int
    time: float
    connection: int
    reused: bool
    rpc: str | None
    operation: str | None
    probe: bool
    user_agent: str
    path: str
    bytes_in: int = 0
    bytes_out: int = 0
    status: int | None = None
    error: str | None = None
    faults: list[str] = field(default_factory=list)
    milliseconds: float | None = None

    def describe(self) -> dict:
        return asdict(self)


@dataclass
class StorageStats:
    """The storage port and the links to it."""

    requests: int = 0
    ranges: int = 0
    bytes_out: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    connections: int = 0
    max_connections: int = 0
    connections_opened: int = 0
    links_issued: int = 0
    links_renewed: int = 0
    answers: Counter[str] = field(default_factory=Counter)

    def answered(self, status: int | None, size: int) -> None:
        self.answers[str(status) if status else "none"] += 1
        self.bytes_out += size

    def describe(self) -> dict[str, Any]:
        return {**asdict(self), "answers": dict(sorted(self.answers.items()))}


class Stats:
    def __init__(self, clock: Clock):
        self.clock = clock
        self.number = 0
        self.connections = 0
        self.in_flight = 0
        self.storage = StorageStats()
        self.reset()

    def reset(self) -> None:
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.http_404 = 0
        self.total = 0
        self.probes = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.max_in_flight = self.in_flight
        self.connections_opened = 0
        self.sessions_opened = 0
        self.sessions_evicted = 0
        self.operations_started = 0
        self.operations_evicted = 0
        self.cancels = 0
        self.restarts = 0
        busy, connections = self.storage.in_flight, self.storage.connections
        self.storage = StorageStats(
            in_flight=busy,
            max_in_flight=busy,
            connections=connections,
            max_connections=connections,
        )
        self.log: deque[Entry] = deque(maxlen=LOG_LENGTH)

    def arrived(self, entry: Entry) -> None:
        """A request has been read whole and, if it is an RPC, understood."""
        self.total += 1
        self.bytes_in += entry.bytes_in
        self.log.append(entry)
        if entry.rpc:
            self.requests[entry.rpc] += 1
        if entry.probe:
            self.probes += 1

    def answered(self, entry: Entry, status: int | None) -> None:
        entry.status = status
        self.bytes_out += entry.bytes_out
        self.statuses[str(status) if status else "none"] += 1
        if status == 404:
            self.http_404 += 1

    def describe(self) -> dict[str, Any]:
        return {
            "requests": dict(sorted(self.requests.items())),
            "requests_total": self.total,
            "probes": self.probes,
            "answers": dict(sorted(self.statuses.items())),
            "http_404": self.http_404,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "connections_opened": self.connections_opened,
            "sessions_opened": self.sessions_opened,
            "sessions_evicted": self.sessions_evicted,
            "operations_started": self.operations_started,
            "evictions": self.operations_evicted,
            "cancels": self.cancels,
            "restarts": self.restarts,
            "cpu_seconds": round(time.process_time(), 3),
            "storage": self.storage.describe(),
        }
