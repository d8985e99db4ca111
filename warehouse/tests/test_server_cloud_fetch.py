# SPDX-License-Identifier: Apache-2.0
"""Results as links to files: the pages, the files, the storage, and the vendor's client."""

import email.utils
import time

import pytest
from databricks import sql as vendor
from databricks.sql.thrift_api.TCLIService import ttypes as t

from warehouse.testing import Warehouse
from warehouse.tests.cloud_client import (
    SQL,
    download,
    frames,
    get,
    links,
    opened,
    run,
    table,
)
from warehouse.tests.thrift_client import arrow_table, ident

FILE = 512 << 10
URLS = t.TSparkRowSetType.URL_BASED_SET
INLINE = t.TSparkRowSetType.ARROW_BASED_SET
DEFAULTS = {
    "cloud_fetch": True,
    "cloud_fetch_bytes": 1 << 20,
    "cloud_fetch_file_bytes": FILE,
    "cloud_fetch_page_files": 3,
    "cloud_fetch_inline_rows": 0,
    "cloud_fetch_extra_rows": 0,
    "cloud_fetch_checksums": True,
    "cloud_fetch_headers": True,
    "link_life_seconds": 900,
    "clock_skew_seconds": 0,
}


@pytest.fixture(scope="module")
def server():
    with Warehouse(no_samples=True, sweep_seconds=3600) as warehouse:
        yield warehouse
        assert "Traceback" not in warehouse.stderr


@pytest.fixture
def w(server):
    server.reset(sessions=True)
    server.settings(**DEFAULTS)
    return server


@pytest.fixture
def c(w):
    client = opened(w)
    yield client
    client.close()


def ids(found, **options):
    return [i for link in found for i in table(download(link).body, **options)["id"].to_pylist()]


# --- pages -----------------------------------------------------------------------------


def test_links_hold_every_row_once_and_in_order(w, c):
    handle = run(c)
    assert c.metadata(handle).resultFormat == URLS
    found = links(c, handle)
    assert len(found) > 3
    at = 0
    for link in found:
        assert link.startRowOffset == at
        at += link.rowCount
    assert at == 200_000
    assert ids(found) == list(range(200_000))


def test_a_page_ends_after_its_files_or_bytes(w, c):
    handle = run(c)
    page = c.fetch(handle)
    assert len(page.results.resultLinks) == 3 and page.hasMoreRows
    assert page.results.arrowBatches is None and page.results.columns is None
    assert len(c.fetch(handle, maxBytes=2 * FILE).results.resultLinks) == 2
    assert len(c.fetch(handle, maxBytes=1).results.resultLinks) == 1
    # A client that names no limit gets as many files as a page has, large ones too.
    w.settings(cloud_fetch_file_bytes=9 << 20)
    sql = "SELECT id, repeat('x', 100) AS s FROM range(0, {rows}, 1, 1)"
    handle = run(c, 300_000, sql)
    # Once the last file is there, all are.
    assert c.fetch(handle, startRowOffset=299_999).hasMoreRows is False
    assert len(c.fetch(handle, startRowOffset=0).results.resultLinks) == 3


def test_a_fetch_of_no_rows_gives_no_links_and_moves_nothing(w, c):
    handle = run(c)
    c.fetch(handle)
    page = c.fetch(handle, 0)
    assert page.results.resultLinks == [] and page.hasMoreRows is True
    assert page.results.arrowBatches is None
    found = c.fetch(handle).results
    assert found.startRowOffset == page.results.startRowOffset > 0
    assert w.stats()["storage"]["links_issued"] == 6


def test_what_a_link_says_is_so(w, c):
    before = time.time() * 1000
    handle = run(c)
    found = links(c, handle)
    for link in found:
        body = b"".join(frames(download(link).body))
        assert len(body) == link.bytesNum <= FILE
        assert body.endswith(b"\xff\xff\xff\xff\0\0\0\0")
        assert table(body, lz4_frames=False).num_rows == link.rowCount
        assert before + 890_000 < link.expiryTime < time.time() * 1000 + 910_000


def test_the_client_limits_the_size_of_a_file(w, c):
    found = links(c, run(c, maxBytesPerFile=100_000))
    assert all(link.bytesNum <= 101_000 for link in found) and len(found) > 20
    assert ids(found) == list(range(200_000))


