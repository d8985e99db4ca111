# SPDX-License-Identifier: Apache-2.0
"""Values as text: what column based results and non-native Arrow columns carry.

``array_to_text`` turns one Arrow array into a string array.  Three flavours differ only
in nested values: ``databricks`` writes JSON, ``spark`` and ``hive`` write what their
engines print (strings in quotes without escapes on Spark, with escapes on Hive; dates
bare).
"""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
import zoneinfo
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

MICROS_PER_SECOND = 1_000_000
SECONDS_PER_DAY = 86_400


def double_text(value: float) -> str:
    """A double as the engines print it: 1.0, 1.0E20, NaN, Infinity."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = repr(float(value))
        return text if "e" not in text else format(decimal.Decimal(text), "f")
    sign, digits, exponent = decimal.Decimal(repr(float(value))).normalize().as_tuple()
    power = exponent + len(digits) - 1
    text = "".join(map(str, digits))
    return f"{'-' if sign else ''}{text[0]}.{text[1:] or '0'}E{power}"


def year_month_text(months: int) -> str:
    sign = "-" if months < 0 else ""
    return f"{sign}{abs(months) // 12}-{abs(months) % 12}"


def day_time_text(micros: int) -> str:
    sign = "-" if micros < 0 else ""
    seconds, fraction = divmod(abs(micros), MICROS_PER_SECOND)
    days, seconds = divmod(seconds, SECONDS_PER_DAY)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    return f"{sign}{days} {hours:02}:{minutes:02}:{seconds:02}.{fraction * 1000:09}"


def timestamp_text(value: datetime.datetime) -> str:
    text = value.strftime("%H:%M:%S")
    if value.microsecond:
        text += f".{value.microsecond:06}".rstrip("0")
    return f"{value.year:04}-{value.month:02}-{value.day:02} {text}"


# --- nested values ---------------------------------------------------------------------


def _scalar_formatter(kind: pa.DataType, flavour: str) -> Callable[[Any], str]:
    json_text = flavour == "databricks"
    if pa.types.is_boolean(kind):
        return lambda v: "true" if v else "false"
    if pa.types.is_integer(kind):
        return str
    if pa.types.is_floating(kind):
        if json_text:
            return lambda v: double_text(v) if math.isfinite(v) else f'"{double_text(v)}"'
        return double_text
    if pa.types.is_decimal(kind):
        return lambda v: format(v, "f")
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        if json_text:
            return lambda v: '"' + base64.b64encode(v).decode("ascii") + '"'
        return lambda v: v.decode("utf-8", "replace")
    quote = (lambda s: f'"{s}"') if json_text else (lambda s: s)
    if pa.types.is_date(kind):
        return lambda v: quote(v.isoformat())
    if pa.types.is_timestamp(kind):
        return lambda v: quote(timestamp_text(v))
    if pa.types.is_duration(kind):
        return lambda v: quote(day_time_text(v))
    if flavour == "spark":
        return lambda v: f'"{v}"'
    return lambda v: json.dumps(v, ensure_ascii=False)


def _sql_formatter(sql: Any, flavour: str) -> Callable[[Any], str] | None:
    """What Arrow's type does not say: months, and JSON that is text already."""
    if sql is None or sql.kind not in ("YM", "VARIANT"):
        return None
    if sql.kind == "VARIANT":
        return str
    quote = '"' if flavour == "databricks" else ""
    return lambda v: quote + year_month_text(v) + quote


def _formatter(kind: pa.DataType, flavour: str, sql: Any = None) -> Callable[[Any], str]:
    """A function from one ``as_py`` value of this type to its text.  ``sql`` is the SQL
    type, where it says more than Arrow's.
    """
    inner = sql.args if sql is not None and sql.args else None

    def nullable(render: Callable[[Any], str]) -> Callable[[Any], str]:
        return lambda v: "null" if v is None else render(v)

    if pa.types.is_map(kind):
        key, item = (
            _formatter(t, flavour, inner and inner[i])
            for i, t in enumerate((kind.key_type, kind.item_type))
        )
        bare = flavour == "databricks" and not pa.types.is_string(kind.key_type)

        def map_text(entries: list) -> str:
            keys = (
                f'"{key(k)}"' if bare and '"' not in key(k) else key(k)
                for k, _ in entries
            )
            return (
                "{" + ",".join(f"{k}:{item(v)}" for k, (_, v) in zip(keys, entries)) + "}"
            )

        return nullable(map_text)
    if pa.types.is_struct(kind):
        fields = [
            (f.name, _formatter(f.type, flavour, inner and inner[i]))
            for i, f in enumerate(kind)
        ]
        return nullable(
            lambda v: (
                "{"
                + ",".join(
                    f"{json.dumps(n, ensure_ascii=False)}:{fmt(v[n])}"
                    for n, fmt in fields
                )
                + "}"
            )
        )
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        item = _formatter(kind.value_type, flavour, inner and inner[0])
        return nullable(lambda v: "[" + ",".join(map(item, v)) + "]")
    if pa.types.is_null(kind):
        return lambda v: "null"
    return nullable(_sql_formatter(sql, flavour) or _scalar_formatter(kind, flavour))


