# SPDX-License-Identifier: Apache-2.0
"""Reading Databricks SQL: sqlglot's grammar with functions left as they are written.

sqlglot turns function calls into its own nodes and so loses the name and sometimes the
argument order; the translation here works by the Databricks name, so the table is emptied.
"""

from __future__ import annotations

import logging

from sqlglot import ErrorLevel, exp
from sqlglot.dialects.databricks import Databricks
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.tokens import TokenType

from .errors import SqlError, syntax_error

_KEPT = ("CAST", "TRY_CAST", "EXTRACT", "POSITION", "SUBSTRING", "SUBSTR", "TRIM")


class _Dialect(Databricks):
    SUPPORTS_USER_DEFINED_TYPES = True  # an unknown type is then ours to report

    class Parser(Databricks.Parser):
        # ARRAY stays: `array(1)[0]` would else be read as the array [0]
        FUNCTIONS = {"ARRAY": lambda args: exp.Array(expressions=args)}
        FUNCTION_PARSERS = {
            name: Databricks.Parser.FUNCTION_PARSERS[name]
            for name in _KEPT
            if name in Databricks.Parser.FUNCTION_PARSERS
        }
        NO_PAREN_FUNCTION_PARSERS = {
            name: rule
            for name, rule in Databricks.Parser.NO_PAREN_FUNCTION_PARSERS.items()
            if name == "CASE"
        }


_DIALECT = _Dialect()

# sqlglot warns about what it does not know; here that becomes an error of the statement.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


def tokens(sql: str):
    try:
        return _DIALECT.tokenize(sql)
    except TokenError as exc:
        raise _from_sqlglot(exc, sql) from None


def _from_sqlglot(exc: SqlglotError, sql: str) -> SqlError:
    if isinstance(exc, ParseError) and exc.errors:
        first = exc.errors[0]
        near = first.get("highlight") or ""
        line, col = first.get("line") or 1, first.get("col") or 0
        return syntax_error(near, line, max(col - len(near), 0), sql)
    return syntax_error("", 1, max(len(sql) - 1, 0), sql)


def parse(sql: str) -> exp.Expression:
    """One statement; anything else is a PARSE_SYNTAX_ERROR."""
    try:
        toks = _DIALECT.tokenize(sql)
        while toks and toks[-1].token_type == TokenType.SEMICOLON:
            toks.pop()
        found = _DIALECT.parser(error_level=ErrorLevel.RAISE).parse(toks, sql)
    except (SqlglotError, RecursionError) as exc:
        if isinstance(exc, RecursionError):
            raise SqlError(
                "FAILED_TO_PARSE_TOO_COMPLEX", "54001", "The statement is too complex."
            ) from None
        raise _from_sqlglot(exc, sql) from None
    if not found or found[0] is None:
        raise syntax_error("", 1, 0, sql)
    if len(found) > 1:
        semicolon = next(t for t in toks if t.token_type == TokenType.SEMICOLON)
        raise syntax_error(";", semicolon.line, max(semicolon.col - 1, 0), sql)
    return found[0]


def mark_parameters(sql: str) -> tuple[str, int]:
    """Names the `?` markers in text order; gives the new text and how many there were."""
    if "?" not in sql:
        return sql, 0
    out, last, count = [], 0, 0
    for tok in tokens(sql):
        if tok.token_type == TokenType.PLACEHOLDER and sql[tok.start] == "?":
            out += [sql[last : tok.start], f":{MARKER}{count}"]
            last, count = tok.end + 1, count + 1
    return "".join(out) + sql[last:], count


MARKER = "lakebeat_marker_"


def shown(e: exp.Expression) -> str:
    """An expression for an error text; sqlglot cannot write everything that it reads."""
    try:
        return e.sql(_DIALECT)[:80]
    except Exception:  # noqa: BLE001 - any mistake of the writer
        return type(e).__name__


