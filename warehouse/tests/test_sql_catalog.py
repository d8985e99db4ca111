# SPDX-License-Identifier: Apache-2.0
"""The answers to the catalog calls."""

import json

import pytest

from warehouse.sql.generated import Generated

from .sql_support import engine, fails, own, param, rows, sess  # noqa: F401


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


def test_keys_in_ddl(own):
    rows(own, "CREATE TABLE p (Id INT NOT NULL CONSTRAINT p_id PRIMARY KEY, v STRING)")
    rows(own, "CREATE TABLE f (x INT CONSTRAINT f_x REFERENCES p, y INT)")
    (imported,) = own.cross_reference(None, None, None, "main", "own", "f").to_pylist()
    assert (imported["PKCOLUMN_NAME"], imported["FK_NAME"], imported["PK_NAME"]) == (
        "Id",
        "f_x",
        "p_id",
    )
    rows(own, "ALTER TABLE f ADD CONSTRAINT f_y FOREIGN KEY (Y) REFERENCES p (id)")
    rows(own, "ALTER TABLE f ADD PRIMARY KEY (x, y) NOT ENFORCED")
    assert own.cross_reference(None, None, None, "main", "own", "f").num_rows == 2
    assert own.primary_keys("main", "own", "f").column(5).to_pylist() == ["f_pk"] * 2
    rows(own, "ALTER TABLE f DROP CONSTRAINT f_x")
    rows(own, "ALTER TABLE f DROP PRIMARY KEY")
    left = own.cross_reference(None, None, None, "main", "own", "f").to_pylist()
    assert [r["FK_NAME"] for r in left] == ["f_y"]
    assert own.primary_keys("main", "own", "f").num_rows == 0
    assert fails(own, "ALTER TABLE f DROP CONSTRAINT nope")[1] == "42704"
    rows(own, "ALTER TABLE f DROP CONSTRAINT IF EXISTS nope")
    assert fails(own, "CREATE TABLE g (a INT, PRIMARY KEY (b))")[1] == "42703"
    rows(own, "INSERT INTO f VALUES (1, 2), (1, 2)")  # never enforced


def test_information_schema(own):
    rows(own, "CREATE TABLE p (a INT NOT NULL, b DECIMAL(9,2), CONSTRAINT pk PRIMARY KEY (a))")
    rows(own, "CREATE TABLE f (x INT, CONSTRAINT fk FOREIGN KEY (x) REFERENCES p (a))")
    rows(own, "CREATE VIEW v AS SELECT 1 AS one")

    def table(name, columns, where="table_schema"):
        return rows(
            own,
            f"SELECT {columns} FROM information_schema.{name} WHERE {where} = 'own' "
            f"ORDER BY ALL",
        )

    assert [row[:1] for row in table("schemata", "schema_name", "schema_name")] == [("own",)]
    assert ("main",) in rows(own, "SELECT catalog_name FROM information_schema.catalogs")
    assert table("tables", "table_name, table_type, data_source_format")[0] == (
        "f", "MANAGED", "DELTA")  # fmt: skip
    assert table("views", "table_name") == [("v",)]
    found = table(
        "columns", "table_name, ordinal_position, full_data_type, data_type, numeric_scale"
    )
    assert ("p", 1, "decimal(9,2)", "DECIMAL", 2) in found
    assert table("table_constraints", "constraint_name, constraint_type") == [
        ("fk", "FOREIGN KEY"), ("pk", "PRIMARY KEY")]  # fmt: skip
    assert table("key_column_usage", "constraint_name, column_name, ordinal_position") == [
        ("fk", "x", 1), ("pk", "a", 1)]  # fmt: skip
    assert table(
        "referential_constraints", "constraint_name, unique_constraint_name",
        "constraint_schema") == [("fk", "pk")]  # fmt: skip
    assert table("constraint_column_usage", "constraint_name, table_name, column_name") == [
        ("fk", "p", "a"), ("pk", "p", "a")]  # fmt: skip
    assert table("constraint_table_usage", "constraint_name, table_name") == [
        ("fk", "p"), ("pk", "p")]  # fmt: skip
    assert fails(own, "SELECT * FROM information_schema.nope")[1] == "42P01"


