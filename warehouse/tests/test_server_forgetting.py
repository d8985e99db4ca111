# SPDX-License-Identifier: Apache-2.0
"""Idle clocks, the sweeper, and what counts as contact, for each personality."""

import pytest
from databricks.sql.thrift_api.TCLIService import ttypes as t

from warehouse.testing import ControlError, Warehouse
from warehouse.tests.thrift_client import Client, HttpError, arrow_table, ident, rows_of

ROWS = "SELECT id FROM range(0, 100, 1, 1)"


@pytest.fixture(scope="module", params=["databricks", "spark", "hive"])
def w(request):
    with Warehouse(
        personality=request.param,
        no_samples=True,
        idle_operation_seconds=1200,
        idle_session_seconds=6 * 3600,
    ) as warehouse:
        yield warehouse
        assert "Traceback" not in warehouse.stderr


@pytest.fixture
def c(w):
    client = Client(w)
    client.open(0xA508 if w.personality == "databricks" else None)
    yield client
    client.close()


def alive(c, handle) -> bool:
    try:
        return c.fetch(handle, 10).status.statusCode == 0
    except HttpError as error:
        assert error.status == 404 and b"RESOURCE_DOES_NOT_EXIST" in error.body
        return False


PROBES = {
    "status": lambda c, handle: c.status(handle),
    "metadata": lambda c, handle: c.metadata(handle),
    "fetch0": lambda c, handle: c.fetch(handle, 0),
    "log": lambda c, handle: c.fetch(handle, 10, fetchType=1),
}
#: personality -> probes that keep a statement alive
KEEPS = {
    "databricks": {"status", "metadata", "fetch0", "log"},
    "spark": {"fetch0"},
    "hive": {"metadata", "fetch0"},
}
KEEPS_METADATA = {
    "databricks": {"status", "metadata", "fetch0", "log"},
    "spark": {"metadata", "fetch0"},
    "hive": {"metadata", "fetch0"},
}


def test_forgotten_when_nobody_asks(w, c):
    handle = c.run(ROWS)
    before = w.stats()["evictions"]
    c.fetch(handle, 10)
    assert w.advance("19m")["evicted"] == 0
    assert w.advance("6m")["evicted"] == 1
    assert not alive(c, handle)
    found = w.operation(ident(handle))
    assert found["evicted"] and not found["closed"] and found["gap_max"] >= 1200
    assert w.stats()["evictions"] == before + 1
    if w.personality == "databricks":
        assert w.stats()["http_404"] >= 1


def test_lost_handle_text(w, c):
    handle = c.run(ROWS)
    w.advance("25m")
    if w.personality == "databricks":
        with pytest.raises(HttpError) as info:
            c.status(handle)
        assert info.value.headers["x-databricks-error-or-redirect-message"]
        return
    for answer in (
        c.status(handle),
        c.metadata(handle),
        c.fetch(handle),
        c.cancel(handle),
        c.close_operation(handle),
    ):
        status = answer.status
        assert (status.statusCode, status.sqlState, status.errorCode) == (3, None, 0)
        assert status.errorMessage == (
            "Invalid OperationHandle: OperationHandle [opType=EXECUTE_STATEMENT, "
            f"getHandleIdentifier()={ident(handle)}]"
        )
        assert status.displayMessage is None


@pytest.mark.parametrize("probe", sorted(PROBES))
def test_probes_of_a_statement(w, c, probe):
    handle = c.run(ROWS)
    c.fetch(handle, 10)
    for _ in range(6):
        w.advance("5m")
        try:
            PROBES[probe](c, handle)
        except HttpError:
            break
    assert alive(c, handle) == (probe in KEEPS[w.personality])


@pytest.mark.parametrize("probe", ["status", "metadata", "fetch0"])
def test_probes_of_a_catalog_call(w, c, probe):
    handle = c.call("GetTableTypes", t.TGetTableTypesReq(c.session)).operationHandle
    for _ in range(6):
        w.advance("5m")
        try:
            PROBES[probe](c, handle)
        except HttpError:
            break
    assert alive(c, handle) == (probe in KEEPS_METADATA[w.personality])


def test_empty_fetch_and_the_rest_of_the_result(w, c):
    handle = c.run(ROWS, arrow=False)
    assert len(rows_of(c.fetch(handle, 10).results)) == 10
    c.fetch(handle, 0)
    rest = rows_of(c.fetch(handle, 1000).results)
    assert len(rest) == (0 if w.personality == "hive" else 90)


def test_contact_is_dated_on_arrival(w, c):
    """A request that hangs has been contact when it came, not while it hangs."""
    handle = c.run(ROWS)
    c.fetch(handle, 1)
    w.advance("10m")
    c.fetch(handle, 1)
    assert w.operation(ident(handle))["idle_seconds"] < 5
    w.advance("19m")
    assert w.operation(ident(handle))["idle_seconds"] >= 1140
    assert w.operation(ident(handle))["gap_max"] >= 600


def test_sessions_without_operations_are_forgotten(w):
    c = Client(w)
    c.open(0xA508 if w.personality == "databricks" else None)
    sess = ident(c.session)
    assert sess in [one["id"] for one in w.sessions()]
    w.advance("7h")
    assert sess not in [one["id"] for one in w.sessions()]
    status = c.execute("SELECT 1").status
    assert status.statusCode == 3 and f"[{sess}]" in status.errorMessage


def test_running_statements_are_kept(w, c):
    handle = c.execute("SELECT sleep_ms(20000)").operationHandle
    w.wait("rpc", rpc="ExecuteStatement")
    w.advance("30m")
    assert w.operation(ident(handle))["open"]
    c.close_operation(handle)


def test_probes_are_counted_and_waited_for(w, c):
    handle = c.run(ROWS)
    beat = Client(w, agent="lakebeat/1 (heartbeat)")
    before = w.stats()["probes"]
    for number in range(1, 4):
        beat.status(handle)
        assert w.wait("probe", number, operation=ident(handle)) == number
    found = w.operation(ident(handle))["probes"]
    assert found["count"] == 3 and found["first"] <= found["last"]
    assert w.stats()["probes"] == before + 3
    with pytest.raises(ControlError) as info:
        w.wait("probe", 9, operation=ident(handle), timeout=0.1)
    assert info.value.status == 408 and info.value.body["count"] == 3


@pytest.mark.parametrize("w", ["databricks"], indirect=True)
def test_thirty_virtual_minutes_with_a_beat_a_minute(w):
    c, beat = Client(w), Client(w, agent="x heartbeat")
    c.open()
    handle = c.run(ROWS)
    meta = c.metadata(handle)
    first = c.fetch(handle, 10).results
    for number in range(1, 31):
        w.advance(59)
        beat.status(handle)
        w.wait("probe", number, operation=ident(handle))
    rest = c.fetch(handle, 1000)
    assert arrow_table(meta, first, rest.results).column(0).to_pylist() == list(
        range(100)
    )
    assert w.operation(ident(handle))["gap_max"] < 120


@pytest.mark.parametrize("w", ["spark", "hive"], indirect=True)
def test_timeout_of_a_hive_session(w):
    for text, survives in (("0", True), ("60000", False), ("2h", True)):
        c = Client(w)
        c.open(
            None, configuration={"set:hiveconf:hive.server2.idle.operation.timeout": text}
        )
        handle = c.run(ROWS)
        w.advance("30m")
        assert alive(c, handle) == survives, text
        c.close_session()
