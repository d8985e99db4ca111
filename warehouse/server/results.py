# SPDX-License-Identifier: Apache-2.0
"""The rows of one operation, held until the operation is forgotten.

A worker thread drains the statement into a ``ResultStore``, in pieces as they will travel
(an Arrow record batch message, already in its LZ4 frame when the client reads LZ4), so
every piece is encoded once however often it is asked for.  Small results stay in memory;
beyond ``MEMORY_PER_RESULT`` (or when all results together hold ``MEMORY_TOTAL``) pieces
go to an unlinked temporary file.  The drain runs ahead of the reader by at most
``AHEAD_BYTES`` and then waits, so an endless statement does not fill the disk.

Threads: ``drain`` and ``read`` run on worker threads; everything shared is behind
``_lock``.
"""

from __future__ import annotations

import bisect
import itertools
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import lz4.frame
import pyarrow as pa

from .encode import WireForm, compress, encode_arrow

#: Largest piece: what one Arrow batch on the wire holds at most.
PIECE_ROWS = 100_000
PIECE_BYTES = 4 << 20
#: Neighbours smaller than this are merged, so that pages are not made of crumbs.
SMALL_ROWS = 16_384
MEMORY_PER_RESULT = 1 << 20
MEMORY_TOTAL = 256 << 20
AHEAD_BYTES = 256 << 20
#: A statement counts as finished once this much is ready, so that the first page of a
#: huge result does not wait for the last; smaller results are complete, errors included.
FINISHED_BYTES = 16 << 20
DECODED_BYTES = 64 << 20


class Discarded(Exception):
    """The operation was closed or evicted while its rows were being read or made."""


@dataclass(slots=True)
class Piece:
    """Rows ``first`` .. ``first + rows - 1``; ``data`` in memory, else at ``offset``.

    ``bytes_before`` counts the uncompressed bytes of all earlier pieces.
    """

    first: int
    rows: int
    bytes_before: int
    raw_bytes: int
    #: Length of the record batch message, not compressed.
    message_bytes: int
    offset: int
    size: int
    data: bytes | None


class _Budget:
    """Bytes that all results of the process hold in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used = 0

    def take(self, size: int) -> bool:
        with self._lock:
            if self._used + size > MEMORY_TOTAL:
                return False
            self._used += size
            return True

    def give(self, size: int) -> None:
        with self._lock:
            self._used -= size


class _Decoded:
    """Recently decoded pieces, for readers whose pages cut through them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[int, int], pa.RecordBatch] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[int, int]) -> pa.RecordBatch | None:
        with self._lock:
            batch = self._held.get(key)
            if batch is not None:
                self._held.move_to_end(key)
            return batch

    def put(self, key: tuple[int, int], batch: pa.RecordBatch) -> None:
        with self._lock:
            if key in self._held:
                return
            self._held[key] = batch
            self._bytes += batch.nbytes
            while self._bytes > DECODED_BYTES and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._bytes -= dropped.nbytes

    def forget(self, store: int) -> None:
        with self._lock:
            for key in [key for key in self._held if key[0] == store]:
                self._bytes -= self._held.pop(key).nbytes


_keys = itertools.count()
_budget = _Budget()
_decoded = _Decoded()


def recut(
    batches: Iterable[pa.RecordBatch], most_rows: int = PIECE_ROWS
) -> Iterator[pa.RecordBatch]:
    """The same rows in pieces of a wire batch's size."""
    small = min(SMALL_ROWS, most_rows)
    held: list[pa.RecordBatch] = []
    held_rows = 0
    for batch in batches:
        rows = batch.num_rows
        if rows == 0:
            continue
        if rows < small and batch.nbytes < PIECE_BYTES // 4:
            held.append(batch)
            held_rows += rows
            if held_rows < small:
                continue
            batch, held, held_rows = _merge(held), [], 0
        elif held:
            yield from _cut(_merge(held), most_rows)
            held, held_rows = [], 0
        yield from _cut(batch, most_rows)
    if held:
        yield from _cut(_merge(held), most_rows)


