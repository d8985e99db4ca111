# SPDX-License-Identifier: Apache-2.0
"""Date and time functions."""

from __future__ import annotations

from . import types as t
from .casts import LIB, X
from .errors import SqlError, type_mismatch, unsupported

_PARTS = {
    "YEAR": "year", "YEARS": "year", "QUARTER": "quarter", "MONTH": "month",
    "MONTHS": "month", "WEEK": "week", "WEEKS": "week", "DAY": "day", "DAYS": "day",
    "DOY": "dayofyear", "HOUR": "hour", "HOURS": "hour", "MINUTE": "minute",
    "MINUTES": "minute", "YEAROFWEEK": "isoyear",
}  # fmt: skip

# A pattern letter run of Java's formatter and its strftime form; others are refused.
_FORMATS = {
    "yyyy": "%Y", "y": "%Y", "yy": "%y", "MM": "%m", "M": "%-m", "MMM": "%b",
    "MMMM": "%B", "dd": "%d", "d": "%-d", "HH": "%H", "H": "%-H", "hh": "%I",
    "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S", "a": "%p", "E": "%a",
    "EEE": "%a", "EEEE": "%A", "SSS": "%g", "SSSSSS": "%f", "DDD": "%j",
}  # fmt: skip

_UNITS = {
    "YEAR": "year", "YYYY": "year", "YY": "year", "QUARTER": "quarter", "MONTH": "month",
    "MM": "month", "MON": "month", "WEEK": "week", "DAY": "day", "DD": "day",
    "HOUR": "hour", "MINUTE": "minute", "SECOND": "second",
    "MILLISECOND": "millisecond", "MICROSECOND": "microsecond",
}  # fmt: skip


def local(c, x: X) -> str:
    """A date or time as DuckDB TIMESTAMP on the session's clock."""
    if x.type.kind in ("STRING", "VOID"):
        x = c.cast(x, t.TIMESTAMP)
    if x.type.kind == "TIMESTAMP_NTZ":
        return x.sql
    if x.type.kind in ("TIMESTAMP", "DATE"):
        return f"CAST({x.sql} AS TIMESTAMP)"
    raise type_mismatch(f'a time function: "{x.type}" is not a date or timestamp')


def part(c, name: str, x: X) -> X:
    if x.type.kind in ("YM", "DT"):
        raise unsupported(f"EXTRACT({name}) of an interval")
    when = local(c, x)
    if name in ("SECOND", "SECONDS"):
        micros = f"(epoch_us({when}) % 60000000 + 60000000) % 60000000"
        return X(f"CAST({LIB}.lb_point({micros}, 6) AS DECIMAL(8,6))", t.decimal(8, 6))
    if name in ("DOW", "DAYOFWEEK"):
        return X(f"CAST(dayofweek({when}) + 1 AS INTEGER)", t.INT)
    if name in ("DOW_ISO", "DAYOFWEEK_ISO"):
        return X(f"CAST(isodow({when}) AS INTEGER)", t.INT)
    if name not in _PARTS:
        raise unsupported(f"EXTRACT({name})")
    return X(f"CAST({_PARTS[name]}({when}) AS INTEGER)", t.INT)


def _part_rule(template):
    return lambda c, a: X(f"CAST({template.format(local(c, a[0]))} AS INTEGER)", t.INT)


def _date_add(sign):
    def rule(c, a):
        if len(a) == 3:
            return _add_unit(c, str(a[0].const), c.cast(a[1], t.INT), a[2])
        days = c.cast(a[1], t.INT).sql
        return X(f"({c.cast(a[0], t.DATE).sql} {sign} {days})", t.DATE)

    return rule


def _add_unit(c, unit: str, n: X, when: X) -> X:
    unit = unit.upper().rstrip("S")
    months = {"YEAR": 12, "QUARTER": 3, "MONTH": 1}
    micros = {"WEEK": 604_800_000_000, "DAY": 86_400_000_000, "HOUR": 3_600_000_000,
              "MINUTE": 60_000_000, "SECOND": 1_000_000, "MILLISECOND": 1000,
              "MICROSECOND": 1}  # fmt: skip
    if when.type.kind != "TIMESTAMP_NTZ":
        when = c.cast(when, t.TIMESTAMP)
    if unit in months:
        return X(f"({when.sql} + to_months(({n.sql}) * {months[unit]}))", when.type)
    if unit in micros:
        return X(
            f"({LIB}.lb_shift({when.sql}, ({n.sql})::BIGINT * {micros[unit]}))", when.type
        )
    raise unsupported(f"the unit {unit}")


