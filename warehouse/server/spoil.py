# SPDX-License-Identifier: Apache-2.0
"""Wrong pages: what the faults of phase ``page`` do to the rows of one reply.

Everything here can be noticed by a client that checks: a count that differs from what came,
an offset that is not where the page before ended, bytes that do not decode.  Batches are
therefore left out or repeated only on a page that others follow.
"""

from __future__ import annotations

import copy
from typing import Any

import lz4.frame
import pyarrow as pa

from .encode import compress

Batch = tuple[bytes, int]


class Spoil:
    """The page faults of one request."""

    def __init__(self) -> None:
        self._faults: list[tuple[str, dict[str, Any]]] = []
        #: Faults that the page met while it was made, for the log of requests.
        self.met: list[str] = []

    def add(self, kind: str, parameters: dict[str, Any]) -> None:
        self._faults.append((kind, parameters))

    @property
    def nothing(self) -> bool:
        return not self._faults

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [parameters for known, parameters in self._faults if known == kind]

    @property
    def offset(self) -> int:
        """How much the announced startRowOffset is wrong by."""
        return sum(parameters["delta"] for parameters in self._of("wrong_offset"))

    @property
    def count(self) -> int:
        return sum(parameters["delta"] for parameters in self._of("wrong_row_count"))

    def batches(self, batches: list[Batch], lz4_frames: bool, more: bool) -> list[Batch]:
        """The Arrow batches of a page; on a worker thread."""
        if not batches:
            return batches
        if self._of("missing_batch") and more:
            batches = batches[:-1]
        if self._of("duplicate_batch") and more:
            batches = [*batches, batches[-1]]
        if batches and self.count:
            data, count = batches[-1]
            batches = [*batches[:-1], (data, max(0, count + self.count))]
        if batches and self._of("bad_arrow"):
            data, count = batches[0]
            batches = [(_bad_arrow(data, lz4_frames), count), *batches[1:]]
        if batches and self._of("bad_lz4") and lz4_frames:
            data, count = batches[0]
            batches = [(data[: max(5, len(data) // 2)], count), *batches[1:]]
        return batches

    def links(self, links: list[Any], more: bool) -> list[Any] | None:
        """The links of a page; None when it has not even an empty list of them."""
        if not links:
            return links
        followed = more or len(links) > 1
        if (self._of("missing_link") or self._of("missing_batch")) and followed:
            links = links[1:]
        if self._of("duplicate_link") or (self._of("duplicate_batch") and more):
            links = [*links[:1], *links]
        if self._of("links_out_of_order"):
            links = links[::-1]
        for link in links:
            link.startRowOffset += sum(p["delta"] for p in self._of("link_gap"))
            for parameters in self._of("link_bytes"):
                link.bytesNum = parameters["bytes"]
            for parameters in self._of("link_expiry"):
                link.expiryTime += int(parameters["seconds"] * 1000)
            if self._of("link_headers"):
                link.httpHeaders = {}
        for parameters in self._of("link_row_count") + self._of("wrong_row_count"):
            if links:
                links[-1].rowCount = max(0, links[-1].rowCount + parameters["delta"])
        if self._of("link_zero_rows") and links:
            nothing = copy.copy(links[0])
            nothing.rowCount = 0
            links = [nothing, *links]
        if self._of("empty_page"):
            links = []
        return None if self._of("no_links") else links

    @property
    def keeps_cursor(self) -> bool:
        """The page is empty, and what it should have held comes next."""
        return bool(self._of("empty_page"))

    @property
    def links_expired(self) -> bool:
        return bool(self._of("expired_links"))

    @property
    def unreachable(self) -> str | None:
        """How the storage that links lead to cannot be reached."""
        return next((parameters["how"] for parameters in self._of("unreachable")), None)

    @property
    def renewed_rows(self) -> int:
        return sum(parameters["rows"] for parameters in self._of("link_changed"))

    def table(self, table: pa.Table, more: bool) -> pa.Table:
        """The same for a page of columns: half of the rows are left out or repeated."""
        half = table.num_rows // 2
        if self._of("missing_batch") and more:
            table = table.slice(0, half)
        if self._of("duplicate_batch") and more:
            table = pa.concat_tables([table, table.slice(half)])
        return table

    def schema(self, message: bytes | None) -> bytes | None:
        """The Arrow schema of a result's metadata."""
        if message and self._of("bad_schema"):
            return shattered(message)
        return message


def _bad_arrow(data: bytes, lz4_frame: bool) -> bytes:
    if not lz4_frame:
        return shattered(data)
    return compress(shattered(lz4.frame.decompress(data)))


def shattered(message: bytes) -> bytes:
    """An encapsulated message whose flatbuffer points out of itself."""
    start = 8 if message[:4] == b"\xff\xff\xff\xff" else 4
    return message[:start] + b"\xf0\xff\xff\x7f" + message[start + 4 :]
