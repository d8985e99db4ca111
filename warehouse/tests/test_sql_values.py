# SPDX-License-Identifier: Apache-2.0
"""Expressions: the value and the type Databricks gives, one row per rewrite."""

import datetime as dt
import math
from decimal import Decimal as D

import pytest

from .sql_support import engine, fails, kind, one, own, rows, run, sess  # noqa: F401

UTC = dt.timezone.utc


@pytest.mark.parametrize(
    "expression, value, type_name",
    [
        # literals
        ("1", 1, "INT"),
        ("-1", -1, "INT"),
        ("2147483647", 2147483647, "INT"),
        ("-2147483648", -2147483648, "INT"),
        ("2147483648", 2147483648, "BIGINT"),
        ("-9223372036854775808", -(2**63), "BIGINT"),
        ("9223372036854775808", D(2**63), "DECIMAL(19,0)"),
        ("1L", 1, "BIGINT"),
        ("1S", 1, "SMALLINT"),
        ("1Y", 1, "TINYINT"),
        ("1.5", D("1.5"), "DECIMAL(2,1)"),
        ("0.05", D("0.05"), "DECIMAL(2,2)"),
        ("1.50BD", D("1.50"), "DECIMAL(3,2)"),
        ("1.5D", 1.5, "DOUBLE"),
        ("1.5F", 1.5, "FLOAT"),
        ("1e3", 1000.0, "DOUBLE"),
        ("'it''s'", "its", "STRING"),
        ("'it\\'s'", "it's", "STRING"),
        ('"double"', "double", "STRING"),
        ("r'a\\n'", "a\\n", "STRING"),
        ("'a\\nb'", "a\nb", "STRING"),
        ("X'00FF'", b"\x00\xff", "BINARY"),
        ("true", True, "BOOLEAN"),
        ("NULL", None, "VOID"),
        ("DATE '2020-02-29'", dt.date(2020, 2, 29), "DATE"),
        (
            "TIMESTAMP '2020-01-01 12:00:00'",
            dt.datetime(2020, 1, 1, 12, tzinfo=UTC),
            "TIMESTAMP",
        ),
        (
            "TIMESTAMP_NTZ '2020-01-01 12:00:00.25'",
            dt.datetime(2020, 1, 1, 12, 0, 0, 250000),
            "TIMESTAMP_NTZ",
        ),
        # arithmetic
        ("1 + 1", 2, "INT"),
        ("1 + 1L", 2, "BIGINT"),
        ("1Y + 1Y", 2, "TINYINT"),
        ("1S + 1", 2, "INT"),
        ("1 / 2", 0.5, "DOUBLE"),
        ("4L / 2L", 2.0, "DOUBLE"),
        ("7 DIV 2", 3, "BIGINT"),
        ("-7 DIV 2", -3, "BIGINT"),
        ("-7 % 3", -1, "INT"),
        ("pmod(-7, 3)", 2, "INT"),
        ("1.5 + 1", D("2.5"), "DECIMAL(3,1)"),
        ("0.1 + 0.2", D("0.3"), "DECIMAL(2,1)"),
        ("1.5 * 2.25", D("3.375"), "DECIMAL(6,3)"),
        ("10 / 3.0", D("3.333333"), "DECIMAL(9,6)"),
        ("2.0 / 3.0", D("0.666667"), "DECIMAL(8,6)"),
        ("-2.0 / 3.0", D("-0.666667"), "DECIMAL(8,6)"),
        ("7.5 % 2", D("1.5"), "DECIMAL(2,1)"),
        ("1.5 + 1D", 2.5, "DOUBLE"),
        ("'1' + 1", 2, "BIGINT"),
        ("1 + NULL", None, "INT"),
        ("-(-5)", 5, "INT"),
        ("5 & 3", 1, "INT"),
        ("5 | 3", 7, "INT"),
        ("5 ^ 3", 6, "INT"),
        ("~5", -6, "INT"),
        # comparison and logic
        ("1 = '1'", True, "BOOLEAN"),
        ("1 <=> NULL", False, "BOOLEAN"),
        ("NULL <=> NULL", True, "BOOLEAN"),
        ("1 = NULL", None, "BOOLEAN"),
        ("1 IS NULL", False, "BOOLEAN"),
        ("1 IS NOT NULL", True, "BOOLEAN"),
        ("'a' LIKE 'A'", False, "BOOLEAN"),
        ("'a' NOT LIKE 'A'", True, "BOOLEAN"),
        ("'a' ILIKE 'A'", True, "BOOLEAN"),
        ("'a_b' LIKE 'a\\\\_b'", True, "BOOLEAN"),
        ("'axb' LIKE 'a\\\\_b'", False, "BOOLEAN"),
        ("'abc' RLIKE 'b+'", True, "BOOLEAN"),
        ("'abc' NOT RLIKE 'b+'", False, "BOOLEAN"),
        ("2 NOT IN (1, 3)", True, "BOOLEAN"),
        ("2 NOT BETWEEN 1 AND 3", False, "BOOLEAN"),
        ("DATE '2020-01-01' = '2020-01-01'", True, "BOOLEAN"),
        ("true AND NULL", None, "BOOLEAN"),
        ("CASE WHEN 1 = 2 THEN 1 END", None, "INT"),
        ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "b", "STRING"),
        ("if(true, 1, 2.5)", D("1.0"), "DECIMAL(11,1)"),
        ("coalesce(NULL, NULL)", None, "VOID"),
        ("coalesce(NULL, 2)", 2, "INT"),
        ("nullif(1, 1)", None, "INT"),
        ("nvl2(NULL, 1, 2)", 2, "INT"),
        ("greatest(1, NULL, 3)", 3, "INT"),
        # text
        ("concat('a', 1, true)", "a1true", "STRING"),
        ("concat('a', NULL)", None, "STRING"),
        ("'a' || 1.50", "a1.50", "STRING"),
        ("concat_ws('-', 'a', NULL, 'b')", "a-b", "STRING"),
        ("substring('hello', -3)", "llo", "STRING"),
        ("substring('hello', 0, 2)", "he", "STRING"),
        ("substring('hello', -10, 7)", "he", "STRING"),
        ("substring('hello' FROM 2 FOR 3)", "ell", "STRING"),
        ("instr('hello', 'l')", 3, "INT"),
        ("locate('l', 'hello')", 3, "INT"),
        ("position('l' IN 'hello')", 3, "INT"),
        ("trim(BOTH 'x' FROM 'xax')", "a", "STRING"),
        ("lpad('a', 3, '-')", "--a", "STRING"),
        ("split('a1b', '[0-9]')", ["a", "b"], "ARRAY<STRING>"),
        ("regexp_replace('abc', 'b(c)', '$1')", "ac", "STRING"),
        ("regexp_extract('abc', 'a(b)', 1)", "b", "STRING"),
        ("length('äb')", 2, "INT"),
        ("initcap('hello WORLD')", "Hello World", "STRING"),
        ("unhex('00FF')", b"\x00\xff", "BINARY"),
        ("hex(255)", "FF", "STRING"),
        ("hex('a')", "61", "STRING"),
        ("base64('abc')", "YWJj", "STRING"),
        # numbers
        ("round(2.567, 1)", D("2.6"), "DECIMAL(3,1)"),
        ("round(-2.5D)", -3.0, "DOUBLE"),
        ("bround(2.5D)", 2.0, "DOUBLE"),
        ("floor(-1.5)", D("-2"), "DECIMAL(2,0)"),
        ("ceil(1.5D)", 2, "BIGINT"),
        ("abs(-1.5)", D("1.5"), "DECIMAL(2,1)"),
        ("log(2, 8)", 3.0, "DOUBLE"),
        ("ln(0)", None, "DOUBLE"),
        ("try_divide(1, 0)", None, "DOUBLE"),
        ("try_add(2147483647, 1)", None, "INT"),
        ("try_multiply(9223372036854775807L, 2)", None, "BIGINT"),
        ("typeof(1.5)", "decimal(2,1)", "STRING"),
        # time
        ("DATE '2020-01-01' + 5", dt.date(2020, 1, 6), "DATE"),
        ("DATE '2020-01-31' + INTERVAL 1 MONTH", dt.date(2020, 2, 29), "DATE"),
        ("DATE '2020-01-02' - INTERVAL '1' DAY", dt.date(2020, 1, 1), "DATE"),
        (
            "DATE '2020-01-01' + INTERVAL 25 HOURS",
            dt.datetime(2020, 1, 2, 1, tzinfo=UTC),
            "TIMESTAMP",
        ),
        ("DATE '2020-01-03' - DATE '2020-01-01'", dt.timedelta(2), "INTERVAL DAY"),
        (
            "TIMESTAMP '2020-01-01' - TIMESTAMP '2019-12-31 23:00:00'",
            dt.timedelta(hours=1),
            "INTERVAL DAY TO SECOND",
        ),
        (
            "INTERVAL '1 02:03:04.5' DAY TO SECOND",
            dt.timedelta(1, 7384, 500000),
            "INTERVAL DAY TO SECOND",
        ),
        ("INTERVAL '1.5' SECOND", dt.timedelta(0, 1, 500000), "INTERVAL SECOND"),
        ("INTERVAL 3 HOURS", dt.timedelta(hours=3), "INTERVAL HOUR"),
        ("INTERVAL '1 day 2 hours'", dt.timedelta(1, 7200), "INTERVAL DAY TO SECOND"),
        ("INTERVAL '-2' DAY * 3", dt.timedelta(-6), "INTERVAL DAY TO SECOND"),
        ("INTERVAL '1-2' YEAR TO MONTH", 14, "INTERVAL YEAR TO MONTH"),
        ("-INTERVAL '1' YEAR", -12, "INTERVAL YEAR"),
        (
            "make_dt_interval(1, 2, 3, 4.5)",
            dt.timedelta(1, 7384, 500000),
            "INTERVAL DAY TO SECOND",
        ),
        ("make_ym_interval(1, 2)", 14, "INTERVAL YEAR TO MONTH"),
        ("year(DATE '2020-05-06')", 2020, "INT"),
        ("dayofweek(DATE '2020-01-05')", 1, "INT"),
        (
            "extract(SECOND FROM TIMESTAMP '2020-01-01 00:00:01.5')",
            D("1.500000"),
            "DECIMAL(8,6)",
        ),
        ("date_add(DATE '2020-01-01', 3)", dt.date(2020, 1, 4), "DATE"),
        ("datediff(DATE '2020-01-03', DATE '2020-01-01')", 2, "INT"),
        ("add_months(DATE '2020-01-31', 1)", dt.date(2020, 2, 29), "DATE"),
        (
            "date_trunc('month', TIMESTAMP '2020-05-06')",
            dt.datetime(2020, 5, 1, tzinfo=UTC),
            "TIMESTAMP",
        ),
        ("date_format(DATE '2020-05-06', 'dd/MM/yyyy')", "06/05/2020", "STRING"),
        ("unix_timestamp(TIMESTAMP '1970-01-01 00:00:10')", 10, "BIGINT"),
        # nested
        ("array(1, NULL)", [1, None], "ARRAY<INT>"),
        ("array(1, 2.5)", [D("1.0"), D("2.5")], "ARRAY<DECIMAL(11,1)>"),
        ("array(NULL)", [None], "ARRAY<VOID>"),
        ("array()", [], "ARRAY<VOID>"),
        ("array(5, 6)[0]", 5, "INT"),
        ("map('a', 1)", [("a", 1)], "MAP<STRING, INT>"),
        ("map('a', 1)['a']", 1, "INT"),
        ("map('a', 1)['b']", None, "INT"),
        (
            "named_struct('x', 1, 'y', 'z')",
            {"x": 1, "y": "z"},
            "STRUCT<x: INT, y: STRING>",
        ),
        ("struct(1, 'a')", {"col1": 1, "col2": "a"}, "STRUCT<col1: INT, col2: STRING>"),
        ("named_struct('x', 1).x", 1, "INT"),
        ("sequence(1, 3)", [1, 2, 3], "ARRAY<INT>"),
        ("sequence(3, 1)", [3, 2, 1], "ARRAY<INT>"),
        (
            "sequence(DATE '2020-01-31', DATE '2020-03-31', INTERVAL 1 MONTH)",
            [dt.date(2020, 1, 31), dt.date(2020, 2, 29), dt.date(2020, 3, 31)],
            "ARRAY<DATE>",
        ),
        ("transform(array(1, 2), x -> x + 1)", [2, 3], "ARRAY<INT>"),
        ("transform(array(5, 6), (x, i) -> x * 10 + i)", [50, 61], "ARRAY<INT>"),
        ("filter(array(1, 2), x -> x > 1)", [2], "ARRAY<INT>"),
        ("exists(array(1, 2), x -> x > 1)", True, "BOOLEAN"),
        ("size(array(1, 2))", 2, "INT"),
        ("array_distinct(array(3, 1, NULL, 1, 3))", [3, 1, None], "ARRAY<INT>"),
        ("array_union(array(2, 1), array(1, 3))", [2, 1, 3], "ARRAY<INT>"),
        ("array_intersect(array(3, 1, 2), array(2, 3))", [3, 2], "ARRAY<INT>"),
        ("array_except(array(3, 1, 2, 3), array(1))", [3, 2], "ARRAY<INT>"),
        ("array_contains(array(1, NULL), 2)", None, "BOOLEAN"),
        ("exists(array(1, NULL), x -> x > 5)", None, "BOOLEAN"),
        ("forall(array(), x -> true)", True, "BOOLEAN"),
        ("length(X'00FF')", 2, "INT"),
        ("octet_length('ä')", 2, "INT"),
        ("array_contains(array(1, 2), 3)", False, "BOOLEAN"),
        ("sort_array(array(3, NULL, 1))", [None, 1, 3], "ARRAY<INT>"),
        ("parse_json('{\"a\": [1, 2]}'):a[1]::INT", 2, "INT"),
        ("parse_json('[1]')", "[1]", "VARIANT"),
        ("java_method('java.lang.Thread', 'sleep', 1L)", "null", "STRING"),
    ],
)
def test_value_and_type(sess, expression, value, type_name):
    got = one(sess, expression)
    assert got == value and type(got) is type(value)
    assert kind(sess, expression) == type_name


