# SPDX-License-Identifier: Apache-2.0
"""The warehouse's own clock, which can be put forward, and the sweeper that lives by
it.
"""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Awaitable, Callable


class Clock:
    """Seconds since the start: real time plus every advance."""

    def __init__(self, skew: Callable[[], float] = lambda: 0.0) -> None:
        self._skew = skew
        self._start = time.monotonic()
        self._wall = time.time()
        self.offset = 0.0
        self._dated = -1
        self._date = b""

    def now(self) -> float:
        return time.monotonic() - self._start + self.offset

    def wall(self, at: float | None = None) -> float:
        """The moment ``at`` (default: now) as seconds since 1970, advances and skew
        included.
        """
        return self._wall + self._skew() + (self.now() if at is None else at)

    def http_date(self) -> bytes:
        """Now, as the Date header of a reply says it."""
        second = int(self.wall())
        if second != self._dated:
            self._dated = second
            self._date = email.utils.formatdate(second, usegmt=True).encode()
        return self._date

    def wall_ms(self, at: float | None = None) -> int:
        return int(self.wall(at) * 1000)


class Sweeper:
    """Calls ``sweep(at)`` every ``interval_seconds`` of warehouse time.

    ``advance`` runs the sweeps that fall into the skipped time at once, one after the
    other, each with the clock standing at the moment it was due.
    """

    def __init__(
        self,
        clock: Clock,
        interval_seconds: float,
        sweep: Callable[[float], Awaitable[None]],
    ):
        self.clock = clock
        self.interval = interval_seconds
        self._sweep = sweep
        self._next = interval_seconds
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(max(0.01, min(self._next - self.clock.now(), 3600.0)))
            async with self._lock:
                await self._due(self.clock.now())

    async def _due(self, until: float) -> None:
        while self._next <= until:
            at = self._next
            self._next += self.interval
            await self._sweep(at)

    async def advance(self, seconds: float) -> None:
        async with self._lock:
            target = self.clock.now() + seconds
            offset = self.clock.offset + seconds
            while self._next <= target:
                self.clock.offset += max(0.0, self._next - self.clock.now())
                await self._due(self._next)
            # The time that the sweeps took is real time and not part of the advance.
            self.clock.offset = max(self.clock.offset, offset)


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``25m``, ``1.5h``, ``200ms`` or ``1d``."""
    text = text.strip()
    for unit in ("ms", "s", "m", "h", "d"):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * _UNITS[unit]
    return float(text)
