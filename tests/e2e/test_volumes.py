# SPDX-License-Identifier: Apache-2.0
"""PUT, GET and REMOVE on volumes: the client moves the bytes, between the store and those local
folders that an option names, and never touches another file."""

from __future__ import annotations

import hashlib
import http.client
import http.server
import os
import pathlib
import random
import re
import threading
import urllib.parse
from collections.abc import Iterator

import pytest
from harness import (
    AdbcConnection,
    AdbcStatement,
    AdbcStatusCode,
    Error,
    Task,
    Warehouse,
    connected,
    held,
    memory_kib,
    run,
    until,
    update,
    value,
)

FILE = "/Volumes/main/default/files/a.bin"


@pytest.fixture
def home(w: Warehouse, tmp_path: pathlib.Path) -> pathlib.Path:
    """The folder that is allowed; beside it lies what is not. No file is in a volume yet."""
    w.clear_volumes()
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (tmp_path / "secret").write_bytes(b"not for the store")
    return allowed


def allowing(*folders: pathlib.Path) -> dict[str, str]:
    return {"databricks.volume.allowed_local_paths": ",".join(map(str, folders))}


def put(conn: AdbcConnection, local: object, overwrite: bool = True) -> None:
    with run(conn, f"PUT '{local}' INTO '{FILE}'{' OVERWRITE' if overwrite else ''}") as read:
        table = read.reader.read_all()
        assert table.num_rows == 0 and table.num_columns == 0


def get(conn: AdbcConnection, local: object) -> None:
    update(conn, f"GET '{FILE}' TO '{local}'")


def stored(w: Warehouse) -> dict[str, str]:
    return {name: found["sha256"] for name, found in w.volumes().items()}


def only(home: pathlib.Path, *names: str) -> None:
    assert sorted(os.listdir(home)) == sorted(names)


def refused(call: Task, *parts: str) -> Error:
    error = call.failure(30)
    for part in parts:
        assert part in str(error), str(error)
    assert "http" not in re.sub(r"HTTP \d", "", str(error)).lower()
    assert "ignature" not in str(error)
    return error


@pytest.mark.parametrize("size", [0, 1, 1000, 3_000_000])
def test_there_and_back(w: Warehouse, home: pathlib.Path, size: int) -> None:
    data = random.Random(size).randbytes(size)
    (home / "out").write_bytes(data)
    with connected(w, allowing(home)) as conn:
        put(conn, home / "out")
        assert list(stored(w).values()) == [hashlib.sha256(data).hexdigest()]
        get(conn, home / "back")
        assert (home / "back").read_bytes() == data
        get(conn, home / "back")
        only(home, "out", "back")
        update(conn, f"REMOVE '{FILE}'")
        assert stored(w) == {}
    w.wait("operations_open", 0, at_most=True)


def test_large_file_is_never_in_memory(w: Warehouse, home: pathlib.Path) -> None:
    size = 96 << 20
    with open(home / "out", "wb") as file:
        file.truncate(size)
    with connected(w, allowing(home)) as conn:
        value(conn, "SELECT 1")
        before = memory_kib("VmHWM")
        put(conn, home / "out")
        get(conn, home / "back")
        assert os.stat(home / "back").st_size == size
        assert memory_kib("VmHWM") - before < 24 << 10


def test_without_the_option_no_file_is_touched(w: Warehouse, home: pathlib.Path) -> None:
    (home / "out").write_bytes(b"x")
    with connected(w) as conn:
        for call in (put, get):
            error = refused(Task(call, conn, home / "out"), "databricks.volume.allowed_local_paths")
            assert error.status_code == AdbcStatusCode.INVALID_ARGUMENT
        assert (home / "out").read_bytes() == b"x"
    only(home, "out")
    assert stored(w) == {}


