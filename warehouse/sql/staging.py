# SPDX-License-Identifier: Apache-2.0
"""PUT, GET and REMOVE of files in volumes.

The statement moves nothing: its answer is one row that tells the client which signed URL to
use.  Every volume of a schema that exists is there; folders are only parts of names.
"""

from __future__ import annotations

import json
from typing import Protocol

from sqlglot.tokens import TokenType

from . import types as t
from .errors import SqlError, unsupported
from .output import Outcome, rows_outcome

_COLUMNS = [(n, t.STRING) for n in ("operation", "presignedUrl", "headers", "localFile")]


class Volumes(Protocol):
    """The storage behind the volumes; the server has it."""

    def exists(self, path: str) -> bool: ...

    def sign(self, method: str, path: str) -> tuple[str, dict[str, str]]:
        """URL and the headers that the client has to send with it."""


def run(stmt, word: str, words) -> Outcome:
    volumes: Volumes | None = stmt.engine.volumes
    if volumes is None or not stmt.session.staging:
        raise unsupported(word)
    local = None
    if word == "PUT":
        local = _text(words)
        words.expect("INTO")
        path = _path(stmt, _text(words))
        overwrite = words.accept("OVERWRITE")
        words.end()
        if not overwrite and volumes.exists(path):
            raise SqlError(
                "FILE_IN_STAGING_PATH_ALREADY_EXISTS",
                "42K04",
                f"The file in the staging path {path} already exists but OVERWRITE is not "
                "set.",
            )
    elif word == "GET":
        path = _path(stmt, _text(words))
        words.expect("TO")
        local = _text(words)
        words.end()
    else:
        path = _path(stmt, _text(words))
        words.end()
    method = {"PUT": "PUT", "GET": "GET", "REMOVE": "DELETE"}[word]
    url, headers = volumes.sign(method, path)
    row = (word, url, json.dumps(headers), local)
    return rows_outcome("staging", _COLUMNS, [row], stmt.view.timezone)


def _text(words) -> str:
    if words.done() or words.toks[words.at].token_type != TokenType.STRING:
        raise words.fail()
    words.at += 1
    return words.toks[words.at - 1].text


def _path(stmt, asked: str) -> str:
    """The path in its one spelling; catalog and schema have to be there."""
    parts = asked.split("/")
    wrong = len(parts) < 6 or parts[0] or parts[1] != "Volumes"
    if wrong or any(part in ("", ".", "..") for part in parts[1:]):
        raise SqlError(
            "INVALID_PARAMETER_VALUE",
            "22023",
            f"The path {asked!r} is no file in a volume: "
            "/Volumes/<catalog>/<schema>/<volume>/<file>.",
        )
    catalog, schema, volume = (part.lower() for part in parts[2:5])
    known = stmt.engine.catalog
    if catalog not in known.catalogs():
        raise SqlError("NOT_FOUND", "42704", f"Catalog '{catalog}' does not exist.")
    if schema not in known.schemas(catalog):
        raise SqlError(
            "NOT_FOUND", "42704", f"Schema '{catalog}.{schema}' does not exist."
        )
    return "/".join(["", "Volumes", catalog, schema, volume, *parts[5:]])
