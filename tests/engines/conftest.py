# SPDX-License-Identifier: Apache-2.0
"""Real engines, started here. Spark is found through SPARK_HOME (`make check-engines` sets it)."""

from __future__ import annotations

import os
import pathlib
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from engine import Engine

HERE = pathlib.Path(__file__).resolve().parent
START_SECONDS = 240


@pytest.fixture(scope="session")
def spark(driver: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if not os.environ.get("SPARK_HOME"):
        pytest.fail("SPARK_HOME is not set: run `make check-engines`")
    work = tmp_path_factory.mktemp("spark")
    server = subprocess.Popen(
        [sys.executable, str(HERE / "spark-thrift-server"), "--op-timeout", "5s",
         "--work-dir", str(work)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        started, _, _ = select.select([server.stdout], [], [], START_SECONDS)
        line = server.stdout.readline() if started else ""
        found = re.fullmatch(r"READY port=(\d+) pid=\d+\n", line)
        if not found:
            pytest.fail(f"Spark did not start; see {work / 'server.log'}")
        yield Engine(f"http://127.0.0.1:{found[1]}/cliservice")
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
