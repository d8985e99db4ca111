# SPDX-License-Identifier: Apache-2.0
"""Properties: what is bound comes back as it was, beside the statement and as a literal in it;
and a literal means to the driver's server what it means to DuckDB."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from harness import AdbcConnection, AdbcStatement, Warehouse, connected, execute, table_of, value
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

BOUNDED = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # shrinking has no bound on time
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module", params=["databricks", "spark"])
def w(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    with Warehouse(personality=request.param) as server:
        yield server


@pytest.fixture
def conn(w: Warehouse) -> Iterator[AdbcConnection]:
    with connected(w) as conn:
        yield conn


def integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


#: Text that a server can hold, with a taste for what has a meaning in SQL.
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(list("'\"`\\$?:;-/*{}%_\n\t\0")),
        st.characters(codec="utf-8"),
    ),
    max_size=12,
).map("".join)

MOMENTS = st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30))

#: The Arrow type of a column, and values of it that come back as they are.
COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "i8": (pa.int8(), integers(8)),
    "i16": (pa.int16(), integers(16)),
    "i32": (pa.int32(), integers(32)),
    "i64": (pa.int64(), integers(64)),
    "f64": (pa.float64(), st.floats(allow_nan=False)),
    "f32": (pa.float32(), st.floats(width=32, allow_nan=False, allow_subnormal=False)),
    "flag": (pa.bool_(), st.booleans()),
    "text": (pa.string(), TEXTS),
    "view": (pa.string_view(), TEXTS),
    "bytes": (pa.binary(), st.binary(max_size=12)),
    "day": (pa.date32(), st.dates()),
    "moment": (pa.timestamp("us"), MOMENTS),
    "amount": (
        pa.decimal128(12, 3),
        st.decimals(-999999999, 999999999, places=3, allow_nan=False),
    ),
}


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    names = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=4))
    rows = draw(st.integers(1, 3))
    arrays = []
    for name in names:
        kind, values = COLUMNS[name]
        column = draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
        arrays.append(pa.array(column, kind))
    return pa.record_batch(arrays, names=[f"{name}_{at}" for at, name in enumerate(names)])


def plain(found: Any) -> Any:
    """A column of TIMESTAMP_NTZ cannot be told from TIMESTAMP: it has the session's zone, UTC."""
    return found.replace(tzinfo=None) if isinstance(found, datetime.datetime) else found


def answer(conn: AdbcConnection, sql: str, batch: pa.RecordBatch) -> list[dict]:
    with AdbcStatement(conn) as stmt:
        stmt.bind(batch)
        read = execute(stmt, sql)
        try:
            return [{k: plain(v) for k, v in row.items()} for row in table_of(read).to_pylist()]
        finally:
            read.release_stream()


@BOUNDED
@given(batch=batches())
def test_what_is_bound_comes_back(conn: AdbcConnection, batch: pa.RecordBatch) -> None:
    marks = ", ".join(f"? AS {name}" for name in batch.schema.names)
    assert answer(conn, f"SELECT {marks}", batch) == batch.to_pylist()


@BOUNDED
@given(text=TEXTS)
def test_no_text_is_more_than_text(conn: AdbcConnection, text: str) -> None:
    """Beside strings, comments and names that look like markers."""
    sql = "SELECT '?' AS `:a`, ? /* ? */ AS x, ':b' AS c -- ?"
    found = answer(conn, sql, pa.record_batch([pa.array([text])], names=["p"]))
    assert found == [{":a": "?", "x": text, "c": ":b"}]


PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="'\\$"))
LITERALS = st.one_of(
    integers(32).map(str),
    st.decimals(-99999, 99999, places=3).map(lambda d: f"{d:f}"),
    PLAIN.map(lambda text: f"'{text}'"),
    st.dates().map(lambda day: f"DATE '{day.isoformat()}'"),
    st.booleans().map(str),
    integers(64).map(lambda n: f"CAST('{n}' AS BIGINT)"),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: f"CAST('{x!r}' AS DOUBLE)"),
    st.just("NULL"),
)  # fmt: skip


@BOUNDED
@given(literal=LITERALS)
def test_a_literal_means_what_it_means_to_duckdb(conn: AdbcConnection, literal: str) -> None:
    wanted = duckdb.execute(f"SELECT {literal}").fetchone()
    assert wanted is not None
    found = value(conn, f"SELECT {literal} AS x")
    if isinstance(wanted[0], decimal.Decimal):
        assert decimal.Decimal(found) == wanted[0]
    else:
        assert found == wanted[0]
