# SPDX-License-Identifier: Apache-2.0
"""Databricks SQL types: names, Thrift ids, DuckDB storage types and Arrow types.

Year-month intervals are stored in DuckDB as INTEGER months, day-time intervals as BIGINT
microseconds and VARIANT as JSON text: each is exact, and the type here says what it means.
In Arrow a year-month interval stays int32 months (pyarrow cannot hold an array of Arrow's own
month interval, which has the same layout); its field's SqlName and type id say what it is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

import pyarrow as pa

from .errors import SqlError, unsupported


@dataclass(frozen=True)
class Type:
    kind: str
    precision: int = 0
    scale: int = 0
    # Of an interval: "DAY TO SECOND", "YEAR", ...  Of a STRING that is declared otherwise:
    # CHAR or VARCHAR (precision: length), GEOMETRY or GEOGRAPHY (precision: SRID).
    unit: str = ""
    args: tuple[Type, ...] = ()  # element | key, value | fields
    names: tuple[str, ...] = ()  # of a struct

    @property
    def element(self) -> Type:
        return self.args[0]

    @property
    def value(self) -> Type:
        return self.args[1]

    def __str__(self) -> str:
        return self.sql_name()

    def sql_name(self) -> str:
        if self.kind == "DECIMAL":
            return f"DECIMAL({self.precision},{self.scale})"
        if self.kind in ("YM", "DT"):
            return f"INTERVAL {self.unit}"
        if self.kind == "STRING" and self.unit:
            return f"{self.unit}({self.precision})"
        if self.kind == "ARRAY":
            return f"ARRAY<{self.element}>"
        if self.kind == "MAP":
            return f"MAP<{self.args[0]}, {self.value}>"
        if self.kind == "STRUCT":
            fields = (f"{_field(n)}: {t}" for n, t in zip(self.names, self.args))
            return f"STRUCT<{', '.join(fields)}>"
        return self.kind

    def simple_name(self) -> str:
        """The lower-case form DESCRIBE prints."""
        if self.kind == "MAP":
            return f"map<{self.args[0].simple_name()},{self.value.simple_name()}>"
        if self.kind == "ARRAY":
            return f"array<{self.element.simple_name()}>"
        if self.kind == "STRUCT":
            fields = (
                f"{_field(n)}:{t.simple_name()}" for n, t in zip(self.names, self.args)
            )
            return f"struct<{','.join(fields)}>"
        return self.sql_name().lower()

    def json_type(self):
        if self.kind == "ARRAY":
            return {
                "type": "array",
                "elementType": self.element.json_type(),
                "containsNull": True,
            }
        if self.kind == "MAP":
            return {
                "type": "map",
                "keyType": self.args[0].json_type(),
                "valueType": self.value.json_type(),
                "valueContainsNull": True,
            }
        if self.kind == "STRUCT":
            return {
                "type": "struct",
                "fields": [
                    {"name": n, "type": t.json_type(), "nullable": True, "metadata": {}}
                    for n, t in zip(self.names, self.args)
                ],
            }
        return _JSON.get(self.kind) or self.sql_name().lower()

    def type_id(self) -> int:
        return _THRIFT[self.kind]

    def duck(self) -> str:
        if self.kind == "DECIMAL":
            return f"DECIMAL({self.precision},{self.scale})"
        if self.kind == "ARRAY":
            return f"{self.element.duck()}[]"
        if self.kind == "MAP":
            return f"MAP({self.args[0].duck()}, {self.value.duck()})"
        if self.kind == "STRUCT":
            fields = (f"{ident(n)} {t.duck()}" for n, t in zip(self.names, self.args))
            return f"STRUCT({', '.join(fields)})"
        return _DUCK[self.kind]

    def arrow(self, zone: str) -> pa.DataType:
        if self.kind == "DECIMAL":
            return pa.decimal128(self.precision, self.scale)
        if self.kind == "TIMESTAMP":
            return pa.timestamp("us", tz=zone)
        if self.kind == "ARRAY":
            return pa.list_(pa.field("element", self.element.arrow(zone)))
        if self.kind == "MAP":
            return pa.map_(self.args[0].arrow(zone), self.value.arrow(zone))
        if self.kind == "STRUCT":
            return pa.struct(
                [pa.field(n, t.arrow(zone)) for n, t in zip(self.names, self.args)]
            )
        return _ARROW[self.kind]

    @property
    def bounded(self) -> bool:
        """CHAR(n) or VARCHAR(n)."""
        return self.unit in ("CHAR", "VARCHAR")

    def computed(self) -> Type:
        """The type of a value that is no longer the column itself: STRING for CHAR(n)."""
        return STRING if self.bounded else self

    def is_int(self) -> bool:
        return self.kind in INTS

    def is_numeric(self) -> bool:
        return self.kind in INTS or self.kind in ("DECIMAL", "FLOAT", "DOUBLE")

    def is_fractional(self) -> bool:
        return self.kind in ("FLOAT", "DOUBLE")


def _field(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else f"`{name}`"


def ident(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


INTS = {"TINYINT": 3, "SMALLINT": 5, "INT": 10, "BIGINT": 20}

BOOLEAN, TINYINT, SMALLINT, INT = (
    Type(k) for k in ("BOOLEAN", "TINYINT", "SMALLINT", "INT")
)
BIGINT, FLOAT, DOUBLE, STRING = (Type(k) for k in ("BIGINT", "FLOAT", "DOUBLE", "STRING"))
BINARY, DATE, TIMESTAMP, VOID = (Type(k) for k in ("BINARY", "DATE", "TIMESTAMP", "VOID"))
NTZ, VARIANT = Type("TIMESTAMP_NTZ"), Type("VARIANT")
YEAR_MONTH = Type("YM", unit="YEAR TO MONTH")
DAY_SECOND = Type("DT", unit="DAY TO SECOND")

_JSON = {
    "TINYINT": "byte", "SMALLINT": "short", "INT": "integer", "BIGINT": "long",
    "FLOAT": "float", "DOUBLE": "double",
}  # fmt: skip

_THRIFT = {
    "BOOLEAN": 0, "TINYINT": 1, "SMALLINT": 2, "INT": 3, "BIGINT": 4, "FLOAT": 5,
    "DOUBLE": 6, "STRING": 7, "VARIANT": 7, "TIMESTAMP": 8, "TIMESTAMP_NTZ": 8,
    "BINARY": 9, "ARRAY": 10, "MAP": 11, "STRUCT": 12, "DECIMAL": 15, "VOID": 16,
    "DATE": 17, "YM": 20, "DT": 21,
}  # fmt: skip

_DUCK = {
    "BOOLEAN": "BOOLEAN", "TINYINT": "TINYINT", "SMALLINT": "SMALLINT", "INT": "INTEGER",
    "BIGINT": "BIGINT", "FLOAT": "FLOAT", "DOUBLE": "DOUBLE", "STRING": "VARCHAR",
    "VARIANT": "VARCHAR", "TIMESTAMP": "TIMESTAMPTZ", "TIMESTAMP_NTZ": "TIMESTAMP",
    "BINARY": "BLOB", "DATE": "DATE", "YM": "INTEGER", "DT": "BIGINT", "VOID": "INTEGER",
}  # fmt: skip

_ARROW = {
    "BOOLEAN": pa.bool_(), "TINYINT": pa.int8(), "SMALLINT": pa.int16(), "INT": pa.int32(),
    "BIGINT": pa.int64(), "FLOAT": pa.float32(), "DOUBLE": pa.float64(),
    "STRING": pa.utf8(), "VARIANT": pa.utf8(), "TIMESTAMP_NTZ": pa.timestamp("us"),
    "BINARY": pa.binary(), "DATE": pa.date32(), "YM": pa.int32(),
    "DT": pa.duration("us"), "VOID": pa.null(),
}  # fmt: skip

_NAMES = {
    "BOOLEAN": BOOLEAN, "TINYINT": TINYINT, "BYTE": TINYINT, "SMALLINT": SMALLINT,
    "SHORT": SMALLINT, "INT": INT, "INTEGER": INT, "BIGINT": BIGINT, "LONG": BIGINT,
    "FLOAT": FLOAT, "REAL": FLOAT, "DOUBLE": DOUBLE, "STRING": STRING, "BINARY": BINARY,
    "DATE": DATE, "TIMESTAMP": TIMESTAMP, "TIMESTAMP_LTZ": TIMESTAMP, "TIMESTAMP_NTZ": NTZ,
    "VOID": VOID, "VARIANT": VARIANT, "INTERVAL": DAY_SECOND,
}  # fmt: skip

_TEXTS = {"CHAR": "CHAR", "CHARACTER": "CHAR", "VARCHAR": "VARCHAR",
          "GEOMETRY": "GEOMETRY", "GEOGRAPHY": "GEOGRAPHY"}  # fmt: skip

_YM_UNITS = ("YEAR", "MONTH")
_DT_UNITS = ("DAY", "HOUR", "MINUTE", "SECOND")


def decimal(precision: int, scale: int) -> Type:
    return Type("DECIMAL", precision=precision, scale=scale)


def bounded_decimal(precision: int, scale: int) -> Type:
    """Spark's adjustment of a result type that does not fit 38 digits."""
    if precision <= 38:
        return decimal(precision, scale)
    digits = precision - scale
    return decimal(38, max(38 - digits, min(scale, 6)))