def test_files_are_lz4_frames_as_real_servers_send_them(w, c):
    found = links(c, run(c))
    bodies = [download(link).body for link in found]
    for body in bodies:
        # Version 1, independent blocks, checksums of block and content, no size; 4 MiB.
        assert body[:6] == b"\x04\x22\x4d\x18\x74\x70"
    assert [len(frames(body)) for body in bodies] == [1] * (len(bodies) - 1) + [5]
    w.settings(cloud_fetch_checksums=False)
    body = download(links(c, run(c))[0]).body
    assert body[:6] == b"\x04\x22\x4d\x18\x60\x70"


def test_files_for_a_client_without_lz4_are_plain(w, c):
    handle = run(c, canDecompressLZ4Result=False)
    assert c.metadata(handle).lz4Compressed is False
    assert ids(links(c, handle), lz4_frames=False) == list(range(200_000))


@pytest.mark.parametrize(
    ("fields", "settings", "protocol"),
    [
        ({"canDownloadResult": False}, {}, None),
        ({"arrow": False}, {}, None),
        ({}, {}, 0xA502),
        ({}, {"cloud_fetch": False}, None),
        ({}, {"cloud_fetch_bytes": 64 << 20}, None),
        ({"rows": 1000}, {}, None),
    ],
)
def test_when_rows_come_inline(w, fields, settings, protocol):
    w.settings(**settings)
    c = opened(w, protocol)
    handle = run(c, **fields)
    page = c.fetch(handle)
    assert page.results.resultLinks is None
    assert c.metadata(handle).resultFormat != URLS


def test_a_large_limit_is_the_limit(w, c):
    sql = "SELECT id, repeat('x', 100) AS s FROM range(0, {rows}, 1, 1)"
    w.settings(cloud_fetch_bytes=48 << 20, cloud_fetch_file_bytes=20 << 20)
    seen = []
    for rows in (300_000, 600_000):
        page = c.fetch(run(c, rows, sql))
        seen.append(page.results.resultLinks is not None)
    assert seen == [False, True]


def test_always_links(w, c):
    w.settings(cloud_fetch_bytes=0)
    assert ids(links(c, run(c, rows=3))) == [0, 1, 2]
    handle = run(c, sql="SELECT 1 AS id WHERE false")
    page = c.fetch(handle)
    assert page.results.resultLinks == [] and page.hasMoreRows is False


def test_the_third_version_of_the_protocol_is_enough(w):
    c = opened(w, 0xA503)
    handle = run(c)
    assert c.metadata(handle).lz4Compressed is False
    assert ids(links(c, handle), lz4_frames=False) == list(range(200_000))


def test_direct_results_can_be_links_and_do_not_close_the_operation(w, c):
    w.settings(cloud_fetch_page_files=100)
    fields = {"canDownloadResult": True, "canDecompressLZ4Result": True}
    made = c.execute(SQL.format(rows=200_000), direct=100_000, **fields)
    direct = made.directResults
    assert direct.resultSetMetadata.resultFormat == URLS
    assert direct.resultSet.hasMoreRows is False and direct.closeOperation is None
    assert ids(direct.resultSet.results.resultLinks) == list(range(200_000))


def test_the_first_page_can_be_inline_although_later_ones_are_links(w, c):
    w.settings(cloud_fetch_inline_rows=1500)
    fields = {"canDownloadResult": True, "canDecompressLZ4Result": True}
    made = c.execute(SQL.format(rows=200_000), direct=100_000, **fields)
    direct = made.directResults
    assert direct.resultSetMetadata.resultFormat == INLINE
    first = arrow_table(direct.resultSetMetadata, direct.resultSet.results)
    assert first["id"].to_pylist() == list(range(1500))
    page = c.fetch(made.operationHandle, includeResultSetMetadata=True)
    assert page.resultSetMetadata.resultFormat == URLS
    found = page.results.resultLinks + links(c, made.operationHandle)
    assert found[0].startRowOffset == 1500
    assert ids(found) == list(range(1500, 200_000))
    again = c.fetch(made.operationHandle, startRowOffset=1000)
    assert arrow_table(direct.resultSetMetadata, again.results)["id"][0].as_py() == 1000


