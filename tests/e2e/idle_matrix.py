# SPDX-License-Identifier: Apache-2.0
"""The slow reads that test_idle.py judges: every server kind, both result forms, with and
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

KINDS = ("databricks", "spark", "hive")


@dataclass
class Case:
    kind: str
    options: dict[str, str]
    survives: bool


ON, OFF = heartbeat(1), heartbeat(1, enabled="false")
CASES = {
    "databricks-arrow-on": Case("databricks", ON, True),
    "databricks-arrow-off": Case("databricks", OFF, False),
    "databricks-columns-on": Case("databricks", {**COLUMNS, **ON}, True),
    "databricks-columns-off": Case("databricks", {**COLUMNS, **OFF}, False),
    "databricks-status": Case("databricks", heartbeat(1, probe="status"), True),
    "databricks-metadata": Case("databricks", heartbeat(1, probe="metadata"), True),
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


def slow_reads(kind: str) -> dict[str, Outcome]:
    names = [name for name, case in CASES.items() if case.kind == kind]
    outcomes = [Outcome(CASES[name]) for name in names]
    with Warehouse(personality=kind, no_samples=True) as w, connected(w, PAGED) as conn:
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
        for read in reads:
            read.close()
    return dict(zip(names, outcomes))


def main() -> None:
    running = Parallel({kind: lambda kind=kind: slow_reads(kind) for kind in KINDS})
    found = {name: seen for kind in KINDS for name, seen in running[kind].items()}
    json.dump({name: dataclasses.asdict(seen) for name, seen in found.items()}, sys.stdout)


def parse(text: str) -> dict[str, Outcome]:
    """What main() has printed."""
    return {
        name: Outcome(**{**values, "case": CASES[name]})
        for name, values in json.loads(text).items()
    }


if __name__ == "__main__":
    main()