def _raw_add(c, args, scope):
    """dateadd(unit, n, when): the unit is a bare word."""
    if len(args) == 2:
        return _date_add("+")(c, [c.expr(a, scope) for a in args])
    unit = args[0].name
    return _add_unit(c, unit, c.value(args[1], scope, t.INT), c.expr(args[2], scope))


def _raw_diff(c, args, scope):
    """datediff(end, start) in days, or datediff(unit, start, end) in whole units."""
    if len(args) == 2:
        end, start = (c.value(a, scope, t.DATE).sql for a in args)
        return X(f"CAST({end} - {start} AS INTEGER)", t.INT)
    unit = args[0].name.upper().rstrip("S")
    start, end = (local(c, c.expr(a, scope)) for a in args[1:])
    if unit not in _UNITS:
        raise unsupported(f"the unit {unit}")
    return X(f"date_sub('{_UNITS[unit]}', {start}, {end})", t.BIGINT)


def _add_months(c, a):
    n = c.cast(a[1], t.INT).sql
    return X(f"CAST({c.cast(a[0], t.DATE).sql} + to_months({n}) AS DATE)", t.DATE)


def _last_day(c, a):
    return X(f"last_day({c.cast(a[0], t.DATE).sql})", t.DATE)


def _unit(x: X) -> str:
    unit = _UNITS.get(str(x.const).upper())
    if unit is None:
        raise unsupported("a computed or unknown unit", "Write it as a literal.")
    return unit


def _date_trunc(c, a):
    unit, when = _unit(a[0]), a[1]
    if when.type.kind != "TIMESTAMP_NTZ":
        when = c.cast(when, t.TIMESTAMP)
    return X(f"CAST(date_trunc('{unit}', {when.sql}) AS {when.type.duck()})", when.type)


def _trunc(c, a):
    return X(
        f"CAST(date_trunc('{_unit(a[1])}', {c.cast(a[0], t.DATE).sql}) AS DATE)", t.DATE
    )


def strftime(pattern) -> str:
    if not isinstance(pattern, str):
        raise unsupported("a computed date format", "Write it as a literal.")
    out, i = "", 0
    while i < len(pattern):
        ch = pattern[i]
        j = i
        while j < len(pattern) and pattern[j] == ch:
            j += 1
        if ch == "'":
            end = pattern.find("'", i + 1)
            end = len(pattern) if end < 0 else end
            out += pattern[i + 1 : end].replace("%", "%%") or "'"
            i = end + 1
            continue
        if ch.isalpha():
            if pattern[i:j] not in _FORMATS:
                raise unsupported(f"the date format letters {pattern[i:j]}")
            out += _FORMATS[pattern[i:j]]
        else:
            out += pattern[i:j].replace("%", "%%")
        i = j
    return out


def _date_format(c, a):
    return X(f"strftime({local(c, a[0])}, {t.text(strftime(a[1].const))})", t.STRING)


def _parsed(kind):
    def rule(c, a):
        if len(a) == 1:
            return c.cast(a[0], kind)
        form = t.text(strftime(a[1].const))
        made = f"strptime({c.cast(a[0], t.STRING).sql}, {form})"
        if kind.kind == "TIMESTAMP":
            made = f"CAST({made} AS TIMESTAMP)"
        return X(f"CAST({made} AS {kind.duck()})", kind)

    return rule


def _unix(c, a):
    when = c.cast(a[0], t.TIMESTAMP).sql if a else "now()"
    if len(a) > 1:
        when = _parsed(t.TIMESTAMP)(c, a).sql
    return X(f"CAST(floor(epoch_us({when}) / 1000000.0::DOUBLE) AS BIGINT)", t.BIGINT)


def _from_unix(c, a):
    when = f"CAST(make_timestamptz({c.cast(a[0], t.BIGINT).sql} * 1000000) AS TIMESTAMP)"
    form = strftime(a[1].const) if len(a) > 1 else "%Y-%m-%d %H:%M:%S"
    return X(f"strftime({when}, {t.text(form)})", t.STRING)


def _from_epoch(factor):
    return lambda c, a: X(
        f"make_timestamptz({c.cast(a[0], t.BIGINT).sql} * {factor})", t.TIMESTAMP
    )


