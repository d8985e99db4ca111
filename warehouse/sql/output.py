# SPDX-License-Identifier: Apache-2.0
"""From DuckDB's Arrow to the Arrow a warehouse sends, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from . import types as t
from .types import Type

BATCH_ROWS = 65_536


@dataclass
class ColumnInfo:
    name: str
    sql_name: str
    type_id: int
    precision: int | None = None
    scale: int | None = None
    #: "CHAR" or "VARCHAR" and the length, for servers that say so.
    char_type: str = ""
    length: int | None = None


@dataclass
class Outcome:
    kind: str  # "query" | "dml" | "ddl"
    columns: list[ColumnInfo]
    schema: pa.Schema
    affected_rows: int | None = None
    batches: Iterator[pa.RecordBatch] = field(default_factory=lambda: iter(()))


def describe(columns: list[tuple[str, Type]]) -> list[ColumnInfo]:
    made = []
    for name, kind in columns:
        info = ColumnInfo(name, kind.computed().sql_name(), kind.type_id())
        if kind.kind == "DECIMAL":
            info.precision, info.scale = kind.precision, kind.scale
        elif kind.bounded:
            info.char_type, info.length = kind.unit, kind.precision
        made.append(info)
    return made


def schema_of(columns: list[tuple[str, Type]], zone: str) -> pa.Schema:
    return pa.schema([t.column_field(name, kind, zone) for name, kind in columns])


def _fitted(array: pa.Array, target: pa.DataType) -> pa.Array:
    """array.cast, which does not cast to null: an empty type (of `array()`, say) needs help."""
    if array.type == target:
        return array
    if pa.types.is_null(target):
        return pa.nulls(len(array))
    if pa.types.is_list(target):
        return pa.Array.from_buffers(
            target,
            len(array),
            array.buffers()[:2],
            offset=array.offset,
            children=[_fitted(array.values, target.value_type)],
        )
    if pa.types.is_struct(target):
        parts = [_fitted(array.field(i), f.type) for i, f in enumerate(target)]
        valid = array.is_valid() if array.null_count else None
        mask = None if valid is None else pc.invert(valid)
        return pa.StructArray.from_arrays(parts, fields=list(target), mask=mask)
    return array.cast(target)


class Converter:
    """Casts batches to the promised schema; columns that fit already are not touched."""

    def __init__(self, schema: pa.Schema):
        self._schema = schema

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays = [_fitted(a, f.type) for a, f in zip(batch.columns, self._schema)]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def rows_outcome(kind: str, columns, rows, zone: str, affected=None) -> Outcome:
    """A small answer that the warehouse makes itself."""
    schema = schema_of(columns, zone)
    arrays = [pa.array([r[i] for r in rows], type=f.type) for i, f in enumerate(schema)]
    batches = [pa.RecordBatch.from_arrays(arrays, schema=schema)] if rows else []
    return Outcome(kind, describe(columns), schema, affected, iter(batches))
