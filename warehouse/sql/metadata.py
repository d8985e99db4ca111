# SPDX-License-Identifier: Apache-2.0
"""Answers to the catalog calls: Arrow tables with the columns HiveServer2 clients expect."""

from __future__ import annotations

import re

import pyarrow as pa

from . import functions
from . import types as t
from .types import Type

_S, _I, _H, _B = pa.utf8(), pa.int32(), pa.int16(), pa.bool_()

_TABLES = [(n, _S) for n in (
    "TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS", "TYPE_CAT",
    "TYPE_SCHEM", "TYPE_NAME", "SELF_REFERENCING_COL_NAME", "REF_GENERATION")]  # fmt: skip

_COLUMNS = [
    ("TABLE_CAT", _S), ("TABLE_SCHEM", _S), ("TABLE_NAME", _S), ("COLUMN_NAME", _S),
    ("DATA_TYPE", _I), ("TYPE_NAME", _S), ("COLUMN_SIZE", _I), ("BUFFER_LENGTH", pa.int8()),
    ("DECIMAL_DIGITS", _I), ("NUM_PREC_RADIX", _I), ("NULLABLE", _I), ("REMARKS", _S),
    ("COLUMN_DEF", _S), ("SQL_DATA_TYPE", _I), ("SQL_DATETIME_SUB", _I),
    ("CHAR_OCTET_LENGTH", _I), ("ORDINAL_POSITION", _I), ("IS_NULLABLE", _S),
    ("SCOPE_CATALOG", _S), ("SCOPE_SCHEMA", _S), ("SCOPE_TABLE", _S),
    ("SOURCE_DATA_TYPE", _H), ("IS_AUTO_INCREMENT", _S),
]  # fmt: skip

_FUNCTIONS = [("FUNCTION_CAT", _S), ("FUNCTION_SCHEM", _S), ("FUNCTION_NAME", _S),
              ("REMARKS", _S), ("FUNCTION_TYPE", _I), ("SPECIFIC_NAME", _S)]  # fmt: skip

_PRIMARY = [("TABLE_CAT", _S), ("TABLE_SCHEM", _S), ("TABLE_NAME", _S),
            ("COLUMN_NAME", _S), ("KEQ_SEQ", _I), ("PK_NAME", _S)]  # fmt: skip

_CROSS = [
    ("PKTABLE_CAT", _S), ("PKTABLE_SCHEM", _S), ("PKTABLE_NAME", _S), ("PKCOLUMN_NAME", _S),
    ("FKTABLE_CAT", _S), ("FKTABLE_SCHEM", _S), ("FKTABLE_NAME", _S), ("FKCOLUMN_NAME", _S),
    ("KEQ_SEQ", _I), ("UPDATE_RULE", _I), ("DELETE_RULE", _I), ("FK_NAME", _S),
    ("PK_NAME", _S), ("DEFERRABILITY", _I),
]  # fmt: skip

_TYPE_INFO = [
    ("TYPE_NAME", _S), ("DATA_TYPE", _I), ("PRECISION", _I), ("LITERAL_PREFIX", _S),
    ("LITERAL_SUFFIX", _S), ("CREATE_PARAMS", _S), ("NULLABLE", _H), ("CASE_SENSITIVE", _B),
    ("SEARCHABLE", _H), ("UNSIGNED_ATTRIBUTE", _B), ("FIXED_PREC_SCALE", _B),
    ("AUTO_INCREMENT", _B), ("LOCAL_TYPE_NAME", _S), ("MINIMUM_SCALE", _H),
    ("MAXIMUM_SCALE", _H), ("SQL_DATA_TYPE", _I), ("SQL_DATETIME_SUB", _I),
    ("NUM_PREC_RADIX", _I),
]  # fmt: skip

