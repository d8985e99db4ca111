# SPDX-License-Identifier: Apache-2.0
"""The list of what can go wrong: for each kind of fault its parameters with their
defaults, what it means, and where it can be met.

The phase says how it works: the request is not processed as usual (``before``), its reply
is sent wrongly (``after``), only the rows or schema of the reply are wrong (``page``), its
links are (``links``), or the file that is downloaded is another (``file``).
"""

from __future__ import annotations

from typing import Any, NamedTuple

BEFORE, AFTER, PAGE, CONNECTION = "before", "after", "page", "connection"
FILE, LINKS = "file", "links"

#: The RPCs of a client's life; delegation tokens are not among them.
CATALOG_RPCS = (
    "GetCatalogs", "GetSchemas", "GetTables", "GetTableTypes", "GetColumns", "GetFunctions",
    "GetTypeInfo", "GetPrimaryKeys", "GetCrossReference",
)  # fmt: skip
OPERATION_RPCS = ("GetOperationStatus", "GetResultSetMetadata", "FetchResults",
                  "CancelOperation", "CloseOperation")  # fmt: skip
RPCS = ("OpenSession", "GetInfo", "ExecuteStatement", *CATALOG_RPCS, *OPERATION_RPCS,
        "CloseSession")  # fmt: skip
#: What can keep a result alive, and so can be a probe.
PROBE_RPCS = ("GetOperationStatus", "GetResultSetMetadata", "FetchResults")
#: Replies that can hold rows (with direct results those of statements and catalog calls).
ROW_RPCS = ("ExecuteStatement", *CATALOG_RPCS, "FetchResults")
ARROW_RPCS = ("ExecuteStatement", "FetchResults")


class Kind(NamedTuple):
    """One thing that can go wrong."""

    phase: str
    parameters: dict[str, Any]
    meaning: str
    #: The RPCs that it can be seen at; () = a connection, before any request.
    rpcs: tuple[str, ...] = RPCS
    #: Can it be seen at the storage too?
    storage: bool = False
    #: Can it be seen at a page of links?
    links: bool = False


