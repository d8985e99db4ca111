# SPDX-License-Identifier: Apache-2.0
"""Expressions: a Databricks syntax tree in, typed DuckDB text out.

Every node has a rule here or the statement is refused: nothing is passed through unseen.
"""

from __future__ import annotations

import re

from sqlglot import exp

from . import casts, functions
from . import types as t
from .casts import LIB, X, cast, common
from .dialect import MARKER, label, shown
from .errors import SqlError, syntax_error, type_mismatch, unsupported
from .scope import Scope, field_of
from .types import Type, text

_COMPARE = {
    exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM", exp.NullSafeNEQ: "IS DISTINCT FROM",
}  # fmt: skip

_BITS = {exp.BitwiseAnd: "&", exp.BitwiseOr: "|"}

# What sqlglot may hang on a node and a rule here heeds (or may overlook); anything else
# refuses the statement, so that a new clause never changes a value silently.
_USUAL_ARGS = {"this", "expression", "expressions"}
_QUERY_ARGS = {*exp.Select.arg_types, *exp.Subquery.arg_types}
_ARGS = {
    exp.Literal: {"this", "is_string"}, exp.Column: {"this", "table", "db", "catalog"},
    exp.Identifier: {"this", "quoted"}, exp.Between: {"this", "low", "high", "symmetric"},
    exp.Like: {"this", "expression", "negate"}, exp.ILike: {"this", "expression", "negate"},
    exp.RegexpLike: {"this", "expression", "negate"},
    exp.In: {"this", "expressions", "query", "negate"},
    exp.Case: {"this", "ifs", "default"}, exp.If: {"this", "true", "false"},
    exp.Cast: {"this", "to", "safe", "format"},
    exp.TryCast: {"this", "to", "safe", "format"}, exp.Interval: {"this", "unit"},
    exp.Trim: {"this", "expression", "position"},
    exp.Window: {"this", "partition_by", "order", "spec", "over", "alias"},
    exp.StrPosition: {"this", "substr", "position"},
    exp.Substring: {"this", "start", "length"},
    exp.JSONExtract: {"this", "expression", "variant_extract"},
    exp.Select: _QUERY_ARGS, exp.Subquery: _QUERY_ARGS,
    exp.DPipe: {"this", "expression", "safe"},
    exp.Bracket: {"this", "expressions"},
}  # fmt: skip

_MICROS = {
    "WEEK": 604_800_000_000, "DAY": 86_400_000_000, "HOUR": 3_600_000_000,
    "MINUTE": 60_000_000, "SECOND": 1_000_000, "MILLISECOND": 1000, "MICROSECOND": 1,
}  # fmt: skip