def array(element: Type) -> Type:
    return Type("ARRAY", args=(element,))


def map_of(key: Type, value: Type) -> Type:
    return Type("MAP", args=(key, value))


def struct(names, types) -> Type:
    return Type("STRUCT", names=tuple(names), args=tuple(types))


def interval(first: str, last: str = "") -> Type:
    unit = first if not last or last == first else f"{first} TO {last}"
    for kind, units in (("YM", _YM_UNITS), ("DT", _DT_UNITS)):
        if first in units and (not last or last in units[units.index(first) :]):
            return Type(kind, unit=unit)
    raise unsupported(f"INTERVAL {unit}")


def as_decimal(t: Type) -> Type:
    """The decimal that holds every value of an integer type."""
    if t.kind == "DECIMAL":
        return t
    return decimal(INTS[t.kind], 0)


_TOKEN = re.compile(r"\s*(`(?:[^`]|``)*`|[A-Za-z_0-9]+|[<>(),:])")


class _TypeReader:
    def __init__(self, source: str):
        self.source = source
        self.words = []
        at = 0
        source = source.rstrip()
        while at < len(source):
            m = _TOKEN.match(source, at)
            if not m:
                raise bad_type(self.source)
            self.words.append(m[1])
            at = m.end()
        self.at = 0

    def peek(self) -> str:
        return self.words[self.at].upper() if self.at < len(self.words) else ""

    def next(self) -> str:
        if self.at >= len(self.words):
            raise bad_type(self.source)
        self.at += 1
        return self.words[self.at - 1]

    def accept(self, word: str) -> bool:
        if self.peek() != word:
            return False
        self.at += 1
        return True

    def expect(self, word: str) -> None:
        if not self.accept(word):
            raise bad_type(self.source)

    def number(self) -> int:
        word = self.next()
        if not word.isdigit():
            raise bad_type(self.source)
        return int(word)

    def read(self) -> Type:
        name = self.next().upper()
        if name in ("DECIMAL", "DEC", "NUMERIC"):
            return self.decimal()
        if name in ("ARRAY", "MAP", "STRUCT"):
            return self.nested(name)
        if name == "INTERVAL" and self.peek() in _YM_UNITS + _DT_UNITS:
            first = self.next().upper()
            return interval(first, self.next().upper() if self.accept("TO") else "")
        if name in _TEXTS:
            return self.text(_TEXTS[name])
        if name not in _NAMES:
            raise bad_type(self.source)
        return _NAMES[name]

    def text(self, unit: str) -> Type:
        """CHAR(n) and its relatives; SRIDs may be left out, and ANY is 4326."""
        number = 4326 if unit == "GEOGRAPHY" else 0
        given = self.accept("(")
        if given:
            number = 4326 if self.accept("ANY") else self.number()
            self.expect(")")
        if unit in ("CHAR", "VARCHAR"):
            if not given:
                return STRING
            if not 1 <= number <= 65535:
                raise bad_type(self.source)
        return Type("STRING", unit=unit, precision=number)

    def decimal(self) -> Type:
        precision, scale = 10, 0
        if self.accept("("):
            precision = self.number()
            scale = self.number() if self.accept(",") else 0
            self.expect(")")
        if not 1 <= precision <= 38 or scale > precision:
            raise SqlError(
                "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION",
                "22003",
                f"Decimal precision {precision} or scale {scale} exceeds max precision 38.",
            )
        return decimal(precision, scale)

    def nested(self, name: str) -> Type:
        self.expect("<")
        if name == "ARRAY":
            result = array(self.read())
        elif name == "MAP":
            key = self.read()
            self.expect(",")
            result = map_of(key, self.read())
        else:
            result = self.fields()
        self.expect(">")
        return result

    def fields(self) -> Type:
        names, types = [], []
        while self.peek() != ">":
            names.append(self.next().strip("`").replace("``", "`"))
            self.accept(":")
            types.append(self.read())
            if self.accept("NOT"):
                self.expect("NULL")
            if not self.accept(","):
                break
        return struct(names, types)


