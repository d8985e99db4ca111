# SPDX-License-Identifier: Apache-2.0
"""The Python examples. Those in C are run by `make check` itself, one by one."""

import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from warehouse.testing import Warehouse  # noqa: E402

DRIVER = str(ROOT / "build" / "release" / "libadbc_driver_lakebeat.so")


def run(name, *arguments, **variables):
    return subprocess.run(
        [sys.executable, ROOT / "examples" / name, *arguments],
        env={"LAKEBEAT_DRIVER": DRIVER, **os.environ, **variables},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_slow_read():
    with Warehouse() as w:
        done = run("slow_read.py", w.uri, w.token)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "50000 rows read" in done.stdout
    assert "DuckDB's sum: 499500" in done.stdout


def test_slow_read_says_how_it_is_called():
    done = run("slow_read.py")
    assert done.returncode == 1
    assert "slow_read.py <uri> <token>" in done.stderr


@pytest.mark.timeout(150, method="thread")
def test_demo():
    """Status 0 stands for what the control port counted; the figures are for the reader. With
    all heartbeats switched off the demo has to say that its promise is broken."""
    with ThreadPoolExecutor() as pool:
        good = pool.submit(run, "demo.py", LAKEBEAT_HEARTBEAT="on")
        bad = pool.submit(run, "demo.py", LAKEBEAT_HEARTBEAT="off")
    done = good.result()
    assert done.returncode == 0, done.stderr + done.stdout
    assert "60,175" in done.stdout
    done = bad.result()
    assert done.returncode == 1
    assert "NOT AS PROMISED: on: the warehouse forgot the result" in done.stdout