class Expressions:
    """Mixed into the compiler, which brings `session`, `ansi`, `params` and queries."""

    def expr(self, e: exp.Expression, scope: Scope) -> X:
        rule = self._RULES.get(type(e))
        if rule is None:
            raise unsupported(f"{type(e).__name__} in {shown(e)}")
        known = _ARGS.get(type(e), _USUAL_ARGS)
        for name, value in e.args.items():
            if value not in (None, False, []) and name not in known:
                raise unsupported(f"{name} in {shown(e)}")
        return rule(self, e, scope)

    def value(self, e: exp.Expression, scope: Scope, target: Type) -> X:
        return self.cast(self.expr(e, scope), target)

    def cast(self, x: X, target: Type) -> X:
        return cast(x, target, self.ansi)

    def condition(self, e: exp.Expression, scope: Scope) -> str:
        x = self.expr(e, scope)
        if x.type.kind not in ("BOOLEAN", "VOID", "STRING"):
            raise type_mismatch(
                f'"{label(e)}": the filter must be "BOOLEAN", but is "{x.type}"',
                "FILTER_NOT_BOOLEAN",
            )
        return self.cast(x, t.BOOLEAN).sql

    # --- leaves --------------------------------------------

    def _literal(self, e: exp.Literal, scope: Scope) -> X:
        if e.is_string:
            return X(text(e.this), t.STRING, e.this)
        return number(e.this)

    def _raw(self, e, scope):
        return X(text(e.this), t.STRING, e.this)

    def _null(self, e, scope):
        return X("NULL", t.VOID)

    def _boolean(self, e, scope):
        return X("true" if e.this else "false", t.BOOLEAN)

    def _hex(self, e, scope):
        digits = str(e.this)
        digits = "0" + digits if len(digits) % 2 else digits
        if not re.fullmatch(r"[0-9A-Fa-f]*", digits):
            raise SqlError(
                "INVALID_TYPED_LITERAL",
                "42604",
                f"The value of the typed literal \"X\" is invalid: '{digits}'.",
            )
        return X(f"from_hex('{digits}')", t.BINARY)

    def _paren(self, e, scope):
        x = self.expr(e.this, scope)
        return X(f"({x.sql})", x.type, x.const)

    def _column(self, e: exp.Column, scope: Scope) -> X:
        parts = [p.name for p in e.parts]
        if isinstance(e.this, exp.Star):
            raise unsupported("a star inside an expression")
        if len(parts) == 1 and not e.this.args.get("quoted"):
            bare = functions.BARE.get(parts[0].lower())
            if bare:
                try:
                    return scope.resolve(parts)
                except SqlError:
                    return bare(self)
        return scope.resolve(parts)

    def _identifier(self, e: exp.Identifier, scope: Scope) -> X:
        return scope.resolve([e.name])

    def _dot(self, e: exp.Dot, scope: Scope) -> X:
        if isinstance(e.expression, exp.Anonymous):
            raise unsupported("a function with a qualified name")
        return field_of(self.expr(e.this, scope), e.expression.name)

    def _placeholder(self, e: exp.Placeholder, scope: Scope) -> X:
        return self.parameter(e.name if e.this else "")

    # --- operators --------------------------------------------

    def _neg(self, e: exp.Neg, scope: Scope) -> X:
        if isinstance(e.this, exp.Literal) and not e.this.is_string:
            return number("-" + e.this.this)
        x = self.expr(e.this, scope)
        if x.type.kind == "STRING":
            x = self.cast(x, t.DOUBLE)
        if not (x.type.is_numeric() or x.type.kind in ("YM", "DT", "VOID")):
            raise type_mismatch(f'"{label(e)}": "-" needs a number or an interval')
        return X(f"(-{x.sql})", x.type)

    def _arithmetic(self, e: exp.Binary, scope: Scope) -> X:
        a, b = self.expr(e.this, scope), self.expr(e.expression, scope)
        op = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}[type(e)]
        return self.arithmetic(op, a, b, label(e))

    def arithmetic(self, op: str, a: X, b: X, name: str) -> X:
        timed = self._time_arithmetic(op, a, b)
        if timed:
            return timed
        a, b = self._numbers(a, b, name)
        if a.type.kind == "DECIMAL":
            return _decimal_arithmetic(op, a, b)
        return X(f"({a.sql} {op} {b.sql})", a.type)

    def _numbers(self, a: X, b: X, name: str) -> tuple[X, X]:
        """Both operands in the family where the operation happens."""
        if a.type.kind == b.type.kind == "STRING":
            return self.cast(a, t.DOUBLE), self.cast(b, t.DOUBLE)
        if a.type.kind == b.type.kind == "VOID":
            return self.cast(a, t.DOUBLE), self.cast(b, t.DOUBLE)
        meet = common(a.type, b.type)
        if meet is None or not meet.is_numeric():
            raise type_mismatch(
                f'"{name}": the operands "{a.type}" and "{b.type}" do not go together',
                "BINARY_OP_DIFF_TYPES",
            )
        if meet.kind == "DECIMAL":
            return _to_decimal(a, meet), _to_decimal(b, meet)
        return self.cast(a, meet), self.cast(b, meet)

    def _time_arithmetic(self, op: str, a: X, b: X) -> X | None:
        kinds = (a.type.kind, b.type.kind)
        if kinds[0] in ("YM", "DT") or kinds[1] in ("YM", "DT"):
            return self._interval_arithmetic(op, a, b)
        if (
            kinds[0] == "DATE"
            and op in "+-"
            and b.type.kind in ("INT", "SMALLINT", "TINYINT")
        ):
            return X(f"({a.sql} {op} CAST({b.sql} AS INTEGER))", t.DATE)
        if (
            kinds[1] == "DATE"
            and op == "+"
            and a.type.kind in ("INT", "SMALLINT", "TINYINT")
        ):
            return X(f"({b.sql} + CAST({a.sql} AS INTEGER))", t.DATE)
        if op != "-" or not set(kinds) <= {
            "DATE",
            "TIMESTAMP",
            "TIMESTAMP_NTZ",
            "STRING",
        }:
            return None
        if kinds == ("DATE", "DATE"):
            return X(f"(({a.sql} - {b.sql}) * 86400000000)", Type("DT", unit="DAY"))
        if kinds == ("STRING", "STRING"):
            return None
        kind = t.TIMESTAMP if "TIMESTAMP" in kinds else t.NTZ
        a, b = self.cast(a, kind), self.cast(b, kind)
        return X(f"(epoch_us({a.sql}) - epoch_us({b.sql}))", t.DAY_SECOND)

    def _interval_arithmetic(self, op: str, a: X, b: X) -> X:
        if a.type.kind in ("YM", "DT") and a.type.kind == b.type.kind and op in "+-":
            return X(f"({a.sql} {op} {b.sql})", common(a.type, b.type))
        if b.type.kind not in ("YM", "DT"):
            a, b, swapped = b, a, True
        else:
            swapped = False
        if op == "*" and a.type.is_numeric():
            whole = f"({a.sql} * {b.sql})"
            if not a.type.is_int():
                whole = f"round(CAST({a.sql} AS DOUBLE) * {b.sql})"
            full = t.YEAR_MONTH if b.type.kind == "YM" else t.DAY_SECOND
            return X(f"CAST({whole} AS {full.duck()})", full)
        if op == "+" or (op == "-" and not swapped):
            moved = self._move(a, b, op)
            if moved:
                return moved
        raise type_mismatch(
            f'an interval operation: "{a.type}" {op} "{b.type}"', "BINARY_OP_DIFF_TYPES"
        )

    def _move(self, when: X, by: X, op: str) -> X | None:
        sign = "-" if op == "-" else ""
        if when.type.kind == "STRING":
            when = self.cast(when, t.TIMESTAMP)
        if when.type.kind not in ("DATE", "TIMESTAMP", "TIMESTAMP_NTZ"):
            return None
        if by.type.kind == "YM":
            sql = f"({when.sql} + to_months({sign}{by.sql}))"
            return X(f"CAST({sql} AS {when.type.duck()})", when.type)
        if when.type.kind == "DATE" and by.type.unit == "DAY":
            days = f"CAST({sign}({by.sql} // 86400000000) AS INTEGER)"
            return X(f"({when.sql} + {days})", t.DATE)
        if when.type.kind == "DATE":
            when = self.cast(when, t.TIMESTAMP)
        return X(f"({LIB}.lb_shift({when.sql}, {sign}({by.sql})))", when.type)

    def _divide(self, e: exp.Div, scope: Scope) -> X:
        a, b = self.expr(e.this, scope), self.expr(e.expression, scope)
        return self.divide(a, b, label(e), self.ansi)

    def divide(self, a: X, b: X, name: str, ansi: bool) -> X:
        if a.type.kind in ("YM", "DT") and b.type.is_numeric():
            full = t.YEAR_MONTH if a.type.kind == "YM" else t.DAY_SECOND
            return X(f"CAST(round({a.sql} / {b.sql}) AS {full.duck()})", full)
        decimals = "DECIMAL" in (a.type.kind, b.type.kind)
        if decimals and {a.type.kind, b.type.kind} <= {"DECIMAL", *t.INTS, "VOID"}:
            meet = t.decimal(1, 0)
            return decimal_divide(_to_decimal(a, meet), _to_decimal(b, meet), ansi)
        a, b = (x if x.type.is_numeric() else self.cast(x, t.DOUBLE) for x in (a, b))
        divisor = self.cast(b, t.DOUBLE).sql
        if not ansi:
            divisor = f"nullif({divisor}, 0)"
        return X(f"({self.cast(a, t.DOUBLE).sql} / {divisor})", t.DOUBLE)

    def _int_divide(self, e: exp.IntDiv, scope: Scope) -> X:
        a, b = self.expr(e.this, scope), self.expr(e.expression, scope)
        if a.type.kind == b.type.kind and a.type.kind in ("YM", "DT"):
            return X(f"CAST({a.sql} // {b.sql} AS BIGINT)", t.BIGINT)
        a, b = self._numbers(a, b, label(e))
        if a.type.is_fractional():
            raise type_mismatch(f'"{label(e)}": div needs integers or decimals')
        divisor = b.sql if self.ansi else f"nullif({b.sql}, 0)"
        if a.type.kind == "DECIMAL":
            a, b = _same_scale(a, b)
            divisor = f"{LIB}.lb_unscaled({b.sql})"
            divisor = divisor if self.ansi else f"nullif({divisor}, 0)"
            return X(f"CAST({LIB}.lb_unscaled({a.sql}) // {divisor} AS BIGINT)", t.BIGINT)
        sql = f"(CAST({a.sql} AS BIGINT) // CAST({divisor} AS BIGINT))"
        return X(sql, t.BIGINT)

    def _mod(self, e: exp.Mod, scope: Scope) -> X:
        a, b = self.expr(e.this, scope), self.expr(e.expression, scope)
        return self.mod(a, b, label(e), self.ansi)

    def mod(self, a: X, b: X, name: str, ansi: bool) -> X:
        a, b = self._numbers(a, b, name)
        kind = a.type
        if kind.kind == "DECIMAL":
            scale = max(a.type.scale, b.type.scale)
            digits = min(a.type.precision - a.type.scale, b.type.precision - b.type.scale)
            kind = t.bounded_decimal(max(digits + scale, 1), scale)
            a, b = _same_scale(a, b)
        divisor = b.sql if ansi else f"nullif({b.sql}, 0)"
        return X(f"CAST(({a.sql} % {divisor}) AS {kind.duck()})", kind)

    def _compare(self, e: exp.Binary, scope: Scope) -> X:
        op = _COMPARE[type(e)]
        if isinstance(e.this, exp.Tuple) and isinstance(e.expression, exp.Tuple):
            raise unsupported("the comparison of tuples", "Compare the parts with AND.")
        a, b = self.expr(e.this, scope), self.expr(e.expression, scope)
        a, b = self.meet([a, b], f'"{label(e)}"')
        return X(f"({a.sql} {op} {b.sql})", t.BOOLEAN)

    def meet(self, items: list[X], where: str) -> list[X]:
        kind = casts.common_all([x.type for x in items], where)
        return [self.cast(x, kind) for x in items]

    def _logic(self, e: exp.Binary, scope: Scope) -> X:
        op = "AND" if isinstance(e, exp.And) else "OR"
        # a long chain is a deep tree on the left; flatten it instead of recursing
        parts, node = [], e
        while type(node) is type(e):
            parts.append(node.expression)
            node = node.this
        parts.append(node)
        made = [self.condition(p, scope) for p in reversed(parts)]
        return X("(" + f" {op} ".join(made) + ")", t.BOOLEAN)

    def _not(self, e, scope):
        return X(f"(NOT {self.condition(e.this, scope)})", t.BOOLEAN)

    def _is(self, e: exp.Is, scope: Scope) -> X:
        right = e.expression
        if isinstance(right, exp.Null):
            return X(f"({self.expr(e.this, scope).sql} IS NULL)", t.BOOLEAN)
        if isinstance(right, exp.Boolean):
            word = "TRUE" if right.this else "FALSE"
            return X(f"({self.condition(e.this, scope)} IS {word})", t.BOOLEAN)
        a, b = self.expr(e.this, scope), self.expr(right, scope)
        a, b = self.meet([a, b], f'"{label(e)}"')
        return X(f"({a.sql} IS NOT DISTINCT FROM {b.sql})", t.BOOLEAN)

    def _between(self, e: exp.Between, scope: Scope) -> X:
        x = self.expr(e.this, scope)
        low, high = self.expr(e.args["low"], scope), self.expr(e.args["high"], scope)
        if e.args.get("symmetric"):
            raise unsupported("BETWEEN SYMMETRIC")
        a, low = self.meet([x, low], f'"{label(e)}"')
        b, high = self.meet([x, high], f'"{label(e)}"')
        return X(f"({a.sql} >= {low.sql} AND {b.sql} <= {high.sql})", t.BOOLEAN)

    def _like(self, e: exp.Binary, scope: Scope, escape: str = "\\") -> X:
        word = "ILIKE" if isinstance(e, exp.ILike) else "LIKE"
        if isinstance(e.expression, (exp.Any, exp.All, exp.Tuple)):
            raise unsupported(
                "LIKE ANY and LIKE ALL", "Write the patterns with OR or AND."
            )
        a = self.value(e.this, scope, t.STRING)
        b = self.value(e.expression, scope, t.STRING)
        word = f"NOT {word}" if e.args.get("negate") else word
        return X(f"({a.sql} {word} {b.sql} ESCAPE {text(escape)})", t.BOOLEAN)

    def _escape(self, e: exp.Escape, scope: Scope) -> X:
        return self._like(e.this, scope, e.expression.this)

    def _rlike(self, e: exp.RegexpLike, scope: Scope) -> X:
        a = self.value(e.this, scope, t.STRING)
        b = self.value(e.expression, scope, t.STRING)
        word = "NOT " if e.args.get("negate") else ""
        return X(f"({word}regexp_matches({a.sql}, {b.sql}))", t.BOOLEAN)

    def _in(self, e: exp.In, scope: Scope) -> X:
        if e.args.get("negate"):
            plain = e.copy()
            plain.set("negate", None)
            return X(f"(NOT {self._in(plain, scope).sql})", t.BOOLEAN)
        query = e.args.get("query")
        if query is not None:
            return self._in_query(e, query, scope)
        items = [self.expr(i, scope) for i in [e.this, *e.expressions]]
        first, *rest = self.meet(items, f'"{label(e)}"')
        return X(f"({first.sql} IN ({', '.join(i.sql for i in rest)}))", t.BOOLEAN)

    def _in_query(self, e: exp.In, query: exp.Expression, scope: Scope) -> X:
        x = self.expr(e.this, scope)
        rel = self.query(query, scope)
        if len(rel.columns) != 1:
            raise type_mismatch(f'"{label(e.this)} IN (...)": one column is needed')
        inner = X("c0", rel.columns[0][1])
        x, inner = self.meet([x, inner], f'"{label(e.this)} IN (...)"')
        return X(f"({x.sql} IN (SELECT {inner.sql} FROM ({rel.sql}) AS s_))", t.BOOLEAN)

    def _exists(self, e: exp.Exists, scope: Scope) -> X:
        return X(f"EXISTS ({self.query(e.this, scope).sql})", t.BOOLEAN)

    def _scalar_query(self, e: exp.Expression, scope: Scope) -> X:
        rel = self.query(e, scope)
        if len(rel.columns) != 1:
            raise SqlError(
                "INVALID_SUBQUERY_EXPRESSION.SCALAR_SUBQUERY_RETURN_MORE_THAN_ONE_OUTPUT_"
                "COLUMN",
                "42823",
                f"Scalar subquery must return only one column, but returned "
                f"{len(rel.columns)}.",
            )
        return X(f"({rel.sql})", rel.columns[0][1])

    def _bits(self, e: exp.Binary, scope: Scope) -> X:
        a, b = self._numbers(
            self.expr(e.this, scope), self.expr(e.expression, scope), label(e)
        )
        if not a.type.is_int():
            raise type_mismatch(f'"{label(e)}": bit operations need integers')
        if isinstance(e, exp.BitwiseXor):
            return X(f"xor({a.sql}, {b.sql})", a.type)
        return X(f"({a.sql} {_BITS[type(e)]} {b.sql})", a.type)

    def _bit_not(self, e, scope):
        x = self.expr(e.this, scope)
        if not x.type.is_int():
            raise type_mismatch(f'"{label(e)}": bit operations need integers')
        return X(f"(~{x.sql})", x.type)

    def _concat(self, e: exp.Expression, scope: Scope) -> X:
        items = e.expressions if isinstance(e, exp.Concat) else [e.this, e.expression]
        return functions.concat(self, [self.expr(i, scope) for i in items])

    # --- CASE, CAST, typed things --------------------------------------------

    def _case(self, e: exp.Case, scope: Scope) -> X:
        whens, results = [], []
        for branch in e.args["ifs"]:
            if e.this is None:
                whens.append(self.condition(branch.this, scope))
            else:
                test = exp.EQ(this=e.this.copy(), expression=branch.this.copy())
                whens.append(self.expr(test, scope).sql)
            results.append(self.expr(branch.args["true"], scope))
        default = e.args.get("default")
        results.append(
            self.expr(default, scope) if default is not None else X("NULL", t.VOID)
        )
        return self.case(whens, results)

    def case(self, whens: list[str], results: list[X]) -> X:
        results = self.meet(results, '"CASE"')
        arms = " ".join(f"WHEN {w} THEN {r.sql}" for w, r in zip(whens, results))
        return X(f"(CASE {arms} ELSE {results[-1].sql} END)", results[0].type)

    def _if(self, e: exp.If, scope: Scope) -> X:
        false = e.args.get("false")
        other = self.expr(false, scope) if false is not None else X("NULL", t.VOID)
        results = [self.expr(e.args["true"], scope), other]
        return self.case([self.condition(e.this, scope)], results)

    def _cast(self, e: exp.Cast, scope: Scope) -> X:
        if e.args.get("format"):
            raise unsupported("CAST with FORMAT")
        kind = self.type_of(e.to).computed()
        x = self.expr(e.this, scope)
        if (
            kind.kind in ("YM", "DT")
            and x.type.kind == "STRING"
            and isinstance(x.const, str)
        ):
            return months_or_micros(interval_value(x.const, kind.unit), kind)
        if kind.kind in ("YM", "DT") and x.type.is_int() and " " not in kind.unit:
            size = {"YEAR": 12, "MONTH": 1}.get(kind.unit) or _MICROS[kind.unit]
            return X(f"CAST({x.sql} * {size} AS {kind.duck()})", kind)
        if isinstance(e, exp.TryCast):
            return cast(x, kind, safe=True)
        return self.cast(x, kind)

    def type_of(self, node: exp.DataType) -> Type:
        return t.parse_type(node.sql("databricks"))

    def _interval(self, e: exp.Interval, scope: Scope) -> X:
        unit = e.args.get("unit")
        if e.this is None:
            raise unsupported("this INTERVAL")
        if isinstance(unit, exp.IntervalSpan):
            span = f"{unit.this.name.upper()} TO {unit.expression.name.upper()}"
            negative = isinstance(e.this, exp.Neg)
            literal = e.this.this if negative else e.this
            if not isinstance(literal, exp.Literal):
                raise unsupported("INTERVAL with a computed value")
            value = interval_value(str(literal.this), span)
            return months_or_micros(-value if negative else value, _interval_type(span))
        if isinstance(e.this, exp.Neg) and isinstance(e.this.this, exp.Literal):
            positive = exp.Interval(this=e.this.this, unit=unit)
            x = self._interval(positive, scope)
            return X(f"(-{x.sql})", x.type)
        if unit is None:
            return _interval_text(str(e.this.this))
        return self._interval_unit(e.this, unit.name.upper().rstrip("S"), scope)

    def _interval_unit(self, node: exp.Expression, unit: str, scope: Scope) -> X:
        x = self.expr(node, scope)
        kind = _interval_type(unit)
        if not x.type.is_numeric() and not isinstance(x.const, str):
            raise unsupported(f"INTERVAL with a computed {x.type}")
        if isinstance(x.const, str):
            return months_or_micros(interval_value(x.const, unit), kind)
        size = {"YEAR": 12, "QUARTER": 3, "MONTH": 1}.get(unit) or _MICROS.get(unit)
        if size is None:
            raise unsupported(f"INTERVAL ... {unit}")
        if x.const is not None and x.type.is_int():
            return months_or_micros(int(x.const) * size, kind)
        made = f"{x.sql} * {size}" if x.type.is_int() else f"round({x.sql} * {size})"
        return X(f"CAST({made} AS {kind.duck()})", kind)

    def _extract(self, e: exp.Extract, scope: Scope) -> X:
        return functions.date_part(self, e.name.upper(), self.expr(e.expression, scope))

    def _trim(self, e: exp.Trim, scope: Scope) -> X:
        where = (e.args.get("position") or "BOTH").upper()
        name = {"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}[where]
        args = [self.value(e.this, scope, t.STRING).sql]
        if e.expression is not None:
            args.append(self.value(e.expression, scope, t.STRING).sql)
        return X(f"{name}({', '.join(args)})", t.STRING)

    def _position(self, e: exp.StrPosition, scope: Scope) -> X:
        if e.args.get("position"):
            raise unsupported("position with a start", "Use locate(part, text).")
        whole = self.value(e.this, scope, t.STRING)
        part = self.value(e.args["substr"], scope, t.STRING)
        return X(f"CAST(strpos({whole.sql}, {part.sql}) AS INTEGER)", t.INT)

    def _bracket(self, e: exp.Bracket, scope: Scope) -> X:
        x = self.expr(e.this, scope)
        if len(e.expressions) != 1:
            raise unsupported("a slice", "Use slice(array, start, length).")
        index = e.expressions[0]
        if x.type.kind == "ARRAY":
            i = self.value(index, scope, t.INT)
            if not self.ansi:
                return X(f"list_extract({x.sql}, {i.sql} + 1)", x.type.element)
            return X(f"{LIB}.lb_array_at({x.sql}, {i.sql})", x.type.element)
        if x.type.kind == "MAP":
            key = self.value(index, scope, x.type.args[0])
            return X(f"({x.sql})[{key.sql}]", x.type.value)
        if x.type.kind == "STRUCT" and isinstance(index, exp.Literal):
            return field_of(x, str(index.this))
        raise type_mismatch(f'"{label(e)}": "{x.type}" cannot be indexed')

    def _json_path(self, e: exp.JSONExtract, scope: Scope) -> X:
        x = self.expr(e.this, scope)
        if x.type.kind not in ("STRING", "VARIANT"):
            raise type_mismatch(f'"{label(e)}": a path needs STRING or VARIANT')
        path = e.expression
        if isinstance(path, exp.JSONPath):
            path = _json_path_text(path)
        else:
            raise unsupported("this path expression")
        if x.type.kind == "STRING":
            return X(f"({x.sql} ->> {text(path)})", t.STRING)
        return X(f"CAST(({x.sql} -> {text(path)}) AS VARCHAR)", t.VARIANT)

    def _at_zone(self, e, scope):
        raise unsupported("AT TIME ZONE", "Use from_utc_timestamp or SET TIME ZONE.")

    def _alias(self, e: exp.Alias, scope: Scope) -> X:
        return self.expr(e.this, scope)

    def _array(self, e: exp.Array, scope: Scope) -> X:
        call = exp.Anonymous(this="array", expressions=e.expressions)
        return self._call(call, scope)

    def _substring(self, e: exp.Substring, scope: Scope) -> X:
        parts = [e.this, e.args.get("start"), e.args.get("length")]
        call = exp.Anonymous(
            this="substring", expressions=[p for p in parts if p is not None]
        )
        return self._call(call, scope)

    # --- calls --------------------------------------------

    def _call(self, e: exp.Anonymous, scope: Scope) -> X:
        return functions.call(self, e, scope)

    def _window(self, e: exp.Window, scope: Scope) -> X:
        return functions.window(self, e, scope)

    def _filter(self, e: exp.Filter, scope: Scope) -> X:
        return functions.filtered(self, e, scope)

    def _now(self, e, scope):
        return X("now()", t.TIMESTAMP)

    def _today(self, e, scope):
        return X("CAST(CAST(now() AS TIMESTAMP) AS DATE)", t.DATE)

    def _bare(name: str):  # noqa: N805 - makes a rule while the class is built
        return lambda self, e, scope: functions.BARE[name](self)

    _RULES = {
        exp.Literal: _literal, exp.RawString: _raw, exp.Null: _null, exp.Boolean: _boolean,
        exp.HexString: _hex, exp.Paren: _paren, exp.Column: _column,
        exp.Identifier: _identifier, exp.Dot: _dot, exp.Placeholder: _placeholder,
        exp.Neg: _neg, exp.Add: _arithmetic, exp.Sub: _arithmetic, exp.Mul: _arithmetic,
        exp.Div: _divide, exp.IntDiv: _int_divide, exp.Mod: _mod, exp.And: _logic,
        exp.Or: _logic, exp.Not: _not, exp.Is: _is, exp.Between: _between,
        exp.Like: _like, exp.ILike: _like, exp.Escape: _escape, exp.RegexpLike: _rlike,
        exp.In: _in, exp.Exists: _exists, exp.Select: _scalar_query,
        exp.Subquery: _scalar_query, exp.BitwiseAnd: _bits, exp.BitwiseOr: _bits,
        exp.BitwiseXor: _bits, exp.BitwiseNot: _bit_not, exp.Concat: _concat,
        exp.DPipe: _concat, exp.Case: _case, exp.If: _if, exp.Cast: _cast,
        exp.TryCast: _cast, exp.Interval: _interval, exp.Extract: _extract,
        exp.Trim: _trim, exp.StrPosition: _position, exp.Bracket: _bracket,
        exp.JSONExtract: _json_path, exp.AtTimeZone: _at_zone, exp.Alias: _alias,
        exp.Array: _array, exp.Substring: _substring, exp.Anonymous: _call,
        exp.Window: _window, exp.Filter: _filter,
        exp.CurrentTimestamp: _now, exp.CurrentDate: _today,
        exp.CurrentUser: _bare("current_user"), exp.SessionUser: _bare("current_user"),
        exp.CurrentCatalog: _bare("current_catalog"),
        exp.CurrentSchema: _bare("current_schema"),
        exp.CurrentDatetime: _now, exp.CurrentTimezone: _bare("current_timezone"),
    } | dict.fromkeys(_COMPARE, _compare)  # fmt: skip


# --- numbers --------------------------------------------


def number(digits: str) -> X:
    """A number literal: INT, BIGINT or DECIMAL by its size; an exponent makes it DOUBLE."""
    if not re.fullmatch(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", digits):
        raise syntax_error(digits)
    if "e" in digits.lower():
        if float(digits) in (float("inf"), float("-inf")):
            raise SqlError(
                "INVALID_NUMERIC_LITERAL_RANGE",
                "22003",
                f"Numeric literal {digits} is outside the valid range for double.",
            )
        return X(f"CAST({digits} AS DOUBLE)", t.DOUBLE, float(digits))
    whole, _, frac = digits.lstrip("-").partition(".")
    if "." not in digits:
        value = int(digits)
        if value == -(2**31):  # DuckDB would read the digits as BIGINT before the sign
            return X(f"CAST('{digits}' AS INTEGER)", t.INT, value)
        if -(2**31) < value < 2**31:
            return X(f"({digits})" if value < 0 else digits, t.INT, value)
        if -(2**63) <= value < 2**63:
            return X(f"CAST('{digits}' AS BIGINT)", t.BIGINT, value)
    whole = whole.lstrip("0")
    precision, scale = max(len(whole) + len(frac), 1), len(frac)
    if precision > 38:
        raise SqlError(
            "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION",
            "22003",
            f"Decimal precision {precision} exceeds max precision 38.",
        )
    return X(
        f"CAST('{digits}' AS DECIMAL({precision},{scale}))", t.decimal(precision, scale)
    )


def _to_decimal(x: X, meet: Type) -> X:
    """An operand of decimal arithmetic in the smallest decimal type that holds it."""
    if x.type.kind == "DECIMAL":
        return x
    if x.type.kind == "VOID":
        return cast(x, meet)
    if isinstance(x.const, int):
        return cast(X(x.sql, x.type), t.decimal(max(len(str(abs(x.const))), 1), 0))
    return cast(x, t.as_decimal(x.type))


def _same_scale(a: X, b: X) -> tuple[X, X]:
    scale = max(a.type.scale, b.type.scale)
    digits = max(a.type.precision - a.type.scale, b.type.precision - b.type.scale)
    if digits + scale > 38:
        raise unsupported(
            f"an operation on {a.type} and {b.type}", "Cast them to smaller decimals."
        )
    kind = t.decimal(digits + scale, scale)
    return cast(a, kind), cast(b, kind)


def _decimal_arithmetic(op: str, a: X, b: X) -> X:
    p1, s1, p2, s2 = a.type.precision, a.type.scale, b.type.precision, b.type.scale
    if op == "*":
        precision, scale = p1 + p2 + 1, s1 + s2
    else:
        scale = max(s1, s2)
        precision = max(p1 - s1, p2 - s2) + scale + 1
    kind = t.bounded_decimal(precision, scale)
    if kind.scale != scale:
        raise unsupported(
            f"{a.type} {op} {b.type}, whose exact result has more than 38 digits",
            "Cast the operands to smaller decimals or to DOUBLE.",
        )
    return X(f"CAST(({a.sql} {op} {b.sql}) AS {kind.duck()})", kind)


def decimal_divide(a: X, b: X, ansi: bool) -> X:
    p1, s1, p2, s2 = a.type.precision, a.type.scale, b.type.precision, b.type.scale
    scale = max(6, s1 + p2 + 1)
    kind = t.bounded_decimal(p1 - s1 + s2 + scale, scale)
    return scaled_quotient(
        f"{LIB}.lb_unscaled({a.sql})",
        f"{LIB}.lb_unscaled({b.sql})",
        p1,
        s1 - s2,
        kind,
        ansi,
    )


def scaled_quotient(n: str, d: str, digits: int, scale: int, kind: Type, ansi: bool) -> X:
    """n / d as decimal, computed on whole numbers and rounded half up.

    digits: of n; scale: that n / d has before; kind: what is wanted.
    """
    shift = kind.scale - scale
    if digits + max(shift, 0) > 38:
        raise unsupported(
            "a decimal division that needs more than 38 digits",
            "Cast the operands to smaller decimals or to DOUBLE.",
        )
    n = f"({n}) * CAST('{10 ** max(shift, 0)}' AS HUGEINT)"
    if shift < 0:
        d = f"({d}) * CAST('{10**-shift}' AS HUGEINT)"
    d = d if ansi else f"nullif({d}, 0)"
    point = f"{LIB}.lb_point({LIB}.lb_half_up({n}, {d}), {kind.scale})"
    return X(f"CAST({point} AS {kind.duck()})", kind)


# --- intervals --------------------------------------------

_SPAN = {
    "YEAR TO MONTH": r"(?P<YEAR>\d+)-(?P<MONTH>\d+)",
    "DAY TO HOUR": r"(?P<DAY>\d+) (?P<HOUR>\d+)",
    "DAY TO MINUTE": r"(?P<DAY>\d+) (?P<HOUR>\d+):(?P<MINUTE>\d+)",
    "DAY TO SECOND": r"(?P<DAY>\d+) (?P<HOUR>\d+):(?P<MINUTE>\d+):(?P<SECOND>\d+(\.\d+)?)",
    "HOUR TO MINUTE": r"(?P<HOUR>\d+):(?P<MINUTE>\d+)",
    "HOUR TO SECOND": r"(?P<HOUR>\d+):(?P<MINUTE>\d+):(?P<SECOND>\d+(\.\d+)?)",
    "MINUTE TO SECOND": r"(?P<MINUTE>\d+):(?P<SECOND>\d+(\.\d+)?)",
}


def interval_value(value: str, unit: str) -> int:
    """Months or microseconds of an interval literal."""
    body = value.strip()
    sign = -1 if body.startswith("-") else 1
    body = body.lstrip("+-").strip()
    if unit not in _SPAN and unit not in ("YEAR", "QUARTER", "MONTH", *_MICROS):
        raise unsupported(f"INTERVAL {unit}")
    pattern = _SPAN.get(unit, rf"(?P<{unit}>\d+(\.\d+)?)")
    m = re.fullmatch(pattern, body)
    total = 0
    for name, digits in (m.groupdict() if m else {}).items():
        if name in ("YEAR", "QUARTER", "MONTH"):
            total += int(float(digits)) * {"YEAR": 12, "QUARTER": 3, "MONTH": 1}[name]
        else:
            whole, _, frac = digits.partition(".")
            size = _MICROS[name]
            total += int(whole) * size + int(frac[:6].ljust(6, "0")) * size // 1_000_000
    if not m:
        raise SqlError(
            "INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING",
            "22006",
            f"Error parsing '{value}' to interval. Interval string does not match the "
            f"format of {unit}.",
        )
    return sign * total


def months_or_micros(value: int, kind: Type) -> X:
    return X(f"CAST({value} AS {kind.duck()})", kind)


def _interval_type(unit: str) -> Type:
    if unit in ("WEEK", "DAY"):
        return Type("DT", unit="DAY")
    if unit in ("MILLISECOND", "MICROSECOND"):
        return Type("DT", unit="SECOND")
    if unit == "QUARTER":
        return Type("YM", unit="MONTH")
    first, _, last = unit.partition(" TO ")
    return t.interval(first, last)


def _interval_text(value: str) -> X:
    """INTERVAL '1 day 2 hours' without a unit behind it."""
    found = re.findall(r"([+-]?\d+(?:\.\d+)?)\s+([a-zA-Z]+?)s?(?=\s|$)", value)
    if not found or re.sub(r"[+-]?\d+(?:\.\d+)?\s+[a-zA-Z]+", "", value).strip():
        raise unsupported(f"INTERVAL '{value}'", "Write INTERVAL 'n' UNIT.")
    parts = [(interval_value(n, u.upper()), _interval_type(u.upper())) for n, u in found]
    kinds = {kind.kind for _, kind in parts}
    if len(kinds) != 1:
        raise unsupported("an interval of months and days in one", "Use two intervals.")
    total = sum(v for v, _ in parts)
    if len(parts) == 1:
        return months_or_micros(total, parts[0][1])
    return months_or_micros(total, t.YEAR_MONTH if "YM" in kinds else t.DAY_SECOND)


def _json_path_text(path: exp.JSONPath) -> str:
    out = "$"
    for part in path.expressions:
        if isinstance(part, exp.JSONPathRoot):
            continue
        if isinstance(part, exp.JSONPathKey) and isinstance(part.this, str):
            out += '."' + part.this.replace('"', '\\"') + '"'
        elif isinstance(part, exp.JSONPathSubscript) and isinstance(part.this, int):
            out += f"[{part.this}]"
        else:
            raise unsupported("this path expression")
    return out


__all__ = ["Expressions", "MARKER", "decimal_divide", "number", "scaled_quotient"]
