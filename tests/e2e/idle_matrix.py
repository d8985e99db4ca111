# SPDX-License-Identifier: Apache-2.0
"""The slow reads that test_idle.py judges: every server kind, every form of a result, with and
without heartbeat, with the right probe and with wrong ones, all at the same time, since a pause
of thirty minutes takes thirty seconds. A program of its own, so that it can run beside the
other tests; it prints what became of each read as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass, field
from typing import Any

from harness import (
    PAGED,
    Error,
    Parallel,
    Read,
    Warehouse,
    connected,
    details,
    heartbeat,
    pause,
    run,
    statistics,
    until,
)

SQL = "SELECT id FROM range(60)"
MINUTES = 30
PAGE = 10
COLUMNS = {"databricks.arrow": "off"}
#: A file is asked for when its reader waits for it, so that the others outlive their links.
FILES = {"databricks.prefetch_pages": "0"}
DECLINED = {"databricks.cloudfetch.enabled": "false"}
#: Nothing here waits for a request to fail, so a busy machine has its time.
PATIENT = {"databricks.request_timeout_seconds": "30"}

#: Six files of ten rows in two pages of links.
STORE = {
    "cloud_fetch_bytes": 0,
    "cloud_fetch_file_bytes": 600,
    "cloud_fetch_page_files": 3,
    "batch_rows": PAGE,
}
#: Options of a warehouse by its name; its personality is the first word of the name.
WAREHOUSES: dict[str, dict[str, int]] = {
    "databricks": {},
    "databricks-store": STORE,
    "spark": {},
    "hive": {},
}


@dataclass
class Case:
    warehouse: str
    options: dict[str, str]
    survives: bool

    @property
    def kind(self) -> str:
        return self.warehouse.partition("-")[0]


ON, OFF = heartbeat(1), heartbeat(1, enabled="false")
CASES = {
    "databricks-arrow-on": Case("databricks", ON, True),
    "databricks-arrow-off": Case("databricks", OFF, False),
    "databricks-columns-on": Case("databricks", {**COLUMNS, **ON}, True),
    "databricks-columns-off": Case("databricks", {**COLUMNS, **OFF}, False),
    "databricks-status": Case("databricks", heartbeat(1, probe="status"), True),
    "databricks-metadata": Case("databricks", heartbeat(1, probe="metadata"), True),
    "databricks-files-on": Case("databricks-store", {**FILES, **ON}, True),
    "databricks-files-off": Case("databricks-store", {**FILES, **OFF}, False),
    "databricks-declined-on": Case("databricks-store", {**DECLINED, **ON}, True),
    "spark-auto": Case("spark", ON, True),
    "spark-fetch0": Case("spark", heartbeat(1, probe="fetch0"), True),
    "spark-status": Case("spark", heartbeat(1, probe="status"), False),
    "spark-metadata": Case("spark", heartbeat(1, probe="metadata"), False),
    "spark-off": Case("spark", OFF, False),
    "hive-auto": Case("hive", ON, True),
    "hive-metadata": Case("hive", heartbeat(1, probe="metadata"), True),
    "hive-status": Case("hive", heartbeat(1, probe="status"), False),
    "hive-off": Case("hive", OFF, False),
}


@dataclass
class Outcome:
    """What became of one slow read."""

    case: Case
    rows: list[int] = field(default_factory=list)
    error: dict[str, Any] | None = None
    probes: list[int] = field(default_factory=list)
    statistics: dict[str, Any] = field(default_factory=dict)
    #: What the driver counted of files, and what the warehouse has of each.
    cloud: dict[str, int] = field(default_factory=dict)
    files: list[dict] = field(default_factory=list)
    operation: dict[str, Any] = field(default_factory=dict)
    requests: list[dict] = field(default_factory=list)


def settle(w: Warehouse, read: Read, seen: Outcome) -> None:
    """Both sides' counters at one moment: no probe on its way, and none in between."""

    def found() -> bool:
        seen.statistics = counted = statistics(read)
        ended = ("probes_succeeded", "probes_failed", "probes_dropped")
        if sum(counted[name] for name in ended) != counted["probes_sent"]:
            return False
        seen.operation = w.operation(read.query_id)
        seen.requests = w.requests(operation=read.query_id, limit=5000)
        return read.number("probes_sent") == counted["probes_sent"]

    until("no probe is on its way", found)


def pause_all(w: Warehouse, outcomes: list[Outcome], operations: list[str]) -> None:
    """A pause of all; those that will be lost are not waited for."""
    lasting = [at for at, seen in enumerate(outcomes) if seen.case.survives]
    for at, count in zip(lasting, pause(w, [operations[at] for at in lasting], MINUTES)):
        outcomes[at].probes.append(count)


def finish(w: Warehouse, read: Read, seen: Outcome) -> None:
    names = ("files", "files_delivered", "rows_delivered", "renewals", "retries")
    option = read.stmt.get_option_int
    seen.cloud = {name: option("databricks.cloudfetch." + name) for name in names}
    seen.files = w.files(read.query_id)
    read.close()


def slow_reads(warehouse: str) -> dict[str, Outcome]:
    names = [name for name, case in CASES.items() if case.warehouse == warehouse]
    outcomes = [Outcome(CASES[name]) for name in names]
    options = {"personality": warehouse.partition("-")[0], **WAREHOUSES[warehouse]}
    with Warehouse(no_samples=True, **options) as w, connected(w, PAGED, PATIENT) as conn:
        reads = [run(conn, SQL, seen.case.options) for seen in outcomes]
        ids = [read.query_id for read in reads]
        for seen, read in zip(outcomes, reads):
            seen.rows += read.rows(PAGE)
        for part in (PAGE, 60):
            pause_all(w, outcomes, ids)
            for seen, read in zip(outcomes, reads):
                if seen.error is not None:
                    continue
                if part == 60:
                    settle(w, read, seen)
                try:
                    # A page that had been fetched ahead is no proof: the lost ones are read on.
                    seen.rows += read.rows(part if seen.case.survives else 60)
                except Error as error:
                    seen.error = {
                        "text": str(error),
                        "status": error.status_code.name,
                        "sqlstate": error.sqlstate,
                        "details": details(error),
                    }
                    settle(w, read, seen)
        for seen, read in zip(outcomes, reads):
            finish(w, read, seen)
    return dict(zip(names, outcomes))


def main() -> None:
    running = Parallel({name: lambda name=name: slow_reads(name) for name in WAREHOUSES})
    found = {name: seen for each in WAREHOUSES for name, seen in running[each].items()}
    json.dump({name: dataclasses.asdict(seen) for name, seen in found.items()}, sys.stdout)


def parse(text: str) -> dict[str, Outcome]:
    """What main() has printed."""
    return {
        name: Outcome(**{**values, "case": CASES[name]})
        for name, values in json.loads(text).items()
    }


if __name__ == "__main__":
    main()
