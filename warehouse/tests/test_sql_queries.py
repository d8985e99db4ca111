# SPDX-License-Identifier: Apache-2.0
"""Queries: FROM, joins, grouping, windows, set operations, generators, statements of ours."""

from decimal import Decimal as D

import pytest

from .sql_support import engine, fails, own, rows, run, sess  # noqa: F401


@pytest.mark.parametrize(
    "sql, expected",
    [
        ("SELECT 1;", [(1,)]),
        ("  /* c */ SELECT 1 -- tail\n ; ", [(1,)]),
        # range: one to four arguments, column id
        ("SELECT id FROM range(3)", [(0,), (1,), (2,)]),
        ("SELECT * FROM range(1, 3)", [(1,), (2,)]),
        ("SELECT id FROM range(0, 10, 4)", [(0,), (4,), (8,)]),
        ("SELECT id FROM range(0, 10, 5, 2)", [(0,), (5,)]),
        ("SELECT r.x FROM range(2) AS r(x)", [(0,), (1,)]),
        ("SELECT id FROM range(2, 0, -1)", [(2,), (1,)]),
        # names
        ("SELECT `id` AS `my col` FROM range(1)", [(0,)]),
        ("SELECT ID FROM range(1)", [(0,)]),
        ("SELECT * FROM (SELECT 1 AS x, 2 AS x)", [(1, 2)]),
        ("SELECT 1 AS a, a + 1 AS b", [(1, 2)]),
        ("SELECT s.* FROM (SELECT named_struct('x', 1, 'y', 2) AS s)", [(1, 2)]),
        (
            "SELECT s.y.z FROM (SELECT named_struct('y', named_struct('z', 3)) AS s)",
            [(3,)],
        ),
        ("SELECT * EXCEPT (x) FROM VALUES (1, 'a') AS v(x, y)", [("a",)]),
        # VALUES
        ("VALUES (1, 'a'), (2, NULL)", [(1, "a"), (2, None)]),
        ("SELECT x + 1 FROM (VALUES (1), (2)) v(x)", [(2,), (3,)]),
        # joins
        (
            "SELECT a.id, b.id FROM range(2) a LEFT JOIN range(1) b ON a.id = b.id ORDER BY 1",
            [(0, 0), (1, None)],
        ),
        ("SELECT * FROM range(2) JOIN range(1, 3) USING (id)", [(1,)]),
        (
            "SELECT * FROM range(2) FULL JOIN range(1, 3) USING (id) ORDER BY 1",
            [(0,), (1,), (2,)],
        ),
        ("SELECT * FROM range(2) NATURAL JOIN range(1)", [(0,)]),
        (
            "SELECT id FROM range(3) a LEFT SEMI JOIN range(2) b ON a.id = b.id ORDER BY 1",
            [(0,), (1,)],
        ),
        ("SELECT id FROM range(3) a LEFT ANTI JOIN range(2) b USING (id)", [(2,)]),
        ("SELECT count(*) FROM range(3) a, range(4) b", [(12,)]),
        (
            "SELECT t.id, u.b FROM range(2) t, LATERAL (SELECT t.id + 1 AS b) u ORDER BY 1",
            [(0, 1), (1, 2)],
        ),
        # subqueries
        (
            "SELECT (SELECT max(b.id) FROM range(5) b WHERE b.id < a.id) FROM range(2) a ORDER BY a.id",
            [(None,), (0,)],
        ),
        (
            "SELECT id FROM range(5) WHERE id IN (SELECT id * 2 FROM range(2)) ORDER BY 1",
            [(0,), (2,)],
        ),
        (
            "SELECT id FROM range(3) a WHERE NOT EXISTS (SELECT 1 FROM range(2) b WHERE a.id = b.id)",
            [(2,)],
        ),
        # grouping
        (
            "SELECT id % 2 AS k, count(*) FROM range(5) GROUP BY k ORDER BY k",
            [(0, 3), (1, 2)],
        ),
        ("SELECT id % 2, count(*) FROM range(5) GROUP BY 1 ORDER BY 2", [(1, 2), (0, 3)]),
        (
            "SELECT id % 2 AS k, count(*) FROM range(5) GROUP BY ALL ORDER BY ALL",
            [(0, 3), (1, 2)],
        ),
        (
            "SELECT id % 2 AS k, sum(id) AS s FROM range(5) GROUP BY k HAVING s > 4",
            [(0, 6)],
        ),
        (
            "SELECT k, count(*) FROM VALUES (1), (1), (2) v(k) GROUP BY ROLLUP (k) ORDER BY 1",
            [(None, 3), (1, 2), (2, 1)],
        ),
        (
            "SELECT a, b, count(*) FROM VALUES (1, 2) v(a, b) GROUP BY GROUPING SETS ((a), (b)) ORDER BY 1",
            [(None, 2, 1), (1, None, 1)],
        ),
        (
            "SELECT count(DISTINCT id % 2), count_if(id > 1), max_by(id, -id) FROM range(4)",
            [(2, 2, 0)],
        ),
        (
            "SELECT sum(id) FILTER (WHERE id > 1), any(id > 2), first(id) FROM range(4)",
            [(5, True, 0)],
        ),
        (
            "SELECT collect_list(x), collect_set(y) FROM VALUES (1, 1), (NULL, 1) v(x, y)",
            [([1], [1])],
        ),
        (
            "SELECT avg(x), sum(x), avg(DISTINCT x) FROM VALUES (1.0), (2.0), (2.0) v(x)",
            [(D("1.66667"), D("5.0"), D("1.50000"))],
        ),
        (
            "SELECT percentile(id, 0.5), median(id), stddev_pop(id) FROM range(3)",
            [(1.0, 1.0, 0.816496580927726)],
        ),
        ("SELECT count(a, b) FROM VALUES (1, 1), (1, NULL) v(a, b)", [(1,)]),
        ("SELECT sum(x) FROM (SELECT 1 AS x WHERE false)", [(None,)]),
        # windows
        (
            "SELECT id, row_number() OVER (ORDER BY id DESC) r FROM range(2) ORDER BY r",
            [(1, 1), (0, 2)],
        ),
        (
            "SELECT sum(id) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM range(3) ORDER BY id",
            [(0,), (1,), (3,)],
        ),
        (
            "SELECT lag(id, 1, -1L) OVER w, ntile(2) OVER w FROM range(2) WINDOW w AS (ORDER BY id)",
            [(-1, 1), (0, 2)],
        ),
        (
            "SELECT id FROM range(5) QUALIFY row_number() OVER (ORDER BY id DESC) = 1",
            [(4,)],
        ),
        # order: nulls come first going up, last going down
        ("SELECT x FROM VALUES (1), (NULL), (2) v(x) ORDER BY x", [(None,), (1,), (2,)]),
        (
            "SELECT x FROM VALUES (1), (NULL), (2) v(x) ORDER BY x DESC",
            [(2,), (1,), (None,)],
        ),
        ("SELECT x FROM VALUES (1), (NULL) v(x) ORDER BY x NULLS LAST", [(1,), (None,)]),
        ("SELECT id AS x FROM range(5) ORDER BY -x LIMIT 2 OFFSET 1", [(3,), (2,)]),
        ("SELECT id FROM range(3) LIMIT ALL", [(0,), (1,), (2,)]),
        ("SELECT DISTINCT id % 2 AS k FROM range(4) ORDER BY k", [(0,), (1,)]),
        ("SELECT sum(x) AS x FROM VALUES (1), (2) v(x) ORDER BY sum(x)", [(3,)]),
        # set operations
        ("SELECT 1 UNION SELECT 1 UNION ALL SELECT 2 ORDER BY 1", [(1,), (2,)]),
        ("SELECT 1 AS a UNION ALL SELECT 2.5 ORDER BY a", [(D("1.0"),), (D("2.5"),)]),
        ("SELECT id FROM range(3) EXCEPT SELECT 1L ORDER BY 1", [(0,), (2,)]),
        ("SELECT id FROM range(3) INTERSECT SELECT 1L", [(1,)]),
        # WITH
        (
            "WITH c AS (SELECT 1 AS x), d AS (SELECT x + 1 AS y FROM c) SELECT * FROM c, d",
            [(1, 2)],
        ),
        ("WITH c(z) AS (SELECT 1) SELECT z FROM c AS q", [(1,)]),
        (
            "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
            [(1,), (2,), (3,)],
        ),
        # generators
        ("SELECT explode(array(1, 2))", [(1,), (2,)]),
        ("SELECT 5, explode(array(1, 2)) AS x", [(5, 1), (5, 2)]),
        ("SELECT explode(map('a', 1))", [("a", 1)]),
        ("SELECT posexplode(array('a', 'b')) AS (p, v)", [(0, "a"), (1, "b")]),
        ("SELECT explode(CAST(array() AS ARRAY<INT>))", []),
        ("SELECT explode_outer(CAST(array() AS ARRAY<INT>))", [(None,)]),
        ("SELECT inline(array(struct(1, 'a'), struct(2, 'b')))", [(1, "a"), (2, "b")]),
        ("SELECT x FROM explode(array(1, 2)) AS t(x)", [(1,), (2,)]),
        (
            "SELECT k, v FROM (SELECT map('a', 1) AS m) LATERAL VIEW explode(m) e AS k, v",
            [("a", 1)],
        ),
        (
            "SELECT a, x FROM (SELECT 1 AS a) LATERAL VIEW OUTER explode(CAST(NULL AS ARRAY<INT>)) e AS x",
            [(1, None)],
        ),
        # laziness
        (
            "SELECT CASE WHEN id < 5 THEN id ELSE raise_error('x') END FROM range(1)",
            [(0,)],
        ),
    ],
)
def test_query(sess, sql, expected):
    assert rows(sess, sql) == expected


