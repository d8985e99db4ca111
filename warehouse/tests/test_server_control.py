# SPDX-License-Identifier: Apache-2.0
"""The control port, starting and stopping."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from databricks.sql.thrift_api.TCLIService import ttypes as t

from warehouse.testing import ControlError, Warehouse
from warehouse.tests.thrift_client import Client, HttpError, ident, rows_of

ROWS = "SELECT id FROM range(0, 100, 1, 1)"


@pytest.fixture(scope="module")
def w():
    with Warehouse(no_samples=True) as warehouse:
        yield warehouse
        assert "Traceback" not in warehouse.stderr


@pytest.fixture
def c(w):
    client = Client(w)
    client.open()
    yield client
    client.close()


def test_stats(w, c):
    w.reset()
    handle = c.run(ROWS)
    c.fetch(handle)
    found = w.stats()
    assert (
        found["requests"]["ExecuteStatement"] == 1
        and found["requests"]["FetchResults"] == 1
    )
    assert found["requests_total"] == sum(found["requests"].values())
    assert found["bytes_in"] > 0 and found["bytes_out"] > found["bytes_in"]
    assert found["operations_open"] == 1 and found["connections_open"] >= 1
    assert found["personality"] == "databricks" and found["answers"]["200"] >= 3
    c.close_operation(handle)
    assert w.stats()["operations_open"] == 0


def test_operations(w, c):
    handle = c.run(ROWS)
    found = w.operation(ident(handle))
    assert found["statement"] == ROWS and found["state"] == "FINISHED" and found["open"]
    assert found["session"] == ident(c.session) and found["rows"] == 100
    assert found["requests"]["ExecuteStatement"] == 1
    assert found["id"] in [op["id"] for op in w.operations(open_only=True)]
    with pytest.raises(ControlError) as info:
        w.operation("no-such-id")
    assert info.value.status == 404
    assert "secret" not in json.dumps(found)


def test_requests(w, c):
    handle = c.run(ROWS)
    c.fetch(handle)
    (entry,) = w.requests(rpc="FetchResults", operation=ident(handle))
    assert entry["status"] == 200 and entry["user_agent"] == "tests/1.0"
    assert entry["reused"] and entry["bytes_out"] > 100 and entry["milliseconds"] > 0
    assert w.token not in json.dumps(w.requests(limit=5000))


def test_clock(w):
    before = w.stats()["clock"]
    w.advance(90)
    w.advance("1.5m")
    after = w.stats()["clock"]
    assert after["advanced_seconds"] - before["advanced_seconds"] == pytest.approx(180)
    assert after["now"] - before["now"] >= 180
    for body in ({}, {"seconds": -1}, {"by": "soon"}, {"seconds": "x"}):
        with pytest.raises(ControlError) as info:
            w.call("POST", "/clock/advance", body)
        assert info.value.status == 400


def test_wait_blocks_until_it_happens(w, c):
    handle = c.run(ROWS)
    threading.Timer(0.3, lambda: Client(w).close_operation(handle)).start()
    started = time.monotonic()
    assert w.wait("close", operation=ident(handle)) == 1
    assert time.monotonic() - started >= 0.25
    assert w.wait("closed", operation=ident(handle)) == 1
    for body in ({"what": "luck"}, {"what": "rpc"}, {"what": "probe", "count": "x"}):
        with pytest.raises(ControlError) as info:
            w.call("POST", "/wait", body)
        assert info.value.status == 400


@pytest.mark.parametrize(
    ("what", "act"),
    [
        ("execute", lambda c: c.execute("SELECT 1")),
        ("finished", lambda c: c.execute("SELECT 1")),
        ("closed", lambda c: c.execute("SELECT 1", direct=1)),
        ("operations_open", lambda c: c.execute("SELECT 1")),
        ("connections_open", lambda c: None),
        ("sessions_open", lambda c: None),
    ],
)
def test_wait_wakes_up_when_it_happens(w, what, act):
    w.reset(sessions=True)
    count = w.stats()["connections_open"] + 1 if what == "connections_open" else 1

    def later():
        c = Client(w)
        c.open()
        act(c)
        time.sleep(2)
        c.close()

    thread = threading.Timer(0.2, later)
    thread.start()
    started = time.monotonic()
    w.wait(what, count, timeout=10)
    assert time.monotonic() - started < 1.5
    thread.join()


def test_wait_counts_each_kind(w):
    w.reset(sessions=True)
    c = Client(w)
    c.open()
    handle = c.execute("SELECT sleep_ms(10000)").operationHandle
    assert w.wait("execute") == 1
    w.settings(long_poll_ms=50)
    c.status(handle)
    w.settings(long_poll_ms=None)
    assert w.wait("status") == 1
    c.cancel(handle)
    assert w.wait("cancel") == 1 and w.wait("cancelled") == 1
    c.close_operation(handle)
    assert w.wait("rpc", rpc="CloseOperation") == 1
    c.close_session()
    assert w.wait("sessions_open", 0, at_most=True, timeout=5) == 0


def test_unknown_endpoint_lists_what_there_is(w):
    with pytest.raises(ControlError) as info:
        w.call("GET", "/nothing")
    assert info.value.status == 404 and "GET /stats" in info.value.body["endpoints"]
    request = urllib.request.Request(w.control + "/wait", b"{", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 400


def test_settings(w):
    assert w.settings(idle_operation_seconds=60)["idle_operation_seconds"] == 60
    assert "token" not in w.settings(idle_operation_seconds=1200)
    for bad in (
        {"port": 1},
        {"pending_ms": "x"},
        {"pending_ms": -1},
        {"direct_results": 1},
    ):
        with pytest.raises(ControlError) as info:
            w.settings(**bad)
        assert info.value.status == 400


def test_reset_with_sessions(w, c):
    handle = c.run(ROWS)
    found = w.reset(sessions=True)
    assert (found["sessions_open"], found["operations_open"], found["requests"]) == (
        0,
        0,
        {},
    )
    with pytest.raises(HttpError):
        c.status(handle)


def test_restart_drops_connections_and_handles(w):
    c = Client(w)
    c.open()
    handle = c.run(ROWS)
    c.fetch(handle, 1)
    before = w.stats()["generation"]
    assert w.restart() == before + 1
    assert w.wait("connections_open", 0, at_most=True, timeout=5) == 0
    c.close()
    with pytest.raises(HttpError) as info:
        c.fetch(handle, 1)
    assert info.value.status == 404


# --- starting and stopping -------------------------------------------------------------


def command(*arguments):
    return [sys.executable, "-m", "warehouse", *arguments]


def test_starts_in_under_two_seconds_and_announces_one_line():
    with Warehouse() as w:
        # Of the processor: how long that takes is the other programs' doing.
        assert w.stats()["cpu_seconds"] < 2
        assert w.uri == f"http://127.0.0.1:{w.port}/sql/1.0/warehouses/local"
        assert w.http_path == "/sql/1.0/warehouses/local" and w.host == "127.0.0.1"
        assert w.ca_file is None and w.token and w.info["pid"] == w._process.pid
        assert w.control.startswith("http://127.0.0.1:")
        assert w.stop() == 0
        assert w.stderr == ""


def test_taken_port_is_one_line_and_status_one():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        done = subprocess.run(
            command("--port", str(port)), capture_output=True, text=True, timeout=30
        )
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"127.0.0.1:{port}" in line and "in use" in line


@pytest.mark.parametrize(
    "arguments", [["--port", "x"], ["--personality", "oracle"], ["--nope"]]
)
def test_bad_arguments(arguments):
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_at_once_with_requests_hanging(number):
    with Warehouse(no_samples=True) as w:
        c = Client(w)
        c.open()
        w.fault("hang", "GetInfo")
        c.execute("SELECT sleep_ms(60000)")

        def hang():
            try:
                c.call("GetInfo", t.TGetInfoReq(c.session, 17))
            except Exception:  # noqa: BLE001
                pass

        thread = threading.Thread(target=hang)
        thread.start()
        w.wait("held")
        started = time.monotonic()
        os.kill(w.info["pid"], number)
        assert w._process.wait(5) == 0
        assert time.monotonic() - started < 1
        thread.join(5)
        assert not thread.is_alive()


def test_stops_with_its_parent(tmp_path):
    script = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-m', 'warehouse', '--port', '0', "
        "'--no-samples', '--stop-with-parent'], stdout=subprocess.PIPE, text=True)\n"
        "print(p.stdout.readline(), flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    )
    found = json.loads(parent.stdout.readline())
    parent.kill()
    parent.wait()
    due = time.monotonic() + 5
    while time.monotonic() < due:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", found["port"])) != 0:
                break
        time.sleep(0.05)
    else:
        pytest.fail("the warehouse outlived its parent")
    parent.stdout.close()


def test_tls():
    with Warehouse(tls=True, no_samples=True) as w:
        ca_file = w.ca_file
        assert w.uri.startswith("https://127.0.0.1:") and os.path.exists(ca_file)
        c = Client(w)
        c.open()
        handle = c.run(ROWS, arrow=False)
        assert len(rows_of(c.fetch(handle).results)) == 100
        w.fault({"kind": "reset", "bytes": 10}, "GetInfo")
        with pytest.raises(Exception):  # noqa: B017
            c.call("GetInfo", t.TGetInfoReq(c.session, 17))
        c.close()
        assert c.call("GetInfo", t.TGetInfoReq(c.session, 17)).status.statusCode == 0
    assert not os.path.exists(ca_file)


def test_freeze_and_thaw(w):
    c = Client(w)
    c.open()
    w.freeze()
    try:
        c.http.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            c.execute("SELECT 1")
    finally:
        w.thaw()
    c.close()
    assert c.execute("SELECT 1", direct=1).status.statusCode == 0


def test_kill():
    w = Warehouse(no_samples=True).start()
    w.kill()
    with pytest.raises(ConnectionError):
        Client(w).open()
    w.stop()


def test_tables_persist_in_a_file(tmp_path):
    file = tmp_path / "tables.db"
    with Warehouse(database=file, no_samples=True) as w:
        c = Client(w)
        c.open()
        c.run("CREATE TABLE kept AS SELECT 7 AS a")
    with Warehouse(database=file, no_samples=True) as w:
        c = Client(w)
        c.open()
        assert rows_of(c.fetch(c.run("SELECT a FROM kept", arrow=False)).results) == [
            (7,)
        ]


def test_given_token():
    with Warehouse(token="sesame", no_samples=True) as w:
        assert w.token == "sesame" and Client(w).open().status.statusCode == 0


def test_sessions_show_their_settings(w):
    c = Client(w)
    c.open(configuration={"QUERY_TAGS": "team:x", "spark.sql.session.timeZone": "Asia/Tokyo"})
    handle = c.run("SELECT 1", confOverlay={"query_tags": "job:7"})
    (sess,) = [s for s in w.sessions() if s["timezone"] == "Asia/Tokyo"]
    assert sess["confs"]["query_tags"] == "team:x"
    assert w.operation(ident(handle))["confs"] == {"query_tags": "job:7"}
    handle = c.run("SELECT current_timezone()", arrow=False)
    assert rows_of(c.fetch(handle).results) == [("Asia/Tokyo",)]
    c.run("SET TIME ZONE 'Europe/Berlin'")
    assert [s["timezone"] for s in w.sessions() if s["id"] == sess["id"]] == ["Europe/Berlin"]
    assert w.expire_sessions(sess["id"]) == 1
    assert "Invalid SessionHandle" in c.execute("SELECT 1").status.errorMessage
    with pytest.raises(ControlError):
        w.expire_sessions(sess["id"])
    c.close()
