# SPDX-License-Identifier: Apache-2.0
"""Faults of cloud fetch: wrong files, wrong links, a storage that is far away or gone."""

import gzip
import http.client
import random
import socket
import time

import lz4.frame
import pyarrow as pa
import pytest

from warehouse.server.kinds import KINDS
from warehouse.testing import ControlError, Warehouse
from warehouse.tests.cloud_client import download, frames, get, links, opened, run, table
from warehouse.tests.thrift_client import ident

ROWS = 200_000
SETTINGS = {
    "cloud_fetch_bytes": 0,
    "cloud_fetch_file_bytes": 1 << 20,
    "cloud_fetch_page_files": 3,
    "cloud_fetch_checksums": True,
    "storage_latency_ms": 0,
    "storage_bytes_per_second": 0,
    "storage_max_connections": 0,
    "latency_ms": 0,
    "bytes_per_second": 0,
}


@pytest.fixture(scope="module")
def server():
    with Warehouse(no_samples=True, sweep_seconds=3600) as warehouse:
        yield warehouse
        assert "Traceback" not in warehouse.stderr


@pytest.fixture
def w(server):
    server.settings(**SETTINGS)
    server.reset(sessions=True)
    return server


@pytest.fixture
def c(w):
    client = opened(w)
    yield client
    client.close()


@pytest.fixture
def handle(c):
    return run(c, ROWS)


@pytest.fixture
def page(c, handle):
    """The links of the first page."""
    return c.fetch(handle).results.resultLinks


# --- the list --------------------------------------------------------------------------


def test_every_fault_of_the_storage_and_of_links_can_be_added_there(w):
    kinds = w.fault_kinds()
    for kind, known in kinds.items():
        where = [place for place in ("storage", "links") if known[place]]
        for place in where:
            assert w.fault(kind, place)
        if not known["storage"]:
            with pytest.raises(ControlError, match="cannot be met at the storage"):
                w.fault(kind, "storage")
        if not known["links"]:
            with pytest.raises(ControlError, match="cannot be met at links"):
                w.fault(kind, "links")
    assert sum(known["storage"] for known in kinds.values()) > 20
    assert sum(known["links"] for known in kinds.values()) > 10


def test_what_can_be_met_in_one_place_need_not_name_it(w):
    w.fault("file_arrow"), w.fault("missing_link"), w.fault("expired_link")
    w.fault({"kind": "status", "code": 404}, {"file": 2})
    assert [fault["where"] for fault in w.faults()] == [
        {"storage": "GET"},
        {"links": True},
        {"storage": "GET"},
        {"storage": "GET", "file": 2},
    ]
    with pytest.raises(ControlError, match="do.part is one of header, block, checksum"):
        w.fault({"kind": "file_lz4", "part": "tail"})


def test_faults_hit_the_file_the_operation_and_the_nth_request(w, c, handle, page):
    other = c.fetch(run(c, ROWS)).results.resultLinks
    where = {"storage": "GET", "operation": ident(handle), "file": 1}
    name = w.fault({"kind": "status", "code": 404}, where, {"nth": 2})
    seen = [download(link).status for link in (page[1], page[0], other[1], page[1], page[1])]
    assert seen == [200, 200, 200, 404, 200]
    assert w.fault_taken(name) == 1 and w.faults()[0]["taken"][0]["file"] == 1
    assert w.requests(limit=2)[0]["faults"] == [f"{name} status"]


def test_chance_is_the_same_for_the_same_seed(w, page):
    seen = []
    for _ in range(2):
        w.clear_faults()
        w.fault("expired_link", "storage", {"probability": 0.5, "seed": 3}, times=0)
        seen.append([download(page[0]).status for _ in range(12)])
    assert seen[0] == seen[1] and set(seen[0]) == {200, 403}


# --- answers of the storage ------------------------------------------------------------


@pytest.mark.parametrize(
    ("do", "status", "code"),
    [
        ("expired_link", 403, "AccessDenied"),
        ("expired_token", 400, "ExpiredToken"),
        ("authentication_failed", 403, "AuthenticationFailed"),
        ({"kind": "status", "code": 401}, 401, "Unauthorized"),
        ({"kind": "status", "code": 404}, 404, "NoSuchKey"),
        ({"kind": "status", "code": 408}, 408, "RequestTimeout"),
        ({"kind": "status", "code": 410}, 410, "Gone"),
        ({"kind": "status", "code": 500}, 500, "InternalError"),
        ({"kind": "status", "code": 503}, 503, "SlowDown"),
        ({"kind": "status", "code": 429, "retry_after": 7}, 429, "TooManyRequests"),
        ({"kind": "status", "code": 503, "retry_after_date": 9}, 503, "SlowDown"),
    ],
)
def test_refusals(w, page, do, status, code):
    w.fault(do, "storage")
    answer = download(page[0])
    assert answer.status == status and f"<Code>{code}</Code>".encode() in answer.body
    after = answer.headers.get("retry-after")
    if isinstance(do, dict) and do.get("retry_after"):
        assert after == "7"
    elif isinstance(do, dict) and do.get("retry_after_date"):
        assert after.endswith("GMT")
    else:
        assert after is None
    named = answer.headers.get("x-ms-error-code")
    assert named == ("AuthenticationFailed" if do == "authentication_failed" else None)
    assert download(page[0]).status == 200


