# SPDX-License-Identifier: Apache-2.0
"""Aggregate and window functions."""

from __future__ import annotations

from sqlglot import exp

from . import types as t
from .casts import LIB, X
from .dialect import label
from .errors import SqlError, type_mismatch, unsupported, wrong_num_args
from .expressions import scaled_quotient


class _Call:
    """One aggregate call: what FILTER and OVER add to every DuckDB call it becomes."""

    def __init__(
        self, distinct: bool = False, where: str = "", over: str = "", nulls: str = ""
    ):
        self.distinct, self.where, self.over, self.nulls = distinct, where, over, nulls

    def __call__(self, name: str, *args: str, order: str = "") -> str:
        word = "DISTINCT " if self.distinct else ""
        inner = f"{name}({word}{', '.join(args)}{order}{self.nulls})"
        return inner + self.where + self.over


def _number(c, x: X, name: str) -> X:
    if x.type.kind in ("STRING", "VOID"):
        return c.cast(x, t.DOUBLE)
    if not x.type.is_numeric():
        raise type_mismatch(f'"{name}" of "{x.type}": a number is needed')
    return x


def _count(c, call, a):
    if not a:
        return X(call("count", "*"), t.BIGINT)
    if len(a) == 1:
        return X(call("count", a[0].sql), t.BIGINT)
    nulls = " OR ".join(f"{x.sql} IS NULL" for x in a)
    row = f"CASE WHEN {nulls} THEN NULL ELSE row({', '.join(x.sql for x in a)}) END"
    return X(call("count", row), t.BIGINT)


def _count_if(c, call, a):
    test = c.cast(a[0], t.BOOLEAN).sql
    return X(call("count", f"CASE WHEN {test} THEN true END"), t.BIGINT)


def _sum(c, call, a):
    x = a[0]
    if x.type.kind in ("YM", "DT"):
        kind = t.YEAR_MONTH if x.type.kind == "YM" else t.DAY_SECOND
        return X(f"CAST({call('sum', x.sql)} AS {kind.duck()})", kind)
    x = _number(c, x, "sum")
    if x.type.is_int():
        return X(f"CAST({call('sum', x.sql)} AS BIGINT)", t.BIGINT)
    if x.type.kind == "DECIMAL":
        kind = t.bounded_decimal(x.type.precision + 10, x.type.scale)
        kind = t.decimal(min(x.type.precision + 10, 38), x.type.scale)
        return X(f"CAST({call('sum', x.sql)} AS {kind.duck()})", kind)
    return X(f"CAST({call('sum', f'CAST({x.sql} AS DOUBLE)')} AS DOUBLE)", t.DOUBLE)


def _avg(c, call, a):
    if a[0].type.kind in ("YM", "DT"):
        raise unsupported("avg of intervals")
    x = _number(c, a[0], "avg")
    if x.type.kind != "DECIMAL":
        return X(f"CAST({call('avg', x.sql)} AS DOUBLE)", t.DOUBLE)
    p, s = x.type.precision, x.type.scale
    kind = t.bounded_decimal(p + 4, s + 4)
    total = f"{LIB}.lb_unscaled({call('sum', x.sql)})"
    return scaled_quotient(total, call("count", x.sql), p, s, kind, False)


def _extreme(name):
    def rule(c, call, a):
        if a[0].type.kind in ("MAP", "VARIANT"):
            raise type_mismatch(f'"{name}" of "{a[0].type}"')
        return X(call(name, a[0].sql), a[0].type)

    return rule


def _double(name):
    def rule(c, call, a):
        args = [c.cast(_number(c, x, name), t.DOUBLE).sql for x in a]
        return X(call(name, *args), t.DOUBLE)

    return rule


def _by(name):
    def rule(c, call, a):
        return X(call(name, a[0].sql, a[1].sql), a[0].type)

    return rule


def _first(name):
    def rule(c, call, a):
        value = a[0].sql
        if len(a) > 1 and a[1].sql not in ("true", "false"):
            raise unsupported(f"{name} with a computed second argument")
        if len(a) > 1 and a[1].sql == "true" and not call.over:
            where = f"{value} IS NOT NULL"
            if call.where:
                raise unsupported(f"{name} that ignores nulls with FILTER")
            return X(_Call(where=f" FILTER (WHERE {where})")(name, value), a[0].type)
        if call.over:
            call.nulls = (
                " IGNORE NULLS" if len(a) > 1 and a[1].sql == "true" else call.nulls
            )
            return X(call(f"{name}_value", value), a[0].type)
        return X(call(name, value), a[0].type)

    return rule


def _collect(distinct):
    def rule(c, call, a):
        kept = f" FILTER (WHERE {a[0].sql} IS NOT NULL)"
        if call.where:
            kept = call.where[:-1] + f" AND {a[0].sql} IS NOT NULL)"
        inner = _Call(distinct or call.distinct, kept, call.over)
        kind = t.array(a[0].type)
        return X(f"coalesce({inner('list', a[0].sql)}, CAST([] AS {kind.duck()}))", kind)

    return rule


