# SPDX-License-Identifier: Apache-2.0
"""Databricks-shaped errors, and the translation of DuckDB's errors into them."""

from __future__ import annotations

import re

import duckdb

UNSUPPORTED = "UNSUPPORTED_BY_LOCAL_WAREHOUSE"

# What a macro or a rewrite puts before its text when it raises an error inside DuckDB.
MARK = "[[lakebeat|"


class SqlError(Exception):
    """A statement failed; the three fields are what a client is told."""

    def __init__(self, error_class: str, sqlstate: str, text: str):
        self.error_class = error_class
        self.sqlstate = sqlstate
        self.message = f"[{error_class}] {text} SQLSTATE: {sqlstate}"
        super().__init__(self.message)


class Cancelled(Exception):
    """The statement was interrupted by SqlStatement.interrupt()."""


def unsupported(what: str, remedy: str = "") -> SqlError:
    text = f"The local warehouse does not support {what}."
    return SqlError(UNSUPPORTED, "0A000", f"{text} {remedy}".rstrip())


def internal_error(exc: Exception) -> SqlError:
    """The last resort: a mistake of the warehouse's own, which its log shows in full."""
    return SqlError(
        "INTERNAL_ERROR",
        "XX000",
        f"The local warehouse failed at this statement ({type(exc).__name__}); see its log.",
    )


def quoted(*parts: str) -> str:
    return ".".join("`" + p.replace("`", "``") + "`" for p in parts)


def syntax_error(near: str, line: int = 1, pos: int = 0, sql: str = "") -> SqlError:
    where = f"'{near}'" if near else "end of input"
    err = SqlError("PARSE_SYNTAX_ERROR", "42601", f"Syntax error at or near {where}.")
    err.message += f" (line {line}, pos {pos})"
    if sql:
        err.message += f"\n\n== SQL ==\n{sql}\n{'-' * pos}^^^\n"
    return err


def table_not_found(*parts: str) -> SqlError:
    return SqlError(
        "TABLE_OR_VIEW_NOT_FOUND",
        "42P01",
        f"The table or view {quoted(*parts)} cannot be found. Verify the spelling and "
        "correctness of the schema and catalog. If you did not qualify the name with a "
        "schema, verify the current_schema() output, or qualify the name with the "
        "correct schema and catalog. To tolerate the error on drop use DROP VIEW IF "
        "EXISTS or DROP TABLE IF EXISTS.",
    )


def table_exists(*parts: str) -> SqlError:
    return SqlError(
        "TABLE_OR_VIEW_ALREADY_EXISTS",
        "42P07",
        f"Cannot create table or view {quoted(*parts)} because it already exists. Choose "
        "a different name, drop or replace the existing object, or add the IF NOT EXISTS "
        "clause to tolerate pre-existing objects.",
    )


def schema_not_found(*parts: str) -> SqlError:
    return SqlError(
        "SCHEMA_NOT_FOUND",
        "42704",
        f"The schema {quoted(*parts)} cannot be found. Verify the spelling and "
        "correctness of the schema and catalog. If you did not qualify the name with a "
        "catalog, verify the current_schema() output, or qualify the name with the "
        "correct catalog. To tolerate the error on drop use DROP SCHEMA IF EXISTS.",
    )


def catalog_not_found(name: str) -> SqlError:
    return SqlError(
        "CATALOG_NOT_FOUND",
        "42P08",
        f"The catalog {quoted(name)} not found. Consider using one of the catalogs that "
        "SHOW CATALOGS lists.",
    )


def unresolved_column(name: str, candidates: list[str]) -> SqlError:
    text = (
        f"A column, variable, or function parameter with name {name} cannot be resolved."
    )
    if not candidates:
        return SqlError("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703", text)
    text += f" Did you mean one of the following? [{', '.join(candidates[:5])}]."
    return SqlError("UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703", text)


def unresolved_routine(name: str) -> SqlError:
    return SqlError(
        "UNRESOLVED_ROUTINE",
        "42883",
        f"Cannot resolve routine {quoted(name)} on search path [`system`.`builtin`, "
        "`system`.`session`]. Verify the spelling of the routine, check that the routine "
        "exists, and confirm that you have USE CATALOG, USE SCHEMA and EXECUTE privileges.",
    )


