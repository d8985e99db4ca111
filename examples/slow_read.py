# SPDX-License-Identifier: Apache-2.0
"""Reads a page, pauses, reads the rest; then hands results to Polars and DuckDB.

    python slow_read.py <uri> <token>

The pause is 3 s here. It may be hours: as long as it lasts, the heartbeat keeps the rows alive
on the server. LAKEBEAT_DRIVER names the library when the driver is not installed.
"""

import os
import sys
import time

import adbc_driver_manager.dbapi as adbc
import duckdb
import polars

ROWS, PAGE_ROWS, PAUSE_SECONDS = 50_000, 5_000, 3


def slow_read(connection):
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(
            **{
                "databricks.max_rows_per_fetch": PAGE_ROWS,
                "databricks.heartbeat.interval_seconds": 1,
            }
        )
        cursor.execute(f"SELECT id FROM range({ROWS}) ORDER BY id")
        ids = [row[0] for row in cursor.fetchmany(PAGE_ROWS)]
        print(f"{len(ids)} rows read, pausing for {PAUSE_SECONDS} s")
        time.sleep(PAUSE_SECONDS)
        ids += [row[0] for row in cursor.fetchall()]
        probes = cursor.adbc_statement.get_option_int("databricks.heartbeat.probes_sent")
    print(f"{len(ids)} rows read, {probes} heartbeats sent")
    return ids == list(range(ROWS))


def with_polars(connection):
    frame = polars.read_database("SELECT id, id % 7 AS day FROM range(1000)", connection)
    print(frame.group_by("day").len().sort("day"))
    return frame.height == 1000


def with_duckdb(connection):
    """DuckDB pulls batch after batch; nothing is held whole in memory."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM range(1000)")
        rows = duckdb.from_arrow(cursor.fetch_record_batch())
        ((total,),) = rows.aggregate("sum(id)").fetchall()
    print(f"DuckDB's sum: {total}")
    return total == 499_500


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with adbc.connect(
        driver=os.environ.get("LAKEBEAT_DRIVER", "lakebeat"),
        db_kwargs={"uri": sys.argv[1], "databricks.access_token": sys.argv[2]},
        autocommit=True,
    ) as connection:
        done = slow_read(connection) and with_polars(connection) and with_duckdb(connection)
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