def _string_agg(c, call, a):
    value = a[0] if a[0].type.kind == "STRING" else c.cast(a[0], t.STRING)
    sep = c.cast(a[1], t.STRING).sql if len(a) > 1 else "''"
    return X(call("string_agg", value.sql, sep), t.STRING)


def _percentile(c, call, a):
    at = a[1].const
    if at is None and a[1].type.kind == "DECIMAL":
        return _quantile(c, call, a[0], a[1].sql)
    if isinstance(at, (int, float)):
        return _quantile(c, call, a[0], str(at))
    raise unsupported("percentile with a computed or repeated percentage")


def _quantile(c, call, x, at):
    value = c.cast(_number(c, x, "percentile"), t.DOUBLE).sql
    return X(call("quantile_cont", value, at), t.DOUBLE)


def _median(c, call, a):
    return _quantile(c, call, a[0], "0.5")


def _bool(name):
    def rule(c, call, a):
        return X(call(name, c.cast(a[0], t.BOOLEAN).sql), t.BOOLEAN)

    return rule


def _bits(name):
    def rule(c, call, a):
        if not a[0].type.is_int():
            raise type_mismatch(f'"{name}" of "{a[0].type}": an integer is needed')
        return X(call(name, a[0].sql), a[0].type)

    return rule


def _approx(c, call, a):
    # exact, which is within every allowed error
    inner = _Call(True, call.where, call.over)
    return X(inner("count", a[0].sql), t.BIGINT)


# name: (least arguments, most arguments, rule)
NAMES = {
    "count": (0, 99, _count), "count_if": (1, 1, _count_if), "sum": (1, 1, _sum),
    "avg": (1, 1, _avg), "mean": (1, 1, _avg), "min": (1, 1, _extreme("min")),
    "max": (1, 1, _extreme("max")), "any_value": (1, 1, _extreme("any_value")),
    "first": (1, 2, _first("first")), "last": (1, 2, _first("last")),
    "first_value": (1, 2, _first("first")), "last_value": (1, 2, _first("last")),
    "max_by": (2, 2, _by("arg_max")), "min_by": (2, 2, _by("arg_min")),
    "stddev": (1, 1, _double("stddev_samp")), "stddev_samp": (1, 1, _double("stddev_samp")),
    "std": (1, 1, _double("stddev_samp")), "stddev_pop": (1, 1, _double("stddev_pop")),
    "variance": (1, 1, _double("var_samp")), "var_samp": (1, 1, _double("var_samp")),
    "var_pop": (1, 1, _double("var_pop")), "corr": (2, 2, _double("corr")),
    "covar_pop": (2, 2, _double("covar_pop")), "covar_samp": (2, 2, _double("covar_samp")),
    "collect_list": (1, 1, _collect(False)), "array_agg": (1, 1, _collect(False)),
    "collect_set": (1, 1, _collect(True)), "string_agg": (1, 2, _string_agg),
    "listagg": (1, 2, _string_agg), "percentile": (2, 2, _percentile),
    "median": (1, 1, _median), "bool_and": (1, 1, _bool("bool_and")),
    "every": (1, 1, _bool("bool_and")), "bool_or": (1, 1, _bool("bool_or")),
    "any": (1, 1, _bool("bool_or")), "some": (1, 1, _bool("bool_or")),
    "bit_and": (1, 1, _bits("bit_and")), "bit_or": (1, 1, _bits("bit_or")),
    "bit_xor": (1, 1, _bits("bit_xor")), "approx_count_distinct": (1, 2, _approx),
}  # fmt: skip


def _rank(name, kind=t.INT):
    return lambda c, a, over, nulls: X(f"CAST({name}(){over} AS {kind.duck()})", kind)


def _ntile(c, a, over, nulls):
    return X(f"CAST(ntile({c.cast(a[0], t.INT).sql}){over} AS INTEGER)", t.INT)


def _shift(name):
    def rule(c, a, over, nulls):
        args = [a[0].sql]
        if len(a) > 1:
            args.append(c.cast(a[1], t.INT).sql)
        if len(a) > 2:
            args.append(c.cast(a[2], a[0].type).sql)
        return X(f"{name}({', '.join(args)}{nulls}){over}", a[0].type)

    return rule


def _nth(c, a, over, nulls):
    return X(f"nth_value({a[0].sql}, {c.cast(a[1], t.INT).sql}{nulls}){over}", a[0].type)


RANKING = {
    "row_number": (0, 0, _rank("row_number")), "rank": (0, 0, _rank("rank")),
    "dense_rank": (0, 0, _rank("dense_rank")),
    "percent_rank": (0, 0, _rank("percent_rank", t.DOUBLE)),
    "cume_dist": (0, 0, _rank("cume_dist", t.DOUBLE)), "ntile": (1, 1, _ntile),
    "lag": (1, 3, _shift("lag")), "lead": (1, 3, _shift("lead")), "nth_value": (2, 2, _nth),
}  # fmt: skip


