# SPDX-License-Identifier: Apache-2.0
"""Values on the wire: columns, Arrow, and text."""

import datetime
import decimal
import math

import lz4.frame
import pyarrow as pa
import pytest
from databricks.sql.thrift_api.TCLIService import ttypes as t
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

from warehouse.server import codec, text
from warehouse.server.encode import (
    ColumnEncoder,
    NativeTypes,
    WireForm,
    columns_of_schema,
    encode_arrow,
    null_bitmap,
)
from warehouse.server.results import PIECE_ROWS, Discarded, ResultStore, recut
from warehouse.tests.thrift_client import column_values

ALL = NativeTypes(True, True, True, True, True)


def sent(array: pa.Array, flavour: str = "databricks", **options):
    """The array as a client reads it from a column based set."""
    schema = pa.schema([("x", array.type)])
    form = WireForm(schema, columns_of_schema(schema), ALL, flavour)
    encoder = ColumnEncoder(
        form, options.get("float_text", False), options.get("empty", b"")
    )
    out: list[bytes] = []
    codec.write_struct(out, encoder.column(array, form.columns[0].type_id))
    column = t.TColumn()
    column.read(TBinaryProtocol(TMemoryBuffer(b"".join(out))))
    return column


@pytest.mark.parametrize(
    ("array", "field", "expected"),
    [
        (pa.array([True, None, False]), "boolVal", [True, None, False]),
        (pa.array([1, None, -128], pa.int8()), "byteVal", [1, None, -128]),
        (pa.array([1, None, -32768], pa.int16()), "i16Val", [1, None, -32768]),
        (pa.array([1, None, -(2**31)], pa.int32()), "i32Val", [1, None, -(2**31)]),
        (pa.array([1, None, 2**63 - 1]), "i64Val", [1, None, 2**63 - 1]),
        (pa.array([1.5, None, -0.0]), "doubleVal", [1.5, None, -0.0]),
        (pa.array([1.5, None], pa.float32()), "doubleVal", [1.5, None]),
        (pa.array(["é", None, "", "x" * 300]), "stringVal", ["é", None, "", "x" * 300]),
        (pa.array([b"\0\xff", None, b""]), "binaryVal", [b"\0\xff", None, b""]),
        (pa.array([datetime.date(1, 1, 1), None]), "stringVal", ["0001-01-01", None]),
        (pa.nulls(2), "stringVal", [None, None]),
    ],
)
def test_columns(array, field, expected):
    column = sent(array)
    assert getattr(column, field) is not None
    assert column_values(column) == expected


def test_sliced_arrays_keep_their_place():
    whole = pa.array([str(i) if i % 3 else None for i in range(100)])
    assert column_values(sent(whole[37:61])) == whole[37:61].to_pylist()
    flags = pa.array([i % 2 == 0 for i in range(100)])
    assert column_values(sent(flags[13:])) == flags[13:].to_pylist()


def test_fillers_of_nulls():
    assert sent(pa.array([None, True])).boolVal.values == [True, True]
    assert sent(pa.array([None, 5])).i64Val.values == [0, 5]
    assert sent(pa.array([None, "x"])).stringVal.values == ["", "x"]


def test_float_with_and_without_its_decimal_text():
    value = pa.array([0.1], pa.float32())
    assert sent(value).doubleVal.values == [0.10000000149011612]
    assert sent(value, float_text=True).doubleVal.values == [0.1]


def test_special_doubles():
    found = sent(pa.array([math.inf, -math.inf, math.nan])).doubleVal.values
    assert found[:2] == [math.inf, -math.inf] and math.isnan(found[2])


@pytest.mark.parametrize(
    ("nulls", "expected"),
    [
        ([], b""),
        ([0], b"\1"),
        ([7], b"\x80"),
        ([8], b"\0\1"),
        ([19], b"\0\0\x08"),
        (range(20), b"\xff\xff\x0f"),
        (range(0, 20, 2), b"\x55\x55\x05"),
    ],
)
def test_null_bitmap_ends_with_its_last_bit(nulls, expected):
    array = pa.array([None if i in nulls else i for i in range(20)])
    assert null_bitmap(array, b"") == expected


def test_null_bitmap_without_nulls_is_what_the_engine_sends():
    assert null_bitmap(pa.array([1]), b"\0") == b"\0"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12.340", "12.340"),
        ("-0.000000001", "-0.000000001"),
        ("0.000000000", "0.000000000"),
        ("123456789012345678.000000001", "123456789012345678.000000001"),
    ],
)
def test_decimals_are_plain(value, expected):
    scale = len(value.split(".")[1])
    array = pa.array([decimal.Decimal(value), None], pa.decimal128(38, scale))
    assert text.array_to_text(array).to_pylist() == [expected, None]