@pytest.mark.parametrize(
    ("do", "error"),
    [
        ("refuse", http.client.RemoteDisconnected),
        ({"kind": "reset", "bytes": 0}, ConnectionResetError),
        ({"kind": "reset", "bytes": 1000}, (ConnectionResetError, http.client.IncompleteRead)),
        ({"kind": "truncate", "bytes": 1000}, http.client.IncompleteRead),
        ({"kind": "wrong_length", "delta": 5}, http.client.IncompleteRead),
        ("close_connection", (ConnectionResetError, http.client.RemoteDisconnected)),
    ],
)
def test_cut_connections(w, page, do, error):
    w.fault(do, "storage")
    with pytest.raises(error):
        download(page[0])
    assert download(page[0]).status == 200


def test_garbage_delay_and_drip(w, page):
    w.fault({"kind": "garbage", "bytes": 99}, "storage")
    assert len(download(page[0]).body) == 99
    before = time.monotonic()
    w.fault({"kind": "delay", "ms": 200}, "storage")
    whole = download(page[0]).body
    assert time.monotonic() - before >= 0.2
    w.fault({"kind": "drip", "bytes": len(whole) // 3, "ms": 50}, "storage")
    before = time.monotonic()
    assert download(page[0]).body == whole
    assert time.monotonic() - before >= 0.1


def test_a_download_that_hangs_and_is_released(w, page):
    w.fault("hang", "storage")
    with pytest.raises(TimeoutError):
        get(page[0].fileLink, page[0].httpHeaders, timeout=0.3)
    w.wait("held", 0, at_most=True)
    assert w.stats()["storage"]["answers"] == {"none": 1}


# --- wrong files -----------------------------------------------------------------------


@pytest.mark.parametrize("part", ["header", "block", "checksum"])
@pytest.mark.parametrize("last", [False, True])
def test_bad_lz4(w, c, handle, part, last):
    link = links(c, handle)[-1 if last else 0]
    good = download(link).body
    w.fault({"kind": "file_lz4", "part": part})
    bad = download(link).body
    assert len(bad) == len(good) and bad != good
    with pytest.raises(RuntimeError):
        lz4.frame.decompress(bad)
    assert download(link).body == good


def test_bad_lz4_without_checksums_is_a_bad_block(w, c):
    w.settings(cloud_fetch_checksums=False)
    (link, *_) = c.fetch(run(c, ROWS)).results.resultLinks
    w.fault({"kind": "file_lz4", "part": "checksum"})
    with pytest.raises(RuntimeError):
        lz4.frame.decompress(download(link).body)


def test_bad_flatbuffer(w, page):
    w.fault("file_arrow")
    body = download(page[0]).body
    with pytest.raises((pa.ArrowInvalid, OSError)):
        table(body)


def test_other_types(w, page):
    w.fault("file_schema")
    found = table(download(page[0]).body)
    assert found.schema.names == ["id", "s"] and found.num_rows == page[0].rowCount
    assert found.schema.field(0).type == pa.string()
    assert found.schema.field(1).type == pa.string()


@pytest.mark.parametrize(("kind", "sign"), [("file_short", -1), ("file_long", 1)])
def test_fewer_and_more_rows(w, page, kind, sign):
    w.fault({"kind": kind, "rows": 5})
    found = table(download(page[0]).body)
    assert found.num_rows == page[0].rowCount + 5 * sign
    known = min(found.num_rows, page[0].rowCount)
    assert found["id"].to_pylist()[:known] == list(range(known))


def test_no_end_mark(w, page):
    good = b"".join(frames(download(page[0]).body))
    w.fault("file_no_end")
    assert b"".join(frames(download(page[0]).body)) == good[:-8]


def test_another_file_after_renewal(w, c, handle, page):
    name = w.fault("file_changed", times=0)
    first = download(page[0])
    assert w.fault_taken(name) == 0
    (renewed, *_) = c.fetch(handle, startRowOffset=0).results.resultLinks
    other = download(renewed)
    assert w.fault_taken(name) == 1
    assert other.headers["etag"] != first.headers["etag"] and other.body != first.body
    assert table(other.body).num_rows == page[0].rowCount - 1
    cut = download(renewed, Range="bytes=10-", **{"If-Match": first.headers["etag"]})
    assert cut.status == 412


def test_gzip(w, page):
    good = download(page[0]).body
    w.fault("gzip")
    answer = download(page[0])
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body) == good


def test_ranges_that_go_wrong(w, page):
    good = download(page[0]).body
    w.fault("no_ranges")
    assert download(page[0]).headers.get("accept-ranges") is None
    w.fault("range_ignored")
    ignored = download(page[0], Range="bytes=10-")
    assert ignored.status == 200 and ignored.body == good
    w.fault("wrong_content_range")
    assert download(page[0]).status == 200
    wrong = download(page[0], Range="bytes=10-")
    assert wrong.status == 206 and wrong.body == good[10:]
    stated = f"bytes 11-{len(good)}/{len(good)}"
    assert wrong.headers["content-range"] == stated


def test_faults_of_files_add_up(w, page):
    w.fault({"kind": "file_short", "rows": 3})
    w.fault("gzip")
    w.fault({"kind": "delay", "ms": 1}, "storage")
    answer = download(page[0])
    assert table(gzip.decompress(answer.body)).num_rows == page[0].rowCount - 3
    assert len(w.requests(limit=1)[0]["faults"]) == 3


def test_volumes_meet_no_faults_of_files(w, c):
    name = w.fault("file_short", {"storage": "*"}, times=0)
    get(w.storage + "/Volumes/main/default/v/f")
    assert w.fault_taken(name) == 0


# --- wrong links -----------------------------------------------------------------------


def offsets(page):
    return [link.startRowOffset for link in page.results.resultLinks]


def test_missing_duplicated_and_reversed_links(w, c, handle):
    good = c.fetch(handle)
    for kind, wanted in (
        ("missing_link", offsets(good)[1:]),
        ("duplicate_link", [0, *offsets(good)]),
        ("links_out_of_order", offsets(good)[::-1]),
        ("link_zero_rows", [0, *offsets(good)]),
    ):
        name = w.fault(kind)
        found = c.fetch(handle, startRowOffset=0)
        assert offsets(found) == wanted and found.hasMoreRows is True, kind
        assert w.requests(limit=1)[0]["faults"] == [f"{name} {kind}"]
    assert found.results.resultLinks[0].rowCount == 0
    assert offsets(c.fetch(handle, startRowOffset=0)) == offsets(good)


def test_only_links_that_others_follow_are_left_out(w, c, handle):
    (*_, last) = links(c, handle)
    name = w.fault("missing_link", times=0)
    found = c.fetch(handle, startRowOffset=last.startRowOffset)
    assert offsets(found) == [last.startRowOffset] and w.fault_taken(name) == 0


def test_what_links_state_wrongly(w, c, handle):
    good = c.fetch(handle).results.resultLinks
    w.fault({"kind": "link_gap", "delta": 4})
    w.fault({"kind": "link_row_count", "delta": -2})
    w.fault({"kind": "link_bytes", "bytes": 12})
    w.fault({"kind": "link_expiry", "seconds": 600})
    w.fault("link_headers")
    found = c.fetch(handle, startRowOffset=0).results.resultLinks
    assert [link.startRowOffset for link in found] == [
        link.startRowOffset + 4 for link in good
    ]
    assert found[-1].rowCount == good[-1].rowCount - 2
    assert {link.bytesNum for link in found} == {12}
    assert found[0].expiryTime - good[0].expiryTime >= 600_000
    assert found[0].httpHeaders == {} and download(found[0]).status == 403


def test_a_renewed_link_that_states_other_rows(w, c, handle):
    name = w.fault("link_changed", times=0)
    first = c.fetch(handle).results.resultLinks
    assert w.fault_taken(name) == 0
    again = c.fetch(handle, startRowOffset=0).results.resultLinks
    assert [link.rowCount for link in again] == [link.rowCount + 1 for link in first]


def test_links_that_have_expired(w, c, handle):
    w.fault("expired_links")
    (link, *_) = c.fetch(handle).results.resultLinks
    assert link.expiryTime / 1000 < w.stats()["clock"]["now"]
    assert download(link).status == 403
    (link, *_) = c.fetch(handle, startRowOffset=0).results.resultLinks
    assert download(link).status == 200


def test_pages_without_links(w, c, handle):
    w.fault("empty_page")
    page = c.fetch(handle)
    assert page.results.resultLinks == [] and page.hasMoreRows is True
    w.fault("no_links")
    page = c.fetch(handle)
    assert page.results.resultLinks is None and page.results.arrowBatches is None
    assert offsets(c.fetch(handle, startRowOffset=0))[0] == 0


def test_a_storage_that_cannot_be_reached(w, c, handle):
    errors = {"port": ConnectionRefusedError, "name": socket.gaierror}
    for how, error in errors.items():
        w.fault({"kind": "unreachable", "how": how})
        (link, *_) = c.fetch(handle, startRowOffset=0).results.resultLinks
        with pytest.raises(error):
            download(link)
    w.fault({"kind": "unreachable", "how": "tls"})
    (link, *_) = c.fetch(handle, startRowOffset=0).results.resultLinks
    assert link.fileLink.startswith("https://")
    assert link.fileLink.partition("://")[2].startswith(w.storage.partition("://")[2])


def test_faults_of_pages_hit_pages_of_links_too(w, c, handle):
    good = c.fetch(handle)
    w.fault({"kind": "wrong_offset", "delta": 3}, "FetchResults")
    assert c.fetch(handle, startRowOffset=0).results.startRowOffset == 3
    w.fault({"kind": "wrong_row_count", "delta": 1}, "FetchResults")
    found = c.fetch(handle, startRowOffset=0).results.resultLinks
    assert found[-1].rowCount == good.results.resultLinks[-1].rowCount + 1
    w.fault("missing_batch", "FetchResults")
    assert len(c.fetch(handle, startRowOffset=0).results.resultLinks) == 2


# --- many at once ----------------------------------------------------------------------

#: Without end: what would only make the test slow.
SLOW = {"delay": {"ms": 1}, "drip": {"bytes": 200_000, "ms": 1}, "hang": None, "hold": {"ms": 1}}


def random_faults(w, seed):
    chance = random.Random(seed)
    kinds = sorted(
        cell for cell in w.cloud_fault_matrix() if SLOW.get(cell[0], ()) is not None
    )
    chosen = chance.sample(kinds, 3)
    for number, (kind, place) in enumerate(chosen):
        where = {"storage": "GET"} if place == "storage" else {"links": True}
        when = {"probability": 0.4, "seed": seed * 3 + number}
        w.fault({"kind": kind, **SLOW.get(kind, {})}, where, when, times=0)
    return chosen


def read_as_well_as_it_goes(c, handle):
    """The rows that a client without any check of its own gets."""
    found, start = 0, 0
    for _ in range(40):
        page = c.fetch(handle, startRowOffset=start)
        for link in page.results.resultLinks or ():
            try:
                answer = download(link)
                rows = table(answer.body).num_rows if answer.status == 200 else 0
            except (OSError, http.client.HTTPException, RuntimeError, pa.ArrowException, EOFError):
                rows = 0
            found, start = found + rows, max(start, link.startRowOffset + link.rowCount)
        if not page.hasMoreRows:
            break
    return found


@pytest.mark.parametrize("seed", range(25))
def test_three_faults_by_chance_leave_the_warehouse_well(w, c, handle, seed):
    chosen = random_faults(w, seed)
    read_as_well_as_it_goes(c, handle)
    taken = sum(fault["taken_count"] for fault in w.faults())
    named = [name for entry in w.requests(limit=5000) for name in entry["faults"]]
    assert len(named) == taken, chosen
    w.clear_faults()
    assert read_as_well_as_it_goes(c, handle) == ROWS, chosen
    assert w.stats()["storage"]["in_flight"] == 0


# --- far away --------------------------------------------------------------------------


def test_latency_and_rate_of_the_storage(w, page):
    whole = download(page[0]).body
    w.settings(storage_latency_ms=150)
    before = time.monotonic()
    assert download(page[0]).status == 200
    assert 0.15 <= time.monotonic() - before < 5
    w.settings(storage_latency_ms=0, storage_bytes_per_second=len(whole) * 3)
    before = time.monotonic()
    assert download(page[0]).body == whole
    assert 0.3 <= time.monotonic() - before < 5


def test_latency_and_rate_of_the_main_port(w, c, handle):
    w.settings(latency_ms=150)
    before = time.monotonic()
    c.status(handle)
    assert 0.15 <= time.monotonic() - before < 5
    w.settings(latency_ms=0, cloud_fetch=False)
    other = run(c, ROWS)
    size = sum(len(batch.batch) for batch in c.fetch(other).results.arrowBatches)
    w.settings(bytes_per_second=size * 3)
    before = time.monotonic()
    c.fetch(other, startRowOffset=0)
    assert 0.3 <= time.monotonic() - before < 5
    w.settings(cloud_fetch=True)


def test_the_storage_takes_so_many_connections(w, page):
    w.wait("storage_connections", 0, at_most=True)
    w.settings(storage_max_connections=1)
    host = w.storage.partition("://")[2]
    held = http.client.HTTPConnection(host, timeout=10)
    held.connect()
    w.wait("storage_connections", 1)
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        download(page[0])
    held.close()
    w.wait("storage_connections", 0, at_most=True)
    assert download(page[0]).status == 200
    assert w.stats()["storage"]["max_connections"] == 2


def test_phases_of_the_list(w):
    for kind, known in w.fault_kinds().items():
        assert known["phase"] == KINDS[kind].phase
        assert (known["phase"] == "links") == known["links"]