@pytest.mark.parametrize(
    "expression, value",
    [
        ("CAST(1.7D AS INT)", 1),
        ("CAST(-1.7D AS BIGINT)", -1),
        ("CAST(1.75 AS DECIMAL(2,1))", D("1.8")),
        ("CAST(1.005D AS DECIMAL(3,2))", D("1.01")),
        ("CAST(' 12 ' AS INT)", 12),
        ("CAST('1e3' AS DOUBLE)", 1000.0),
        ("CAST('-1.25' AS DECIMAL(5,1))", D("-1.3")),
        ("CAST('2020' AS DATE)", dt.date(2020, 1, 1)),
        ("CAST('2020-1-2' AS DATE)", dt.date(2020, 1, 2)),
        ("CAST('2020-01-02T03:04:05' AS DATE)", dt.date(2020, 1, 2)),
        (
            "CAST('2020-01-01T10:00:00Z' AS TIMESTAMP)",
            dt.datetime(2020, 1, 1, 10, tzinfo=UTC),
        ),
        (
            "CAST('2020-01-01 10:00:00+02:00' AS TIMESTAMP)",
            dt.datetime(2020, 1, 1, 8, tzinfo=UTC),
        ),
        (
            "CAST('2020-01-01 10:00:00+02:00' AS TIMESTAMP_NTZ)",
            dt.datetime(2020, 1, 1, 10),
        ),
        ("CAST('yes' AS BOOLEAN)", True),
        ("CAST('F' AS BOOLEAN)", False),
        ("CAST(2 AS BOOLEAN)", True),
        ("CAST(true AS INT)", 1),
        ("CAST('a' AS BINARY)", b"a"),
        ("CAST(X'6162' AS STRING)", "ab"),
        ("CAST(1.50 AS STRING)", "1.50"),
        ("CAST(1.0D AS STRING)", "1.0"),
        ("CAST(100D AS STRING)", "100.0"),
        ("CAST(1234567D AS STRING)", "1234567.0"),
        ("CAST(12345678D AS STRING)", "1.2345678E7"),
        ("CAST(0.001D AS STRING)", "0.001"),
        ("CAST(-0.00012D AS STRING)", "-1.2E-4"),
        ("CAST(1e20 AS STRING)", "1.0E20"),
        ("CAST(0D AS STRING)", "0.0"),
        ("CAST(CAST('inf' AS DOUBLE) AS STRING)", "Infinity"),
        ("CAST(CAST(1.1 AS FLOAT) AS STRING)", "1.1"),
        ("CAST(DATE '2020-01-01' AS STRING)", "2020-01-01"),
        ("CAST(TIMESTAMP '2020-01-01 00:00:00.120' AS STRING)", "2020-01-01 00:00:00.12"),
        ("CAST(INTERVAL '1-2' YEAR TO MONTH AS STRING)", "INTERVAL '1-2' YEAR TO MONTH"),
        (
            "CAST(INTERVAL '1 02:03:04.5' DAY TO SECOND AS STRING)",
            "INTERVAL '1 02:03:04.5' DAY TO SECOND",
        ),
        ("CAST('1-2' AS INTERVAL YEAR TO MONTH)", 14),
        ("CAST(10 AS INTERVAL DAY)", dt.timedelta(10)),
        ("CAST(array(1, 2) AS ARRAY<STRING>)", ["1", "2"]),
        ("CAST(named_struct('a', 1) AS STRUCT<b: STRING>)", {"b": "1"}),
        ("CAST(map('a', 1) AS MAP<STRING, BIGINT>)", [("a", 1)]),
        ("CAST(NULL AS MAP<STRING, ARRAY<INT>>)", None),
        ("CAST(60 AS TIMESTAMP)", dt.datetime(1970, 1, 1, 0, 1, tzinfo=UTC)),
        ("CAST(TIMESTAMP '1969-12-31 23:59:59.5' AS BIGINT)", -1),
        ("TRY_CAST('a' AS INT)", None),
        ("TRY_CAST('12' AS INT)", 12),
        ("TRY_CAST(300 AS TINYINT)", None),
        ("TRY_CAST('2020-02-30' AS DATE)", None),
        ("TRY_CAST('x' AS TIMESTAMP)", None),
        ("'5'::INT", 5),
    ],
)
def test_cast(sess, expression, value):
    got = one(sess, expression)
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize(
    "type_name",
    "BOOLEAN TINYINT SMALLINT INT BIGINT FLOAT DOUBLE DECIMAL(10,2) STRING BINARY DATE TIMESTAMP "
    "TIMESTAMP_NTZ VOID VARIANT ARRAY<INT> STRUCT<a:\u00a0INT> INTERVAL\u00a0DAY "
    "INTERVAL\u00a0YEAR\u00a0TO\u00a0MONTH INTERVAL\u00a0DAY\u00a0TO\u00a0SECOND "
    "INTERVAL\u00a0HOUR\u00a0TO\u00a0MINUTE MAP<STRING,\u00a0ARRAY<DOUBLE>>".split(" "),
)
def test_typed_null(sess, type_name):
    type_name = type_name.replace("\u00a0", " ")
    expression = f"CAST(NULL AS {type_name})"
    assert one(sess, expression) is None
    assert kind(sess, expression) == type_name


