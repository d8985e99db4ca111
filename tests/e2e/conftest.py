# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests on the local warehouse."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from harness import Warehouse, release_what_is_open


@pytest.fixture(autouse=True)
def clean_driver(driver: str) -> Iterator[None]:
    """What a failed test has not released is released before the next one begins."""
    yield
    release_what_is_open()


MATRIX = pytest.StashKey[subprocess.Popen]()
HERE = pathlib.Path(__file__).resolve().parent


def start_idle_matrix() -> subprocess.Popen:
    path = os.pathsep.join([str(HERE.parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, str(HERE / "idle_matrix.py")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path, "LAKEBEAT_HEARTBEAT": "", "LAKEBEAT_LOG": ""},
    )  # fmt: skip


def pytest_collection_finish(session: pytest.Session) -> None:
    """The long pauses begin at once, in a process of their own, beside all other tests. Where
    files run side by side, only the worker that has the file starts them."""
    wanted = any("idle_matrix" in getattr(item, "fixturenames", ()) for item in session.items)
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    if wanted and alone and not session.config.option.collectonly:
        session.config.stash[MATRIX] = start_idle_matrix()


def pytest_unconfigure(config: pytest.Config) -> None:
    matrix = config.stash.get(MATRIX, None)
    if matrix is not None and matrix.poll() is None:
        matrix.kill()
        matrix.communicate()


@pytest.fixture(scope="session")
def idle_matrix(request: pytest.FixtureRequest) -> subprocess.Popen:
    stash = request.config.stash
    if MATRIX not in stash:
        stash[MATRIX] = start_idle_matrix()
    return stash[MATRIX]


@pytest.fixture(scope="session")
def shared_warehouses() -> Iterator[dict]:
    found: dict[str, Warehouse] = {}
    yield found
    for w in found.values():
        w.stop()


@pytest.fixture
def warehouse_of(shared_warehouses: dict) -> Iterator[Callable[[str], Warehouse]]:
    """warehouse_of("spark"): the suite's warehouse of that personality, without faults,
    counters and sessions of earlier tests."""
    used = []

    def get(personality: str) -> Warehouse:
        if personality not in shared_warehouses:
            made = Warehouse(personality=personality, no_samples=True)
            shared_warehouses[personality] = made.start()
        w = shared_warehouses[personality]
        w.reset(sessions=True)
        used.append((w, w.call("GET", "/settings")))
        return w

    yield get
    for w, settings in used:
        w.clear_faults()
        kept = ("running_ms", "pending_ms", "direct_results", "direct_wait_ms", "long_poll_ms")
        w.settings(**{name: settings[name] for name in kept})


@pytest.fixture
def w(warehouse_of: Callable[[str], Warehouse]) -> Warehouse:
    """The suite's Databricks-like warehouse."""
    return warehouse_of("databricks")


@pytest.fixture
def own_warehouse() -> Iterator[Callable[..., Warehouse]]:
    """own_warehouse(**options): one that the test may kill, freeze or restart."""
    started: list[Warehouse] = []

    def start(**options: object) -> Warehouse:
        options.setdefault("no_samples", True)
        made = Warehouse(**options).start()
        started.append(made)
        return made

    yield start
    for w in started:
        w.stop()
