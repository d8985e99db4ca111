# SPDX-License-Identifier: Apache-2.0
"""A slow read on a warehouse that forgets, without and with heartbeat: run by `make demo`.

Starts a local warehouse that forgets a result after 6 s without contact (a real one waits 20
to 25 minutes). Three readers run the same query, each reads one page, all fall silent together,
and each tries to read the rest:

  1. lakebeat with the heartbeat off,
  2. lakebeat with the heartbeat on,
  3. the vendor's databricks-sql-connector.

The figures come from the warehouse's control port, not from the drivers. The exit status is 0
only if they say: without heartbeat no probe, the result forgotten and 404 answered; with it at
least 3 probes, nothing forgotten, and row count and sum as SQL itself computes them.
"""

import contextlib
import logging
import os
import pathlib
import sys
import textwrap
import threading
import time

import adbc_driver_manager
import adbc_driver_manager.dbapi
import databricks.sql

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from warehouse.testing import Warehouse  # noqa: E402

DRIVER = os.environ.get(
    "LAKEBEAT_DRIVER", str(ROOT / "build" / "release" / "libadbc_driver_lakebeat.so")
)
IDLE_LIMIT_SECONDS = 6
SWEEP_SECONDS = 1
PAUSE_SECONDS = 15
INTERVAL_SECONDS = 2
PAGE_ROWS = 5_000
LATEST_SECONDS = 40

TABLE = "samples.tpch.lineitem"
QUERY = f"SELECT l_orderkey, l_linenumber, l_comment FROM {TABLE} ORDER BY 1, 2"
CHECK = f"SELECT count(*), CAST(sum(l_orderkey) AS BIGINT) FROM {TABLE}"


@contextlib.contextmanager
def lakebeat(w, query, **options):
    """Runs the query; gives its id and a function that fetches some rows."""
    settings = {"uri": w.uri, "databricks.access_token": w.token, **options}
    with adbc_driver_manager.dbapi.connect(
        driver=DRIVER, db_kwargs=settings, autocommit=True
    ) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        query_id = cursor.adbc_statement.get_option("databricks.query_id")
        yield query_id, lambda: cursor.fetchmany(PAGE_ROWS)


@contextlib.contextmanager
def connector(w, query):
    with databricks.sql.connect(
        server_hostname=w.host, http_path=w.http_path, access_token=w.token,
        _connection_uri=w.uri, use_cloud_fetch=False, enable_telemetry=False,
    ) as connection, connection.cursor(arraysize=PAGE_ROWS) as cursor:  # fmt: skip
        cursor.execute(query)
        yield cursor.query_id, lambda: cursor.fetchmany(PAGE_ROWS)


class Reader(threading.Thread):
    """Reads a page, meets the others, pauses with them, reads the rest."""

    def __init__(self, title, opened, meeting):
        super().__init__(name=title, daemon=True)
        self.title = title
        self.opened = opened
        self.meeting = meeting
        self.query_id = ""
        self.before = self.rows = self.sum = 0
        self.lost = None  # the error of the read after the pause
        self.broken = None  # any other error
        self.server = {}  # what the warehouse says of the operation

    def run(self):
        try:
            with self.opened as (self.query_id, fetch):
                self.take(fetch())
                self.before = self.rows
                self.meeting.wait(LATEST_SECONDS)
                time.sleep(PAUSE_SECONDS)
                try:
                    while page := fetch():
                        self.take(page)
                except (adbc_driver_manager.Error, databricks.sql.Error) as error:
                    self.lost = error
        except Exception as error:  # noqa: BLE001
            self.broken = error
            self.meeting.abort()

    def take(self, page):
        self.rows += len(page)
        self.sum += sum(row[0] for row in page)

    def ask(self, w):
        self.server = w.operation(self.query_id)
        requests = w.requests(operation=self.query_id, rpc="FetchResults", limit=5000)
        self.server["fetches_404"] = sum(entry["status"] == 404 for entry in requests)


