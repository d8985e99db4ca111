# SPDX-License-Identifier: Apache-2.0
"""What is left in the process once the last object is released. Apart from the other tests,
whose shared connection keeps the I/O thread and its idle sockets."""

from __future__ import annotations

from harness import connected, heartbeat, nothing_left, run
from server import Live


def test_nothing_is_left(live: Live) -> None:
    with nothing_left():
        with connected(
            live, {"databricks.max_rows_per_fetch": "10000"}, heartbeat(live.interval)
        ) as conn:
            with run(conn, "SELECT id FROM range(100000)") as read:
                read.rows(10)