def test_tricks_with_paths(w: Warehouse, home: pathlib.Path) -> None:
    outside = home.parent
    (home / "sub").mkdir()
    os.symlink(outside / "secret", home / "link")
    os.symlink(outside, home / "up")
    os.mkfifo(home / "fifo")
    before = sorted(os.listdir(home))
    with connected(w, allowing(home)) as conn:
        for path in (
            outside / "secret",
            f"{home}/../secret",
            f"{home}/./../secret",
            f"{home}//sub/../../secret",
            f"{home}/link",
            f"{home}/up/secret",
            f"{home}/fifo",
            f"{home}/sub",
            f"{home}",
            f"{home}-more/secret",
            "secret",
            "/etc/passwd",
        ):
            refused(Task(put, conn, path), "local file")
        for path in (
            f"{home}/../made",
            f"{home}/up/made",
            f"{home}/sub",
            f"{outside}/made",
            "made",
        ):
            with pytest.raises(Error):
                get(conn, path)
    assert stored(w) == {}
    assert sorted(os.listdir(home)) == before
    assert sorted(os.listdir(outside)) == ["allowed", "secret"]
    assert (outside / "secret").read_bytes() == b"not for the store"


def test_get_replaces_a_link_and_not_what_it_shows(w: Warehouse, home: pathlib.Path) -> None:
    (home / "out").write_bytes(b"new")
    os.symlink(home.parent / "secret", home / "target")
    with connected(w, allowing(home)) as conn:
        put(conn, home / "out")
        get(conn, home / "target")
    assert not os.path.islink(home / "target")
    assert (home / "target").read_bytes() == b"new"
    assert (home.parent / "secret").read_bytes() == b"not for the store"


def test_several_folders(w: Warehouse, home: pathlib.Path) -> None:
    other = home.parent / "other"
    other.mkdir()
    (home / "out").write_bytes(b"x")
    with connected(w, allowing(home, other)) as conn:
        put(conn, home / "out")
        get(conn, other / "back")
    assert (other / "back").read_bytes() == b"x"


def test_overwrite_is_the_servers_decision(w: Warehouse, home: pathlib.Path) -> None:
    (home / "out").write_bytes(b"1")
    with connected(w, allowing(home)) as conn:
        put(conn, home / "out", overwrite=False)
        (home / "out").write_bytes(b"2")
        with pytest.raises(Error):
            put(conn, home / "out", overwrite=False)
        assert list(stored(w).values()) == [hashlib.sha256(b"1").hexdigest()]
        put(conn, home / "out")
        assert list(stored(w).values()) == [hashlib.sha256(b"2").hexdigest()]


@pytest.mark.parametrize("fault", ["expired_link", {"kind": "status", "code": 503}, "refuse"])
def test_store_that_fails(w: Warehouse, home: pathlib.Path, fault: object) -> None:
    (home / "out").write_bytes(b"x" * 5000)
    with connected(w, allowing(home), {"databricks.retry_timeout_seconds": "1"}) as conn:
        put(conn, home / "out")
        w.fault(fault, "storage", times=0)
        refused(Task(put, conn, home / "out"), "PUT")
        refused(Task(get, conn, home / "back"), "GET")
        refused(Task(update, conn, f"REMOVE '{FILE}'"), "REMOVE")
        w.clear_faults()
        only(home, "out")
        assert len(stored(w)) == 1
    w.wait("operations_open", 0, at_most=True)


def tries(w: Warehouse, method: str) -> int:
    """Requests so far."""
    return w.stats()["requests"].get(f"storage {method}", 0)


#: Transfers by the method that the store sees.
def transfer(method: str, home: pathlib.Path) -> str:
    return {
        "PUT": f"PUT '{home / 'out'}' INTO '{FILE}' OVERWRITE",
        "GET": f"GET '{FILE}' TO '{home / 'back'}'",
        "DELETE": f"REMOVE '{FILE}'",
    }[method]


@pytest.mark.parametrize("size", [5000, 5_000_000])  # of which one fits into the pipe
@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_busy_store_is_asked_again(
    w: Warehouse, home: pathlib.Path, method: str, code: int, size: int
) -> None:
    """A file is sent anew from its beginning, and read from the beginning of the reply."""
    old, new = random.Random(1).randbytes(size), random.Random(2).randbytes(size)
    (home / "out").write_bytes(old)
    with connected(w, allowing(home)) as conn:
        put(conn, home / "out")
        (home / "out").write_bytes(new)
        before = tries(w, method)
        w.fault({"kind": "status", "code": code}, {"storage": method})
        update(conn, transfer(method, home))
        assert tries(w, method) == before + 2
    if method == "PUT":
        assert list(stored(w).values()) == [hashlib.sha256(new).hexdigest()]
    elif method == "GET":
        assert (home / "back").read_bytes() == old
    else:
        assert stored(w) == {}
    only(home, *(["out", "back"] if method == "GET" else ["out"]))


