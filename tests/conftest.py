# SPDX-License-Identifier: Apache-2.0
"""Fixtures of all tests that run the driver against a server."""

from __future__ import annotations

import ctypes
import gc
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE.parent, HERE):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def pytest_collection_modifyitems(config: pytest.Config, items: list) -> None:
    """A call that never returns ends the run with the stacks of all threads: a driver that
    hangs inside C cannot be interrupted from Python, so not by a signal."""
    seconds = config.getoption("--timeout") or 60
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(seconds, method="thread"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What a test has said with record_property("summary", text) stands at the run's end."""
    for report in terminalreporter.stats.get("passed", []):
        for name, text in report.user_properties:
            if name == "summary":
                terminalreporter.write_line(text)


@pytest.fixture(scope="session", autouse=True)
def plain_environment() -> None:
    """What the caller's shell says to drivers must not decide about tests, and what is
    preloaded is for this process alone."""
    for name in ("LAKEBEAT_HEARTBEAT", "LAKEBEAT_LOG", "LD_PRELOAD"):
        os.environ.pop(name, None)


@pytest.fixture(scope="session", autouse=True)
def no_leak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """With a driver that AddressSanitizer watches (scripts/seeds.sh) no block of it may be
    left. What Python and its modules keep is their business."""
    yield
    process = ctypes.CDLL(None)
    if not hasattr(process, "__lsan_do_recoverable_leak_check"):
        return
    gc.collect()
    report = tmp_path_factory.mktemp("leaks") / "report"
    process.__sanitizer_set_report_path(bytes(report))
    process.__lsan_do_recoverable_leak_check()
    process.__sanitizer_set_report_path(b"stderr")
    texts = [path.read_text() for path in report.parent.iterdir()]  # none: nothing is left
    blocks = [block for text in texts for block in text.split("\n\n")]
    leaks = [block for block in blocks if " in lb_" in block]
    assert not leaks, "\n\n".join(leaks)


@pytest.fixture(scope="session")
def driver() -> str:
    from harness import DRIVER

    if not pathlib.Path(DRIVER).exists():
        pytest.fail(f"no driver at {DRIVER}: run `make`, or set LAKEBEAT_DRIVER")
    return DRIVER
