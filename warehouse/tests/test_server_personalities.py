# SPDX-License-Identifier: Apache-2.0
"""Spark and Hive, as their real servers answer."""

import base64
import struct

import pytest
from databricks.sql.thrift_api.TCLIService import ttypes as t

from warehouse.testing import Warehouse
from warehouse.tests.thrift_client import Client, HttpError, column_values, rows_of

ROWS = "SELECT id FROM range(0, 100, 1, 1)"


@pytest.fixture(scope="module")
def servers():
    with Warehouse(personality="spark") as spark, Warehouse(personality="hive") as hive:
        yield {"spark": spark, "hive": hive}
        assert "Traceback" not in spark.stderr + hive.stderr


@pytest.fixture(params=["spark", "hive"])
def w(servers, request):
    return servers[request.param]


@pytest.fixture
def c(w):
    client = Client(w)
    client.open(None)
    yield client
    client.close()


@pytest.fixture
def spark(servers):
    client = Client(servers["spark"])
    client.open(None)
    return client


@pytest.fixture
def hive(servers):
    client = Client(servers["hive"])
    client.open(None)
    return client


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_announced_uri(w):
    assert w.uri.endswith("/cliservice") and w.token is None


@pytest.mark.parametrize("auth", ["", basic("u:"), basic(":p"), basic("u")])
def test_sign_in_is_refused(w, auth):
    with pytest.raises(HttpError) as info:
        Client(w, auth=auth).open(None)
    assert info.value.status == 401
    assert info.value.body.startswith(b"Authentication Error: ")
    assert "www-authenticate" not in info.value.headers


def test_cookie(w):
    c = Client(w)
    c.open(None)
    cookie = c.last_headers["set-cookie"].split(";")[0]
    body = c.encode("GetInfo", t.TGetInfoReq(c.session, 17))
    c.auth = ""
    assert c.post(body, Cookie=cookie)[0] == 200
    bad = cookie[:-4] + "AAA="
    spark = w.personality == "spark"
    assert c.post(body, Cookie=bad)[0] == (500 if spark else 401)
    c.auth = basic("u:p")
    assert c.post(body, Cookie=bad)[0] == (500 if spark else 200)


@pytest.mark.parametrize("path", ["/", "/sql/1.0/warehouses/x"])
def test_other_paths(c, path):
    assert c.post(b"", path=path)[0] == 405
    assert c.post(b"nonsense")[0] == 500


@pytest.mark.parametrize("offered", [5, 7, 9, 10])
def test_protocol_is_echoed(w, offered):
    assert Client(w).open(None, client_protocol=offered).serverProtocolVersion == offered


def test_protocol_left_out(w):
    answer = Client(w).open(0xA508)
    assert answer.serverProtocolVersion == 9 and answer.canUseMultipleCatalogs is None


@pytest.mark.parametrize("offered", [-7, 0xA508, 11])
def test_protocol_outside_the_enum(w, offered):
    c = Client(w)
    status, body = c.post(
        c.encode("OpenSession", t.TOpenSessionReq(client_protocol=offered))
    )
    assert status == 200 and body[3] == 3 and b"'client_protocol' is unset" in body


def test_no_databricks_fields_and_chunked(c):
    status, body = c.post(
        c.encode(
            "ExecuteStatement",
            t.TExecuteStatementReq(
                c.session,
                "SELECT 1",
                runAsync=True,
                canReadArrowResult=True,
                getDirectResults=t.TSparkGetDirectResults(10, 100),
            ),
        )
    )
    assert status == 200 and c.last_headers["transfer-encoding"] == "chunked"
    for number in (1281, 1282, 3329, 3330):
        assert struct.pack(">h", number) not in body


def test_server_names(w, c):
    def info(kind):
        return c.call("GetInfo", t.TGetInfoReq(c.session, kind)).infoValue.stringValue

    assert info(17) == ("Spark SQL" if w.personality == "spark" else "Apache Hive")
    assert info(13) == ("Spark SQL" if w.personality == "spark" else "Hive")
    assert info(18)[0] == "4"
    with pytest.raises(HttpError) as refused:
        info(30)
    assert refused.value.status == 500


def test_dead_session(w, c):
    c.close_session()
    status = c.close_session().status
    assert status.errorMessage.startswith("Session does not exist")
    answer = c.execute("SELECT 1").status
    assert answer.statusCode == 3 and answer.errorMessage.startswith(
        "Invalid SessionHandle"
    )
    req = t.TGetInfoReq(c.session, 17)
    if w.personality == "spark":
        assert c.call("GetInfo", req).infoValue.stringValue == "Spark SQL"
    else:
        with pytest.raises(HttpError):
            c.call("GetInfo", req)


def test_has_more_rows_is_always_false(w, c):
    handle = c.run(ROWS)
    assert handle.hasResultSet
    seen, offsets = [], []
    while True:
        answer = c.fetch(handle, 30)
        assert answer.hasMoreRows is False
        offsets.append(answer.results.startRowOffset)
        page = column_values(answer.results.columns[0])
        if not page:
            break
        seen += page
    assert seen == list(range(100))
    assert offsets == ([0, 30, 60, 90, 100] if w.personality == "spark" else [0] * 5)


