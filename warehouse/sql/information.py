# SPDX-License-Identifier: Apache-2.0
"""`information_schema` of a catalog: each table a query over what is known now."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import keys
from . import types as t
from .catalog import Catalog, Table
from .types import Type, ident, text

OWNER = "lakebeat"
SCHEMA = "information_schema"
_KINDS = {"TABLE": "MANAGED", "VIEW": "VIEW"}

_CATALOGS = "catalog_name catalog_owner comment"
_SCHEMATA = "catalog_name schema_name schema_owner comment"
_TABLES = (
    "table_catalog table_schema table_name table_type is_insertable_into table_owner comment "
    "data_source_format"
)
_COLUMNS = (
    "table_catalog table_schema table_name column_name ordinal_position:i column_default "
    "is_nullable full_data_type data_type character_maximum_length:i numeric_precision:i "
    "numeric_precision_radix:i numeric_scale:i datetime_precision:i interval_type is_identity "
    "comment"
)
_VIEWS = "table_catalog table_schema table_name view_definition check_option is_updatable"
_CONSTRAINTS = (
    "constraint_catalog constraint_schema constraint_name table_catalog table_schema "
    "table_name constraint_type is_deferrable initially_deferred enforced comment"
)
_KEY_COLUMNS = (
    "constraint_catalog constraint_schema constraint_name table_catalog table_schema "
    "table_name column_name ordinal_position:i position_in_unique_constraint:i"
)
_REFERENTIAL = (
    "constraint_catalog constraint_schema constraint_name unique_constraint_catalog "
    "unique_constraint_schema unique_constraint_name match_option update_rule delete_rule"
)
_USED_COLUMNS = (
    "table_catalog table_schema table_name column_name constraint_catalog "
    "constraint_schema constraint_name"
)
_USED_TABLES = (
    "table_catalog table_schema table_name constraint_catalog constraint_schema "
    "constraint_name"
)


def _catalogs(catalog: Catalog, name: str) -> Iterator[tuple]:
    for one in catalog.catalogs():
        yield one, OWNER, None


def _schemata(catalog: Catalog, name: str) -> Iterator[tuple]:
    for schema in catalog.schemas(name):
        yield name, schema, OWNER, None


def _tables(catalog: Catalog, name: str) -> Iterator[tuple]:
    for schema, table, kind, info in catalog.listing(name):
        insertable = "YES" if kind == "TABLE" else "NO"
        form = "DELTA" if kind == "TABLE" else "UNKNOWN_DATA_SOURCE_FORMAT"
        yield (name, schema, table, _KINDS[kind], insertable, OWNER, info.get("comment"),
               form)  # fmt: skip


def column_row(x: Table, i: int) -> tuple:
    column, kind = x.columns[i]
    precision = radix = scale = None
    if kind.kind == "DECIMAL":
        precision, radix, scale = kind.precision, 10, kind.scale
    elif kind.kind in t.INTS:
        precision, radix, scale = min(t.INTS[kind.kind], 19), 10, 0
    elif kind.is_fractional():
        precision, radix = {"FLOAT": 24, "DOUBLE": 53}[kind.kind], 2
    moment = 6 if kind.kind in ("TIMESTAMP", "TIMESTAMP_NTZ") else None
    unit = kind.unit if kind.kind in ("YM", "DT") else None
    length = kind.precision if kind.bounded else None
    return (x.catalog, x.schema, x.name, column, i, None,
            "YES" if x.nullable[i] else "NO", kind.simple_name(),
            _plain_name(kind), length, precision, radix, scale, moment, unit, "NO",
            x.comments[i] or None)  # fmt: skip


def _plain_name(kind: Type) -> str:
    if kind.kind in ("YM", "DT"):
        return "INTERVAL"
    return kind.unit if kind.kind == "STRING" and kind.unit else kind.kind


def _columns(catalog: Catalog, name: str) -> Iterator[tuple]:
    for x in catalog.tables(name):
        for i in range(len(x.columns)):
            yield column_row(x, i)


def _views(catalog: Catalog, name: str) -> Iterator[tuple]:
    for schema, table, kind, info in catalog.listing(name):
        if kind == "VIEW":
            yield name, schema, table, info.get("sql"), "NONE", "NO"


def _keys(catalog: Catalog, name: str) -> Iterator[tuple[Table, object]]:
    """Every key of the catalog with its table."""
    if catalog.is_generated(name):
        return
    for x in catalog.tables(name):
        own = keys.primary_key(x)
        if own:
            yield x, own
        for key in keys.foreign_keys(catalog, x):
            yield x, key


def _constraints(catalog: Catalog, name: str) -> Iterator[tuple]:
    for x, key in _keys(catalog, name):
        kind = "FOREIGN KEY" if isinstance(key, keys.ForeignKey) else "PRIMARY KEY"
        yield (name, x.schema, key.name, name, x.schema, x.name, kind, "NO", "NO", "NO",
               None)  # fmt: skip


def _key_columns(catalog: Catalog, name: str) -> Iterator[tuple]:
    for x, key in _keys(catalog, name):
        foreign = isinstance(key, keys.ForeignKey)
        for i, column in enumerate(key.columns, 1):
            yield (name, x.schema, key.name, name, x.schema, x.name, column, i,
                   i if foreign else None)  # fmt: skip


def _referential(catalog: Catalog, name: str) -> Iterator[tuple]:
    for x, key in _keys(catalog, name):
        if isinstance(key, keys.ForeignKey):
            yield (name, x.schema, key.name, *key.parent[:2], key.parent_key, "FULL",
                   "NO ACTION", "NO ACTION")  # fmt: skip


def _used_columns(catalog: Catalog, name: str) -> Iterator[tuple]:
    for x, key in _keys(catalog, name):
        where, columns = (name, x.schema, x.name), key.columns
        if isinstance(key, keys.ForeignKey):
            where, columns = key.parent, key.parent_columns
        for column in columns:
            yield *where, column, name, x.schema, key.name


def _used_tables(catalog: Catalog, name: str) -> Iterator[tuple]:
    for x, key in _keys(catalog, name):
        foreign = isinstance(key, keys.ForeignKey)
        where = key.parent if foreign else (name, x.schema, x.name)
        yield *where, name, x.schema, key.name


_Rows = Callable[[Catalog, str], Iterator[tuple]]
_ALL: dict[str, tuple[str, _Rows]] = {
    "catalogs": (_CATALOGS, _catalogs),
    "schemata": (_SCHEMATA, _schemata),
    "tables": (_TABLES, _tables),
    "columns": (_COLUMNS, _columns),
    "views": (_VIEWS, _views),
    "table_constraints": (_CONSTRAINTS, _constraints),
    "key_column_usage": (_KEY_COLUMNS, _key_columns),
    "referential_constraints": (_REFERENTIAL, _referential),
    "constraint_column_usage": (_USED_COLUMNS, _used_columns),
    "constraint_table_usage": (_USED_TABLES, _used_tables),
}
NAMES = tuple(sorted(_ALL))


def table(catalog: Catalog, name: str, wanted: str) -> Table | None:
    """One of the tables, as a table like others whose rows are a query."""
    if wanted not in _ALL or name not in catalog.catalogs():
        return None
    heads, rows = _ALL[wanted]
    columns: list[tuple[str, Type]] = []
    for head in heads.split():
        bare, _, kind = head.partition(":")
        columns.append((bare, t.INT if kind else t.STRING))
    source = None
    if catalog.is_generated(name):
        source = catalog.generated(name).information(wanted, column_row)
    if source is None:
        source = _values(columns, rows(catalog, name))
    return Table(name, SCHEMA, wanted, "VIEW", columns, source, [True] * len(columns),
                 [""] * len(columns))  # fmt: skip


def literal(value) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else text(value)


def _values(columns: list[tuple[str, Type]], rows) -> str:
    heads = ", ".join(ident(n) for n, _ in columns)
    cast = ", ".join(f"CAST({ident(n)} AS {kind.duck()}) AS {ident(n)}" for n, kind in columns)
    lines = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows)
    if not lines:
        nulls = ", ".join("NULL" for _ in columns)
        return f"(SELECT {cast} FROM (VALUES ({nulls})) AS v_({heads}) WHERE false)"
    return f"(SELECT {cast} FROM (VALUES {lines}) AS v_({heads}))"