def _to_epoch(divisor):
    def rule(c, a):
        when = f"epoch_us({c.cast(a[0], t.TIMESTAMP).sql})"
        return X(f"CAST(floor({when} / {divisor}.0::DOUBLE) AS BIGINT)", t.BIGINT)

    return rule


def _make_date(c, a):
    args = ", ".join(c.cast(x, t.INT).sql for x in a)
    return X(f"make_date({args})", t.DATE)


def _make_timestamp(c, a):
    args = [c.cast(x, t.INT).sql for x in a[:5]] + [c.cast(a[5], t.DOUBLE).sql]
    if len(a) > 6:
        raise unsupported("make_timestamp with a zone", "SET TIME ZONE first.")
    return X(f"CAST(make_timestamp({', '.join(args)}) AS TIMESTAMPTZ)", t.TIMESTAMP)


def _date_part(c, a):
    if not isinstance(a[0].const, str):
        raise SqlError(
            "NON_FOLDABLE_ARGUMENT", "42K08", "date_part needs a literal field."
        )
    return part(c, a[0].const.upper(), a[1])


def _zoned(to_utc):
    def rule(c, a):
        zone = c.cast(a[1], t.STRING).sql
        when = local(c, a[0])
        a_, b_ = (zone, "'UTC'") if to_utc else ("'UTC'", zone)
        moved = f"timezone({b_}, timezone({a_}, {when}))"
        return X(f"CAST({moved} AS TIMESTAMPTZ)", t.TIMESTAMP)

    return rule


RULES = {
    "year": (1, 1, _part_rule("year({})")), "month": (1, 1, _part_rule("month({})")),
    "day": (1, 1, _part_rule("day({})")), "dayofmonth": (1, 1, _part_rule("day({})")),
    "hour": (1, 1, _part_rule("hour({})")), "minute": (1, 1, _part_rule("minute({})")),
    "second": (1, 1, _part_rule("second({})")),
    "quarter": (1, 1, _part_rule("quarter({})")),
    "weekofyear": (1, 1, _part_rule("week({})")),
    "dayofyear": (1, 1, _part_rule("dayofyear({})")),
    "dayofweek": (1, 1, _part_rule("dayofweek({}) + 1")),
    "weekday": (1, 1, _part_rule("isodow({}) - 1")),
    "date_sub": (2, 2, _date_add("-")), "date_part": (2, 2, _date_part),
    "datepart": (2, 2, _date_part), "add_months": (2, 2, _add_months),
    "last_day": (1, 1, _last_day), "date_trunc": (2, 2, _date_trunc),
    "trunc": (2, 2, _trunc), "date_format": (2, 2, _date_format),
    "to_date": (1, 2, _parsed(t.DATE)), "to_timestamp": (1, 2, _parsed(t.TIMESTAMP)),
    "to_timestamp_ntz": (1, 2, _parsed(t.NTZ)), "unix_timestamp": (0, 2, _unix),
    "to_unix_timestamp": (1, 2, _unix), "from_unixtime": (1, 2, _from_unix),
    "timestamp_seconds": (1, 1, _from_epoch(1_000_000)),
    "timestamp_millis": (1, 1, _from_epoch(1000)),
    "timestamp_micros": (1, 1, _from_epoch(1)), "unix_seconds": (1, 1, _to_epoch(1_000_000)),
    "unix_millis": (1, 1, _to_epoch(1000)), "unix_micros": (1, 1, _to_epoch(1)),
    "make_date": (3, 3, _make_date), "make_timestamp": (6, 7, _make_timestamp),
    "now": (0, 0, lambda c, a: X("now()", t.TIMESTAMP)),
    "curdate": (0, 0, lambda c, a: X("CAST(CAST(now() AS TIMESTAMP) AS DATE)", t.DATE)),
    "getdate": (0, 0, lambda c, a: X("now()", t.TIMESTAMP)),
    "from_utc_timestamp": (2, 2, _zoned(False)), "to_utc_timestamp": (2, 2, _zoned(True)),
}  # fmt: skip

RAW = {
    "date_add": _raw_add, "dateadd": _raw_add, "timestampadd": _raw_add,
    "datediff": _raw_diff, "date_diff": _raw_diff, "timestampdiff": _raw_diff,
}  # fmt: skip