def test_hive_cuts_pages(servers):
    c = Client(servers["hive"])
    c.open(None)
    handle = c.run("SELECT id FROM range(0, 25000, 1, 1)")
    sizes = [
        len(column_values(c.fetch(handle, 20_000).results.columns[0])) for _ in range(4)
    ]
    assert sizes == [10_000, 10_000, 5_000, 0]


@pytest.mark.parametrize("rows", [-1, -(2**63), 2**31, 2**32])
def test_odd_row_counts_on_spark(spark, rows):
    handle = spark.run(ROWS)
    assert column_values(spark.fetch(handle, rows).results.columns[0]) == []
    assert len(rows_of(spark.fetch(handle, 2**32 + 2).results)) == 2


def test_odd_row_counts_on_hive(hive):
    handle = hive.run(ROWS)
    assert "fromIndex" in hive.fetch(handle, -1).status.errorMessage
    assert len(rows_of(hive.fetch(handle, 2**32).results)) == 100


@pytest.mark.parametrize(("orientation", "kept"), [(4, True), (1, None), (5, False)])
def test_orientations(w, c, orientation, kept):
    handle = c.run(ROWS)
    c.fetch(handle, 10)
    answer = c.fetch(handle, 10, orientation=orientation)
    if kept is None:
        kept = w.personality == "spark"
    if kept:
        assert column_values(answer.results.columns[0]) == list(range(10))
    else:
        assert (answer.status.statusCode, answer.status.sqlState) == (3, "HY106")


def test_positions_and_qualifiers(w, c):
    meta = c.metadata(c.run("SELECT 1 AS a, CAST(1 AS DECIMAL(9,2)) AS d"))
    assert meta.resultFormat is None
    first, second = meta.schema.columns
    spark = w.personality == "spark"
    assert [first.position, second.position] == ([0, 1] if spark else [1, 2])
    assert first.comment == ("" if spark else None)
    qualifiers = first.typeDesc.types[0].primitiveEntry.typeQualifiers
    assert (qualifiers is not None) == spark
    held = second.typeDesc.types[0].primitiveEntry.typeQualifiers.qualifiers
    assert (held["precision"].i32Value, held["scale"].i32Value) == (9, 2)


def test_null_bitmaps(w, c):
    def bitmap(sql):
        return c.fetch(c.run(sql), 100).results.columns[0].i64Val.nulls

    none = b"" if w.personality == "spark" else b"\0"
    assert bitmap("SELECT id FROM range(0, 20, 1, 1)") == none
    assert bitmap("SELECT nullif(id, 7) FROM range(0, 20, 1, 1) ORDER BY id") == b"\x80"


def test_types(w, c):
    handle = c.run(
        "SELECT CAST(0.1 AS FLOAT) AS f, CAST('12.340' AS DECIMAL(10,3)) AS d, "
        "named_struct('f', 1, 's', 'x', 'n', CAST(NULL AS INT), 'd', DATE '2024-01-01') AS st, "
        "array(CAST(1.5 AS DECIMAL(4,2))) AS a, X'00FF' AS b"
    )
    assert rows_of(c.fetch(handle).results) == [
        (0.1, "12.340", '{"f":1,"s":"x","n":null,"d":2024-01-01}', "[1.50]", b"\0\xff")
    ]


def test_schema_asked_too_early_on_spark(spark):
    handle = spark.execute("SELECT sleep_ms(600) AS x").operationHandle
    for _ in range(2):
        names = [column.columnName for column in spark.metadata(handle).schema.columns]
        assert names == ["Result"]
        spark.until_done(handle)
    handle = spark.run("SELECT 1 AS x")
    assert spark.metadata(handle).schema.columns[0].columnName == "x"


def test_errors_on_spark(spark):
    answer = spark.execute("SELEC 1")
    assert answer.status.statusCode == 0 and answer.operationHandle is not None
    found = spark.until_done(answer.operationHandle)
    assert (found.operationState, found.sqlState, found.errorCode) == (5, "42601", 0)
    assert found.errorMessage.startswith(
        "org.apache.hive.service.cli.HiveSQLException: Error running query: [PARSE_SYNTAX_ERROR]"
    )
    assert "\n\tat " in found.errorMessage and found.displayMessage is None
    fetched = spark.fetch(answer.operationHandle).status
    assert fetched.errorMessage == "Expected state FINISHED, but found ERROR"
    answer = spark.execute("SELEC 1", run_async=False)
    assert answer.operationHandle is None and answer.status.sqlState == "42601"


def test_errors_on_hive(hive):
    status = hive.execute("SELEC 1").status
    assert (status.statusCode, status.sqlState, status.errorCode) == (3, "42000", 40000)
    assert status.errorMessage.startswith("Error while compiling statement: FAILED:")
    assert status.infoMessages == ["Server-side error; please check HS2 logs."]
    status = hive.execute("SELECT * FROM nowhere").status
    assert (status.sqlState, status.errorCode) == ("42S02", 10001)
    found = hive.until_done(hive.execute("SELECT 1/0").operationHandle)
    assert (found.operationState, found.sqlState, found.errorCode) == (5, None, 1)


