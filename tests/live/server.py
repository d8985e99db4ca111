# SPDX-License-Identifier: Apache-2.0
"""The warehouse that the environment names."""

from __future__ import annotations

import os
import time

from harness import pause

from warehouse.testing import Control


class Live:
    """The warehouse, as harness.connected() wants to know it."""

    personality = "databricks"
    #: A warehouse that has stopped takes minutes to start.
    deadlines = {
        "databricks.request_timeout_seconds": "900",
        "databricks.retry_timeout_seconds": "900",
        "databricks.connect_timeout_seconds": "30",
    }

    def __init__(self, pause_minutes: float) -> None:
        env = os.environ
        port = env.get("DATABRICKS_PORT") or "443"
        host, path = env["DATABRICKS_SERVER_HOSTNAME"], env["DATABRICKS_HTTP_PATH"]
        self.uri = f"https://{host}:{port}/{path.lstrip('/')}"
        self.token = env["DATABRICKS_TOKEN"]
        self.ca_file = env.get("DATABRICKS_CA_FILE")
        control = env.get("LAKEBEAT_TEST_CONTROL")
        self.control = Control(control) if control else None
        self.minutes = pause_minutes
        #: One second of heartbeat interval stands for a minute where the clock can be moved.
        self.interval = 1 if self.control else 60

    def pause(self, operations: list[str]) -> None:
        """Silence for longer than the server's patience. The operations named have a
        heartbeat; where it can be counted it is."""
        if self.control is None:
            time.sleep(self.minutes * 60)
            return
        for count in pause(self.control, operations):  # type: ignore[arg-type]
            assert 27 <= count <= 31
