# SPDX-License-Identifier: Apache-2.0
"""DDL and DML: affected rows, types that survive, views, persistence, concurrent writers."""

import datetime as dt
import threading

import pytest

from warehouse.sql import Engine

from .sql_support import engine, fails, own, rows, run, sess  # noqa: F401


def dml(sess, sql):
    outcome = run(sess, sql)
    assert outcome.kind == "dml"
    (batch,) = outcome.batches
    (counts,) = batch.to_pylist()
    assert counts["num_affected_rows"] == outcome.affected_rows
    return counts


def ddl(sess, sql):
    outcome = run(sess, sql)
    assert outcome.kind == "ddl" and outcome.affected_rows is None
    assert [(c.name, c.sql_name) for c in outcome.columns] == [("Result", "STRING")]
    assert list(outcome.batches) == []


def test_insert_update_delete(own):
    ddl(own, "CREATE TABLE t (a INT, b STRING DEFAULT 'd')")
    assert dml(own, "INSERT INTO t VALUES (1, 'x'), (2, 'y')") == {
        "num_affected_rows": 2,
        "num_inserted_rows": 2,
    }
    assert (
        dml(own, "INSERT INTO t (a) SELECT id FROM range(3, 6)")["num_inserted_rows"] == 3
    )
    assert (
        dml(own, "INSERT INTO t BY NAME SELECT 'z' AS b, 9 AS a")["num_affected_rows"]
        == 1
    )
    assert rows(own, "SELECT b FROM t WHERE a = 9 OR a = 3 ORDER BY a") == [
        ("d",),
        ("z",),
    ]
    assert dml(own, "UPDATE t AS q SET b = concat(q.b, '!') WHERE q.a < 3") == {
        "num_affected_rows": 2
    }
    assert dml(own, "DELETE FROM t WHERE a IN (SELECT id FROM range(3, 6))") == {
        "num_affected_rows": 3
    }
    assert dml(own, "UPDATE t SET a = 0 WHERE false") == {"num_affected_rows": 0}
    assert rows(own, "SELECT * FROM t ORDER BY a") == [(1, "x!"), (2, "y!"), (9, "z")]
    assert dml(own, "INSERT OVERWRITE t VALUES (7, NULL)")["num_affected_rows"] == 1
    assert rows(own, "SELECT * FROM t") == [(7, None)]
    ddl(own, "TRUNCATE TABLE t")
    assert rows(own, "SELECT count(*) FROM t") == [(0,)]


def test_merge(own):
    ddl(own, "CREATE TABLE t (a INT, b STRING)")
    rows(own, "INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')")
    counts = dml(
        own,
        "MERGE INTO t USING (VALUES (1, 'uno'), (2, 'del'), (4, 'four')) AS s(a, b) ON t.a = s.a "
        "WHEN MATCHED AND s.b = 'del' THEN DELETE WHEN MATCHED THEN UPDATE SET t.b = s.b "
        "WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.a, s.b) "
        "WHEN NOT MATCHED BY SOURCE THEN UPDATE SET b = 'left'",
    )
    assert counts == {
        "num_affected_rows": 4,
        "num_updated_rows": 2,
        "num_deleted_rows": 1,
        "num_inserted_rows": 1,
    }
    assert rows(own, "SELECT * FROM t ORDER BY a") == [
        (1, "uno"),
        (3, "left"),
        (4, "four"),
    ]
    star = "MERGE INTO t USING (SELECT 1 AS a, 'x' AS b) s ON t.a = s.a WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    assert dml(own, star)["num_updated_rows"] == 1
    twice = "MERGE INTO t USING (VALUES (1, 'p'), (1, 'q')) AS s(a, b) ON t.a = s.a WHEN MATCHED THEN UPDATE SET *"
    assert (
        fails(own, twice)[0] == "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE"
    )
    assert rows(own, "SELECT b FROM t WHERE a = 1") == [("x",)]


