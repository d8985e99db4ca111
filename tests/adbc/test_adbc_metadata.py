# SPDX-License-Identifier: Apache-2.0
"""adbc-connection-metadata, through Python's driver manager: schemas to the letter, depths and
filters."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_manager import GetObjectsDepth
from harness import AdbcConnection, AdbcStatement, AdbcStatusCode, Error, run, table_of

ALL, CATALOGS, DB_SCHEMAS, TABLES = (
    GetObjectsDepth.ALL, GetObjectsDepth.CATALOGS, GetObjectsDepth.DB_SCHEMAS,
    GetObjectsDepth.TABLES,
)  # fmt: skip


def reader(handle: Any) -> pa.RecordBatchReader:
    return pa.RecordBatchReader._import_from_c(handle.address)


def schema_of(handle: Any) -> pa.Schema:
    return pa.Schema._import_from_c(handle.address)


def shape(field: pa.Field) -> Any:
    """Name, type and nullability; how a list's or a map's items are called is nobody's concern."""
    kind = field.type
    if pa.types.is_map(kind):
        inside: Any = ("map", shape(kind.key_field)[1:], shape(kind.item_field)[1:])
    elif pa.types.is_list(kind):
        inside = ("list", shape(kind.value_field)[1:])
    elif pa.types.is_struct(kind) or pa.types.is_union(kind):
        mode = kind.mode if pa.types.is_union(kind) else "struct"
        inside = (mode, [shape(kind.field(i)) for i in range(kind.num_fields)])
    else:
        inside = str(kind)
    return field.name, inside, field.nullable


def shapes(schema: pa.Schema) -> list[Any]:
    return [shape(field) for field in schema]


# --- GetInfo ---------------------------------------------------------------------------------

INFO = [
    ("info_name", "uint32", False),
    (
        "info_value",
        (
            "dense",
            [
                ("string_value", "string", True),
                ("bool_value", "bool", True),
                ("int64_value", "int64", True),
                ("int32_bitmask", "int32", True),
                ("string_list", ("list", ("string", True)), True),
                (
                    "int32_to_int32_list_map",
                    ("map", ("int32", False), (("list", ("int32", True)), True)),
                    True,
                ),
            ],
        ),
        True,
    ),
]


def info(conn: AdbcConnection, codes: list[int] | None = None) -> list[tuple[int, Any]]:
    table = reader(conn.get_info(codes)).read_all()
    table.validate(full=True)
    return [(row["info_name"], row["info_value"]) for row in table.to_pylist()]


def test_schema_of_info(conn: AdbcConnection) -> None:
    assert shapes(reader(conn.get_info()).schema) == INFO


def test_values_of_info(conn: AdbcConnection) -> None:
    found = dict(info(conn))
    assert found[0] and isinstance(found[0], str)
    assert found[1] and isinstance(found[1], str)
    assert (found[3], found[4]) == (True, False)
    assert found[100] == "lakebeat"
    assert found[102].startswith("v")
    assert found[103] == 1001000
    # What there is no answer to is left out.
    assert set(found) == {0, 1, 3, 4, 100, 101, 102, 103}


def test_unknown_codes_are_left_out(conn: AdbcConnection) -> None:
    assert info(conn, [9999, 100, 500, 2**32 - 1, 5, 6]) == [(100, "lakebeat")]
    assert info(conn, [4711]) == []


def test_codes_in_any_order_and_twice(conn: AdbcConnection) -> None:
    assert info(conn, [103, 100, 103]) == [(103, 1001000), (100, "lakebeat"), (103, 1001000)]


# --- GetObjects ------------------------------------------------------------------------------


def text(*names: str) -> list[Any]:
    return [(name, "string", True) for name in names]


def lists(name: str, members: list[Any], nullable: bool = True) -> Any:
    return name, ("list", (("struct", members), True)), nullable


