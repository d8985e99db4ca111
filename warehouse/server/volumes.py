# SPDX-License-Identifier: Apache-2.0
"""The files in volumes, and the signed, expiring URLs that lead to them.

Each file is an unlinked temporary file: nothing stays behind, however the process ends.
Lives on the event loop's thread; ``exists`` and ``sign`` may be called on any.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
import urllib.parse
from dataclasses import dataclass
from typing import IO

from .clock import Clock

LINK_SECONDS = 900
#: What the client has to send along with a PUT, as with one of the real stores.
PUT_HEADERS = {"x-ms-blob-type": "BlockBlob"}


@dataclass
class Stored:
    file: IO[bytes]
    size: int
    sha256: str

    def read(self, at: int, size: int) -> bytes:
        return os.pread(self.file.fileno(), size, at)


class Volumes:
    def __init__(self, clock: Clock):
        self.clock = clock
        self.base = ""
        self.files: dict[str, Stored] = {}
        self._key = secrets.token_bytes(32)

    # -- what the SQL engine asks --

    def exists(self, path: str) -> bool:
        return path in self.files

    def sign(self, method: str, path: str) -> tuple[str, dict[str, str]]:
        expires = int(self.clock.wall()) + LINK_SECONDS
        query = urllib.parse.urlencode(
            {"method": method, "expires": expires, "sig": self._sign(method, path, expires)}
        )
        url = f"{self.base}{urllib.parse.quote(path)}?{query}"
        return url, dict(PUT_HEADERS) if method == "PUT" else {}

    def _sign(self, method: str, path: str, expires: int) -> str:
        text = f"{method}\n{path}\n{expires}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()

    # -- what the storage asks --

    def refuse(self, method: str, path: str, query: dict[str, str]) -> str | None:
        """Why the signature is not good: the store's error code, or None."""
        try:
            expires = int(query["expires"])
        except (KeyError, ValueError):
            return "AuthorizationQueryParametersError"
        wanted = self._sign(method, path, expires)
        if not hmac.compare_digest(wanted.encode(), query.get("sig", "").encode()):
            return "SignatureDoesNotMatch"
        if self.clock.wall() >= expires:
            return "AccessDenied"
        return None

    def upload(self) -> Upload:
        return Upload(self)

    def remove(self, path: str) -> bool:
        found = self.files.pop(path, None)
        return found is not None

    def describe(self) -> list[dict]:
        return [
            {"path": path, "bytes": stored.size, "sha256": stored.sha256}
            for path, stored in sorted(self.files.items())
        ]


class Upload:
    """A file on its way in; it is there once ``finish`` has been called."""

    def __init__(self, volumes: Volumes):
        self._volumes = volumes
        self._file = tempfile.TemporaryFile(prefix="warehouse-volume-")
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def finish(self, path: str) -> None:
        self._file.flush()
        # A file that somebody still reads is closed when its last reader lets go of it.
        self._volumes.files[path] = Stored(self._file, self.size, self._hash.hexdigest())