def test_types_survive(own):
    types = (
        "BOOLEAN TINYINT SMALLINT INT BIGINT FLOAT DOUBLE DECIMAL(10,2) STRING BINARY DATE "
        "TIMESTAMP TIMESTAMP_NTZ VARIANT ARRAY<INT> INTERVAL_DAY_TO_SECOND INTERVAL_YEAR MAP<STRING,_INT> "
        "STRUCT<x:_INT,_y:_ARRAY<STRING>>"
    ).split()
    types = [t if t == "TIMESTAMP_NTZ" else t.replace("_", " ") for t in types]
    lines = ", ".join(f"c{i} {t}" for i, t in enumerate(types))
    ddl(own, f"CREATE TABLE t ({lines})")
    assert [c.sql_name for c in run(own, "SELECT * FROM t").columns] == types
    ddl(own, "CREATE TABLE u AS SELECT * FROM t")
    assert [c.sql_name for c in run(own, "SELECT * FROM u").columns] == types
    ddl(own, "CREATE VIEW v AS SELECT * FROM u")
    assert [c.sql_name for c in run(own, "SELECT * FROM v").columns] == types


def test_values_survive(own):
    select = (
        "SELECT 1.50 AS d, INTERVAL '1 02:00:00' DAY TO SECOND AS i, INTERVAL '2' YEAR AS y, NULL AS n, "
        "array(map('k', named_struct('x', 1))) AS a, sum(1L) AS s"
    )
    ddl(own, f"CREATE TABLE t AS {select}")
    assert rows(own, "SELECT * FROM t") == rows(own, select)
    rows(own, "INSERT INTO t SELECT * FROM t")
    assert rows(own, "SELECT count(*), sum(i), sum(y) FROM t") == [
        (2, dt.timedelta(2, 14400), 48)
    ]


def test_create_or_replace_and_if_exists(own):
    ddl(own, "CREATE TABLE t AS SELECT 1 AS a")
    ddl(own, "CREATE TABLE IF NOT EXISTS t AS SELECT 2 AS a")
    assert rows(own, "SELECT a FROM t") == [(1,)]
    ddl(own, "CREATE OR REPLACE TABLE t AS SELECT a + 5 AS a FROM t")
    assert rows(own, "SELECT a FROM t") == [(6,)]
    ddl(own, "DROP TABLE t")
    ddl(own, "DROP TABLE IF EXISTS t")
    ddl(own, "CREATE SCHEMA IF NOT EXISTS own")
    ddl(own, "DROP SCHEMA IF EXISTS no_such")


def test_alter(own):
    ddl(own, "CREATE TABLE t (a INT, b STRING)")
    ddl(own, "ALTER TABLE t ADD COLUMNS (c DOUBLE COMMENT 'cc', d INTERVAL MONTH)")
    ddl(own, "ALTER TABLE t RENAME COLUMN c TO e")
    ddl(own, "ALTER TABLE t DROP COLUMN b")
    ddl(own, "ALTER TABLE t RENAME TO t2")
    assert rows(own, "DESCRIBE t2") == [
        ("a", "int", None),
        ("e", "double", "cc"),
        ("d", "interval month", None),
    ]


def test_views(own, engine):
    ddl(own, "CREATE TABLE t AS SELECT * FROM range(3)")
    ddl(own, "CREATE VIEW v (x COMMENT 'the x') AS SELECT id * 2 FROM t")
    assert rows(own, "SELECT x FROM v ORDER BY x") == [(0,), (2,), (4,)]
    other = engine.open_session()
    assert rows(other, "SELECT sum(x) FROM own.v") == [(6,)]
    assert (
        fails(own, "INSERT INTO v VALUES (1)")[0]
        == "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE"
    )
    ddl(own, "CREATE TEMP VIEW tv AS SELECT x + 1 AS y FROM v")
    ddl(own, "CREATE OR REPLACE TEMPORARY VIEW tv AS SELECT y * 10 AS y FROM tv")
    ddl(own, "USE main.default")
    assert rows(own, "SELECT y FROM tv ORDER BY y") == [(10,), (30,), (50,)]
    assert rows(own, "SELECT a.y FROM tv a JOIN tv b ON a.y = b.y WHERE a.y > 30") == [
        (50,)
    ]
    assert fails(other, "SELECT * FROM tv")[0] == "TABLE_OR_VIEW_NOT_FOUND"
    ddl(own, "DROP VIEW tv")
    assert fails(own, "SELECT * FROM tv")[0] == "TABLE_OR_VIEW_NOT_FOUND"


