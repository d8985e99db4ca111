# SPDX-License-Identifier: Apache-2.0
"""From Arrow record batches to the row sets of the wire.

``WireForm`` decides once per result what each column becomes (native Arrow, or text when
the client did not ask for the native type) and converts every batch.  ``encode_arrow``
and ``encode_columns`` then make the two inline row sets.  Everything here runs on worker
threads and keeps no state.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import lz4.frame
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from databricks.sql.thrift_api.TCLIService import ttypes
from thrift.Thrift import TType

from .codec import RawList
from .text import array_to_text, months_to_text

Type = ttypes.TTypeId

#: SQL types that are text unless the client asks for the native Arrow type.
NATIVE_FLAG = {
    Type.TIMESTAMP_TYPE: "timestamp",
    Type.DECIMAL_TYPE: "decimal",
    Type.ARRAY_TYPE: "complex",
    Type.MAP_TYPE: "complex",
    Type.STRUCT_TYPE: "complex",
    Type.INTERVAL_YEAR_MONTH_TYPE: "interval",
    Type.INTERVAL_DAY_TIME_TYPE: "interval",
    Type.NULL_TYPE: "null",
}


@dataclass(frozen=True)
class NativeTypes:
    """Which SQL types the client wants as native Arrow types."""

    timestamp: bool = False
    decimal: bool = False
    complex: bool = False
    interval: bool = False
    null: bool = False

    @classmethod
    def of(cls, asked: Any, timestamp_as_string: bool) -> NativeTypes:
        if asked is None:
            return cls(timestamp=not timestamp_as_string)
        stated = asked.timestampAsArrow
        return cls(
            timestamp=bool(stated) if stated is not None else not timestamp_as_string,
            decimal=bool(asked.decimalAsArrow),
            complex=bool(asked.complexTypesAsArrow),
            interval=bool(asked.intervalTypesAsArrow),
            null=bool(asked.nullTypeAsArrow),
        )


def type_id_of(kind: pa.DataType) -> int:
    """The TTypeId of an Arrow type, for tables that come without column descriptions."""
    checks = (
        (pa.types.is_boolean, Type.BOOLEAN_TYPE),
        (pa.types.is_int8, Type.TINYINT_TYPE),
        (pa.types.is_int16, Type.SMALLINT_TYPE),
        (pa.types.is_int32, Type.INT_TYPE),
        (pa.types.is_int64, Type.BIGINT_TYPE),
        (pa.types.is_float32, Type.FLOAT_TYPE),
        (pa.types.is_float64, Type.DOUBLE_TYPE),
        (pa.types.is_binary, Type.BINARY_TYPE),
        (pa.types.is_decimal, Type.DECIMAL_TYPE),
        (pa.types.is_date, Type.DATE_TYPE),
        (pa.types.is_timestamp, Type.TIMESTAMP_TYPE),
        (pa.types.is_null, Type.NULL_TYPE),
        (pa.types.is_map, Type.MAP_TYPE),
        (pa.types.is_list, Type.ARRAY_TYPE),
        (pa.types.is_struct, Type.STRUCT_TYPE),
        (pa.types.is_duration, Type.INTERVAL_DAY_TIME_TYPE),
    )
    for check, type_id in checks:
        if check(kind):
            return type_id
    return Type.STRING_TYPE


_SQL_NAMES = {
    value: name.removesuffix("_TYPE") for value, name in Type._VALUES_TO_NAMES.items()
}


@dataclass(frozen=True)
class WireColumn:
    """One column as the client's metadata describes it."""

    name: str
    type_id: int
    precision: int | None = None
    scale: int | None = None
    sql_name: str = ""


def columns_of_schema(schema: pa.Schema) -> list[WireColumn]:
    found = []
    for field in schema:
        type_id = type_id_of(field.type)
        precision = getattr(field.type, "precision", None)
        scale = getattr(field.type, "scale", None)
        found.append(
            WireColumn(field.name, type_id, precision, scale, _SQL_NAMES[type_id])
        )
    return found


def _month_interval() -> pa.DataType:
    """Arrow's Interval(YEAR_MONTH), which pyarrow knows but offers no function for."""
    from pyarrow.cffi import ffi

    holder = ffi.new("struct ArrowSchema*")
    texts = (ffi.new("char[]", b"tiM"), ffi.new("char[]", b""))

    @ffi.callback("void(struct ArrowSchema*)")
    def release(raw: Any) -> None:
        raw.release = ffi.NULL

    holder.format, holder.name = texts
    holder.metadata = holder.children = holder.dictionary = ffi.NULL
    holder.flags, holder.n_children = 2, 0
    holder.release = release
    return pa.DataType._import_from_c(int(ffi.cast("uintptr_t", holder)))


