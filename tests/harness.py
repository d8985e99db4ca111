# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: the driver through its driver manager, the warehouse, and
what the operating system says of this process.

    with Warehouse() as w, connected(w, interval=1) as conn:
        read = run(conn, "SELECT id FROM range(60)")
        assert read.rows(10) == list(range(10))

Deadlines are short here (seconds), so that a driver that misses one is caught within a test.
"""

from __future__ import annotations

import collections
import contextlib
import gc
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import pyarrow as pa  # noqa: E402
import adbc_driver_manager as manager  # noqa: E402
from adbc_driver_manager import AdbcStatusCode, Error  # noqa: E402
from adbc_driver_manager._reader import AdbcRecordBatchReader  # noqa: E402

from warehouse.testing import Control, ControlError, Warehouse  # noqa: E402, F401

BUILD = pathlib.Path(os.environ.get("LAKEBEAT_BUILD_DIR", ROOT / "build" / "release"))
DRIVER = os.environ.get("LAKEBEAT_DRIVER", str(BUILD / "libadbc_driver_lakebeat.so"))

#: Rows in pages of ten: most of a result of sixty stays on the server.
PAGED = {"databricks.max_rows_per_fetch": "10"}
DEADLINES = {
    "databricks.connect_timeout_seconds": "2",
    "databricks.request_timeout_seconds": "3",
    "databricks.retry_timeout_seconds": "3",
    "databricks.close_timeout_seconds": "1",
}
HEARTBEAT_KEYS = (
    "state", "reason", "armed", "oldest_idle_ms", "probes_sent", "probes_succeeded",
    "probes_failed", "probes_dropped", "postponed", "bytes", "late_max_ms", "since_contact_ms",
    "gates_closed",
)  # fmt: skip
LOST = AdbcStatusCode.IO

# --- handles ---------------------------------------------------------------------------------

#: Everything that was opened and may still be, in order; release_what_is_open() uses it.
opened: list[Any] = []


class AdbcDatabase(manager.AdbcDatabase):
    def __init__(self, **options: str) -> None:
        super().__init__(**options)
        opened.append(self)


class AdbcConnection(manager.AdbcConnection):
    def __init__(self, db: AdbcDatabase) -> None:
        super().__init__(db)
        opened.append(self)


class AdbcStatement(manager.AdbcStatement):
    def __init__(self, conn: AdbcConnection) -> None:
        super().__init__(conn)
        opened.append(self)


def release_what_is_open() -> None:
    """After a test that has failed. Its calls on other threads are ended first: the interface
    wants that, and a crash would hide why it failed."""
    if busy := [task for task in Task.all if task.running]:
        for handle in opened:
            if isinstance(handle, AdbcStatement):
                with contextlib.suppress(Error):
                    handle.cancel()
        for task in busy:
            task.thread.join(3)
    while opened:
        with contextlib.suppress(Error, RuntimeError):
            opened.pop().close()
    Task.all.clear()


# --- connecting ------------------------------------------------------------------------------


def login(w: Warehouse) -> dict[str, str]:
    """Where the warehouse is and how to sign in, as database options."""
    found = {"uri": w.uri}
    if w.personality == "databricks":
        found["databricks.access_token"] = w.token
    else:
        found.update(username="reader", password="unchecked")
    if w.ca_file:
        found["databricks.tls.ca_file"] = w.ca_file
    return found


def heartbeat(interval: int | None = None, **more: Any) -> dict[str, str]:
    """Heartbeat options by their short names: heartbeat(1, max_idle_seconds=2)."""
    found = {f"databricks.heartbeat.{name}": str(value) for name, value in more.items()}
    if interval is not None:
        found["databricks.heartbeat.interval_seconds"] = str(interval)
    return found


OFF = heartbeat(enabled="false")


def database(w: Warehouse, *options: dict[str, str]) -> AdbcDatabase:
    merged = {**login(w), **getattr(w, "deadlines", DEADLINES)}
    for more in options:
        merged.update(more)
    return AdbcDatabase(driver=DRIVER, **merged)


@contextlib.contextmanager
def connected(w: Warehouse, *options: dict[str, str]) -> Iterator[AdbcConnection]:
    """A connection of a database of its own; both are released at the end."""
    with database(w, *options) as db, AdbcConnection(db) as conn:
        yield conn


# --- statements and streams ------------------------------------------------------------------


class Read:
    """A result that is read step by step. Its statement may be closed meanwhile."""

    def __init__(self, stmt: AdbcStatement, reader: AdbcRecordBatchReader, affected: int):
        self.stmt = stmt
        self.reader = reader
        self.affected = affected
        self.over = False
        self._left: list[Any] = []
        opened.append(self)

    def batch(self) -> list[Any]:
        """The first column of the next batch; empty at the end."""
        if self._left:
            found, self._left = self._left, []
            return found
        # The manager's reader asks the driver what an end of data means, and the manager has
        # freed what it knows of the driver once the database is closed.
        try:
            return self.reader._reader.read_next_batch().column(0).to_pylist()
        except StopIteration:
            self.over = True
            return []
        except Exception as error:
            self.reader._helper.check_error(error)
            raise

    def rows(self, count: int) -> list[Any]:
        """So many values of the first column, fewer only at the end."""
        found: list[Any] = []
        while len(found) < count and not self.over:
            found += self.batch()
        self._left = found[count:] + self._left
        return found[:count]

    def rest(self) -> list[Any]:
        found: list[Any] = []
        while not self.over:
            found += self.batch()
        return found

    def option(self, name: str) -> str:
        return self.stmt.get_option("databricks.heartbeat." + name)

    def number(self, name: str) -> int:
        return self.stmt.get_option_int("databricks.heartbeat." + name)

    @property
    def query_id(self) -> str:
        return self.stmt.get_option("databricks.query_id")

    def release_stream(self) -> None:
        self.reader.close()

    def close(self) -> None:
        self.release_stream()
        self.stmt.close()

    def __enter__(self) -> "Read":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def execute(stmt: AdbcStatement, sql: str | None = None) -> Read:
    if sql is not None:
        stmt.set_sql_query(sql)
    handle, affected = stmt.execute_query()
    return Read(stmt, AdbcRecordBatchReader._import_from_c(handle.address), affected)


def run(conn: AdbcConnection, sql: str, *options: dict[str, str]) -> Read:
    stmt = AdbcStatement(conn)
    try:
        for more in options:
            stmt.set_options(**more)
        return execute(stmt, sql)
    except BaseException:
        stmt.close()
        raise


def update(conn: AdbcConnection, sql: str, *options: dict[str, str]) -> int:
    with AdbcStatement(conn) as stmt:
        for more in options:
            stmt.set_options(**more)
        stmt.set_sql_query(sql)
        return stmt.execute_update()


def value(conn: AdbcConnection, sql: str) -> Any:
    with run(conn, sql) as read:
        return read.rest()[0]


def details(error: Error) -> dict[str, str]:
    return {
        key.decode() if isinstance(key, bytes) else key: data.decode().rstrip("\0")
        for key, data in error.details
    }


def statistics(read: Read) -> dict[str, Any]:
    names = set(HEARTBEAT_KEYS) - {"state", "reason"}
    return {"state": read.option("state"), "reason": read.option("reason")} | {
        name: read.number(name) for name in names
    }


# --- waiting and time ------------------------------------------------------------------------


def until(what: str, check: Callable[[], Any], seconds: float = 20) -> Any:
    """Asks again and again until the answer is true; returns it."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.005)