USAGE = text("fk_catalog", "fk_db_schema") + [
    ("fk_table", "string", False),
    ("fk_column_name", "string", False),
]
CONSTRAINT = [
    ("constraint_name", "string", True),
    ("constraint_type", "string", False),
    ("constraint_column_names", ("list", ("string", True)), False),
    lists("constraint_column_usage", USAGE),
]
COLUMN = [
    ("column_name", "string", False),
    ("ordinal_position", "int32", True),
    ("remarks", "string", True),
    ("xdbc_data_type", "int16", True),
    ("xdbc_type_name", "string", True),
    ("xdbc_column_size", "int32", True),
    ("xdbc_decimal_digits", "int16", True),
    ("xdbc_num_prec_radix", "int16", True),
    ("xdbc_nullable", "int16", True),
    ("xdbc_column_def", "string", True),
    ("xdbc_sql_data_type", "int16", True),
    ("xdbc_datetime_sub", "int16", True),
    ("xdbc_char_octet_length", "int32", True),
    ("xdbc_is_nullable", "string", True),
    ("xdbc_scope_catalog", "string", True),
    ("xdbc_scope_schema", "string", True),
    ("xdbc_scope_table", "string", True),
    ("xdbc_is_autoincrement", "bool", True),
    ("xdbc_is_generatedcolumn", "bool", True),
]
TABLE = [
    ("table_name", "string", False),
    ("table_type", "string", False),
    lists("table_columns", COLUMN),
    lists("table_constraints", CONSTRAINT),
]
DB_SCHEMA = [("db_schema_name", "string", True), lists("db_schema_tables", TABLE)]
OBJECTS = [("catalog_name", "string", True), lists("catalog_db_schemas", DB_SCHEMA)]


def objects(conn: AdbcConnection, depth: GetObjectsDepth, **filters: Any) -> list[dict[str, Any]]:
    table = reader(conn.get_objects(depth, **filters)).read_all()
    table.validate(full=True)
    assert shapes(table.schema) == OBJECTS
    return table.to_pylist()


def db_schemas(conn: AdbcConnection, depth: GetObjectsDepth, **filters: Any) -> list[str | None]:
    return [
        schema["db_schema_name"]
        for catalog in objects(conn, depth, **filters)
        for schema in catalog["catalog_db_schemas"]
    ]


def tables(conn: AdbcConnection, depth: GetObjectsDepth = TABLES, **filters: Any) -> list[dict]:
    return [
        table
        for catalog in objects(conn, depth, **{"db_schema": "conform", **filters})
        for schema in catalog["catalog_db_schemas"]
        for table in schema["db_schema_tables"]
    ]


def names(conn: AdbcConnection, **filters: Any) -> list[str]:
    return [table["table_name"] for table in tables(conn, **filters)]


@pytest.mark.parametrize("depth", [ALL, CATALOGS, DB_SCHEMAS, TABLES], ids=lambda d: d.name)
def test_schema_of_objects(conn: AdbcConnection, depth: GetObjectsDepth) -> None:
    assert shapes(reader(conn.get_objects(depth, db_schema="conform")).schema) == OBJECTS


def test_depth_of_catalogs(conn: AdbcConnection) -> None:
    found = objects(conn, CATALOGS)
    assert "main" in [row["catalog_name"] for row in found]
    assert all(row["catalog_db_schemas"] is None for row in found)


def test_depth_of_schemas(conn: AdbcConnection) -> None:
    found = [row for row in objects(conn, DB_SCHEMAS) if row["catalog_name"] == "main"]
    schemas = found[0]["catalog_db_schemas"]
    assert "conform" in [schema["db_schema_name"] for schema in schemas]
    assert all(schema["db_schema_tables"] is None for schema in schemas)


def test_depth_of_tables(conn: AdbcConnection) -> None:
    found = tables(conn)
    assert [t["table_name"] for t in found] == ["child", "parent", "seen"]
    assert all(t["table_columns"] is None and t["table_constraints"] is None for t in found)


