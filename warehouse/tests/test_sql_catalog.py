# SPDX-License-Identifier: Apache-2.0
"""The answers to the catalog calls."""

import pytest

from warehouse.sql.generated import Generated

from .sql_support import engine, fails, own, rows, sess  # noqa: F401


def test_catalogs_schemas_types(own):
    assert own.catalogs().to_pylist() == [{"TABLE_CAT": "main"}, {"TABLE_CAT": "samples"}]
    found = own.schemas("samples", None).to_pylist()
    assert {"TABLE_SCHEM": "tpch", "TABLE_CATALOG": "samples"} in found
    assert {r["TABLE_CATALOG"] for r in found} == {"samples"}
    assert [r["TABLE_SCHEM"] for r in own.schemas(None, "o_n").to_pylist()] == ["own"]
    assert own.schemas("no_such", None).num_rows == 0
    assert own.table_types().column(0).to_pylist() == ["TABLE", "VIEW"]


def test_tables(own):
    rows(own, "CREATE TABLE a_b (x INT) COMMENT 'cc'")
    rows(own, "CREATE VIEW axb AS SELECT 1 AS y")
    names = lambda *args: [r["TABLE_NAME"] for r in own.tables(*args).to_pylist()]  # noqa: E731
    assert names("main", "own", None, None) == ["a_b", "axb"]
    assert names("main", "own", "a_b", None) == ["a_b", "axb"]  # _ is any character
    assert names("main", "own", "a\\_b", []) == ["a_b"]
    assert names("main", "own", "%", ["VIEW"]) == ["axb"]
    assert names("main", "own", "no%", None) == []
    first = own.tables("main", "own", "a\\_b", None).to_pylist()[0]
    assert (
        first["TABLE_TYPE"] == "TABLE" and first["REMARKS"] == "cc" and len(first) == 10
    )
    assert names(None, None, "lineitem", None) == ["lineitem"]


def test_columns(own):
    rows(
        own,
        "CREATE TABLE t (a INT NOT NULL, b DECIMAL(10,2) COMMENT 'bb', c ARRAY<STRING>)",
    )
    found = own.columns("main", "own", "t", None)
    assert found.num_columns == 23
    a, b, c = found.to_pylist()
    assert (
        a["COLUMN_NAME"],
        a["DATA_TYPE"],
        a["TYPE_NAME"],
        a["NULLABLE"],
        a["IS_NULLABLE"],
    ) == ("a", 4, "INT", 0, "NO")
    assert (
        b["DATA_TYPE"],
        b["TYPE_NAME"],
        b["COLUMN_SIZE"],
        b["DECIMAL_DIGITS"],
        b["REMARKS"],
    ) == (3, "DECIMAL(10,2)", 8, 2, "bb")
    assert (c["TYPE_NAME"], c["ORDINAL_POSITION"], c["IS_NULLABLE"]) == (
        "ARRAY<STRING>",
        2,
        "YES",
    )
    assert own.columns("main", "own", "t", "b").num_rows == 1
    assert own.columns(None, None, "orders", "o%").num_rows == 9


def test_keys(own):
    rows(own, "CREATE TABLE p (a INT, b INT, CONSTRAINT p_key PRIMARY KEY (a, b))")
    rows(
        own,
        "CREATE TABLE f (x INT, y INT, CONSTRAINT f_key FOREIGN KEY (x, y) REFERENCES p (a, b))",
    )
    found = own.primary_keys("main", "own", "p").to_pylist()
    assert [(r["COLUMN_NAME"], r["KEQ_SEQ"], r["PK_NAME"]) for r in found] == [
        ("a", 1, "p_key"),
        ("b", 2, "p_key"),
    ]
    imported = own.cross_reference(None, None, None, "main", "own", "f").to_pylist()
    exported = own.cross_reference("main", "own", "p", None, None, None).to_pylist()
    both = own.cross_reference("main", "own", "p", "main", "own", "f").to_pylist()
    assert imported == exported == both and len(both) == 2
    assert (
        both[1]["PKCOLUMN_NAME"] == "b"
        and both[1]["FKCOLUMN_NAME"] == "y"
        and both[1]["FK_NAME"] == "f_key"
    )
    assert own.cross_reference("main", "own", "other", "main", "own", "f").num_rows == 0
    assert own.primary_keys("main", "own", "no_such").num_rows == 0
    assert own.primary_keys("samples", "tpch", "lineitem").num_rows == 2


def test_empty_patterns(own):
    rows(own, "CREATE TABLE e (x INT)")
    assert own.schemas("main", "").num_rows == own.schemas("main", None).num_rows > 0
    assert own.tables("main", "", "e").num_rows == 1
    assert own.tables("main", "own", "").num_rows == 0
    assert own.columns("main", "own", "e", "").num_rows == 0


