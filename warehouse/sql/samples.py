# SPDX-License-Identifier: Apache-2.0
"""The catalog `samples`: deterministic tables, made by SQL at start."""

from __future__ import annotations

from . import types as t
from .catalog import notes_sql

TRIPS, ORDERS, LINEITEM = 21_932, 15_000, 60_175

# A fixed mixing of a row number, so that the tables are the same at every start.
_MIX = "((({0} + {1}) * 2654435761) % 4294967296) % {2}"


def _pick(seed: int, size: int) -> str:
    return f"CAST({_MIX.format('i', seed * 7919, size)} AS BIGINT)"


def _trips(scale: int) -> str:
    begin = "TIMESTAMPTZ '2016-01-01 00:00:00+00'"
    start = f"{begin} + to_seconds(i * 226 + {_pick(1, 200)})"
    seconds = f"(180 + {_pick(2, 2400)})"
    distance = f"CAST({seconds} AS DOUBLE) * (4 + {_pick(3, 14)}) / 3600"
    return f"""
      SELECT {start} AS tpep_pickup_datetime, {start} + to_seconds({seconds})
        AS tpep_dropoff_datetime, round({distance}, 2) AS trip_distance,
        CAST(round(2.5 + {distance} * 2.5 * 2) / 2.0 AS DOUBLE) AS fare_amount,
        CAST(10001 + {_pick(4, 282)} AS INTEGER) AS pickup_zip,
        CAST(10001 + {_pick(5, 282)} AS INTEGER) AS dropoff_zip
      FROM range({TRIPS * scale}) AS r(i)"""


def _orders(scale: int) -> str:
    return f"""
      SELECT (i // 8) * 32 + i % 8 + 1 AS o_orderkey, {_pick(6, 1500)} + 1 AS o_custkey,
        (['F', 'O', 'P'])[{_pick(7, 3)} + 1] AS o_orderstatus,
        CAST(CAST({_pick(8, 44_000_000)} + 85_000 AS DECIMAL(18,0)) * 0.01
          AS DECIMAL(18,2)) AS o_totalprice,
        DATE '1992-01-01' + CAST({_pick(9, 2405)} AS INTEGER) AS o_orderdate,
        (['1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW'])[{_pick(10, 5)} + 1]
          AS o_orderpriority,
        'Clerk#' || lpad(CAST({_pick(11, 1000)} + 1 AS VARCHAR), 9, '0') AS o_clerk,
        CAST(0 AS INTEGER) AS o_shippriority,
        (['carefully', 'quickly', 'slyly', 'blithely', 'furiously'])[{_pick(12, 5)} + 1] ||
        (CASE WHEN {_pick(13, 2)} = 0 THEN ' final requests' ELSE ' regular deposits' END)
          AS o_comment
      FROM range({ORDERS * scale}) AS r(i)"""


def _lineitem(scale: int) -> str:
    order = f"(i * {ORDERS} // {LINEITEM})"
    quantity = f"({_pick(14, 50)} + 1)"
    shipped = f"DATE '1992-01-02' + CAST({_pick(18, 2525)} AS INTEGER)"
    return f"""
      SELECT ({order} // 8) * 32 + {order} % 8 + 1 AS l_orderkey,
        {_pick(15, 2000)} + 1 AS l_partkey, {_pick(16, 100)} + 1 AS l_suppkey,
        CAST(i - ((({order}) * {LINEITEM} + {ORDERS - 1}) // {ORDERS}) + 1 AS INTEGER)
          AS l_linenumber,
        CAST({quantity} AS DECIMAL(18,2)) AS l_quantity,
        CAST(CAST({quantity} * ({_pick(17, 100_000)} + 90_000) AS DECIMAL(18,0)) * 0.01
          AS DECIMAL(18,2)) AS l_extendedprice,
        CAST(CAST({_pick(19, 11)} AS DECIMAL(4,0)) * 0.01 AS DECIMAL(18,2)) AS l_discount,
        CAST(CAST({_pick(20, 9)} AS DECIMAL(4,0)) * 0.01 AS DECIMAL(18,2)) AS l_tax,
        (['A', 'N', 'R'])[{_pick(21, 3)} + 1] AS l_returnflag,
        (['F', 'O'])[{_pick(22, 2)} + 1] AS l_linestatus,
        {shipped} AS l_shipdate,
        {shipped} + CAST({_pick(23, 60)} - 30 AS INTEGER) AS l_commitdate,
        {shipped} + CAST({_pick(24, 30)} + 1 AS INTEGER) AS l_receiptdate,
        (['COLLECT COD', 'DELIVER IN PERSON', 'NONE', 'TAKE BACK RETURN'])
          [{_pick(25, 4)} + 1] AS l_shipinstruct,
        (['AIR', 'FOB', 'MAIL', 'RAIL', 'REG AIR', 'SHIP', 'TRUCK'])[{_pick(26, 7)} + 1]
          AS l_shipmode,
        (['ideas', 'packages', 'accounts', 'foxes', 'theodolites'])[{_pick(27, 5)} + 1]
          || ' sleep' AS l_comment
      FROM range({LINEITEM * scale}) AS r(i)"""


_TABLES = (
    ("nyctaxi", "trips", _trips, "Taxi trips in New York City", ()),
    ("tpch", "orders", _orders, "Orders", ("o_orderkey",)),
    (
        "tpch",
        "lineitem",
        _lineitem,
        "Items of the orders",
        ("l_orderkey", "l_linenumber"),
    ),
)


def install(con, scale: int = 1) -> None:
    """Fills the attached database c_samples; scale multiplies every row count."""
    for schema in ("nyctaxi", "tpch"):
        con.execute(f"CREATE SCHEMA c_samples.{schema}")
    for schema, name, query, comment, key in _TABLES:
        table = f"c_samples.{schema}.{name}"
        con.execute(f"CREATE TABLE {table} AS {query(scale)}")
        kinds = [
            (d[0], t.from_duck(str(d[1])))
            for d in con.execute(f"DESCRIBE {table}").fetchall()
        ]
        info = {"comment": comment}
        if key:
            info["primary_key"] = {"name": f"{name}_pk", "columns": list(key)}
        for sql in notes_sql(table, "TABLE", kinds, [], info):
            con.execute(sql)
