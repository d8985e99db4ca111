# SPDX-License-Identifier: Apache-2.0
"""Wrong files: what the faults of phase ``file`` do to a download of a result's file.

On worker threads.  What is broken is broken inside: the length that the reply states is the
length of what it sends.
"""

from __future__ import annotations

import gzip

import pyarrow as pa

from .faults import Fault
from .files import END_MARK, FileSet, ResultFile
from .spoil import shattered

#: Faults of this phase that concern the reply, not the file.
OF_THE_REPLY = frozenset({"range_ignored", "wrong_content_range", "no_ranges"})


def spoilt(files: FileSet, file: ResultFile, faults: list[Fault]) -> bytes:
    """The body of the file with every fault in it."""
    lz4, checksums = files.store.lz4_frames, files.shape.checksums
    raw = files.stream(file)
    for fault in faults:
        raw = _stream(fault, raw, files, file)
    body = files.framed(raw, file.last)
    for fault in faults:
        if fault.kind == "file_lz4" and lz4:
            body = _lz4(body, fault.parameters["part"], checksums)
        elif fault.kind == "gzip":
            body = gzip.compress(body, 1, mtime=0)
    return body


def _stream(fault: Fault, raw: bytes, files: FileSet, file: ResultFile) -> bytes:
    if fault.kind == "file_arrow":
        at = len(files.header)
        return raw[:at] + shattered(raw[at:])
    if fault.kind == "file_no_end":
        return raw.removesuffix(END_MARK)
    if fault.kind == "file_schema":
        return _written(_other_type(_table(raw)))
    rows = fault.parameters.get("rows", 0)
    if fault.kind in ("file_short", "file_changed"):
        table = _table(raw)
        if fault.kind == "file_changed":
            rows, table = 1, table.take(pa.array(range(table.num_rows - 1, -1, -1)))
        return _written(table.slice(0, max(0, file.rows - rows)), files)
    if fault.kind == "file_long":
        table = _table(raw)
        more = pa.concat_tables([table] * (1 + -(-rows // table.num_rows)))
        return _written(more.slice(0, file.rows + rows), files)
    return raw


def _table(raw: bytes) -> pa.Table:
    return pa.ipc.open_stream(pa.py_buffer(raw)).read_all()


def _written(table: pa.Table, files: FileSet | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    made = sink.getvalue().to_pybytes()
    if files is None:
        return made
    # With the header that every file of the result has.
    header = table.schema.serialize().size
    return files.header + made[header:]


def _other_type(table: pa.Table) -> pa.Table:
    kind = pa.int32() if pa.types.is_string(table.schema.field(0).type) else pa.string()
    field = table.schema.field(0).with_type(kind)
    return table.set_column(0, field, pa.nulls(table.num_rows, kind))


def _lz4(body: bytes, part: str, checksums: bool) -> bytes:
    made = bytearray(body)
    if part == "header":
        made[6] ^= 0xFF
    elif part == "checksum" and checksums:
        # The first frame ends with its mark of four zeros and the checksum of its content.
        at = _first_frame(body) - 4
        made[at] ^= 0xFF
    else:
        # A block whose first match reaches back before its start: no decoder can go on.
        size = int.from_bytes(body[7:11], "little") & 0x7FFFFFFF
        made[11 : 11 + min(size, 16)] = b"\0\xff\xff" * 5 + b"\0" if size >= 16 else b"\xff"
    return bytes(made)


def _first_frame(body: bytes) -> int:
    """The length of the first frame."""
    at = 7
    while True:
        size = int.from_bytes(body[at : at + 4], "little") & 0x7FFFFFFF
        at += 4
        if size == 0:
            return at + 4
        at += size + 4

