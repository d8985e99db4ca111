# SPDX-License-Identifier: Apache-2.0
"""Answers to the catalog calls: Arrow tables with the columns HiveServer2 clients expect."""

from __future__ import annotations

import re

import pyarrow as pa

from . import functions, jdbc, keys
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

def like(pattern: str | None):
    """A metadata pattern (% and _, backslash escapes, also * and |) as a test of a name."""
    if pattern is None or pattern in ("%", "*"):
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


def in_schema(pattern: str | None):
    """A schema pattern: an empty one means every schema, as an absent one does."""
    return like(pattern or None)


class Metadata:
    """Mixed into the session.  ``flavour`` is the server that answers: databricks, spark
    or hive; the last two have one catalog and do not tell its name.
    """

    def _names(self, catalog: str | None) -> list[str]:
        known = self.engine.catalog.catalogs()
        if catalog is None or catalog == "":
            return known
        return [c for c in known if c == catalog.lower()]

    def catalogs(self, flavour="databricks") -> pa.Table:
        names = self.engine.catalog.catalogs() if flavour == "databricks" else []
        return _table([("TABLE_CAT", _S)], [(c,) for c in names])

    def schemas(self, catalog=None, schema_pattern=None, flavour="databricks"):
        test, bare = in_schema(schema_pattern), flavour != "databricks"
        rows = [
            (s, "" if bare else c)
            for c in self._names(catalog)
            for s in self.engine.catalog.schemas(c)
            if test(s) and not (bare and s == "information_schema")
        ]
        if flavour == "spark" and schema_pattern != "" and test("global_temp"):
            rows.append(("global_temp", ""))
        return _table([("TABLE_SCHEM", _S), ("TABLE_CATALOG", _S)], rows)

    def tables(
        self,
        catalog=None,
        schema_pat=None,
        table_pat=None,
        types=None,
        flavour="databricks",
    ) -> pa.Table:
        test, schema_test, name_test = like(catalog), in_schema(schema_pat), like(table_pat)
        wanted = {w.upper() for w in types or []}
        rows = []
        for c in self.engine.catalog.catalogs():
            if not test(c):
                continue
            shown = c if flavour == "databricks" else ""
            for schema, name, kind, info in self.engine.catalog.listing(c):
                if not wanted or kind in wanted:
                    if schema_test(schema) and name_test(name):
                        remarks = info.get("comment")
                        if remarks is None and flavour != "hive":
                            remarks = ""
                        rows.append((shown, schema, name, kind, remarks))
        if flavour == "spark" and (not wanted or "VIEW" in wanted):
            names = sorted(n for n in self.temp_views if name_test(n))
            rows += [("", None, n, "VIEW", "") for n in names]
        nothing = pa.nulls(len(rows), _S)
        filled = [pa.array([r[i] for r in rows], _S) for i in range(5)]
        return pa.Table.from_arrays(filled + [nothing] * 5, schema=pa.schema(_TABLES))

    def table_types(self, flavour="databricks", more: int = 0) -> pa.Table:
        names = ["TABLE", "VIEW"]
        if flavour == "hive":
            names = ["TABLE", "TABLE", "VIEW", "INDEX_TABLE", "MATERIALIZED_VIEW"]
        names += [f"KIND_{n}" for n in range(more)]
        return _table([("TABLE_TYPE", _S)], [(n,) for n in names])

    def _found(self, catalogs, schema_pattern, table_pattern):
        schema_test, name_test = in_schema(schema_pattern), like(table_pattern)
        for c in catalogs:
            for x in self.engine.catalog.tables(c):
                if schema_test(x.schema) and name_test(x.name):
                    yield x

    def columns(
        self,
        catalog=None,
        schema_pat=None,
        table_pat=None,
        column_pat=None,
        flavour="databricks",
    ) -> pa.Table:
        test = like(column_pat)
        rows = []
        for x in self._found(self._names(catalog), schema_pat, table_pat):
            for i, (name, kind) in enumerate(x.columns):
                if test(name):
                    rows.append(_column_row(x, i, name, kind, flavour))
        return _table(_COLUMNS, rows)

    def functions(
        self, catalog=None, schema_pat=None, function_pat="%", flavour="databricks"
    ) -> pa.Table:
        test = like(function_pat)
        names = [n for n in functions.names() if test(n)]
        if flavour == "spark":
            # The built-in functions are in every schema.
            within = self.schemas(catalog, schema_pat, "hive").column(0).to_pylist()
            rows = [("", s, n, f"Usage: {n}", 0, n) for s in within for n in names]
        else:
            rows = [(None, None, n, "", 1, n) for n in names]
        return _table(_FUNCTIONS, rows)

    def primary_keys(
        self, catalog=None, schema=None, table=None, flavour="databricks"
    ) -> pa.Table:
        rows, shape = [], _PRIMARY
        if flavour == "hive":
            shape = [(n.replace("KEQ_SEQ", "KEY_SEQ"), kind) for n, kind in _PRIMARY]
        if flavour != "databricks":
            return _table(shape, [])
        found = self._one(catalog, schema, table)
        key = keys.primary_key(found)
        for i, column in enumerate(key.columns if key else [], 1):
            rows.append(
                (found.catalog, found.schema, found.name, column, i, key.name)
            )
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
        flavour="databricks",
    ) -> pa.Table:
        if flavour != "databricks":
            return _table(_CROSS, [])
        children = []
        if foreign_table:
            children = [self._one(foreign_catalog, foreign_schema, foreign_table)]
        elif parent_table:
            children = [
                x
                for c in self.engine.catalog.catalogs()
                if not self.engine.catalog.is_generated(c)
                for x in self.engine.catalog.tables(c)
            ]
        rows = []
        for child in filter(None, children):
            for key in keys.foreign_keys(self.engine.catalog, child):
                if _is_parent(key.parent, parent_catalog, parent_schema, parent_table):
                    rows += _key_rows(child, key)
        return _table(_CROSS, rows)

    def type_info(self, flavour="databricks") -> pa.Table:
        return _table(_TYPE_INFO, jdbc.type_info_rows(flavour))


def _key_rows(child, key: keys.ForeignKey):
    for i, (a, b) in enumerate(zip(key.parent_columns, key.columns), 1):
        yield (*key.parent, a, child.catalog, child.schema, child.name, b, i, 3, 3,
               key.name, key.parent_key, 7)  # fmt: skip


def _is_parent(parent, catalog, schema, table) -> bool:
    wanted = (catalog, schema, table)
    return all(not w or w.lower() == p for w, p in zip(wanted, parent))


def _column_row(x, i: int, name: str, kind: Type, flavour: str):
    """One row of GetColumns.  Databricks counts columns from 0, the others from 1."""
    numbers = jdbc.numbers(kind, flavour)
    nullable = flavour == "hive" or x.nullable[i]
    comment = x.comments[i]
    if flavour == "hive":
        comment = comment or None
    bare = flavour != "databricks"
    return (None if bare else x.catalog, x.schema, x.name, name, numbers.data_type,
            jdbc.type_name(kind, flavour), numbers.size, None, numbers.digits,
            numbers.radix, int(nullable), comment, None, None, None, None, i + int(bare),
            "YES" if nullable else "NO", None, None, None, None, "NO")  # fmt: skip


__all__ = ["Metadata", "like"]