def type_mismatch(what: str, kind: str = "UNEXPECTED_INPUT_TYPE") -> SqlError:
    text = f"Cannot resolve {what} due to data type mismatch."
    return SqlError(f"DATATYPE_MISMATCH.{kind}", "42K09", text)


def null_map_key() -> SqlError:
    return SqlError("NULL_MAP_KEY", "2200E", "Cannot use null as map key.")


def wrong_num_args(name: str, given: int) -> SqlError:
    return SqlError(
        "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
        "42605",
        f"The `{name}` cannot take {given} arguments. Check the number of arguments in "
        "the function's documentation.",
    )


def divide_by_zero() -> SqlError:
    return SqlError(
        "DIVIDE_BY_ZERO",
        "22012",
        "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL "
        'instead. If necessary set "ansi_mode" to "false" to bypass this error.',
    )


def overflow(detail: str = "") -> SqlError:
    text = (detail or "The result of an operation does not fit its type.") + (
        ' Use a wider type or a "try_" function to tolerate overflow and return NULL '
        "instead."
    )
    return SqlError("ARITHMETIC_OVERFLOW", "22003", text)


def cast_invalid(value: str, source: str, target: str) -> SqlError:
    return SqlError(
        "CAST_INVALID_INPUT",
        "22018",
        f'The value {value} of the type "{source}" cannot be cast to "{target}" because '
        "it is malformed. Correct the value as per the syntax, or change its target "
        "type. Use `try_cast` to tolerate malformed input and return NULL instead.",
    )


_DUCK_NAMES = {
    "INT8": "TINYINT", "INT16": "SMALLINT", "INT32": "INT", "INT64": "BIGINT",
    "INT128": "DECIMAL(38,0)", "BOOL": "BOOLEAN", "VARCHAR": "STRING", "BLOB": "BINARY",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP", "INTEGER": "INT",
}  # fmt: skip


def _spark(name: str) -> str:
    return _DUCK_NAMES.get(name.strip(), name.strip())


def _marked(text: str) -> SqlError | None:
    at = text.find(MARK)
    if at < 0:
        return None
    kind, _, rest = text[at + len(MARK) :].partition("|")
    rest, _, _ = rest.partition("|]]")
    if kind == "raise":
        return SqlError("USER_RAISED_EXCEPTION", "P0001", rest)
    if kind == "cast":
        target, _, value = rest.partition("|")
        return cast_invalid(f"'{value}'", "STRING", target)
    if kind == "decimal":
        return numeric_out_of_range(rest)
    if kind == "length":
        return SqlError(
            "EXCEED_LIMIT_LENGTH",
            "22001",
            f"Exceeds char/varchar type length limitation: {rest}.",
        )
    if kind == "index":
        at_, _, size = rest.partition("|")
        return SqlError(
            "INVALID_ARRAY_INDEX",
            "22003",
            f"The index {at_} is out of bounds. The array has {size} elements. Use the "
            "SQL function `get()` to tolerate accessing element at invalid index and "
            "return NULL instead.",
        )
    return SqlError(kind, "22023", rest)


def numeric_out_of_range(detail: str) -> SqlError:
    return SqlError(
        "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION",
        "22003",
        f"{detail} Use `try_cast` to tolerate overflow and return NULL instead.",
    )


def _conversion(text: str) -> SqlError | None:
    m = re.search(
        r"Type (.+?) with value (.+?) can't be cast .*destination type (\S+)", text
    )
    if m:
        source, value, target = m.groups()
        if source == "INT128":
            return overflow(f"{_spark(target).lower()} overflow.")
        return SqlError(
            "CAST_OVERFLOW",
            "22003",
            f'The value {value} of the type "{_spark(source)}" cannot be cast to '
            f'"{_spark(target)}" due to an overflow. Use `try_cast` to tolerate overflow '
            "and return NULL instead.",
        )
    m = re.search(r"Could not cast value (.+?) to (DECIMAL\(\d+,\d+\))", text)
    if m:
        return numeric_out_of_range(f"The value {m[1]} cannot be represented as {m[2]}.")
    m = re.search(r'Could not convert string "(.+?)" to (DECIMAL\(\d+,\d+\))', text)
    if m:
        return numeric_out_of_range(f"The value {m[1]} cannot be represented as {m[2]}.")
    m = re.search(r"Could not convert string '(.*)' to (\S+)", text, re.S)
    if m:
        return cast_invalid(f"'{m[1]}'", "STRING", _spark(m[2]))
    m = re.search(r'(date|timestamp|time) field value out of range: "(.*?)"', text)
    if m:
        return cast_invalid(f"'{m[2]}'", "STRING", m[1].upper())
    m = re.search(r'invalid (date|timestamp) field format: "(.*?)"', text)
    if m:
        return cast_invalid(f"'{m[2]}'", "STRING", m[1].upper())
    return None


