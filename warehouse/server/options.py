# SPDX-License-Identifier: Apache-2.0
"""The command line, and what of it can be changed while the warehouse runs."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from .clock import parse_duration
from .personality import PERSONALITIES

#: Fields that POST /settings may change.
CHANGEABLE = (
    "idle_operation_seconds",
    "idle_session_seconds",
    "initialized_ms",
    "pending_ms",
    "running_ms",
    "direct_wait_ms",
    "long_poll_ms",
    "direct_results",
    "unknown_handle",
    "token",
    "cloud_fetch",
    "cloud_fetch_bytes",
    "cloud_fetch_file_bytes",
    "cloud_fetch_page_files",
    "cloud_fetch_inline_rows",
    "cloud_fetch_extra_rows",
    "cloud_fetch_checksums",
    "cloud_fetch_headers",
    "link_life_seconds",
    "clock_skew_seconds",
    "batch_rows",
    "latency_ms",
    "bytes_per_second",
    "storage_latency_ms",
    "storage_bytes_per_second",
    "storage_max_connections",
    "more_table_types",
)
#: Settings that may be negative.
SIGNED = ("clock_skew_seconds",)

UNKNOWN_HANDLE_STYLES = ("http404", "error_status", "invalid_handle")


@dataclass
class Options:
    host: str = "127.0.0.1"
    port: int = 8080
    control_port: int = 0
    storage_port: int = 0
    tls: bool = False
    database: str | None = None
    samples: bool = True
    personality: str = "databricks"
    token: str = ""
    protocol_cap: int = 8
    idle_operation_seconds: float = 1200.0
    idle_session_seconds: float = 21600.0
    sweep_seconds: float = 300.0
    direct_results: bool = True
    direct_wait_ms: int = 2000
    long_poll_ms: int | None = None
    initialized_ms: int = 0
    pending_ms: int = 0
    running_ms: int = 0
    unknown_handle: str = "http404"
    cloud_fetch: bool = True
    cloud_fetch_bytes: int = 1 << 20
    cloud_fetch_file_bytes: int = 20 << 20
    cloud_fetch_page_files: int = 10
    cloud_fetch_inline_rows: int = 0
    cloud_fetch_extra_rows: int = 0
    cloud_fetch_checksums: bool = True
    cloud_fetch_headers: bool = True
    link_life_seconds: float = 900.0
    clock_skew_seconds: float = 0.0
    bench: bool = False
    batch_rows: int = 0
    latency_ms: int = 0
    bytes_per_second: int = 0
    storage_latency_ms: int = 0
    storage_bytes_per_second: int = 0
    storage_max_connections: int = 0
    more_table_types: int = 0
    keep_alive_seconds: int = 300
    stop_with_parent: bool = False
    log: str = "warning"

    def change(self, wanted: dict) -> None:
        """Apply what POST /settings sent; ValueError names what is wrong."""
        kinds = {field.name: field.type for field in fields(self)}
        for name, value in wanted.items():
            if name not in CHANGEABLE:
                raise ValueError(
                    f"setting {name!r} cannot be changed; these can: "
                    + ", ".join(CHANGEABLE)
                )
            self._check(name, str(kinds[name]), value)
        for name, value in wanted.items():
            setattr(self, name, value)

    @staticmethod
    def _check(name: str, kind: str, value: object) -> None:
        if name == "unknown_handle" and value not in UNKNOWN_HANDLE_STYLES:
            raise ValueError(
                f"unknown_handle is one of {', '.join(UNKNOWN_HANDLE_STYLES)}"
            )
        numeric = kind.startswith(("int", "float"))
        if value is None and "None" in kind:
            return
        if numeric and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise ValueError(f"setting {name!r} is a number, not {value!r}")
        if numeric and value < 0 and name not in SIGNED:  # type: ignore[operator]
            raise ValueError(f"setting {name!r} is not negative")
        if kind == "bool" and not isinstance(value, bool):
            raise ValueError(f"setting {name!r} is true or false, not {value!r}")
        if kind == "str" and not isinstance(value, str):
            raise ValueError(f"setting {name!r} is a string, not {value!r}")


def _seconds(text: str) -> float:
    value = parse_duration(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError("must be between 0 and 65535")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


def _bytes(text: str) -> int:
    """A number of bytes, with K, M or G for powers of 1024."""
    power = {"K": 10, "M": 20, "G": 30}.get(text[-1:].upper(), 0)
    value = int(text[:-1]) << power if power else int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m warehouse",
        description="A local SQL warehouse that speaks Databricks SQL's Thrift protocol.",
        epilog="Durations are seconds, or carry a unit: 200ms, 90s, 25m, 2h, 1d.",
    )
    add = made.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=_port, default=8080, help="port; 0 takes a free one (%(default)s)")
    add("--control-port", type=_port, default=0, help="control port, always on loopback")
    add(
        "--storage-port",
        type=_port,
        default=0,
        help="port of the storage of volumes and result files",
    )
    add("--tls", action="store_true", help="HTTPS with a CA made at start")
    add(
        "--database", metavar="FILE", help="keep tables in this file (default: in memory)"
    )
    add("--no-samples", dest="samples", action="store_false", help="no catalog `samples`")
    add("--personality", choices=sorted(PERSONALITIES), default="databricks")
    add("--token", default="", help="access token (default: a new one at each start)")
    add(
        "--protocol-cap",
        type=int,
        choices=range(1, 10),
        default=8,
        metavar="N",
        help="newest Databricks protocol version to grant, 1-9 (%(default)s)",
    )
    add(
        "--idle-operation-seconds",
        type=_seconds,
        default=1200.0,
        metavar="T",
        help="forget an operation nobody asked for this long; 0 = never (1200)",
    )
    add(
        "--idle-session-seconds",
        type=_seconds,
        default=21600.0,
        metavar="T",
        help="forget a session without operations; 0 = never (21600)",
    )
    add(
        "--sweep-seconds",
        type=_seconds,
        default=300.0,
        metavar="T",
        help="how often to look for what can be forgotten (300)",
    )
    add(
        "--no-direct-results",
        dest="direct_results",
        action="store_false",
        help="never answer ExecuteStatement with rows",
    )
    add(
        "--direct-wait-ms",
        type=_count,
        default=2000,
        metavar="MS",
        help="how long ExecuteStatement waits for the result (%(default)s)",
    )
    add(
        "--long-poll-ms",
        type=_count,
        default=None,
        metavar="MS",
        help="how long GetOperationStatus waits for a change (5000; hive 500)",
    )
    for state in ("initialized", "pending", "running"):
        add(
            f"--{state}-ms",
            type=_count,
            default=0,
            metavar="MS",
            help=f"shortest time a statement stays {state.upper()} (0)",
        )
    add(
        "--unknown-handle",
        choices=UNKNOWN_HANDLE_STYLES,
        default="http404",
        help="how `databricks` answers a handle it does not know (%(default)s)",
    )
    _add_cloud_fetch(add)
    _add_network(add)
    _add_bench(add)
    add(
        "--keep-alive-seconds",
        type=_count,
        default=300,
        metavar="T",
        help="close a connection idle for this long (%(default)s)",
    )
    add(
        "--stop-with-parent",
        action="store_true",
        help="stop when the process that started this one is gone",
    )
    add("--log", choices=("debug", "info", "warning", "error"), default="warning")
    return made


def _add_cloud_fetch(add: Callable[..., Any]) -> None:
    add(
        "--no-cloud-fetch",
        dest="cloud_fetch",
        action="store_false",
        help="never answer with links to files",
    )
    for name, kind, metavar, default, text in (
        ("bytes", _bytes, "N", 1 << 20, "links from this size of a result on; 0 = always"),
        ("file-bytes", _bytes, "N", 20 << 20, "largest file, not compressed (20M)"),
        ("page-files", _count, "N", 10, "most links of one reply"),
        ("inline-rows", _count, "N", 0, "first rows that come inline all the same"),
        ("extra-rows", _count, "N", 0, "rows that a file holds beyond its rowCount"),
    ):
        shown = text if kind is _bytes and name == "file-bytes" else text + " (%(default)s)"
        add(f"--cloud-fetch-{name}", type=kind, metavar=metavar, default=default, help=shown)
    add(
        "--no-cloud-fetch-checksums",
        dest="cloud_fetch_checksums",
        action="store_false",
        help="LZ4 frames of files without checksums of block and content",
    )
    add(
        "--no-cloud-fetch-headers",
        dest="cloud_fetch_headers",
        action="store_false",
        help="links that need no headers",
    )
    add(
        "--link-life-seconds",
        type=_seconds,
        default=900.0,
        metavar="T",
        help="how long a link to a file is good (900)",
    )
    add(
        "--clock-skew-seconds",
        type=float,
        default=0.0,
        metavar="S",
        help="how far Date and expiries are from the real time (0)",
    )


def _add_bench(add: Callable[..., Any]) -> None:
    add(
        "--bench",
        action="store_true",
        help="run and encode the same query once only, so that the client is timed",
    )
    add(
        "--batch-rows",
        type=_count,
        default=0,
        metavar="N",
        help="most rows of an Arrow batch; 0 = 100000, of 4M (0)",
    )


def _add_network(add: Callable[..., Any]) -> None:
    for prefix, where in (("", "the main port"), ("storage-", "the storage port")):
        add(
            f"--{prefix}latency-ms",
            type=_count,
            default=0,
            metavar="MS",
            help=f"let every request to {where} take so much longer (0)",
        )
        add(
            f"--{prefix}bytes-per-second",
            type=_bytes,
            default=0,
            metavar="N",
            help=f"how fast a connection of {where} sends; 0 = no limit (0)",
        )
    add(
        "--storage-max-connections",
        type=_count,
        default=0,
        metavar="N",
        help="reset connections to the storage beyond these; 0 = no limit (0)",
    )


def parse(arguments: list[str] | None = None) -> Options:
    made = parser()
    found = Options(**vars(made.parse_args(arguments)))
    if found.sweep_seconds <= 0:
        made.error("argument --sweep-seconds: must be more than 0")
    if not found.token:
        found.token = "local-" + secrets.token_hex(16)
    return found