def test_store_that_closes_before_a_byte_of_the_file(w: Warehouse, home: pathlib.Path) -> None:
    (home / "out").write_bytes(b"x" * 5000)
    with connected(w, allowing(home)) as conn:
        put(conn, home / "out")
        w.fault("refuse", {"storage": "GET"})
        get(conn, home / "back")
    assert (home / "back").read_bytes() == b"x" * 5000


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_may_have_been_done_is_not_repeated(
    w: Warehouse, home: pathlib.Path, method: str
) -> None:
    (home / "out").write_bytes(b"x" * 5000)
    with connected(w, allowing(home)) as conn:
        put(conn, home / "out")
        before = tries(w, method)
        w.fault({"kind": "status", "code": 500}, {"storage": method})
        refused(Task(update, conn, transfer(method, home)), "HTTP 500")
        assert tries(w, method) == before + 1


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_cancel_while_the_store_is_busy(w: Warehouse, home: pathlib.Path, method: str) -> None:
    (home / "out").write_bytes(b"x" * 5_000_000)
    patient = {"databricks.retry_timeout_seconds": "600"}
    with connected(w, allowing(home), patient) as conn, AdbcStatement(conn) as stmt:
        put(conn, home / "out")
        before = tries(w, method)
        fault = {"kind": "status", "code": 503, "retry_after": 60}
        w.fault(fault, {"storage": method}, times=0)
        stmt.set_sql_query(transfer(method, home))
        task = Task(stmt.execute_update)
        until("a first try", lambda: tries(w, method) > before)
        stmt.cancel()
        assert task.failure(20).status_code == AdbcStatusCode.CANCELLED
        w.clear_faults()
        only(home, "out")
    w.wait("operations_open", 0, at_most=True)


def test_reply_that_is_cut_leaves_no_file(w: Warehouse, home: pathlib.Path) -> None:
    (home / "out").write_bytes(b"x" * 500_000)
    (home / "back").write_bytes(b"as it was")
    with connected(w, allowing(home)) as conn:
        put(conn, home / "out")
        w.fault({"kind": "truncate", "bytes": 100_000}, {"storage": "GET"})
        refused(Task(get, conn, home / "back"), "GET")
        only(home, "out", "back")
        assert (home / "back").read_bytes() == b"as it was"


@pytest.mark.parametrize("code", [201, 202, 204, 206, 302])
def test_what_is_not_the_whole_file_replaces_none(
    w: Warehouse, home: pathlib.Path, code: int
) -> None:
    (home / "out").write_bytes(b"x" * 500)
    (home / "back").write_bytes(b"as it was")
    with connected(w, allowing(home)) as conn:
        put(conn, home / "out")
        w.fault({"kind": "status", "code": code}, {"storage": "GET"})
        refused(Task(get, conn, home / "back"), "GET: the store", f"answered HTTP {code}")
    only(home, "out", "back")
    assert (home / "back").read_bytes() == b"as it was"


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_cancel_of_a_transfer(w: Warehouse, home: pathlib.Path, method: str) -> None:
    (home / "out").write_bytes(b"x" * 5_000_000)
    with connected(w, allowing(home)) as conn, AdbcStatement(conn) as stmt:
        put(conn, home / "out")
        w.fault("hang", {"storage": method})
        local = home / ("out" if method == "PUT" else "back")
        put_sql = f"PUT '{local}' INTO '{FILE}' OVERWRITE"
        stmt.set_sql_query(put_sql if method == "PUT" else f"GET '{FILE}' TO '{local}'")
        task = Task(stmt.execute_update)
        held(w)
        stmt.cancel()
        assert task.failure(20).status_code == AdbcStatusCode.CANCELLED
        w.clear_faults()
        w.release()
        only(home, "out")
    w.wait("operations_open", 0, at_most=True)


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_transfer_ends_with_the_time_of_its_statement(
    w: Warehouse, home: pathlib.Path, method: str
) -> None:
    (home / "out").write_bytes(b"x" * 5000)
    limit = {"databricks.query_timeout_seconds": "1"}
    patient = {"databricks.request_timeout_seconds": "60"}
    with connected(w, allowing(home), patient) as conn, AdbcStatement(conn) as stmt:
        put(conn, home / "out")
        w.fault("hang", {"storage": method})
        stmt.set_options(**limit)
        sql = {"PUT": f"PUT '{home / 'out'}' INTO '{FILE}' OVERWRITE",
               "GET": f"GET '{FILE}' TO '{home / 'back'}'",
               "DELETE": f"REMOVE '{FILE}'"}  # fmt: skip
        stmt.set_sql_query(sql[method])
        error = Task(stmt.execute_update).failure(20)
        assert error.status_code == AdbcStatusCode.TIMEOUT
        assert "databricks.query_timeout_seconds" in str(error)
        w.clear_faults()
        w.release()
        only(home, "out")
    w.wait("operations_open", 0, at_most=True)


