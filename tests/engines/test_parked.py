# SPDX-License-Identifier: Apache-2.0
"""Many results parked for a minute on a real engine that forgets one after five to nine
seconds: the price of a heartbeat there is a page of Java memory each, not a lost row. The
launchers give the engines 1 GB of heap."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from engine import Engine
from harness import AdbcConnection, Read, connected, heartbeat, run, statistics, update

ROWS = 2_000
PAGE = 100
PARKED_SECONDS = 60
PAGED = {"databricks.max_rows_per_fetch": str(PAGE)}
WHOLE = list(range(ROWS))

pytestmark = pytest.mark.timeout(400, method="thread")


def parked_reads(engine: Engine, sql: str, readers: int) -> list[tuple[list[int], dict]]:
    """A page of each is read, then nobody comes for a minute, then each is read to its end."""
    with connected(engine, PAGED, heartbeat(1)) as conn:
        reads: list[Read] = [run(conn, sql) for _ in range(readers)]
        seen = [read.rows(PAGE) for read in reads]
        time.sleep(PARKED_SECONDS)
        outcomes = []
        for read, rows in zip(reads, seen):
            outcomes.append((rows + read.rest(), statistics(read)))
            read.close()
    return outcomes


def check(outcomes: list[tuple[list[int], dict]], readers: int) -> None:
    assert len(outcomes) == readers
    for rows, seen in outcomes:
        assert rows == WHOLE
        assert seen["probes_failed"] == 0, seen
        # One for each span in which the engine would have forgotten it, at the very least.
        assert seen["probes_succeeded"] >= PARKED_SECONDS / 5, seen


def test_two_hundred_on_spark(spark: Engine) -> None:
    check(parked_reads(spark, f"SELECT id FROM range(0, {ROWS}, 1, 1)", 200), 200)


@pytest.fixture
def stored(hive: Engine) -> Iterator[AdbcConnection]:
    folder = hive.work / "parked"
    folder.mkdir()
    (folder / "rows").write_text("".join(f"{n}\n" for n in range(ROWS)))
    with connected(hive) as conn:
        update(
            conn, f"CREATE EXTERNAL TABLE parked (id BIGINT) LOCATION 'file://{folder}'"
        )
        yield conn
        update(conn, "DROP TABLE parked")


def test_fifty_on_hive(hive: Engine, stored: AdbcConnection) -> None:
    check(parked_reads(hive, "SELECT id FROM parked", 50), 50)
