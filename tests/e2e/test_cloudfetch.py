# SPDX-License-Identifier: Apache-2.0
"""Results in files of a store: right rows in order, or a clear error, whatever befalls links,
downloads and the files themselves; and nothing left behind."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from harness import (
    DEADLINES,
    OFF,
    AdbcStatement,
    Error,
    Read,
    Task,
    Warehouse,
    connected,
    execute,
    fails,
    heartbeat,
    nothing_left,
    python,
    run,
    threads,
    until,
    within,
)
from warehouse.server.kinds import list_kinds

KINDS: dict[str, dict] = list_kinds()
ROWS = 20_000
QUERY = f"SELECT id, CAST(id AS STRING) AS s FROM range({ROWS})"
RIGHT = list(range(ROWS))
SHORT = {
    "databricks.connect_timeout_seconds": "2",
    "databricks.request_timeout_seconds": "2",
    "databricks.retry_timeout_seconds": "2",
    "databricks.close_timeout_seconds": "1",
    "databricks.query_timeout_seconds": "20",
}
#: Ten files or so, four links in a page.
FILES = {"cloud_fetch_bytes": 0, "cloud_fetch_file_bytes": 60_000, "cloud_fetch_page_files": 4}
WATCHDOG_SECONDS = 40
SIGNED = re.compile(r"signature|token=|[?&]sig|expires=", re.IGNORECASE)


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with Warehouse(no_samples=True, **FILES) as w:
        # Only faults are to run into a deadline, and those have SHORT or DEADLINES.
        w.deadlines = {**DEADLINES, "databricks.request_timeout_seconds": "20"}
        yield w


@pytest.fixture
def w(shared: Warehouse) -> Iterator[Warehouse]:
    shared.reset(sessions=True)
    before = shared.call("GET", "/settings")
    yield shared
    shared.clear_faults()
    changed = ("link_life_seconds", "clock_skew_seconds", "cloud_fetch_inline_rows",
               "cloud_fetch_page_files", "cloud_fetch_file_bytes")  # fmt: skip
    shared.settings(**{name: before[name] for name in changed})


def rows(read: Read, first: int = 0) -> list[int]:
    """What is left of it. An error comes behind rows that are right as far as they go; first
    is the next one's number."""
    found: list[int] = []
    try:
        while not read.over:
            found += read.batch()
    except Error:
        assert found == RIGHT[first : first + len(found)], "rows before the error"
        raise
    return found


def read_all(w: Warehouse, *options: dict[str, str]) -> list[int]:
    with connected(w, SHORT, OFF, *options) as conn, run(conn, QUERY) as read:
        return rows(read)


def count(read: Read, name: str) -> int:
    return read.stmt.get_option_int(f"databricks.cloudfetch.{name}")


def is_clear(error: Error) -> None:
    text = str(error)
    assert not SIGNED.search(text), text
    assert error.sqlstate != "HY000", text


def right_or_clear(w: Warehouse, *options: dict[str, str], read=read_all) -> list[int] | Error:
    task = Task(read, w, *options)
    task.ended(WATCHDOG_SECONDS)
    if task.error is None:
        assert task.result(0) == RIGHT
        return RIGHT
    assert isinstance(task.error, Error), repr(task.error)
    is_clear(task.error)
    return task.error


# --- what it is ------------------------------------------------------------------------------


def test_rows_come_from_files(w: Warehouse) -> None:
    with nothing_left(), connected(w) as conn:
        with run(conn, QUERY) as read:
            assert rows(read) == RIGHT
            files = len(w.files())
            assert files > FILES["cloud_fetch_page_files"]
            assert count(read, "files") == count(read, "files_delivered") == files
            assert count(read, "rows_delivered") == ROWS
            assert count(read, "in_flight") == 0
            assert count(read, "bytes_received") == w.stats()["storage"]["bytes_out"]
            assert read.option("state") == "stopped"
        assert conn.get_option_int("databricks.cloudfetch.rows_delivered") == ROWS
        assert w.stats()["storage"]["answers"] == {"200": files}