def test_option_is_for_connections_too(w: Warehouse, home: pathlib.Path) -> None:
    (home / "out").write_bytes(b"x")
    with connected(w) as conn:
        with pytest.raises(Error):
            with AdbcStatement(conn) as stmt:
                stmt.set_options(**allowing(home))


def test_log_tells_no_url(w: Warehouse, home: pathlib.Path, capfd: pytest.CaptureFixture) -> None:
    (home / "out").write_bytes(b"x")
    with connected(w, allowing(home), {"databricks.log_level": "debug"}) as conn:
        put(conn, home / "out")
        w.fault("expired_link", "storage")
        with pytest.raises(Error):
            get(conn, home / "back")
    told = capfd.readouterr().err
    store = w.storage.removeprefix("http://")
    assert store in told
    assert store + "/" not in told and "http://" not in told


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes requests on to the host that they name, and remembers them."""

    asked: list[str]

    def handle_one(self) -> None:
        type(self).asked.append(f"{self.command} {urllib.parse.urlsplit(self.path).netloc}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urllib.parse.urlsplit(self.path)
        there = http.client.HTTPConnection(url.netloc, timeout=10)
        there.request(self.command, f"{url.path}?{url.query}", body, dict(self.headers))
        reply = there.getresponse()
        data = reply.read()
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        there.close()

    do_GET = do_PUT = do_DELETE = handle_one

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy's URL and what it was asked for."""
    asked: list[str] = []
    handler = type("Handler", (Proxy,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_store_behind_a_proxy_of_its_own(
    w: Warehouse, home: pathlib.Path, proxy: tuple[str, list[str]]
) -> None:
    url, asked = proxy
    data = random.Random(1).randbytes(100_000)
    (home / "out").write_bytes(data)
    with connected(w, allowing(home), {"databricks.cloudfetch.proxy": url}) as conn:
        put(conn, home / "out")
        get(conn, home / "back")
    assert (home / "back").read_bytes() == data
    store = w.storage.removeprefix("http://")
    assert asked == [f"PUT {store}", f"GET {store}"]  # and nothing for the server


def test_store_that_cannot_be_reached(w: Warehouse, home: pathlib.Path) -> None:
    (home / "out").write_bytes(b"x")
    option = {"databricks.cloudfetch.proxy": "http://user:sesame@127.0.0.1:1"}
    with connected(w, allowing(home), option) as conn:
        with pytest.raises(Error, match="databricks.cloudfetch.proxy") as failed:
            put(conn, home / "out")
        assert "sesame" not in str(failed.value) and "X-" not in str(failed.value)


def test_certificates_of_a_store(own_warehouse, home: pathlib.Path, tmp_path) -> None:
    (home / "out").write_bytes(b"x")
    w = own_warehouse(tls=True)
    own = tmp_path / "empty.pem"
    own.write_text("")
    with connected(w, allowing(home), {"databricks.cloudfetch.ca_file": str(w.ca_file)}) as conn:
        put(conn, home / "out")
    with connected(w, allowing(home), {"databricks.cloudfetch.ca_file": str(own)}) as conn:
        with pytest.raises(Error, match="databricks.cloudfetch.ca_file"):
            put(conn, home / "out")
