# SPDX-License-Identifier: Apache-2.0
"""Sessions and statements: isolation, settings, interruption, streaming, memory."""

import subprocess
import sys
import threading
import time

import pytest

from warehouse.sql import Cancelled, SqlError

from .sql_support import engine, fails, one, rows, run, sess  # noqa: F401


def test_open_session(engine):
    made = engine.open_session(
        "SAMPLES", "tpch", {"TIMEZONE": "Europe/Berlin", "spark.x.y": "1"}
    )
    assert (made.catalog, made.schema, made.timezone) == (
        "samples",
        "tpch",
        "Europe/Berlin",
    )
    assert made.confs["spark.x.y"] == "1"
    assert rows(made, "SELECT count(*) FROM orders") == [(15000,)]
    for args, error in (
        (("nope",), "CATALOG_NOT_FOUND"),
        (("main", "nope"), "SCHEMA_NOT_FOUND"),
        ((None, "nope"), "SCHEMA_NOT_FOUND"),
        ((None, None, {"nope": "1"}), "CONFIG_NOT_AVAILABLE"),
        ((None, None, {"TIMEZONE": "x'y"}), "INVALID_CONF_VALUE.TIME_ZONE"),
    ):
        with pytest.raises(SqlError) as caught:
            engine.open_session(*args)
        assert caught.value.error_class == error


def test_settings(sess):
    assert rows(sess, "SET") == []
    assert rows(sess, "SET use_cached_result = false;") == [
        ("use_cached_result", "false")
    ]
    assert rows(sess, "SET spark.sql.shuffle.partitions=7") == [
        ("spark.sql.shuffle.partitions", "7")
    ]
    assert rows(sess, "SET USE_CACHED_RESULT") == [("USE_CACHED_RESULT", "false")]
    assert rows(sess, "SET TIMEZONE") == [("TIMEZONE", "Etc/UTC")]
    assert rows(sess, "SET spark.nope") == [("spark.nope", "<undefined>")]
    assert (
        rows(sess, "SET spark.sql.session.timeZone = Asia/Tokyo")
        and sess.timezone == "Asia/Tokyo"
    )
    assert rows(sess, "SET") == [
        ("TIMEZONE", "Asia/Tokyo"), ("USE_CACHED_RESULT", "false"), ("spark.sql.shuffle.partitions", "7")]  # fmt: skip
    assert {r[0] for r in rows(sess, "SET -v")} >= {
        "ANSI_MODE",
        "TIMEZONE",
        "STATEMENT_TIMEOUT",
    }
    rows(sess, "RESET TIMEZONE")
    assert sess.timezone == "Etc/UTC"
    rows(sess, "RESET")
    assert sess.confs == {}
    rows(sess, "SET TIME ZONE '+02:00'")
    assert one(sess, "CAST(timestamp_seconds(0) AS STRING)") == "1970-01-01 02:00:00"


def test_overlay_is_for_one_statement(sess):
    made = sess.statement(
        "SELECT current_timezone()", [], {"TIMEZONE": "Asia/Tokyo"}
    ).run()
    assert [b.to_pylist() for b in made.batches] == [
        [{"current_timezone()": "Asia/Tokyo"}]
    ]
    assert one(sess, "current_timezone()") == "Etc/UTC"


def test_sessions_are_apart(engine):
    a, b = engine.open_session(), engine.open_session()
    rows(a, "USE samples.tpch")
    rows(a, "SET TIME ZONE 'Asia/Tokyo'")
    rows(a, "CREATE TEMP VIEW only_a AS SELECT 1 AS x")
    assert (b.catalog, b.schema, b.timezone) == ("main", "default", "Etc/UTC")
    assert fails(b, "SELECT * FROM only_a")[0] == "TABLE_OR_VIEW_NOT_FOUND"
    a.close()
    assert not a.temp_views