@pytest.mark.parametrize(
    "options",
    [
        {"databricks.cloudfetch.enabled": "false"},
        {"use_cloud_fetch": "false"},
        {"EnableQueryResultDownload": "0"},
        {"databricks.arrow": "off"},
    ],
    ids=str,
)
def test_switched_off(w: Warehouse, options: dict[str, str]) -> None:
    with connected(w, OFF, options) as conn, run(conn, QUERY) as read:
        assert rows(read) == RIGHT
    assert w.stats()["storage"]["requests"] == 0


def test_rows_before_the_links(w: Warehouse) -> None:
    w.settings(cloud_fetch_inline_rows=1000)
    with connected(w) as conn, run(conn, QUERY) as read:
        assert rows(read) == RIGHT
        assert 0 < count(read, "rows_delivered") < ROWS


@pytest.mark.parametrize("options", [{}, {"databricks.prefetch_pages": "0"}], ids=str)
def test_a_reader_who_takes_his_time(w: Warehouse, options: dict[str, str]) -> None:
    """The operation lives while a link may need renewal; a heartbeat keeps it."""
    w.settings(link_life_seconds=2)
    small = {"databricks.memory_budget_bytes": "100000"}
    with connected(w, small, heartbeat(1)) as conn, run(conn, QUERY, options) as read:
        found = read.batch()
        w.wait("probe", 1, timeout=10)
        assert len(w.operations(open_only=True)) == 1
        time.sleep(2.5)  # every link that was given out is dead
        assert found + rows(read) == RIGHT
        assert count(read, "renewals") > 0
        until("the end", lambda: not w.operations(open_only=True))
        assert read.option("state") == "stopped"


def test_the_end_of_the_operation(w: Warehouse) -> None:
    """With the last file here nothing is needed of the server any more."""
    w.settings(cloud_fetch_page_files=100)
    with connected(w, heartbeat(1)) as conn, run(conn, QUERY) as read:
        until("all is here", lambda: not w.operations(open_only=True))
        assert read.option("reason") == "all_local"
        assert rows(read) == RIGHT


def test_links_that_live_for_three_seconds(w: Warehouse) -> None:
    w.settings(link_life_seconds=3)
    options = {"databricks.cloudfetch.parallel_downloads": "1", "databricks.prefetch_pages": "0"}
    with connected(w) as conn, run(conn, QUERY, options) as read:
        found = []
        while not read.over:
            found += read.batch()
            time.sleep(0.9)
        assert found == RIGHT
        assert count(read, "renewals") > 0
    # Renewed in time, never after a refusal.
    assert set(w.stats()["storage"]["answers"]) == {"200"}


@pytest.mark.parametrize("seconds", [-7200, 7200])
def test_the_servers_clock_counts(w: Warehouse, seconds: int) -> None:
    w.settings(clock_skew_seconds=seconds)
    with connected(w) as conn, run(conn, QUERY) as read:
        assert rows(read) == RIGHT
        assert count(read, "renewals") == 0
    assert set(w.stats()["storage"]["answers"]) == {"200"}


# --- faults ----------------------------------------------------------------------------------

#: Parameters that let a fault show within the deadlines.
PARAMETERS: dict[str, dict] = {
    "delay": {"ms": 300},
    "drip": {"bytes": 4000, "ms": 20},
    "read_then_close": {"reused": False},
}


def at_storage(kind: str, number: int | None = 2) -> tuple[dict, dict]:
    do = {"kind": kind, **PARAMETERS.get(kind, {})}
    if kind == "close_connection":
        return do, {"connection": True, "storage": "*"}
    return do, {"storage": "GET"} | ({} if number is None else {"file": number})


STORAGE = [kind for kind, known in KINDS.items() if known["storage"]]
LINKS = [kind for kind, known in KINDS.items() if known["links"]]
#: These only show when a download is gone on with.
ON_RESUME = ("range_ignored", "wrong_content_range")
#: What one bad answer of a store does not survive: the file itself is another.
FATAL_LINKS = ("missing_link", "duplicate_link", "link_gap", "link_row_count", "no_links")


@pytest.mark.parametrize("kind", STORAGE)
def test_a_fault_of_the_store(w: Warehouse, kind: str) -> None:
    """Once: it is mended. For good: an error that names the file."""
    do, where = at_storage(kind)
    w.fault(do, where=where)
    if kind in ON_RESUME:
        w.fault({"kind": "truncate", "bytes": 3000}, where=where)
    with nothing_left():
        outcome = right_or_clear(w)
    # Rows of a file of another length are out by the time that it shows.
    assert outcome is RIGHT or kind in ("file_short", "file_no_end"), outcome
    until("the operation ends", lambda: not w.operations(open_only=True))


