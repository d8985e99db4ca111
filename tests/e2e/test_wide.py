# SPDX-License-Identifier: Apache-2.0
"""Results of many columns."""

from __future__ import annotations

import pyarrow as pa
import pytest
from harness import AdbcRecordBatchReader, AdbcStatement, Warehouse, connected

COLUMNS = 500
ROWS = 3000
#: Expressions over the row's number n, their Arrow type and their value.
KINDS = [
    ("id + {n}", pa.int64(), lambda row, n: row + n),
    ("CAST(id AS STRING)", pa.string(), lambda row, n: str(row)),
    ("CAST(id AS DOUBLE) / 4", pa.float64(), lambda row, n: row / 4),
    ("id % 2 = {n} % 2", pa.bool_(), lambda row, n: row % 2 == n % 2),
    ("nullif(id, {n})", pa.int64(), lambda row, n: None if row == n else row),
]


@pytest.mark.parametrize("arrow", ["on", "off"])
def test_five_hundred_columns(w: Warehouse, arrow: str) -> None:
    made = [KINDS[n % len(KINDS)] for n in range(COLUMNS)]
    sql = ", ".join(f"{kind[0].format(n=n)} AS c{n}" for n, kind in enumerate(made))
    options = {"databricks.arrow": arrow, "databricks.max_rows_per_fetch": "1000"}
    with connected(w, options) as conn, AdbcStatement(conn) as stmt:
        stmt.set_sql_query(f"SELECT {sql} FROM range({ROWS})")
        handle, _ = stmt.execute_query()
        table = AdbcRecordBatchReader._import_from_c(handle.address).read_all()
    assert table.num_rows == ROWS and table.num_columns == COLUMNS
    assert table.schema.names == [f"c{n}" for n in range(COLUMNS)]
    for n, (_, kind, value) in enumerate(made):
        assert table.schema.field(n).type == kind, n
        assert table.column(n).to_pylist() == [value(row, n) for row in range(ROWS)], n
