# SPDX-License-Identifier: Apache-2.0
"""Literals, as a real Spark reads them: it takes no parameters beside a statement."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import adbc_driver_manager.dbapi as dbapi
import pyarrow as pa
import pytest
from engine import Engine
from harness import DRIVER, AdbcStatement, Error, connected, execute, login, table_of

pytestmark = pytest.mark.timeout(240, method="thread")

HARD = "it's \\ \"q\" ${x} ? :x -- \n\t\0 /* ü"
VALUES: dict[str, tuple[pa.Array, Any]] = {
    "tinyint": (pa.array([-128], pa.int8()), -128),
    "smallint": (pa.array([255], pa.uint8()), 255),
    "int": (pa.array([-(2**31)], pa.int32()), -(2**31)),
    "bigint": (pa.array([-(2**63)]), -(2**63)),
    "uint64": (pa.array([2**64 - 1], pa.uint64()), decimal.Decimal(2**64 - 1)),
    "flag": (pa.array([True]), True),
    "double": (pa.array([1.7976931348623157e308]), 1.7976931348623157e308),
    "infinite": (pa.array([float("-inf")]), float("-inf")),
    "amount": (
        pa.array([decimal.Decimal("-0.05")], pa.decimal128(5, 2)),
        decimal.Decimal("-0.05"),
    ),
    "plain": (pa.array(["plain ? :x --"]), "plain ? :x --"),
    "hard": (pa.array([HARD]), HARD),
    "bytes": (pa.array([b"\x00'\xff"]), b"\x00'\xff"),
    "day": (pa.array([datetime.date(1, 1, 1)]), datetime.date(1, 1, 1)),
    "nothing": (pa.array([None], pa.int32()), None),
}


@pytest.mark.parametrize("escaped", ["false", "true"])
def test_literals(spark: Engine, escaped: str) -> None:
    """Whatever a backslash means in the session."""
    conf = {"databricks.session_conf.spark.sql.parser.escapedStringLiterals": escaped}
    names = list(VALUES)
    batch = pa.record_batch([VALUES[name][0] for name in names], names=names)
    marks = ", ".join(f":{name} AS {name}" for name in names)
    with connected(spark, conf) as conn, AdbcStatement(conn) as stmt:
        stmt.bind(batch)
        read = execute(stmt, f"SELECT {marks}")
        found = table_of(read).to_pylist()[0]
        read.release_stream()
        assert found == {name: VALUES[name][1] for name in names}


def test_instants_and_intervals(spark: Engine) -> None:
    moment = datetime.datetime(2020, 2, 29, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)
    batch = pa.record_batch(
        [
            pa.array([moment], pa.timestamp("us", "UTC")),
            pa.array([datetime.timedelta(days=-1, microseconds=1)]),
        ],
        names=["moment", "span"],
    )
    sql = (
        "SELECT unix_micros(:moment) AS m, "
        "(TIMESTAMP_NTZ'2020-01-03 00:00:00' + :span) = "
        "TIMESTAMP_NTZ'2020-01-02 00:00:00.000001' AS s"
    )
    with connected(spark) as conn, AdbcStatement(conn) as stmt:
        stmt.bind(batch)
        read = execute(stmt, sql)
        micros = (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc))
        assert table_of(read).to_pylist() == [
            {"m": micros // datetime.timedelta(microseconds=1), "s": True}
        ]
        read.release_stream()


def test_ingest(spark: Engine) -> None:
    data = pa.table(
        {"a": pa.array([1, None], pa.int32()), "t`x": [HARD, None], "b": [b"\x00'", None]}
    )
    options = {**login(spark), **spark.deadlines}
    with dbapi.connect(driver=DRIVER, db_kwargs=options, autocommit=True) as conn:
        with conn.cursor() as cur:
            assert cur.adbc_ingest("bind_ingest", data, mode="replace") == 2
            assert cur.adbc_ingest("bind_ingest", data, mode="append") == 2
            with pytest.raises(Error, match="ALREADY_EXISTS"):
                cur.adbc_ingest("bind_ingest", data, mode="create")
            with pytest.raises(Error, match="NOT_FOUND"):
                cur.adbc_ingest("bind_nowhere", data, mode="append")
            cur.execute("SELECT count(*), max(`t``x`) FROM bind_ingest")
            assert cur.fetchall() == [(4, HARD)]
            cur.execute("DROP TABLE bind_ingest")