def held(w: Control, count: int = 1) -> None:
    """So many requests hang, or their replies are held, at the server."""
    until(f"{count} held", lambda: w.stats()["held"] >= count)


class Task:
    """A call on a thread of its own: its result or exception, and how long it took."""

    #: The latest ones, of the test that runs.
    all: collections.deque["Task"] = collections.deque(maxlen=100)

    def __init__(self, call: Callable, *args: Any):
        self._call = (call, args)
        self._result: Any = None
        self.error: BaseException | None = None
        self.seconds = 0.0
        self.thread = threading.Thread(target=self._run, daemon=True)
        Task.all.append(self)
        self.thread.start()

    def _run(self) -> None:
        call, args = self._call
        started = time.monotonic()
        try:
            self._result = call(*args)
        except BaseException as error:  # noqa: BLE001
            self.error = error
        self.seconds = time.monotonic() - started

    @property
    def running(self) -> bool:
        return self.thread.is_alive()

    def ended(self, seconds: float) -> "Task":
        self.thread.join(seconds)
        assert not self.thread.is_alive(), f"the call has not returned within {seconds} s"
        return self

    def result(self, seconds: float) -> Any:
        self.ended(seconds)
        if self.error is not None:
            raise self.error
        return self._result

    def failure(self, seconds: float) -> Error:
        self.ended(seconds)
        assert isinstance(self.error, Error), f"no driver error but {self.error!r}"
        return self.error