#: For good, these are no harm.
HARMLESS = ("delay", "drip", "file_long", "range_ignored", "no_ranges", "wrong_content_range",
            "file_no_end")  # fmt: skip


@pytest.mark.parametrize("kind", STORAGE)
def test_a_store_that_stays_so(w: Warehouse, kind: str) -> None:
    do, where = at_storage(kind)
    w.fault(do, where=where, times=0)
    with nothing_left():
        outcome = right_or_clear(w, {"databricks.cloudfetch.fallback": "off"})
    if isinstance(outcome, Error):
        file = 0 if kind == "close_connection" else 2
        assert f"file {file} of the result (rows " in str(outcome), outcome
    else:
        assert kind in HARMLESS or kind == "file_changed"  # of renewed links alone
    until("the operation ends", lambda: not w.operations(open_only=True))


@pytest.mark.parametrize("when", [1, 2])
@pytest.mark.parametrize("kind", LINKS)
def test_a_fault_of_links(w: Warehouse, kind: str, when: int) -> None:
    w.fault({"kind": kind}, where="links", when=when)
    with nothing_left():
        outcome = right_or_clear(w)
    if outcome is not RIGHT:
        # Rows are out when the second page is met, so nothing is executed again.
        assert kind in FATAL_LINKS or (kind, when) == ("unreachable", 2), outcome
    until("the operation ends", lambda: not w.operations(open_only=True))


#: For good, these are no harm; link_changed is of renewed links alone.
HARMLESS_LINKS = ("links_out_of_order", "link_bytes", "link_zero_rows", "link_expiry",
                  "link_changed")  # fmt: skip


@pytest.mark.parametrize("kind", LINKS)
def test_links_that_stay_so(w: Warehouse, kind: str) -> None:
    w.fault({"kind": kind}, where="links", times=0)
    with nothing_left():
        outcome = right_or_clear(w, {"databricks.cloudfetch.fallback": "off"})
    assert (outcome is RIGHT) == (kind in HARMLESS_LINKS), outcome
    until("the operation ends", lambda: not w.operations(open_only=True))


def test_every_fault_has_a_test(w: Warehouse) -> None:
    listed = w.fault_kinds()
    assert STORAGE == [kind for kind, known in listed.items() if known["storage"]]
    assert LINKS == [kind for kind, known in listed.items() if known["links"]]


@pytest.mark.parametrize("first", ["truncate", "reset", "wrong_length"])
def test_a_download_goes_on_where_it_ended(w: Warehouse, first: str) -> None:
    bytes_ = {"delta": 10} if first == "wrong_length" else {"bytes": 5000}
    w.fault({"kind": first, **bytes_}, where={"storage": "GET", "file": 1})
    with connected(w, SHORT) as conn, run(conn, QUERY) as read:
        assert rows(read) == RIGHT
        assert count(read, "retries") >= 1
        if first != "wrong_length":
            assert count(read, "resumed_bytes") > 0
            assert w.stats()["storage"]["ranges"] == 1


def test_a_file_that_changes(w: Warehouse) -> None:
    """Its rows are out, then the link is refused, and another file comes."""
    w.fault({"kind": "truncate", "bytes": 5000}, where={"storage": "GET", "file": 1})
    w.fault("expired_link", where={"storage": "GET", "file": 1}, when=2)
    w.fault("file_changed", where={"storage": "GET", "file": 1}, times=0)
    error = fails(WATCHDOG_SECONDS, read_all, w)
    assert "file 1 of the result" in str(error)
    is_clear(error)


def test_a_renewed_link_of_other_rows(w: Warehouse) -> None:
    w.fault("expired_link", where={"storage": "GET", "file": 1})
    w.fault("link_changed", where="links", times=0)
    error = fails(WATCHDOG_SECONDS, read_all, w)
    assert "the result has changed on the server" in str(error)


def test_a_lost_operation(w: Warehouse) -> None:
    w.fault("expired_link", where={"storage": "GET", "file": 1})
    options = {"databricks.prefetch_pages": "0"}
    with connected(w, SHORT, OFF) as conn, run(conn, QUERY, options) as read:
        read.batch()
        w.fault("close_operation", where="FetchResults")
        error = fails(WATCHDOG_SECONDS, rows_after_first, read)
    assert error.sqlstate == "24000"