def bad_type(source: str) -> SqlError:
    return SqlError(
        "UNSUPPORTED_DATATYPE", "0A000", f'Unsupported data type "{source.upper()}".'
    )


def parse_type(source: str) -> Type:
    reader = _TypeReader(source)
    result = reader.read()
    if reader.at != len(reader.words):
        raise bad_type(source)
    return result


def from_duck(name: str) -> Type:
    """The Databricks type of a DuckDB column that carries no note of its own."""
    known = {
        v: Type(k) for k, v in _DUCK.items() if k not in ("YM", "DT", "VARIANT", "VOID")
    }
    known["TIMESTAMP WITH TIME ZONE"] = TIMESTAMP
    known |= {"HUGEINT": BIGINT, '"NULL"': VOID, "UTINYINT": SMALLINT, "USMALLINT": INT}
    known |= {"UINTEGER": BIGINT, "JSON": STRING, "UUID": STRING}
    if name in known:
        return known[name]
    m = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", name)
    if m:
        return decimal(int(m[1]), int(m[2]))
    if name.endswith("[]"):
        return array(from_duck(name[:-2]))
    raise unsupported(f"the column type {name}")


def column_field(name: str, t: Type, zone: str) -> pa.Field:
    t = t.computed()
    note = {
        "Spark:DataType:SqlName": t.sql_name(),
        "Spark:DataType:JsonType": json.dumps(t.json_type(), separators=(",", ":")),
    }
    return pa.field(name, t.arrow(zone), metadata=note)


def widened(t: Type, unit: str) -> Type:
    return replace(t, unit=unit)
