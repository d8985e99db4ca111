# SPDX-License-Identifier: Apache-2.0
"""Every SQL type in every form that the local warehouse sends; the table is type_table.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from harness import (
    AdbcConnection,
    AdbcStatusCode,
    Warehouse,
    connected,
    fails,
    run,
    table_of,
    update,
)
from type_table import ARROW, COLUMNS, HIVE, ROWS, SPARK, ZONE, check_all, counted

OFF = {"databricks.arrow": "off"}
PATIENT = {"databricks.request_timeout_seconds": "30"}
IN_ZONE = {"databricks.session_conf.spark.sql.session.timeZone": ZONE}


SETTINGS: dict[str, tuple[str, dict[str, str]]] = {
    ARROW: ("databricks", IN_ZONE),
    COLUMNS: ("databricks", IN_ZONE | OFF),
    SPARK: ("spark", IN_ZONE),
    HIVE: ("hive", {}),
}


@pytest.fixture(params=SETTINGS)
def source(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def conn(source: str, warehouse_of: Callable[[str], Warehouse]) -> Iterator[AdbcConnection]:
    personality, options = SETTINGS[source]
    with connected(warehouse_of(personality), PATIENT, options) as made:
        yield made


def test_every_type(conn: AdbcConnection, source: str) -> None:
    check_all(conn, source)


def test_counts(capsys: pytest.CaptureFixture) -> None:
    text = counted(SETTINGS)
    with capsys.disabled():
        print("\n" + text)
    assert text.startswith(f"types: {len(SETTINGS) * len(ROWS)} cells")
    assert all(row.at(ARROW)[4] == "" or row.at(ARROW)[0] is None for row in ROWS)


def test_64_mib_of_text(conn: AdbcConnection) -> None:
    size = 64 << 20
    with run(conn, f"SELECT repeat('0123456789abcdef', {size // 16}) AS v") as read:
        found = table_of(read).column(0)
    assert str(found.type) == "string"
    assert found[0].as_buffer().size == size
    assert found[0].as_buffer().to_pybytes() == b"0123456789abcdef" * (size // 16)


# --- the session's zone ----------------------------------------------------------------------

NOON = "SELECT TIMESTAMP'2024-07-01 10:00:00Z' AS v"


@pytest.mark.parametrize("options", [{}, OFF], ids=[ARROW, COLUMNS])
def test_zone_that_a_statement_has_set(w: Warehouse, options: dict[str, str]) -> None:
    with connected(w, PATIENT, options) as conn:
        for zone in ("America/New_York", "Asia/Kathmandu", "+05:00"):
            update(conn, f"SET TIME ZONE '{zone}'")
            with run(conn, NOON) as read:
                found = table_of(read).column(0)
            assert str(found.type) == f"timestamp[us, tz={zone}]"
            assert found.cast("int64").to_pylist() == [1_719_828_000_000_000]


def executions(w: Warehouse) -> int:
    return w.stats()["requests"].get("ExecuteStatement", 0)


def test_zone_is_asked_only_where_it_is_needed(w: Warehouse) -> None:
    def cost(conn: AdbcConnection, sql: str, *options: dict[str, str]) -> int:
        before = executions(w)
        with run(conn, sql, *options) as read:
            read.rest()
        return executions(w) - before

    with connected(w, PATIENT) as conn:
        assert cost(conn, NOON) == 1
        assert cost(conn, "SELECT 1 AS v", OFF) == 1
        assert cost(conn, NOON, OFF) == 2
        assert cost(conn, "SELECT TIMESTAMP'2024-07-01 10:00:00Z' a, now() b", OFF) == 2


def test_time_limit_counts_for_the_zone_too(w: Warehouse) -> None:
    limit = {"databricks.query_timeout_seconds": "1"}
    with connected(w, PATIENT, OFF, limit) as conn:
        w.fault("hold_query", {"rpc": "ExecuteStatement", "statement": "current_timezone"})
        error = fails(60, run, conn, NOON)
        w.clear_faults()
        w.release()
        assert error.status_code == AdbcStatusCode.TIMEOUT
        assert "databricks.query_timeout_seconds = 1" in str(error)
        assert "current_timezone" in str(error)
    w.wait("operations_open", 0, at_most=True)