def test_status_fields(w, c):
    found = c.until_done(c.execute("SELECT 1").operationHandle)
    assert (found.operationCompleted is not None) == (w.personality == "hive")


def test_statements_without_rows(w, c):
    handle = c.run("CREATE TABLE IF NOT EXISTS made (a INT)")
    if w.personality == "spark":
        assert c.metadata(handle).schema.columns[0].columnName == "Result"
        assert c.fetch(handle).results.columns == []
    else:
        assert c.status(handle).hasResultSet is False
        assert c.metadata(handle).status.statusCode == 3
        assert c.fetch(handle).status.statusCode == 3


def test_timeout_has_no_message(c):
    handle = c.execute("SELECT sleep_ms(20000)", queryTimeout=1).operationHandle
    found = c.until_done(handle)
    assert (
        found.operationState == 8
        and found.errorMessage is None
        and found.sqlState is None
    )


def test_changed_operation_type_is_another_handle(c):
    handle = c.run("SELECT 1")
    handle.operationType = 4
    assert "opType=GET_TABLES" in c.status(handle).status.errorMessage


def test_catalogs_have_no_names(c):
    def rows(name, req):
        return rows_of(c.fetch(c.call(name, req).operationHandle).results)

    assert rows("GetCatalogs", t.TGetCatalogsReq(c.session)) == []
    assert {row[1] for row in rows("GetSchemas", t.TGetSchemasReq(c.session))} == {""}


def test_catalog_answers_of_each_engine(c, w):
    def table(name, req):
        handle = c.call(name, req).operationHandle
        columns = c.metadata(handle).schema.columns
        return [column.columnName for column in columns], rows_of(
            c.fetch(handle).results
        )

    names, rows = table("GetTypeInfo", t.TGetTypeInfoReq(c.session))
    assert len(rows) == {"spark": 20, "hive": 23}[w.personality] and names[2] == (
        "PRECISION"
    )
    names, rows = table("GetPrimaryKeys", t.TGetPrimaryKeysReq(c.session, None, "s", "t"))
    assert names[4] == {"spark": "KEQ_SEQ", "hive": "KEY_SEQ"}[w.personality]
    c.run("CREATE TABLE catalog_answers (d DECIMAL(10,2))")
    _, rows = table(
        "GetColumns", t.TGetColumnsReq(c.session, "any", "default", "catalog_answers")
    )
    kinds = {"spark": ("DECIMAL(10,2)", 8), "hive": ("DECIMAL", 10)}
    assert [(row[0], *row[5:7]) for row in rows] == [(None, *kinds[w.personality])]
    c.run("DROP TABLE catalog_answers")


def test_hive_session_answer(hive, servers):
    answer = Client(servers["hive"]).open(None)
    assert (
        answer.configuration["hive.server2.thrift.resultset.default.fetch.size"] == "1000"
    )


def test_database_of_the_session(w):
    answer = Client(w).open(None, configuration={"use:database": "nope"})
    assert answer.status.statusCode == 3
    assert answer.status.errorMessage.startswith("Failed to open new session: ")
    answer = Client(w).open(None, configuration={"set:hiveconf:hive.nope.x": "1"})
    assert "hive.nope.x does not exists" in answer.status.errorMessage


def test_char_and_varchar_of_columns_and_of_casts(c, w):
    c.run("CREATE TABLE chars (c CHAR(4), v VARCHAR(7), s STRING)")
    c.run("INSERT INTO chars VALUES ('ab', 'cd', 'ef')")
    handle = c.run("SELECT c, v, s, upper(v), CAST(s AS VARCHAR(3)) FROM chars")
    found = []
    for column in c.metadata(handle).schema.columns:
        entry = column.typeDesc.types[0].primitiveEntry
        named = entry.typeQualifiers.qualifiers if entry.typeQualifiers else {}
        found.append((entry.type, {k: v.i32Value for k, v in named.items()}))
    length = "characterMaximumLength"
    assert found == [(19, {length: 4}), (18, {length: 7}), (7, {}), (7, {}), (7, {})]
    assert rows_of(c.fetch(handle).results) == [("ab  ", "cd", "ef", "CD", "ef")]
    asked = t.TGetColumnsReq(c.session, None, "default", "chars")
    rows = rows_of(c.fetch(c.call("GetColumns", asked).operationHandle).results)
    names = {"spark": ["CHAR(4)", "VARCHAR(7)"], "hive": ["CHAR", "VARCHAR"]}
    assert [row[5] for row in rows][:2] == names[w.personality]
    assert [row[4] for row in rows] == [1, 12, 12]
    c.run("DROP TABLE chars")


def test_variant_has_no_metadata_on_spark(c, w):
    handle = c.run("""SELECT parse_json('{"a":1}') AS v""")
    status = c.metadata(handle).status
    if w.personality == "spark":
        assert "Unrecognized type name: variant" in status.errorMessage
    assert rows_of(c.fetch(handle).results) == [('{"a":1}',)]