def test_nan_and_infinity(sess):
    assert math.isnan(one(sess, "CAST('NaN' AS DOUBLE)"))
    assert one(sess, "CAST('-Infinity' AS FLOAT)") == -math.inf
    assert math.isnan(one(sess, "sqrt(-1)"))


def test_try_cast_guards_only_itself(sess):
    assert fails(sess, "SELECT TRY_CAST(1 / 0 AS STRING)")[0] == "DIVIDE_BY_ZERO"


def test_column_names(sess):
    sql = "SELECT 1, 'abc', id, id + 1, count(*) OVER (), sum(id) AS s FROM range(1) GROUP BY id"
    names = [c.name for c in run(sess, sql).columns]
    assert names[:4] == ["1", "abc", "id", "(id + 1)"] and names[-1] == "s"
    names = [
        c.name
        for c in run(
            sess, "SELECT count(*), SUM(id), max(DISTINCT id) FROM range(1)"
        ).columns
    ]
    assert names == ["count(1)", "sum(id)", "max(DISTINCT id)"]


def test_session_functions(sess):
    assert rows(
        sess, "SELECT current_catalog(), current_schema(), current_database()"
    ) == [("main", "default", "default")]
    now = one(sess, "current_timestamp()")
    assert abs((dt.datetime.now(UTC) - now).total_seconds()) < 60
    assert one(sess, "current_date") == now.date()


