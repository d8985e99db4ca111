# SPDX-License-Identifier: Apache-2.0
"""The matrix of faults (fault_matrix.py)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fault_matrix import SCENARIOS, cells, check

PLACES = ("GetCatalogs", "GetSchemas", "GetTables", "GetColumns", "GetTableTypes")


@pytest.mark.parametrize(("kind", "where"), cells(*PLACES))
def test_fault(warehouse_of: Callable, kind: str, where: str) -> None:
    check(warehouse_of(SCENARIOS[where].personality), kind, where)
