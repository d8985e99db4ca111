# SPDX-License-Identifier: Apache-2.0
"""The matrix of faults is whole: every cell that the warehouse lists is tested or has a reason."""

from __future__ import annotations

import test_faults_catalog
import test_faults_fetch
import test_faults_session
import test_faults_statement
from fault_matrix import NOT_APPLICABLE, cells
from harness import Warehouse

FILES = (test_faults_catalog, test_faults_fetch, test_faults_session, test_faults_statement)


def test_every_cell(w: Warehouse) -> None:
    tested = [cell for file in FILES for cell in cells(*file.PLACES)]
    assert len(tested) == len(set(tested)), "a cell is tested twice"
    listed = {tuple(cell) for cell in w.fault_matrix()}
    assert set(tested) | set(NOT_APPLICABLE) == listed
    assert not set(tested) & set(NOT_APPLICABLE)
    reasons: dict[str, int] = {}
    for reason in NOT_APPLICABLE.values():
        reasons[reason] = reasons.get(reason, 0) + 1
    print(f"\nfaults: {len(listed)} cells, {len(tested)} tested, {len(NOT_APPLICABLE)} cannot be:")
    for reason, count in reasons.items():
        print(f"  {count}: {reason}")
