# SPDX-License-Identifier: Apache-2.0
"""The driver under Python's driver manager: found by its file's name, options in any order, its
errors and streams wrapped, moved and released in the manager's way."""

from __future__ import annotations

import ctypes
import gc
import itertools
import pathlib

import adbc_driver_manager as manager
import pyarrow as pa
import pytest
from harness import (
    DRIVER,
    PAGED,
    AdbcConnection,
    AdbcDatabase,
    AdbcStatement,
    AdbcStatusCode,
    Error,
    Warehouse,
    connected,
    database,
    details,
    execute,
    login,
    run,
    value,
)

SIXTY = "SELECT id FROM range(60)"


def test_both_names_of_the_init_function() -> None:
    """The name that the library's file gives, and the recommended one."""
    stem = pathlib.Path(DRIVER).name.partition(".")[0].removeprefix("lib")
    named = "".join(part.capitalize() for part in stem.split("_")) + "Init"
    library = ctypes.CDLL(DRIVER)
    for name in (named, "AdbcDriverInit"):
        init = getattr(library, name)
        init.restype = ctypes.c_uint8
        room = ctypes.create_string_buffer(1024)
        assert init(ctypes.c_int(1001000), room, None) == 0
        assert init(ctypes.c_int(1), room, None) == AdbcStatusCode.NOT_IMPLEMENTED


@pytest.mark.parametrize("entrypoint", ["AdbcDriverInit", "AdbcDriverLakebeatInit", None])
def test_entrypoints(w: Warehouse, entrypoint: str | None) -> None:
    options = {"driver": DRIVER, **login(w)}
    if entrypoint:
        options["entrypoint"] = entrypoint
    with AdbcDatabase(**options) as db, AdbcConnection(db) as conn:
        assert value(conn, "SELECT 1") == 1


def test_options_in_every_order(w: Warehouse) -> None:
    options = {**login(w), "databricks.max_rows_per_fetch": "20"}
    for order in itertools.permutations(options.items()):
        with AdbcDatabase(driver=DRIVER, **dict(order)) as db:
            assert db.get_option("databricks.max_rows_per_fetch") == "20"
            assert db.get_option("uri") == w.uri


def test_login_with_username_and_password(w: Warehouse) -> None:
    """`token` as the user name says that the password is a token."""
    options = {"uri": w.uri, "username": "token", "password": w.token}
    with AdbcDatabase(driver=DRIVER, **options) as db, AdbcConnection(db) as conn:
        assert value(conn, "SELECT 1") == 1
        assert db.get_option("username") == "token"
        with pytest.raises(Error) as caught:
            db.get_option("password")
        assert caught.value.status_code == AdbcStatusCode.NOT_FOUND
        assert w.token not in str(caught.value)
    with pytest.raises(Error) as caught:
        wrong = AdbcDatabase(driver=DRIVER, **{**options, "password": "wrong"})
        AdbcConnection(wrong)
    assert caught.value.status_code == AdbcStatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("kind", ["database", "connection", "statement"])
def test_options_of_unknown_names(w: Warehouse, kind: str) -> None:
    with database(w) as db, AdbcConnection(db) as conn, AdbcStatement(conn) as stmt:
        handle = {"database": db, "connection": conn, "statement": stmt}[kind]
        for option in ("x", b"x", 1, 0.5):
            with pytest.raises(Error) as caught:
                handle.set_options(**{"no.such.option": option})
            assert caught.value.status_code == AdbcStatusCode.NOT_IMPLEMENTED, option
        for get in (handle.get_option, handle.get_option_bytes, handle.get_option_int,
                    handle.get_option_float):  # fmt: skip
            with pytest.raises(Error) as caught:
                get("no.such.option")
            assert caught.value.status_code == AdbcStatusCode.NOT_FOUND


def test_long_option_values_come_whole(w: Warehouse) -> None:
    """The manager asks with a small buffer first."""
    long = "x" * 60_000
    key = "databricks.session_conf.conform"
    with database(w) as db:
        db.set_options(**{key: long})
        assert db.get_option(key) == long
        assert db.get_option_bytes(key) == long.encode()


def test_progress_is_a_number_or_not_found(w: Warehouse) -> None:
    with connected(w, PAGED) as conn, AdbcStatement(conn) as stmt:
        read = execute(stmt, SIXTY)
        for name in ("adbc.statement.exec.progress", "adbc.statement.exec.max_progress"):
            try:
                assert stmt.get_option_float(name) >= 0
            except Error as error:
                assert error.status_code == AdbcStatusCode.NOT_FOUND
        read.release_stream()


def test_error_of_a_stream_comes_with_its_details(w: Warehouse) -> None:
    with connected(w, PAGED) as conn, run(conn, SIXTY) as read:
        assert read.rows(10) == list(range(10))
        query = read.query_id
        w.fault({"kind": "error", "sqlstate": "22012", "message": "no more"}, "FetchResults")
        with pytest.raises(Error) as caught:
            read.rest()
        assert caught.value.status_code == AdbcStatusCode.INVALID_DATA
        assert caught.value.sqlstate == "22012"
        assert "no more" in str(caught.value)
        assert details(caught.value)["query_id"] == query


def test_streams_outlive_what_made_them(w: Warehouse) -> None:
    db = database(w, PAGED)
    conn = AdbcConnection(db)
    stmt = AdbcStatement(conn)
    read = execute(stmt, SIXTY)
    handles = [
        conn.get_info(),
        conn.get_objects(manager.GetObjectsDepth.ALL),
        conn.get_table_types(),
    ]
    readers = [pa.RecordBatchReader._import_from_c(handle.address) for handle in handles]
    for owner in (stmt, conn, db):
        owner.close()
    gc.collect()
    assert read.rest() == list(range(60))
    for reader in readers:
        assert reader.read_all().num_rows > 0
    read.release_stream()


def test_nothing_can_be_cancelled_where_nothing_runs(w: Warehouse) -> None:
    with connected(w) as conn, AdbcStatement(conn) as stmt:
        for handle in (conn, stmt):
            with pytest.raises(Error) as caught:
                handle.cancel()
            assert caught.value.status_code == AdbcStatusCode.INVALID_STATE