def rows_after_first(read: Read) -> None:
    while not read.over:
        read.batch()


#: The short form; `make seeds` sets 200.
SEEDS = int(os.environ.get("LAKEBEAT_SEEDS", "6"))
BUDGET = 100_000
AT_RANDOM = {
    "databricks.memory_budget_bytes": str(BUDGET),
    "databricks.connect_timeout_seconds": "1",
    "databricks.request_timeout_seconds": "1",
    "databricks.retry_timeout_seconds": "1",
}


def read_within_the_budget(w: Warehouse) -> list[int]:
    """Reads all; checks that neither what is held for the reader nor the budget's own count was
    ever beyond its bound, and that nothing is held at the end."""
    with connected(w, SHORT, OFF, AT_RANDOM) as conn:

        def number(name: str) -> int:
            return conn.get_option_int(f"databricks.{name}")

        try:
            with run(conn, QUERY) as read:
                found = read.batch()
                time.sleep(0.2)  # the reader's pause, in which no more may come than is allowed
                return found + rows(read, len(found))
        finally:
            until("nothing is under way", lambda: number("cloudfetch.in_flight") == 0)
            until("nothing is held", lambda: number("cloudfetch.held_bytes") == 0)
            until("nothing is charged", lambda: number("memory_budget.used_bytes") == 0)
            assert number("memory_budget.peak_bytes") <= BUDGET
            # Of links that lie about it the driver cannot know what they will cost.
            lied = any(f["do"]["kind"] == "link_bytes" and f["taken"] for f in w.faults())
            file = max((file["bytes"] for file in w.files()), default=0)
            peak = number("cloudfetch.held_peak_bytes")
            # Beyond the budget one file, compressed (at most as it is, and frames) and raw.
            assert lied or peak <= BUDGET + 2 * file + 1000, peak


