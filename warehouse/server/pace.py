# SPDX-License-Identifier: Apache-2.0
"""A network that is far away or slow: what the settings of latency and of bytes per second
do to a connection.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .misbehave import wait

#: A slow connection gets this often a piece.
PIECES_PER_SECOND = 100


async def latency(connection: Any, ms: float) -> None:
    """Let the request take one round trip."""
    if ms:
        await wait(connection, asyncio.sleep(ms / 1000))


class Pace:
    """Sends one reply at so many bytes per second; 0: as fast as it goes."""

    def __init__(self, connection: Any, bytes_per_second: float):
        self._connection = connection
        self._rate = bytes_per_second
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._sent = 0

    def piece(self, most: int) -> int:
        """The largest piece to send at once."""
        if not self._rate:
            return most
        return max(1, min(most, int(self._rate / PIECES_PER_SECOND)))

    def cut(self, chunks: list[bytes], most: int) -> list[bytes]:
        """The same bytes in such pieces."""
        if not self._rate:
            return chunks
        size = self.piece(most)
        views = [memoryview(chunk) for chunk in chunks]
        return [view[at : at + size] for view in views for at in range(0, len(view), size)]

    async def wait(self, size: int) -> None:
        """Wait until so many bytes more have had the time to arrive."""
        if not self._rate:
            return
        self._sent += size
        left = self._started + self._sent / self._rate - self._loop.time()
        if left > 0:
            await wait(self._connection, asyncio.sleep(left))
