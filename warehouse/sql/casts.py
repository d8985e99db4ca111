# SPDX-License-Identifier: Apache-2.0
"""Typed SQL text, casts with ANSI rules, and the types two operands meet in."""

from __future__ import annotations

from dataclasses import dataclass

from . import types as t
from .errors import SqlError
from .types import Type, text

LIB = "memory.main"  # the schema that holds the macros of macros.py


@dataclass(frozen=True)
class X:
    """A DuckDB expression and the Databricks type of its value."""

    sql: str
    type: Type
    const: object = None  # the value of a number or string literal


def null(target: Type) -> str:
    return f"CAST(NULL AS {target.duck()})"


def cast(x: X, target: Type, ansi: bool = True, safe: bool = False) -> X:
    """CAST(x AS target) in ANSI mode; else bad text gives NULL; safe: every bad value does."""
    if x.type == target:
        return X(x.sql, target, x.const)
    if x.type.kind == target.kind == "STRING":
        return X(_fitted(x, target), target, None if target.unit == "CHAR" else x.const)
    safe = safe or (not ansi and x.type.kind == "STRING")
    sql = _cast_sql(x, target, "TRY_CAST" if safe else "CAST")
    if sql is None:
        raise SqlError(
            "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION",
            "42K09",
            f'Cannot resolve "CAST(... AS {target})" due to data type mismatch: cannot '
            f'cast "{x.type}" to "{target}".',
        )
    return X(sql, target)


def _fitted(x: X, target: Type) -> str:
    """Text for a column of CHAR(n) or VARCHAR(n), which refuses what is too long."""
    if not target.bounded or (x.type.bounded and x.type.precision <= target.precision):
        if target.unit != "CHAR":
            return x.sql
    return f"{LIB}.lb_{target.unit.lower()}({x.sql}, {target.precision})"


def _cast_sql(x: X, target: Type, word: str) -> str | None:
    source = x.type.kind
    if source == "VOID":
        return f"CAST({x.sql} AS {target.duck()})"
    if source == "VARIANT":
        return _from_variant(x, target, word)
    if target.kind == "VARIANT":
        return x.sql if source == "VARIANT" else to_json(x)
    if target.kind == "STRING":
        made = _to_string(x)
        if made is None or not target.bounded:
            return made
        return _fitted(X(made, t.STRING), target)
    if source == "STRING":
        return _from_string(x, target, word)
    if target.is_numeric():
        return _to_number(x, target, word)
    if target.kind in ("DATE", "TIMESTAMP", "TIMESTAMP_NTZ"):
        return _to_time(x, target)
    if target.kind == "BOOLEAN" and x.type.is_numeric():
        return f"({x.sql} <> 0)"
    if target.kind == source and source in ("YM", "DT"):
        return x.sql
    if target.kind == source and source in ("ARRAY", "MAP", "STRUCT"):
        return _to_nested(x, target, word)
    return None


def _to_string(x: X) -> str | None:
    kind = x.type.kind
    if kind in ("BOOLEAN", "DATE", "DECIMAL") or x.type.is_int():
        return f"CAST({x.sql} AS VARCHAR)"
    if kind in ("DOUBLE", "FLOAT"):
        return f"{LIB}.lb_float_text(CAST({x.sql} AS VARCHAR))"
    if kind == "TIMESTAMP":
        return f"CAST(CAST({x.sql} AS TIMESTAMP) AS VARCHAR)"
    if kind == "TIMESTAMP_NTZ":
        return f"CAST({x.sql} AS VARCHAR)"
    if kind == "BINARY":
        return f"decode({x.sql})"
    if kind == "YM":
        return f"{LIB}.lb_ym_text({x.sql}, {text(x.type.sql_name())})"
    if kind == "DT" and x.type.unit == "DAY TO SECOND":
        return f"{LIB}.lb_dt_text({x.sql})"
    if kind == "DT" and x.type.unit in _DT_SIZES:
        return f"('INTERVAL ''' || ({x.sql} // {_DT_SIZES[x.type.unit]}) || ''' {x.type.unit}')"
    return None


_DT_SIZES = {"DAY": 86_400_000_000, "HOUR": 3_600_000_000, "MINUTE": 60_000_000}