KINDS: dict[str, Kind] = {
    "delay": Kind(BEFORE, {"ms": 1000}, "wait, then process the request", storage=True),
    "hang": Kind(BEFORE, {}, "do nothing until released or the client goes away", storage=True),
    "refuse": Kind(
        BEFORE,
        {},
        "close the connection without a reply, request not processed",
        storage=True,
    ),
    "status": Kind(
        BEFORE,
        {
            "code": 503,
            "retry_after": None,
            "retry_after_date": None,
            "message": "injected fault",
            "error_code": "TEMPORARILY_UNAVAILABLE",
        },
        "answer this HTTP status; Retry-After in seconds, or a date so far ahead",
        storage=True,
    ),
    "unauthorized": Kind(BEFORE, {}, "answer 401 although the token is right"),
    "html": Kind(BEFORE, {}, "answer 200 with a page of HTML, as a captive proxy does"),
    "error": Kind(
        BEFORE,
        {"sqlstate": "HY000", "message": "injected fault", "status_code": 3},
        "answer a reply whose TStatus is an error",
    ),
    "application_exception": Kind(
        BEFORE,
        {"type": 6, "message": "injected fault"},
        "answer a TApplicationException",
    ),
    "close_operation": Kind(
        BEFORE,
        {},
        "close the operation under the reader, then process",
        OPERATION_RPCS,
    ),
    "unknown_handle": Kind(
        BEFORE,
        {},
        "say that the handle is unknown; never twice running for one operation",
        OPERATION_RPCS,
    ),
    "expire_session": Kind(
        BEFORE,
        {},
        "forget the session with all its operations, then process",
        tuple(name for name in RPCS if name != "OpenSession"),
    ),
    "restart": Kind(
        BEFORE, {}, "restart the server: no handle is known, connections are dropped"
    ),
    "hold_query": Kind(
        BEFORE,
        {"percent": 50},
        "the statement stays RUNNING at so many percent until released",
        ("ExecuteStatement",),
    ),
    "hold": Kind(
        AFTER,
        {"ms": 0},
        "process, then hold the reply: so long, or (0) until released",
        storage=True,
    ),
    "garbage": Kind(
        AFTER, {"bytes": 64}, "process, then answer 200 with random bytes", storage=True
    ),
    "truncate": Kind(
        AFTER,
        {"bytes": 100},
        "process, announce the whole body, send so much of it",
        storage=True,
    ),
    "wrong_length": Kind(
        AFTER, {"delta": 10}, "process, announce a length wrong by delta", storage=True
    ),
    "reset": Kind(
        AFTER,
        {"bytes": 0},
        "process, send so many bytes of body, reset the connection",
        storage=True,
    ),
    "drip": Kind(
        AFTER,
        {"bytes": 16, "ms": 50},
        "process, send so many bytes each so many ms",
        storage=True,
    ),
    "read_then_close": Kind(
        AFTER,
        {"reused": True},
        "process, then close the connection without a reply; only on a reused connection",
        storage=True,
    ),
    "wrong_row_count": Kind(
        PAGE, {"delta": 1}, "announce a row count wrong by delta", ROW_RPCS
    ),
    "wrong_offset": Kind(
        PAGE, {"delta": 1}, "announce a startRowOffset wrong by delta", ROW_RPCS
    ),
    "missing_batch": Kind(
        PAGE, {}, "leave out the last batch of a page that others follow", ROW_RPCS
    ),
    "duplicate_batch": Kind(
        PAGE, {}, "send the last batch of a page that others follow twice", ROW_RPCS
    ),
    "bad_lz4": Kind(
        PAGE, {}, "cut the LZ4 frame of the first batch in half", ARROW_RPCS
    ),
    "bad_arrow": Kind(
        PAGE, {}, "break the flatbuffer of the first Arrow batch", ARROW_RPCS
    ),
    "bad_schema": Kind(
        PAGE,
        {},
        "break the flatbuffer of the Arrow schema",
        ("ExecuteStatement", "GetResultSetMetadata", "FetchResults"),
    ),
    "expired_link": Kind(
        BEFORE, {}, "say that the signed URL has expired", (), storage=True
    ),
    "expired_token": Kind(
        BEFORE, {}, "answer 400 ExpiredToken, as Google's store does", (), storage=True
    ),
    "authentication_failed": Kind(
        BEFORE,
        {},
        "answer 403 AuthenticationFailed, as Azure's store does",
        (),
        storage=True,
    ),
    "close_connection": Kind(
        CONNECTION, {}, "close an accepted connection at once", (), storage=True
    ),
    **{
        name: Kind(FILE, parameters, meaning, (), storage=True)
        for name, parameters, meaning in (
            ("file_lz4", {"part": "block"}, "break header, block or checksum of LZ4"),
            ("file_arrow", {}, "break the flatbuffer of the first batch"),
            ("file_schema", {}, "send a file whose first column has another type"),
            ("file_short", {"rows": 1}, "send so many rows fewer than stated"),
            ("file_long", {"rows": 1}, "send so many rows more than stated"),
            ("file_no_end", {}, "send a stream without its end mark"),
            (
                "file_changed",
                {"renewed": True},
                "send another file, one row shorter, with an ETag of its own; only for "
                "renewed links",
            ),
            ("gzip", {}, "send the file with Content-Encoding: gzip"),
            ("range_ignored", {}, "answer a request for a range with 200 and all"),
            ("wrong_content_range", {"delta": 1}, "state a range wrong by delta"),
            ("no_ranges", {}, "know no ranges: 200, no Accept-Ranges"),
        )
    },
    **{
        name: Kind(LINKS, parameters, meaning, (), links=True)
        for name, parameters, meaning in (
            ("missing_link", {}, "leave out the first link of a page that others follow"),
            ("duplicate_link", {}, "send the first link of a page twice"),
            ("links_out_of_order", {}, "send the links of a page from last to first"),
            ("link_gap", {"delta": 1}, "state startRowOffsets wrong by delta"),
            ("link_row_count", {"delta": 1}, "state a rowCount wrong by delta"),
            ("link_bytes", {"bytes": 0}, "state this bytesNum"),
            ("link_zero_rows", {}, "send one more link, of a file of no rows"),
            ("link_expiry", {"seconds": 3600}, "state an expiry so much later than it is"),
            ("link_headers", {}, "leave out the headers that the storage wants"),
            ("link_changed", {"rows": 1}, "a renewed link states so many rows more"),
            ("expired_links", {}, "send links that have expired"),
            (
                "unreachable",
                {"how": "port"},
                "send links to a closed port, a name that does not resolve, or without "
                "TLS: port, name, tls",
            ),
            ("empty_page", {}, "send a page of no links that others follow"),
            ("no_links", {}, "send a page of neither links nor rows"),
        )
    },
}


def list_kinds() -> dict[str, dict[str, Any]]:
    """KINDS for machines: a matrix of tests can be made of it."""
    return {
        name: {
            "phase": kind.phase,
            "parameters": kind.parameters,
            "meaning": kind.meaning,
            "rpcs": list(kind.rpcs),
            "probes": [rpc for rpc in kind.rpcs if rpc in PROBE_RPCS],
            "storage": kind.storage,
            "links": kind.links,
        }
        for name, kind in KINDS.items()
    }
