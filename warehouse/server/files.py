# SPDX-License-Identifier: Apache-2.0
"""A result as files: what cloud fetch downloads.

A file is consecutive rows of the result as one complete Arrow IPC stream (schema, record
batches, end mark), in LZ4 frames when the client reads LZ4.  ``FileSet`` cuts a result into
files as its rows are made; where they are cut depends on the rows alone, so a link that is
renewed leads to the same file.  A file is encoded when it is first asked for, and kept in an
unlinked temporary file until the room is needed; encoded again it is the same, byte for byte.

Threads: everything but ``FileSet.closed`` and ``closed_from`` may take long and runs on worker threads.
"""

from __future__ import annotations

import bisect
import hashlib
import mmap
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import pyarrow as pa

from .encode import compress
from .results import Discarded, ResultStore

END_MARK = b"\xff\xff\xff\xff\0\0\0\0"
#: Bodies of files that are kept, of all results together.
KEPT_BYTES = 256 << 20
#: Smaller bodies are kept in memory.
SMALL_BYTES = 1 << 20
#: Frames that the last file of a result comes in.
LAST_FRAMES = 5


@dataclass(frozen=True)
class Shape:
    """How a result is made into files; the same shape gives the same files."""

    first_row: int
    file_bytes: int
    extra_rows: int
    checksums: bool


@dataclass
class ResultFile:
    """Rows ``first`` .. ``first + rows - 1``; ``parts`` are (piece, from, to) triples."""

    index: int
    first: int
    rows: int
    parts: list[tuple[int, int, int]]
    raw_bytes: int
    last: bool
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def end(self) -> int:
        return self.first + self.rows


class Body:
    """Bytes that are sent often: in memory, or mapped from a file that has no name."""

    def __init__(self, data: bytes):
        self.size = len(data)
        self.view = memoryview(data)
        if self.size > SMALL_BYTES:
            with tempfile.TemporaryFile(prefix="warehouse-file-", buffering=0) as kept:
                at = 0
                while at < self.size:
                    at += kept.write(self.view[at:])
                mapped = mmap.mmap(kept.fileno(), self.size, prot=mmap.PROT_READ)
            self.view = memoryview(mapped)

    def read(self, at: int, size: int) -> memoryview:
        return self.view[at : at + size]


class _Kept:
    """The bodies encoded last.  A body in use stays readable when it is dropped."""

    def __init__(self) -> None:
        self.most_bytes = KEPT_BYTES
        self._lock = threading.Lock()
        self._bodies: OrderedDict[tuple, Body] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple) -> Body | None:
        with self._lock:
            found = self._bodies.get(key)
            if found is not None:
                self._bodies.move_to_end(key)
            return found

    def put(self, key: tuple, body: Body) -> None:
        with self._lock:
            if key in self._bodies:
                return
            self._bodies[key] = body
            self._bytes += body.size
            while self._bytes > self.most_bytes and len(self._bodies) > 1:
                _, dropped = self._bodies.popitem(last=False)
                self._bytes -= dropped.size

    def forget(self, store: int) -> None:
        with self._lock:
            for key in [key for key in self._bodies if key[0] == store]:
                self._bytes -= self._bodies.pop(key).size


kept = _Kept()