def show(readers, expected_rows):
    rows = [
        ("", *(reader.title for reader in readers)),
        ("rows read before the pause", *(f"{reader.before:,}" for reader in readers)),
        ("probes the warehouse got", *(reader.server["probes"]["count"] for reader in readers)),
        ("result forgotten", *("yes" if r.server["evicted"] else "no" for r in readers)),
        ("fetches answered with 404", *(reader.server["fetches_404"] for reader in readers)),
        ("rows read in all", *(f"{reader.rows:,}" for reader in readers)),
        ("rows there are", *(f"{expected_rows:,}" for _ in readers)),
    ]
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [str(row[0]).ljust(widths[0])]
        cells += [str(cell).rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  " + "   ".join(cells))
    print("\n  (lakebeat fetches one page ahead, so one more than was read is always at hand.)")
    for reader in readers:
        if reader.lost is not None:
            text = textwrap.fill(
                str(reader.lost), 92, initial_indent="    ", subsequent_indent="    "
            )
            print(f"\n  {reader.title}: {type(reader.lost).__name__}\n{text}")


def judge(off, on, vendor, expected):
    """What is not as it should be, in words."""
    wrong = []

    def expect(holds, words):
        if not holds:
            wrong.append(words)

    expect(off.server["probes"]["count"] == 0, "off: the warehouse got probes")
    expect(off.server["evicted"], "off: the warehouse did not forget the result")
    expect(off.server["fetches_404"] >= 1, "off: the warehouse answered no fetch with 404")
    expect("404" in str(off.lost), "off: the client did not get the 404")
    expect(on.server["probes"]["count"] >= 3, "on: the warehouse got fewer than 3 probes")
    expect(not on.server["evicted"], "on: the warehouse forgot the result")
    expect(on.lost is None, f"on: the read failed: {on.lost}")
    expect((on.rows, on.sum) == expected, "on: count and sum are not those of SQL")
    expect(vendor.server["evicted"], "connector: the warehouse did not forget the result")
    expect(vendor.lost is not None, "connector: it lost nothing")
    return wrong


def run(w):
    meeting = threading.Barrier(3)
    # Pages of rows, as the vendor's client reads them here; files would be fetched ahead.
    page = {
        "databricks.max_rows_per_fetch": str(PAGE_ROWS),
        "databricks.cloudfetch.enabled": "false",
    }
    interval = {"databricks.heartbeat.interval_seconds": str(INTERVAL_SECONDS)}
    off = lakebeat(w, QUERY, **page, **{"databricks.heartbeat.enabled": "false"})
    on = lakebeat(w, QUERY, **page, **interval)
    readers = [
        Reader("heartbeat off", off, meeting),
        Reader("heartbeat on", on, meeting),
        Reader("vendor's connector", connector(w, QUERY), meeting),
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(LATEST_SECONDS)
    broken = [reader for reader in readers if reader.is_alive() or reader.broken]
    for reader in broken:
        why = reader.broken or f"still reading after {LATEST_SECONDS} s"
        print(f"demo: {reader.title}: {why}", file=sys.stderr)
    if broken:
        return 1
    with lakebeat(w, CHECK) as (_, fetch):
        (expected,) = fetch()
    for reader in readers:
        reader.ask(w)
    show(readers, expected[0])
    wrong = judge(*readers, tuple(expected))
    print()
    for words in wrong:
        print(f"  NOT AS PROMISED: {words}")
    if not wrong:
        print(f"  With the heartbeat every row arrived: count {on_text(readers[1])}, as SQL says.")
    return 1 if wrong else 0


def on_text(reader):
    return f"{reader.rows:,} and sum {reader.sum:,}"


def main():
    if not os.path.exists(DRIVER):
        print(f"demo: there is no driver at {DRIVER}; run make first", file=sys.stderr)
        return 1
    logging.getLogger("databricks").setLevel(logging.CRITICAL)  # it logs what it raises
    print(
        f"Local warehouse: forgets a result after {IDLE_LIMIT_SECONDS} s without contact.\n"
        f"Three readers read a page of {TABLE}, pause for {PAUSE_SECONDS} s, read on.\n"
        f"Heartbeat interval: {INTERVAL_SECONDS} s.\n",
        flush=True,
    )
    with Warehouse(
        idle_operation_seconds=IDLE_LIMIT_SECONDS, sweep_seconds=SWEEP_SECONDS
    ) as w:
        return run(w)


if __name__ == "__main__":
    sys.exit(main())
