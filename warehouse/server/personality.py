# SPDX-License-Identifier: Apache-2.0
"""What differs between the servers that the warehouse can be: one row each.

``contact`` names the RPCs that move an operation's idle clock, by kind of operation.  The
rows of ``spark`` and ``hive`` are what Apache Spark 4 and Apache Hive 4 were seen to do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ALL = frozenset(
    {"GetOperationStatus", "GetResultSetMetadata", "FetchResults", "CancelOperation"}
)
_FETCH = frozenset({"FetchResults"})
_FETCH_AND_METADATA = frozenset({"FetchResults", "GetResultSetMetadata"})


@dataclass(frozen=True)
class Personality:
    name: str
    #: Speaks Databricks' protocol versions and fields (ids 0x5xx and 0xDxx).
    databricks: bool
    paths: tuple[re.Pattern, ...]
    default_path: str
    #: Bearer (one token) or Basic (any non-empty user and password).
    auth: str
    server_name: str
    dbms_name: str
    dbms_version: str
    contact_statement: frozenset[str]
    contact_metadata: frozenset[str]
    #: Does a running statement's idle time count, and from how many seconds?
    running_limit_seconds: float | None
    #: How long GetOperationStatus waits for a change of state.
    poll_seconds: float
    #: Largest page in rows, whatever the client asks for.
    page_rows: int | None
    #: A fetch of zero rows ends the result.
    empty_fetch_ends: bool
    #: startRowOffset of replies is the real position (else always 0).
    real_offsets: bool
    #: Number of the first column in the result's metadata.
    first_position: int
    #: Null bitmap of a column without nulls.
    no_nulls: bytes
    #: FLOAT becomes a double through its decimal text (0.1 stays 0.1).
    float_through_text: bool
    #: Text of nested values: JSON or the engine's own print.
    text_flavour: str
    chunked: bool
    #: Operation handles are compared with their type, not by their ids alone.
    strict_handles: bool
    #: GetOperationStatus has a progress table when the client asks for one.
    reports_progress: bool


DATABRICKS = Personality(
    name="databricks",
    databricks=True,
    paths=(
        re.compile(r"/sql/1\.0/(?:warehouses|endpoints)/[^/]+"),
        re.compile(r"/sql/protocolv1/o/[^/]+/[^/]+"),
    ),
    default_path="/sql/1.0/warehouses/local",
    auth="bearer",
    server_name="Spark SQL",
    dbms_name="Spark SQL",
    dbms_version="4.0.0",
    contact_statement=_ALL,
    contact_metadata=_ALL,
    running_limit_seconds=3600.0,
    poll_seconds=5.0,
    page_rows=None,
    empty_fetch_ends=False,
    real_offsets=True,
    first_position=1,
    no_nulls=b"",
    float_through_text=False,
    text_flavour="databricks",
    chunked=False,
    strict_handles=False,
    reports_progress=True,
)

SPARK = Personality(
    name="spark",
    databricks=False,
    paths=(re.compile(r"/cliservice(?:/.*)?"),),
    default_path="/cliservice",
    auth="basic",
    server_name="Spark SQL",
    dbms_name="Spark SQL",
    dbms_version="4.3.0",
    contact_statement=_FETCH,
    contact_metadata=_FETCH_AND_METADATA,
    running_limit_seconds=None,
    poll_seconds=5.0,
    page_rows=None,
    empty_fetch_ends=False,
    real_offsets=True,
    first_position=0,
    no_nulls=b"",
    float_through_text=True,
    text_flavour="spark",
    chunked=True,
    strict_handles=True,
    reports_progress=False,
)

HIVE = Personality(
    name="hive",
    databricks=False,
    paths=(re.compile(r"/cliservice(?:/.*)?"),),
    default_path="/cliservice",
    auth="basic",
    server_name="Hive",
    dbms_name="Apache Hive",
    dbms_version="4.0.1",
    contact_statement=_FETCH_AND_METADATA,
    contact_metadata=_FETCH_AND_METADATA,
    running_limit_seconds=None,
    poll_seconds=0.5,
    page_rows=10_000,
    empty_fetch_ends=True,
    real_offsets=False,
    first_position=1,
    no_nulls=b"\0",
    float_through_text=True,
    text_flavour="hive",
    chunked=True,
    strict_handles=True,
    reports_progress=True,
)

PERSONALITIES = {row.name: row for row in (DATABRICKS, SPARK, HIVE)}
