# SPDX-License-Identifier: Apache-2.0
"""What is left in the process once the last object is released. Apart from the other tests,
whose shared connection keeps the I/O thread and its idle sockets."""

from __future__ import annotations

import pytest
from engine import Engine
from harness import connected, heartbeat, nothing_left, run, update

#: The engine's start is part of the first test that asks for it.
pytestmark = pytest.mark.timeout(300, method="thread")

OPTIONS = {"databricks.max_rows_per_fetch": "2000"} | heartbeat(1)


def test_release_of_all_on_spark(spark: Engine) -> None:
    with nothing_left():
        with connected(spark, OPTIONS) as conn:
            with run(conn, "SELECT id FROM range(0, 10000, 1, 2)") as read:
                read.rows(10)


def test_release_of_all_on_hive(hive: Engine) -> None:
    folder = hive.work / "few"
    folder.mkdir()
    (folder / "rows").write_text("".join(f"{n}\n" for n in range(10_000)))
    with nothing_left():
        with connected(hive, OPTIONS) as conn:
            update(conn, f"CREATE EXTERNAL TABLE few (id BIGINT) LOCATION 'file://{folder}'")
            with run(conn, "SELECT id FROM few") as read:
                assert read.rows(10) == list(range(10))
