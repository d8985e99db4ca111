# SPDX-License-Identifier: Apache-2.0
"""Statement parameters: order, names, types, NULL, and what is wrong with them."""

import datetime as dt
from decimal import Decimal as D
from types import SimpleNamespace

import pytest

from warehouse.sql import Parameter

from .sql_support import engine, fails, own, param, rows, run, sess  # noqa: F401


@pytest.mark.parametrize(
    "type_name, text, value",
    [
        ("STRING", "it's", "it's"),
        ("STRING", "", ""),
        ("INT", "41", 41),
        ("INT", "-2147483648", -(2**31)),
        ("BIGINT", "9223372036854775807", 2**63 - 1),
        ("TINYINT", "-5", -5),
        ("DOUBLE", "1.5", 1.5),
        ("DOUBLE", "1e300", 1e300),
        ("FLOAT", "0.5", 0.5),
        ("DECIMAL(5,2)", "1.25", D("1.25")),
        ("DECIMAL", "7", D("7")),
        ("BOOLEAN", "true", True),
        ("DATE", "2020-02-29", dt.date(2020, 2, 29)),
        (
            "TIMESTAMP",
            "2020-01-01 00:00:00",
            dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc),
        ),
        ("TIMESTAMP_NTZ", "2020-01-01 00:00:00", dt.datetime(2020, 1, 1)),
        ("INTERVAL DAY TO SECOND", "1 00:00:01", dt.timedelta(1, 1)),
        ("VOID", None, None),
        ("INT", None, None),
        ("STRING", None, None),
    ],
)
def test_types(sess, type_name, text, value):
    assert rows(sess, "SELECT ? AS x", param(type_name, text)) == [(value,)]
    outcome = run(sess, "SELECT :p AS x", param(type_name, text, "p"))
    expected = "DECIMAL(10,0)" if type_name == "DECIMAL" else type_name
    assert outcome.columns[0].sql_name == expected
    outcome.batches.close() if hasattr(outcome.batches, "close") else None


def test_order_of_the_text_counts(sess):
    ones = [Parameter(None, 1, "INT", str(i)) for i in (1, 2, 3)]
    sql = "SELECT ? AS a, b FROM (SELECT ? AS b) WHERE b < ? -- ? '?'"
    assert rows(sess, sql, *ones) == [(1, 2)]
    assert rows(
        sess, "SELECT '?', ?, \"?\", `?` FROM (SELECT 5 AS `?`)", param("INT", "7")
    ) == [("?", 7, "?", 5)]


def test_names(sess):
    a, b = param("INT", "1", "a"), param("STRING", "x", "b")
    assert rows(sess, "SELECT :b, :a, :a + :a", a, b) == [("x", 1, 2)]
    assert rows(sess, "SELECT ':a', x FROM (SELECT 1 AS x) WHERE x = :a", a) == [
        (":a", 1)
    ]
    both = a, param("INT", "2", "A")
    assert rows(sess, "SELECT :a, :A", *both) == [(1, 2)]


def test_where_limit_insert(own):
    rows(own, "CREATE TABLE t (a INT, b BINARY)")
    rows(
        own,
        "INSERT INTO t VALUES (?, unhex(?))",
        param("INT", "5"),
        param("STRING", "00ff"),
    )
    assert rows(
        own,
        "SELECT * FROM t WHERE a = :x LIMIT :n",
        param("BIGINT", "5", "x"),
        param("INT", "1", "n"),
    ) == [(5, b"\x00\xff")]
    rows(own, "UPDATE t SET a = ? WHERE a = ?", param("INT", "6"), param("INT", "5"))
    assert rows(own, "SELECT a FROM t") == [(6,)]


def test_nested(sess):
    arg = lambda kind, value: SimpleNamespace(type=kind, value=value, arguments=None)  # noqa: E731
    array = Parameter(None, 1, "ARRAY<INT>", None, [arg("INT", "1"), arg("INT", None)])
    pairs = Parameter(
        None, 1, "MAP<STRING, INT>", None, [arg("STRING", "k"), arg("INT", "2")]
    )
    assert rows(sess, "SELECT ?, ?", array, pairs) == [([1, None], [("k", 2)])]


@pytest.mark.parametrize(
    "sql, given, expected",
    [
        ("SELECT ?", [], ("UNBOUND_SQL_PARAMETER", "42P02")),
        ("SELECT ?, ?", [("INT", "1", None)], ("UNBOUND_SQL_PARAMETER", "42P02")),
        ("SELECT ?", [("INT", "1", None)] * 2, ("UNBOUND_SQL_PARAMETER", "42P02")),
        ("SELECT 1", [("INT", "1", None)], ("UNBOUND_SQL_PARAMETER", "42P02")),
        ("SELECT :x", [("INT", "1", "y")], ("UNBOUND_SQL_PARAMETER", "42P02")),
        ("SELECT :x", [], ("UNBOUND_SQL_PARAMETER", "42P02")),
        ("SELECT ?", [("INT", "1", "x")], ("UNBOUND_SQL_PARAMETER", "42P02")),
        (
            "SELECT :x",
            [("INT", "1", "x"), ("INT", "1", None)],
            ("INVALID_QUERY_MIXED_QUERY_PARAMETERS", "42613"),
        ),
        ("SELECT ?", [("INT", "abc", None)], ("CAST_INVALID_INPUT", "22018")),
        ("SELECT ?", [("INT", "3000000000", None)], ("CAST_OVERFLOW", "22003")),
        ("SELECT ?", [("NOPE", "1", None)], ("UNSUPPORTED_DATATYPE", "0A000")),
    ],
)
def test_wrong_parameters(sess, sql, given, expected):
    assert fails(sess, sql, *(param(*g) for g in given)) == expected


def test_no_injection(sess):
    assert rows(sess, "SELECT ?", param("STRING", "'); DROP TABLE x; --")) == [
        ("'); DROP TABLE x; --",)
    ]
    assert fails(sess, "SELECT ?", param("INT", "1) --"))[0] == "CAST_INVALID_INPUT"
    assert fails(sess, "SELECT ?", param("INT) --", "1"))[0] == "UNSUPPORTED_DATATYPE"