_PATTERNS = (
    (r"Map keys can not be NULL", lambda m: null_map_key()),
    (r"aggregate function calls cannot be nested",
     lambda m: SqlError(
         "NESTED_AGGREGATE_FUNCTION", "42607",
         "It is not allowed to use an aggregate function in the argument of another "
         "aggregate function. Use the inner aggregate function in a sub-query.")),
    (r"LIMIT/OFFSET cannot be negative",
     lambda m: SqlError(
         "INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE", "42K0E",
         "The limit like expression must be equal to or greater than 0.")),
    (r"cannot affect the same target row more than once",
     lambda m: SqlError(
         "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE", "21506",
         "Cannot perform MERGE as multiple source rows matched and attempted to modify the "
         "same target row in the Delta table in possibly conflicting ways.")),
    (r"Division by zero", lambda m: divide_by_zero()),
    (r"(Overflow [^!\n]*|[Oo]ut of range[^!\n]*|[Ss]um is out of range)",
     lambda m: overflow(m[1] + ".")),
    (r"More than one row returned by a subquery",
     lambda m: SqlError(
         "SCALAR_SUBQUERY_TOO_MANY_ROWS", "21000",
         "More than one row returned by a subquery used as an expression.")),
    (r'column "?(.+?)"? must appear in the GROUP BY clause',
     lambda m: SqlError(
         "MISSING_AGGREGATION", "42803",
         "A non-aggregating expression is based on columns which are not "
         "participating in the GROUP BY clause. Add the columns or the expression to the "
         "GROUP BY, aggregate the expression, or use `any_value`.")),
    (r"WHERE clause cannot contain aggregates",
     lambda m: SqlError(
         "INVALID_WHERE_CONDITION", "42903",
         "The WHERE condition contains an aggregate function. Use HAVING.")),
    (r"NOT NULL constraint failed: (\S+)",
     lambda m: SqlError(
         "DELTA_NOT_NULL_CONSTRAINT_VIOLATED", "23502",
         f"NOT NULL constraint violated for column: {m[1].split('.')[-1]}.")),
    (r"Malformed JSON",
     lambda m: SqlError(
         "MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION", "22023",
         "Malformed records are detected in record parsing: the text is not JSON.")),
    (r"Map keys must be unique",
     lambda m: SqlError(
         "DUPLICATED_MAP_KEY", "23505",
         "Duplicate map key was found, please check the input data.")),
    (r"CHECK constraint failed",
     lambda m: SqlError(
         "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES", "23001",
         "A CHECK constraint is violated by a row.")),
)  # fmt: skip


def from_duckdb(exc: duckdb.Error) -> SqlError:
    """The Databricks error that stands for a DuckDB error."""
    text = str(exc)
    err = _marked(text) or _conversion(text)
    if err:
        return err
    for pattern, make in _PATTERNS:
        m = re.search(pattern, text)
        if m:
            return make(m)
    if isinstance(exc, duckdb.TransactionException):
        return SqlError(
            "DELTA_CONCURRENT_WRITE",
            "2D521",
            "A concurrent statement changed the same table; run this one again.",
        )
    if isinstance(exc, duckdb.OutOfMemoryException):
        return SqlError(
            "OUT_OF_MEMORY", "53200", "The statement needs more memory than there is."
        )
    line = text.split("\n", 1)[0]
    line = re.sub(r"\bc_([a-z0-9_]+)\.", r"\1.", line)
    return unsupported(f"this statement ({line})")