def _plain_durations(kind: pa.DataType) -> pa.DataType:
    """The type with durations as integers, so that ``as_py`` keeps every microsecond."""
    if pa.types.is_map(kind):
        return pa.map_(_plain_durations(kind.key_type), _plain_durations(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([f.with_type(_plain_durations(f.type)) for f in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain_durations(kind.value_type)))
    return pa.int64() if pa.types.is_duration(kind) else kind


def nested_to_text(array: pa.Array, flavour: str, sql: Any = None) -> pa.Array:
    render = _formatter(array.type, flavour, sql)
    plain = _plain_durations(array.type)
    if plain != array.type:
        array = array.cast(plain)
    return pa.array(
        [None if v is None else render(v) for v in array.to_pylist()], type=pa.string()
    )


# --- flat values -----------------------------------------------------------------------


def _decimal_to_text(array: pa.Array) -> pa.Array:
    text = array.cast(pa.string())
    # Arrow prints very small values with an exponent; the engines never do.
    if pc.any(pc.match_substring(text, "E")).as_py():
        values = (None if v is None else format(v, "f") for v in array.to_pylist())
        text = pa.array(values, type=pa.string())
    return text


#: From here on Arrow no longer follows a zone's rule for summer time.
_LAST_TABLED = datetime.datetime(2037, 1, 1, tzinfo=datetime.timezone.utc)


def _local_timestamp(array: pa.Array) -> pa.Array:
    tz = array.type.tz
    late = pc.greater_equal(array, pa.scalar(_LAST_TABLED, array.type))
    if tz[0] in "+-" or not pc.any(late).as_py():
        return pc.local_timestamp(array)
    zone = zoneinfo.ZoneInfo(tz)
    instants = array.cast(pa.timestamp("us", "UTC")).to_pylist()
    local = [v and v.astimezone(zone).replace(tzinfo=None) for v in instants]
    return pa.array(local, pa.timestamp("us"))


def _timestamp_to_text(array: pa.Array) -> pa.Array:
    if array.type.tz:
        array = _local_timestamp(array)
    text = pc.strftime(array, format="%Y-%m-%d %H:%M:%S")
    text = pc.replace_substring_regex(text, r"\.0+$", "")
    return pc.replace_substring_regex(text, r"(\.\d*[1-9])0+$", r"\1")


def array_to_text(
    array: pa.Array, flavour: str = "databricks", sql: Any = None
) -> pa.Array:
    """The array as strings; nulls stay nulls.  ``sql``: see ``_formatter``."""
    kind = array.type
    if pa.types.is_string(kind):
        return array
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.string())
    if pa.types.is_decimal(kind):
        return _decimal_to_text(array)
    if pa.types.is_timestamp(kind):
        return _timestamp_to_text(array)
    if pa.types.is_nested(kind):
        return nested_to_text(array, flavour, sql)
    if pa.types.is_duration(kind):
        micros = array.cast(pa.duration("us")).cast(pa.int64()).to_pylist()
        return pa.array(
            [None if v is None else day_time_text(v) for v in micros], type=pa.string()
        )
    if pa.types.is_boolean(kind) or pa.types.is_floating(kind):
        render = _scalar_formatter(kind, flavour)
        return pa.array(
            [None if v is None else render(v) for v in array.to_pylist()],
            type=pa.string(),
        )
    return array.cast(pa.string())


def months_to_text(array: pa.Array) -> pa.Array:
    """Months (an integer array) as year-month interval text."""
    return pa.array(
        [None if v is None else year_month_text(v) for v in array.to_pylist()],
        type=pa.string(),
    )
