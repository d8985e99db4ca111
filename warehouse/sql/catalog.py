# SPDX-License-Identifier: Apache-2.0
"""Catalogs, schemas and tables: Databricks names over attached DuckDB databases.

Catalog `x` is the attached database `c_x` (DuckDB reserves the name main). What DuckDB does
not keep (the Databricks type, comments, keys, a view's text) is JSON in DuckDB's comments.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field

from . import types as t
from .errors import (
    SqlError,
    catalog_not_found,
    schema_not_found,
    table_exists,
    table_not_found,
)
from .generated import Generated
from .types import Type, ident, text

_HIDDEN = ("main", "information_schema", "pg_catalog")


@dataclass
class Table:
    catalog: str
    schema: str
    name: str
    kind: str  # TABLE or VIEW
    columns: list[tuple[str, Type]]
    physical: str
    nullable: list[bool] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    info: dict = field(default_factory=dict)

    @property
    def full(self) -> str:
        return f"{self.catalog}.{self.schema}.{self.name}"


def database(catalog: str) -> str:
    return ident("c_" + catalog)


def schema_ident(schema: str) -> str:
    return ident(schema + "_" if schema.startswith("main") else schema)


def _schema_name(physical: str) -> str:
    return physical[:-1] if physical.startswith("main") else physical


def physical(catalog: str, schema: str, name: str) -> str:
    return f"{database(catalog)}.{schema_ident(schema)}.{ident(name)}"


def _note(comment: str | None) -> dict:
    if not comment or not comment.startswith("{"):
        return {}
    try:
        note = json.loads(comment)
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


class Catalog:
    """Read by every thread; `changed()` follows every statement that alters something."""

    def __init__(self, cursor):
        self._cursor = cursor  # makes a DuckDB connection
        self._lock = threading.Lock()
        self._tables: dict[tuple, Table] = {}
        self._version = 0
        self._generated: dict[str, Generated] = {}

    def changed(self) -> None:
        with self._lock:
            self._version += 1
            self._tables.clear()

    def _rows(self, sql: str, *args) -> list[tuple]:
        con = self._cursor()
        try:
            return con.execute(sql, list(args)).fetchall()
        finally:
            con.close()

    def catalogs(self) -> list[str]:
        rows = self._rows(
            "SELECT database_name FROM duckdb_databases() WHERE database_name LIKE 'c\\_%' "
            "ESCAPE '\\' ORDER BY 1"
        )
        return sorted([r[0][2:] for r in rows] + list(self._generated))

    def generate(self, made: Generated) -> None:
        """Add a catalog of generated tables; one of the same name makes way."""
        made.check()
        if made.name in self.catalogs() and made.name not in self._generated:
            raise ValueError(f"there is a catalog {made.name} already")
        with self._lock:
            # Readers on other threads hold on to the dictionary that they saw.
            self._generated = {**self._generated, made.name: made}
        self.changed()

    def is_generated(self, name: str) -> bool:
        return name in self._generated

    def generated(self, name: str) -> Generated:
        return self._generated[name]

    def need_catalog(self, name: str) -> str:
        if name.lower() not in self.catalogs():
            raise catalog_not_found(name)
        return name.lower()

    def schemas(self, catalog: str) -> list[str]:
        made = self._generated.get(catalog)
        if made is not None:
            return sorted([*made.schema_names(), "information_schema"])
        rows = self._rows(
            "SELECT schema_name FROM duckdb_schemas() WHERE database_name = ? ORDER BY 1",
            "c_" + catalog,
        )
        found = [_schema_name(r[0]) for r in rows if r[0] not in _HIDDEN]
        return sorted([*found, "information_schema"])

    def need_schema(self, catalog: str, schema: str) -> tuple[str, str]:
        catalog = self.need_catalog(catalog)
        if schema.lower() not in self.schemas(catalog):
            raise schema_not_found(catalog, schema)
        return catalog, schema.lower()

    def find(self, catalog: str, schema: str, name: str) -> Table | None:
        key = (catalog.lower(), schema.lower(), name.lower())
        with self._lock:
            found, version = self._tables.get(key), self._version
        if found:
            return found
        if key[1] == "information_schema":
            from . import information

            return information.table(self, key[0], key[2])
        loaded = self._load(*key)
        if loaded:
            with self._lock:
                if self._version == version:
                    self._tables[key] = loaded
        return loaded

    def table(self, catalog: str, schema: str, name: str, asked=()) -> Table:
        found = self.find(catalog, schema, name)
        if found is None:
            raise table_not_found(*(asked or (catalog, schema, name)))
        return found

    def _load(self, catalog: str, schema: str, name: str) -> Table | None:
        found = self.tables(catalog, schema, name)
        return found[0] if found else None

    def listing(self, catalog: str) -> list[tuple[str, str, str, dict]]:
        """Schema, name, kind and notes of every table, without its columns."""
        made = self._generated.get(catalog)
        if made is not None:
            nothing: dict = {}
            return [(schema, name, "TABLE", nothing) for schema, name in made.places]
        return [
            (_schema_name(schema), name, kind, _note(comment))
            for schema, name, kind, comment in self._kinds("", ["c_" + catalog])
        ]

    def _kinds(self, narrow: str, args: list[str]) -> list[tuple]:
        return self._rows(
            "SELECT schema_name, table_name, 'TABLE', comment FROM duckdb_tables() WHERE "
            f"database_name = ?{narrow} UNION ALL SELECT schema_name, table_name, 'VIEW', "
            "comment FROM (SELECT *, view_name AS table_name FROM duckdb_views()) WHERE "
            f"NOT internal AND database_name = ?{narrow} ORDER BY 1, 2",
            *args,
            *args,
        )

    def _counted(self, made: Generated, schema: str, name: str) -> list[Table]:
        places = made.places
        if schema and name:
            found = made.find(schema, name)
            places = [found] if found else []
        elif schema:
            places = [place for place in places if place[0] == schema]
        columns, source = made.column_list(), made.source()
        yes, none = [True] * len(columns), [""] * len(columns)
        return [
            Table(made.name, at, called, "TABLE", columns, source, yes, none)
            for at, called in places
        ]

    def tables(self, catalog: str, schema: str = "", name: str = "") -> list[Table]:
        if catalog in self._generated:
            return self._counted(self._generated[catalog], schema, name)
        args = ["c_" + catalog]
        narrow = ""
        if schema:
            narrow += " AND schema_name = ?"
            args.append(schema + "_" if schema.startswith("main") else schema)
        if name:
            narrow += " AND table_name = ?"
            args.append(name)
        kinds = self._kinds(narrow, args)
        made = {}
        for schema_name, table_name, kind, comment in kinds:
            logical = _schema_name(schema_name)
            made[schema_name, table_name] = Table(
                catalog, logical, table_name, kind, [],
                physical(catalog, logical, table_name), info=_note(comment),
            )  # fmt: skip
        columns = self._rows(
            "SELECT schema_name, table_name, column_name, data_type, is_nullable, comment "
            f"FROM duckdb_columns() WHERE database_name = ?{narrow} ORDER BY column_index",
            *args,
        )
        for schema_name, table_name, column, kind, nullable, comment in columns:
            table = made.get((schema_name, table_name))
            if table is None:
                continue
            note = _note(comment)
            known = note.get("type")
            table.columns.append(
                (column, t.parse_type(known) if known else t.from_duck(kind))
            )
            table.nullable.append(bool(nullable))
            table.comments.append(note.get("comment", ""))
        return list(made.values())

    def new_name(self, catalog: str, schema: str, name: str, asked) -> str:
        """Where a new table goes; the schema has to be there."""
        catalog, schema = self.need_schema(catalog, schema)
        fixed = catalog == "samples" or catalog in self._generated
        if schema == "information_schema" or fixed:
            raise SqlError(
                "INSUFFICIENT_PERMISSIONS",
                "42501",
                f"Insufficient privileges: {catalog}.{schema} is read-only.",
            )
        return physical(catalog, schema, name.lower())


def notes_sql(table: str, word: str, columns, comments, info: dict) -> list[str]:
    """The statements that attach what DuckDB itself does not keep."""
    out = []
    for i, (name, kind) in enumerate(columns):
        note = {"type": kind.sql_name()}
        if i < len(comments) and comments[i]:
            note["comment"] = comments[i]
        out.append(f"COMMENT ON COLUMN {table}.{ident(name)} IS {text(json.dumps(note))}")
    if info:
        out.append(f"COMMENT ON {word} {table} IS {text(json.dumps(info))}")
    return out


__all__ = [
    "Catalog",
    "Table",
    "database",
    "notes_sql",
    "physical",
    "schema_ident",
    "table_exists",
]