class FileSet:
    """The files of one result in one shape."""

    def __init__(self, store: ResultStore, shape: Shape):
        self.store = store
        self.shape = shape
        self.header = store.form.schema_message()
        self._files: list[ResultFile] = []
        self._ends: list[int] = []
        self._lock = threading.Lock()
        self._complete = False
        self._next_piece = 0
        self._next_row = shape.first_row
        self._open: list[tuple[int, int, int]] = []
        self._open_bytes = 0
        store.on_discard.append(lambda: kept.forget(store.key))

    # -- cutting --

    def closed_from(self, row: int, most: int) -> list[ResultFile]:
        """Files whose rows are all there, from the one with this row on."""
        at = bisect.bisect_right(self._ends, row)
        return self._files[at : at + most]

    def closed(self, index: int) -> ResultFile | None:
        return self._files[index] if 0 <= index < len(self._files) else None

    @property
    def complete(self) -> bool:
        """No file will be added."""
        return self._complete

    def extend(self) -> None:
        """Cut what has been made since."""
        with self._lock:
            if self._complete:
                return
            ended, pieces = self.store.pieces_from(self._next_piece)
            for piece in pieces:
                self._take(piece)
                self._next_piece += 1
            if ended:
                self._close(last=True)
                self._complete = True

    def _take(self, piece: tuple[int, int, int, int]) -> None:
        """Add one piece (index, first row, rows, message bytes), cut where it has to be."""
        index, first, rows, size = piece
        begin = max(0, self._next_row - first)
        room = max(1, self.shape.file_bytes - len(self.header) - len(END_MARK))
        while begin < rows:
            # A piece that fits into no file is cut into files of its own.
            step = rows if size <= room else max(1, rows * room // size)
            end = min(rows, begin + step)
            part = size if end - begin == rows else self._slice_bytes(index, begin, end)
            while part > room and end - begin > 1:
                end = begin + max(1, (end - begin) * room // part - 1)
                part = self._slice_bytes(index, begin, end)
            if self._open and self._open_bytes + part > room:
                self._close(last=False)
            self._open.append((index, begin, end))
            self._open_bytes += part
            self._next_row = first + end
            begin = end

    def _slice_bytes(self, index: int, begin: int, end: int) -> int:
        return pa.ipc.get_record_batch_size(self.store.batch(index).slice(begin, end - begin))

    def _extra(self, parts: list[tuple[int, int, int]]) -> pa.RecordBatch | None:
        """Rows that a file holds beyond those that count: its first ones once more."""
        if not self.shape.extra_rows:
            return None
        index, begin, end = parts[0]
        take = min(end - begin, self.shape.extra_rows)
        return self.store.batch(index).slice(begin, take)

    def _close(self, last: bool) -> None:
        if not self._open:
            return
        rows = sum(end - begin for _, begin, end in self._open)
        size = len(self.header) + self._open_bytes + len(END_MARK)
        extra = self._extra(self._open)
        if extra is not None:
            size += pa.ipc.get_record_batch_size(extra)
        first = self._next_row - rows
        made = ResultFile(len(self._files), first, rows, self._open, size, last)
        self._files.append(made)
        self._ends.append(made.end)
        self._open, self._open_bytes = [], 0

    # -- encoding --

    def etag(self, file: ResultFile) -> str:
        text = f"{self.store.key} {self.shape} {file.index}".encode()
        return f'"{hashlib.md5(text, usedforsecurity=False).hexdigest()}"'

    def stream(self, file: ResultFile) -> bytes:
        """The file's Arrow stream, not compressed."""
        parts = [self.header]
        parts += [self.store.message(*part) for part in file.parts]
        extra = self._extra(file.parts)
        if extra is not None:
            parts.append(extra.serialize().to_pybytes())
        return b"".join([*parts, END_MARK])

    def framed(self, raw: bytes, last: bool) -> bytes:
        """What is downloaded, made of a stream."""
        if not self.store.lz4_frames:
            return raw
        frames = LAST_FRAMES if last else 1
        # Cut anywhere: frames end where batches do by chance only.
        step = len(raw) // frames + 1
        return b"".join(
            compress(memoryview(raw)[at : at + step], self.shape.checksums)
            for at in range(0, len(raw), step)
        )

    def ready_body(self, file: ResultFile) -> Body | None:
        """The body, if it is kept; any thread, at once."""
        return kept.get((self.store.key, self.shape, file.index))

    def body(self, file: ResultFile) -> Body:
        key = (self.store.key, self.shape, file.index)
        with file.lock:
            found = kept.get(key)
            if found is None:
                if self.store.discarded:
                    raise Discarded()
                found = Body(self.framed(self.stream(file), file.last))
                kept.put(key, found)
        return found