def test_depth_of_columns(conn: AdbcConnection) -> None:
    found = {t["table_name"]: t for t in tables(conn, ALL)}
    assert sorted(found) == ["child", "parent", "seen"]
    columns = [(c["column_name"], c["ordinal_position"]) for c in found["child"]["table_columns"]]
    assert columns == [("a", 1), ("b", 2), ("n", 3)]
    # What is not known is null, not zero or empty.
    for column in found["child"]["table_columns"]:
        for name in ("xdbc_column_def", "xdbc_scope_catalog", "xdbc_scope_schema",
                     "xdbc_scope_table", "xdbc_datetime_sub"):  # fmt: skip
            assert column[name] is None
    assert found["seen"]["table_constraints"] == []


def test_constraints(conn: AdbcConnection) -> None:
    found = {t["table_name"]: t["table_constraints"] for t in tables(conn, ALL)}
    (primary,) = found["parent"]
    assert primary["constraint_type"] == "PRIMARY KEY"
    # In the key's order, which is not the table's.
    assert primary["constraint_column_names"] == ["k", "id"]
    assert not primary["constraint_column_usage"]
    (foreign,) = found["child"]
    assert foreign["constraint_type"] == "FOREIGN KEY"
    assert foreign["constraint_column_names"] == ["a", "b"]
    assert [
        (u["fk_db_schema"], u["fk_table"], u["fk_column_name"])
        for u in foreign["constraint_column_usage"]
    ] == [("conform", "parent", "k"), ("conform", "parent", "id")]


def test_filter_of_catalogs(conn: AdbcConnection) -> None:
    every = [row["catalog_name"] for row in objects(conn, CATALOGS)]
    assert [row["catalog_name"] for row in objects(conn, CATALOGS, catalog="main")] == ["main"]
    assert [row["catalog_name"] for row in objects(conn, CATALOGS, catalog="m_i%")] == ["main"]
    assert [row["catalog_name"] for row in objects(conn, CATALOGS, catalog="%")] == every
    assert objects(conn, CATALOGS, catalog="nowhere") == []
    assert names(conn, catalog="nowhere") == []


def test_empty_catalog_means_without_one(conn: AdbcConnection) -> None:
    assert [row for row in objects(conn, TABLES, catalog="") if row["catalog_name"]] == []


def test_filter_of_schemas(conn: AdbcConnection) -> None:
    every = db_schemas(conn, DB_SCHEMAS)
    assert "conform" in every and len(every) > 1
    assert db_schemas(conn, DB_SCHEMAS, db_schema="conform") == ["conform"]
    assert db_schemas(conn, DB_SCHEMAS, db_schema="con_or%") == ["conform"]
    assert db_schemas(conn, DB_SCHEMAS, db_schema="nowhere") == []
    # The level that was asked for is there, and empty.
    (main,) = objects(conn, DB_SCHEMAS, catalog="main", db_schema="nowhere")
    assert main["catalog_db_schemas"] == []


def test_empty_schema_means_without_one(conn: AdbcConnection) -> None:
    assert [name for name in db_schemas(conn, DB_SCHEMAS, db_schema="") if name] == []


def test_filter_of_tables(conn: AdbcConnection) -> None:
    assert names(conn, table_name=None) == ["child", "parent", "seen"]
    assert names(conn, table_name="parent") == ["parent"]
    assert names(conn, table_name="_a%") == ["parent"]
    assert names(conn, table_name="%e%n%") == ["parent", "seen"]
    assert names(conn, table_name="_____") == ["child"]
    assert names(conn, table_name="nothing") == []
    (main,) = objects(conn, TABLES, db_schema="conform", table_name="nothing")
    assert main["catalog_db_schemas"] == [{"db_schema_name": "conform", "db_schema_tables": []}]