def test_sums_stay_bigint(sess):
    outcome = run(sess, "SELECT sum(x) AS s FROM (VALUES (1L), (2L)) v(x)")
    assert outcome.columns[0].sql_name == "BIGINT" and outcome.columns[0].type_id == 4
    assert [b.to_pylist() for b in outcome.batches] == [[{"s": 3}]]


def test_schema_carries_the_sql_types(sess):
    outcome = run(
        sess, "SELECT 1.5 AS d, array(1) AS a, map('k', 1L) AS m, now() AS t, NULL AS n"
    )
    names = [f.metadata[b"Spark:DataType:SqlName"].decode() for f in outcome.schema]
    assert names == [
        "DECIMAL(2,1)",
        "ARRAY<INT>",
        "MAP<STRING, BIGINT>",
        "TIMESTAMP",
        "VOID",
    ]
    kinds = [f.metadata[b"Spark:DataType:JsonType"].decode() for f in outcome.schema]
    assert (
        kinds[0] == '"decimal(2,1)"'
        and kinds[3] == '"timestamp"'
        and kinds[4] == '"void"'
    )
    assert kinds[1] == '{"type":"array","elementType":"integer","containsNull":true}'
    assert str(outcome.schema.field("a").type) == "list<element: int32>"
    assert str(outcome.schema.field("t").type) == "timestamp[us, tz=Etc/UTC]"
    assert str(outcome.schema.field("n").type) == "null"
    assert outcome.columns[0].precision == 2 and outcome.columns[0].scale == 1
    assert outcome.columns[1].precision is None
    for batch in outcome.batches:
        assert batch.schema.equals(outcome.schema, check_metadata=True)


