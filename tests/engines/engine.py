# SPDX-License-Identifier: Apache-2.0
"""A real engine, as harness.connected() wants to know a server."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass, field

#: The server is started so that it forgets an operation after five seconds without contact,
#: and looks every three (less cannot be set): nine at most.
FORGOTTEN_SECONDS = 10.0

#: A status call waits up to five seconds in the server, a fetch as long as its job runs.
DEADLINES = {
    "databricks.connect_timeout_seconds": "5",
    "databricks.request_timeout_seconds": "60",
    "databricks.retry_timeout_seconds": "10",
}


@dataclass
class Engine:
    uri: str
    personality: str
    work: pathlib.Path
    token: str = ""
    ca_file: str | None = None
    deadlines: dict[str, str] = field(default_factory=lambda: dict(DEADLINES))