def test_filter_of_table_types(conn: AdbcConnection) -> None:
    found = reader(conn.get_table_types()).read_all().column(0).to_pylist()
    assert {"TABLE", "VIEW"} <= set(found)
    assert {t["table_type"] for t in tables(conn)} <= set(found)
    assert names(conn, table_types=["VIEW"]) == ["seen"]
    assert names(conn, table_types=["TABLE"]) == ["child", "parent"]
    assert names(conn, table_types=["VIEW", "TABLE"]) == ["child", "parent", "seen"]
    assert names(conn, table_types=["NONSENSE"]) == []


def test_filter_of_columns(conn: AdbcConnection) -> None:
    def columns(name: str | None) -> list[str]:
        found = tables(conn, ALL, table_name="child", column_name=name)
        return [c["column_name"] for t in found for c in t["table_columns"]]

    assert columns(None) == ["a", "b", "n"]
    assert columns("b") == ["b"]
    assert columns("_") == ["a", "b", "n"]
    assert columns("nothing") == []


# --- tables ----------------------------------------------------------------------------------


def test_schema_of_table_types(conn: AdbcConnection) -> None:
    found = reader(conn.get_table_types())
    assert shapes(found.schema) == [("table_type", "string", False)]
    assert found.read_all().num_rows > 0


@pytest.mark.parametrize("catalog", ["main", None])
@pytest.mark.parametrize("name", ["parent", "child", "seen"])
def test_schema_of_a_table(conn: AdbcConnection, name: str, catalog: str | None) -> None:
    found = schema_of(conn.get_table_schema(catalog, "conform", name))
    with run(conn, f"SELECT * FROM conform.{name}") as read:
        wanted = table_of(read).schema
    assert [(f.name, f.type) for f in found] == [(f.name, f.type) for f in wanted]


def test_schema_of_a_table_in_the_current_schema(conn: AdbcConnection) -> None:
    with run(conn, "USE SCHEMA conform") as read:
        read.rest()
    found = schema_of(conn.get_table_schema(None, None, "parent"))
    assert found.names == ["id", "k"]


@pytest.mark.parametrize("name", ["nothing", "par_nt", "%", "(SELECT 1)", "parent; DROP"])
def test_schema_of_no_table_is_not_found(conn: AdbcConnection, name: str) -> None:
    with pytest.raises(Error) as caught:
        conn.get_table_schema(None, "conform", name)
    assert caught.value.status_code == AdbcStatusCode.NOT_FOUND


# --- statistics, and the schema of a query -----------------------------------------------------

VALUES = ("int64", "int64"), ("uint64", "uint64"), ("float64", "double"), ("binary", "binary")
VALUE = ("dense", [(name, kind, True) for name, kind in VALUES])
STATISTIC = [
    ("table_name", "string", False),
    ("column_name", "string", True),
    ("statistic_key", "int16", False),
    ("statistic_value", VALUE, False),
    ("statistic_is_approximate", "bool", False),
]
STATISTICS = [
    ("catalog_name", "string", True),
    lists(
        "catalog_db_schemas",
        [("db_schema_name", "string", True), lists("db_schema_statistics", STATISTIC, False)],
        False,
    ),
]


def test_schema_of_statistics(conn: AdbcConnection) -> None:
    for filters in ({}, {"catalog": "main", "db_schema": "conf%", "table_name": "par_nt"}):
        assert shapes(reader(conn.get_statistics(**filters)).schema) == STATISTICS


def test_schema_of_statistic_names(conn: AdbcConnection) -> None:
    wanted = [("statistic_name", "string", False), ("statistic_key", "int16", False)]
    assert shapes(reader(conn.get_statistic_names()).schema) == wanted


def test_schema_of_a_query(conn: AdbcConnection) -> None:
    with AdbcStatement(conn) as stmt:
        stmt.set_sql_query("SELECT id, CAST(id AS STRING) AS t FROM range(5)")
        found = schema_of(stmt.execute_schema())
    assert [(f.name, str(f.type)) for f in found] == [("id", "int64"), ("t", "string")]