def label(e: exp.Expression) -> str:
    """The column name Databricks gives an expression that has no alias."""
    handler = _LABELS.get(type(e))
    if handler:
        return handler(e)
    if isinstance(e, exp.Binary) and type(e) in _OPERATORS:
        made = f"{label(e.this)} {_OPERATORS[type(e)]} {label(e.expression)}"
        return f"(NOT {made})" if e.args.get("negate") else f"({made})"
    return shown(e)


def _label_list(items) -> str:
    return ", ".join(label(i) for i in items)


def _label_call(e: exp.Anonymous) -> str:
    name = str(e.this).lower()
    args = e.expressions
    if name == "count" and len(args) == 1 and isinstance(args[0], exp.Star):
        return "count(1)"
    return f"{name}({_label_list(args)})"


def _label_case(e: exp.Case) -> str:
    head = f"CASE {label(e.this)}" if e.this else "CASE"
    for branch in e.args["ifs"]:
        head += f" WHEN {label(branch.this)} THEN {label(branch.args['true'])}"
    if e.args.get("default") is not None:
        head += f" ELSE {label(e.args['default'])}"
    return head + " END"


def _label_cast(e: exp.Cast) -> str:
    kind = e.to.sql(_DIALECT)
    if (
        type(e) is exp.Cast
        and isinstance(e.this, exp.Literal)
        and kind in ("DATE", "TIMESTAMP", "TIMESTAMP_NTZ")
    ):
        return f"{kind} '{e.this.this}'"
    word = "TRY_CAST" if isinstance(e, exp.TryCast) else "CAST"
    return f"{word}({label(e.this)} AS {kind})"


def _label_neg(e: exp.Neg) -> str:
    if isinstance(e.this, exp.Literal):
        return f"-{e.this.this}"
    return f"(- {label(e.this)})"


_OPERATORS = {
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%",
    exp.IntDiv: "div", exp.EQ: "=", exp.NEQ: "!=", exp.GT: ">", exp.GTE: ">=",
    exp.LT: "<", exp.LTE: "<=", exp.And: "AND", exp.Or: "OR", exp.Like: "LIKE",
    exp.ILike: "ILIKE", exp.NullSafeEQ: "<=>", exp.BitwiseAnd: "&", exp.BitwiseOr: "|",
    exp.BitwiseXor: "^", exp.RegexpLike: "RLIKE",
}  # fmt: skip

_LABELS = {
    exp.Alias: lambda e: e.alias,
    exp.Column: lambda e: e.name,
    exp.Identifier: lambda e: e.name,
    exp.Dot: lambda e: e.name,
    exp.Literal: lambda e: str(e.this),
    exp.RawString: lambda e: str(e.this),
    exp.Null: lambda e: "NULL",
    exp.Boolean: lambda e: "true" if e.this else "false",
    exp.Star: lambda e: "*",
    exp.Paren: lambda e: label(e.this),
    exp.Neg: _label_neg,
    exp.Not: lambda e: f"(NOT {label(e.this)})",
    exp.Is: lambda e: f"({label(e.this)} IS {label(e.expression)})",
    exp.Anonymous: _label_call,
    exp.Cast: _label_cast,
    exp.TryCast: _label_cast,
    exp.Case: _label_case,
    exp.Distinct: lambda e: "DISTINCT " + _label_list(e.expressions),
    exp.In: lambda e: f"({label(e.this)} IN ({_label_list(e.expressions)}))",
    exp.DPipe: lambda e: f"concat({label(e.this)}, {label(e.expression)})",
    exp.Concat: lambda e: "".join(label(i) for i in e.expressions),
    exp.Subquery: lambda e: "scalarsubquery()",
    exp.Select: lambda e: "scalarsubquery()",
    exp.Exists: lambda e: "exists()",
    exp.CurrentTimestamp: lambda e: "current_timestamp()",
    exp.CurrentDate: lambda e: "current_date()",
    exp.Array: lambda e: f"array({_label_list(e.expressions)})",
    exp.Substring: lambda e: (
        "substring("
        + _label_list(a for a in (e.this, e.args.get("start"), e.args.get("length")) if a)
        + ")"
    ),
    exp.Bracket: lambda e: f"{label(e.this)}[{_label_list(e.expressions)}]",
}
