# SPDX-License-Identifier: Apache-2.0
"""What is left in the process once the last object is released. Apart from the other tests,
whose shared connection keeps the I/O thread and its idle sockets."""

from __future__ import annotations

from engine import Engine
from harness import connected, heartbeat, nothing_left, run


def test_release_of_all(spark: Engine) -> None:
    with nothing_left():
        with connected(
            spark, {"databricks.max_rows_per_fetch": "2000"}, heartbeat(1)
        ) as conn:
            with run(conn, "SELECT id FROM range(0, 10000, 1, 2)") as read:
                read.rows(10)