def test_files_can_hold_more_rows_than_count(w, c):
    w.settings(cloud_fetch_extra_rows=7)
    for link in links(c, run(c)):
        answer = download(link)
        assert table(answer.body).num_rows == link.rowCount + 7
        assert len(b"".join(frames(answer.body))) == link.bytesNum


def test_a_statement_that_fails_late_fails_in_a_page_of_links(w, c):
    w.settings(cloud_fetch_file_bytes=8 << 20)
    sql = (
        "SELECT id, sha2(CAST(id AS STRING), 256) AS a, "
        "IF(id = 1500000, raise_error('late'), 0) AS b FROM range(0, 3000000, 1, 1)"
    )
    handle = run(c, sql=sql)
    rows = 0
    while (page := c.fetch(handle)).status.statusCode == 0:
        rows += sum(link.rowCount for link in page.results.resultLinks)
        assert page.hasMoreRows is True
    assert "late" in page.status.errorMessage and 0 < rows < 1_500_000


# --- renewal ---------------------------------------------------------------------------


def test_links_are_renewed_from_a_row_on(w, c):
    handle = run(c)
    found = links(c, handle)
    again = c.fetch(handle, startRowOffset=found[1].startRowOffset).results.resultLinks
    assert [link.startRowOffset for link in again] == [
        link.startRowOffset for link in found[1:4]
    ]
    for old, new in zip(found[1:], again):
        assert new.fileLink != old.fileLink
        assert download(new).body == download(old).body
        assert download(new).headers["etag"] == download(old).headers["etag"]
    first = c.fetch(handle, startRowOffset=0).results.resultLinks[0]
    assert first.startRowOffset == 0
    inside = c.fetch(handle, startRowOffset=found[1].startRowOffset + 5).results
    assert inside.startRowOffset == found[1].startRowOffset
    storage = w.stats()["storage"]
    assert storage["links_renewed"] == 3 + 3 + 3
    assert storage["links_issued"] == len(found) + 9
    assert [file["links"] for file in w.files(ident(handle))][:2] == [2, 4]


def test_an_expired_link_is_refused_and_its_renewal_is_not(w, c):
    handle = run(c)
    (old, *_) = c.fetch(handle).results.resultLinks
    assert download(old).status == 200
    w.advance("899s")
    assert download(old).status == 200
    w.advance("2s")
    answer = download(old)
    assert answer.status == 403
    assert b"<Code>AccessDenied</Code><Message>Request has expired" in answer.body
    (new, *_) = c.fetch(handle, startRowOffset=0).results.resultLinks
    assert new.expiryTime - old.expiryTime > 900_000
    assert table(download(new).body).num_rows == new.rowCount


def test_the_life_of_links_can_be_set(w, c):
    w.settings(link_life_seconds=0.25)
    handle = run(c)
    (link, *_) = c.fetch(handle).results.resultLinks
    w.advance(0.3)
    assert download(link).status == 403


def test_links_die_with_their_operation(w, c):
    handle = run(c)
    (link, *_) = c.fetch(handle).results.resultLinks
    c.close_operation(handle)
    answer = download(link)
    assert answer.status == 404 and b"NoSuchKey" in answer.body


# --- the storage -----------------------------------------------------------------------


@pytest.fixture
def link(c):
    return c.fetch(run(c)).results.resultLinks[0]


def test_what_the_storage_says_of_a_file(w, link):
    answer = download(link)
    assert answer.headers["content-type"] == "binary/octet-stream"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["etag"].startswith('"')
    assert email.utils.parsedate_to_datetime(answer.headers["date"])
    entry = w.requests(limit=1)[0]
    assert entry["rpc"] == "storage GET" and "Signature" not in entry["path"]


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "x-databricks-org-id"])
def test_what_is_the_workspaces_is_refused(link, name):
    answer = download(link, **{name: "Bearer x"})
    assert answer.status == 400 and b"InvalidArgument" in answer.body


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("%2B", "+"),
        ("a+b", "a%20b"),
        ("~c", "%7Ec"),
        ("%3B%20", "%3b%20"),
        ("X-Amz-Expires=900", "X-Amz-Expires=999"),
        ("/results/", "/results//"),
        ("/0/1/", "/1/1/"),
    ],
)
def test_a_changed_url_is_refused(link, old, new):
    assert old in link.fileLink
    answer = get(link.fileLink.replace(old, new), link.httpHeaders)
    assert answer.status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body