def _nested_sql(field: pa.Field) -> Any:
    """The SQL type of a nested column that holds what Arrow's type does not tell."""
    name = (field.metadata or {}).get(b"Spark:DataType:SqlName", b"").decode()
    if not pa.types.is_nested(field.type) or not re.search("INTERVAL|VARIANT", name):
        return None
    from warehouse.sql.types import parse_type

    return parse_type(name)


def _with_months(kind: pa.DataType, sql: Any) -> pa.DataType:
    """The Arrow type with the months of ``sql`` as intervals; the layout is the same."""
    if sql.kind == "YM":
        return _month_interval()
    if sql.kind == "ARRAY":
        inner = _with_months(kind.value_type, sql.args[0])
        return pa.list_(kind.value_field.with_type(inner))
    if sql.kind == "MAP":
        return pa.map_(
            _with_months(kind.key_type, sql.args[0]),
            _with_months(kind.item_type, sql.args[1]),
        )
    if sql.kind == "STRUCT":
        made = [f.with_type(_with_months(f.type, s)) for f, s in zip(kind, sql.args)]
        return pa.struct(made)
    return kind


class WireForm:
    """What each column of one result becomes on the wire."""

    def __init__(
        self, schema: pa.Schema, columns: list, native: NativeTypes, flavour: str
    ):
        self.flavour = flavour
        self.columns = columns
        self._text: list[bool] = []
        self.nested = [_nested_sql(field) for field in schema]
        fields, announced = [], []
        for field, column, nested in zip(schema, columns, self.nested):
            flag = NATIVE_FLAG.get(column.type_id)
            as_text = flag is not None and not getattr(native, flag)
            as_text = as_text and not pa.types.is_string(field.type)
            self._text.append(as_text)
            if as_text:
                field = pa.field(field.name, pa.string(), True, field.metadata)
            fields.append(field)
            # Interval(YEAR_MONTH) has the layout of int32, and a record batch message
            # does not name its types: only the schema message has to say what it is.
            if column.type_id == Type.INTERVAL_YEAR_MONTH_TYPE and not as_text:
                field = pa.field(field.name, _month_interval(), True, field.metadata)
            elif nested is not None and not as_text:
                field = field.with_type(_with_months(field.type, nested))
            announced.append(field)
        self.source = schema
        self.schema = pa.schema(fields)
        self.announced = pa.schema(announced)

    @property
    def identity(self) -> bool:
        return not any(self._text)

    def text(self, array: pa.Array, type_id: int, nested: Any = None) -> pa.Array:
        if type_id == Type.INTERVAL_YEAR_MONTH_TYPE and pa.types.is_integer(array.type):
            return months_to_text(array)
        return array_to_text(array, self.flavour, nested)

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self.identity and batch.schema.equals(self.schema, check_metadata=True):
            return batch
        arrays = [
            self.text(array, column.type_id, nested) if as_text else array
            for array, column, as_text, nested in zip(
                batch.columns, self.columns, self._text, self.nested
            )
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def schema_message(self) -> bytes:
        return self.announced.serialize().to_pybytes()


def _frame_header(checksums: bool) -> bytes:
    return lz4.frame.compress_begin(
        lz4.frame.create_compression_context(),
        block_size=lz4.frame.BLOCKSIZE_MAX4MB,
        block_linked=False,
        content_checksum=checksums,
        block_checksum=checksums,
    )


_FRAME_HEADERS = {checksums: _frame_header(checksums) for checksums in (False, True)}


def compress(raw: bytes | memoryview, checksums: bool = False) -> bytes:
    """One LZ4 frame: 4 MiB independent blocks, no content size, as real servers send."""
    made = lz4.frame.compress(
        raw,
        block_size=lz4.frame.BLOCKSIZE_MAX4MB,
        block_linked=False,
        content_checksum=checksums,
        block_checksum=checksums,
        store_size=False,
    )
    # What fits into one smaller block the library announces with that block's size; real
    # servers, which stream, do not know that yet.
    header = _FRAME_HEADERS[checksums]
    return header + memoryview(made)[len(header) :]


def encode_arrow(batch: pa.RecordBatch, lz4_frame: bool) -> bytes:
    """One encapsulated RecordBatch message, in an LZ4 frame when asked for."""
    raw = memoryview(batch.serialize())
    return compress(raw) if lz4_frame else bytes(raw)


# --- column based sets -----------------------------------------------------------------

_FIXED = {
    Type.TINYINT_TYPE: ("byteVal", ttypes.TByteColumn, TType.BYTE, ">i1"),
    Type.SMALLINT_TYPE: ("i16Val", ttypes.TI16Column, TType.I16, ">i2"),
    Type.INT_TYPE: ("i32Val", ttypes.TI32Column, TType.I32, ">i4"),
    Type.BIGINT_TYPE: ("i64Val", ttypes.TI64Column, TType.I64, ">i8"),
    Type.FLOAT_TYPE: ("doubleVal", ttypes.TDoubleColumn, TType.DOUBLE, ">f8"),
    Type.DOUBLE_TYPE: ("doubleVal", ttypes.TDoubleColumn, TType.DOUBLE, ">f8"),
}


def null_bitmap(array: pa.Array, empty: bytes) -> bytes:
    """Bit i set = row i is null, cut after the last set bit; ``empty`` when none is."""
    if array.null_count == 0:
        return empty
    mask = pc.is_null(array).to_numpy(zero_copy_only=False)
    return np.packbits(mask, bitorder="little").tobytes().rstrip(b"\0") or empty


def _length_prefixed(array: pa.Array) -> bytes:
    """Each value as big-endian length and bytes, without a Python loop."""
    count = len(array)
    if count == 0:
        return b""
    buffers = array.buffers()
    offsets = np.frombuffer(buffers[1], np.int32)[array.offset : array.offset + count + 1]
    offsets = offsets.astype(np.int64)
    lengths = np.diff(offsets)
    total = int(offsets[-1] - offsets[0])
    out = np.empty(total + 4 * count, np.uint8)
    starts = offsets[:-1] - offsets[0] + 4 * np.arange(count, dtype=np.int64)
    is_text = np.ones(len(out), bool)
    prefix = lengths.astype(">i4").view(np.uint8).reshape(count, 4)
    for i in range(4):
        out[starts + i] = prefix[:, i]
        is_text[starts + i] = False
    if total:
        data = np.frombuffer(buffers[2], np.uint8)
        out[is_text] = data[int(offsets[0]) : int(offsets[-1])]
    return out.tobytes()


def _as_bytes_array(array: pa.Array, kind: pa.DataType, filler: Any) -> pa.Array:
    if array.type != kind:
        array = array.cast(kind)
    return pc.fill_null(array, pa.scalar(filler, kind)) if array.null_count else array


class ColumnEncoder:
    """Makes TColumn values of Arrow arrays; the flavour carries the engines'
    differences.
    """

    def __init__(self, form: WireForm, float_through_text: bool, no_nulls: bytes):
        self.form = form
        self.float_through_text = float_through_text
        self.no_nulls = no_nulls

    def _fixed(self, array: pa.Array, type_id: int, nulls: bytes) -> ttypes.TColumn:
        name, cls, element, dtype = _FIXED[type_id]
        if array.null_count:
            array = pc.fill_null(array, pa.scalar(0, array.type))
        values = array.to_numpy(zero_copy_only=False)
        if type_id == Type.FLOAT_TYPE and self.float_through_text:
            values = np.array(
                [float(str(v)) for v in values.astype(np.float32)], np.float64
            )
        raw = values.astype(dtype).tobytes()
        return ttypes.TColumn(**{name: cls(RawList(element, len(array), [raw]), nulls)})

    def column(
        self, array: pa.Array, type_id: int, nested: Any = None
    ) -> ttypes.TColumn:
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        nulls = null_bitmap(array, self.no_nulls)
        count = len(array)
        if type_id in _FIXED and not pa.types.is_string(array.type):
            return self._fixed(array, type_id, nulls)
        if type_id == Type.BOOLEAN_TYPE and pa.types.is_boolean(array.type):
            array = pc.fill_null(array, True) if array.null_count else array
            raw = array.cast(pa.uint8()).to_numpy(zero_copy_only=False).tobytes()
            values = RawList(TType.BOOL, count, [raw])
            return ttypes.TColumn(boolVal=ttypes.TBoolColumn(values, nulls))
        if type_id == Type.BINARY_TYPE and not pa.types.is_string(array.type):
            raw = _length_prefixed(_as_bytes_array(array, pa.binary(), b""))
            values = RawList(TType.STRING, count, [raw])
            return ttypes.TColumn(binaryVal=ttypes.TBinaryColumn(values, nulls))
        text = _as_bytes_array(self.form.text(array, type_id, nested), pa.string(), "")
        values = RawList(TType.STRING, count, [_length_prefixed(text)])
        return ttypes.TColumn(stringVal=ttypes.TStringColumn(values, nulls))

    def encode(self, batch: pa.RecordBatch | pa.Table) -> list[ttypes.TColumn]:
        return [
            self.column(array, column.type_id, nested)
            for array, column, nested in zip(
                batch.columns, self.form.columns, self.form.nested
            )
        ]