# java.sql.Types number, size, decimal digits, radix
_JDBC = {
    "BOOLEAN": (16, 1, None, None), "TINYINT": (-6, 3, 0, 10), "SMALLINT": (5, 5, 0, 10),
    "INT": (4, 10, 0, 10), "BIGINT": (-5, 19, 0, 10), "FLOAT": (6, 7, 7, 10),
    "DOUBLE": (8, 15, 15, 10), "STRING": (12, 255, None, None),
    "VARIANT": (1111, None, None, None), "BINARY": (-2, 32767, None, None),
    "DATE": (91, 10, None, None), "TIMESTAMP": (93, 29, 6, None),
    "TIMESTAMP_NTZ": (93, 29, 6, None), "ARRAY": (2003, None, None, None),
    "MAP": (2000, None, None, None), "STRUCT": (2002, None, None, None),
    "VOID": (0, None, None, None), "YM": (1111, None, None, None),
    "DT": (1111, None, None, None),
}  # fmt: skip


def like(pattern: str | None):
    """A metadata pattern (% and _, backslash escapes, also * and |) as a test of a name."""
    if pattern is None or pattern in ("", "%", "*"):
        return lambda name: True
    out, i = "", 0
    while i < len(pattern):
        ch = pattern[i]
        if ch == "\\" and i + 1 < len(pattern):
            i += 1
            out += re.escape(pattern[i])
        else:
            out += {"%": ".*", "*": ".*", "_": ".", "|": "|"}.get(ch) or re.escape(ch)
        i += 1
    test = re.compile(out, re.I | re.S)
    return lambda name: test.fullmatch(name) is not None


def _table(shape, rows) -> pa.Table:
    rows = list(rows)
    arrays = [
        pa.array([r[i] for r in rows], type=kind) for i, (_, kind) in enumerate(shape)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(shape))


def _jdbc(kind: Type):
    if kind.kind == "DECIMAL":
        return 3, kind.precision, kind.scale, 10
    return _JDBC[kind.kind]