def test_the_headers_of_a_link_are_needed(w, c):
    first, second, *_ = c.fetch(run(c)).results.resultLinks
    assert len(first.httpHeaders) == 2
    for headers in ({}, second.httpHeaders):
        answer = get(first.fileLink, headers)
        assert answer.status == 403 and b"MissingRequiredHeader" in answer.body
    w.settings(cloud_fetch_headers=False)
    (link, *_) = c.fetch(run(c)).results.resultLinks
    assert link.httpHeaders == {} and get(link.fileLink).status == 200


def test_ranges(w, link):
    whole = download(link)
    size, etag = len(whole.body), whole.headers["etag"]
    for asked, part in (
        ("bytes=10-", whole.body[10:]),
        ("bytes=10-19", whole.body[10:20]),
        ("bytes=-7", whole.body[-7:]),
        ("bytes=0-999999999", whole.body),
    ):
        answer = download(link, Range=asked, **{"If-Match": etag})
        assert answer.status == 206 and answer.body == part
        first = size - len(part) if asked != "bytes=10-19" else 10
        stated = f"bytes {first}-{first + len(part) - 1}/{size}"
        assert answer.headers["content-range"] == stated
        assert answer.headers["etag"] == etag
    other = download(link, Range="bytes=10-", **{"If-Match": '"other"'})
    assert other.status == 412 and b"PreconditionFailed" in other.body
    beyond = download(link, Range=f"bytes={size}-")
    assert beyond.status == 416
    assert beyond.headers["content-range"] == f"bytes */{size}"
    assert w.stats()["storage"]["ranges"] == 4


def test_statistics(w, c):
    handle = run(c)
    first, second, *_ = c.fetch(handle).results.resultLinks
    body = download(first).body
    download(first)
    get(second.fileLink)
    storage = w.stats()["storage"]
    assert storage["answers"] == {"200": 2, "403": 1} and storage["requests"] == 3
    assert storage["bytes_out"] >= 2 * len(body)
    assert storage["max_in_flight"] == 1
    one, two, _ = w.files(ident(handle))
    assert one["answers"] == {"200": 2} and one["bytes_out"] == 2 * len(body)
    assert two["answers"] == {"403": 1} and one["rows"] == first.rowCount
    assert w.stats()["cpu_seconds"] > 0


@pytest.mark.parametrize("skew", [-600, 600])
def test_the_clock_of_the_server_can_be_wrong(w, c, skew):
    w.settings(clock_skew_seconds=skew)
    handle = run(c)
    now = w.stats()["clock"]["now"]
    real = time.time() + w.stats()["clock"]["advanced_seconds"]
    assert abs(now - real - skew) < 5
    said = email.utils.parsedate_to_datetime(c.last_headers["date"]).timestamp()
    assert abs(said - now) < 5
    (link, *_) = c.fetch(handle).results.resultLinks
    assert abs(link.expiryTime / 1000 - now - 900) < 5
    answer = download(link)
    assert answer.status == 200
    said = email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp()
    assert abs(said - now) < 5


# --- the vendor's client ---------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"cloud_fetch_inline_rows": 1000}])
def test_the_connector_reads_the_same_through_links(w, settings):
    w.settings(**settings)
    statement = (
        "SELECT id, concat('row-', id) AS s, id * 0.5D AS d, "
        "CAST(id AS DECIMAL(20, 2)) AS dec, IF(id % 3 = 0, NULL, id) AS n, "
        "array(id, id + 1) AS a, TIMESTAMP '2024-02-29 12:00:00' AS ts "
        "FROM range(0, 150000, 1, 1)"
    )
    read = []
    for use in (False, True):
        with (
            vendor.connect(
                server_hostname=w.host,
                http_path=w.http_path,
                access_token=w.token,
                _connection_uri=w.uri,
                use_cloud_fetch=use,
                enable_telemetry=False,
            ) as connection,
            connection.cursor(arraysize=20_000) as cursor,
        ):
            read.append(cursor.execute(statement).fetchall_arrow())
    assert read[0].num_rows == 150_000 and read[0].equals(read[1])
    storage = w.stats()["storage"]
    assert storage["answers"] == {"200": storage["links_issued"]}
    assert storage["links_issued"] > 5