_STRING_MACROS = {
    "BOOLEAN": "text_boolean",
    "DATE": "text_date",
    "TIMESTAMP": "text_timestamp",
    "TIMESTAMP_NTZ": "text_ntz",
}


def _from_string(x: X, target: Type, word: str) -> str | None:
    kind = target.kind
    lib = f"{LIB}.lb_" if word == "CAST" else f"{LIB}.lb_try_"
    if target.is_int():
        return f"{word}({lib}text_int({x.sql}, {text(kind)}) AS {target.duck()})"
    if kind in ("DOUBLE", "FLOAT"):
        return f"{word}({lib}text_double({x.sql}, {text(kind)}) AS {target.duck()})"
    if kind == "DECIMAL":
        checked = f"{lib}text_decimal({x.sql}, {text(target.sql_name())})"
        return f"{word}({checked} AS {target.duck()})"
    if kind in _STRING_MACROS:
        return f"{lib}{_STRING_MACROS[kind]}({x.sql})"
    if kind == "BINARY":
        return f"encode({x.sql})"
    return None


def _to_number(x: X, target: Type, word: str) -> str | None:
    kind = x.type.kind
    duck = target.duck()
    if target.is_int() and (kind == "DECIMAL" or x.type.is_fractional()):
        return f"{word}(trunc({x.sql}) AS {duck})"
    if target.kind == "DECIMAL" and x.type.is_fractional():
        # through text, as Spark: 1.005D becomes 1.01, not 1.00
        return f"{word}(CAST({x.sql} AS VARCHAR) AS {duck})"
    if x.type.is_numeric() or kind == "BOOLEAN":
        if kind == "BOOLEAN" and target.kind == "DECIMAL":
            return f"{word}(CAST({x.sql} AS INTEGER) AS {duck})"
        return f"{word}({x.sql} AS {duck})"
    if kind == "TIMESTAMP":
        if target.is_int():
            return f"{word}(floor(epoch_us({x.sql}) / 1000000.0::DOUBLE) AS {duck})"
        return f"{word}(epoch_us({x.sql}) / 1000000.0::DOUBLE AS {duck})"
    return None


def _to_time(x: X, target: Type) -> str | None:
    kind, sql = x.type.kind, x.sql
    if target.kind == "TIMESTAMP" and x.type.is_int():
        return f"make_timestamptz(CAST({sql} AS BIGINT) * 1000000)"
    if target.kind == "TIMESTAMP" and x.type.is_numeric():
        return f"make_timestamptz(CAST(trunc(CAST({sql} AS DOUBLE) * 1000000) AS BIGINT))"
    if kind not in ("DATE", "TIMESTAMP", "TIMESTAMP_NTZ"):
        return None
    if kind == "TIMESTAMP" and target.kind == "DATE":
        return f"CAST(CAST({sql} AS TIMESTAMP) AS DATE)"
    if kind == "DATE" and target.kind == "TIMESTAMP":
        return f"CAST(CAST({sql} AS TIMESTAMP) AS TIMESTAMPTZ)"
    return f"CAST({sql} AS {target.duck()})"


def _to_nested(x: X, target: Type, word: str) -> str | None:
    if target.kind == "ARRAY":
        inner = _cast_sql_or_same(X("e_", x.type.element), target.element, word)
        return inner and f"list_transform({x.sql}, lambda e_: {inner})"
    if target.kind == "STRUCT" and len(x.type.args) == len(target.args):
        parts = []
        for name, source, new, kind in zip(
            x.type.names, x.type.args, target.names, target.args
        ):
            part = _cast_sql_or_same(X(f"({x.sql}).{t.ident(name)}", source), kind, word)
            if part is None:
                return None
            parts.append(f"{t.ident(new)} := {part}")
        made = f"struct_pack({', '.join(parts)})"
        return f"CASE WHEN ({x.sql}) IS NULL THEN NULL ELSE {made} END"
    if target.kind == "MAP":
        safe = word == "TRY_CAST"
        keys = cast(
            X(f"map_keys({x.sql})", t.array(x.type.args[0])),
            t.array(target.args[0]),
            safe=safe,
        )
        vals = cast(
            X(f"map_values({x.sql})", t.array(x.type.value)),
            t.array(target.value),
            safe=safe,
        )
        return (
            f"CASE WHEN ({x.sql}) IS NULL THEN NULL ELSE map({keys.sql}, {vals.sql}) END"
        )
    return None