def test_time_zone_of_the_session(sess):
    rows(sess, "SET TIME ZONE 'America/New_York'")
    text = one(sess, "CAST(TIMESTAMP '2020-07-01 00:00:00' AS STRING)")
    assert text == "2020-07-01 00:00:00"
    instant = one(sess, "TIMESTAMP '2020-07-01 00:00:00'")
    assert instant.astimezone(UTC) == dt.datetime(2020, 7, 1, 4, tzinfo=UTC)
    assert instant.utcoffset() == dt.timedelta(hours=-4)
    # a day is a calendar day, also when it has 23 hours
    moved = one(sess, "TIMESTAMP '2020-03-07 12:00:00' + INTERVAL 1 DAY")
    assert moved.astimezone(UTC) == dt.datetime(2020, 3, 8, 16, tzinfo=UTC)
    assert one(sess, "hour(TIMESTAMP '2020-07-01 04:00:00Z')") == 0
    schema = run(sess, "SELECT current_timestamp()").schema
    assert schema.field(0).type.tz == "America/New_York"


def test_char_and_varchar_keep_their_length(own):
    rows(own, "CREATE TABLE t (c CHAR(3), v VARCHAR(3))")
    rows(own, "INSERT INTO t VALUES ('a', 'b  '), (NULL, NULL), ('abc   ', '12')")
    assert rows(own, "SELECT * FROM t") == [("a  ", "b  "), (None, None), ("abc", "12")]
    assert fails(own, "INSERT INTO t VALUES ('abcd', 'x')")[1] == "22001"
    assert fails(own, "INSERT INTO t (v) VALUES ('abcd')")[1] == "22001"
    assert fails(own, "UPDATE t SET v = 'abcd'")[1] == "22001"
    assert rows(own, "DESCRIBE t") == [("c", "char(3)", None), ("v", "varchar(3)", None)]
    asked = "SELECT coalesce(v, c) FROM t UNION ALL SELECT v FROM t WHERE v LIKE 'b%'"
    assert len(rows(own, asked)) == 4
    assert rows(own, "SELECT count(*) FROM t a JOIN t b ON a.v = b.v") == [(2,)]
    assert kind(own, "CAST('abcd' AS VARCHAR(2))") == "STRING"
    rows(own, "CREATE TABLE u AS SELECT v, array(v) AS a, CASE WHEN true THEN v END w FROM t")
    assert [row[1] for row in rows(own, "DESCRIBE u")] == [
        "varchar(3)", "array<varchar(3)>", "string"]  # fmt: skip


def test_negative_interval_literals(sess):
    assert one(sess, "INTERVAL -'1-2' YEAR TO MONTH") == -14
    assert one(sess, "CAST(INTERVAL -'0 00:00:01' DAY TO SECOND AS STRING)").startswith(
        "INTERVAL '-0 00:00:01"
    )
    assert one(sess, "INTERVAL -'3' YEAR") == one(sess, "INTERVAL '-3' YEAR") == -36


def test_shapes_are_text(sess):
    assert one(sess, "st_point(1, 2.5)") == "POINT(1 2.5)"
    assert kind(sess, "st_point(1, 2)") == "GEOMETRY(0)"
    assert one(sess, "st_geogfromtext('POINT(1 2)')") == "SRID=4326;POINT(1 2)"
    assert kind(sess, "st_geomfromtext('POINT(1 2)', 3857)") == "GEOMETRY(3857)"
    assert one(sess, "st_astext(st_geogfromtext('POINT(1 2)'))") == "POINT(1 2)"