def test_fifty_statements_at_once(engine):
    got, start = {}, time.monotonic()

    def work(i):
        mine = engine.open_session(confs={"TIMEZONE": f"Etc/GMT-{i % 12}"})
        got[i] = rows(
            mine,
            f"SELECT sleep_ms(300), {i}, hour(timestamp_seconds(0)), count(*) FROM samples.tpch.orders",
        )

    threads = [threading.Thread(target=work, args=(i,)) for i in range(50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert got == {i: [(300, i, i % 12, 15000)] for i in range(50)}
    assert time.monotonic() - start < 8  # one after the other would take 15 s


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sleep_ms(60000)",
        "SELECT java_method('java.lang.Thread', 'sleep', 60000L)",
        "SELECT sleep_ms(20) FROM range(100000)",
        "SELECT count(*) FROM range(10000000) a JOIN range(1000000) b ON a.id % 3 = b.id % 3 WHERE a.id + b.id > 0",
        "CREATE OR REPLACE TABLE never AS SELECT sleep_ms(20) AS x FROM range(100000)",
    ],
)
def test_interrupt(sess, sql):
    stmt = sess.statement(sql, [])
    timer = threading.Timer(0.1, stmt.interrupt)
    timer.start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        for _ in stmt.run().batches:
            pass
    assert time.monotonic() - start < 3
    timer.join()
    assert fails(sess, "SELECT * FROM never")[0] == "TABLE_OR_VIEW_NOT_FOUND"


def test_interrupt_before_and_while_streaming(sess):
    stmt = sess.statement("SELECT 1", [])
    stmt.interrupt()
    with pytest.raises(Cancelled):
        stmt.run()
    stmt = sess.statement("SELECT id FROM range(10000000)", [])
    outcome = stmt.run()
    next(outcome.batches)
    stmt.interrupt()
    with pytest.raises(Cancelled):
        for _ in outcome.batches:
            pass


def test_late_error_comes_out_of_the_batches(sess):
    # far behind what DuckDB computes ahead of the reader
    late = "CASE WHEN id < 20000000 THEN id ELSE raise_error('late') END"
    outcome = run(sess, f"SELECT {late} FROM range(30000000)")
    seen = 0
    with pytest.raises(SqlError) as caught:
        for batch in outcome.batches:
            seen += batch.num_rows
    assert caught.value.error_class == "USER_RAISED_EXCEPTION" and 0 < seen <= 20000000


def test_many_open_results(sess):
    open_results = [
        run(sess, "SELECT id, concat('row-', id) AS s FROM range(1000000)")
        for _ in range(30)
    ]
    heads = [next(o.batches) for o in open_results]
    assert rows(sess, "SELECT count(*) FROM samples.tpch.lineitem") == [(60175,)]
    for outcome, head in zip(open_results[:3], heads):
        ids = head.column(0).to_pylist()
        for batch in outcome.batches:
            ids += batch.column(0).to_pylist()
        assert ids == list(range(1000000))
    for outcome in open_results:
        outcome.batches.close()


_STREAM = """
import time
from warehouse.sql import Engine
def resident(key):
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(key)) // 1024
engine = Engine()
sess = engine.open_session()
sql = ("SELECT id, id*2 AS b, CAST(id AS DOUBLE) d, DATE '2020-01-01' + CAST(id % 1000 AS INT) AS dt, "
       "concat('row-', id) AS s FROM range(0, 10000000)")
before, start, expected = resident("VmRSS"), time.monotonic(), 0
for batch in sess.statement(sql, []).run().batches:
    assert batch.column(0)[0].as_py() == expected and batch.column(4)[0].as_py() == f"row-{expected}"
    expected += batch.num_rows
seconds = time.monotonic() - start
engine.close()
print(expected, resident("VmHWM") - before, seconds)
"""


def test_ten_million_rows_stream_in_order_and_in_little_memory():
    out = subprocess.run(
        [sys.executable, "-c", _STREAM], capture_output=True, text=True, check=True
    )
    assert out.stderr == ""
    count, grown_mib, seconds = out.stdout.split()
    assert count == "10000000"
    assert int(grown_mib) < 96
    assert 10_000_000 / float(seconds) > 1_500_000


def test_engine_starts_quickly_and_ends_quietly():
    code = (
        "import time; start = time.monotonic()\n"
        "from warehouse.sql import Engine\n"
        "engine = Engine(); seconds = time.monotonic() - start; engine.close(); print(seconds)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert float(out.stdout) < 10 and out.stderr == ""