# 35 and 41: a file comes anew in other batches, after rows of it are out.
@pytest.mark.parametrize("seed", sorted({*range(SEEDS), 35, 41}))
def test_three_faults_at_random(w: Warehouse, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(3):
        place = chance.choice(["storage", "storage", "links"])
        kind = chance.choice(STORAGE if place == "storage" else LINKS)
        when = chance.choice([1, 2, {"every": 3}, {"probability": 0.2, "seed": seed}])
        if kind == "file_changed":
            continue  # another file from its first byte on cannot be told from the right one
        do, where = at_storage(kind, None)
        target: Any = where if place == "storage" else "links"
        w.fault(do, where=target, when=when, times=chance.choice([1, 2, 4]))
    with nothing_left():
        right_or_clear(w, read=read_within_the_budget)
    until("the operation ends", lambda: not w.operations(open_only=True))


# --- no way to the store ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["port", "tls"])
def test_no_way_to_the_store(w: Warehouse, how: str) -> None:
    """A query is executed once more, for rows from the server, and the log says so."""
    w.fault({"kind": "unreachable", "how": how}, where="links", times=0)
    code = (
        "import sys; from harness import *\n"
        "class W: uri, token, personality, ca_file = *sys.argv[1:3], 'databricks', None\n"
        "with connected(W) as conn, run(conn, sys.argv[3]) as read:\n"
        "    print(read.rest() == list(range(int(sys.argv[4]))))\n"
    )
    done = python(code, w.uri, w.token, QUERY, ROWS, LAKEBEAT_LOG="warn")
    assert done.stdout == "True\n", done.stderr
    assert "is executed once more" in done.stderr
    assert "databricks.cloudfetch.enabled=false" in done.stderr
    assert not SIGNED.search(done.stderr)
    assert sum(r.get("rpc") == "ExecuteStatement" for r in w.requests()) == 2


def test_a_store_without_tls(w: Warehouse) -> None:
    """Only what is on this machine is asked in the clear."""
    w.fault({"kind": "unreachable", "how": "name"}, where="links", times=0)
    error = fails(WATCHDOG_SECONDS, read_all, w)
    assert "without TLS for the store storage.invalid" in str(error)
    is_clear(error)


def test_no_way_and_no_fallback(w: Warehouse) -> None:
    w.fault("unreachable", where="links", times=0)
    off = {"databricks.cloudfetch.fallback": "off"}
    error = fails(WATCHDOG_SECONDS, read_all, w, off)
    assert "databricks.cloudfetch.enabled=false" in str(error)
    is_clear(error)
    assert sum(r.get("rpc") == "ExecuteStatement" for r in w.requests()) == 1


# --- cancel, close, abandon ------------------------------------------------------------------

STAGES: dict[str, dict | None] = {
    "the first file hangs": {"do": "hang", "where": {"storage": "GET", "file": 0}},
    "a later file hangs": {"do": "hang", "where": {"storage": "GET", "file": 3}},
    "the links hang": {"do": "hang", "where": "FetchResults"},
    "a file waits for its next try": {
        "do": {"kind": "status", "code": 503, "retry_after": 30},
        "where": {"storage": "GET", "file": 1},
    },
    "nothing is wrong": None,
}


@pytest.mark.parametrize("way", ["cancel", "close"])
@pytest.mark.parametrize("stage", STAGES)
def test_an_early_end(w: Warehouse, stage: str, way: str) -> None:
    fault = STAGES[stage]
    if stage == "the links hang":
        w.settings(cloud_fetch_page_files=2)  # so few that more are asked for at once
    if fault:
        w.fault(fault["do"], where=fault["where"], times=0)
    with nothing_left(), connected(w, DEADLINES, OFF) as conn:
        read = run(conn, QUERY)
        task = Task(rows, read) if way == "cancel" and fault else None
        if fault:
            until("it is met", lambda: any(one["taken"] for one in w.faults()))
        if task:
            read.stmt.cancel()
            assert task.failure(5).sqlstate == "HY008"
        within(5, read.close)
    until("the operation ends", lambda: not w.operations(open_only=True))


def cancel(read: Read) -> None:
    try:
        read.stmt.cancel()
    except Error as error:  # it has been read to its end
        assert error.status_code == AdbcStatusCode.INVALID_STATE


def test_early_ends_leave_no_session(w: Warehouse) -> None:
    """A worker that still decodes for a result keeps nothing open on the server."""
    w.settings(cloud_fetch_file_bytes=20_000_000)
    text = "concat('abcdefghijklmnopqrstuvwxyz', CAST(id AS STRING))"
    for _ in range(6):
        with connected(w, OFF) as conn:
            with run(conn, f"SELECT id, {text} AS s FROM range(0, 2000000, 1, 1)") as read:
                read.batch()
        until("the session ends", lambda: not w.sessions())


def test_cancel_while_bytes_come(w: Warehouse) -> None:
    """What arrives after the cancel, in the same round of the loop, has nowhere to go."""
    large = "SELECT id, id * 7 AS a, CAST(id AS DOUBLE) / 3 AS b FROM range(0, 500000, 1, 1)"
    with nothing_left(), connected(w) as conn:
        for n in range(100):
            read, sent = run(conn, large), w.stats()["storage"]["bytes_out"]
            task = Task(rows, read)
            sent += n % 8 * 100_000  # not always at the same byte
            until("bytes come", lambda: w.stats()["storage"]["bytes_out"] > sent)
            cancel(read)
            task.ended(5)
            read.close()


# --- many ------------------------------------------------------------------------------------


def test_two_read_in_turn(w: Warehouse) -> None:
    small = {"databricks.memory_budget_bytes": "50000"}
    with connected(w, small) as conn, run(conn, QUERY) as one, run(conn, QUERY) as two:
        found: list[list[int]] = [[], []]
        while not (one.over and two.over):
            for read, rows_of in zip((one, two), found):
                if not read.over:
                    rows_of += read.batch()
        assert found == [RIGHT, RIGHT]


def test_one_is_left_unread(w: Warehouse) -> None:
    with connected(w, {"databricks.memory_budget_bytes": "200000"}) as conn:
        with run(conn, QUERY) as left, run(conn, QUERY) as read:
            assert rows(read) == RIGHT
            del left


def test_sixty_four_in_as_many_threads(w: Warehouse) -> None:
    with connected(w) as conn:
        with run(conn, QUERY) as read:
            assert rows(read) == RIGHT
        before = {name for name in threads().values() if name.startswith("lakebeat")}
        count_before = sum(name.startswith("lakebeat") for name in threads().values())

        def one() -> bool:
            stmt = AdbcStatement(conn)
            with execute(stmt, QUERY) as read:
                return rows(read) == RIGHT

        tasks = [Task(one) for _ in range(64)]
        assert all(task.result(120) for task in tasks)
        count_after = sum(name.startswith("lakebeat") for name in threads().values())
        assert before and count_after == count_before


# --- what is counted -------------------------------------------------------------------------


def budget(read: Read, name: str) -> int:
    return read.stmt.get_option_int(f"databricks.memory_budget.{name}")


def test_what_is_delivered_is_counted(w: Warehouse) -> None:
    with connected(w) as conn, run(conn, QUERY) as read:
        seen = Task(rows, read)
        while seen.running:  # from this thread, while the other one reads
            found = [count(read, name) for name in ("rows_delivered", "rows")]
            assert 0 <= found[0] <= found[1] <= ROWS
            assert float(read.stmt.get_option("adbc.statement.exec.progress")) == 1
        assert seen.result(0) == RIGHT
        assert count(read, "rows") == count(read, "rows_delivered") == ROWS
        assert count(read, "bytes_delivered") == sum(file["bytes"] for file in w.files())
        assert count(read, "held_bytes") == 0
        most = max(file["bytes"] for file in w.files())
        assert most <= count(read, "held_peak_bytes") <= 2 * count(read, "bytes_delivered")
        assert budget(read, "limit_bytes") == 64 << 20
        until("nothing is charged", lambda: budget(read, "used_bytes") == 0)
        assert budget(read, "peak_bytes") > 0
        for name in ("files", "bytes_delivered", "held_peak_bytes", "stalls_network_ms"):
            assert conn.get_option_int(f"databricks.cloudfetch.{name}") == count(read, name)


def test_waits_by_their_cause(w: Warehouse) -> None:
    """A store that is slow; then a reader that is, whose budget does not hold two files."""
    w.fault({"kind": "delay", "ms": 300}, where={"storage": "GET"}, times=0)
    one = {"databricks.cloudfetch.parallel_downloads": "1"}
    with connected(w, one) as conn, run(conn, QUERY) as read:
        assert rows(read) == RIGHT
        files = count(read, "files")
        assert 1 <= count(read, "stalls_network")
        # The store holds each file back, one at a time; a busy machine may wait less.
        assert count(read, "stalls_network_ms") >= 100 * files
        assert count(read, "stalls_consumer") == count(read, "stalls_consumer_ms") == 0
    w.clear_faults()
    with connected(w, {"databricks.memory_budget_bytes": "130000"}) as conn:
        with run(conn, QUERY) as read:
            found = read.batch()
            until("it is held back", lambda: count(read, "stalls_consumer") > 0)
            time.sleep(0.3)  # the reader's pause, whose length is what is counted
            assert found + rows(read) == RIGHT
            until("it was let go", lambda: count(read, "stalls_consumer_ms") >= 250)
            assert budget(read, "peak_bytes") <= budget(read, "limit_bytes") == 130000


def test_what_is_counted_cannot_be_set(w: Warehouse) -> None:
    with connected(w) as conn, AdbcStatement(conn) as stmt:
        for name in ("cloudfetch.held_bytes", "memory_budget.peak_bytes"):
            assert stmt.get_option_int(f"databricks.{name}") == 0
            with pytest.raises(Error, match="can be read, not set"):
                stmt.set_options(**{f"databricks.{name}": "1"})


# --- secrets ---------------------------------------------------------------------------------


def test_no_url_in_the_log(w: Warehouse) -> None:
    w.fault("expired_link", where={"storage": "GET", "file": 1})
    w.fault({"kind": "truncate", "bytes": 3000}, where={"storage": "GET", "file": 2})
    code = (
        "import sys; from harness import *\n"
        "class W: uri, token, personality, ca_file = *sys.argv[1:3], 'databricks', None\n"
        "with connected(W) as conn, run(conn, sys.argv[3]) as read:\n"
        "    print(len(read.rest()))\n"
    )
    done = python(code, w.uri, w.token, QUERY, LAKEBEAT_LOG="debug")
    assert done.stdout == f"{ROWS}\n", done.stderr
    assert "again in" in done.stderr
    assert not SIGNED.search(done.stderr)
