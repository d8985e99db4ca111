# SPDX-License-Identifier: Apache-2.0
"""The forms of SHOW that SQL warehouses have and Apache Spark has not: by catalog, with a
pattern for each level, and keys.
"""

from __future__ import annotations

from . import functions, jdbc, keys
from . import types as t
from .commands import Words, strings
from .output import Outcome

_INTS = ("columnSize", "decimalDigits", "radix", "ordinalPosition", "keySeq", "updateRule",
         "deleteRule", "deferrability")  # fmt: skip


def _heads(names: str):
    return [(n, t.INT) if n in _INTS else (n, t.BOOLEAN) if n == "isTemporary" else n
            for n in names.split()]  # fmt: skip


_SCHEMAS = _heads("databaseName catalog")
_TABLES = _heads(
    "namespace tableName isTemporary information catalogName tableType remarks"
)
_COLUMNS = _heads(
    "col_name catalogName namespace tableName columnType columnSize decimalDigits radix "
    "isNullable remarks ordinalPosition isAutoIncrement isGenerated"
)
_FUNCTIONS = _heads(
    "functionName namespace catalogName remarks functionType specificName"
)
_KEYS = _heads("catalogName namespace tableName col_name keySeq constraintName")
_FOREIGN = _heads(
    "parentCatalogName parentNamespace parentTableName parentColName catalogName namespace "
    "tableName col_name keySeq updateRule deleteRule deferrability constraintName"
)


def show(stmt, words: Words) -> Outcome | None:
    """The answer, or None (with nothing read) when it is a SHOW that Spark has too."""
    start = words.at
    kind = words.peek()
    if kind in ("FOREIGN", "KEYS"):
        return _show_keys(stmt, words)
    rule = {"SCHEMAS": _schemas, "DATABASES": _schemas, "TABLES": _tables,
            "COLUMNS": _columns, "FUNCTIONS": _functions}.get(kind)  # fmt: skip
    if rule is None:
        return None
    words.at += 1
    if words.accept("IN", "FROM"):
        if words.accept("ALL"):
            words.expect("CATALOGS")
            return rule(stmt, words, stmt.engine.catalog.catalogs())
        if rule is not _schemas and words.accept("CATALOG"):
            return rule(stmt, words, [stmt.engine.catalog.need_catalog(words.name()[0])])
    words.at = start
    return None


def _pattern(words: Words, level: str = ""):
    """[<level> LIKE 'pattern'] as a test; the innermost level has no word."""
    if level and not words.accept(level):
        return lambda name: True
    return words.pattern()


def _schemas(stmt, words: Words, catalogs: list[str]) -> Outcome:
    test = words.pattern()
    words.end()
    rows = [(s, c) for c in catalogs for s in stmt.engine.catalog.schemas(c) if test(s)]
    return strings(stmt, _SCHEMAS, rows)


def _tables(stmt, words: Words, catalogs: list[str]) -> Outcome:
    schema, table = _pattern(words, "SCHEMA"), _pattern(words)
    words.end()
    rows = [
        (s, name, False, None, c, kind, info.get("comment", ""))
        for c in catalogs
        for s, name, kind, info in stmt.engine.catalog.listing(c)
        if schema(s) and table(name)
    ]
    return strings(stmt, _TABLES, rows)


def _columns(stmt, words: Words, catalogs: list[str]) -> Outcome:
    schema, table = _pattern(words, "SCHEMA"), _pattern(words, "TABLE")
    column = _pattern(words)
    words.end()
    rows = []
    for c in catalogs:
        for x in stmt.engine.catalog.tables(c):
            if not (schema(x.schema) and table(x.name)):
                continue
            for i, (name, kind) in enumerate(x.columns):
                if column(name):
                    rows.append(_column_row(x, i, name, kind))
    return strings(stmt, _COLUMNS, rows)


def _column_row(x, i: int, name: str, kind: t.Type) -> tuple:
    n = jdbc.numbers(kind, "databricks")
    nullable = "true" if x.nullable[i] else "false"
    return (name, x.catalog, x.schema, x.name, kind.sql_name(), n.size, n.digits, n.radix,
            nullable, x.comments[i], i, "NO", "NO")  # fmt: skip


def _functions(stmt, words: Words, catalogs: list[str]) -> Outcome:
    _pattern(words, "SCHEMA")
    test = _pattern(words)
    words.end()
    rows = [(n, None, None, "", "1", n) for n in functions.names() if test(n)]
    return strings(stmt, _FUNCTIONS, rows)


def _show_keys(stmt, words: Words) -> Outcome:
    foreign = words.accept("FOREIGN")
    words.expect("KEYS")
    where = []
    for level in ("CATALOG", "SCHEMA", "TABLE"):
        words.expect("IN", "FROM")
        words.expect(level)
        where += words.name()
    words.end()
    table = stmt.engine.catalog.table(*where)
    here = (table.catalog, table.schema, table.name)
    if not foreign:
        key = keys.primary_key(table)
        rows = [(*here, c, i, key.name) for i, c in enumerate(key.columns if key else [], 1)]
        return strings(stmt, _KEYS, rows)
    rows = []
    for one in keys.foreign_keys(stmt.engine.catalog, table):
        for i, (theirs, ours) in enumerate(zip(one.parent_columns, one.columns), 1):
            rows.append((*one.parent, theirs, *here, ours, i, 3, 3, 7, one.name))
    return strings(stmt, _FOREIGN, rows)