def test_a_failed_statement_changes_nothing(own):
    ddl(own, "CREATE TABLE t (a INT)")
    assert fails(
        own,
        "INSERT INTO t SELECT CASE WHEN id < 5000 THEN id ELSE raise_error('x') END FROM range(9999)",
    )
    assert fails(own, "INSERT OVERWRITE t SELECT 1/0")
    assert fails(own, "CREATE TABLE u AS SELECT 1/0 AS x")
    assert rows(own, "SELECT count(*) FROM t") == [(0,)]
    assert rows(own, "SHOW TABLES") == [("own", "t", False)]


def test_writers_at_once(own, engine):
    ddl(own, "CREATE TABLE t (a INT, n INT)")
    failed = []

    def write(i):
        try:
            rows(
                engine.open_session(schema="own", catalog="main"),
                f"INSERT INTO t VALUES ({i}, 0)",
            )
        except Exception as exc:  # collected for the assertion
            failed.append(exc)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed
    assert rows(own, "SELECT count(DISTINCT a) FROM t") == [(20,)]


def test_an_open_result_does_not_see_later_changes(own):
    ddl(own, "CREATE TABLE t AS SELECT id FROM range(500000)")
    outcome = run(own, "SELECT id FROM t")
    first = next(outcome.batches)
    assert dml(own, "DELETE FROM t")["num_affected_rows"] == 500000
    ddl(own, "DROP TABLE t")
    assert first.num_rows + sum(b.num_rows for b in outcome.batches) == 500000


@pytest.mark.parametrize("samples", [True, False])
def test_a_database_file_keeps_everything(tmp_path, samples):
    path = str(tmp_path / "house's.db")
    first = Engine(path, samples=samples)
    try:
        sess = first.open_session()
        rows(sess, "CREATE SCHEMA s")
        rows(
            sess,
            "CREATE TABLE s.t (a INT PRIMARY KEY, i INTERVAL DAY COMMENT 'ii') COMMENT 'tt'",
        )
        rows(sess, "INSERT INTO s.t VALUES (1, INTERVAL 3 DAYS)")
        rows(
            sess,
            "CREATE VIEW s.v AS SELECT CAST(a AS STRING) AS t, i FROM s.t WHERE CAST('1' AS INT) = a",
        )
    finally:
        first.close()
    second = Engine(path, samples=samples)
    try:
        sess = second.open_session("main", "s")
        assert rows(sess, "SELECT * FROM v") == [("1", dt.timedelta(3))]
        assert rows(sess, "DESCRIBE t")[1] == ("i", "interval day", "ii")
        assert sess.primary_keys("main", "s", "t").num_rows == 1
        assert ("samples",) in rows(sess, "SHOW CATALOGS") or not samples
    finally:
        second.close()


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "x.db"
    path.write_text("this is not a database, but long enough to look at" * 100)
    with pytest.raises(OSError, match="cannot open the database file"):
        Engine(str(path))


def test_replacing_views(own):
    ddl(own, "CREATE VIEW v AS SELECT 1 AS a")
    ddl(own, "CREATE OR REPLACE VIEW v AS SELECT 'x' AS b")
    assert rows(own, "SELECT b FROM v") == [("x",)]
    assert fails(own, "CREATE OR REPLACE VIEW v AS SELECT * FROM v") == (
        "RECURSIVE_VIEW",
        "42K0H",
    )
    assert fails(own, "CREATE OR REPLACE TABLE v AS SELECT 1 AS a")[1] == "42809"
