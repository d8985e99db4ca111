# SPDX-License-Identifier: Apache-2.0
"""DESCRIBE: of tables (also as JSON), columns, queries, schemas and catalogs."""

from __future__ import annotations

import json

from . import keys
from .catalog import Table
from .commands import Words, found, strings
from .dialect import mark_parameters, parse
from .errors import quoted, syntax_error, unresolved_column, unsupported
from .information import OWNER
from .output import Outcome
from .scope import Scope
from .types import Type

_QUERY = ("QUERY", "SELECT", "WITH", "VALUES", "FROM")


def describe(stmt, words: Words) -> Outcome:
    if words.accept("CATALOG"):
        words.accept("EXTENDED")
        name = stmt.engine.catalog.need_catalog(words.name()[0])
        words.end()
        rows = [("Catalog Name", name), ("Comment", ""), ("Owner", OWNER)]
        return strings(stmt, ("info_name", "info_value"), rows)
    if words.accept("SCHEMA", "DATABASE"):
        return _schema(stmt, words)
    if words.accept("FUNCTION"):
        raise unsupported("DESCRIBE FUNCTION")
    if words.peek() in _QUERY:
        return _query(stmt, words)
    return _table(stmt, words)


def columns_of(stmt, parts: list[str]):
    """Columns and comments of a table or temporary view, and the table if it is one."""
    view = stmt.session.temp_views.get(parts[0].lower()) if len(parts) == 1 else None
    if view is not None:
        return view.columns, [""] * len(view.columns), None
    table = found(stmt, parts)
    return table.columns, table.comments, table


def _table(stmt, words: Words) -> Outcome:
    words.accept("TABLE")
    extended = words.accept("EXTENDED", "FORMATTED")
    parts = words.name()
    columns, comments, table = columns_of(stmt, parts)
    if words.accept("AS"):
        words.expect("JSON")
        words.end()
        if not extended:
            raise syntax_error("JSON", 1, len(stmt.sql) - 4, stmt.sql)
        if table is None:
            raise unsupported("DESCRIBE ... AS JSON of a temporary view")
        text = json.dumps(document(stmt.engine.catalog, table))
        return strings(stmt, ("json_metadata",), [(text,)])
    if not words.done():
        return _column(stmt, words, columns, comments)
    rows = [(n, k.simple_name(), c or None) for (n, k), c in zip(columns, comments)]
    if extended and table is not None:
        rows += _details(stmt.engine.catalog, table)
    return strings(stmt, ("col_name", "data_type", "comment"), rows)


def _column(stmt, words: Words, columns, comments) -> Outcome:
    (name, *rest) = words.name()
    words.end()
    for (known, kind), comment in zip(columns, comments):
        if known.lower() == name.lower() and not rest:
            rows = [("col_name", known), ("data_type", kind.simple_name()),
                    ("comment", comment or "NULL")]  # fmt: skip
            return strings(stmt, ("info_name", "info_value"), rows)
    raise unresolved_column(quoted(name, *rest), [quoted(n) for n, _ in columns])


def _details(catalog, table: Table):
    rows = []
    made = keys.clauses(catalog, table)
    if made:
        rows += [("", "", ""), ("# Constraints", "", "")]
        rows += [(name, text, "") for name, text in made]
    return [
        *rows,
        ("", "", ""),
        ("# Detailed Table Information", "", ""),
        ("Catalog", table.catalog, ""),
        ("Database", table.schema, ""),
        ("Table", table.name, ""),
        ("Type", "MANAGED" if table.kind == "TABLE" else "VIEW", ""),
        ("Comment", table.info.get("comment", ""), ""),
        ("Provider", "delta" if table.kind == "TABLE" else "", ""),
    ]


def type_document(kind: Type) -> dict:
    """A type as the JSON form of DESCRIBE spells it."""
    if kind.kind == "DECIMAL":
        return {"name": "decimal", "precision": kind.precision, "scale": kind.scale}
    if kind.bounded:
        return {"name": kind.unit.lower(), "length": kind.precision}
    if kind.kind == "STRING" and kind.unit:
        return {"name": kind.unit.lower(), "srid": kind.precision}
    if kind.kind in ("YM", "DT"):
        first, _, last = kind.unit.lower().partition(" to ")
        return {"name": "interval", "start_unit": first, "end_unit": last or first}
    if kind.kind == "ARRAY":
        element = type_document(kind.element)
        return {"name": "array", "element_type": element, "element_nullable": True}
    if kind.kind == "MAP":
        return {
            "name": "map",
            "key_type": type_document(kind.args[0]),
            "value_type": type_document(kind.value),
            "value_nullable": True,
        }
    if kind.kind == "STRUCT":
        fields = [
            {"name": name, "type": type_document(t), "nullable": True}
            for name, t in zip(kind.names, kind.args)
        ]
        return {"name": "struct", "fields": fields}
    named = {"TIMESTAMP": "timestamp_ltz", "STRING": "string"}
    made = {"name": named.get(kind.kind, kind.kind.lower())}
    if kind.kind == "STRING":
        made["collation"] = "UTF8_BINARY"
    return made


def document(catalog, table: Table) -> dict:
    """DESCRIBE TABLE EXTENDED ... AS JSON."""
    columns = []
    for i, (name, kind) in enumerate(table.columns):
        column = {
            "name": name,
            "type": type_document(kind),
            "nullable": bool(table.nullable[i]),
        }
        if table.comments[i]:
            column["comment"] = table.comments[i]
        columns.append(column)
    made = {
        "table_name": table.name,
        "catalog_name": table.catalog,
        "namespace": [table.schema],
        "schema_name": table.schema,
        "columns": columns,
        "owner": OWNER,
        "type": "MANAGED" if table.kind == "TABLE" else "VIEW",
        "provider": "delta" if table.kind == "TABLE" else "",
        "table_properties": {},
    }
    if table.info.get("comment"):
        made["comment"] = table.info["comment"]
    if table.kind == "VIEW":
        made["view_text"] = table.info.get("sql", "")
    listed = ", ".join(f"({n},{text})" for n, text in keys.clauses(catalog, table))
    if listed:
        made["table_constraints"] = f"[{listed}]"
    return made


def _schema(stmt, words: Words) -> Outcome:
    words.accept("EXTENDED")
    parts = words.name()
    words.end()
    where = parts[0] if len(parts) > 1 else stmt.session.catalog
    catalog, schema = stmt.engine.catalog.need_schema(where, parts[-1])
    rows = [("Catalog Name", catalog), ("Namespace Name", schema), ("Comment", ""),
            ("Owner", OWNER)]  # fmt: skip
    heads = ("database_description_item", "database_description_value")
    return strings(stmt, heads, rows)


def _query(stmt, words: Words) -> Outcome:
    """The columns of a query, which is compiled and not run."""
    from .compiler import Compiler
    from .writes import is_query

    words.accept("QUERY")
    if words.done():
        raise words.fail()
    marked, markers = mark_parameters(words.sql[words.toks[words.at].start :])
    tree = parse(marked)
    if not is_query(tree):
        raise words.fail()
    rel = Compiler(stmt.view, stmt.parameters, markers).query(tree, Scope())
    rows = [(n, k.simple_name(), None) for n, k in rel.columns]
    return strings(stmt, ("col_name", "data_type", "comment"), rows)