def test_empty_result_has_its_schema(sess):
    outcome = run(sess, "SELECT id, 'x' AS s FROM range(0)")
    assert list(outcome.batches) == []
    assert outcome.schema.names == ["id", "s"] and outcome.kind == "query"


def test_samples(engine, sess):
    sizes = rows(
        sess,
        "SELECT (SELECT count(*) FROM samples.nyctaxi.trips), (SELECT count(*) FROM "
        "samples.tpch.orders), (SELECT count(*) FROM samples.tpch.lineitem)",
    )
    assert sizes == [(21932, 15000, 60175)]
    check = rows(
        sess, "SELECT sum(o_totalprice), min(o_orderdate) FROM samples.tpch.orders"
    )
    from warehouse.sql import Engine

    again = Engine()
    try:
        other = again.open_session("samples", "tpch")
        assert (
            rows(other, "SELECT sum(o_totalprice), min(o_orderdate) FROM orders") == check
        )
    finally:
        again.close()
    joined = rows(
        sess,
        "SELECT count(*), count(DISTINCT l_orderkey, l_linenumber) FROM samples.tpch.lineitem "
        "JOIN samples.tpch.orders ON l_orderkey = o_orderkey",
    )
    assert joined == [(60175, 60175)]


def test_show_and_describe(own):
    rows(
        own,
        "CREATE TABLE t (a INT NOT NULL COMMENT 'the a', b ARRAY<STRING>) COMMENT 'tt'",
    )
    assert rows(own, "SHOW TABLES") == [("own", "t", False)]
    assert rows(own, "SHOW TABLES IN samples.tpch LIKE 'o*|x'") == [
        ("tpch", "orders", False)
    ]
    assert rows(own, "SHOW CATALOGS") == [("main",), ("samples",)]
    assert ("own",) in rows(own, "SHOW SCHEMAS") and ("tpch",) in rows(
        own, "SHOW DATABASES IN samples"
    )
    assert rows(own, "SHOW COLUMNS IN t") == [("a",), ("b",)]
    assert rows(own, "DESCRIBE t") == [
        ("a", "int", "the a"),
        ("b", "array<string>", None),
    ]
    assert ("Comment", "tt", "") in rows(own, "DESC TABLE EXTENDED main.own.t")
    assert rows(own, "DESCRIBE QUERY SELECT 1.5 AS x") == [("x", "decimal(2,1)", None)]
    assert rows(own, "DESCRIBE SCHEMA own")[1] == ("Namespace Name", "own")
    ((text,),) = rows(own, "SHOW CREATE TABLE t")
    assert "a INT NOT NULL COMMENT 'the a'" in text
    assert ("explode",) in rows(own, "SHOW FUNCTIONS LIKE 'expl*'")
    assert rows(
        own,
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'own'",
    ) == [("t", "MANAGED")]
    assert rows(
        own,
        "SELECT column_name, is_nullable FROM main.information_schema.columns WHERE table_name = 't' ORDER BY ordinal_position",
    ) == [("a", "NO"), ("b", "YES")]


def test_use(sess):
    rows(sess, "USE CATALOG samples")
    assert (sess.catalog, sess.schema) == ("samples", "default")
    rows(sess, "USE SCHEMA tpch")
    assert rows(sess, "SELECT count(*) FROM orders") == [(15000,)]
    rows(sess, "USE main.default")
    assert (sess.catalog, sess.schema) == ("main", "default")
    assert rows(sess, "SELECT count(*) FROM samples.nyctaxi.trips") == [(21932,)]
