# SPDX-License-Identifier: Apache-2.0
"""The answers to the catalog calls."""

from .sql_support import engine, own, rows, sess  # noqa: F401


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
    ) == (3, "DECIMAL(10,2)", 10, 2, "bb")
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


def test_functions_and_type_info(own):
    found = own.functions(None, None, "array\\_c%").to_pylist()
    assert "array_contains" in [r["FUNCTION_NAME"] for r in found]
    kinds = own.type_info()
    assert kinds.num_columns == 18
    assert {"DECIMAL", "STRING", "TIMESTAMP"} <= set(
        kinds.column("TYPE_NAME").to_pylist()
    )
