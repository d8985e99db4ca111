# SPDX-License-Identifier: Apache-2.0
"""FetchResults: where the page starts, how long it is, and how it travels."""

from __future__ import annotations

import logging
from typing import Any

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes as t

from . import replies
from .core import Warehouse
from .encode import columns_of_schema
from .operations import Failure, Operation, State
from .replies import V5
from .results import Discarded
from .spoil import Spoil

log = logging.getLogger("warehouse.fetch")

NEXT, PRIOR, FIRST = (
    t.TFetchOrientation.FETCH_NEXT,
    t.TFetchOrientation.FETCH_PRIOR,
    t.TFetchOrientation.FETCH_FIRST,
)
#: Page of a client that names no limit of rows (-1) or bytes.
DEFAULT_ROWS = 100_000
DEFAULT_BYTES = 16 << 20
#: No reply is larger, whatever the client allows.
MOST_BYTES = 128 << 20
MOST_ROWS = (1 << 31) - 1


class Fetcher:
    def __init__(self, warehouse: Warehouse):
        self.wh = warehouse

    async def fetch(
        self, op: Operation, req: Any, spoil: Spoil
    ) -> Any:
        """The reply to FetchResults; None when the operation went away meanwhile."""
        personality = self.wh.personality
        if req.fetchType == 1:
            return self._operation_log(op)
        if op.state != State.FINISHED_STATE or op.store is None:
            return replies.failed("FetchResults", replies.not_finished(op, personality))
        allowed = (NEXT, FIRST) if personality.name == "hive" else (NEXT, FIRST, PRIOR)
        if req.orientation not in allowed:
            name = t.TFetchOrientation._VALUES_TO_NAMES.get(
                req.orientation, req.orientation
            )
            text = f"The fetch type {name} is not supported for this resultset"
            status = replies.error_status(personality, text, "HY106")
            return replies.failed("FetchResults", status)
        if personality.name == "hive" and op.outcome and op.outcome.kind != "query":
            from .service import NO_FIELD_SCHEMAS

            status = replies.error_status(personality, NO_FIELD_SCHEMAS)
            return replies.failed("FetchResults", status)
        rows = self._row_limit(req.maxRows)
        if rows < 0:
            at = op.cursor - op.page_start
            text = (
                "Unable to get the next row set with exception: java.io.IOException: "
                f"fromIndex({at}) > toIndex({at - 1})"
            )
            return replies.failed("FetchResults", replies.error_status(personality, text))
        if rows == 0:
            return self._empty(op, req)
        async with op.fetching:
            if op.gone:
                return None
            start = self._start(op, req, rows)
            made = await self.page(op, start, rows, req.maxBytes, spoil)
        if op.gone:
            return None
        if (
            personality.databricks
            and op.session.protocol >= V5
            and req.includeResultSetMetadata
        ):
            links = self.comes_as_links(op, start)
            made.resultSetMetadata = replies.result_metadata(
                op, personality, spoil, links
            )
        return made

    def _row_limit(self, asked: int) -> int:
        personality = self.wh.personality
        if personality.databricks:
            return DEFAULT_ROWS if asked < 0 else min(asked, MOST_ROWS)
        if personality.page_rows is not None:
            return -1 if asked < 0 else min(asked, personality.page_rows)
        cut = asked & 0xFFFFFFFF
        return 0 if cut > MOST_ROWS else cut

    def _start(self, op: Operation, req: Any, rows: int) -> int:
        if self.wh.personality.databricks and req.startRowOffset is not None:
            return max(0, req.startRowOffset)
        if req.orientation == FIRST:
            return 0
        if req.orientation == PRIOR:
            return max(0, op.page_start - rows)
        return op.cursor

    def _empty(self, op: Operation, req: Any) -> t.TFetchResultsResp:
        """A page of no rows.  On Hive it is taken for the end of the result."""
        personality = self.wh.personality
        if personality.empty_fetch_ends:
            op.drained_by_empty_fetch = True
        if req.orientation in (FIRST, PRIOR):
            op.cursor = self._start(op, req, 0)
        op.page_start = op.cursor
        more = personality.databricks and op.store.more_after(op.cursor)
        if self.comes_as_links(op, op.cursor):
            results = t.TRowSet(startRowOffset=op.cursor, rows=[], resultLinks=[])
        else:
            results = self._rows(op, op.cursor, [], None)
        return t.TFetchResultsResp(status=replies.ok(), hasMoreRows=more, results=results)

    async def page(
        self,
        op: Operation,
        start: int | None,
        rows: int,
        max_bytes: int | None,
        spoil: Spoil,
    ) -> t.TFetchResultsResp:
        """One page from ``start`` (default: the cursor), with rows if there are any."""
        personality, store = self.wh.personality, op.store
        start = op.cursor if start is None else start
        limit = (
            DEFAULT_BYTES
            if not max_bytes or max_bytes < 0
            else min(max_bytes, MOST_BYTES)
        )
        if not personality.databricks:
            limit = MOST_BYTES
        if self.comes_as_links(op, start):
            return await self._link_page(op, start, max_bytes or 0, spoil)
        if op.links:
            rows = min(rows, op.links.files.shape.first_row - start)
        await op.changed.wait_for(
            lambda: op.gone or store.ready(start, rows, limit), None
        )
        if store.error is not None and store.rows < start + rows:
            failure = op.failure or Failure.of(store.error)
            status = replies.failure_status(personality, failure)
            return replies.failed("FetchResults", status)
        chosen, end = (
            ([], start) if op.drained_by_empty_fetch else store.plan(start, rows, limit)
        )
        more = personality.databricks and store.more_after(end)
        try:
            if op.bench_key is not None and spoil.nothing:
                results = await self._kept(op, start, chosen, spoil)
            else:
                results = await self.wh.in_worker(
                    self._encoded, op, start, chosen, spoil, store.more_after(end)
                )
                results.startRowOffset += spoil.offset
        except Discarded:
            return replies.failed("FetchResults", replies.not_finished(op, personality))
        op.page_start, op.cursor = start, end
        return t.TFetchResultsResp(status=replies.ok(), hasMoreRows=more, results=results)

    async def _kept(self, op: Operation, start: int, chosen: list, spoil: Spoil) -> Any:
        """The row set of a page in bench mode, encoded once."""
        key = (op.arrow, start, chosen[0], chosen[-1]) if chosen else (op.arrow, start)
        found = self.wh.bench.page(op.store, key)
        if found is not None:
            return found

        def make() -> Any:
            rows = self._encoded(op, start, chosen, spoil, False)
            return self.wh.bench.keep_page(op.store, key, rows)

        return await self.wh.in_worker(make)

    def comes_as_links(self, op: Operation, start: int) -> bool:
        """Does the page from this row on hold links?"""
        if op.store is None or op.live:
            return False
        links = self.wh.links.of(op)
        return links is not None and start >= links.files.shape.first_row

    async def _link_page(
        self, op: Operation, start: int, max_bytes: int, spoil: Spoil
    ) -> t.TFetchResultsResp:
        """Links to the files from the one with this row on; their bytes, as far as the
        client limits them, are those of the files.
        """
        personality, store, files = self.wh.personality, op.store, op.links.files
        most = max(1, self.wh.options.cloud_fetch_page_files)
        store.asked_to(start)
        while True:
            rows, ended = store.rows, store.ended
            try:
                if not files.complete:
                    await self.wh.in_worker(files.extend)
            except Discarded:
                return replies.failed(
                    "FetchResults", replies.not_finished(op, personality)
                )
            found = files.closed_from(start, most)
            if found or ended or op.gone:
                break
            await op.changed.wait_for(
                lambda: op.gone or store.ended or store.rows != rows, None
            )
        if store.error is not None and not found:
            failure = op.failure or Failure.of(store.error)
            status = replies.failure_status(personality, failure)
            return replies.failed("FetchResults", status)
        chosen, size = [], 0
        for file in found:
            size += file.raw_bytes
            if chosen and 0 < max_bytes < size:
                break
            chosen.append(file)
        end = chosen[-1].end if chosen else start
        more = store.more_after(end)
        results = t.TRowSet(
            startRowOffset=chosen[0].first if chosen else start,
            rows=[],
            resultLinks=self.wh.links.page(op, chosen, more, spoil),
        )
        results.startRowOffset += spoil.offset
        if spoil.keeps_cursor:
            end, more = start, True
        op.page_start, op.cursor = start, end
        return t.TFetchResultsResp(status=replies.ok(), hasMoreRows=more, results=results)

    def _encoded(
        self, op: Operation, start: int, chosen: list, spoil: Spoil, more: bool
    ) -> t.TRowSet:
        """The row set of a page; on a worker thread."""
        if op.arrow:
            batches = op.store.arrow(chosen)
            batches = spoil.batches(batches, op.store.lz4_frames, more)
            return self._rows(op, start, batches, None)
        table = op.store.table(chosen) if chosen else None
        if table is None:
            return self._rows(op, start, [], table)
        table = spoil.table(table, more)
        made = self._rows(op, start, [], table)
        if spoil.count and made.columns:
            short = table.slice(0, max(0, table.num_rows + min(spoil.count, -1)))
            first = op.encoder.column(short.column(0), op.columns[0].type_id)
            made.columns[0] = first
        return made

    def _rows(
        self,
        op: Operation,
        start: int,
        batches: list,
        table: pa.Table | None,
    ) -> t.TRowSet:
        personality = self.wh.personality
        made = t.TRowSet(startRowOffset=start if personality.real_offsets else 0, rows=[])
        if op.arrow:
            made.arrowBatches = [
                t.TSparkArrowBatch(batch=data, rowCount=count) for data, count in batches
            ]
            return made
        if (
            op.outcome is not None
            and op.outcome.kind == "ddl"
            and not personality.databricks
        ):
            made.columns = []
            return made
        if table is None:
            table = op.form.schema.empty_table()
        made.columns = op.encoder.encode(table)
        return made

    def _operation_log(self, op: Operation) -> t.TFetchResultsResp:
        """fetchType 1: the log of the operation, which only Hive fills."""
        lines = []
        if self.wh.personality.name == "hive":
            lines = [f"INFO  : Compiling command(queryId=hive_{op.id})", "INFO  : OK"]
        table = pa.table({"operation_log": pa.array(lines, pa.string())})
        from .operations import EVERY_TYPE_NATIVE, ColumnEncoder, WireForm

        form = WireForm(
            table.schema, columns_of_schema(table.schema), EVERY_TYPE_NATIVE, "hive"
        )
        encoder = ColumnEncoder(form, True, self.wh.personality.no_nulls)
        rows = t.TRowSet(startRowOffset=0, rows=[], columns=encoder.encode(table))
        return t.TFetchResultsResp(status=replies.ok(), hasMoreRows=False, results=rows)