def _arguments(c, name, e: exp.Anonymous, scope) -> tuple[bool, list[X]]:
    args, distinct = list(e.expressions), False
    if len(args) == 1 and isinstance(args[0], exp.Distinct):
        args, distinct = args[0].expressions, True
    if args and isinstance(args[0], (exp.IgnoreNulls, exp.RespectNulls)):
        ignore = exp.Boolean(this=isinstance(args[0], exp.IgnoreNulls))
        args = [args[0].this, ignore, *args[1:]]
    if any(isinstance(a, exp.Distinct) for a in args[1:]):
        raise unsupported("DISTINCT behind the first argument")
    if args and isinstance(args[0], exp.Distinct):  # DISTINCT a, b comes in both shapes
        args, distinct = [*args[0].expressions, *args[1:]], True
    if name == "count" and len(args) == 1 and isinstance(args[0], exp.Star):
        args = []
    elif name == "count" and not args:
        raise wrong_num_args(name, 0)
    return distinct, [c.expr(a, scope) for a in args]


def plain(c, name, e, scope, where="", over="", nulls="") -> X:
    least, most, rule = NAMES[name]
    if (
        scope.outputs_first
    ):  # ORDER BY sum(x): x is a column, even when an output has its name
        scope = scope.parent
    distinct, args = _arguments(c, name, e, scope)
    if not least <= len(args) <= most:
        raise wrong_num_args(name, len(args))
    c.aggregated = c.aggregated or not over
    return rule(c, _Call(distinct, where, over, nulls), args)


def filtered(c, e: exp.Filter, scope, over="") -> X:
    call = e.this
    if not isinstance(call, exp.Anonymous) or str(call.this).lower() not in NAMES:
        raise unsupported("FILTER on this function")
    where = f" FILTER (WHERE {c.condition(e.expression.this, scope)})"
    return plain(c, str(call.this).lower(), call, scope, where, over)


def _frame_side(c, value, side, scope) -> str:
    if isinstance(value, str):
        return f"{value} {side or ''}".strip()
    return f"{c.value(value, scope, t.INT).sql} {side}"


def _frame(c, spec: exp.WindowSpec, scope) -> str:
    kind = (spec.args.get("kind") or "RANGE").upper()
    if spec.args.get("exclude"):
        raise unsupported("EXCLUDE in a window frame")
    start, end = spec.args.get("start"), spec.args.get("end")
    if kind == "RANGE" and not (isinstance(start, str) and isinstance(end or "", str)):
        raise unsupported("a RANGE frame with offsets", "Use ROWS.")
    low = _frame_side(c, start, spec.args.get("start_side"), scope)
    if end is None:
        return f" {kind} {low}"
    high = _frame_side(c, end, spec.args.get("end_side"), scope)
    return f" {kind} BETWEEN {low} AND {high}"


def _over(c, e: exp.Window, scope) -> str:
    name = e.args.get("alias")
    base = None
    if name is not None:
        base = scope.windows.get(name.name.lower())
        if base is None:
            raise SqlError(
                "MISSING_WINDOW_SPECIFICATION",
                "42P20",
                f"Window specification is not defined in the WINDOW clause for "
                f"`{name.name}`.",
            )
    parts, order, spec = (
        e.args.get(k) or (base.args.get(k) if base else None)
        for k in ("partition_by", "order", "spec")
    )
    out = ""
    if parts:
        out += "PARTITION BY " + ", ".join(c.expr(p, scope).sql for p in parts)
    if order:
        out += " ORDER BY " + ", ".join(
            c.ordered(o, c.expr(o.this, scope).sql) for o in order.expressions
        )
    if spec:
        out += _frame(c, spec, scope)
    return f" OVER ({out})"


def window(c, e: exp.Window, scope) -> X:
    call, nulls = e.this, ""
    if isinstance(call, (exp.IgnoreNulls, exp.RespectNulls)):
        nulls = " IGNORE NULLS" if isinstance(call, exp.IgnoreNulls) else ""
        call = call.this
    over = _over(c, e, scope)
    if isinstance(call, exp.Filter):
        return filtered(c, call, scope, over)
    if not isinstance(call, exp.Anonymous):
        raise unsupported(f"a window over {label(call)}")
    name = str(call.this).lower()
    if name in NAMES:
        return plain(c, name, call, scope, over=over, nulls=nulls)
    if name not in RANKING:
        raise SqlError(
            "UNSUPPORTED_EXPR_FOR_WINDOW",
            "42P20",
            f'Expression "{label(call)}" not supported within a window function.',
        )
    least, most, rule = RANKING[name]
    args = [c.expr(a, scope) for a in call.expressions]
    if not least <= len(args) <= most:
        raise wrong_num_args(name, len(args))
    return rule(c, args, over, nulls)
