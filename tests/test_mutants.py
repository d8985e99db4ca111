# SPDX-License-Identifier: Apache-2.0
"""Every rule of the heartbeat has a mutant, every mutant applies, and its tests are tests of
rules. That the tests fail because of it is what `make mutants` shows."""

from __future__ import annotations

import pathlib
import sys
from collections import Counter

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "mutants"))

import table  # noqa: E402

MUTANTS = table.mutants()
REPAIR = (
    "The code below this mutant has changed. Make the same mistake in it as it is now, write the "
    "patch anew with `git diff -U2 -- src` (its two lines of words stay in front), take the mistake "
    "back, and see `make mutants NAMES=<name>` kill it."
)
FINDINGS = ["1", "2", "3a", "3b", *map(str, range(4, 12))]


def test_every_patch_has_a_row_and_every_row_a_patch() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    patches = {path.stem for path in table.HERE.glob("*.patch")}
    assert sorted(patches ^ set(names)) == []


def test_every_rule_has_a_mutant() -> None:
    rules = list(table.tests_of_rules())
    assert [rule for rule in rules if rule not in {mutant.rule for mutant in MUTANTS}] == []
    assert [mutant.name for mutant in MUTANTS if mutant.rule not in rules] == []


def test_rows_are_in_the_order_of_the_rules() -> None:
    order = list(table.tests_of_rules())
    places = [order.index(mutant.rule) for mutant in MUTANTS]
    assert places == sorted(places)
    wrong = [m.name for m in MUTANTS if not m.name.startswith(m.rule + "-")]
    assert wrong == []


def test_every_finding_of_the_review_has_its_mutant() -> None:
    found = {mutant.finding for mutant in MUTANTS} - {"-"}
    assert sorted(found) == sorted(FINDINGS)
    page = (table.ROOT / "docs" / "internals" / "HEARTBEAT.md").read_text()
    missing = [m.name for m in MUTANTS if m.finding != "-" and f"`{m.name}`" not in page]
    assert missing == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_applies_and_its_tests_are_tests_of_rules(mutant: table.Mutant) -> None:
    applied = table.apply(mutant.patch, table.ROOT, "--check")
    assert applied.returncode == 0, applied.stderr + REPAIR
    assert table.files_of(mutant.patch), "the patch changes nothing"
    known = {name for names in table.tests_of_rules().values() for name in names}
    assert [name for name in mutant.tests if table.plain(name) not in known] == []
    assert mutant.tests and mutant.what
