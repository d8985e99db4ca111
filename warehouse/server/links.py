# SPDX-License-Identifier: Apache-2.0
"""Links to the files of results: made when a page is asked for, checked by the storage.

A link is good for one file, until it expires by the server's clock, while its operation
lives.  It is signed as it stands, byte for byte: a client that decodes and encodes the URL
again is refused.  Asking again for rows whose links were given out gives fresh links.

Lives on the event loop's thread.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
import secrets
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from databricks.sql.thrift_api.TCLIService import ttypes as t

from .faults import Event
from .files import FileSet, ResultFile, Shape
from .operations import Operation
from .replies import V3
from .spoil import Spoil

log = logging.getLogger("warehouse.links")

#: No file is larger, or the rows made ahead would not fill it.
MOST_FILE_BYTES = 128 << 20
ALGORITHM = "x-amz-server-side-encryption-customer-algorithm"
KEY_MD5 = "x-amz-server-side-encryption-customer-key-md5"
#: What stands in the query besides: everything that is easy to get wrong.
AWKWARD = (
    "response-content-disposition=attachment%3B%20filename%3D%22r%2B0%25.arrow%22"
    "&x-id=a+b~c/d:e@f?g=="
)
_PATH = re.compile(r"/results/([0-9a-f-]{36})/(\d+)/(\d+)/[^/]*")
_SIGNATURE = b"&X-Amz-Signature="
_EXPIRES = re.compile(rb"[?&]X-Local-Expires-Ms=(-?\d+)(?:&|$)")


@dataclass
class FileStory:
    """What has happened to one file of an operation."""

    first_row: int
    rows: int
    raw_bytes: int
    links: int = 0
    requests: int = 0
    bytes_out: int = 0
    statuses: Counter[str] = field(default_factory=Counter)


class OperationLinks:
    """The links of one operation."""

    def __init__(self, files: FileSet):
        self.files = files
        self.stories: dict[int, FileStory] = {}

    def story(self, file: ResultFile) -> FileStory:
        found = self.stories.get(file.index)
        if found is None:
            found = FileStory(file.first, file.rows, file.raw_bytes)
            self.stories[file.index] = found
        return found


@dataclass
class Asked:
    """A file that a good URL leads to."""

    op: Operation
    file: ResultFile
    #: Which link to the file this is: 1 is the first, more are renewals.
    issue: int


class Links:
    def __init__(self, warehouse: Any):
        self.wh = warehouse
        self.base = ""
        self._key = secrets.token_bytes(32)
        self._closed: socket.socket | None = None

    # -- for the pages --

    def of(self, op: Operation) -> OperationLinks | None:
        """The links of a finished operation; None when its rows come inline.

        Decided when it is first asked for: the answer has to stay.
        """
        if not op.links_decided:
            op.links_decided = True
            op.links = self._decide(op)
        return op.links

    def _decide(self, op: Operation) -> OperationLinks | None:
        options, store = self.wh.options, op.store
        if not (op.arrow and op.wanted.links and options.cloud_fetch):
            return None
        if op.session.protocol < V3 or op.outcome is None or op.outcome.kind != "query":
            return None
        # Rows that wait to be read before more are made are many, whatever they weigh.
        if store.raw_bytes < options.cloud_fetch_bytes and not store.stalled:
            return None
        size = op.wanted.file_bytes or MOST_FILE_BYTES
        size = max(1, min(size, options.cloud_fetch_file_bytes, MOST_FILE_BYTES))
        inline = min(options.cloud_fetch_inline_rows, store.rows)
        shape = Shape(
            inline, size, options.cloud_fetch_extra_rows, options.cloud_fetch_checksums
        )
        files = store.file_sets.get(shape)
        if files is None:
            files = store.file_sets[shape] = FileSet(store, shape)
        return OperationLinks(files)

    def page(
        self, op: Operation, files: list[ResultFile], more: bool, spoil: Spoil
    ) -> list[t.TSparkArrowResultLink] | None:
        """The links of a page, with the faults that it meets."""
        renewed = any(file.index in op.links.stories for file in files)
        event = Event(
            links=True,
            operation=op.id,
            statement=op.sql,
            followed=more or len(files) > 1,
            renewed=renewed,
        )
        for fault in self.wh.faults.take(event) if files else ():
            spoil.add(fault.kind, fault.parameters)
            spoil.met.append(f"{fault.id} {fault.kind}")
            log.info("fault %s (%s) hits links of %s", fault.id, fault.kind, op.id)
        return spoil.links([self._issue(op, file, spoil) for file in files], more)

    def _issue(
        self, op: Operation, file: ResultFile, spoil: Spoil
    ) -> t.TSparkArrowResultLink:
        story, stats = op.links.story(file), self.wh.stats.storage
        story.links += 1
        stats.links_issued += 1
        stats.links_renewed += story.links > 1
        life = -1.0 if spoil.links_expired else self.wh.options.link_life_seconds
        base = self._unreachable(spoil.unreachable)
        rows = file.rows + (spoil.renewed_rows if story.links > 1 else 0)
        expires = int((self.wh.clock.wall() + life) * 1000)
        return t.TSparkArrowResultLink(
            fileLink=base + self._signed(op, file.index, story.links, expires),
            expiryTime=expires,
            startRowOffset=file.first,
            rowCount=rows,
            bytesNum=file.raw_bytes,
            httpHeaders=self.headers(op, file.index),
        )

    def _unreachable(self, how: str | None) -> str:
        """The storage's address, or one where it cannot be reached."""
        scheme, _, rest = self.base.partition("://")
        host, _, port = rest.rpartition(":")
        if how == "name":
            return f"{scheme}://storage.invalid:{port}"
        if how == "tls":
            return f"{'http' if scheme == 'https' else 'https'}://{rest}"
        if how == "port":
            if self._closed is None:
                # Bound and never listened on: nobody else can open it.
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                self._closed = socket.socket(family)
                self._closed.bind((host.strip("[]"), 0))
            return f"{scheme}://{host}:{self._closed.getsockname()[1]}"
        return self.base

    def headers(self, op: Operation, index: int) -> dict[str, str]:
        """What a GET of the file has to send: another value for every file."""
        if not self.wh.options.cloud_fetch_headers:
            return {}
        digest = hashlib.md5(f"{op.id} {index}".encode(), usedforsecurity=False).digest()
        return {ALGORITHM: "AES256", KEY_MD5: base64.b64encode(digest).decode()}

    def _signed(self, op: Operation, index: int, issue: int, expires: int) -> str:
        wall = self.wh.clock.wall()
        day = time.strftime("%Y%m%d", time.gmtime(wall))
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(wall))
        # Objects are named by the end of their life, which is about a day away.
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall + 25 * 3600))
        path = f"/results/{op.id}/{index}/{issue}/" + quote(f"results {end}_{op.id}", "")
        seconds = max(1, round(self.wh.options.link_life_seconds))
        query = (
            "X-Amz-Algorithm=AWS4-HMAC-SHA256"
            f"&X-Amz-Credential=LOCAL%2F{day}%2Flocal%2Fs3%2Faws4_request"
            f"&X-Amz-Date={stamp}&X-Amz-Expires={seconds}&X-Local-Expires-Ms={expires}"
            f"&X-Amz-SignedHeaders=host%3B{KEY_MD5}&{AWKWARD}"
        )
        text = f"{path}?{query}"
        return text + _SIGNATURE.decode() + self._sign(text.encode())

    def _sign(self, text: bytes) -> str:
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()

    # -- for the storage --

    def refuse(self, raw_path: bytes, query: bytes, headers: dict) -> str | None:
        """Why the request is not good: the store's error code, or None."""
        text, _, given = (raw_path + b"?" + query).rpartition(_SIGNATURE)
        if not hmac.compare_digest(self._sign(text).encode(), given):
            return "SignatureDoesNotMatch"
        if self.wh.clock.wall() >= self.expiry(text):
            return "AccessDenied"
        asked = self.find(raw_path)
        if asked is not None:
            for name, value in self.headers(asked.op, asked.file.index).items():
                if headers.get(name, b"").decode("latin-1") != value:
                    return "MissingRequiredHeader"
        return None

    @staticmethod
    def expiry(query: bytes) -> float:
        """When the link with this query expires, in seconds since 1970."""
        found = _EXPIRES.search(query)
        return int(found.group(1)) / 1000 if found else 0.0

    def find(self, raw_path: bytes) -> Asked | None:
        """The file that a path names; None when there is none (any more)."""
        found = _PATH.fullmatch(raw_path.decode("latin-1"))
        op = self.wh.known.get(found.group(1)) if found else None
        if op is None or op.gone or not op.links:
            return None
        file = op.links.files.closed(int(found.group(2)))
        return None if file is None else Asked(op, file, int(found.group(3)))

    def describe(self, op: Operation) -> list[dict]:
        if not op.links:
            return []
        return [
            {
                "index": index,
                "first_row": story.first_row,
                "rows": story.rows,
                "bytes": story.raw_bytes,
                "links": story.links,
                "requests": story.requests,
                "bytes_out": story.bytes_out,
                "answers": dict(sorted(story.statuses.items())),
            }
            for index, story in sorted(op.links.stories.items())
        ]