def _cast_sql_or_same(x: X, target: Type, word: str) -> str | None:
    return x.sql if x.type == target else _cast_sql(x, target, word)


def to_json(x: X) -> str | None:
    kind = x.type.kind
    if kind in ("YM", "DT", "BINARY"):
        return None
    if kind == "VARIANT":
        return x.sql
    if kind in ("TIMESTAMP", "TIMESTAMP_NTZ"):
        return f"CAST(to_json({_to_string(x)}) AS VARCHAR)"
    if kind in ("ARRAY", "MAP", "STRUCT") and not _plain(x.type):
        return None
    return f"CAST(to_json({x.sql}) AS VARCHAR)"


def _plain(kind: Type) -> bool:
    """Whether DuckDB's JSON of a nested value is also Databricks' JSON."""
    if kind.args:
        return all(_plain(a) for a in kind.args)
    return kind.kind in ("STRING", "BOOLEAN", "DATE", "DECIMAL") or kind.is_int()


def _from_variant(x: X, target: Type, word: str) -> str | None:
    if target.kind == "VARIANT":
        return x.sql
    plain = X(f"({x.sql} ->> '$')", t.STRING)
    if target.kind == "STRING":
        return plain.sql
    if target.args or target.kind in ("BINARY", "YM", "DT", "VOID"):
        return None
    return _from_string(plain, target, word)


# --- which type two operands meet in --------------------------------------------

_TIME_ORDER = ("DATE", "TIMESTAMP_NTZ", "TIMESTAMP")


def common(a: Type, b: Type, literal: bool = False) -> Type | None:
    """The least common type (a string meets a number in the number's family)."""
    if a == b or b.kind == "VOID":
        return a
    if a.kind == "VOID":
        return b
    if a.is_numeric() and b.is_numeric():
        return _common_number(a, b)
    if a.kind in _TIME_ORDER and b.kind in _TIME_ORDER:
        return max(a, b, key=lambda k: _TIME_ORDER.index(k.kind))
    if a.kind == b.kind == "STRING":
        return t.STRING
    if "STRING" in (a.kind, b.kind):
        return _common_string(b if a.kind == "STRING" else a)
    if a.kind == b.kind and a.kind in ("YM", "DT"):
        return t.YEAR_MONTH if a.kind == "YM" else t.DAY_SECOND
    if (
        a.kind == b.kind
        and a.kind in ("ARRAY", "MAP", "STRUCT")
        and len(a.args) == len(b.args)
    ):
        args = [common(p, q) for p, q in zip(a.args, b.args)]
        return None if None in args else Type(a.kind, names=a.names, args=tuple(args))
    return None


def _common_string(other: Type) -> Type | None:
    if other.is_int():
        return t.BIGINT
    if other.is_numeric():
        return t.DOUBLE
    if other.kind in _TIME_ORDER or other.kind in ("BOOLEAN", "BINARY"):
        return other
    return t.STRING if other.kind == "VARIANT" else None


def _common_number(a: Type, b: Type) -> Type:
    if a.is_int() and b.is_int():
        return max(a, b, key=lambda k: t.INTS[k.kind])
    if "DOUBLE" in (a.kind, b.kind):
        return t.DOUBLE
    if "FLOAT" in (a.kind, b.kind):
        other = b if a.kind == "FLOAT" else a
        return t.FLOAT if other.kind == "FLOAT" else t.DOUBLE
    a, b = t.as_decimal(a), t.as_decimal(b)
    scale = max(a.scale, b.scale)
    digits = max(a.precision - a.scale, b.precision - b.scale)
    return t.bounded_decimal(digits + scale, scale)


def common_all(kinds: list[Type], where: str) -> Type:
    result = t.VOID
    for kind in kinds:
        met = common(result, kind)
        if met is None:
            raise SqlError(
                "DATATYPE_MISMATCH.DATA_DIFF_TYPES",
                "42K09",
                f"Cannot resolve {where} due to data type mismatch: its inputs should "
                f'have the same type, found "{result}" and "{kind}".',
            )
        result = met
    return result