def test_information_schema_of_many_tables(engine, sess):
    engine.catalog.generate(Generated("counted", 2000, schemas=2, columns=5))
    ask = "FROM counted.information_schema"
    assert rows(sess, f"SELECT count(*), max(table_name) {ask}.tables") == [
        (2000, "table_001999")]  # fmt: skip
    assert rows(
        sess,
        f"SELECT column_name, full_data_type, ordinal_position {ask}.columns "
        "WHERE table_name = 'table_001999' ORDER BY 3",
    )[3] == ("c_003", "decimal(10,2)", 3)
    assert rows(sess, f"SELECT count(*) {ask}.table_constraints") == [(0,)]


def test_describe_as_json(own):
    rows(
        own,
        "CREATE TABLE t (a INT NOT NULL COMMENT 'aa', d DECIMAL(10,2), s STRUCT<x: "
        "ARRAY<STRING>>, m MAP<STRING, INT>, i INTERVAL DAY TO SECOND, "
        "CONSTRAINT k PRIMARY KEY (a))",
    )
    ((text,),) = rows(own, "DESC TABLE EXTENDED `main`.`own`.`t` AS JSON")
    found = json.loads(text)
    assert (found["catalog_name"], found["schema_name"], found["table_name"]) == (
        "main", "own", "t")  # fmt: skip
    a, d, s, m, i = found["columns"]
    assert a == {"name": "a", "type": {"name": "int"}, "nullable": False, "comment": "aa"}
    assert d["type"] == {"name": "decimal", "precision": 10, "scale": 2}
    assert s["type"]["fields"][0]["type"]["element_type"]["name"] == "string"
    assert m["type"]["value_type"] == {"name": "int"}
    assert (i["type"]["start_unit"], i["type"]["end_unit"]) == ("day", "second")
    assert found["table_constraints"] == "[(k,PRIMARY KEY (`a`))]"
    assert fails(own, "DESC TABLE t AS JSON")[0] == "PARSE_SYNTAX_ERROR"
    assert ("k", "PRIMARY KEY (`a`)", "") in rows(own, "DESC EXTENDED t")


def test_describe_query_and_column(own):
    rows(own, "CREATE TABLE t (a INT COMMENT 'aa')")
    assert rows(own, "DESCRIBE TABLE t a") == [
        ("col_name", "a"), ("data_type", "int"), ("comment", "aa")]  # fmt: skip
    assert fails(own, "DESCRIBE TABLE t b")[1] == "42703"
    asked = "DESCRIBE QUERY SELECT a, ? AS p FROM t WHERE a > :n"
    assert fails(own, asked)[0].startswith("UNBOUND")
    assert rows(own, "DESCRIBE QUERY SELECT a, :p AS p FROM t", param("DOUBLE", "1", "p")) == [
        ("a", "int", None), ("p", "double", None)]  # fmt: skip
    assert fails(own, "DESCRIBE QUERY INSERT INTO t VALUES (1)")[0] == "PARSE_SYNTAX_ERROR"
    assert rows(own, "SELECT count(*) FROM t") == [(0,)]


def test_shows_of_a_warehouse(own):
    rows(own, "CREATE TABLE p (a INT NOT NULL, CONSTRAINT pk PRIMARY KEY (a))")
    rows(own, "CREATE TABLE f_1 (x INT, CONSTRAINT fk FOREIGN KEY (x) REFERENCES p (a))")
    assert ("own", "main") in rows(own, "SHOW SCHEMAS IN ALL CATALOGS LIKE 'o*'")
    found = rows(own, "SHOW TABLES IN CATALOG `main` SCHEMA LIKE 'ow.' LIKE 'f.1'")
    assert found == [("own", "f_1", False, None, "main", "TABLE", "")]
    assert len(rows(own, "SHOW TABLES IN ALL CATALOGS LIKE 'lineitem'")) == 1
    (column,) = rows(
        own, "SHOW COLUMNS IN CATALOG main SCHEMA LIKE 'own' TABLE LIKE 'p' LIKE '*'"
    )
    assert column[:5] == ("a", "main", "own", "p", "INT") and column[8] == "false"
    assert rows(own, "SHOW KEYS IN CATALOG main IN SCHEMA own IN TABLE p") == [
        ("main", "own", "p", "a", 1, "pk")]  # fmt: skip
    (key,) = rows(own, "SHOW FOREIGN KEYS IN CATALOG main IN SCHEMA own IN TABLE f_1")
    assert key[:8] == ("main", "own", "p", "a", "main", "own", "f_1", "x")
    assert key[12] == "fk"
    assert rows(own, "SHOW FUNCTIONS IN CATALOG main LIKE 'upper'")[0][0] == "upper"
