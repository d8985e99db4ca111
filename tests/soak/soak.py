#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The heartbeat and cloud fetch at scale and under faults: runs every row, prints them with figures.

    tests/soak/soak.py [--short] [--build FOLDER] [ROW...]

`virtual` (time of its own, no server) and `client` (the driver through its ADBC functions) come
from <FOLDER>/soak, which `make soak` builds. Rows run in stages, those of one stage side by side;
with --short four at a time, with smaller numbers, in less than a minute. Status 1 when a row does not hold.

A result that has to stay on the server is made so: 60 rows, ten a page, one page read, one
fetched ahead; and the warehouse has to have counted probes, else the row proves nothing.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import logging
import os
import pathlib
import random
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from warehouse.testing import Warehouse  # noqa: E402

SQL = "SELECT id FROM range(60)"
PAGED = {
    "databricks.max_rows_per_fetch": 10,
    "databricks.heartbeat.interval_seconds": 1,
    "databricks.connect_timeout_seconds": 5,
    "databricks.request_timeout_seconds": 20,
    "databricks.retry_timeout_seconds": 10,
    "databricks.close_timeout_seconds": 10,
}
COMMAND_SECONDS = 400


class Failed(Exception):
    """A row does not hold."""


def must(holds: bool, what: str) -> None:
    if not holds:
        raise Failed(what)


