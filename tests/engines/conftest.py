# SPDX-License-Identifier: Apache-2.0
"""Real engines, started here. They are found through SPARK_HOME and HIVE_JARS, which
`make check-engines` sets."""

from __future__ import annotations

import contextlib
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


@contextlib.contextmanager
def started(kind: str, script: str, needs: str, work: pathlib.Path) -> Iterator[Engine]:
    if not os.environ.get(needs):
        pytest.fail(f"{needs} is not set: run `make check-engines`")
    server = subprocess.Popen(
        [sys.executable, str(HERE / script), "--op-timeout", "5s", "--work-dir", str(work)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        seen, _, _ = select.select([server.stdout], [], [], START_SECONDS)
        line = server.stdout.readline() if seen else ""
        found = re.fullmatch(r"READY port=(\d+) pid=\d+\n", line)
        if not found:
            pytest.fail(f"{script} did not start; see {work / 'server.log'}")
        yield Engine(f"http://127.0.0.1:{found[1]}/cliservice", kind, work)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture(scope="session")
def spark(driver: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    work = tmp_path_factory.mktemp("spark")
    with started("spark", "spark-thrift-server", "SPARK_HOME", work) as engine:
        yield engine


@pytest.fixture(scope="session")
def hive(driver: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    work = tmp_path_factory.mktemp("hive")
    with started("hive", "hive-server2", "HIVE_JARS", work) as engine:
        yield engine