def test_escapes_and_case(own):
    for name in ("`a%c`", "abc", "a_c"):
        rows(own, f"CREATE TABLE {name} (x INT)")
    names = lambda *args: own.tables("main", "own", *args).column(2).to_pylist()  # noqa: E731
    assert names("a\\%c") == ["a%c"] and names("A\\_C") == ["a_c"]
    assert names("a_c") == ["a%c", "a_c", "abc"] and names("a.c") == []


def test_identifiers_are_no_patterns(own):
    assert own.schemas("m%").num_rows == own.columns("m%").num_rows == 0
    assert own.tables("m%", "own").num_rows == own.tables("main", "own").num_rows


def test_spark_rows(own):
    rows(own, "CREATE TABLE t (a INT NOT NULL, d DECIMAL(20,2), f FLOAT)")
    rows(own, "CREATE TEMPORARY VIEW seen AS SELECT 1 AS x")
    found = own.schemas("main", None, "spark").to_pylist()
    assert found[-1] == {"TABLE_SCHEM": "global_temp", "TABLE_CATALOG": ""}
    assert "information_schema" not in [r["TABLE_SCHEM"] for r in found]
    assert own.schemas("main", "", "spark").num_rows == len(found) - 1
    tables = own.tables("main", "own", None, None, "spark").to_pylist()
    assert [(r["TABLE_CAT"], r["TABLE_SCHEM"], r["TABLE_NAME"]) for r in tables] == [
        ("", "own", "t"),
        ("", None, "seen"),
    ]
    assert own.tables("main", None, None, ["NOPE"], "spark").num_rows == 0
    a, d, f = own.columns("main", "own", "t", None, "spark").to_pylist()
    assert (a["TABLE_CAT"], a["ORDINAL_POSITION"], a["COLUMN_SIZE"]) == (None, 1, 4)
    assert (a["NULLABLE"], a["IS_NULLABLE"], a["REMARKS"]) == (0, "NO", "")
    assert (d["TYPE_NAME"], d["COLUMN_SIZE"]) == ("DECIMAL(20,2)", 16)
    assert (f["DATA_TYPE"], f["COLUMN_SIZE"], f["DECIMAL_DIGITS"]) == (6, 4, 7)
    assert own.primary_keys("samples", "tpch", "lineitem", "spark").num_rows == 0
    one = own.functions("main", None, "upper", "spark").to_pylist()
    assert {"default", "own"} <= {r["FUNCTION_SCHEM"] for r in one}


def test_hive_rows(own):
    rows(own, "CREATE TABLE t (a INT NOT NULL, d DECIMAL(10,2))")
    (table,) = own.tables("main", "own", None, None, "hive").to_pylist()
    assert (table["TABLE_CAT"], table["REMARKS"]) == ("", None)
    a, d = own.columns("main", "own", "t", None, "hive").to_pylist()
    assert (a["TYPE_NAME"], a["COLUMN_SIZE"], a["IS_NULLABLE"]) == ("INT", 10, "YES")
    assert (d["TYPE_NAME"], d["COLUMN_SIZE"], d["DECIMAL_DIGITS"]) == ("DECIMAL", 10, 2)
    assert d["REMARKS"] is None
    kinds = own.table_types("hive").column(0).to_pylist()
    assert kinds.count("TABLE") == 2 and "MATERIALIZED_VIEW" in kinds
    keys = own.primary_keys("main", "own", "t", "hive")
    assert keys.column_names[4] == "KEY_SEQ" and keys.num_rows == 0
    assert (own.type_info("hive").num_rows, own.type_info("spark").num_rows) == (23, 20)


def test_generated_catalog(engine, sess):
    engine.catalog.generate(Generated("many", 1000, schemas=10, columns=9, rows=3))
    assert "many" in sess.catalogs().column(0).to_pylist()
    assert sess.schemas("many", "schema\\_0%").num_rows == 10
    assert sess.tables("many", None, None).num_rows == 1000
    (one,) = sess.tables("many", "schema_00_", "table_000999").to_pylist()
    assert one["TABLE_SCHEM"] == "schema_009"
    assert sess.columns("many", "schema_009", "table_000999", None).num_rows == 9
    found = rows(sess, "SELECT id, c_001, c_003 FROM many.schema_009.table_000999")
    assert [r[0] for r in found] == [0, 1, 2] and found[1][1] == "row 1"
    assert fails(sess, "SELECT * FROM many.schema_000.table_000999")[1] == "42P01"
    assert fails(sess, "CREATE TABLE many.schema_000.x (a INT)")[1] == "42501"
    for wrong in (("many", -1), ("main", 1), ("No", 1)):
        with pytest.raises(ValueError):
            engine.catalog.generate(Generated(*wrong))


def test_functions_and_type_info(own):
    found = own.functions(None, None, "array\\_c%").to_pylist()
    assert "array_contains" in [r["FUNCTION_NAME"] for r in found]
    kinds = own.type_info()
    assert kinds.num_columns == 18
    assert {"DECIMAL", "STRING", "TIMESTAMP"} <= set(
        kinds.column("TYPE_NAME").to_pylist()
    )
