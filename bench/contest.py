# SPDX-License-Identifier: Apache-2.0
"""Runs the contestants of a case: each a process of its own, in turn, never two at a time.

The first turns are a warm-up that is not counted: in the first one the rows are made, in the
next one pages may still be cut differently. In the first each contestant adds up the first
column and is believed only if the sum is right. A contestant that fails, hangs or reads
something else is out of the case, with the reason.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

import cases
from cases import Case
from plan import Plan
from warehouse.testing import ControlError

ROOT = pathlib.Path(__file__).resolve().parent.parent
WARM_UP_FACTOR = 4
TICKS = os.sysconf("SC_CLK_TCK")


class Out(Exception):
    """Why a contestant is out."""


@dataclasses.dataclass
class Series:
    """What one contestant did in one case."""

    rounds: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    out: str = ""


@dataclasses.dataclass
class Paths:
    build: pathlib.Path
    go_client: pathlib.Path

    @property
    def driver(self) -> pathlib.Path:
        return self.build / "libadbc_driver_lakebeat.so"


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of those that it has started, living or gone."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    own = sum(int(field) for field in stat[11:15]) / TICKS
    return own + sum(cpu_of(int(child)) for child in children)


def last_words(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    panics = [line for line in lines if line.startswith("panic:")]
    said = (panics[:1] or lines[-1:] or ["without a message"])[0]
    return said.replace(f"{ROOT}/", "")[:300]


def run_process(argv: list[str], text: str, env: dict[str, str], seconds: float) -> dict:
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=env, start_new_session=True,
    )  # fmt: skip
    try:
        output, errors = process.communicate(text, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Out(f"not ready after {seconds:.0f} s") from None
    finally:
        # The process group is the client's own: nothing of it outlives its turn.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode != 0:
        raise Out(f"status {process.returncode}: {last_words(errors)}")
    try:
        return json.loads(output.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise Out("its answer is not to be read") from None


class Contest:
    def __init__(self, warehouse: Any, case: Case, paths: Paths, seconds: float):
        self.warehouse = warehouse
        self.case = case
        self.paths = paths
        self.seconds = self.allowed = seconds
        self.env = dict(os.environ, LAKEBEAT_BENCH_TOKEN=warehouse.token)
        self.series = {who: Series() for who in case.who}
        for who in set(case.who) & set(cases.ABSENT):
            self.series[who].out = cases.ABSENT[who]

    def run(self, rounds: int, warm_ups: int) -> dict[str, Series]:
        """The first turn has more time: the warehouse makes the result meanwhile."""
        for number in range(warm_ups + min(rounds, self.case.rounds)):
            self.allowed = self.seconds * (WARM_UP_FACTOR if number == 0 else 1)
            for who, series in self.series.items():
                if series.out:
                    continue
                try:
                    found = self.turn(who, verify=number == 0 and self.case.rows > 1)
                except (Out, OSError, ControlError) as reason:
                    series.out = str(reason) if isinstance(reason, Out) else f"warehouse: {reason}"
                    print(f"  {who}: {reason}", file=sys.stderr, flush=True)
                    continue
                if number >= warm_ups:
                    series.rounds.append(found)
        return self.series

    def turn(self, who: str, *, verify: bool) -> dict[str, Any]:
        """One contestant's turn."""
        if who in cases.FLOORS:
            found = self.floor(who)
        else:
            found = self.timed(self.client(who, verify), "")
        rows, total = self.case.total_rows, self.case.total
        if found.get("rows", rows) != rows:
            raise Out(f"read {found['rows']} rows instead of {rows}")
        if verify and found.get("sum", total) != total:
            raise Out(f"its sum is {found['sum']} instead of {total}")
        return found

    def timed(self, argv: list[str], text: str) -> dict[str, Any]:
        """What a process answers, and what the warehouse counted meanwhile."""
        self.warehouse.reset()
        server = cpu_of(self.warehouse.pid)
        found = run_process(argv, text, self.env, self.allowed)
        found["server_cpu"] = cpu_of(self.warehouse.pid) - server
        counted = self.warehouse.stats()
        storage = counted["storage"]
        found["requests"] = counted["requests_total"]
        found["bytes"] = counted["bytes_out"]
        found["files"] = storage["requests"]
        found["parallel"] = storage["max_in_flight"]
        if self.case.by == "links" and not found["files"]:
            raise Out("asks for rows, not for links to files")
        if self.case.by != "links" and found["files"]:
            raise Out("asks for links to files where there are none")
        return found

    def floor(self, who: str) -> dict[str, Any]:
        links = self.case.by == "links"
        mode = "first" if who == cases.FLOOR_FIRST else "links" if links else "inline"
        argv = [str(self.paths.build / "bench" / "floor"), mode]
        argv += [] if mode == "first" else [str(cases.FLOORS[who])]
        argv += [] if mode == "links" else [self.warehouse.uri]
        try:
            with Plan(self.warehouse, self.case.sql, mode, links=links) as plan:
                found = self.timed(argv, plan.text)
                if mode == "links":
                    found["rows"] = plan.rows
        except Out:
            raise
        except Exception as error:  # noqa: BLE001  whatever a reply made of Thrift's reader
            raise Out(f"no plan: {error}") from None
        return found

    def client(self, who: str, verify: bool) -> list[str]:
        case, links = self.case, self.case.by == "links"
        python = [sys.executable, str(ROOT / "bench" / "python_client.py")]
        repeat = ["--repeat", str(case.repeat)]
        place = [self.warehouse.uri, case.sql]
        options = ["databricks.arrow=off"] if case.by == "columns" else []
        verified = ["--sum"] if verify else []
        if who in (cases.LAKEBEAT, cases.LINKED):
            if who == cases.LINKED:
                argv = [str(self.paths.build / "bench" / "consumer_linked")]
            else:
                argv = [str(self.paths.build / "bench" / "consumer")]
                argv += ["--driver", str(self.paths.driver)]
            argv += ["--threads", str(case.threads), "--pause", str(case.pause)]
            argv += ["--parked", str(case.parked)]
            return argv + verified + repeat + place + options
        if who == cases.ADBC:
            driver = ["--driver", str(self.paths.driver)]
            return [*python, "adbc", *driver, *verified, *repeat, *place, *options]
        if who == cases.CONNECTOR:
            cloud = ["--cloud"] if links else []
            return [*python, "connector", *verified, *repeat, *cloud, *place]
        if not self.paths.go_client.exists():
            raise Out("bench/go is not built: `make bench` does that")
        mode = "rows" if who == cases.GO_ROWS else "batches"
        cloud = ["-cloud"] if links else []
        verified = ["-sum"] if verify else []
        go = [str(self.paths.go_client), mode, *verified, "-repeat", str(case.repeat)]
        return [*go, *cloud, *place]