class Metadata:
    """Mixed into the session."""

    def _names(self, catalog: str | None) -> list[str]:
        known = self.engine.catalog.catalogs()
        if catalog is None or catalog == "":
            return known
        return [c for c in known if c == catalog.lower()]

    def catalogs(self) -> pa.Table:
        return _table([("TABLE_CAT", _S)], [(c,) for c in self.engine.catalog.catalogs()])

    def schemas(self, catalog=None, schema_pattern=None) -> pa.Table:
        test = like(schema_pattern)
        rows = [
            (s, c)
            for c in self._names(catalog)
            for s in self.engine.catalog.schemas(c)
            if test(s)
        ]
        return _table([("TABLE_SCHEM", _S), ("TABLE_CATALOG", _S)], rows)

    def _found(self, catalogs, schema_pattern, table_pattern):
        in_schema, in_table = like(schema_pattern), like(table_pattern)
        for c in catalogs:
            for x in self.engine.catalog.tables(c):
                if in_schema(x.schema) and in_table(x.name):
                    yield x

    def tables(
        self, catalog=None, schema_pat=None, table_pat=None, types=None
    ) -> pa.Table:
        test = like(catalog)
        catalogs = [c for c in self.engine.catalog.catalogs() if test(c)]
        wanted = {w.upper() for w in types or []}
        rows = [
            (x.catalog, x.schema, x.name, x.kind, x.info.get("comment", ""), *[None] * 5)
            for x in self._found(catalogs, schema_pat, table_pat)
            if not wanted or x.kind in wanted
        ]
        return _table(_TABLES, rows)

    def table_types(self) -> pa.Table:
        return _table([("TABLE_TYPE", _S)], [("TABLE",), ("VIEW",)])

    def columns(self, catalog=None, schema_pat=None, table_pat=None, column_pat=None):
        test = like(column_pat)
        rows = []
        for x in self._found(self._names(catalog), schema_pat, table_pat):
            for i, (name, kind) in enumerate(x.columns):
                if test(name):
                    rows.append(_column_row(x, i, name, kind))
        return _table(_COLUMNS, rows)

    def functions(self, catalog=None, schema_pat=None, function_pat="%") -> pa.Table:
        test = like(function_pat)
        rows = [(None, None, n, "", 1, n) for n in functions.names() if test(n)]
        return _table(_FUNCTIONS, rows)

    def primary_keys(self, catalog=None, schema=None, table=None) -> pa.Table:
        rows = []
        found = self._one(catalog, schema, table)
        key = found.info.get("primary_key") if found else None
        for i, column in enumerate(key["columns"] if key else []):
            name = key["name"] or f"{found.name}_pk"
            rows.append((found.catalog, found.schema, found.name, column, i + 1, name))
        return _table(_PRIMARY, rows)

    def _one(self, catalog, schema, table):
        if not table:
            return None
        return self.engine.catalog.find(
            catalog or self.catalog, schema or self.schema, table
        )

    def cross_reference(
        self,
        parent_catalog=None,
        parent_schema=None,
        parent_table=None,
        foreign_catalog=None,
        foreign_schema=None,
        foreign_table=None,
    ) -> pa.Table:
        children = []
        if foreign_table:
            children = [self._one(foreign_catalog, foreign_schema, foreign_table)]
        elif parent_table:
            children = [
                x
                for c in self.engine.catalog.catalogs()
                for x in self.engine.catalog.tables(c)
            ]
        rows = []
        for child in filter(None, children):
            for key in child.info.get("foreign_keys", []):
                if _is_parent(key["parent"], parent_catalog, parent_schema, parent_table):
                    rows += self._key_rows(child, key)
        return _table(_CROSS, rows)

    def _key_rows(self, child, key):
        parent = self.engine.catalog.find(*key["parent"])
        primary = (parent.info.get("primary_key") if parent else None) or {}
        columns = key["parent_columns"] or primary.get("columns", [])
        name = key["name"] or f"{child.name}_{key['parent'][2]}_fk"
        primary_name = primary.get("name") or f"{key['parent'][2]}_pk"
        for i, (a, b) in enumerate(zip(columns, key["columns"])):
            yield (*key["parent"], a, child.catalog, child.schema, child.name, b, i + 1,
                   3, 3, name, primary_name, 7)  # fmt: skip

    def type_info(self) -> pa.Table:
        rows = []
        kinds = ["BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE",
                 "DECIMAL", "STRING", "BINARY", "DATE", "TIMESTAMP", "TIMESTAMP_NTZ",
                 "ARRAY", "MAP", "STRUCT", "VOID"]  # fmt: skip
        for name in kinds:
            number, size, _, radix = (3, 38, 38, 10) if name == "DECIMAL" else _JDBC[name]
            quote = (
                "'" if name in ("STRING", "DATE", "TIMESTAMP", "TIMESTAMP_NTZ") else None
            )
            top = 38 if name == "DECIMAL" else 0
            params = "precision,scale" if name == "DECIMAL" else None
            rows.append((name, number, size, quote, quote, params, 1, name == "STRING", 3,
                         radix is None, False, False, name, 0, top, None, None, radix))  # fmt: skip
        return _table(_TYPE_INFO, rows)


def _is_parent(parent, catalog, schema, table) -> bool:
    wanted = (catalog, schema, table)
    return all(not w or w.lower() == p for w, p in zip(wanted, parent))


def _column_row(x, i: int, name: str, kind: Type):
    number, size, digits, radix = _jdbc(kind)
    nullable = x.nullable[i]
    octets = size if kind.kind in ("STRING", "BINARY") else None
    return (x.catalog, x.schema, x.name, name, number, kind.sql_name(), size, None, digits,
            radix, int(nullable), x.comments[i], None, None, None, octets, i,
            "YES" if nullable else "NO", None, None, None, None, "NO")  # fmt: skip


__all__ = ["Metadata", "like", "t"]