def test_timestamps_are_in_the_session_zone_without_trailing_zeros():
    moments = [
        datetime.datetime(2024, 7, 1, 10, tzinfo=datetime.UTC),
        datetime.datetime(2024, 2, 29, 11, 34, 56, 789000, tzinfo=datetime.UTC),
        None,
    ]
    array = pa.array(moments, pa.timestamp("us", "Europe/Berlin"))
    assert text.array_to_text(array).to_pylist() == [
        "2024-07-01 12:00:00",
        "2024-02-29 12:34:56.789",
        None,
    ]
    plain = pa.array(
        [datetime.datetime(2024, 2, 29, 12, 34, 50, 100)], pa.timestamp("us")
    )
    assert text.array_to_text(plain).to_pylist() == ["2024-02-29 12:34:50.0001"]


def test_summer_time_goes_on_after_the_tables_end():
    moments = [
        datetime.datetime(2050, 7, 1, 10, tzinfo=datetime.UTC),
        datetime.datetime(9999, 12, 31, 22, 59, 59, 999999, tzinfo=datetime.UTC),
        None,
    ]
    array = pa.array(moments, pa.timestamp("us", "Europe/Berlin"))
    assert text.array_to_text(array).to_pylist() == [
        "2050-07-01 12:00:00",
        "9999-12-31 23:59:59.999999",
        None,
    ]


DAY_AND_A_BIT = ((24 + 2) * 3600 + 3 * 60 + 4) * 1_000_000


@pytest.mark.parametrize(
    ("micros", "expected"),
    [
        (DAY_AND_A_BIT + 500_000, "1 02:03:04.500000000"),
        (-DAY_AND_A_BIT - 1, "-1 02:03:04.000001000"),
        (600_000_000, "0 00:10:00.000000000"),
        (0, "0 00:00:00.000000000"),
    ],
)
def test_day_time_intervals(micros, expected):
    array = pa.array([micros], pa.int64()).cast(pa.duration("us"))
    assert text.array_to_text(array).to_pylist() == [expected]


@pytest.mark.parametrize(
    ("months", "expected"),
    [(14, "1-2"), (-14, "-1-2"), (36, "3-0"), (5, "0-5"), (0, "0-0")],
)
def test_year_month_intervals(months, expected):
    assert text.year_month_text(months) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, "1.0"),
        (1e-7, "1.0E-7"),
        (1e20, "1.0E20"),
        (123456.789, "123456.789"),
        (-1.5e300, "-1.5E300"),
        (0.001, "0.001"),
        (math.inf, "Infinity"),
        (1e7, "1.0E7"),
    ],
)
def test_doubles_as_the_engines_print_them(value, expected):
    assert text.double_text(value) == expected


NESTED = pa.struct(
    [("f", pa.int32()), ("s", pa.string()), ("d", pa.date32()), ("b", pa.bool_())]
)
STRUCT = [{"f": 1, "s": 'x"y', "d": datetime.date(2024, 1, 1), "b": None}]


@pytest.mark.parametrize(
    ("flavour", "expected"),
    [
        ("databricks", '{"f":1,"s":"x\\"y","d":"2024-01-01","b":null}'),
        ("spark", '{"f":1,"s":"x"y","d":2024-01-01,"b":null}'),
        ("hive", '{"f":1,"s":"x\\"y","d":2024-01-01,"b":null}'),
    ],
)
def test_structs(flavour, expected):
    array = pa.array(STRUCT, NESTED)
    assert text.array_to_text(array, flavour).to_pylist() == [expected]


def test_lists_and_maps():
    numbers = pa.array([[1, None], None, []], pa.list_(pa.int32()))
    assert text.array_to_text(numbers).to_pylist() == ["[1,null]", None, "[]"]
    money = pa.array([[decimal.Decimal("1.50")]], pa.list_(pa.decimal128(4, 2)))
    assert text.array_to_text(money).to_pylist() == ["[1.50]"]
    pairs = pa.array([[("k", 1), ("z", None)]], pa.map_(pa.string(), pa.int32()))
    assert text.array_to_text(pairs).to_pylist() == ['{"k":1,"z":null}']
    numbered = pa.array([[(1, [2])]], pa.map_(pa.int32(), pa.list_(pa.int32())))
    assert text.array_to_text(numbered).to_pylist() == ['{"1":[2]}']
    assert text.array_to_text(numbered, "spark").to_pylist() == ["{1:[2]}"]


# --- Arrow -----------------------------------------------------------------------------


def test_native_flags_decide_what_is_text():
    schema = pa.schema(
        [
            ("d", pa.decimal128(10, 2)),
            ("t", pa.timestamp("us", "UTC")),
            ("n", pa.null()),
            ("l", pa.list_(pa.int32())),
            ("i", pa.duration("us")),
            ("x", pa.int64()),
        ]
    )
    columns = columns_of_schema(schema)
    assert WireForm(schema, columns, ALL, "databricks").schema == schema
    none = WireForm(schema, columns, NativeTypes(), "databricks").schema
    assert [str(kind) for kind in none.types] == ["string"] * 5 + ["int64"]
    asked = t.TSparkArrowTypes(timestampAsArrow=True, decimalAsArrow=True)
    some = WireForm(schema, columns, NativeTypes.of(asked, True), "databricks").schema
    assert pa.types.is_decimal(some.field("d").type)
    assert pa.types.is_timestamp(some.field("t").type)
    assert pa.types.is_string(some.field("l").type)


