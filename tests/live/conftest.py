# SPDX-License-Identifier: Apache-2.0
"""A warehouse that the environment names: a real one (`make live`), or the local one with TLS
(`make check`).

    DATABRICKS_SERVER_HOSTNAME, DATABRICKS_HTTP_PATH, DATABRICKS_TOKEN
    DATABRICKS_PORT, DATABRICKS_CA_FILE             where they are not the usual ones
    LAKEBEAT_TEST_CONTROL                           control port of the local warehouse

A real warehouse's clock cannot be moved, so a pause there takes its time: --pause-minutes
(default 30: longer than the 20 to 25 after which a result is forgotten). With a control port
the pauses are made by its clock.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from harness import AdbcConnection, connected
from server import Live

NEEDED = ("DATABRICKS_SERVER_HOSTNAME", "DATABRICKS_HTTP_PATH", "DATABRICKS_TOKEN")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pause-minutes", type=float, default=30.0,
        help="length of a pause where the server's clock cannot be moved (30)",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        pytest.exit("live: not set in the environment: " + " ".join(missing), returncode=2)


@pytest.fixture(scope="session")
def live(driver: str, request: pytest.FixtureRequest) -> Live:
    return Live(request.config.getoption("--pause-minutes"))


@pytest.fixture(scope="module")
def conn(live: Live) -> Iterator[AdbcConnection]:
    with connected(live) as made:
        yield made