def within(seconds: float, call: Callable, *args: Any) -> Any:
    """The call's result; the test fails when it takes longer."""
    return Task(call, *args).result(seconds)


def fails(seconds: float, call: Callable, *args: Any) -> Error:
    """The driver's error of a call that has to fail in time."""
    return Task(call, *args).failure(seconds)


# --- this process, as the operating system sees it -------------------------------------------


def threads() -> dict[str, str]:
    """Name by id."""
    found = {}
    for name in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):
            found[name] = pathlib.Path(f"/proc/self/task/{name}/comm").read_text().strip()
    return found


def peer(descriptor: int) -> str:
    """What a socket is connected with."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        return f"{copy.family.name} {copy.getsockname()} -> {copy.getpeername()}"
    return "not connected"


def descriptors() -> dict[str, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found[name] = os.readlink(f"/proc/self/fd/{name}")
            if found[name].startswith("socket:"):
                found[name] += " " + peer(int(name))
    return found


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """No thread and no descriptor more after the block than before it."""
    gc.collect()  # streams that an earlier test left to it
    threads_before, files_before = threads(), descriptors()
    # An object that lives on keeps the I/O thread and with it a changing set of idle sockets.
    assert "lakebeat-io" not in threads_before.values(), "another connection is open"
    yield

    def left() -> tuple[dict[str, str], dict[str, str]]:
        files = {k: v for k, v in descriptors().items() if files_before.get(k) != v}
        files = {k: v for k, v in files.items() if not v.startswith("/proc/")}
        return {k: v for k, v in threads().items() if k not in threads_before}, files

    # Python's own helper threads end a moment after they are joined.
    deadline = time.monotonic() + 10
    while any(left()):
        assert time.monotonic() < deadline, f"threads, descriptors left: {left()}"
        time.sleep(0.01)


def memory_kib(field: str) -> int:
    """A field of /proc/self/status: VmHWM, VmRSS."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise KeyError(field)


def forget_peak() -> None:
    """VmHWM begins anew: it is what the whole process ever had."""
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")


def python(code: str, *args: Any, timeout: float = 60, **env: str) -> subprocess.CompletedProcess:
    """Runs code, which can `from harness import *`, in a process of its own."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **env},
        capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip


# --- pauses ----------------------------------------------------------------------------------


def pause(w: Warehouse, operations: list[str], minutes: int = 30) -> list[int]:
    """Lets so many minutes of the warehouse's time go by, a minute a step, and waits in each
    step until every one of the operations has had one more probe. Returns how many each had.

    The driver's clock does not move with the warehouse's: with an interval of one second a
    step takes one second.
    """
    before = [w.operation(op)["probes"]["count"] for op in operations]
    seen = list(before)
    for _ in range(minutes):
        w.advance(59)
        for at, op in enumerate(operations):
            seen[at] = w.wait("probe", seen[at] + 1, operation=op, timeout=10)
    return [late - early for late, early in zip(seen, before)]


class Parallel:
    """Several named calls at once; their results or exceptions by name."""

    def __init__(self, calls: dict[str, Callable[[], Any]]):
        self.tasks = {name: Task(call) for name, call in calls.items()}

    def __getitem__(self, name: str) -> Any:
        return self.tasks[name].result(200)


def table_of(read: Read) -> pa.Table:
    return read.reader.read_all()
