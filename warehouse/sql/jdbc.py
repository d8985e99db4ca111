# SPDX-License-Identifier: Apache-2.0
"""What the catalog calls say of a type: java.sql.Types numbers, sizes, digits, radix.

Spark measures integers and decimals in bytes of storage, Hive in digits; Databricks answers
as Spark does, which is why clients read the precision of a decimal out of TYPE_NAME.
"""

from __future__ import annotations

from typing import NamedTuple

from .types import Type


class Numbers(NamedTuple):
    data_type: int
    size: int | None = None
    digits: int | None = None
    radix: int | None = None


_SPARK = {
    "BOOLEAN": Numbers(16, 1, 0),
    "TINYINT": Numbers(-6, 1, None, 10),
    "SMALLINT": Numbers(5, 2, None, 10),
    "INT": Numbers(4, 4, 0, 10),
    "BIGINT": Numbers(-5, 8, None, 10),
    "FLOAT": Numbers(6, 4, 7, 10),
    "DOUBLE": Numbers(8, 8, 15, 10),
    "STRING": Numbers(12),
    "VARIANT": Numbers(1111),
    "BINARY": Numbers(-2),
    "DATE": Numbers(91, 4),
    "TIMESTAMP": Numbers(93, 8, 6),
    "TIMESTAMP_NTZ": Numbers(93, 8, 6),
    "ARRAY": Numbers(2003),
    "MAP": Numbers(2000),
    "STRUCT": Numbers(2002),
    "VOID": Numbers(0, 1),
    "YM": Numbers(1111, 4),
    "DT": Numbers(1111, 8),
}

_HIVE = {
    **_SPARK,
    "BOOLEAN": Numbers(16, None, 0),
    "TINYINT": Numbers(-6, 3, 0, 10),
    "SMALLINT": Numbers(5, 5, 0, 10),
    "INT": Numbers(4, 10, 0, 10),
    "BIGINT": Numbers(-5, 19, 0, 10),
    "FLOAT": Numbers(6, 7, 7, 10),
    "DOUBLE": Numbers(8, 15, 15, 10),
    "STRING": Numbers(12, 2**31 - 1),
    "BINARY": Numbers(-2, 2**31 - 1),
    "DATE": Numbers(91, 10),
    "TIMESTAMP": Numbers(93, 29, 9),
    "TIMESTAMP_NTZ": Numbers(93, 29, 9),
    "VOID": Numbers(0),
    "YM": Numbers(1111),
    "DT": Numbers(1111),
}


def numbers(kind: Type, flavour: str) -> Numbers:
    """Of a column of this type."""
    if kind.kind == "DECIMAL":
        if flavour == "hive":
            return Numbers(3, kind.precision, kind.scale, 10)
        return Numbers(3, 8 if kind.precision <= 18 else 16, kind.scale, 10)
    if kind.unit == "CHAR":
        return Numbers(1, kind.precision)
    if kind.unit == "VARCHAR":
        return Numbers(12, kind.precision if flavour == "hive" else None)
    return (_HIVE if flavour == "hive" else _SPARK)[kind.kind]


_HIVE_NAMES = {"YM": "INTERVAL_YEAR_MONTH", "DT": "INTERVAL_DAY_TIME"}


def type_name(kind: Type, flavour: str) -> str:
    """TYPE_NAME: with its arguments, on Hive without."""
    if flavour == "hive":
        return _HIVE_NAMES.get(kind.kind) or (kind.unit if kind.bounded else kind.kind)
    return kind.sql_name()


class _Info(NamedTuple):
    name: str
    data_type: int
    precision: int | None = None
    searchable: int = 3


_VOID, _BOOLEAN = _Info("VOID", 0), _Info("BOOLEAN", 16)
_STRING, _BINARY = _Info("STRING", 12), _Info("BINARY", -2)
_NUMERIC = (
    _Info("TINYINT", -6, 3), _Info("SMALLINT", 5, 5), _Info("INT", 4, 10),
    _Info("BIGINT", -5, 19), _Info("FLOAT", 6, 7), _Info("DOUBLE", 8, 15),
)  # fmt: skip
_DECIMAL, _DATE, _TIMESTAMP = (
    _Info("DECIMAL", 3, 38), _Info("DATE", 91), _Info("TIMESTAMP", 93)
)  # fmt: skip
_NESTED = (_Info("ARRAY", 2003, None, 0), _Info("MAP", 2000, None, 0),
           _Info("STRUCT", 2002, None, 0))  # fmt: skip
_CHAR, _VARCHAR = _Info("CHAR", 1), _Info("VARCHAR", 12)
_INTERVALS = (_Info("INTERVAL_YEAR_MONTH", 1111), _Info("INTERVAL_DAY_TIME", 1111))

_SPARK_INFO = (
    _VOID, _BOOLEAN, _STRING, _BINARY, *_NUMERIC, _DECIMAL, _DATE, _TIMESTAMP, *_NESTED,
    _CHAR, _VARCHAR, *_INTERVALS,
)  # fmt: skip
_HIVE_INFO = (
    _VOID, _BOOLEAN, *_NUMERIC, _STRING, _CHAR, _VARCHAR, _DATE, _TIMESTAMP,
    _Info("TIMESTAMP WITH LOCAL TIME ZONE", 2014), *_INTERVALS, _BINARY, _DECIMAL, *_NESTED,
    _Info("UNIONTYPE", 1111, None, 0), _Info("USER_DEFINED", 1111, None, 0),
)  # fmt: skip


def type_info_rows(flavour: str) -> list[tuple]:
    """The rows of GetTypeInfo, in the server's order."""
    rows = []
    for one in _HIVE_INFO if flavour == "hive" else _SPARK_INFO:
        numeric = one.precision is not None
        rows.append((
            one.name, one.data_type, one.precision, None, None, None, 1,
            one.name == "STRING", one.searchable, not numeric, False, False, None, 0, 0,
            None, None, 10 if numeric else None,
        ))  # fmt: skip
    return rows
