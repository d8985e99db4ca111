# SPDX-License-Identifier: Apache-2.0
"""Catalogs of any number of tables, made by counting: nothing is stored.

Table number i of a catalog is ``table_<i>`` in ``schema_<i // tables per schema>``; its
columns are ``id BIGINT`` and ``c_<j>`` with the types of ``_CYCLE`` in turn; its rows are
computed when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from . import types as t
from .types import Type, ident

MOST_TABLES = 1_000_000
MOST_COLUMNS = 4_000
MOST_ROWS = 1_000_000

#: Type and the SQL of its value in row number i.
_CYCLE: list[tuple[Type, str]] = [
    (t.STRING, "'row ' || i"),
    (t.INT, "CAST(i AS INTEGER)"),
    (t.decimal(10, 2), "CAST(i / 4.0 AS DECIMAL(10,2))"),
    (t.DOUBLE, "CAST(i / 2 AS DOUBLE)"),
    (t.DATE, "DATE '2024-01-01' + CAST(i % 366 AS INTEGER)"),
    (t.BOOLEAN, "(i % 2 = 0)"),
    (t.NTZ, "TIMESTAMP '2024-01-01 00:00:00' + to_seconds(i)"),
    (t.SMALLINT, "CAST(i % 1000 AS SMALLINT)"),
]


@dataclass(frozen=True)
class Generated:
    name: str
    tables: int
    schemas: int = 1
    columns: int = 2
    rows: int = 10

    def check(self) -> None:
        """ValueError names what is wrong."""
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", self.name):
            raise ValueError(f"{self.name!r} is no lower-case catalog name")
        for what, least, most in (
            ("tables", 0, MOST_TABLES),
            ("schemas", 1, max(self.tables, 1)),
            ("columns", 1, MOST_COLUMNS),
            ("rows", 0, MOST_ROWS),
        ):
            value = getattr(self, what)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"{what} is a whole number, not {value!r}")
            if not least <= value <= most:
                raise ValueError(f"{what} is between {least} and {most}, not {value}")

    @property
    def per_schema(self) -> int:
        return -(-self.tables // self.schemas) or 1

    def schema_names(self) -> list[str]:
        return [f"schema_{i:03d}" for i in range(self.schemas)]

    def place(self, number: int) -> tuple[str, str]:
        """Schema and name of a table."""
        return f"schema_{number // self.per_schema:03d}", f"table_{number:06d}"

    def find(self, schema: str, name: str) -> tuple[str, str] | None:
        m = re.fullmatch(r"table_(\d{6,7})", name)
        if not m or int(m[1]) >= self.tables or self.place(int(m[1])) != (schema, name):
            return None
        return schema, name

    @cached_property
    def places(self) -> list[tuple[str, str]]:
        """Every table, in order."""
        return [self.place(i) for i in range(self.tables)]

    def column_list(self) -> list[tuple[str, Type]]:
        found = [("id", t.BIGINT)]
        for i in range(1, self.columns):
            found.append((f"c_{i:03d}", _CYCLE[(i - 1) % len(_CYCLE)][0]))
        return found

    def source(self) -> str:
        """The rows, as a subquery of DuckDB's."""
        values = [f"i AS {ident('id')}"]
        for i in range(1, self.columns):
            values.append(f"{_CYCLE[(i - 1) % len(_CYCLE)][1]} AS {ident(f'c_{i:03d}')}")
        return f"(SELECT {', '.join(values)} FROM range({self.rows}) AS r_(i))"

    # --- what information_schema says of it --------------------------------------------

    def _each(self) -> str:
        """Number, schema and name of every table, as a subquery of DuckDB's."""
        return (
            f"(SELECT n, printf('schema_%03d', n // {self.per_schema}) AS s, "
            f"printf('table_%06d', n) AS t FROM range({self.tables}) AS r_(n))"
        )

    def information(self, table: str, column_row: Callable) -> str | None:
        """The subquery that makes the table's rows, where there can be very many."""
        from .catalog import Table
        from .information import OWNER, literal

        name = literal(self.name)
        if table == "tables":
            return (
                f"(SELECT {name} AS table_catalog, s AS table_schema, t AS table_name, "
                f"'MANAGED' AS table_type, 'YES' AS is_insertable_into, '{OWNER}' AS "
                "table_owner, CAST(NULL AS VARCHAR) AS comment, 'DELTA' AS "
                f"data_source_format FROM {self._each()} ORDER BY n)"
            )
        if table != "columns":
            return None
        columns = self.column_list()
        one = Table(self.name, "", "", "TABLE", columns, "", [True] * len(columns),
                    [""] * len(columns))  # fmt: skip
        rows = [column_row(one, i)[3:] for i in range(len(columns))]
        lines = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows)
        kinds = ("VARCHAR", "INTEGER", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR",
                 *["INTEGER"] * 5, "VARCHAR", "VARCHAR", "VARCHAR")  # fmt: skip
        heads = ("column_name", "ordinal_position", "column_default", "is_nullable",
                 "full_data_type", "data_type", "character_maximum_length",
                 "numeric_precision", "numeric_precision_radix", "numeric_scale",
                 "datetime_precision", "interval_type", "is_identity", "comment")  # fmt: skip
        cast = ", ".join(f"CAST({h} AS {k}) AS {h}" for h, k in zip(heads, kinds))
        return (
            f"(SELECT {name} AS table_catalog, s AS table_schema, t AS table_name, {cast} "
            f"FROM {self._each()}, (VALUES {lines}) AS v_({', '.join(heads)}))"
        )
