# SPDX-License-Identifier: Apache-2.0
"""A result's size does not show in the memory of the one who reads it."""

from __future__ import annotations

import json

import pytest
from harness import Warehouse, connected, python, run

MIB = 1024
MOST_KIB = 96 * MIB
MOST_GROWTH_KIB = 16 * MIB

READ = """
import json, sys
import harness
from harness import *

rows, form = int(sys.argv[4]), sys.argv[5]

class Target:
    uri, token, personality, ca_file = sys.argv[1], sys.argv[2], "databricks", None

sql = f'''SELECT id AS a, id * 7 AS b, CAST(id AS DOUBLE) / 3 AS c,
    date_add(DATE'2000-01-01', CAST(id % 10000 AS INT)) AS d,
    concat('row number ', CAST(id AS STRING)) AS e FROM range({rows})'''
with connected(Target(), {"databricks.arrow": form}) as conn:
    with run(conn, "SELECT 1 AS a") as warm:
        warm.rest()
    before, next_row = memory_kib("VmRSS"), 0
    stmt = AdbcStatement(conn)
    read = execute(stmt, sql)
    while True:
        try:
            batch = read.reader.read_next_batch()
        except StopIteration:
            break
        first = batch.column(0)
        assert first[0].as_py() == next_row, (first[0], next_row)
        assert first[len(first) - 1].as_py() == next_row + len(first) - 1
        assert batch.column(1)[0].as_py() == next_row * 7
        assert batch.column(4)[0].as_py() == f"row number {next_row}"
        next_row += len(first)
        del batch, first
    print(json.dumps({"rows": next_row, "kib": memory_kib("VmHWM") - before}))
    read.close()
"""


def measured(w: Warehouse, rows: int, form: str) -> int:
    ended = python(READ, w.uri, w.token, "-", rows, form, timeout=120)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["rows"] == rows
    return found["kib"]


@pytest.mark.timeout(150, method="thread")
def test_ten_million_rows_need_no_more_memory_than_one(w: Warehouse) -> None:
    one = measured(w, 1_000_000, "on")
    ten = measured(w, 10_000_000, "on")
    assert ten <= MOST_KIB, f"{ten} KiB"
    assert ten <= one + MOST_GROWTH_KIB, f"{one} KiB, then {ten} KiB"


@pytest.mark.timeout(150, method="thread")
def test_columns_need_no_more_memory_either(w: Warehouse) -> None:
    one = measured(w, 300_000, "off")
    more = measured(w, 1_200_000, "off")
    assert more <= 2 * MOST_KIB, f"{more} KiB"
    assert more <= one + 2 * MOST_GROWTH_KIB, f"{one} KiB, then {more} KiB"


def test_the_page_behind_a_small_first_one_costs_what_it_is(w: Warehouse) -> None:
    """The first page of a result is asked for smaller than the one behind it."""
    inline = {"databricks.cloudfetch.enabled": "false"}
    with connected(w, inline) as conn:
        before = w.stats()["bytes_out"]
        with run(conn, "SELECT id * 2654435761 % 1000000007 AS a FROM range(1300000)") as read:
            used = read.stmt.get_option_int("databricks.memory_budget.used_bytes")
            read.rest()
            assert w.stats()["requests"]["FetchResults"] == 1
            sent = w.stats()["bytes_out"] - before
            assert used * 10 >= sent * 6, f"{used} of {sent} bytes"
            assert used <= sent