def _merge(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    if not batches[0].num_columns:
        return batches[0]
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def _cut(batch: pa.RecordBatch, most_rows: int) -> Iterator[pa.RecordBatch]:
    rows, size = batch.num_rows, max(1, batch.nbytes)
    step = max(1, min(most_rows, rows * PIECE_BYTES // size))
    for at in range(0, rows, step):
        yield batch.slice(at, step)


class ResultStore:
    """Rows of one operation.  ``changed`` is called (from the worker) when more is
    known.
    """

    def __init__(
        self,
        form: WireForm,
        *,
        lz4_frames: bool,
        row_limit: int | None,
        changed: Callable[[], None],
        batch_rows: int = 0,
        finished_bytes: int = FINISHED_BYTES,
        whole: bool = False,
    ):
        """``batch_rows``: most rows of a batch, 0 = ``PIECE_ROWS``.  ``finished_bytes``: so
        much is made before the statement counts as finished; ``whole``: all is, however
        much that is.
        """
        self.form = form
        self.lz4_frames = lz4_frames
        self.row_limit = row_limit
        self.finished_bytes = finished_bytes
        self.whole = whole
        self._batch_rows = batch_rows or PIECE_ROWS
        self._changed = changed
        self._lock = threading.Condition()
        self._pieces: list[Piece] = []
        self._firsts: list[int] = []
        self._file = None
        self._file_bytes = 0
        self._memory_bytes = 0
        self._asked_bytes = 0
        self._discarded = False
        self._users = 1
        #: The files made of these rows, by shape.
        self.file_sets: dict[Any, Any] = {}
        self.on_discard: list[Callable[[], None]] = []
        self.key = next(_keys)
        self.rows = 0
        self.raw_bytes = 0
        self.wire_bytes = 0
        self.ended = False
        self.stalled = False
        self.error: BaseException | None = None

    # -- the worker's side --

    def drain(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Take every batch; returns at the end.  Raises what the statement raises."""
        left = self.row_limit
        if left is None or left > 0:
            for batch in recut(batches, self._batch_rows):
                if left is not None:
                    batch = batch.slice(0, left)
                    left -= batch.num_rows
                self._add(batch)
                if left == 0:
                    break
        self._end(None)

    def fail(self, error: BaseException) -> None:
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        with self._lock:
            self.ended = True
            self.stalled = False
            self.error = error
        self._changed()

    def _add(self, batch: pa.RecordBatch) -> None:
        batch = self.form.convert(batch)
        raw = batch.serialize()
        data = compress(memoryview(raw)) if self.lz4_frames else raw.to_pybytes()
        with self._lock:
            while not self._discarded and not self.whole and self._ahead() > AHEAD_BYTES:
                if not self.stalled:
                    self.stalled = True
                    self._changed()
                self._lock.wait()
            self.stalled = False
            if self._discarded:
                raise Discarded()
            self._store(batch, data, raw.size)
        self._changed()

    def _ahead(self) -> int:
        return self.raw_bytes - self._asked_bytes

    def _store(self, batch: pa.RecordBatch, data: bytes, message_bytes: int) -> None:
        size, raw = len(data), max(batch.nbytes, 1)
        piece = Piece(
            self.rows, batch.num_rows, self.raw_bytes, raw, message_bytes, 0, size, None
        )
        in_memory = self._file is None and self._memory_bytes + size <= MEMORY_PER_RESULT
        if in_memory and _budget.take(size):
            piece.data = data
            self._memory_bytes += size
        else:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="warehouse-", buffering=0)
            piece.offset = self._file_bytes
            at = 0
            while at < size:
                at += os.pwrite(
                    self._file.fileno(), memoryview(data)[at:], piece.offset + at
                )
            self._file_bytes += size
        self._pieces.append(piece)
        self._firsts.append(piece.first)
        self.rows += batch.num_rows
        self.raw_bytes += raw
        self.wire_bytes += size

    # -- the readers' side --

    @property
    def presentable(self) -> bool:
        """Enough is known to call the statement finished."""
        if self.whole:
            return self.ended
        return self.ended or self.stalled or self.raw_bytes >= self.finished_bytes

    def ready(self, start: int, max_rows: int, max_bytes: int) -> bool:
        """Is the page complete, and is it known whether rows follow it?"""
        with self._lock:
            if self.ended or self._discarded:
                return True
            index = bisect.bisect_right(self._firsts, start) - 1
            if index < 0:
                return False
            before = self._pieces[index].bytes_before
            if before > self._asked_bytes:
                self._asked_bytes = before
                self._lock.notify_all()
            if self.rows <= start:
                return False
            if self.stalled or self.rows > start + max_rows:
                return True
            return self.raw_bytes - before > max_bytes + PIECE_BYTES

    def plan(self, start: int, max_rows: int, max_bytes: int) -> tuple[list, int]:
        """The page from ``start``: (piece index, from, to) triples and the row after
        it.
        """
        chosen: list[tuple[int, int, int]] = []
        with self._lock:
            index = bisect.bisect_right(self._firsts, start) - 1
            at, rows_left, bytes_left = start, max_rows, max_bytes
            while 0 <= index < len(self._pieces) and rows_left > 0:
                piece = self._pieces[index]
                begin = at - piece.first
                if begin >= piece.rows:
                    break
                take = min(piece.rows - begin, rows_left)
                size = piece.raw_bytes * take // piece.rows
                if size > bytes_left:
                    take = max(
                        0 if chosen else 1, bytes_left * piece.rows // piece.raw_bytes
                    )
                    take = min(take, piece.rows - begin, rows_left)
                    if take == 0:
                        break
                    size = bytes_left
                chosen.append((index, begin, begin + take))
                at += take
                rows_left -= take
                bytes_left -= size
                index += 1
                if bytes_left <= 0:
                    break
        return chosen, at

    def more_after(self, row: int) -> bool:
        with self._lock:
            return self.rows > row or not self.ended

    def _piece(self, index: int) -> Piece:
        if self._discarded:
            raise Discarded()
        return self._pieces[index]

    def _load(self, index: int) -> bytes:
        with self._lock:
            piece = self._piece(index)
            if piece.data is not None:
                return piece.data
            number = os.dup(self._file.fileno())
        try:
            return os.pread(number, piece.size, piece.offset)
        finally:
            os.close(number)

    def pieces_from(self, index: int) -> tuple[bool, list[tuple[int, int, int, int]]]:
        """Have all rows been made well, and the pieces from ``index`` on: (index, first row, rows,
        message bytes).
        """
        with self._lock:
            found = [
                (at, piece.first, piece.rows, piece.message_bytes)
                for at, piece in enumerate(self._pieces[index:], index)
            ]
            return self.ended and self.error is None, found

    def asked_to(self, row: int) -> None:
        """A reader wants the rows from ``row`` on: the drain may go on from there."""
        with self._lock:
            index = bisect.bisect_right(self._firsts, row) - 1
            if index >= 0 and self._pieces[index].bytes_before > self._asked_bytes:
                self._asked_bytes = self._pieces[index].bytes_before
                self._lock.notify_all()

    @property
    def discarded(self) -> bool:
        return self._discarded

    def message(self, index: int, begin: int, end: int) -> bytes:
        """A part of a piece as a record batch message, not compressed."""
        with self._lock:
            rows = self._piece(index).rows
        if begin or end != rows:
            return self.batch(index).slice(begin, end - begin).serialize().to_pybytes()
        raw = self._load(index)
        return lz4.frame.decompress(raw) if self.lz4_frames else raw

    def batch(self, index: int) -> pa.RecordBatch:
        """A piece, decoded."""
        key = (self.key, index)
        found = _decoded.get(key)
        if found is None:
            raw = self._load(index)
            if self.lz4_frames:
                raw = lz4.frame.decompress(raw)
            found = pa.ipc.read_record_batch(pa.py_buffer(raw), self.form.schema)
            _decoded.put(key, found)
        return found

    def arrow(self, chosen: list[tuple[int, int, int]]) -> list[tuple[bytes, int]]:
        """The page as (message bytes, rows) pairs."""
        made = []
        for index, begin, end in chosen:
            with self._lock:
                rows = self._piece(index).rows
            if begin == 0 and end == rows:
                data = self._load(index)
            else:
                part = self.batch(index).slice(begin, end - begin)
                data = encode_arrow(part, self.lz4_frames)
            made.append((data, end - begin))
        return made

    def table(self, chosen: list[tuple[int, int, int]]) -> pa.Table:
        """The page as one table."""
        parts = [self.batch(i).slice(begin, end - begin) for i, begin, end in chosen]
        return pa.Table.from_batches(parts, self.form.schema)

    def retain(self) -> None:
        """One more holder, whose ``discard`` does nothing while there are others."""
        with self._lock:
            self._users += 1

    def discard(self) -> None:
        """Give everything back; the drain ends with ``Discarded``."""
        with self._lock:
            self._users -= 1
            if self._users > 0:
                return
            self._discarded = True
            self._pieces.clear()
            self._firsts.clear()
            if self._file is not None:
                self._file.close()
                self._file = None
            _budget.give(self._memory_bytes)
            self._memory_bytes = 0
            self._lock.notify_all()
        _decoded.forget(self.key)
        for call in self.on_discard:
            call()
