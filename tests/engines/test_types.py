# SPDX-License-Identifier: Apache-2.0
"""Every SQL type as the engines send it; the table is type_table.py."""

from __future__ import annotations

import datetime

import pytest
from engine import Engine
from harness import Error, connected, run, table_of, update
from type_table import REAL_HIVE, REAL_SPARK, ROWS, ZONE, check_all, counted

SPARK_ZONE = {"databricks.session_conf.spark.sql.session.timeZone": ZONE}
HIVE_ZONE = {"databricks.session_conf.hive.local.time.zone": ZONE}
NOON = "SELECT TIMESTAMP'2024-07-01 10:00:00Z' AS v"

pytestmark = pytest.mark.timeout(300, method="thread")


def test_every_type_on_spark(spark: Engine) -> None:
    with connected(spark, SPARK_ZONE) as conn:
        check_all(conn, REAL_SPARK)


def test_every_type_on_hive(hive: Engine) -> None:
    with connected(hive, HIVE_ZONE) as conn:
        check_all(conn, REAL_HIVE)


def test_counts(capsys: pytest.CaptureFixture) -> None:
    text = counted((REAL_SPARK, REAL_HIVE))
    with capsys.disabled():
        print("\n" + text)
    assert text.startswith(f"types: {2 * len(ROWS)} cells")


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu", "+05:30", "GMT+1", "Z"])
def test_zone_that_a_statement_has_set(spark: Engine, zone: str) -> None:
    with connected(spark) as conn:
        update(conn, f"SET TIME ZONE '{zone}'")
        with run(conn, NOON) as read:
            found = table_of(read).column(0)
    assert found.type.tz == {"GMT+1": "+01:00", "Z": "UTC"}.get(zone, zone)
    assert found.cast("int64").to_pylist() == [1_719_828_000_000_000]


def test_zone_that_is_not_known_here(spark: Engine) -> None:
    """Java's short names are not in the system's database: no guess, but what to do."""
    with connected(spark) as conn:
        update(conn, "SET spark.sql.session.timeZone=PST")
        with pytest.raises(Error) as caught:
            run(conn, NOON)
        assert "PST" in str(caught.value)
        assert "databricks.session_conf.spark.sql.session.timeZone" in str(caught.value)
        update(conn, "SET TIME ZONE 'UTC'")
        with run(conn, NOON) as read:
            assert table_of(read).column(0).type.tz == "UTC"


def test_every_hour_of_two_changes(spark: Engine) -> None:
    """Spark's texts of instants, an hour apart, around both changes of the clock: all but the
    second of the two hours that look alike come back."""
    first = datetime.datetime(2024, 3, 30, tzinfo=datetime.timezone.utc)
    sql = (
        "SELECT unix_seconds(t) AS s, t FROM (SELECT explode(sequence("
        "TIMESTAMP'2024-03-30 00:00:00Z', TIMESTAMP'2024-11-01 00:00:00Z', INTERVAL 1 HOUR)) t)"
    )
    with connected(spark, SPARK_ZONE) as conn, run(conn, sql) as read:
        found = table_of(read)
    wanted = found.column("s").to_pylist()
    got = [v // 1_000_000 for v in found.column("t").cast("int64").to_pylist()]
    wrong = [(a, b) for a, b in zip(wanted, got, strict=True) if a != b]
    assert wanted[0] == int(first.timestamp()) and len(wanted) == 5185
    assert wrong == [(1_729_990_800, 1_729_987_200)]