def test_field_metadata_survives_conversion():
    field = pa.field("d", pa.decimal128(10, 2), metadata={"Spark:DataType:SqlName": "X"})
    form = WireForm(
        pa.schema([field]), columns_of_schema(pa.schema([field])), NativeTypes(), ""
    )
    assert form.schema.field(0).metadata == {b"Spark:DataType:SqlName": b"X"}


def test_year_month_interval_is_announced_as_such():
    schema = pa.schema([("m", pa.int32())])
    column = columns_of_schema(schema)[0]
    column = type(column)("m", t.TTypeId.INTERVAL_YEAR_MONTH_TYPE)
    form = WireForm(schema, [column], ALL, "databricks")
    announced = pa.ipc.read_schema(pa.py_buffer(form.schema_message()))
    assert str(announced.field(0).type) == "month_interval"
    batch = pa.RecordBatch.from_arrays([pa.array([14])], ["m"])
    as_text = WireForm(schema, [column], NativeTypes(), "databricks").convert(batch)
    assert as_text.column(0).to_pylist() == ["1-2"]


def test_arrow_messages_round_trip():
    batch = pa.RecordBatch.from_pydict({"a": [1, None, 3], "b": ["x", "y", None]})
    for compressed in (False, True):
        data = encode_arrow(batch, compressed)
        if compressed:
            assert data[:4] == b"\x04\x22\x4d\x18"
            data = lz4.frame.decompress(data)
        assert data[:4] == b"\xff\xff\xff\xff"
        assert pa.ipc.read_record_batch(pa.py_buffer(data), batch.schema).equals(batch)


# --- the store -------------------------------------------------------------------------


def numbers(*counts: int) -> list[pa.RecordBatch]:
    made, at = [], 0
    for count in counts:
        made.append(pa.RecordBatch.from_pydict({"id": list(range(at, at + count))}))
        at += count
    return made


def store(batches: list[pa.RecordBatch], **options) -> ResultStore:
    schema = pa.schema([("id", pa.int64())])
    form = WireForm(schema, columns_of_schema(schema), ALL, "databricks")
    made = ResultStore(
        form,
        lz4_frames=options.get("lz4", False),
        row_limit=options.get("limit"),
        changed=lambda: None,
    )
    made.drain(batches)
    return made


def read(
    held: ResultStore, start: int, rows: int, size: int = 1 << 30
) -> tuple[list, int]:
    chosen, end = held.plan(start, rows, size)
    return held.table(chosen).column("id").to_pylist() if chosen else [], end


def test_recut_joins_crumbs_and_cuts_slabs():
    pieces = list(recut(numbers(1, 0, 2, 250_000, 3)))
    assert sum(piece.num_rows for piece in pieces) == 250_006
    assert max(piece.num_rows for piece in pieces) <= PIECE_ROWS
    joined = pa.Table.from_batches(pieces).column("id").to_pylist()
    assert joined == list(range(250_006))
    assert len(list(recut(numbers(*[10] * 500)))) == 1


@pytest.mark.parametrize("lz4_frames", [False, True])
def test_store_gives_any_page_again_and_again(lz4_frames):
    held = store(numbers(250_000), lz4=lz4_frames)
    for start, rows in ((0, 10), (99_990, 20), (0, 250_000), (249_999, 5), (5, 1)):
        expected = list(range(start, min(start + rows, 250_000)))
        for _ in range(2):
            assert read(held, start, rows) == (expected, start + len(expected))
    assert read(held, 250_000, 10) == ([], 250_000)
    assert held.more_after(249_999) and not held.more_after(250_000)


def test_store_goes_to_a_file_that_has_no_name():
    held = store(numbers(400_000))
    assert held._file is not None and not isinstance(held._file.name, str)
    held.discard()
    with pytest.raises(Discarded):
        held._load(0)


def test_store_obeys_bytes_and_row_limit():
    held = store(numbers(100_000))
    assert read(held, 0, 100_000, 8000)[1] == 1000
    assert read(held, 0, 100_000, 1)[1] == 1
    assert read(store(numbers(100), limit=7), 0, 100)[0] == list(range(7))
    assert read(store(numbers(100), limit=0), 0, 100)[0] == []


def test_arrow_pages_hold_whole_and_cut_batches():
    held = store(numbers(250_000), lz4=True)
    chosen, _ = held.plan(99_999, 100_002, 1 << 30)
    made = held.arrow(chosen)
    assert [rows for _, rows in made] == [1, 100_000, 1]
    schema = held.form.schema
    batches = [
        pa.ipc.read_record_batch(pa.py_buffer(lz4.frame.decompress(data)), schema)
        for data, _ in made
    ]
    assert pa.Table.from_batches(batches).column(0).to_pylist() == list(
        range(99_999, 200_001)
    )
