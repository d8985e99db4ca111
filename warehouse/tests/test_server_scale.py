# SPDX-License-Identifier: Apache-2.0
"""Many open results, probed by many connections at once: none is lost, none miscounted."""

import os
import select
import signal
import socket
import threading

import pytest

from warehouse.testing import Warehouse
from warehouse.tests.thrift_client import Client, ident, rows_of

RESULTS, ROWS, READERS, BEATS = 200, 60, 8, 3


@pytest.fixture(scope="module")
def w():
    with Warehouse(no_samples=True, idle_operation_seconds="10m") as warehouse:
        yield warehouse
        assert "Traceback" not in warehouse.stderr


def test_open_results_live_on_probes(w):
    c = Client(w)
    c.open()
    handles = [
        c.execute(
            f"SELECT id + {i} AS x FROM range(0, {ROWS}, 1, 1)", direct=10, arrow=False
        ).operationHandle
        for i in range(RESULTS)
    ]
    failures = []

    def probe(mine):
        prober = Client(w, agent="heartbeat")
        try:
            for handle in mine:
                assert prober.status(handle).operationState == 2
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            prober.close()

    for _ in range(BEATS):
        w.advance("9m")
        threads = [
            threading.Thread(target=probe, args=(handles[i::READERS],))
            for i in range(READERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert failures == []
    stats = w.stats()
    assert (stats["operations_open"], stats["evictions"]) == (RESULTS, 0)
    assert stats["probes"] == BEATS * RESULTS
    assert {op["probes"]["count"] for op in w.operations()} == {BEATS}
    for i, handle in enumerate(handles):
        rest = rows_of(c.fetch(handle, startRowOffset=0).results)
        assert rest == [(i + n,) for n in range(ROWS)], ident(handle)
    w.advance("16m")
    assert w.stats()["evictions"] == RESULTS
    c.close()


def test_connections_wait_for_a_busy_server(w):
    """As many as a client of hundreds of probes opens while the server does not accept."""
    wanted, made = 300, []
    os.kill(w.pid, signal.SIGSTOP)
    try:
        for _ in range(wanted):
            client = socket.socket()
            made.append(client)
            client.setblocking(False)
            client.connect_ex((w.host, w.port))
        poll = select.poll()
        for client in made:
            poll.register(client, select.POLLOUT)
        connected = 0
        while ready := poll.poll(300):
            for number, _ in ready:
                connected += 1
                poll.unregister(number)
        assert connected == wanted
    finally:
        os.kill(w.pid, signal.SIGCONT)
        for client in made:
            client.close()
