# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the conformance suite's Python half: one warehouse, and a connection to it."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterator

import pytest
from harness import AdbcConnection, Warehouse, connected, release_what_is_open, update

HERE = str(pathlib.Path(__file__).resolve().parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

#: Nothing here waits for a deadline.
PATIENT = {"databricks.request_timeout_seconds": "60"}

TABLES = (
    "CREATE OR REPLACE TABLE conform.parent (id INT NOT NULL, k STRING NOT NULL,"
    " CONSTRAINT parent_pk PRIMARY KEY (k, id))",
    "CREATE OR REPLACE TABLE conform.child (a STRING, b INT, n DECIMAL(10,2),"
    " CONSTRAINT child_fk FOREIGN KEY (a, b) REFERENCES conform.parent (k, id))",
    "CREATE OR REPLACE VIEW conform.seen AS SELECT 1 AS one",
)


@pytest.fixture(autouse=True)
def clean_driver(driver: str) -> Iterator[None]:
    yield
    release_what_is_open()


@pytest.fixture(scope="module")
def w() -> Iterator[Warehouse]:
    with Warehouse(no_samples=True) as made:
        with connected(made, PATIENT) as conn:
            update(conn, "CREATE SCHEMA conform")
            for sql in TABLES:
                update(conn, sql)
        yield made


@pytest.fixture
def conn(w: Warehouse) -> Iterator[AdbcConnection]:
    with connected(w, PATIENT) as made:
        yield made
