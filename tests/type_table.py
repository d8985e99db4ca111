# SPDX-License-Identifier: Apache-2.0
"""One table of SQL values and what they are in Arrow, wherever they come from.

A *source* is a server and a form of its rows. Each row of the table holds for every source;
where one cannot give that value, the row says what it gives instead, and why. ``check`` reads
one cell, ``counted`` says how many cells there are and which are exceptions."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from harness import AdbcConnection, Error, run, table_of

D = decimal.Decimal
DATE = datetime.date
STAMP = datetime.datetime
DELTA = datetime.timedelta
UTC = datetime.timezone.utc
ZONE = "Europe/Berlin"

#: The forms of the local warehouse, then the real engines.
ARROW, COLUMNS, SPARK, HIVE = "arrow", "columns", "spark", "hive"
REAL_SPARK, REAL_HIVE = "real spark", "real hive"
SOURCES = (ARROW, COLUMNS, SPARK, HIVE, REAL_SPARK, REAL_HIVE)
HIVES = (HIVE, REAL_HIVE)
SPARKS = (SPARK, REAL_SPARK)


class Json(str):
    """Text that is compared as the JSON value that it holds."""


@dataclass(frozen=True)
class Other:
    """What some sources give instead: Arrow type, value, name; None: no such type there."""

    sources: tuple[str, ...]
    reason: str
    kind: str | None = None
    value: Any = None
    name: str | None = None
    sql: str | None = None


@dataclass(frozen=True)
class Row:
    sql: str
    kind: str
    value: Any
    name: str
    others: tuple[Other, ...] = field(default=())

    def at(self, source: str) -> tuple[str | None, Any, str, str, str]:
        """SQL, Arrow type, value, SQL type name and the reason of an exception."""
        kind, value, name, sql, reason = self.kind, self.value, self.name, self.sql, ""
        for other in self.others:
            if source not in other.sources:
                continue
            reason = other.reason
            if other.kind is None and other.sql is None:
                return None, None, None, "", reason
            sql = other.sql or sql
            kind = other.kind or kind
            value = value if other.value is None else other.value
            name = other.name or name
        return sql, kind, value, name, reason


TZ = f"timestamp[us, tz={ZONE}]"
NTZ = "timestamp[us]"
MONTHS = "month_day_nano_interval"

NO_ZONE = "TIMESTAMP is a local time on Hive, without zone"
NO_TYPE = "the engine has no such type"
NTZ_REASON = "a column of TIMESTAMP_NTZ is described as TIMESTAMP and cannot be told apart"
NESTED = "columns do not describe what is nested: the text is JSON on Databricks"
PRINTED = "columns do not describe what is nested: the text is what the engine prints"
NAMED = "columns are described as STRING"
VARIANT_REASON = "Spark cannot describe such a result: all its columns are read as text"
WKB_REASON = "columns are described as STRING, and only the binary form is read"
CHAR_REASON = "a cast to CHAR or VARCHAR keeps its type on Hive"
SPECIAL = "the local warehouse has no calendar intervals"


def local(*parts: int) -> Other:
    return Other(HIVES, NO_ZONE, NTZ, STAMP(*parts), "TIMESTAMP")


def nested(sql: str, kind: str, value: Any, name: str, spark: str, hive: str | None = None,
           hive_sql: str | None = None, local_hive: str | None = None) -> Row:  # fmt: skip
    bare = name.split("<")[0]
    hive = hive or spark
    return Row(sql, kind, value, name, (
        Other((COLUMNS,), NESTED, "string", Json(json.dumps(plain(value))), bare),
        Other(SPARKS, PRINTED, "string", spark, bare),
        Other((HIVE,), PRINTED, "string", local_hive or hive, bare),
        Other((REAL_HIVE,), PRINTED, "string", hive, bare, hive_sql),
    ))  # fmt: skip


def plain(value: Any) -> Any:
    """As JSON has it: maps are objects."""
    if isinstance(value, list):
        if value and all(isinstance(each, tuple) for each in value):
            return {str(key): plain(each) for key, each in value}
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (DATE, STAMP)):
        return str(value)
    return value


def row(sql: str, kind: str, value: Any, name: str, *others: Other) -> Row:
    return Row(sql, kind, value, name, others)


FIVE = "list<element: " * 4 + "list<element: int32>" + ">" * 4
DEEP = "map<string, list<element: struct<x: map<string, list<element: int32>>>>>"
DEEP_NAME = "MAP<STRING, ARRAY<STRUCT<x: MAP<STRING, ARRAY<INT>>>>>"
POINT = "0101000000000000000000F03F0000000000000040"
NINES = "99999999999999999999999999999999999999"

ROWS: tuple[Row, ...] = (
    row("true", "bool", True, "BOOLEAN"),
    row("false", "bool", False, "BOOLEAN"),
    row("CAST(-128 AS TINYINT)", "int8", -128, "TINYINT"),
    row("CAST(127 AS TINYINT)", "int8", 127, "TINYINT"),
    row("CAST(-32768 AS SMALLINT)", "int16", -32768, "SMALLINT"),
    row("CAST(-2147483648 AS INT)", "int32", -(2**31), "INT"),
    row("CAST(9223372036854775807 AS BIGINT)", "int64", 2**63 - 1, "BIGINT"),
    row("CAST('0.1' AS FLOAT)", "float", 0.10000000149011612, "FLOAT"),
    row("CAST('3.4028235E38' AS FLOAT)", "float", 3.4028234663852886e38, "FLOAT"),
    row("CAST('1.4E-45' AS FLOAT)", "float", 1.401298464324817e-45, "FLOAT"),
    row("CAST('NaN' AS FLOAT)", "float", math.nan, "FLOAT"),
    row("CAST('-Infinity' AS FLOAT)", "float", -math.inf, "FLOAT"),
    row("CAST(0.1 AS DOUBLE)", "double", 0.1, "DOUBLE"),
    row("CAST('1.7976931348623157E308' AS DOUBLE)", "double", 1.7976931348623157e308, "DOUBLE"),
    row("CAST('4.9E-324' AS DOUBLE)", "double", 5e-324, "DOUBLE"),
    row("CAST('-0.0' AS DOUBLE)", "double", -0.0, "DOUBLE",
        Other((REAL_HIVE,), "the engine reads this text as 0", "double", 0.0)),
    row("CAST('NaN' AS DOUBLE)", "double", math.nan, "DOUBLE"),
    row("CAST('Infinity' AS DOUBLE)", "double", math.inf, "DOUBLE"),
    row("CAST('-Infinity' AS DOUBLE)", "double", -math.inf, "DOUBLE"),
    row("CAST(12.34 AS DECIMAL(10,3))", "decimal128(10, 3)", D("12.340"), "DECIMAL(10,3)"),
    row("CAST('-0.000000001' AS DECIMAL(10,9))", "decimal128(10, 9)", D("-0.000000001"),
        "DECIMAL(10,9)"),
    row(f"CAST('{NINES}' AS DECIMAL(38,0))", "decimal128(38, 0)", D(NINES), "DECIMAL(38,0)"),
    row(f"CAST('-0.{NINES}' AS DECIMAL(38,38))", "decimal128(38, 38)", D("-0." + NINES),
        "DECIMAL(38,38)"),
    row("CAST('1' AS DECIMAL(38,18))", "decimal128(38, 18)", D("1.000000000000000000"),
        "DECIMAL(38,18)"),
    row("'Zürich 😀'", "string", "Zürich 😀", "STRING"),
    row("''", "string", "", "STRING"),
    row("CAST('cd' AS VARCHAR(7))", "string", "cd", "STRING",
        Other((REAL_HIVE,), CHAR_REASON, "string", "cd", "VARCHAR(7)")),
    row("CAST('cd' AS CHAR(2))", "string", "cd", "STRING",
        Other((REAL_HIVE,), CHAR_REASON, "string", "cd", "CHAR(2)")),
    row("unhex('00FF41')", "binary", b"\x00\xffA", "BINARY"),
    row("unhex('')", "binary", b"", "BINARY"),
    row("DATE'2024-02-29'", "date32[day]", DATE(2024, 2, 29), "DATE"),
    row("DATE'0001-01-01'", "date32[day]", DATE(1, 1, 1), "DATE"),
    row("DATE'9999-12-31'", "date32[day]", DATE(9999, 12, 31), "DATE"),
    row("DATE'1582-10-04'", "date32[day]", DATE(1582, 10, 4), "DATE"),
    row("DATE'1582-10-15'", "date32[day]", DATE(1582, 10, 15), "DATE"),
    row("DATE'1500-02-28'", "date32[day]", DATE(1500, 2, 28), "DATE"),
    row("TIMESTAMP'2024-02-29 12:34:56.789'", TZ,
        STAMP(2024, 2, 29, 11, 34, 56, 789_000, UTC), "TIMESTAMP",
        local(2024, 2, 29, 12, 34, 56, 789_000)),
    row("TIMESTAMP'2024-07-01 12:00:00'", TZ, STAMP(2024, 7, 1, 10, 0, 0, 0, UTC), "TIMESTAMP",
        local(2024, 7, 1, 12)),
    row("TIMESTAMP'2024-10-27 01:59:59.999999'", TZ,
        STAMP(2024, 10, 26, 23, 59, 59, 999_999, UTC), "TIMESTAMP",
        local(2024, 10, 27, 1, 59, 59, 999_999)),
    row("TIMESTAMP'2024-10-27 03:00:00'", TZ, STAMP(2024, 10, 27, 2, 0, 0, 0, UTC), "TIMESTAMP",
        local(2024, 10, 27, 3)),
    row("TIMESTAMP'2050-07-01 12:00:00'", TZ, STAMP(2050, 7, 1, 10, 0, 0, 0, UTC), "TIMESTAMP",
        local(2050, 7, 1, 12)),
    row("TIMESTAMP'9999-12-31 23:59:59.999999'", TZ,
        STAMP(9999, 12, 31, 22, 59, 59, 999_999, UTC), "TIMESTAMP",
        local(9999, 12, 31, 23, 59, 59, 999_999)),
    # Before 1893 the zone is the city's own time, 53 minutes and 28 seconds.
    row("TIMESTAMP'1500-03-01 01:02:03'", TZ, STAMP(1500, 3, 1, 0, 8, 35, 0, UTC), "TIMESTAMP",
        local(1500, 3, 1, 1, 2, 3)),
    row("TIMESTAMP'0001-01-02 00:00:00'", TZ, STAMP(1, 1, 1, 23, 6, 32, 0, UTC), "TIMESTAMP",
        local(1, 1, 2)),
    row("CAST('2024-02-29 12:34:56.789' AS TIMESTAMP_NTZ)", NTZ,
        STAMP(2024, 2, 29, 12, 34, 56, 789_000), "TIMESTAMP_NTZ",
        Other((COLUMNS, *SPARKS), NTZ_REASON, TZ,
              STAMP(2024, 2, 29, 11, 34, 56, 789_000, UTC), "TIMESTAMP"),
        Other((HIVE,), NTZ_REASON, name="TIMESTAMP", kind=NTZ),
        Other((REAL_HIVE,), NO_TYPE)),
    row("INTERVAL '1-2' YEAR TO MONTH", MONTHS, 14, "INTERVAL YEAR TO MONTH"),
    row("INTERVAL '-1-2' YEAR TO MONTH", MONTHS, -14, "INTERVAL YEAR TO MONTH"),
    row("INTERVAL '1 02:03:04.5' DAY TO SECOND", "duration[us]",
        DELTA(1, 7384, 500_000), "INTERVAL DAY TO SECOND"),
    row("INTERVAL '-1 02:03:04.000001' DAY TO SECOND", "duration[us]",
        -DELTA(1, 7384, 1), "INTERVAL DAY TO SECOND"),
    row("NULL", "null", None, "VOID"),
    nested("array(1, 2, CAST(NULL AS INT))", "list<element: int32>", [1, 2, None], "ARRAY<INT>",
           "[1,2,null]"),
    nested("array('a', 'ü')", "list<element: string>", ["a", "ü"], "ARRAY<STRING>",
           '["a","ü"]'),
    nested("map('k', 1)", "map<string, int32>", [("k", 1)], "MAP<STRING, INT>", '{"k":1}'),
    nested("map(1, array(2))", "map<int32, list<element: int32>>", [(1, [2])],
           "MAP<INT, ARRAY<INT>>", "{1:[2]}"),
    nested("named_struct('f', 1, 's', 'x\"y')", "struct<f: int32, s: string>",
           {"f": 1, "s": 'x"y'}, "STRUCT<f: INT, s: STRING>", '{"f":1,"s":"x"y"}',
           '{"f":1,"s":"x\\"y"}'),
    nested("array(DATE'2024-01-01')", "list<element: date32[day]>", [DATE(2024, 1, 1)],
           "ARRAY<DATE>", "[2024-01-01]", '["2024-01-01"]', local_hive="[2024-01-01]"),
    nested("array(array(array(array(array(1)))))", FIVE, [[[[[1]]]]],
           "ARRAY<ARRAY<ARRAY<ARRAY<ARRAY<INT>>>>>", "[[[[[1]]]]]"),
    nested("map('a', array(named_struct('x', map('b', array(1)))))", DEEP,
           [("a", [{"x": [("b", [1])]}])], DEEP_NAME, '{"a":[{"x":{"b":[1]}}]}'),
    row("""parse_json('{"a": [1, "x", null]}')""", "string", '{"a":[1,"x",null]}', "VARIANT",
        Other((COLUMNS, SPARK, HIVE), NAMED, name="STRING", kind="string"),
        Other((REAL_SPARK,), VARIANT_REASON, name="STRING", kind="string"),
        Other((REAL_HIVE,), NO_TYPE)),
    row("make_interval(1, 2, 3, 4, 5, 6, 7.5)", "string",
        "1 years 2 months 25 days 5 hours 6 minutes 7.5 seconds", "STRING",
        Other((ARROW, COLUMNS, SPARK, HIVE), SPECIAL), Other((REAL_HIVE,), NO_TYPE)),
    row("st_geomfromtext('POINT(1 2)')", "string", "POINT(1 2)", "GEOMETRY(0)",
        Other((COLUMNS, SPARK, HIVE), NAMED, "string", name="STRING"),
        Other((REAL_SPARK,), WKB_REASON, "string", name="STRING",
              sql=f"st_geomfromwkb(unhex('{POINT}'))"),
        Other((REAL_HIVE,), NO_TYPE)),
    row("st_geogfromtext('POINT(1 2)')", "string", "SRID=4326;POINT(1 2)", "GEOGRAPHY(4326)",
        Other((COLUMNS, SPARK, HIVE), NAMED, "string", name="STRING"),
        Other((REAL_SPARK,), WKB_REASON, "string", name="STRING",
              sql=f"st_geogfromwkb(unhex('{POINT}'))"),
        Other((REAL_HIVE,), NO_TYPE)),
    row("create_union(0, 1, 'a')", "string", "{0:1}", "UNIONTYPE",
        Other((ARROW, COLUMNS, SPARK, HIVE, REAL_SPARK), NO_TYPE)),
    row("CAST('2024-07-01 12:00:00 UTC' AS TIMESTAMP WITH LOCAL TIME ZONE)", TZ,
        STAMP(2024, 7, 1, 12, 0, 0, 0, UTC), "TIMESTAMP WITH LOCAL TIME ZONE",
        Other((ARROW, COLUMNS, SPARK, HIVE, REAL_SPARK), NO_TYPE)),
    row("TIMESTAMP'2024-01-02 03:04:05.123456789'", NTZ,
        STAMP(2024, 1, 2, 3, 4, 5, 123_456), "TIMESTAMP",
        Other((ARROW, COLUMNS, SPARK, HIVE, REAL_SPARK), "only Hive has nanoseconds")),
)  # fmt: skip


def months_of(value: Any) -> Any:
    if value is None:
        return None
    assert value.days == 0 and value.nanoseconds == 0
    return value.months


def same(got: Any, wanted: Any) -> bool:
    if isinstance(wanted, Json):
        return json.loads(got) == json.loads(wanted)
    if isinstance(wanted, float):
        if math.isnan(wanted):
            return math.isnan(got)
        return got == wanted and math.copysign(1, got) == math.copysign(1, wanted)
    if isinstance(wanted, STAMP) and wanted.tzinfo:
        return got.tzinfo is not None and got.astimezone(UTC) == wanted
    return type(got) is type(wanted) and got == wanted


def values_of(column: pa.ChunkedArray) -> list:
    if column.type == pa.month_day_nano_interval():
        return [months_of(value) for value in column.to_pylist()]
    if pa.types.is_timestamp(column.type) and column.type.tz:
        # Years 1 and 9999 cannot be moved to their own zone by Python's datetime.
        column = column.cast(pa.timestamp("us", "UTC"))
    return column.to_pylist()


def check(conn: AdbcConnection, source: str, row: Row, *options: dict[str, str]) -> None:
    """The value and, below it, a NULL of the same type."""
    sql, kind, wanted, name, _ = row.at(source)
    assert sql is not None
    union = f"SELECT {sql} AS v UNION ALL SELECT NULL"
    if source == REAL_HIVE or wanted is None:
        union = f"SELECT {sql} AS v"
    with run(conn, union, *options) as read:
        found = table_of(read)
    column = found.column(0)
    assert str(column.type) == kind
    metadata = found.schema.field(0).metadata or {}
    if name:
        if source != REAL_SPARK or "VARIANT" != row.name:
            assert metadata[b"Spark:DataType:SqlName"].decode() == name
            assert metadata[b"databricks.type_name"].decode() == name
    values = values_of(column)
    nulls = [value for value in values if value is None]
    present = [value for value in values if value is not None]
    assert len(nulls) == (0 if source == REAL_HIVE and wanted is not None else 1), values
    if wanted is not None:
        assert len(present) == 1 and same(present[0], wanted), (values, wanted)


def cells(source: str) -> list[Row]:
    return [row for row in ROWS if row.at(source)[0] is not None]


def check_all(conn: AdbcConnection, source: str, *options: dict[str, str]) -> None:
    """Every cell of a source; all that is wrong is told at once."""
    wrong = []
    for each in cells(source):
        try:
            check(conn, source, each, *options)
        except (AssertionError, Error) as error:
            wrong.append(f"{source}: {each.sql}: {error}")
    assert not wrong, "\n".join(wrong)


def counted(sources: Iterable[str]) -> str:
    """Cells, and each exception with its reason; no cell of a source is left out."""
    lines, total, plain_cells = [], 0, 0
    for source in sources:
        for each in ROWS:
            total += 1
            sql, kind, _, _, reason = each.at(source)
            if not reason:
                plain_cells += 1
            else:
                lines.append(f"  {source}: {each.sql[:40]}: {kind or 'not there'}: {reason}")
    head = f"types: {total} cells, {plain_cells} as the table says, {len(lines)} exceptions"
    return "\n".join([head, *lines])