class Client:
    """tests/soak/client.c as methods."""

    def __init__(self, build: pathlib.Path, log: str = "off"):
        env = dict(os.environ, LAKEBEAT_LOG=log)
        env.pop("LAKEBEAT_HEARTBEAT", None)
        self.process = subprocess.Popen(
            [str(build / "soak" / "client")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, bufsize=1, env=env,
        )  # fmt: skip
        self.stderr: list[str] = []
        self.reader = threading.Thread(target=self._read_stderr, daemon=True)
        self.reader.start()

    def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.stderr.append(line.rstrip())

    def __call__(self, *words: Any) -> dict:
        """One command; its answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        text = " ".join(str(word) for word in words)
        self.process.stdin.write(text + "\n")
        ready, _, _ = select.select([self.process.stdout], [], [], COMMAND_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            state = "ended" if self.process.poll() is not None else "hangs"
            raise Failed(f"client {state} at '{text[:60]}': {self.stderr[-3:]}")
        found = json.loads(line)
        if "error" in found:
            raise Failed(f"'{text[:60]}': {found['error']}")
        return found

    def database(self, number: int, w: Warehouse, **more: Any) -> None:
        options = {"uri": w.uri, "databricks.access_token": w.token, **PAGED}
        options |= {f"databricks.{key.replace('__', '.')}": value for key, value in more.items()}
        self("database", number, *(f"{key}={value}" for key, value in options.items()))

    def open(self, number: int, count: int, sql: str = SQL) -> dict:
        seen = self("open", number, count, sql)
        must(seen["whole"] == count, f"opened {seen['whole']} of {count}: {seen}")
        return seen

    def away(self, number: int) -> None:
        self("release", number)
        self("close", number)

    def end(self) -> None:
        """Nothing is left of the driver."""
        left = self("end")
        must(left["blocks"] == 0 and left["threads"] == 1, f"left behind: {left}")
        must(self.process.wait(30) == 0, "client's status is not 0")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Soak:
    def __init__(self, build: pathlib.Path, short: bool):
        self.build = build
        self.short = short

    @contextlib.contextmanager
    def client(self, **options: Any) -> Iterator[Client]:
        made = Client(self.build, **options)
        try:
            yield made
        finally:
            made.kill()

    @contextlib.contextmanager
    def both(self, **options: Any) -> Iterator[tuple[Warehouse, Client]]:
        options = {"no_samples": True, "idle_operation_seconds": 0} | options
        with Warehouse(**options) as w, self.client() as client:
            yield w, client


def until(what: str, check: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        must(time.monotonic() < deadline, f"{what}: not within {seconds} s")
        time.sleep(0.05)


def probes_of(w: Warehouse) -> int:
    return w.stats()["probes"]


def silent(w: Warehouse, seconds: float = 3) -> bool:
    """No probe comes any more."""
    before = probes_of(w)
    time.sleep(seconds)
    return probes_of(w) == before


# --- rows -------------------------------------------------------------------------------------


def virtual(soak: Soak) -> list[tuple[str, bool, dict]]:
    """Many rows of one program."""
    count = 10_000 if soak.short else 100_000
    ran = subprocess.run(
        [str(soak.build / "soak" / "virtual"), str(count)],
        stdout=subprocess.PIPE, text=True, timeout=600,
    )  # fmt: skip
    rows = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    found = [(row.pop("row"), row.pop("holds"), row) for row in rows]
    if ran.returncode not in (0, 1) or not found:
        found.append(("virtual time", False, {"status": ran.returncode}))
    return found


def sockets_to(port: int) -> int:
    """TCP connections of this machine to the port, those that are closing included."""
    count = 0
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        # 01 established, 02 SYN sent; 06 is TIME_WAIT, which is no socket any more.
        if int(fields[2].split(":")[1], 16) == port and fields[3] in ("01", "02"):
            count += 1
    return count


def many_kept(soak: Soak) -> dict:
    count, seconds = (500, 15) if soak.short else (10_000, 200)
    idle, interval = (20, 2) if soak.short else (20, 5)
    with soak.both(idle_operation_seconds=idle, sweep_seconds=1) as (w, client):
        most, going = 0, True

        def sample() -> None:
            nonlocal most
            while going:
                most = max(most, sockets_to(w.port))
                time.sleep(1 if not soak.short else 0.2)

        sampler = threading.Thread(target=sample)
        sampler.start()
        try:
            client.database(0, w, heartbeat__interval_seconds=interval)
            opened = client.open(0, count)
            time.sleep(seconds)
            held = client("statistics", 0)
            memory = client("process")
            read = client("rest", 0)
        finally:
            going = False
            sampler.join()
        evicted = w.stats()["evictions"]
        client.away(0)
        client.end()
    # The short form runs beside other work; that no result was evicted is what has to hold.
    share = 0.5 if soak.short else 0.8
    must(held["probes_sent"] >= count * seconds / interval * share, f"few probes: {held}")
    must(read["whole"] == count, f"read {read}")
    must(most <= 128, f"{most} sockets")
    must(evicted == 0, f"{evicted} evictions")
    return {
        "results": count, "seconds": seconds, "probes": held["probes_sent"],
        "failed": held["probes_failed"], "late_max_ms": held["late_max_ms"],
        "sockets_max": most, "threads": memory["threads"],
        "rss_mib": memory["rss_kib"] // 1024, "open_ms": opened["ms"], "read_ms": read["ms"],
        "bytes_per_probe": held["bytes"] // max(held["probes_sent"], 1),
    }  # fmt: skip


def many_lost(soak: Soak) -> dict:
    count = 500 if soak.short else 10_000
    # What nobody keeps alive is forgotten as soon as the clock is moved, not while it opens.
    with soak.both(idle_operation_seconds=3600, sweep_seconds=60) as (w, client):
        client.database(0, w, heartbeat__enabled="false")
        client.open(0, count)
        evicted = w.advance("2h")
        read = client("rest", 0)
        probes = probes_of(w)
        client.away(0)
        client.end()
    must(probes == 0, f"{probes} probes")
    must(read["lost"] == count and read["whole"] == 0, f"read {read}")
    return {"results": count, "lost": read["lost"], "error": read["text"][:90],
            "evicted": evicted.get("evicted")}  # fmt: skip


#: By these the server itself gives operations up.
LOSING = {"close_operation", "expire_session", "restart"}
ONCE = {"expire_session", "restart"}


#: 44 bytes of Arrow each: a number that has to count up, and what takes up room.
WIDE_ROW = (
    "SELECT id, id * 7919 AS a, CAST(id AS DOUBLE) / 3 AS d, "
    "lpad(CAST(id AS STRING), 16, '0') AS s FROM range(0, {rows}, 1, 1)"
)


class Connector(threading.Thread):
    """The vendor's client reads the same beside us: what became of it."""

    def __init__(self, w: Warehouse, sql: str, step: int, pause: float):
        super().__init__(daemon=True)
        self.w, self.sql, self.step, self.pause = w, sql, step, pause
        self.rows, self.error = 0, ""

    def run(self) -> None:
        from databricks import sql as connector

        logging.getLogger("databricks.sql").setLevel(logging.CRITICAL)
        options = dict(
            server_hostname=self.w.host, http_path=self.w.http_path,
            access_token=self.w.token, _connection_uri=self.w.uri, use_cloud_fetch=True,
            enable_telemetry=False, _retry_stop_after_attempts_count=2,
        )  # fmt: skip
        try:
            with connector.connect(**options) as connection, connection.cursor() as cursor:
                cursor.execute(self.sql)
                while got := cursor.fetchmany_arrow(self.step).num_rows:
                    self.rows += got
                    time.sleep(self.pause)
        except Exception as error:  # noqa: BLE001: that it fails is what is looked for
            self.error = f"{type(error).__name__}: {error}"


def slow_cloud_fetch(soak: Soak) -> dict:
    """Links of 5 s life, an operation that is forgotten after 6, and pauses of 8."""
    rows, reads, pause = (6_000_000, 2, 8) if soak.short else (74_000_000, 40, 8)
    sql, step = WIDE_ROW.format(rows=rows), -(-rows // reads)
    options = {"idle_operation_seconds": 6, "sweep_seconds": 1, "link_life_seconds": 5}
    with soak.both(**options) as (w, client):
        other = Connector(w, sql, step // 8, pause)
        client.database(0, w, max_rows_per_fetch=100_000_000)
        before = client("process")["rss_kib"]
        client.open(0, 1, sql)
        other.start()
        read = {"ended": 0}
        for _ in range(reads):
            time.sleep(pause)
            read = client("read", 0, step)
            must(read["whole"] == 1, f"read {read}")
        if not read["ended"]:
            read = client("read", 0, step)
        seen = client("statistics", 0)
        memory = client("process")
        links = w.stats()["storage"]
        client.away(0)
        client.end()
        other.join(60)
    must(read["ended"] == 1, f"read {read}")
    must(bool(other.error), f"the connector read {other.rows} rows without an error")
    grown = (memory["peak_kib"] - before) / 1024
    # Beside other work a file more may be under way than would be on a free machine.
    must(grown <= (128 if soak.short else 96), f"{grown:.0f} MiB more memory")
    return {
        "rows": rows, "gib": round(rows * 44 / 2**30, 2), "reads": reads, "pause_s": pause,
        "probes": seen["probes_sent"], "peak_mib_more": round(grown, 1),
        "links": links["links_issued"], "links_renewed": links["links_renewed"],
        "connector_rows": other.rows, "connector": other.error[:120],
    }  # fmt: skip


def of_probes(w: Warehouse) -> list[str]:
    """What can happen to the probe of a Databricks warehouse."""
    kinds = w.fault_kinds()
    return [kind for kind, known in kinds.items() if "GetOperationStatus" in known["probes"]]


def fault_case(w: Warehouse, client: Client, kinds: list[str], seed: int) -> dict:
    """100 results while each probe may meet the faults; then all is well again."""
    count = 100
    losing = any(kind in LOSING for kind in kinds)
    client.database(
        0, w, heartbeat__request_timeout_seconds=1, heartbeat__max_failures=1_000_000
    )
    client.open(0, count)
    faults = []
    for at, kind in enumerate(kinds):
        when = None if len(kinds) == 1 else {"probability": 0.3, "seed": seed + at}
        times = 1 if kind in ONCE else 0
        faults.append(w.fault(kind, where="probe", when=when, times=times))
    until(f"{kinds}: met", lambda: sum(w.fault_taken(name) for name in faults) >= 3
          or set(kinds) <= ONCE, 20)
    time.sleep(2)
    taken = sum(w.fault_taken(name) for name in faults)
    w.clear_faults()
    w.release()
    # A fault may close a connection after its reply; a fetch that meets that is not to be judged
    # here, so replies under way come to their end first.
    until(f"{kinds}: over", lambda: w.stats()["in_flight"] <= 1, 10)
    time.sleep(0.5)
    reasons = client("reasons", 0)
    read = client("rest", 0)
    must(read["other"] == 0, f"{kinds}: {read['other_text']}")
    must(read["whole"] + read["lost"] == count, f"{kinds}: {read}")
    if not losing:
        must(read["lost"] == 0, f"{kinds}: lost {read['lost']}: {read['text']}")
        wrong = {name for name in reasons if name not in ("armed", "probing")}
        must(not wrong, f"{kinds}: {reasons}")
    client("release", 0)
    w.wait("operations_open", 0, at_most=True, timeout=20)
    client("close", 0)
    w.wait("sessions_open", 0, at_most=True, timeout=20)
    must(taken > 0, f"{kinds}: no probe met the fault")
    # Times are the warehouse's; a probe and a close may arrive in one moment.
    for op in w.operations():
        last, closed = op["probes"]["last"], op["closed_at"]
        must(not (last and closed and last > closed + 0.5), f"{kinds}: probe after close: {op}")
    w.reset()
    return {"probes": taken, "lost": read["lost"]}


def faults(soak: Soak) -> dict:
    seeds = 3 if soak.short else 16
    with Warehouse(no_samples=True) as w:
        singles = of_probes(w)
    chosen = singles[:: max(1, len(singles) // 6)] if soak.short else singles
    cases: list[tuple[list[str], int]] = [([kind], 0) for kind in chosen]
    for seed in range(1, seeds + 1):
        pool = [kind for kind in singles if kind not in LOSING]
        cases.append((random.Random(seed).sample(pool, 3), seed))
    lanes = 3

    def lane(number: int) -> list[dict]:
        with soak.both() as (w, client):
            seen = [fault_case(w, client, *case) for case in cases[number::lanes]]
            must(silent(w), "probes after the end")
            client.end()
        return seen

    with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
        seen = [case for done in pool.map(lane, range(lanes)) for case in done]
    return {"singly": len(chosen), "three_at_random": seeds, "results_each": 100,
            "faulty_probes": sum(case["probes"] for case in seen),
            "lost_by_the_server": sum(case["lost"] for case in seen)}  # fmt: skip


def frozen(soak: Soak) -> dict:
    seconds = 4 if soak.short else 10
    options: dict = {"no_samples": True, "idle_operation_seconds": 30, "sweep_seconds": 1}
    with Warehouse(**options) as a, Warehouse(**options) as b, soak.client(log="info") as client:
        # What is slow of B's is this machine, so it has its time.
        for number, w, limit in ((0, a, 1), (1, b, 10)):
            client.database(number, w, heartbeat__request_timeout_seconds=limit)
            client.open(number, 50)
        until("probes", lambda: probes_of(a) and probes_of(b), 20)
        before = probes_of(b)
        a.freeze()
        time.sleep(seconds)
        during = probes_of(b) - before
        a.thaw()
        until("the gate opens", lambda: any("opened" in line for line in client.stderr), 20)
        began = time.monotonic()
        opened = client("statistics", 0)
        time.sleep(0.9)
        after = client("statistics", 0)["probes_sent"] - opened["probes_sent"]
        intervals = int(time.monotonic() - began) + 1
        numbers = [client("statistics", number) for number in (0, 1)]
        read = [client("rest", number) for number in (0, 1)]
        kept = [line for line in client.stderr if "gate of" in line]
        client.away(0), client.away(1)
        client.end()
        evictions = a.stats()["evictions"] + b.stats()["evictions"]
    must(during >= 50 * (1 if soak.short else seconds - 2), f"B had {during} probes in {seconds} s")
    must(numbers[1]["gates_closed"] == 0 and numbers[1]["probes_failed"] == 0, f"B: {numbers[1]}")
    must(read[0]["whole"] == read[1]["whole"] == 50, f"read {read}")
    changes = [("closed" if "closed" in line else "opened") for line in kept]
    must(changes == ["closed", "opened"], f"log: {kept}")
    must(after <= 50 * intervals, f"{after} probes of 50 results of A in {intervals} intervals")
    return {"frozen_seconds": seconds, "probes_of_b": during, "probes_of_a_after": after,
            "gate_lines": len(kept), "evictions": evictions}  # fmt: skip


def balancer(soak: Soak) -> dict:
    seconds = 6 if soak.short else 30
    with soak.both() as (w, client):
        client.database(0, w)
        client.open(0, 100)
        fault = w.fault("unknown_handle", where="probe",
                        when={"probability": 0.02, "seed": 5}, times=0)  # fmt: skip
        time.sleep(seconds)
        taken = w.fault_taken(fault)
        reasons = client("reasons", 0)
        read = client("rest", 0)
        client.away(0)
        client.end()
    must(taken > 0, "no probe met the fault")
    must(set(reasons) <= {"armed", "probing"}, f"{reasons}")
    must(read["whole"] == 100, f"read {read}")
    return {"results": 100, "mistakes": taken, "lost": read["lost"]}


def restarted(soak: Soak) -> dict:
    with soak.both() as (w, client):
        client.database(0, w)
        client.open(0, 100)
        until("probes", lambda: probes_of(w) >= 100, 30)
        w.restart()
        until("all stopped", lambda: client("statistics", 0)["armed"] == 0, 20)
        reasons = client("reasons", 0)
        quiet = until("no more probes", lambda: silent(w), 15)
        read = client("rest", 0)
        client.away(0)
        client.end()
    must(reasons == {"stopped handle_lost": 100}, f"{reasons}")
    must(quiet, "probes after the loss")
    # A page that was fetched ahead is read; then comes the error.
    must(read["lost"] == 100, f"read {read}")
    return {"results": 100, "error": read["text"][:160]}


def abandoned(soak: Soak) -> dict:
    count = 200 if soak.short else 1000
    with soak.both() as (w, client):
        client.database(0, w, heartbeat__max_idle_seconds=10)
        client.open(0, count)
        w.wait("closed", count, timeout=40)
        reasons = client("reasons", 0)
        read = client("rest", 0)
        client.away(0)
        client.end()
    must(reasons == {"stopped abandoned": count}, f"{reasons}")
    must(read["lost"] == count and "abandoned" in read["text"], f"read {read}")
    return {"results": count, "closed": count, "error": read["text"][:160]}


def forked(soak: Soak) -> dict:
    with soak.both() as (w, client):
        client.database(0, w)
        client.open(0, 20)
        until("probes", lambda: probes_of(w) >= 20, 30)
        found = {what: client("fork", 0, what)["status"] for what in ("exit", "use", "own", "exec")}
        must(all(status == 0 for status in found.values()), f"{found}")
        read = client("rest", 0)
        sent = client("statistics", 0)["probes_sent"]
        # One that was dropped on its way may not have come; one too many is a child's.
        must(probes_of(w) <= sent, f"{probes_of(w)} probes came, the parent sent {sent}")
        client.away(0)
        client.end()
    must(read["whole"] == 20, f"read {read}")
    return {"children": len(found), "parent_read": read["whole"], "probes": sent}


def exits(soak: Soak) -> dict:
    with soak.both() as (w, client):
        client.database(0, w)
        client.open(0, 100)
        until("probes", lambda: probes_of(w) >= 100, 30)
        assert client.process.stdin is not None
        began = time.monotonic()
        client.process.stdin.write("exit\n")
        status = client.process.wait(30)
        took = time.monotonic() - began
        # What it had sent may still be under way in the warehouse.
        quiet = until("no more probes", lambda: silent(w, 2), 15)
    must(status == 0, f"status {status}: {client.stderr[-3:]}")
    must(took <= (8 if soak.short else 2), f"took {took:.1f} s")
    must(quiet, "probes after the exit")
    return {"results": 100, "status": status, "ms": int(took * 1000)}


#: name, stage, function. The rows of a stage run side by side.
ROWS: list[tuple[str, int, Callable[[Soak], Any]]] = [
    ("virtual time", 1, virtual),
    ("faults on probes", 1, faults),
    ("one warehouse frozen, one healthy", 2, frozen),
    ("a balancer's mistake", 2, balancer),
    ("server restarted", 2, restarted),
    ("abandoned unread", 2, abandoned),
    ("fork in a slow read", 2, forked),
    ("exit with results open", 2, exits),
    ("cloud fetch, a slow reader", 2, slow_cloud_fetch),
    ("many real results kept", 3, many_kept),
    ("the same without heartbeat", 4, many_lost),
]


def run_row(soak: Soak, name: str, row: Callable[[Soak], Any]) -> list[tuple]:
    began = time.monotonic()
    try:
        found = row(soak)
    except Exception as error:  # noqa: BLE001: whatever it is, the table says so
        found = [(name, False, {"why": f"{type(error).__name__}: {error}"[:600]})]
    took = time.monotonic() - began
    if isinstance(found, dict):
        found = [(name, True, found)]
    return [(title, holds, figures, took) for title, holds, figures in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("rows", nargs="*", metavar="ROW")
    asked = parser.parse_args()
    unknown = set(asked.rows) - {name for name, _, _ in ROWS}
    if unknown:
        parser.error(f"no such row: {sorted(unknown)}; there are {[name for name, _, _ in ROWS]}")
    soak = Soak(asked.build.resolve(), asked.short)
    rows = [row for row in ROWS if not asked.rows or row[0] in asked.rows]
    began, bad, total = time.monotonic(), 0, 0
    stages = [0] if soak.short else sorted({stage for _, stage, _ in rows})
    for stage in stages:
        here = [(name, row) for name, at, row in rows if soak.short or at == stage]
        with concurrent.futures.ThreadPoolExecutor(4 if soak.short else len(here)) as pool:
            for found in pool.map(lambda item: run_row(soak, *item), here):
                for title, holds, figures, took in found:
                    total += 1
                    bad += not holds
                    print(f"{'ok  ' if holds else 'FAIL'} {title} ({took:.0f} s)")
                    for key, value in figures.items():
                        print(f"       {key}: {value}")
                    sys.stdout.flush()
    print(f"{total} rows, {bad} do not hold, {time.monotonic() - began:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
